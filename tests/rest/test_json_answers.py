"""Answers of the service as JSON has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi import APIRouter, FastAPI

from datong.app.rest.application import PREFIX
from datong.app.rest.around_every_call import Open
from datong.app.rest.json_answers import plain, shape
from datong.model.findings import Finding, finding
from datong.model.words import Message, message
from rest_client import Client

SAID = message("service.no_job", job="J")


@dataclass(frozen=True)
class Part:
    """A part. share: of the whole."""

    share: float


@dataclass(frozen=True, eq=False)
class Whole:
    """All that an answer may have."""

    table: pa.Table
    text: Message
    either: Message | str
    parts: tuple[Part, ...]
    pair: tuple[int, str]
    by_name: Mapping[str, tuple[str, ...]]
    values: np.ndarray
    day: date | None
    at: datetime
    found: tuple[Finding, ...]
    anything: Mapping[str, Any]


ANSWER = Whole(
    table=pa.table({"x": [1.5, float("nan"), None], "day": [date(2026, 3, 2)] * 3, "ids": [["a"], [], None]}),
    text=SAID,
    either="told",
    parts=(Part(float("inf")), Part(0.5)),
    pair=(1, "a"),
    by_name={"a": ("b", "c")},
    values=np.array([1.0, np.nan]),
    day=None,
    at=datetime(2026, 3, 2, 9, tzinfo=UTC),
    found=(finding("error", "check.no_products", "chain"),),
    anything={"share": np.float64(0.5), "many": frozenset({"a"}), "text": SAID},
)
TEXTS = {"en": "There is no job J.", "zh": "没有任务 J。"}


def test_what_the_service_says_becomes_json_with_its_shape() -> None:
    """Over the framework, too: no number that JSON does not know comes out."""
    router, app = APIRouter(route_class=Open), FastAPI()
    router.add_api_route(f"{PREFIX}/whole", lambda: plain(ANSWER), methods=["GET"], response_model=shape(Whole))
    app.include_router(router)
    told = Client(app).get("/whole").json()
    assert told.pop("found")[0]["texts"]["zh"].startswith("错误")
    assert told == {
        "table": [
            {"x": 1.5, "day": "2026-03-02", "ids": ["a"]},
            {"x": None, "day": "2026-03-02", "ids": []},
            {"x": None, "day": "2026-03-02", "ids": None},
        ],
        "text": TEXTS,
        "either": "told",
        "parts": [{"share": None}, {"share": 0.5}],
        "pair": [1, "a"],
        "by_name": {"a": ["b", "c"]},
        "values": [1.0, None],
        "day": None,
        "at": "2026-03-02T09:00:00Z",
        "anything": {"share": 0.5, "many": ["a"], "text": TEXTS},
    }


def test_the_shape_says_what_the_docstring_says() -> None:
    schema = shape(Whole).model_json_schema()
    assert schema["description"] == "All that an answer may have." and len(schema["required"]) == 11
    assert schema["$defs"]["Part"]["properties"]["share"]["anyOf"] == [{"type": "number"}, {"type": "null"}]


def test_what_has_no_form_is_an_error() -> None:
    with pytest.raises(TypeError):
        plain(object())
