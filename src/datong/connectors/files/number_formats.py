"""Cells of a workbook that hold a number and show a code: 7 under the format 00000 is '00007'."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from datong.connectors.files.workbook_limits import sheet_parts

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ZEROS = re.compile(r'0{2,}|(?:0|"[^"]*"|\\.|-)*0{2,}(?:0|"[^"]*"|\\.|-)*')
_CELL = re.compile(rb"<(?:\w+:)?c\s([^>]*?)(?:/>|>\s*<(?:\w+:)?v>([^<]*)<)")
_NO_DIGITS_LOST = 15

# Cells by sheet: (row, column), both from 0, to the code that they show.
Shown = Mapping[tuple[int, int], str]


def zero_formats(path: Path) -> dict[str, Shown]:
    """What cells of numbers show whose format is of zeros alone ('00000', '000-000'), by sheet."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return {}
    try:
        with zipfile.ZipFile(path) as archive:
            styles = _zero_styles(archive)
            if not styles:
                return {}
            parts = {name: part for part, name in sheet_parts(archive).items()}
            return {name: _shown(archive.read(part), styles) for name, part in parts.items()}
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, OSError, ValueError, NotImplementedError):
        return {}


def _zero_styles(archive: zipfile.ZipFile) -> dict[int, str]:
    """Formats of zeros alone, by the number of the style that has them."""
    name = next((n for n in archive.namelist() if n.lower() == "xl/styles.xml"), None)
    if name is None:
        return {}
    root = ElementTree.fromstring(archive.read(name))
    formats = {f.get("numFmtId", ""): f.get("formatCode", "") for f in root.iter(f"{_MAIN}numFmt")}
    zeros = {number: code for number, code in formats.items() if _ZEROS.fullmatch(code.partition(";")[0])}
    styles = root.find(f"{_MAIN}cellXfs")
    if styles is None or not zeros:
        return {}
    return {i: zeros[s.get("numFmtId", "")] for i, s in enumerate(styles) if s.get("numFmtId", "") in zeros}


def _shown(sheet: bytes, styles: Mapping[int, str]) -> dict[tuple[int, int], str]:
    found = {}
    for attributes, value in _CELL.findall(sheet):
        named = dict(re.findall(rb"""(\w+)=["']([^"']*)["']""", attributes))
        style = int(named.get(b"s", b"0"))
        if style in styles and named.get(b"t", b"n") == b"n" and value:
            text = _as_shown(float(value), styles[style].partition(";")[0])
            if text is not None:
                found[_place(named[b"r"].decode())] = text
    return found


def _as_shown(number: float, code: str) -> str | None:
    """A whole number under a format of zeros: digits fill the zeros from the right, what is left goes in front."""
    if number != int(number) or number < 0 or number >= 10**_NO_DIGITS_LOST:
        return None
    pieces = re.findall(r'"[^"]*"|\\.|.', code)
    zeros = sum(piece == "0" for piece in pieces)
    digits = str(int(number)).rjust(zeros, "0")
    head, rest = digits[: len(digits) - zeros], list(digits[len(digits) - zeros :])
    shown = []
    for piece in pieces:
        if piece == "0":
            shown.append(head + rest.pop(0))
            head = ""
        else:
            shown.append(piece.strip('"').removeprefix("\\"))
    return "".join(shown)


def _place(reference: str) -> tuple[int, int]:
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(reference[len(letters) :]) - 1, column - 1
