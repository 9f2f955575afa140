"""An order is counted in the bucket in which it is there, however many closed days its lead time goes over."""

from pathlib import Path

import datong
from datong.app.wording.proposed_orders import order_rows
from datong.app.wording.report_inputs import ReportInputs
from mill import write


def test_an_order_is_counted_on_the_day_on_which_it_is_there(tmp_path: Path) -> None:
    """P rests for a day, and the mill is shut at weekends and for the week of 16 March. What is made on a Friday is
    there on Monday, or on the Monday after that week."""
    made = write(
        tmp_path / "m",
        chain_toml='name = "m"\nbucket = "day"\nstart = 2026-03-02\nhorizon_buckets = 35\n',
        calendars_csv="calendar\nmill\n",
        calendar_days_csv="calendar,from,to,open\nmill,2026-03-16,2026-03-21,no\n",
        lines_csv="line,hours_per_week,calendar\nA,40,mill\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit,lead_days\nP/1,P,A,1,10,1\n",
        demand_csv="demand,product,due,units\n"
        + "".join(f"d{day},P,2026-03-{day:02d},6\n" for day in (4, 9, 11, 13, 23, 25, 30)),
        components_csv="product,component,units_per_unit\n",
    )
    with datong.open(made) as chain:
        result = chain.run()
    rows = order_rows(ReportInputs(result.tables, result.settings, result.as_of))
    days = [(row["start"], row["due"], row["counted_in"]) for row in rows if row["kind"] == "make"]
    assert [found for found in days if found[1] != found[2]] == []
    assert {(counted - start).days for start, _, counted in days} == {1, 3, 10}
