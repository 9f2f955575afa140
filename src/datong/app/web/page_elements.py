"""Parts that several pages are made of: tables, fields, pictures, and work that takes long."""

import asyncio
import math
import unicodedata
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments

from datong.app.service.jobs import Job
from datong.app.service.last_run_in_memory import LastPlan
from datong.app.service.roles_and_permissions import Who
from datong.app.service.what_if import WhatIf
from datong.app.web.job_progress import PlanAnew, stage_words
from datong.app.web.kept_parts import KeptParts, Part
from datong.app.web.layout import action
from datong.app.web.visit import Visit, text_of
from datong.app.wording import figures
from datong.model.errors import DatongError

T = TypeVar("T")
# Kinds of a column: words, numbers at the right, or whatever a function puts there.
Cell = str | Callable[[], Any]


@dataclass(frozen=True)
class Column:
    """title: in the reader's language. is_number: stands at the right."""

    title: str
    is_number: bool = False


def words(tag: str, text: str, classes: str = "") -> TextElement:
    """An element that holds a text, which stays a text."""
    made = TextElement(tag=tag, text=text)
    return made.classes(classes) if classes else made


# Signs of a cell that is not broken into lines: a day, a moment, a code, two days.
SHORT = 24


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """A plain table. caption: what it shows, for those who hear it. A cell that is a function puts its own elements
    there."""
    with table_body(caption, columns):
        for row in rows:
            with ui.element("tr"):
                table_cells(columns, row)


def table_body(caption: str, columns: Sequence[Column]) -> ui.element:
    """A plain table without its rows; gives the element that they go into."""
    with ui.element("div").classes("scroll").props('tabindex="0"'), ui.element("table").classes("plain"):
        words("caption", caption, "hidden")
        with ui.element("thead"), ui.element("tr"):
            for column in columns:
                words("th", column.title, "number" if column.is_number else "").props('scope="col"')
        return ui.element("tbody")


def table_cells(columns: Sequence[Column], row: Sequence[Cell]) -> None:
    """The cells of a row, in its element."""
    for column, cell in zip(columns, row, strict=True):
        is_short = isinstance(cell, str) and len(cell) <= SHORT
        _cell(cell, "number" if column.is_number else "whole" if is_short else "")


def _cell(cell: Cell, classes: str) -> None:
    if isinstance(cell, str):
        words("td", cell, classes)
        return
    with ui.element("td").classes(classes):
        cell()


def link(text: str, path: str, **asked: str | None) -> ui.link:
    """A link to a page of ours, with what is asked of it."""
    return ui.link(text, address(path, **asked))


def address(path: str, **asked: str | None) -> str:
    told = {name: value for name, value in asked.items() if value}
    return f"{path}?{urlencode(told)}" if told else path


class Box(ui.element):
    """An input or a choice; `text` is what stands in it, `at_first` what stood there when the page was drawn."""

    def __init__(self, tag: str, value: str) -> None:
        super().__init__(tag)
        self._typed = self.at_first = value
        # What is typed is sent a moment after the last key, and when the field is left.
        self.on("input", self._keep, js_handler=VALUE, throttle=0.2, leading_events=False)
        self.on("change", self._keep, js_handler=VALUE)

    def _keep(self, event: GenericEventArguments) -> None:
        self._typed = str(event.args)

    @property
    def text(self) -> str:
        return self._typed.strip()


# What stands in a field at first, as an attribute: as a property it would come back over what is typed whenever the
# page is drawn anew.
AT_FIRST = "^value"
# What stands in a field, for an event.
VALUE = "(e) => emit(e.target.value)"


def field(label: str, *, kind: str = "text", value: str = "", hint: str = "", width: str = "") -> Box:
    """A field with its label. kind: of the input (text, date, search)."""
    with ui.element("label").classes("field"):
        words("span", label)
        box = Box("input", value)
        box.props["type"] = kind
        box.props[AT_FIRST] = value
        if hint:
            box.props["placeholder"] = hint
        if width:
            box.style(f"width: {width}")
    return box


def file_field(visit: Visit, label: str, accept: str = "") -> None:
    """A file of a form, in the page's words where a browser would use its own. accept: suffixes."""
    with ui.element("label").classes("button plain file"):
        words("span", visit.say("web_parts.choose_file"))
        box = ui.element("input").props('type="file" name="file" required').classes("hidden")
        box.props["aria-label"] = label
        if accept:
            box.props["accept"] = accept
        words("span", visit.say("web_parts.no_file"), "soft name")


def choice(label: str, options: Mapping[str, str], value: str = "") -> Box:
    """A field in which one of several is chosen: by value, its words."""
    with ui.element("label").classes("field"):
        words("span", label)
        with Box("select", value or next(iter(options), "")) as box:
            for key, text in options.items():
                option = words("option", text)
                option.props["value"] = key
                if key == value:
                    option.props["selected"] = True
    return box


def number_of(text: str) -> float | None:
    """A number as people type it, also in full width and with thousands parted; None where it is none."""
    plain = unicodedata.normalize("NFKC", text).replace(" ", "").replace(",", "")
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def day_of(text: str) -> date | None:
    """A day as the browser's field gives it; None where it is none."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def change_words(share: float | None) -> str:
    """A change in percent; nothing where none is known."""
    return "" if share is None else f"{share:+.0%}".replace("-0%", "±0%").replace("+0%", "±0%")


def moment_words(visit: Visit, moment: datetime | None) -> str:
    """A moment in the chain's zone, to the minute."""
    if moment is None:
        return figures.NONE
    return f"{moment.astimezone(visit.served.chain_thread.settings.calendar.zone):%Y-%m-%d %H:%M}"


def plan_words(visit: Visit, plan: LastPlan) -> str:
    """Which plan it is: when it was worked out, and the day that it takes for today."""
    made, day = moment_words(visit, plan.made_at), _day_words(visit, plan.as_of)
    return visit.say("web_plan.of_run", run=plan.run, made=made, day=day)


def what_if_words(visit: Visit, one: WhatIf) -> str:
    """Of when a what-if is, as `plan_words`."""
    made, day = moment_words(visit, one.made_at), _day_words(visit, one.moment)
    return visit.say("web_what_if.of_when", made=made, day=day)


def _day_words(visit: Visit, moment: datetime) -> str:
    return visit.served.chain_thread.settings.calendar.local_date(moment).isoformat()


def given_words(visit: Visit, given_at: datetime, arrived_at: datetime | None) -> str:
    """When an answer was given, and when it came where that was later."""
    given = moment_words(visit, given_at)
    if arrived_at is None:
        return given
    return visit.say("web_parts.came_later", given=given, came=moment_words(visit, arrived_at))


def when_words(visit: Visit, bucket: date) -> str:
    """A bucket for a table: its first day."""
    return figures.long_day(bucket, visit.language)


async def read(visit: Visit, task: Callable[[Who], T]) -> T:
    """What the service gives, in a thread; while a page is built, its errors are shown in place of the page."""
    return await asyncio.to_thread(lambda: visit.authorised(task))


def picture(label: str, options: Mapping[str, Any], height: int = 300) -> None:
    """A chart with its name for those who hear it. The table behind it stands beside it, folded."""
    box = ui.element("figure").props('role="img"').classes("chart")
    box.props["aria-label"] = label
    with box:
        ui.echart(dict(options)).style(f"height: {height}px")


@contextmanager
def folded(title: str) -> Generator[None]:
    """What stands below a title that opens it."""
    with ui.element("details"):
        words("summary", title)
        yield


def folded_later(title: str, build: Callable[[], object]) -> None:
    """What stands below a title that opens it, drawn when it is opened first: a page with thousands of cells would
    paint late for who never looks at them."""
    with ui.element("details") as box:
        words("summary", title)

    def opened() -> None:
        if len(box.default_slot.children) == 1:
            with box:
                build()

    box.on("toggle", opened, args=[])


def chart_base(unit: str = "") -> dict[str, Any]:
    """What all charts have: no colour of their own behind, texts that are read on light and dark."""
    soft = "#7a8594"
    return {
        "backgroundColor": "transparent",
        "animation": False,
        "textStyle": {"color": soft, "fontFamily": "inherit"},
        "tooltip": {"trigger": "axis", "renderMode": "richText", "confine": True},
        "legend": {"textStyle": {"color": soft}, "top": 0, "type": "scroll"},
        # The unit stands above its axis, below the legend.
        "grid": {"left": 8, "right": 16, "top": 52 if unit else 36, "bottom": 8, "containLabel": True},
        "yAxis": {
            "type": "value",
            "name": unit,
            "nameTextStyle": {"color": soft, "align": "left"},
            "axisLabel": {"color": soft},
            "splitLine": {"lineStyle": {"color": soft, "opacity": 0.25}},
        },
    }


def marked_area(first: int, last: int, count: int) -> list[dict[str, int]]:
    """Buckets that are marked on a picture, by their places among `count`: from the beginning of the first to that of
    the bucket after the last, so that one alone can be seen; the very last one from the bucket before it on."""
    end = min(last + 1, count - 1)
    return [{"xAxis": min(first, max(end - 1, 0))}, {"xAxis": end}]


# work that takes long ----------------------------------------------------------------------------


def job_line(visit: Visit, job: Job, on_done: Callable[[Job], Awaitable[None] | None]) -> None:
    """How far a job is, until it ends; it can be stopped. on_done: told of its end, where it went well."""
    box = ui.element("p").classes("job").props('role="status"')
    seen = {"done": False}
    with box:
        told, wrong = words("span", ""), KeptParts(ui.element("span"), "span", "bad")
        acts = KeptParts(ui.element("span"), "span")

    def show(now: Job) -> None:
        """The button to stop it stays while it goes on."""
        told.text = stage_words(visit, now) if now.is_open else visit.say(f"web_parts.job_{now.state}")
        error = "" if now.error is None else now.error[visit.language]
        wrong.draw([Part("", error, lambda: words("span", error))] if error else [])
        button = Part("", "stop", lambda: action(visit.say("web_parts.stop"), stop, "quiet"))
        acts.draw([button] if now.is_open else [])

    async def stop() -> None:
        now = await visit.asked(lambda who: visit.served.cancel_job(who, job.job))
        if now is not None:
            show(now)

    async def look(_events: Any = None) -> None:
        try:
            now = await read(visit, lambda who: visit.served.jobs.job(who, job.job))
        except DatongError as error:
            visit.tell(text_of(error, visit.language), "negative")
            return
        show(now)
        if now.state == "done" and not seen["done"]:
            seen["done"] = True
            found = on_done(now)
            if found is not None:
                await found

    show(job)
    visit.follow(("job",), look)
    ui.timer(0.1, look, once=True)  # it may have ended before the page listened


def plan_button(visit: Visit, *, is_main: bool = True) -> None:
    """A button that makes a new plan; the page is loaded again when there is one, whoever made it."""
    PlanAnew(visit, None, is_main)
    visit.follow(("plan",), lambda _events: ui.navigate.to(visit.path))


async def confirmed(visit: Visit, text: str, yes: str) -> bool:
    """Whether somebody says yes."""
    with ui.dialog() as dialog, ui.element("div").classes("card"):
        dialog.props["aria-label"] = text
        words("p", text)
        with ui.element("div").classes("line"):
            action(yes, lambda: dialog.submit(True), "main")
            action(visit.say("web_parts.no"), lambda: dialog.submit(False))
    answer = await dialog
    dialog.delete()
    return bool(answer)


async def asked_why(visit: Visit, title: str, yes: str) -> str | None:
    """Why somebody does something, which may be left empty; None where they do not do it."""
    with ui.dialog() as dialog, ui.element("div").classes("card"):
        dialog.props["aria-label"] = title
        words("p", title)
        why = field(visit.say("web_parts.why"), width="26em")
        with ui.element("div").classes("line"):
            action(yes, lambda: dialog.submit(why.text), "main")
            action(visit.say("web_parts.no"), dialog.close)
    answer = await dialog
    dialog.delete()
    return None if answer is None else str(answer)
