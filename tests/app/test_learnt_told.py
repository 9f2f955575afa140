"""What reports taught of yields, and orders of lead times, is said where it moves a plan."""

from datetime import date, timedelta
from pathlib import Path

import pytest

import datong
from datong.app.wording.report_inputs import ReportInputs
from datong.app.wording.view import RunView
from datong.questions.run_result import RunResult
from mill import write

MONDAY = date(2026, 3, 2)


def works(folder: Path, **more: str) -> Path:
    """A is made on L: the table says that all of it is good."""
    return write(
        folder,
        chain_toml=f'name = "works"\nhorizon_buckets = 5\nstart = {MONDAY}\n',
        products_csv="product,name,price,kind\nA,Bar,100,finished\n",
        economics_csv="product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\nA,1,5,100\n",
        lines_csv="line,hours_per_week\nL,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit,lead_days\nR,A,L,0.1,10,0\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv=f"happened_at,product,units\n{MONDAY},A,0\n",
        demand_csv="demand,product,due,units\n"
        + "".join(f"d{t},A,{MONDAY + timedelta(days=7 * t + 4)},120\n" for t in range(5)),
        **more,
    )


def texts(run: RunResult, part: str, language: str = "en") -> list[str]:
    view = RunView(ReportInputs(run.tables, run.settings, run.as_of), language)
    return [row["text"] for row in view.since or () if row["part"] == part]


def found(run: RunResult) -> list[str]:
    """The sheet What to look at."""
    return [f["found"] for f in RunView(ReportInputs(run.tables, run.settings, run.as_of), "en").findings]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_learnt_yield_is_said_when_it_is_learnt_and_when_it_moves_a_plan(tmp_path: Path, language: str) -> None:
    """In the first week 60 of 100 are good: with five reports' weight of the table that is 560 of 600. The plan of the
    second week hears of it, and still counts all as good; the one of the third counts 93.3%."""
    folder = works(tmp_path / "m")
    with datong.open(folder) as chain:
        chain.run(as_of=f"{MONDAY}")
    report = f"happened_at,product,good_units,scrap_units\n{MONDAY + timedelta(days=2)},A,60,40\n"
    (folder / "production.csv").write_text(report, encoding="utf-8")
    with datong.open(folder) as chain:
        second = chain.run(as_of=f"{MONDAY + timedelta(days=7)}")
        third = chain.run(as_of=f"{MONDAY + timedelta(days=14)}")
    told = [texts(run, "learnt", language) for run in (second, third)]
    words = {
        "en": (
            "R: 93.3% of the Bar (A) made is good by 1 report so far; the next plan counts that, this one still 100.0%",
            "R: this plan counts 93.3% of the Bar (A) made as good, the last one counted 100.0% (1 report)",
        ),
        "zh": (
            "R：已有 1 次报工，Bar (A) 良品率学得 93.3%；自下次计划起采用，本次仍按 100.0%",
            "R：本次计划按良品率 93.3% 计 Bar (A)，上次为 100.0%（据 1 次报工）",
        ),
    }
    assert told == [[one] for one in words[language]]
    named = "R (Bar (A)) 93.3% good instead of 100.0%, by 1 report"
    assert [any(named in text for text in found(run)) for run in (second, third)] == [False, True]


def test_what_was_learnt_is_said_with_the_notices_of_every_plan_that_counts_on_it(tmp_path: Path) -> None:
    """Five orders took 8, 9, 10, 11 and 21 days: four in five were there within 11, and the table says 0."""
    took = (8, 9, 10, 11, 21)
    begun = [MONDAY - timedelta(days=7 * k + 35) for k in range(5)]
    orders = "order,kind,product,recipe,line,units,start,due\n"
    events = "happened_at,order,state,good_units\n"
    for k, (day, days) in enumerate(zip(begun, took, strict=True)):
        orders += f"W{k},make,A,R,L,10,{day},{day}\n"
        events += f"{day},W{k},released,\n{day + timedelta(days=days)},W{k},done,10\n"
    folder = works(tmp_path / "m", orders_csv=orders, order_events_csv=events)
    with datong.open(folder) as chain:
        first = chain.run(as_of=f"{MONDAY}")
        second = chain.run(as_of=f"{MONDAY + timedelta(days=7)}")
    taught = "R: 5 finished orders teach 11 days until Bar (A) is there; the next plan counts that, this one still 0"
    assert texts(first, "learnt") == [taught]
    counted = "R: this plan counts 11 days until Bar (A) is there, the last one counted 0 (5 finished orders)"
    assert texts(second, "learnt") == [counted]
    named = "R (Bar (A)) 11 days instead of 0, by 5 finished orders"
    assert [any(named in text for text in found(run)) for run in (first, second)] == [False, True]
