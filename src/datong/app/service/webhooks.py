"""Webhooks: an address of somebody's own that is sent a word when something changes, signed, and sent again until it is
taken.

A webhook hears what its owner may see, as things stand when it is told, and is told only that something changed: what
it is, whoever is told asks the API. Signed as the specification "Standard Webhooks" says (standardwebhooks.com): HMAC
with SHA-256 over number, moment and body. A webhook of an address that is not public is refused, unless the server
allows it, so that nobody reaches through it what only the server can reach.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import logging
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx

from datong.app.service.accounts import People
from datong.app.service.audit import Audit
from datong.app.service.live_events import Event, Events, Listener, may_see
from datong.app.service.roles_and_permissions import Who
from datong.app.service.server_database import ServerDatabase
from datong.model.errors import NotFound, Refused
from datong.model.words import message

# Kinds of events that a webhook may ask for.
KINDS = ("plan", "orders", "job", "findings", "demand", "data", "price", "proposals")
# Webhooks of one account, and words that wait for one of them; beyond these the oldest are let go, and it is told so.
MOST_WEBHOOKS, MOST_WAITING = 10, 1000
# A word that is not taken is sent again after these; then it is given up.
AGAIN_AFTER = tuple(timedelta(seconds=s) for s in (5, 60, 600, 3600, 6 * 3600, 24 * 3600))
# Seconds: of a word on the line in which nothing comes, in all, and between looks for something new.
TIMEOUT_S, PATIENCE_S, LOOK_S = 10.0, 20.0, 0.5
# Words that are sent at once, and letters of an address.
MOST_AT_ONCE, MOST_LETTERS = 32, 2000
SECRET_BYTES, SECRET_PREFIX = 32, "whsec_"

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Sends a body with headers to an address, and gives the status of the answer. Raises OSError, httpx.HTTPError.
Post = Callable[[str, bytes, Mapping[str, str]], int]


@dataclass(frozen=True)
class Webhook:
    """webhook: its number. address: where words are sent. kinds: of events. made: seconds since 1970. waiting: words
    not yet taken. last: seconds since 1970 of the last try, None: there was none; said: what came of it: '' where it
    was taken, a status, or what went wrong."""

    webhook: int
    address: str
    kinds: tuple[str, ...]
    made: float
    waiting: int
    last: float | None
    said: str


class Webhooks:
    """The webhooks of everybody, in the server's database."""

    def __init__(
        self,
        database: ServerDatabase,
        people: People,
        audit: Audit,
        now: Callable[[], datetime],
        *,
        to_private: bool = False,
    ) -> None:
        """to_private: addresses within one's own network are allowed."""
        self._database, self._people, self._audit, self._now = database, people, audit, now
        self.to_private = to_private

    def noted_by(self, audit: Audit) -> "Webhooks":
        """The same webhooks, of which another audit notes what is done."""
        other = copy(self)
        other._audit = audit
        return other

    def make(self, who: Who, address: str, kinds: Sequence[str]) -> tuple[Webhook, str]:
        """A new webhook, and the secret that its words are signed with, shown once. Raises Refused."""
        wrong = [kind for kind in kinds if kind not in KINDS]
        if wrong or not kinds:
            raise Refused(message("webhooks.no_kind", kind=", ".join(wrong) or "-", kinds=", ".join(KINDS)))
        refuse_wrong(address)
        if not self.to_private:
            refuse_private(address)
        if len(self.of(who)) >= MOST_WEBHOOKS:
            raise Refused(message("webhooks.too_many", most=MOST_WEBHOOKS))
        secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        with self._database.together():
            number = self._database.add(
                "INSERT INTO webhooks (account, address, kinds, secret, made) VALUES (?, ?, ?, ?, ?)",
                (who.account, address, json.dumps(list(kinds)), secret, self._now().timestamp()),
            )
            after = {"address": address, "kinds": list(kinds)}
            self._audit.note(who.login, "made_webhook", str(number), after=after)
        return self._one(who, number), secret

    def of(self, who: Who) -> list[Webhook]:
        """One's own, oldest first."""
        rows = self._database.rows(
            "SELECT w.*, (SELECT count(*) FROM webhook_words s WHERE s.webhook = w.webhook) AS waiting "
            "FROM webhooks w WHERE account = ? ORDER BY webhook",
            (who.account,),
        )
        names = ("webhook", "address", "made", "waiting", "last", "said")
        return [Webhook(kinds=tuple(json.loads(row["kinds"])), **{name: row[name] for name in names}) for row in rows]

    def _one(self, who: Who, number: int) -> Webhook:
        for one in self.of(who):
            if one.webhook == number:
                return one
        raise NotFound(message("webhooks.none", webhook=number))

    def drop(self, who: Who, number: int) -> None:
        """Take one away, with what waits for it. Raises NotFound, also for another's."""
        before = self._one(who, number)
        with self._database.together():
            self._database.write("DELETE FROM webhook_words WHERE webhook = ?", (number,))
            self._database.write("DELETE FROM webhooks WHERE webhook = ?", (number,))
            self._audit.note(who.login, "dropped_webhook", str(number), before={"address": before.address})

    def try_out(self, who: Who, number: int) -> None:
        """Send a word that says that nothing changed. Raises NotFound."""
        self._one(who, number)
        self._put(number, {"type": "test", "data": {}})

    # words ---------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Put a word on the way to each webhook that asks for the event and whose owner may know of it."""
        for row in self._database.rows("SELECT webhook, account, kinds FROM webhooks"):
            owner = self._people.of_account(row["account"])
            if owner is None:
                continue
            if event.kind == "lost":  # too much came at once: whoever listens loads anew
                self._put(row["webhook"], {"type": "lost", "data": {}})
            elif event.kind in json.loads(row["kinds"]) and may_see(event, owner):
                self._put(row["webhook"], {"type": f"{event.kind}.changed", "data": {"subject": event.subject}})

    def _put(self, webhook: int, word: Mapping[str, Any]) -> None:
        """A new word, behind those that wait. Where too many wait the oldest go, and a word in their place says so."""
        now = self._now()
        body = json.dumps({**word, "timestamp": now.isoformat()}, ensure_ascii=False)
        with self._database.together():
            waiting = self._database.rows(
                "SELECT word, due FROM webhook_words WHERE webhook = ? ORDER BY word", (webhook,)
            )
            due = max([now.timestamp(), *(row["due"] for row in waiting)])
            if len(waiting) >= MOST_WAITING:
                lost = json.dumps({"type": "lost", "data": {}, "timestamp": now.isoformat()})
                gone = waiting[: len(waiting) - MOST_WAITING + 2]
                self._database.write(
                    "DELETE FROM webhook_words WHERE webhook = ? AND word < ?", (webhook, gone[-1]["word"])
                )
                self._database.write("UPDATE webhook_words SET body = ? WHERE word = ?", (lost, gone[-1]["word"]))
            self._database.add("INSERT INTO webhook_words (webhook, body, due) VALUES (?, ?, ?)", (webhook, body, due))

    def due(self) -> list[dict[str, Any]]:
        """Of each webhook the word that waits longest, where it is due; of whoever may act no more none is left."""
        rows = self._database.rows(
            "SELECT s.*, w.address, w.secret, w.account FROM webhook_words s JOIN webhooks w USING (webhook) "
            "WHERE s.word IN (SELECT min(word) FROM webhook_words GROUP BY webhook) AND s.due <= ? ORDER BY s.word",
            (self._now().timestamp(),),
        )
        found = []
        for row in rows:
            if self._people.of_account(row["account"]) is None:
                self._database.write("DELETE FROM webhook_words WHERE webhook = ?", (row["webhook"],))
            else:
                found.append(row)
        return found

    def send_due(self, post: Post) -> int:
        """Send what is due, of each webhook oldest first; how many words were taken."""
        taken = 0
        while due := self.due():
            for row in due:
                said = self.said(post, row)
                taken += not said
                self.noted(row, said)
        return taken

    def said(self, post: Post, row: Mapping[str, Any]) -> str:
        """'' where a word was taken, else what came of it. Writes nothing: it may be asked in any thread."""
        body = row["body"].encode()
        headers = signed(row["secret"], f"word_{row['word']}", self._now(), body)
        try:
            if not self.to_private:
                refuse_private(row["address"])
            status = post(row["address"], body, headers)
        except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        except Refused:
            return "private"
        return "" if 200 <= status < 300 else str(status)

    def noted(self, row: Mapping[str, Any], said: str) -> None:
        """Keep what came of a word."""
        now = self._now()
        with self._database.together():
            self._database.write(
                "UPDATE webhooks SET last = ?, said = ? WHERE webhook = ?", (now.timestamp(), said, row["webhook"])
            )
            if not said or row["tries"] >= len(AGAIN_AFTER):
                self._database.write("DELETE FROM webhook_words WHERE word = ?", (row["word"],))
                return
            due = (now + AGAIN_AFTER[row["tries"]]).timestamp()
            # What waits behind it is not sent before it.
            self._database.write("UPDATE webhook_words SET tries = tries + 1 WHERE word = ?", (row["word"],))
            self._database.write(
                "UPDATE webhook_words SET due = max(due, ?) WHERE webhook = ? AND word >= ?",
                (due, row["webhook"], row["word"]),
            )


class Sender:
    """Sends words of webhooks in a thread of its own, until it is closed. One that is slow to take its word keeps no
    other waiting."""

    def __init__(self, webhooks: Webhooks, events: Events, post: Post | None = None) -> None:
        self._webhooks, self._events, self._closing = webhooks, events, Flag()
        self._post = post or Posting(webhooks.to_private)
        self._listener: Listener = events.listen_to_all()
        self._workers = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="webhook")
        # By webhook the word that is being sent, and when that began; None: it was given up, and is not over yet.
        self._sending: dict[int, tuple[Future[str], dict[str, Any] | None, float]] = {}
        self._thread = Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._round()
            except Exception:  # one word, or one moment without the database, ends no webhook of others
                logging.getLogger(__name__).exception("webhooks")
                self._closing.wait(LOOK_S)

    def _round(self) -> None:
        with suppress(Empty):
            self._webhooks.tell(self._listener.queue.get(timeout=LOOK_S))
            return
        now = monotonic()
        for webhook, (future, row, begun) in list(self._sending.items()):
            if future.done():
                if row is not None:
                    self._webhooks.noted(row, future.result())
                del self._sending[webhook]
            elif row is not None and now - begun > PATIENCE_S:
                self._webhooks.noted(row, "timeout")
                self._sending[webhook] = (future, None, begun)
        for row in self._webhooks.due():
            if row["webhook"] not in self._sending:
                future = self._workers.submit(self._webhooks.said, self._post, row)
                self._sending[row["webhook"]] = (future, row, now)

    def close(self) -> None:
        self._closing.set()
        self._events.leave(self._listener)
        self._thread.join(2 * LOOK_S)
        self._workers.shutdown(wait=False, cancel_futures=True)


class Posting:
    """Posts to addresses, following no redirect; to the machine that was looked at when it was allowed, whatever its
    name points to a moment later."""

    def __init__(self, to_private: bool) -> None:
        self._to_private = to_private

    def __call__(self, address: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(address)
        host = plain_host(address)
        found = addresses_of(address)
        if not self._to_private and not all(is_public(number) for number in found):
            raise Refused(message("webhooks.private", host=host))
        port = f":{parts.port}" if parts.port else ""
        named = {**headers, "host": host + port, "content-type": "application/json"}
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
            for number in found:
                shown = f"[{number}]" if number.version == 6 else str(number)
                to = parts._replace(netloc=shown + port).geturl()
                try:
                    with client.stream("POST", to, content=body, headers=named, extensions={"sni_hostname": host}) as a:
                        return a.status_code
                except httpx.ConnectError:  # a machine has several addresses, and answers at one
                    if number == found[-1]:
                        raise
        raise OSError(host)


def signed(secret: str, number: str, now: datetime, body: bytes) -> dict[str, str]:
    """Headers by which a receiver knows who sent a body, and when."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    moment = str(int(now.timestamp()))
    digest = hmac.digest(key, f"{number}.{moment}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": number,
        "webhook-timestamp": moment,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def refuse_wrong(address: str) -> None:
    """Raises Refused where an address is none of the web, or holds a password."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    is_of_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    try:
        is_of_web = is_of_web and bool(plain_host(address))
    except UnicodeError:
        is_of_web = False
    if not is_of_web or len(address) > MOST_LETTERS or not address.isprintable():
        raise Refused(message("webhooks.no_address", address=address[:80]))


def plain_host(address: str) -> str:
    """The host of an address in plain letters, as the names of the internet have them. Raises UnicodeError."""
    host = urlsplit(address).hostname or ""
    return host if ":" in host else host.encode("idna").decode("ascii")


def refuse_private(address: str) -> None:
    """Raises Refused where an address names a machine that is not public, or cannot be found."""
    host = urlsplit(address).hostname or ""
    try:
        found = addresses_of(address)
    except (OSError, UnicodeError) as error:
        raise Refused(message("webhooks.not_found", host=host)) from error
    if not all(is_public(one) for one in found):
        raise Refused(message("webhooks.private", host=host))


def is_public(number: Address) -> bool:
    """Whether a machine is one of the open internet, also where the number is one of IPv4 within one of IPv6."""
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo or (None, None))[1]
        if inner is not None:
            return is_public(inner)
        if number in NAT64:
            return is_public(ipaddress.IPv4Address(int(number) & 0xFFFFFFFF))
    return number.is_global and not number.is_multicast


def addresses_of(address: str) -> list[Address]:
    """The machines that an address names. Raises OSError where none is found."""
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(plain_host(address), port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
