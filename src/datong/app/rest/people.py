"""Accounts of other people, and one's own tokens."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from datong.app.rest.around_every_call import Call, Called, Signed, matches, tag_of
from datong.app.rest.lists_by_cursor import AskedPiece, piece, piece_of
from datong.app.rest.problems import Changed
from datong.app.rest.shapes import Body, Done, Login, Name
from datong.app.service.accounts import Account
from datong.app.service.sign_in_limits import TOKEN
from datong.model.errors import NotFound
from datong.model.words import message

people = APIRouter(prefix="/people", tags=["people"], route_class=Signed)
tokens = APIRouter(prefix="/tokens", tags=["tokens"], route_class=Signed)

OfLogin = Annotated[str, Path(max_length=80, description="The login of an account.")]
Roles = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=20)]


class Invitation(Body):
    """firm: of the role factory. language: in which they are spoken to."""

    login: Login
    name: Annotated[str, Field(max_length=200)] = ""
    roles: Roles
    firm: Login | None = None
    language: str = Field("en", max_length=8)


class Link(BaseModel):
    """secret: of the link by which they set a password (/invitation/SECRET); shown once."""

    login: str
    secret: str | None


class AccountChange(Body):
    """What is left out stays. firm: goes with roles."""

    roles: Roles | None = None
    firm: Login | None = None
    disabled: bool | None = None


class FactorAsked(Body):
    """asked: the account must have a second factor; an administrator always must."""

    asked: bool


class NewToken(Body):
    """scopes: permissions that it has. days: that it holds."""

    name: Name
    scopes: Roles
    days: int = Field(int(TOKEN.total_seconds() // 86400), ge=1, le=3650)


class TokenSecret(BaseModel):
    """secret: what a program sends as `Authorization: Bearer SECRET`; shown once."""

    secret: str | None


class Token(BaseModel):
    """made, expires, used: seconds since 1970; used: last, None: never."""

    token: int
    name: str
    scopes: list[str]
    made: float
    expires: float
    used: float | None


@people.get("", response_model=piece_of(Account))
def accounts(call: Called, wanted: AskedPiece) -> Any:
    """Accounts, in the order in which they were made."""
    return piece(call.served.people.accounts(call.who), wanted, lambda one: one.login)


@people.post("", status_code=201)
def invite(sent: Invitation, call: Called) -> Link:
    """A new account, and the link with which its owner sets a password."""
    secret = call.served.people.invite(call.who, sent.login, sent.name, sent.roles, sent.firm, sent.language)
    return Link(login=sent.login.strip().lower(), secret=secret)


def _account(call: Call, login: str) -> Account:
    for one in call.served.people.accounts(call.who):
        if one.login == login.strip().lower():
            return one
    raise NotFound(message("service.no_account", login=login))


def _seen(account: Account) -> Mapping[str, Any]:
    """What of an account whoever changes it must have seen: not whether it is locked just now."""
    return {name: value for name, value in asdict(account).items() if name != "state"} | {
        "is_disabled": account.state == "disabled"
    }


@people.get("/{login}")
def account(login: OfLogin, call: Called, response: Response) -> Account:
    """One account; its ETag goes with a change as If-Match."""
    found = _account(call, login)
    response.headers["etag"] = tag_of(_seen(found))
    return found


@people.patch("/{login}")
def change_account(login: OfLogin, sent: AccountChange, call: Called, response: Response) -> Account:
    """Give an account other roles, or disable it, or let it in again: its sessions and tokens end."""
    with call.served.database.together():
        before = _account(call, login)
        if call.if_match is not None and not matches(call.if_match, tag_of(_seen(before))):
            raise Changed(message("rest.changed", subject=before.login), asdict(before))
        after = call.served.people.change(call.who, login, roles=sent.roles, firm=sent.firm, disabled=sent.disabled)
    response.headers["etag"] = tag_of(_seen(after))
    return after


@people.put("/{login}/factor")
def set_factor(login: OfLogin, sent: FactorAsked, call: Called) -> Account:
    """Ask for a second factor, or take it away (of a lost phone, say): their sessions and tokens end."""
    return call.served.people.set_factor(call.who, login, sent.asked)


@people.post("/{login}/reset", status_code=201)
def reset(login: OfLogin, call: Called) -> Link:
    """Take an account's password and second factor away; its owner sets a new one by the link."""
    return Link(login=login.strip().lower(), secret=call.served.people.reset(call.who, login))


@tokens.get("")
def list_tokens(call: Called) -> list[Token]:
    """One's own tokens, without their secrets."""
    return [Token(**one) for one in call.served.people.tokens(call.own_session.who)]


@tokens.post("", status_code=201)
def make_token(sent: NewToken, call: Called) -> TokenSecret:
    """A token for a program, which may do what its scopes say and one's account may."""
    lasts = timedelta(days=sent.days)
    return TokenSecret(secret=call.served.people.make_token(call.own_session.who, sent.name, sent.scopes, lasts))


@tokens.delete("/{token}")
def drop_token(token: Annotated[int, Path(ge=1, le=2**62)], call: Called) -> Done:
    """End a token."""
    call.served.people.drop_token(call.own_session.who, token)
    return Done()
