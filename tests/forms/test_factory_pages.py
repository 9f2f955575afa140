"""A firm's pages without a script: its orders, answers that go in, answers that are wrong and come back."""

import re
from datetime import date
from html import unescape

import pytest
from fastapi import FastAPI

from datong.app.counter_offers import decide
from datong.app.forms.pages import add_forms
from datong.app.forms.rendering import static_files
from datong.app.release_orders import release
from datong.app.service.factory import own_orders
from datong.app.service.served_chain import serve
from datong.app.service.sign_in_limits import IDLE
from datong.app.wording.figures import long_day
from forms.conftest import Browser, order_of
from mill import write
from service.conftest import QUICK
from service.test_photo_checked_and_cleaned import SECRET, jpeg
from two_firms import PASSWORD, person

LANGUAGES = ("en", "zh")
MOST = 60_000


def open_first(browser, language: str):
    page = browser.sign_in("miller")
    if language == "en":
        page = browser.send(page, "/language", language="en")
    return browser.get(f"/factory/orders/{order_of(page)}")


def where(page) -> str:
    return page.url.path


def shown(page) -> str:
    return unescape(re.sub(r"<[^>]+>", "", page.text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_order_is_answered_and_worked_to_its_end(browse, served, clock, language: str) -> None:
    one = browse()
    page = open_first(one, language)
    due = own_orders(served, served.people.sign_in("miller", PASSWORD).who).orders[0].due
    told = {"en": ("40 pieces", "please answer"), "zh": ("40 件", "请答复")}
    told[language] += ("Flour (P)", "Stone mill", long_day(due, language))
    assert all(text in shown(page) for text in told[language])
    steps = {
        "accepted": ({}, {"en": "The order is now: accepted", "zh": "该单现为：已接单"}),
        "started": ({"remark": "两台机"}, {"en": "The order is now: started", "zh": "该单现为：已开工"}),
        "partly_done": ({"good_units": "２０", "scrap_units": "1"}, {"en": "partly done", "zh": "部分完工"}),
        "done": ({"good_units": "39", "when": "3月2日"}, {"en": "The order is now: done", "zh": "该单现为：已完工"}),
    }
    for state, (texts, expected) in steps.items():
        clock.later(minutes=30)
        page = one.send(page, f"{where(page)}#{state}", **texts)
        assert page.status_code == 200 and expected[language] in shown(page), shown(page)
    assert "两台机" in page.text
    listed = shown(one.get("/factory"))
    assert {"en": "Nothing to answer now", "zh": "暂无待答复"}[language] in listed


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("state", "texts", "told"),
    [
        ("refused", {"remark": "  "}, {"en": "refused without a reason", "zh": "拒单未填原因"}),
        ("offered", {"due": "12月99日"}, {"en": "12月99日", "zh": "12月99日"}),
        ("offered", {"units": "2,100", "remark": "机器"}, {"en": "Write 2100 or 2.1", "zh": "请写明 2100 或 2.1"}),
        ("offered", {"units": "99999999999"}, {"en": "tick that it is right", "zh": "请勾选"}),
        ("partly_done", {"good_units": "1,5"}, {"en": "whole number", "zh": "整数"}),
        ("partly_done", {"good_units": "a lot"}, {"en": "write digits only", "zh": "请只填数字"}),
        ("done", {"good_units": "4000"}, {"en": "4,000 units of an order of 40", "zh": "40 的单报了 4,000"}),
        ("started", {"when": "2031-01-01"}, {"en": "offer another day", "zh": "新的交期请用"}),
    ],
)
def test_what_is_wrong_comes_back_with_what_was_typed(browse, served, language, state, texts, told) -> None:
    one = browse()
    page = open_first(one, language)
    answer = one.send(page, f"{where(page)}#{state}", **texts)
    assert answer.status_code == 422 and told[language] in shown(answer), shown(answer)
    assert 'role="alert"' in answer.text and '<details class="card" open>' in answer.text
    for text in texts.values():
        assert text.strip() in unescape(answer.text)
    assert "row" not in shown(answer).split("Flour")[1].split("What was said")[0] if language == "en" else True


def test_a_doubt_is_confirmed_by_a_tick_and_fewer_is_corrected_by_one(miller, clock) -> None:
    page = miller.get("/factory/orders/" + order_of(miller.get("/factory")))
    wrong = miller.send(page, f"{where(page)}#partly_done", good_units="90")
    assert "is_confirmed" in wrong.text and "is_correction" not in wrong.text
    page = miller.send(wrong, f"{where(page)}#partly_done", is_confirmed="1")
    assert "该单现为：已完工" in shown(page)
    clock.later(minutes=5)
    wrong = miller.send(page, f"{where(page)}#done", good_units="30")
    assert "is_correction" in wrong.text
    page = miller.send(wrong, f"{where(page)}#done", is_correction="1")
    assert "已收到" in shown(page) and "累计良品由 90 更正为 30" in shown(page)


def test_a_day_in_chinese_is_an_offer_and_waits_for_the_planner(miller) -> None:
    page = miller.get("/factory/orders/" + order_of(miller.get("/factory")))
    page = miller.send(page, f"{where(page)}#offered", due="12月9日", units="３０", remark="人手不足")
    assert "方案待计划员答复" in shown(page) and "2026-12-09" in shown(page) and "人手不足" in shown(page)


def test_a_double_press_counts_once(miller, served) -> None:
    page = miller.get("/factory/orders/" + order_of(miller.get("/factory")))
    first = miller.send(page, f"{where(page)}#accepted")
    again = miller.send(page, f"{where(page)}#accepted")
    assert first.status_code == again.status_code == 200 and str(first.url) == str(again.url)
    assert again.text.count("<small>") == first.text.count("<small>")
    told = [entry for entry in served.database.rows("SELECT * FROM audit") if entry["what"] == "answer_order"]
    assert len(told) == 1


def test_anothers_order_and_none_look_the_same(browse) -> None:
    own, other = browse("en"), browse("en")
    mine = own.get("/factory/orders/" + order_of(own.sign_in("press")))
    theirs = order_of(other.sign_in("miller"))
    pages: dict[str, set[str]] = {}
    for order in (theirs, "W00000000-009"):
        path = f"/factory/orders/{order}"
        fields = {"csrf": re.search(r'data-csrf="([^"]+)"', mine.text)[1], "key": "k" * 12, "state": "accepted"}
        answers = {
            "see": own.client.get(path),
            "answer": own.client.post(path, data=fields),
            "photo": own.client.post(f"{path}/photos", data=fields, files={"photo": ("x.jpg", jpeg())}),
            "see photo": own.client.get(f"/photos/{order}/{'0' * 64}"),
        }
        for name, answer in answers.items():
            assert answer.status_code == 404
            pages.setdefault(name, set()).add(answer.text.replace(order, "ORDER"))
    assert {name: len(texts) for name, texts in pages.items()} == dict.fromkeys(pages, 1)
    assert "请答复" in other.get(f"/factory/orders/{theirs}").text


def test_a_planner_has_no_orders_to_answer_and_is_told_so(browse) -> None:
    one = browse()
    page = one.sign_in("planner")
    assert page.status_code == 403 and "may not do this" in shown(page)


def test_a_change_that_no_page_of_ours_made_is_not_taken_but_kept(miller, served) -> None:
    order = order_of(miller.get("/factory"))
    path = f"/factory/orders/{order}"
    for csrf in ({}, {"csrf": "x" * 32}):
        answer = miller.client.post(path, data={"key": "k" * 12, "state": "refused", "remark": "<b>no</b>", **csrf})
        assert answer.status_code == 403 and "&lt;b&gt;no&lt;/b&gt;" in answer.text
    assert "请答复" in miller.get(path).text
    sent = miller.send(answer, path)
    assert "已拒单" in shown(sent)
    assert miller.client.post("/sign-out").status_code == 403


def test_a_session_that_ends_in_the_middle_loses_nothing(browse, clock) -> None:
    one = browse()
    page = open_first(one, "zh")
    clock.later(seconds=IDLE.total_seconds() + 1)
    asked = one.send(page, f"{where(page)}#partly_done", good_units="12", remark='夜班 "<x>"')
    assert asked.status_code == 401 and "已保留" in shown(asked)
    wrong = one.send(asked, "/sign-in", login="miller", password="wrong wrong wrong")
    assert wrong.status_code == 401
    kept = one.send(wrong, "/sign-in", login="miller", password=PASSWORD)
    assert kept.status_code == 200 and "12" in shown(kept) and '夜班 "<x>"' in shown(kept)
    assert "部分完工" in shown(kept)
    done = one.send(kept, where(page))
    assert "该单现为：部分完工" in shown(done) and '夜班 "<x>"' in shown(done)
    again = one.send(kept, where(page))
    assert again.text.count("报进度，累计良品") == done.text.count("报进度，累计良品") == 1


def test_somebody_else_who_signs_in_sends_nothing_of_it(browse, clock) -> None:
    one = browse()
    page = open_first(one, "zh")
    clock.later(seconds=IDLE.total_seconds() + 1)
    asked = one.send(page, f"{where(page)}#accepted")
    kept = one.send(asked, "/sign-in", login="press", password=PASSWORD)
    assert one.send(kept, where(page)).status_code == 404


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "=1+1", "a\x00b"]
)
def test_what_is_typed_is_shown_as_it_is(miller, text: str) -> None:
    page = miller.get("/factory/orders/" + order_of(miller.get("/factory")))
    page = miller.send(page, f"{where(page)}#refused", remark=text)
    assert page.status_code == 200
    assert "<script>alert" not in page.text and "<img" not in page.text
    assert text.replace("\x00", "\ufffd") in shown(page)
    wrong = miller.send(miller.get(where(page)), "/language", language="zh", next=text, follow=False)
    assert wrong.headers["location"] == "/"


def test_a_photo_is_kept_without_its_place(miller, browse) -> None:
    page = miller.get("/factory/orders/" + order_of(miller.get("/factory")))
    action = f"{where(page)}/photos"
    page = miller.send(page, action, files={"photo": ("IMG_1.jpg", jpeg(6), "image/jpeg")})
    found = re.search(r'href="(/photos/[^"]+)"', page.text)
    assert found is not None
    got = miller.client.get(found[1])
    assert got.headers["content-type"] == "image/jpeg" and SECRET not in got.content
    assert got.headers["x-content-type-options"] == "nosniff" and "inline" in got.headers["content-disposition"]
    wrong = miller.send(page, action, files={"photo": ("x.svg", b"<svg onload=alert(1)>", "image/jpeg")})
    assert wrong.status_code == 422 and "JPEG" in shown(wrong)
    none = miller.send(page, action, files={"photo": ("", b"")})
    assert none.status_code == 422
    big = miller.send(page, action, files={"photo": ("x.jpg", b"\xff\xd8" + bytes(13 * 2**20))})
    assert big.status_code == 413
    planner, press = browse(), browse()
    planner.sign_in("planner")
    press.sign_in("press")
    assert planner.client.get(found[1]).content == got.content
    assert press.client.get(found[1]).status_code == 404
    assert browse().client.get(found[1]).status_code == 303


@pytest.mark.parametrize("language", LANGUAGES)
def test_free_hours_and_what_they_would_earn(browse, language: str) -> None:
    one = browse()
    page = open_first(one, language)
    text = shown(one.get("/factory/hours"))
    assert "75" in text and "750" in text and "2026" in text, text
    assert page.status_code == 200


def test_a_script_is_answered_in_a_record(miller, clock) -> None:
    path = "/factory/orders/" + order_of(miller.get("/factory"))
    csrf = re.search(r'data-csrf="([^"]+)"', miller.get(path).text)[1]
    fields = {"csrf": csrf, "key": "k" * 12, "state": "accepted", "waited_s": "90"}

    def post(**changed: str):
        return miller.client.post(path, data=fields | changed, headers={"accept": "application/json"})

    assert post(csrf="old").status_code == 403 and "texts" in post(csrf="old").json()
    taken = post()
    assert taken.status_code == 200 and taken.json() == {"taken": True, "texts": [], "page": f"{path}?said={'k' * 12}"}
    assert post().json()["taken"] is True
    wrong = post(state="partly_done", key="m" * 12)
    assert wrong.status_code == 422 and wrong.json()["taken"] is False and "累计良品数" in wrong.json()["texts"][0]
    assert post(key="").status_code == 409
    clock.later(seconds=IDLE.total_seconds() + 1)
    assert post().status_code == 401


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_is_small(browse, language: str) -> None:
    """With all that it loads."""
    one = browse()
    page = open_first(one, language)
    files = sum(len(file.content) for file in static_files().values())
    for path in ("/factory", where(page), "/factory/hours", "/account", "/sign-in"):
        assert len(one.get(path).content) + files < MOST, path


@pytest.mark.parametrize("take", [True, False])
def test_what_the_planner_decides_about_an_offer_is_on_the_page(miller, served, clock, take: bool) -> None:
    order = order_of(miller.get("/factory"))
    page = miller.get(f"/factory/orders/{order}")
    clock.later(minutes=1)
    page = miller.send(page, f"{where(page)}#offered", units="30")
    assert "仍按原单接单" in shown(page)
    clock.later(minutes=1)
    served.chain_thread.write("planner", lambda chain: decide(chain, order, take, "<rest> elsewhere"))
    text = shown(miller.get(where(page)))
    assert "<rest> elsewhere" in text and ("30 件" if take else "40 件") in text
    assert ("已接单" if take else "请答复") in text
    assert ("同意贵方方案：数量 30" if take else "未同意贵方方案") in text


@pytest.fixture
def moved(tmp_path, clock):
    """A firm that sends a product from its site to another firm's, which offers it under a number of its own."""
    files = {
        "chain_toml": 'name = "two sites"\nhorizon_buckets = 4\nstart = 2026-03-02\nhistory = "live"\n',
        "sites_csv": "site,kind,firm,address,name\n"
        "W1,factory,Mill One,,North mill\nW2,warehouse,Press Two,2 Press Road,South store\n",
        "lines_csv": "line,hours_per_week,site,name\nA,40,W1,Stone mill\n",
        "products_csv": "product,price,kind,name\nP,100,finished,Flour\nM,4,material,Grain\n",
        "recipes_csv": "recipe,product,site,line,hours_per_unit,cost_per_unit\nP/1,P,W1,A,1,10\n",
        "offers_csv": "offer,product,site,to_site,price,lead_days\nM/V,M,V1,W1,4,0\n",
        "lanes_csv": "lane,product,from_site,to_site,lead_days,cost_per_unit\nL,P,W1,W2,0,1\n",
        "demand_csv": "demand,product,site,due,units\nd1,P,W2,2026-03-04,35\n",
        "components_csv": "product,component,units_per_unit\nP,M,2\n",
        "stock_csv": "happened_at,product,site,units\n2026-02-28,P,W1,60\n",
    }
    one = serve(write(tmp_path / "mill", **files), tmp_path / "database" / "people.sqlite", clock, hasher=QUICK)
    one.chain_thread.write("test", lambda chain: (chain.run(), release(chain, (), True)))
    person(one, "miller", "Mill One", language="zh")
    yield one
    one.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_moved_says_from_where_to_where_and_is_sent_and_not_made(moved, language: str) -> None:
    app = FastAPI(openapi_url=None)
    add_forms(app, moved)
    one = Browser(app)
    page = open_first(one, language)
    kind, sent, there, send = {
        "en": ("move", "Sent off", "All of it is there", "Quantity that you can send"),
        "zh": ("调拨", "已发货", "已送达", "可发数量"),
    }[language]
    assert kind in shown(one.get("/factory"))
    for text in (kind, "W1 · North mill", "W2 · South store", "2 Press Road", sent, there, send):
        assert text in shown(page), text
    assert {"en": "Work has begun", "zh": "已开工"}[language] not in shown(page)
    page = one.send(page, f"{where(page)}#started")
    assert {"en": "The order is now: sent off", "zh": "该单现为：已发货"}[language] in shown(page)


@pytest.mark.parametrize(("typed", "counts"), [("只能做20", 20), ("20 only", 20), ("0", None), ("many", None)])
def test_units_that_can_be_done_instead_are_read_or_told_to_be_none(miller, typed: str, counts: int | None) -> None:
    page = miller.get(f"/factory/orders/{order_of(miller.get('/factory'))}")
    page = miller.send(page, f"{where(page)}#offered", units=typed)
    if counts is None:
        assert "应为：大于 0 的可做数量" in shown(page)
    else:
        assert f"贵方提出：数量 {counts}" in shown(page)


def test_nobody_accepts_what_was_decided_after_they_had_looked(served, miller, clock) -> None:
    """The firm offers another day; the planner takes it; on the page of before the firm accepts the order as it was."""
    order = order_of(miller.get("/factory"))
    clock.later(minutes=1)
    old = miller.send(miller.get(f"/factory/orders/{order}"), f"/factory/orders/{order}#offered", due="2026-03-10")
    clock.later(minutes=1)
    served.chain_thread.write("planner", lambda chain: decide(chain, order, True))
    clock.later(minutes=1)
    page = miller.send(old, f"/factory/orders/{order}#accepted")
    assert page.status_code == 422 and "答复未收下" in shown(page)
    assert "计划员已作出决定，该单现为" in shown(page) and long_day(date(2026, 3, 10), "zh") in shown(page)
    still = own_orders(served, served.people.sign_in("miller", PASSWORD).who).orders
    assert (
        next(one for one in still if one.order == order).events[-1].answers is not None
    )  # the planner's word is the last
