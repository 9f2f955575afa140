"""Rows of one source against the rules of their table: typed rows, rejected rows, and every finding at once."""

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import arrow_type
from datong.model.findings import Finding, Severity, finding
from datong.model.settings import ChainSettings
from datong.model.tables import Column, Table
from datong.model.words import Message, message

ROW = "__row__"
DATE_ONLY = "__date_only__"
REJECTED_SCHEMA = pa.schema([(ROW, pa.int64()), ("raw", pa.string()), ("findings", pa.string())])

# More rows than this with one and the same trouble are one finding that names the first of them.
ROWS_NAMED_ONE_BY_ONE = 20
_SHOWN_CHARACTERS = 60
_BLANKS = " \t\r\n\u3000\u00a0\ufeff"
_TRUE = ("true", "t", "yes", "y", "1", "1.0", "是", "真", "有")
_FALSE = ("false", "f", "no", "n", "0", "0.0", "否", "假", "无")
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_GROUPED = r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?"
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]{1,3}(\.?[0-9]{3})*,[0-9]+")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_ISO_DATE = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_CLOCK = r"[T ] *[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
_OFFSET = r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_EXCEL_EPOCH = np.datetime64("1899-12-30", "D")
_EXCEL_SERIALS = (1.0, 2_958_465.0)  # 1900-01-01 .. 9999-12-31
_MICROSECONDS_PER_DAY = 86_400_000_000
# Outside these years a date is certainly wrong (and would overflow later); outside the inner ones it is odd.
_POSSIBLE_DAYS = (np.datetime64("1900-01-01", "D"), np.datetime64("2200-01-01", "D"))
_LIKELY_DAYS = (np.datetime64("1990-01-01", "D"), np.datetime64("2101-01-01", "D"))
_FOR_EVER = np.datetime64("9999-01-01", "D")  # many systems write 9999-12-31 for "no end"
# (table, earlier column, later column, may they be equal)
_DATE_ORDERS: tuple[tuple[str, str, str, bool], ...] = (
    ("line_calendar", "from", "to", False),
    ("recipes", "valid_from", "valid_to", False),
    ("components", "valid_from", "valid_to", False),
    ("orders", "start", "due", True),
)

NOTHING_KNOWN: Mapping[str, pa.Array] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Checked:
    """What a check made of one source.

    rows: the table's columns that the source has, in `arrow_type`; `__row__` int64; for events also `__date_only__`
    bool (happened_at was a date alone). rejected: REJECTED_SCHEMA: row number, the row as JSON, its findings as JSON.
    Where the source as a whole cannot be used (a required column is missing), both are empty and a finding says so.
    """

    rows: pa.Table
    rejected: pa.Table
    findings: tuple[Finding, ...]


@dataclass(frozen=True, eq=False)
class Trouble:
    """One rule that some rows break. bad: (row,) bool over the rows at hand; params fill the texts of `key`.

    Rows with an error leave the table; warnings only speak. `column` is the column shown, None for a whole row.
    """

    key: str
    bad: np.ndarray
    column: str | None = None
    severity: Severity = "error"
    params: Mapping[str, Any] = field(default_factory=dict)


def validate(
    table: Table, rows: pa.Table, source: str, settings: ChainSettings, known: Mapping[str, pa.Array] = NOTHING_KNOWN
) -> Checked:
    """Check and type the rows of one source for one table.

    rows: any columns, text or typed, and `__row__`, the row number a person sees. Text is trimmed; empty text is null.
    known: keys by table, for columns that refer to them; a table that is not in it is not looked up.
    """
    if ROW not in rows.column_names:
        rows = rows.append_column(ROW, pa.array(np.arange(2, rows.num_rows + 2), pa.int64()))
    named, findings = _known_columns(table, rows, source)
    missing = [name for name in table.required_columns if name not in named]
    spare = [name for name in rows.column_names if name != ROW and name not in named.values()]
    for name in missing:
        hint = nearest_hint(name, spare)
        findings.append(
            finding("error", "check.missing_column", source, column=name, name=name, table=table.name, hint=hint)
        )
    typed = _typed(table, {name: rows[header] for name, header in named.items()}, settings.calendar.zone)
    troubles = [*_value_troubles(table, typed), *_date_order_troubles(table, typed)]
    troubles += _unknown_references(table, typed, known)
    columns: dict[str, pa.ChunkedArray] = {name: cells.values for name, cells in typed.items()}
    date_only = typed["happened_at"].date_only if "happened_at" in typed else None
    if date_only is not None:
        columns[DATE_ONLY] = pa.chunked_array([pa.array(date_only)])
    columns[ROW] = rows[ROW].cast(pa.int64())
    whole = pa.table(columns)
    if not missing:
        usable = ~_any_error(troubles, rows.num_rows)
        troubles += _duplicate_troubles(table, whole, usable)
    original = rows.rename_columns([_shown_header(named, name) for name in rows.column_names])
    checked = reject(Checked(whole, REJECTED_SCHEMA.empty_table(), tuple(findings)), troubles, original, source)
    if missing:
        return Checked(pa.table({ROW: pa.array([], pa.int64())}), REJECTED_SCHEMA.empty_table(), checked.findings)
    return checked


def reject(checked: Checked, troubles: Sequence[Trouble], original: pa.Table, source: str) -> Checked:
    """Move the rows of `checked.rows` with an error to the rejected ones, and say what is wrong with each.

    original: the rows as they came, for showing what was found; its `__row__` rises.
    """
    troubles = [t for t in troubles if t.bad.any()]
    if not troubles:
        return checked
    numbers = checked.rows[ROW].to_numpy()
    place = np.searchsorted(original[ROW].to_numpy(), numbers)
    findings = list(checked.findings)
    records: dict[int, list[dict[str, Any]]] = {}
    for trouble in troubles:
        at = np.flatnonzero(trouble.bad)
        shown = _shown_cells(original, trouble.column, place[at])
        findings += _findings_of(trouble, numbers[at], shown, source)
        if trouble.severity == "error":
            for i, text in zip(at.tolist(), shown, strict=True):
                record = _record(trouble.key, trouble.column, text, source, tuple(trouble.params.items()))
                records.setdefault(i, []).append({**record, "row": int(numbers[i])})
    bad = np.array(sorted(records), dtype=np.int64)
    if not bad.size:
        return Checked(checked.rows, checked.rejected, tuple(findings))
    rejected = rejected_rows(original.take(pa.array(place[bad])), [records[i] for i in bad.tolist()])
    keep = np.ones(checked.rows.num_rows, dtype=bool)
    keep[bad] = False
    both = pa.concat_tables([checked.rejected, rejected]).sort_by(ROW)
    return Checked(checked.rows.filter(pa.array(keep)), both, tuple(findings))


def rejected_rows(original: pa.Table, records: Sequence[list[dict[str, Any]]]) -> pa.Table:
    """Rows and the records of their findings in REJECTED_SCHEMA."""
    numbers = original[ROW].to_pylist()
    raws = [json_text(row) for row in original.drop_columns([ROW]).to_pylist()]
    texts = [json.dumps(r, ensure_ascii=False) for r in records]
    return pa.table([numbers, raws, texts], schema=REJECTED_SCHEMA)


def finding_record(found: Finding) -> dict[str, Any]:
    """A finding as it is kept with a rejected row: its record in English, and the same texts in Chinese under 'zh'."""
    zh = found.as_record("zh")
    return {**found.as_record("en"), "zh": {part: zh[part] for part in ("found", "expected", "remedy")}}


def json_text(row: Mapping[str, Any]) -> str:
    """A row as JSON text; what JSON has no word for becomes text."""
    plain = {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    return json.dumps(plain, ensure_ascii=False, default=str)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that is most like a given one, None where none is."""
    by_lower = {n.lower(): n for n in names}
    found = difflib.get_close_matches(name.strip().lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def nearest_hint(name: str, names: Iterable[str]) -> Message | str:
    """'Did you mean ...?' for a finding's remedy, or nothing."""
    found = nearest(name, names)
    return "" if found is None else message("check.did_you_mean", name=found)


def shown(value: object) -> str:
    """A value as a finding shows it: short, on one line."""
    text = str(value)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else "�" for c in text)


def local_to_utc(local: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """Naive local moments as UTC, both datetime64[us]; NaT stays. Rules of fold=0: the first of two equal clock times;
    a clock time that daylight saving skips is read with the offset before the change.

    A day with the same offset at both ends has it throughout, so that Python is asked once a day, not once a row.
    """
    utc = local.astype("M8[us]")  # a copy
    known = ~np.isnat(utc)
    clocks = utc[known]
    days, inverse = np.unique(clocks.astype("M8[D]"), return_inverse=True)
    first = np.array([_offset(day.astype("M8[us]"), zone) for day in days], dtype=np.int64)
    last = np.array([_offset((day + np.timedelta64(1, "D")).astype("M8[us]"), zone) for day in days], dtype=np.int64)
    result = clocks - first[inverse].astype("m8[us]")
    for i in np.flatnonzero((first != last)[inverse]):
        result[i] = clocks[i] - np.timedelta64(_offset(clocks[i], zone), "us")
    utc[known] = result
    return utc


def _offset(moment: np.datetime64, zone: ZoneInfo) -> int:
    """Microseconds by which a local clock is ahead of UTC. Years that Python's zones do not reach take the nearest."""
    inside = min(max(moment, _POSSIBLE_DAYS[0].astype("M8[us]")), _POSSIBLE_DAYS[1].astype("M8[us]"))
    offset = zone.utcoffset(inside.astype(datetime)) or timedelta()
    return offset // timedelta(microseconds=1)


# --- columns -----------------------------------------------------------------------------------------------------


def _known_columns(table: Table, rows: pa.Table, source: str) -> tuple[dict[str, str], list[Finding]]:
    """Header of each column of the table that the source has, and findings on the others."""
    named: dict[str, str] = {}
    unknown = []
    for header in rows.column_names:
        if header == ROW:
            continue
        name = header if header in table.columns else re.sub(r"[\s-]+", "_", header.strip().lower())
        if name in table.columns and name not in named:
            named[name] = header
        else:
            unknown.append(header)
    free = [name for name in table.columns if name not in named]
    findings = [
        finding("warning", "check.unknown_column", source, column=h, table=table.name, hint=nearest_hint(h, free))
        for h in unknown[:ROWS_NAMED_ONE_BY_ONE]
    ]
    rest = unknown[ROWS_NAMED_ONE_BY_ONE:]
    if rest:
        findings.append(
            finding("warning", "check.unknown_columns", source, count=len(rest), first=shown(rest[0]), table=table.name)
        )
    return {name: named[name] for name in table.columns if name in named}, findings


def _shown_header(named: Mapping[str, str], header: str) -> str:
    return next((name for name, theirs in named.items() if theirs == header), header)


@dataclass(frozen=True, eq=False)
class _Cells:
    """A typed column. unread: (row,) bool, there was something but not of the type. empty: there was nothing."""

    values: pa.ChunkedArray
    unread: np.ndarray
    empty: np.ndarray
    raw: pa.ChunkedArray
    date_only: np.ndarray | None = None


def _typed(table: Table, raw: Mapping[str, pa.ChunkedArray], zone: ZoneInfo) -> dict[str, _Cells]:
    plain = {name: _plain(cells) for name, cells in raw.items()}
    texts = {name: cells for name, cells in plain.items() if pa.types.is_string(cells.type)}
    from_text = _from_text(table, texts)
    result: dict[str, _Cells] = {}
    for name, cells in plain.items():
        column = table.columns[name]
        if name in from_text:
            values, clock, absolute, trimmed = from_text[name]
            empty = _mask(pc.is_null(trimmed))
        else:
            empty = _mask(pc.is_null(cells))
            values, clock, absolute = _from_typed(column, cells)
        date_only = None
        if column.type == "moment":
            # known_at with a date alone was known by the end of that day; nothing may be known too early.
            whole_days = 1 if name == "known_at" else 0
            values, date_only = _moments(values, clock, absolute, zone, whole_days)
        elif column.type == "date" and name == "valid_to":
            for_ever = pc.greater_equal(values, pa.scalar(_FOR_EVER.astype(object), pa.date32()))
            values = pc.if_else(pc.fill_null(for_ever, False), pa.scalar(None, pa.date32()), values)
            unread = ~empty & _mask(pc.is_null(values)) & ~_mask(pc.fill_null(for_ever, False))
            result[name] = _Cells(_chunked(values), unread, empty, cells)
            continue
        elif column.type == "text" and column.choices:
            values = pc.utf8_lower(values)
        unread = ~empty & _mask(pc.is_null(values))
        result[name] = _Cells(_chunked(values).cast(arrow_type(column)), unread, empty, cells, date_only)
    return result


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Arrow's many spellings of a type brought to one: string, or a plain typed column."""
    kind = cells.type
    if pa.types.is_dictionary(kind):
        return _plain(cells.cast(kind.value_type))
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return cells.cast(pa.string())
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return cells.cast(pa.float64())
    if pa.types.is_uint64(kind):
        return cells.cast(pa.float64(), safe=False)
    if pa.types.is_integer(kind):
        return cells.cast(pa.int64())
    if pa.types.is_date(kind):
        return cells.cast(pa.date32())
    if pa.types.is_timestamp(kind):
        return cells.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    return cells


_Converted = tuple[pa.ChunkedArray, pa.ChunkedArray | None, pa.ChunkedArray | None]


def _from_text(table: Table, texts: Mapping[str, pa.ChunkedArray]) -> dict[str, tuple[Any, Any, Any, Any]]:
    """Columns of text converted in one DuckDB query: by name the values, for moments whether there was a clock time
    and the value if it had an offset, and the trimmed text."""
    if not texts:
        return {}
    names = list(texts)
    trimmed, items = [], []
    for i, name in enumerate(names):
        trimmed.append(f"nullif(trim(c{i}, $blanks), '') AS t{i}")
        kind = table.columns[name].type
        items.append(f"t{i}")
        if kind == "moment":
            items += [f"{_sql_moment(i)} AS v{i}", f"contains(t{i}, ':') AS k{i}", f"{_sql_absolute(i)} AS a{i}"]
        else:
            items.append(f"{_SQL[kind](f't{i}')} AS v{i}")
    dated = [f"{_sql_iso(f't{i}')} AS d{i}" for i, n in enumerate(names) if table.columns[n].type in ("date", "moment")]
    with _database().cursor() as connection:
        connection.register("source", pa.table({f"c{i}": texts[name] for i, name in enumerate(names)}))
        inner = f"SELECT {', '.join(trimmed)} FROM source"
        middle = f"SELECT {', '.join(['*', *dated])} FROM ({inner})"
        query = f"SELECT {', '.join(items)} FROM ({middle})"
        got = connection.sql(query, params={"blanks": _BLANKS}).to_arrow_table()
    columns = set(got.column_names)
    return {
        name: (
            got[f"v{i}"],
            got[f"k{i}"] if f"k{i}" in columns else None,
            got[f"a{i}"] if f"a{i}" in columns else None,
            got[f"t{i}"],
        )
        for i, name in enumerate(names)
    }


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """An empty database in memory, for its SQL alone; opening one takes longer than checking a small table."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def _sql_number(text: str) -> str:
    return (
        f"CASE WHEN regexp_full_match({text}, '{_NUMBER}') THEN TRY_CAST({text} AS DOUBLE) "
        f"WHEN regexp_full_match({text}, '{_GROUPED}') THEN TRY_CAST(replace({text}, ',', '') AS DOUBLE) END"
    )


def _sql_integer(text: str) -> str:
    number = _sql_number(text)
    return f"CASE WHEN ({number}) = floor({number}) THEN TRY_CAST(({number}) AS BIGINT) END"


def _sql_boolean(text: str) -> str:
    true, false = (", ".join(f"'{word}'" for word in words) for words in (_TRUE, _FALSE))
    return f"CASE WHEN lower({text}) IN ({true}) THEN true WHEN lower({text}) IN ({false}) THEN false END"


def _sql_date(text: str) -> str:
    day = text.replace("t", "d")
    return (
        f"CASE WHEN regexp_full_match({day}, '{_ISO_DATE}({_CLOCK})?') "
        f"THEN TRY_CAST(regexp_extract({day}, '^{_ISO_DATE}') AS DATE) END"
    )


def _sql_iso(text: str) -> str:
    """The other ways to write a date brought to year-month-day. Most need nothing, and the test for that is quick."""
    return (
        f"CASE WHEN {text} LIKE '____-__-__%' THEN {text} ELSE "
        f"regexp_replace(regexp_replace({text}, '^([0-9]{{4}})([0-9]{{2}})([0-9]{{2}})$', '\\1-\\2-\\3'), "
        f"'^([0-9]{{4}})(?:[-/.]|年)([0-9]{{1,2}})(?:[-/.]|月)([0-9]{{1,2}})日?', '\\1-\\2-\\3') END"
    )


def _sql_moment(i: int) -> str:
    return f"CASE WHEN regexp_full_match(d{i}, '{_ISO_DATE}({_CLOCK})?') THEN TRY_CAST(d{i} AS TIMESTAMP) END"


def _sql_absolute(i: int) -> str:
    """A moment with an offset; '+0800' is written '+08:00' first."""
    colon = f"regexp_replace(d{i}, '([+-][0-9]{{2}})([0-9]{{2}})$', '\\1:\\2')"
    return (
        f"CASE WHEN contains(d{i}, ':') AND regexp_full_match(d{i}, '{_ISO_DATE}{_CLOCK}{_OFFSET}') "
        f"THEN TRY_CAST({colon} AS TIMESTAMPTZ) END"
    )


_SQL = {
    "text": lambda text: text,
    "number": _sql_number,
    "integer": _sql_integer,
    "boolean": _sql_boolean,
    "date": _sql_date,
}


def _from_typed(column: Column, cells: pa.ChunkedArray) -> _Converted:
    """A typed column in the column's type; null where it cannot be."""
    kind, nothing = cells.type, pa.chunked_array([pa.nulls(len(cells), arrow_type(column))])
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    dated = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    if column.type == "text":
        if pa.types.is_floating(kind):
            return _chunked(pa.array([_number_text(v) for v in cells.to_pylist()], pa.string())), None, None
        if number or dated or pa.types.is_boolean(kind):
            return cells.cast(pa.string()), None, None
        return nothing, None, None
    if column.type in ("number", "integer") and number:
        if column.type == "number":
            return cells.cast(pa.float64(), safe=False), None, None
        if pa.types.is_integer(kind):
            return cells, None, None
        whole = pc.and_(pc.equal(pc.floor(cells), cells), pc.less(pc.abs(cells), 2.0**53))
        return pc.if_else(whole, cells, None).cast(pa.int64()), None, None
    if column.type == "boolean" and (number or pa.types.is_boolean(kind)):
        if number:
            cells = pc.if_else(pc.is_in(cells, pa.array([0, 1], kind)), cells, None)
        return cells.cast(pa.bool_()), None, None
    if column.type == "date" and (dated or number):
        days = _from_serial(cells) if number else cells
        return days.cast(pa.timestamp("us")).cast(pa.date32(), safe=False), None, None
    if column.type == "moment" and (dated or number):
        if number:
            moments = _from_serial(cells)
            whole = pc.equal(moments.cast(pa.date32(), safe=False).cast(pa.timestamp("us")), moments)
            return moments, pc.invert(whole), None
        clock = _chunked(pa.array(np.full(len(cells), pa.types.is_timestamp(kind))))
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            empty = pa.chunked_array([pa.nulls(len(cells), pa.timestamp("us"))])
            return empty, clock, cells.cast(pa.timestamp("us", tz="UTC"))
        return cells.cast(pa.timestamp("us")), clock, None
    return nothing, None, None


def _from_serial(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as dates: 20260105 is a day, any other an Excel serial (days since 1899-12-30). timestamp[us]."""
    numbers = cells.cast(pa.float64(), safe=False).to_numpy()
    result = np.full(len(numbers), np.datetime64("NaT"), dtype="M8[us]")
    written = (numbers >= 19000101) & (numbers <= 22001231) & (np.floor(numbers) == numbers)
    serial = (numbers >= _EXCEL_SERIALS[0]) & (numbers <= _EXCEL_SERIALS[1])
    # Excel keeps a day as a binary fraction: to the second is as exact as it gets.
    seconds = np.round(np.where(serial, numbers, 0.0) * 86_400).astype("m8[s]")
    result[serial] = (_EXCEL_EPOCH.astype("M8[us]") + seconds)[serial]
    for i in np.flatnonzero(written):
        try:
            result[i] = np.datetime64(datetime.strptime(str(int(numbers[i])), "%Y%m%d"), "us")  # noqa: DTZ007
        except ValueError:
            continue
    return _chunked(pa.array(result))


def _moments(
    local: pa.ChunkedArray,
    clock: pa.ChunkedArray | None,
    absolute: pa.ChunkedArray | None,
    zone: ZoneInfo,
    whole_days: int,
) -> tuple[pa.ChunkedArray, np.ndarray]:
    """UTC moments, and which of them were a date alone; those are moved on by `whole_days` local days."""
    if clock is None:
        return local, np.zeros(len(local), dtype=bool)
    naive = local.to_numpy().astype("M8[us]")
    date_only = ~np.isnat(naive) & ~_mask(pc.fill_null(clock, False))
    naive = np.where(date_only, naive + np.timedelta64(whole_days, "D"), naive)
    utc = local_to_utc(naive, zone)
    if absolute is not None:
        given = absolute.cast(pa.timestamp("us")).to_numpy().astype("M8[us]")
        utc = np.where(np.isnat(given), utc, given)
    return _chunked(pa.array(utc).cast(pa.timestamp("us", tz="UTC"))), date_only


def _number_text(value: float | None) -> str | None:
    """A number that stands for a code: 1001.0 is '1001'."""
    if value is None:
        return None
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


# --- rules -------------------------------------------------------------------------------------------------------


def _value_troubles(table: Table, typed: Mapping[str, _Cells]) -> list[Trouble]:
    troubles: list[Trouble] = []
    for name, cells in typed.items():
        column = table.columns[name]
        troubles += _unread_troubles(column, cells)
        if column.required:
            troubles.append(Trouble("check.missing_value", cells.empty, name))
        if column.type in ("number", "integer"):
            troubles += _number_troubles(table, column, cells)
        if column.type in ("date", "moment"):
            troubles += _day_troubles(column, cells)
        if column.choices:
            known = _mask(pc.is_in(cells.values, pa.array(column.choices, pa.string())))
            bad = ~known & _mask(pc.is_valid(cells.values))
            troubles.append(Trouble("check.not_a_choice", bad, name, params={"choices": ", ".join(column.choices)}))
    return troubles


def _unread_troubles(column: Column, cells: _Cells) -> list[Trouble]:
    """Cells that are not of the column's type, by what they look like instead."""
    if not cells.unread.any():
        return []
    kinds: dict[str, list[int]] = {}
    unread = np.flatnonzero(cells.unread)
    for i, value in zip(unread.tolist(), cells.raw.take(pa.array(unread)).to_pylist(), strict=True):
        text = str(value).strip(_BLANKS)
        if column.type in ("number", "integer") and _DECIMAL_COMMA.fullmatch(text):
            key = "check.decimal_comma"
        elif column.type in ("number", "integer") and _NOT_FINITE.fullmatch(text):
            key = "check.not_finite"
        else:
            key = "check.not_an_integer" if column.type == "integer" else f"check.not_a_{column.type}"
        kinds.setdefault(key, []).append(i)
    troubles = []
    for key, rows in kinds.items():
        bad = np.zeros(len(cells.unread), dtype=bool)
        bad[rows] = True
        troubles.append(Trouble(key, bad, column.name))
    return troubles


def _number_troubles(table: Table, column: Column, cells: _Cells) -> list[Trouble]:
    numbers = cells.values.cast(pa.float64(), safe=False).to_numpy()
    there = _mask(pc.is_valid(cells.values))
    troubles = [Trouble("check.not_finite", there & ~np.isfinite(numbers), column.name)]
    # Sales exports often hold returns as negative sales.
    under = "check.negative_sale" if (table.name, column.name) == ("sales", "units") else "check.under_minimum"
    limits = (
        (under, column.minimum, np.less),
        ("check.over_maximum", column.maximum, np.greater),
        ("check.not_above", column.above, np.less_equal),
        ("check.not_below", column.below, np.greater_equal),
    )
    for key, limit, breaks in limits:
        if limit is not None:
            bad = there & np.isfinite(numbers) & breaks(numbers, limit)
            troubles.append(Trouble(key, bad, column.name, params={"limit": f"{limit:g}"}))
    return troubles


def _day_troubles(column: Column, cells: _Cells) -> list[Trouble]:
    days = cells.values.cast(pa.timestamp("us")).to_numpy().astype("M8[D]")
    there = ~np.isnat(days)
    impossible = there & ((days < _POSSIBLE_DAYS[0]) | (days >= _POSSIBLE_DAYS[1]))
    odd = there & ~impossible & ((days < _LIKELY_DAYS[0]) | (days >= _LIKELY_DAYS[1]))
    return [
        Trouble("check.impossible_date", impossible, column.name),
        Trouble("check.odd_date", odd, column.name, severity="warning"),
    ]


def _date_order_troubles(table: Table, typed: Mapping[str, _Cells]) -> list[Trouble]:
    troubles = []
    for name, earlier, later, may_be_equal in _DATE_ORDERS:
        if name == table.name and earlier in typed and later in typed:
            breaks = pc.less if may_be_equal else pc.less_equal
            bad = _mask(pc.fill_null(breaks(typed[later].values, typed[earlier].values), False))
            key = "check.before" if may_be_equal else "check.not_after"
            troubles.append(Trouble(key, bad, later, params={"earlier": earlier}))
    return troubles


def _unknown_references(table: Table, typed: Mapping[str, _Cells], known: Mapping[str, pa.Array]) -> list[Trouble]:
    """Values that point to no row of the table they refer to."""
    troubles = []
    for name, cells in typed.items():
        target = table.columns[name].refers_to
        if target is not None and target in known:
            found = pc.is_in(cells.values, known[target])
            bad = _mask(pc.and_(pc.is_valid(cells.values), pc.invert(found)))
            troubles.append(Trouble("check.unknown_reference", bad, name, params={"table": target}))
    return troubles


def _duplicate_troubles(table: Table, rows: pa.Table, usable: np.ndarray) -> list[Trouble]:
    """Rows with the key of an earlier row and nothing that tells which holds: same version, known at the same moment.

    Of events, an equal row may come twice (the ledger knows it already); only other content is trouble.
    """
    key = [name for name in table.key if name in rows.column_names]
    if not key or not rows.num_rows:
        return []
    if table.kind == "event":
        own = [name for name in key if name != "happened_at"]
        named = np.zeros(rows.num_rows, dtype=bool)
        for name in own:
            named |= _mask(pc.is_valid(rows[name]))
        usable = usable & named
    version = [n for n in ("valid_from", "known_at") if n in rows.column_names]
    if table.kind == "event" and "known_at" not in version and "happened_at" in rows.column_names:
        version.append("happened_at")
    at = np.flatnonzero(usable)
    some = rows.take(pa.array(at)) if at.size < rows.num_rows else rows
    repeated = _not_first(some, [*key, *(n for n in version if n not in key)])
    if table.kind == "event" and repeated.any():
        repeated &= ~_not_first(some, [n for n in some.column_names if n != ROW])
    bad = np.zeros(rows.num_rows, dtype=bool)
    bad[at[repeated]] = True
    rule = "check.duplicate_key" if table.kind == "master" else "check.conflicting_event"
    return [Trouble(rule, bad, key[0] if len(key) == 1 else None, params={"key": " + ".join(key)})]


def _not_first(rows: pa.Table, names: Sequence[str]) -> np.ndarray:
    """(row,) bool: an earlier row has the same values in `names`."""
    places = pa.array(np.arange(rows.num_rows))
    groups = rows.select(names).append_column(DATE_ONLY + "at", places)
    first = groups.group_by(list(names), use_threads=False).aggregate([(DATE_ONLY + "at", "min")])
    result = np.ones(rows.num_rows, dtype=bool)
    result[first[DATE_ONLY + "at_min"].to_numpy()] = False
    return result


# --- findings ----------------------------------------------------------------------------------------------------


def _any_error(troubles: Sequence[Trouble], row_count: int) -> np.ndarray:
    result = np.zeros(row_count, dtype=bool)
    for trouble in troubles:
        if trouble.severity == "error":
            result |= trouble.bad
    return result


def _shown_cells(original: pa.Table, column: str | None, at: np.ndarray) -> list[str]:
    places = pa.array(at)
    if column is None or column not in original.column_names:
        rows = original.drop_columns([ROW]).take(places).to_pylist()
        return [shown(", ".join(str(v) for v in row.values() if v is not None)) for row in rows]
    return ["" if v is None else shown(v) for v in original[column].take(places).to_pylist()]


def _findings_of(trouble: Trouble, rows: np.ndarray, values: Sequence[str], source: str) -> list[Finding]:
    if len(rows) <= ROWS_NAMED_ONE_BY_ONE:
        return [
            finding(
                trouble.severity,
                trouble.key,
                source,
                row=int(row),
                column=trouble.column,
                value=_quoted(value),
                **trouble.params,
            )
            for row, value in zip(rows, values, strict=True)
        ]
    examples = ", ".join(dict.fromkeys(value for value in values[:ROWS_NAMED_ONE_BY_ONE] if value))
    named = ", ".join(str(row) for row in rows[:5].tolist())
    many = message("check.many_rows", count=len(rows), rows=named, value=_quoted(shown(examples)))
    return [
        finding(
            trouble.severity,
            trouble.key,
            source,
            row=int(rows[0]),
            column=trouble.column,
            rows_affected=len(rows),
            value=many,
            **trouble.params,
        )
    ]


@lru_cache(maxsize=4096)
def _record(
    key: str, column: str | None, value: str, source: str, params: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    """Texts of a finding are made once for all rows with the same value."""
    return finding_record(finding("error", key, source, column=column, value=_quoted(value), **dict(params)))


def _quoted(value: str) -> Message:
    return message("check.quoted", value=value) if value else message("check.nothing")


def _mask(values: Any) -> np.ndarray:
    """A boolean Arrow column without nulls as numpy."""
    return np.asarray(values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy())


def _chunked(values: Any) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
