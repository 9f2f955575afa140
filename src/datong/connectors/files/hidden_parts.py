"""Sheets and rows of a workbook that are hidden, and rows that only a filter or a closed group hides."""

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from datong.connectors.files.workbook_limits import sheet_parts

_CHUNK_BYTES = 4 * 1024**2
_LONGEST_TAG = 1024
_ROW = re.compile(rb"<(?:\w+:)?row\s[^>]*>")
_NUMBER = re.compile(rb"""\sr=["'](\d+)["']""")
_HIDDEN = re.compile(rb"""\shidden=["'](?:1|true)["']""")
_GROUPED = re.compile(rb"""\soutlineLevel=["'][1-9]""")
_FILTER = re.compile(rb"<(?:\w+:)?(?:autoFilter|tablePart)[\s/>]")


@dataclass(frozen=True)
class Hidden:
    """sheets: names of hidden ones. rows: by sheet the numbers, from 1, of rows that somebody hid. filtered: by sheet
    how many rows a filter or a closed group hides."""

    sheets: frozenset[str] = frozenset()
    rows: Mapping[str, frozenset[int]] = field(default_factory=lambda: MappingProxyType({}))
    filtered: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def hidden_parts(path: Path) -> Hidden:
    """What is hidden in a workbook; nothing where it cannot be told. Rows are told of .xlsx and .xlsm only."""
    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = frozenset(s.name for s in book.sheets_metadata if s.visible != SheetVisibleEnum.Visible)
        if not zipfile.is_zipfile(path):
            return Hidden(sheets)
        rows: dict[str, frozenset[int]] = {}
        filtered: dict[str, int] = {}
        with zipfile.ZipFile(path) as archive:
            for part, name in sheet_parts(archive).items():
                hidden, grouped, has_filter = _rows_of(archive, part)
                if grouped or (hidden and has_filter):
                    filtered[name] = len(grouped) + (len(hidden) if has_filter else 0)
                if hidden and not has_filter:
                    rows[name] = frozenset(hidden)
    except (CalamineError, zipfile.BadZipFile, ElementTree.ParseError, KeyError, OSError, ValueError):
        return Hidden()
    return Hidden(sheets, rows, filtered)


def _rows_of(archive: zipfile.ZipFile, part: str) -> tuple[list[int], list[int], bool]:
    """Numbers of the hidden rows of a sheet, of those among them that are in a group, and whether it has a filter."""
    hidden: list[int] = []
    grouped: list[int] = []
    has_filter = False
    for block in _blocks(archive, part):
        has_filter |= _FILTER.search(block) is not None
        for tag in _ROW.findall(block) if b"hidden" in block else ():
            number = _NUMBER.search(tag)
            if number is not None and _HIDDEN.search(tag):
                (grouped if _GROUPED.search(tag) else hidden).append(int(number[1]))
    return hidden, grouped, has_filter


def _blocks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """A part piece by piece, cut before a tag."""
    rest = b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK_BYTES):
            rest += chunk
            cut = rest.rfind(b"<", max(0, len(rest) - _LONGEST_TAG))
            cut = cut if cut > 0 else len(rest)
            yield rest[:cut]
            rest = rest[cut:]
    yield rest
