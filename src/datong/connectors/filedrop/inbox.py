"""Acknowledgements and reports in: the files that counterparties drop, as reports on orders.

A file in a counterparty's own folder speaks of its orders alone; one that lies straight in the inbox may speak of any,
and of another firm's by the number of its message. read_answers.py says what a file means.
"""

import contextlib
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from datong.connectors.filedrop.folders import (
    BAD,
    DONE,
    INBOX,
    OUTBOX,
    TAKEN,
    TOLD,
    digest,
    digest_of,
    leads_elsewhere,
    reachable,
    with_end,
    write_csv,
    write_text,
)
from datong.connectors.filedrop.outbox import chains_of, given_before, not_ours, sent_before, sweep
from datong.connectors.filedrop.read_answers import Came, ReportRead, read_report
from datong.connectors.files.changed_while_read import Looks, looks, read_steadily
from datong.connectors.files.workbook_limits import inspect
from datong.connectors.files.write_whole import one_at_a_time
from datong.ledger.order_life import OrderReport
from datong.model.calendar import Calendar
from datong.model.findings import Finding, by_source, finding, has_errors
from datong.model.words import say

_SUFFIXES = (".csv", ".xlsx", ".xls", ".xlsm")
# Files that programs put beside those of people, and those that are still under way.
_NOBODYS_NAMES = ("desktop.ini", "thumbs.db")
_UNDER_WAY = (".tmp", ".part", ".partial", ".crdownload")
# A file that changed so lately may still be being written.
QUIET_SECONDS = 0.5
# The last so many of the files that were put away are watched.
_WATCHED = 2_000
_TAKEN_COLUMNS = ("place", "size", "changed", "chain", "digest", "orders", "stem")


@dataclass(frozen=True)
class Reader:
    """Who reads an inbox. boxes: counterparty by its folder. chain: tag of the chain, '': any. languages: of
    counterparties that have their own."""

    boxes: Mapping[str, str] = field(default_factory=dict)
    chain: str = ""
    languages: Mapping[str, str] = field(default_factory=dict)


ANYBODY = Reader()


@dataclass(frozen=True)
class CollectedFile:
    """A file that was read. source: its name, with its folder in the inbox. looks, digest: as it was read. findings: of
    it. answered, empty: how many rows of orders say something, and how many nothing. orders: that it speaks of."""

    path: Path
    source: str
    looks: Looks
    findings: tuple[Finding, ...] = ()
    counterparty: str | None = None
    answered: int = 0
    empty: int = 0
    digest: str = ""
    orders: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class CollectedFiles:
    """What lay in an inbox.

    reports: what the files say of orders, not yet held against them. files: those that were read. left: findings of
    what could not be read and stays where it is.
    """

    folder: Path
    reports: tuple[OrderReport, ...]
    files: tuple[CollectedFile, ...]
    left: tuple[Finding, ...] = ()
    reader: Reader = ANYBODY

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.left, *(f for one in self.files for f in one.findings))


@dataclass(frozen=True)
class _Seen:
    """A file as it was read. refused: why a workbook is not to be opened."""

    content: bytes
    looks: Looks
    refused: tuple[Finding, ...]


@dataclass(frozen=True)
class _Out:
    """What went out. given: marks of the words of each message, by its number; sent: numbers of all of them."""

    given: Mapping[str, str]
    sent: frozenset[str]


@dataclass(frozen=True)
class _Taken:
    """A file that was put away, or that a firm was told. place: under the drop folder. size (bytes), changed (ns since
    1970), digest: as it was; digest '': an earlier version noted none. chain: its tag. orders: of a text, those with
    which something is wrong. stem: of a text, of the name under which the firm sent its file; '': as the text's own."""

    place: str
    size: int
    changed: int
    chain: str
    digest: str = ""
    orders: frozenset[str] = frozenset()
    stem: str = ""


def collect(folder: Path, calendar: Calendar, reader: Reader = ANYBODY) -> CollectedFiles:
    """Read every CSV file and workbook in `folder`/inbox and in the counterparties' folders there, and those put away
    before that have changed since; other files are named. Moves nothing: take the reports in, then `settle`.

    A kill between the two only means that the same files are read again, which changes nothing. A file that cannot be
    read keeps nothing from the others.
    """
    with reachable(folder):
        found = [*_in_boxes(folder, reader), *_changed_since(folder, reader)]
        left = not_ours(folder, _told(folder))
        out = _Out(given_before(folder), sent_before(folder))
        shared = bool(reader.chain) and bool(chains_of(folder) - {reader.chain})
    places = [one for one in found if isinstance(one, CollectedFile)]
    left += [one for one in found if isinstance(one, Finding)]
    _wait_until_quiet([one.path for one in places])
    files: list[CollectedFile] = []
    reports: list[OrderReport] = []
    for place in places:
        if leads_elsewhere(folder, place.path):  # it may lead to anything that this program may read
            left.append(finding("error", "dispatch.link", place.source))
            continue
        contents, problems = read_steadily(place.path, _look)
        left += [_named(problem, place) for problem in problems]
        for seen in contents:
            read = _read(place, seen, calendar, reader, out)
            if read.is_for_another:
                continue
            if shared and not read.is_keyed and not seen.refused:
                left.append(finding("error", "dispatch.whose_chain", place.source))
                continue
            reports += read.reports
            rows = {"answered": read.answered, "empty": read.empty, "digest": digest(seen.content)}
            orders = frozenset(report.event.order for report in read.reports)
            files.append(replace(place, looks=seen.looks, findings=read.findings, orders=orders, **rows))
    return CollectedFiles(folder, tuple(reports), tuple(files), tuple(left), reader)


def _named(problem: Finding, place: CollectedFile) -> Finding:
    return replace(problem, source=place.source)


def _read(place: CollectedFile, seen: _Seen, calendar: Calendar, reader: Reader, out: _Out) -> ReportRead:
    if place.path.suffix.lower() not in _SUFFIXES:
        return ReportRead((), (finding("error", "dispatch.not_read", place.source),))
    if seen.refused:
        return ReportRead((), tuple(_named(f, place) for f in seen.refused))
    written = datetime.fromtimestamp(min(seen.looks[1] / 1e9, time.time()), UTC)
    came = Came(place.source, seen.content, written, place.counterparty, reader.chain, given=out.given, sent=out.sent)
    try:
        return read_report(came, calendar)
    except Exception as error:  # whatever it is, the other files are to be read
        return ReportRead((), (finding("error", "dispatch.unreadable", place.source, why=repr(error)),))


def _in_boxes(folder: Path, reader: Reader) -> Iterator[CollectedFile | Finding]:
    """The files of an inbox that are to be read, in order; a finding for a folder of nobody that is known."""
    inbox = folder / INBOX
    for path in sorted(inbox.iterdir()) if inbox.exists() else ():
        if _is_nobodys(path):
            continue
        if path.name in reader.boxes and path.is_dir() and not path.is_symlink():
            yield from _in_box(path, reader.boxes[path.name])
        elif not _is_folder(path):
            yield CollectedFile(path, path.name, ())
        elif any(path.iterdir()):
            yield finding("warning", "dispatch.unknown_box", path.name)


def _in_box(box: Path, counterparty: str) -> Iterator[CollectedFile | Finding]:
    """What lies in the folder of a counterparty."""
    for inner in sorted(box.iterdir()):
        name = f"{box.name}/{inner.name}"
        if _is_nobodys(inner):
            continue
        if not _is_folder(inner):
            yield CollectedFile(inner, name, (), (), counterparty)
        elif any(inner.iterdir()):
            yield finding("warning", "dispatch.unknown_box", name)


def _is_folder(path: Path) -> bool:
    """One that is named as a sheet is said to be no file."""
    return path.is_dir() and not path.is_symlink() and path.suffix.lower() not in _SUFFIXES


def _is_nobodys(path: Path) -> bool:
    """Whether nobody put a file there to be read: locks of office programs, what systems write, unfinished copies."""
    name = path.name.lower()
    return name.startswith((".", "~$")) or name in _NOBODYS_NAMES or name.endswith(_UNDER_WAY)


def _look(path: Path) -> tuple[list[_Seen], list[Finding]]:
    return [_Seen(path.read_bytes(), looks(path), inspect(path).refused)], []


def _wait_until_quiet(paths: Sequence[Path]) -> None:
    """Wait until the youngest file is QUIET_SECONDS old: one that is still being written would be taken for whole. A
    file that goes on changing is found as it is read, and stays."""
    ages = []
    for path in paths:
        with contextlib.suppress(OSError):
            ages.append(time.time() - path.lstat().st_mtime)
    youngest = min((age for age in ages if age >= 0), default=QUIET_SECONDS)
    time.sleep(max(QUIET_SECONDS - youngest, 0.0))


def settle(collected: CollectedFiles, answers: Sequence[Finding], language: str) -> None:
    """Move the files away, after what they say was taken in: to done/, or, with an error in them, to bad/.

    answers: what was found as their reports were held against the orders. Where there are findings, they lie beside
    the file as text. A mended file may simply be dropped again. A file that has changed since it was read stays, to be
    read again: what it said before is known then. What cannot be moved keeps nothing from the others.
    """
    of_file = by_source(answers)
    if not collected.folder.exists():
        return
    with reachable(collected.folder), one_at_a_time(collected.folder) as is_alone:
        if is_alone:
            sweep(collected.folder)
        refused: OSError | None = None
        for one in collected.files:
            try:
                _put_away(collected, one, [*one.findings, *of_file.get(one.source, ())], language)
            except OSError as error:
                refused = error
        if refused is not None:
            raise refused


def _put_away(collected: CollectedFiles, one: CollectedFile, findings: Sequence[Finding], language: str) -> None:
    """Tell a file's firm of it, and move it; where it has changed it stays, to be read again.

    It moves last: whoever is killed before that does all of this again.
    """
    if not one.path.exists() or looks(one.path) != one.looks:
        return
    folder, own = collected.folder, collected.reader.languages.get(one.counterparty or "", language)
    box = Path(one.source).parent
    into = folder / (BAD if has_errors(list(findings)) else DONE) / box
    if leads_elsewhere(folder, into):
        raise OSError(0, f"{into} leads elsewhere")
    into.mkdir(parents=True, exist_ok=True)
    stays = one.path.parent == into
    place = one.path if stays else into / one.path.name
    number = 1
    while not stays and place.exists():
        number += 1
        place = into / with_end(one.path.stem, f"-{number}{one.path.suffix}")
    is_sheet = place.suffix.lower() in _SUFFIXES
    name = place.stem if is_sheet else place.name  # a picture beside a sheet of the same name is another file
    if findings:
        text = "\n".join(f.text(own) for f in findings)
        write_text(place.with_name(with_end(name, TOLD)), text + "\n")
    of_chain = collected.reader.chain
    size, changed, *_ = one.looks
    noted = [_Taken(place.relative_to(folder).as_posix(), size, changed, of_chain, one.digest)]
    stem = _stem_sent(folder, box, name) if stays else one.path.stem
    if is_sheet:
        noted += _take_back(folder, replace(one, findings=tuple(findings)), box, stem)
    text = None if one.counterparty is None else _text_for_firm(findings, own)
    path = folder / OUTBOX / box / with_end(name, TOLD)
    is_told = text is not None and not leads_elsewhere(folder, path.parent) and not leads_elsewhere(folder, path)
    if text is not None and is_told:
        # Of an order that is not the firm's it never speaks again.
        wrong = (f for f in findings if f.severity != "note" and f.code != "unknown_order")
        open_ = frozenset(f.subject for f in wrong if f.subject is not None)
        as_written = text.encode("utf-8-sig")
        told = path.relative_to(folder).as_posix()
        noted = [before for before in noted if before.place != told]
        noted.append(_Taken(told, len(as_written), 0, of_chain, digest(as_written), open_, stem))
    _watch(folder, noted)
    if text is not None and is_told:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    one.path.replace(place)


def _text_for_firm(findings: Sequence[Finding], language: str) -> str | None:
    """What was wrong with a firm's file, in its language. Notes are for our own people."""
    wrong = [f for f in findings if f.severity != "note"]
    told = [say("dispatch.of_your_file", language), *(f.text(language) for f in wrong)]
    return "\n".join(told) + "\n" if wrong else None


def _stem_sent(folder: Path, box: Path, stem: str) -> str:
    """Of the name under which a firm sent a file that was put away under this one."""
    place = (Path(OUTBOX) / box / with_end(stem, TOLD)).as_posix()
    return next((told.stem for told in reversed(_taken(folder)) if told.place == place and told.stem), stem)


def _take_back(folder: Path, one: CollectedFile, box: Path, stem: str) -> list[_Taken]:
    """Take away what a firm was told of a file that was put right since: with one of the same name, or with answers to
    all the orders that were named, in one file or several, its own or ours. What anybody changed in the meantime stays.
    Gives those of which some orders are still to be answered. one: with all its findings. stem: of the name under which
    the firm sent it."""
    wrong = [f for f in one.findings if f.severity == "error"]
    is_read = not any(f.row is None for f in wrong)
    heard = one.orders - {f.subject for f in wrong} if is_read else frozenset()
    left = []
    for told in _taken(folder):
        path = folder / told.place
        is_own = path.parent == folder / OUTBOX / box
        is_there = is_own or (one.counterparty is None and Path(told.place).parts[:1] == (OUTBOX,))
        if not is_there or not told.place.endswith(TOLD) or leads_elsewhere(folder, path):
            continue
        name = path.name.removesuffix(TOLD)
        is_of_sheet = not name.startswith(f"{told.stem}.") or not told.stem
        is_again = is_own and (told.stem or name) == stem and (is_read or is_of_sheet)
        # Of a file that could not be read no order is known: none of other names stands for it.
        is_right = bool(told.orders) and told.orders <= heard
        if (is_again or is_right) and told.digest and digest_of(path) == told.digest:
            path.unlink()
        elif told.orders & heard and not is_right:
            left.append(replace(told, orders=told.orders - heard))
    return left


def _told(folder: Path) -> frozenset[str]:
    """Names in the outbox of what firms were told of their files, as it was written."""
    told = [one for one in _taken(folder) if Path(one.place).parts[:1] == (OUTBOX,)]
    return frozenset(Path(one.place).relative_to(OUTBOX).as_posix() for one in told if _is_as_taken(folder, one))


@dataclass(frozen=True)
class RowCount:
    """What became of the rows of a file: how many were taken in, held back with a finding, or empty (no answer)."""

    source: str
    taken: int
    held: int
    empty: int


def row_counts(collected: CollectedFiles, answers: Sequence[Finding]) -> tuple[RowCount, ...]:
    """For each sheet that was read. answers: what was found as its rows were held against the orders."""
    counts = []
    for one in (file for file in collected.files if file.path.suffix.lower() in _SUFFIXES):
        wrong = [f for f in (*one.findings, *answers) if f.source == one.source and f.severity == "error"]
        wrong = [f for f in wrong if f.row is not None and f.code != "other_chain"]
        held = len({f.row for f in wrong}) + sum(f.rows_affected - 1 for f in wrong)
        held = min(held, one.answered)
        counts.append(RowCount(one.source, one.answered - held, held, one.empty))
    return tuple(counts)


# files that were put away --------------------------------------------------------------------------


def _is_as_taken(folder: Path, one: _Taken) -> bool:
    """Whether a file says what it said. Times change with every copy; where they are the same, so is the file."""
    path = folder / one.place
    if path.is_symlink() or not path.is_file():
        return False
    size, changed = looks(path)[:2]
    return size == one.size and (changed == one.changed or (one.digest != "" and digest_of(path) == one.digest))


def _changed_since(folder: Path, reader: Reader) -> Iterator[CollectedFile]:
    """Files in done/ and bad/ of this chain that say otherwise than when they were put there."""
    for one in _taken(folder):
        path = folder / one.place
        if one.chain != reader.chain or not _is_put_away(one.place):
            continue
        with contextlib.suppress(OSError):
            path.lstat()
            if not _is_as_taken(folder, one):
                box, _, name = one.place.partition("/")[2].rpartition("/")
                yield CollectedFile(path, f"{box}/{name}" if box else name, (), (), reader.boxes.get(box))


def _is_put_away(place: str) -> bool:
    parts = Path(place).parts
    return len(parts) in (2, 3) and parts[0] in (DONE, BAD) and ".." not in parts


def _taken(folder: Path) -> list[_Taken]:
    path = folder / TAKEN
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = [{name: row.get(name) or "" for name in _TAKEN_COLUMNS} for row in csv.DictReader(file)]
    return [
        _Taken(
            row["place"],
            int(row["size"]),
            int(row["changed"]),
            row["chain"],
            row["digest"],
            _orders(row["orders"]),
            row["stem"],
        )
        for row in rows
        if row["size"].isdecimal() and row["changed"].isdecimal()
    ]


def _orders(told: str) -> frozenset[str]:
    return frozenset(told.split("\n")) - {""}


def _watch(folder: Path, moved: Sequence[_Taken]) -> None:
    """Note where files were put, and what was in them."""
    if not moved:
        return
    names = {one.place for one in moved}
    there = [one for one in _taken(folder) if one.place not in names]
    rows = [
        [one.place, one.size, one.changed, one.chain, one.digest, "\n".join(sorted(one.orders)), one.stem]
        for one in (*there, *moved)
    ]
    write_csv(folder / TAKEN, [_TAKEN_COLUMNS, *rows[-_WATCHED:]])
