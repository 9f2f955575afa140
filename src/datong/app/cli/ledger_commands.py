"""Commands about where ledgers are kept: `database`, `migrate`, `backup`; and the option --store of all others."""

import argparse

from datong.app import stores
from datong.app.cli import terminal
from datong.app.cli.open_chain import opened
from datong.model.errors import Refused
from datong.model.words import message, say


def keep_where_asked(options: argparse.Namespace) -> None:
    """Keep the chain of a command where --store says. Raises Refused for --join without it."""
    store, join = getattr(options, "store", None), getattr(options, "join", False)
    if store is not None:
        stores.keep_in(options.chain, store, join=join)
    elif join:
        raise Refused(message("store.join_what"))


def answer_database(options: argparse.Namespace, language: str) -> int:
    may_use = stores.prepare(
        options.address, options.role, options.chains, clean=options.clean, every_chain=options.every_chain
    )
    chains = say("store.every_chain", language) if may_use is None else ", ".join(may_use)
    address = stores.without_password(options.address)
    terminal.line(say("store.prepared", language, url=address, role=options.role, chains=chains))
    return 0


def answer_migrate(options: argparse.Namespace, language: str) -> int:
    moved = stores.migrate(options.source, options.target)
    target = stores.without_password(options.target) if stores.is_address(options.target) else options.target
    terminal.line(say("store.moved", language, rows=moved.rows, tables=moved.tables, target=target, left=moved.left))
    return 0


def answer_backup(options: argparse.Namespace, language: str) -> int:
    with opened(options.chain, language) as chain:
        rows, tables = stores.write_file(chain.ledger, options.out)
    place = options.chain / stores.LEDGER_FILE
    terminal.line(say("store.backed_up", language, rows=rows, tables=tables, file=options.out, place=place))
    return 0
