"""A quote is the difference of two plans: one with the order and one without, on generated chains."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from cases.random_chains import MONDAY, random_chain
from datong.balance.solution import USUAL_LIMITS
from datong.cycle import decide, head
from datong.ledger.state import in_state_schema
from datong.model.errors import NoPlan
from datong.model.flow import nothing_learnt
from datong.questions.quote import CLOSE, Order, quote
from small_chain import chain, press

LIMITS = replace(USUAL_LIMITS, gap_share=CLOSE)
# Parts of a summary that are prices of one unit.
OF_ONE_UNIT = ("marginal_price", "own_cost", "normal_price", "earliest_normal", "earliest", "holds_units")


@pytest.mark.parametrize("seed", range(10))
def test_the_money_is_what_the_plan_costs_more(seed: int) -> None:
    """cost(with) - cost(without), each of a plan no dearer than the one that a run gives out and no cheaper than can
    be. Prices of one unit stand beside it only where they come to the same for the units asked."""
    made = random_chain(seed, ("forecast", "lanes") if seed % 2 else ("forecast",))
    state, units = made.state, 3.0
    span = made.settings.calendar.bucket_days * made.settings.horizon_buckets
    due = MONDAY + timedelta(days=span // 2)
    market = next((row.get("market", "all") for row in made.tables["demand"] if row["product"] == "A"), "all")
    asked = {"demand": "quote", "product": "A", "market": market, "due": due, "units": units}
    row = in_state_schema("demand", pa.Table.from_pylist([asked]))
    with_it = state.with_tables(demand=pa.concat_tables([state.table("demand"), row]).combine_chunks())
    try:
        plans = [decide(head(of, nothing_learnt(), 0), whole=True, limits=LIMITS).given_out for of in (state, with_it)]
    except NoPlan:
        pytest.skip("locked orders that cannot run")
    told = quote(state, nothing_learnt(), 0, Order("A", units, due, market)).summary
    exact = told["exact"]
    assert told["money"] == exact["money"] == pytest.approx(exact["cost_with"] - exact["cost_without"])
    assert told["price_per_unit"] == pytest.approx(told["money"] / units)
    for plan, cost in zip(plans, (exact["cost_without"], exact["cost_with"]), strict=True):
        assert plan.bound - 1e-6 <= cost <= plan.total_cost * (1 + CLOSE) + 1e-6
    if told["marginal"]:
        assert told["marginal_price"] * units == pytest.approx(told["money"], rel=0.0101, abs=1e-6)
    else:
        assert [name for name in OF_ONE_UNIT if told[name] is not None] == []


def test_an_order_that_is_quoted_comes_on_top_of_a_forecast() -> None:
    """40 expected in the first week, an order of 25 among them: one of 10 more is 50 in all, made for 2 each."""
    rows = [
        {"demand": "f", "product": "A", "due": MONDAY, "units": 40.0, "firm": False},
        {"demand": "o", "product": "A", "due": MONDAY, "units": 25.0},
    ]
    tables = press() | {"demand": rows, "lines": [{"line": "L", "hours_per_week": 500.0}]}
    told = quote(chain(3, **tables), nothing_learnt(), 0, Order("A", 10.0, MONDAY + timedelta(days=2), "all"))
    assert told.summary["money"] == pytest.approx(20.0)
    assert told.summary["exact"]["cost_without"] == pytest.approx(80.0)
