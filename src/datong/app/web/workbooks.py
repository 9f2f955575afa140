"""Workbooks on the planner's pages: a grid goes out as a file, and one that comes back is shown before it counts."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from nicegui import ui
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from datong.app.http.signed_in import CSRF_FIELD, refuse_forged, refuse_without_factor, session_of
from datong.app.service import changes_by_workbook
from datong.app.service.accounts import Session
from datong.app.service.changes_by_workbook import Reviewed, SheetCell, SheetRow
from datong.app.service.grid_as_workbook import MOST_BYTES, XLSX, grid_of
from datong.app.service.grids import Wanted
from datong.app.service.roles_and_permissions import NotSignedIn, Who
from datong.app.service.served_chain import Served
from datong.app.web.layout import action
from datong.app.web.page_elements import Column, address, field, file_field, link, read, table, words
from datong.app.web.visit import Visit, text_of
from datong.app.wording.columns import shown_value, title
from datong.model.errors import DatongError, Refused
from datong.model.words import message

PATH = "/planner/workbook"
# Pages that have workbooks, by the name that a form sends.
PAGES = {"plan": "/planner/plan", "demand": "/planner/demand", "data": "/planner/data"}
# What a browser sends with a file beside it, in bytes.
BESIDE = 64 * 1024
# Bytes of all workbooks that wait to be applied, and rows of one that are shown.
MOST_WAITING_BYTES, ROWS_SHOWN = 4 * MOST_BYTES, 200


@dataclass(frozen=True)
class Brought:
    """A workbook that somebody brought, until it is applied, dropped or crowded out. account: whose. grid: that it is
    of. refused: why it was not kept, which the page tells once."""

    account: int
    grid: str
    content: bytes
    refused: DatongError | None = None


BROUGHT: OrderedDict[str, Brought] = OrderedDict()


def add_workbooks(app: FastAPI, served: Served) -> None:
    """The addresses of files that go out and come in."""

    @app.get(PATH, include_in_schema=False)
    def out(request: Request) -> Response:
        asked, language = request.query_params, "en"
        try:
            session = _session(request, served)
            language = session.who.language
            wanted = Wanted(search=asked.get("find", ""))
            content = changes_by_workbook.sheet(served, session.who, asked.get("grid", ""), wanted, language)
        except NotSignedIn:
            return RedirectResponse("/sign-in?next=/planner/today", 303)
        except DatongError as error:
            return PlainTextResponse(text_of(error, language), 422)
        name = f"{asked.get('grid')}.xlsx"
        return Response(content, media_type=XLSX, headers={"content-disposition": f'attachment; filename="{name}"'})

    @app.post(PATH, include_in_schema=False)
    async def back(request: Request) -> Response:
        page, account = PAGES["plan"], None
        try:
            session = _session(request, served)
            account = session.who.account
            if int(request.headers.get("content-length") or 0) > MOST_BYTES + BESIDE:
                raise Refused(message("web_workbooks.too_large", most=MOST_BYTES // 1_000_000))
            form = await request.form(max_files=1, max_fields=4)
            page = PAGES.get(str(form.get("page")), page)
            refuse_forged("POST", session, str(form.get(CSRF_FIELD, "")))
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise Refused(message("web_data.no_file"))
            content = await file.read()
            made = Brought(account, await asyncio.to_thread(grid_of, content), content)
        except NotSignedIn:
            return RedirectResponse(f"/sign-in?next={page}", 303)
        except DatongError as error:
            made = Brought(-1 if account is None else account, "", b"", error)
        return RedirectResponse(address(page, workbook=_keep(made)), 303)


# Makes a workbook: of who asks, what is asked for, and the language.
MakesSheet = Callable[[Who, Request, str], bytes]


def add_download(app: FastAPI, served: Served, path: str, make: MakesSheet) -> None:
    """The address of a workbook that does not come back."""

    @app.get(path, include_in_schema=False)
    def out(request: Request) -> Response:
        language = "en"
        try:
            session = _session(request, served)
            language = session.who.language
            content = make(session.who, request, language)
        except NotSignedIn:
            return RedirectResponse(f"/sign-in?next={path.rpartition('/')[0]}", 303)
        except DatongError as error:
            return PlainTextResponse(text_of(error, language), 403)
        name = f'attachment; filename="{path.rpartition("/")[2]}"'
        return Response(content, media_type=XLSX, headers={"content-disposition": name})


def _session(request: Request, served: Served) -> Session:
    session = session_of(request.headers, served)
    refuse_without_factor(session)
    return session


def _keep(made: Brought) -> str:
    """Keep a workbook for the page that is loaded next; a name for it that nobody guesses."""
    name = secrets.token_urlsafe(12)
    BROUGHT[name] = made
    while sum(len(one.content) for one in BROUGHT.values()) > MOST_WAITING_BYTES or len(BROUGHT) > 256:
        BROUGHT.popitem(last=False)
    return name


def bar(visit: Visit, page: str, grids: Sequence[str], *, may_change: bool, find: str = "") -> None:
    """Download and upload of a page's grids. find: what the page is narrowed to by a search."""
    with ui.element("div").classes("line workbooks"):
        with ui.element("form").props(f'action="{PATH}" method="get"').classes("line"):
            if len(grids) == 1:
                _hidden("grid", grids[0])
            else:
                choice = ui.element("select").props('name="grid"').classes("plain")
                choice.props["aria-label"] = visit.say("web_workbooks.which")
                with choice:
                    for name in grids:
                        words("option", name).props["value"] = name
            _hidden("find", find)
            with ui.element("button").props('type="submit"').classes("plain"):
                ui.label(visit.say("web_workbooks.download"))
        if may_change:
            form = ui.element("form").props(f'action="{PATH}" method="post" enctype="multipart/form-data"')
            with form.classes("line"):
                _hidden(CSRF_FIELD, visit.csrf)
                _hidden("page", page)
                file_field(visit, visit.say("web_workbooks.choose"), ".xlsx")
                with ui.element("button").props('type="submit"').classes("plain"):
                    ui.label(visit.say("web_workbooks.upload"))


def _hidden(name: str, value: str) -> None:
    hidden = ui.element("input").props('type="hidden"')
    hidden.props["name"], hidden.props["value"] = name, value


async def show_brought(visit: Visit, request: Request) -> None:
    """The workbook that was just brought to this page, if one was: what it would change, and a button to apply it."""
    name = request.query_params.get("workbook", "")
    brought = BROUGHT.get(name)
    if brought is None or brought.account != visit.who.account:
        return
    if brought.refused is not None:
        BROUGHT.pop(name, None)
        words("p", text_of(brought.refused, visit.language), "note bad")
        return
    try:
        looked = await read(
            visit, lambda who: changes_by_workbook.preview(visit.served, who, brought.grid, brought.content)
        )
    except DatongError as error:
        BROUGHT.pop(name, None)
        words("p", text_of(error, visit.language), "note bad")
        return
    _Shown(visit, name, brought, looked)


class _Shown:
    """What a workbook would change, and has changed once it was applied."""

    def __init__(self, visit: Visit, name: str, brought: Brought, looked: Reviewed) -> None:
        self.visit, self.name, self.brought = visit, name, brought
        self.place = ui.element("section").classes("card").props('aria-live="polite"')
        self.place.props["aria-label"] = visit.say("web_workbooks.would")
        with self.place:
            self._rows(looked, visit.say("web_workbooks.would"))
            why = field(visit.say("web_parts.why"), width="26em") if looked.counts["ready"] else None
            with ui.element("div").classes("line"):
                if why is not None:
                    count = looked.counts["ready"]
                    action(visit.say("web_workbooks.apply", count=count), lambda: self.apply(why.text), "main")
                action(visit.say("web_workbooks.drop"), self.drop)

    def _rows(self, found: Reviewed, heading: str) -> None:
        visit = self.visit
        words("h2", heading)
        counts = found.counts
        told = [visit.say(f"web_workbooks.count_{state}", count=count) for state, count in counts.items() if count]
        words("p", " · ".join(told) if told else visit.say("web_workbooks.nothing"))
        if found.gone:
            words("p", visit.say("web_workbooks.gone", keys=", ".join(found.gone[:20]), count=len(found.gone)), "warn")
        if found.missing:
            words("p", visit.say("web_workbooks.missing", count=found.missing), "soft")
        columns = [Column(visit.say(f"web_workbooks.{name}")) for name in ("row", "change", "state")]
        if found.rows:
            table(heading, columns, [self._line(row) for row in found.rows[:ROWS_SHOWN]])
        if len(found.rows) > ROWS_SHOWN:
            words("p", visit.say("web_workbooks.more", count=len(found.rows) - ROWS_SHOWN), "soft")

    def _line(self, row: SheetRow) -> list[str]:
        language = self.visit.language
        cells = "\n".join(self._cell(cell) for cell in row.cells)
        said = [self.visit.say(f"web_workbooks.{row.state}")]
        said += [] if row.said is None else [row.said.text(language)]
        return [row.key, cells, "\n".join([*said, *(one.text(language) for one in row.findings)])]

    def _cell(self, cell: SheetCell) -> str:
        language = self.visit.language
        sent, came, now = (
            shown_value(cell.column, value, language) or "–" for value in (cell.sent, cell.came, cell.now)
        )
        key = "web_workbooks.cell_contested" if cell.is_contested else "web_workbooks.cell"
        return self.visit.say(key, column=title(cell.column, language), before=sent, after=came, now=now)

    async def apply(self, why: str) -> None:
        visit, brought = self.visit, self.brought
        done = await visit.asked(
            lambda who: changes_by_workbook.apply(visit.served, who, brought.grid, brought.content, why)
        )
        if done is None:
            return
        BROUGHT.pop(self.name, None)
        self.place.clear()
        with self.place:
            self._rows(done, visit.say("web_workbooks.done_heading"))
            link(visit.say("web_workbooks.go_on"), visit.path.partition("?")[0])

    def drop(self) -> None:
        BROUGHT.pop(self.name, None)
        ui.navigate.to(self.visit.path.partition("?")[0])
