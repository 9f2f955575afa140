"""The page Data: files brought in after a look at what they do, rows that wait mended, and how fresh all of it is."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from nicegui import ui
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from datong.app.http.signed_in import CSRF_FIELD, refuse_forged, session_of
from datong.app.service import data
from datong.app.service.changes_by_workbook import table_names
from datong.app.service.data import Fresh, Taken, Upload, Waiting, as_waiting
from datong.app.service.file_fits import Fit, Part, file_parts
from datong.app.service.grids import Wanted
from datong.app.service.roles_and_permissions import NotSignedIn, Permission, Who
from datong.app.service.served_chain import Served
from datong.app.web.layout import action, heading
from datong.app.web.other_readings import SAME, on_page, readings_of
from datong.app.web.page_elements import (
    VALUE,
    Box,
    Column,
    address,
    asked_why,
    choice,
    field,
    file_field,
    folded,
    link,
    moment_words,
    read,
    table,
    words,
)
from datong.app.web.visit import Visit, text_of
from datong.app.web.workbooks import bar, show_brought
from datong.app.wording import figures
from datong.ledger.protocol import written_at
from datong.ledger.verdicts import BY_HAND
from datong.model.errors import Asked, DatongError, Refused
from datong.model.findings import Finding
from datong.model.tables import tables
from datong.model.words import Message, message

PATH, UPLOAD = "/planner/data", "/planner/data/upload"
# Most bytes of what a browser sends with a file.
MOST_SENT = data.MOST_BYTES + 64 * 1024
# Why files were refused, until the page has told it; most of them.
REFUSED: OrderedDict[str, Message] = OrderedDict()
MOST_REFUSED = 64
# Rows that wait, writes, and findings that are shown at once.
WAITING_SHOWN, WRITES_SHOWN, FINDINGS_SHOWN = 25, 25, 20
# Cells of a row that waits that are shown in the list.
CELLS_SHOWN = 6
# Values of a column that a question shows.
SAMPLES = 3


async def build(visit: Visit, request: Request) -> None:
    served = visit.served
    refused = REFUSED.pop(request.query_params.get("refused", ""), None)
    if refused is not None:
        words("p", refused.text(visit.language), "note bad")
    if visit.who.may(Permission.CHANGE_DATA):
        there = await read(visit, lambda who: data.uploads(served, who))
        _files(visit, there, request.query_params.get("look"))
    heading(visit.say("web_workbooks.tables"))
    words("p", visit.say("web_workbooks.tables_how"), "soft")
    bar(visit, "data", table_names(), may_change=visit.who.may(Permission.CHANGE_DATA))
    await show_brought(visit, request)
    found = await read(visit, lambda who: data.folder_findings(served, who))
    _folder(visit, found)
    wanted = Wanted(count=WAITING_SHOWN, cursor=request.query_params.get("waiting_after"))
    held = await read(visit, lambda who: data.quarantine(served, who, wanted))
    _quarantine(visit, [as_waiting(row) for row in held.rows.to_pylist()], held.total, held.cursor)
    _fresh(visit, await read(visit, lambda who: data.freshness(served, who)))
    writes = Wanted(count=WRITES_SHOWN, cursor=request.query_params.get("writes_after"))
    came = await read(visit, lambda who: data.arrivals(served, who, writes))
    _writes(visit, came.rows.to_pylist(), came.cursor)
    platforms = await read(visit, lambda who: data.profiles(served, who))
    heading(visit.say("web_data.platforms"))
    with folded(visit.say("web_data.platforms_known", count=len(platforms))):
        own = visit.say("web_data.own")
        names = [f"{one.called(visit.language)}{f' · {own}' if is_own else ''}" for one, is_own in platforms]
        words("p", "; ".join(names))


# files -------------------------------------------------------------------------------------------


def _files(visit: Visit, there: tuple[Upload, ...], look: str | None) -> None:
    """What was brought and waits. look: the one that is looked at."""
    heading(visit.say("web_data.bring"))
    words("p", visit.say("web_data.bring_how", most=data.MOST_BYTES // 2**20), "soft")
    with ui.element("form").props(f'action="{UPLOAD}" method="post" enctype="multipart/form-data"').classes("line"):
        hidden = ui.element("input").props('type="hidden"')
        hidden.props["name"], hidden.props["value"] = CSRF_FIELD, visit.csrf
        file_field(visit, visit.say("web_data.choose"))
        with ui.element("button").props('type="submit"').classes("main"):
            ui.label(visit.say("web_data.look"))
    for one in there:
        with ui.element("div").classes("line"):
            words("span", visit.say("web_data.waits", name=one.name))
            link(visit.say("web_data.look"), PATH, look=one.upload)
            action(visit.say("web_data.drop"), lambda one=one: _drop(visit, one), "quiet")
    place = ui.element("div").props('aria-live="polite"')
    chosen = next((one for one in there if one.upload == look), None)
    if chosen is not None:
        with place:
            ui.timer(0.1, File(visit, chosen).begin, once=True)


async def _drop(visit: Visit, upload: Upload) -> None:
    """Forget a file that waits; who brought it, and that it was dropped, stays in the audit."""

    def task(who: Who) -> bool:
        data.drop_upload(visit.served, who, upload.upload)
        return True

    if await visit.asked(task):
        ui.navigate.to(PATH)


def add_upload(app: FastAPI, served: Served) -> None:
    """The address to which the page sends a file: kept for who is signed in, and looked at on the page."""

    @app.post(UPLOAD, include_in_schema=False)
    async def uploaded(request: Request) -> Response:
        try:
            session = session_of(request.headers, served)
        except NotSignedIn:
            return RedirectResponse(f"/sign-in?next={PATH}", 303)
        try:
            if int(request.headers.get("content-length") or 0) > MOST_SENT:
                raise Refused(message("web_data.rejected", most=data.MOST_BYTES // 2**20))
            form = await request.form(max_files=1, max_fields=4)
            refuse_forged("POST", session, str(form.get(CSRF_FIELD, "")))
            file = form.get("file")
            if session.must_factor or not isinstance(file, UploadFile):
                raise Refused(message("web_data.no_file"))
            content = await file.read()
            made = await asyncio.to_thread(data.upload, served, session.who, file.filename or "", content)
        except DatongError as error:
            return RedirectResponse(address(PATH, refused=_note_refusal(error.message)), 303)
        return RedirectResponse(address(PATH, look=made.upload), 303)


def _note_refusal(text: Message) -> str:
    """Keep why a file was refused for the page that is loaded next; a name for it, so that no link can say anything."""
    name = secrets.token_urlsafe(8)
    REFUSED[name] = text
    if len(REFUSED) > MOST_REFUSED:
        REFUSED.popitem(last=False)
    return name


class File:
    """A file that waits: what it would do, what it asks, and the buttons to take it in or drop it."""

    def __init__(self, visit: Visit, upload: Upload) -> None:
        self.visit, self.upload = visit, upload
        self.answers: dict[str, str] = {}
        self.table: str | None = None  # whose rows they are; None: as the file says
        self.parts: tuple[Part, ...] = ()
        self.place = ui.element("section").classes("card")

    async def begin(self) -> None:
        found = await self.visit.asked(lambda who: file_parts(self.visit.served, who, self.upload.upload))
        self.parts = found or ()
        await self.look()

    async def look(self) -> None:
        """Show what taking it in would do, or what has to be answered before."""
        visit, served, name = self.visit, self.visit.served, self.upload.upload
        with self.place:
            words("p", visit.say("web_data.reading", name=self.upload.name)).props('role="status"')
        try:
            table = self.table
            taken = await read(visit, lambda who: data.preview(served, who, name, table, dict(self.answers)))
        except Asked as asked:
            self.place.clear()
            with self.place:
                self._contents()
                self._ask(asked)
        except NotSignedIn as error:
            self.place.clear()
            if await visit.tell_signed_out(error):
                await self.look()
        except DatongError as error:
            self.place.clear()
            with self.place:
                self._contents()
                text = text_of(error, visit.language)
                words("p", on_page(text, visit.language), "note")
                self._other_readings([text])
                if len(self.parts) == 1:
                    words("p", visit.say("web_data.choose_above"))
                action(visit.say("web_data.drop"), self.drop)
        else:
            self.place.clear()
            with self.place:
                self._contents()
                self._show(taken)

    def _contents(self) -> None:
        """The first rows of the file, and whose they are: as it says, or a table that is chosen."""
        visit = self.visit
        for part in self.parts:
            words("h3", visit.say("web_data.first_rows", name=part.name, count=len(part.rows)))
            table(part.name, [Column(name) for name in part.columns], part.rows)
        if len(self.parts) != 1:
            return
        options = {"": visit.say("web_data.as_it_says")}
        fits = {fit.table: fit for fit in self.parts[0].fits}
        for name in (*fits, *(name for name in tables() if name not in fits)):
            options[name] = self._fit_words(fits.get(name), name)
        box = choice(visit.say("web_data.which_table"), options, self.table or "")

        async def chosen() -> None:
            self.table = box.text or None
            await self.look()

        box.on("change", chosen, js_handler=VALUE)

    def _fit_words(self, fit: Fit | None, name: str) -> str:
        """A table with how well it fits."""
        if fit is None:
            return self.visit.say("web_data.fits_not", table=name)
        told = {"table": name, "known": len(fit.known), "all": len(self.parts[0].columns)}
        if fit.missing:
            return self.visit.say("web_data.fits_without", missing=", ".join(fit.missing), **told)
        return self.visit.say("web_data.fits", **told)

    def _ask(self, asked: Asked) -> None:
        visit = self.visit
        words("p", visit.say("web_data.asked", count=len(asked.questions)))
        chosen: dict[str, ui.radio] = {}
        for question in asked.questions:
            asks = on_page(question.asks.text(visit.language), visit.language)
            words("h3", asks)
            samples = ", ".join(question.samples[:SAMPLES])
            if question.columns and samples:
                told = {"columns": ", ".join(question.columns), "samples": samples}
                words("p", visit.say("web_data.samples_of", **told), "soft")
            elif samples:
                words("p", visit.say("web_data.samples", samples=samples), "soft")
            options = {one.name: on_page(one.says.text(visit.language), visit.language) for one in question.options}
            with ui.element("div").props('role="radiogroup"').classes("readings") as group:
                group.props["aria-label"] = asks
                chosen[question.key] = ui.radio(options, value=question.options[0].name).props("dense")

        async def answer() -> None:
            self.answers |= {key: str(box.value) for key, box in chosen.items()}
            await self.look()

        with ui.element("div").classes("line"):
            action(visit.say("web_data.answer"), answer, "main")
            action(visit.say("web_data.drop"), self.drop)

    def _other_readings(self, texts: Sequence[str]) -> None:
        """A control for each reading that texts name, which reads the file anew by it."""
        visit = self.visit

        def read_as(key: str, reading: str) -> Awaitable[None]:
            self.answers[key] = reading
            return self.look()

        for one in readings_of(texts, tuple(self.answers)):
            if not one.is_open:
                name = visit.say("web_data.read_as", name=one.key, reading=one.reading)
                action(name, lambda one=one: read_as(one.key, one.reading))
                continue
            with ui.element("div").classes("line"):
                box = field(visit.say("web_data.same_as", code=one.key.removeprefix(SAME)))
                same = visit.say("web_data.read_same")
                action(same, lambda one=one, box=box: read_as(one.key, box.text.strip() or one.reading))

    def _show(self, taken: Taken) -> None:
        visit = self.visit
        words("h3", visit.say("web_data.would", name=self.upload.name))
        _reports(visit, taken)
        if taken.reading is not None:
            columns = [Column(visit.say(f"web_data.{c}")) for c in ("field", "column", "because")]
            own = [(message(f"export.field.{g.field}"), g.column, g.reason) for g in taken.reading.columns]
            lang = visit.language
            rows = [[name.text(lang), column, reason.text(lang)] for name, column, reason in own]
            with folded(visit.say("web_data.how_read")):
                table(visit.say("web_data.how_read"), columns, rows)
        _findings(visit, taken.findings)
        self._other_readings([one.text(visit.language) for one in taken.findings[:FINDINGS_SHOWN]])
        with ui.element("div").classes("line"):
            action(visit.say("web_data.take"), self.take, "main")
            action(visit.say("web_data.drop"), self.drop)

    async def take(self) -> None:
        visit, served, name = self.visit, self.visit.served, self.upload.upload
        table = self.table
        taken = await visit.asked(lambda who: data.take(served, who, name, table, dict(self.answers)))
        if taken is not None:
            visit.tell(visit.say("web_data.taken", name=self.upload.name))
            ui.navigate.to(PATH)

    async def drop(self) -> None:
        await _drop(self.visit, self.upload)


def _reports(visit: Visit, taken: Taken) -> None:
    columns = [Column(visit.say("web_data.table"))]
    names = ("rows", "added", "superseded", "known", "quarantined")
    columns += [Column(visit.say(f"web_data.{n}"), is_number=True) for n in names]
    rows = [[one.table, *(figures.number(getattr(one, n)) for n in names)] for one in taken.reports]
    if rows:
        table(visit.say("web_data.would_short"), columns, rows)
    else:
        words("p", visit.say("web_data.nothing_new"))


def _findings(visit: Visit, found: tuple[Finding, ...]) -> None:
    for one in found[:FINDINGS_SHOWN]:
        words(
            "p",
            on_page(one.text(visit.language), visit.language),
            {"error": "bad", "warning": "warn"}.get(one.severity, "soft"),
        )
    if len(found) > FINDINGS_SHOWN:
        words("p", visit.say("web_what_if.more", count=len(found) - FINDINGS_SHOWN), "soft")


def _folder(visit: Visit, found: tuple[Finding, ...]) -> None:
    if not found:
        return
    heading(visit.say("web_data.folder"))
    _findings(visit, found)


# rows that wait ----------------------------------------------------------------------------------


def _quarantine(visit: Visit, rows: list[Waiting], total: int, cursor: str | None) -> None:
    heading(visit.say("web_data.quarantine"))
    if not rows:
        words("p", visit.say("web_data.none_wait"), "soft")
        return
    may = visit.who.may(Permission.CHANGE_DATA)
    words("p", visit.say("web_data.wait", count=figures.number(total)))
    if may:
        with ui.element("div").classes("line"):
            action(visit.say("web_data.retry"), lambda: _retry(visit))
    columns = [Column(visit.say(f"web_data.{c}")) for c in ("where", "cells", "wrong", "act")]
    table(visit.say("web_data.quarantine"), columns, [_waiting_line(visit, row, may) for row in rows])
    if cursor is not None:
        link(visit.say("web_parts.more"), PATH, waiting_after=cursor)


def _waiting_line(visit: Visit, row: Waiting, may: bool) -> list[Any]:
    def act() -> None:
        if may:
            action(visit.say("web_data.mend"), lambda: _mend(visit, row), "quiet")
            action(visit.say("web_data.discard"), lambda: _discard(visit, row), "quiet")

    where = f"{row.table} · {row.source}" if row.source != row.table else row.table
    where += "" if row.row is None else visit.say("web_data.at_row", row=row.row)
    cells = ", ".join(f"{name}={value}" for name, value in list(row.cells.items())[:CELLS_SHOWN] if value)
    return [where, cells, _wrong_words(visit, row), act]


def _wrong_words(visit: Visit, row: Waiting) -> str:
    lang = visit.language
    return "\n".join(f"{one.found[lang]} → {one.remedy[lang]}" for one in row.findings)


async def _mend(visit: Visit, row: Waiting) -> None:
    """A form with the row's cells; what is wrong stands beside its cell."""
    wrong: dict[str | None, list[str]] = {}
    for one in row.findings:
        wrong.setdefault(one.column, []).append(f"{one.found[visit.language]} {one.expected[visit.language]}")
    with ui.dialog(value=True) as dialog, ui.element("div").classes("card form"):
        dialog.props["aria-label"] = title = f"{row.table} · {row.source}"
        words("h2", title)
        for text in wrong.get(None, []):
            words("p", text, "bad")
        boxes: dict[str, Box] = {}
        for name in dict.fromkeys((*row.cells, *(c for c in wrong if c is not None))):
            boxes[name] = field(name, value=row.cells.get(name, ""), width="22em")
            for text in wrong.get(name, []):
                words("p", text, "bad")
        why = field(visit.say("web_parts.why"), width="22em")
        if row.in_folder:
            words("p", visit.say("web_data.in_folder", table=row.table), "warn")

        async def save() -> None:
            cells = {name: b.text for name, b in boxes.items() if b.text != row.cells.get(name, "")}
            done = await visit.asked(lambda who: data.correct(visit.served, who, row.quarantine_id, cells, why.text))
            if done is not None:
                visit.tell(visit.say("web_data.mended"))
                ui.navigate.to(PATH)

        with ui.element("div").classes("line"):
            action(visit.say("web_data.take_row"), save, "main")
            action(visit.say("web_parts.no"), dialog.close)


async def _retry(visit: Visit) -> None:
    reports = await visit.asked(lambda who: data.retry(visit.served, who))
    if reports is not None:
        left = sum(one.rows - one.quarantined for one in reports)
        visit.tell(visit.say("web_data.retried", count=left))
        ui.navigate.to(PATH)


async def _discard(visit: Visit, row: Waiting) -> None:
    why = await asked_why(visit, visit.say("web_data.discard_sure"), visit.say("web_data.discard"))
    if why is None:
        return
    done = await visit.asked(lambda who: data.discard(visit.served, who, [row.quarantine_id], why))
    if done is not None:
        ui.navigate.to(PATH)


# what came in ------------------------------------------------------------------------------------


def _fresh(visit: Visit, found: tuple[Fresh, ...]) -> None:
    heading(visit.say("web_data.fresh"))
    if not found:
        words("p", visit.say("web_data.empty"), "note")
        return
    columns = [Column(visit.say("web_data.table")), Column(visit.say("web_data.rows"), is_number=True)]
    names = ("last_happened", "last_written", "by", "source")
    columns += [Column(visit.say(f"web_data.{c}")) for c in names]
    columns += [Column(visit.say("web_data.quarantined"), is_number=True)]
    rows = [
        [
            one.table,
            figures.number(one.rows),
            moment_words(visit, one.last_happened),
            moment_words(visit, one.at),
            one.by,
            source_words(visit, one.source),
            str(one.waiting) if one.waiting else "",
        ]
        for one in found
    ]
    table(visit.say("web_data.fresh"), columns, rows)


def source_words(visit: Visit, source: str | None) -> str:
    """Where rows came from: a file, or somebody's hand."""
    if source is None:
        return ""
    return source.replace(BY_HAND, visit.say("web_data.by_hand")) if source.startswith(BY_HAND) else source


def _writes(visit: Visit, rows: list[dict[str, Any]], cursor: str | None) -> None:
    heading(visit.say("web_data.writes"))
    columns = [Column(visit.say(f"web_data.{c}")) for c in ("at", "by", "what", "subject", "source")]
    columns += [Column(visit.say("web_data.rows"), is_number=True)]
    table(visit.say("web_data.writes"), columns, [_write_line(visit, row) for row in rows])
    if cursor is not None:
        link(visit.say("web_parts.more"), PATH, writes_after=cursor)


def _write_line(visit: Visit, row: Mapping[str, Any]) -> list[str]:
    subject = row["subject"] + (f" · {row['branch']}" if row["branch"] else "")
    return [
        moment_words(visit, written_at(row)),
        row["by"] or figures.NONE,
        visit.say(f"web_data.did_{row['what']}"),
        subject,
        source_words(visit, row["source"]),
        figures.number(row["how_many"]),
    ]
