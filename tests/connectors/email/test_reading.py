"""Mails that are put together wrongly, taken apart without a crash."""

import pytest

from datong.connectors.email.reading import UnreadableMail, read_letter

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
