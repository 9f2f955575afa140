"""The page Demand: history, forecast and what moves it on one chart, and the forecast edited in a grid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from nicegui import ui
from starlette.requests import Request

from datong.app.service import demand
from datong.app.service.changes_by_workbook import FORECAST
from datong.app.service.demand import Accuracy, ItemDemand, Told
from datong.app.service.grids import Piece, Wanted
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.web.layout import action, heading
from datong.app.web.page_elements import (
    AT_FIRST,
    VALUE,
    Box,
    Column,
    address,
    change_words,
    chart_base,
    field,
    folded,
    folded_later,
    link,
    marked_area,
    moment_words,
    number_of,
    picture,
    plan_button,
    read,
    table,
    when_words,
    words,
)
from datong.app.web.visit import Visit
from datong.app.web.workbooks import bar, show_brought
from datong.app.wording import figures
from datong.app.wording.columns import coded, method_words
from datong.model.errors import NotFound
from datong.model.fractional_units import PIECE

PATH = "/planner/demand"
# Lines of the list of products that are shown at once, and closed buckets on the chart.
LISTED, DRAWN = 40, 78
# Colours that are told apart on light and on dark, also by those who do not see all colours (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, GREY = "#3b82c4", "#d97a1f", "#2f9e77", "#8a94a3"


async def build(visit: Visit, request: Request) -> None:
    asked = request.query_params
    text, cursor = asked.get("find", ""), asked.get("after")
    wanted = Wanted(search=text, cursor=cursor, count=LISTED)
    try:
        listed = await read(visit, lambda who: demand.items(visit.served, who, wanted))
    except NotFound as error:
        words("p", error.message.text(visit.language), "note")
        plan_button(visit)
        return
    first = listed.rows.slice(0, 1).to_pylist()
    product = asked.get("product") or (first[0]["product"] if first else "")
    market = asked.get("market")
    item = await read(visit, lambda who: demand.item(visit.served, who, product, market)) if product else None
    held = await read(visit, lambda who: demand.accuracy(visit.served, who))
    await show_brought(visit, request)
    bar(visit, "demand", (FORECAST,), may_change=visit.who.may(Permission.CHANGE_DEMAND), find=text)
    with ui.element("div").classes("columns"):
        _list(visit, listed, text, item)
        with ui.element("section").classes("wide"):
            if item is None:
                words("p", visit.say("web_demand.nothing_found", text=text), "note")
            else:
                _item(visit, item, held)


# the list ----------------------------------------------------------------------------------------


def _list(visit: Visit, listed: Piece, text: str, chosen: ItemDemand | None) -> None:
    with ui.element("section").classes("items"):
        with ui.element("form").props(f'action="{PATH}" role="search"').classes("line"):
            box = ui.element("input").props('type="search" name="find"')
            box.props[AT_FIRST] = text
            box.props["aria-label"] = box.props["placeholder"] = visit.say("web_demand.find")
        rows = listed.rows.to_pylist()
        columns = [
            Column(visit.say("web_demand.product")),
            Column(visit.say("web_demand.of_late"), is_number=True),
            Column(visit.say("web_demand.expected"), is_number=True),
            Column(visit.say("web_demand.change"), is_number=True),
        ]
        table(visit.say("web_demand.products"), columns, [_line(row, chosen) for row in rows])
        words("p", visit.say("web_demand.listed", shown=len(rows), total=figures.number(listed.total)), "soft")
        if listed.cursor is not None:
            link(visit.say("web_parts.more"), PATH, find=text, after=listed.cursor)


def _line(row: dict[str, Any], chosen: ItemDemand | None) -> list[Any]:
    is_chosen = chosen is not None and (row["product"], row["market"]) == (chosen.product, chosen.market)

    def name() -> None:
        made = link(row["name"] or row["product"], PATH, product=row["product"], market=row["market"])
        if is_chosen:
            made.props('aria-current="true"').classes("tag")
        own = [row["product"] if row["name"] else "", row["market"] if row["market"] != "all" else ""]
        words("span", f" {' · '.join(filter(None, own))} ", "soft")
        if row["edits"]:
            words("span", "✎", "soft").props('aria-hidden="true"')

    units = (figures.fitting(row["sold_units"]), figures.fitting(row["expected_units"]))
    return [name, *units, change_words(row["change_share"])]


# one product -------------------------------------------------------------------------------------


def _item(visit: Visit, item: ItemDemand, held: Accuracy) -> None:
    title = f"{item.name} · {item.product}" if item.name and item.name != item.product else item.product
    heading(title)
    with ui.element("div").classes("line"):
        words("span", visit.say("web_demand.as_of", moment=moment_words(visit, item.made_at)), "soft")
        words("span", method_words(item.method, visit.language), "soft")
        if visit.who.may(Permission.SEE_PLAN):
            link(visit.say("web_demand.to_stock"), "/planner/stock", product=item.product)
        if len(item.markets) > 1:
            for market in item.markets:
                made = link(market, PATH, product=item.product, market=market)
                if market == item.market:
                    made.props('aria-current="true"').classes("tag")
    picture(visit.say("web_demand.chart", name=title), _chart(visit, item), height=320)
    folded_later(visit.say("web_parts.behind"), lambda: _history(visit, item))
    _grid(visit, item)
    _statements(visit, item)
    _accuracy(visit, item, held)


def _chart(visit: Visit, item: ItemDemand) -> dict[str, Any]:
    """History, forecast with its interval of eight cases in ten, the forecast without the planner's edits, and the
    weeks of promotions, edits and signals."""
    past, ahead = item.history.to_pylist()[-DRAWN:], item.forecast.to_pylist()
    starts = [row["bucket"] for row in past] + [row["bucket"] for row in ahead]
    gap, ends = [None] * len(past), [None] * len(ahead)
    say = visit.say
    lines = [
        _line_of(say("web_demand.sold"), [row["units"] for row in past] + ends, BLUE),
        _line_of(say("web_demand.expected"), gap + [row["mean_units"] for row in ahead], ORANGE),
    ]
    if any(row["edited_units"] is not None for row in ahead):
        machine = [row["machine_units"] if row["edited_units"] is not None else None for row in ahead]
        edited = [row["edited_units"] for row in ahead]
        for name, values, color in (("machine", machine, GREY), ("edited", edited, GREEN)):
            points = _line_of(say(f"web_demand.{name}"), gap + values, color)
            lines.append({**points, "showSymbol": True, "symbolSize": 9, "lineStyle": {"opacity": 0}})
    if item.ordered:
        points = _line_of(say("web_demand.ordered"), gap + [row["ordered_units"] for row in ahead], GREEN)
        lines.append({**points, "type": "bar", "barMaxWidth": 14})
    low = gap + [row["q10_units"] for row in ahead]
    width = gap + [row["q90_units"] - row["q10_units"] for row in ahead]
    hidden = {"type": "line", "stack": "interval", "symbol": "none", "lineStyle": {"opacity": 0}}
    band = say("web_demand.interval")
    lines += [
        {**hidden, "name": "low", "data": low, "tooltip": {"show": False}, "itemStyle": {"color": "transparent"}},
        {**hidden, "name": band, "data": width, "areaStyle": {"color": ORANGE, "opacity": 0.18}}
        | {"itemStyle": {"color": ORANGE, "opacity": 0.4}},
    ]
    lines[0]["markArea"] = _areas(visit, item, starts)
    days = [figures.short_day(start, visit.language) for start in starts]
    base = chart_base(say("web_demand.units") if item.unit in ("", PIECE) else item.unit)
    shown = [line["name"] for line in lines if line["name"] != "low"]
    axis = {"type": "category", "data": days, "axisLabel": base["yAxis"]["axisLabel"], "boundaryGap": False}
    return {**base, "legend": {**base["legend"], "data": shown}, "xAxis": axis, "series": lines}


def _line_of(name: str, values: list[Any], color: str) -> dict[str, Any]:
    rounded = [None if value is None else round(value, 2) for value in values]
    style = {"color": color, "width": 2}
    return {
        "type": "line",
        "name": name,
        "data": rounded,
        "showSymbol": False,
        "lineStyle": style,
        "itemStyle": {"color": color},
    }


def _areas(visit: Visit, item: ItemDemand, starts: Sequence[date]) -> dict[str, Any]:
    """Weeks that promotions and signals cover, each with its kind."""
    if not starts:
        return {}
    marked = [(one.kind, one.first, one.last) for one in item.statements if not one.is_hand]
    marked += [(one.kind, one.first, one.last) for one in item.signals if one.kind not in ("promotion", "adjustment")]
    areas, length = [], timedelta(days=visit.served.chain_thread.settings.calendar.bucket_days)
    for kind, first, last in dict.fromkeys(marked):
        own = [n for n, start in enumerate(starts) if start <= last and start + length > first]
        if own:
            name = str(coded("kind", kind, visit.language))
            begin, end = marked_area(own[0], own[-1], len(starts))
            areas.append([{"name": name, **begin}, end])
    label = {"color": GREY, "fontSize": 10, "position": "insideTop"}
    return {"silent": True, "label": label, "itemStyle": {"color": GREY, "opacity": 0.12}, "data": areas}


def _history(visit: Visit, item: ItemDemand) -> None:
    columns = [
        Column(visit.say("web_demand.week")),
        Column(visit.say("web_demand.demand_was"), is_number=True),
        Column(visit.say("web_demand.sold_units"), is_number=True),
        Column(visit.say("web_demand.availability")),
    ]
    rows = [
        [
            when_words(visit, row["bucket"]),
            figures.fitting(row["units"]),
            figures.fitting(row["sold_units"]),
            visit.say(f"web_demand.{row['availability']}"),
        ]
        for row in reversed(item.history.to_pylist()[-DRAWN:])
    ]
    table(visit.say("web_demand.behind_history"), columns, rows)


# the grid ----------------------------------------------------------------------------------------


def _grid(visit: Visit, item: ItemDemand) -> None:
    heading(visit.say("web_demand.by_week"))
    for part in item.ordered:
        words("p", part.text.text(visit.language)[:1].upper() + part.text.text(visit.language)[1:], "note")
    if item.method == "given":
        words("p", visit.say("web_demand.given"), "note")
        return
    hand = {one.first: one for one in item.statements if one.is_hand}
    edits = None
    if visit.who.may(Permission.CHANGE_DEMAND):
        words("p", visit.say("web_demand.how_to_edit"), "soft")
        edits = Edits(visit, item, field(visit.say("web_parts.why"), width="26em"))
    columns = [
        Column(visit.say("web_demand.week")),
        Column(visit.say("web_demand.known"), is_number=True),
        Column(visit.say("web_demand.machine"), is_number=True),
        Column(visit.say("web_demand.interval"), is_number=True),
        Column(visit.say("web_demand.plan_has"), is_number=True),
        Column(visit.say("web_demand.your_edit"), is_number=True),
        Column(visit.say("web_demand.by")),
    ]
    rows = []
    for row in item.forecast.to_pylist():
        edit = hand.get(row["bucket"])
        rows.append(
            [
                when_words(visit, row["bucket"]),
                figures.fitting(row["known_ahead_units"]),
                figures.fitting(row["machine_units"]),
                f"{figures.fitting(row['q10_units'])} – {figures.fitting(row['q90_units'])}",
                figures.fitting(row["mean_units"]),
                figures.fitting(row["edited_units"]) if edits is None else edits.cell(row, edit),
                _by_cell(visit, edit),
            ]
        )
    table(visit.say("web_demand.by_week"), columns, rows)
    if any(_is_pending(row) for row in item.forecast.to_pylist()):
        with ui.element("div").classes("line"):
            words("span", visit.say("web_demand.pending"), "warn")
            plan_button(visit, is_main=False)


def _is_pending(row: dict[str, Any]) -> bool:
    """Whether the last plan was made without the edit."""
    edited = row["edited_units"]
    return edited is not None and abs(edited - row["mean_units"]) > max(1.0, 0.02 * abs(edited))


@dataclass(frozen=True)
class EditCell:
    """box: what is typed into. bucket: of the forecast. edit: id of the edit that is there, None: there is none. seen:
    its version."""

    box: Box
    bucket: date
    edit: str | None
    seen: str


class Edits:
    """The column in which the forecast of an item is edited. A range that is pasted goes down it."""

    def __init__(self, visit: Visit, item: ItemDemand, why: Box) -> None:
        self.visit, self.item, self.why = visit, item, why
        self.cells: list[EditCell] = []

    def cell(self, row: dict[str, Any], edit: Told | None) -> Callable[[], None]:
        """Puts the input of one bucket."""

        def put() -> None:
            value = "" if row["edited_units"] is None else figures.fitting(row["edited_units"])
            box = Box("input", value)
            box.props('type="text" inputmode="decimal"')
            box.props[AT_FIRST] = value
            week = when_words(self.visit, row["bucket"])
            box.props["aria-label"] = self.visit.say("web_demand.edit_of", week=week)
            made = EditCell(
                box, row["bucket"], None if edit is None else edit.edit, "" if edit is None else edit.version
            )
            place = len(self.cells)
            self.cells.append(made)
            box.on("change", lambda event: self.changed(made, str(event.args)), js_handler=VALUE)
            box.on("paste", lambda event: self.pasted(place, str(event.args)), js_handler=PASTED)

        return put

    async def save(self, cell: EditCell, text: str) -> bool:
        units, item = number_of(text), self.item
        if units is None:
            self.visit.tell(self.visit.say("web_parts.no_number", text=text), "negative")
            return False

        def task(who: Who) -> object:
            place = (item.product, item.market, cell.bucket)
            return demand.edit_forecast(self.visit.served, who, *place, units, why=self.why.text, seen=cell.seen)

        return await self.visit.asked(task) is not None

    async def changed(self, cell: EditCell, text: str) -> None:
        if not text.strip():
            if cell.edit is not None:
                await _take_back(self.visit, cell.edit)
        elif await self.save(cell, text):
            self.again()

    async def pasted(self, place: int, text: str) -> None:
        texts = [line.split("\t")[0].strip() for line in text.strip().splitlines()]
        told = zip(self.cells[place:], texts, strict=False)
        done = [await self.save(cell, one) for cell, one in told if one]
        if any(done):
            self.visit.tell(self.visit.say("web_demand.pasted", count=sum(done)))
            self.again()

    def again(self) -> None:
        ui.navigate.to(address(PATH, product=self.item.product, market=self.item.market))


# A range of cells comes as lines with tabs; a single value is left to the browser.
PASTED = """(e) => {
  const text = e.clipboardData.getData('text');
  if (!/[\\n\\t]/.test(text.trim())) return;
  e.preventDefault();
  emit(text);
}"""


def _by_cell(visit: Visit, edit: Told | None) -> str | Callable[[], None]:
    if edit is None:
        return ""

    def put() -> None:
        told = visit.say("web_demand.edited_by", change=change_words(edit.change), by=edit.by, why=edit.why)
        words("span", told.rstrip(" :：") + " ")
        if visit.who.may(Permission.CHANGE_DEMAND):
            action(visit.say("web_demand.take_back"), lambda: _take_back(visit, edit.edit), "quiet")

    return put


async def _take_back(visit: Visit, edit: str) -> None:
    def task(who: Who) -> bool:
        demand.take_back(visit.served, who, edit)
        return True

    if await visit.asked(task):
        ui.navigate.to(visit.path)


# what moves it, and how edits did ---------------------------------------------------------------


def _statements(visit: Visit, item: ItemDemand) -> None:
    heading(visit.say("web_demand.moves"))
    if not item.statements and not item.signals:
        words("p", visit.say("web_demand.nothing_moves"), "soft")
        return
    if item.statements:
        columns = [
            Column(visit.say("web_demand.kind")),
            Column(visit.say("web_demand.days")),
            Column(visit.say("web_demand.change"), is_number=True),
            Column(visit.say("web_demand.by")),
            Column(visit.say("web_demand.reason")),
            Column(visit.say("web_demand.known_since")),
        ]
        rows = [
            [
                str(coded("kind", one.kind, visit.language)),
                f"{one.first} – {one.last}",
                _change_words(one),
                one.by,
                one.why,
                moment_words(visit, one.acted_at or one.at) if one.at.year > 1970 else figures.NONE,
            ]
            for one in item.statements
        ]
        table(visit.say("web_demand.moves"), columns, rows)
    for signal in item.signals:
        with ui.element("p"):
            words("span", str(coded("kind", signal.kind, visit.language)), "tag")
            words("span", f" {signal.text.text(visit.language)} ")
            if visit.who.may(Permission.SEE_FINDINGS):
                link(visit.say("web_demand.to_finding"), "/planner/findings", finding=signal.signal)


def _change_words(one: Told) -> str:
    if one.low == one.high:
        return change_words(one.change)
    return f"{change_words(one.change)} ({change_words(one.low)} … {change_words(one.high)})"


def _accuracy(visit: Visit, item: ItemDemand, held: Accuracy) -> None:
    heading(visit.say("web_demand.accuracy"))
    if not held.people:
        words("p", visit.say("web_demand.no_accuracy", runs=held.runs), "soft")
        return
    columns = [
        Column(visit.say("web_demand.by")),
        Column(visit.say("web_demand.buckets"), is_number=True),
        Column(visit.say("web_demand.better"), is_number=True),
        Column(visit.say("web_demand.machine_error"), is_number=True),
        Column(visit.say("web_demand.edited_error"), is_number=True),
    ]
    rows = [
        [
            one.by or visit.say("web_demand.nobody_told"),
            str(one.buckets),
            str(one.better),
            figures.fitting(one.machine_error_units),
            figures.fitting(one.edited_error_units),
        ]
        for one in held.people
    ]
    table(visit.say("web_demand.accuracy"), columns, rows)
    own = [row for row in held.rows.to_pylist() if row["product"] == item.product and row["market"] == item.market]
    if own:
        with folded(visit.say("web_demand.accuracy_of_product", count=len(own))):
            names = ("machine_units", "edited_units", "came_units")
            columns = [Column(visit.say("web_demand.week")), Column(visit.say("web_demand.by"))]
            columns += [Column(visit.say(f"web_demand.{name}"), is_number=True) for name in names]
            rows = [
                [when_words(visit, row["bucket"]), row["by"], *(figures.fitting(row[name]) for name in names)]
                for row in own
            ]
            table(visit.say("web_demand.accuracy_of_product", count=len(own)), columns, rows)
