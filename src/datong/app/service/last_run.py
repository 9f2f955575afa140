"""The last kept run of a chain or of a branch, with the tables of it that a page reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from datong.app.chain import Chain
from datong.app.service.last_run_in_memory import last_plan, run_table
from datong.app.service.served_chain import Served
from datong.app.service.worked_once import worked_once
from datong.model.errors import NotFound
from datong.model.words import message


@dataclass(frozen=True, eq=False)
class LastRun:
    """run: its number. as_of: its moment; made_at: when it was worked out, as LastPlan. tables: those that were asked
    for, as far as it has them."""

    run: str
    as_of: datetime
    made_at: datetime | None
    tables: Mapping[str, pa.Table]


def last_run(served: Served, names: tuple[str, ...]) -> LastRun:
    """Some tables of the last run of the trunk. Raises NotFound where there is none."""
    return served.chain_thread.kept(("last_run", names), lambda chain: read_last_run(chain, names), of=())


def table_of_run(served: Served, run: str, name: str) -> pa.Table | None:
    """One table of a kept run, which nobody changes; None of one that an earlier version kept without it. Not to be
    asked in a turn of the chain, which it may need itself."""
    at = ("table of run", run, name, served.chain_thread.opened)
    return worked_once(
        served.chain_thread, at, lambda: served.chain_thread.read(lambda chain: run_table(chain, run, name))
    )


def read_last_run(chain: Chain, names: tuple[str, ...]) -> LastRun:
    """As `last_run`, of a chain or branch in hand."""
    plan = last_plan(chain)
    if plan is None:
        if chain.branch_name is None:
            raise NotFound(message("served.no_plan"))
        raise NotFound(message("served.what_if.never_run", name=chain.branch_name))
    held = {name: run_table(chain, plan.run, name) for name in names}
    there = {name: table for name, table in held.items() if table is not None}
    return LastRun(plan.run, plan.as_of, plan.made_at, there)
