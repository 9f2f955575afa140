"""Signing in and out, and one's own account."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from datong.app.http.signed_in import drop_cookie, set_cookie
from datong.app.rest.around_every_call import AtDoor, Begun, Called, Door, Open, Signed
from datong.app.rest.json_answers import plain, shape
from datong.app.rest.shapes import Body, Done, Secret
from datong.app.service import guide
from datong.app.service.accounts import Session
from datong.app.service.guide import Step

anybody = APIRouter(prefix="/session", tags=["session"], route_class=Open)
begun = APIRouter(prefix="/session", tags=["session"], route_class=Begun)
signed = APIRouter(prefix="/session", tags=["session"], route_class=Signed)


OfStep = Annotated[str, Path(max_length=40, description="The page of the step that is done.")]


class Credentials(Body):
    """code: of the second factor, where the account has one."""

    login: Secret
    password: Secret
    code: str = ""


class Acceptance(Body):
    """secret: of the link of an invitation or a reset."""

    secret: Secret
    password: Secret


class NewPassword(Body):
    old: Secret
    new: Secret


class Language(Body):
    language: Literal["en", "zh"]


class Code(Body):
    code: Secret


class Factor(BaseModel):
    """address: what an app of one-time codes reads."""

    address: str


class Me(BaseModel):
    """Who is signed in. csrf: what each change must say in its header X-CSRF-Token; None for a token. must_factor:
    the second factor has to be set up before anything else."""

    login: str
    name: str
    roles: list[str]
    firm: str | None
    language: str
    permissions: list[str]
    csrf: str | None
    must_factor: bool


def _me(session: Session) -> Me:
    who = session.who
    permissions = sorted(p.value for p in who.permissions)
    return Me(
        login=who.login,
        name=who.name,
        roles=list(who.roles),
        firm=who.firm,
        language=who.language,
        permissions=permissions,
        csrf=session.csrf,
        must_factor=session.must_factor,
    )


def _begun(session: Session, response: Response, door: Door) -> Me:
    set_cookie(response, session, door.is_secure)
    return _me(session)


@anybody.post("", status_code=201)
def sign_in(sent: Credentials, response: Response, door: AtDoor) -> Me:
    """Begin a session: the answer sets its cookie."""
    return _begun(door.served.people.sign_in(sent.login, sent.password, sent.code), response, door)


@anybody.post("/acceptance", status_code=201)
def accept(sent: Acceptance, response: Response, door: AtDoor) -> Me:
    """Set a password by the link of an invitation or a reset, and begin a session."""
    return _begun(door.served.people.accept(sent.secret, sent.password), response, door)


@begun.get("")
def me(call: Called) -> Me:
    """Who is signed in, and what they may do."""
    if call.session is not None:
        return _me(call.session)
    return _me(Session("", "", call.who)).model_copy(update={"csrf": None})


@begun.delete("")
def sign_out(response: Response, call: Called) -> Done:
    """End the session."""
    call.served.people.sign_out(call.own_session.secret)
    drop_cookie(response)
    return Done()


@begun.post("/factor")
def begin_factor(call: Called) -> Factor:
    """A new second factor; it counts once it is confirmed."""
    return Factor(address=call.served.people.begin_factor(call.own_session.who))


@begun.post("/factor/confirmation")
def confirm_factor(sent: Code, call: Called) -> Done:
    """Confirm the second factor by a code."""
    call.served.people.confirm_factor(call.own_session.who, sent.code)
    return Done()


@begun.put("/password")
def change_password(sent: NewPassword, response: Response, call: Called) -> Me:
    """Set another password: every other session and all tokens end."""
    return _begun(call.served.people.change_password(call.own_session, sent.old, sent.new), response, call.door)


@signed.get("/guide", response_model=shape(Step) | None)
def see_guide(call: Called) -> Any:
    """Where one is led over the demo's pages; None: nowhere."""
    return plain(guide.guide(call.served, call.own_session.who))


@signed.post("/guide/{page}", response_model=shape(Step) | None)
def go_on(page: OfStep, call: Called) -> Any:
    """Go on to the next step."""
    return plain(guide.next_step(call.served, call.own_session.who, page))


@signed.delete("/guide")
def close_guide(call: Called) -> Done:
    """Be led no more."""
    guide.close_guide(call.served, call.own_session.who)
    return Done()


@signed.put("/language")
def set_language(sent: Language, call: Called) -> Done:
    """In which language one is spoken to."""
    call.served.people.set_language(call.own_session.who, sent.language)
    return Done()
