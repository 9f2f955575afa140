"""What is said where something cannot be done: one shape, in both languages."""

import pytest
from fastapi import FastAPI

from datong.app.rest.problems import CONFLICTS, KIND_NAMES, KINDS, PROBLEM_JSON, STOPPING, TYPES, kind_of
from datong.app.service.accounts import People
from datong.connectors.exports.questions import Option, Question, asked
from datong.model.errors import BadInput, DatongError, LedgerBusy, NotFound
from datong.model.findings import finding
from datong.model.words import catalogue, message

CLOSED = message("service.closed")


def test_every_problem_says_what_and_what_to_do_in_both_languages(planner) -> None:
    told = planner.get("/jobs/J1", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert told.status_code == 404 and told.headers["content-type"] == PROBLEM_JSON
    assert told.headers["content-language"] == "zh"
    english = {"title": "Not found", "detail": "There is no job J1."}
    assert told.json() == {
        "type": "urn:datong:problem:not_found",
        "title": "未找到",
        "status": 404,
        "detail": "没有任务 J1。",
        "instance": "/api/v1/jobs/J1",
        "code": "service.no_job",
        "texts": {"en": english, "zh": {"title": "未找到", "detail": "没有任务 J1。"}},
    }


def test_each_value_that_does_not_fit_is_told_and_not_said_again(administrator) -> None:
    sent = {"login": "", "roles": "planner", "passwort": "do not say this"}
    told = administrator.post("/people", sent)
    assert told.status_code == 422 and told.json()["type"] == TYPES + "invalid"
    assert {one["where"]: one["texts"]["zh"] for one in told.json()["errors"]} == {
        "body.login": "至少 1 个字符。",
        "body.roles": "须为列表。",
        "body.passwort": "没有此字段。",
    }
    assert "do not say this" not in told.text


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "kind"),
    [
        ("GET", "/nothing", None, 404, "no_route"),
        ("GET", "/orders/a%0Ab", None, 404, "no_route"),
        ("PUT", "/people", None, 405, "no_method"),
        ("POST", "/people", b"{", 422, "invalid"),
        ("POST", "/people", b"\xff", 400, "invalid"),
        ("POST", "/people", b"[]", 422, "invalid"),
        ("POST", "/people", b'"' + b"a" * (1 << 20) + b'"', 413, "too_large"),
    ],
)
def test_what_no_endpoint_answers_is_a_problem_too(administrator, method, path, content, status, kind) -> None:
    told = administrator.ask(method, path, content=content, headers={"content-type": "application/json"})
    assert (told.status_code, told.json()["type"]) == (status, TYPES + kind)
    assert told.headers["content-type"] == PROBLEM_JSON


def test_a_body_that_does_not_say_its_size_is_cut_off(administrator) -> None:
    async def pieces():
        for _ in range(20):
            yield b"a" * 100_000

    assert administrator.ask("POST", "/people", content=pieces()).status_code == 413


def test_a_fault_of_the_program_tells_nothing_of_it(administrator, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(People, "accounts", fails)
    told = administrator.get("/people")
    assert (told.status_code, told.json()["type"]) == (500, TYPES + "fault") and "secret" not in told.text


@pytest.mark.parametrize(
    ("error", "status", "more"),
    [
        (BadInput(CLOSED, [finding("error", "check.no_products", "chain")]), 503, ()),
        (LedgerBusy(message("service.no_job", job="J")), 503, ()),
        (
            BadInput(message("service.no_job", job="J"), [finding("error", "check.no_products", "chain")]),
            422,
            ("findings",),
        ),
        (
            asked([Question("date", message("service.no_job", job="J"), ("A",), ("1",), (Option("iso", CLOSED),))]),
            409,
            ("questions",),
        ),
        (NotFound(message("service.no_job", job="J")), 404, ()),
    ],
)
def test_errors_with_what_they_carry(served, monkeypatch, administrator, error, status, more) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(People, "accounts", fails)
    told = administrator.get("/people")
    assert told.status_code == status
    for name in more:
        (one,) = told.json()[name]
        assert one["texts"]["en"] != one["texts"]["zh"]
    assert ("retry-after" in told.headers) == (status == 503)


def test_each_kind_of_error_has_its_words_and_no_later_kind_hides_it() -> None:
    assert {f"rest.problem.{kind}" for kind in KIND_NAMES} == {k for k in catalogue() if k.startswith("rest.problem.")}
    assert catalogue().keys() >= CONFLICTS | STOPPING
    for number, (error, _, _) in enumerate(KINDS):
        assert not any(issubclass(error, before) for before, _, _ in KINDS[:number])
    assert kind_of(DatongError(message("service.no_job", job="J"))) == (500, "fault")


def test_too_many_requests_say_how_long_to_wait(planner) -> None:
    answers = [planner.get("/session").status_code for _ in range(201)]
    assert set(answers[:-1]) == {200} and answers[-1] == 429
    told = planner.get("/session")
    assert int(told.headers["retry-after"]) == 1 and told.json()["type"] == TYPES + "too_often"


def test_who_is_not_signed_in_learns_nothing_of_the_addresses(app: FastAPI, nobody) -> None:
    assert nobody.get("/jobs/J1").json()["code"] == nobody.get("/people/x").json()["code"] == "service.no_session"
    assert nobody.post("/people", {"wrong": 1}).headers["www-authenticate"].startswith("Bearer")
