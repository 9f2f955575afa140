"""Price breaks of offers, for all units of an order and for those above, by hand."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.cycle import CycleResult, run_cycle
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.doubts_before_planning import no_breaks
from datong.questions.replenish import replenishment

MONDAY = date(2026, 1, 5)


def state(breaks: Sequence[tuple[Any, ...]], *asked: float, holding: float = 0.1, **offer: Any) -> State:
    """P bought by o at 2 a unit, there in the week of its order; late 50 a week, lost 1,000, nothing left over worth
    anything. breaks: min_units, cost_per_unit, applies_to, valid_from."""
    named = ("min_units", "cost_per_unit", "applies_to", "valid_from")
    rows = {
        "products": [{"product": "P", "price": 100.0}],
        "offers": [{"offer": "o", "product": "P", "price": 2.0} | offer],
        "offer_price_breaks": [
            {"offer": "o"} | dict(zip(named, (*of, None)[: len(named)], strict=True)) for of in breaks
        ],
        "economics": [
            {"product": "P", "holding_cost_per_unit_week": holding, "late_cost_per_unit_week": 50.0}
            | {"lost_sale_cost_per_unit": 1000.0}
        ],
        "demand": [
            {"demand": f"d{t}", "product": "P", "due": MONDAY + timedelta(weeks=t), "units": units}
            for t, units in enumerate(asked)
        ],
    }
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items() if own}
    chain = ChainSettings("t", horizon_buckets=len(asked), path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


def run(of: State) -> CycleResult:
    return run_cycle(of, nothing_learnt(), (), 0)


def told(result: CycleResult, language: str) -> str:
    return " ".join(c.text.text(language) for c in result.plan.orders[0].causes)


def costs(result: CycleResult) -> dict[str, float]:
    return {term: money for term, money in result.clearing.cost.items() if money}


def test_all_units_are_cheaper_from_the_break_on() -> None:
    """180 wanted at 2 cost 360; 200 at 1.5 cost 300, and 20 of them lie for a week at 0.1."""
    result = run(state([(200.0, 1.5, "all")], 180.0))
    assert [(o.units, o.cost, o.offer) for o in result.plan.orders] == [(200.0, 300.0, "o")]
    assert costs(result) == pytest.approx({"purchase": 300, "holding": 2})
    assert result.clearing.lower_bound == pytest.approx(302)
    assert "200 instead of 180 because from 200 on each costs 0.5 CNY less" in told(result, "en")
    assert "采购 200 而非 180：满 200 起每件便宜 0.5 CNY" in told(result, "zh")


def test_too_few_are_bought_at_the_price_of_the_offer() -> None:
    """140 at 2 cost 280, less than 200 at 1.5 with 60 left over: 300 + 6."""
    result = run(state([(200.0, 1.5, "all")], 140.0))
    assert [o.units for o in result.plan.orders] == [140.0]
    assert costs(result) == pytest.approx({"purchase": 280})
    assert result.clearing.lower_bound == pytest.approx(280)


def test_needs_of_two_weeks_reach_the_break_together() -> None:
    """100 and 100: at once 200 x 1.5 + 100 x 0.1 = 310; apart 400."""
    result = run(state([(200.0, 1.5, "all")], 100.0, 100.0))
    assert [o.units for o in result.plan.orders] == [200.0]
    assert costs(result) == pytest.approx({"purchase": 300, "holding": 10})
    assert "200 instead of 100 because from 200 on each costs 0.5 CNY less" in told(result, "en")


@pytest.mark.parametrize(
    ("holding", "units", "purchase", "held"),
    [
        # Each above 100 costs 1: at once 100 x 2 + 60 x 1 + 80 x 0.1; apart 320.
        (0.1, [160.0], 260.0, 8.0),
        # Holding 80 for a week costs 80: apart.
        (1.0, [80.0, 80.0], 320.0, 0.0),
    ],
)
def test_only_those_above_are_cheaper(holding: float, units: list[float], purchase: float, held: float) -> None:
    result = run(state([(100.0, 1.0, "above")], 80.0, 80.0, holding=holding))
    assert [o.units for o in result.plan.orders] == units
    assert costs(result) == pytest.approx({"purchase": purchase} | ({"holding": held} if held else {}))
    assert result.clearing.lower_bound == pytest.approx(purchase + held)
    rows = [r for r in result.clearing.money.to_pylist() if r["term"] == "purchase"]
    assert sum(r["money"] for r in rows) == pytest.approx(purchase)
    if len(units) == 1:
        assert result.plan.orders[0].cost == pytest.approx(purchase)
        assert "160 instead of 80 because each above 100 costs 1 CNY less" in told(result, "en")


def test_breaks_of_both_kinds_go_on_from_one_another() -> None:
    """From 100 on all at 1.5; above 200 each at 1: 300 cost 200 x 1.5 + 100 x 1."""
    result = run(state([(100.0, 1.5, "all"), (200.0, 1.0, "above")], 300.0))
    assert costs(result) == pytest.approx({"purchase": 400})


def test_a_limit_of_a_week_is_one_for_all_breaks() -> None:
    result = run(state([(50.0, 1.5, "all")], 0.0, 140.0, units_per_week=60.0, holding=0.01))
    assert sum(o.units for o in result.plan.orders) == 120.0
    assert max(o.units for o in result.plan.orders) == 60.0
    far = run(state([(50.0, 1.5, "all"), (500.0, 1.0, "all")], 0.0, 140.0, units_per_week=60.0, holding=0.01))
    assert sum(o.units for o in far.plan.orders) == 120.0
    assert not [f for f in far.decision.findings if "500" in f.text("en")]  # nobody has to reach a break


def test_a_break_counts_from_its_day_on() -> None:
    """From the second week on: 100 in each of 2 weeks, at 2 and at 1.5."""
    result = run(state([(100.0, 1.5, "all", MONDAY + timedelta(weeks=1))], 100.0, 100.0))
    assert [o.cost for o in result.plan.orders] == [200.0, 150.0]


def test_a_break_that_costs_no_less_is_none() -> None:
    of = state([(100.0, 2.5, "all"), (200.0, 1.5, "all")], 120.0)
    assert costs(run(of)) == pytest.approx({"purchase": 240})
    (found,) = no_breaks(of)
    assert "o (100)" in found.text("en")
    assert not no_breaks(state([(100.0, 1.9, "all")], 120.0))


def test_replenish_orders_what_is_needed_at_the_price_of_the_offer() -> None:
    of = state([(200.0, 1.5, "all")], *[20.0] * 6)
    (row,) = replenishment(of, run(of).forecast, 0)["orders"].to_pylist()
    assert 0 < row["units"] <= 60
