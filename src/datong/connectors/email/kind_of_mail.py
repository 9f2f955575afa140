"""A mail that came in, as what counts of it: tokens, sheets, whether a person wrote it, its first words.

Whatever stands in a mail is somebody else's: no header is trusted, and what cannot be read as it should is read as far
as it can be.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message as Mail
from html.parser import HTMLParser
from itertools import islice
from typing import Literal

from datong.connectors.email.journal import REPLY_MARK, TOKEN_MARK, tokens_in
from datong.model.words import visible

_SHEET_SUFFIXES = (".xlsx", ".csv")
_SHEET_TYPES = frozenset(
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "text/csv", "application/csv"}
)
# Parts of a mail that are looked at; one with more is no answer.
MOST_PARTS = 200
# What automatic answers are headed with, where no header says so.
_AUTOMATIC_SUBJECTS = ("automatic reply", "autoreply", "auto-reply", "auto:", "out of office", "自动回复", "自动答复")
_DAEMONS = ("mailer-daemon", "postmaster")
# Where a quoted mail begins.
_QUOTED = re.compile(
    r"^(>|-{3,} ?(original message|forwarded message|原始邮件|转发邮件)|-{6,}|_{10,}"
    r"|发件人[:：]|from: |on .{5,200} wrote:$)",
    re.IGNORECASE,
)
_WORDS_SHOWN = 200
_ADDRESS = re.compile(r"""[^\s<>()"',;:]{1,64}@[^\s<>()"',;:]{1,253}""")
# A file's name in plain bytes, which the library replaces by signs that say nothing.
_UNKNOWN, _PLAIN_NAME = "\ufffd", re.compile(r"""filename="([^"]{1,200})""", re.IGNORECASE)
# What the library that takes mails apart fails with on those that are put together wrongly, by chance or on purpose.
_ODD_MAILS = (RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError)


class UnreadableMail(Exception):  # noqa: N818
    """A mail of which nothing can be told."""


@dataclass(frozen=True)
class Attached:
    """A file that hangs on a mail, by its last name."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """A mail that came in.

    sender, subject: as they stand there, made harmless; who that really was, nobody knows. message_id: or ''. kind: by
    whom it was written. tokens: in subject and references; of a bounce, anywhere. sheets: workbooks and CSV files, also
    of mails that hang on it. others: names of what else hangs on it. words: the first of its own text. is_own: it is a
    mail that we sent. answers_a_reply: it answers one of our replies, not a sheet.
    """

    sender: str
    subject: str
    message_id: str
    kind: Literal["person", "automatic", "bounce"]
    tokens: frozenset[str]
    sheets: tuple[Attached, ...]
    others: tuple[str, ...]
    words: str
    is_own: bool
    answers_a_reply: bool


def read_letter(content: bytes) -> Letter:
    """Raises UnreadableMail."""
    try:
        return _letter(content)
    except _ODD_MAILS as error:
        raise UnreadableMail(type(error).__name__) from error


def _letter(content: bytes) -> Letter:
    mail = message_from_bytes(content, policy=policy.compat32)
    parts = list(islice(_parts(mail), MOST_PARTS + 1))
    if len(parts) > MOST_PARTS:
        raise UnreadableMail(f"{len(parts) - 1}+")
    kind = _kind(mail)
    said = " ".join(_header(mail, name) for name in ("Subject", "In-Reply-To", "References", "Message-ID"))
    if kind == "bounce":
        said += " " + content.decode("ascii", errors="replace")
    sheets: list[Attached] = []
    others: list[str] = []
    for part in parts:
        name, suffix = _file_name(part)
        if suffix in _SHEET_SUFFIXES or (not suffix and part.get_content_type() in _SHEET_TYPES):
            sheets.append(Attached(name or part.get_content_type().replace("/", "."), _bytes(part)))
        elif name and part.get_content_disposition() == "attachment":
            others.append(name)
    return Letter(
        sender=_sender(mail),
        subject=_shown(_header(mail, "Subject")),
        message_id=_header(mail, "Message-ID").strip(),
        kind=kind,
        tokens=tokens_in(said),
        sheets=tuple(sheets),
        others=tuple(others),
        words=_words(parts),
        is_own=_header(mail, "Message-ID").startswith(f"<{TOKEN_MARK}"),
        answers_a_reply=f"<{REPLY_MARK}" in _header(mail, "In-Reply-To"),
    )


def _parts(mail: Mail) -> Iterator[Mail]:
    """Parts that are no container, of mails within the mail, too."""
    return (part for part in mail.walk() if not part.is_multipart())


def _header(mail: Mail, name: str) -> str:
    """A header as one line of text, in whatever way it was encoded; '' where it is not there."""
    raw = _raw(mail, name)
    return "" if raw is None else _decoded(raw)


def _raw(mail: Mail, name: str) -> str | None:
    """A header as it came: the mail itself would give its plain bytes beyond ASCII as signs that say nothing."""
    return next((value for key, value in mail.raw_items() if key.lower() == name.lower()), None)


def _decoded(raw: str) -> str:
    """A text of a header: encoded words (RFC 2047), or plain bytes as some programs send them."""
    raw = _without_surrogates(raw)
    try:
        text = str(make_header(decode_header(raw))) if "=?" in raw else raw
    except (ValueError, LookupError, IndexError):
        text = raw
    return " ".join(visible(_without_surrogates(text)).split())


def _without_surrogates(text: str) -> str:
    """Bytes beyond ASCII, which the parser keeps as surrogates, as the text that they most likely are."""
    try:
        return text.encode("utf-8").decode("utf-8")
    except UnicodeEncodeError:
        return text_of(text.encode("utf-8", errors="surrogateescape"), None)


def text_of(content: bytes, charset: str | None) -> str:
    """Bytes as text: in the charset that they are said to have, else UTF-8, else GB18030."""
    for name in (*(() if charset is None else (charset,)), "utf-8", "gb18030"):
        try:
            return content.decode(name)
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return content.decode("utf-8", errors="replace")


def _sender(mail: Mail) -> str:
    """The address that it says to come from, to be shown."""
    return _shown(_address(mail) or _header(mail, "From") or "?")


def _address(mail: Mail) -> str:
    """The address in From; '' where there is none."""
    raw = _header(mail, "From")
    in_brackets = re.search(r"<([^<>]{1,320})>[^<>]*$", raw)
    found = _ADDRESS.search(in_brackets.group(1) if in_brackets else raw)
    return found.group() if found else ""


def _shown(text: str) -> str:
    return visible(text)[:100]


def _kind(mail: Mail) -> Literal["person", "automatic", "bounce"]:
    report = str(mail.get_param("report-type") or "").lower()
    address = _address(mail).lower()
    if mail.get_content_type() == "multipart/report" and report != "disposition-notification":
        return "bounce"
    if address.partition("@")[0] in _DAEMONS or _header(mail, "X-Failed-Recipients"):
        return "bounce"
    submitted = _header(mail, "Auto-Submitted").lower()
    if submitted and not submitted.startswith("no"):
        return "automatic"
    if mail.get_content_type() == "multipart/report" or _header(mail, "Return-Path") == "<>":
        return "automatic"
    if any(_header(mail, name) for name in ("X-Autoreply", "X-Autorespond")):
        return "automatic"
    if _header(mail, "Precedence").lower() in ("auto_reply", "bulk", "junk"):
        return "automatic"
    return "automatic" if _header(mail, "Subject").lower().startswith(_AUTOMATIC_SUBJECTS) else "person"


def _file_name(part: Mail) -> tuple[str, str]:
    """The last part of a file's name, made harmless, and its suffix in small letters; '' where there is none."""
    try:
        raw = part.get_filename() or ""
    except (ValueError, LookupError, TypeError):
        raw = ""
    plain = _PLAIN_NAME.search(_raw(part, "Content-Disposition") or "") if _UNKNOWN in raw else None
    name = re.split(r"[\\/]", _decoded(raw if plain is None else plain.group(1)))[-1].strip()
    stem, dot, suffix = name.rpartition(".")
    suffix = f".{suffix.lower()}" if dot else ""
    return (f"{stem[:80]}{dot}{name.rpartition('.')[2][:10]}" if dot else name[:80]), suffix


def _bytes(part: Mail) -> bytes:
    """What hangs on it, unpacked; damaged base 64 as far as it can be."""
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError):
        return b""
    return content if isinstance(content, bytes) else b""


def _words(parts: list[Mail]) -> str:
    """The first words of its own text, without what it quotes."""
    texts = {"text/plain": "", "text/html": ""}
    for part in parts:
        kind = part.get_content_type()
        if kind in texts and not texts[kind] and not _file_name(part)[0]:
            texts[kind] = text_of(_bytes(part), part.get_content_charset())
    text = texts["text/plain"] if texts["text/plain"].strip() else _text_of_html(texts["text/html"])
    own = []
    for line in text.splitlines():
        if _QUOTED.match(line.strip()):
            break
        own.append(line)
    words = " ".join(visible("\n".join(own)).split())
    return words if len(words) <= _WORDS_SHOWN else words[:_WORDS_SHOWN] + "…"


class _Text(HTMLParser):
    """The text of a page, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        if tag in ("br", "p", "div", "tr", "blockquote"):
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


def _text_of_html(page: str) -> str:
    reader = _Text()
    reader.feed(page[:100_000])
    return "".join(reader.pieces)
