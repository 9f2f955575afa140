"""The page People: who may sign in, and as what; invitations, resets, second factors."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from nicegui import ui
from starlette.requests import Request

from datong.app.service.accounts import Account
from datong.app.service.roles_and_permissions import OF_A_FIRM, ROLES, Who
from datong.app.service.sign_in_limits import INVITED, RESET
from datong.app.web.kept_parts import KeptParts, Part
from datong.app.web.layout import action, heading
from datong.app.web.page_elements import (
    AT_FIRST,
    Box,
    Column,
    choice,
    confirmed,
    field,
    link,
    read,
    table_body,
    table_cells,
    words,
)
from datong.app.web.visit import Visit
from datong.app.wording import figures
from datong.model.words import say

PATH = "/planner/people"
# Accounts that are shown at once, each with its buttons.
LISTED = 25
# How a language calls itself.
LANGUAGE_NAMES = {"en": "English", "zh": "中文"}


async def build(visit: Visit, request: Request) -> None:
    asked = request.query_params
    told = asked.get("from", "")
    begin = int(told) if told.isdecimal() and len(told) < 9 else 0
    page = _PeoplePage(visit, str(request.base_url).rstrip("/"), asked.get("find", "")[:80], begin)
    page.invitation()
    page.link_place = ui.element("div").props('aria-live="polite"').classes("apart")
    heading(visit.say("web_people.accounts"))
    page.search()
    page.listing()
    await page.show()


class _PeoplePage:
    """base: the address of this server, as the browser has it. find: a text of the accounts that are listed. begin: how
    many of them come before."""

    def __init__(self, visit: Visit, base: str, find: str, begin: int) -> None:
        self.visit, self.base, self.find, self.begin = visit, base, find, begin
        self.link_place: ui.element
        self.rows: KeptParts
        self.counts: KeptParts

    # inviting ---------------------------------------------------------------------------------------

    def invitation(self) -> None:
        visit = self.visit
        heading(visit.say("web_people.invite"))
        with ui.element("div").classes("line"):
            login = field(visit.say("web_people.login"), hint="li@works")
            name = field(visit.say("web_people.name"))
            language = choice(visit.say("web_people.language_of"), LANGUAGE_NAMES, visit.language)
        roles = self.roles(())
        with ui.element("div").classes("line"):
            firm = field(visit.say("web_people.firm_code"))

        async def invite() -> None:
            told = (login.text, name.text, roles(), firm.text or None, language.text)
            secret = await visit.asked(lambda who: visit.served.people.invite(who, *told))
            if secret is not None:
                self.link("invite", secret, login.text, told[4], INVITED.days)
                await self.show()

        action(visit.say("web_people.invite_now"), invite, "main")

    def roles(self, chosen: tuple[str, ...]) -> Callable[[], list[str]]:
        """Boxes to tick; gives those that are ticked."""
        visit, boxes = self.visit, {}
        with ui.element("fieldset").classes("line"):
            words("legend", visit.say("web_people.roles"))
            for role in ROLES:
                boxes[role] = ui.checkbox(say(f"service.role.{role}", visit.language), value=role in chosen)
        return lambda: [role for role, box in boxes.items() if box.value]

    def link(self, key: str, secret: str, login: str, language: str, days: int) -> None:
        """The link, once, with a letter in the language of whoever it is for."""
        visit = self.visit
        path = f"{self.base}/invitation/{secret}"
        letter = say(
            f"web_people.letter_{key}", language, chain=visit.served.chain_thread.settings.name, link=path, days=days
        )
        self.link_place.clear()
        with self.link_place, ui.element("div").classes("card"):
            words("p", visit.say("web_people.send_this", login=login))
            box = words("textarea", letter, "plain").props('rows="5" readonly')
            box.props["aria-label"], box.props["lang"] = visit.say("web_people.letter"), language
            box.style("width: 100%; max-width: 80ch")
            action(visit.say("web_people.copy"), lambda: ui.clipboard.write(letter))

    # accounts ---------------------------------------------------------------------------------------

    def search(self) -> None:
        """A form that asks for the page anew."""
        with ui.element("form").props(f'action="{PATH}" role="search"').classes("line"):
            box = ui.element("input").props('type="search" name="find"')
            box.props[AT_FIRST] = self.find
            box.props["aria-label"] = box.props["placeholder"] = self.visit.say("web_people.find_account")

    def listing(self) -> None:
        """The table of accounts, yet without them."""
        visit = self.visit
        self.columns = [
            Column(visit.say(f"web_people.{name}"))
            for name in ("login", "name", "roles", "firm", "language", "state", "factor", "changes")
        ]
        self.rows = KeptParts(table_body(visit.say("web_people.accounts"), self.columns), "tr")
        self.counts = KeptParts(ui.element("div"))
        words("p", visit.say("web_people.tokens_are_own"), "soft")

    async def show(self) -> None:
        """The accounts, the newest first: whoever was just invited is on top. A row that is the same stays."""
        visit = self.visit
        accounts = _with_text(await read(visit, visit.served.people.accounts), self.find)[::-1]
        end = self.begin + LISTED
        shown = accounts[self.begin : end]
        self.rows.draw([Part(one.login, one, partial(self._cells, one)) for one in shown])

        def counts() -> None:
            count = figures.number(len(accounts))
            words("p", visit.say("web_people.accounts_shown", shown=len(shown), total=count), "soft")
            if end < len(accounts):
                link(visit.say("web_parts.more"), PATH, **{"find": self.find, "from": str(end)})

        self.counts.draw_one((len(shown), len(accounts)), counts)

    def _cells(self, one: Account) -> None:
        table_cells(self.columns, self.row(one))

    def row(self, one: Account) -> list[Any]:
        visit = self.visit
        factor = "there" if one.has_factor else "asked" if one.must_factor else "none"
        return [
            one.login,
            one.name,
            ", ".join(say(f"service.role.{role}", visit.language) for role in one.roles),
            one.firm or "",
            LANGUAGE_NAMES[one.language],
            say(f"service.state.{one.state}", visit.language),
            visit.say(f"web_people.factor_{factor}"),
            lambda: self.changes(one),
        ]

    def changes(self, one: Account) -> None:
        visit, people = self.visit, self.visit.served.people
        with ui.element("div").classes("line"):
            action(visit.say("web_people.change_roles"), lambda: self.change_roles(one), "quiet")
            action(visit.say("web_people.reset"), lambda: self.reset(one), "quiet")
            if one.must_factor or one.has_factor:
                sure = visit.say("web_people.sure_factor_off", login=one.login)
                task = _factor(people, one.login, False)
                action(visit.say("web_people.factor_off"), lambda: self.do(task, sure), "quiet")
            else:
                sure = visit.say("web_people.sure_factor_on", login=one.login)
                task_on = _factor(people, one.login, True)
                action(visit.say("web_people.factor_on"), lambda: self.do(task_on, sure), "quiet")
            is_off = one.state == "disabled"
            key = "let_in" if is_off else "suspend"
            change = lambda who: people.change(who, one.login, disabled=not is_off)  # noqa: E731
            sure_off = visit.say(f"web_people.sure_{key}", login=one.login)
            action(visit.say(f"web_people.{key}"), lambda: self.do(change, sure_off), "quiet")

    async def do(self, task: Callable[[Who], Account], sure: str) -> None:
        """A change of an account, once somebody says that it is meant."""
        visit = self.visit
        if await confirmed(visit, sure, visit.say("web_people.yes")) and await visit.asked(task) is not None:
            visit.tell(visit.say("web_people.done"))
            await self.show()

    async def reset(self, one: Account) -> None:
        visit = self.visit
        sure = visit.say("web_people.sure_reset", login=one.login)
        if not await confirmed(visit, sure, visit.say("web_people.yes")):
            return
        secret = await visit.asked(lambda who: visit.served.people.reset(who, one.login))
        if secret is not None:
            self.link("reset", secret, one.login, one.language, RESET.days)
            await self.show()

    async def change_roles(self, one: Account) -> None:
        visit = self.visit
        with ui.dialog() as dialog, ui.element("div").classes("card form"):
            dialog.props["aria-label"] = title = visit.say("web_people.roles_of", login=one.login)
            words("h2", title)
            roles = self.roles(one.roles)
            firm: Box = field(visit.say("web_people.firm_code"), value=one.firm or "")
            with ui.element("div").classes("line"):
                action(visit.say("web_people.keep"), lambda: dialog.submit((roles(), firm.text)), "main")
                action(visit.say("web_parts.no"), dialog.close)
        chosen = await dialog
        dialog.delete()
        if chosen is None:
            return
        wanted, of_firm = chosen
        of_firm = of_firm if of_firm and OF_A_FIRM & set(wanted) else None

        def task(who: Who) -> Account:
            return visit.served.people.change(who, one.login, roles=wanted, firm=of_firm)

        if await visit.asked(task) is not None:
            visit.tell(visit.say("web_people.done"))
            await self.show()


def _with_text(accounts: Sequence[Account], text: str) -> list[Account]:
    """Those that have a text in their login, name or firm."""
    sought = text.strip().casefold()
    return [one for one in accounts if any(sought in told.casefold() for told in (one.login, one.name, one.firm or ""))]


def _factor(people: Any, login: str, is_asked: bool) -> Callable[[Who], Account]:
    return lambda who: people.set_factor(who, login, is_asked)
