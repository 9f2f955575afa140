"""What lay where it was wanted and was sent on, or went into something else, is told with where it went."""

from pathlib import Path

import pytest

import datong
from datong.app.cli.terminal import need_words
from datong.app.wording.names import Names
from datong.app.wording.report_inputs import ReportInputs
from datong.app.wording.view import RunView
from datong.app.wording.week import this_week
from datong.questions.tables_out import message_of
from mill import write


def roastery(folder: Path, stock: int = 100, far: int = 100, demand: str = "") -> Path:
    """Coffee is made in ten days at RO, from where it takes a week to DE. 50 are wanted at RO this week, and as many as
    `far`, of more importance, at DE in the next."""
    return write(
        folder,
        chain_toml='name = "roastery"\nhorizon_buckets = 5\nstart = 2026-06-01\n',
        sites_csv="site,name,kind\nRO,Roastery,factory\nDE,Depot,warehouse\n",
        products_csv="product,name,price\nES,Espresso,50\n",
        economics_csv="product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\nES,1,20,1000\n",
        lines_csv="line,site,hours_per_week\nD,RO,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit,lead_days\nR,ES,D,0.1,10,10\n",
        components_csv="product,component,units_per_unit\n",
        lanes_csv="lane,from_site,to_site,lead_days,cost_per_unit\nLN,RO,DE,5,0.3\n",
        stock_csv=f"happened_at,site,product,units\n2026-06-01,RO,ES,{stock}\n2026-06-01,DE,ES,0\n",
        demand_csv="demand,product,market,due,units,priority\nNEAR,ES,RO,2026-06-04,50,0\n"
        + (f"FAR,ES,DE,2026-06-11,{far},5\n" if far else "")
        + demand,
    )


def causes(folder: Path) -> tuple[str, str, str, str]:
    """What the sheet Late, the screen of this week, the command balance and the order behind NEAR say."""
    with datong.open(folder) as chain:
        result = chain.run()
    view = RunView(ReportInputs(result.tables, result.settings, result.as_of), "en")
    (late,) = (view.cause(row) for row in view.late if row["demand"] == "NEAR")
    (gap,) = (r for r in result.tables["gaps"].to_pylist() if r["late_units"] > 0 and r["market"] == "RO")
    told = need_words(gap, Names(result.tables), result.settings, "en")
    reasons = [message_of(r["text_key"], r["text_params"]).text("en") for r in result.tables["reasons"].to_pylist()]
    return late, this_week(view)[2], told, " ".join(reasons)


def test_stock_that_is_sent_to_another_site_is_told(tmp_path: Path) -> None:
    """All 100 go to DE, by the transfer that is named: NEAR does without them, though they lay there."""
    late, week, told, reasons = causes(roastery(tmp_path / "m"))
    where = "100 → ES@DE (2026-06-01, T20260601-001)"
    assert late.startswith(f"what lay there is sent on or goes into something else ({where}), and nothing ordered now")
    assert f"in time for 50 of them (such as {where})" in week
    assert f"goes into something else ({where}), and nothing else can be there by then" in told
    assert f"goes into something else ({where})" in reasons


@pytest.mark.parametrize(("stock", "far"), [(0, 100), (0, 0)])
def test_where_nothing_lay_there_nothing_was_sent(tmp_path: Path, stock: int, far: int) -> None:
    for text in causes(roastery(tmp_path / "m", stock, far)):
        assert "sent on" not in text
        assert "in time" in text or "by then" in text or "nothing ordered now" in text


def test_too_little_was_sent_to_be_the_cause(tmp_path: Path) -> None:
    """20 lay there, all of which go to DE: of the 50 that are wanted less than half."""
    late, *_ = causes(roastery(tmp_path / "m", 20))
    assert late.startswith("nothing ordered now would be there in time")
