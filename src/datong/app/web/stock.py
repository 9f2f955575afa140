"""The page Stock: what lies there and how long it lasts; where a smallest or largest stock is wanted, what the
economics alone would keep, and what the difference costs."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from nicegui import ui
from starlette.requests import Request

from datong.app.service import stock_cover, stock_limits
from datong.app.service.grids import Filter, Piece, Wanted
from datong.app.service.served_chain import Served
from datong.app.service.stock import stock
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
from datong.app.web.stock_picture import stock_picture
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
# Of a product, bucket by bucket.
AHEAD = ("opening_units", "comes_units", "goes_units", "closing_units")
FIGURES_OF_LARGEST = ("largest_units", "beyond_units", "buckets_above")


def add_downloads(app: FastAPI, served: Served) -> None:
    """What is listed, as a workbook: what lies at each place; the limits by place, and by place and bucket."""
    sheets = {"cover": stock_cover.cover_sheet, "places": stock_limits.places_sheet}
    for name, sheet in (sheets | {"buckets": stock_limits.limits_sheet}).items():
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
    soonest = Wanted(search=text, sort="weeks_of_cover", cursor=asked.get("after"), count=LISTED)
    dearest = Wanted(
        search=text, sort="difference_cost_per_week", is_descending=True, cursor=asked.get("limits_after"), count=LISTED
    )
    try:
        covers = await read(visit, lambda who: stock_cover.cover(served, who, soonest))
        limited = await read(visit, lambda who: stock_limits.places(served, who, dearest))
    except NotFound as error:
        words("p", error.message.text(visit.language), "note")
        plan_button(visit)
        return
    words("p", visit.say("web_stock.what_cover"), "soft")
    _search(visit, text)
    if not covers.rows.num_rows:
        said = visit.say("web_demand.nothing_found", text=text) if text else visit.say("web_stock.no_stock")
        words("p", said, "note")
    else:
        product = product or covers.rows["product"][0].as_py()
        _covers(visit, covers, text, product)
    if product:
        await _chosen(visit, product)
    heading(visit.say("web_stock.limits"))
    if not limited.rows.num_rows:
        words("p", visit.say("web_demand.nothing_found", text=text) if text else visit.say("web_stock.none"), "note")
        return
    words("p", visit.say("web_stock.what"), "soft")
    _limits(visit, limited, text, product)
    with ui.element("div").classes("line"):
        for name in ("places", "buckets"):
            ui.link(visit.say(f"web_stock.{name}_sheet"), f"{PATH}/{name}.xlsx")


async def _chosen(visit: Visit, product: str) -> None:
    """One product: its stock over the horizon, and its limits where it has some."""
    served, only = visit.served, (Filter("product", "is", product),)
    rows = (await read(visit, lambda who: stock(served, who, product))).to_pylist()
    places = await read(visit, lambda who: stock_limits.places(served, who, Wanted(only, count=DRAWN)))
    own = await read(visit, lambda who: stock_cover.cover(served, who, Wanted(only, count=1)))
    if not rows or not own.rows.num_rows:
        words("p", visit.say("web_stock.nothing_of_product", product=product), "note")
        return
    name = _called(own.rows.to_pylist()[0])
    heading(name)
    picture(visit.say("web_stock.ahead", name=name), stock_picture(visit, rows), height=240)
    with folded(visit.say("web_parts.behind")):
        columns = [Column(visit.say("web_demand.week"))]
        columns += [Column(title(each, visit.language), is_number=True) for each in AHEAD]
        lines = [[when_words(visit, row["bucket"]), *(figures.fitting(row[each]) for each in AHEAD)] for row in rows]
        table(visit.say("web_parts.behind"), columns, lines)
    if places.rows.num_rows:
        limits = await read(visit, lambda who: stock_limits.limits(served, who, Wanted(only, is_whole=True)))
        _product(visit, places, limits)


def _search(visit: Visit, text: str) -> None:
    with ui.element("form").props(f'action="{PATH}" role="search"').classes("line"):
        box = ui.element("input").props('type="search" name="find"')
        box.props[AT_FIRST] = text
        box.props["aria-label"] = box.props["placeholder"] = visit.say("web_demand.find")


def _covers(visit: Visit, listed: Piece, text: str, chosen: str) -> None:
    rows = listed.rows.to_pylist()
    columns = [Column(visit.say("web_demand.product")), Column(title("site", visit.language))]
    columns += [Column(title("opening_units", visit.language), is_number=True)]
    columns += [Column(title("weeks_of_cover", visit.language), is_number=True)]
    columns += [Column(title("runs_out_in", visit.language))]
    columns += [Column(title(name, visit.language), is_number=True) for name in ("comes_units", "goes_units")]
    columns += [
        Column(title("lowest_units", visit.language), is_number=True),
        Column(title("lowest_in", visit.language)),
    ]
    table(visit.say("web_stock.covers"), columns, [_cover_line(visit, row, chosen) for row in rows])
    words("p", visit.say("web_stock.shown", shown=len(rows), total=figures.number(listed.total)), "soft")
    with ui.element("div").classes("line"):
        if listed.cursor is not None:
            link(visit.say("web_parts.more"), PATH, find=text, after=listed.cursor)
        ui.link(visit.say("web_stock.places_sheet"), f"{PATH}/cover.xlsx")


def _cover_line(visit: Visit, row: Mapping[str, Any], chosen: str) -> list[Any]:
    unit = "" if row["base_unit"] in (None, "", PIECE) else f" {row['base_unit']}"
    lasts = visit.say("web_stock.beyond") if row["weeks_of_cover"] is None else figures.fitting(row["weeks_of_cover"])
    return [
        _to_product(row, chosen),
        row["site"] or visit.say("web_stock.all_sites"),
        figures.fitting(row["opening_units"]) + unit,
        lasts,
        "" if row["runs_out_in"] is None else when_words(visit, row["runs_out_in"]),
        *(figures.fitting(row[name]) for name in ("comes_units", "goes_units", "lowest_units")),
        when_words(visit, row["lowest_in"]),
    ]


def _to_product(row: Mapping[str, Any], chosen: str) -> Callable[[], Any]:
    def name() -> None:
        made = link(_called(row), PATH, product=row["product"])
        if row["product"] == chosen:
            made.props('aria-current="true"').classes("tag")

    return name


def _limits(visit: Visit, listed: Piece, text: str, chosen: str) -> None:
    rows = listed.rows.to_pylist()
    columns = [Column(visit.say("web_demand.product")), Column(title("site", visit.language))]
    columns += [Column(title(name, visit.language), is_number=True) for name in (*FIGURES, *FIGURES_OF_LARGEST)]
    table(visit.say("web_stock.listed"), columns, [_line(visit, row, chosen) for row in rows])
    words("p", visit.say("web_stock.shown", shown=len(rows), total=figures.number(listed.total)), "soft")
    if listed.cursor is not None:
        link(visit.say("web_parts.more"), PATH, find=text, limits_after=listed.cursor)


def _line(visit: Visit, row: Mapping[str, Any], chosen: str) -> list[Any]:
    currency = visit.served.chain_thread.settings.currency
    told = [
        figures.money(row[one], currency, visit.language)
        if one == "difference_cost_per_week"
        else figures.fitting(row[one])
        for one in (*FIGURES, *FIGURES_OF_LARGEST)
    ]
    return [_to_product(row, chosen), row["site"] or visit.say("web_stock.all_sites"), *told]


def _called(row: Mapping[str, Any]) -> str:
    name = row["name"]
    return f"{name} · {row['product']}" if name and name != row["product"] else row["product"]


def _product(visit: Visit, places: Piece, limits: Piece) -> None:
    """The limits of one product, place by place: in a sentence, as a picture, and the figures behind it."""
    rows = limits.rows.to_pylist()
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
