"""What was due before the weeks that two plans share is told apart: else the later one seems to be late by it."""

from pathlib import Path

import datong
from datong.app.clock import parse_moment

FILES = {
    "chain.toml": 'name = "works"\nstart = 2026-01-05\nhorizon_buckets = 6\n',
    "products.csv": "product,price\nA,100\n",
    "lines.csv": "line,hours_per_week\nL,10\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\nA/L,A,L,1,2\n",
    "demand.csv": "demand,product,due,units\nD1,A,2026-01-09,15\nD2,A,2026-01-16,10\n",
    "shipments.csv": "shipment,product,units,happened_at,order\nS0,A,1,2025-12-01,OLD\n",
}


def test_units_late_are_those_of_the_weeks_of_both_plans(tmp_path: Path) -> None:
    """10 hours a week: 5 of D1 and 5 of D2 are late. A week later nothing was sent: all 15 of D1 are overdue, and of D2
    those that find no hours beside them are late; D1 is no lateness of the weeks that both plans have."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    told = []
    with datong.open(tmp_path) as chain:
        for day in ("2026-01-05", "2026-01-12"):
            result = chain.run(parse_moment(day, chain.settings))
            rows = result.tables["since"].to_pylist()
            told.append({r["kind"]: (r["units_before"], r["units_after"]) for r in rows if r["part"] == "cost"})
    late = sum(g["late_units"] for g in result.gaps.arrow.to_pylist())
    assert told[1]["late_overdue"] == (None, 15.0)
    assert told[1]["late_units"][1] == late - 15.0 <= 10.0
