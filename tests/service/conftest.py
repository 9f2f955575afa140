"""A served chain for the tests of this folder: a small mill, a clock that the test turns, and quick password hashes."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from datong.app.service.permissions import Who
from datong.app.service.served import Served, serve
from mill import write
from shop import write_shop

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Clock:
    """Now, as the test says."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def later(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Generator[Served]:
    one = serve(write(tmp_path / "mill"), tmp_path / "desk" / "people.sqlite", clock, hasher=QUICK)
    yield one
    one.close()


@pytest.fixture
def shop(tmp_path: Path, clock: Clock) -> Generator[Served]:
    """A chain with half a year of sales and one kept run."""
    one = serve(write_shop(tmp_path / "shop"), tmp_path / "desk" / "people.sqlite", clock, hasher=QUICK)
    one.keeper.write("plan@works", lambda chain: chain.run())
    yield one
    one.close()


@pytest.fixture
def audited(shop: Served) -> Callable[[], list[str]]:
    """What was noted of the shop so far."""
    auditor = Who(9, "audit@works", "", ("auditor",))
    return lambda: [entry["what"] for entry in shop.audit.entries(auditor)]
