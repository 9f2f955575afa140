"""The server that mails are handed to, the mailbox's password, and what is said of a server that fails.

Every connection is encrypted, unless the settings say otherwise (model/settings.py, MailServer): a server that does not
offer what is asked for is not used. Certificates are checked as the system does.
"""

import imaplib
import smtplib
import ssl
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datong.ledger.row_checks import shown
from datong.model.errors import DatongError
from datong.model.settings import EmailSettings
from datong.model.words import Message, message, visible

PASSWORD_VARIABLE = "DATONG_EMAIL_PASSWORD"
# A server that says nothing for so long is not there.
TIMEOUT_SECONDS = 30.0
# Answers to a mail's address that mean "not from you", and not "no such address".
_ABOUT_US = frozenset({530, 534, 535, 538})
# What a connection may fail with.
FAILURES = (OSError, smtplib.SMTPException, imaplib.IMAP4.error, ValueError)


def read_password(settings: EmailSettings, folder: Path, environment: Mapping[str, str]) -> str:
    """The mailbox's password: of the environment, else of password_file. folder: the chain's.

    Raises DatongError where there is none, or where others than the owner can read the file.
    """
    if environment.get(PASSWORD_VARIABLE):
        return environment[PASSWORD_VARIABLE]
    if settings.password_file is None:
        raise DatongError(message("email.no_password", variable=PASSWORD_VARIABLE))
    path = folder / settings.password_file
    try:
        if sys.platform != "win32" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise DatongError(message("email.password_readable", path=str(path)))
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DatongError(message("dispatch.no_access", path=str(path), reason=reason)) from error


def why(error: Exception, password: str) -> Message:
    """What went wrong with a server, for a person. The password is in no text of it."""
    if isinstance(error, DatongError):
        return error.message
    if isinstance(error, ssl.SSLCertVerificationError):
        return message("email.certificate", reason=error.verify_message)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return message("email.not_let_in", said=server_words(error.smtp_error, password))
    if isinstance(error, smtplib.SMTPNotSupportedError | imaplib.IMAP4.abort | smtplib.SMTPServerDisconnected):
        return message("email.broken_off", said=server_words(str(error), password))
    if isinstance(error, UnicodeError):
        return message("email.not_plain")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return message("email.no_connection", reason=server_words(reason, password))


def server_words(said: bytes | str, password: str) -> str:
    """What a server said, as one short line to be shown."""
    text = said.decode("utf-8", errors="replace") if isinstance(said, bytes) else said
    text = text.replace(password, "***") if password else text
    return shown(" ".join(visible(text).split()))


class NotHandedOver(Exception):  # noqa: N818 - it says what happened
    """A mail that is not known to be with the server. refused: for good; else it may be tried again. perhaps: the
    server may have it all the same: the connection was lost before it answered."""

    def __init__(self, why: Message, refused: bool = False, perhaps: bool = False) -> None:
        super().__init__(why.text())
        self.why, self.refused, self.perhaps = why, refused, perhaps


@dataclass
class Sender:
    """Hands mails to the server, over one connection for as long as it holds. Close it in the end.

    dead: why the server could not be reached; then it is not asked again.
    """

    settings: EmailSettings
    password: Callable[[], str]
    dead: Message | None = None
    _server: smtplib.SMTP | None = None
    _password: str = field(default="", repr=False)

    def hand_over(self, address: str, content: bytes, about_to: Callable[[], None] = lambda: None) -> None:
        """Hand one mail over. about_to: called just before the mail itself goes out: from then on until this returns
        nobody knows whether it arrives. Raises NotHandedOver.
        """
        server = self._open()
        begun = False
        try:
            code, said = server.mail(self.settings.sender)
            if code >= 400:
                raise self._refusal(False, code, said)
            code, said = server.rcpt(address)
            if code >= 400:
                raise self._refusal(code >= 500 and code not in _ABOUT_US, code, said)
            about_to()
            begun = True
            try:
                code, said = server.data(content)
            except smtplib.SMTPDataError as error:
                code, said = error.smtp_code, error.smtp_error
            if code >= 400:
                raise self._refusal(code >= 500 and code not in _ABOUT_US, code, said)
        except (NotHandedOver, DatongError):
            self._reset()
            raise
        except FAILURES as error:
            self.close()
            raise NotHandedOver(why(error, self._password), perhaps=begun) from error

    def _refusal(self, refused: bool, code: int, said: bytes | str) -> NotHandedOver:
        told = server_words(said, self._password)
        return NotHandedOver(message("email.server_said", code=code, said=told), refused)

    def _open(self) -> smtplib.SMTP:
        if self._server is not None:
            return self._server
        if self.dead is not None:
            raise NotHandedOver(self.dead)
        server = None
        try:
            at, domain = self.settings.smtp, self.settings.sender.rpartition("@")[2]
            if at.security == "tls":
                context = ssl.create_default_context()
                server = smtplib.SMTP_SSL(at.host, at.port, domain, timeout=TIMEOUT_SECONDS, context=context)
            else:
                server = smtplib.SMTP(at.host, at.port, domain, timeout=TIMEOUT_SECONDS)
            if at.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.settings.user is not None:
                self._password = self.password()
                server.login(self.settings.user, self._password)
        except (DatongError, *FAILURES) as error:
            if server is not None:
                server.close()
            self.dead = why(error, self._password)
            raise NotHandedOver(self.dead) from error
        self._server = server
        return server

    def _reset(self) -> None:
        """Ready for the next mail; where the server is gone, it is called again."""
        try:
            if self._server is not None and self._server.rset()[0] != 250:
                self.close()
        except FAILURES:
            self.close()

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            try:
                server.quit()
            except FAILURES:
                server.close()
