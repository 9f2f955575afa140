"""Leftovers that pay in lots, and the bound that knows (`balance/leftovers.py`), worked out by hand."""

from datetime import UTC, datetime

import pytest

from datong.balance import leftovers
from planning import decided
from small_chain import chain, demand, press

SUNDAY = datetime(2023, 12, 31, tzinfo=UTC)


def dear(holding, stock=10.0, price=4.0, hours=10.0):
    """A, at 2 and 1 a week, takes 1 of C, of which so many lie there, held at so much; an order costs 1."""
    given = press(setup_cost=1.0)
    given["lines"][0]["hours_per_week"] = hours
    given["products"] = [{"product": "A", "price": 100.0, "kind": "finished"}]
    given["products"].append({"product": "C", "price": 5.0, "kind": "material"})
    given["components"] = [{"product": "A", "component": "C", "units_per_unit": 1.0}]
    given["offers"] = [{"offer": "oC", "product": "C", "price": price}]
    given["stock"] = [{"happened_at": SUNDAY, "product": "C", "units": stock}]
    given["economics"].append(given["economics"][0] | {"product": "C", "holding_cost_per_unit_week": holding})
    return given


@pytest.mark.parametrize(
    ("holding", "stock", "hours", "cost", "saved"),
    [
        # 10 are made at once, 6 of them left over; left lying, 6 of C would cost 6 x 60. A gain of 56 and 27 an hour,
        # or 10 of C at 60 + 4.
        (30.0, 10.0, 10.0, 1 + 10 * 2 + 6 * 2, 10 * 64.0),
        # 4 a week: 6 of C lie in the first, 2 of C and 4 of A in the second.
        (30.0, 10.0, 4.0, 2 * (1 + 4 * 2) + 6 * 30 + 2 * 30 + 4, 4 * 56.0 + 4 * 27.0),
        # As dear to hold as A, or none there: nothing is left over.
        (1.0, 10.0, 10.0, 1 + 4 * 2 + 6 * 2, 0.0),
        (30.0, 0.0, 10.0, 1 + 4 * 2 + 4 * 4, 0.0),
    ],
)
def test_a_component_dearer_than_its_product_is_made_into_leftovers_and_the_bound_knows(
    holding, stock, hours, cost, saved
):
    state = chain(2, **dear(holding, stock, hours=hours))
    found = decided(state, demand(state, A=[[4.0, 0.0]])).given_out
    assert leftovers.most_saved(found.market) == pytest.approx(saved)
    assert found.total_cost == pytest.approx(cost)
    assert found.bound <= found.total_cost + 1e-9
    assert (found.market_bound > found.total_cost) == (saved > 0)
