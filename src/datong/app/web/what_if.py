"""The page What-if: make one, change anything on it, run it, see it beside the plan, take it over or drop it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from nicegui import ui
from starlette.requests import Request

from datong.app.service import what_if
from datong.app.service.grids import Wanted
from datong.app.service.jobs import Job
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.what_if import Change, Changed, NewRow, WhatIf, as_cell
from datong.app.web.job_progress import open_jobs
from datong.app.web.layout import action, heading
from datong.app.web.page_elements import (
    Column,
    address,
    asked_why,
    choice,
    confirmed,
    field,
    folded,
    job_line,
    link,
    moment_words,
    read,
    table,
    what_if_words,
    words,
)
from datong.app.web.visit import Visit, text_of
from datong.app.wording import figures
from datong.app.wording.columns import coded
from datong.app.wording.counted_on import counted_on_lines
from datong.app.wording.names import Names
from datong.ledger.protocol import TRUNK
from datong.model.errors import DatongError
from datong.model.tables import BESIDE, tables
from datong.questions.compare import ADDED, REMOVED, Comparison

PATH = "/planner/what-if"
# Rows of a table, and differences of each kind, that are shown at once.
LISTED, DIFFERENCES = 25, 25
# Columns of a row that are shown beside its key.
COLUMNS_SHOWN = 5
# The table that is offered first.
FIRST_TABLE = "lines"
# Money and units below these are no difference.
LEAST_MONEY, LEAST_UNITS = 0.5, 0.5


async def build(visit: Visit, request: Request) -> None:
    name = request.query_params.get("name", "")
    there = await read(visit, lambda who: what_if.branches(visit.served, who))
    chosen = next((one for one in there if one.name == name), None)
    if chosen is not None:
        await _one(visit, chosen, request)
        return
    if name:
        words("p", visit.say("web_what_if.gone", name=name), "note")
    words("p", visit.say("web_what_if.what"), "soft")
    if there:
        columns = [Column(visit.say(f"web_what_if.{c}")) for c in ("name", "stands_on", "made", "changed", "state")]
        table(visit.say("web_what_if.all"), columns, [_line(visit, one) for one in there])
    else:
        words("p", visit.say("web_what_if.none"), "note")
    if visit.who.may(Permission.WHAT_IF):
        _make(visit, there)


def _line(visit: Visit, one: WhatIf) -> list[Any]:
    def name() -> None:
        link(one.name, PATH, name=one.name)
        if one.note:
            words("span", f" {one.note}", "soft")

    changed = ", ".join(f"{table} {count}" for table, count in one.changed.items())
    return [
        name,
        _parent(visit, one.parent),
        moment_words(visit, one.made_at),
        changed or figures.NONE,
        visit.say(_state(one)),
    ]


def _parent(visit: Visit, parent: str) -> str:
    return visit.say("web_what_if.the_plan") if parent == TRUNK else parent


def _state(one: WhatIf) -> str:
    if one.last_run is None:
        return "web_what_if.never_run"
    return "web_what_if.is_run" if one.is_current else "web_what_if.changed_since"


def _make(visit: Visit, there: tuple[WhatIf, ...]) -> None:
    heading(visit.say("web_what_if.make"))
    with ui.element("div").classes("line"):
        name = field(visit.say("web_what_if.name"))
        note = field(visit.say("web_what_if.note"), width="24em")
        parents = {TRUNK: visit.say("web_what_if.the_plan"), **{one.name: one.name for one in there}}
        parent = choice(visit.say("web_what_if.stands_on"), parents, TRUNK)

        async def begin() -> None:
            made = await visit.asked(
                lambda who: what_if.make(visit.served, who, name.text, note.text, parent.text or TRUNK)
            )
            if made is not None:
                ui.navigate.to(address(PATH, name=made.name))

        action(visit.say("web_what_if.make_it"), begin, "main")


# one what-if -------------------------------------------------------------------------------------


async def _one(visit: Visit, one: WhatIf, request: Request) -> None:
    with ui.element("div").classes("line"):
        link(visit.say("web_what_if.all"), PATH)
        words("span", f"{visit.say('web_what_if.stands_on')}: {_parent(visit, one.parent)}", "soft")
        words("span", what_if_words(visit, one), "soft")
    heading(one.name)
    if one.note:
        words("p", one.note)
    changed = await read(visit, lambda who: what_if.changes(visit.served, who, one.name))
    _changes(visit, changed)
    may = visit.who.may(Permission.WHAT_IF)
    if may:
        running = await read(visit, lambda who: open_jobs(visit, who, "try", branch=one.name))
        _acts(visit, one, changed, running[0] if running else None)
    if one.is_current:
        try:
            found = await read(visit, lambda who: what_if.compare(visit.served, who, one.name))
        except DatongError as error:
            words("p", text_of(error, visit.language), "note")
        else:
            _comparison(visit, found)
    else:
        words("p", visit.say(_state(one)), "note")
    if may:
        await _change(visit, one, request)


def _changes(visit: Visit, changed: tuple[Changed, ...]) -> None:
    if not changed:
        words("p", visit.say("web_what_if.no_changes"), "soft")
        return
    columns = [Column(visit.say(f"web_what_if.{c}")) for c in ("row", "column", "was", "wanted")]
    rows = []
    for one in changed[:DIFFERENCES]:
        wanted = _plain(one.wanted) if one.column else visit.say("web_what_if.withdrawn")
        now = _plain(one.now) or figures.NONE
        told = visit.say("web_what_if.meanwhile", now=now) if one.is_in_conflict else ""
        was = visit.say("web_what_if.new") if one.is_new else _plain(one.was)
        rows.append(
            [one.row, one.column or figures.NONE, was or figures.NONE, f"{wanted or figures.NONE} {told}".strip()]
        )
    table(visit.say("web_what_if.changes"), columns, rows)
    if len(changed) > DIFFERENCES:
        words("p", visit.say("web_what_if.more", count=len(changed) - DIFFERENCES), "soft")


def _plain(cell: str) -> str:
    """A cell without the point of a whole number."""
    return cell.removesuffix(".0")


def _acts(visit: Visit, one: WhatIf, changed: tuple[Changed, ...], running: Job | None) -> None:
    """Run, take over, drop. running: a job that runs it already, whoever began it."""
    place = ui.element("div").classes("line")

    def follow(job: Job) -> None:
        place.clear()
        with place:
            job_line(visit, job, lambda _job: ui.navigate.to(address(PATH, name=one.name)))

    async def run() -> None:
        job = await visit.asked(lambda who: what_if.start_run(visit.served, who, one.name))
        if job is not None:
            follow(job)

    async def take_over() -> None:
        why = await asked_why(visit, visit.say("web_what_if.take_over_sure"), visit.say("web_what_if.take_over"))
        if why is None:
            return
        anyway = any(c.is_in_conflict for c in changed)
        if anyway and not await confirmed(visit, visit.say("web_what_if.in_conflict"), visit.say("web_what_if.anyway")):
            return
        done = await visit.asked(lambda who: what_if.take_over(visit.served, who, one.name, why, anyway=anyway))
        if done is not None:
            visit.tell(visit.say("web_what_if.taken_over", count=sum(map(len, done.written.values()))))

    async def drop() -> None:
        if not await confirmed(visit, visit.say("web_what_if.drop_sure", name=one.name), visit.say("web_what_if.drop")):
            return

        def task(who: Who) -> bool:
            what_if.drop(visit.served, who, one.name)
            return True

        if await visit.asked(task):
            ui.navigate.to(PATH)

    if running is not None:
        follow(running)
        return
    with place:
        action(visit.say("web_what_if.run"), run, "main" if not one.is_current else "plain")
        if changed and visit.who.may(Permission.CHANGE_DATA):
            action(visit.say("web_what_if.take_over"), take_over, "main" if one.is_current else "plain")
        action(visit.say("web_what_if.drop"), drop)


# changing it -------------------------------------------------------------------------------------


async def _change(visit: Visit, one: WhatIf, request: Request) -> None:
    asked = request.query_params
    names = what_if.changeable()
    name = asked.get("table", FIRST_TABLE)
    name = name if name in names else FIRST_TABLE
    find = asked.get("find", "")
    heading(visit.say("web_what_if.change_it"))
    with ui.element("form").props(f'action="{PATH}"').classes("line"):
        hidden = ui.element("input").props('type="hidden" name="name"')
        hidden.props["value"] = one.name
        tables_there = {t: f"{t} · {getattr(tables()[t], visit.language)[:40]}" for t in names}
        chosen = choice(visit.say("web_what_if.table"), tables_there, name)
        chosen.props["name"] = "table"
        box = field(visit.say("web_what_if.find"), kind="search", value=find)
        box.props["name"] = "find"
        with ui.element("button").props('type="submit"').classes("plain"):
            ui.label(visit.say("web_what_if.show"))
    wanted = Wanted(search=find, count=LISTED, cursor=asked.get("after"))
    held = await read(visit, lambda who: what_if.rows(visit.served, who, one.name, name, wanted))
    rows = held.rows.to_pylist()
    shown = _shown_columns(name, rows)
    action(visit.say("web_what_if.add_row"), lambda: _edit(visit, one, name, None))
    if not rows:
        words("p", visit.say("web_what_if.no_rows", table=name), "soft")
        return

    def row_line(row: Mapping[str, Any]) -> list[Any]:
        def change() -> None:
            action(visit.say("web_what_if.change"), lambda: _edit(visit, one, name, row), "quiet")

        return [row["key"], *(_plain(as_cell(row[c])) for c in shown), change]

    columns = [Column(visit.say("web_what_if.row")), *(Column(c) for c in shown), Column(visit.say("web_what_if.act"))]
    table(name, columns, [row_line(row) for row in rows])
    words("p", visit.say("web_what_if.rows", shown=len(rows), total=figures.number(held.total)), "soft")
    if held.cursor is not None:
        link(visit.say("web_parts.more"), PATH, name=one.name, table=name, find=find, after=held.cursor)


def _shown_columns(name: str, rows: list[dict[str, Any]]) -> list[str]:
    """Columns beside the key: those that say something in some row."""
    key = tables()[name].key
    told = [c for c in tables()[name].columns if c not in (*key, *BESIDE)]
    return [c for c in told if any(row.get(c) is not None for row in rows)][:COLUMNS_SHOWN]


async def _edit(visit: Visit, one: WhatIf, name: str, row: Mapping[str, Any] | None) -> None:
    """A form with a field for each column of a row; what was changed in it is changed on the what-if."""
    spec = tables()[name]
    fixed = (*BESIDE, *(() if row is None else ("valid_from", *spec.key)))
    with ui.dialog(value=True) as dialog, ui.element("div").classes("card form"):
        title = name if row is None else f"{name} · {row['key']}"
        dialog.props["aria-label"] = title
        words("h2", title)
        boxes = {}
        for column in spec.columns.values():
            if column.name in fixed:
                continue
            value = "" if row is None else _plain(as_cell(row.get(column.name)))
            boxes[column.name] = field(column.name, value=value, width="22em")
            words("p", getattr(column, visit.language), "soft")

        async def save() -> None:
            told = {
                c: b.text for c, b in boxes.items() if b.text != ("" if row is None else _plain(as_cell(row.get(c))))
            }
            if not told:
                dialog.close()
                return
            if row is None:
                wanted: list[Change | NewRow | str] = [NewRow(name, told)]
            else:
                wanted = [Change(name, row["key"], column, text) for column, text in told.items()]
            done = await visit.asked(lambda who: what_if.change(visit.served, who, one.name, wanted))
            if done is not None:
                ui.navigate.to(address(PATH, name=one.name, table=name))

        with ui.element("div").classes("line"):
            action(visit.say("web_what_if.keep"), save, "main")
            action(visit.say("web_parts.no"), dialog.close)


# side by side ------------------------------------------------------------------------------------


def _comparison(visit: Visit, found: Comparison) -> None:
    """The plan and the what-if side by side: money, what is served, orders, prices."""
    heading(visit.say("web_what_if.beside"))
    if found.a.as_of != found.b.as_of:
        words("p", visit.say("web_what_if.moments_differ"), "warn")
    if found.learnt_differs:
        words("p", visit.say("web_what_if.learnt_differs"), "soft")
    sides = [Column(_parent(visit, found.a.name), is_number=True), Column(found.b.name, is_number=True)]
    more = Column(visit.say("web_what_if.difference"), is_number=True)
    currency = found.settings.currency
    cost = [Column(visit.say("compare.cost", currency=currency)), *sides, more]
    table(visit.say("compare.cost", currency=currency), cost, _costs(visit, found))
    for line in counted_on_lines(found, [_parent(visit, found.a.name), found.b.name], visit.language)[:DIFFERENCES]:
        words("p", line, "soft")
    served = [r for r in found.tables["demand"].to_pylist() if _is_served_otherwise(r)]
    words("h3", visit.say("web_what_if.served"))
    if not served:
        words("p", visit.say("compare.no_demand"), "soft")
    else:
        names = ("on_time", "late", "lost")
        columns = [Column(visit.say("web_demand.product"))]
        columns += [Column(visit.say(f"web_what_if.{n}"), is_number=True) for n in names]
        names_of = Names(found.a.tables)
        rows = [
            [names_of.beside(r["product"]), *(_from_to(r, f"{n}_units") for n in names)] for r in served[:DIFFERENCES]
        ]
        table(visit.say("web_what_if.served"), columns, rows)
    _orders(visit, found)


def _costs(visit: Visit, found: Comparison) -> list[list[str]]:
    rows = []
    for row in found.tables["cost"].to_pylist():
        if row["term"] != "total" and max(abs(row["money_a"]), abs(row["money_b"])) < LEAST_MONEY:
            continue
        money = (figures.number(row[name]) for name in ("money_a", "money_b"))
        rows.append([str(coded("term", row["term"], visit.language)), *money, figures.signed(row["difference"])])
    return rows


def _is_served_otherwise(row: Mapping[str, Any]) -> bool:
    pairs = ((row[f"{name}_units_a"] or 0.0, row[f"{name}_units_b"] or 0.0) for name in ("on_time", "late", "lost"))
    return any(abs(a - b) >= LEAST_UNITS for a, b in pairs)


def _from_to(row: Mapping[str, Any], name: str) -> str:
    a, b = figures.fitting(row[f"{name}_a"]), figures.fitting(row[f"{name}_b"])
    return a if a == b else f"{a} → {b}"


def _orders(visit: Visit, found: Comparison) -> None:
    rows = found.tables["orders"].to_pylist()
    counts = Counter(row["change"] for row in rows)
    words("h3", visit.say("web_what_if.orders"))
    told = [f"{_change_words(visit, change)}: {count}" for change, count in sorted(counts.items())]
    words("p", " · ".join(told) or figures.NONE)
    changed = [row for row in rows if row["change"] != "same"]
    if not changed:
        return
    with folded(visit.say("web_what_if.orders_changed", count=len(changed))):
        columns = [Column(visit.say(f"web_what_if.{c}")) for c in ("act", "thing", "start", "units")]
        lines = [
            [
                _change_words(visit, row["change"]),
                f"{coded('kind', row['kind'], visit.language)} {row['product']}",
                _pair(row["start_a"], row["start_b"]),
                _from_to(row, "units"),
            ]
            for row in changed[: 4 * DIFFERENCES]
        ]
        table(visit.say("web_what_if.orders"), columns, lines)
        if len(changed) > len(lines):
            words("p", visit.say("web_what_if.more", count=len(changed) - len(lines)), "soft")


def _change_words(visit: Visit, change: str) -> str:
    """What became of an order; on one side only: which."""
    if change in (ADDED, REMOVED):
        return visit.say(f"web_what_if.only_{change}")
    return str(coded("change", change, visit.language))


def _pair(a: Any, b: Any) -> str:
    told = [figures.NONE if one is None else str(one) for one in (a, b)]
    return told[0] if told[0] == told[1] else " → ".join(told)
