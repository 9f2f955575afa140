"""The same request sent twice is done once, also over a restart."""

import json
from pathlib import Path

import pytest

from datong.app.service.requests_done_once import KEPT, Answered, InProgress, KeyReused
from datong.app.service.served_chain import Served
from rest_client import Client, application
from served_mill import serve_mill, session_of

KEY = {"idempotency-key": "7f9c2ba4-e88f-4d2a-b6f3-0a1b2c3d4e5f"}
PERSON = {"login": "new@works", "roles": ["analyst"]}


def test_the_same_request_with_the_same_key_is_done_once(administrator) -> None:
    first, second = (administrator.post("/people", PERSON, headers=KEY) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert second.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    assert second.json() == first.json() | {"secret": None}  # shown once
    assert administrator.get("/people").json()["total"] == 2
    assert administrator.post("/people", PERSON).status_code == 409  # without the key it is another one


def test_no_secret_is_kept_with_an_answer(administrator, served: Served) -> None:
    secret = administrator.post("/people", PERSON, headers=KEY).json()["secret"]
    kept = served.database.rows("SELECT * FROM answered")
    assert len(kept) == 1 and secret not in json.dumps(kept)


def test_another_request_with_the_key_is_refused(administrator, planner) -> None:
    administrator.post("/people", PERSON, headers=KEY)
    other = administrator.post("/people", PERSON | {"name": "n"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "service.key_reused")
    path = administrator.post("/people/new@works/reset", PERSON, headers=KEY)
    assert path.json()["code"] == "service.key_reused"
    token = {"name": "t", "scopes": ["run_plan"]}
    assert planner.post("/tokens", token, headers=KEY).status_code == 201  # a key is its account's own


def test_a_refusal_is_the_same_again_too_but_not_one_for_how_often_or_who(administrator) -> None:
    wrong = PERSON | {"roles": []}
    first, second = (administrator.post("/people", wrong, headers=KEY) for _ in range(2))
    assert first.json() == second.json() and second.headers["content-type"] == "application/problem+json"
    assert second.headers["idempotency-replayed"] == "true"
    other = {"idempotency-key": "b"}
    refused = [administrator.ask("PATCH", "/people/x@y", json={}, headers=other | {"if-match": '"x"'})]
    assert refused[0].status_code == 404


def test_after_a_restart_the_answer_is_still_there(tmp_path: Path, clock) -> None:
    """A server that is stopped, and another one on the same files."""
    first = serve_mill(tmp_path, clock)
    session = session_of(first, "administrator")
    said = Client(application(first), session).post("/people", PERSON, headers=KEY)
    first.close()
    second = serve_mill(tmp_path, clock)
    again = Client(application(second), session).post("/people", PERSON, headers=KEY)
    assert (again.status_code, again.json()) == (201, said.json() | {"secret": None})
    assert again.headers["idempotency-replayed"] == "true"
    assert len(second.people.accounts(session.who)) == 2
    second.close()


def test_what_was_cut_off_is_said_to_be_unknown(served: Served, clock) -> None:
    answered = Answered(served.database, clock)
    assert answered.begin(1, "k", "d") is None
    with pytest.raises(InProgress) as at_work:
        answered.begin(1, "k", "d")
    with pytest.raises(KeyReused):
        answered.begin(1, "k", "e")
    assert at_work.value.message.key == "service.in_progress"
    with pytest.raises(InProgress) as cut_off:
        Answered(served.database, clock).begin(1, "k", "d")
    assert cut_off.value.message.key == "service.answer_unknown"
    answered.leave(1, "k")  # a fault
    with pytest.raises(InProgress) as cut_off:
        answered.begin(1, "k", "d")
    assert cut_off.value.message.key == "service.answer_unknown"
    assert answered.begin(2, "k", "d") is None
    answered.drop(2, "k")
    assert answered.begin(2, "k", "d") is None
    clock.later(seconds=KEPT.total_seconds() + 1)
    assert answered.begin(1, "k", "d") is None


def test_a_second_request_that_comes_meanwhile_is_told_to_wait(administrator, served: Served, monkeypatch) -> None:
    """Both come at once: the first waits within its endpoint until the second is answered."""
    invite, second = served.people.invite, []

    def slowly(*given, **named):
        second.append(administrator.post("/people", PERSON, headers=KEY))
        return invite(*given, **named)

    monkeypatch.setattr(served.people, "invite", slowly)
    assert administrator.post("/people", PERSON, headers=KEY).status_code == 201
    assert (second[0].status_code, second[0].json()["code"]) == (409, "service.in_progress")


def test_a_fault_leaves_its_key_unknown(administrator, served: Served, monkeypatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(served.people, "invite", fails)
    assert administrator.post("/people", PERSON, headers=KEY).status_code == 500
    assert administrator.post("/people", PERSON, headers=KEY).json()["code"] == "service.answer_unknown"


@pytest.mark.parametrize("key", ["", "a" * 201, "a\x7fb"])
def test_a_key_is_a_short_plain_text(administrator, key: str) -> None:
    told = administrator.post("/people", PERSON, headers={"idempotency-key": key})
    assert (told.status_code, told.json()["code"]) == (422, "rest.wrong_key")
