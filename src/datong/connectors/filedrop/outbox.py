"""Work orders out: one CSV file for each counterparty and delivery."""

import csv
import hashlib
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from datong.connectors.filedrop.folders import ORDER_COLUMNS, OUTBOX, SENT_COLUMNS, reachable, titles, write_csv
from datong.connectors.files.whole import one_at_a_time
from datong.connectors.protocol import Delivered, Outcome, Unreachable
from datong.model.errors import DatongError
from datong.model.flow import OrderMessage
from datong.model.words import say

# Keys of all that ever went out. Files in the outbox may be taken away; this stays.
_SENT = "sent.csv"
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def deliver(
    messages: Sequence[OrderMessage],
    folder: Path,
    language: str,
    run: str = "",
    product_names: Mapping[str, str | None] | None = None,
) -> tuple[Outcome, ...]:
    """Write the messages that did not go out yet to `folder`/outbox; gives the files written, or that the folder cannot
    be used.

    One file for each counterparty, in UTF-8 with a byte order mark, titles and reasons in `language`. run: shown in
    the file's name. product_names: name by product code. The same key again makes no second file.
    """
    done: list[Outcome] = []
    try:
        with reachable(folder), _ours(folder):
            for one in _written(messages, folder, language, run, product_names or {}):
                done.append(one)
    except DatongError as error:
        told = {key for outcome in done for key in outcome.keys}
        left = sorted((m.counterparty, m.key) for m in messages if m.key not in told)
        for counterparty, group in groupby(left, key=lambda pair: pair[0]):
            done.append(Unreachable(counterparty, tuple(key for _, key in group), error.message))
    return tuple(done)


def _written(
    messages: Sequence[OrderMessage], folder: Path, language: str, run: str, product_names: Mapping[str, str | None]
) -> Iterator[Delivered]:
    """Each file once it is written."""
    gone = set(_sent(folder))
    once = {m.key: m for m in messages if m.key not in gone}
    fresh = sorted(once.values(), key=lambda m: (m.counterparty, m.order.start, m.order.order, m.key))
    for counterparty, group in groupby(fresh, key=lambda m: m.counterparty):
        part = list(group)
        path = folder / OUTBOX / _file_name(counterparty, run, part)
        sites = any(m.order.site is not None for m in part)
        rows = [_row(m, language, product_names, sites) for m in part]
        columns = SENT_COLUMNS if sites else ORDER_COLUMNS
        write_csv(path, [[say(f"dispatch.title.{name}", language) for name in columns], *rows])
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


def _row(sent: OrderMessage, language: str, product_names: Mapping[str, str | None], sites: bool) -> list[str]:
    order = sent.order
    why = say("dispatch.join", language).join(cause.text.text(language) for cause in order.causes)
    cells = [
        order.order,
        say(f"dispatch.kind.{order.kind}", language),
        order.product,
        product_names.get(order.product) or "",
        f"{order.units:.3f}".rstrip("0").rstrip("."),
        order.start.isoformat(),
        order.due.isoformat(),
        order.line or "",
        why,
        sent.key,
    ]
    if sites:
        cells += [order.from_site or "", order.site or ""]
    return [_harmless(cell) for cell in cells]


def _harmless(text: str) -> str:
    """A text that a spreadsheet does not take for a formula (OWASP, CSV injection), in full width either."""
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


def _file_name(counterparty: str, run: str, messages: Sequence[OrderMessage]) -> str:
    """Who, which run, and a hash of the keys: the same delivery has the same name."""
    said = "|".join([counterparty, *(m.key for m in messages)])
    digest = hashlib.sha256(said.encode()).hexdigest()[:8]
    parts = [part for part in (_safe(counterparty), _safe(run), digest) if part]
    return "-".join(parts) + ".csv"


def _safe(text: str) -> str:
    """A text as part of a file name, on every system."""
    return re.sub(r"[^\w.-]+", "_", text)[:60].strip("._-")
