"""The page Audit: who changed what, when, from what to what, and why; as a workbook, too."""

from fastapi import FastAPI
from nicegui import ui
from starlette.requests import Request

from datong.app.service import audit_list
from datong.app.service.audit_list import Looked, act_words, by_words, entry_words
from datong.app.service.audit_words import way_words
from datong.app.service.served_chain import Served
from datong.app.web.page_elements import AT_FIRST, Column, day_of, link, moment_words, read, table, words
from datong.app.web.visit import Visit
from datong.app.web.workbooks import add_download
from datong.app.wording import figures

PATH = "/planner/audit"
# Entries that are shown at once.
LISTED = 100


def add_downloads(app: FastAPI, served: Served) -> None:
    """What is looked for as a workbook."""
    add_download(
        app,
        served,
        f"{PATH}/found.xlsx",
        lambda who, request, language: audit_list.audit_sheet(served, who, _looked(request), language),
    )


def _looked(request: Request) -> Looked:
    asked = request.query_params
    texts = (asked.get("by", "")[:80], asked.get("what", "")[:80], asked.get("subject", "")[:400])
    return Looked(*texts, day_of(asked.get("first", "")), day_of(asked.get("last", "")))


async def build(visit: Visit, request: Request) -> None:
    served, looked, language = visit.served, _looked(request), visit.language
    told = request.query_params.get("before", "")
    before = int(told) if told.isdecimal() and len(told) < 19 else None
    found = await read(visit, lambda who: audit_list.audit_list(served, who, looked, before, LISTED))
    acts = await read(visit, lambda who: audit_list.acts(served, who))
    _filter(visit, looked, {what: act_words(what, language) for what in acts})
    words("p", visit.say("web_people.entries", shown=len(found.rows), total=figures.number(found.total)), "soft")
    columns = [
        Column(visit.say(f"web_people.{name}"))
        for name in ("when", "by", "by_way", "act", "what_changed", "before", "after", "why")
    ]
    rows = [
        [
            moment_words(visit, one.at),
            by_words(one.by, language),
            way_words(one.way, language),
            act_words(one.what, language),
            one.subject,
            *entry_words(one, language),
        ]
        for one in found.rows
    ]
    table(visit.say("web.page.audit"), columns, rows)
    if found.before is not None:
        link(visit.say("web_parts.more"), PATH, before=str(found.before), **_asked(looked))


def _asked(looked: Looked) -> dict[str, str]:
    days = {name: day.isoformat() for name in ("first", "last") if (day := getattr(looked, name)) is not None}
    return {"by": looked.by, "what": looked.what, "subject": looked.subject} | days


def _filter(visit: Visit, looked: Looked, acts: dict[str, str]) -> None:
    """A form that asks for the page anew, and one that asks for the workbook of the same."""
    with ui.element("form").props(f'action="{PATH}" method="get" role="search"').classes("line"):
        for name, value, kind in (
            ("by", looked.by, "text"),
            ("subject", looked.subject, "text"),
            ("first", "" if looked.first is None else looked.first.isoformat(), "date"),
            ("last", "" if looked.last is None else looked.last.isoformat(), "date"),
        ):
            with ui.element("label").classes("field"):
                words("span", visit.say(f"web_people.find_{name}"))
                box = ui.element("input").props(f'type="{kind}" name="{name}"').classes("plain")
                box.props[AT_FIRST] = value
        with ui.element("label").classes("field"):
            words("span", visit.say("web_people.act"))
            with ui.element("select").props('name="what"').classes("plain"):
                for what, text in {"": visit.say("web_people.any"), **acts}.items():
                    option = words("option", text)
                    option.props["value"] = what
                    if what == looked.what:
                        option.props["selected"] = True
        with ui.element("button").props('type="submit"').classes("main"):
            ui.label(visit.say("web_people.find"))
    link(visit.say("web_people.as_workbook"), f"{PATH}/found.xlsx", **_asked(looked))
