"""Sourcing shares of recipes and offers: who brings how much of a product, by hand."""

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings

MONDAY = date(2026, 1, 5)


def state(a: dict[str, Any], b: dict[str, Any], *asked: float, **more: list[dict[str, Any]]) -> State:
    """P bought at 2 by a or at 3 by b, there in the week of its order; late 50 a week, lost 1,000."""
    offers = [{"offer": "a", "product": "P", "price": 2.0}, {"offer": "b", "product": "P", "price": 3.0}]
    columns = ("sourcing_share", "sourcing_share_cost_per_unit", "min_order_units", "units_per_week", "lead_days")
    rows = {
        "products": [{"product": "P", "price": 100.0}],
        "offers": [dict.fromkeys(columns) | row | said for row, said in zip(offers, (a, b), strict=True)],
        "economics": [
            {"product": "P", "holding_cost_per_unit_week": 0.1, "late_cost_per_unit_week": 50.0}
            | {"lost_sale_cost_per_unit": 1000.0}
        ],
        "demand": [
            {"demand": f"d{t}", "product": "P", "due": MONDAY + timedelta(weeks=t), "units": units}
            for t, units in enumerate(asked)
        ],
    } | more
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    chain = ChainSettings("t", horizon_buckets=len(asked), path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


def run(of: State) -> CycleResult:
    return run_cycle(of, nothing_learnt(), (), 0)


def brought(result: CycleResult) -> dict[str, float]:
    found: dict[str, float] = {}
    for order in result.plan.orders:
        found[order.offer or order.recipe or ""] = found.get(order.offer or order.recipe or "", 0.0) + order.units
    return found


def costs(result: CycleResult) -> dict[str, float]:
    return {term: money for term, money in result.clearing.cost.items() if money}


def test_each_brings_its_share() -> None:
    """20 in all, 12 by a at 2 and 8 by b at 3."""
    result = run(state({"sourcing_share": 0.6}, {"sourcing_share": 0.4}, 10.0, 10.0))
    assert brought(result) == {"a": 12.0, "b": 8.0}
    assert costs(result) == pytest.approx({"purchase": 48})
    assert result.clearing.lower_bound == pytest.approx(48)
    assert not [f for f in result.decision.findings if "sourcing share" in f.text("en")]


def test_a_share_gives_way_where_it_costs_more_than_it_counts() -> None:
    """A unit by b instead of a costs 1 more, and one short of the share counts 0.5: all by a, 8 short."""
    result = run(state({}, {"sourcing_share": 0.4, "sourcing_share_cost_per_unit": 0.5}, 10.0, 10.0))
    assert brought(result) == {"a": 20.0}
    assert costs(result) == pytest.approx({"purchase": 40, "sourcing_shares": 4})
    assert result.clearing.lower_bound == pytest.approx(44)
    (told,) = (f for f in result.decision.findings if "sourcing share" in f.text("en"))
    assert "b brings 0% of P instead of 40%, 8 too few" in told.text("en")
    assert "b 供应 P 的 0%，应为 40%，少 8" in told.text("zh")


def test_lots_come_before_shares() -> None:
    """b has lots of 10: of 20 it brings 10, and a is short of 2 at 0.5 each; all by a would be short of 8 at 4 each."""
    a = {"sourcing_share": 0.6, "sourcing_share_cost_per_unit": 0.5}
    b = {"sourcing_share": 0.4, "sourcing_share_cost_per_unit": 4.0, "min_order_units": 10.0}
    result = run(state(a, b, 10.0, 10.0))
    assert brought(result) == {"a": 10.0, "b": 10.0}
    assert costs(result) == pytest.approx({"purchase": 50, "sourcing_shares": 1})


def test_nobody_waits_for_a_share() -> None:
    """b brings 2 a week: 4 of the 8 of its share, by default at 100 each; what is missing comes on time by a."""
    result = run(state({}, {"sourcing_share": 0.4, "units_per_week": 2.0}, 10.0, 10.0))
    assert brought(result) == {"a": 16.0, "b": 4.0}
    assert costs(result) == pytest.approx({"purchase": 44, "sourcing_shares": 400})


def with_later_offer(own: dict[str, Any], **later: Any) -> State:
    """10 of P in each of four weeks, and the offer b, of which another row holds from the third one on."""
    weeks = (10.0, 10.0, 10.0, 10.0)
    before = state({}, own, *weeks).versions("offers").to_pylist()
    row = {"offer": "b", "product": "P", "price": 3.0, "valid_from": MONDAY + timedelta(weeks=2)} | later
    return state({}, {}, *weeks, offers=[*({"valid_from": None} | o for o in before), row])


def test_each_part_of_the_horizon_keeps_its_own_shares() -> None:
    """b is to bring 0.4 of what is ordered in weeks 1 and 2, and 0.1 from then on: 8 of 20, then 2 of 20. Over all it
    would bring 10 of 40 on any day."""
    result = run(with_later_offer({"sourcing_share": 0.4}, sourcing_share=0.1))
    by_b = {0: 0.0, 1: 0.0}
    for order in result.plan.orders:
        if order.offer == "b":
            by_b[(order.start - MONDAY).days // 14] += order.units
    assert by_b == {0: 8.0, 1: 2.0}
    assert costs(result) == pytest.approx({"purchase": 30 * 2 + 10 * 3})


def test_a_share_that_is_missed_in_a_part_of_the_horizon_is_told_with_its_days() -> None:
    """b brings at most 1 a week: 2 of 20 instead of 8 until 01-18."""
    result = run(with_later_offer({"sourcing_share": 0.4, "units_per_week": 1.0}, units_per_week=1.0))
    (told,) = (f for f in result.decision.findings if "sourcing share" in f.text("en"))
    assert "b brings 10% of P instead of 40%, 6 too few (of what starts from 2026-01-05 to 2026-01-18)" in told.text(
        "en"
    )
    assert "（2026-01-05 至 2026-01-18 开工或下单的）" in told.text("zh")


def test_nothing_is_bought_for_a_share_alone() -> None:
    """10 wanted at once, which a alone can bring; b's share of them is 4. 7 more by b, when nobody asks any more, would
    make it up at 3 each, where what is short counts 100."""
    result = run(state({}, {"sourcing_share": 0.4, "lead_days": 14}, 10.0, 0.0, 0.0, 0.0))
    assert brought(result) == {"a": 10.0}
    assert costs(result) == pytest.approx({"purchase": 20, "sourcing_shares": 400})


def test_no_lot_is_bought_for_a_share_alone() -> None:
    """20 of a component wanted in lots of 10: 10 by each, and b short of 2 of its 12; 10 more by a or b would be bought
    to lie."""
    made = {"recipe": "m", "product": "Q", "cost_per_unit": 0.0}
    more = {
        "products": [{"product": "P", "kind": "component", "price": 100.0}, {"product": "Q", "price": 100.0}],
        "recipes": [made],
        "components": [{"product": "Q", "component": "P", "units_per_unit": 1.0}],
        "demand": [{"demand": "d", "product": "Q", "due": MONDAY + timedelta(weeks=1), "units": 20.0}],
    }
    lots = {"min_order_units": 10.0, "lot_multiple_units": 10.0}
    result = run(state({"sourcing_share": 0.4} | lots, {"sourcing_share": 0.6} | lots, 0.0, 0.0, 0.0, **more))
    assert sum(units for by, units in brought(result).items() if by != "m") == 20.0


def test_recipes_and_offers_share_one_product() -> None:
    """Half is to be made, at 5 and with a yield of 0.5: good units count. 10 good of 20 started."""
    made = [{"recipe": "r", "product": "P", "cost_per_unit": 5.0, "yield_share": 0.5, "sourcing_share": 0.5}]
    result = run(state({}, {}, 10.0, 10.0, recipes=made))
    assert brought(result) == {"a": 10.0, "r": 20.0}
    assert costs(result) == pytest.approx({"purchase": 20, "production": 100})


def test_the_reason_of_the_dearer_order_is_its_share() -> None:
    result = run(state({}, {"sourcing_share": 0.4}, 10.0, 10.0))
    by_b = [o for o in result.plan.orders if o.offer == "b"]
    english, chinese = (" ".join(c.text.text(lang) for o in by_b for c in o.causes) for lang in ("en", "zh"))
    assert "b is to bring 40% of P" in english
    assert "b 应供应 P 的 40%" in chinese


def test_a_share_that_is_nearly_met_is_told_with_the_digits_that_make_it_true() -> None:
    """Of 199 in whole units 40% are 79.6: 79 come of b, since one more costs 1 more."""
    each = {"sourcing_share_cost_per_unit": 2.0, "lot_multiple_units": 1.0}
    result = run(state(each | {"sourcing_share": 0.6}, each | {"sourcing_share": 0.4}, 199.0))
    assert brought(result) == {"a": 120.0, "b": 79.0}
    (told,) = (f for f in result.decision.findings if "sourcing share" in f.text("en"))
    assert "b brings 39.7% of P instead of 40.0%, 0.6 too few" in told.text("en")
    assert "b 供应 P 的 39.7%，应为 40.0%" in told.text("zh")


def test_the_next_best_way_costs_what_it_would_for_the_units_of_the_order() -> None:
    """20 by a at 1.5, its price from 10 on. b may bring 15, 10 of them at 3 and 5 at 2: 40 / 15 - 1.5 more a unit."""
    breaks = [
        {"offer": "a", "min_units": 10.0, "cost_per_unit": 1.5, "applies_to": "all"},
        {"offer": "b", "min_units": 10.0, "cost_per_unit": 2.0, "applies_to": "above"},
    ]
    (order,) = run(state({}, {"units_per_week": 15.0}, 20.0, offer_price_breaks=breaks)).plan.orders
    told = " ".join(c.text.text("en") for c in order.causes)
    assert order.units == 20 and order.offer == "a"
    assert "the next best way, b, would cost 1.17 CNY more a unit, and bring 15 of them at most" in told
    assert "且至多 15 件" in " ".join(c.text.text("zh") for c in order.causes)
