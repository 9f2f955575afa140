"""Findings of the market: what is listed, what a decision does to the forecast, and what came of it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.forecast.paths import forecast
from datong.ledger.state import State, state_of_tables
from datong.model.errors import NotFound, Refused
from datong.model.flow import DISMISSED, TAKEN, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.finding_decisions import Change, Decision, decision_rows, decisions
from datong.questions.decision_effect import effect_of
from datong.questions.market_findings import MarketFinding, decided, findings_as_table, market_findings, the_finding
from datong.sense.signals import sense

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
WEEKS = 60
PRODUCTS = tuple("ABCDEFGHIJ")
ODD_WEEK, SHIFT = 20, 40


def shop(now_week: int = WEEKS, made: tuple[Decision, ...] = (), helped: float = 1.0, **more: list[dict]) -> State:
    """Ten products of 40 a week about: A sells 400 in one odd week, B doubles for good from week 40 on. helped: factor
    on the sales of B from week 48 on. Stays the same up to any week, whatever comes after."""
    rng = np.random.default_rng(6)
    sales = []
    for week in range(now_week):
        for product, usual in zip(PRODUCTS, rng.poisson(40, len(PRODUCTS)), strict=True):
            units = float(usual)
            if product == "A" and week == ODD_WEEK:
                units = 400.0
            if product == "B" and week >= SHIFT:
                units *= 2 * (helped if week >= 48 else 1.0)
            day = MONDAY + timedelta(weeks=week, days=2)
            sales.append({"product": product, "units": round(units), "happened_at": day, "row_id": f"{product}{week}"})
    tables = {
        "products": pa.Table.from_pylist([{"product": p} for p in PRODUCTS]),
        "sales": pa.Table.from_pylist(sales),
    }
    if made:
        rows = decision_rows(made)
        tables["decisions"] = rows.drop_columns([n for n in rows.column_names if n.startswith("__")])
    tables |= {name: pa.Table.from_pylist(rows) for name, rows in more.items()}
    settings = ChainSettings("shop", horizon_buckets=6)
    return state_of_tables(settings, MONDAY + timedelta(weeks=now_week), tables)


def finding(state: State, kind: str, product: str) -> MarketFinding:
    return next(f for f in market_findings(state) if (f.kind, f.subject.name) == (kind, product))


def means(state: State) -> dict[str, list[float]]:
    made = forecast(sense(state), nothing_learnt(), 200, 0)
    return {item.product: made.paths[n].mean(axis=0).tolist() for n, item in enumerate(made.items)}


def decision(state: State, kind: str, product: str, what: str, change: Change | None = None) -> Decision:
    return decided(finding(state, kind, product), what, state.as_of, "seen in the shop", "Wang", change)


def test_what_changed_is_listed_with_its_rows() -> None:
    found = market_findings(shop())
    odd, shift = finding(shop(), "anomaly", "A"), finding(shop(), "level_shift", "B")
    assert odd.signal is not None and odd.signal.evidence == (f"A{ODD_WEEK}",)
    assert (odd.first, shift.first) == (date(2024, 5, 20), date(2024, 10, 7))
    assert {f.subject.name for f in found} == {"A", "B"}
    rows = findings_as_table(found).to_pylist()
    assert [r["decision"] for r in rows] == [None] * len(rows)
    assert {r["finding"] for r in rows} == {f.finding for f in found}


def test_a_taken_change_moves_the_forecast_of_its_product_alone_and_shows_the_rows_of_the_finding() -> None:
    """20% more in the first two open weeks: the forecast of B is 1.2 times in these, and as before in the others."""
    state = shop()
    first = state.first_open_bucket
    change = Change(first, first + timedelta(weeks=2), 0.2, 0.1, 0.3)
    taken = decision(state, "level_shift", "B", TAKEN, change)
    after = shop(made=(taken,))
    before, moved = means(state), means(after)
    assert {p for p in PRODUCTS if before[p] != moved[p]} == {"B"}
    ratio = [b / a for a, b in zip(before["B"], moved["B"], strict=True)]
    assert ratio == pytest.approx([1.2, 1.2, 1, 1, 1, 1], rel=0.02)
    signal = next(s for s in sense(after).signals if s.kind == "taken")
    assert (signal.evidence_table, signal.evidence) == ("sales", taken.evidence)
    assert "20% more" in signal.text.text("en")
    assert "Wang: seen in the shop" in signal.text.text("en")
    assert finding(after, "level_shift", "B").decision == taken


def test_an_odd_week_that_is_dismissed_counts() -> None:
    state = shop()
    dismissed = shop(made=(decision(state, "anomaly", "A", DISMISSED),))
    before, after = means(state), means(dismissed)
    moved = {p: abs(sum(after[p]) / sum(before[p]) - 1) for p in PRODUCTS}
    assert max(moved, key=lambda p: moved[p]) == "A"  # the others by what is learnt from all products together
    assert finding(dismissed, "anomaly", "A").proposal.key == "findings.does_counts"


def test_a_promotion_that_is_dismissed_changes_nothing_and_the_last_decision_counts() -> None:
    first = shop().first_open_bucket
    row = {"promotion": "P", "product": "C", "from": first, "to": first + timedelta(weeks=1), "change_share": 0.5}
    told = shop(promotions=[row])
    dismissed = decision(told, "promotion", "C", DISMISSED)
    taken = replace(dismissed, state=TAKEN, decided_at=dismissed.decided_at + timedelta(microseconds=1))
    assert means(told)["C"][0] == pytest.approx(1.5 * means(shop())["C"][0], rel=0.03)
    assert means(shop(made=(dismissed,), promotions=[row])) == means(shop())
    both = shop(made=(taken, dismissed), promotions=[row])
    assert [d.state for d in decisions(both)] == [TAKEN]
    assert means(both) == means(told)


def test_a_decision_stays_with_its_finding_when_its_days_move_and_is_told_when_it_is_found_no_longer() -> None:
    early = shop(52)
    one = decision(early, "level_shift", "B", TAKEN)
    later = shop(made=(one,))
    assert finding(later, "level_shift", "B").decision == one
    moved = replace(one, finding="level_shift-B-all-2024-09-30")
    assert finding(shop(made=(moved,)), "level_shift", "B").decision == moved
    gone = replace(one, subject=replace(one.subject, name="C"), finding="level_shift-C")
    (told,) = (f for f in market_findings(shop(made=(gone,))) if f.signal is None)
    assert (told.finding, told.decision) == ("level_shift-C", gone)
    assert "no longer found" in told.text.text("en")


def test_what_came_of_it_is_held_against_like_products() -> None:
    """B was doubled in week 40; somebody acted in week 48, and from then on it sells half as much again: of its level
    before (40 a week) that is 80 * 0.5 / 40 = 100% more than otherwise."""
    one = decision(shop(48), "level_shift", "B", TAKEN)
    for helped, share in ((1.5, 1.0), (1.0, 0.0)):
        state = shop(made=(one,), helped=helped)
        found = effect_of(state, finding(state, "level_shift", "B"))
        assert found.estimate is not None
        assert found.estimate.low <= share <= found.estimate.high
        assert (found.estimate.low > 0) == (helped > 1)
        assert found.since == date(2024, 12, 2)
        assert set(found.like) == set(PRODUCTS) - {"B"}


def test_what_cannot_be_told_yet_is_not_told() -> None:
    one = decision(shop(48), "level_shift", "B", TAKEN)
    state = shop(50, made=(one,))
    early = effect_of(state, finding(state, "level_shift", "B"))
    assert (early.estimate, early.text.key) == (None, "findings.effect_early")
    with pytest.raises(Refused, match="Nobody has taken"):
        effect_of(shop(), finding(shop(), "level_shift", "B"))


def test_a_promotion_that_is_over_is_listed_and_held_against_like_products() -> None:
    """C sells 60% more in the eight weeks of its promotion; the forecast is not moved by it any more."""
    first = MONDAY.date() + timedelta(weeks=50)
    row = {"promotion": "P", "product": "C", "from": first, "to": first + timedelta(weeks=8), "change_share": 0.5}
    plain = shop()
    sales = plain.table("sales").to_pylist()
    inside = [MONDAY + timedelta(weeks=50) <= r["happened_at"] < MONDAY + timedelta(weeks=58) for r in sales]
    units = [r["units"] * (1.6 if r["product"] == "C" and i else 1.0) for r, i in zip(sales, inside, strict=True)]
    told = shop(promotions=[row])
    table = told.table("sales")
    state = told.with_tables(sales=table.set_column(table.column_names.index("units"), "units", pa.array(units)))
    over = finding(state, "promotion", "C")
    assert (over.signal, over.first, over.last) == (None, first, first + timedelta(weeks=8, days=-1))
    found = effect_of(state, over)
    assert found.estimate is not None
    assert (found.since, found.estimate.late_weeks) == (first, 8)
    assert 0.3 < found.estimate.low <= 0.6 <= found.estimate.high


def test_like_products_that_were_acted_on_or_share_a_line_are_left_out() -> None:
    one = decision(shop(48), "level_shift", "B", TAKEN)
    other = replace(one, finding="x", subject=replace(one.subject, name="C"))
    recipes = [{"recipe": p, "product": p, "line": "L" if p in "BD" else "M", "hours_per_unit": 1.0} for p in "BDE"]
    state = shop(made=(one, other), recipes=recipes)
    found = effect_of(state, finding(state, "level_shift", "B"))
    assert found.left_out == ("C", "D"), found.text
    assert not {"C", "D"} & set(found.like)


def test_a_finding_is_named_by_its_beginning_and_a_wrong_name_is_answered() -> None:
    found = market_findings(shop())
    assert the_finding(found, "anomaly").subject.name == "A"
    with pytest.raises(NotFound, match="level_shift-B"):
        the_finding(found, "nothing")
    with pytest.raises(Refused, match="several"):
        the_finding([replace(f, finding=f"x{f.finding}") for f in found], "x")
    calendar = replace(found[0], kind="calendar", subject=replace(found[0].subject, kind="chain", name=""))
    with pytest.raises(Refused, match="not about one product"):
        decided(calendar, TAKEN, MONDAY, "", "Wang", Change(date(2025, 1, 6), date(2025, 1, 13), 0.1, 0.1, 0.1))
