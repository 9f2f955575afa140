"""The page Findings: what the market says, what the plan does with it, and what people decide about it."""

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from nicegui import ui
from starlette.requests import Request

from datong.app.service import market_findings
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.web import proposals
from datong.app.web.layout import action
from datong.app.web.page_elements import (
    address,
    chart_base,
    day_of,
    field,
    folded,
    link,
    marked_area,
    number_of,
    picture,
    plan_button,
    read,
    words,
)
from datong.app.web.visit import Visit
from datong.app.wording import figures
from datong.app.wording.columns import coded
from datong.app.wording.market_findings import decision_words, strength_words
from datong.model.errors import NotFound
from datong.model.flow import DISMISSED, TAKEN
from datong.network.finding_decisions import Change
from datong.questions.finding_pictures import Picture, drawn

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.market_findings_shown import MarketShown, ShownFinding

PATH = "/planner/findings"
# Findings that are shown at once, and orders and quotes of each.
LISTED, ORDERS_NAMED, QUOTED = 20, 6, 3
# Colours of a picture's lines, by their role.
COLOURS = {"series": "#3b82c4", "sales": "#8a94a3", "ahead": "#d97a1f", "level": "#2f9e77"}


async def build(visit: Visit, request: Request) -> None:
    async def anew() -> None:
        ui.navigate.reload()

    waiting = await visit.asked(lambda who: proposals.waiting(visit, who, ("decide",)))
    proposals.Proposals(visit, anew).show(waiting or [])
    try:
        heard = await read(visit, lambda who: market_findings.findings(visit.served, who))
    except NotFound as error:
        words("p", error.message.text(visit.language), "note")
        plan_button(visit)
        return
    market = heard.market
    if market is None:
        words("p", visit.say("web_findings.earlier_version"), "note")
        plan_button(visit)
        return
    one, kind = request.query_params.get("finding"), request.query_params.get("kind", "")
    shown = [f for f in market.findings if one in (None, f.finding.finding) and kind in ("", f.finding.kind)]
    if not market.findings:
        words("p", visit.say("web_findings.none"), "note")
        return
    if one is not None:
        link(visit.say("web_findings.all", count=len(market.findings)), PATH)
        if not shown:
            words("p", visit.say("web_findings.gone", finding=one), "note")
    else:
        _head(visit, market, kind)
    if any(f.finding.kind == "complaint" for f in shown[:LISTED]):
        for said in market.less:
            words("p", said.text(visit.language), "soft")
    for found in shown[:LISTED]:
        _card(visit, found, visit.served.chain_thread.settings.calendar.local_date(heard.as_of))
    if len(shown) > LISTED:
        words("p", visit.say("web_findings.more", count=len(shown) - LISTED), "soft")


def _head(visit: Visit, market: "MarketShown", kind: str) -> None:
    """How quick the chain answers, and the kinds that there are."""
    for said in market.hours.text:
        words("p", said.text(visit.language), "soft")
    kinds = list(dict.fromkeys(f.finding.kind for f in market.findings))
    with ui.element("div").classes("line"):
        for name in ("", *kinds):
            count = sum(name in ("", f.finding.kind) for f in market.findings)
            text = str(coded("kind", name, visit.language)) if name else visit.say("web_findings.every")
            made = link(f"{text} ({count})", PATH, kind=name)
            if name == kind:
                made.props('aria-current="true"').classes("tag")


def _card(visit: Visit, shown: "ShownFinding", today: date) -> None:
    """today: the day that the plan was made for."""
    one, language, zone = shown.finding, visit.language, visit.served.chain_thread.settings.calendar.zone
    with ui.element("article").classes("card finding"):
        with ui.element("h2").classes("line"):
            words("span", one.about if isinstance(one.about, str) else one.about.text(language))
            words("span", str(coded("kind", one.kind, language)), "tag")
            strength = strength_words(one.strength, language)
            if strength:
                words("span", strength, "soft")
        with ui.element("div").classes("beside"):
            with ui.element("div"):
                _said(visit, shown)
            if shown.picture is not None:
                picture(one.text.text(language), _chart(visit, shown.picture), height=190)
        decided = decision_words(one, zone, language)
        if decided:
            words("p", decided, "good" if one.decision is not None and one.decision.state == TAKEN else "soft")
        if shown.effect is not None:
            words("p", visit.say("web_findings.effect", effect=shown.effect.text(language)))
        if visit.who.may(Permission.DECIDE_FINDINGS):
            _acts(visit, shown, today)


def _said(visit: Visit, shown: "ShownFinding") -> None:
    """What it says, what the plan does with it, since when it is known, and what buyers wrote."""
    one, language, zone = shown.finding, visit.language, visit.served.chain_thread.settings.calendar.zone
    words("p", one.text.text(language))
    words("p", visit.say("web_findings.does", does=one.proposal.text(language)))
    if one.known_since is not None:
        day = one.known_since.astimezone(zone).date()
        words("p", visit.say("web_findings.since", day=figures.long_day(day, language)), "soft")
    for quote in shown.quotes[:QUOTED]:
        stars = "" if quote.stars is None else f" ★{quote.stars:g}"
        words("p", f"“{quote.text}” {quote.day.isoformat()}{stars}", "quote")
    _orders(visit, one.orders)


def _orders(visit: Visit, orders: tuple[str, ...]) -> None:
    if not orders:
        return
    with ui.element("p"):
        words("span", visit.say("web_findings.orders", count=len(orders)))
        for name in orders[:ORDERS_NAMED]:
            words("span", " ")
            if visit.who.may(Permission.SEE_PLAN):
                link(name, "/planner/plan", order=name)
            else:
                words("span", name)
        if len(orders) > ORDERS_NAMED:
            words("span", " …")


def _chart(visit: Visit, shown: Picture) -> dict[str, Any]:
    """The series that it was found in, by week, with the weeks of the finding marked."""
    scaled, base = drawn(shown), chart_base(visit.say(f"web_findings.unit_{shown.unit}"))
    days = [figures.short_day(week, visit.language) for week in scaled.weeks]
    factor = 100.0 if shown.unit in ("share", "index") else 1.0
    series: list[dict[str, Any]] = []
    for line in scaled.lines:
        colour = COLOURS[line.role]
        values = [None if math.isnan(v) else round(v * factor, 2) for v in line.values.tolist()]
        style = {"color": colour, "width": 2, "type": "dashed" if line.role == "level" else "solid"}
        name = line.name.text(visit.language)
        series.append({"type": "line", "name": name, "data": values, "showSymbol": False, "lineStyle": style})
        series[-1]["itemStyle"] = {"color": colour}
    area = [marked_area(*shown.span, len(days))]
    series[0]["markArea"] = {"silent": True, "itemStyle": {"color": "#8a94a3", "opacity": 0.15}, "data": area}
    axis = {"type": "category", "data": days, "axisLabel": base["yAxis"]["axisLabel"], "boundaryGap": False}
    return {**base, "xAxis": axis, "series": series}


# deciding ----------------------------------------------------------------------------------------


def _acts(visit: Visit, shown: "ShownFinding", today: date) -> None:
    one = shown.finding
    with folded(visit.say("web_findings.decide")):
        with ui.element("div").classes("line"):
            why = field(visit.say("web_parts.why"), width="24em")
        change = None
        if one.subject.kind == "product" and one.signal is not None:
            change = _change_fields(visit, today)

        async def decide(state: str) -> None:
            wanted = None
            if state == TAKEN and change is not None and change[0].text:
                wanted = _change_of(visit, change)
                if wanted is None:
                    return

            def task(who: Who) -> object:
                return market_findings.decide(visit.served, who, one.finding, state, why.text, wanted)

            if await visit.asked(task) is not None:
                ui.navigate.to(address(PATH, finding=one.finding))

        with ui.element("div").classes("line"):
            action(visit.say("web_findings.take"), lambda: decide(TAKEN), "main")
            action(visit.say("web_findings.dismiss"), lambda: decide(DISMISSED))


def _change_fields(visit: Visit, begin: date) -> Any:
    """What somebody takes a finding with: a change of demand in percent, on which days, how sure."""
    words("p", visit.say("web_findings.change_how"), "soft")
    with ui.element("div").classes("line"):
        return (
            field(visit.say("web_findings.percent"), width="7em"),
            field(visit.say("web_findings.low"), width="7em"),
            field(visit.say("web_findings.high"), width="7em"),
            field(visit.say("web_findings.first"), kind="date", value=begin.isoformat()),
            field(visit.say("web_findings.last"), kind="date", value=(begin + timedelta(days=27)).isoformat()),
        )


def _change_of(visit: Visit, fields: Any) -> Change | None:
    """The change that was typed; None where it is none, which is told."""
    share, low, high = (number_of(box.text.rstrip("%％")) if box.text else None for box in fields[:3])
    first, last = (day_of(box.text) for box in fields[3:])
    if share is None or (fields[1].text and low is None) or (fields[2].text and high is None):
        visit.tell(visit.say("web_parts.no_number", text=fields[0].text), "negative")
        return None
    if first is None or last is None:
        visit.tell(visit.say("web_parts.no_day"), "negative")
        return None
    ends = (share if low is None else low, share if high is None else high)
    return Change(first, last + timedelta(days=1), share / 100, ends[0] / 100, ends[1] / 100)
