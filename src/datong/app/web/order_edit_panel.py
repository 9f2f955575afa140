"""One order beside the list: what it is, why it is there, what may be changed of it and for what price."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from nicegui import ui

from datong.app.service import order_edits, releases
from datong.app.service.jobs import Job
from datong.app.service.last_order_edit_price import is_current, last_price
from datong.app.service.order_edit_price_jobs import change_of
from datong.app.service.order_edit_rules import Change, Changed
from datong.app.service.orders_shown import OrderShown, evidence, order, party_word
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.stock import stock
from datong.app.web.job_progress import money_words
from datong.app.web.layout import action, heading
from datong.app.web.order_columns import column_title, shown_order, state_word
from datong.app.web.page_elements import given_words, job_line
from datong.app.web.stock_picture import stock_picture
from datong.app.web.visit import Visit
from datong.app.wording import figures
from datong.app.wording.after_need import after_need
from datong.app.wording.columns import evidence_words, shown_value, title
from datong.model.fractional_units import PIECE
from datong.model.tables import ACTED_AT

# Rows behind a reason that are shown at once.
MOST_EVIDENCE = 20


@dataclass(eq=False)
class Fields:
    """What can be filled in. split: units of an order to be split off."""

    units: ui.number
    start: ui.input
    way: ui.select | None
    split: ui.number
    why: ui.input

    def follow(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Show what stands in an order now where nobody typed another value than what stood there before."""
        if self.units.value == before["units"]:
            self.units.value = now["units"]
        if self.start.value == before["start"].isoformat():
            self.start.value = now["start"].isoformat()
        if self.way is not None and self.way.value == _own_way(before) and _own_way(now) in self.way.options:
            self.way.value = _own_way(now)


@dataclass(frozen=True)
class Priced:
    """A price that stands on the page. job: which worked it out, or does. text: what is told of it."""

    job: Job
    text: str


class OrderEditPanel:
    """The panel; what is typed there stays until another order is chosen."""

    def __init__(self, visit: Visit, on_change: Callable[[], Any]) -> None:
        self.visit, self.on_change = visit, on_change
        self.shown: OrderShown | None = None
        self.fields: Fields | None = None
        self.price: ui.label | None = None
        self.pricing: ui.element | None = None
        self.priced: Priced | None = None
        self.turn = asyncio.Lock()
        # Without an order it takes no room from the grid; how one is chosen stands above the picture.
        self.aside = ui.element("aside").classes("panel empty").props(f'aria-label="{visit.say("web_plan.panel")}"')
        with self.aside:
            self.place = ui.element("div").classes("card")

    @property
    def name(self) -> str | None:
        return None if self.shown is None else self.shown.row["order"]

    async def choose(self, name: str, start: str | None = None) -> None:
        """Show an order. start: a day to which somebody dragged it; it is filled in, checked and priced."""
        found = await self.visit.asked(lambda who: _gathered(self.visit, who, name))
        if found is None:
            return
        self.shown, ways, undoable, stocked = found
        self.priced = None
        self.aside.classes(remove="empty")
        self.place.clear()
        with self.place:
            self._head()
            self._facts()
            if self.visit.who.may(Permission.EDIT_ORDERS) and self.shown.row["origin"] != "out":
                self._form(ways, undoable)
            self._reasons()
            self._stock(stocked)
            self._history()
        self._mark(name)
        await self._priced_before(name)
        if start is not None and self.fields is not None:
            self.fields.start.value = start
            await self.ask_price()

    def close(self) -> None:
        """Give the room back to the grid."""
        self.shown = self.fields = self.price = self.pricing = self.priced = None
        self.place.clear()
        self.aside.classes("empty")
        self._mark(None)

    def _mark(self, name: str | None) -> None:
        """Mark an order on its line, and have the page show it again when it is loaded anew."""
        order = json.dumps(name)
        self.visit.script(f"datongGantt.mark({order}); datongPage.keepInAddress('order', {order})")

    async def heard(self, name: str) -> None:
        """Somebody changed the order that is shown: it is said, and what was typed stays, unless it is out and
        cannot be changed any more."""
        if self.shown is None or name != self.name:
            return
        now = await self.visit.asked(lambda who: order(self.visit.served, who, name))
        if now is None or now.version == self.shown.version:
            return
        last = now.history[-1] if now.history else None
        if last is None or last.by != self.visit.who.login:
            told = (
                "" if last is None else " · ".join(part for part in (last.by, last.text[self.visit.language]) if part)
            )
            self.visit.tell(self.visit.say("web_plan.changed_by_another", order=name, what=told), "warning")
        if now.row["origin"] == "out" != self.shown.row["origin"]:
            await self.choose(name)

    # parts ------------------------------------------------------------------------------------------

    def _head(self) -> None:
        assert self.shown is not None
        row = self.shown.row
        with ui.element("div").classes("line top"):
            with ui.element("h2"):
                ui.label(f"{row['order']} · {state_word(row, self.visit.language)}")
            ui.element("span").classes("grow")
            action(self.visit.say("web.close"), self.close, "quiet")
        with ui.element("div").classes("soft"):
            ui.label(f"{row['product']} · {row['name']}" if row["name"] else row["product"])

    def _facts(self) -> None:
        assert self.shown is not None
        row, visit = self.shown.row, self.visit
        unit = "" if row["base_unit"] in (None, "", PIECE) else f" {row['base_unit']}"
        way = _own_way(row)
        currency = visit.served.chain_thread.settings.currency
        party = party_word(row["counterparty"], row["counterparty_name"], visit.language)
        told = [
            (column_title("units", visit.language), figures.fitting(row["units"]) + unit),
            (column_title("start", visit.language), f"{row['start']} → {row['due']}"),
            (column_title("counted_on", visit.language), self.shown.counted_on),
            (column_title("needed_by", visit.language), row["needed_by"]),
            (title("line", visit.language), row["line"]),
            (column_title("way", visit.language), way),
            (title("site", visit.language), shown_order(row, visit.language)["site"]),
            (column_title("counterparty", visit.language), party),
            (visit.say("web_plan.saves"), _money(row["value"], currency, visit)),
            (visit.say("web_plan.hangs"), _money(row["behind"] if row["value"] is None else None, currency, visit)),
            (visit.say("web_plan.costs"), _money(row["cost"], currency, visit)),
            (column_title("late_for", visit.language), ", ".join(row["hurts"] or ())),
        ]
        if row["origin"] == "out":
            came = f"{figures.fitting(row['good_units'])} / {figures.fitting(row['to_come_units'])}"
            told.append((visit.say("web_plan.came_and_to_come"), came))
        with ui.element("dl").classes("facts"):
            for name, value in told:
                if value not in (None, ""):
                    with ui.element("dt"):
                        ui.label(name)
                    with ui.element("dd"):
                        ui.label(str(value))
        if text := after_need(row, visit.served.chain_thread.settings.calendar, visit.language):
            ui.label(text).classes("warn" if row["late"] else "soft")
        if self.shown.lines:
            lines = ", ".join(line or visit.say("web_plan.no_line") for line in self.shown.lines)
            where = "web_plan.which_line" if row["origin"] == "edit" else "web_plan.which_line_out"
            ui.label(visit.say(where, lines=lines)).classes("warn")
        if self.shown.planned is not None:
            was = self.shown.planned
            words = {"units": figures.fitting(was["units"]), "start": was["start"], "due": was["due"]}
            ui.label(visit.say("web_plan.was_planned", line=was["line"] or "–", **words)).classes("warn")

    def _form(self, ways: list[dict[str, Any]], undoable: tuple[bool, bool]) -> None:
        assert self.shown is not None
        row, visit = self.shown.row, self.visit
        own = _own_way(row)
        heading(visit.say("web_plan.change"))
        with ui.element("div").classes("fields"):
            units = ui.number(column_title("units", visit.language), value=row["units"]).props("outlined dense")
            start = ui.input(column_title("start", visit.language), value=row["start"].isoformat())
            start.props('type="date" outlined dense stack-label')
            options = {way["way"]: f"{way['way']} · {way['line']}" if way["line"] else way["way"] for way in ways}
            way = None
            if len(options) > 1:
                value = own if own in options else None
                way = ui.select(options, label=column_title("way", visit.language), value=value).props("outlined dense")
            split = ui.number(visit.say("web_plan.split_off")).props("outlined dense")
        why = ui.input(visit.say("web_plan.why")).props("outlined dense")
        self.fields = Fields(units, start, way, split, why)
        for one in (units, start, way, split):
            if one is not None:
                one.on_value_change(self._show_price)
        self.price = ui.label("").classes("told").props('role="status"')
        self.pricing = ui.element("div")
        with ui.element("div").classes("line"):
            action(visit.say("web_plan.ask_price"), self.ask_price)
            action(visit.say("web_plan.save"), self.save, "main")
            if not row["locked"]:
                action(visit.say("web_plan.lock"), self.lock)
            if row["is_due"] and visit.who.may(Permission.RELEASE_ORDERS):
                action(visit.say("web_plan.release"), self.release)
            if undoable[0]:
                action(visit.say("web_plan.undo"), self.undo, "quiet")
            if undoable[1]:
                action(visit.say("web_plan.redo"), self.redo, "quiet")

    def _reasons(self) -> None:
        assert self.shown is not None
        if not self.shown.reasons:
            return
        visit = self.visit
        heading(visit.say("web_plan.reasons"))
        with ui.element("ol").classes("steps"):
            for reason in self.shown.reasons:
                with ui.element("li"):
                    ui.label(reason.text[visit.language])
                    if reason.table and reason.rows:
                        words = evidence_words([""] * reason.rows, reason.table, visit.language)
                        action(words, lambda rank=reason.rank: self.show_rows(rank), "quiet")

    def _stock(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        visit = self.visit
        heading(visit.say("web_plan.stock"))
        with ui.element("figure").props(f'role="img" aria-label="{visit.say("web_plan.stock_label")}"'):
            ui.echart(stock_picture(visit, rows)).style("height: 190px")

    def _history(self) -> None:
        assert self.shown is not None
        if not self.shown.history:
            return
        visit = self.visit
        heading(visit.say("web_plan.history"))
        with ui.element("ol").classes("steps"):
            for one in reversed(self.shown.history):
                with ui.element("li"):
                    by = party_word(one.by, None, visit.language) if one.by else ""
                    when = given_words(visit, one.at, one.arrived_at)
                    ui.label(" · ".join(part for part in (when, by, one.text[visit.language]) if part))
                    if one.why:
                        ui.label(one.why).classes("soft")

    # what is done -----------------------------------------------------------------------------------

    def change(self) -> Change | None:
        """What is filled in; None where it cannot be read, which is told."""
        found = self._filled_in()
        if isinstance(found, str):
            self.visit.tell(self.visit.say(found), "negative")
            return None
        return found

    def _filled_in(self) -> Change | str:
        """What is filled in, or the key of what is wrong with it."""
        assert self.shown is not None and self.fields is not None
        row, fields = self.shown.row, self.fields
        try:
            start = date.fromisoformat(fields.start.value or "")
        except ValueError:
            return "web_plan.no_day"
        if fields.units.value is None:
            return "web_plan.no_units"
        own = _own_way(row)
        units, split = float(fields.units.value), float(fields.split.value or 0.0)
        way = None if fields.way is None or fields.way.value == own else fields.way.value
        changed_units = None if units == row["units"] and not split else units - split
        return Change(
            row["order"], changed_units, None if start == row["start"] else start, way, (split,) if split else ()
        )

    async def ask_price(self) -> None:
        change = self.change()
        if change is None or self.price is None:
            return
        visit, label = self.visit, self.price
        self.priced = None
        checked = await visit.asked(lambda who: order_edits.check(visit.served, who, change))
        if checked is None:
            return
        label.text = told = _told(visit, checked)
        if any(f.severity == "error" for f in checked.findings):
            return
        job = await visit.asked(lambda who: order_edits.price(visit.served, who, change))
        if job is not None:
            self.follow_price(job, told)

    async def _priced_before(self, name: str) -> None:
        """A price that the same person asked for before the page was opened anew, or before the server was gone."""
        visit = self.visit
        if self.price is None or not visit.who.may(Permission.EDIT_ORDERS):
            return

        def look(who: Who) -> tuple[Job, bool] | None:
            job = last_price(visit.served, who, name)
            return None if job is None else (job, is_current(visit.served, who, job))

        found = await visit.asked(look)
        if not found or self.name != name:
            return
        job, is_of_now = found
        told = _change_words(visit, job)
        if job.is_open or is_of_now:
            self.follow_price(job, told)
        elif self.price is not None:
            self.price.text = "\n".join((told, visit.say("web_plan.price_old")))

    def follow_price(self, job: Job, told: str = "") -> None:
        """How far a price is; then it stands below what else is told of the change."""
        place = self.pricing
        if place is None or self.price is None:
            return

        async def ended(found: Job) -> None:
            words = "" if found.result is None else money_words(self.visit, found.result)
            self.priced = Priced(found, "\n".join(part for part in (told, words) if part))
            self._show_price()
            place.clear()
            await self.look_at_price()

        place.clear()
        with place:
            job_line(self.visit, job, ended)

    def _show_price(self) -> None:
        """The price, as long as what is filled in is what it is of, or nothing is."""
        if self.priced is None or self.price is None or self.shown is None:
            return
        filled = self._filled_in()
        is_of_it = filled in (change_of(self.priced.job.asked), Change(self.shown.row["order"]))
        self.price.text = self.priced.text if is_of_it else self.visit.say("web_plan.price_other")

    async def look_at_price(self) -> None:
        """Take a price away that is of the chain as it was before."""
        priced, visit = self.priced, self.visit
        if priced is None or self.price is None:
            return
        if await visit.asked(lambda who: is_current(visit.served, who, priced.job)) is False and self.priced is priced:
            self.priced = None
            self.price.text = visit.say("web_plan.price_old")

    async def save(self) -> None:
        change = self.change()
        if change is not None:
            await self._edit(change, "web_plan.saved")

    async def lock(self) -> None:
        assert self.shown is not None
        await self._edit(Change(self.shown.row["order"]), "web_plan.locked")

    async def _edit(self, change: Change, words: str) -> None:
        """One edit after the other: a second press waits until what the first came to is on the page."""
        async with self.turn:
            if self.shown is None or change.order != self.name:
                return
            visit, version = self.visit, self.shown.version
            why = "" if self.fields is None else self.fields.why.value or ""
            done = await visit.asked(lambda who: order_edits.edit(visit.served, who, change, version, why))
            if done is None:
                await self._seen_anew(change.order)
                return
            visit.tell(visit.say(words, order=change.order))
            await self._changed(change.order)

    async def _seen_anew(self, name: str) -> None:
        """After a refusal: the next attempt is made with what stands there now, which was told, and changes only what
        was typed."""
        now = await self.visit.asked(lambda who: order(self.visit.served, who, name))
        if now is None:
            return
        if self.fields is not None and self.shown is not None:
            self.fields.follow(self.shown.row, now.row)
        self.shown = now

    async def undo(self) -> None:
        await self._step(order_edits.undo, "web_plan.undone")

    async def redo(self) -> None:
        await self._step(order_edits.redo, "web_plan.redone")

    async def _step(self, verb: Callable[..., OrderShown | None], words: str) -> None:
        visit, name = self.visit, str(self.name)
        done = await visit.asked(lambda who: (verb(visit.served, who, name),))
        if done is None:
            return
        visit.tell(visit.say(words, order=name))
        if done[0] is not None:
            await self._changed(name)
            return
        self.shown = self.fields = None
        self.place.clear()
        with self.place:
            ui.label(visit.say("web_plan.gone", order=name)).classes("soft")
        self.on_change()

    async def release(self) -> None:
        visit, name = self.visit, str(self.name)
        why = "" if self.fields is None else self.fields.why.value or ""
        if await visit.asked(lambda who: releases.release(visit.served, who, [name], why)) is not None:
            visit.tell(visit.say("web_plan.released", count=1))
            await self._changed(name)

    async def _changed(self, name: str) -> None:
        await self.choose(name)
        self.on_change()

    async def show_rows(self, rank: int) -> None:
        visit, name = self.visit, str(self.name)
        found = await visit.asked(lambda who: evidence(visit.served, who, name, rank))
        if found is None:
            return
        table, rows = found
        shown = rows.slice(0, MOST_EVIDENCE)
        names = [
            n
            for n in shown.column_names
            if n not in ("row_id", "valid_from", "known_at", ACTED_AT) and shown[n].null_count < len(shown)
        ]
        with ui.dialog(value=True), ui.card().classes("evidence"):
            heading(f"{table} · {rows.num_rows}")
            with ui.element("div").style("overflow: auto; max-width: 80vw"), ui.element("table").classes("plain"):
                with ui.element("tr"):
                    for one in names:
                        with ui.element("th").props('scope="col"'):
                            ui.label(title(one, visit.language))
                for row in shown.to_pylist():
                    with ui.element("tr"):
                        for one in names:
                            with ui.element("td"):
                                ui.label(shown_value(one, row[one], visit.language))
            if rows.num_rows > MOST_EVIDENCE:
                ui.label(visit.say("web_plan.more_rows", count=rows.num_rows - MOST_EVIDENCE)).classes("soft")


def _gathered(visit: Visit, who: Who, name: str) -> tuple[OrderShown, list[dict[str, Any]], tuple[bool, bool], Any]:
    served = visit.served
    shown = order(served, who, name)
    can = who.may(Permission.EDIT_ORDERS) and shown.row["origin"] != "out"
    ways = {way["way"]: way for way in (order_edits.ways(served, who, name) if can else [])}
    rows = stock(served, who, shown.row["product"]).to_pylist()
    return shown, list(ways.values()), order_edits.can_undo(served, who, name), rows


def _own_way(row: Mapping[str, Any]) -> str | None:
    return row["recipe"] or row["offer"] or row["lane"]


def _change_words(visit: Visit, job: Job) -> str:
    """What a price was asked of."""
    asked = job.asked
    told = [(key, asked[key]) for key in ("units", "start", "way") if asked.get(key) is not None]
    told += [("split_off", units) for units in asked.get("split") or ()]
    names = {"split_off": visit.say("web_plan.split_off")}
    return ", ".join(f"{names.get(key) or column_title(key, visit.language)} {_fitting(value)}" for key, value in told)


def _fitting(value: str | float) -> str:
    return value if isinstance(value, str) else figures.fitting(value)


def _told(visit: Visit, checked: Changed) -> str:
    return "\n".join(one.text(visit.language) for one in checked.findings)


def _money(value: float | None, currency: str, visit: Visit) -> str | None:
    return None if value is None else figures.money(value, currency, visit.language)
