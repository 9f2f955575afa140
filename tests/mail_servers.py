"""A real SMTP server (aiosmtpd) and a real IMAP server (pymap) in this process, for the tests of e-mail."""

import argparse
import asyncio
import contextlib
import csv
import imaplib
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer
from pysasl.hashing import Cleartext

from datong.connectors.email.journal import Journal
from datong.connectors.email.post import EmailPost
from datong.connectors.email.send_sheets import AddressBook, Firm
from datong.connectors.filedrop.order_sheet import Known
from datong.model.settings import EmailSettings

SENDER, USER, PASSWORD = "orders@chain.example", "chain", "pa55-plain"


@dataclass
class Handler:
    """Takes every mail, unless one of these says otherwise: an answer with a code, or None for no answer at all.

    data: after a mail came (it is kept before). rcpt: of an address.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    rcpt: Callable[[str], str] = lambda _address: "250 OK"
    data: Callable[[], str | None] = lambda: "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        said = self.rcpt(address)
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        said = self.data()
        if said is None or said.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.to += envelope.rcpt_tos
        if said is None:
            server.transport.abort()
        return said or "250 OK"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def smtp_server(handler: Handler, **more: Any) -> Iterator[int]:
    """Its port. more: of aiosmtpd's Controller."""
    controller = Controller(handler, hostname="127.0.0.1", port=free_port(), **more)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop(no_assert=True)


def lets_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    """Of aiosmtpd: whether user and password are right."""
    right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


class ImapServer:
    """One mailbox in memory, which `emptied` makes new. cut: no connection gets beyond its first word."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.cut = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(tls), self._loop).result(20)

    async def _start(self, tls: ssl.SSLContext | None) -> None:
        options = {"demo_user": USER, "demo_password": PASSWORD, "demo_data": False, "host": "127.0.0.1", "port": 0}
        options |= {"debug": False, "cert": None, "key": None, "passlib_cfg": None, "tls": False}
        args = argparse.Namespace(**options, proxy_protocol=None, inherited_sockets=None)
        backend, self._config = await DictBackend.init(args, hash_context=Cleartext())
        serve = IMAPServer(backend.login, self._config)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self.cut:
                writer.close()
                return
            with contextlib.suppress(ConnectionError):
                await serve(reader, writer, SocketInfo.get(writer, None))

        self._server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def emptied(self) -> "ImapServer":
        self._config.set_cache.clear()
        self.cut = False
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @contextlib.contextmanager
    def logged_in(self) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=20) as client:
            client.login(USER, PASSWORD)
            yield client

    def arrives(self, mail: EmailMessage | bytes, flags: str = "", folder: str = "INBOX") -> None:
        """A mail comes into the mailbox. flags: such as \\Seen."""
        content = mail if isinstance(mail, bytes) else mail.as_bytes(policy=policy.SMTP)
        with self.logged_in() as client:
            kind, said = client.append(folder, f"({flags})" if flags else "", "", content)
            assert kind == "OK", said

    def there(self, folder: str = "INBOX", which: str = "ALL") -> list[str]:
        """Subjects of the mails in a folder, of those that a search finds."""
        with self.logged_in() as client:
            if client.select(folder, readonly=True)[0] != "OK":
                return []
            numbers = client.search(None, which)[1][0].split()
            fetched = [client.fetch(n.decode(), "(BODY.PEEK[HEADER])")[1][0][1] for n in numbers]
        return [str(message_from_bytes(content, policy=policy.default)["Subject"]) for content in fetched]


# letters as people write them -----------------------------------------------------------------------


def attachment(mail: EmailMessage, suffix: str) -> bytes:
    """What hangs on a mail under a name of that suffix."""
    return next(p.get_payload(decode=True) for p in mail.walk() if (p.get_filename() or "").endswith(suffix))


def token_of(mail: EmailMessage) -> str:
    return str(mail["Subject"]).partition("[")[2].partition("]")[0]


def filled(mail: EmailMessage, answers: Mapping[str, Mapping[str, str]]) -> bytes:
    """The CSV that hangs on a mail, with its answer columns filled in. answers: by order, cells by their title."""
    rows = list(csv.DictReader(io.StringIO(attachment(mail, ".csv").decode("utf-8-sig"))))
    number = "单号" if "单号" in rows[0] else "order"
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({**row, **answers.get(row[number], {})} for row in rows)
    return text.getvalue().encode("utf-8-sig")


ACCEPTED = {"state": "accepted", "when": "2026-03-05 10:00"}


def reply(
    mail: EmailMessage, sheet: bytes | None = None, text: str = "See the sheet.", name: str = "back.csv"
) -> EmailMessage:
    """A person's answer to a mail, with a sheet attached or without one."""
    answer = EmailMessage()
    answer["From"] = f"Clerk <{mail['To']}>"
    answer["To"] = SENDER
    answer["Subject"] = f"Re: {mail['Subject']}"
    answer["Message-ID"] = "<answer-1@factory.example>"
    answer["In-Reply-To"] = str(mail["Message-ID"])
    answer["References"] = str(mail["Message-ID"])
    answer.set_content(text)
    if sheet is not None:
        answer.add_attachment(sheet, maintype="application", subtype="octet-stream", filename=name)
    return answer


def a_post(place: Path, smtp_port: int, imap_port: int, again: tuple[str, ...] = (), **firms: Firm) -> EmailPost:
    """The connector over two local servers. firms: by counterparty."""
    settings = EmailSettings(SENDER, "127.0.0.1", "127.0.0.1", USER, smtp_port, imap_port)
    book = AddressBook(SENDER, firms, Known({"P1": "酱油"}), again)
    return EmailPost(settings, book, Journal(place / "email"), lambda: PASSWORD)
