"""Mails as they go out: a sheet of orders, and an answer to an answer that could not be read.

All that comes from elsewhere is made into one line before it goes into a header. The same letter of the same day has
the same bytes.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email import policy
from email.message import EmailMessage

from datong.connectors.email.journal import REPLY_MARK, SentSheet
from datong.connectors.filedrop.folders import safe_name
from datong.connectors.filedrop.order_sheet import Known, Sheet, as_csv, as_workbook, sheet_of
from datong.model.findings import Finding
from datong.model.flow import OrderMessage
from datong.model.words import say, visible

XLSX = ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet")
# A larger CSV is left out: it says the same as the workbook.
MOST_CSV_BYTES = 200_000
# Orders that the text itself names.
MOST_NAMED = 10
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")


@dataclass(frozen=True)
class Envelope:
    """From whom to whom, in which language, and when: as a mail's header has it."""

    sender: str
    address: str
    language: str
    date: str


def order_letter(
    envelope: Envelope, sent: SentSheet, messages: Sequence[OrderMessage], name: str, known: Known
) -> bytes:
    """The mail with a sheet. sent: the sheet as it stood before; what may have arrived before is marked as a repeat.
    name: of the counterparty, as it is shown."""
    language = envelope.language
    sheet = sheet_with_token(sent, messages, language, known)
    sheet = replace(sheet, counterparty=one_line(sheet.counterparty))
    kind = "order" if sent.tries == 0 else "repeat"
    subject = say(f"email.{kind}.subject", language, token=sent.token, name=one_line(name), count=len(messages))
    named = [_named(row, sheet, language) for row in sheet.rows[:MOST_NAMED]]
    if len(sheet.rows) > MOST_NAMED:
        named.append(say("email.order.more", language, count=len(sheet.rows) - MOST_NAMED))
    parts = [say("email.repeat.note", language)] if kind == "repeat" else []
    parts += [say("email.order.intro", language, count=len(messages)), "\n".join(named)]
    parts += [say("email.order.how", language), say("email.order.keep", language, token=sent.token)]
    letter = _letter(envelope, subject, parts)
    letter["Message-ID"] = f"<{sent.token}@{_domain(envelope.sender)}>"
    stem = f"{safe_name(name)}-{sent.token}".strip("-")
    letter.add_attachment(as_workbook(sheet, language), *XLSX, filename=f"{stem}.xlsx")
    rows = as_csv(sheet, language)
    if len(rows) <= MOST_CSV_BYTES:
        letter.add_attachment(rows, "text", "csv", filename=f"{stem}.csv", params={"charset": "utf-8"})
    letter.set_boundary(f"=={sent.token}==")
    return letter.as_bytes(policy=policy.SMTP)


def reply_letter(envelope: Envelope, token: str, answered: str, findings: Sequence[Finding]) -> bytes:
    """What was wrong with an answer, and what to do. answered: the Message-ID of the mail that it answers."""
    language = envelope.language
    told = [f"- {found.text(language)}" for found in findings[:MOST_NAMED]]
    if len(findings) > MOST_NAMED:
        told.append(say("email.reply.more", language, count=len(findings) - MOST_NAMED))
    parts = [say("email.reply.intro", language), "\n".join(told), say("email.reply.how", language, token=token)]
    letter = _letter(envelope, say("email.reply.subject", language, token=token), parts)
    letter["Auto-Submitted"] = "auto-replied"
    digest = hashlib.sha256(answered.encode()).hexdigest()[:16]
    letter["Message-ID"] = f"<{REPLY_MARK}{digest}.{token}@{_domain(envelope.sender)}>"
    if _MESSAGE_ID.fullmatch(answered):
        letter["In-Reply-To"] = answered
        letter["References"] = answered
    return letter.as_bytes(policy=policy.SMTP)


def sheet_with_token(sent: SentSheet, messages: Sequence[OrderMessage], language: str, known: Known) -> Sheet:
    """The drop folder's sheet with one column more, in which the token stands. sent: as it stood before."""
    messages = [replace(message, repeated=sent.tries > 0) for message in messages]
    sheet = sheet_of(sent.counterparty, sent.run, messages, language, known)
    return replace(sheet, columns=(*sheet.columns, "sheet"), rows=tuple((*row, sent.token) for row in sheet.rows))


def one_line(text: str) -> str:
    """A text that can stand in a header: no end of line, nothing that cannot be seen."""
    return " ".join(visible(text).split())[:100]


def _letter(envelope: Envelope, subject: str, parts: Sequence[str]) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = one_line(subject)
    letter["From"] = envelope.sender
    letter["To"] = envelope.address
    letter["Date"] = envelope.date
    # In base 64 no line is too long, whatever stands in a cell.
    letter.set_content("\n\n".join(parts) + "\n", cte="base64")
    return letter


def _named(row: Sequence[str], sheet: Sheet, language: str) -> str:
    cells = dict(zip(sheet.columns, row, strict=True))
    due = cells.get("due") or cells.get("arrives_on", "")
    product = cells["product_name"] or cells["product"]
    units = f"{cells['units']} {cells['unit']}".strip()
    return say("email.order.line", language, order=cells["order"], product=product, units=units, due=due)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
