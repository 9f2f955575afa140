"""The page Today: what came back, what is late and for whom, and what to decide first."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui
from starlette.requests import Request

from datong.app.service import today as service
from datong.app.service.jobs import Job
from datong.app.service.last_order_edit_price import is_current, last_price
from datong.app.service.live_events import Event
from datong.app.service.orders_shown import party_word
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.today import Decision, Today
from datong.app.web import proposals
from datong.app.web.job_progress import PlanAnew, money_words, open_run
from datong.app.web.kept_parts import KeptParts, Part
from datong.app.web.layout import action, heading, note
from datong.app.web.order_columns import column_title, order_path, state_word
from datong.app.web.page_elements import SHORT, given_words, job_line, plan_words
from datong.app.web.visit import Visit
from datong.app.wording import figures
from datong.app.wording.after_need import after_need
from datong.app.wording.columns import title
from datong.model.fractional_units import PIECE

# Orders that are named of those that begin, and that are overdue; the page Plan has all of them.
MOST_OVERDUE = 10


async def build(visit: Visit, _request: Request) -> None:
    page = _TodayPage(visit)
    await page.begin()
    visit.follow(("orders", "plan", "proposals"), page.heard)


class _TodayPage:
    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.priced: Job | None = None  # which worked out the prices of offers
        self.prices: Mapping[str, Mapping[str, Any]] = {}  # of offers, as long as they are of the chain as it is
        self.currency = ""
        self.turn = asyncio.Lock()  # what was asked later is shown later
        self.top = ui.element("div").classes("line")
        self.pricing = ui.element("div")
        self.notes = KeptParts(ui.element("div"))
        self.proposed = proposals.Proposals(visit, self.show)
        self.above = KeptParts(ui.element("div"))
        self.list = ui.element("ol").classes("decisions")
        self.cards = KeptParts(self.list, "li", "card")
        self.more = KeptParts(ui.element("div"))
        self.below = KeptParts(ui.element("div"))

    async def begin(self) -> None:
        """The page as it is opened; what stands in its top line stays there."""
        visit = self.visit
        job = await visit.asked(lambda who: open_run(visit, who))
        with self.top:
            self.of_run = ui.label("").classes("soft")
            ui.element("span").classes("grow")
            PlanAnew(visit, job)
        if visit.who.may(Permission.EDIT_ORDERS):
            self.priced = await visit.asked(lambda who: last_price(visit.served, who))
            if self.priced is not None and self.priced.is_open:
                self.follow_prices(self.priced, self.pricing)
        await self.show()

    async def heard(self, _events: list[Event]) -> None:
        await self.show()

    async def show(self) -> None:
        """What changed is drawn anew; the rest stays, with what is typed or pressed there."""
        async with self.turn:
            await self._show()

    async def _show(self) -> None:
        visit = self.visit
        found = await visit.asked(
            lambda who: (service.today(visit.served, who), _planners(visit, who), proposals.waiting(visit, who))
        )
        if found is None:
            return
        priced = self.priced
        is_of_now = priced is not None and await visit.asked(lambda who: is_current(visit.served, who, priced))
        self.prices = (priced.result or {}) if priced is not None and is_of_now else {}
        today, people, proposed = found
        self.currency = today.currency
        if today.plan is None:
            self.notes.draw_one("no_run", lambda: note(visit.say("web_today.no_run")))
            self.list.set_visibility(False)
            return
        self.of_run.text = plan_words(visit, today.plan)
        old = [] if today.is_current else [Part("", "old", lambda: note(visit.say("web_today.not_current")))]
        self.notes.draw(old)
        self.proposed.show(proposed)
        self._decisions(today, people)
        self.below.draw(
            [
                Part("begins", (today.begins_count, today.begins.to_pylist()), lambda: self._begins(today)),
                Part("answered", today.answered, lambda: self._answered(today)),
                Part("overdue", (today.overdue_count, today.overdue.to_pylist()), lambda: self._overdue(today)),
                Part("late", (today.late_count, today.late), lambda: self._late(today)),
                Part("came_back", today.came_back, lambda: self._came_back(today)),
            ]
        )

    def _week(self, sentences: Sequence[str]) -> None:
        heading(self.visit.say("web_today.week"))
        for sentence in sentences:
            with ui.element("p").classes("sentence"):
                ui.label(sentence)

    # decisions --------------------------------------------------------------------------------------

    def _decisions(self, today: Today, people: Mapping[str, str]) -> None:
        visit, shown, count = self.visit, len(today.decisions), today.decision_count
        week = tuple(today.week[visit.language])

        def title() -> None:
            heading(visit.say("web_today.decisions", shown=shown, count=count))
            if not shown:
                ui.label(visit.say("web_today.nothing_to_decide")).classes("soft")

        self.above.draw([Part("week", week, lambda: self._week(week)), Part("decisions", (shown, count), title)])
        self.list.set_visibility(bool(shown))
        parts = []
        for one in today.decisions:
            price = self.prices.get(one.row["order"])
            parts.append(
                Part(
                    one.key,
                    (one, people, price, today.currency),
                    lambda one=one, price=price: self._decision(one, people, price),
                )
            )
        self.cards.draw(parts)
        self.more.draw(
            [Part("", "all", lambda: ui.link(visit.say("web_today.all_due"), "/planner/plan?show=due"))]
            if count > shown
            else []
        )

    def _decision(self, one: Decision, people: Mapping[str, str], price: Mapping[str, Any] | None) -> None:
        visit, row = self.visit, one.row
        words = {
            "amount": figures.fitting(row["units"]) + _unit(row),
            "product": f"{row['name']} ({row['product']})" if row["name"] else row["product"],
            "start": row["start"],
            "due": row["due"],
        }
        with ui.element("div").classes("line"):
            for verb in filter(None, (one.action, one.also)):
                ui.label(visit.say(f"web_today.action_{verb}")).classes(f"verb verb-{verb}")
            with ui.element("h3"):
                ui.label(visit.say("web_today.what", **words))
            ui.element("span").classes("grow")
            ui.label(self._money(one)).classes("money")
        where = [row["line"], party_word(row["counterparty"], row["counterparty_name"], visit.language)]
        with ui.element("div").classes("line soft"):
            ui.link(row["order"], order_path(row["order"]))
            ui.label(" · ".join(part for part in where if part))
            if one.assigned:
                ui.label(visit.say("web_today.assigned", who=people.get(one.assigned, one.assigned)))
        if text := after_need(row, visit.served.chain_thread.settings.calendar, visit.language):
            ui.label(text).classes("warn" if row["late"] else "soft")
        if one.offer is not None:
            ui.label(visit.say("web_today.offers", what=one.offer[visit.language]))
        if text := one.reason.get(visit.language):
            ui.label(text)
        if price is not None:
            ui.label(money_words(visit, price))
        self._verbs(one, people)

    def _money(self, one: Decision) -> str:
        visit = self.visit
        if one.money is None:
            return visit.say("web_today.money_unknown")
        amount = figures.money(abs(one.money), self.currency, visit.language)
        if one.offer is not None:
            return visit.say("web_today.paid_more" if one.money >= 0 else "web_today.paid_less", amount=amount)
        return visit.say("web_today.hangs" if one.hangs else "web_today.saves", amount=amount)

    def _verbs(self, one: Decision, people: Mapping[str, str]) -> None:
        visit, row = self.visit, one.row
        may, place = visit.who.may, ui.element("div")
        with ui.element("div").classes("line"):
            if may(Permission.RELEASE_ORDERS):
                take = "web_today.take_offer" if one.offer is not None else "web_today.take"
                action(visit.say(take), lambda: self.do(service.take, one.key, "web_today.taken"), "main")
            if one.offer is not None:
                if may(Permission.RELEASE_ORDERS):
                    action(visit.say("web_today.hold"), lambda: self.do(service.hold, one.key, "web_today.held"))
                if may(Permission.EDIT_ORDERS):
                    action(visit.say("web_plan.ask_price"), lambda: self.ask_prices(place))
            elif may(Permission.EDIT_ORDERS):
                change = visit.say("web_today.change")
                ui.link(change, order_path(row["order"])).classes("button plain")
            if may(Permission.EDIT_ORDERS):
                action(visit.say("web_today.dismiss"), lambda: self.dismiss(one), "quiet")
                if len(people) > 1:
                    with ui.element("label").classes("line soft"):
                        ui.label(visit.say("web_today.assign"))
                        box = ui.select(dict(people), value=one.assigned, on_change=lambda e: self.assign(one, e.value))
                        box.props(f'outlined dense aria-label="{visit.say("web_today.assign")}"')

    async def do(self, verb: Any, key: str, words: str, why: str = "") -> None:
        visit = self.visit

        def task(who: Who) -> bool:
            verb(visit.served, who, key, why)
            return True

        if await visit.asked(task):
            visit.tell(visit.say(words))
        await self.show()

    async def dismiss(self, one: Decision) -> None:
        visit = self.visit
        with ui.dialog(value=True) as dialog, ui.card():
            ui.label(visit.say("web_today.dismiss_sure"))
            why = ui.input(visit.say("web_plan.why")).props("outlined dense").style("width: 100%")

            async def yes() -> None:
                dialog.close()
                await self.do(service.dismiss, one.key, "web_today.dismissed", why.value or "")

            with ui.element("div").classes("line"):
                action(visit.say("web_today.dismiss"), yes, "main")
                action(visit.say("web.close"), dialog.close)

    async def assign(self, one: Decision, to: str | None) -> None:
        visit = self.visit
        if to and to != one.assigned:
            await visit.asked(lambda who: service.assign(visit.served, who, one.key, to))

    async def ask_prices(self, place: ui.element) -> None:
        """place: on the card of the offer whose price was asked for, where the answer comes to stand."""
        visit = self.visit
        job = await visit.asked(lambda who: service.price_offers(visit.served, who))
        if job is None:
            return
        self.follow_prices(job, place)

    def follow_prices(self, job: Job, place: ui.element) -> None:
        """How far the prices of offers are, whoever asked for them; then they stand beside the offers."""

        async def ended(found: Job) -> None:
            self.priced = found
            place.clear()
            await self.show()
            if not self.prices:  # of the chain as it was
                self.visit.tell(self.visit.say("web_plan.price_old"), "info")

        place.clear()
        with place:
            job_line(self.visit, job, ended)

    # what came and what is late ---------------------------------------------------------------------

    def _answered(self, today: Today) -> None:
        visit = self.visit
        if not today.answered:
            return
        heading(visit.say("web_today.answered"))
        rows = [
            [
                given_words(visit, row["said_at"], row["arrived_at"]),
                row["order"],
                _product(row),
                visit.say(f"code.state_{row['said']}"),
                party_word(row["counterparty"], row["counterparty_name"], visit.language),
                row["reason"] or "",
            ]
            for row in today.answered
        ]
        names = [visit.say("web_today.when"), *(title(n, visit.language) for n in ("order", "product", "state"))]
        self._table([*names, column_title("counterparty", visit.language), visit.say("web_today.reason")], rows, link=1)

    def _begins(self, today: Today) -> None:
        """Given out ones too, which wait for nobody's decision."""
        visit = self.visit
        if not today.begins_count:
            return
        heading(visit.say("web_today.begins", count=today.begins_count))
        rows = [
            [
                row["order"],
                _product(row),
                figures.fitting(row["units"]) + _unit(row),
                f"{row['start']} → {row['due']}",
                row["line"] or "",
                state_word(row, visit.language),
                party_word(row["counterparty"], row["counterparty_name"], visit.language),
            ]
            for row in today.begins.slice(0, MOST_OVERDUE).to_pylist()
        ]
        names = [column_title(n, visit.language) for n in ("order", "product", "units", "start", "line", "state")]
        self._table([*names, column_title("counterparty", visit.language)], rows, numbers=(2,), link=0)
        if today.begins_count > len(rows):
            ui.link(visit.say("web_plan.more_rows", count=today.begins_count - len(rows)), "/planner/plan")

    def _overdue(self, today: Today) -> None:
        visit = self.visit
        if not today.overdue_count:
            return
        heading(visit.say("web_today.overdue", count=today.overdue_count))
        rows = [
            [
                row["order"],
                _product(row),
                figures.fitting(row["to_come_units"]),
                row["due"].isoformat(),
                visit.say(f"code.state_{row['state']}"),
                party_word(row["counterparty"], row["counterparty_name"], visit.language),
            ]
            for row in today.overdue.slice(0, MOST_OVERDUE).to_pylist()
        ]
        names = [title(n, visit.language) for n in ("order", "product")]
        names += [visit.say("web_plan.column_to_come_units"), title("due", visit.language)]
        names += [title("state", visit.language), column_title("counterparty", visit.language)]
        self._table(names, rows, numbers=(2,), link=0)
        if today.overdue_count > MOST_OVERDUE:
            ui.link(visit.say("web_today.all_overdue"), "/planner/plan?show=overdue")

    def _late(self, today: Today) -> None:
        visit = self.visit
        heading(visit.say("web_today.late", count=today.late_count))
        if not today.late:
            ui.label(visit.say("web_today.nothing_late")).classes("soft")
            return
        rows = [
            [
                row["demand"] or visit.say("web_today.expected"),
                f"{row['product']} · {row['product_name']}" if row["product_name"] else row["product"],
                "" if row["market"] in (None, "", "all") else row["market"],
                figures.fitting(row["units"]),
                (row["due"] or row["due_in"]).isoformat(),
                visit.say(f"web_today.service_{row['service']}"),
                "" if row["served_in"] is None else row["served_in"].isoformat(),
                row["cause"][visit.language],
            ]
            for row in today.late
        ]
        keys = ("for_whom", "product", "market", "units", "due", "service", "served_in", "in_the_way")
        self._table([visit.say(f"web_today.late_{key}") for key in keys], rows, numbers=(3,))
        if today.late_count > len(today.late):
            ui.link(visit.say("web_plan.more_rows", count=today.late_count - len(today.late)), "/planner/market")

    def _came_back(self, today: Today) -> None:
        if not today.came_back:
            return
        heading(self.visit.say("web_today.came_back"))
        with ui.element("ul").classes("steps"):
            for text in today.came_back:
                with ui.element("li"):
                    ui.label(text[self.visit.language])

    def _table(
        self, names: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = (), link: int | None = None
    ) -> None:
        """link: which column names orders. A column in which nothing stands is left out."""
        there = [at for at in range(len(names)) if any(row[at] for row in rows)]
        with ui.element("div").classes("scroll"), ui.element("table").classes("plain"):
            with ui.element("thead"), ui.element("tr"):
                for at, name in ((at, names[at]) for at in there):
                    with ui.element("th").props('scope="col"').classes("number" if at in numbers else ""):
                        ui.label(name)
            with ui.element("tbody"):
                for row in rows:
                    with ui.element("tr"):
                        for at, text in ((at, row[at]) for at in there):
                            is_short = len(text) <= SHORT
                            with ui.element("td").classes("number" if at in numbers else "whole" if is_short else ""):
                                if at == link:
                                    ui.link(text, order_path(text))
                                else:
                                    ui.label(text)


def _product(row: Mapping[str, Any]) -> str:
    return f"{row['product']} · {row['name']}" if row["name"] not in (None, "", row["product"]) else row["product"]


def _unit(row: Mapping[str, Any]) -> str:
    return "" if row["base_unit"] in (None, "", PIECE) else f" {row['base_unit']}"


def _planners(visit: Visit, who: Who) -> dict[str, str]:
    return service.planners(visit.served, who) if who.may(Permission.EDIT_ORDERS) else {}
