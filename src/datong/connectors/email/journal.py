"""What was mailed to whom: one file for each sheet, in a folder beside the ledger.

A sheet has a token, which stands in the mail and in the sheet, and comes back with the answer. Whoever has the token
speaks for the firm that the sheet went to; so it cannot be guessed (80 bits of a keyed hash). The same orders for the
same firm have the same token.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from datong.connectors.files.write_whole import write_whole
from datong.model.errors import DatongError
from datong.model.words import Message, message, message_as_json, message_from_json

_SECRET = "secret"
# Letters and digits that are not taken for one another (Crockford's base 32).
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TOKEN = re.compile(rf"(?<![0-9A-Z])DT(?:-[{_SIGNS}]{{4}}){{4}}(?![0-9A-Z])")
# What every token begins with.
TOKEN_MARK = "DT-"
# What the Message-ID of a reply of ours begins with; that of a sheet begins with its token.
REPLY_MARK = "reply-"


@dataclass(frozen=True)
class SentSheet:
    """A sheet that was handed over, or was going to be.

    keys: of its messages. state: 'out', 'refused', or 'open': still to go out. tries: how often it may have arrived; an
    open one with tries was handed over, and nobody knows what became of it. why: it was refused. given: marks of the
    words that it gave out, by key (filedrop/given_out.py); an earlier version noted none.
    """

    token: str
    counterparty: str
    run: str
    keys: tuple[str, ...]
    state: Literal["open", "out", "refused"]
    address: str
    tries: int
    why: Message | None = None
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Journal:
    """The folder in which it is kept."""

    folder: Path

    def sheets(self) -> dict[str, SentSheet]:
        """All sheets by token. Raises DatongError where one cannot be read: it would go out again as a new one."""
        found = {}
        for path in sorted(self.folder.glob(f"{TOKEN_MARK}*.json")):
            try:
                sheet = _as_sheet(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DatongError(message("email.journal_damaged", path=str(path))) from error
            found[sheet.token] = sheet
        return found

    def note(self, sheet: SentSheet) -> None:
        """Keep a sheet as it now stands. It is on the disk when this returns. Raises DatongError where it cannot be."""
        kept = {**asdict(sheet), "why": None if sheet.why is None else message_as_json(sheet.why)}
        text = json.dumps(kept, ensure_ascii=False, indent=1) + "\n"
        try:
            write_whole(self.folder / f"{sheet.token}.json", text.encode())
        except OSError as error:
            raise _no_access(self.folder, error) from error

    def is_told(self, answer: str) -> bool:
        """Whether a firm was told already what was wrong with its answer."""
        return self._told(answer).exists()

    def note_told(self, answer: str) -> None:
        """answer: what tells it from all others. Raises DatongError where it cannot be kept."""
        try:
            write_whole(self._told(answer), b"")
        except OSError as error:
            raise _no_access(self.folder, error) from error

    def _told(self, answer: str) -> Path:
        return self.folder / f"told-{hashlib.sha256(answer.encode()).hexdigest()[:32]}"

    def token(self, counterparty: str, keys: Iterable[str]) -> str:
        """The token of a sheet with these messages for this firm. Raises DatongError where the folder is no use."""
        said = "\n".join([counterparty, *sorted(keys)]).encode()
        digest = hmac.new(self._secret(), said, hashlib.sha256).digest()[:10]
        plain = base64.b32encode(digest).decode().translate(_CROCKFORD)
        return "-".join(["DT", *(plain[i : i + 4] for i in range(0, len(plain), 4))])

    def _secret(self) -> bytes:
        """What keeps tokens from being guessed; made once, readable by this user alone."""
        path = self.folder / _SECRET
        try:
            if not path.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                half = path.with_name(f".{_SECRET}.{os.getpid()}.tmp")
                handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    file.write(secrets.token_hex(32))
                    file.flush()
                    os.fsync(file.fileno())
                half.replace(path)
            return path.read_bytes()
        except OSError as error:
            raise _no_access(self.folder, error) from error


def _no_access(folder: Path, error: OSError) -> DatongError:
    return DatongError(message("dispatch.no_access", path=str(folder), reason=error.strerror or str(error)))


def _as_sheet(kept: Mapping[str, Any]) -> SentSheet:
    why = None if kept["why"] is None else message_from_json(kept["why"])
    names = ("token", "counterparty", "run")
    return SentSheet(
        *(kept[name] for name in names),
        tuple(kept["keys"]),
        kept["state"],
        kept["address"],
        kept["tries"],
        why,
        dict(kept.get("given", {})),
    )


_CROCKFORD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _SIGNS)


def tokens_in(text: str) -> frozenset[str]:
    """Tokens that stand in a text, in capitals or not."""
    return frozenset(_TOKEN.findall(text.upper()))
