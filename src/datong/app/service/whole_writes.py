"""A change of the chain with what the server's own database notes of it: a kill leaves both or none.

The chain and the database are two files, which no transaction holds together. So what is to be noted is written down
in the database first, then the chain's transaction is committed, then it is noted and the intent is gone. A server that
was killed in between finds the intent when it starts: where the chain has the write, it is noted now; else nothing
happened. (The intent log of Gray & Reuter 1992, Transaction Processing, chapter 10.) So it is with a commit that ends
in an error, a line that was cut, say: the chain is asked whether it has the write, now or else before anybody writes to
it again.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TypeVar

import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.chain_thread import ChainThread
from datong.app.service.database_note import Note
from datong.app.service.server_database import ServerDatabase

T = TypeVar("T")


def write_whole(
    chain_thread: ChainThread,
    database: ServerDatabase,
    by: str,
    task: Callable[[Chain], T],
    noted: Callable[[T], Sequence[Note]],
) -> T:
    """What a task does that writes to the chain as `by`, with what is to be noted of it, given what it gave. All writes
    of the task are one transaction."""

    def write(chain: Chain) -> T:
        before, intent = chain.ledger.last_write(), 0
        try:
            with chain.ledger.together():
                made = task(chain)
                notes = noted(made)
                told = json.dumps([asdict(note) for note in notes])
                intent = database.add("INSERT INTO intents (by, write, notes) VALUES (?, ?, ?)", (by, before, told))
        except BaseException:  # with an intent it is one of the commit, which may have taken effect
            if not intent or not _settle_soon(chain_thread, database):
                raise
        else:
            _keep(database, intent, notes)
        return made

    return chain_thread.write(by, write)


def _settle_soon(chain_thread: ChainThread, database: ServerDatabase) -> bool:
    """Settle an intent whose outcome is not known: now, where the chain answers, else before it is written to again.
    Returns whether the chain is known to have the write."""
    with suppress(Exception):  # the first error tells more
        return settle(chain_thread, database) > 0
    chain_thread.before_next_write(lambda: settle(chain_thread, database))
    return False


def settle(chain_thread: ChainThread, database: ServerDatabase) -> int:
    """Finish what was begun to be written by a killed server, or of which no outcome was known; how many changes were
    noted now."""
    found = database.rows("SELECT * FROM intents ORDER BY intent")
    if not found:
        return 0
    writes = chain_thread.read(lambda chain: chain.ledger.writes())
    count = 0
    for row in found:
        since = writes.filter(pc.and_(pc.greater(writes["write"], row["write"]), pc.equal(writes["by"], row["by"])))
        if since.num_rows:
            _keep(database, row["intent"], [Note(**note) for note in json.loads(row["notes"])])
            count += 1
        else:
            _drop(database, row["intent"])
    return count


def _keep(database: ServerDatabase, intent: int, notes: Sequence[Note]) -> None:
    """Note it, and be done with the intent."""
    with database.together():
        for note in notes:
            database.keep(note)
        _drop(database, intent)


def _drop(database: ServerDatabase, intent: int) -> None:
    database.write("DELETE FROM intents WHERE intent = ?", (intent,))
