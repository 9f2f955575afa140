"""The last kept run of a served chain: what was read or worked out of it stays in memory, for a run never changes."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.ledger.protocol import Ledger, written_at
from datong.model.errors import NotFound

T = TypeVar("T")
# Tables and answers of runs that are held at once, of each chain.
MOST_HELD = 32
_HELD: WeakKeyDictionary[Ledger, OrderedDict[tuple[str, str], Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class LastPlan:
    """run: its number. as_of: the moment that it was made for, on the chain's clock. made_at: when it was worked out,
    by the world's clock; None: an earlier version kept no note."""

    run: str
    as_of: datetime
    made_at: datetime | None


def last_plan(chain: Chain) -> LastPlan | None:
    """The run that was kept last; None where there is none. To be asked on the chain's own thread, as what follows."""
    rows = [row for row in chain.ledger.runs().to_pylist() if row["branch"] == chain.branch_name]
    if not rows:
        return None
    last = max(rows, key=lambda row: row["saved"])
    made_at = of_run(chain, last["run"], f"made at {last['saved']}", lambda: made_at_of(chain).get(last["run"]))
    return LastPlan(last["run"], last["as_of"], made_at)


def made_at_of(chain: Chain) -> dict[str, datetime]:
    """By run of a chain or branch, when it was worked out last."""
    writes = chain.ledger.writes()
    runs = writes.filter(pc.equal(writes["what"], "run")).to_pylist()
    return {row["subject"]: written_at(row) for row in runs if row["branch"] == chain.branch_name}


def of_run(chain: Chain, run: str, name: str, task: Callable[[], T]) -> T:
    """What a task gives that reads nothing but a kept run; worked out once. name: of what it gives."""
    held = _HELD.setdefault(chain.ledger, OrderedDict())
    if (run, name) not in held:
        held[run, name] = task()
        if len(held) > MOST_HELD:
            held.popitem(last=False)
    held.move_to_end((run, name))
    return held[run, name]


def run_table(chain: Chain, run: str, name: str) -> pa.Table | None:
    """One table of a kept run; None of one that an earlier version kept without it."""

    def read() -> pa.Table | None:
        try:
            return chain.ledger.run_table(run, name)
        except NotFound:
            return None

    return of_run(chain, run, f"table {name}", read)
