"""Signing in by another server that vouches for people: tries, whose account it is, and second factors.

What that server says is checked in oidc.py; here it counts already. An account has to exist, unless the configuration
says which roles a claim gives (roles_by_claim.py). From the first time on an account belongs to that person there, by
the server's own number of them: a login that is given to somebody else there does not become theirs here.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from datong.app.service.accounts import People, Session, digest_of
from datong.app.service.roles_and_permissions import NotSignedIn, Who
from datong.app.service.roles_by_claim import Given
from datong.app.service.server_database import ServerDatabase
from datong.model.errors import DatongError
from datong.model.words import message

# In the server's folder; says at which other server people sign in (oidc.py).
OIDC_FILE = "oidc.toml"
# A try to sign in ends after this; and most that wait, beyond which the oldest are let go.
LASTS, MOST_TRIES = timedelta(minutes=10), 1000
# Who is noted where that server's word makes or changes an account; no login has a blank.
BY_OUTSIDE = Who(0, "sign-in server", "", ("administrator",))


@dataclass(frozen=True)
class Vouched:
    """Somebody whom another server vouches for. subject: its own number of them. given: what their claims give by the
    configuration; None: nothing. has_factor: they showed a second factor there."""

    issuer: str
    subject: str
    login: str
    name: str
    given: Given | None
    has_factor: bool


@dataclass(frozen=True)
class Begun:
    """A try to sign in. address: where the browser goes. secret: of its cookie, so that nobody else ends the try."""

    address: str
    secret: str


@dataclass(frozen=True)
class Entered:
    """session: None where the code of the second factor is asked first, with another secret for the cookie. following:
    the page to see then."""

    session: Session | None
    secret: str
    following: str


class SignInServer(Protocol):
    """Another server that people sign in at. name: on the button."""

    @property
    def name(self) -> str: ...

    def begin(self, following: str) -> Begun: ...

    def finish(self, said: Mapping[str, str], secret: str) -> Entered: ...

    def give_code(self, secret: str, code: str) -> Entered: ...


@dataclass(frozen=True)
class Try:
    """One that waits. nonce, verifier: what the other server has to repeat, and what proves to it who asks. account: of
    one that waits for a code alone, with has_factor never told."""

    nonce: str
    verifier: str
    following: str
    account: int | None


class Tries:
    """Tries to sign in, each good once."""

    def __init__(self, database: ServerDatabase, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    def begin(self, nonce: str, verifier: str, following: str, account: int | None = None) -> str:
        """A new one; its secret."""
        secret, now = secrets.token_urlsafe(32), self._now().timestamp()
        row = (digest_of(secret), nonce, verifier, following, account, now)
        with self._database.together():
            self._database.write("DELETE FROM outside_tries WHERE made < ?", (now - LASTS.total_seconds(),))
            self._database.write(
                "DELETE FROM outside_tries WHERE digest NOT IN "
                "(SELECT digest FROM outside_tries ORDER BY made DESC, rowid DESC LIMIT ?)",
                (MOST_TRIES - 1,),
            )
            self._database.write("INSERT INTO outside_tries VALUES (?, ?, ?, ?, ?, ?)", row)
        return secret

    def take(self, secret: str) -> Try:
        """The one of a secret, which is used up. Raises NotSignedIn where it was, or is over or none."""
        digest = digest_of(secret)
        with self._database.together():
            row = self._database.row("SELECT * FROM outside_tries WHERE digest = ?", (digest,))
            self._database.write("DELETE FROM outside_tries WHERE digest = ?", (digest,))
        if row is None or self._now().timestamp() - row["made"] > LASTS.total_seconds():
            raise NotSignedIn(message("outside.over"))
        return Try(row["nonce"], row["verifier"], row["following"], row["account"])


class Outsiders:
    """Accounts of people whom another server vouches for."""

    def __init__(self, database: ServerDatabase, people: People, tries: Tries) -> None:
        self._database, self._people, self._tries = database, people, tries

    def enter(self, vouched: Vouched, following: str, language: str) -> Entered:
        """Sign somebody in. language: of a new account. Raises NotSignedIn where they have no account."""
        account = self._account(vouched, language)
        session = self._people.begin_vouched(account, None, has_factor=vouched.has_factor)
        if session is None:
            return Entered(None, self._tries.begin("", "", following, account), following)
        return Entered(session, "", following)

    def give_code(self, secret: str, code: str) -> Entered:
        """Sign in with the code of a second factor. Raises NotSignedIn, and a wrong code may be given again."""
        one = self._tries.take(secret)
        if one.account is None:
            raise NotSignedIn(message("outside.over"))
        try:
            session = self._people.begin_vouched(one.account, code, has_factor=False)
        except NotSignedIn as error:
            raise WrongCode(error.message, self._tries.begin("", "", one.following, one.account)) from error
        return Entered(session, "", one.following)

    def _account(self, vouched: Vouched, language: str) -> int:
        """Whose account it is, made or given other roles where a claim says so. Raises NotSignedIn."""
        known = self._identity(vouched)
        try:
            with self._database.together():
                if known is None:
                    known = self._bound(vouched, language)
                elif known["is_mapped"]:
                    self._follow(known, vouched)
        except DatongError as error:
            raise NotSignedIn(error.message) from error
        return known["account"]

    def _identity(self, vouched: Vouched) -> dict[str, Any] | None:
        return self._database.row(
            "SELECT * FROM outside_identities JOIN accounts USING (account) WHERE issuer = ? AND subject = ?",
            (vouched.issuer, vouched.subject),
        )

    def _bound(self, vouched: Vouched, language: str) -> dict[str, Any]:
        """The account of the login, from now on of this person; a new one where a claim gives it. Raises NotSignedIn
        where there is none, or it is of somebody else there."""
        login = vouched.login.strip().lower()
        row = self._database.row("SELECT account FROM accounts WHERE login = ?", (login,))
        is_mapped = row is None
        if is_mapped:
            if vouched.given is None:
                raise NotSignedIn(message("outside.no_account", login=login))
            self._people.invite(BY_OUTSIDE, login, vouched.name, vouched.given.roles, vouched.given.firm, language)
            row = self._database.row("SELECT account FROM accounts WHERE login = ?", (login,))
        assert row is not None
        there = (vouched.issuer, row["account"])
        if self._database.row("SELECT 1 FROM outside_identities WHERE issuer = ? AND account = ?", there):
            raise NotSignedIn(message("outside.no_account", login=login))
        self._people.bind(row["account"], vouched.issuer, vouched.subject, is_mapped=is_mapped)
        found = self._identity(vouched)
        assert found is not None
        return found

    def _follow(self, known: Mapping[str, Any], vouched: Vouched) -> None:
        """Give an account that a claim made the roles that it gives now. Raises NotSignedIn where it gives none."""
        if vouched.given is None:
            raise NotSignedIn(message("outside.no_account", login=vouched.login))
        given = vouched.given
        account = next(one for one in self._people.accounts(BY_OUTSIDE) if one.account == known["account"])
        if (set(account.roles), account.firm) != (set(given.roles), given.firm):
            self._people.change(BY_OUTSIDE, account.login, roles=given.roles, firm=given.firm)


class WrongCode(NotSignedIn):
    """The code of the second factor is wrong. secret: with which another can be given."""

    def __init__(self, message: Any, secret: str) -> None:
        super().__init__(message)
        self.secret = secret
