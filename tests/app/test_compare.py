"""What differs between two runs, checked by hand on small tables."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from io import BytesIO, StringIO
from typing import Any

import pyarrow as pa
import pytest
import python_calamine

from datong.app.cli.terminal import make_console, show_comparison
from datong.app.report.run_workbook import comparison_bytes
from datong.balance.clearing_tables import GAPS_SCHEMA
from datong.ledger.state import in_state_schema, state_of_tables
from datong.model.settings import ChainSettings
from datong.questions.compare import (
    Comparison,
    Side,
    changed_rows,
    compare,
    cost_changes,
    demand_changes,
    forecast_changes,
    order_changes,
    price_changes,
    setting_changes,
)
from datong.questions.tables_out import ORDERS_SCHEMA

SETTINGS = ChainSettings("mill", currency="CNY")
AS_OF = datetime(2026, 1, 5, tzinfo=UTC)


def lines(**hours: float | None) -> pa.Table:
    rows = [{"row_id": f"lines:{n}", "line": n, "hours_per_week": h, "known_at": AS_OF} for n, h in hours.items()]
    return in_state_schema("lines", pa.Table.from_pylist(rows))


def order(number: str, units: float, start: int, due: int, product: str = "P", **other: Any) -> dict[str, Any]:
    days = {"start": date(2026, 1, start), "due": date(2026, 1, due), "needed_by": date(2026, 1, due)}
    fixed = {"kind": "make", "recipe": f"{product}/1", "offer": None, "line": "L", "locked": False}
    return {
        **fixed,
        "order": number,
        "product": product,
        "units": units,
        "cost": 2 * units,
        "value": 0.0,
        **days,
        **other,
    }


def orders(*rows: Mapping[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ORDERS_SCHEMA)


def gaps(*rows: tuple[str, int, float, float, float]) -> pa.Table:
    """product, day of its bucket; of what is due there: demand, late (by a bucket), lost."""
    units = {
        "demand_units": [r[2] for r in rows],
        "on_time_units": [r[2] - r[3] - r[4] for r in rows],
        "late_units": [r[3] for r in rows],
        "lost_units": [r[4] for r in rows],
        "waiting_units": [r[3] for r in rows],
    }
    named = {"product": [r[0] for r in rows], "bucket": [date(2026, 1, r[1]) for r in rows]}
    other = {name: pa.nulls(len(rows), GAPS_SCHEMA.field(name).type) for name in GAPS_SCHEMA.names}
    columns = {**other, **named, **units, "market": ["all"] * len(rows), "binding": [""] * len(rows)}
    return pa.table(columns, schema=GAPS_SCHEMA)


def prices(*rows: tuple[str, str, int, float, float, float | None]) -> pa.Table:
    """what, name, day of its bucket, price, used, available."""
    return pa.table(
        {
            "what": [r[0] for r in rows],
            "name": [r[1] for r in rows],
            "bucket": [date(2026, 1, r[2]) for r in rows],
            "price": [r[3] for r in rows],
            "unit": ["hour"] * len(rows),
            "used": [r[4] for r in rows],
            "available": pa.array([r[5] for r in rows], pa.float64()),
        }
    )


def forecast(**means: float) -> pa.Table:
    return pa.table(
        {
            "bucket": [date(2026, 1, int(day[1:])) for day in means],
            **{n: list(means.values()) for n in ("mean_units", "q10_units", "q50_units", "q90_units")},
        }
    )


def cost(**money: float) -> pa.Table:
    return pa.table({"term": list(money), "money": list(money.values())})


# what went in --------------------------------------------------------------------------------------


def test_rows_only_in_one_and_cells_that_differ() -> None:
    """L gets 50 for 40 hours, N loses its hours; M is in A only, O in B only. When a row was known is no difference."""
    a, b = lines(L=40.0, M=10.0, N=5.0, K=1.0), lines(N=None, K=1.0, L=50.0, O=7.0)
    b = b.set_column(b.column_names.index("known_at"), "known_at", pa.nulls(4, b.schema.field("known_at").type))
    found = [
        tuple(r[n] for n in ("row_id", "change", "column", "text_a", "text_b")) for r in changed_rows("lines", a, b)
    ]
    assert found == [
        ("lines:L", "changed", "hours_per_week", "40", "50"),
        ("lines:M", "removed", None, None, None),
        ("lines:N", "changed", "hours_per_week", "5", None),
        ("lines:O", "added", None, None, None),
    ]
    assert changed_rows("lines", a, a) == []
    assert changed_rows("lines", a.slice(0, 0), a.slice(0, 1))[0]["change"] == "added"


def test_settings_that_differ() -> None:
    a = {"seed": 0, "start": None, "defaults": {"price": 1.0, "cost_share": 0.7}}
    b = {"seed": 0, "start": "2026-01-05", "defaults": {"price": 1.0, "cost_share": 0.6}}
    assert setting_changes(a, b).to_pylist() == [
        {"setting": "defaults.cost_share", "text_a": "0.7", "text_b": "0.6"},
        {"setting": "start", "text_a": "", "text_b": "2026-01-05"},
    ]
    assert setting_changes(None, b).num_rows == 0


# what came out -------------------------------------------------------------------------------------


def test_cost_by_term_and_in_all() -> None:
    """A: 100 + 20 - 5 = 115; B: 80 + 30 = 110; B - A = -5."""
    found = cost_changes(cost(production=100, late=20, salvage=-5), cost(production=80, late=20, purchase=10))
    rows = [tuple(r.values()) for r in found.to_pylist()]
    assert rows == [
        ("production", 100, 80, -20),
        ("late", 20, 20, 0),
        ("salvage", -5, 0, 5),
        ("purchase", 0, 10, 10),
        ("total", 115, 110, -5),
    ]


def test_orders_are_paired_by_what_they_are_and_not_by_their_numbers() -> None:
    """Of P: the 100 of the 5th stay, those of the 12th become 80, the 60 of the 19th go to the 20th, the 30 of the 26th
    become 35 on the 28th. Q is made in A only; its like from another recipe in B is another order.
    """
    a = orders(
        order("W1", 100, 5, 5), order("W2", 100, 12, 12), order("W3", 60, 19, 19), order("W4", 30, 26, 26),
        order("W5", 9, 5, 5, "Q"),
    )  # fmt: skip
    b = orders(
        order("W9", 9, 5, 5, "Q", recipe="Q/2"), order("W1", 60, 20, 20), order("W2", 35, 28, 28),
        order("W3", 100, 5, 5), order("W4", 80, 12, 12), order("W5", 7, 30, 30),
    )  # fmt: skip
    found = order_changes(a, b, SETTINGS.calendar.bucket_start).to_pylist()
    columns = ("change", "product", "order_a", "order_b", "units_a", "units_b")
    assert [tuple(r[n] for n in columns) for r in found] == [
        ("same", "P", "W1", "W3", 100, 100),
        ("resized", "P", "W2", "W4", 100, 80),
        ("moved", "P", "W3", "W1", 60, 60),
        ("moved_resized", "P", "W4", "W2", 30, 35),
        ("added", "P", None, "W5", None, 7),
        ("removed", "Q", "W5", None, 9, None),
        ("added", "Q", None, "W9", None, 9),
    ]
    assert (found[2]["start_a"], found[2]["due_b"], found[2]["cost_a"]) == (date(2026, 1, 19), date(2026, 1, 20), 120)


def test_an_order_stays_with_its_like_before_it_is_said_to_have_moved() -> None:
    """One more of the same size in front: it was added, and the two behind it did not move."""
    a = orders(order("W1", 50, 12, 12), order("W2", 50, 19, 19))
    b = orders(order("W1", 50, 5, 5), order("W2", 50, 12, 12), order("W3", 50, 19, 19))
    assert [(r["change"], r["order_b"]) for r in order_changes(a, b, SETTINGS.calendar.bucket_start).to_pylist()] == [
        ("added", "W1"),
        ("same", "W2"),
        ("same", "W3"),
    ]


def test_a_buy_is_paired_by_its_offer() -> None:
    a = orders(order("B1", 5, 5, 9, "M", kind="buy", recipe=None, offer="O1"))
    b = orders(order("B1", 5, 5, 9, "M", kind="buy", recipe=None, offer="O2"))
    assert [r["change"] for r in order_changes(a, b, SETTINGS.calendar.bucket_start).to_pylist()] == [
        "removed",
        "added",
    ]


def test_demand_by_product() -> None:
    """A: of 100 + 100, 30 wait at the end of the first week and 10 are turned away in the second: 70 + 90 on time, 10
    unserved, the other 30 late. B: all on time. Q is wanted in B only.
    """
    a = gaps(("P", 5, 100, 30, 0), ("P", 12, 100, 0, 10), ("P", 19, 0, 0, 0))
    b = gaps(("P", 5, 100, 0, 0), ("P", 12, 100, 0, 0), ("P", 19, 0, 0, 0), ("Q", 5, 7, 0, 7), ("Q", 12, 0, 0, 0))
    p, q = demand_changes(a, b).to_pylist()
    assert (p["demand_units_a"], p["demand_units_b"]) == (200, 200)
    assert (p["on_time_units_a"], p["late_units_a"], p["lost_units_a"]) == (160, 30, 10)
    assert (p["on_time_units_b"], p["late_units_b"], p["lost_units_b"]) == (200, 0, 0)
    assert (q["product"], q["demand_units_a"], q["lost_units_b"]) == ("Q", None, 7)


def test_prices_of_what_is_scarce_in_either() -> None:
    """L: 12 and 0 with 60 of 80 hours in A, never scarce with 60 of 120 in B. K is not scarce in any."""
    a = prices(("line", "L", 5, 12, 40, 40), ("line", "L", 12, 0, 20, 40), ("line", "K", 5, 0, 1, 9))
    b = prices(("line", "L", 5, 0, 40, 60), ("line", "L", 12, 0, 20, 60), ("offer", "O", 5, 3, 5, None))
    line, offer = price_changes(a, b).to_pylist()
    assert line == {
        "what": "line", "name": "L", "highest_price_a": 12, "scarce_buckets_a": 1, "used_share_a": 0.75,
        "highest_price_b": 0, "scarce_buckets_b": 0, "used_share_b": 0.5,
    }  # fmt: skip
    assert (offer["name"], offer["highest_price_a"], offer["highest_price_b"]) == ("O", None, 3)
    assert offer["used_share_b"] is None


def test_forecasts_of_other_buckets_stand_beside_one_another() -> None:
    found = forecast_changes(forecast(d5=10.0, d12=20.0), forecast(d12=21.0, d19=30.0)).to_pylist()
    assert [(r["bucket"].day, r["mean_units_a"], r["mean_units_b"]) for r in found] == [
        (5, 10, None),
        (12, 20, 21),
        (19, None, 30),
    ]


# all of it -----------------------------------------------------------------------------------------


def side(name: str, run: str, hours: float, **other: Any) -> Side:
    state = state_of_tables(SETTINGS, AS_OF, {"lines": lines(L=hours)})
    tables = {
        "cost": cost(production=1000 * hours),
        "orders": orders(order("W1", 10 * hours, 5, 5)),
        "gaps": gaps(("P", 5, 500, 500 - 10 * hours, 0), ("P", 12, 0, 0, 0)),
        "prices": prices(("line", "L", 5, 90 - hours, hours, hours)),
        "forecast_total": forecast(d5=500.0),
        "learnt_used": pa.table({"what": other.get("learnt", [])}),
    }
    return Side(name, None if name == "main" else name, run, AS_OF, other.get("seed", 0), {"seed": 0}, state, tables)


@pytest.fixture
def comparison() -> Comparison:
    return compare(side("main", "R20260105-00000000", 40), side("加班", "R20260105-11111111", 48), SETTINGS)


def shown(comparison: Comparison) -> str:
    """What `datong compare` prints."""
    sink = StringIO()
    show_comparison(comparison, "en", make_console(sink))
    return sink.getvalue().rstrip()


def test_a_comparison_says_what_matters_on_one_screen(comparison: Comparison) -> None:
    text = shown(comparison)
    assert len(text.splitlines()) < 50
    for said in (
        "lines:L: hours_per_week 40 → 48",
        "+8,000",
        "1 resized",
        "加班: run R20260105-11111111",
        "400",
        "480",
    ):
        assert said in text, said
    assert comparison.orders.arrow.num_rows == 1


def test_the_same_run_says_so(comparison: Comparison) -> None:
    assert "same run" in shown(compare(comparison.a, comparison.a, SETTINGS))
    other_seed = compare(comparison.a, side("b", "R20260105-22222222", 40, seed=9), SETTINGS)
    assert "seeds" in shown(other_seed)
    assert "learnt from different" not in shown(other_seed)
    learnt = compare(comparison.a, side("b", "R20260105-33333333", 40, learnt=["yield_share"]), SETTINGS)
    assert "learnt from different" in shown(learnt)
    assert "The same rows and settings went in." in shown(other_seed)


def test_a_comparison_as_a_workbook(comparison: Comparison) -> None:
    content = comparison_bytes(comparison, "zh")
    assert content == comparison_bytes(comparison, "zh")
    book = python_calamine.CalamineWorkbook.from_filelike(BytesIO(content))
    assert len(book.sheet_names) == len(comparison.tables)
    head, row = book.get_sheet_by_name("工单与采购单").to_python()
    assert head[:3] == ["变化", "类型", "产品"]
    assert "A · 数量（件）" in head
    assert row[:3] == ["改量", "生产", "P"]
