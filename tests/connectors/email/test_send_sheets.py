"""Mails out: one for each firm, once; what may have arrived is repeated as the same, and nothing leaks on the way."""

import csv
import io
import json
import re
import smtplib
import ssl
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datong.connectors.email import hand_over_mail
from datong.connectors.email.hand_over_mail import PASSWORD_VARIABLE, read_password
from datong.connectors.email.journal import Journal, tokens_in
from datong.connectors.email.post import EmailPost
from datong.connectors.email.send_sheets import Firm
from datong.connectors.inlet_and_outlet import Delivered, Outcome, Refused, Unreachable
from datong.model.errors import DatongError
from datong.model.settings import EmailSettings
from mail_servers import PASSWORD, SENDER, USER, Handler, a_post, attachment, filled, lets_in, smtp_server, token_of
from work_orders import to, work

NewPost = Callable[..., EmailPost]
CERTIFICATE = Path(__file__).with_name("localhost.pem")


def only(outcomes: tuple[Outcome, ...]) -> Any:
    (outcome,) = outcomes
    return outcome


# what goes out -------------------------------------------------------------------------------------


def test_a_mail_for_each_firm_in_its_language_with_the_sheet_of_the_drop(new_post: NewPost, handler: Handler) -> None:
    messages = [*to("Mill", work("W1"), work("W2")), *to("南厂", work("W3")), *to("X", work("W4"))]
    outcomes = new_post().deliver(messages, "R")
    assert [(o.counterparty, len(o.keys), o.place) for o in outcomes if isinstance(o, Delivered)] == [
        ("Mill", 2, "mill@firm.example"),
        ("南厂", 1, "nan@firm.example"),
    ]
    mill, south = handler.mails
    assert handler.to == ["mill@firm.example", "nan@firm.example"]
    assert (mill["From"], mill["To"]) == (SENDER, "mill@firm.example")
    assert str(mill["Subject"]).endswith("2 orders for Mill") and str(south["Subject"]).endswith("南厂：1 张单待答复")
    assert mill["Message-ID"] == f"<{token_of(mill)}@chain.example>"
    text = mill.get_body().get_content()  # ty: ignore[possibly-missing-attribute]
    assert "- W1: 酱油, 100, by 2026-03-09" in text and token_of(mill) in text
    assert [part.get_filename() for part in south.iter_attachments()] == [
        f"南厂-{token_of(south)}.xlsx",
        f"南厂-{token_of(south)}.csv",
    ]
    rows = attachment(south, ".csv").decode("utf-8-sig").splitlines()
    assert rows[0].startswith("单号,类型,产品编码,品名,数量") and token_of(south) in rows[1]
    assert attachment(mill, ".xlsx").startswith(b"PK")


def test_nothing_of_one_firm_is_in_the_mail_of_another(new_post: NewPost, handler: Handler) -> None:
    new_post().deliver([*to("Mill", work("W-of-mill")), *to("南厂", work("W-of-south"))], "R")
    mill, south = (
        "\n".join([*map(str, mail.values()), mail.get_body().get_content(), attachment(mail, ".csv").decode()])
        for mail in handler.mails
    )
    assert "W-of-south" not in mill and "nan@" not in mill and "W-of-mill" not in south and "mill@" not in south
    assert token_of(handler.mails[0]) != token_of(handler.mails[1])


def test_the_same_key_is_mailed_once(new_post: NewPost, handler: Handler) -> None:
    messages = to("Mill", work("W1"), work("W2"))
    assert isinstance(only(new_post().deliver(messages, "R")), Delivered)
    assert new_post().deliver([*messages, *messages], "later") == ()
    assert only(new_post().deliver([*messages, *to("Mill", work("W5"))], "R")).keys == (to("Mill", work("W5"))[0].key,)
    assert len(handler.mails) == 2


def test_tokens_cannot_be_worked_out_from_the_orders(tmp_path: Path) -> None:
    here, there = Journal(tmp_path / "a"), Journal(tmp_path / "b")
    keys = [m.key for m in to("Mill", work("W1"), work("W2"))]
    assert here.token("Mill", keys) == here.token("Mill", reversed(keys)) != here.token("Other", keys)
    assert here.token("Mill", keys) != there.token("Mill", keys)
    assert re.fullmatch(r"DT(-[0-9A-HJKMNP-TV-Z]{4}){4}", here.token("Mill", keys))
    assert stat.S_IMODE((tmp_path / "a" / "secret").stat().st_mode) == 0o600
    assert tokens_in(f"re: [{here.token('Mill', keys).lower()}] x") == {here.token("Mill", keys)}
    assert tokens_in(f"X{here.token('Mill', keys)}") == tokens_in(f"{here.token('Mill', keys)}9") == frozenset()


@pytest.mark.parametrize("name", ["A\r\nBcc: all@evil.example", "A\nSubject: x", "A\x00\x1b[2J", "厂" * 300, "../../x"])
def test_names_put_nothing_into_a_header(new_post: NewPost, handler: Handler, name: str) -> None:
    new_post(**{name: Firm("a@firm.example", "en", name)}).deliver(to(name, work("W1")), "R")
    (mail,) = handler.mails
    assert handler.to == ["a@firm.example"]
    assert mail["Bcc"] is None and len(mail.get_all("Subject") or []) == 1
    assert "\x1b" not in mail.as_string()
    assert all("/" not in (part.get_filename() or "") for part in mail.iter_attachments())


def test_a_long_csv_is_left_out(new_post: NewPost, handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datong.connectors.email.letters.MOST_CSV_BYTES", 100)
    new_post().deliver(to("Mill", *(work(f"W{i}") for i in range(20))), "R")
    (mail,) = handler.mails
    assert [(part.get_filename() or "")[-5:] for part in mail.iter_attachments()] == [".xlsx"]
    assert "and 10 more" in mail.get_body().get_content()  # ty: ignore[possibly-missing-attribute]


# what goes wrong -----------------------------------------------------------------------------------


def test_a_connection_lost_after_the_mail_is_repeated_as_the_same(new_post: NewPost, handler: Handler) -> None:
    messages = to("Mill", work("W1"))
    handler.data = lambda: None
    assert isinstance(only(new_post().deliver(messages, "R")), Unreachable)
    handler.data = lambda: "250 OK"
    assert [m.order.order for m in new_post().waiting(messages, "R")] == ["W1"]
    assert isinstance(only(new_post().deliver([*messages, *to("Mill", work("W2"))][:1], "R2")), Delivered)
    first, second = handler.mails
    assert first["Message-ID"] == second["Message-ID"] and token_of(first) == token_of(second)
    assert "Repeat" not in str(first["Subject"]) and "Repeat" in str(second["Subject"])
    assert "This is a repeat" in second.get_body().get_content()  # ty: ignore[possibly-missing-attribute]
    sheets = [next(csv.DictReader(io.StringIO(filled(mail, {}).decode("utf-8-sig")))) for mail in (first, second)]
    assert [row["message"] for row in sheets] == [messages[0].key] * 2
    assert ["note" in row for row in sheets] == [False, True]  # the sheet says it, too
    assert new_post().deliver(messages, "R") == ()


def test_what_is_new_meanwhile_gets_a_sheet_of_its_own(new_post: NewPost, handler: Handler) -> None:
    handler.data = lambda: None
    new_post().deliver(to("Mill", work("W1")), "R")
    handler.data = lambda: "250 OK"
    new_post().deliver(to("Mill", work("W1"), work("W2")), "R")
    assert ["Repeat" in str(mail["Subject"]) for mail in handler.mails] == [False, True, False]
    assert len({token_of(mail) for mail in handler.mails}) == 2


def test_a_kill_between_handing_over_and_noting_is_a_repeat(
    new_post: NewPost, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = to("Mill", work("W1"))
    note = Journal.note

    def killed(journal: Journal, sheet: Any) -> None:
        if sheet.state == "out":
            raise KeyboardInterrupt
        note(journal, sheet)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            new_post().deliver(messages, "R")
    assert isinstance(only(new_post().deliver(messages, "R")), Delivered)
    assert [str(mail["Message-ID"]) for mail in handler.mails] == [str(handler.mails[0]["Message-ID"])] * 2
    assert "Repeat" in str(handler.mails[1]["Subject"])


@pytest.mark.parametrize(("said", "outcome"), [("550 no such user", Refused), ("451 later", Unreachable)])
def test_an_address_that_refuses_stops_no_other(new_post: NewPost, handler: Handler, said: str, outcome: type) -> None:
    handler.rcpt = lambda address: said if address.startswith("mill") else "250 OK"
    messages = [*to("Mill", work("W1")), *to("南厂", work("W2"))]
    first, second = new_post().deliver(messages, "R")
    assert isinstance(first, outcome) and said[:3] in first.why.text("en")
    assert isinstance(second, Delivered)
    handler.rcpt = lambda _address: "250 OK"
    again = new_post().deliver(messages, "R")
    assert [type(one) for one in again] == [Refused if outcome is Refused else Delivered]
    assert all("Repeat" not in str(mail["Subject"]) for mail in handler.mails)  # it never arrived


def test_what_was_refused_goes_to_another_address_or_where_it_is_asked_for(new_post: NewPost, handler: Handler) -> None:
    messages = to("Mill", work("W1"))
    handler.data = lambda: "554 spam"
    assert isinstance(only(new_post().deliver(messages, "R")), Refused)
    handler.data = lambda: "250 OK"
    assert isinstance(only(new_post().deliver(messages, "R")), Refused)
    assert new_post().waiting(messages, "R") == ()
    assert not handler.mails
    other = Firm("other@firm.example", "en", "Mill")
    assert only(new_post(Mill=other).deliver(messages, "R")).place == "other@firm.example"
    assert isinstance(only(new_post(again=("Mill",), Mill=other).deliver(messages, "R")), Delivered)
    assert ["Repeat" in str(mail["Subject"]) for mail in handler.mails] == [False, True]


def test_a_server_that_is_not_there_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def gone(*_args: Any, **_more: Any) -> None:
        asked.append(1)
        raise OSError(111, "gone")

    monkeypatch.setattr(smtplib, "SMTP", gone)

    post = a_post(tmp_path, 1, 1, A=Firm("a@x.example", "en", "A"), B=Firm("b@x.example", "en", "B"))
    outcomes = post.deliver([*to("A", work("W1")), *to("B", work("W2"))], "R")
    assert [type(one) for one in outcomes] == [Unreachable, Unreachable]
    assert len(asked) == 1 and "gone" in outcomes[0].why.text("zh")  # ty: ignore[possibly-missing-attribute]
    assert post.journal.sheets() == {}  # what was not handed over can be put together anew


def test_a_full_disk_sends_nothing(new_post: NewPost, handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("datong.connectors.email.journal.write_whole", full)
    outcome = only(new_post().deliver(to("Mill", work("W1")), "R"))
    assert isinstance(outcome, Unreachable) and "No space left" in outcome.why.text("en")
    assert not handler.mails


def test_a_damaged_note_sends_nothing_anew(new_post: NewPost, handler: Handler) -> None:
    post = new_post()
    post.deliver(to("Mill", work("W1")), "R")
    (note,) = post.journal.folder.glob("DT-*.json")
    note.write_text(json.dumps({"token": "x"}))
    outcome = only(post.deliver(to("Mill", work("W1")), "R"))
    assert isinstance(outcome, Unreachable) and str(note) in outcome.why.text("en")
    assert len(handler.mails) == 1


# password and encryption ---------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["sesame-open", "pass@wörd"])
def test_a_wrong_password_is_told_and_never_shown(new_post: NewPost, handler: Handler, wrong: str) -> None:
    post = replace(new_post(), password=lambda: wrong)
    outcome = only(post.deliver(to("Mill", work("W1")), "R"))
    assert isinstance(outcome, Unreachable)
    assert wrong not in outcome.why.text("en") + outcome.why.text("zh") + repr(post) and not handler.mails
    assert PASSWORD not in repr(new_post())


def test_what_a_server_says_is_shown_without_the_password_and_in_one_line() -> None:
    said = hand_over_mail.server_words(b"535 bad password hunter2\r\n\x1b[31m" + b"x" * 500, "hunter2")
    assert "hunter2" not in said and "\x1b" not in said and "\n" not in said and len(said) < 200


def test_the_password_stands_in_the_environment_or_in_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    settings = EmailSettings(SENDER, "localhost", "localhost", USER)
    assert read_password(settings, tmp_path, {PASSWORD_VARIABLE: "a b"}) == "a b"
    with pytest.raises(DatongError, match=PASSWORD_VARIABLE):
        read_password(settings, tmp_path, {})
    settings = replace(settings, password_file="mail.txt")
    with pytest.raises(DatongError, match=r"mail\.txt"):
        read_password(settings, tmp_path, {})
    path = tmp_path / "mail.txt"
    path.write_text("secret word\n")
    path.chmod(0o644)
    with pytest.raises(DatongError, match="chmod 600") as told:
        read_password(settings, tmp_path, {})
    assert "secret word" not in str(told.value)
    path.chmod(0o600)
    assert read_password(settings, tmp_path, {}) == "secret word"


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def delivered_over(post: EmailPost, port: int, security: str, host: str = "localhost") -> Outcome:
    settings = replace(post.settings, smtp_host=host, smtp_port=port, smtp_security=security)
    return only(replace(post, settings=settings).deliver(to("Mill", work("W1")), "R"))


def test_starttls_is_insisted_on(new_post: NewPost, handler: Handler, smtp_port: int) -> None:
    """This server offers none: nothing is said to it, least of all the password."""
    outcome = delivered_over(new_post(), smtp_port, "starttls")
    assert isinstance(outcome, Unreachable) and "STARTTLS" in outcome.why.text("en")
    assert not handler.mails


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_is_checked(
    new_post: NewPost, handler: Handler, security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"tls_context": server_context()} if security == "starttls" else {"ssl_context": server_context()}
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with smtp_server(handler, authenticator=lets_in, auth_require_tls=False, **how) as port:
        outcome = delivered_over(new_post(), port, security)
        assert isinstance(outcome, Unreachable) and "certificate" in outcome.why.text("en")
        assert not handler.mails
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert isinstance(delivered_over(new_post(), port, security), Delivered)
    assert len(handler.mails) == 1


def test_waiting_changes_nothing(new_post: NewPost, handler: Handler) -> None:
    messages = [*to("Mill", work("W1")), *to("X", work("W2"))]
    for _ in range(2):
        assert [m.order.order for m in new_post().waiting(messages, "R")] == ["W1"]
    assert not handler.mails and new_post().journal.sheets() == {}
