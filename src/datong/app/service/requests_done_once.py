"""Answers to requests that carry a key of their own, kept so that the same request sent twice is done once.

After the draft of the IETF on the header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from datong.app.service.server_database import ServerDatabase
from datong.model.errors import Refused
from datong.model.words import message

# So long an answer is kept.
KEPT = timedelta(days=30)
# Old answers are looked for so often.
_SWEPT = timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    """status: of HTTP. headers: those that belong to the answer."""

    status: int
    body: str
    headers: Mapping[str, str]


class KeyReused(Refused):
    """The key came before, with another request."""


class InProgress(Refused):
    """The first request with this key is not answered yet, or its answer is not known."""


class Answered:
    """Keys by account, what was sent with each, and what was answered."""

    def __init__(self, database: ServerDatabase, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now
        self._lock = Lock()
        self._at_work: set[tuple[int, str]] = set()
        self._swept = datetime.min.replace(tzinfo=now().tzinfo)

    def begin(self, account: int, key: str, digest: str) -> Answer | None:
        """The answer that was given before; None where the request is to be done now: `keep` or `drop` follows.

        digest: of all that was sent. Raises KeyReused where something else was sent with the key; InProgress where the
        first request is still at work, or where the server ended in the middle of it, so that nobody knows whether it
        was done.
        """
        self._sweep()
        with self._lock, self._database.together():
            row = self._database.row("SELECT * FROM answered WHERE account = ? AND key = ?", (account, key))
            if row is None:
                self._database.write(
                    "INSERT INTO answered (account, key, digest, at) VALUES (?, ?, ?, ?)",
                    (account, key, digest, self._now().timestamp()),
                )
                self._at_work.add((account, key))
                return None
            is_at_work = (account, key) in self._at_work
        if row["digest"] != digest:
            raise KeyReused(message("service.key_reused"))
        if row["status"] is None:
            raise InProgress(message("service.in_progress" if is_at_work else "service.answer_unknown"))
        kept = json.loads(row["body"])
        return Answer(row["status"], kept["body"], kept["headers"])

    def keep(self, account: int, key: str, answer: Answer) -> None:
        text = json.dumps({"body": answer.body, "headers": dict(answer.headers)}, ensure_ascii=False)
        with self._lock:
            self._database.write(
                "UPDATE answered SET status = ?, body = ? WHERE account = ? AND key = ?",
                (answer.status, text, account, key),
            )
            self._at_work.discard((account, key))

    def drop(self, account: int, key: str) -> None:
        """Nothing was done: the key may be used again."""
        with self._lock:
            self._database.write("DELETE FROM answered WHERE account = ? AND key = ?", (account, key))
            self._at_work.discard((account, key))

    def leave(self, account: int, key: str) -> None:
        """A fault ended the request: whether something was done is not known."""
        with self._lock:
            self._at_work.discard((account, key))

    def _sweep(self) -> None:
        now = self._now()
        with self._lock:
            if now - self._swept < _SWEPT:
                return
            self._swept = now
        self._database.write("DELETE FROM answered WHERE at < ?", ((now - KEPT).timestamp(),))
