"""The page Stock: where a smallest or largest stock is wanted, what lies there by the last plan, what the economics
alone would keep, and what the difference costs."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from nicegui import ui
from starlette.requests import Request

from datong.app.service import stock_limits
from datong.app.service.grids import Filter, Piece, Wanted
from datong.app.service.served_chain import Served
from datong.app.web.layout import heading
from datong.app.web.page_elements import (
    AT_FIRST,
    Column,
    chart_base,
    folded,
    link,
    picture,
    plan_button,
    read,
    table,
    when_words,
    words,
)
from datong.app.web.visit import Visit
from datong.app.web.workbooks import add_download
from datong.app.wording import figures
from datong.app.wording.columns import title
from datong.model.errors import NotFound
from datong.model.fractional_units import PIECE

PATH = "/planner/stock"
# Places that are listed at once, and of one product drawn.
LISTED, DRAWN = 40, 6
# Colours as on the page Demand; dashes tell the lines apart without them.
LINES = {"stock_units": ("#3b82c4", "solid"), "smallest_units": ("#d97a1f", "dashed")} | {
    "largest_units": ("#8a94a3", "dashed"),
    "economic_units": ("#2f9e77", "dotted"),
}
FIGURES = ("smallest_units", "economic_units", "difference_cost_per_week", "missing_units", "buckets_below")
FIGURES_OF_LARGEST = ("largest_units", "beyond_units", "buckets_above")


def add_downloads(app: FastAPI, served: Served) -> None:
    """What is listed, as a workbook: by place, and by place and bucket."""
    for name, sheet in (("places", stock_limits.places_sheet), ("buckets", stock_limits.limits_sheet)):
        add_download(
            app,
            served,
            f"{PATH}/{name}.xlsx",
            lambda who, request, language, sheet=sheet: sheet(served, who, _wanted(request), language),
        )


def _wanted(request: Request) -> Wanted:
    asked = request.query_params
    product = asked.get("product", "")
    only = (Filter("product", "is", product),) if product else ()
    return Wanted(only, search=asked.get("find", "")[:200])


async def build(visit: Visit, request: Request) -> None:
    asked, served = request.query_params, visit.served
    text, product = asked.get("find", "")[:200], asked.get("product", "")
    dearest = Wanted(
        search=text, sort="difference_cost_per_week", is_descending=True, cursor=asked.get("after"), count=LISTED
    )
    try:
        listed = await read(visit, lambda who: stock_limits.places(served, who, dearest))
    except NotFound as error:
        words("p", error.message.text(visit.language), "note")
        plan_button(visit)
        return
    if not listed.total and not text:
        words("p", visit.say("web_stock.none"), "note")
        return
    words("p", visit.say("web_stock.what"), "soft")
    _search(visit, text)
    _list(visit, listed, text, product)
    with ui.element("div").classes("line"):
        for name in ("places", "buckets"):
            ui.link(visit.say(f"web_stock.{name}_sheet"), f"{PATH}/{name}.xlsx")
    if not product and listed.rows.num_rows:
        product = listed.rows["product"][0].as_py()
    if product:
        only = (Filter("product", "is", product),)
        places = await read(visit, lambda who: stock_limits.places(served, who, Wanted(only, count=DRAWN)))
        rows = await read(visit, lambda who: stock_limits.limits(served, who, Wanted(only, is_whole=True)))
        _product(visit, product, places, rows)


def _search(visit: Visit, text: str) -> None:
    with ui.element("form").props(f'action="{PATH}" role="search"').classes("line"):
        box = ui.element("input").props('type="search" name="find"')
        box.props[AT_FIRST] = text
        box.props["aria-label"] = box.props["placeholder"] = visit.say("web_demand.find")


def _list(visit: Visit, listed: Piece, text: str, chosen: str) -> None:
    rows = listed.rows.to_pylist()
    if not rows:
        words("p", visit.say("web_demand.nothing_found", text=text), "note")
        return
    columns = [Column(visit.say("web_demand.product")), Column(title("site", visit.language))]
    columns += [Column(title(name, visit.language), is_number=True) for name in (*FIGURES, *FIGURES_OF_LARGEST)]
    table(visit.say("web_stock.listed"), columns, [_line(visit, row, chosen) for row in rows])
    words("p", visit.say("web_stock.shown", shown=len(rows), total=figures.number(listed.total)), "soft")
    if listed.cursor is not None:
        link(visit.say("web_parts.more"), PATH, find=text, after=listed.cursor)


def _line(visit: Visit, row: Mapping[str, Any], chosen: str) -> list[Any]:
    def name() -> None:
        made = link(_called(row), PATH, product=row["product"])
        if row["product"] == chosen:
            made.props('aria-current="true"').classes("tag")

    currency = visit.served.chain_thread.settings.currency
    told = [
        figures.money(row[one], currency, visit.language)
        if one == "difference_cost_per_week"
        else figures.fitting(row[one])
        for one in (*FIGURES, *FIGURES_OF_LARGEST)
    ]
    return [name, row["site"] or visit.say("web_stock.all_sites"), *told]


def _called(row: Mapping[str, Any]) -> str:
    name = row["name"]
    return f"{name} · {row['product']}" if name and name != row["product"] else row["product"]


def _product(visit: Visit, product: str, places: Piece, limits: Piece) -> None:
    """One product, place by place: in a sentence, as a picture, and the figures behind it."""
    rows = limits.rows.to_pylist()
    if not rows:
        words("p", visit.say("web_stock.none_of_product", product=product), "note")
        return
    heading(_called(rows[0]))
    for place in places.rows.to_pylist():
        own = [row for row in rows if row["site"] == place["site"]]
        if len(places.rows) > 1 or place["site"]:
            words("h3", place["site"] or visit.say("web_stock.all_sites"))
        for text in _sentences(visit, place, own):
            words("p", text)
        picture(visit.say("web_stock.chart", name=_called(place)), _chart(visit, own), height=260)
        with folded(visit.say("web_parts.behind")):
            names = [name for name in LINES if any(row[name] is not None for row in own)]
            names += ["missing_units", "beyond_units", "difference_cost"]
            columns = [Column(visit.say("web_demand.week"))]
            columns += [Column(title(name, visit.language), is_number=True) for name in names]
            lines = [[when_words(visit, row["bucket"]), *(figures.fitting(row[n]) for n in names)] for row in own]
            table(visit.say("web_parts.behind"), columns, lines)
    if places.total > len(places.rows):
        words("p", visit.say("web_stock.more_places", count=places.total - len(places.rows)), "soft")
    with ui.element("p"):
        link(visit.say("web_stock.change"), "/planner/data")


def _sentences(visit: Visit, place: Mapping[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """What the limits are and what comes of them, each where it is one."""
    unit = "" if place["base_unit"] in (None, "", PIECE) else f" {place['base_unit']}"

    def units(value: float) -> str:
        return figures.fitting(value) + unit

    told = []
    if place["smallest_units"] is not None:
        cost = figures.money(
            place["difference_cost_per_week"], visit.served.chain_thread.settings.currency, visit.language
        )
        words_of = {"smallest": units(place["smallest_units"]), "economic": units(place["economic_units"])}
        told.append(visit.say("web_stock.beside", **words_of, cost=cost))
        if place["buckets_below"]:
            worst = max(rows, key=lambda row: row["missing_units"] or 0.0)
            when = when_words(visit, worst["bucket"])
            count = place["buckets_below"]
            told.append(visit.say("web_stock.below", missing=units(worst["missing_units"]), when=when, count=count))
    if place["largest_units"] is not None:
        told.append(visit.say("web_stock.largest", largest=units(place["largest_units"])))
        if place["buckets_above"]:
            worst = max(rows, key=lambda row: row["beyond_units"] or 0.0)
            when, count = when_words(visit, worst["bucket"]), place["buckets_above"]
            told.append(visit.say("web_stock.above", beyond=units(worst["beyond_units"]), when=when, count=count))
    return told


def _chart(visit: Visit, rows: list[dict[str, Any]]) -> dict[str, Any]:
    base, series = chart_base(visit.say("web_demand.units")), []
    for name, (color, dash) in LINES.items():
        values = [None if row[name] is None else round(row[name], 2) for row in rows]
        if all(value is None for value in values):
            continue
        line = {"type": "line", "name": title(name, visit.language), "data": values, "showSymbol": False}
        series.append(line | {"lineStyle": {"color": color, "width": 2, "type": dash}, "itemStyle": {"color": color}})
    days = [figures.short_day(row["bucket"], visit.language) for row in rows]
    axis = {"type": "category", "data": days, "axisLabel": base["yAxis"]["axisLabel"], "boundaryGap": False}
    return {**base, "xAxis": axis, "series": series}
