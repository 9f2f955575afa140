"""The page Totals: demand, hours and what is on time over all firms, and of no firm its own figures."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import FastAPI
from nicegui import ui
from starlette.requests import Request

from datong.app.service import totals
from datong.app.service.grids import Piece, Wanted
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served
from datong.app.web.layout import heading
from datong.app.web.page_elements import (
    Column,
    chart_base,
    link,
    moment_words,
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
from datong.app.wording.columns import coded, title
from datong.model.errors import NotFound

PATH = "/planner/totals"
# Rows of each list that are shown at once.
LISTED = 60
SHARES = frozenset({"on_time_share", "used_share"})


@dataclass(frozen=True)
class _List:
    """One of the lists. name: of its words and its workbook. ask, sheet: give it. columns: figures of it. bars: what of
    them is drawn one upon the other, with a colour."""

    name: str
    ask: Callable[[Served, Who, Wanted], Piece]
    sheet: Callable[[Served, Who, Wanted, str], bytes]
    columns: tuple[str, ...]
    bars: Mapping[str, str]


LISTS = (
    _List(
        "demand",
        totals.demand,
        totals.demand_sheet,
        ("demand_units", "on_time_units", "late_units", "lost_units", "on_time_share"),
        {"on_time_units": "#2f9e77", "late_units": "#d97a1f", "lost_units": "#8a94a3"},
    ),
    _List(
        "hours",
        totals.hours,
        totals.hours_sheet,
        ("available_hours", "used_hours", "free_hours", "used_share"),
        {"used_hours": "#3b82c4", "free_hours": "#8a94a3"},
    ),
)


def add_downloads(app: FastAPI, served: Served) -> None:
    """Each list as a workbook."""
    for one in LISTS:
        path = f"{PATH}/{one.name}.xlsx"
        add_download(
            app, served, path, lambda who, _request, language, one=one: one.sheet(served, who, Wanted(), language)
        )


async def build(visit: Visit, request: Request) -> None:
    served = visit.served
    try:
        found = [
            await read(
                visit,
                lambda who, one=one: (
                    one.ask(served, who, Wanted(count=LISTED, cursor=request.query_params.get(one.name))),
                    one.ask(served, who, Wanted(is_whole=True)),
                ),
            )
            for one in LISTS
        ]
        plan = await read(visit, lambda who: totals.of_plan(served, who))
    except NotFound as error:
        words("p", error.message.text(visit.language), "note")
        plan_button(visit)
        return
    words("p", visit.say("web_totals.what", moment=moment_words(visit, plan.made_at), **_bounds()), "soft")
    for one, (listed, every) in zip(LISTS, found, strict=True):
        _list(visit, one, listed, every)


def _bounds() -> dict[str, Any]:
    """When a total is told, for a sentence."""
    shares = {"share": totals.MOST_SHARE, "rest": totals.LEAST_REST}
    return {"firms": totals.LEAST_FIRMS} | {name: figures.share(share, 0) for name, share in shares.items()}


def _list(visit: Visit, one: _List, listed: Piece, every: Piece) -> None:
    heading(visit.say(f"web_totals.{one.name}"))
    if not any(every.rows["firms"].to_pylist()):
        words("p", visit.say("web_totals.none", **_bounds()), "note")
        return
    picture(visit.say(f"web_totals.{one.name}"), _chart(visit, one, every.rows.to_pylist()), height=240)
    rows = listed.rows.to_pylist()
    has_unit = "base_unit" in listed.rows.column_names
    names = ("bucket", "category", *(("base_unit",) if has_unit else ()))
    columns = [Column(title(name, visit.language)) for name in names]
    columns += [Column(title(name, visit.language), is_number=True) for name in ("firms", *one.columns)]
    table(visit.say(f"web_totals.{one.name}"), columns, [_line(visit, one, row, has_unit) for row in rows])
    words("p", visit.say("web_totals.shown", shown=len(rows), total=figures.number(listed.total)), "soft")
    with ui.element("div").classes("line"):
        if listed.cursor is not None:
            link(visit.say("web_parts.more"), PATH, **{one.name: listed.cursor})
        ui.link(visit.say("web_totals.sheet"), f"{PATH}/{one.name}.xlsx")


def _line(visit: Visit, one: _List, row: Mapping[str, Any], has_unit: bool) -> list[str]:
    if not row["firms"]:
        category = visit.say("web_totals.not_told")
    elif row["category"] is None:
        category = visit.say("web_totals.several")
    else:
        category = row["category"] or visit.say("web_totals.without")
    unit = [str(coded("base_unit", row["base_unit"], visit.language))] if has_unit else []
    if not row["firms"]:
        return [when_words(visit, row["bucket"]), category, *unit, *[""] * (1 + len(one.columns))]
    told = [figures.share(row[name]) if name in SHARES else figures.fitting(row[name]) for name in one.columns]
    return [when_words(visit, row["bucket"]), category, *unit, str(row["firms"]), *told]


def _chart(visit: Visit, one: _List, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All that is told, by bucket; where there are several units, of that with the most rows. A bucket of which nothing
    may be told stands there without bars."""
    units = [row.get("base_unit") for row in rows]
    unit = max(sorted(set(units), key=str), key=units.count)
    sums: dict[date, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        if row.get("base_unit") == unit:
            for name in one.bars:
                sums[row["bucket"]][name] += row[name] or 0.0
    base = chart_base(str(coded("base_unit", unit, visit.language)) if unit else "")
    days = [figures.short_day(bucket, visit.language) for bucket in sorted(sums)]
    bars = [
        {
            "type": "bar",
            "stack": "all",
            "name": title(name, visit.language),
            "data": [round(sums[bucket][name], 2) for bucket in sorted(sums)],
            "itemStyle": {"color": color},
        }
        for name, color in one.bars.items()
    ]
    axis = {"type": "category", "data": days, "axisLabel": base["yAxis"]["axisLabel"]}
    return {**base, "xAxis": axis, "series": bars}
