"""Files of text: what encoding they are in, their lines, and what is damaged in them."""

import codecs
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from datong.ledger.row_checks import REJECTED_SCHEMA, ROW, ROWS_NAMED_ONE_BY_ONE, finding_record, rejected_rows, shown
from datong.model.findings import Finding, finding
from datong.model.words import message

REPLACED = "\ufffd"
SAMPLE_BYTES = 256 * 1024
# A longer line is no record of any table, and a file of one endless line must not fill the memory.
LONGEST_LINE = 4 * 1024 * 1024
_CHUNK_BYTES = 4 * 1024 * 1024
_LONG_LINE_KEPT = 1000
# Characters that no text has many of.
_CONTROLS = bytes([*range(1, 9), *range(14, 26)])


@dataclass(frozen=True)
class TextFacts:
    """encoding: a Python codec's name. broken: some bytes do not belong to it. quotes: how many '"' there are.
    long_line: a line is longer than any record can be."""

    encoding: str
    broken: bool
    quotes: int
    nul: bool
    long_line: bool = False


# Words in the headers of Korean tables.
_KOREAN = (
    "수량",
    "날짜",
    "일자",
    "상품",
    "제품",
    "품목",
    "주문",
    "판매",
    "금액",
    "단가",
    "코드",
    "고객",
    "재고",
    "합계",
)

# --- what encoding -----------------------------------------------------------------------------------------------


def look_at_text(path: Path) -> TextFacts | Finding:
    """One quick pass over the bytes: UTF-8 (with or without BOM), UTF-16 with BOM, EUC-KR or GB18030."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    is_utf8, between, quotes, nuls, controls, blank, size = True, False, 0, 0, 0, True, 0
    line, longest = 0, 0
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            if not size:  # what begins as text is text
                controls = len(chunk) - len(chunk.translate(None, _CONTROLS))
                looked_at = len(chunk)
            size += len(chunk)
            quotes += chunk.count(b'"')
            nuls += chunk.count(b"\0") if b"\0" in chunk else 0
            blank = blank and not chunk.strip(b" \t\r\n\xef\xbb\xbf\xff\xfe")
            line, longest = _line_lengths(chunk, line, longest)
            if is_utf8 and (between or not chunk.isascii()):
                try:
                    utf8.decode(chunk)
                    between = bool(utf8.getstate()[0])
                except UnicodeDecodeError:
                    is_utf8 = False
    if blank:
        return finding("error", "check.empty_file", path.name)
    long_line = max(line, longest) > LONGEST_LINE
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return TextFacts("utf-16", not _decodes(path, "utf-16"), quotes, nul=False, long_line=long_line)
    if nuls * 10 > size * 3 or controls * 20 > looked_at:  # UTF-16 without its mark, or no text at all
        return finding("error", "check.not_text", path.name)
    if is_utf8:
        return TextFacts("utf-8-sig", between, quotes, nuls > 0, long_line)
    if _reads_as_korean(path):
        return TextFacts("cp949", False, quotes, nuls > 0, long_line)
    if _decodes(path, "gb18030") and _reads_as_chinese(path):
        return TextFacts("gb18030", False, quotes, nuls > 0, long_line)
    return TextFacts("utf-8-sig", True, quotes, nuls > 0, long_line)


def _line_lengths(chunk: bytes, line: int, longest: int) -> tuple[int, int]:
    """Bytes of the line that a chunk ends in, and of the longest line so far that goes over the end of a chunk."""
    last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
    if last < 0:
        return line + len(chunk), longest
    first = min(at for at in (chunk.find(b"\n"), chunk.find(b"\r")) if at >= 0)
    return len(chunk) - last - 1, max(longest, line + first)


def _decodes(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding, newline="") as file:
            while file.read(_CHUNK_BYTES):
                pass
    except UnicodeError:
        return False
    return True


def _reads_as_korean(path: Path) -> bool:
    """EUC-KR decodes as GB18030, too, and as common characters. Korean is nearly all Hangul, which Chinese read as
    Korean is not; and its tables have columns that are called as Korean ones are."""
    if not _decodes(path, "cp949"):
        return False
    with path.open(encoding="cp949", newline="") as file:
        text = file.read(SAMPLE_BYTES * 4)
    high = [c for c in text if ord(c) > 127]
    hangul = sum("가" <= c <= "힣" for c in high)
    return hangul >= 0.95 * len(high) and any(word in text for word in _KOREAN)


def _reads_as_chinese(path: Path) -> bool:
    """Western text in a one-byte code often decodes as GB18030 too, but as rare characters mixed from é and letters.
    Real Chinese is nearly all common characters and full-width marks; codes of four bytes (emoji) are never Western."""
    with path.open(encoding="gb18030", newline="") as file:
        high = [c for c in file.read(SAMPLE_BYTES * 4) if ord(c) > 127]
    common = 0
    for character in high:
        code = character.encode("gb18030")
        common += len(code) == 4 or (code[0] >= 0xA1 and code[1] >= 0xA1)
    return common >= 0.8 * len(high)


# --- reading -----------------------------------------------------------------------------------------------------


def start_of(path: Path, text: TextFacts) -> str:
    """The first characters of a file, without a BOM."""
    with open_text(path, text) as file:
        return file.read(SAMPLE_BYTES)


def open_text(path: Path, text: TextFacts, line_end: str = "") -> IO[str]:
    """A file as characters; bytes that are not of its encoding are replaced, line ends stay as they are.

    line_end: what ends a line; empty: whatever does on any system.
    """
    return path.open(encoding=text.encoding, errors="replace", newline=line_end)


class Utf8Reader(io.RawIOBase):
    """A file's bytes as UTF-8, whatever its encoding, for readers that know no other."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer)  # ty: ignore[invalid-argument-type]
        if not self._left:
            self._left = self._file.read(len(view)).encode("utf-8", "replace")
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class LongLine(str):
    """The start of a line that is too long to be a record; the rest was passed over."""

    __slots__ = ()


def lines_of(file: IO[str], longest: int = LONGEST_LINE) -> Iterator[str]:
    """The lines of a text, with their ends. No more of a line that is too long than its start is ever held."""
    while line := file.readline(longest):
        if len(line) < longest or line.endswith(("\n", "\r")):
            yield line
            continue
        while (more := file.readline(longest)) and not more.endswith(("\n", "\r")):
            pass
        yield LongLine(line[:_LONG_LINE_KEPT])


# --- damage ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Damage:
    """A record that is not as it should be. number: its row in the file, the header being 1. key: its rule in the
    catalogue; fields: how many it had; cells: what stands in them, where it could be cut into fields."""

    number: int
    key: str
    text: str
    fields: int = 0
    cells: tuple[str, ...] = ()


class DamageTally:
    """The damage of one source: each record a rejected row, and findings in which many of one kind are one.

    columns: how many fields a record should have.
    """

    def __init__(self, source: str, columns: int) -> None:
        self._source = source
        self._columns = columns
        self._first: dict[str, list[Finding]] = {}
        self._count: dict[str, int] = {}

    def rejected(self, damaged: Sequence[Damage]) -> pa.Table:
        """Damaged records of one batch in REJECTED_SCHEMA; their numbers rise from batch to batch."""
        if not damaged:
            return REJECTED_SCHEMA.empty_table()
        damaged = sorted(damaged, key=lambda d: d.number)
        found = [self._finding(d) for d in damaged]
        for d, each in zip(damaged, found, strict=True):
            first = self._first.setdefault(d.key, [])
            if len(first) < ROWS_NAMED_ONE_BY_ONE:
                first.append(each)
            self._count[d.key] = self._count.get(d.key, 0) + 1
        original = pa.table(
            [[d.text for d in damaged], [d.number for d in damaged]],
            schema=pa.schema([("text", pa.string()), (ROW, pa.int64())]),
        )
        return rejected_rows(original, [[finding_record(each)] for each in found])

    def _finding(self, damage: Damage) -> Finding:
        return finding(
            "error",
            damage.key,
            self._source,
            row=damage.number,
            value=message("check.quoted", value=shown(damage.text)),
            fields=damage.fields,
            columns=self._columns,
        )

    def findings(self) -> list[Finding]:
        found = []
        for key in sorted(self._first):
            first, count = self._first[key], self._count[key]
            if count <= ROWS_NAMED_ONE_BY_ONE:
                found += first
                continue
            rows = ", ".join(str(each.row) for each in first[:5])
            params = dict(first[0].found.params)
            many = message("check.many_rows", count=count, rows=rows, value=params.pop("value"))
            found.append(
                finding("error", key, self._source, row=first[0].row, rows_affected=count, value=many, **params)
            )
        return found
