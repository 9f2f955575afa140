"""What a workbook holds before it is read: how much it unpacks to, how far its cells lie apart, cells without value.

An .xlsx is a zip of XML. A few kilobytes of it can unpack to gigabytes, and two cells at the far ends of a sheet make a
reader lay out every cell between them. Both are refused here, in one pass over the parts that keeps little of them.
Formulas that no program has worked out, and those that ended in an error, read as empty cells; they are named here.
"""

import copy
import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np

from datong.ledger.row_checks import shown
from datong.model.findings import Finding, finding
from datong.model.words import message

# All parts together, unpacked. A sheet of a million rows and ten columns is about half of this.
MOST_BYTES = 2 * 1024**3
# Unpacked over packed bytes of a part. Sheets reach 5 to 40, deflate can reach 1,032; small parts do no harm.
MOST_RATIO, RATIO_FROM_BYTES = 200, 32 * 1024**2
# Rows times columns up to the last filled cell, which is what a reader lays out: Excel's longest sheet, 50 columns.
MOST_CELLS = 50 * 1024**2
# The same area over the filled cells, for sheets that are not small.
MOST_SCATTER, SCATTER_FROM_CELLS = 50, 4 * 1024**2

_CHUNK_BYTES = 4 * 1024**2
_PLAN_BYTES = 16 * 1024**2  # of the parts that say which sheet is where
_MOST_COLUMNS = 16_384
_LONGEST_REFERENCE = 16  # of what follows ' r="': letters and digits
_TAG = rb"(?:\w+:)?"  # a prefix that a name in XML may have
_PREFIXED = re.compile(rb"<\w+:c[\s/>]")
_PLACE = re.compile(rb"""\sr=["']([A-Za-z]*)([0-9]*)["']""")
_ROW_OR_CELL = re.compile(rb"<" + _TAG + rb"(row|c)(\s[^>]*)?>")
_NO_VALUE = re.compile(
    rb"<TAGf(?:\s[^>]*)?(?:/>|>[^<]*</TAGf>)\s*(<TAGv\s*/>|<TAGv>\s*</TAGv>)?\s*</TAGc>".replace(b"TAG", _TAG)
)
_STRING = re.compile(rb"<" + _TAG + rb"si[\s>/]")
_STRING_NUMBER = re.compile(rb"""\bt=["']s["'][^>]*>\s*<""" + _TAG + rb"v>\s*([0-9]{1,9})")
_ERROR = re.compile(rb"<" + _TAG + rb"""c\s[^>]*?\bt=["']e["'][^>]*(?<!/)>""")

# Cells that read as empty and are not: (row from 1, column from 0) to the rule that they break.
EmptyCells = Mapping[tuple[int, int], str]


@dataclass(frozen=True)
class Inspected:
    """refused: why a workbook is not to be read. empty: its cells that read as empty and are not, by sheet."""

    refused: tuple[Finding, ...] = ()
    empty: Mapping[str, EmptyCells] = field(default_factory=dict)


def inspect(path: Path) -> Inspected:
    """Look into an .xlsx or .xlsm. A workbook of another format (.xls) holds too little to do harm."""
    with path.open("rb") as file:
        return inspect_open(file, path.name)


def inspect_open(file: BinaryIO, name: str) -> Inspected:
    """The same of a workbook that is no file of its own. name: by which findings call it."""
    start = file.read(2)
    if start != b"PK":
        return Inspected()
    packed_bytes = file.seek(0, io.SEEK_END)
    try:
        with zipfile.ZipFile(file) as archive:
            return _inspect(archive, name, packed_bytes)
    except (zipfile.BadZipFile, zlib.error, ElementTree.ParseError, EOFError, *_ODD_ZIPS) as error:
        is_no_zip = isinstance(error, zipfile.BadZipFile)
        reason = message("check.no_whole_workbook") if is_no_zip else shown(error)
        return Inspected((finding("error", "check.unreadable_file", name, reason=reason),))


# Unknown methods of packing, passwords, offsets outside the file, parts that are named and not there.
_ODD_ZIPS = (NotImplementedError, RuntimeError, OSError, ValueError, KeyError)


def _inspect(archive: zipfile.ZipFile, name: str, packed_bytes: int) -> Inspected:
    parts = [info for info in archive.infolist() if not info.is_dir()]
    unpacked_bytes = sum(info.file_size for info in parts)  # as the zip says
    if unpacked_bytes > MOST_BYTES or any(_is_bomb(info.file_size, info.compress_size) for info in parts):
        return Inspected((_too_large(name, unpacked_bytes, packed_bytes),))
    sheet_of = sheet_parts(archive)
    unpacked_bytes, strings, refused, empty = 0, 0, [], {}
    for info in parts:
        seen = _Seen()
        scan = seen.look if info.filename in sheet_of else lambda _block: None
        for block in _blocks(archive, info, cells=info.filename in sheet_of):
            seen.size += len(block)
            if unpacked_bytes + seen.size > MOST_BYTES or _is_bomb(seen.size, info.compress_size):
                return Inspected((_too_large(name, unpacked_bytes + seen.size, packed_bytes),))
            scan(block)
        unpacked_bytes += seen.size
        strings += seen.strings
        if seen.suspicious:
            seen = _looked_closely(archive, info)
        source = f"{name}/{sheet_of.get(info.filename, '')}"
        if seen.too_wide:
            refused.append(_scattered(source, seen))
        elif seen.empty:
            empty[sheet_of[info.filename]] = seen.empty
    text_bytes = _text_bytes(archive, parts, sheet_of, strings)
    if text_bytes > MOST_BYTES:
        refused.append(_too_large(name, text_bytes, packed_bytes))
    return Inspected(tuple(refused), empty)


def _text_bytes(
    archive: zipfile.ZipFile, parts: Sequence[zipfile.ZipInfo], sheets: Container[str], strings: int
) -> int:
    """Bytes of text once each cell has its own copy of the shared text that it names by number. strings: such cells.

    Where the longest text in each of them would do no harm, that bound is the answer: counting takes a second pass.
    """
    shared = [info for info in parts if info.filename.lower().endswith("sharedstrings.xml")]
    lengths = np.concatenate([np.zeros(0, dtype=np.int64), *(_lengths(archive, info) for info in shared)])
    bound = strings * int(lengths.max(initial=0))
    if bound <= MOST_BYTES:
        return bound
    total = 0
    for info in parts:
        for block in _blocks(archive, info, cells=True) if info.filename in sheets else ():
            numbers = np.array(_STRING_NUMBER.findall(block), dtype=np.bytes_).astype(np.int64)
            total += int(lengths[numbers[numbers < len(lengths)]].sum())
    return total


def _lengths(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Bytes of each shared text, with its markup."""
    starts: list[int] = []
    read, rest = 0, b""
    for chunk in _blocks(archive, info, cells=False):
        block, base = rest + chunk, read - len(rest)
        starts += [base + match.start() for match in _STRING.finditer(block) if match.end() > len(rest)]
        read += len(chunk)
        rest = block[-_LONGEST_REFERENCE:]
    return np.diff(np.array([*starts, read], dtype=np.int64))


def _is_bomb(unpacked_bytes: int, packed_bytes: int) -> bool:
    return unpacked_bytes > RATIO_FROM_BYTES and unpacked_bytes > MOST_RATIO * packed_bytes


def _too_large(name: str, unpacked_bytes: int, packed_bytes: int) -> Finding:
    return finding(
        "error",
        "check.workbook_too_large",
        name,
        unpacked=f"{unpacked_bytes / 1e6:,.0f}",
        ratio=f"{unpacked_bytes / max(1, packed_bytes):,.0f}",
        most=f"{MOST_BYTES / 1e6:,.0f}",
        most_ratio=MOST_RATIO,
    )


def _scattered(source: str, seen: "_Seen") -> Finding:
    return finding(
        "error",
        "check.scattered_cells",
        source,
        rows=f"{seen.rows:,}",
        columns=f"{seen.columns:,}",
        cells=f"{seen.cells:,}",
        most=f"{MOST_CELLS:,}",
        scatter=MOST_SCATTER,
    )


def sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Which sheet each part holds, by the part's name; empty where the zip is no workbook."""
    names = archive.namelist()
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= set(names):
        return {}
    targets = {}
    for relation in _plan(archive, "xl/_rels/workbook.xml.rels"):
        target = relation.get("Target", "")
        target = target.removeprefix("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
        targets[relation.get("Id")] = target
    sheets = {}
    for element in _plan(archive, "xl/workbook.xml").iter():
        if element.tag.rpartition("}")[2] == "sheet":
            number = next((v for k, v in element.items() if k.rpartition("}")[2] == "id" and "}" in k), None)
            if number in targets:
                sheets[targets[number]] = element.get("name", "")
    return sheets


def _plan(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    with archive.open(name) as file:
        text = file.read(_PLAN_BYTES + 1)
    if len(text) > _PLAN_BYTES:
        raise ValueError(name)
    return ElementTree.fromstring(text)


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, cells: bool) -> Iterator[bytes]:
    """The part piece by piece, as it really unpacks, whatever the zip says of its size. cells: cut between cells."""
    honest = copy.copy(info)
    honest.file_size = MOST_BYTES + 1
    honest.CRC = None  # ty: ignore[invalid-assignment] - the reader of the workbook compares it
    rest = b""
    with archive.open(honest) as file:
        while chunk := file.read(_CHUNK_BYTES):
            if not cells:
                yield chunk
                continue
            rest += chunk
            last = max(rest.rfind(b"<c "), rest.rfind(b":c "))
            cut = rest.rfind(b"<", 0, last + 1) if last > 0 else -1
            if cut > 0 or len(rest) > 16 * _CHUNK_BYTES:
                cut = cut if cut > 0 else len(rest)
                yield rest[:cut]
                rest = rest[cut:]
    if rest:
        yield rest


@dataclass
class _Seen:
    """What was seen of a part so far. size: bytes. rows, columns: up to the last cell. cells: how many; those with
    formatting alone count in a quick look, and do not in a close one. empty: (row, column) places of these.
    """

    size: int = 0
    rows: int = 0
    columns: int = 0
    cells: int = 0
    strings: int = 0  # cells with a shared text
    prefixed: bool = False  # has names such as <x:c>, which a quick look does not see
    empty: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def too_wide(self) -> bool:
        area = self.rows * self.columns
        return area > MOST_CELLS or (area > SCATTER_FROM_CELLS and area > MOST_SCATTER * self.cells)

    @property
    def suspicious(self) -> bool:
        return self.too_wide or self.prefixed

    def look(self, block: bytes) -> None:
        """A quick look, by arrays: every ' r="AB12"' of the block, and which tags there are."""
        self.prefixed |= b":c" in block and _PREFIXED.search(block) is not None
        text = np.frombuffer(b"  " + block + b" " * 64, dtype=np.uint8)
        ours = text[: len(block) + 2]
        equals = np.flatnonzero(ours == ord("="))
        names = np.where(text[equals - 2] <= 32, text[equals - 1], 0)  # attributes of one letter
        kinds = text[equals[names == ord("t")] + 2]
        columns, rows = _places(text, equals[names == ord("r")] + 2)
        tags = np.flatnonzero(ours == ord("<")) + 1
        signs, after = text[tags], text[tags + 1]
        placed = int(np.count_nonzero(columns))
        cells = int(np.count_nonzero((signs == ord("c")) & ((after <= 32) | (after == ord(">")))))
        self.cells += max(placed, cells)
        if cells > placed:  # a cell that does not say where it is stands right of the one before it
            columns = np.append(columns, min(_MOST_COLUMNS, cells - placed + int(columns.max(initial=0))))
        self.columns = max(self.columns, int(columns.max(initial=0)))
        self.rows = max(self.rows, int(rows.max(initial=0)))
        self.strings += int(np.count_nonzero(kinds == ord("s")))
        self.find_empty(block, bool((signs == ord("f")).any()) or self.prefixed, bool((kinds == ord("e")).any()))

    def find_empty(self, block: bytes, formulas: bool = True, errors: bool = True) -> None:
        """Formulas without a value, and errors. formulas, errors: whether the block may have any."""
        for match in _NO_VALUE.finditer(block) if formulas else ():
            start = max(block.rfind(b"<c ", 0, match.start()), block.rfind(b":c ", 0, match.start()))
            head = block[start : block.find(b">", start)]
            # A formula that gave the empty text has an empty value; without any value it was not worked out.
            if match.group(1) is None or b't="str"' not in head:
                self._note(head, "check.formula_without_value")
        for match in _ERROR.finditer(block) if errors else ():
            self._note(match.group(), "check.error_value")

    def _note(self, head: bytes, rule: str) -> None:
        place = _PLACE.search(head)
        if place is not None and place.group(1) and place.group(2):
            self.empty[int(place.group(2)), _column(place.group(1)) - 1] = rule


def _places(text: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column (from 1, 0 for none) and row of each reference such as AB12 that begins at `at`."""
    columns, rows = np.zeros(len(at), dtype=np.int64), np.zeros(len(at), dtype=np.int64)
    open_ = np.ones(len(at), dtype=bool)
    for step in range(_LONGEST_REFERENCE - 4):
        sign = text[at + step].astype(np.int64)
        letter = (sign | 32) - ord("a") + 1
        is_letter, is_digit = (letter >= 1) & (letter <= 26), (sign >= ord("0")) & (sign <= ord("9"))
        open_ &= is_letter | is_digit
        if not open_.any():
            break
        columns = np.where(open_ & is_letter, columns * 26 + letter, columns)
        rows = np.where(open_ & is_digit, rows * 10 + sign - ord("0"), rows)
    return columns, rows


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def cell_name(row: int, column: int) -> str:
    """'B2' for row 2 (from 1), column 1 (from 0)."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row}"


def _looked_closely(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Seen:
    """The sheet once more, cell by cell, where it looks too wide: cells of formatting alone do not count."""
    seen = _Seen()
    row = column = 0
    for block in _blocks(archive, info, cells=True):
        for match in _ROW_OR_CELL.finditer(block):
            kind, attributes = match.group(1), match.group(2) or b""
            place = _PLACE.search(attributes + b" ")
            if kind == b"row":
                row, column = int(place.group(2)) if place is not None and place.group(2) else row + 1, 0
                continue
            if place is not None and place.group(1) and place.group(2):
                row, column = int(place.group(2)), _column(place.group(1))
            else:
                column += 1
            if not attributes.endswith(b"/"):
                seen.cells += 1
                seen.rows, seen.columns = max(seen.rows, row), max(seen.columns, column)
        seen.find_empty(block)
    return seen
