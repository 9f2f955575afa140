"""What came and changed since the last plan, what that did to the plan, and what to do this week.

From two states and two plans to a table of rows, each with its text: `since`.
"""

from collections.abc import Mapping

import pyarrow as pa

from datong.ledger.state import State
from datong.model.words import message
from datong.questions.given_out import given_out, runs_since
from datong.questions.since.answers_and_receipts import came_back, closed_rows
from datong.questions.since.demand import demand_changes
from datong.questions.since.learnt import learnt_rows
from datong.questions.since.plan import cost_rows, order_rows, weeks_of_both
from datong.questions.since.promises_to_customers import promise_rows
from datong.questions.since.rows import READ_BEFORE, SOURCE_TABLES, Naming, PlanBefore, Row, table_of
from datong.questions.since.this_week import this_week


def since(before: PlanBefore | None, state: State, tables: Mapping[str, pa.Table]) -> pa.Table:
    """The table `since` of a run. before: the last kept run of an earlier moment, None where there is none.

    state, tables: what the run saw, and its results. The rows, in `SINCE_SCHEMA`, come part by part (`rows.PARTS`) and
    within a part by what asks most for something to be done.
    """
    naming = Naming(state)
    closed = closed_rows(state, state.first_open_bucket, naming)
    if before is None:
        rows = [Row("before", "first", message("since.first")), *closed, *learnt_rows(None, state, tables, naming)]
    else:
        weeks, went = weeks_of_both(before, tables), given_out(before.state, before.sources, state, tables)
        rows = [
            Row("before", "run", message("since.before", run=before.run, as_of=_local(before)), before.run),
            *came_back(before, state, naming),
            *closed,
            *learnt_rows(before, state, tables, naming),
            *demand_changes(before, state, tables, weeks, naming),
            *promise_rows(before, state, tables, naming),
            *order_rows(before, state, tables, went.since, naming),
            *cost_rows(before, state, tables, went, weeks, naming),
        ]
    return table_of([*rows, *this_week(before, state, tables, naming)], naming)


def _local(before: PlanBefore) -> str:
    """The moment of the plan before, on the chain's clock."""
    return f"{before.as_of.astimezone(before.state.settings.calendar.zone):%Y-%m-%d %H:%M}"


__all__ = ["READ_BEFORE", "SOURCE_TABLES", "PlanBefore", "runs_since", "since"]
