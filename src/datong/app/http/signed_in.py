"""Who sends a request: by the cookie of a session, or by a token."""

import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response

from datong.app.service.accounts import Session
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.app.service.sign_in_limits import LONGEST
from datong.model.words import message

COOKIE = "datong_session"
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Sender:
    """who: sends the request. session: of a browser; None: a program with a token, which no other site can make send
    anything."""

    who: Who
    session: Session | None


def sender(request: HTTPConnection, served: Served) -> Sender:
    """Raises NotSignedIn where nobody is; NotAllowed where the account must set up its second factor first."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Sender(served.people.of_token(secret.strip()), None)
    session = session_of(request.headers, served)
    refuse_without_factor(session)
    return Sender(session.who, session)


def refuse_without_factor(session: Session) -> None:
    """Raises NotAllowed where the account must set up its second factor first."""
    if session.must_factor:
        raise NotAllowed(message("service.must_factor"))


def session_of(headers: Headers, served: Served) -> Session:
    """The session of a browser, whatever it still has to set up. Raises NotSignedIn."""
    return served.people.session(cookie_of(headers))


def cookie_of(headers: Headers) -> str:
    """The secret of a session; '' where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def refuse_forged(method: str, session: Session | None, said: str) -> None:
    """Raises NotAllowed where a browser sends a change that no page of this server made. said: what the request's
    header or its form's field says."""
    if session is None or method in SAFE:
        return
    if not secrets.compare_digest(said.encode(), session.csrf.encode()):
        raise NotAllowed(message("service.forged"))


def set_cookie(response: Response, session: Session, is_secure: bool) -> None:
    """Keep a browser signed in. is_secure: the server is reached by TLS."""
    longest = int(LONGEST.total_seconds())
    response.set_cookie(
        COOKIE, session.secret, max_age=longest, httponly=True, samesite="lax", secure=is_secure, path="/"
    )


def drop_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/")
