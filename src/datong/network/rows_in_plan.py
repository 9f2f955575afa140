"""Rows of `demand` that are planned for: open ones, and quotes and inquiries where the chain says so."""

from collections import defaultdict

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.products_held_back import named
from datong.ledger.state import State
from datong.model.findings import Finding, finding
from datong.model.words import amount, message

# What was sent of such an order is all of it: nothing more is asked, but it was part of the forecast.
CLOSED = "closed"


def rows_in_plan(state: State) -> pa.Table:
    """Rows of `demand` with a status that is planned."""
    return _of(state, state.settings.planned_statuses)


def rows_that_net(state: State) -> pa.Table:
    """Those that are planned, and firm orders that are closed: what they were of the forecast is not to come again."""
    rows = _of(state, (*state.settings.planned_statuses, CLOSED))
    return rows.filter(pc.or_(rows["firm"], pc.not_equal(rows["status"], CLOSED)))


def _of(state: State, statuses: tuple[str, ...]) -> pa.Table:
    rows = state.table("demand")
    kept = pc.is_in(rows["status"], value_set=pa.array(statuses, pa.string()))
    return rows if pc.all(kept).as_py() in (True, None) else rows.filter(kept)


def not_planned(state: State) -> tuple[Finding, ...]:
    """The rows of `demand` that are not planned for, by their status; nothing where there are none."""
    rows = state.table("demand").select(["demand", "product", "units", "due", "status"])
    planned = pa.array(state.settings.planned_statuses, pa.string())
    left_out = rows.filter(pc.invert(pc.is_in(rows["status"], value_set=planned)))
    of: dict[str, list[str]] = defaultdict(list)
    for r in left_out.sort_by([("due", "ascending"), ("demand", "ascending")]).to_pylist():
        of[r["status"]].append(f"{r['demand']} ({amount(r['units'])} {r['product']}, {r['due']})")
    found = []
    for status, names in sorted(of.items()):
        key = "notice.may_be_planned" if status in ("quote", "inquiry") else "notice.not_planned"
        word = message(f"notice.status.{status}")
        found.append(finding("note", key, "demand", column="status", count=len(names), names=named(names), status=word))
    return tuple(found)
