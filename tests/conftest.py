"""Options of the whole suite."""

import gc
import multiprocessing
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

from datong.model import words

# A slow machine is no fault of an example; the same examples come each time.
slow = [HealthCheck.too_slow]
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=slow)
settings.load_profile("suite")

# What several folders of tests build on lies beside this file: small_chain, mill.
sys.path.insert(0, str(Path(__file__).parent))


from searched import searched_anew, searched_once, share  # noqa: E402

__all__ = ["searched_anew"]

# Temporary folders lie in memory where it has that much room (in bytes): tests wait for no disk.
MEMORY, ROOM = Path("/dev/shm"), 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("basetemp") is None and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests, some 700,000 objects, stay to the end: they are not looked through again and again for what is
    garbage. What tests make is."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def every_place_is_filled() -> None:
    """A text that lacks a place fails the test in which it is said."""

    def fail(_places: words.Places, name: str) -> words.OpenPlace:
        raise KeyError(name)

    words.Places.__missing__ = fail  # ty: ignore[invalid-assignment]


@pytest.fixture(scope="session", autouse=True)
def servers_end() -> Iterator[None]:
    """The PostgreSQL server that some test started goes with the tests."""
    yield
    started = sys.modules.get("postgres_server")  # which few tests import
    if started is not None and started.server.cache_info().currsize:
        started.server().stop()


@pytest.fixture(scope="session", autouse=True)
def jobs_begin_at_once() -> Iterator[None]:
    """Processes of a server's jobs need not import it all anew. Of a whole new one: tests/service/test_jobs.py."""
    from datong.app.service import jobs
    from quick_processes import context

    processes = SimpleNamespace(**vars(multiprocessing) | {"get_context": lambda _spawn: context()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "multiprocessing", processes)
        yield


@pytest.fixture(scope="session", autouse=True)
def lots_are_known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Searches for lots at which nobody looks are made once, whichever process of the tests makes them."""
    own = tmp_path_factory.getbasetemp()
    share((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "lots")
    with searched_once(watched=False):
        yield


@contextmanager
def pages_taken_away() -> Iterator[None]:
    """NiceGUI has one application in a process, to which every server adds its pages: it is left as it was found, with
    the pages and layers that it had, and not begun, so that another server can add its own."""
    found = pages_there()
    before = None if found is None else tuple(map(list, found))
    yield
    there = pages_there()
    if there is not None:
        sys.modules["nicegui.core"].app.middleware_stack = None
        for mine, kept in zip(
            there, before or ([one for one in there[0] if one.path.startswith("/_nicegui")], []), strict=True
        ):
            mine[:] = kept


def pages_there() -> tuple[list, list] | None:
    """Addresses and layers of NiceGUI's application; None where nobody imported it."""
    core = sys.modules.get("nicegui.core")
    return None if core is None else (core.app.router.routes, core.app.user_middleware)


@pytest.fixture(scope="module", autouse=True)
def pages_of_a_module() -> Iterator[None]:
    with pages_taken_away():
        yield


@pytest.fixture(autouse=True)
def pages_of_a_test() -> Iterator[None]:
    with pages_taken_away():
        yield


@pytest.fixture(autouse=True)
def files_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests drop whole files: nobody waits for their writers."""
    monkeypatch.setattr("datong.connectors.filedrop.inbox.QUIET_SECONDS", 0.0)


@pytest.fixture(scope="session", autouse=True)
def new_ledgers_are_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where a chain has no ledger it gets a copy of one that was made once. How one is made is for those of tests/store
    that are about DuckDB alone, which make each of their own, and for tests/faults, whose commands are processes."""
    from datong.store import duckdb_ledger

    made = tmp_path_factory.mktemp("new-ledger") / "ledger.duckdb"
    duckdb_ledger._create(made)
    content = made.read_bytes()

    def copy(path: Path) -> None:
        fresh = path.with_name(f"{path.name}.copy.new")
        fresh.write_bytes(content)
        with suppress(FileExistsError):
            duckdb_ledger._place(fresh, path)
        duckdb_ledger._clear(fresh)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_ledger, "_create", copy)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="write the expected tables of the scenarios anew")
