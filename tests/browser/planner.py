"""A served chain in a process of its own, with people signed in, and browsers that look at its planner's pages."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pyotp
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

from datong.app.http.headers import SafeHeaders
from datong.app.http.signed_in import COOKIE
from datong.app.service.accounts import People
from datong.app.service.audit import Audit
from datong.app.service.served_chain import serve
from datong.app.service.server_database import ServerDatabase
from datong.app.wiring import utc_now
from quick_processes import context

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "a password that is long"


@dataclass(frozen=True)
class Planner:
    """address: of the server. secrets: of the cookies, by login. database: the file of accounts."""

    address: str
    secrets: Mapping[str, str]
    database: Path

    def page(self, browser: Browser, login: str, problems: list[str], width: int = 1400, height: int = 900) -> Page:
        """A page of somebody who is signed in. problems: gets what goes wrong in the browser."""
        context = browser.new_context(viewport={"width": width, "height": height})
        context.add_cookies([{"name": COOKIE, "value": self.secrets[login], "url": self.address}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        return page


@contextmanager
def planner(folder: Path, database: Path, people: Mapping[str, tuple[str, str]], port: int = 0) -> Iterator[Planner]:
    """Serve a chain. people: role and language by login. port: 0 for any that is free."""
    secrets = signed_in(database, people)
    ours, theirs = context().Pipe()
    process = context().Process(target=_serve, args=(folder, database, theirs, port))
    process.start()
    try:
        if not ours.poll(60):
            raise TimeoutError("the server did not start")
        yield Planner(f"http://127.0.0.1:{ours.recv()}", secrets, database)
    finally:
        process.terminate()
        process.join(20)
        if process.exitcode is None:
            process.kill()
            process.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; a missing one fails."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield opened
        opened.close()


def signed_in(database: Path, people: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    opened = ServerDatabase(database)
    accounts = People(opened, Audit(opened, utc_now), utc_now, QUICK)
    secrets = {}
    for login, (role, language) in people.items():
        link = accounts.invite(None, login, login.title(), [role], language=language)
        session = accounts.accept(link, PASSWORD)
        secrets[login] = session.secret
        if session.must_factor:
            factor = pyotp.TOTP(pyotp.parse_uri(accounts.begin_factor(session.who)).secret)
            accounts.confirm_factor(session.who, factor.at(utc_now()))
    opened.close()
    return secrets


def _serve(folder: Path, database: Path, pipe: Connection, port: int) -> None:
    from datong.app.web.pages import add_pages

    served = serve(folder, database, hasher=QUICK)
    app = FastAPI()
    add_pages(app, served)
    app.add_middleware(SafeHeaders, loose=("/planner", "/_nicegui"))
    config = uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1)
    socket = config.bind_socket()
    socket.listen()
    pipe.send(socket.getsockname()[1])
    try:
        uvicorn.Server(config).run([socket])
    finally:
        served.close()
