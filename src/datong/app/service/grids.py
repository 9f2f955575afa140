"""A table as a page shows it: filtered, sorted and searched where it lies, and handed out piece by piece."""

import base64
import binascii
import json
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.service.sorted_rows import once, sorted_places
from datong.model.errors import Refused
from datong.model.words import message

# Most rows of one piece.
MOST = 1000
Op = Literal["is", "in", "from", "to", "has"]


@dataclass(frozen=True)
class Filter:
    """One condition: a column and its value. op: 'is' it, is 'in' several (separated by commas), is 'from' or 'to' it
    (included), or 'has' the text in it."""

    column: str
    op: Op
    value: str


@dataclass(frozen=True)
class Wanted:
    """What is asked of a table. search: a text in any column of texts. sort: a column; None: the key. cursor: where the
    piece before ended. count: most rows. skip: rows that are left out first, where somebody jumps about in a grid.
    is_whole: all rows in one piece, for a workbook."""

    filters: tuple[Filter, ...] = ()
    search: str = ""
    sort: str | None = None
    is_descending: bool = False
    cursor: str | None = None
    count: int = 100
    skip: int = 0
    is_whole: bool = False


@dataclass(frozen=True, eq=False)
class Piece:
    """rows: of the table. cursor: asks for the rows after these; None: there are none. total: how many rows meet the
    conditions."""

    rows: pa.Table
    cursor: str | None
    total: int


def piece(table: pa.Table, key: str, wanted: Wanted) -> Piece:
    """The rows of a table that are asked for. key: a column that tells the rows apart. A cursor names the last row that
    was handed out by its values, so rows that come and go between two pieces neither repeat nor hide others.

    Raises Refused for a column that is not there, a value that does not fit it, or a cursor of another question.
    """
    for name in (*(f.column for f in wanted.filters), *([wanted.sort] if wanted.sort else ())):
        if name not in table.column_names:
            raise Refused(message("service.no_column", column=name, columns=", ".join(table.column_names)))
    sort = wanted.sort or key
    if pa.types.is_list(table.schema.field(sort).type):
        raise Refused(message("service.no_sort", column=sort))
    places = _places(table, key, wanted)
    begin = max(0, wanted.skip)
    if wanted.cursor is not None:
        begin += _after(table, places, key, wanted)
    count = max(1, len(places) if wanted.is_whole else min(wanted.count, MOST))
    rows = table.take(places.slice(begin, count))
    more = len(places) > begin + count
    return Piece(rows, _cursor(rows, sort, key, wanted) if more else None, len(places))


def _places(table: pa.Table, key: str, wanted: Wanted) -> pa.Array:
    """Places of the rows that meet all conditions, in their order."""
    sort, is_descending = wanted.sort or key, wanted.is_descending
    every = sorted_places(table, sort, key, is_descending)
    if not wanted.filters and not wanted.search:
        return every

    def met() -> pa.Array:
        masks = [_meets(table[one.column], one) for one in wanted.filters]
        masks += [_has(table, wanted.search)] if wanted.search else []
        return every.filter(reduce(pc.and_, masks).take(every))

    return once(table, (sort, key, is_descending, wanted.filters, wanted.search), met)


def _meets(values: pa.ChunkedArray, one: Filter) -> pa.ChunkedArray:
    kind = values.type
    try:
        if one.op == "has":
            return pc.match_substring(values.cast(pa.string()), one.value, ignore_case=True)
        if one.op == "in":
            return pc.is_in(values, pa.array([_value(text, kind) for text in one.value.split(",")], kind))
        compare = {"is": pc.equal, "from": pc.greater_equal, "to": pc.less_equal}[one.op]
        return pc.fill_null(compare(values, pa.scalar(_value(one.value, kind), kind)), False)
    except (ValueError, KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Refused(message("service.wrong_filter", column=one.column, op=one.op, value=one.value)) from error


def _value(text: str, kind: pa.DataType) -> Any:
    if pa.types.is_date(kind):
        return date.fromisoformat(text)
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(text)
    if pa.types.is_boolean(kind):
        return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
    if pa.types.is_integer(kind):
        return int(text)
    return float(text) if pa.types.is_floating(kind) else text


def _has(table: pa.Table, text: str) -> pa.ChunkedArray:
    columns = [name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)]
    found = [pc.fill_null(pc.match_substring(table[name], text, ignore_case=True), False) for name in columns]
    any_of = found[0]
    for one in found[1:]:
        any_of = pc.or_(any_of, one)
    return any_of


def _digest(wanted: Wanted) -> list[Any]:
    """What a cursor belongs to."""
    filters = [[f.column, f.op, f.value] for f in wanted.filters]
    return [filters, wanted.search, wanted.sort, wanted.is_descending]


def _cursor(rows: pa.Table, sort: str, key: str, wanted: Wanted) -> str:
    last = rows.slice(rows.num_rows - 1).to_pylist()[0]
    text = json.dumps([_digest(wanted), _text(last[sort]), _text(last[key])], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode()


def _text(value: Any) -> str | float | bool | None:
    return value if value is None or isinstance(value, str | float | int | bool) else str(value)


def _after(table: pa.Table, places: pa.Array, key: str, wanted: Wanted) -> int:
    """How many of the places come up to the cursor's row, itself included. Found by halves."""
    columns, last = (table[wanted.sort or key], table[key]), _last(table.schema, key, wanted)

    def is_beyond(place: pa.Scalar) -> bool:
        value, name = (column[place.as_py()].as_py() for column in columns)
        return _precedes(last, (value, name), wanted.is_descending)

    return bisect_left(places, True, key=is_beyond)


def _last(schema: pa.Schema, key: str, wanted: Wanted) -> tuple[Any, Any]:
    """Of the row where a piece ended, the value by which it is sorted, and its key. Raises Refused for a cursor that is
    none, or of another question."""
    try:
        digest, *told = json.loads(base64.urlsafe_b64decode(str(wanted.cursor).encode()))
        kinds = [schema.field(name).type for name in (wanted.sort or key, key)]
        value, name = (
            None if one is None else pa.scalar(_value(str(one), kind), kind).as_py()
            for one, kind in zip(told, kinds, strict=True)
        )
    except (ValueError, TypeError, KeyError, binascii.Error, pa.ArrowInvalid) as error:
        raise Refused(message("service.wrong_cursor")) from error
    if digest != _digest(wanted) or name is None:
        raise Refused(message("service.wrong_cursor"))
    return value, name


def _precedes(one: tuple[Any, Any], other: tuple[Any, Any], is_descending: bool) -> bool:
    """Whether a row, by its value and its key, comes before another: what is no number stands after all numbers, and
    what is not there last."""
    ranks = _rank(one[0]), _rank(other[0])
    if ranks[0] != ranks[1]:
        return ranks[0] < ranks[1]
    if ranks[0] == 0 and one[0] != other[0]:
        return one[0] > other[0] if is_descending else one[0] < other[0]
    return one[1] < other[1]


def _rank(value: Any) -> int:
    return 2 if value is None else int(value != value)
