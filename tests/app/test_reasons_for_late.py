"""What stands in the way is told of all that is late, and what an order saves as it is."""

from pathlib import Path

import pytest

import datong
from datong.app.wording.late import LATE_SCHEMA, main_causes
from datong.app.wording.report_inputs import ReportInputs
from datong.app.wording.view import RunView
from datong.app.wording.week import this_week
from datong.model.words import say
from datong.questions.tables_out import message_of
from mill import run, write

CODES = "ABCDE"


def presses(folder: Path) -> Path:
    """Five products, each on a line of its own of 10 hours a week, an hour a unit: 12, 13, ... are wanted this week; F
    takes two weeks to come."""
    names = [*CODES, "F"]
    return write(
        folder,
        chain_toml='name = "presses"\nhorizon_buckets = 3\nstart = 2026-03-02\n',
        products_csv="product,price,kind\n" + "".join(f"{p},100,finished\n" for p in names),
        economics_csv="product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\n"
        + "".join(f"{p},1,5,100\n" for p in names),
        lines_csv="line,hours_per_week\n" + "".join(f"L{p},10\n" for p in CODES),
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit\n"
        + "".join(f"{p}/1,{p},L{p},1,10\n" for p in CODES),
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\nF/V,F,4,14\n",
        stock_csv="happened_at,product,units\n2026-02-28,F,0\n",
        demand_csv="demand,product,due,units\n"
        + "".join(f"d{p},{p},2026-03-04,{12 + i}\n" for i, p in enumerate(CODES))
        + "dF,F,2026-03-04,9\n",
    )


def test_this_week_tells_of_all_that_is_late_and_each_row_says_why(tmp_path: Path) -> None:
    """2 + 3 + 4 + 5 + 6 units lack hours and 9 time: the three largest are named, and the others are 9 together."""
    with datong.open(presses(tmp_path / "m")) as chain:
        result = chain.run()
    view = RunView(ReportInputs(result.tables, result.settings, result.as_of), "en")
    told = this_week(view)[2]
    assert "for 9 of them" in told and "LE" in told and "LD" in told
    assert "other causes keep 9 more of them from being on time" in told
    causes = {row["product"]: view.cause(row) for row in view.late}
    assert causes.keys() == {*CODES, "F"} and causes["A"] == "LA"
    assert causes["F"].startswith("nothing ordered now would be there in time")
    small = dict.fromkeys(LATE_SCHEMA.names) | {"units": 0.2}
    assert view.cause(small) == "less than half a unit each: not looked into"
    assert {r["product"]: view.main_cause(r) for r in view.products} == causes


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        ("", "nothing ordered now would be there in time: it takes 8 days (lead times"),
        (
            "H,2026-03-02,2026-03-09,false\n",
            "nothing ordered now would be there in time: nothing can start before the week of 2026-03-09, and it takes "
            "8 days (lead times",
        ),
    ],
)
def test_what_no_start_brings_in_time_says_how_long_it_takes_and_from_when_it_can_start(
    tmp_path: Path, closed: str, words: str
) -> None:
    """P takes 8 days, two weeks as the plan counts them, and is wanted in the second; the works may be closed in the
    first. The order that brings it says the same."""
    folder = write(
        tmp_path / "m",
        chain_toml='name = "m"\nhorizon_buckets = 6\nstart = 2026-03-02\nmax_late_days = 60\n',
        products_csv="product,price,kind\nP,100,finished\n",
        economics_csv="product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\nP,1,5,100\n",
        calendars_csv="calendar\nH\n",
        calendar_days_csv="calendar,from,to,open\n" + (closed or "H,2026-12-24,2026-12-25,false\n"),
        sites_csv="site,kind,calendar\nF,factory,H\n",
        lines_csv="line,site,hours_per_week\nL,F,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit,lead_days\nP/1,P,L,1,10,8\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv="happened_at,product,units\n2026-02-28,P,0\n",
        demand_csv="demand,product,due,units\nd,P,2026-03-11,9\n",
    )
    with datong.open(folder) as chain:
        result = chain.run()
    view = RunView(ReportInputs(result.tables, result.settings, result.as_of), "en")
    (late,) = view.late
    assert view.cause(late).startswith(words)
    texts = [message_of(r["text_key"], r["text_params"]).text("en") for r in result.tables["reasons"].to_pylist()]
    assert f"late: d (9), because {view.cause(late)}" in texts


def _late(cause: dict[str, object], units: float) -> dict[str, object]:
    return dict.fromkeys(LATE_SCHEMA.names) | {"product": "P", "binding": "", "units": units} | cause


def test_the_cause_of_a_product_is_that_of_most_of_its_late_units() -> None:
    """SEA is behind 3 + 4 of the 27 units, no start is left for 20; the lane has the price, and is not what is told."""
    sea = {"binding": "SEA", "needed_unit": "unit"}
    rows = [_late(sea, 3), _late({}, 20), _late(sea, 4)]
    assert main_causes(rows)["P"] is rows[1]
    assert main_causes([*rows, _late(sea, 14)])["P"]["units"] == 14


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_product_says_what_its_late_rows_say(tmp_path: Path, language: str) -> None:
    """E was due before the plan begins, and is served at once: nothing is dear. G is on time: nothing is said of it."""
    folder = write(
        tmp_path / "m",
        chain_toml='name = "shelf"\nhorizon_buckets = 3\nstart = 2026-03-02\nmax_late_days = 21\n',
        products_csv="product,price,kind\nE,100,finished\nG,100,finished\n",
        economics_csv="product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\n"
        "E,1,5,100\nG,1,5,100\n",
        lines_csv="line,hours_per_week\nL,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit\nE/1,E,L,0.1,10\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv="happened_at,product,units\n2026-02-28,E,9\n2026-02-28,G,9\n",
        demand_csv="demand,product,due,units,firm\ndE,E,2026-02-25,7,true\ndG,G,2026-03-04,5,true\n",
    )
    with datong.open(folder) as chain:
        result = chain.run()
    view = RunView(ReportInputs(result.tables, result.settings, result.as_of), language)
    told = {r["product"]: view.main_cause(r) for r in view.products}
    assert told == {"E": say("report.late.cause_was_due", language), "G": ""}
    assert told["E"] == view.cause(view.late[0])


def test_what_serves_customers_at_its_site_does_not_feed_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """P goes from the works to two depots, and on from the first to the second: what is sent to the first for its own
    customer feeds nobody, what is made at the works does."""
    folder = tmp_path / "m"
    write(
        folder,
        economics_csv="product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\nP,1,5,100\n",
        products_csv="product,price,kind\nP,100,finished\n",
        sites_csv="site,kind\nF,factory\nD,warehouse\nE,warehouse\n",
        lines_csv="line,site,hours_per_week\nA,F,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv="happened_at,site,product,units\n2026-02-28,F,P,1\n",
        lanes_csv="lane,from_site,to_site,lead_days,cost_per_unit\nF-D,F,D,0,1\nD-E,D,E,7,1\n",
        demand_csv="demand,product,market,due,units\nd1,P,D,2026-03-12,9\nd2,P,E,2026-03-25,4\n",
    )
    _, printed = run(capsys, "run", folder)
    words = " ".join(printed.split())
    assert "serves customers from stock that others share or that comes with other products" in words
    assert "feeds other orders or sites" in words


def test_of_what_did_not_pay_only_what_was_tried_is_said(tmp_path: Path) -> None:
    """One A is wanted, which a set-up of 5,000 does not pay: only of the plans that were tried can it be said."""
    folder = write(
        tmp_path / "m",
        chain_toml='name = "m"\nhorizon_buckets = 2\nstart = 2026-03-02\n',
        products_csv="product,price,kind\nA,100,finished\n",
        lines_csv="line,hours_per_week\nL,10\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit,setup_cost\nA/1,A,L,1,10,5000\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv="happened_at,product,units\n2026-02-28,A,0\n",
        demand_csv="demand,product,due,units\nd,A,2026-03-04,1\n",
    )
    with datong.open(folder) as chain:
        result = chain.run()
    for language, words in (("en", "in no plan that was tried did it pay"), ("zh", "试过的方案中")):
        view = RunView(ReportInputs(result.tables, result.settings, result.as_of), language)
        (late,) = view.late
        assert words in view.cause(late)
        assert words in this_week(view)[2]
