"""Accounts, sessions, tokens, invitations and second factors."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from datong.app.service.audit import Audit
from datong.app.service.roles_and_permissions import OF_A_FIRM, ROLES, NotAllowed, NotSignedIn, Permission, Who
from datong.app.service.server_database import ServerDatabase
from datong.app.service.sign_in_limits import (
    IDLE,
    INVITED,
    LOCKED,
    LONGEST,
    LONGEST_PASSWORD,
    MOST_FAILURES,
    RESET,
    SHORTEST_PASSWORD,
    TOKEN,
)
from datong.model.errors import NotFound, Refused
from datong.model.words import LANGUAGES, message

# Who is noted where somebody at the server's command line does something; no login has a blank.
BY_COMMAND_LINE = "command line"
# The same form that comes once more within so long was pressed twice.
TWICE_AT_ONCE = timedelta(seconds=30)
LOGIN = re.compile(r"[^\s/\\<>&\"']{2,80}")
# Sessions are not written to again within so long.
_SEEN_APART = 60.0


@dataclass(frozen=True)
class Session:
    """A signed-in browser. secret: of its cookie. csrf: what each of its forms must say. who: whose it is. must_factor:
    the account needs a second factor and has none yet: nothing else is allowed before."""

    secret: str
    csrf: str
    who: Who
    must_factor: bool = False


@dataclass(frozen=True)
class Account:
    """An account as those see it who manage people. state: invited, active, locked or disabled. has_factor: a second
    factor is set up; must_factor: it needs one."""

    account: int
    login: str
    name: str
    roles: tuple[str, ...]
    firm: str | None
    language: str
    state: str
    has_factor: bool
    must_factor: bool


class People:
    """Who there is, and who is signed in. Secrets are kept as digests, passwords by argon2."""

    def __init__(
        self, database: ServerDatabase, audit: Audit, now: Callable[[], datetime], hasher: PasswordHasher | None = None
    ):
        """hasher: of passwords; None: with the library's own cost."""
        self._database, self._audit, self._now = database, audit, now
        self._hasher = PasswordHasher() if hasher is None else hasher

    def noted_by(self, audit: Audit) -> "People":
        """The same people, of whom another audit notes what is done."""
        other = copy(self)
        other._audit = audit
        return other

    # signing in ---------------------------------------------------------------------------------

    def sign_in(self, login: str, password: str, code: str = "") -> Session:
        """A new session. code: of the second factor. Raises NotSignedIn, in the same words whether there is no such
        account, the password is wrong or the account is locked: who guesses learns nothing."""
        row = self._database.row("SELECT * FROM accounts WHERE login = ?", (_plain(login),))
        now = self._now().timestamp()
        is_right = self._is_password(row["password"] if row else None, password)
        if row is None or not is_right or row["disabled"] or row["locked_until"] > now:
            self._failed(row, now)
            raise NotSignedIn(message("service.wrong_login", minutes=int(LOCKED.total_seconds() // 60)))
        if row["factor_confirmed"] and not self._is_code(row, code):
            if code:
                self._failed(row, now)
            raise NotSignedIn(message("service.wrong_code" if code else "service.needs_code"))
        self._database.write("UPDATE accounts SET failures = 0, locked_until = 0 WHERE account = ?", (row["account"],))
        self._audit.note(row["login"], "sign_in", row["login"])
        return self._begin(row)

    def _is_password(self, kept: str | None, password: str) -> bool:
        """Takes as long where there is no account as where the password is wrong."""
        try:
            is_right = self._hasher.verify(self._decoy if kept is None else kept, password[: LONGEST_PASSWORD + 1])
        except (VerificationError, InvalidHashError):
            return False
        return is_right and kept is not None

    @cached_property
    def _decoy(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe(16))

    def _is_code(self, row: dict[str, Any], code: str) -> bool:
        """A code of the last minute that was not used yet."""
        moment = int(self._now().timestamp())
        for step in (moment // 30 - 1, moment // 30, moment // 30 + 1):
            if step > row["factor_used"] and secrets.compare_digest(
                pyotp.TOTP(row["factor"]).at(step * 30).encode(), code.strip().encode()
            ):
                self._database.write("UPDATE accounts SET factor_used = ? WHERE account = ?", (step, row["account"]))
                return True
        return False

    def _was_code(self, row: dict[str, Any], code: str) -> bool:
        """The code that was used last."""
        last = pyotp.TOTP(row["factor"]).at(row["factor_used"] * 30)
        return secrets.compare_digest(last.encode(), code.strip().encode())

    def _failed(self, row: dict[str, Any] | None, now: float) -> None:
        if row is None or row["locked_until"] > now:
            return
        failures = row["failures"] + 1
        until = now + LOCKED.total_seconds() if failures >= MOST_FAILURES else 0.0
        failures = 0 if until else failures
        self._database.write(
            "UPDATE accounts SET failures = ?, locked_until = ? WHERE account = ?", (failures, until, row["account"])
        )
        if until:
            free = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
            after = {"state": "locked", "locked_until": free}
            self._audit.note(row["login"], "locked", row["login"], before={"state": "active"}, after=after)

    def _begin(self, row: dict[str, Any]) -> Session:
        secret, csrf, now = secrets.token_urlsafe(32), secrets.token_urlsafe(24), self._now().timestamp()
        self._database.write(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", (digest_of(secret), row["account"], csrf, now, now)
        )
        return Session(secret, csrf, _who(row), _must_factor(row))

    def begin_vouched(self, account: int, code: str | None, *, has_factor: bool) -> Session | None:
        """A session of somebody whom another server vouches for. has_factor: it says so of a second factor, too; else
        code: of the account's own one; None: to be asked, where it has one. Raises NotSignedIn."""
        row = self._database.row("SELECT * FROM accounts WHERE account = ?", (account,))
        now = self._now().timestamp()
        if row is None or row["disabled"]:
            raise NotSignedIn(message("outside.no_account", login="" if row is None else row["login"]))
        if row["factor_confirmed"] and not has_factor:
            if code is None:
                return None
            if row["locked_until"] > now or not self._is_code(row, code):
                self._failed(row, now)
                raise NotSignedIn(message("service.wrong_code"))
            self._database.write("UPDATE accounts SET failures = 0 WHERE account = ?", (account,))
        with self._database.together():
            self._audit.note(row["login"], "sign_in", row["login"], way="oidc")
            session = self._begin(row)
            if has_factor:
                self._database.write("DELETE FROM vouched_sessions WHERE digest NOT IN (SELECT digest FROM sessions)")
                self._database.write("INSERT INTO vouched_sessions VALUES (?)", (digest_of(session.secret),))
        return replace(session, must_factor=session.must_factor and not has_factor)

    def bind(self, account: int, issuer: str, subject: str, *, is_mapped: bool) -> None:
        """From now on an account is of somebody whom another server vouches for; its open links end. is_mapped: its
        roles follow what that server says."""
        row = self._database.row("SELECT login FROM accounts WHERE account = ?", (account,))
        assert row is not None
        with self._database.together():
            self._database.write(
                "INSERT INTO outside_identities VALUES (?, ?, ?, ?)", (issuer, subject, account, int(is_mapped))
            )
            self._database.write("DELETE FROM links WHERE account = ?", (account,))
            self._audit.note(row["login"], "bind_account", row["login"], after={"issuer": issuer}, way="oidc")

    def _is_bound(self, account: int) -> bool:
        return self._database.row("SELECT 1 FROM outside_identities WHERE account = ?", (account,)) is not None

    def session(self, secret: str, *, is_use: bool = True) -> Session:
        """The session of a cookie. is_use: it counts as used now. Raises NotSignedIn where there is none, it has ended,
        or the account is disabled."""
        found = self._database.row(
            "SELECT accounts.*, sessions.csrf, sessions.made AS begun, sessions.seen FROM sessions "
            "JOIN accounts USING (account) WHERE digest = ?",
            (digest_of(secret),),
        )
        now = self._now().timestamp()
        if (
            found is None
            or found["disabled"]
            or now - found["seen"] > IDLE.total_seconds()
            or now - found["begun"] > LONGEST.total_seconds()
        ):
            raise NotSignedIn(message("service.no_session"))
        if is_use and now - found["seen"] > _SEEN_APART:
            self._database.write("UPDATE sessions SET seen = ? WHERE digest = ?", (now, digest_of(secret)))
        must = _must_factor(found)
        if must:  # unless it was shown where they signed in
            asked = "SELECT 1 FROM vouched_sessions WHERE digest = ?"
            must = self._database.row(asked, (digest_of(secret),)) is None
        return Session(secret, found["csrf"], _who(found), must)

    def sign_out(self, secret: str) -> None:
        self._database.write("DELETE FROM sessions WHERE digest = ?", (digest_of(secret),))

    # tokens -------------------------------------------------------------------------------------

    def make_token(self, who: Who, name: str, scopes: Collection[str], lasts: timedelta = TOKEN) -> str:
        """A token that programs sign in with: shown once, kept as a digest. scopes: permissions that it has. Raises
        Refused for one that the account does not have."""
        unknown = sorted(set(scopes) - {p.value for p in who.permissions})
        if unknown or not scopes:
            raise Refused(message("service.wrong_scopes", scopes=", ".join(unknown) or "-"))
        if who.scopes is not None:
            raise NotAllowed(message("service.token_of_token"))
        secret = f"datong_{secrets.token_urlsafe(32)}"
        now = self._now()
        with self._database.together():
            number = self._database.add(
                "INSERT INTO tokens (digest, account, name, scopes, made, expires) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    digest_of(secret),
                    who.account,
                    name,
                    json.dumps(sorted(scopes)),
                    now.timestamp(),
                    (now + lasts).timestamp(),
                ),
            )
            self._audit.note(who.login, "make_token", f"{number} {name}", after={"scopes": sorted(scopes)})
        return secret

    def tokens(self, who: Who) -> list[dict[str, Any]]:
        """One's own tokens, without their secrets."""
        found = self._database.rows(
            "SELECT token, name, scopes, made, expires, used FROM tokens WHERE account = ? ORDER BY token",
            (who.account,),
        )
        return [row | {"scopes": json.loads(row["scopes"])} for row in found]

    def drop_token(self, who: Who, token: int) -> None:
        """Raises NotFound for one that is not one's own."""
        with self._database.together():
            if not self._database.write("DELETE FROM tokens WHERE token = ? AND account = ?", (token, who.account)):
                raise NotFound(message("service.no_token", token=token))
            self._audit.note(who.login, "drop_token", str(token))

    def end_token(self, secret: str) -> None:
        """End a token, by whoever holds it."""
        with self._database.together():
            row = self._database.row(
                "SELECT token, login FROM tokens JOIN accounts USING (account) WHERE digest = ?", (digest_of(secret),)
            )
            if row is not None:
                self._database.write("DELETE FROM tokens WHERE token = ?", (row["token"],))
                self._audit.note(row["login"], "drop_token", str(row["token"]))

    def of_token(self, secret: str) -> Who:
        """Whose token this is, with its scopes. Raises NotSignedIn."""
        found = self._database.row(
            "SELECT accounts.*, token, scopes, expires, used FROM tokens JOIN accounts USING (account) "
            "WHERE digest = ?",
            (digest_of(secret),),
        )
        now = self._now().timestamp()
        if found is None or found["disabled"] or found["expires"] < now or _must_factor(found):
            raise NotSignedIn(message("service.wrong_token"))
        if found["used"] is None or now - found["used"] > _SEEN_APART:
            self._database.write("UPDATE tokens SET used = ? WHERE token = ?", (now, found["token"]))
        return replace(_who(found), scopes=frozenset(json.loads(found["scopes"])))

    def of_account(self, account: int) -> Who | None:
        """Whose account this is; None where nobody may act by it."""
        found = self._database.row("SELECT * FROM accounts WHERE account = ?", (account,))
        if found is None or found["disabled"] or _must_factor(found):
            return None
        if found["password"] is None and not self._is_bound(account):
            return None
        return _who(found)

    def of_login(self, login: str) -> Who | None:
        """As `of_account`, by login."""
        found = self._database.row("SELECT account FROM accounts WHERE login = ?", (_plain(login),))
        return None if found is None else self.of_account(found["account"])

    # people -------------------------------------------------------------------------------------

    def is_empty(self) -> bool:
        """Whether there is no account yet."""
        return self._database.row("SELECT 1 FROM accounts") is None

    def invite(
        self,
        who: Who | None,
        login: str,
        name: str,
        roles: Sequence[str],
        firm: str | None = None,
        language: str = "en",
    ) -> str:
        """A new account without a password, and the secret of the link with which its owner sets one: shown once. who:
        None for the first administrator, whom the command line invites. Raises NotAllowed, Refused."""
        by = self._manager(who)
        _refuse_wrong(login, roles, firm, language)
        now = self._now().timestamp()
        with self._database.together():
            if self._database.row("SELECT 1 FROM accounts WHERE login = ?", (_plain(login),)):
                raise Refused(message("service.login_taken", login=login))
            account = self._database.add(
                "INSERT INTO accounts (login, name, roles, firm, language, made) VALUES (?, ?, ?, ?, ?, ?)",
                (_plain(login), name.strip() or login, json.dumps(sorted(set(roles))), firm, language, now),
            )
            self._audit.note(by, "invite", _plain(login), after={"roles": sorted(roles), "firm": firm})
            return self._link("invitation", account, INVITED)

    def reset(self, who: Who | None, login: str) -> str:
        """The secret of a link with which the owner of an account sets a new password; until then it has none, and its
        sessions and tokens are over. Raises NotAllowed, NotFound."""
        by = self._manager(who)
        row = self._row(login)
        with self._database.together():
            self._database.write(
                "UPDATE accounts SET password = NULL, factor = NULL, factor_confirmed = 0, failures = 0, "
                "locked_until = 0 WHERE account = ?",
                (row["account"],),
            )
            self._database.write("DELETE FROM outside_identities WHERE account = ?", (row["account"],))
            self._end_all(row["account"])
            self._audit.note(by, "reset", row["login"])
            return self._link("reset", row["account"], RESET)

    def accept(self, secret: str, password: str) -> Session:
        """Set a password by a link, which is used up, and sign in; the same sent twice at once is one. Raises NotFound
        for a link that is none, is used or over; Refused for a password that is too short."""
        _refuse_weak(password)
        now = self._now().timestamp()
        with self._database.together():
            row = self._database.row(
                "SELECT accounts.*, used FROM links JOIN accounts USING (account) "
                "WHERE digest = ? AND (used IS NULL OR used > ?) AND expires > ? AND NOT disabled",
                (digest_of(secret), now - TWICE_AT_ONCE.total_seconds(), now),
            )
            if row is None or (row["used"] is not None and not self._is_password(row["password"], password)):
                raise NotFound(message("service.no_link"))
            if row["used"] is not None:
                return self._begin(row)
            self._database.write("UPDATE links SET used = ? WHERE digest = ?", (now, digest_of(secret)))
            self._database.write(
                "UPDATE accounts SET password = ? WHERE account = ?", (self._hasher.hash(password), row["account"])
            )
            self._end_all(row["account"])
            self._audit.note(row["login"], "set_password", row["login"])
            return self._begin(row)

    def change_password(self, session: Session, old: str, new: str) -> Session:
        """A new password; every other session and all tokens end. Raises NotSignedIn where the old one is wrong."""
        row = self._row(session.who.login)
        if not self._is_password(row["password"], old):
            self._failed(row, self._now().timestamp())
            raise NotSignedIn(message("service.wrong_login", minutes=int(LOCKED.total_seconds() // 60)))
        _refuse_weak(new)
        with self._database.together():
            self._database.write(
                "UPDATE accounts SET password = ? WHERE account = ?", (self._hasher.hash(new), row["account"])
            )
            self._end_all(row["account"])
            self._audit.note(row["login"], "set_password", row["login"])
            return self._begin(row)

    def begin_factor(self, who: Who) -> str:
        """A new second factor, as the address that an app of one-time codes reads; it counts once it is confirmed."""
        secret = pyotp.random_base32()
        self._database.write(
            "UPDATE accounts SET factor = ?, factor_used = 0 WHERE account = ? AND factor_confirmed = 0",
            (secret, who.account),
        )
        row = self._row(who.login)
        if row["factor_confirmed"]:
            raise Refused(message("service.factor_there"))
        return pyotp.TOTP(secret).provisioning_uri(name=who.login, issuer_name="Datong")

    def confirm_factor(self, who: Who, code: str) -> None:
        """The second factor counts from now on. Raises NotSignedIn for a wrong code."""
        row = self._row(who.login)
        if row["factor_confirmed"] and self._was_code(row, code):
            return  # the same form, sent twice
        if not row["factor"] or not self._is_code(row, code):
            raise NotSignedIn(message("service.wrong_code"))
        with self._database.together():
            self._database.write("UPDATE accounts SET factor_confirmed = 1 WHERE account = ?", (who.account,))
            self._audit.note(who.login, "set_factor", who.login)

    def change(
        self,
        who: Who | None,
        login: str,
        *,
        roles: Sequence[str] | None = None,
        firm: str | None = None,
        disabled: bool | None = None,
    ) -> Account:
        """Give an account other roles (with a firm), or disable it, or let it in again. Its sessions and tokens end.
        Raises NotAllowed, NotFound, and Refused where nobody would be left to manage people."""
        by = self._manager(who)
        with self._database.together():
            row = self._row(login)
            new_roles = sorted(set(json.loads(row["roles"]) if roles is None else roles))
            new_firm = row["firm"] if roles is None else firm
            _refuse_wrong(login, new_roles, new_firm, row["language"])
            off = bool(row["disabled"]) if disabled is None else disabled
            self._database.write(
                "UPDATE accounts SET roles = ?, firm = ?, disabled = ? WHERE account = ?",
                (json.dumps(new_roles), new_firm, int(off), row["account"]),
            )
            had_one = "administrator" in json.loads(row["roles"]) and not row["disabled"]
            if had_one and not any("administrator" in a.roles and a.state != "disabled" for a in self._all()):
                raise Refused(message("service.last_administrator"))
            self._end_all(row["account"])
            before = {"roles": json.loads(row["roles"]), "firm": row["firm"], "disabled": bool(row["disabled"])}
            after = {"roles": new_roles, "firm": new_firm, "disabled": off}
            self._audit.note(by, "change_account", row["login"], before=before, after=after)
        return next(a for a in self._all() if a.login == row["login"])

    def set_factor(self, who: Who | None, login: str, is_asked: bool) -> Account:
        """Ask for a second factor, which its owner sets up before anything else; or take the one that is there away,
        of a lost phone, say, and ask for none. Their sessions end. Raises NotAllowed, NotFound."""
        by = self._manager(who)
        with self._database.together():
            row = self._row(login)
            gone = "" if is_asked else ", factor = NULL, factor_confirmed = 0, factor_used = 0"
            asked = f"UPDATE accounts SET factor_asked = ?{gone} WHERE account = ?"
            self._database.write(asked, (int(is_asked), row["account"]))
            self._end_all(row["account"])
            before = {"has_factor": bool(row["factor_confirmed"]), "is_asked": _needs_factor(row)}
            self._audit.note(by, "ask_factor" if is_asked else "drop_factor", row["login"], before=before)
        return next(a for a in self._all() if a.login == row["login"])

    def invited_by_link(self, secret: str) -> tuple[str, str] | None:
        """With what whoever has a link signs in, and the language in which they are spoken to. None: it is none."""
        found = self._database.row(
            "SELECT login, language FROM links JOIN accounts USING (account) WHERE digest = ?", (digest_of(secret),)
        )
        return None if found is None else (found["login"], found["language"])

    def set_language(self, who: Who, language: str) -> None:
        """The language in which somebody is spoken to. Raises Refused for another than 'en' and 'zh'."""
        if language not in LANGUAGES:
            raise Refused(message("service.wrong_language", language=language, languages=", ".join(LANGUAGES)))
        self._database.write("UPDATE accounts SET language = ? WHERE account = ?", (language, who.account))

    def accounts(self, who: Who | None) -> list[Account]:
        """Every account. who: None for the command line. Raises NotAllowed."""
        self._manager(who)
        return self._all()

    def _all(self) -> list[Account]:
        now = self._now().timestamp()
        bound = "EXISTS (SELECT 1 FROM outside_identities WHERE account = accounts.account) AS is_bound"
        rows = self._database.rows(f"SELECT accounts.*, {bound} FROM accounts ORDER BY account")
        return [_account(row, now) for row in rows]

    def _manager(self, who: Who | None) -> str:
        if who is None:
            return BY_COMMAND_LINE
        who.require(Permission.MANAGE_PEOPLE)
        return who.login

    def _row(self, login: str) -> dict[str, Any]:
        row = self._database.row("SELECT * FROM accounts WHERE login = ?", (_plain(login),))
        if row is None:
            raise NotFound(message("service.no_account", login=login))
        return row

    def _link(self, kind: str, account: int, lasts: timedelta) -> str:
        secret = secrets.token_urlsafe(24)
        self._database.write("DELETE FROM links WHERE account = ?", (account,))
        expires = (self._now() + lasts).timestamp()
        self._database.write("INSERT INTO links VALUES (?, ?, ?, ?, NULL)", (digest_of(secret), kind, account, expires))
        return secret

    def _end_all(self, account: int) -> None:
        for table in ("sessions", "tokens"):
            self._database.write(f"DELETE FROM {table} WHERE account = ?", (account,))


def digest_of(secret: str) -> str:
    """What is kept of a secret that is itself random."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _plain(login: str) -> str:
    return login.strip().lower()


def _who(row: dict[str, Any]) -> Who:
    roles = tuple(json.loads(row["roles"]))
    return Who(row["account"], row["login"], row["name"], roles, row["firm"], None, row["language"])


def _must_factor(row: dict[str, Any]) -> bool:
    return _needs_factor(row) and not row["factor_confirmed"]


def _needs_factor(row: dict[str, Any]) -> bool:
    return bool(row["factor_asked"]) or "administrator" in json.loads(row["roles"])


def _account(row: dict[str, Any], now: float) -> Account:
    if row["disabled"]:
        state = "disabled"
    elif row["locked_until"] > now:
        state = "locked"
    else:
        state = "invited" if row["password"] is None and not row["is_bound"] else "active"
    roles = tuple(json.loads(row["roles"]))
    has_factor = bool(row["factor_confirmed"])
    must_factor = _needs_factor(row)
    told = (row["account"], row["login"], row["name"], roles, row["firm"], row["language"])
    return Account(*told, state, has_factor, must_factor)


def _refuse_wrong(login: str, roles: Sequence[str], firm: str | None, language: str) -> None:
    if not LOGIN.fullmatch(login.strip()):
        raise Refused(message("service.wrong_name", login=login))
    unknown = sorted(set(roles) - ROLES.keys())
    if unknown or not roles:
        raise Refused(message("service.wrong_roles", roles=", ".join(unknown) or "-", there=", ".join(ROLES)))
    if language not in LANGUAGES:
        raise Refused(message("service.wrong_language", language=language, languages=", ".join(LANGUAGES)))
    of_a_firm = OF_A_FIRM & set(roles)
    if of_a_firm and (firm is None or set(roles) - OF_A_FIRM):
        raise Refused(message("service.firm_needed", role=", ".join(sorted(of_a_firm))))
    if firm is not None and not of_a_firm:
        raise Refused(message("service.firm_not_needed", firm=firm))


def _refuse_weak(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refused(message("service.weak_password", least=SHORTEST_PASSWORD, most=LONGEST_PASSWORD))
