"""Mails that are put together wrongly, taken apart without a crash; and names of any kind, put into one."""

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.connectors.email.journal import SentSheet
from datong.connectors.email.kind_of_mail import UnreadableMail, read_letter
from datong.connectors.email.letters import Envelope, order_letter
from datong.connectors.filedrop.order_sheet import Known
from work_orders import to, work

NESTED = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3_000))
PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 5_000


@pytest.mark.parametrize("content", [pytest.param(NESTED, id="nested"), pytest.param(PARTS, id="parts")])
def test_a_mail_of_endless_parts_is_given_up(content: bytes) -> None:
    with pytest.raises(UnreadableMail):
        read_letter(content)


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (b"Clerk <a@b.example>", "a@b.example"),
        (b'"boss@big.example" <a@b.example>', "a@b.example"),
        (b"a@b.example (Clerk)", "a@b.example"),
        (b"(" * 5_000, "(" * 100),
        ("厂长".encode("gbk"), "厂长"),
        (b"", "?"),
    ],
)
def test_the_address_that_is_shown(header: bytes, shown: str) -> None:
    assert read_letter(b"From: " + header + b"\r\n\r\nx").sender == shown


PIECES = [
    b"From: ",
    b"Subject: ",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n",
    b'Content-Disposition: attachment; filename="a.csv"\r\n',
    b"Content-Disposition: attachment; filename*0*=utf-8''%e5; filename*1=x\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"=?gbk?B?u9g=?=",
    b"=?utf-8?q?=1B[31m?=",
    b"\r\n",
    b"\r\n\r\n--b\r\n",
    b"--b--\r\n",
    b"<a@b>",
    b"DT-0000-0000-0000-0000",
    b"\xff\x00\x1b",
    b"<html><p>x</p>",
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=40))
def test_whatever_comes_is_read_or_given_up_and_shown_harmless(pieces: list[bytes]) -> None:
    try:
        letter = read_letter(b"".join(pieces))
    except UnreadableMail:
        return
    shown = [letter.sender, letter.subject, letter.words, *letter.others, *(sheet.name for sheet in letter.sheets)]
    assert not [text for text in shown if set(text) & {"\x1b", "\x00", "\r", "\n"}]
    assert all("/" not in sheet.name and "\\" not in sheet.name for sheet in letter.sheets)


@given(st.text(max_size=60))
def test_no_name_puts_anything_into_a_header(name: str) -> None:
    envelope = Envelope("a@b.example", "c@d.example", "en", "Mon, 02 Mar 2026 08:00:00 -0000")
    sent = SentSheet("DT-0000-0000-0000-0000", name, "R1", ("k",), "open", "c@d.example", 0)
    content = order_letter(envelope, sent, to(name, work("W1")), name, Known())
    assert content == order_letter(envelope, sent, to(name, work("W1")), name, Known())
    mail = message_from_bytes(content, policy=policy.default)
    names = ["Subject", "From", "To", "Date", "Message-ID", "MIME-Version", "Content-Type"]
    assert sorted(mail.keys()) == sorted(names) and str(mail["To"]) == "c@d.example"
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
