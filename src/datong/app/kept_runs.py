"""Runs that the ledger keeps: what later ones learn from and are held against, and what one of them said."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.wiring import Opened
from datong.learn.learnt_as_table import learnt_by
from datong.ledger.order_life import REPORTED, Standing
from datong.ledger.protocol import FEWER_SOLD_SCHEMA, Ledger, RunRecord
from datong.ledger.standings import READ_FOR_STANDINGS, order_standings, state_of
from datong.ledger.state import Snapshot, State
from datong.model.errors import NotFound
from datong.model.flow import SCORES_SCHEMA, Learnt, OrderMessage
from datong.model.tables import tables
from datong.model.words import Message, message, shown
from datong.network.orders_out import UnderWay
from datong.network.position import position
from datong.plan.orders_already_out import late_for
from datong.questions.run_result import RunResult
from datong.questions.tables_out import planned_orders

if TYPE_CHECKING:
    from datong.questions.since import PlanBefore

# What of a kept run later ones learn from.
LEARNT_FROM = ("forecast", "adjustments", "learnt_used", "learnt")
# What names a row of a run's table that is behind a reason, and of the wide table of gaps the columns that tell why.
OF_EVIDENCE = {"hours": ("line", "bucket"), "gaps": ("product", "market", "bucket")}
OF_GAPS = ("product", "market", "bucket", "late_units", "lost_units", "binding", "binding_bucket", "needed_amount")
# What of a kept run its successor is held against.
PLAN_TABLES = (
    "orders",
    "forecast",
    "forecast_total",
    "gaps",
    "deliveries",
    "after_due",
    "money_by_bucket",
    "learnt_used",
)
# An error that lists what there is names so many.
NAMED = 10


def proposed_before(at: Opened, state: State) -> list[pa.Table]:
    """Orders of every kept run up to a moment that planned from the same bucket, oldest first; on a branch, of its
    parent's those of earlier moments alone: the two plan the same moment as if the other had not."""
    rows = at.ledger.runs(state.as_of).to_pylist()
    rows = [row for row in rows if row["branch"] == at.branch or row["as_of"] < state.as_of]
    bucket = at.settings.first_open_bucket
    return [
        at.ledger.run_table(row["run"], "orders") for row in rows if bucket(row["as_of"]) == state.first_open_bucket
    ]


def plan_before(at: Opened, now: State, ledger_of: Callable[[str | None], Ledger]) -> "PlanBefore | None":
    """The last run that was kept before what a state knows came in; never one that knew the same of its moment, which
    the same inputs give again. ledger_of: the ledger of a branch."""
    from datong.questions.since import READ_BEFORE, SOURCE_TABLES, PlanBefore, runs_since

    moment, last = now.as_of, _last_before(at, now)
    if last is None:
        return None
    state = ledger_of(last["branch"]).run_inputs(last["run"], READ_BEFORE).state
    fewer = FEWER_SOLD_SCHEMA.empty_table()
    if state.snapshot is not None:
        fewer = at.ledger.fewer_sold(state.snapshot, last["as_of"], moment)
    plan = at.ledger.run_tables(last["run"], PLAN_TABLES)
    sources = {run: at.ledger.run_tables(run, SOURCE_TABLES) for run in sorted(runs_since(state, now))}
    return PlanBefore(last["run"], last["as_of"], state, plan, fewer, sources)


def _last_before(at: Opened, now: State) -> dict[str, Any] | None:
    """The row of the last run of an earlier moment, or of one of this moment or a later one that was kept before
    something came in that is known now: people date what they answer before the plan that they answer to. A plan that
    is given out and made again for its moment is held against the same one as before."""
    earlier = [row for row in _runs_by_moment(at, now.as_of) if row["as_of"] < now.as_of]
    last = earlier[-1] if earlier else None
    if now.snapshot is None:
        return last
    own = [row for row in at.ledger.runs().to_pylist() if row["branch"] == at.branch and row["as_of"] >= now.as_of]
    write, found = -1, None
    for row in own:
        kept = at.ledger.run_inputs(row["run"], ()).state.snapshot
        if kept is not None and kept.write >= write and _came_since(at, now, kept):
            write, found = kept.write, row
    if last is None or found is None or last["branch"] != at.branch:
        return found or last
    before = at.ledger.run_inputs(last["run"], ()).state.snapshot
    return last if before is not None and before.write > write else found


def _came_since(at: Opened, now: State, before: Snapshot) -> bool:
    """Whether a state knows something that came in after a write, beside what we did ourselves with that plan: giving
    out, locking, deciding on offers. What comes often is read first."""
    if now.snapshot is None or before.write >= now.snapshot.write:
        return False
    often = [name for name in READ_FOR_STANDINGS if name in now.tables]
    names = (*often, *(name for name in now.tables if name not in often))
    return any(
        not _of_others(at.ledger.state(now.as_of, (name,), before), name).equals(_of_others(now, name))
        for name in names
        if name != "orders"
    )


def _of_others(state: State, name: str) -> pa.Table:
    """A table's rows, of order events those alone that somebody else told."""
    rows = state.tables[name]
    if name != "order_events":
        return rows
    reported = pc.is_in(rows["state"], pa.array(REPORTED, pa.string()))
    return rows.filter(pc.and_(reported, pc.is_null(rows["answers"])))


def learnt(at: Opened, moment: datetime) -> Learnt:
    return learnt_by(past_runs(at, moment))


def past_runs(at: Opened, before: datetime) -> list[RunRecord]:
    """The last kept runs before a moment, oldest first, one of each moment, with what learning needs of them."""
    return [
        RunRecord(row["run"], row["as_of"], row["seed"], at.ledger.run_tables(row["run"], LEARNT_FROM))
        for row in _runs_by_moment(at, before)
        if row["as_of"] < before
    ]


def scores(at: Opened, until: datetime) -> pa.Table:
    """Scores of the last kept runs up to a moment, each of what had become known since the run before it."""
    runs = _runs_by_moment(at, until)
    return pa.concat_tables([SCORES_SCHEMA.empty_table(), *(at.ledger.run_table(row["run"], "scores") for row in runs)])


def _runs_by_moment(at: Opened, until: datetime) -> list[dict[str, Any]]:
    """Rows of the last PAST_RUNS moments, oldest first; of each moment the run saved last."""
    from datong.learn.scores import PAST_RUNS

    by_moment = {row["as_of"]: row for row in at.ledger.runs(until).to_pylist()}
    return [row for _, row in sorted(by_moment.items())][-PAST_RUNS - 1 :]


def kept_run(at: Opened, run: str | None = None) -> RunResult:
    """A run kept in the ledger; the last one by default. On a branch one made there. Raises NotFound."""
    rows = [row for row in at.ledger.runs().to_pylist() if row["branch"] == at.branch]
    if not rows:
        raise NotFound(_no_run(at))
    found = [row for row in rows if run in (None, row["run"])]
    if not found:
        raise NotFound(message("app.no_such_run", run=run, runs=", ".join(row["run"] for row in rows)))
    last = max(found, key=lambda row: row["saved"])
    return RunResult(last["run"], last["as_of"], at.settings, at.ledger.run_tables(last["run"]))


def _no_run(at: Opened) -> Message:
    if at.branch is None:
        return message("app.no_run")
    return message("branch.no_run", branch=at.branch)


def why(at: Opened, order: str, orders: pa.Table) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """The last run that proposed an order, the order's row, and its reasons in rank order. Raises NotFound.

    On a branch its own runs come before those of the trunk that it has seen.
    """
    rows = at.ledger.runs().to_pylist()
    if not rows:
        raise NotFound(_no_run(at))
    rows.sort(key=lambda row: (row["branch"] != at.branch, -row["saved"]))
    given = orders.select(["order", "run"]).to_pylist()
    source = {r["order"]: r["run"] for r in given}.get(order)
    rows.sort(key=lambda row: row["run"] != source)  # numbers of other runs may be the same
    for row in rows:
        found = [o for o in at.ledger.run_table(row["run"], "orders").to_pylist() if o["order"] == order]
        if found:
            reasons = at.ledger.run_table(row["run"], "reasons").to_pylist()
            return row["run"], found[0], [r for r in reasons if r["order"] == order]
    proposed = at.ledger.run_table(rows[0]["run"], "orders")["order"].to_pylist()
    some = ", ".join(proposed[:NAMED]) + (" ..." if len(proposed) > NAMED else "")
    raise NotFound(message("app.no_order", order=order, orders=some))


def recorded(at: Opened, state: State, order: str) -> Message | None:
    """What the ledger knows of an order that no run proposed: of whom, when, for how much, what came of it, and the day
    on which the last plan counts on the rest, by hours and components; where no plan has it, that by the order. None
    where it knows no such order."""
    rows = state.table("orders").filter(pc.equal(state.table("orders")["order"], order)).to_pylist()
    if not rows:
        return None
    row, stand = rows[0], order_standings(state).get(order, Standing())
    source = row["offer"] or row["recipe"] or row["lane"] or row["line"]
    ahead = next((o for o in position(state).under_way if o.order == order), None)
    return message(
        "app.recorded",
        order=order,
        kind=message(f"position.kind.{row['kind']}"),
        units=shown(row["units"]),
        product=row["product"],
        by=message("app.recorded_by", source=source) if source else message("app.recorded_by_nobody"),
        start=row["start"],
        due=row["due"],
        state=message(f"code.state_{state_of(row, stand)}"),
        good=shown(stand.good_units),
        rest=_rest(_kept_row(at, order), ahead) if ahead is not None else message("app.recorded_nothing"),
    )


def _rest(kept: Mapping[str, Any], ahead: UnderWay) -> Message:
    """What is still to come of an order that is out, when, and why then. kept: its row in the last plan."""
    figures = {"units": shown(ahead.units), "day": kept.get("counted_on") or ahead.due}
    why = late_for(kept)
    if why is None:
        return message("app.recorded_counted", **figures)
    return message("app.recorded_later" if kept["counted_on"] else "app.recorded_never", **figures, why=why)


def _kept_row(at: Opened, order: str) -> dict[str, Any]:
    """The row of an order that is out in the last plan; empty where there is none."""
    runs = [row for row in at.ledger.runs().to_pylist() if row["branch"] == at.branch]
    if not runs:
        return {}
    kept = at.ledger.run_tables(max(runs, key=lambda row: row["saved"])["run"], ("kept",)).get("kept")
    found = [] if kept is None else kept.filter(pc.equal(kept["order"], order)).to_pylist()
    return found[0] if found else {}


def evidence(at: Opened, run: str, table: str, ids: Sequence[str]) -> pa.Table:
    """The rows behind a reason: rows of the ledger by row_id, or of the run's own hours as 'line|bucket' and gaps as
    'product|market|bucket'; an earlier version named its prices, as 'name|bucket'."""
    if table in tables() and all(name.startswith(f"{table}:") for name in ids):
        return at.ledger.rows(table, ids)
    rows = at.ledger.run_table(run, table)
    parts = [rows[name].cast(pa.string()) for name in OF_EVIDENCE.get(table, ("name", "bucket"))]
    found = rows.filter(pc.is_in(pc.binary_join_element_wise(*parts, "|"), pa.array(ids, pa.string())))
    return found.select(OF_GAPS) if table == "gaps" else found


def run_messages(run: RunResult) -> list[OrderMessage]:
    """The messages that a kept run's dispatch gave."""
    orders = {o.order: o for o in planned_orders(run.tables)}
    return [OrderMessage(m["key"], m["counterparty"], orders[m["order"]]) for m in run.tables["messages"].to_pylist()]
