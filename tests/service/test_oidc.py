"""Signing in at another server: whom it lets in, as whom, and every answer of it that is refused."""

from collections.abc import Callable
from pathlib import Path

import httpx2
import pyotp
import pytest
from joserfc.jwk import OctKey

from datong.app.service import outside_sign_in
from datong.app.service.oidc import Configuration, Oidc, read_configuration
from datong.app.service.outside_sign_in import LASTS, Entered, Given, WrongCode
from datong.app.service.roles_and_permissions import NotSignedIn, Who
from datong.app.service.served_chain import Served
from datong.model.errors import Refused
from served_mill import session_of
from service.conftest import Clock
from sign_in_server import ADDRESS, CLIENT, ISSUER, SECRET, SignInServer, new_key

GIVEN = {
    "planners": Given(("planner",)),
    "looks": Given(("analyst",)),
    "mill": Given(("factory",), "F1"),
    "press": Given(("factory",), "F2"),
}
Make = Callable[..., Oidc]


@pytest.fixture
def there(clock: Clock) -> SignInServer:
    return SignInServer(clock)


@pytest.fixture
def make(served: Served, there: SignInServer, clock: Clock) -> Make:
    def made(**more: object) -> Oidc:
        configuration = Configuration(ISSUER, CLIENT, ADDRESS, **more)  # ty: ignore[invalid-argument-type]
        return Oidc(configuration, SECRET, served.database, served.people, clock, httpx2.MockTransport(there.handle))

    return made


def entered(oidc: Oidc, there: SignInServer, **who: object) -> Entered:
    begun = oidc.begin("/planner")
    return oidc.finish(there.sign_in(begun.address, **who), begun.secret)


def who_of(one: Entered) -> Who:
    assert one.session is not None
    return one.session.who


def invited(served: Served, login: str, role: str = "planner") -> None:
    served.people.invite(None, login, "", [role])


def test_whoever_was_invited_signs_in_and_it_is_noted(served: Served, make: Make, there: SignInServer) -> None:
    invited(served, "ann@works")
    one = entered(make(), there, email="Ann@Works")
    assert (who_of(one).login, who_of(one).roles, one.following) == ("ann@works", ("planner",), "/planner")
    assert one.session is not None and served.people.session(one.session.secret).who == who_of(one)
    account = served.people.accounts(None)[0]
    assert account.state == "active" and served.people.of_account(account.account) is not None
    noted = served.database.rows("SELECT what, way FROM audit ORDER BY entry")
    assert [(row["what"], row["way"]) for row in noted][1:] == [("bind_account", "oidc"), ("sign_in", "oidc")]
    served.people.sign_out(one.session.secret)
    with pytest.raises(NotSignedIn):
        served.people.session(one.session.secret)


def test_who_was_not_invited_has_no_account(served: Served, make: Make, there: SignInServer) -> None:
    for who in ({"email": "eve@works"}, {"email": "eve@works", "groups": ["planners"]}):
        with pytest.raises(NotSignedIn, match="no account"):
            entered(make(), there, **who)
    assert served.people.accounts(None) == []
    invited(served, "ann@works")
    with pytest.raises(NotSignedIn, match="login that can be trusted"):
        entered(make(), there, email="ann@works", email_verified=False)
    with pytest.raises(NotSignedIn, match="login that can be trusted"):
        entered(make(), there)
    one = entered(make(login_claim="preferred_username"), there, preferred_username="ann@works")
    assert who_of(one).login == "ann@works"
    served.people.change(None, "ann@works", disabled=True)
    with pytest.raises(NotSignedIn, match="no account"):
        entered(make(), there, email="ann@works")


def test_an_account_stays_with_the_person_that_it_was_bound_to(served: Served, make: Make, there: SignInServer) -> None:
    invited(served, "ann@works")
    entered(make(), there, email="ann@works", sub="u1")
    with pytest.raises(NotSignedIn, match="no account"):
        entered(make(), there, email="ann@works", sub="u2")  # somebody else has the address there now
    assert who_of(entered(make(), there, email="married@works", sub="u1")).login == "ann@works"
    served.people.reset(None, "ann@works")
    assert who_of(entered(make(), there, email="ann@works", sub="u2")).login == "ann@works"


def test_a_claim_gives_roles_where_the_configuration_says_so(served: Served, make: Make, there: SignInServer) -> None:
    oidc = make(given=GIVEN, language="zh")
    one = who_of(entered(oidc, there, email="new@works", groups=["planners", "others"], name="New"))
    assert (one.roles, one.firm, one.language, one.name) == (("planner",), None, "zh", "New")
    assert who_of(entered(oidc, there, email="new@works", groups="looks")).roles == ("analyst",)
    with pytest.raises(NotSignedIn, match="no account"):
        entered(oidc, there, email="new@works", groups=["others"])
    mill = who_of(entered(oidc, there, email="li@mill", groups=["mill"], sub="u2"))
    assert (mill.roles, mill.firm) == (("factory",), "F1")
    for wrong in (["mill", "press"], ["mill", "planners"]):
        with pytest.raises(NotSignedIn):
            entered(oidc, there, email="li@mill", groups=wrong, sub="u2")
    invited(served, "ann@works", "auditor")
    ann = who_of(entered(oidc, there, email="ann@works", groups=["planners"], sub="u3"))
    assert ann.roles == ("auditor",)  # who was invited by hand keeps what was given by hand
    noted = served.database.rows(
        "SELECT by FROM audit WHERE what IN ('invite', 'change_account') AND by != 'command line'"
    )
    assert {row["by"] for row in noted} == {"sign-in server"} and len(noted) == 3


def test_an_administrator_needs_the_second_factor_unless_it_was_shown_there(
    served: Served, make: Make, there: SignInServer, clock: Clock
) -> None:
    invited(served, "boss@works", "administrator")
    without = entered(make(), there, email="boss@works").session
    assert without is not None and without.must_factor and served.people.session(without.secret).must_factor
    shown = entered(make(), there, email="boss@works", amr=["pwd", "mfa"]).session
    assert shown is not None and not shown.must_factor and not served.people.session(shown.secret).must_factor
    assert served.people.session(without.secret).must_factor  # of that session alone
    by_acr = entered(make(amr=(), acr=("gold",)), there, email="boss@works", acr="gold", amr=["mfa"]).session
    assert by_acr is not None and not by_acr.must_factor
    key = pyotp.parse_uri(served.people.begin_factor(without.who)).secret
    served.people.confirm_factor(without.who, pyotp.TOTP(key).at(clock()))
    clock.later(minutes=2)
    oidc = make()
    asked = entered(oidc, there, email="boss@works", amr=["pwd"])
    assert asked.session is None
    with pytest.raises(WrongCode) as wrong:
        oidc.give_code(asked.secret, "000000")
    with pytest.raises(NotSignedIn):
        oidc.give_code(asked.secret, pyotp.TOTP(key).at(clock()))  # used up by the wrong one
    done = oidc.give_code(wrong.value.secret, pyotp.TOTP(key).at(clock()))
    assert done.session is not None and done.following == "/planner" and not done.session.must_factor
    assert entered(oidc, there, email="boss@works", amr=["mfa"]).session is not None
    again = entered(oidc, there, email="boss@works")
    for _ in range(5):
        with pytest.raises(WrongCode) as wrong:
            oidc.give_code(again.secret, "000000")
        again = Entered(None, wrong.value.secret, "/")
    clock.later(minutes=2)
    with pytest.raises(NotSignedIn):  # locked, as after wrong passwords
        oidc.give_code(again.secret, pyotp.TOTP(key).at(clock()))


def test_a_code_is_no_way_around_signing_in(make: Make, there: SignInServer) -> None:
    oidc = make()
    with pytest.raises(NotSignedIn):
        oidc.give_code(oidc.begin("/").secret, "000000")
    with pytest.raises(NotSignedIn):
        oidc.give_code("none", "000000")


WRONG_CLAIMS = {
    "issuer": {"iss": "https://other.example"},
    "no issuer": {"iss": None},
    "audience": {"aud": "another"},
    "audiences without azp": {"aud": [CLIENT, "another"]},
    "audience with our azp": {"aud": "another", "azp": CLIENT},
    "azp": {"aud": [CLIENT, "another"], "azp": "another"},
    "nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1_700_000_000},
    "no end": {"exp": None},
    "of the future": {"iat": 4_000_000_000, "nbf": 4_000_000_000},
    "no subject": {"sub": None},
    "a subject that is no text": {"sub": 7},
    "amr": {"amr": "mfa"},
    "at_hash": {"at_hash": "AAAA"},
}


@pytest.mark.parametrize("what", WRONG_CLAIMS)
def test_claims_that_do_not_fit_let_nobody_in(served: Served, make: Make, there: SignInServer, what: str) -> None:
    invited(served, "ann@works")
    there.claims = WRONG_CLAIMS[what]
    with pytest.raises(NotSignedIn):
        entered(make(), there, email="ann@works")
    assert served.database.rows("SELECT * FROM sessions") == []
    there.claims = {}
    assert who_of(entered(make(), there, email="ann@works")).login == "ann@works"


@pytest.mark.parametrize("what", ["none", "shared secret", "public key as secret", "another key", "no such key"])
def test_signatures_that_do_not_fit_let_nobody_in(served: Served, make: Make, there: SignInServer, what: str) -> None:
    invited(served, "ann@works")
    if what == "none":
        there.header = {"alg": "none"}
    elif what == "shared secret":
        there.header, there.signs_with = {"alg": "HS256"}, OctKey.import_key(SECRET * 3)
    elif what == "public key as secret":
        public = there.key.as_pem(private=False).hex()
        there.header, there.signs_with = {"alg": "HS256", "kid": "k1"}, OctKey.import_key(public)
    elif what == "another key":
        there.signs_with = new_key("k1")
    else:
        there.header, there.signs_with = {"alg": "RS256", "kid": "k9"}, new_key("k9")
    with pytest.raises(NotSignedIn, match="trusted"):
        entered(make(), there, email="ann@works")
    assert served.database.rows("SELECT * FROM sessions") == []


def test_keys_that_changed_are_asked_for_anew_and_not_at_every_try(
    served: Served, make: Make, there: SignInServer, clock: Clock
) -> None:
    invited(served, "ann@works")
    oidc = make()
    for _ in range(3):
        entered(oidc, there, email="ann@works")
    assert there.asked == 1
    there.key, there.header = new_key("k2"), {"alg": "RS256", "kid": "k2"}
    clock.later(minutes=2)
    entered(oidc, there, email="ann@works")
    assert there.asked == 2
    there.header, there.signs_with = {"alg": "RS256", "kid": "k9"}, new_key("k9")
    for _ in range(3):
        with pytest.raises(NotSignedIn):
            entered(oidc, there, email="ann@works")
    assert there.asked == 2  # within a minute nobody makes it ask again


def test_a_try_is_good_once_in_its_own_browser_and_for_a_while(
    served: Served, make: Make, there: SignInServer, clock: Clock
) -> None:
    invited(served, "ann@works")
    oidc = make()
    begun = oidc.begin("/")
    back = there.sign_in(begun.address, email="ann@works")
    for cookie, said in (("", back), ("another", back), (begun.secret, back | {"state": "x"}), (begun.secret, {})):
        with pytest.raises(NotSignedIn):
            oidc.finish(said, cookie)
    assert oidc.finish(back, begun.secret).session is not None
    with pytest.raises(NotSignedIn, match="over"):
        oidc.finish(back, begun.secret)  # replayed
    other = oidc.begin("/")
    with pytest.raises(NotSignedIn, match="trusted"):  # a code that was used
        oidc.finish(back | {"state": other.secret}, other.secret)
    late = oidc.begin("/")
    back = there.sign_in(late.address, email="ann@works")
    clock.later(seconds=LASTS.total_seconds() + 1)
    with pytest.raises(NotSignedIn, match="over"):
        oidc.finish(back, late.secret)
    mixed = oidc.begin("/")
    with pytest.raises(NotSignedIn, match="trusted"):  # RFC 9207
        oidc.finish(there.sign_in(mixed.address) | {"iss": "https://other.example"}, mixed.secret)
    refused = oidc.begin("/")
    with pytest.raises(NotSignedIn, match="access_denied"):
        oidc.finish({"state": refused.secret, "error": "access_denied"}, refused.secret)


def test_of_many_tries_the_oldest_are_let_go(make: Make, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(outside_sign_in, "MOST_TRIES", 2)
    oidc, begun = make(), []
    for _ in range(3):
        begun.append(oidc.begin("/"))
        clock.later(seconds=1)
    for one, why in zip(begun, ("over", "refused_there", "refused_there"), strict=True):
        with pytest.raises(NotSignedIn) as told:
            oidc.finish({"state": one.secret}, one.secret)
        assert told.value.message.key == f"outside.{why}"


def test_a_code_of_another_try_has_another_verifier(served: Served, make: Make, there: SignInServer) -> None:
    """Somebody's own code, put into the browser of another (PKCE)."""
    invited(served, "ann@works")
    oidc = make()
    one, other = oidc.begin("/"), oidc.begin("/")
    stolen = there.sign_in(one.address, email="ann@works")["code"]
    with pytest.raises(NotSignedIn, match="trusted"):
        oidc.finish({"code": stolen, "state": other.secret}, other.secret)


def test_a_server_that_names_itself_otherwise_or_does_not_answer(make: Make, there: SignInServer) -> None:
    there.issuer = "https://other.example"
    with pytest.raises(NotSignedIn, match="trusted"):
        make().begin("/")
    there.handle = lambda _request: httpx2.Response(500)  # ty: ignore[invalid-assignment]
    with pytest.raises(NotSignedIn, match="does not answer"):
        make().begin("/")


TEXT = f'issuer = "{ISSUER}"\nclient_id = "{CLIENT}"\naddress = "{ADDRESS}"\n'


def test_the_configuration_is_read_and_held_to_what_it_may_say(tmp_path: Path) -> None:
    file = tmp_path / "oidc.toml"
    given = '[given.planners]\nroles = ["planner"]\n[given.m]\nroles = ["factory"]\nfirm = "F"\n'
    file.write_text(TEXT + 'amr = ["otp"]\n' + given)
    made = read_configuration(file)
    assert (made.amr, made.login_claim, made.secret_variable) == (("otp",), "email", "DATONG_OIDC_SECRET")
    assert made.given == {"planners": Given(("planner",)), "m": Given(("factory",), "F")}
    for wrong in (
        "issuer = 1",
        'issuer = "https://x"',
        TEXT + "none = 1\n",
        TEXT + 'amr = "mfa"\n',
        TEXT + "given = 1\n",
        TEXT + "[given.x]\nroles = []\n",
        TEXT + '[given.x]\nroles = ["planner"]\nnone = 1\n',
        TEXT.replace("https://sso", "http://sso"),
        TEXT.replace("https://works", "http://works"),
        "=",
    ):
        file.write_text(wrong)
        with pytest.raises(Refused):
            read_configuration(file)
    file.write_text(TEXT.replace("https://sso.example", "http://127.0.0.1:9000"))
    assert read_configuration(file).issuer == "http://127.0.0.1:9000"


def test_who_signs_in_with_a_password_is_asked_as_before(served: Served) -> None:
    assert session_of(served, "planner").must_factor is False
