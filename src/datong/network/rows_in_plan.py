"""Rows of `demand` that are planned for: open ones, and quotes and inquiries where the chain says so."""

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State

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
