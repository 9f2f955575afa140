"""A served chain for the tests of this folder: a small mill, a clock that the test turns, and quick password hashes."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served
from served_mill import QUICK, Clock, serve_mill, serve_shop

__all__ = ["QUICK", "Clock"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Generator[Served]:
    one = serve_mill(tmp_path, clock)
    yield one
    one.close()


@pytest.fixture
def shop(tmp_path: Path, clock: Clock) -> Generator[Served]:
    """A chain with half a year of sales and one kept run."""
    one = serve_shop(tmp_path, clock)
    yield one
    one.close()


@pytest.fixture
def audited(shop: Served) -> Callable[[], list[str]]:
    """What was noted of the shop so far."""
    auditor = Who(9, "audit@works", "", ("auditor",))
    return lambda: [entry["what"] for entry in shop.audit.entries(auditor)]
