"""A table as a page shows it: filtered, sorted and searched where it lies, and handed out piece by piece."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

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
    for one in wanted.filters:
        table = table.filter(_meets(table[one.column], one))
    if wanted.search:
        table = table.filter(_has(table, wanted.search))
    sort, total = wanted.sort or key, table.num_rows
    order = "descending" if wanted.is_descending else "ascending"
    keys = [(sort, order)] if sort == key else [(sort, order), (key, "ascending")]
    if pa.types.is_list(table.schema.field(sort).type):
        raise Refused(message("service.no_sort", column=sort))
    places = pc.sort_indices(table, sort_keys=keys)
    begin = max(0, wanted.skip)
    if wanted.cursor is not None:
        begin += _after(table.select(list(dict.fromkeys((sort, key)))).take(places), sort, key, wanted)
    count = max(1, table.num_rows if wanted.is_whole else min(wanted.count, MOST))
    rows = table.take(places.slice(begin, count))
    more = table.num_rows > begin + count
    return Piece(rows, _cursor(rows, sort, key, wanted) if more else None, total)


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


def _after(table: pa.Table, sort: str, key: str, wanted: Wanted) -> int:
    """How many rows of the sorted table come up to the cursor's row, itself included."""
    try:
        digest, value, name = json.loads(base64.urlsafe_b64decode(str(wanted.cursor).encode()))
        kind = table.schema.field(sort).type
        scalar = pa.scalar(None if value is None else _value(str(value), kind), kind)
        last = pa.scalar(_value(str(name), table.schema.field(key).type), table.schema.field(key).type)
    except (ValueError, TypeError, KeyError, binascii.Error, pa.ArrowInvalid) as error:
        raise Refused(message("service.wrong_cursor")) from error
    if digest != _digest(wanted):
        raise Refused(message("service.wrong_cursor"))
    column, keys = table[sort], table[key]
    if sort == key:
        ahead = pc.less_equal(keys, last) if not wanted.is_descending else pc.greater_equal(keys, last)
        return pc.sum(ahead).as_py() or 0
    if not scalar.is_valid:  # those without a value come last
        with_it = pc.and_(pc.is_null(column), pc.less_equal(keys, last))
        return (pc.sum(pc.is_valid(column)).as_py() or 0) + (pc.sum(with_it).as_py() or 0)
    before = pc.less(column, scalar) if not wanted.is_descending else pc.greater(column, scalar)
    with_it = pc.and_(pc.equal(column, scalar), pc.less_equal(keys, last))
    return pc.sum(pc.fill_null(pc.or_(before, with_it), False)).as_py() or 0
