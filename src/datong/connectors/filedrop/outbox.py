"""Orders out: one sheet for each counterparty and delivery, in the counterparty's own folder."""

import csv
import hashlib
from collections.abc import Container, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from datong.connectors.filedrop.folders import (
    INBOX,
    OUTBOX,
    TAKEN,
    TOLD,
    box,
    digest,
    digest_of,
    leads_elsewhere,
    reachable,
    safe_name,
    write_csv,
)
from datong.connectors.filedrop.given_out import given_out, with_more
from datong.connectors.filedrop.order_sheet import Known, as_csv, as_workbook, sheet_of
from datong.connectors.filedrop.sheet_columns import titles
from datong.connectors.files.write_whole import halves, one_at_a_time, write_whole
from datong.connectors.inlet_and_outlet import Delivered, Outcome, Unreachable, chain_of, unreachable
from datong.model.errors import DatongError
from datong.model.findings import Finding, finding
from datong.model.flow import OrderMessage
from datong.model.words import message

# Keys of all that ever went out, and in which file. Files in the outbox may be taken away; this stays.
_SENT = "sent.csv"
# Sheets that are about to be written: name, digests of its two files, and a key of it. It is gone once they are noted
# as sent: whoever finds it knows by what they say the sheets that were written before a kill.
_MEANT = "writing.csv"
_MEANT_COLUMNS = ("file", "csv", "xlsx", "key")
# Marks of the words that went out with each key (given_out.py): noted before a sheet is written, so that whatever comes
# back is known.
_GIVEN = "given.csv"
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

    For each counterparty a workbook and the same as CSV (order_sheet.py), in its language (default: `language`), in a
    folder of its own. run: shown in the files' names. known: what orders are told with. What went out stands in
    sent.csv; of what lies in the outbox nothing is believed but what is byte for byte as it was about to be written.
    The same key again makes no second file; where a kill fell before its files were whole, they are written again.
    """
    done: list[Outcome] = []
    try:
        with reachable(folder), _ours(folder):
            for one in _written(messages, folder, language, run, known):
                done.append(one)
    except DatongError as error:
        told = {key for outcome in done for key in outcome.keys}
        done += unreachable((m for m in messages if m.key not in told), error.message)
    return tuple(done)


def waiting(messages: Sequence[OrderMessage], folder: Path) -> tuple[OrderMessage, ...]:
    """The messages that `deliver` would write. Raises DatongError where the folder cannot be read."""
    with reachable(folder):
        gone = _sent(folder) | _whole(folder)
    return tuple({m.key: m for m in messages if not _is_out(m.key, gone)}.values())


def _is_out(key: str, gone: Container[str]) -> bool:
    """Whether a message went out, also under its key from before keys carried their chain."""
    return key in gone or (chain_of(key) is not None and key.partition(":")[2] in gone)


def _written(
    messages: Sequence[OrderMessage], folder: Path, language: str, run: str, known: Known
) -> Iterator[Outcome]:
    """Each file once it is written and noted; first those that a kill kept from being noted."""
    whole = {key: name for key, name in _whole(folder).items() if key not in _sent(folder)}
    gone = _sent(folder) | whole
    if whole:
        _note_sent(folder, gone)
        ours = sorted({(m.counterparty, whole[m.key], m.key) for m in messages if m.key in whole})
        for (counterparty, name), group in groupby(ours, key=lambda one: one[:2]):
            yield Delivered(counterparty, tuple(key for *_, key in group), str(folder / OUTBOX / name))
    once = {m.key: m for m in messages if not _is_out(m.key, gone)}
    fresh = sorted(once.values(), key=lambda m: (m.counterparty, m.repeated, m.order.start, m.order.order, m.key))
    for (counterparty, _), group in groupby(fresh, key=lambda m: (m.counterparty, m.repeated)):
        part = list(group)
        keys = tuple(m.key for m in part)
        path = folder / OUTBOX / box(counterparty) / _file_name(counterparty, run, part)
        if leads_elsewhere(folder, path.parent) or leads_elsewhere(folder, path):
            yield Unreachable(counterparty, keys, message("dispatch.link_in_outbox", path=str(path.parent)))
            continue
        own = known.languages.get(counterparty, language)
        sheet = sheet_of(counterparty, run, part, own, known)
        as_text, as_book = as_csv(sheet, own), as_workbook(sheet, own)
        name = path.relative_to(folder / OUTBOX).as_posix()
        marks = with_more(given_before(folder), given_out(sheet))
        write_csv(folder / _GIVEN, [["key", "given"], *([key, marks[key]] for key in sorted(marks))])
        _note_meant(folder, [[name, digest(as_text), digest(as_book), key] for key in keys])
        write_whole(path.with_suffix(".xlsx"), as_book)
        write_whole(path, as_text)
        if box(counterparty):
            (folder / INBOX / box(counterparty)).mkdir(parents=True, exist_ok=True)
        gone |= dict.fromkeys(keys, name)
        _note_sent(folder, gone)
        yield Delivered(counterparty, keys, str(path))
    (folder / _MEANT).unlink(missing_ok=True)


@contextmanager
def _ours(folder: Path) -> Generator[None]:
    """Several chains may share a drop folder: what went out is read and noted by one at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder) as is_alone:
        if is_alone:
            sweep(folder)
        yield


def sweep(folder: Path) -> None:
    """Take away what a kill left half written: of sheets and notes that are ours by name. For one who writes alone."""
    sheets = {name.removesuffix(".csv") for name in (*_sent(folder).values(), *(o["file"] for o in _meant(folder)))}
    names = {f"{Path(name).name}{suffix}" for name in sheets for suffix in (".csv", ".xlsx")}
    boxes = {(folder / OUTBOX / name).parent for name in sheets}
    left = [half for box in sorted(boxes) for half in halves(box, lambda name: name in names or _is_told(name))]
    left += halves(folder, lambda name: name in (_SENT, _MEANT, _GIVEN, TAKEN))
    for half in left:
        if not leads_elsewhere(folder, half):
            half.unlink(missing_ok=True)


def _is_told(name: str) -> bool:
    """Whether a name is that of what a firm is told of its file."""
    return name.endswith(TOLD)


def _note_sent(folder: Path, gone: Mapping[str, str]) -> None:
    """gone: the file by each key that ever went out."""
    write_csv(folder / _SENT, [["key", "file"], *([key, gone[key]] for key in sorted(gone))])


def _note_meant(folder: Path, rows: Sequence[Sequence[str]]) -> None:
    """Note sheets before they are written, beside those whose writing was broken off before."""
    names, gone = {row[0] for row in rows}, set(_sent(folder))
    before = [list(one.values()) for one in _meant(folder) if one["file"] not in names and one["key"] not in gone]
    write_csv(folder / _MEANT, [_MEANT_COLUMNS, *before, *rows])


def _meant(folder: Path) -> list[dict[str, str]]:
    path = folder / _MEANT
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return [{name: row.get(name) or "" for name in _MEANT_COLUMNS} for row in csv.DictReader(file)]


def _as_meant(folder: Path) -> set[str]:
    """Files in the outbox that are, byte for byte, what was about to be written."""
    found = {}
    for one in _meant(folder):
        for suffix, told in ((".csv", one["csv"]), (".xlsx", one["xlsx"])):
            found[Path(one["file"]).with_suffix(suffix).as_posix()] = told
    place = folder / OUTBOX
    return {name for name, told in found.items() if digest_of(place / name) == told}


def _whole(folder: Path) -> dict[str, str]:
    """Keys of the sheets that lie in the outbox whole, with the file, though nobody may have noted them."""
    there = _as_meant(folder)
    return {
        one["key"]: one["file"]
        for one in _meant(folder)
        if {one["file"], Path(one["file"]).with_suffix(".xlsx").as_posix()} <= there
    }


def _sent(folder: Path) -> dict[str, str]:
    """Keys that went out, with the file ('' where an earlier version noted none)."""
    return _by_key(folder / _SENT, "file")


def given_before(folder: Path) -> dict[str, str]:
    """Marks of the words that our sheets gave out, by key; an earlier version noted none."""
    return _by_key(folder / _GIVEN, "given")


def _by_key(path: Path, column: str) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return {row["key"]: row.get(column) or "" for row in csv.DictReader(file) if row.get("key")}


def sent_before(folder: Path) -> frozenset[str]:
    """Keys that went out."""
    return frozenset(_sent(folder))


def chains_of(folder: Path) -> set[str]:
    """Tags of the chains that sent something through a drop folder."""
    return {tag for key in _sent(folder) if (tag := chain_of(key)) is not None}


def not_ours(folder: Path, told: Container[str] = ()) -> list[Finding]:
    """A finding for each file in the outbox that Datong did not write there. They are left as they are: nothing is read
    of them, and no order counts as sent for them. told: names of what firms were told of their files."""
    place = folder / OUTBOX
    if not place.is_dir():
        return []
    sent = _sent(folder)
    written = {name for name in sent.values() if name}
    written |= {Path(name).with_suffix(".xlsx").as_posix() for name in written} | _as_meant(folder)
    before = {key for key, name in sent.items() if not name}
    files = sorted(path.relative_to(place) for path in place.rglob("*") if path.is_symlink() or not path.is_dir())
    strange = [
        path
        for path in files
        if path.as_posix() not in written
        and path.as_posix() not in told
        and not path.name.startswith((".", "~$"))
        and not (before and _is_of(place / path, before))
    ]
    return [finding("warning", "dispatch.planted", f"{OUTBOX}/{path.as_posix()}") for path in strange]


def _is_of(path: Path, keys: set[str]) -> bool:
    """Whether a file is one that an earlier version wrote: all of its keys were noted."""
    text = path.with_suffix(".csv")
    if text.is_symlink() or not text.is_file():
        return False
    with text.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.DictReader(file)
        own = {cell for row in rows for title, cell in row.items() if title in titles("key") and cell}
    return bool(own) and own <= keys


def _file_name(counterparty: str, run: str, messages: Sequence[OrderMessage]) -> str:
    """Who, which run, and a hash of the keys: the same delivery has the same name."""
    said = "|".join([counterparty, *(m.key for m in messages)])
    digest = hashlib.sha256(said.encode()).hexdigest()[:8]
    parts = [part for part in (safe_name(counterparty), safe_name(run), digest) if part]
    return "-".join(parts) + ".csv"
