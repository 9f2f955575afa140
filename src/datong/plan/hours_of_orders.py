"""What each order takes of every line that it works on at once: its own, and the tools and operators besides."""

from collections.abc import Mapping

import pyarrow as pa

from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.planning_inputs import Work

ORDER_HOURS_SCHEMA = pa.schema(
    [
        ("order", pa.string()),
        ("line", pa.string()),
        ("hours_per_unit", pa.float64()),
        ("run_hours", pa.float64()),
        ("setup_hours", pa.float64()),
    ]
)


def hours_of_orders(work: Work, numbers: Mapping[Lot, str]) -> pa.Table:
    """In ORDER_HOURS_SCHEMA, by order, its own line first: hours for a unit started, for all of them, and to set up.
    What several ways share of a limited lane or offer is no line."""
    held = [
        (order, one, lot.units)
        for lot, order in numbers.items()
        if lot.way.is_order
        for one in lot.way.on_lines
        if one.line not in work.facts.shared and one.hours_per_unit * lot.units + one.setup_hours > NOTHING
    ]
    columns = {
        "order": [order for order, _, _ in held],
        "line": [one.line for _, one, _ in held],
        "hours_per_unit": [one.hours_per_unit for _, one, _ in held],
        "run_hours": [units * one.hours_per_unit for _, one, units in held],
        "setup_hours": [one.setup_hours for _, one, _ in held],
    }
    return pa.table(columns, schema=ORDER_HOURS_SCHEMA)
