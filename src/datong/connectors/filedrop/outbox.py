"""Orders out: one sheet for each counterparty and delivery."""

import csv
import hashlib
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from datong.connectors.filedrop.folders import OUTBOX, reachable, titles, write_csv
from datong.connectors.filedrop.sheet import Known, as_csv, as_workbook, sheet_of
from datong.connectors.files.whole import one_at_a_time, write_whole
from datong.connectors.protocol import Delivered, Outcome, Unreachable
from datong.model.errors import DatongError
from datong.model.flow import OrderMessage

# Keys of all that ever went out. Files in the outbox may be taken away; this stays.
_SENT = "sent.csv"
NOTHING_KNOWN = Known()


def deliver(
    messages: Sequence[OrderMessage],
    folder: Path,
    language: str,
    run: str = "",
    known: Known = NOTHING_KNOWN,
) -> tuple[Outcome, ...]:
    """Write the messages that did not go out yet to `folder`/outbox; gives the files written, or that the folder cannot
    be used.

    For each counterparty a workbook and the same as CSV (sheet.py), in `language`; the CSV is the mark that both are
    there. run: shown in the files' names. known: what orders are told with. The same key again makes no second file.
    """
    done: list[Outcome] = []
    try:
        with reachable(folder), _ours(folder):
            for one in _written(messages, folder, language, run, known):
                done.append(one)
    except DatongError as error:
        told = {key for outcome in done for key in outcome.keys}
        left = sorted((m.counterparty, m.key) for m in messages if m.key not in told)
        for counterparty, group in groupby(left, key=lambda pair: pair[0]):
            done.append(Unreachable(counterparty, tuple(key for _, key in group), error.message))
    return tuple(done)


def waiting(messages: Sequence[OrderMessage], folder: Path) -> tuple[OrderMessage, ...]:
    """The messages that `deliver` would write. Raises DatongError where the folder cannot be read."""
    with reachable(folder):
        gone = set(_sent(folder))
    return tuple({m.key: m for m in messages if m.key not in gone}.values())


def _written(
    messages: Sequence[OrderMessage], folder: Path, language: str, run: str, known: Known
) -> Iterator[Delivered]:
    """Each file once it is written."""
    gone = set(_sent(folder))
    once = {m.key: m for m in messages if m.key not in gone}
    fresh = sorted(once.values(), key=lambda m: (m.counterparty, m.order.start, m.order.order, m.key))
    for counterparty, group in groupby(fresh, key=lambda m: m.counterparty):
        part = list(group)
        path = folder / OUTBOX / _file_name(counterparty, run, part)
        sheet = sheet_of(counterparty, run, part, language, known)
        write_whole(path.with_suffix(".xlsx"), as_workbook(sheet, language))
        write_whole(path, as_csv(sheet, language))
        yield Delivered(counterparty, tuple(m.key for m in part), str(path))
    if fresh:
        write_csv(folder / _SENT, [["key"], *([key] for key in sorted(gone | set(once)))])


@contextmanager
def _ours(folder: Path) -> Generator[None]:
    """Several chains may share a drop folder: what went out is read and noted by one at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder):
        yield


def _sent(folder: Path) -> Iterator[str]:
    """Keys that went out: those noted, and those in files that a kill left before they were noted."""
    keys = titles("key")
    for path in [folder / _SENT, *sorted((folder / OUTBOX).glob("*.csv"))]:
        if not path.exists():
            continue
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                yield from (cell for title, cell in row.items() if title in keys and cell)


def _file_name(counterparty: str, run: str, messages: Sequence[OrderMessage]) -> str:
    """Who, which run, and a hash of the keys: the same delivery has the same name."""
    said = "|".join([counterparty, *(m.key for m in messages)])
    digest = hashlib.sha256(said.encode()).hexdigest()[:8]
    parts = [part for part in (_safe(counterparty), _safe(run), digest) if part]
    return "-".join(parts) + ".csv"


def _safe(text: str) -> str:
    """A text as part of a file name, on every system."""
    return re.sub(r"[^\w.-]+", "_", text)[:60].strip("._-")
