"""What all planner's pages share: navigation, search, language, light and dark, and who is signed in."""

import asyncio
import copy
import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from nicegui import Client, ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from datong.app.http.signed_in import CSRF_FIELD
from datong.app.service.roles_and_permissions import NotSignedIn, Permission
from datong.app.service.served_chain import Served
from datong.app.web.visit import LOOK_COOKIE, LOOKS, Visit, text_of, visit_of
from datong.model.errors import DatongError

ICON = {"auto": "brightness_auto", "light": "light_mode", "dark": "dark_mode"}
STATIC = files("datong.app.web").joinpath("static")
# What the script of every page says, by its name there.
SCRIPT_WORDS = {
    "lost": "server_lost",
    "unsaved": "not_saved",
    "back": "server_back",
    "restored": "put_back",
    "gone": "not_put_back",
    "missing": "field_missing",
    "wrong": "field_wrong",
    "close": "close",
}
# Seconds that a page may take to be built.
LONGEST_BUILD = 60.0
# A page whose content takes longer is sent without it, and gets it as soon as it is there; how long a browser may take
# to come back for it (seconds).
SENT_AFTER, COMES_BACK = 0.5, 30.0


@dataclass(frozen=True)
class Page:
    """A page of the planner. name: of its words, web.page.NAME. needs: what one must be allowed to do to see it. build:
    puts it on the screen. in_navigation: whether the bar on top names it."""

    name: str
    path: str
    needs: Permission
    build: Callable[[Visit, Request], Awaitable[None]]
    in_navigation: bool = True


# Puts something on top of a page, which has a name; by name, the paths of all pages.
OnTop = Callable[[Visit, str, Mapping[str, str]], Awaitable[None]]


def register(served: Served, pages: Sequence[Page], on_top: OnTop) -> None:
    """Offer pages, each in one frame with a bar that names those one may see."""
    for page in pages:
        _register(served, page, pages, on_top)


def _register(served: Served, page: Page, pages: Sequence[Page], on_top: OnTop) -> None:
    @ui.page(page.path, response_timeout=LONGEST_BUILD)
    async def shown(request: Request) -> Response | None:
        try:
            visit = visit_of(request, served)
        except NotSignedIn:
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/sign-in?next={quote(path)}", 303)
        except DatongError:
            return RedirectResponse("/factor", 303)
        _speak(visit, page)
        ui.on("pressed", lambda event: _press(visit, event.args.get("id")))
        with frame(visit, page, [p for p in pages if visit.who.may(p.needs)]):
            if not visit.who.may(page.needs):
                note(visit.say("web.not_for_you"))
                return None
            waits = ui.label(visit.say("web.at_work")).props('role="status"').classes("soft")
            waits.set_visibility(False)
            client = ui.context.client
            early = asyncio.create_task(_sent_early(client, waits))
            _end_with(client)
            try:
                await on_top(visit, page.name, {one.name: one.path for one in pages})
                await page.build(visit, request)
            except DatongError as error:
                note(text_of(error, visit.language))
            finally:
                early.cancel()
                if not client.is_deleted:
                    waits.delete()
        return None


async def _sent_early(client: Client, waits: ui.label) -> None:
    """Send a page whose content is not there in time, with a word that it comes: what is worked out once for a new plan
    or a new server can take longer than anybody looks at nothing."""
    await asyncio.sleep(SENT_AFTER)
    waits.set_visibility(True)
    with suppress(TimeoutError):  # nobody waits for it any more
        await client.connected(timeout=COMES_BACK)


def _end_with(client: Client) -> None:
    """Have a page built no further once its browser is gone."""
    building = asyncio.current_task()
    if building is not None:
        client.on_delete(building.cancel)


def _speak(visit: Visit, page: Page) -> None:
    """Title, language and light of this reader's page."""
    client = ui.context.client
    own = copy.copy(client.page)
    own.title = f"{visit.say(f'web.page.{page.name}')} · {visit.served.chain_thread.settings.name}"
    own.language = "zh-CN" if visit.language == "zh" else "en-US"
    own.dark = {"auto": None, "light": False, "dark": True}[visit.look]
    client.page = own
    ui.add_head_html(f'<link rel="stylesheet" href="{static("planner.css")}">')
    told = " ".join(f'data-{name}="{escape(visit.say(f"web.{key}"))}"' for name, key in SCRIPT_WORDS.items())
    ui.add_head_html(f'<script src="{static("every_page.js")}" {told}></script>')
    ui.colors(primary="#0b5cad", positive="#14532d", negative="#8c1d18", info="#0b4a8a", warning="#6b3d00")


def static(name: str) -> str:
    """The address of a file of ours, which changes with what is in it."""
    digest = sha256(STATIC.joinpath(name).read_bytes()).hexdigest()[:12]
    return f"/planner/static/{name}?{digest}"


@contextmanager
def frame(visit: Visit, page: Page, pages: Sequence[Page]) -> Generator[None]:
    """The bar on top and, within it, what the page puts there."""
    ui.link(visit.say("web.to_content"), "#content").classes("skip")
    with ui.element("header").classes("bar"):
        ui.link("Datong 打通", "/").classes("brand")
        with ui.element("nav").props(f'aria-label="{visit.say("web.navigation")}"'):
            for one in (p for p in pages if p.in_navigation):
                link = ui.link(visit.say(f"web.page.{one.name}"), one.path)
                if one.name == page.name:
                    link.props('aria-current="page"')
        ui.element("span").classes("grow")
        if any(p.name == "search" for p in pages):
            with ui.element("form").props('action="/planner/search" role="search"'):
                words = visit.say("web.search")
                ui.element("input").props(f'type="search" name="q" placeholder="{words}" aria-label="{words}"')
        _language_switch(visit)
        _look_switch(visit)
        ui.link(visit.who.name or visit.who.login, "/account").classes("who").props["title"] = visit.say("web.account")
        with ui.element("form").props('action="/sign-out" method="post"'):
            ui.element("input").props(f'type="hidden" name="{CSRF_FIELD}" value="{visit.csrf}"')
            with ui.element("button").props('type="submit"').classes("quiet"):
                ui.label(visit.say("web.sign_out"))
    with ui.element("main").props('id="content" tabindex="-1"'):
        with ui.element("h1"):
            ui.label(visit.say(f"web.page.{page.name}"))
        yield


def _language_switch(visit: Visit) -> None:
    other = "en" if visit.language == "zh" else "zh"

    async def switch() -> None:
        await visit.asked(lambda who: visit.served.people.set_language(who, other))
        ui.navigate.to(visit.path)

    with ui.element("button").props(f'type="button" lang="{other}"').classes("quiet").on("click", switch):
        ui.label("中文" if other == "zh" else "English")


def _look_switch(visit: Visit) -> None:
    following = LOOKS[(LOOKS.index(visit.look) + 1) % len(LOOKS)]

    def switch() -> None:
        ui.run_javascript(f"document.cookie = '{LOOK_COOKIE}={following};path=/;max-age=31536000;samesite=lax'")
        ui.navigate.to(visit.path)

    words = visit.say(f"web.look_{visit.look}")
    with ui.element("button").props(f'type="button" aria-label="{words}" title="{words}"') as button:
        ui.icon(ICON[visit.look])
    button.classes("quiet").on("click", switch)


# A press of a button whose last one is still at work is none.
PRESSED = "(event) => datongPage.pressed(event.currentTarget)"


class Action(ui.element):
    """A button, which is off from the press until what it does is done. words: what stands on it."""

    def __init__(self, text: str, on_click: Callable[[], Any]) -> None:
        super().__init__("button")
        self.props('type="button" data-acts').on("click", js_handler=PRESSED)
        self._on_click, self._is_at_work = on_click, False
        with self:
            self.words = ui.label(text)

    async def pressed(self) -> None:
        if self._is_at_work:
            return
        self._is_at_work = True
        try:
            found = self._on_click()
            if inspect.isawaitable(found):
                await found
        finally:
            self._is_at_work = False
            if not self.is_deleted:
                self.client.run_javascript(f"datongPage.free('{self.html_id}')")


def action(text: str, on_click: Callable[[], Any], kind: str = "plain") -> Action:
    """A button that acts. kind: main, plain or quiet."""
    return Action(text, on_click).classes(kind)


async def _press(visit: Visit, element: object) -> None:
    """Do what a button does. Where it was drawn anew while the press was on its way, the page says so: nobody saw yet
    what stands there now. element: its id, as the browser says."""
    button = visit.client.elements.get(element) if isinstance(element, int) else None
    slot = button.parent_slot if isinstance(button, Action) and not button.is_ignoring_events else None
    if isinstance(button, Action) and slot is not None:
        with slot:
            await button.pressed()
        return
    visit.tell(visit.say("web.pressed_gone"), "warning")
    visit.script(f"datongPage.free('c{element}')" if isinstance(element, int) else "")


def heading(text: str) -> None:
    """A heading of a part of a page."""
    with ui.element("h2"):
        ui.label(text)


def note(text: str) -> None:
    """A sentence that stands alone: why something is not there, and what would fill it."""
    ui.label(text).classes("note").props('role="note"')
