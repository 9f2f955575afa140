"""A count of what an order that has begun takes is held against the records by the rule of the plan."""

from pathlib import Path

import pytest

import datong
from datong.network.position import position
from datong.questions.tables_out import message_of
from mill import write


def stools(folder: Path, kind: str = "make") -> Path:
    """140 stools of 1.5 of wood each are out from Monday the 1st on; 300 of wood were counted before."""
    return write(
        folder,
        chain_toml='name = "stools"\nhorizon_buckets = 4\nstart = 2026-06-01\nhistory = "declared"\n',
        products_csv="product,price,kind\nST,60,finished\nWD,4,material\n",
        lines_csv="line,hours_per_week\nS,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit,lead_days\nR,ST,S,0.1,5,5\n",
        components_csv="product,component,units_per_unit\nST,WD,1.5\n",
        offers_csv="offer,product,price,lead_days\nO,WD,4,7\n",
        stock_csv="happened_at,product,units\n2026-06-01,WD,300\n2026-06-01,ST,20\n",
        demand_csv="demand,product,due,units\nD,ST,2026-06-24,200\n",
        orders_csv="order,kind,product,recipe,units,start,due\nW1,make,ST,R,140,2026-06-01,2026-06-08\n",
        order_events_csv="happened_at,order,state,good_units,scrap_units\n2026-05-29,W1,released,,\n",
    )


def told(folder: Path, events: str, count: str) -> list[str]:
    """What is said of the counts on the 8th."""
    with datong.open(folder) as chain:
        chain.run("2026-06-01")
    with (folder / "order_events.csv").open("a", encoding="utf-8") as file:
        file.write(events)
    with (folder / "stock.csv").open("a", encoding="utf-8") as file:
        file.write(count)
    with datong.open(folder) as chain:
        rows = chain.run("2026-06-08").tables["since"].to_pylist()
    return [message_of(r["text_key"], r["text_params"]).text("en") for r in rows if r["kind"].startswith("counted")]


BEGUN = "2026-06-02,W1,started,,\n2026-06-05,W1,partly_done,90,3\n"


@pytest.mark.parametrize("count", [155, 100])
def test_a_count_after_the_start_has_all_components_out(tmp_path: Path, count: int) -> None:
    """300 less 140 x 1.5 are 90, of which 47 x 1.5 = 70.5 are for the stools that are not made yet: as the plan takes
    it, which needs no wood for them any more."""
    (said,) = told(stools(tmp_path / "m"), BEGUN, f"2026-06-06,WD,{count}\n")
    assert said.startswith(f"WD: {count} counted, 90 by the records, as the plan has them")
    assert "(W1)" in said and "70.5 of them for the part that is not made yet" in said


def test_a_count_that_the_plan_s_rule_expects_is_as_by_the_records(tmp_path: Path) -> None:
    (said,) = told(stools(tmp_path / "m"), BEGUN, "2026-06-06,WD,90\n")
    assert "by the records" not in said or said.startswith("1 ")


def test_of_what_no_order_that_has_begun_takes_the_records_are_as_they_were(tmp_path: Path) -> None:
    """W1 has not begun: 300 lie there."""
    (said,) = told(stools(tmp_path / "m"), "", "2026-06-06,WD,280\n")
    assert said == "WD: 280 counted, 300 by the records"


def test_a_second_count_takes_nothing_off_again(tmp_path: Path) -> None:
    """The count of the 5th had all components out already: of the 95 that lay there nothing more is taken."""
    folder = stools(tmp_path / "m")
    told(folder, BEGUN, "2026-06-05,WD,95\n")
    with (folder / "stock.csv").open("a", encoding="utf-8") as file:
        file.write("2026-06-12,WD,80\n")
    with datong.open(folder) as chain:
        rows = chain.run("2026-06-15").tables["since"].to_pylist()
    (said,) = (message_of(r["text_key"], r["text_params"]).text("en") for r in rows if r["kind"] == "counted")
    assert said == "WD: 80 counted, 95 by the records"


@pytest.mark.parametrize(("state", "kinds"), [("partly_done", {"corrected"}), ("done", {"corrected", "done"})])
def test_a_report_that_is_corrected_to_fewer_is_told_and_leaves_the_stock_as_it_says(
    tmp_path: Path, state: str, kinds: set[str]
) -> None:
    """100 were reported and planned with; 60 hold. Nothing went out: what was said too much never came."""
    folder = stools(tmp_path / "m")
    events, more = folder / "order_events.csv", "2026-06-02,W1,started,,\n2026-06-05,W1,partly_done,100,0\n"
    events.write_text(events.read_text(encoding="utf-8") + more, encoding="utf-8")
    with datong.open(folder) as chain:
        chain.run("2026-06-06")
    events.write_text(events.read_text(encoding="utf-8") + f"2026-06-07,W1,{state},60,0\n", encoding="utf-8")
    with datong.open(folder) as chain:
        rows = chain.run("2026-06-08").tables["since"].to_pylist()
        now = position(chain.state("2026-06-08"))
    (text,) = [message_of(r["text_key"], r["text_params"]) for r in rows if r["kind"] == "corrected"]
    assert text.text("en") == "W1: 60 of 140 of ST so far, corrected from the 100 of the last plan"
    assert "更正为 60" in text.text("zh")
    own = {r["kind"] for r in rows if r["part"] == "came_back"}
    assert own - {"late"} == kinds, own
    since = now.since_count["ST", ""]
    assert (since.counted, since.came, since.went) == (20.0, 60.0, 0.0)
