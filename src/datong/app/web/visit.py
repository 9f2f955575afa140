"""Somebody who has a page open: everything that they do is asked of the service, and allowed there anew each time."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from queue import Empty
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

from nicegui import Client, run, ui
from starlette.requests import Request

from datong.app.http.signed_in import cookie_of, refuse_without_factor, session_of
from datong.app.service.accounts import Session
from datong.app.service.live_events import Event
from datong.app.service.roles_and_permissions import NotAllowed, NotSignedIn, Who
from datong.app.service.served_chain import Served
from datong.model.errors import BadInput, DatongError
from datong.model.words import message, say

T = TypeVar("T")
Kind = Literal["positive", "info", "warning", "negative"]
# Seconds between two looks for what changed.
LOOKS_EVERY = 1.0
LOOK_COOKIE = "datong_look"
LOOKS = ("auto", "light", "dark")
# What is said of an act that is done already, by the same press twice or by somebody else: nothing went wrong.
DONE_ALREADY = frozenset(
    {
        "service_orders.decided_already",
        "service_orders.is_out",
        "service_orders.nothing_to_undo",
        "service_orders.nothing_to_redo",
    }
)
# Pages whose session ended while they were open.
OPEN: WeakValueDictionary[str, "Visit"] = WeakValueDictionary()


@dataclass(eq=False)
class Visit:
    """A page that somebody has open. secret: of their session, another one where they signed in again meanwhile; csrf:
    what forms of this page must say. path: of the page, with its question. look: auto, light or dark. client: the page
    itself, which is there whatever of it is drawn anew. waiting: what was done after the session ended, one for each:
    whether it goes on. notices: that stay until they are closed."""

    served: Served
    who: Who
    secret: str
    csrf: str
    path: str
    look: str
    client: Client
    notices: list[ui.notification] = field(default_factory=list)
    waiting: "list[asyncio.Future[bool]]" = field(default_factory=list)

    @property
    def language(self) -> str:
        return self.who.language

    def say(self, key: str, /, **params: Any) -> str:
        return say(key, self.language, **params)

    async def asked(self, task: Callable[[Who], T]) -> T | None:
        """What the service gives to a task, which runs in a thread. Where the session ended, the task waits until they
        are signed in again and go on. None where it refused, and why is told on the page: what was typed there stays;
        and where the page was left before they went on."""
        while True:
            try:
                return await asyncio.to_thread(lambda: self.authorised(task))
            except NotSignedIn as error:
                if not await self.tell_signed_out(error):
                    return None
            except DatongError as error:
                self.tell(text_of(error, self.language), "info" if error.message.key in DONE_ALREADY else "negative")
                return None

    def authorised(self, task: Callable[[Who], T]) -> T:
        """What a task gives to whoever the session is of now. Raises NotSignedIn where it has ended, NotAllowed where
        it is another's, or the account must set up its second factor first."""
        session = self.served.people.session(self.secret)
        if session.must_factor or session.who.account != self.who.account:
            raise NotAllowed(message("service.must_factor"))
        return task(session.who)

    def tell(self, text: str, kind: Kind = "positive") -> None:
        """A short notice on the page."""
        stays = kind in ("negative", "warning")
        if kind == "positive":  # what went wrong before is mended or past
            for one in self.notices:
                one.dismiss()
            self.notices = []
        with self.client:
            made = ui.notification(
                text, type=kind, multi_line=True, timeout=None if stays else 4.0, close_button=self.say("web.close")
            )
        if stays:
            self.notices.append(made)

    def script(self, code: str) -> None:
        """Run something in the browser."""
        self.client.run_javascript(code)

    async def tell_signed_out(self, error: DatongError) -> bool:
        """The session ended while the page was open: signing in elsewhere lets the same page go on, and what waits for
        it. Whether it goes on; the page may be left before."""
        client = self.client.id
        waiting = asyncio.get_running_loop().create_future()
        self.waiting.append(waiting)
        if OPEN.get(client) is not self:  # else it is told already
            OPEN[client] = self
            self._ask_to_sign_in(error)
        return await waiting

    def _ask_to_sign_in(self, error: DatongError) -> None:
        client = self.client.id

        def end(goes_on: bool) -> None:
            waiting, self.waiting = self.waiting, []
            for one in waiting:
                if not one.done():
                    one.set_result(goes_on)

        async def go_on() -> None:
            await self.client.run_javascript(
                f"return (await fetch('/planner/renew/{client}', {{method: 'POST'}})).status"
            )
            if await run.io_bound(self._is_signed_in):
                OPEN.pop(client, None)
                dialog.close()
                end(True)

        self.client.on_delete(lambda: end(False))
        with self.client, ui.dialog(value=True).props("persistent") as dialog, ui.card():
            ui.label(error.message.text(self.language))
            ui.link(self.say("web.sign_in_again"), "/sign-in?next=/planner/signed-in", new_tab=True)
            with ui.element("button").classes("main").on("click", go_on):
                ui.label(self.say("web.go_on"))

    def follow(self, kinds: Collection[str], changed: Callable[[list[Event]], Any]) -> None:
        """Call `changed` with what happened at the chain, while the page is open and its session lasts. kinds: of
        events (service/live_events.py); 'lost' is always among them."""
        listener = self.served.events.listen(self.who)

        async def look() -> None:
            told: list[Event] = []
            while True:
                try:
                    told.append(listener.queue.get_nowait())
                except Empty:
                    break
            told = [event for event in told if event.kind in kinds or event.kind == "lost"]
            if told and await run.io_bound(self._is_signed_in):
                found = changed(told)
                if found is not None:
                    await found

        ui.timer(LOOKS_EVERY, look)
        self.client.on_delete(lambda: self.served.events.leave(listener))

    def _is_signed_in(self) -> bool:
        try:
            self.authorised(lambda _who: None)
        except DatongError:
            return False
        return True


def text_of(error: DatongError, language: str) -> str:
    """An error in words, with its findings."""
    found = error.findings if isinstance(error, BadInput) else ()
    return "\n".join([error.message.text(language), *(one.text(language) for one in found)])


def renew(client: str, session: Session) -> bool:
    """Let a page whose session ended go on with a new one of the same account. client: names the page, which nobody
    else knows. Whether there is such a page."""
    visit = OPEN.get(client)
    if visit is None or visit.who.account != session.who.account:
        return False
    visit.secret = session.secret
    return True


def visit_of(request: Request, served: Served) -> Visit:
    """Who opens a page. Raises NotSignedIn where nobody is signed in, NotAllowed where the account must set up its
    second factor first."""
    session = session_of(request.headers, served)
    refuse_without_factor(session)
    look = request.cookies.get(LOOK_COOKIE, LOOKS[0])
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    secret = cookie_of(request.headers)
    return Visit(
        served, session.who, secret, session.csrf, path, look if look in LOOKS else LOOKS[0], ui.context.client
    )
