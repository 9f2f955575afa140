"""Sentences of a plan that a reader checks against its tables: what is saved, what is late, what is counted on."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

import datong
from datong.app.cli.main import main
from datong.app.clock import parse_moment

CHAIN = {
    "chain.toml": 'name = "works"\nstart = 2026-01-05\nhorizon_buckets = 6\n',
    "products.csv": "product,name,kind,price\nA,Lamp,finished,100\nW,Wax,material,1\n",
    "lines.csv": "line,hours_per_week\nL,40\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit,setup_hours,setup_cost,lead_days\n"
    "A/L,A,L,0.1,2,2,60,7\n",
    "components.csv": "product,component,units_per_unit\n",
    "offers.csv": "offer,product,price,lead_days\nW/S,W,1,7\n",
}


def works(folder: Path, demand: str, **files: str) -> Path:
    folder.mkdir()
    rows = {"demand.csv": "demand,product,due,units\n" + demand}
    for name, text in (CHAIN | rows | {f"{k}.csv": v for k, v in files.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def reasons(folder: Path) -> str:
    with datong.open(folder) as chain:
        return chain.run(parse_moment("2026-01-05", chain.settings)).reasons.to_pandas().to_string()


@pytest.mark.parametrize(
    ("second", "saves"),
    [("2026-01-12", False), ("2026-01-13", False), ("2026-01-26", True)],
    ids=["late and due in one week", "the same, another day", "two weeks"],
)
def test_a_lot_saves_a_set_up_only_where_another_week_would_need_one(tmp_path: Path, second: str, saves: bool) -> None:
    """What is due on the 5th can be there on the 12th at the earliest: with what is due then it is one lot anyway."""
    text = reasons(works(tmp_path / "c", f"D1,A,2026-01-05,10\nD2,A,{second},10\n"))
    assert ("plan.cause.merged" in text) == saves, text


def test_a_part_of_a_unit_that_is_late_is_late(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0.3 of 10.3 can be there only a week late: nobody reads that all of it is on time."""
    folder = works(tmp_path / "c", "D1,A,2026-01-05,10.3\n", stock="happened_at,product,units\n2026-01-04,A,10\n")
    out = tmp_path / "out"
    assert main(["run", str(folder), "--out", str(out), "--lang", "en"]) == 0
    capsys.readouterr()
    sheet = CalamineWorkbook.from_path(out / "datong.xlsx").get_sheet_by_name("This week").to_python()
    text = "\n".join(str(cell) for row in sheet for cell in row)
    assert "are served on time" not in text
    assert "D1" in text and "0.3" in text
    assert main(["balance", str(folder), "--lang", "en"]) == 0
    assert "0.3" in capsys.readouterr().out


def test_the_first_sheet_and_the_page_name_the_overdue_purchase_that_the_plan_counts_on(tmp_path: Path) -> None:
    files = {
        "components": "product,component,units_per_unit\nA,W,1\n",
        "orders": "order,kind,product,offer,units,start,due\nPO-881,buy,W,W/S,300,2025-12-15,2025-12-22\n",
        "order_events": "order,state,happened_at\nPO-881,released,2025-12-15\n",
    }
    folder, out = works(tmp_path / "c", "D1,A,2026-02-02,200\n", **files), tmp_path / "out"
    for language, said in (("en", "Note: "), ("zh", "注意：")):
        assert main(["run", str(folder), "--out", str(out), "--lang", language]) == 0
        sheet = CalamineWorkbook.from_path(out / "datong.xlsx").get_sheet_by_index(0).to_python()
        lines = [str(row[0]) for row in sheet]
        assert any(line.startswith(said) and "PO-881" in line for line in lines), lines
        assert not any("every number that was used is measured" in line for line in lines)


@pytest.mark.parametrize(
    ("language", "again", "left"),
    [
        (
            "en",
            "30 of the 30 of A that are owed or in demand must be made, bought or sent again",
            "18 good units are still to come of them, from 20 ordered ones",
        ),
        ("zh", "其中 30 件须重新生产、采购或调拨", "还有 18 件良品待到（按订单尚有 20 件未报工"),
    ],
)
def test_what_an_order_that_is_out_still_brings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, again: str, left: str
) -> None:
    """WO-1 never came: a recipe can make its 30 again. Of WO-2 9 + 1 of 30 B are reported, and nine in ten of the other
    20 are good: 18 in the note, in the kept orders and in what comes."""
    files = {
        "products": "product,name,kind,price\nA,Lamp,finished,100\nB,Shade,finished,100\nW,Wax,material,1\n",
        "recipes": "recipe,product,line,hours_per_unit,cost_per_unit,yield_share,lead_days\n"
        "A/L,A,L,0.1,2,1,7\nB/L,B,L,0.1,2,0.9,7\n",
        "orders": "order,kind,product,recipe,units,start,due\n"
        "WO-1,make,A,A/L,30,2025-12-15,2025-12-22\nWO-2,make,B,B/L,30,2025-12-29,2026-01-08\n",
        "order_events": "order,state,happened_at,good_units,scrap_units\nWO-1,released,2025-12-15,,\n"
        "WO-2,started,2025-12-29,,\nWO-2,partly_done,2026-01-02,9,1\n",
    }
    folder = works(tmp_path / "c", "D1,A,2026-02-02,30\nD2,B,2026-01-29,25\n", **files)
    out = tmp_path / "out"
    assert main(["run", str(folder), "--out", str(out), "--lang", language]) == 0
    shown = "".join(capsys.readouterr())
    told = "".join(shown.split())
    assert again.replace(" ", "") in told
    assert left.replace(" ", "") in told
    kept = {r["order"]: r for r in pq.read_table(out / "kept.parquet").to_pylist()}
    flow = pq.read_table(out / "flow.parquet").to_pylist()
    assert (kept["WO-2"]["to_come_units"], kept["WO-2"]["counted_units"]) == (20.0, 18.0)
    comes = sum(r["made_units"] + r["received_units"] for r in flow if r["product"] == "B")
    orders = pq.read_table(out / "orders.parquet").to_pylist()
    assert comes == pytest.approx(18.0 + sum(0.9 * o["units"] for o in orders if o["product"] == "B"))


def test_nothing_is_said_to_stand_beside_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """7 A were due before the plan begins and are served at once: there is no cause to tell, and nothing beside it."""
    folder = works(
        tmp_path / "c",
        "D1,A,2025-12-30,7\n",
        stock="happened_at,product,units\n2026-01-04,A,10\n",
    )
    assert main(["balance", str(folder), "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert "7 late, 0 not served" in told
    assert "Beside these" not in told


def test_what_moved_since_the_count_is_said(tmp_path: Path) -> None:
    """Counted 9 on 2 January; then 6 were received and 4 sent: 11 lie there, and a reader can add that up."""
    files = {
        "stock": "happened_at,product,units\n2026-01-02,A,9\n",
        "receipts": "happened_at,product,units\n2026-01-03T08:00,A,6\n",
        "shipments": "happened_at,product,units\n2026-01-03T09:00,A,4\n",
    }
    folder = works(tmp_path / "c", "D1,A,2026-01-14,40\n", **files)
    with datong.open(folder) as chain:
        result = chain.run(parse_moment("2026-01-05", chain.settings))
        order = result.tables["orders"]["order"].to_pylist()[0]
        told = [r["text_params"] for r in chain.why(order)[2] if r["text_key"] == "plan.cause.since_count"]
    (moved,) = [json.loads(params) for params in told]
    assert {name: float(moved[name]) for name in ("counted", "came", "went")} == {
        "counted": 9.0,
        "came": 6.0,
        "went": 4.0,
    }


def test_the_rows_behind_a_number_give_it(tmp_path: Path) -> None:
    """49 A are wanted in the works and 32 in the shop, which counted 12 a day later than the works its 9: what is in
    stock of what is made rests on the 9. The line is full with 4 of 4 hours: its row of hours says so."""
    files = {
        "sites": "site\nF\nS\n",
        "lines": "line,site,hours_per_week\nL,F,4\n",
        "recipes": "recipe,product,line,hours_per_unit,cost_per_unit\nA/L,A,L,0.1,2\n",
        "lanes": "lane,from_site,to_site,lead_days,cost_per_unit\nFS,F,S,7,1\n",
        "stock": "happened_at,site,product,units\n2026-01-02,F,A,9\n2026-01-03,S,A,12\n",
    }
    folder = works(tmp_path / "c", "", **files)
    demand = "demand,product,market,due,units\nD1,A,F,2026-01-07,49\nD2,A,S,2026-01-21,32\n"
    (folder / "demand.csv").write_text(demand, encoding="utf-8")
    with datong.open(folder) as chain:
        result = chain.run(parse_moment("2026-01-05", chain.settings))
        reasons = [r | {"order": o} for o in result.tables["orders"]["order"].to_pylist() for r in chain.why(o)[2]]
        stock = [r for r in reasons if r["text_key"] == "plan.cause.stock" and r["order"].startswith("W")]
        full = [r for r in reasons if r["evidence_table"] == "hours"]
        assert stock and full
        for reason in stock:
            (row,) = chain.evidence(result.run, "stock", reason["evidence"]).to_pylist()
            assert (row["site"], row["units"]) == ("F", 9.0)
        for reason in full:
            rows = chain.evidence(result.run, "hours", reason["evidence"]).to_pylist()
            assert len(rows) == len(reason["evidence"])
            assert {(r["line"], r["available_hours"]) for r in rows} == {("L", 4.0)}
            assert all(r["free_hours"] < 0.1 for r in rows)


def test_on_time_by_the_week_is_told_from_the_named_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """36 A at an hour each are done on Friday, where eight hours a day are worked; 30 were wanted on Tuesday,
    6 on Wednesday. The example has its own 30, and not the 36 of all."""
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit\nA/L,A,L,1,2\n"
    demand = "demand,product,due,units,firm\nD1,A,2026-01-06,30,yes\nD2,A,2026-01-07,6,yes\n"
    folder = works(tmp_path / "c", "", recipes=recipes, components="product,component,units_per_unit\n")
    (folder / "demand.csv").write_text(demand, encoding="utf-8")
    out = tmp_path / "out"
    assert main(["run", str(folder), "--out", str(out), "--lang", "en"]) == 0
    told = "of 36 units on time 0 are there by their day. 36 are there in the week of their due date but "
    told += "after that day, by up to 3 days; among them 30 of Lamp (A) for D1,"
    assert told in " ".join(capsys.readouterr().out.split())
    book = CalamineWorkbook.from_path(out / "datong.xlsx")
    assert any(told in str(cell) for row in book.get_sheet_by_name("This week").to_python() for cell in row)
    rows = book.get_sheet_by_name("Later than the day").to_python()
    units = rows[0].index("Units")
    assert sum(row[units] for row in rows[1:-1]) == 36.0


def test_a_week_that_is_too_short_for_an_order_is_told_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """40 A at an hour each go into the week of 40 hours, but the wax for them is there on Thursday: 16 hours are left.
    The plan ends with that week: it counts them on time, and says that the week is too short."""
    files = {
        "recipes": "recipe,product,line,hours_per_unit,cost_per_unit\nA/L,A,L,1,2\n",
        "components": "product,component,units_per_unit\nA,W,1\n",
        "orders": "order,kind,product,offer,units,start,due,state\nP1,buy,W,W/S,40,2026-01-01,2026-01-08,released\n",
        "stock": "happened_at,product,units\n2026-01-04,W,0\n",
    }
    folder = works(tmp_path / "c", "D1,A,2026-01-09,40\n", **files)
    (folder / "chain.toml").write_text('name = "works"\nstart = 2026-01-05\nhorizon_buckets = 1\n', encoding="utf-8")
    assert main(["run", str(folder), "--out", str(tmp_path / "out"), "--lang", "en"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "The hours of a line are too few for 1 order from the day of the week on which work can begin" in printed
    assert "(40 hours; L has about 16 from 2026-01-08)" in printed
    assert "make A · Lamp × 40 2026-01-08 → 2026-01-09" in printed
    assert (
        "from 2026-01-08, done by 2026-01-09 as its order says, and by the hours left not before 2026-01-12" in printed
    )


def test_an_order_given_out_that_its_hours_do_not_let_come_in_time_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """13 hours of 8 a day, promised for Monday: expected on Tuesday, on screen, in the table and where one asks why."""
    files = {
        "recipes": "recipe,product,line,hours_per_unit,cost_per_unit\nA/L,A,L,1,2\n",
        "orders": "order,kind,product,recipe,line,units,start,due,state\n"
        "X,make,A,A/L,L,13,2026-01-05,2026-01-05,released\nY,make,A,A/L,L,8,2026-01-05,2026-01-09,released\n",
    }
    folder = works(tmp_path / "c", "D1,A,2026-01-09,21\n", **files)
    out = tmp_path / "out"
    assert main(["run", str(folder), "--out", str(out), "--lang", "en"]) == 0
    why = "line L has too few hours for it before"
    told = f"expected after the promised day: X (promised 2026-01-05, expected 2026-01-06: {why})."
    assert told in " ".join(capsys.readouterr().out.split())
    kept = {r["order"]: str(r["counted_on"]) for r in pq.read_table(out / "kept.parquet").to_pylist()}
    assert kept == {"X": "2026-01-06", "Y": "2026-01-09"}
    assert main(["why", "X", "--chain", str(folder), "--lang", "zh"]) == 0
    assert "其余 13 计划按 2026-01-06 到货：产线 L 此前工时不足" in capsys.readouterr().out


@pytest.mark.parametrize("locked", [True, False])
def test_what_another_order_covers_spares_no_set_up(tmp_path: Path, locked: bool) -> None:
    """10 A are wanted in each of two weeks. Where a locked order brings 10 for the second week, one lot for both spares
    no set-up: nothing says so, though first come first used gives its units to the first week."""
    rows = "order,kind,product,recipe,line,units,start,due,state,locked\n"
    order = "X,make,A,A/L,L,10,2026-01-05,2026-01-12,released,yes\n" if locked else ""
    demand = "D1,A,2026-01-12,10\nD2,A,2026-01-26,10\n"
    text = reasons(works(tmp_path / "c", demand, orders=rows + order))
    assert ("plan.cause.merged" in text) == (not locked), text


def test_late_expected_demand_is_in_the_reason_of_the_order_that_serves_it(tmp_path: Path) -> None:
    """30 are expected a week before any can be there, and 10 in the week after: 30 of the 40 that come are late."""
    demand = "demand,product,due,units,firm\nF1,A,2026-01-05,30,no\nF2,A,2026-01-12,10,no\n"
    folder = works(tmp_path / "c", "")
    (folder / "demand.csv").write_text(demand, encoding="utf-8")
    text = reasons(folder)
    assert "plan.cause.for_late" in text and '"units": 30.0, "first"' in text, text
