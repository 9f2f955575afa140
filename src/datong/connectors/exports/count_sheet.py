"""A count sheet that comes back: how many of each product are there."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.date_texts import parse
from datong.connectors.exports.numbers import decide_decimals, read_numbers
from datong.connectors.exports.read_grids import Grid, Grids, read_grids
from datong.connectors.files.read import TEXT_SUFFIXES, RawSource, Source
from datong.ledger.row_checks import ROW
from datong.model.errors import BadInput
from datong.model.findings import Finding, finding, has_errors
from datong.model.fractional_units import PIECE, is_measure, other_unit, unit_word
from datong.model.words import LANGUAGES, message, say

_KEYS = ("code", "name", "counted", "day")
# Where the titles of a text stand, and how they may be written: letters of English are the same in all but two.
_START_BYTES = 65_536
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5", "shift_jis", "euc_kr")


@dataclass(frozen=True, eq=False)
class _Sheet:
    """Cells under the headers of a count sheet. code, counted, day: (row,) texts, '' where there is nothing. units:
    (row,) float64, NaN where there is no number. otherwise: (row,) float64, what a text is when it is read the other
    way, NaN where the column tells which of the two it is. numbers: (row,) as a person counts the rows."""

    code: list[str]
    counted: list[str]
    day: list[str]
    units: np.ndarray
    otherwise: np.ndarray
    numbers: list[int]


def may_be_count_sheet(file: Path) -> bool:
    """False for a text whose first bytes hold no title of a count sheet, so that a large one is not read to find out;
    of anything else only its cells tell, also of what the system refuses to open: its reader says why."""
    if file.suffix.lower() not in TEXT_SUFFIXES or not file.is_file():
        return True
    try:
        with file.open("rb") as opened:
            start = opened.read(_START_BYTES)
    except OSError:
        return True
    return start.startswith(b"PK") or any(title in start for title in _titles())


@cache
def _titles() -> frozenset[bytes]:
    """The title of the counts in either language, as files may spell it."""
    found = set()
    for language in LANGUAGES:
        for encoding in _ENCODINGS:
            with suppress(UnicodeEncodeError):
                found.add(say("count.counted", language).encode(encoding))
    return frozenset(found)


def is_count_sheet(grids: Grids) -> bool:
    """Whether a file has the columns of a count sheet, in either language."""
    return _sheet(grids) is not None


def is_filled(file: Path) -> bool:
    """Whether a count sheet that is there counts anything."""
    found = _sheet(read_grids(file)) if file.is_file() else None
    return found is not None and any(found.counted)


def _sheet(grids: Grids) -> _Sheet | None:
    """The first sheet with the columns of a count sheet."""
    for grid in grids.grids:
        headers = list(grid.header or (grid.head(1) or [[]])[0])
        for language in LANGUAGES:
            found = {key: say(f"count.{key}", language) for key in _KEYS}
            if {found["code"], found["counted"]} <= {*headers}:
                places = {key: headers.index(name) for key, name in found.items() if name in headers}
                return _cells_under(grid, places)
    return None


def _cells_under(grid: Grid, places: Mapping[str, int]) -> _Sheet:
    """places: column of each key, from 0."""
    rows = np.arange(0 if grid.header else 1, len(grid.numbers))
    cells = {key: grid.columns[place].take(rows) for key, place in places.items()}
    units, otherwise = _units(cells["counted"])
    texts = {key: [text or "" for text in cells[key].text.to_pylist()] if key in cells else [""] * len(rows)
             for key in ("code", "counted", "day")}  # fmt: skip
    return _Sheet(**texts, units=units, otherwise=otherwise, numbers=grid.numbers[rows].tolist())


def _units(counted: Cells) -> tuple[np.ndarray, np.ndarray]:
    """(row,) float64: the numbers, by the evidence of the whole column; and what is left in doubt, read otherwise."""
    column = read_numbers(counted)
    decided = decide_decimals({"counted": column}, {})
    mark = decided.marks["counted"]
    other = column.values("," if mark == "." else ".")
    doubtful = column.unsure if decided.unsure else np.zeros(len(counted), dtype=bool)
    return column.values(mark), np.where(doubtful, other, np.nan)


def read_counts(
    file: Path, products: Collection[str], day: date, units: Mapping[str, str | None] = MappingProxyType({})
) -> tuple[Source, int, int]:
    """Rows for the table stock, how many products they count, and how many rows are not filled in. day: of a count that
    does not say its own. units: base units by product, of those that have one.

    Raises BadInput with everything that is wrong: of a count sheet nothing is taken in by halves.
    """
    grids = read_grids(file)
    sheet = _sheet(grids)
    if sheet is None:
        findings = [*grids.findings]
        if not has_errors(findings):
            columns = ", ".join(say(f"count.{key}", "en") for key in _KEYS)
            findings.append(finding("error", "count.no_column", file.name, columns=columns))
        raise BadInput(message("app.cannot_ingest", file=str(file)), findings)
    wrong: list[Finding] = []
    kept: dict[str, tuple[str, str, int]] = {}
    empty = 0
    for i, code in enumerate(sheet.code):
        if not sheet.counted[i]:
            empty += bool(code)
            continue
        told = _wrong(file.name, sheet, i, products, (units[code] or PIECE) if code in units else None)
        if code in kept:
            told.append(finding("error", "count.twice", file.name, row=sheet.numbers[i], product=code))
        wrong += told
        if not told:
            when = _day(sheet.day[i]) if sheet.day[i] else str(day)
            kept[code] = (f"{sheet.units[i]:.10g}", when, sheet.numbers[i])
    if wrong:
        raise BadInput(message("app.cannot_ingest", file=str(file)), wrong)
    table = pa.table({
        "product": pa.array(list(kept), pa.string()),
        "units": pa.array([units for units, _, _ in kept.values()], pa.string()),
        "happened_at": pa.array([when for _, when, _ in kept.values()], pa.string()),
        ROW: pa.array([number for _, _, number in kept.values()], pa.int64()),
    })  # fmt: skip
    return Source(RawSource(file.name, table)), len(kept), empty


def _wrong(source: str, sheet: _Sheet, i: int, products: Collection[str], unit: str | None) -> list[Finding]:
    """What is wrong with a row that counts something. unit: the product's own, None where it is not known."""
    code, counted, said, row = sheet.code[i], sheet.counted[i], sheet.day[i], sheet.numbers[i]
    units, otherwise = float(sheet.units[i]), float(sheet.otherwise[i])
    told = []
    if code not in products:
        told.append(finding("error", "count.unknown", source, row=row, product=code))
    if np.isnan(units) or units < 0:
        told.append(finding("error", "count.not_a_number", source, row=row, product=code, value=counted))
    elif not np.isnan(otherwise):
        one, two = sorted((units, otherwise))
        told.append(
            finding(
                "error", "count.two_readings", source,
                row=row, product=code, value=counted, one=f"{one:.10g}", two=f"{two:.10g}",
            )
        )  # fmt: skip
    elif unit is not None:
        words: dict[str, Any] = {"product": code, "value": counted, "unit": unit_word(unit)}
        if other_unit(counted, unit) is not None:
            told.append(finding("error", "count.other_unit", source, row=row, **words))
        elif "," in counted and units % 1 and not is_measure(unit):  # typed by hand: a number of a sheet has a point
            told.append(finding("error", "count.part_of_a_piece", source, row=row, **words, one=f"{units:.10g}"))
    if said and not _day(said):
        told.append(finding("error", "count.not_a_day", source, row=row, product=code, value=said))
    return told


def _day(text: str) -> str:
    """A day that is written in one plain way, year first; '' where it is not."""
    found = parse(text)
    try:
        return "" if found is None else str(date.fromisoformat(text[:10]))
    except ValueError:
        return ""
