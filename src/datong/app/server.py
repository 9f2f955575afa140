"""The server: its doors put together, and run until it is stopped."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from logging import Logger
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse

from datong import __version__
from datong.app.forms.pages import add_forms
from datong.app.http.counts_and_logs import Metrics, Watched, request_log
from datong.app.http.headers import SafeHeaders
from datong.app.http.request_rates import Rates
from datong.app.http.signed_in import session_of
from datong.app.rest.application import add_api
from datong.app.service.accounts import People
from datong.app.service.lend_chain import Lending
from datong.app.service.outside_sign_in import OIDC_FILE, SignInServer
from datong.app.service.roles_and_permissions import NotSignedIn, Who
from datong.app.service.served_chain import DATABASE_FILE, Served, serve, server_folder
from datong.app.service.webhooks import Sender
from datong.app.tracing import is_wanted, trace
from datong.app.web.pages import PAGES, add_pages
from datong.model.errors import Refused
from datong.model.words import message

# Pages that need the looser policy of NiceGUI.
PLANNER_PATHS = ("/planner", "/_nicegui")


@dataclass(frozen=True)
class Place:
    """Where a server listens. host: 127.0.0.1 is this machine alone. port: number of the TCP port. certificate, key:
    files of TLS; None: none. proxies: addresses whose word on who asks, and by which way, is believed; '': nobody's.
    logs_requests: a line of JSON for each request goes to standard error. webhooks_to_private: webhooks may be sent to
    addresses of one's own network."""

    host: str = "127.0.0.1"
    port: int = 8765
    certificate: Path | None = None
    key: Path | None = None
    proxies: str = ""
    logs_requests: bool = False
    webhooks_to_private: bool = False

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by TLS: its own, or that of the proxy before it."""
        return self.certificate is not None or bool(self.proxies)

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.certificate is None else 'https'}://{host}:{self.port}"


def application(
    served: Served, is_secure: bool = False, log: Logger | None = None, sign_in_server: SignInServer | None = None
) -> FastAPI:
    """Every door of a served chain as one application. log: of requests; None: none is kept. sign_in_server: another
    one that people may sign in at."""
    metrics = Metrics(served)
    app = FastAPI(title="Datong", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/", include_in_schema=False)
    def home(request: Request) -> RedirectResponse:
        """To the page that is somebody's own."""
        try:
            who = session_of(request.headers, served).who
        except NotSignedIn:
            return RedirectResponse("/sign-in", 303)
        return RedirectResponse("/factory" if who.firm is not None else first_page(who), 303)

    rates, by_page = Rates(served.now), served.by_way("web")
    add_api(app, served.by_way("rest"), is_secure, metrics, rates)
    add_forms(app, by_page, is_secure, sign_in_server)
    if find_spec("mcp") is not None:
        from datong.app.mcp.over_http import add_mcp  # its library is an extra

        add_mcp(app, served, rates)
    add_pages(app, by_page)
    app.add_middleware(SafeHeaders, loose=PLANNER_PATHS, is_secure=is_secure)
    app.add_middleware(Watched, metrics=metrics, log=log)
    return app


def sign_in_server(served: Served, folder: Path, environment: Mapping[str, str]) -> SignInServer | None:
    """The one that the server's folder names; None: none. Raises Refused where what it says cannot be used."""
    file = folder / OIDC_FILE
    if not file.exists():
        return None
    if find_spec("authlib") is None:
        raise Refused(message("outside.no_libraries", file=file))
    from datong.app.service.oidc import Oidc, read_configuration  # its libraries are an extra

    configuration = read_configuration(file)
    name = configuration.secret_variable
    if name and not environment.get(name):
        raise Refused(message("outside.no_secret", name=name))
    return Oidc(configuration, environment[name] if name else "", served.database, served.people, served.now)


def first_page(who: Who) -> str:
    """The first page of the planner's that somebody may see; that of the own account where there is none."""
    return next((page.path for page in PAGES if who.may(page.needs) and page.in_navigation), "/account")


def first_link(people: People, login: str, language: str) -> str | None:
    """The path at which the first person, a planner, sets a password; None where there is anybody already."""
    if not people.is_empty():
        return None
    return f"/invitation/{people.invite(None, login, login, ['planner'], language=language)}"


def run(
    chain: Path,
    place: Place,
    database_folder: Path | None,
    language: str,
    login: str,
    on_ready: Callable[[str | None], None],
) -> None:
    """Serve a chain until it is stopped. on_ready: told once it listens, with the path of the first link, if there is
    one. Raises what Chain raises, OSError where the port is taken."""
    folder = server_folder(chain) if database_folder is None else database_folder
    served = serve(chain, folder / DATABASE_FILE, language=language, webhooks_to_private=place.webhooks_to_private)
    try:
        log = request_log(sys.stderr) if place.logs_requests else None
        app = application(served, place.is_secure, log, sign_in_server(served, folder, os.environ))
        if is_wanted(os.environ):
            trace(app, os.environ)
        config = uvicorn.Config(
            app,
            host=place.host,
            port=place.port,
            ssl_certfile=place.certificate,
            ssl_keyfile=place.key,
            proxy_headers=bool(place.proxies),
            forwarded_allow_ips=place.proxies or None,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        sockets = [config.bind_socket()]
        lending = Lending(served.chain_thread, served.events, place.address)
        sender = Sender(served.webhooks, served.events)
        try:
            on_ready(first_link(served.people, login, language))
            uvicorn.Server(config).run(sockets)
        finally:
            sender.close()
            lending.close()
    finally:
        served.close()
