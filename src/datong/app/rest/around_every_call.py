"""A request before its endpoint sees it: who sends it, how often, from which page, in which language, and whether it
came before."""

import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from datong.app.http.accepted_language import accepted
from datong.app.http.counts_and_logs import Metrics
from datong.app.http.request_rates import CHANGE, READ, SIGN_IN, Rate, Rates
from datong.app.http.signed_in import CSRF_HEADER, SAFE, Sender, refuse_forged, sender, session_of
from datong.app.rest.problems import TooLarge, TooOften, problem
from datong.app.service.accounts import Session
from datong.app.service.requests_done_once import Answer, Answered
from datong.app.service.roles_and_permissions import NotAllowed, NotSignedIn, Who
from datong.app.service.served_chain import Served
from datong.model.errors import DatongError, Refused
from datong.model.words import message

MOST_BYTES, MOST_DIGITS = 1 << 20, 15
KEY_HEADER = "idempotency-key"
MOST_KEY = 200
# Fields of answers that are shown once and kept nowhere.
SECRETS = ("secret", "address", "csrf")
# Headers that belong to a kept answer.
_KEPT_HEADERS = ("content-type", "etag", "location", "content-language")
PRIVATE = "private, no-cache"
# Answers that say nothing of the request itself: the same request may be sent again.
_PASSING = frozenset({401, 403, 412, 413, 428, 429, 503})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Door:
    """What every endpoint stands on. streams: the account of each open stream of events. begun: names this start of the
    server. is_secure: the server is reached by TLS. metrics: counts of the server."""

    served: Served
    rates: Rates
    answered: Answered
    streams: list[int]
    begun: str
    is_secure: bool
    metrics: Metrics


@dataclass(frozen=True)
class Call:
    """One request. who: sends it; session: of a browser, None for a token; language: of the answer. look_again: who
    sends it, as things stand then, which is no use of the session."""

    door: Door
    who: Who
    session: Session | None
    language: str
    if_match: str | None
    look_again: Callable[[], Who]

    @property
    def served(self) -> Served:
        return self.door.served

    @property
    def own_session(self) -> Session:
        """Raises NotAllowed for a token: it may not change what its owner signs in with."""
        if self.session is None:
            raise NotAllowed(message("rest.session_needed"))
        return self.session

    def still_holds(self) -> bool:
        """Whether whoever sent the request is still signed in, as the same person."""
        try:
            return self.look_again() == self.who
        except (NotSignedIn, NotAllowed):
            return False


def call_of(request: Request) -> Call:
    return request.state.call


def door_of(request: Request) -> Door:
    return request.app.state.door


Called = Annotated[Call, Depends(call_of)]
AtDoor = Annotated[Door, Depends(door_of)]


class Open(APIRoute):
    """An endpoint that anybody may ask, so often by address."""

    rate: ClassVar[Rate | None] = SIGN_IN
    most_bytes: ClassVar[int] = MOST_BYTES

    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            request.state.language = accepted(request.headers.get("accept-language", "")) or "en"
            try:
                await self.admit(request)
                response = await self.answer(await _bounded(request, self.most_bytes), inner)
            except (DatongError, RequestValidationError, HTTPException) as error:
                return problem(error, request.state.language, request.url.path)
            except ClientDisconnect:  # in the middle of what it sent: nobody reads the answer
                return Response(status_code=400)
            return _labelled(response, request)

        return handle

    async def admit(self, request: Request) -> None:
        """Whether the request may come in. Raises what keeps it out."""
        address = request.client.host if request.client else "-"
        if self.rate is not None and request.method not in SAFE:
            _count(door_of(request), address, self.rate)

    async def answer(self, request: Request, inner: Handler) -> Response:
        return await inner(request)


class Signed(Open):
    """An endpoint for people who are signed in and programs with a token."""

    rate: ClassVar[Rate | None] = None

    async def admit(self, request: Request) -> None:
        call = await run_in_threadpool(self.call, request)
        request.state.call, request.state.language = call, call.language

    def call(self, request: Request) -> Call:
        door = door_of(request)
        one = self.sender(request, door.served)
        language = accepted(request.headers.get("accept-language", "")) or one.who.language
        request.state.language = language
        is_read = request.method in SAFE
        _count(door, f"account {one.who.account}", self.rate or (READ if is_read else CHANGE))
        refuse_forged(request.method, one.session, request.headers.get(CSRF_HEADER, ""))

        def look_again() -> Who:
            if one.session is None:
                return sender(request, door.served).who
            return door.served.people.session(one.session.secret, is_use=False).who

        return Call(door, one.who, one.session, language, request.headers.get("if-match"), look_again)

    def sender(self, request: Request, served: Served) -> Sender:
        return sender(request, served)

    async def answer(self, request: Request, inner: Handler) -> Response:
        key = request.headers.get(KEY_HEADER)
        if key is None or request.method in SAFE:
            return await inner(request)
        return await _once(request, inner, key)


class OfChain(Signed):
    """An endpoint whose answers hold what the chain says, and nothing else: until somebody writes to it, whoever has
    the answer is told so before it is worked out again."""

    async def answer(self, request: Request, inner: Handler) -> Response:
        if request.method not in SAFE:
            return await super().answer(request, inner)
        tag = _tag_of_question(request)
        if matches(request.headers.get("if-none-match", "").replace("*", ""), tag):
            return Response(status_code=304, headers={"etag": tag, "cache-control": PRIVATE})
        response = await inner(request)
        if response.status_code == 200:
            response.headers["etag"] = tag
        return response


def _tag_of_question(request: Request) -> str:
    """Names what is asked, by whom, and of which state of the chain: begun says of which start of the server."""
    call = call_of(request)
    who = [call.who.account, sorted(call.who.permissions), call.who.firm, call.language]
    asked = [request.url.path, request.url.query]
    return tag_of({"who": who, "asked": asked, "of": [call.door.begun, call.served.chain_thread.version]})


class Begun(Signed):
    """An endpoint that also those may ask who must still set up their second factor."""

    def sender(self, request: Request, served: Served) -> Sender:
        if "authorization" in request.headers:
            return sender(request, served)
        session = session_of(request.headers, served)
        return Sender(session.who, session)


def _count(door: Door, asker: str, rate: Rate) -> None:
    wait = door.rates.wait_s(asker, rate)
    if wait:
        seconds = int(-(-wait // 1))
        raise TooOften(message("service.too_often", seconds=seconds), seconds)


async def _bounded(request: Request, most: int) -> Request:
    """The request with its body read, no more than may be. Raises TooLarge."""
    declared = request.headers.get("content-length", "0")
    too_large = TooLarge(message("rest.too_large", most=most))
    if not declared.isdecimal() or len(declared) > MOST_DIGITS or int(declared) > most:
        raise too_large
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise too_large
        pieces.append(piece)
    unread = [{"type": "http.request", "body": b"".join(pieces), "more_body": False}]

    async def receive() -> Message:
        return unread.pop() if unread else await request.receive()

    return Request(request.scope, receive)


async def _once(request: Request, inner: Handler, key: str) -> Response:
    """Do a request with a key of its own, or give the answer that it got before."""
    if not key.isascii() or not key.isprintable() or not 1 <= len(key) <= MOST_KEY:
        raise Refused(message("rest.wrong_key", most=MOST_KEY))
    answered, account = door_of(request).answered, call_of(request).who.account
    digest = hashlib.sha256()
    for part in (request.method, request.url.path, request.url.query, request.headers.get("content-type", "")):
        digest.update(f"{len(part)}:{part}".encode())
    digest.update(await request.body())
    before = await run_in_threadpool(answered.begin, account, key, digest.hexdigest())
    if before is not None:
        return Response(before.body, before.status, {**before.headers, "idempotency-replayed": "true"})
    try:
        response = await _told(request, inner)
    except BaseException:
        await run_in_threadpool(answered.leave, account, key)
        raise
    if response.status_code == 500:
        await run_in_threadpool(answered.leave, account, key)
    elif response.status_code in _PASSING:
        await run_in_threadpool(answered.drop, account, key)
    else:
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        answer = Answer(response.status_code, _without_secrets(bytes(response.body)), headers)
        await run_in_threadpool(answered.keep, account, key, answer)
    return response


async def _told(request: Request, inner: Handler) -> Response:
    """The answer, also where it is a problem."""
    try:
        return await inner(request)
    except (DatongError, RequestValidationError, HTTPException) as error:
        return problem(error, request.state.language, request.url.path)


def _without_secrets(body: bytes) -> str:
    text = body.decode()
    if not any(f'"{name}"' in text for name in SECRETS):
        return text
    value = json.loads(text)
    return json.dumps({k: None if k in SECRETS else v for k, v in value.items()}) if isinstance(value, dict) else text


def _labelled(response: Response, request: Request) -> Response:
    """With the digest of the answer, by which who has it already need not load it again."""
    response.headers["vary"] = "Accept-Language, Authorization, Cookie"
    response.headers["content-language"] = request.state.language
    if request.method not in SAFE or response.status_code != 200 or not hasattr(response, "body"):
        return response
    response.headers.setdefault("cache-control", PRIVATE)
    tag = response.headers.setdefault("etag", tag_of(bytes(response.body)))
    if not matches(request.headers.get("if-none-match", ""), tag):
        return response
    kept = {name: response.headers[name] for name in ("etag", "cache-control", "vary")}
    return Response(status_code=304, headers=kept)


def tag_of(value: bytes | Mapping[str, Any]) -> str:
    """The tag of an answer, or of a thing that several people may change at once."""
    content = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True, default=str).encode()
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def matches(header: str, tag: str) -> bool:
    """Whether If-Match or If-None-Match names the tag."""
    named = {part.strip().removeprefix("W/") for part in header.split(",")}
    return tag in named or "*" in named
