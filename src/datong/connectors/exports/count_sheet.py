"""A count sheet that comes back: how many of each product are there."""

from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa

from datong.connectors.exports.dates import parse
from datong.connectors.exports.numbers import written
from datong.connectors.files.read import RawSource, Source, open_sources, whole_source
from datong.ledger.validate import ROW
from datong.model.errors import BadInput
from datong.model.findings import Finding, finding, has_errors
from datong.model.words import LANGUAGES, message, say

_KEYS = ("code", "name", "counted", "day")


def is_count_sheet(file: Path) -> bool:
    """Whether a file has the columns of a count sheet, in either language."""
    return any(_columns(source.columns) is not None for source in open_sources(file)[0])


def is_filled(file: Path) -> bool:
    """Whether a count sheet that is there counts anything."""
    found = (s for s in (open_sources(file)[0] if file.is_file() else ()) if _columns(s.columns) is not None)
    return any(any(_texts(whole_source(s).rows, (_columns(s.columns) or {})["counted"])) for s in found)


def _columns(headers: Collection[str]) -> Mapping[str, str] | None:
    """The header of each column of a count sheet."""
    for language in LANGUAGES:
        found = {key: say(f"count.{key}", language) for key in _KEYS}
        if {found["code"], found["counted"]} <= {*headers}:
            return {key: name for key, name in found.items() if name in headers}
    return None


def read_counts(file: Path, products: Collection[str], day: date) -> tuple[Source, int, int]:
    """Rows for the table stock, how many products they count, and how many rows are not filled in. day: of a count that
    does not say its own.

    Raises BadInput with everything that is wrong: of a count sheet nothing is taken in by halves.
    """
    sources, findings = open_sources(file)
    found = next(((s, c) for s in sources if (c := _columns(s.columns)) is not None), None)
    if found is None:
        columns = ", ".join(say(f"count.{key}", "en") for key in _KEYS)
        if not has_errors(findings):
            findings = [*findings, finding("error", "count.no_column", file.name, columns=columns)]
        raise BadInput(message("app.cannot_ingest", file=str(file)), findings)
    source, columns = found
    rows = whole_source(source).rows
    cells = {key: _texts(rows, columns.get(key)) for key in _KEYS}
    wrong: list[Finding] = []
    kept: dict[str, tuple[str, str, int]] = {}
    empty = 0
    for code, counted, said, number in zip(
        cells["code"], cells["counted"], cells["day"], rows[ROW].to_pylist(), strict=True
    ):
        if not counted:
            empty += bool(code)
            continue
        told = list(_wrong(file.name, code, counted, said, number, products))
        if code in kept:
            told.append(finding("error", "count.twice", file.name, row=number, product=code))
        wrong += told
        if not told:
            kept[code] = (f"{_number(counted):.10g}", _day(said) if said else str(day), number)
    if wrong:
        raise BadInput(message("app.cannot_ingest", file=str(file)), wrong)
    table = pa.table({
        "product": pa.array(list(kept), pa.string()),
        "units": pa.array([units for units, _, _ in kept.values()], pa.string()),
        "happened_at": pa.array([when for _, when, _ in kept.values()], pa.string()),
        ROW: pa.array([number for _, _, number in kept.values()], pa.int64()),
    })  # fmt: skip
    return Source(RawSource(file.name, table)), len(kept), empty


def _wrong(source: str, code: str, counted: str, said: str, row: int, products: Collection[str]) -> list[Finding]:
    told = []
    if code not in products:
        told.append(finding("error", "count.unknown", source, row=row, product=code))
    number = _number(counted)
    if number is None or number < 0:
        told.append(finding("error", "count.not_a_number", source, row=row, product=code, value=counted))
    if said and not _day(said):
        told.append(finding("error", "count.not_a_day", source, row=row, product=code, value=said))
    return told


def _number(text: str) -> float | None:
    found = written(text)
    return None if found is None else found.point if found.point is not None else found.comma


def _day(text: str) -> str:
    """A day that is written in one plain way, year first; '' where it is not."""
    found = parse(text)
    try:
        return "" if found is None else str(date.fromisoformat(text[:10]))
    except ValueError:
        return ""


def _texts(rows: pa.Table, name: str | None) -> list[str]:
    if name is None:
        return [""] * rows.num_rows
    return ["" if value is None else str(value).strip() for value in rows[name].to_pylist()]
