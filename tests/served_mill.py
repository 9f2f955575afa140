"""A served mill, a clock that the test turns, quick password hashes, and people of every role."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
from argon2 import PasswordHasher

from datong.app.service.accounts import Session
from datong.app.service.served_chain import Served, serve
from made_once import lay
from mill import write
from shop import write_shop
from two_firms import two_firms_given_out

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "a long sentence to remember"


class Clock:
    """Now, as the test says."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def later(self, **by: float) -> None:
        self.moment += timedelta(**by)


def new_mill(folder: Path) -> None:
    """A mill that was served and closed again before anybody came."""
    serve_at(write(folder / "mill"), Clock()).close()


def planned_shop(folder: Path) -> None:
    """A chain with half a year of sales and one kept run, closed again."""
    one = serve_at(write_shop(folder / "shop"), Clock())
    one.chain_thread.write("plan@works", lambda chain: chain.run())
    one.close()


def firms_given_out(folder: Path) -> None:
    """A mill with two firms, whose orders were given out."""
    two_firms_given_out(folder / "mill", Clock())


def serve_mill(folder: Path, clock: Clock) -> Served:
    """A new mill, or the one that is there, served."""
    if not (folder / "mill").exists():
        lay(new_mill, folder)
    return serve_at(folder / "mill", clock)


def serve_shop(folder: Path, clock: Clock) -> Served:
    return serve_at(lay(planned_shop, folder) / "shop", clock)


def serve_firms(folder: Path, clock: Clock) -> Served:
    return serve_at(lay(firms_given_out, folder) / "mill", clock)


def serve_at(chain: Path, clock: Clock) -> Served:
    """A chain served, its people beside it."""
    return serve(chain, chain.parent / "database" / "people.sqlite", clock, hasher=QUICK)


def session_of(served: Served, role: str, firm: str | None = None, language: str = "en", login: str = "") -> Session:
    """Somebody of a role, signed in; an administrator with a second factor."""
    login = login or f"{role}{'' if firm is None else '.' + firm.lower().replace(' ', '-')}@works"
    begun = served.people.accept(served.people.invite(None, login, role, [role], firm, language), PASSWORD)
    if role == "administrator":
        secret = pyotp.parse_uri(served.people.begin_factor(begun.who)).secret
        served.people.confirm_factor(begun.who, pyotp.TOTP(secret).at(served.now()))
    return served.people.session(begun.secret)
