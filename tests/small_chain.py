"""Small states to work out by hand: a chain from rows, its demand, and one press on one line."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from datong.ledger.state import state_of_tables
from datong.model.flow import Forecast, Item
from datong.model.settings import ChainSettings

MONDAY = date(2024, 1, 1)


def chain(horizon, settings=None, **tables):
    """A state as of Monday 2024-01-01 from rows per table."""
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    made = ChainSettings("test", horizon_buckets=horizon, **(settings or {}))
    return state_of_tables(made, datetime(2024, 1, 1, tzinfo=UTC), given)


def demand(state, **paths):
    """Forecast by product: (path, bucket) units; `product__market` names a market."""
    items = tuple(Item(*(name.split("__") if "__" in name else (name, "all"))) for name in sorted(paths))
    starts = state.settings.calendar.starts(MONDAY, state.settings.horizon_buckets)
    arrays = np.array([np.asarray(paths[k], dtype=float) for k in sorted(paths)])
    count = len(items)
    zero = np.zeros(count)
    return Forecast(items, starts, arrays, ("given",) * count, zero.astype(np.int64), zero.astype(bool))


def press(**recipe):
    """Product A made on line L, 10 hours a week, one hour and 2 money a unit; holding 1, late 5, lost 100."""
    row = {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}
    cost = {"holding_cost_per_unit_week": 1.0, "late_cost_per_unit_week": 5.0, "lost_sale_cost_per_unit": 100.0}
    return {
        "products": [{"product": "A", "price": 100.0}],
        "lines": [{"line": "L", "hours_per_week": 10.0}],
        "recipes": [row | recipe],
        "economics": [{"product": "A"} | cost],
        # A planner's own demand: it ends with the horizon.
        "demand": [{"demand": "D", "product": "A", "due": MONDAY, "units": 0.0}],
    }
