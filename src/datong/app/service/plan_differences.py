"""What differs between two kept plans of a served chain: their orders, paired, and what they cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.last_run_in_memory import made_at_of, run_table
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.ledger.state import State
from datong.model.errors import NotFound
from datong.model.words import message
from datong.questions.compare import SAME, orders_beside
from datong.questions.given_out import STATE_READ, WentOut, given_out

# Runs that are offered for comparison, newest first.
MOST_RUNS = 30


@dataclass(frozen=True)
class KeptRun:
    """run: its number. as_of, made_at: as LastPlan."""

    run: str
    as_of: datetime
    made_at: datetime | None


@dataclass(frozen=True, eq=False)
class Difference:
    """a, b: runs. orders: those that differ, as questions/compare.order_changes pairs them; of plan A also those that
    plan B counts on as given out or locked. counts: how many became what, the same ones too. cost: total cost of each
    plan, in money, over what each of them covers, with that of orders that it alone counts on as given out or locked.
    """

    a: str
    b: str
    orders: pa.Table
    counts: Mapping[str, int]
    cost: tuple[float, float]
    currency: str


def runs(served: Served, who: Who) -> Sequence[KeptRun]:
    """The chain's kept runs, newest first. Raises NotAllowed."""
    who.require(Permission.SEE_PLAN)

    def read(chain: Chain) -> list[KeptRun]:
        rows = [row for row in chain.ledger.runs().to_pylist() if row["branch"] == chain.branch_name]
        rows.sort(key=lambda row: -row["saved"])
        made_at = made_at_of(chain)
        return [KeptRun(row["run"], row["as_of"], made_at.get(row["run"])) for row in rows[:MOST_RUNS]]

    return served.chain_thread.kept("runs", read)


def difference(served: Served, who: Who, a: str, b: str) -> Difference:
    """What differs between two runs. Raises NotAllowed, NotFound."""
    there = {one.run for one in runs(served, who)}
    for run in (a, b):
        if run not in there:
            raise NotFound(message("service_orders.no_such_run", run=run))

    read_a, read_b = served.chain_thread.kept(
        ("difference", a, b), lambda chain: tuple(_read(chain, run) for run in (a, b))
    )
    settings = served.chain_thread.settings  # what follows is not done on the chain's thread
    sources = {a: read_a.tables, b: read_b.tables}
    out_in_b = _counted_on(given_out(read_a.state, sources, read_b.state, read_b.tables))
    out_in_a = _counted_on(given_out(read_b.state, sources, read_a.state, read_a.tables))
    changes = orders_beside(
        (read_a.tables["orders"], out_in_a), (read_b.tables["orders"], out_in_b), settings.calendar.bucket_start
    )
    counts = {one["values"]: one["counts"] for one in pc.value_counts(changes["change"]).to_pylist()}
    differing = changes.filter(pc.not_equal(changes["change"], SAME))
    money = (_money(read_a, out_in_a), _money(read_b, out_in_b))
    return Difference(a, b, differing, counts, money, settings.currency)


@dataclass(frozen=True, eq=False)
class _Read:
    """Of a kept run: what it saw of orders, and those of its tables that are read here."""

    state: State
    tables: Mapping[str, pa.Table]


def _read(chain: Chain, run: str) -> _Read:
    held = {name: run_table(chain, run, name) for name in ("orders", "certificate", "ways")}
    tables = {name: table for name, table in held.items() if table is not None}
    return _Read(chain.ledger.run_inputs(run, STATE_READ).state, tables)


def _counted_on(found: WentOut) -> pa.Table:
    """Orders on which one plan counts as they are, and the other does not."""
    return found.since.filter(found.since["stands"])


def _money(read: _Read, counted_on: pa.Table) -> float:
    """The cost of a plan, with the orders that it alone counts on: the other pays for what it plans in their place."""
    return float(read.tables["certificate"]["total_cost"][0].as_py() + (pc.sum(counted_on["cost"]).as_py() or 0.0))
