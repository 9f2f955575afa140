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
from datong.model.errors import NotFound
from datong.model.words import message
from datong.questions.compare import SAME, order_changes

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
    """a, b: runs. orders: those that differ, as questions/compare.order_changes pairs them. counts: how many became
    what, the same ones too. cost: total cost of each plan, in money, over what each of them covers."""

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

    def read(chain: Chain) -> list[pa.Table | None]:
        return [run_table(chain, run, name) for name in ("orders", "certificate") for run in (a, b)]

    orders_a, orders_b, cost_a, cost_b = served.chain_thread.kept(("difference", a, b), read)
    assert orders_a is not None and orders_b is not None and cost_a is not None and cost_b is not None
    settings = served.chain_thread.settings
    changes = order_changes(orders_a, orders_b, settings.calendar.bucket_start)  # not on the chain's thread
    counts = {one["values"]: one["counts"] for one in pc.value_counts(changes["change"]).to_pylist()}
    money = cost_a["total_cost"][0].as_py(), cost_b["total_cost"][0].as_py()
    differing = changes.filter(pc.not_equal(changes["change"], SAME))
    return Difference(a, b, differing, counts, money, settings.currency)
