"""Hours of a line that are free only as overtime are told to be overtime."""

from pathlib import Path

import pytest

import datong
from datong.questions.tables_out import message_of
from mill import write

# A line of 40 hours a week.
SETTINGS = 'name = "press"\nhorizon_buckets = 4\nstart = 2026-03-02\n'


def press(folder: Path, calendar: str) -> Path:
    """An hour a unit and one of set-up: 30 of B take 31 hours of this week; 20 of A, in one lot, find too few left."""
    return write(
        folder,
        chain_toml=SETTINGS,
        products_csv="product,price,kind\nA,100,finished\nB,500,finished\n",
        economics_csv="product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\n"
        "A,1,5,100\nB,1,300,900\n",
        lines_csv="line,hours_per_week\nL,40\n",
        line_calendar_csv="line,from,to,hours,overtime_hours,overtime_cost_per_hour\n" + calendar,
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit,min_lot_units,lot_multiple_units,setup_hours\n"
        "A/1,A,L,1,10,20,10,1\nB/1,B,L,1,10,10,10,1\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv="happened_at,product,units\n2026-02-28,A,0\n2026-02-28,B,0\n",
        demand_csv="demand,product,due,units\nX,B,2026-03-06,30\nY,A,2026-03-05,20\n",
    )


@pytest.mark.parametrize(
    ("calendar", "words"),
    [
        ("", "line L has too few hours free in the week of 2026-03-02 (9 of 40 h)"),
        (
            "L,2026-03-02,2026-03-09,36,8,2\n",
            "line L has too few hours free in the week of 2026-03-02 (13 of 44 h, 8 of these overtime)",
        ),
    ],
)
def test_free_hours_that_are_overtime_are_said_to_be(tmp_path: Path, calendar: str, words: str) -> None:
    with datong.open(press(tmp_path / "m", calendar)) as chain:
        rows = chain.run().tables["reasons"].to_pylist()
    said = " ".join(message_of(r["text_key"], r["text_params"]).text("en") for r in rows)
    assert words in said
