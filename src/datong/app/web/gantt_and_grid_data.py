"""Pieces of orders that a page in view asks for, guarded by the session of the page."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from datong.app.http.signed_in import refuse_without_factor, session_of
from datong.app.service import gantt
from datong.app.service.grids import Filter, Wanted
from datong.app.service.orders_shown import orders
from datong.app.service.roles_and_permissions import NotAllowed, NotSignedIn, Who
from datong.app.service.served_chain import Served
from datong.app.web.order_columns import SORTED_BY, mark_of, shown_order
from datong.model.errors import DatongError, Refused
from datong.model.words import message, say

# Rows of one piece of the grid.
MOST_ROWS = 500
# Tiles of the picture in one answer: all that a large screen shows.
MOST_TILES = 24


def add_tiles(app: FastAPI, served: Served) -> None:
    """Offer the pieces under /planner/data."""

    @app.get("/planner/data/orders", include_in_schema=False)
    def order_rows(request: Request) -> Response:
        return _answered(request, served, lambda who: _orders(served, who, request))

    @app.get("/planner/data/gantt/lines", include_in_schema=False)
    def lines(request: Request) -> Response:
        return _answered(request, served, lambda who: _lines(served, who))

    @app.get("/planner/data/gantt", include_in_schema=False)
    def tiles(request: Request) -> Response:
        return _answered(request, served, lambda who: _tiles(served, who, request))


def _answered(request: Request, served: Served, task: Callable[[Who], dict[str, Any]]) -> Response:
    language = "en"
    try:
        session = session_of(request.headers, served)
        language = session.who.language
        refuse_without_factor(session)
        return JSONResponse(task(session.who))
    except NotSignedIn as error:
        return JSONResponse({"error": error.message.text(language)}, 401)
    except NotAllowed as error:
        return JSONResponse({"error": error.message.text(language)}, 403)
    except DatongError as error:
        return JSONResponse({"error": error.message.text(language)}, 400)


def _orders(served: Served, who: Who, request: Request) -> dict[str, Any]:
    asked = request.query_params
    sort = asked.get("sort") or None
    wanted = Wanted(
        filters=_filters(asked.get("filters") or "[]"),
        search=asked.get("search", "")[:200],
        sort=SORTED_BY.get(sort, sort) if sort else "start",
        is_descending=asked.get("descending") == "true",
        count=min(_number(asked.get("count"), 100), MOST_ROWS),
        skip=_number(asked.get("skip"), 0),
    )
    found = orders(served, who, wanted)
    return {"rows": [shown_order(row, who.language) for row in found.rows.to_pylist()], "total": found.total}


def _filters(text: str) -> tuple[Filter, ...]:
    try:
        return tuple(Filter(str(column), op, str(value)) for column, op, value in json.loads(text))
    except (ValueError, TypeError) as error:
        raise Refused(message("service.wrong_filter", column="-", op="-", value=text[:80])) from error


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default


def _lines(served: Served, who: Who) -> dict[str, Any]:
    found = gantt.lines(served, who)
    return {
        "lines": [[line.line, line.orders] for line in found.lines],
        "closed": [
            [list(one.rows), [[first.isoformat(), after.isoformat()] for first, after in one.spans]]
            for one in gantt.closed(served, who)
        ],
        "first": found.first.isoformat(),
        "last": found.last.isoformat(),
        "today": found.today.isoformat(),
    }


def _tiles(served: Served, who: Who, request: Request) -> dict[str, Any]:
    """Several pieces of the picture in one answer, each asked for as tile=from,to,first,last: lines from one to before
    another, and days."""
    found = []
    for text in request.query_params.getlist("tile")[:MOST_TILES]:
        from_row, to_row, first, last, *_ = (*text.split(","), "", "", "", "")
        found.append(_tile(served, who, (_number(from_row, 0), _number(to_row, 0)), (first, last)))
    return {"tiles": found}


def _tile(served: Served, who: Who, rows: tuple[int, int], days: tuple[str, str]) -> dict[str, Any]:
    try:
        first, last = map(date.fromisoformat, days)
    except ValueError as error:
        raise Refused(message("web_plan.no_days")) from error
    found = gantt.bars(served, who, *rows, first, last)
    if found.rows is None:
        return {"load": [[one.row, one.bucket.isoformat(), one.days, one.orders, one.share] for one in found.load]}
    bars = [
        [
            row["order"],
            row["row"],
            row["start"].isoformat(),
            row["until"].isoformat(),
            mark_of(row),
            row["locked"],
            row["name"] or row["product"],
            row["origin"] != "out",
            None if row["counted_on"] is None else row["due"].isoformat(),
            "" if row["counted_on"] is None else say("web_plan.bar_promised", who.language, due=row["due"]),
        ]
        for row in found.rows.to_pylist()
    ]
    return {"bars": bars}
