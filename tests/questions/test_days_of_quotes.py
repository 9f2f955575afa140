"""The days of a quote: none is closed, none lies before its start; and lateness that its price leaves out."""

from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from datong.app.wording.names import Names
from datong.app.wording.quotes import quote_lines
from datong.ledger.state import in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.questions.quote import Order, QuoteResult, quote

MONDAY = date(2026, 6, 1)
CHAIN = ChainSettings("t", horizon_buckets=4, path_count=1, time_zone="UTC")


def box(**more: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """X takes half an hour, and is there a day after it is begun; nobody works in the second week."""
    closed = {"calendar": "C", "from": date(2026, 6, 8), "to": date(2026, 6, 15), "open": False}
    recipe = {"recipe": "R", "product": "X", "line": "L", "hours_per_unit": 0.5, "cost_per_unit": 5.0, "lead_days": 1.0}
    return {
        "products": [{"product": "X", "price": 50.0, "kind": "finished"}],
        "calendars": [{"calendar": "C"}],
        "calendar_days": [closed],
        "sites": [{"site": "H", "kind": "factory", "calendar": "C"}],
        "lines": [{"line": "L", "site": "H", "hours_per_week": 40.0}],
        "recipes": [recipe],
        "stock": [{"happened_at": datetime.combine(MONDAY, time()), "site": "H", "product": "X", "units": 0.0}],
        "demand": [
            {"demand": "D1", "product": "X", "due": date(2026, 6, 17), "units": 20.0},
            {"demand": "D2", "product": "X", "due": date(2026, 6, 18), "units": 10.0},
        ],
    } | more


def asked(rows: dict[str, list[dict[str, Any]]], buckets: int = 4) -> QuoteResult:
    tables = {}
    for name, own in rows.items():
        columns = sorted({column for row in own for column in row})
        tables[name] = in_state_schema(name, pa.table({c: [row.get(c) for row in own] for c in columns}))
    chain = ChainSettings("t", horizon_buckets=buckets, path_count=1, time_zone="UTC")
    state = state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)
    return quote(state, nothing_learnt(), 0, Order("X", 5.0, date(2026, 6, 10)))


def test_no_way_arrives_on_a_closed_day_or_before_it_begins() -> None:
    """What is of use from the closed week on is there on the Friday before it; what others wait for names no start."""
    found = asked(box())
    rows = found.tables["alternatives"].to_pylist() + found.tables["weeks"].to_pylist()
    assert {row["kind"] for row in rows} >= {"make", "displace"}
    for row in rows:
        if row["arrives"] is not None:
            assert row["arrives"].weekday() < 5 and not date(2026, 6, 8) <= row["arrives"] < date(2026, 6, 15), row
            assert row["start"] is None or row["start"] < row["arrives"], row
    assert (rows[0]["start"], rows[0]["arrives"]) == (MONDAY, date(2026, 6, 5))
    assert found.summary["there_on"] == found.summary["earliest"] == "2026-06-05"


def test_lateness_that_the_price_leaves_out_is_said() -> None:
    """What X takes comes on Friday: begun then it is there after the shutdown, and the plan of two weeks counts it on
    time."""
    part = {"product": "M", "price": 4.0, "kind": "material"}
    bought = {"order": "PO", "kind": "buy", "product": "M", "units": 90.0}
    rows = box(
        components=[{"product": "X", "component": "M", "units_per_unit": 1.0}],
        offers=[{"offer": "O", "product": "M", "price": 4.0, "lead_days": 28.0}],
        orders=[bought | {"start": MONDAY - timedelta(days=9), "due": MONDAY + timedelta(days=4)}],
        demand=[{"demand": "D1", "product": "X", "due": date(2026, 6, 10), "units": 5.0}],
    )
    rows["products"].append(part)
    found = asked(rows, buckets=2)
    assert found.summary["there_on"] == "2026-06-15"
    for language, words in (("en", "its cost has nothing for that"), ("zh", "成本未计这一延误")):
        said = " ".join(quote_lines(found.summary, CHAIN, Names({"products": found.products}), language))
        assert words in said, said
