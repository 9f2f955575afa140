"""Since the last plan: the money of the weeks that both plans cover is that of their requests, added up by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cases.random_chains import MONDAY, RandomChain, random_chain
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State, state_of_tables
from datong.model.errors import NoPlan
from datong.questions.run import RunAsked
from datong.questions.since import PlanBefore

# Chains whose requests have priorities.
SEEDS = [seed for seed in range(60) if "priorities" in random_chain(seed).has][:8]
NEAR = {"rel": 1e-9, "abs": 1e-6}


def a_bucket_later(made: RandomChain) -> State:
    """The chain as it stands when the first bucket is over, in which nothing was made, received or sent."""
    later = MONDAY + timedelta(days=1 if made.settings.bucket == "day" else 7)
    settings = replace(made.settings, start=later)
    tables = {name: made.state.table(name) for name in made.tables}
    return state_of_tables(settings, datetime(later.year, later.month, later.day, tzinfo=UTC), tables)


def by_hand(made: RandomChain, record: RunRecord, first: date, last: date) -> dict[str, float]:
    """Money of lateness and of what is not served in the buckets from first to last, and of what was due before and is
    not served: over requests, a unit that waits costs at each bucket's end, one that is not served where it is due."""
    settings, calendar = made.settings, made.settings.calendar
    starts = record.tables["forecast_total"]["bucket"].to_pylist()
    begin, weeks = min(starts), 1 / 7 if settings.bucket == "day" else 1.0
    economics = {row["product"]: row for row in made.tables.get("economics", [])}
    price = {row["product"]: row["price"] for row in made.tables["products"]}
    money = {"late": 0.0, "lost": 0.0, "lost_before": 0.0}
    for row in record.tables["deliveries"].to_pylist():
        stated = economics.get(row["product"], {})
        weight = settings.defaults.priority_factor ** max(row["priority"], 0)
        share = settings.defaults.late_share_per_week * price[row["product"]]
        late = stated.get("late_cost_per_unit_week") or share
        lost = stated.get("lost_sale_cost_per_unit") or settings.defaults.lost_sale_share * price[row["product"]]
        due = max(calendar.bucket_start(row["due"]), begin)
        if row["what"] in ("late", "never"):
            until = row["bucket"] or max(starts) + timedelta(days=7)
            waits = sum(due <= day < until and first <= day <= last for day in starts)
            money["late"] += row["units"] * late * weeks * weight * waits
        if row["what"] in ("refused", "never"):
            was_due = calendar.bucket_start(row["due"])
            if first <= was_due <= last:
                money["lost"] += row["units"] * lost * weight
            elif was_due < first:
                money["lost_before"] += row["units"] * lost * weight
    return money


@pytest.mark.parametrize("seed", SEEDS)
def test_money_of_both_plans_is_that_of_their_requests(seed: int) -> None:
    # A co-product has no economics of its own, whose lateness these sums do not know.
    made = random_chain(seed, ("forecast", "lanes", "effectivity", "co-products"))
    made = replace(made, settings=replace(made.settings, defaults=replace(made.settings.defaults, lost_sale_share=1.0)))
    states = made.state, a_bucket_later(made)
    try:
        first = RunAsked(states[0], (), None, 0).answer()
        before = PlanBefore(first.run, first.as_of, states[0], first.tables)
        second = RunAsked(states[1], (), before, 0).answer()
    except NoPlan:
        pytest.skip("locked orders that cannot run")
    buckets = [record.tables["forecast_total"]["bucket"].to_pylist() for record in (first, second)]
    both = sorted({*buckets[0]} & {*buckets[1]})
    hands = [by_hand(made, record, both[0], both[-1]) for record in (first, second)]
    shown = {r["kind"]: r for r in second.tables["since"].to_pylist() if r["part"] == "cost"}
    for kind, term in (("late", "late"), ("lost", "lost"), ("lost_overdue", "lost_before")):
        row = shown.get(kind, {"money_before": 0.0, "money_after": 0.0})
        assert row["money_before"] == pytest.approx(hands[0][term], **NEAR), kind
        assert row["money_after"] == pytest.approx(hands[1][term], **NEAR), kind
    for side in ("before", "after"):
        terms = [
            shown[kind][f"money_{side}"] for kind in ("orders", "overtime", "holding", "late", "lost") if kind in shown
        ]
        assert shown["total"][f"money_{side}"] == pytest.approx(sum(terms), rel=1e-9, abs=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_requests_cost_adds_up_to_lateness_and_lost_demand(seed: int) -> None:
    record = RunAsked(random_chain(seed, ("forecast", "locked", "released", "started")).state, (), None, 0).answer()
    cost = dict(zip(*record.tables["cost"].to_pydict().values(), strict=True))
    told = sum(record.tables["deliveries"]["short_cost"].to_pylist())
    assert told == pytest.approx(cost["late"] + cost["lost"], **NEAR)


def test_the_money_of_buckets_adds_up_to_the_terms() -> None:
    for seed in SEEDS:
        try:
            record = RunAsked(random_chain(seed).state, (), None, 0).answer()
        except NoPlan:
            continue
        cost = dict(zip(*record.tables["cost"].to_pydict().values(), strict=True))
        weekly = record.tables["money_by_bucket"]
        sums = weekly.group_by("term", use_threads=False).aggregate([("money", "sum")]).to_pylist()
        told = {row["term"]: row["money_sum"] for row in sums}
        for term in ("holding", "late", "lost", "overtime"):
            assert told.get(term, 0.0) == pytest.approx(cost.get(term, 0.0), **NEAR), (seed, term)
