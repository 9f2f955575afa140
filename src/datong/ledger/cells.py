"""A column as it came, text or typed, in the type of its table: what reads and what does not.

Most columns of most files are written in one plain way (2026-01-05 08:30, 12.5), which Arrow reads at once. A column in
which anything is written otherwise is read by the full rules, in SQL, for that batch.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import arrow_type
from datong.model.tables import Column, Table
from datong.model.words import CONTROLS

BLANKS = " \t\r\n\u3000\u00a0\ufeff"
_OF_BLANKS = np.isin(np.arange(256), [code for b in BLANKS for code in (b.encode()[0], b.encode()[-1])])
_TRUE = ("true", "t", "yes", "y", "1", "1.0", "是", "真", "有")
_FALSE = ("false", "f", "no", "n", "0", "0.0", "否", "假", "无")
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_GROUPED = r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?"
# The same with a comma for the decimals, and what can be read in one of the two ways only, or in both.
_COMMA_NUMBER = r"[+-]?([0-9]+(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]+)?"
_COMMA_GROUPED = r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]*)?"
_ONLY_DECIMAL_COMMA = (
    r"^[+-]?(0,[0-9]+|[0-9]{4,},[0-9]+|[0-9]*,([0-9]{1,2}|[0-9]{4,})"
    r"|[1-9][0-9]{0,2}(\.[0-9]{3})+,[0-9]*|[1-9][0-9]{0,2}(\.[0-9]{3}){2,})$"
)
_ONLY_DECIMAL_POINT = (
    r"^[+-]?(0\.[0-9]+|[0-9]{4,}\.[0-9]+|[0-9]*\.([0-9]{1,2}|[0-9]{4,})"
    r"|[1-9][0-9]{0,2}(,[0-9]{3})+\.[0-9]*|[1-9][0-9]{0,2}(,[0-9]{3}){2,})$"
)
_EITHER = r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"
_ISO_DATE = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_CLOCK = r"[T ] *[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
_OFFSET = r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_EXCEL_EPOCH = np.datetime64("1899-12-30", "D")
_EXCEL_SERIALS = (1.0, 2_958_465.0)  # 1900-01-01 .. 9999-12-31
# Outside these years a date is certainly wrong (and would overflow later); outside the inner ones it is odd.
POSSIBLE_DAYS = (np.datetime64("1900-01-01", "D"), np.datetime64("2200-01-01", "D"))
_FOR_EVER = np.datetime64("9999-01-01", "D")  # many systems write 9999-12-31 for "no end"


@dataclass(frozen=True, eq=False)
class Cells:
    """A typed column. unread: (row,) bool, there was something but not of the type. empty: (row,) bool,
    there was nothing. date_only: (row,) bool, a moment that was written as a day; None: no column of moments."""

    values: pa.ChunkedArray
    unread: np.ndarray
    empty: np.ndarray
    raw: pa.ChunkedArray
    date_only: np.ndarray | None = None


# What stands before the decimals of a source's numbers; UNSURE: a comma that could be either is not read.
Mark = Literal[".", ",", ""]
UNSURE: Mark = ""


@dataclass(frozen=True)
class MarkEvidence:
    """What the numbers of a source say of their decimal sign. comma, point: some are only right with that one; either:
    some could be both, as 1,250."""

    comma: bool = False
    point: bool = False
    either: bool = False

    def __or__(self, other: "MarkEvidence") -> "MarkEvidence":
        return MarkEvidence(self.comma or other.comma, self.point or other.point, self.either or other.either)

    def mark(self, commas_group: bool) -> Mark:
        """The sign. commas_group: a comma that could be either parts thousands, where nothing tells."""
        if self.comma and not self.point:
            return ","
        return UNSURE if self.comma or (self.either and not self.point and not commas_group) else "."


def mark_evidence(cells: pa.ChunkedArray) -> MarkEvidence:
    """What a column of numbers says of the decimal sign of its source; a typed one says nothing."""
    cells = _plain(cells)
    if not pa.types.is_string(cells.type) or not pc.any(pc.match_substring(cells, ",")).as_py():
        dots = pa.types.is_string(cells.type) and pc.any(pc.match_substring(cells, ".")).as_py()
        return MarkEvidence() if not dots else _evidence(_trimmed(cells))
    return _evidence(_trimmed(cells))


def _evidence(text: pa.ChunkedArray) -> MarkEvidence:
    rules = (_ONLY_DECIMAL_COMMA, _ONLY_DECIMAL_POINT, _EITHER)
    return MarkEvidence(*(bool(pc.any(pc.match_substring_regex(text, rule)).as_py()) for rule in rules))


def typed(table: Table, raw: Mapping[str, pa.ChunkedArray], zone: ZoneInfo, mark: Mark = ".") -> dict[str, Cells]:
    """Columns of `table` by name, each in its type; moments without an offset are local to `zone`. mark: the decimal
    sign of the source's numbers."""
    plain = {name: _plain(cells) for name, cells in raw.items()}
    texts = {name: cells for name, cells in plain.items() if pa.types.is_string(cells.type)}
    quick = {name: _read_quickly(table.columns[name], cells, mark) for name, cells in texts.items()}
    from_text = {name: read for name, read in quick.items() if read is not None}
    from_text |= _from_text(table, {name: texts[name] for name, read in quick.items() if read is None}, mark)
    result: dict[str, Cells] = {}
    for name, cells in plain.items():
        column = table.columns[name]
        if name in from_text:
            values, clock, absolute, trimmed = from_text[name]
            empty = mask(pc.is_null(trimmed))
        else:
            empty = mask(pc.is_null(cells))
            values, clock, absolute = _from_typed(column, cells)
        date_only = None
        if column.type == "moment":
            # known_at with a date alone was known by the end of that day; nothing may be known too early.
            whole_days = 1 if name == "known_at" else 0
            values, date_only = _moments(values, clock, absolute, zone, whole_days)
        elif column.type == "date" and name == "valid_to":
            for_ever = pc.greater_equal(values, pa.scalar(_FOR_EVER.astype(object), pa.date32()))
            values = pc.if_else(pc.fill_null(for_ever, False), pa.scalar(None, pa.date32()), values)
            unread = ~empty & mask(pc.is_null(values)) & ~mask(pc.fill_null(for_ever, False))
            result[name] = Cells(chunked(values), unread, empty, cells)
            continue
        elif column.type == "text" and column.choices:
            values = pc.utf8_lower(values)
        unread = ~empty & mask(pc.is_null(values))
        result[name] = Cells(chunked(values).cast(arrow_type(column)), unread, empty, cells, date_only)
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


# A column of text: its values, for moments also whether there was a clock time and the value if it had an offset, and
# the trimmed text, null where there was none.
_FromText = tuple[Any, Any, Any, Any]


def _read_quickly(column: Column, cells: pa.ChunkedArray, mark: Mark) -> _FromText | None:
    """A column of text that is written in one plain way all through; None where the full rules have to read it.

    Whatever is read here, the full rules read as the same.
    """
    text = _trimmed(cells)
    length = pc.binary_length(text)
    try:
        match column.type:
            case "text":
                text = without_controls(text)
                return text, None, None, text
            case "number":
                if mark == "," and pc.any(pc.match_substring(text, ".")).as_py():
                    return None
                numbers = pc.cast(text, pa.float64())
                finite = pc.all(pc.is_finite(numbers)).as_py()
                return None if finite is False else (numbers, None, None, text)
            case "date":
                if pc.any(pc.not_equal(length, 10)).as_py():
                    return None
                return pc.cast(text, pa.date32()), None, None, text
            case "moment":
                clock = pc.not_equal(length, 10)
                # Arrow also reads an hour alone, and a day with an offset.
                minutes = pc.equal(pc.utf8_slice_codeunits(text, 13, 14), ":") if pc.any(clock).as_py() else clock
                if pc.any(pc.and_not(clock, minutes)).as_py():
                    return None
                return pc.cast(text, pa.timestamp("us")), clock, None, text
    except pa.ArrowInvalid:
        pass
    return None


def _trimmed(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text without blanks around it; null where nothing is left."""
    text = pc.utf8_trim(cells, characters=BLANKS) if _may_have_blanks(cells) else cells
    nothing = pc.equal(pc.binary_length(text), 0)
    return pc.if_else(nothing, pa.scalar(None, pa.string()), text) if pc.any(nothing).as_py() else text


_IS_CONTROL = np.array([(code < 32 and code not in (9, 10, 13)) or code == 127 for code in range(256)])


def has_controls(text: pa.ChunkedArray) -> np.ndarray | None:
    """(row,) bool: there are control characters in it; None where there are in none, which is far quicker to see."""
    if not pa.types.is_string(text.type) or not any(map(_may_have_controls, text.chunks)):
        return None
    found = mask(pc.fill_null(pc.match_substring_regex(text, CONTROLS), False))
    return found if found.any() else None


def _may_have_controls(chunk: pa.Array) -> bool:
    _, offsets, data = chunk.buffers()
    if data is None or not data.size or not len(chunk):
        return False
    ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    codes = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    if _IS_CONTROL[codes].any():
        return True
    first = np.flatnonzero(codes[:-1] == 0xC2)  # C1 in UTF-8: C2 80 to C2 9F
    return bool((codes[first + 1] < 0xA0).any())


def without_controls(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text without control characters; null where nothing else is there."""
    if has_controls(text) is None:
        return text
    return _trimmed(pc.replace_substring_regex(text, CONTROLS, ""))


def _may_have_blanks(cells: pa.ChunkedArray) -> bool:
    """Whether the first or last byte of any text may belong to a blank: far quicker than trimming all of them."""
    for chunk in cells.chunks:
        _, offsets, data = chunk.buffers()
        if data is None or not data.size:
            continue
        at = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        starts, ends = at[:-1], at[1:]
        filled = starts < ends
        if not filled.all():
            starts, ends = starts[filled], ends[filled]
        characters = np.frombuffer(data, np.uint8)
        if _OF_BLANKS[characters[starts]].any() or _OF_BLANKS[characters[ends - 1]].any():
            return True
    return False


_Converted = tuple[pa.ChunkedArray, pa.ChunkedArray | None, pa.ChunkedArray | None]


def _from_text(table: Table, texts: Mapping[str, pa.ChunkedArray], mark: Mark) -> dict[str, _FromText]:
    """Columns of text read by the full rules, in one DuckDB query."""
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
            number = _sql_number(f"t{i}", mark)
            items.append(f"{_SQL[kind](f't{i}', number)} AS v{i}")
    dated = [f"{_sql_iso(f't{i}')} AS d{i}" for i, n in enumerate(names) if table.columns[n].type in ("date", "moment")]
    with database().cursor() as connection:
        connection.register("source", pa.table({f"c{i}": texts[name] for i, name in enumerate(names)}))
        inner = f"SELECT {', '.join(trimmed)} FROM source"
        middle = f"SELECT {', '.join(['*', *dated])} FROM ({inner})"
        query = f"SELECT {', '.join(items)} FROM ({middle})"
        got = connection.sql(query, params={"blanks": BLANKS}).to_arrow_table()
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
def database() -> duckdb.DuckDBPyConnection:
    """An empty database in memory, for its SQL alone; opening one takes longer than checking a small table."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def _sql_number(text: str, mark: Mark) -> str:
    if mark == ",":
        return (
            f"CASE WHEN regexp_full_match({text}, '{_COMMA_NUMBER}') "
            f"THEN TRY_CAST(replace({text}, ',', '.') AS DOUBLE) "
            f"WHEN regexp_full_match({text}, '{_COMMA_GROUPED}') "
            f"THEN TRY_CAST(replace(replace({text}, '.', ''), ',', '.') AS DOUBLE) END"
        )
    if mark == UNSURE:
        return f"CASE WHEN regexp_full_match({text}, '{_NUMBER}') THEN TRY_CAST({text} AS DOUBLE) END"
    return (
        f"CASE WHEN regexp_full_match({text}, '{_NUMBER}') THEN TRY_CAST({text} AS DOUBLE) "
        f"WHEN regexp_full_match({text}, '{_GROUPED}') THEN TRY_CAST(replace({text}, ',', '') AS DOUBLE) END"
    )


def _sql_integer(number: str) -> str:
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
    """A moment with an offset; ' +0800' is written '+08:00' first."""
    close = f"regexp_replace(d{i}, ' (Z|[+-][0-9:]+)$', '\\1')"
    colon = f"regexp_replace({close}, '([+-][0-9]{{2}})([0-9]{{2}})$', '\\1:\\2')"
    return (
        f"CASE WHEN contains(d{i}, ':') AND regexp_full_match(d{i}, '{_ISO_DATE}{_CLOCK}{_OFFSET}') "
        f"THEN TRY_CAST({colon} AS TIMESTAMPTZ) END"
    )


_SQL = {
    "text": lambda text, _number: text,
    "number": lambda _text, number: number,
    "integer": lambda _text, number: _sql_integer(number),
    "boolean": lambda text, _number: _sql_boolean(text),
    "date": lambda text, _number: _sql_date(text),
}


def _from_typed(column: Column, cells: pa.ChunkedArray) -> _Converted:
    """A typed column in the column's type; null where it cannot be."""
    kind, nothing = cells.type, pa.chunked_array([pa.nulls(len(cells), arrow_type(column))])
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    dated = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    if column.type == "text":
        if pa.types.is_floating(kind):
            return chunked(pa.array([_number_text(v) for v in cells.to_pylist()], pa.string())), None, None
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
        clock = chunked(pa.array(np.full(len(cells), pa.types.is_timestamp(kind))))
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
    return chunked(pa.array(result))


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
    date_only = ~np.isnat(naive) & ~mask(pc.fill_null(clock, False))
    naive = np.where(date_only, naive + np.timedelta64(whole_days, "D"), naive)
    utc = local_to_utc(naive, zone)
    if absolute is not None:
        given = absolute.cast(pa.timestamp("us")).to_numpy().astype("M8[us]")
        utc = np.where(np.isnat(given), utc, given)
    return chunked(pa.array(utc).cast(pa.timestamp("us", tz="UTC"))), date_only


def _number_text(value: float | None) -> str | None:
    """A number that stands for a code: 1001.0 is '1001'."""
    if value is None:
        return None
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def local_to_utc(local: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """Naive local moments as UTC, both datetime64[us]; NaT stays. Rules of fold=0: the first of two equal clock times;
    a clock time that daylight saving skips is read with the offset before the change.

    A day with the same offset at both ends has it throughout, so that Python is asked once a day, not once a row.
    """
    utc = local.astype("M8[us]")  # a copy
    known = ~np.isnat(utc)
    clocks = utc[known]
    days = clocks.astype("M8[D]").astype(np.int64)
    if not len(days):
        return utc
    there, at = _distinct(days)
    first = np.array([_offset_at_midnight(day, zone) for day in there.tolist()], dtype=np.int64)
    last = np.array([_offset_at_midnight(day + 1, zone) for day in there.tolist()], dtype=np.int64)
    result = clocks - first[at].astype("m8[us]")
    if (first != last).any():
        changing = np.flatnonzero((first != last)[at])
        moments, place = np.unique(clocks[changing], return_inverse=True)
        offsets = np.array([_offset(moment, zone) for moment in moments], dtype="m8[us]")
        result[changing] = clocks[changing] - offsets[place]
    utc[known] = result
    return utc


def _distinct(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct whole numbers in order, and the place of each among them; without sorting where they lie close."""
    low, high = days.min(), days.max()
    if high - low > len(days) + 100_000:
        return np.unique(days, return_inverse=True)
    seen = np.zeros(high - low + 1, dtype=bool)
    seen[days - low] = True
    place = np.cumsum(seen) - 1
    return np.flatnonzero(seen) + low, place[days - low]


@lru_cache(maxsize=100_000)
def _offset_at_midnight(day: int, zone: ZoneInfo) -> int:
    return _offset(np.datetime64(day, "D").astype("M8[us]"), zone)


def _offset(moment: np.datetime64, zone: ZoneInfo) -> int:
    """Microseconds by which a local clock is ahead of UTC. Years that Python's zones do not reach take the nearest."""
    inside = min(max(moment, POSSIBLE_DAYS[0].astype("M8[us]")), POSSIBLE_DAYS[1].astype("M8[us]"))
    offset = zone.utcoffset(inside.astype(datetime)) or timedelta()
    return offset // timedelta(microseconds=1)


def mask(values: Any) -> np.ndarray:
    """A boolean Arrow column without nulls as numpy."""
    return np.asarray(values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy())


def chunked(values: Any) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
