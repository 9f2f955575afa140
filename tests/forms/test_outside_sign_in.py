"""Signing in at another server, by the pages: a button, off and back, a code where it is needed."""

import httpx2
import pyotp
import pytest
from fastapi import FastAPI

from datong.app.forms.outside_sign_in import COOKIE
from datong.app.forms.pages import add_forms
from datong.app.http.headers import SafeHeaders
from datong.app.http.signed_in import COOKIE as SESSION
from datong.app.service.oidc import Configuration, Oidc
from datong.app.service.served_chain import Served
from datong.model.words import LANGUAGES, say
from forms.conftest import Browser
from served_mill import session_of
from sign_in_server import ADDRESS, CLIENT, ISSUER, SECRET, SignInServer


@pytest.fixture
def there(clock) -> SignInServer:
    return SignInServer(clock)


@pytest.fixture
def app(served: Served, there: SignInServer, clock) -> FastAPI:
    transport = httpx2.MockTransport(there.handle)
    configuration = Configuration(ISSUER, CLIENT, ADDRESS, "Works <SSO>")
    server = Oidc(configuration, SECRET, served.database, served.people, clock, transport)
    app = FastAPI(openapi_url=None)
    add_forms(app, served, sign_in_server=server)
    app.add_middleware(SafeHeaders)
    return app


def back(there: SignInServer, address: str, **who: object) -> str:
    """Where the other server sends a browser."""
    return "/sign-in/outside/back?" + str(httpx2.QueryParams(there.sign_in(address, **who)))


def test_a_button_leads_there_and_back_to_the_page_that_was_wanted(browse, there: SignInServer) -> None:
    one = browse()
    page = one.get("/sign-in?next=/factory/hours")
    assert "Works &lt;SSO&gt;" in page.text and "/sign-in/outside?next=/factory/hours" in page.text
    begun = one.client.get("/sign-in/outside?next=/factory/hours")
    assert begun.status_code == 303 and begun.headers["location"].startswith(f"{ISSUER}/authorize")
    cookie = next(c for c in begun.headers.get_list("set-cookie") if c.startswith(COOKIE))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/sign-in/outside" in cookie
    done = one.client.get(back(there, begun.headers["location"], email="miller"))
    assert (done.status_code, done.headers["location"]) == (303, "/factory/hours")
    assert any(c.startswith(f"{SESSION}=") for c in done.headers.get_list("set-cookie"))
    assert one.get("/factory").status_code == 200
    again = browse().client.get(back(there, begun.headers["location"], email="miller"))
    assert again.status_code == 401  # another browser brings it back


def test_who_has_no_account_is_told_so(browse, there: SignInServer) -> None:
    one = browse()
    begun = one.client.get("/sign-in/outside")
    told = one.client.get(back(there, begun.headers["location"], email="<b>eve"))
    assert told.status_code == 401 and "&lt;b&gt;eve" in told.text and 'name="password"' in told.text


def test_a_server_that_does_not_answer_leaves_the_password(browse, there: SignInServer) -> None:
    there.issuer = "https://other.example"
    told = browse().client.get("/sign-in/outside")
    assert told.status_code == 503 and 'name="password"' in told.text


def test_a_second_factor_is_asked_for_where_the_other_server_did_not(
    served: Served, browse, there: SignInServer, clock
) -> None:
    boss = session_of(served, "administrator").who
    row = served.database.row("SELECT factor FROM accounts WHERE login = ?", (boss.login,))
    assert row is not None
    clock.later(minutes=5)
    one = browse()
    begun = one.client.get("/sign-in/outside")
    asked = one.client.get(back(there, begun.headers["location"], email=boss.login))
    assert asked.status_code == 200 and say("service.needs_code", "en") in asked.text
    wrong = one.send(asked, "/sign-in/outside/code", code="000000", follow=False)
    assert wrong.status_code == 401 and 'role="alert"' in wrong.text
    done = one.send(wrong, "/sign-in/outside/code", code=pyotp.TOTP(row["factor"]).at(clock()), follow=False)
    assert done.status_code == 303 and any(c.startswith(f"{SESSION}=") for c in done.headers.get_list("set-cookie"))


def test_it_is_not_there_where_there_is_no_other_server(served: Served) -> None:
    app = FastAPI(openapi_url=None)
    add_forms(app, served)
    one = Browser(app)
    assert "/sign-in/outside" not in one.get("/sign-in").text
    assert one.client.get("/sign-in/outside").status_code == 404


def test_it_is_begun_as_often_as_signing_in(browse, there: SignInServer) -> None:
    one = browse()
    assert [one.client.get("/sign-in/outside").status_code for _ in range(11)] == [303] * 10 + [429]


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_words_are_there(language: str) -> None:
    assert "Works" in say("forms.sign_in.outside", language, name="Works")
