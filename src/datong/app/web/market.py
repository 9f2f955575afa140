"""The page Market: a heat map of hours and prices, where demand is lost and what it would take, and quotes."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from nicegui import ui
from starlette.requests import Request

from datong.app.service import market
from datong.app.service.grids import Wanted
from datong.app.service.jobs import Job
from datong.app.service.market import Heat, Lost, Scarce
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.web.job_progress import open_jobs
from datong.app.web.layout import action, heading
from datong.app.web.page_elements import (
    AT_FIRST,
    Column,
    chart_base,
    day_of,
    field,
    folded_later,
    job_line,
    link,
    number_of,
    picture,
    plan_button,
    read,
    table,
    when_words,
    words,
)
from datong.app.web.visit import Visit
from datong.app.wording import figures
from datong.app.wording.columns import coded, rounded
from datong.app.wording.late import both_words, cause_of
from datong.app.wording.late import cause_words as late_words
from datong.app.wording.names import Names
from datong.app.wording.quotes import quote_lines, waits_lines
from datong.model.errors import NotFound
from datong.model.late_causes import LOST, short_together

PATH = "/planner/market"
# Lines of the heat map, rows of lost demand that are shown at once, and scarce things.
LINES_DRAWN, LISTED, SCARCE_SHOWN = 40, 40, 15
# A price below this is none.
LEAST_PRICE = 0.005
# From an empty line to a full one.
COLOURS = ["#e8f1fb", "#a8cbee", "#e8b04a", "#c2410c"]


async def build(visit: Visit, request: Request) -> None:
    served, cursor = visit.served, request.query_params.get("after")
    try:
        heat = await read(visit, lambda who: market.heat(served, who))
    except NotFound as error:
        words("p", error.message.text(visit.language), "note")
        plan_button(visit)
        return
    scarce = await read(visit, lambda who: market.scarce(served, who))
    way = await read(visit, lambda who: market.in_the_way(served, who))
    find = request.query_params.get("find", "")
    wanted = Wanted(search=find, sort="bucket", cursor=cursor, count=LISTED)
    lost = await read(visit, lambda who: market.lost(served, who, wanted))
    _heat(visit, heat)
    _in_the_way(visit, way, heat.currency)
    _lost(visit, lost.rows, lost.total, lost.cursor, find)
    _scarce(visit, scarce, heat.currency)
    if visit.who.may(Permission.QUOTE):
        running = await read(visit, lambda who: open_jobs(visit, who, "quote", by=who.login))
        _quote(visit, running)


def _heat(visit: Visit, heat: Heat) -> None:
    heading(visit.say("web_market.hours"))
    if not heat.lines:
        words("p", visit.say("web_market.no_lines"), "note")
        return
    drawn = heat.lines[:LINES_DRAWN]
    if len(drawn) < len(heat.lines):
        words("p", visit.say("web_market.lines_shown", shown=len(drawn), total=len(heat.lines)), "soft")
    picture(visit.say("web_market.hours_chart"), _chart(visit, heat, drawn), height=90 + 26 * len(drawn))
    folded_later(visit.say("web_parts.behind"), lambda: _cells(visit, heat))


def _cells(visit: Visit, heat: Heat) -> None:
    """The figures of the chart."""
    columns = [Column(visit.say("web_market.line")), Column(visit.say("web_market.from"))]
    names = ("used", "available", "overtime", "share", "price")
    columns += [Column(visit.say(f"web_market.{name}"), is_number=True) for name in names]
    called = dict(heat.lines)
    rows = [
        [
            f"{row['line']} · {called[row['line']]}" if called[row["line"]] else row["line"],
            when_words(visit, row["bucket"]),
            *(figures.fitting(row[name]) for name in ("used_hours", "available_hours", "overtime_hours")),
            figures.share(row["used_share"], 0),
            _hour_price(visit, row, heat.currency),
        ]
        for row in heat.cells.to_pylist()
    ]
    table(visit.say("web_market.hours_chart"), columns, rows)


def _hour_price(visit: Visit, row: Mapping[str, Any], currency: str) -> str:
    """What one more hour of a line would save, where that is known."""
    if row["price"] is None:
        return visit.say("web_market.unknown")
    return figures.money(row["price"], currency, visit.language)


def _in_cell(visit: Visit, row: Mapping[str, Any], currency: str) -> str:
    """What one more hour would save, or that nobody knows; where it saves nothing, how full the line is, or that it is
    shut."""
    if row["price"] is None or row["price"] >= LEAST_PRICE:
        told = _hour_price(visit, row, currency)
        return told if row["used_share"] is not None else visit.say("web_market.shut_at", price=told)
    return visit.say("web_market.shut") if row["used_share"] is None else figures.share(row["used_share"], 0)


def _chart(visit: Visit, heat: Heat, drawn: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """A cell for each line and bucket: its colour is how full the line is, its text what one more hour would save. One
    without hours has the colour of one that is not used."""
    lines = [f"{code} {name}".strip() for code, name in drawn]
    place = {code: len(drawn) - 1 - n for n, (code, _) in enumerate(drawn)}  # the fullest on top
    at = {bucket: n for n, bucket in enumerate(heat.buckets)}
    cells = []
    for row in heat.cells.to_pylist():
        if row["line"] not in place:
            continue
        text, share = _in_cell(visit, row, heat.currency), row["used_share"] or 0.0
        value = [at[row["bucket"]], place[row["line"]], round(share, 3)]
        ink = "#ffffff" if share > 0.92 else "#1c2430"
        cells.append({"value": value, "label": {"show": True, "formatter": text, "color": ink, "fontSize": 11}})
    base = chart_base()
    soft = base["yAxis"]["axisLabel"]
    days = [figures.short_day(bucket, visit.language) for bucket in heat.buckets]
    scale = {
        "min": 0,
        "max": 1,
        "calculable": False,
        "orient": "horizontal",
        "right": 16,
        "top": 0,
        "itemHeight": 90,
        "text": ["100%", f"{visit.say('web_market.full')} 0%"],
        "textStyle": soft,
        "inRange": {"color": COLOURS},
    }
    return {
        **{name: base[name] for name in ("backgroundColor", "animation", "textStyle", "grid")},
        "tooltip": {"show": False},
        "xAxis": {"type": "category", "data": days, "axisLabel": soft, "splitArea": {"show": False}},
        "yAxis": {"type": "category", "data": lines[::-1], "axisLabel": {**soft, "width": 160, "overflow": "truncate"}},
        "visualMap": scale,
        "series": [{"type": "heatmap", "data": cells, "itemStyle": {"borderColor": "#8a94a3", "borderWidth": 0.5}}],
    }


def _in_the_way(visit: Visit, found: tuple[Lost, ...], currency: str) -> None:
    heading(visit.say("web_market.in_the_way"))
    if not found:
        words("p", visit.say("web_market.nothing_lost"), "soft")
        return
    columns = [
        Column(visit.say("web_market.cause")),
        Column(visit.say("web_market.short_units"), is_number=True),
        Column(visit.say("web_market.at_most"), is_number=True),
    ]
    rows = [
        [
            cause_words(visit, one),
            figures.fitting(one.units),
            figures.money(one.price, currency, visit.language) if one.price >= LEAST_PRICE else figures.NONE,
        ]
        for one in found[:SCARCE_SHOWN]
    ]
    table(visit.say("web_market.in_the_way"), columns, rows)


def cause_words(visit: Visit, one: Lost) -> str:
    """What stands in the way, as the page Today and the report say it."""
    if one.cause == "scarce":
        return both_words((one.name, *one.beside), visit.language)
    if one.cause == "kept":
        return visit.say("web_market.kept", name=one.name)
    if one.cause == "sent":
        return visit.say("report.gap.sent", who=one.name)
    if one.cause == "held":
        return visit.say("report.gap.held", name=one.name)
    if one.cause == "was_due":
        return visit.say("report.late.cause_was_due")
    if one.cause == "fenced":
        return visit.say("report.gap.fenced_any")
    if one.cause == "no_time":
        return visit.say("report.gap.no_time", rounded=rounded(visit.served.chain_thread.settings, visit.language))
    return visit.say("report.gap.no_binding_expected" if one.is_expected else "report.gap.no_binding")


def _lost(visit: Visit, rows: pa.Table, total: int, cursor: str | None, find: str) -> None:
    heading(visit.say("web_market.lost"))
    with ui.element("form").props(f'action="{PATH}" role="search"').classes("line"):
        box = ui.element("input").props('type="search" name="find"')
        box.props[AT_FIRST] = find
        box.props["aria-label"] = box.props["placeholder"] = visit.say("web_demand.find")
    if not total:
        words("p", visit.say("web_market.nothing_lost"), "soft")
        return
    names = Names({"products": rows})
    columns = [Column(visit.say("web_demand.product")), Column(visit.say("web_market.from"))]
    columns += [Column(visit.say(f"web_market.{name}"), is_number=True) for name in ("demand", "late", "lost_units")]
    columns += [Column(visit.say("web_market.takes"))]
    table(visit.say("web_market.lost"), columns, [_lost_line(visit, row, names) for row in rows.to_pylist()])
    words("p", visit.say("web_market.lost_total", shown=rows.num_rows, total=figures.number(total)), "soft")
    if cursor is not None:
        link(visit.say("web_parts.more"), PATH, after=cursor, find=find)


def _lost_line(visit: Visit, row: Mapping[str, Any], names: Names) -> list[Any]:
    def product() -> None:
        link(names.called(row["product"]), "/planner/demand", product=row["product"], market=row["market"])
        if row["market"] != "all":
            words("span", f" {row['market']}", "soft")

    units = (figures.fitting(row[name]) for name in ("demand_units", "late_units", "lost_units"))
    return [product, when_words(visit, row["bucket"]), *units, takes_words(visit, row, names)]


def takes_words(visit: Visit, row: Mapping[str, Any], names: Names) -> str:
    """What would serve a gap: more of what is short, or days more; else why nothing would, as the page Today says it;
    of what is late and what is lost apart, where they have causes of their own."""
    if row.get(f"{LOST}binding") is not None and row["late_units"] > 0:
        shared = {name: value for name, value in row.items() if not name.startswith(LOST)}
        own = {name.removeprefix(LOST): row[name] for name in row if name.startswith(LOST) and name != "lost_units"}
        parts = {"late": shared, "lost": {**shared, **own}}
        told = {name: takes_words(visit, part, names) for name, part in parts.items()}
        return visit.say("web_market.takes_each", **told)
    days = row["needed_days"]
    later = "" if not days else visit.say("web_market.takes_days", days=figures.number(days))
    lacks = {} if row["lacks"] is None else {row["product"]: row["lacks"]}
    if lacks or cause_of(dict(row))[0] not in ("kept", "scarce"):
        told = {**row, "due": None if row["is_expected"] else row["bucket"]}
        return late_words(told, lacks, names, visit.served.chain_thread.settings, visit.language) + later
    name = names.thing(row["binding"], row["needed_unit"])
    when = when_words(visit, row["binding_bucket"])
    if row["needed_amount"] is None:
        if beside := short_together(row):
            called = both_words([names.called(one) for one in beside], visit.language)
            return visit.say("web_market.takes_both", name=name, when=when, beside=called) + later
        return visit.say("web_market.takes_more_than", name=name, when=when) + later
    key = "takes_hours" if row["needed_unit"] == "hour" else "takes_units"
    said = visit.say(f"web_market.{key}", amount=figures.fitting(row["needed_amount"]), name=name, when=when)
    kept = visit.say("web_market.takes_kept", who=row["kept_for"]) if row["kept_for"] else ""
    return said + kept + later


def _scarce(visit: Visit, found: tuple[Scarce, ...], currency: str) -> None:
    heading(visit.say("web_market.scarce"))
    if not found:
        words("p", visit.say("web_market.nothing_scarce"), "soft")
        return
    columns = [
        Column(visit.say("web_market.kind")),
        Column(visit.say("web_market.thing")),
        Column(visit.say("web_market.price"), is_number=True),
        Column(visit.say("web_market.dearest")),
        Column(visit.say("web_market.buckets"), is_number=True),
    ]
    rows = [
        [
            str(coded("what", one.what, visit.language)),
            one.name,
            figures.money(one.highest, currency, visit.language),
            when_words(visit, one.bucket),
            str(one.buckets),
        ]
        for one in found[:SCARCE_SHOWN]
    ]
    table(visit.say("web_market.scarce"), columns, rows)


# quotes ------------------------------------------------------------------------------------------


def _quote(visit: Visit, running: Sequence[Job]) -> None:
    """running: quotes that the same person asked for before the page was opened anew."""
    heading(visit.say("web_market.quote"))
    with ui.element("div").classes("line"):
        product = field(visit.say("web_market.quote_product"))
        units = field(visit.say("web_market.quote_units"))
        due = field(visit.say("web_market.quote_due"), kind="date")
        place = field(visit.say("web_market.quote_market"))
        ask = ui.element("div")
    answer = ui.element("div").props('aria-live="polite"')

    def show(job: Job) -> None:
        answer.clear()
        with answer:
            for text in quote_words(visit, job.result or {}):
                words("p", text)

    async def begin() -> None:
        amount, day = number_of(units.text), day_of(due.text)
        if amount is None:
            visit.tell(visit.say("web_parts.no_number", text=units.text), "negative")
            return
        if day is None:
            visit.tell(visit.say("web_parts.no_day"), "negative")
            return
        code, where = product.text, place.text or None

        def task(who: Who) -> Job:
            return market.start_quote(visit.served, who, code, amount, day, where)

        job = await visit.asked(task)
        if job is not None:
            answer.clear()
            with answer:
                job_line(visit, job, show)

    with ask:
        action(visit.say("web_market.quote_ask"), begin, "main")
    with answer:
        for job in running[:1]:
            told = {"product": job.asked.get("product"), "units": figures.fitting(float(job.asked.get("units") or 0))}
            words("p", visit.say("web_market.quote_of", **told), "soft")
            job_line(visit, job, show)


def quote_words(visit: Visit, result: Mapping[str, Any]) -> list[str]:
    """What a quote says, in sentences."""
    settings, names = visit.served.chain_thread.settings, Names({"products": pa.Table.from_pylist(result["products"])})
    lines = quote_lines(result["summary"], settings, names, visit.language)
    waits = result["waits"]
    if waits is not None:
        rows = [{**row, "bucket": date.fromisoformat(row["bucket"])} for row in waits]
        lines += waits_lines(rows, result.get("later") or [], settings, names, visit.language)
    return lines
