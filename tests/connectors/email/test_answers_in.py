"""Mails in: the token binds an answer to its firm, what is read counts once, and one bad mail never stops the next."""

import base64
import imaplib
import io
import ssl
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from datong.connectors.email import answers_in, mailbox
from datong.connectors.email.answers_in import CollectedLetters
from datong.connectors.email.journal import Journal
from datong.connectors.email.mailbox import _quoted
from datong.connectors.email.post import EmailPost
from datong.dispatch.answers import answers
from datong.dispatch.rows_of_released_orders import release_rows
from datong.model.calendar import Calendar
from datong.model.errors import DatongError
from datong.model.findings import Finding
from datong.model.settings import ChainSettings
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger
from mail_servers import ACCEPTED, Handler, ImapServer, attachment, filled, reply, token_of
from work_orders import to, work

NewPost = Callable[..., EmailPost]
CALENDAR = Calendar("Asia/Shanghai", "week")
RELEASED, END = datetime(2026, 3, 4, 2, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
MESSAGES = [*to("Mill", work("W1"), work("W2")), *to("南厂", work("W3"))]


@dataclass
class Chain:
    """A ledger with three orders out, two at Mill and one at 南厂, and the mails that brought them."""

    ledger: DuckDBLedger
    post: EmailPost
    mailbox: ImapServer
    mill: EmailMessage
    south: EmailMessage
    outbox: Handler

    def hear(self) -> tuple[CollectedLetters, tuple[Finding, ...]]:
        """What an exchange does before it puts anything away."""
        collected = self.post.collect(CALENDAR)
        heard = answers(self.ledger.state(END), collected.reports, END)
        for batch in heard.batches:
            self.ledger.ingest(batch.table, batch.rows, None, (), batch.source, END, by="test")
        return collected, heard.findings

    def take(self) -> list[Finding]:
        collected, found = self.hear()
        self.post.settle(collected, found)
        return [*collected.findings, *found]

    def said(self) -> list[tuple[str, str]]:
        """What the ledger has heard: orders and states."""
        rows = self.ledger.state(END).table("order_events").to_pylist()
        return sorted((r["order"], r["state"]) for r in rows if r["state"] not in ("proposed", "released"))


@pytest.fixture
def chain(tmp_path: Path, new_post: NewPost, handler: Handler, one_mailbox: ImapServer):
    post = new_post()
    post.deliver(MESSAGES, "R1")
    mill, south = handler.mails
    handler.mails.clear()
    with open_ledger(tmp_path / "ledger.duckdb", ChainSettings("x", time_zone="Asia/Shanghai")) as ledger:
        for table, rows in release_rows(MESSAGES, "R1", RELEASED).items():
            ledger.ingest(table, rows, None, (), "dispatch", RELEASED, by="test")
        yield Chain(ledger, post, one_mailbox, mill, south, handler)


def codes(found: list[Finding]) -> list[str]:
    return [f.code for f in found]


def yes(*orders: str) -> dict[str, dict[str, str]]:
    return dict.fromkeys(orders, ACCEPTED)


def workbook(mail: EmailMessage, answers: dict[str, dict[str, object]]) -> bytes:
    """The .xlsx of a mail with answers filled in, as a person saves it. answers: by order, cells by their title."""
    grid = CalamineWorkbook.from_filelike(io.BytesIO(attachment(mail, ".xlsx"))).get_sheet_by_index(0).to_python()
    titles = next(row for row in grid if "order" in row)
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        page = book.add_worksheet()
        for number, row in enumerate(grid):
            own = answers.get(str(row[0]), {})
            page.write_row(number, 0, [own.get(str(title), cell) for title, cell in zip(titles, row, strict=True)])
    return content.getvalue()


# answers -------------------------------------------------------------------------------------------


def test_an_answer_in_the_sheet_is_heard_once(chain: Chain) -> None:
    answer = reply(chain.mill, filled(chain.mill, yes("W1")))
    chain.mailbox.arrives(answer)
    assert chain.take() == []
    assert chain.said() == [("W1", "accepted")]
    assert chain.mailbox.there() == [] and len(chain.mailbox.there("Datong")) == 1
    before = chain.ledger.state(END).table("order_events").num_rows
    chain.mailbox.arrives(answer)  # sent twice
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1")), text="Once more", name="again.csv"))
    assert chain.take() == []
    assert chain.ledger.state(END).table("order_events").num_rows == before
    assert not chain.outbox.mails


def test_an_answer_in_the_workbook(chain: Chain) -> None:
    said = {"state": "done", "good units in all": 95, "scrapped units in all": 5, "when": "2026-03-06 09:30"}
    content = workbook(chain.mill, {"W2": said})
    chain.mailbox.arrives(reply(chain.mill, content, name="back.xlsx"))
    assert [(f.severity, f.code) for f in chain.take()] == [("note", "out_of_order")]
    assert chain.said() == [("W2", "done")]
    (made,) = chain.ledger.state(END).table("production").to_pylist()
    assert (made["order"], made["good_units"], made["scrap_units"]) == ("W2", 95.0, 5.0)
    assert not chain.outbox.mails  # a note is no question


def test_a_kill_before_the_mail_is_put_away_counts_once(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1", "W2"))))
    collected, _ = chain.hear()  # killed here
    assert len(collected.reports) == 2
    assert len(chain.mailbox.there(which="UNSEEN")) == 1
    rows = chain.ledger.state(END).table("order_events").num_rows
    assert chain.take() == []
    assert chain.ledger.state(END).table("order_events").num_rows == rows
    assert chain.mailbox.there() == []


def test_the_sheet_alone_says_whose_it_is(chain: Chain) -> None:
    """A new mail, from another address, without our subject."""
    letter = EmailMessage()
    letter["From"], letter["Subject"] = "boss@home.example", "order"
    letter.set_content("as agreed")
    letter.add_attachment(filled(chain.mill, yes("W1")), maintype="text", subtype="csv", filename="x.csv")
    chain.mailbox.arrives(letter)
    assert chain.take() == []
    assert chain.said() == [("W1", "accepted")]


@pytest.mark.parametrize("where", ["subject", "references"])
def test_subject_or_references_say_whose_a_plain_sheet_is(chain: Chain, where: str) -> None:
    letter = EmailMessage()
    letter["From"] = "a@b.example"
    letter["Subject"] = f"答复: {chain.mill['Subject']}" if where == "subject" else "answer"
    if where == "references":
        letter["References"] = f"<other@x.example> {chain.mill['Message-ID']}"
    letter.set_content("")
    sheet = b"order,state,when\nW1,accepted,2026-03-05\n"
    letter.add_attachment(sheet, maintype="text", subtype="csv", filename="mine.csv")
    chain.mailbox.arrives(letter)
    assert chain.take() == []
    assert chain.said() == [("W1", "accepted")]


def test_a_mail_that_somebody_opened_is_read_all_the_same(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))), flags="\\Seen")
    assert chain.take() == []
    assert chain.said() == [("W1", "accepted")]


def test_a_forwarded_mail_with_the_answer_inside(chain: Chain) -> None:
    inner = reply(chain.mill, filled(chain.mill, yes("W1")))
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "boss@firm.example", "Fwd: see below"
    outer.set_content("fyi")
    outer.add_attachment(inner)
    chain.mailbox.arrives(outer)
    assert chain.take() == []
    assert chain.said() == [("W1", "accepted")]


def test_several_sheets_in_one_mail(chain: Chain) -> None:
    letter = reply(chain.mill, filled(chain.mill, yes("W1")), name="one.csv")
    letter.add_attachment(filled(chain.mill, yes("W2")), maintype="text", subtype="csv", filename="two.csv")
    letter.add_attachment(filled(chain.mill, {}), maintype="text", subtype="csv", filename="empty.csv")
    letter.add_attachment(b"\xff\xd8", maintype="image", subtype="jpeg", filename="photo.jpg")
    chain.mailbox.arrives(letter)
    found = chain.take()
    assert [(f.severity, f.code) for f in found] == [("warning", "other_files")]
    assert "photo.jpg" in found[0].text("zh")
    assert chain.said() == [("W1", "accepted"), ("W2", "accepted")]


def test_text_and_names_in_chinese_charsets(chain: Chain) -> None:
    """GBK in the body, in the file and in its name, as Chinese programs send it."""
    sheet = filled(chain.south, {"W3": {"状态": "同意", "时间": "2026-03-05"}}).decode("utf-8-sig").encode("gb18030")
    name = "回执.csv".encode("gbk")
    who, what = (
        base64.b64encode(text.encode("gbk")).decode() for text in ("厂长", f"回复：[{token_of(chain.south)}] 单")
    )
    head = (
        f"From: =?gbk?B?{who}?= <nan@firm.example>\r\nSubject: =?gbk?B?{what}?=\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        "--x\r\nContent-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    ).encode()
    for given in (
        b'filename="=?gbk?B?' + base64.b64encode(name) + b'?="',
        b"filename*=gbk''" + b"".join(b"%%%02X" % byte for byte in name),
        b'filename="' + name + b'"',
    ):
        part = b"\r\n--x\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; " + given
        part += b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(sheet) + b"\r\n--x--\r\n"
        chain.mailbox.arrives(head + "同意".encode("gbk") + part)
    collected = chain.post.collect(CALENDAR)
    assert codes(list(collected.findings)) == []
    assert [source.split(" ")[-1] for one in collected.taken for source in one.sources[1:]] == ["回执.csv"] * 3
    chain.take()
    assert chain.said() == [("W3", "accepted")]


# whose answer it is --------------------------------------------------------------------------------


def test_an_answer_to_the_order_of_another_firm_is_refused_and_nobody_is_told_whose_it_is(chain: Chain) -> None:
    sheet = b"order,state,when\nW3,refused,2026-03-05\nW1,accepted,2026-03-05\nX9,accepted,2026-03-05\n"
    chain.mailbox.arrives(reply(chain.mill, sheet))
    found = chain.take()
    assert [(f.code, f.row) for f in found] == [("unknown_order", 2), ("unknown_order", 4)]
    assert chain.said() == [("W1", "accepted")]
    (told,) = chain.outbox.mails
    text = told.get_body().get_content()
    assert "W3" in text and "X9" in text and "南厂" not in text and chain.outbox.to[-1] == "mill@firm.example"


def test_an_invented_token_is_left_where_it_is(chain: Chain) -> None:
    letter = reply(chain.mill)
    del letter["Subject"], letter["References"], letter["In-Reply-To"]
    letter["Subject"] = "[DT-0000-0000-0000-0000] accepted"
    sheet = b"order,state,when\nW1,refused,2026-03-05\n"
    letter.add_attachment(sheet, maintype="text", subtype="csv", filename="a.csv")
    chain.mailbox.arrives(letter)
    found = chain.take()
    assert codes(found) == ["unknown_token"]
    assert "Mill" not in found[0].text("en") + found[0].text("zh")
    assert chain.said() == [] and len(chain.mailbox.there(which="UNSEEN")) == 1
    assert not chain.outbox.mails  # a stranger gets no answer


def test_a_sheet_with_a_foreign_token_in_a_reply_of_ours_is_refused(chain: Chain) -> None:
    sheet = filled(chain.mill, yes("W1")).replace(token_of(chain.mill).encode(), b"DT-0000-0000-0000-0000")
    chain.mailbox.arrives(reply(chain.mill, sheet))
    assert codes(chain.take()) == ["unknown_token"]
    assert chain.said() == []


def test_tokens_of_two_firms_in_one_mail_are_refused(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, filled(chain.south, {"W3": {"状态": "拒单", "时间": "2026-03-05"}})))
    assert codes(chain.take()) == ["several_firms"]
    assert chain.said() == [] and not chain.outbox.mails
    assert chain.mailbox.there() == []


def test_a_sheet_that_nothing_binds_is_not_read(chain: Chain) -> None:
    letter = EmailMessage()
    letter["From"], letter["Subject"] = "mill@firm.example", "my answer"
    letter.set_content("ok")
    sheet = b"order,state,when\nW1,accepted,2026-03-05\n"
    letter.add_attachment(sheet, maintype="text", subtype="csv", filename="a.csv")
    chain.mailbox.arrives(letter)
    assert codes(chain.take()) == ["sheet_without_token"]  # the sender's address proves nothing
    assert chain.said() == [] and len(chain.mailbox.there(which="UNSEEN")) == 1


def test_other_mail_in_the_same_folder_stays_as_it_is(chain: Chain) -> None:
    for number in range(5):
        letter = EmailMessage()
        letter["From"], letter["Subject"] = f"news{number}@x.example", "Offer of the week"
        letter.set_content("buy")
        chain.mailbox.arrives(letter)
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    found = chain.take()
    assert [(f.severity, f.code, f.rows_affected) for f in found] == [("note", "no_token", 5)]
    assert len(chain.mailbox.there(which="UNSEEN")) == 5
    assert chain.said() == [("W1", "accepted")]


# what is no answer ---------------------------------------------------------------------------------


def test_a_sentence_is_answered_with_what_to_do_and_never_guessed(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.south, text="W3 接受，延期到12月9日\n\n-----原始邮件-----\n发件人: x\nW1 拒绝"))
    (found,) = chain.take()
    assert (found.severity, found.code) == ("error", "no_sheet")
    assert "延期到12月9日" in found.text("zh") and "W1 拒绝" not in found.text("zh")
    assert chain.said() == []
    (told,) = chain.outbox.mails
    assert (told["To"], told["Auto-Submitted"]) == ("nan@firm.example", "auto-replied")
    assert token_of(chain.south) in str(told["Subject"]) and told["In-Reply-To"] == "<answer-1@factory.example>"
    assert "保存后作为附件回复" in told.get_body().get_content()
    assert chain.mailbox.there() == [] and len(chain.mailbox.there("Datong", "FLAGGED")) == 1
    answer = reply(told, text="什么？")
    chain.mailbox.arrives(answer)  # whoever answers our answer is not answered again: two programs could go on for ever
    assert codes(chain.take()) == ["no_sheet"] and len(chain.outbox.mails) == 1


def test_a_mail_of_html_alone_is_told_by_its_words(chain: Chain) -> None:
    letter = reply(chain.mill)
    letter.set_content("<style>p{}</style><p>We <b>accept</b> W1</p><script>x()</script>", subtype="html")
    chain.mailbox.arrives(letter)
    (found,) = chain.take()
    assert found.code == "no_sheet" and "We accept W1" in found.text("en") and "x()" not in found.text("en")


def test_an_empty_sheet_with_words_is_told(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, {}), text="all accepted"))
    (found,) = chain.take()
    assert found.code == "empty_sheet" and "all accepted" in found.text("en")
    assert chain.said() == [] and len(chain.outbox.mails) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"X-Autoreply": "yes"},
        {"Subject": "自动回复: {subject}"},
        {"Subject": "Automatic reply: {subject}"},
        {"Return-Path": "<>"},
    ],
)
def test_an_automatic_answer_is_told_and_not_read(chain: Chain, headers: dict[str, str]) -> None:
    letter = reply(chain.mill, filled(chain.mill, yes("W1")), text="I am away")
    for name, value in headers.items():
        del letter[name]
        letter[name] = value.format(subject=chain.mill["Subject"])
    chain.mailbox.arrives(letter)
    assert [(f.severity, f.code) for f in chain.take()] == [("note", "automatic")]
    assert chain.said() == [] and not chain.outbox.mails and chain.mailbox.there() == []


def test_a_bounce_is_told_and_not_read(chain: Chain) -> None:
    original = "\r\n".join(f"{name}: {value}" for name, value in chain.mill.items() if name != "Content-Type")
    bounce = (
        "From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered Mail\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nUser unknown\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{original}\r\n--b--\r\n"
    )
    chain.mailbox.arrives(bounce.encode())
    (found,) = chain.take()
    assert (found.severity, found.code) == ("error", "bounced") and "User unknown" in found.text("en")
    assert not chain.outbox.mails and chain.mailbox.there() == []


def test_our_own_mail_in_the_folder_is_no_answer(chain: Chain) -> None:
    chain.mailbox.arrives(chain.mill)
    assert chain.take() == [] and not chain.outbox.mails
    assert chain.said() == []


# what would do harm --------------------------------------------------------------------------------


def bomb() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 300_000_000)
    return content.getvalue()


def test_a_workbook_that_would_do_harm_is_refused_and_the_next_is_read(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, bomb(), name="bomb.xlsx"))
    chain.mailbox.arrives(reply(chain.mill, b"PK\x03\x04 broken", name="broken.xlsx"))
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    found = chain.take()
    assert [f.severity for f in found] == ["error", "error"] and codes(found)[0] == "workbook_too_large"
    assert chain.said() == [("W1", "accepted")]


def test_a_mail_beyond_the_limit_is_not_fetched(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_in, "MOST_BYTES", 10_000)
    chain.mailbox.arrives(reply(chain.mill, b"x" * 20_000))
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    assert codes(chain.take()) == ["too_large"]
    assert chain.said() == [("W1", "accepted")] and chain.mailbox.there() == []


B64 = b"Content-Transfer-Encoding: base64\r\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff\xfe\x00\x01" * 500, id="no mail"),
        pytest.param(b'Content-Type: text/plain; charset="x\x00y"\r\n' + B64 + b"\r\n====", id="bad"),
        pytest.param(b"From: " + b"(" * 5_000 + b"\r\nSubject: =?utf-8?b?////?= =?x?y?z?=\r\n\r\nx", id="headers"),
        pytest.param(b"Content-Disposition: attachment; filename*=x-y''%ff%; filename*0=\"a\r\n\r\nx", id="name"),
    ],
)
def test_a_mail_that_is_put_together_badly_stops_no_other(chain: Chain, content: bytes) -> None:
    subject = f"Subject: [{token_of(chain.mill)}]\r\n".encode()
    for mail in (content, subject + content):
        chain.mailbox.arrives(mail)
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    found = chain.take()
    assert found and all("\x1b" not in f.text("en") for f in found)
    assert chain.said() == [("W1", "accepted")]


def test_what_stands_in_a_mail_is_shown_harmless_and_put_into_no_header(chain: Chain) -> None:
    letter = reply(chain.mill, filled(chain.mill, {"W1": ACCEPTED | {"state": "gone\x1b[2J"}}), name="a\x1b[31m.csv")
    content = letter.as_bytes().replace(b"<answer-1@factory.example>", b"<x@y>\r\n Bcc: all@evil.example")
    content = content.replace(b"Clerk", b"=?utf-8?q?Clerk=0D=0ABcc=3A_all=40evil=2Eexample=1B=5B2J?=")
    chain.mailbox.arrives(content)
    found = chain.take()
    assert codes(found) == ["unknown_state"]
    assert "\x1b" not in "".join(f.text(language) for f in found for language in ("en", "zh"))
    (told,) = chain.outbox.mails
    assert told["Bcc"] is None and chain.outbox.to == ["mill@firm.example", "nan@firm.example", "mill@firm.example"]
    assert told["In-Reply-To"] is None or "evil" not in str(told["In-Reply-To"])


def test_who_wrote_is_shown_and_not_trusted(chain: Chain) -> None:
    letter = reply(chain.mill, filled(chain.mill, yes("W1")), text="x")
    del letter["From"]
    letter["From"] = "somebody@else.example"
    letter.add_attachment(b"x", maintype="application", subtype="zip", filename="more.zip")
    chain.mailbox.arrives(letter)
    (found,) = chain.take()
    assert found.source.startswith("somebody@else.example #")
    assert chain.said() == [("W1", "accepted")]
    assert chain.outbox.to[-1] == "mill@firm.example"  # what there is to say goes to the address that we have


# the mailbox ---------------------------------------------------------------------------------------


def test_an_answer_that_cannot_go_out_now_leaves_the_mail(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, text="we accept"))
    chain.outbox.rcpt = lambda _address: "451 later"
    assert codes(chain.take()) == ["no_sheet"]
    assert len(chain.mailbox.there(which="UNSEEN")) == 1
    chain.outbox.rcpt = lambda _address: "250 OK"
    assert codes(chain.take()) == ["no_sheet"]
    assert chain.mailbox.there() == [] and len(chain.outbox.mails) == 1


def test_a_mailbox_that_cannot_be_read_or_changed_is_told(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    collected, found = chain.hear()
    chain.mailbox.cut = True
    with pytest.raises(DatongError, match=r"127\.0\.0\.1"):
        chain.post.collect(CALENDAR)
    with pytest.raises(DatongError, match=r"127\.0\.0\.1"):
        chain.post.settle(collected, found)
    chain.mailbox.cut = False
    chain.take()
    assert chain.said() == [("W1", "accepted")] and chain.mailbox.there() == []


def test_numbers_of_another_mailbox_move_nothing(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    collected, found = chain.hear()
    chain.mailbox.emptied().arrives(reply(chain.south, text="another mail with the same number"))
    with pytest.raises(DatongError, match="anew"):
        chain.post.settle(collected, found)
    assert len(chain.mailbox.there()) == 1


def test_a_folder_that_is_not_there_is_named(chain: Chain, new_post: NewPost) -> None:
    post = replace(chain.post, settings=replace(chain.post.settings, folder="工单 & 回执"))
    with pytest.raises(DatongError, match="工单"):
        post.collect(CALENDAR)
    with chain.mailbox.logged_in() as client:
        client.create(_quoted("工单 & 回执"))
    assert post.collect(CALENDAR).reports == ()


@pytest.mark.parametrize(
    ("folder", "name"), [("INBOX", '"INBOX"'), ("工单", '"&XeVTVQ-"'), ('a&"\\b', '"a&-\\"\\\\b"')]
)
def test_names_of_folders_are_written_as_imap_has_them(folder: str, name: str) -> None:
    assert _quoted(folder) == name


def test_two_exchanges_at_once_count_once(chain: Chain) -> None:
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    first = chain.post.collect(CALENDAR)
    chain.take()
    chain.post.settle(first, ())  # its mail is gone already
    assert chain.said() == [("W1", "accepted")] and len(chain.mailbox.there("Datong")) == 1


@pytest.mark.parametrize("name", ["wrong", "secret wörd"])
def test_a_mailbox_that_lets_nobody_in_is_told_without_the_password(chain: Chain, name: str) -> None:
    post = replace(chain.post, password=lambda: name)
    with pytest.raises(DatongError) as told:
        post.collect(CALENDAR)
    assert name not in told.value.message.text("en") + told.value.message.text("zh")


def test_a_mailbox_over_tls_is_read_only_where_its_certificate_holds(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = Path(__file__).with_name("localhost.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ImapServer(context)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    for host, security, works in (("localhost", "tls", True), ("localhost", "starttls", False)):
        settings = replace(chain.post.settings, imap_host=host, imap_security=security)
        settings = replace(settings, imap_port=server.port if works else chain.mailbox.port)
        post = replace(chain.post, settings=settings)
        with pytest.raises(DatongError, match="certificate" if works else "TLS"):
            post.collect(CALENDAR)
        if works:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            assert post.collect(CALENDAR).reports == ()
    server.stop()


def test_two_chains_share_a_mailbox(chain: Chain, tmp_path: Path) -> None:
    """What answers a sheet of the other chain stays where it is until that one reads it."""
    other = replace(chain.post, journal=Journal(tmp_path / "other"))
    other.deliver(to("Mill", work("Z1")), "R9")
    (theirs,) = chain.outbox.mails
    chain.outbox.mails.clear()
    chain.mailbox.arrives(reply(theirs, filled(theirs, yes("Z1"))))
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    assert codes(chain.take()) == ["unknown_token"]
    assert chain.said() == [("W1", "accepted")] and not chain.outbox.mails
    collected = other.collect(CALENDAR)
    assert [(r.event.order, r.counterparty) for r in collected.reports] == [("Z1", "Mill")]
    other.settle(collected, ())
    assert chain.mailbox.there() == []


@pytest.mark.parametrize("can", ["UIDPLUS", "nothing"])
def test_a_server_that_cannot_move_copies_and_deletes(chain: Chain, can: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "_capabilities", lambda _server: (can,))
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    assert chain.take() == []
    assert len(chain.mailbox.there("Datong")) == 1
    assert len(chain.mailbox.there(which="DELETED")) == (0 if can == "UIDPLUS" else 1)
    assert chain.post.collect(CALENDAR).taken == ()  # it is not read again


def test_a_server_that_searches_for_little_gives_what_is_new(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "_NEW_OR_OURS", "X-NONSENSE")
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, yes("W1"))))
    assert chain.take() == []
    assert chain.said() == [("W1", "accepted")]


def test_a_mail_that_cannot_be_moved_is_told_stops_no_other_and_is_answered_once(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.mailbox.arrives(reply(chain.mill, text="yes"))
    chain.mailbox.arrives(reply(chain.south, filled(chain.south, {"W3": {"状态": "同意", "时间": "2026-03-05"}})))
    move, refused = mailbox.Mailbox._move, []

    def no_move(box: mailbox.Mailbox, uid: str) -> None:
        if not refused:
            refused.append(uid)
            raise imaplib.IMAP4.error("over quota")
        move(box, uid)

    monkeypatch.setattr(mailbox.Mailbox, "_move", no_move)
    with pytest.raises(DatongError, match="over quota"):
        chain.take()
    assert chain.said() == [("W3", "accepted")] and len(chain.mailbox.there("Datong")) == 1
    assert codes(chain.take()) == ["no_sheet"]
    assert chain.mailbox.there() == [] and len(chain.outbox.mails) == 1


def test_an_answer_of_words_alone_needs_no_day(chain: Chain) -> None:
    """It holds from the moment at which the mailbox got it, and so is the same however often it is read."""
    chain.mailbox.arrives(reply(chain.mill, filled(chain.mill, {"W1": {"state": "OK"}})))
    chain.hear()
    rows = chain.ledger.state(END).table("order_events").num_rows
    assert chain.take() == []
    assert chain.said() == [("W1", "accepted")]
    assert chain.ledger.state(END).table("order_events").num_rows == rows
