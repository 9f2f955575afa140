"""The API of a served mill, and people of it."""

from collections.abc import Generator
from pathlib import Path

import pytest
from fastapi import FastAPI

from datong.app.service.served import Served
from rest_client import Client, application
from served_mill import Clock, serve_mill, session_of


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
