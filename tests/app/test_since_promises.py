"""Since the last plan: whose promise changed, what was shipped and counted, and which planned orders really moved."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

import datong
from datong.app.clock import parse_moment
from datong.model.settings import ChainSettings
from datong.questions.compare import order_changes
from datong.questions.tables_out import message_of

FILES = {
    "chain.toml": 'name = "works"\nstart = 2026-01-05\nhorizon_buckets = 6\n',
    "products.csv": "product,price\nA,100\nB,1\n",
    "lines.csv": "line,hours_per_week\nL,10\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\nA/L,A,L,1,2\n",
    "demand.csv": "demand,product,due,units\nD1,A,2026-01-09,15\nD2,A,2026-01-16,10\nD3,A,2026-02-13,2\n",
    "shipments.csv": "shipment,product,units,happened_at,order\nS0,A,1,2025-12-01,OLD\n",
}


def test_whose_promise_changed(tmp_path: Path) -> None:
    """10 hours a week. The first plan has 10 of D1 on time and 5 a week late, 5 of D2 on time and 5 a week late. Only 4
    are shipped for it, and one that names no order, which the oldest is taken to have got; nothing lies there a week
    later: the 10 of D1 that are left come in the second week, and all of D2 waits a week. D3 is as it was."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with datong.open(tmp_path) as chain:
        chain.run(parse_moment("2026-01-05", chain.settings))
    more = "S1,A,4,2026-01-08,D1\nS2,A,1,2026-01-08,\n"
    (tmp_path / "shipments.csv").write_text(FILES["shipments.csv"] + more, encoding="utf-8")
    counts = "happened_at,product,units\n2026-01-11,A,0\n2026-01-11,B,0\n"
    (tmp_path / "stock.csv").write_text(counts, encoding="utf-8")
    with datong.open(tmp_path) as chain:
        table = chain.run(parse_moment("2026-01-12", chain.settings)).tables["since"]
    rows = [r | {"text": message_of(r["text_key"], r["text_params"]).text("en")} for r in table.to_pylist()]
    promises = [r for r in rows if r["part"] == "promises"]
    assert [(r["kind"], r["subject"]) for r in promises] == [("later", "D1"), ("later", "D2")]
    assert promises[0]["text"] == (
        "D1: 10 of A due 2026-01-09: now 10 late, by the week of 2026-01-12;"
        " before, 5 on time, 5 late, by the week of 2026-01-12"
    )
    came = {r["kind"]: r["text"] for r in rows if r["part"] == "came_back"}
    assert came["shipped"] == "D1: 4 of 15 of A shipped, due 2026-01-09"
    assert came["shipped_unnamed"] == "1 shipment without the number of a customer's order"
    assert "B" in came["counted_as_recorded"]


@pytest.mark.parametrize(
    ("start", "due", "units", "kind"),
    [
        ("2026-01-05", "2026-01-09", 5.0, "same"),
        ("2026-01-05", "2026-01-16", 5.0, "due_moved"),
        ("2026-01-05", "2026-01-16", 6.0, "resized"),
        ("2026-01-12", "2026-01-16", 5.0, "moved"),
        ("2026-01-12", "2026-01-16", 6.0, "moved_resized"),
    ],
)
def test_an_order_that_starts_as_before_has_not_moved(start: str, due: str, units: float, kind: str) -> None:
    columns = {"order": "W", "kind": "make", "product": "A", "recipe": "A/L", "offer": None, "line": "L", "cost": 1.0}
    days = [date.fromisoformat(day) for day in ("2026-01-05", "2026-01-09", start, due)]
    was = pa.Table.from_pylist([columns | {"units": 5.0, "start": days[0], "due": days[1]}])
    now = pa.Table.from_pylist([columns | {"units": units, "start": days[2], "due": days[3]}])
    (change,) = order_changes(was, now, ChainSettings("works").calendar.bucket_start).to_pylist()
    assert change["change"] == kind


def test_a_new_day_of_an_order_that_is_out_is_told(tmp_path: Path) -> None:
    """PO is due on the 16th; then its supplier says the 23rd. Nothing else of it is new, and K stands as it was."""
    orders = (
        "order,kind,product,offer,units,start,due\nPO,buy,M,O,5,2026-01-02,{due}\nK,buy,M,O,3,2026-01-02,2026-01-20\n"
    )
    events = "happened_at,order,state\n2026-01-02,PO,accepted\n2026-01-02,K,accepted\n"
    files = FILES | {
        "products.csv": "product,price,kind\nA,100,finished\nM,1,material\n",
        "components.csv": "product,component,units_per_unit\nA,M,1\n",
        "offers.csv": "offer,product,price,lead_days\nO,M,1,7\n",
        "orders.csv": orders.format(due="2026-01-16"),
        "order_events.csv": events,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with datong.open(tmp_path) as chain:
        chain.run(parse_moment("2026-01-05", chain.settings))
    (tmp_path / "orders.csv").write_text(orders.format(due="2026-01-23"), encoding="utf-8")
    with datong.open(tmp_path) as chain:
        table = chain.run(parse_moment("2026-01-12", chain.settings)).tables["since"]
    rows = [r for r in table.to_pylist() if r["part"] == "came_back" and r["subject"] in ("PO", "K")]
    assert [(r["kind"], r["subject"], r["day_before"], r["day_after"]) for r in rows] == [
        ("new_day", "PO", date(2026, 1, 16), date(2026, 1, 23))
    ]
    text = message_of(rows[0]["text_key"], rows[0]["text_params"])
    assert text.text("en") == "PO: 5 of M due 2026-01-23 now, before 2026-01-16"
    assert "2026-01-23" in text.text("zh")


def promises(folder: Path, day: str) -> list[dict[str, object]]:
    with datong.open(folder) as chain:
        table = chain.run(parse_moment(day, chain.settings)).tables["since"]
    rows = [r for r in table.to_pylist() if r["part"] == "promises"]
    return [r | {"text": message_of(r["text_key"], r["text_params"]).text("en")} for r in rows]


def test_what_is_there_after_its_day_is_not_said_to_be_on_time(tmp_path: Path) -> None:
    """25 are due on the second Tuesday. In 10 hours a week 10 are made in the first week, 10 by the end of the second
    and 5 a week later; in 15 hours 15 in the second week, in 25 hours all; in 300 all of them on its Monday."""

    def hours(of: int) -> None:
        (tmp_path / "lines.csv").write_text(f"line,hours_per_week\nL,{of}\n", encoding="utf-8")

    demand = "demand,product,due,units\nD,A,2026-01-13,25\n"
    for name, text in (FILES | {"demand.csv": demand}).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert not promises(tmp_path, "2026-01-05")
    hours(15)
    (sooner,) = promises(tmp_path, "2026-01-06")
    at_once, later = "10 on time, 15 after that day, by 2026-01-16", "5 late, by the week of 2026-01-19"
    assert sooner["text"] == (
        f"D: 25 of A due 2026-01-13: now {at_once}; before, 10 on time, 10 after that day, by 2026-01-16, {later}"
    )
    assert (sooner["kind"], sooner["units_before"], sooner["units_after"]) == ("sooner", 15.0, 15.0)
    hours(300)
    (on_time,) = promises(tmp_path, "2026-01-07")
    assert on_time["text"] == f"D: 25 of A due 2026-01-13: now 25 on time; before, {at_once}"
    assert on_time["kind"] == "on_time"
    hours(25)
    (after,) = promises(tmp_path, "2026-01-08")
    assert (after["kind"], after["units_before"], after["day_after"]) == ("after_day", 0.0, date(2026, 1, 16))
