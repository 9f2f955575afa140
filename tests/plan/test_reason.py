"""What a reason says of stock, on a chain small enough to follow by hand."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger.state import state_of_tables
from datong.model.flow import Forecast, Item
from datong.model.settings import ChainSettings
from planning import plan
from small_chain import chain, demand, press

MONDAY = date(2024, 1, 1)


def test_what_is_on_the_way_is_not_called_stock() -> None:
    """10 wanted this week; 3 lie in stock and an order for 4 is out and due this week."""
    tables = {
        "products": [{"product": "A", "price": 100.0}],
        "recipes": [{"recipe": "A/L", "product": "A", "cost_per_unit": 2.0}],
        "stock": [{"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": "A", "units": 3.0}],
        "orders": [
            {"order": "W1", "product": "A", "recipe": "A/L", "units": 4.0, "start": MONDAY, "due": MONDAY}
            | {"locked": True}
        ],
    }
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    state = state_of_tables(ChainSettings("t", horizon_buckets=1), datetime(2024, 1, 1, tzinfo=UTC), given)
    of_one = np.zeros(1)
    paths = np.array([[[10.0]]])
    wanted = Forecast((Item("A", "all"),), (MONDAY,), paths, ("SES",), of_one.astype(int), of_one.astype(bool))
    (order,) = plan(state, wanted).orders
    assert order.units == 3.0
    told = [cause.text.text("en") for cause in order.causes]
    assert told[:3] == ["3 for expected demand of the week of 2024-01-01", "in stock 3", "on order before 4"]
    assert order.causes[1].evidence_table == "stock"
    assert not any("7" in text for text in told[:3])


@pytest.mark.parametrize(("yield_share", "wanted", "left"), [(0.9, 10.0, None), (0.9, 9.0, "1.8"), (1.0, 9.0, "3")])
def test_a_part_of_a_unit_is_no_left_over(yield_share: float, wanted: float, left: str | None) -> None:
    """A multiple of 12, of which nine in ten are good: 10.8. The 0.8 beyond 10 waits for the rest of a unit. The 1.8
    beyond 9, and the 3 of 12 without a loss, are left over, and said."""
    state = chain(1, **press(yield_share=yield_share, lot_multiple_units=12.0, hours_per_unit=0.1))
    (order,) = plan(state, demand(state, A=[[wanted]])).orders
    assert order.units == 12.0
    told = [cause.text.text("en") for cause in order.causes if cause.text.key == "plan.cause.multiple"]
    assert told == ([] if left is None else [f"lots come in multiples of 12, which adds {left}"])
