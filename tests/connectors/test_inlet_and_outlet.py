"""What every way out and in promises (connectors/inlet_and_outlet.py), held over each of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from datong.app.exchange_one_way import not_delivered
from datong.connectors.email.post import EmailPost
from datong.connectors.email.send_sheets import Firm
from datong.connectors.filedrop.drop import FileDrop
from datong.connectors.inlet_and_outlet import Delivered, Refused, Unreachable
from datong.model.calendar import Calendar
from datong.model.words import message
from mail_servers import ACCEPTED, Handler, ImapServer, a_post, filled, lets_in, reply, smtp_server
from work_orders import to, work


@dataclass(frozen=True)
class Way:
    """A connector under test. answer: puts a report of a counterparty where it is collected. cut: makes the other side
    unreachable."""

    connector: FileDrop | EmailPost
    answer: Callable[[str], None]
    cut: Callable[[], None]


def file_drop(place: Path, _open: ExitStack) -> Way:
    folder = place / "drop"

    def answer(order: str) -> None:
        (folder / "inbox").mkdir(parents=True, exist_ok=True)
        text = f"order,state,happened_at\n{order},accepted,2026-03-05\n"
        (folder / "inbox" / f"{order}.csv").write_text(text, encoding="utf-8")

    def cut() -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("no folder", encoding="utf-8")

    return Way(FileDrop(folder, "en"), answer, cut)


def email(place: Path, opened: ExitStack) -> Way:
    handler, mailbox = Handler(), ImapServer()
    opened.callback(mailbox.stop)
    smtp = ExitStack()
    port = opened.enter_context(smtp).enter_context(smtp_server(handler, authenticator=lets_in, auth_require_tls=False))
    firms = {name: Firm(f"{name}@firm.example", "en", name) for name in "AB"}
    connector = a_post(place, port, mailbox.port, **firms)

    def answer(order: str) -> None:
        (mail,) = handler.mails
        mailbox.arrives(reply(mail, filled(mail, {order: ACCEPTED})))

    return Way(connector, answer, smtp.close)


WAYS = {"filedrop": file_drop, "email": email}
CALENDAR = Calendar("Asia/Shanghai", "week")


@pytest.fixture(params=sorted(WAYS))
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    with ExitStack() as opened:
        yield WAYS[request.param](tmp_path, opened)


def test_each_message_goes_out_once(way: Way) -> None:
    first = way.connector.deliver([*to("A", work("W1"), work("W2")), *to("B", work("W3"))], "R1")
    assert [(type(one), one.counterparty, len(one.keys)) for one in first] == [(Delivered, "A", 2), (Delivered, "B", 1)]
    assert len({one.place for one in first if isinstance(one, Delivered)}) == 2
    again = way.connector.deliver([*to("A", work("W1"), work("W2"), work("W4")), *to("B", work("W3"))], "R2")
    assert [one.keys for one in again] == [tuple(m.key for m in to("A", work("W4")))]


def test_what_waits_is_what_would_go_out(way: Way) -> None:
    messages = [*to("A", work("W1")), *to("B", work("W2"))]
    assert sorted(m.order.order for m in way.connector.waiting(messages, "R1")) == ["W1", "W2"]
    assert way.connector.deliver(messages[:1], "R1")
    assert [m.order.order for m in way.connector.waiting(messages, "R1")] == ["W2"]
    assert way.connector.anew(messages[:1]) == ()


def test_what_cannot_be_reached_is_an_outcome_and_no_crash(way: Way) -> None:
    way.cut()
    outcomes = way.connector.deliver([*to("A", work("W1")), *to("B", work("W2"))], "R1")
    assert [type(one) for one in outcomes] == [Unreachable, Unreachable]
    assert [one.keys for one in outcomes] == [(to("A", work("W1"))[0].key,), (to("B", work("W2"))[0].key,)]


def test_what_was_collected_is_there_until_it_is_settled(way: Way) -> None:
    way.connector.deliver(to("A", work("W1")), "R1")
    way.answer("W1")
    for _ in range(2):
        collected = way.connector.collect(CALENDAR)
        assert [report.event.order for report in collected.reports] == ["W1"]
    way.connector.settle(collected, ())
    assert not way.connector.collect(CALENDAR).reports


def test_a_refusal_and_an_unreachable_party_are_told_apart() -> None:
    why = message("facts.no_reason")
    outcomes = (Delivered("A", ("1",), "x"), Refused("B", ("2", "3"), why), Unreachable("C", ("4",), why))
    refused, unreached = not_delivered(outcomes)
    assert (refused.code, unreached.code) == ("not_taken", "not_reached")
    assert "B does not take 2" in refused.text("en")
    assert "C" in unreached.text("zh") and "不会重复发送" in unreached.text("zh")
