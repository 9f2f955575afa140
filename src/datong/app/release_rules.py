"""What may be given out, and why an order may not: rules of releasing.

What is due: dispatch/orders_due_for_release.py. Giving it out: release_orders.py.
"""

from collections.abc import Container, Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.dispatch.orders_due_for_release import due_before
from datong.ledger.state import State
from datong.model import errors
from datong.model.words import Message, message
from datong.questions.run_result import RunResult


def that_may_go(rows: pa.Table) -> pa.Table:
    """Of the table of orders (ORDERS_NOW of service/table_of_orders.py) those that are due and not out yet."""
    return rows.filter(pc.and_(rows["is_due"], pc.not_equal(rows["origin"], "out")))


def refuse_undue(row: Mapping[str, Any]) -> None:
    """Raises Refused for an order that is out, or not due to be given out."""
    if row["origin"] == "out":
        state = message(f"code.state_{row['state']}")
        raise errors.Refused(message("service_orders.is_out", order=row["order"], state=state))
    if not row["is_due"]:
        raise errors.Refused(message("service_orders.not_due", order=row["order"], start=row["start"]))


def why_not_due(asked: Sequence[str], run: RunResult, out: Container[str], waiting: Sequence[str]) -> Message:
    """Why orders cannot be given out of a plan, each in words, and what of it waits to be given out."""
    settings = run.settings
    starts = dict(
        zip(run.tables["orders"]["order"].to_pylist(), run.tables["orders"]["start"].to_pylist(), strict=True)
    )
    end = due_before(settings, settings.first_open_bucket(run.as_of))

    def why(order: str) -> Message:
        if order in out:
            return message("app.out_already", order=order)
        if order not in starts:
            return message("app.no_order_of_plan", order=order, run=run.run)
        plan_of = settings.calendar.shift(settings.calendar.bucket_start(starts[order]), -settings.frozen_buckets)
        return message("app.starts_later", order=order, start=starts[order], end=end, plan_of=plan_of)

    told = reduce(lambda before, after: message("app.and_then", before=before, after=after), map(why, asked))
    if not waiting:
        return message("app.not_due_none", told=told)
    return message("app.not_due", told=told, count=len(waiting), due=", ".join(waiting))


def refuse_a_plan_of_before(chain: Chain, run: RunResult) -> None:
    """Raises Refused where all of a plan are asked for whose first bucket is over."""
    planned, now = (chain.state(moment, names=()).first_open_bucket for moment in (run.as_of, None))
    if planned < now:
        raise errors.Refused(message("app.plan_of_before", run=run.run, planned=planned, now=now))


def refuse_what_ifs(chain: Chain) -> None:
    """Raises Refused on a branch: nothing of it is given out."""
    if chain.branch_name is not None:
        raise errors.Refused(message("branch.not_given_out", branch=chain.branch_name))


def refuse_taken_numbers(out: Sequence[str], state: State, run: RunResult) -> None:
    """Raises Refused where orders that are out have numbers of this plan, but come of another run: then this run knows
    less than what was released."""
    run_of = {r["order"]: r["run"] for r in state.table("orders").select(["order", "run"]).to_pylist()}
    taken = [order for order in out if run_of.get(order) != run.run]
    if taken:
        raise errors.Refused(message("app.number_taken", orders=", ".join(taken), run=run.run))
