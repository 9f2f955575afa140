"""What an hour more is worth on a line that is shut: as the plan's prices say, or that it is not known."""

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

import datong
from datong.app.report.html import report_html
from datong.app.service.market import Heat
from datong.app.web.market import _chart
from datong.app.wording.report_inputs import ReportInputs
from datong.model.words import say
from mill import run, write

SHUT = date(2026, 3, 9)


def works(folder: Path, setup_hours: float, shut: float = 0.0) -> Path:
    """A line of 10 hours a week, an hour a unit, that works `shut` hours in its second week; 10, 8 and 10 are wanted,
    and what is not served costs 50."""
    return write(
        folder,
        chain_toml='name = "m"\nhorizon_buckets = 3\nstart = 2026-03-02\n',
        products_csv="product,price,kind\nA,90,finished\n",
        economics_csv="product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\nA,1,5,50\n",
        lines_csv="line,hours_per_week\nL,10\n",
        line_calendar_csv=f"line,from,to,hours\nL,2026-03-09,2026-03-16,{shut}\n",
        recipes_csv=f"recipe,product,line,hours_per_unit,cost_per_unit,setup_hours\nA/1,A,L,1,2,{setup_hours}\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv="happened_at,product,units\n2026-02-28,A,0\n",
        demand_csv="demand,product,due,units\nd0,A,2026-03-06,10\nd1,A,2026-03-13,8\nd2,A,2026-03-20,10\n",
    )


def prices(folder: Path) -> dict[date, float | None]:
    with datong.open(folder) as chain:
        rows = chain.run().tables["prices"].to_pylist()
    return {row["bucket"]: row["price"] for row in rows if row["what"] == "line"}


def test_without_set_ups_the_price_of_a_shut_week_is_what_an_opened_hour_saves(tmp_path: Path) -> None:
    """A unit made there for 2 is not refused for 50: 48, which is what the plan saves with one hour."""
    assert prices(works(tmp_path / "a", 0.0))[SHUT] == pytest.approx(48.0)
    cost = []
    for shut in (0.0, 1.0):
        with datong.open(works(tmp_path / f"b{shut}", 0.0, shut)) as chain:
            cost.append(chain.balance().certificate["total_cost"])
    assert cost[0] - cost[1] == pytest.approx(48.0)


def test_with_set_ups_it_is_not_known_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half an hour of set-up: none is made in the week that is shut, so with the set-ups as they are an hour there
    would open nothing. It is no 0: with 1.5 hours one unit more is served."""
    folder = works(tmp_path / "a", 0.5)
    found = prices(folder)
    assert found[SHUT] is None
    assert found[date(2026, 3, 2)] == pytest.approx(48.0)
    for language, words in (("en", "L from 2026-03-09"), ("zh", "L（2026-03-09 起）")):
        status, printed = run(capsys, "balance", folder, "--lang", language)
        assert status == 0
        told = say("balance.unknown_hours", language, lines=words)
        assert "".join(told.split()) in "".join(printed.split())
    cost = []
    for shut in (0.0, 1.5):
        with datong.open(works(tmp_path / f"b{shut}", 0.5, shut)) as chain:
            cost.append(chain.balance().certificate["total_cost"])
    assert cost[0] - cost[1] == pytest.approx(48.0)


@pytest.mark.parametrize(("setup_hours", "told"), [(0.0, "48"), (0.5, "not known")])
def test_the_report_says_that_a_line_is_shut_and_what_an_hour_is_worth(
    tmp_path: Path, setup_hours: float, told: str
) -> None:
    with datong.open(works(tmp_path / "a", setup_hours)) as chain:
        result = chain.run()
    page = report_html(ReportInputs(result.tables, result.settings, result.as_of), "en")
    cell = page.split(f">{say('report.load.shut', 'en')}<b>")[1]
    assert cell.startswith(f"{told}<")


@pytest.mark.parametrize(
    ("available", "price", "told"),
    [
        (0.0, 48.0, "shut: CNY 48"),
        (0.0, None, "shut: not known"),
        (0.0, 0.0, "shut"),
        (10.0, None, "not known"),
        (10.0, 0.0, "100%"),
        (10.0, 48.0, "CNY 48"),
    ],
)
def test_the_picture_of_hours_has_a_cell_for_a_week_that_is_shut(
    available: float, price: float | None, told: str
) -> None:
    used = {"used_hours": available, "available_hours": available, "overtime_hours": 0.0}
    row = {"line": "L", "bucket": SHUT, **used, "used_share": 1.0 if available else None, "price": price}
    cells = pa.table({name: [value] for name, value in row.items()})
    heat = Heat("R", datetime(2026, 3, 2, tzinfo=UTC), (("L", ""),), (SHUT,), cells, "CNY")
    visit = SimpleNamespace(language="en", say=lambda key, **words: say(key, "en", **words))
    (cell,) = _chart(visit, heat, heat.lines)["series"][0]["data"]
    assert cell["label"]["formatter"] == told
