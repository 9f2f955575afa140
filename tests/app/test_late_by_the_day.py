"""Who is on time by the week and late by the day is told as what it is, wherever a run is read."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pytest
from python_calamine import CalamineWorkbook

import mill
from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.questions.run_result import RunResult
from datong.questions.tables_out import rendered

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def run(folder: Path, demand: str) -> RunResult:
    """85 of P in 40 hours a week."""
    mill.write(folder, demand_csv="demand,product,due,units\n" + demand)
    with Chain(folder, now=lambda: MONDAY) as chain:
        return chain.run()


def to_tell(found: RunResult, language: str) -> str:
    rows = found.tables["since"].filter(pc.equal(found.tables["since"]["kind"], "tell"))
    return " ".join(rendered({"since": rows}, language)["since"]["text"].to_pylist())


def test_customers_who_are_late_by_their_day_alone_are_to_be_told(tmp_path: Path) -> None:
    """35 hours are worked by Friday: who wants them on Tuesday gets them three days later, in the same week."""
    found = run(tmp_path / "mill", "d1,P,2026-03-03,35\nd2,P,2026-03-13,5\n")
    assert found.tables["after_due"]["units"].to_pylist() == [35.0]
    assert "(1): d1 (35 of P, due 2026-03-03, there 2026-03-06)" in to_tell(found, "en")
    assert "d1（P 35，2026-03-03 交，2026-03-06 到）" in to_tell(found, "zh")


BOX = {
    "chain.toml": 'name = "box"\nhorizon_buckets = 2\nstart = 2026-06-01\n',
    "products.csv": "product,price,kind\nX,50,finished\nM,4,material\n",
    "calendars.csv": "calendar\nC\n",
    "calendar_days.csv": "calendar,from,to,open\nC,2026-06-08,2026-06-15,false\n",
    "sites.csv": "site,kind,calendar\nH,factory,C\n",
    "lines.csv": "line,site,hours_per_week\nL,H,40\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit,lead_days\nR,X,L,0.1,5,1\n",
    "components.csv": "product,component,units_per_unit\nX,M,1\n",
    "offers.csv": "offer,product,price,lead_days\nM/V,M,4,28\n",
    "stock.csv": "happened_at,site,product,units\n2026-05-31,H,X,0\n",
    "orders.csv": "order,kind,product,units,start,due\nPO,buy,M,20,2026-05-20,2026-06-05\n",
    "demand.csv": "demand,product,due,units\nD1,X,2026-06-10,20\n",
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_on_time_by_the_week_alone_is_not_said_to_be_on_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    """What X takes comes on Friday: begun then, it would be there on Saturday, and so after the shutdown. The product
    stands in the table of what is late, and no sentence says that all is well."""
    for name, text in BOX.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["run", str(tmp_path), "--lang", language, "--out", str(tmp_path / "out")]) == 0
    screen = capsys.readouterr().out
    sheet = CalamineWorkbook.from_path(tmp_path / "out" / "datong.xlsx").get_sheet_by_index(0).to_python()
    week = " ".join(str(cell) for row in sheet[:10] for cell in row)
    words = {
        "en": ("Counted by the week, all 20 units", "Counted by the week, nothing stands in the way", "All 20 units"),
        "zh": ("按周计，需求 20 件全部准时交付", "按周计没有瓶颈", "。没有瓶颈"),
    }[language]
    assert [word in week for word in words] == [True, True, False], week
    table = screen[screen.index("D1") : screen.index("W20260601-001  ")]
    (row,) = [line.split() for line in table.splitlines() if line.startswith("X ")]
    assert row[1:7] == ["20", "20", "0", "0", "0", "100.0%"], row
    assert {"en": "there after its day", "zh": "晚于约定日到货"}[language] in " ".join(row)
    counted = {"en": "the plan counts it in the week of 2026-06-08", "zh": "计划将其计入2026-06-08 当周"}[language]
    assert counted in screen.replace("\n   ", " "), screen
