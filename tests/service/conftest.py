"""A served chain for the tests of this folder: a small mill, a clock that the test turns, and quick password hashes."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from datong.app.service.served import Served, serve
from mill import write

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
