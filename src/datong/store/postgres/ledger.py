"""The ledger of a chain in a PostgreSQL database: what ledger/protocol.py promises, each change in one transaction."""

from collections.abc import Sequence

from datong.model.settings import ChainSettings
from datong.store.duckdb_connection import connect_to
from datong.store.duckdb_ledger import DuckDBLedger
from datong.store.postgres import layout
from datong.store.postgres.open_connection import connect
from datong.store.postgres.server_errors import translated
from datong.store.postgres.session import Session


class PostgresLedger(DuckDBLedger):
    """A Ledger whose rows are in PostgreSQL (see session.py), for the process and thread that opened it."""

    def rewrite(self) -> None:
        """Nothing is rewritten here: a role that owns nothing may not. What was taken out is in free space of the
        database until its owner cleans it (`prepare_database`); see Ledger.rewrite."""


def open_ledger(url: str, settings: ChainSettings, *, alone: bool = False) -> PostgresLedger:
    """Open the ledger of a chain in a database, empty where the chain is new there.

    alone: while it is open, nobody else opens it so, from whatever machine. Raises what `Session` raises.
    """
    here = connect_to(None)
    try:
        session = Session(url, settings.name, here, alone=alone)
    except BaseException:
        here.close()
        raise
    return PostgresLedger(session.path, settings, session)


def prepare_database(
    url: str, role: str, chains: Sequence[str], *, every_chain: bool = False, clean: bool = False
) -> list[str] | None:
    """Make or update the tables in a database, as their owner, and let a role use these chains of it, or every one; see
    layout.prepare. Returns those that it may use then; None: every one. clean: then write all tables anew, so that what
    was forgotten is in no free space.

    Raises Refused for want of rights.
    """
    with translated(url), connect(url) as owner:
        may_use = layout.prepare(owner, url, role, (layout.EVERY_CHAIN,) if every_chain else chains)
        if clean:
            layout.clean(owner)
    return None if layout.EVERY_CHAIN in may_use else may_use
