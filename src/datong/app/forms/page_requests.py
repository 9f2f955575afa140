"""A request as the pages see it: who sends it, in which language, and what its form says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Message as Received

from datong.app.forms.rendering import render
from datong.app.http.request_rates import CHANGE, READ, SIGN_IN, Rates
from datong.app.http.signed_in import CSRF_FIELD, SAFE, cookie_of, refuse_forged
from datong.app.service.accounts import Session
from datong.app.service.outside_sign_in import SignInServer
from datong.app.service.photo_checked_and_cleaned import MOST_BYTES
from datong.app.service.roles_and_permissions import NotAllowed, NotSignedIn, Who
from datong.app.service.served_chain import Served
from datong.model.errors import DatongError, LedgerBusy, NotFound
from datong.model.words import LANGUAGES, Message, message

# Most bytes of a form without and with a file, most fields, and most bytes of one.
MOST_FORM, MOST_UPLOAD = 64 * 1024, MOST_BYTES + 64 * 1024
_MOST_FIELDS, _MOST_FIELD = 40, 16 * 1024
# Most digits of a number that is read, and the largest that is asked for unless somebody says otherwise.
_MOST_DIGITS, MOST_NUMBER = 18, 10**11
# Where signing in at another server begins.
BEGINS_OUTSIDE = "/sign-in/outside"
LANGUAGE_COOKIE = "datong_language"
_A_YEAR = 365 * 86400
_NOT_KEPT = frozenset({CSRF_FIELD, "password", "again", "old", "code", "address"})


@dataclass(frozen=True)
class Door:
    """What every page is given. is_secure: browsers reach the server by TLS. outside: another server that people may
    sign in at."""

    served: Served
    rates: Rates
    is_secure: bool
    outside: SignInServer | None = None


@dataclass(frozen=True)
class Ask:
    """One request. path: as a link has it, without the query. names: parts of the path, by name. fields: of the form.
    file: what was uploaded. session: None where nobody is signed in. is_for_script: the answer is read by the page's
    script. is_chosen: the language was chosen here by hand. cookies: of the browser."""

    door: Door
    method: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    fields: Mapping[str, str]
    file: bytes | None
    session: Session | None
    language: str
    is_for_script: bool = False
    is_chosen: bool = False
    cookies: Mapping[str, str] = field(default_factory=dict)

    @property
    def served(self) -> Served:
        return self.door.served

    @property
    def signed_in(self) -> Session:
        """Raises NotSignedIn."""
        if self.session is None:
            raise NotSignedIn(message("service.no_session"))
        return self.session

    @property
    def who(self) -> Who:
        return self.signed_in.who


Handler = Callable[[Ask], Response]


def page(ask: Ask, template: str, status: int = 200, /, **values: object) -> Response:
    """A page for who asks."""
    is_seen = ask.method in SAFE  # else another language would lose what was typed
    door = {"outside": None if ask.door.outside is None else ask.door.outside.name}
    seen_at = _seen_at(ask.path) if is_seen else ""
    html = render(template, ask.language, session=ask.session, seen_at=seen_at, **door, **values)
    return Response(html, status, media_type="text/html")


def message_page(ask: Ask, status: int, told: Message, headers: Mapping[str, str] | None = None) -> Response:
    """A page, or for a script a record, that says why something was not done."""
    text = told.text(ask.language)
    if ask.is_for_script:
        return JSONResponse({"taken": False, "texts": [text]}, status, headers)
    answer = page(ask, "message.html", status, text=text)
    answer.headers.update(headers or {})
    return answer


def to(path: str) -> Response:
    """See another page."""
    return RedirectResponse(path, 303)


def own_path(text: str) -> str:
    """A path of this server; '/' for anything that could lead elsewhere."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    is_plain = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_plain and not parts.scheme and not parts.netloc and " " not in text else "/"


def whole(text: str, most: int = MOST_NUMBER) -> int | None:
    """A whole number from 0 to `most` as somebody typed it; None where it is none."""
    typed = text.strip()
    if not typed.isdecimal() or len(typed) > _MOST_DIGITS:
        return None
    number = int(typed)
    return number if number <= most else None


async def read_form(request: Request, most: int) -> tuple[dict[str, str], bytes | None]:
    """The fields of a form, and the file in it. Raises HTTPException where it is larger than `most` bytes, or none."""
    if request.method in SAFE:
        return {}, None
    length = request.headers.get("content-length", "0")
    if whole(length, most) is None:
        raise HTTPException(413)
    come = 0

    async def receive() -> Received:
        nonlocal come
        got = await request.receive()
        come += len(got.get("body", b""))
        if come > most:
            raise HTTPException(413)
        return got

    form = await Request(request.scope, receive).form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD)
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    file = await files[0].read() if files else None
    await form.close()
    return fields, file


def asked(door: Door, request: Request, fields: Mapping[str, str], file: bytes | None) -> Ask:
    """A request with who sends it."""
    try:
        session = door.served.people.session(cookie_of(request.headers))
    except NotSignedIn:
        session = None
    language = _language(request) if session is None else session.who.language
    is_for_script = "application/json" in request.headers.get("accept", "")
    path, query = quote(request.scope["path"]), dict(request.query_params)
    told = (request.method, path, request.path_params, query, fields, file, session, language)
    is_chosen = request.cookies.get(LANGUAGE_COOKIE, "") in LANGUAGES
    return Ask(door, *told, is_for_script, is_chosen, request.cookies)


def _language(request: Request) -> str:
    """The language of who is not signed in: as chosen before, else the browser's."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    wanted = request.headers.get("accept-language", "").lower()
    return "zh" if wanted.startswith("zh") else "en"


def keep_language(response: Response, language: str, is_secure: bool) -> None:
    """Speak to this browser so, also before somebody signs in."""
    response.set_cookie(
        LANGUAGE_COOKIE, language, max_age=_A_YEAR, httponly=True, samesite="lax", secure=is_secure, path="/"
    )


def answer(ask: Ask, handler: Handler, is_open: bool, headers: Headers, address: str) -> Response:
    """What a page answers, errors as pages. is_open: nobody needs to be signed in. address: of who asks."""
    try:
        wait = _wait_s(ask, is_open, address)
        if wait:
            seconds = max(1, round(wait))
            told = message("service.too_often", seconds=seconds)
            return message_page(ask, 429, told, {"retry-after": str(seconds)})
        if is_open:
            _refuse_elsewhere(ask, headers)
        elif ask.signed_in.must_factor and ask.path not in ("/factor", "/sign-out"):
            return to("/factor")
        elif _is_forged(ask):
            return _kept_anew(ask)
        return handler(ask)
    except NotSignedIn as error:
        return _sign_in_first(ask, error)
    except DatongError as error:
        return message_page(ask, _status(error), error.message)


def _status(error: DatongError) -> int:
    """Of the answer to what cannot be done."""
    kinds = ((NotFound, 404), (NotAllowed, 403), (LedgerBusy, 503))
    return next((status for kind, status in kinds if isinstance(error, kind)), 409)


def _wait_s(ask: Ask, is_open: bool, address: str) -> float:
    """Seconds until somebody may ask; 0: now."""
    is_change = ask.method not in SAFE
    if is_open and (is_change or ask.path == BEGINS_OUTSIDE) and ask.path != "/language":
        return ask.door.rates.wait_s(address, SIGN_IN)
    asker = address if ask.session is None else f"account {ask.session.who.account}"
    return ask.door.rates.wait_s(asker, CHANGE if is_change else READ)


def _refuse_elsewhere(ask: Ask, headers: Headers) -> None:
    """Raises NotAllowed where a page of another site sends a form for which nobody needs to be signed in."""
    if ask.method in SAFE:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_own = site in ("same-origin", "none") if site is not None else True
    if site is None and origin is not None:
        is_own = urlsplit(origin).netloc == headers.get("host")
    if not is_own:
        raise NotAllowed(message("service.forged"))


def _is_forged(ask: Ask) -> bool:
    """Whether a change comes from no page of this session: an old one, say."""
    try:
        refuse_forged(ask.method, ask.session, ask.fields.get(CSRF_FIELD, ""))
    except NotAllowed:
        return True
    return False


def _kept_anew(ask: Ask) -> Response:
    """What an old page sent, to be looked at and sent again."""
    if ask.is_for_script:
        return message_page(ask, 403, message("service.forged"))
    return page(ask, "kept.html", 403, lead="forms.kept.old", kept=_kept_fields(ask), to=_seen_at(ask.path))


def _sign_in_first(ask: Ask, error: NotSignedIn) -> Response:
    """The page at which one signs in; what a form said goes with it."""
    if ask.is_for_script:
        return message_page(ask, 401, error.message)
    if ask.method in SAFE:
        return to(f"/sign-in?next={quote(ask.path)}")
    kept = _kept_fields(ask)
    text = "" if kept else error.message.text(ask.language)
    return page(ask, "sign_in.html", 401, next=_seen_at(ask.path), login="", kept=kept, text=text)


def _kept_fields(ask: Ask) -> list[tuple[str, str]]:
    """What a form said, without secrets and what belongs to the page it stood on. Of forms that are told what to do by
    their path alone, nothing."""
    if _seen_at(ask.path) != ask.path:
        return []
    return [(name, value) for name, value in ask.fields.items() if name not in _NOT_KEPT]


def _seen_at(path: str) -> str:
    """The page on which a form stands that is sent to a path."""
    is_no_page = path.startswith(("/sign-out", "/language", "/photos/", BEGINS_OUTSIDE))
    return "/" if is_no_page else path.removesuffix("/photos")
