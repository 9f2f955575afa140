"""Signing in and out, links that set a password, the second factor, the own account."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from starlette.responses import Response

from datong.app.forms.page_requests import Ask, keep_language, message_page, own_path, page, to, whole
from datong.app.http.signed_in import drop_cookie, set_cookie
from datong.app.service.accounts import Session
from datong.app.service.roles_and_permissions import NotSignedIn
from datong.app.service.sign_in_limits import LONGEST_PASSWORD, SHORTEST_PASSWORD, TOKEN
from datong.model.errors import DatongError, Refused
from datong.model.words import LANGUAGES, Message, message

# Days that a token holds unless somebody says otherwise, and at most.
TOKEN_DAYS, MOST_DAYS = TOKEN.days, 3650
_LENGTHS = {"least": SHORTEST_PASSWORD, "most": LONGEST_PASSWORD}


def see_sign_in(ask: Ask) -> Response:
    following = own_path(ask.query.get("next", "/"))
    return page(ask, "sign_in.html", next=following, login="", kept=[], text="")


def sign_in(ask: Ask) -> Response:
    """A wrong password keeps the login, and what a form had said before the session ended."""
    fields = ask.fields
    following, kept = own_path(fields.get("next", "/")), _kept(fields.get("kept", ""))
    login = fields.get("login", "")
    try:
        session = ask.served.people.sign_in(login, fields.get("password", ""), fields.get("code", ""))
    except NotSignedIn as error:
        text = error.message.text(ask.language)
        return page(ask, "sign_in.html", 401, next=following, login=login, kept=kept, text=text)
    if not kept:
        return signed_in(ask, session, following)
    own = Ask(ask.door, "GET", following, {}, {}, {}, None, session, session.who.language)
    answer = page(own, "kept.html", lead="forms.kept.signed_in", kept=kept, to=following)
    set_cookie(answer, session, ask.door.is_secure)
    return answer


def _kept(text: str) -> list[tuple[str, str]]:
    """What a form had said; nothing where the text is none of ours."""
    try:
        pairs = json.loads(text or "[]")
        return [(str(name), str(value)) for name, value in pairs]
    except (ValueError, TypeError):
        return []


def signed_in(ask: Ask, session: Session, following: str) -> Response:
    """The page that follows, with the session kept in the browser."""
    answer = to("/factor" if session.must_factor else following)
    set_cookie(answer, session, ask.door.is_secure)
    keep_language(answer, session.who.language, ask.door.is_secure)
    return answer


def sign_out(ask: Ask) -> Response:
    ask.served.people.sign_out(ask.signed_in.secret)
    answer = to("/sign-in")
    drop_cookie(answer)
    return answer


def see_invitation(ask: Ask) -> Response:
    return _invitation_page(ask, 200, None)


def _invitation_page(ask: Ask, status: int, wrong: Message | None) -> Response:
    """In the language of whoever was invited, unless somebody chose another here; it says with what they sign in."""
    login, language = ask.served.people.invited_by_link(ask.names["secret"]) or ("", ask.language)
    own = ask if ask.is_chosen else replace(ask, language=language)
    text = "" if wrong is None else wrong.text(own.language)
    return page(own, "invitation.html", status, text=text, login=login, **_LENGTHS)


def accept_invitation(ask: Ask) -> Response:
    """Set a password by an invitation or a reset, and sign in. Who chose a language here is spoken to in it from now
    on, whatever the invitation says."""
    try:
        if ask.fields.get("password", "") != ask.fields.get("again", ""):
            raise Refused(message("forms.not_the_same"))
        session = ask.served.people.accept(ask.names["secret"], ask.fields.get("password", ""))
        if ask.is_chosen and ask.language != session.who.language:
            ask.served.people.set_language(session.who, ask.language)
            session = replace(session, who=replace(session.who, language=ask.language))
    except DatongError as error:
        return _invitation_page(ask, 409, error.message)
    return signed_in(ask, session, "/")


def see_factor(ask: Ask) -> Response:
    return page(ask, "factor.html", address="", secret="", text="")


def set_factor(ask: Ask) -> Response:
    """Begin a second factor, or confirm it by a code."""
    address = ask.fields.get("address", "")
    if not address.startswith("otpauth://totp/"):
        address = ask.served.people.begin_factor(ask.who)
        return page(ask, "factor.html", address=address, secret=_secret(address), text="")
    try:
        ask.served.people.confirm_factor(ask.who, ask.fields.get("code", ""))
    except NotSignedIn as error:
        text = error.message.text(ask.language)
        return page(ask, "factor.html", 409, address=address, secret=_secret(address), text=text)
    return to("/")


def _secret(address: str) -> str:
    """What is typed by hand where an address cannot be opened, in groups of four."""
    found = parse_qs(urlsplit(address).query).get("secret", [""])[0]
    return " ".join(found[at : at + 4] for at in range(0, len(found), 4))


def see_account(ask: Ask) -> Response:
    return _account_page(ask, 200, is_done=ask.query.get("done") == "1")


def _account_page(ask: Ask, status: int, text: str = "", *, is_done: bool = False, secret: str = "") -> Response:
    """text: what is wrong. secret: of a token that was made just now."""
    zone = ask.served.chain_thread.settings.calendar.zone
    tokens = [
        one | {"until": f"{datetime.fromtimestamp(one['expires'], UTC).astimezone(zone):%Y-%m-%d}"}
        for one in ask.served.people.tokens(ask.who)
    ]
    scopes = sorted(p.value for p in ask.who.permissions)
    told = {"text": text, "is_done": is_done, "secret": secret, "tokens": tokens, "scopes": scopes, "days": TOKEN_DAYS}
    return page(ask, "account.html", status, **told, **_LENGTHS)


def make_token(ask: Ask) -> Response:
    """A token for a program, shown once."""
    scopes = [name.removeprefix("may_") for name in ask.fields if name.startswith("may_")]
    try:
        days = whole(ask.fields.get("days", ""), MOST_DAYS)
        if not days:
            raise Refused(message("forms.tokens.wrong_days", most=MOST_DAYS))
        name = ask.fields.get("name", "").strip()[:200]
        secret = ask.served.people.make_token(ask.who, name, scopes, timedelta(days=days))
    except DatongError as error:
        return _account_page(ask, 409, error.message.text(ask.language))
    return _account_page(ask, 200, secret=secret)


def drop_token(ask: Ask) -> Response:
    ask.served.people.drop_token(ask.who, whole(ask.fields.get("token", "")) or 0)
    return to("/account#tokens")


def change_password(ask: Ask) -> Response:
    fields = ask.fields
    try:
        if fields.get("password", "") != fields.get("again", ""):
            raise Refused(message("forms.not_the_same"))
        session = ask.served.people.change_password(ask.signed_in, fields.get("old", ""), fields.get("password", ""))
    except DatongError as error:
        return _account_page(ask, 409, error.message.text(ask.language))
    answer = to("/account?done=1")
    set_cookie(answer, session, ask.door.is_secure)
    return answer


def choose_language(ask: Ask) -> Response:
    language = ask.fields.get("language", "")
    if language not in LANGUAGES:
        told = message("service.wrong_language", language=language, languages=", ".join(LANGUAGES))
        return message_page(ask, 409, told)
    if ask.session is not None:
        ask.served.people.set_language(ask.who, language)
    answer = to(own_path(ask.fields.get("next", "/")))
    keep_language(answer, language, ask.door.is_secure)
    return answer
