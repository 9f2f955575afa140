"""The books of a plan have no remains of rounding in them: what is nothing is 0."""

from datetime import UTC, date, datetime

import pyarrow as pa

from datong.cycle import run_cycle
from datong.ledger.state import state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings

MONDAY = date(2026, 1, 5)


def test_what_orders_that_are_out_take_is_not_received() -> None:
    """Of 7.7 M that lie there three orders that are out take 0.1, 0.2 and 0.3: nothing comes."""
    rows = {
        "products": [{"product": "A", "price": 90.0}, {"product": "M", "kind": "material", "price": 1.0}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0}],
        "components": [{"product": "A", "component": "M", "units_per_unit": 0.1}],
        "stock": [{"product": "M", "units": 7.7, "happened_at": datetime(2026, 1, 4, tzinfo=UTC)}],
        "orders": [
            {"order": f"W{units}", "kind": "make", "product": "A", "recipe": "R", "line": "L", "units": float(units)}
            | {"start": MONDAY, "due": date(2026, 1, 9)}
            for units in (1, 2, 3)
        ],
        "demand": [{"demand": "d", "product": "A", "market": "all", "due": date(2026, 1, 14), "units": 6.0}],
    }
    settings = ChainSettings("t", horizon_buckets=3, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
    state = state_of_tables(settings, settings.calendar.midnight(MONDAY), tables)
    flow = run_cycle(state, nothing_learnt(), (), 0).clearing.flow.to_pylist()
    (first,) = [row for row in flow if row["product"] == "M" and row["bucket"] == MONDAY]
    assert round(first["taken_units"], 9) == 0.6
    assert first["received_units"] == 0.0
