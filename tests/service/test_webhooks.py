"""Webhooks: who hears what, signed, sent again until it is taken, and never to a machine that only the server sees."""

import ipaddress
import json
import socket
from collections.abc import Callable, Mapping
from threading import Event as Flag
from threading import Thread
from time import sleep

import httpx
import pytest
from standardwebhooks.webhooks import Webhook as Receiver

from datong.app.service import webhooks as module
from datong.app.service.live_events import MOST_WAITING, Event
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.webhooks import (
    AGAIN_AFTER,
    MOST_WEBHOOKS,
    Posting,
    Sender,
    is_public,
    refuse_private,
    refuse_wrong,
)
from datong.model.errors import NotFound, Refused
from served_mill import Clock, session_of

ADDRESS = "https://198.51.100.7/in"


@pytest.fixture(autouse=True)
def all_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses kept for documents count as public: nothing is sent to them."""
    known = ipaddress.ip_network("198.51.100.0/24")
    monkeypatch.setattr(module, "is_public", lambda number: number in known or is_public(number))


class Receiving:
    """What was posted, and what it is answered with."""

    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.got: list[tuple[str, bytes, Mapping[str, str]]] = []

    def __call__(self, address: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.got.append((address, body, dict(headers)))
        if self.status == 0:
            raise httpx.ConnectError("nobody")
        return self.status

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body, _ in self.got]


@pytest.fixture
def planner(served: Served) -> Who:
    return session_of(served, "planner").who


def test_a_word_is_signed_as_receivers_check_it(served: Served, planner: Who, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = served.webhooks.make(planner, ADDRESS, ["orders"])
    served.webhooks.tell(Event("orders", "W1", Permission.SEE_PLAN))
    receiving = Receiving()
    assert served.webhooks.send_due(receiving) == 1
    ((address, body, headers),) = receiving.got
    assert address == ADDRESS
    monkeypatch.setattr("standardwebhooks.webhooks.Webhook._Webhook__verify_timestamp", lambda *_: served.now())
    word = Receiver(secret).verify(body.decode(), dict(headers))
    assert word == {"type": "orders.changed", "data": {"subject": "W1"}, "timestamp": served.now().isoformat()}
    with pytest.raises(Exception, match="No matching signature"):
        Receiver(secret).verify(body.decode() + " ", dict(headers))
    assert served.webhooks.send_due(receiving) == 0


def test_only_what_its_owner_may_see_and_asked_for(served: Served, planner: Who) -> None:
    mine = session_of(served, "factory", "FIRM A").who
    served.webhooks.make(planner, ADDRESS, ["findings"])
    served.webhooks.make(mine, ADDRESS + "/mine", ["orders", "findings"])
    for event in (
        Event("orders", "W1", Permission.SEE_PLAN, "FIRM A"),
        Event("orders", "W2", Permission.SEE_PLAN, "FIRM B"),
        Event("orders", "W3", Permission.SEE_PLAN),
        Event("findings", "F1", Permission.SEE_FINDINGS),
    ):
        served.webhooks.tell(event)
    receiving = Receiving()
    served.webhooks.send_due(receiving)
    got = [(address, json.loads(body)["data"]["subject"]) for address, body, _ in receiving.got]
    assert got == [(ADDRESS + "/mine", "W1"), (ADDRESS, "F1")]


def test_who_is_disabled_hears_nothing(served: Served, planner: Who) -> None:
    served.webhooks.make(planner, ADDRESS, ["orders"])
    served.people.change(None, planner.login, disabled=True)
    served.webhooks.tell(Event("orders", "W1", Permission.SEE_PLAN))
    assert served.webhooks.send_due(Receiving()) == 0


@pytest.mark.parametrize("status", [0, 301, 404, 500])
def test_what_is_not_taken_is_sent_again_later_and_in_order(
    served: Served, planner: Who, clock: Clock, status: int
) -> None:
    served.webhooks.make(planner, ADDRESS, ["orders"])
    for name in ("W1", "W2"):
        served.webhooks.tell(Event("orders", name, Permission.SEE_PLAN))
    failing = Receiving(status)
    assert served.webhooks.send_due(failing) == 0 and len(failing.got) == 1
    assert served.webhooks.send_due(failing) == 0 and len(failing.got) == 1
    (one,) = served.webhooks.of(planner)
    assert one.waiting == 2 and one.said == (str(status) if status else "ConnectError")
    clock.later(seconds=AGAIN_AFTER[0].total_seconds())
    well = Receiving()
    assert served.webhooks.send_due(well) == 2
    assert [json.loads(body)["data"]["subject"] for _, body, _ in well.got] == ["W1", "W2"]
    assert served.webhooks.of(planner)[0].said == ""
    assert failing.got[0][2]["webhook-id"] == well.got[0][2]["webhook-id"] != well.got[1][2]["webhook-id"]


def test_a_word_is_given_up_in_the_end(served: Served, planner: Who, clock: Clock) -> None:
    served.webhooks.make(planner, ADDRESS, ["orders"])
    served.webhooks.tell(Event("orders", "W1", Permission.SEE_PLAN))
    failing = Receiving(500)
    for again in AGAIN_AFTER:
        served.webhooks.send_due(failing)
        clock.later(seconds=again.total_seconds())
    served.webhooks.send_due(failing)
    assert len(failing.got) == len(AGAIN_AFTER) + 1
    assert served.webhooks.of(planner)[0].waiting == 0


def test_one_that_does_not_answer_keeps_no_other_waiting(served: Served, planner: Who) -> None:
    for path in ("/a", "/b"):
        served.webhooks.make(planner, ADDRESS + path, ["orders"])
    served.webhooks.tell(Event("orders", "W1", Permission.SEE_PLAN))

    def post(address: str, body: bytes, headers: Mapping[str, str]) -> int:
        return 500 if address.endswith("/a") else 200

    assert served.webhooks.send_due(post) == 1


def test_too_much_waiting_lets_the_oldest_go_and_says_so(
    served: Served, planner: Who, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each webhook by itself: another's words take nobody's place."""
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    for path in ("/a", "/b"):
        served.webhooks.make(planner, ADDRESS + path, ["orders"])
    for i in range(6):
        served.webhooks.tell(Event("orders", f"W{i}", Permission.SEE_PLAN))
    receiving = Receiving()
    served.webhooks.send_due(receiving)
    for path in ("/a", "/b"):
        own = [json.loads(body) for address, body, _ in receiving.got if address == ADDRESS + path]
        assert [(word["type"], word["data"].get("subject")) for word in own] == [
            ("lost", None),
            ("orders.changed", "W4"),
            ("orders.changed", "W5"),
        ]


def test_a_new_word_waits_behind_one_that_failed(served: Served, planner: Who, clock: Clock) -> None:
    served.webhooks.make(planner, ADDRESS, ["orders"])
    served.webhooks.tell(Event("orders", "A", Permission.SEE_PLAN))
    served.webhooks.send_due(Receiving(500))
    served.webhooks.tell(Event("orders", "B", Permission.SEE_PLAN))
    well = Receiving()
    assert served.webhooks.send_due(well) == 0
    clock.later(seconds=AGAIN_AFTER[0].total_seconds())
    served.webhooks.send_due(well)
    assert [json.loads(body)["data"]["subject"] for _, body, _ in well.got] == ["A", "B"]


def test_what_waits_for_somebody_who_is_suspended_is_not_sent(served: Served, planner: Who) -> None:
    served.webhooks.make(planner, ADDRESS, ["orders"])
    served.webhooks.tell(Event("orders", "W1", Permission.SEE_PLAN))
    served.people.change(None, planner.login, disabled=True)
    receiving = Receiving()
    assert served.webhooks.send_due(receiving) == 0 and receiving.got == []
    served.people.change(None, planner.login, disabled=False)
    assert served.webhooks.send_due(receiving) == 0


def until(done: Callable[[], bool]) -> None:
    """Waits some seconds for it."""
    for _ in range(200):
        if done():
            return
        sleep(0.05)
    raise AssertionError("it did not come")


def test_a_slow_receiver_and_one_that_breaks_keep_no_other_waiting(
    served: Served, planner: Who, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.5)
    numbers = {}
    for path in ("/slow", "/broken", "/well"):
        numbers[path] = served.webhooks.make(planner, ADDRESS + path, ["orders"])[0].webhook
    go_on, got = Flag(), []

    def post(address: str, body: bytes, headers: Mapping[str, str]) -> int:
        if address.endswith("/slow"):
            go_on.wait(20)
        if address.endswith("/broken"):
            raise UnicodeEncodeError("ascii", "x", 0, 1, "no")
        got.append(address)
        return 200

    sender = Sender(served.webhooks, served.events, post)
    try:
        served.events.tell("orders", "W1", Permission.SEE_PLAN)
        until(lambda: ADDRESS + "/well" in got)
        until(lambda: {one.said for one in served.webhooks.of(planner)} == {"timeout", "UnicodeEncodeError", ""})
    finally:
        go_on.set()
        sender.close()


def test_a_sender_outlives_an_error_of_its_own(served: Served, planner: Who, monkeypatch: pytest.MonkeyPatch) -> None:
    served.webhooks.make(planner, ADDRESS, ["orders"])
    receiving, failures = Receiving(), [OSError("disk")]
    tell = served.webhooks.tell

    def failing(event: Event) -> None:
        if failures:
            raise failures.pop()
        tell(event)

    monkeypatch.setattr(served.webhooks, "tell", failing)
    sender = Sender(served.webhooks, served.events, receiving)
    try:
        for name in ("W1", "W2"):
            served.events.tell("orders", name, Permission.SEE_PLAN)
        until(lambda: len(receiving.got) == 1)
    finally:
        sender.close()
    assert json.loads(receiving.got[0][1])["data"]["subject"] == "W2"


def test_what_a_sender_missed_is_said(served: Served, planner: Who) -> None:
    served.webhooks.make(planner, ADDRESS, ["orders"])
    listener = served.events.listen_to_all()
    for i in range(MOST_WAITING + 1):
        served.events.tell("orders", f"W{i}", Permission.SEE_PLAN)
    served.webhooks.tell(listener.queue.get_nowait())
    receiving = Receiving()
    served.webhooks.send_due(receiving)
    assert receiving.types() == ["lost"]


def test_the_sender_sends_what_changes(served: Served, planner: Who) -> None:
    made, _ = served.webhooks.make(planner, ADDRESS, ["orders"])
    receiving = Receiving()
    sender = Sender(served.webhooks, served.events, receiving)
    try:
        served.events.tell("orders", "W1", Permission.SEE_PLAN)
        served.webhooks.try_out(planner, made.webhook)
        until(lambda: len(receiving.got) == 2)
    finally:
        sender.close()
    assert sorted(receiving.types()) == ["orders.changed", "test"]


def test_one_has_ones_own_alone(served: Served, planner: Who) -> None:
    made, _ = served.webhooks.make(planner, ADDRESS, ["orders"])
    other = session_of(served, "analyst").who
    for act in (served.webhooks.drop, served.webhooks.try_out):
        with pytest.raises(NotFound):
            act(other, made.webhook)
    assert served.webhooks.of(other) == []
    served.webhooks.drop(planner, made.webhook)
    assert served.webhooks.of(planner) == []


def test_at_most_so_many(served: Served, planner: Who) -> None:
    for i in range(MOST_WEBHOOKS):
        served.webhooks.make(planner, f"{ADDRESS}/{i}", ["orders"])
    with pytest.raises(Refused):
        served.webhooks.make(planner, ADDRESS, ["orders"])


@pytest.mark.parametrize("kinds", [[], ["orders", "weather"]])
def test_unknown_kinds_are_refused(served: Served, planner: Who, kinds: list[str]) -> None:
    with pytest.raises(Refused):
        served.webhooks.make(planner, ADDRESS, kinds)


@pytest.mark.parametrize(
    "address",
    [
        *("", "ftp://198.51.100.7/", "javascript:alert(1)", "https://", "https://a:b@198.51.100.7/", "https://[::1"),
        *("http://198.51.100.7:99999999/", "https://198.51.100.7/" + "x" * 3000, "https://a..b/", "https://a\nb/"),
        "https://" + "x" * 64 + ".example/",
    ],
)
def test_no_address_of_the_web(address: str) -> None:
    with pytest.raises(Refused):
        refuse_wrong(address)


PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1"),
    *("[::1]", "[fe80::1]", "[fc00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::10.0.0.1]", "[2002:7f00:1::]", "localhost"),
    *("2130706433", "0x7f000001", "127.1"),
]


@pytest.mark.parametrize("host", PRIVATE)
def test_no_machine_that_only_the_server_reaches(served: Served, planner: Who, host: str) -> None:
    with pytest.raises(Refused):
        served.webhooks.make(planner, f"http://{host}/", ["orders"])
    with pytest.raises(Refused):
        Posting(to_private=False)(f"http://{host}/", b"{}", {})


def test_a_host_in_letters_of_its_own_language_is_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the plain letters that stand for it."""
    asked: list[str] = []

    def found(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        raise OSError("not here")

    monkeypatch.setattr(socket, "getaddrinfo", found)
    refuse_wrong("https://bücher.example/")
    with pytest.raises(OSError, match="not here"):
        Posting(to_private=True)("https://bücher.example/", b"{}", {})
    assert asked == ["xn--bcher-kva.example"]


def test_a_name_that_points_elsewhere_later_is_not_followed(
    served: Served, planner: Who, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is public when the webhook is made, and then points to the server itself."""
    number = ["198.51.100.7"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (number[0], 443))])
    served.webhooks.make(planner, "https://name.example/in", ["orders"])
    served.webhooks.tell(Event("orders", "W1", Permission.SEE_PLAN))
    number[0] = "127.0.0.1"
    receiving = Receiving()
    assert served.webhooks.send_due(receiving) == 0 and receiving.got == []
    assert served.webhooks.of(planner)[0].said == "private"


def test_a_machine_of_ones_own_where_the_server_allows_it(served: Served, planner: Who) -> None:
    """It is posted as it is, to the address that was looked at, under its own name; no redirect is followed."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(5)
        port = door.getsockname()[1]

        def answer() -> None:
            guest, _ = door.accept()
            with guest:
                guest.settimeout(5)
                said = b""
                while b"{}" not in said:
                    said += guest.recv(4096)
                got.append(said)
                guest.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

        thread = Thread(target=answer)
        thread.start()
        assert Posting(to_private=True)(f"http://localhost:{port}/in", b"{}", {"webhook-id": "word_1"}) == 302
        thread.join()
    assert got[0].startswith(b"POST /in HTTP/1.1") and f"host: localhost:{port}".encode() in got[0].lower()
    with pytest.raises(Refused):
        refuse_private(f"http://localhost:{port}/in")
