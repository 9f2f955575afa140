"""fp_operation_routing with its routing as `recipe_steps`: three steps, two operators, a component short.

The planner whose test it is has 373 unit-days late and 7 units short; the shared case emulates the steps by products.
"""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cases.plans import CASES, folder_of
from datong.app.chain import Chain
from datong.app.release_orders import release

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
STEPS = "step,recipe,sequence,line,lead_days,hours_per_unit\nA,make,10,AB,1,4.8\nB,make,20,AB,1,24\nC,make,30,C,1,4.8\n"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")


def with_steps(where: Path) -> Path:
    """The case with `recipe_steps` in place of its in-between products."""
    folder = where / "routing"
    shutil.copytree(folder_of("fp_operation_routing"), folder)
    (folder / "recipes.csv").write_text("recipe,product\nmake,prod\n")
    (folder / "recipe_steps.csv").write_text(STEPS)
    (folder / "components.csv").write_text("product,recipe,component,units_per_unit\nprod,A,cA,1\nprod,C,cD,1\n")
    products = (folder / "products.csv").read_text().splitlines(keepends=True)
    (folder / "products.csv").write_text("".join(line for line in products if not line.startswith(("sA,", "sB,"))))
    return folder


def test_steps_come_as_soon_as_in_the_planner_whose_test_it_is(tmp_path: Path) -> None:
    with Chain(with_steps(tmp_path), now=lambda: NOW) as chain:
        assert not [f for f in chain.findings if f.severity == "error"]
        run = chain.run()
        late = sum(
            row["units"] * max((row["bucket"] - row["due"]).days, 0)
            for row in run.deliveries.arrow.to_pylist()
            if row["bucket"] is not None
        )
        short = sum(row["lost_units"] for row in run.gaps.arrow.to_pylist())
        assert (round(late, 6) <= 373, round(short, 6)) == (True, 7.0)
        orders = run.orders.arrow.to_pylist()
        made = [o for o in orders if o["kind"] == "make"]
        assert {(o["product"], o["recipe"], o["line"]) for o in made} == {
            ("prod", "A", "AB"),
            ("prod", "B", "AB"),
            ("prod", "C", "C"),
        }
        # 5 are wanted on the 5th: A on the 1st, B of one from the 2nd and the 3rd on, C on the day after each.
        first = sorted((o["start"], o["recipe"], o["units"]) for o in made)[:4]
        days = [date(2009, 1, day) for day in (1, 2, 3, 3)]
        assert first == list(zip(days, "ABBC", (5.0, 1.0, 1.0, 1.0), strict=True))


def test_what_is_reported_of_a_step_moves_the_next(tmp_path: Path) -> None:
    """The first step of 5 is given out on the 1st, and 4 good ones are told: from the next day on the plan begins with
    the second step, and the first one is planned again only for the fifth unit."""
    folder = with_steps(tmp_path)
    with Chain(folder, now=lambda: NOW) as chain:
        first = next(o for o in chain.run().orders.arrow.to_pylist() if o["recipe"] == "A")
        release(chain, [first["order"]], all_due=False)
    head = "order,state,happened_at,good_units\n"
    told = f"{first['order']},started,2009-01-01T08:00,\n{first['order']},done,2009-01-01T20:00,4\n"
    (folder / "order_events.csv").write_text(head + told)
    with Chain(folder, now=lambda: NOW) as chain:
        made = chain.run(as_of=datetime(2009, 1, 2, 8, tzinfo=UTC)).orders.arrow.to_pylist()
    steps = sorted((o["start"], o["recipe"], o["units"]) for o in made if o["kind"] == "make")
    assert [recipe for _, recipe, _ in steps[:4]] == ["B", "B", "C", "B"]
    again = next(day for day, recipe, _ in steps if recipe == "A")
    assert again > date(2009, 1, 4)
