"""Signing in at another server: off to it, back from it, and the code of a second factor where it asked for none."""

from starlette.responses import Response

from datong.app.forms.page_requests import BEGINS_OUTSIDE, Ask, own_path, page, to
from datong.app.forms.sign_in_and_account import signed_in
from datong.app.service.outside_sign_in import LASTS, Entered, SignInServer, WrongCode
from datong.app.service.roles_and_permissions import NotSignedIn
from datong.model.errors import NotFound
from datong.model.words import message

# Holds a try to sign in, so that nobody ends it in another browser. It is sent when the other server leads back here.
COOKIE = "datong_outside"


def begin(ask: Ask) -> Response:
    """Off to the other server."""
    following = own_path(ask.query.get("next", "/"))
    try:
        begun = _server(ask).begin(following)
    except NotSignedIn as error:
        return _not_in(ask, error, 503)
    answer = to(begun.address)
    _keep(ask, answer, begun.secret)
    return answer


def come_back(ask: Ask) -> Response:
    """Back from it."""
    try:
        entered = _server(ask).finish(ask.query, ask.cookies.get(COOKIE, ""))
    except NotSignedIn as error:
        return _not_in(ask, error)
    return _entered(ask, entered)


def give_code(ask: Ask) -> Response:
    """The code of a second factor; a wrong one is asked for again."""
    try:
        entered = _server(ask).give_code(ask.cookies.get(COOKIE, ""), ask.fields.get("code", ""))
    except WrongCode as error:
        answer = page(ask, "outside_code.html", 401, text=error.message.text(ask.language))
        _keep(ask, answer, error.secret)
        return answer
    except NotSignedIn as error:
        return _not_in(ask, error)
    return _entered(ask, entered)


def _server(ask: Ask) -> SignInServer:
    """Raises NotFound where there is none."""
    if ask.door.outside is None:
        raise NotFound(message("rest.said.no_route"))
    return ask.door.outside


def _entered(ask: Ask, entered: Entered) -> Response:
    if entered.session is None:
        answer = page(ask, "outside_code.html", text="")
        _keep(ask, answer, entered.secret)
        return answer
    answer = signed_in(ask, entered.session, entered.following)
    answer.delete_cookie(COOKIE, path=BEGINS_OUTSIDE)
    return answer


def _not_in(ask: Ask, error: NotSignedIn, status: int = 401) -> Response:
    text = error.message.text(ask.language)
    answer = page(ask, "sign_in.html", status, next="/", login="", kept=[], text=text)
    answer.delete_cookie(COOKIE, path=BEGINS_OUTSIDE)
    return answer


def _keep(ask: Ask, answer: Response, secret: str) -> None:
    lasts = int(LASTS.total_seconds())
    answer.set_cookie(
        COOKIE, secret, max_age=lasts, httponly=True, samesite="lax", secure=ask.door.is_secure, path=BEGINS_OUTSIDE
    )
