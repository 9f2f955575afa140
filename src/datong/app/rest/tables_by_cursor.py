"""Tables piece by piece: what is asked of one in the address, and what comes of it.

Each table of the API is answered by `grid`, which is given how to ask for any piece: another form of the whole table (a
workbook) needs no more than that.
"""

from collections.abc import Callable
from typing import Annotated, Any, get_args

import pyarrow as pa
from fastapi import Depends, Query

from datong.app.rest.json_answers import Grid, GridColumn, plain
from datong.app.rest.shapes import Count
from datong.app.service.grids import Filter, Op, Piece, Wanted
from datong.app.wording.columns import title
from datong.model.errors import Refused
from datong.model.words import message

OPS = get_args(Op)


def wanted(
    condition: Annotated[
        list[Annotated[str, Query(max_length=500)]],
        Query(
            max_length=20, description=f"Conditions, all of which hold: COLUMN:OP:VALUE, with OP of {', '.join(OPS)}."
        ),
    ] = [],  # noqa: B006 - the framework copies it
    search: Annotated[str, Query(max_length=200, description="A text in any column of texts.")] = "",
    sort: Annotated[str | None, Query(max_length=100, description="A column.")] = None,
    descending: bool = False,
    cursor: Annotated[str | None, Query(max_length=4000, description="Where the piece before ended.")] = None,
    count: Count = 100,
) -> Wanted:
    """What is asked of a table. Raises Refused."""
    return Wanted(tuple(_filter(text) for text in condition), search, sort, descending, cursor, count)


Asked = Annotated[Wanted, Depends(wanted)]


def _filter(text: str) -> Filter:
    column, _, rest = text.partition(":")
    op, colon, value = rest.partition(":")
    for known in OPS:
        if colon and op == known:
            return Filter(column, known, value)
    raise Refused(message("rest.wrong_condition", text=text, ops=", ".join(OPS)))


def grid(ask: Callable[[Wanted], Piece], wanted: Wanted, language: str) -> Grid:
    """A piece of a table. ask: gives any piece of it."""
    piece = ask(wanted)
    columns = [
        GridColumn(name=field.name, title=title(field.name, language), type=_kind(field.type))
        for field in piece.rows.schema
    ]
    return Grid(columns=columns, rows=plain(piece.rows, language), cursor=piece.cursor, total=piece.total)


def _kind(of: pa.DataType) -> str:
    kinds: tuple[tuple[Callable[[Any], bool], str], ...] = (
        (pa.types.is_boolean, "yes_no"),
        (pa.types.is_integer, "number"),
        (pa.types.is_floating, "number"),
        (pa.types.is_date, "day"),
        (pa.types.is_timestamp, "moment"),
        (pa.types.is_list, "list"),
    )
    return next((name for test, name in kinds if test(of)), "text")
