"""The commands about persons: all that is held about a customer, and forgetting one."""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pyarrow as pa

from datong.app import forget_customers
from datong.app.chain import Chain
from datong.app.cli import terminal
from datong.app.cli.open_chain import opened
from datong.app.stores import noted_store
from datong.app.wiring import utc_now, wire
from datong.connectors.files.write_whole import write_whole
from datong.model.errors import Refused
from datong.model.words import message, say

FORMATS = (".json", ".csv")
SPOKEN_APART = ("quarantine", "run_tables")


def answer_person(options: argparse.Namespace, language: str) -> int:
    kind = options.out.suffix.lower()
    if kind not in FORMATS:
        raise Refused(message("privacy.person_format"))
    with opened(options.chain, language) as chain:
        found = chain.person(options.customer, options.why)
    write_whole(options.out, (as_json(found) if kind == ".json" else as_csv(found)).encode())
    count = sum(rows.num_rows for rows in found.values())
    if not count:
        terminal.line(say("privacy.person_none", language))
    terminal.line(say("privacy.person_written", language, count=count, path=options.out))
    return 0


def as_json(found: Mapping[str, pa.Table]) -> str:
    """Rows by table, each without its empty cells."""
    rows = {name: [_filled(row) for row in table.to_pylist()] for name, table in found.items()}
    return json.dumps(rows, ensure_ascii=False, indent=1, default=_text) + "\n"


def as_csv(found: Mapping[str, pa.Table]) -> str:
    """A line for each cell that says something: table, row, column, value."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("table", "row", "column", "value"))
    writer.writerows(_cells(found))
    return "\ufeff" + out.getvalue()


def _cells(found: Mapping[str, pa.Table]) -> Iterator[tuple[str, int, str, str]]:
    for name, table in found.items():
        for number, row in enumerate(table.to_pylist(), start=1):
            yield from ((name, number, column, _text(value)) for column, value in _filled(row).items())


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)  # ty: ignore[not-callable]


def answer_forget(options: argparse.Namespace, language: str) -> int:
    status = _forget(options, language)
    if status == 0 and noted_store(options.chain) is not None:
        terminal.warning(say("store.not_cleaned", language))
    return status


def _forget(options: argparse.Namespace, language: str) -> int:
    if [options.lost, bool(options.customer), options.older_than is not None].count(True) != 1:
        raise Refused(message("privacy.one_of"))
    if options.lost:
        return _forget_lost(options, language)
    with opened(options.chain, language) as chain:
        if options.older_than is not None:
            return _forget_older(chain, options, language)
        count = chain.rows_about(options.customer)
        if not _agreed(options, say("privacy.ask", language, count=count), language):
            return 2
        done = chain.forget(options.customer, options.why)
    show_forgotten(done, language)
    files = ", ".join(done.files) or say("privacy.no_files", language)
    terminal.line(say("privacy.not_reached", language, files=files))
    return 0


def _forget_older(chain: Chain, options: argparse.Namespace, language: str) -> int:
    count = chain.customers_without_rows_since(options.older_than)
    if not count:
        terminal.line(say("privacy.nobody_older", language, days=options.older_than))
        return 0
    if not _agreed(options, say("privacy.ask_older", language, count=count, days=options.older_than), language):
        return 2
    show_forgotten(chain.forget_older(options.older_than, options.why), language)
    return 0


def _forget_lost(options: argparse.Namespace, language: str) -> int:
    """Opens the ledger alone: a chain whose keys are lost takes nothing in that names customers."""
    at, _ = wire(options.chain, utc_now, None)
    with closing(at.ledger):
        lost = forget_customers.lost(at)
        if not lost:
            terminal.line(say("privacy.nothing_lost", language))
            return 0
        if not _agreed(options, say("privacy.ask_lost", language, count=len(lost)), language):
            return 2
        show_forgotten(forget_customers.forget_lost(at, options.why), language)
    return 0


def _agreed(options: argparse.Namespace, asked: str, language: str) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise Refused(message("privacy.no_terminal"))
    agreed = input(asked).strip().lower() in ("y", "yes", "是", "好", "对")
    if not agreed:
        terminal.line(say("privacy.not_forgotten", language))
    return agreed


def show_forgotten(done: forget_customers.Forgotten, language: str) -> None:
    terminal.line(say("privacy.forgotten", language, keys=done.keys))
    for name, count in done.rows.items():
        key = f"privacy.forgotten_{name if name in SPOKEN_APART else 'rows'}"
        terminal.line(say(key, language, table=name, count=count))
    if not done.rows:
        terminal.line(say("privacy.forgotten_none", language))
