"""Lists piece by piece that are no tables of the service: a cursor says where the piece before ended.

It names the last row that was handed out. Where that is gone nobody knows what comes after it, and the answer says so;
rows that come and go elsewhere neither repeat nor hide others.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar

import pyarrow as pa
from fastapi import Depends, Query
from pydantic import BaseModel, create_model

from datong.app.rest.json_answers import Rows, many, plain
from datong.app.rest.shapes import Count
from datong.model.errors import Refused
from datong.model.words import message

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """cursor: where the piece before ended; None: the first piece. count: most rows."""

    cursor: str | None
    count: int


def _wanted(
    cursor: Annotated[str | None, Query(max_length=4000, description="Where the piece before ended.")] = None,
    count: Count = 100,
) -> Wanted:
    return Wanted(cursor, count)


AskedPiece = Annotated[Wanted, Depends(_wanted)]


class RowsPiece(BaseModel):
    """rows: of a table. cursor: asks for the rows after these; None: there are none. total: how many there are."""

    rows: Rows
    cursor: str | None
    total: int


@cache
def piece_of(kind: type) -> Any:
    """The shape of a piece of a list. kind: of what, a dataclass or a shape."""
    name = f"{kind.__name__}Piece"
    told = "rows: of the list. cursor: asks for the rows after these; None: there are none. total: how many there are."
    return create_model(name, __doc__=told, rows=(many(kind), ...), cursor=(str | None, ...), total=(int, ...))


def piece(values: Sequence[T], wanted: Wanted, key: Callable[[T], str], form: Callable[[T], Any] = plain) -> Any:
    """A piece of a list. key: tells its rows apart. form: of a row as JSON has it. Raises Refused."""
    begin, end, cursor = span(len(values), wanted, lambda at: key(values[at]))
    return {"rows": [form(one) for one in values[begin:end]], "cursor": cursor, "total": len(values)}


def rows_piece(table: pa.Table, wanted: Wanted) -> Any:
    """A piece of a table whose rows nothing but their content tells apart. Raises Refused."""

    def key(at: int) -> str:
        text = json.dumps(table.slice(at, 1).to_pylist(), default=str, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    begin, end, cursor = span(table.num_rows, wanted, key)
    return {"rows": plain(table.slice(begin, end - begin)), "cursor": cursor, "total": table.num_rows}


def span(length: int, wanted: Wanted, key: Callable[[int], str]) -> tuple[int, int, str | None]:
    """Where a piece begins and ends, and the cursor of the next one. key: of the row at a place. Raises Refused for a
    cursor that is none, or of a row that is there no more."""
    begin = 0 if wanted.cursor is None else _after(length, wanted.cursor, key)
    end = min(begin + wanted.count, length)
    return begin, end, None if end >= length else _cursor(end, key(end - 1))


def _cursor(place: int, key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([place, key], ensure_ascii=False).encode()).decode()


def _after(length: int, cursor: str, key: Callable[[int], str]) -> int:
    try:
        place, name = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        place, name = int(place), str(name)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise Refused(message("service.wrong_cursor")) from error
    if 0 < place <= length and key(place - 1) == name:
        return place
    found = next((at for at in range(length) if key(at) == name), None)
    if found is None:
        raise Refused(message("service.wrong_cursor"))
    return found + 1
