"""The mailbox that answers arrive in, over IMAP: what is in it, one mail of it, and putting one away."""

import base64
import contextlib
import imaplib
import re
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from datong.connectors.email.hand_over_mail import FAILURES, TIMEOUT_SECONDS, server_words, why
from datong.connectors.email.journal import TOKEN_MARK
from datong.model.errors import DatongError
from datong.model.settings import EmailSettings
from datong.model.words import message

# Mails that are new, and those of ours that somebody has opened with another program; none that is as good as gone.
_NEW = "UNSEEN UNDELETED"
_NEW_OR_OURS = f'UNDELETED OR UNSEEN OR SUBJECT "{TOKEN_MARK}" HEADER REFERENCES "{TOKEN_MARK}"'
_AT_ONCE = 100
_UID, _SIZE = re.compile(rb"\bUID (\d+)"), re.compile(rb"\bRFC822\.SIZE (\d+)")


@dataclass(frozen=True)
class Head:
    """A mail that was not fetched yet. uid: its number in the folder. size: bytes. header: as it was sent.
    arrived_at: in the mailbox, by its server; None: it does not say."""

    uid: str
    size: int
    header: bytes
    arrived_at: datetime | None = None


class Mailbox:
    """One folder of a mailbox, opened by `opened`. Nothing is marked as seen but by `put_away`."""

    def __init__(self, server: imaplib.IMAP4, taken_folder: str, validity: str) -> None:
        self._server, self._taken, self.validity = server, _quoted(taken_folder), validity

    def heads(self) -> list[Head]:
        """New mails, and those with a token that are not put away yet, by number."""
        try:
            kind, found = self._server.uid("SEARCH", _NEW_OR_OURS)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            kind, found = "NO", []
        if kind != "OK":  # some servers search for little
            found = _good(self._server.uid("SEARCH", _NEW))
        uids = sorted({int(uid) for line in found if line for uid in line.split() if uid.isdigit()})
        heads: list[Head] = []
        for at in range(0, len(uids), _AT_ONCE):
            heads += self._heads_of(",".join(map(str, uids[at : at + _AT_ONCE])))
        return heads

    def _heads_of(self, uids: str) -> list[Head]:
        parts = _good(self._server.uid("FETCH", uids, "(RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER])"))
        return [
            Head(uid.group(1).decode(), int(size.group(1)), header, _arrived_at(said))
            for said, header in _literals(parts)
            if (uid := _UID.search(said)) and (size := _SIZE.search(said))
        ]

    def fetch(self, uid: str) -> bytes | None:
        """The whole mail; None where it is gone, or the server cannot give it."""
        kind, parts = self._server.uid("FETCH", uid, "(BODY.PEEK[])")
        bodies = [body for _, body in _literals(parts)] if kind == "OK" else []
        return bodies[0] if bodies else None

    def put_away(self, uid: str, flagged: bool) -> list[str]:
        """Mark a mail as seen, and move it into the folder of those that were taken. flagged: somebody is to look.
        Gives what the server said where it would not; then the mail may still be there."""
        flags = r"(\Seen \Flagged)" if flagged else r"(\Seen)"
        try:
            _good(self._server.uid("STORE", uid, "+FLAGS.SILENT", flags))
            self._server.create(self._taken)  # a refusal says that it is there already, or the next step tells
            self._move(uid)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            return [server_words(str(error), "")]
        return []

    def _move(self, uid: str) -> None:
        if "MOVE" in self._server.capabilities:
            _good(self._server.uid("MOVE", uid, self._taken))
            return
        _good(self._server.uid("COPY", uid, self._taken))
        _good(self._server.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
        if "UIDPLUS" in self._server.capabilities:  # EXPUNGE alone would delete what others marked
            _good(self._server.uid("EXPUNGE", uid))


@contextmanager
def opened(settings: EmailSettings, password: Callable[[], str], look_only: bool) -> Generator[Mailbox]:
    """The folder that answers arrive in. look_only: nothing can be changed in it. Raises DatongError."""
    secret = ""
    try:
        secret = password()
        server = _logged_in(settings, secret)
    except (DatongError, *FAILURES) as error:
        raise _unreachable(settings, error, secret) from error
    try:
        kind, said = server.select(_quoted(settings.folder), readonly=look_only)
        if kind != "OK":
            raise DatongError(message("email.no_folder", folder=settings.folder, said=_said(said, secret)))
        validity = b"".join(part for part in server.response("UIDVALIDITY")[1] if part).decode("ascii", "replace")
        yield Mailbox(server, settings.taken_folder, validity)
    except FAILURES as error:
        raise _unreachable(settings, error, secret) from error
    finally:
        with contextlib.suppress(*FAILURES):
            server.logout()


def _logged_in(settings: EmailSettings, password: str) -> imaplib.IMAP4:
    at = settings.imap
    if at.security == "tls":
        context = ssl.create_default_context()
        server = imaplib.IMAP4_SSL(at.host, at.port, ssl_context=context, timeout=TIMEOUT_SECONDS)
    else:
        server = imaplib.IMAP4(at.host, at.port, timeout=TIMEOUT_SECONDS)
    try:
        if at.security == "starttls":
            server.starttls(ssl.create_default_context())
        try:
            server.login(settings.user or settings.sender, password)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise DatongError(message("email.not_let_in", said=_said([str(error).encode()], password))) from error
        server.capabilities = _capabilities(server)
        if "ID" in server.capabilities:  # some let nobody in who does not say what he is
            with contextlib.suppress(imaplib.IMAP4.error):
                server.xatom("ID", '("name" "datong")')
    except BaseException:
        with contextlib.suppress(*FAILURES):
            server.shutdown()
        raise
    return server


def _capabilities(server: imaplib.IMAP4) -> tuple[str, ...]:
    """What the server can do for one who is logged in, which may be more than before."""
    kind, said = server.capability()
    words = b" ".join(part for part in said if part).decode("ascii", "replace").upper().split() if kind == "OK" else []
    return tuple(dict.fromkeys([*server.capabilities, *words]))


def _unreachable(settings: EmailSettings, error: Exception, password: str) -> DatongError:
    return DatongError(message("email.no_mailbox", host=settings.imap_host, why=why(error, password)))


def _said(parts: Iterable[bytes | None], password: str) -> str:
    return server_words(b" ".join(part for part in parts if part), password)


def _good(answer: tuple[str, Sequence[object]]) -> list:
    """What the server answered, which must not be a refusal."""
    kind, parts = answer
    if kind != "OK":
        said = b" ".join(part for part in parts if isinstance(part, bytes))
        raise imaplib.IMAP4.error(said.decode("utf-8", "replace"))
    return list(parts)


def _literals(parts: Sequence[object]) -> list[tuple[bytes, bytes]]:
    """Of an answer to FETCH, what is said of each mail (before and after its text), and the text."""
    found: list[tuple[bytes, bytes]] = []
    for part in parts:
        if isinstance(part, tuple) and len(part) == 2:
            found.append((part[0], part[1]))
        elif isinstance(part, bytes) and found:
            found[-1] = (found[-1][0] + b" " + part, found[-1][1])
    return found


def _arrived_at(said: bytes) -> datetime | None:
    """The moment in an answer to FETCH, and not one to come."""
    try:
        parts = imaplib.Internaldate2tuple(said)
        return None if parts is None else datetime.fromtimestamp(min(time.mktime(parts), time.time()), UTC)
    except (ValueError, OverflowError, KeyError):
        return None


def _quoted(folder: str) -> str:
    """A folder's name as IMAP has it: in modified UTF-7 (RFC 3501, 5.1.3), in quotes."""
    pieces = []
    for plain, other in re.findall(r"([ -~]+)|([^ -~]+)", folder):
        if plain:
            pieces.append(plain.replace("&", "&-"))
        else:
            code = base64.b64encode(other.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            pieces.append(f"&{code}-")
    name = "".join(pieces).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}"'
