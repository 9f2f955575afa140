"""Whether a plan can be made of a state at all. It cannot where whole tables cannot be read, nothing is wanted, numbers
are beyond their limits, or too many.

What comes in is held to the same limits (row_checks.py). A ledger may hold more: rows that an earlier version let
through, or that fitted other settings.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.row_checks import highest_priority
from datong.ledger.state import State
from datong.model.errors import BadInput, Refused
from datong.model.findings import Finding, finding
from datong.model.settings import ChainSettings
from datong.model.tables import SMALLEST, Column, tables
from datong.model.words import message

# Most numbers that the paths of demand may be: 16 GB.
MOST_NUMBERS = 2_000_000_000


def refuse_unplannable(state: State, findings: Sequence[Finding], folder: Path) -> None:
    """Raises BadInput where nothing is wanted, where a whole table cannot be read (bad rows can be left out, but
    without its lines, say, a chain would be planned as if hours had no end), and where the ledger holds numbers
    that no plan can be made of; Refused where the plan would be too large.

    findings: what was found as the chain of `folder` was opened.
    """
    unusable = [f for f in findings if f.severity == "error" and f.row is None]
    if unusable and state.table("products").num_rows:
        raise BadInput(message("app.unusable", folder=str(folder)), unusable)
    if not state.table("products").num_rows or not (state.table("sales").num_rows or state.table("demand").num_rows):
        local = f"{state.as_of.astimezone(state.settings.calendar.zone):%Y-%m-%d %H:%M}"
        raise BadInput(message("app.no_demand", folder=str(folder), as_of=local), findings)
    beyond = beyond_limits(state)
    if beyond:
        raise BadInput(message("app.beyond_limits", folder=str(folder)), beyond)
    refuse_too_large(state)


def beyond_limits(state: State) -> tuple[Finding, ...]:
    """A finding for each column that holds numbers beyond its limits, or none at all (NaN, infinite)."""
    found = []
    for table in tables().values():
        for column in table.columns.values():
            limits = _limits(column, state.settings)
            rows = state.table(table.name)
            if limits is None or not rows.num_rows:
                continue
            bad = _outside(rows[column.name], *limits)
            if not pc.any(bad).as_py():
                continue
            some = rows.filter(bad)
            low, high = (f"{limit:,g}" for limit in limits)
            first: dict[str, Any] = {"row_id": some["row_id"][0].as_py(), "value": f"{some[column.name][0].as_py():g}"}
            what: dict[str, Any] = {"table": table.name, "count": some.num_rows, "low": low, "high": high}
            found.append(
                finding(
                    "error",
                    "limits.beyond",
                    table.name,
                    column=column.name,
                    rows_affected=some.num_rows,
                    **what,
                    **first,
                )
            )
    return tuple(found)


def _limits(column: Column, settings: ChainSettings) -> tuple[float, float] | None:
    """The least and the most that a number of a column may be; None for what is no number."""
    if column.type == "integer":
        return (-math.inf, highest_priority(settings.defaults.priority_factor)) if column.name == "priority" else None
    if column.type != "number":
        return None
    low = column.minimum if column.above is None else column.above + SMALLEST
    high = column.maximum if column.maximum is not None else column.below
    return -math.inf if low is None else low, column.largest or (math.inf if high is None else high)


def _outside(numbers: pa.ChunkedArray, low: float, high: float) -> pa.ChunkedArray:
    """(row,) whether there is a number, and none from low to high."""
    inside = pc.and_(pc.greater_equal(numbers, low), pc.less_equal(numbers, high))
    return pc.fill_null(pc.invert(inside), False)


def refuse_too_large(state: State) -> None:
    """Raises Refused where the paths of demand would not fit in memory."""
    settings = state.settings
    pairs = pa.concat_tables([state.table(name).select(["product", "market"]) for name in ("sales", "demand")])
    asked = pairs.group_by(["product", "market"], use_threads=False).aggregate([]).num_rows
    items = max(asked, state.table("products").num_rows)
    numbers = items * settings.path_count * settings.horizon_buckets
    if numbers > MOST_NUMBERS:
        figures = {"items": items, "paths": settings.path_count, "buckets": settings.horizon_buckets}
        words = {name: f"{number:,}" for name, number in {**figures, "numbers": numbers, "most": MOST_NUMBERS}.items()}
        raise Refused(message("limits.too_large", **words))
