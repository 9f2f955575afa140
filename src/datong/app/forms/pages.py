"""All plain pages, put into an application."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from datong.app.forms import factory, outside_sign_in, sign_in_and_account
from datong.app.forms.page_requests import MOST_FORM, MOST_UPLOAD, Door, Handler, answer, asked, message_page, read_form
from datong.app.forms.rendering import static_files
from datong.app.http.request_rates import Rates
from datong.app.service.outside_sign_in import SignInServer
from datong.app.service.served_chain import Served
from datong.model.words import message

# What a page loads stays as it is: its address has its digest.
_KEPT = {"cache-control": "public, max-age=31536000, immutable"}
# The worker of the factory's pages, at the root, as it may answer only for what lies below it.
WORKER = "factory-worker.js"


@dataclass(frozen=True)
class Page:
    """One page. is_open: nobody needs to be signed in. most_bytes: of its form."""

    path: str
    method: str
    handler: Handler
    is_open: bool = False
    most_bytes: int = MOST_FORM


PAGES = (
    Page("/sign-in", "GET", sign_in_and_account.see_sign_in, is_open=True),
    Page("/sign-in", "POST", sign_in_and_account.sign_in, is_open=True),
    Page("/sign-in/outside", "GET", outside_sign_in.begin, is_open=True),
    Page("/sign-in/outside/back", "GET", outside_sign_in.come_back, is_open=True),
    Page("/sign-in/outside/code", "POST", outside_sign_in.give_code, is_open=True),
    Page("/sign-out", "POST", sign_in_and_account.sign_out),
    Page("/invitation/{secret}", "GET", sign_in_and_account.see_invitation, is_open=True),
    Page("/invitation/{secret}", "POST", sign_in_and_account.accept_invitation, is_open=True),
    Page("/factor", "GET", sign_in_and_account.see_factor),
    Page("/factor", "POST", sign_in_and_account.set_factor),
    Page("/account", "GET", sign_in_and_account.see_account),
    Page("/account", "POST", sign_in_and_account.change_password),
    Page("/account/tokens", "POST", sign_in_and_account.make_token),
    Page("/account/tokens/end", "POST", sign_in_and_account.drop_token),
    Page("/language", "POST", sign_in_and_account.choose_language, is_open=True),
    Page("/factory", "GET", factory.see_orders),
    Page("/factory/orders.xlsx", "GET", factory.orders_sheet),
    Page("/factory/hours", "GET", factory.see_hours),
    Page("/factory/orders/{order:path}/photos", "POST", factory.add_photo_of, most_bytes=MOST_UPLOAD),
    Page("/factory/orders/{order:path}", "GET", factory.see_order),
    Page("/factory/orders/{order:path}", "POST", factory.answer_order),
    Page("/photos/{order:path}/{digest}", "GET", factory.see_photo),
)


def add_forms(
    app: FastAPI, served: Served, is_secure: bool = False, sign_in_server: SignInServer | None = None
) -> None:
    """Add the plain pages. is_secure: browsers reach the server by TLS. sign_in_server: another one that people may
    sign in at."""
    door = Door(served, Rates(served.now), is_secure, sign_in_server)
    for one in PAGES:
        app.add_api_route(one.path, _endpoint(door, one), methods=[one.method], include_in_schema=False)
    app.add_api_route("/forms-static/{name}", _static, methods=["GET"], include_in_schema=False)
    app.add_api_route(f"/{WORKER}", _worker, methods=["GET"], include_in_schema=False)


def _endpoint(door: Door, one: Page) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        address = request.client.host if request.client is not None else ""
        try:
            fields, file = await read_form(request, one.most_bytes)
        except HTTPException as error:
            ask = await run_in_threadpool(asked, door, request, {}, None)
            rule = "forms.too_large" if error.status_code == 413 else "forms.no_form"
            return await run_in_threadpool(message_page, ask, error.status_code, message(rule))
        ask = await run_in_threadpool(asked, door, request, fields, file)
        return await run_in_threadpool(answer, ask, one.handler, one.is_open, request.headers, address)

    return endpoint


async def _static(name: str) -> Response:
    file = static_files().get(name)
    if file is None or name == WORKER:
        return Response(status_code=404)
    return Response(file.content, media_type=file.media_type, headers=_KEPT)


async def _worker() -> Response:
    return Response(static_files()[WORKER].content, media_type="text/javascript", headers={"cache-control": "no-cache"})
