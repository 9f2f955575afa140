"""The API of a served mill, and people of it."""

from collections.abc import Generator
from pathlib import Path

import pytest
from fastapi import FastAPI

from datong.app.service.served_chain import Served
from rest_client import Client, application
from served_mill import Clock, serve_firms, serve_mill, serve_shop, session_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def served(tmp_path: Path, clock: Clock) -> Generator[Served]:
    one = serve_mill(tmp_path, clock)
    yield one
    one.close()


@pytest.fixture
def app(served: Served) -> FastAPI:
    return application(served)


@pytest.fixture
def nobody(app: FastAPI) -> Client:
    return Client(app)


@pytest.fixture
def planner(app: FastAPI, served: Served) -> Client:
    return Client(app, session_of(served, "planner"))


@pytest.fixture
def administrator(app: FastAPI, served: Served) -> Client:
    return Client(app, session_of(served, "administrator"))


@pytest.fixture
def shop(tmp_path: Path, clock: Clock) -> Generator[Served]:
    """A chain with half a year of sales and one kept run."""
    one = serve_shop(tmp_path / "a shop", clock)
    yield one
    one.close()


@pytest.fixture
def firms(tmp_path: Path, clock: Clock) -> Generator[Served]:
    """A mill with two firms, whose orders were given out."""
    one = serve_firms(tmp_path / "firms", clock)
    yield one
    one.close()


@pytest.fixture
def planned(served: Served) -> Served:
    """The mill with a plan of which nothing is given out."""
    served.chain_thread.write("plan@works", lambda chain: chain.run())
    return served
