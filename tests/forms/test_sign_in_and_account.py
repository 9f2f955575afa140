"""Signing in and out, links, second factor, password, language: without a script."""

import re

import pyotp
import pytest

from datong.app.forms.page_requests import own_path
from datong.app.http.headers import STRICT
from datong.app.http.signed_in import COOKIE
from datong.app.service.roles_and_permissions import NotSignedIn
from datong.app.service.served_chain import Served
from datong.app.service.sign_in_limits import IDLE
from datong.model.words import say
from two_firms import PASSWORD

LINKS = re.compile(r'(?:href|src|action)="([^"]*)"')


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/factory", "/factory"),
        ("/factory/orders/W1?said=k", "/factory/orders/W1?said=k"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nb", "/"),
        ("/a b", "/"),
        ("factory", "/"),
        ("http://[", "/"),
    ],
)
def test_one_is_led_to_own_paths_alone(text: str, path: str) -> None:
    assert own_path(text) == path


def test_a_wrong_password_keeps_the_login_and_the_way(browse) -> None:
    one = browse()
    page = one.send(one.get("/sign-in?next=/factory/hours"), "/sign-in", login="mil<ler", password="wrong " * 3)
    assert page.status_code == 401 and 'value="mil&lt;ler"' in page.text and "wrong wrong" not in page.text
    page = one.send(page, "/sign-in", login="miller", password=PASSWORD, follow=False)
    assert page.status_code == 303 and page.headers["location"] == "/factory/hours"
    cookie = next(c for c in page.headers.get_list("set-cookie") if c.startswith(COOKIE))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie


def test_who_is_not_signed_in_is_led_to_sign_in_and_back(browse) -> None:
    one = browse()
    page = one.get("/factory")
    assert "/sign-in" in str(page.url) and 'value="/factory"' in page.text
    assert "一号磨坊" in one.send(page, "/sign-in", login="miller", password=PASSWORD).text


def test_signing_out_ends_the_session(browse) -> None:
    one = browse()
    page = one.sign_in("miller")
    one.send(page, "/sign-out")
    assert "/sign-in" in str(one.get("/factory").url)


def test_a_link_sets_a_password_once(browse, served) -> None:
    one = browse("zh-CN,zh;q=0.9")
    path = f"/invitation/{served.people.invite(None, 'new', 'New', ['planner'], language='zh')}"
    page = one.get(path)
    assert "设置密码" in page.text and 'lang="zh-CN"' in page.text
    assert "不一致" in one.send(page, "", password=PASSWORD, again="another sentence").text
    assert "10" in one.send(page, "", password="short", again="short").text
    done = one.send(page, "", password=PASSWORD, again=PASSWORD, follow=False)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    other = "another sentence"
    again = browse().send(page, "", password=other, again=other)
    assert again.status_code == 409 and say("service.no_link", "zh") in again.text
    twice = browse().send(page, "", password=PASSWORD, again=PASSWORD, follow=False)  # the same form, sent twice
    assert twice.status_code == 303
    assert browse().get("/invitation/nothing").status_code == 200


def test_an_administrator_needs_a_second_factor_before_anything_else(browse, served, clock) -> None:
    one = browse()
    secret = served.people.invite(None, "boss", "Boss", ["administrator"])
    page = one.send(one.get(f"/invitation/{secret}"), "", password=PASSWORD, again=PASSWORD)
    assert str(page.url).endswith("/factor")
    assert str(one.get("/account").url).endswith("/factor")
    page = one.send(page, "/factor")
    address = re.search(r'href="(otpauth://[^"]+)"', page.text)
    assert address is not None
    totp = pyotp.parse_uri(address[1].replace("&amp;", "&"))
    assert isinstance(totp, pyotp.TOTP)
    wrong = one.send(page, "/factor", code="000000")
    assert wrong.status_code == 409 and address[1] in wrong.text
    done = one.send(wrong, "/factor", code=totp.at(clock()), follow=False)
    assert done.headers["location"] == "/"
    clock.later(minutes=5)
    other = browse()
    page = other.sign_in("boss")
    assert page.status_code == 401 and "six digits" in page.text
    page = other.send(page, "/sign-in", login="boss", password=PASSWORD, code=totp.at(clock()), follow=False)
    assert page.status_code == 303
    assert "has a second factor" in other.send(other.get("/factor"), "/factor").text


def test_the_password_is_changed_only_by_who_knows_it(browse) -> None:
    one, other = browse(), browse()
    one.sign_in("press")
    other.sign_in("press")
    new = "another long sentence"
    page = one.get("/account")
    assert one.send(page, "/account", old="wrong", password=new, again=new).status_code == 409
    assert one.send(page, "/account", old=PASSWORD, password=new, again=new + "x").status_code == 409
    page = one.send(page, "/account", old=PASSWORD, password=new, again=new)
    assert "The password is changed" in page.text
    assert "/sign-in" in str(other.get("/factory").url)
    assert other.sign_in("press").status_code == 401
    assert other.sign_in("press", new).status_code == 200


def test_the_language_is_switched_before_and_after_signing_in(browse, served) -> None:
    one = browse()
    page = one.send(one.get("/sign-in"), "/language", language="zh")
    assert "登录" in page.text and 'lang="zh-CN"' in page.text
    page = one.sign_in("press")
    assert "Orders for" in page.text
    page = one.send(page, "/language", language="zh")
    assert "一号磨坊" not in page.text and "· 订单" in page.text
    assert "· 订单" in browse().sign_in("press").text
    assert one.send(page, "/language", language="xx").status_code == 409
    assert one.send(page, "/language", language="en", next="//evil.example", follow=False).headers["location"] == "/"


def test_forms_of_other_sites_sign_nobody_in(app, browse) -> None:
    one = browse()
    fields = {"login": "miller", "password": PASSWORD}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        assert one.client.post("/sign-in", data=fields, headers=headers).status_code == 403
    for headers in ({"sec-fetch-site": "same-origin"}, {"origin": "http://testserver"}, {}):
        assert one.client.post("/sign-in", data=fields, headers=headers).status_code == 303


def test_who_tries_many_passwords_waits(browse, clock) -> None:
    one = browse()
    answers = [one.client.post("/sign-in", data={"login": f"x{n}", "password": "y"}) for n in range(11)]
    assert [a.status_code for a in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0 and "Too many" in answers[-1].text
    clock.later(minutes=1)
    assert one.sign_in("miller").status_code == 200


def test_forms_that_are_too_large_or_none_are_refused_by_a_page(browse) -> None:
    one = browse()
    big = one.client.post("/sign-in", data={"login": "x" * 70_000})
    assert big.status_code == 413 and "too large" in big.text
    many = one.client.post("/sign-in", data={f"f{n}": "" for n in range(60)})
    assert many.status_code == 400
    broken = one.client.post("/sign-in", content=b"--x", headers={"content-type": "multipart/form-data"})
    assert broken.status_code == 400 and "cannot be read" in broken.text


def test_a_secret_is_never_kept_in_a_page(browse, clock) -> None:
    one = browse()
    one.sign_in("press")
    page = one.get("/account")
    clock.later(seconds=IDLE.total_seconds() + 1)
    answer = one.send(page, "/account", old=PASSWORD, password="secret sentence one", again="secret sentence one")
    assert answer.status_code == 401 and PASSWORD not in answer.text and "secret sentence" not in answer.text


def test_pages_keep_to_the_strict_policy_and_load_nothing_from_elsewhere(miller, browse) -> None:
    pages = [miller.get(path) for path in ("/factory", "/factory/hours", "/account", "/factor")]
    for page in (*pages, browse().get("/sign-in"), browse().get("/invitation/x")):
        assert page.headers["content-security-policy"] == STRICT and page.headers["cache-control"] == "no-store"
        assert " style=" not in page.text and "<style" not in page.text and " onclick" not in page.text
        assert "<script>" not in page.text
        assert all(link.startswith(("/", "otpauth:", "#", "data:,")) for link in LINKS.findall(page.text) if link)


def test_files_are_kept_by_browsers_and_others_are_not_there(miller) -> None:
    path = next(link for link in LINKS.findall(miller.get("/factory").text) if link.endswith(".js") or ".js?" in link)
    answer = miller.client.get(path)
    assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    for name in ("nothing.js", "..%2F..%2Fpages.py", "__init__.py", "factory-worker.js"):
        assert miller.client.get(f"/forms-static/{name}").status_code == 404
    assert miller.client.get("/factory-worker.js").headers["content-type"].startswith("text/javascript")


def test_an_invitation_is_in_the_language_of_whoever_is_invited(served: Served, browse) -> None:
    """Whatever the browser speaks; unless another language is chosen on the page."""
    secret = served.people.invite(None, "li@works", "Li", ["planner"], language="zh")
    browser = browse("en")
    page = browser.get(f"/invitation/{secret}")
    assert "设置密码" in page.text and 'lang="zh-CN"' in page.text
    page = browser.send(page, "#", password="short enough no", again="another")
    assert "两次输入的密码不一致" in page.text
    browser.send(browser.get(f"/invitation/{secret}"), "/language", language="en")
    page = browser.get(f"/invitation/{secret}")
    assert "Set your password" in page.text
    browser.send(page, "", password=PASSWORD, again=PASSWORD)
    assert "My account" in browser.get("/account").text and 'lang="en"' in browser.get("/account").text
    elsewhere = browse("zh")
    elsewhere.sign_in("li@works", following="/account")
    assert 'lang="en"' in elsewhere.get("/account").text


def test_who_chose_no_language_has_that_of_the_invitation(served: Served, browse) -> None:
    secret = served.people.invite(None, "li@works", "Li", ["planner"], language="zh")
    browser = browse("en")
    browser.send(browser.get(f"/invitation/{secret}"), "", password=PASSWORD, again=PASSWORD)
    assert 'lang="zh-CN"' in browser.get("/account").text


def test_a_token_is_made_shown_once_and_ended_on_the_account_page(served: Served, browse) -> None:
    browser = browse()
    browser.sign_in("planner", following="/account")
    page = browser.send(browser.get("/account"), "/account/tokens", name="<b>loader", may_see_plan="1", days="30")
    secret = re.search(r"datong_[\w-]+", page.text)
    assert secret is not None and "&lt;b&gt;loader" in page.text
    who = served.people.of_token(secret[0])
    assert (who.login, who.scopes) == ("planner", frozenset({"see_plan"}))
    page = browser.get("/account")
    assert secret[0] not in page.text and "until 2026-04-01" in page.text
    page = browser.send(page, "/account/tokens/end")
    assert "loader" not in page.text
    with pytest.raises(NotSignedIn):
        served.people.of_token(secret[0])
    page = browser.send(browser.get("/account"), "/account/tokens", name="none")
    assert page.status_code == 409


@pytest.mark.parametrize(("days", "lasts"), [("7 ", 7), ("0030", 30), ("3650", 3650)])
def test_a_token_holds_for_as_many_days_as_are_typed(served: Served, browse, days: str, lasts: int) -> None:
    browser = browse()
    browser.sign_in("planner")
    browser.send(browser.get("/account"), "/account/tokens", name="loader", may_see_plan="1", days=days)
    (token,) = served.database.rows("SELECT made, expires FROM tokens")
    assert token["expires"] - token["made"] == lasts * 86400


@pytest.mark.parametrize("days", ["", "0", "3651", "0003659", "5000", "000365999999", "9" * 5000, "-7", "7.5", "soon"])
def test_days_that_a_token_cannot_hold_are_refused_in_words(served: Served, browse, days: str) -> None:
    browser = browse()
    browser.sign_in("planner")
    page = browser.send(browser.get("/account"), "/account/tokens", name="loader", may_see_plan="1", days=days)
    assert page.status_code == 409 and "whole number of days from 1 to 3650" in page.text
    assert served.database.rows("SELECT * FROM tokens") == []


def test_an_invitation_says_with_which_login_one_signs_in(served, browse) -> None:
    link = served.people.invite(None, "lina@mill", "Lina", ["factory"], "Mill One", language="zh")
    page = browse().get(f"/invitation/{link}")
    assert '<label>账号<input value="lina@mill" autocomplete="username" readonly></label>' in page.text
    assert "lina" not in browse().get("/invitation/none").text
