"""The part of a page that shows what was proposed and waits for a person: what, why, and two buttons."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nicegui import ui

from datong.app.service import proposals_and_approvals as service
from datong.app.service.proposals_and_approvals import Proposal
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.web.kept_parts import KeptParts, Part
from datong.app.web.layout import action, heading
from datong.app.web.order_columns import order_path
from datong.app.web.page_elements import address
from datong.app.web.visit import Visit

# Proposals that are shown at once, and lines of each.
MOST_SHOWN, MOST_LINES = 10, 12


def waiting(visit: Visit, who: Who, kinds: Collection[str] = tuple(service.KINDS)) -> list[Proposal]:
    """What waits, of some kinds, that one may see; nothing for somebody who sees none."""
    if not (who.may(Permission.SEE_PLAN) or who.may(Permission.SEE_FINDINGS)):
        return []
    return [one for one in service.proposals(visit.served, who) if one.kind in kinds]


class Proposals:
    """What waits, on a page; nothing where nothing waits. shown_again: draws the page anew after a decision."""

    def __init__(self, visit: Visit, shown_again: Callable[[], Any]) -> None:
        self.visit, self.shown_again = visit, shown_again
        self.head = KeptParts(ui.element("div"))
        self.list = ui.element("ol").classes("decisions")
        self.cards = KeptParts(self.list, "li", "card")
        self.more = KeptParts(ui.element("div"))

    def show(self, found: Sequence[Proposal]) -> None:
        visit, more = self.visit, len(found) - MOST_SHOWN
        title = visit.say("web_proposals.title", count=len(found))
        self.head.draw([Part("", title, lambda: heading(title))] if found else [])
        self.list.set_visibility(bool(found))
        self.cards.draw(
            [Part(one.proposal, one, partial(_one, visit, one, self.shown_again)) for one in found[:MOST_SHOWN]]
        )
        told = visit.say("web_proposals.more", count=more)
        self.more.draw([Part("", told, lambda: ui.label(told).classes("soft"))] if more > 0 else [])


def _links(one: Proposal) -> list[tuple[str, str]]:
    """The things that it is about, where one can look at them closely."""
    if one.kind == "decide":
        return [(one.asked["finding"], address("/planner/findings", finding=one.asked["finding"]))]
    names = one.asked["orders"] if one.kind == "release" else [one.asked["order"]]
    return [(name, order_path(name)) for name in names[:MOST_LINES]]


def _one(visit: Visit, one: Proposal, shown_again: Callable[[], Any]) -> None:
    moment = datetime.fromtimestamp(one.made, UTC).astimezone(visit.served.chain_thread.settings.calendar.zone)
    with ui.element("div").classes("line"):
        ui.label(visit.say(f"web_proposals.kind_{one.kind}")).classes("verb")
        ui.element("span").classes("grow")
        ui.label(visit.say("web_proposals.by", by=one.by, moment=f"{moment:%Y-%m-%d %H:%M}")).classes("soft")
    for line in one.told[:MOST_LINES]:
        ui.label(line[visit.language])
    if len(one.told) > MOST_LINES:
        ui.label(visit.say("web_proposals.more_lines", count=len(one.told) - MOST_LINES)).classes("soft")
    with ui.element("div").classes("line"):
        for name, path in _links(one):
            ui.link(name, path)
    ui.label(visit.say("web_proposals.why", why=one.why)).classes("soft")
    if one.stale is not None:
        ui.label(one.stale[visit.language]).classes("note")
    if not service.may_decide(visit.who, one.kind):
        return
    with ui.element("div").classes("line"):
        why = ui.input(visit.say("web_proposals.your_why")).props("outlined dense")

        async def decided(verb: Callable[..., Proposal], words: str) -> None:
            reason = why.value or ""
            if await visit.asked(lambda who: verb(visit.served, who, one.proposal, reason)):
                visit.tell(visit.say(words))
            await shown_again()

        if one.stale is None:
            action(
                visit.say("web_proposals.approve"), lambda: decided(service.approve, "web_proposals.approved"), "main"
            )
        action(visit.say("web_proposals.refuse"), lambda: decided(service.refuse, "web_proposals.refused"))
