"""Rows take part from the day they hold to the day they end, and versions of a row one after the other.

Each folder is planned by `run` and by `balance`, with the clock at its start. The chains of practice lie in ../shared,
with their right answers; where that folder is absent, their tests are skipped.
"""

import shutil
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.app.chain import Chain
from datong.balance.solvers import balance
from datong.ledger.state import in_state_schema, state_of_tables
from datong.model.flow import Forecast, Item, nothing_learnt
from datong.model.settings import ChainSettings

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
DOORS = ("run", "balance")
START = date(2026, 1, 5)

Rows = list[dict[str, Any]]


def planned(folder: Path, door: str) -> Mapping[str, Rows]:
    """Orders and gaps."""
    start = tomllib.loads((folder / "chain.toml").read_text(encoding="utf-8"))["start"]
    now = datetime(start.year, start.month, start.day, tzinfo=UTC)
    with Chain(folder, now=lambda: now) as chain:
        assert [f for f in chain.findings if f.severity == "error"] == []
        tables = chain.run().tables if door == "run" else chain.balance(gap=0.0001).tables
        return {name: tables[name].to_pylist() for name in ("orders", "gaps")}


def case(name: str, tmp_path: Path, door: str) -> Mapping[str, Rows]:
    if not CASES.is_dir():
        pytest.skip("the cases of practice are not here")
    shutil.copytree(CASES / name, tmp_path / "chain")
    return planned(tmp_path / "chain", door)


def written(folder: Path, door: str = "balance", weeks: int = 8, **tables: str) -> Mapping[str, Rows]:
    """tables: CSV by name. FG is sold at 1000 and waits dearly, so that what can be made is made in time."""
    files = {
        "products": "product,kind,price\nFG,finished,1000\nX,material,1\nY,material,1",
        "economics": (
            "product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit,salvage_per_unit\n"
            "FG,1,1000,100000,0\nX,1,1000,100000,0\nY,1,1000,100000,0"
        ),
        "stock": "happened_at,product,units\n2026-01-04,FG,0",
    } | tables
    folder.mkdir(exist_ok=True)
    (folder / "chain.toml").write_text(f'name = "t"\nstart = 2026-01-05\nhorizon_buckets = {weeks}\n', encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text + "\n", encoding="utf-8")
    return planned(folder, door)


def units(rows: Rows, *names: str) -> dict[Any, float]:
    """Units of the orders by these columns."""
    found: dict[Any, float] = defaultdict(float)
    for row in rows:
        key = tuple(str(row[name]) if isinstance(row[name], date) else row[name] for name in names)
        found[key if len(key) > 1 else key[0]] += row["units"]
    return {key: round(count, 6) for key, count in found.items()}


def cost(rows: Rows) -> float:
    return sum(row["cost"] if "cost" in row else row["units"] * row["cost_per_unit"] for row in rows)


def total(rows: Rows, column: str) -> float:
    return sum(row[column] for row in rows)


# cases of practice ----------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_one_component_until_a_day_and_another_from_it_on(tmp_path: Path, door: str) -> None:
    found = case("planning/P5-bom-effectivity", tmp_path, door)
    assert units(found["orders"], "product") == {"FG": 60.0, "X": 10.0, "Y": 50.0}
    bought = [row for row in found["orders"] if row["kind"] == "buy"]
    assert units(bought, "product", "start") == {
        ("X", "2026-01-19"): 10.0,
        ("Y", "2026-02-09"): 20.0,
        ("Y", "2026-02-23"): 30.0,
    }


@pytest.mark.parametrize("door", DOORS)
def test_a_second_line_opens_in_two_weeks(tmp_path: Path, door: str) -> None:
    found = case("planning/P5c-line-opens-later", tmp_path, door)
    assert total(found["gaps"], "served_units") == pytest.approx(200.0)
    assert total(found["gaps"], "late_units") == total(found["gaps"], "lost_units") == pytest.approx(0.0, abs=1e-6)
    by_week = units([row for row in found["orders"] if row["recipe"] == "R2"], "start")
    assert min(by_week) >= "2026-01-19" and all(count <= 100 + 1e-6 for count in by_week.values())


@pytest.mark.parametrize("door", DOORS)
def test_nothing_is_made_of_nothing_before_its_only_component_begins(tmp_path: Path, door: str) -> None:
    found = case("planning/P5e-effectivity-minimal", tmp_path, door)
    assert units(found["orders"], "product") == {"FG": 20.0, "Y": 20.0}


@pytest.mark.parametrize("door", DOORS)
def test_the_only_line_opens_in_two_weeks(tmp_path: Path, door: str) -> None:
    """100 a week from 19 January on; 500 are wanted on the 5th and wait four weeks at most."""
    found = case("planning/P5f-line-from-later-minimal", tmp_path, door)
    assert units(found["orders"], "start") == {"2026-01-19": 100.0, "2026-01-26": 100.0, "2026-02-02": 100.0}
    first = found["gaps"][0]
    assert (first["binding"], first["lost_units"]) == ("NEW", pytest.approx(200.0))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["min_future_recipe", "min_future_recipe_known_at"])
def test_a_recipe_from_a_day_is_no_reason_to_buy(tmp_path: Path, name: str, door: str) -> None:
    found = case(f"peers/{name}", tmp_path, door)["orders"]
    assert [(row["kind"], row["recipe"], row["units"]) for row in found] == [("make", "r", pytest.approx(5.0))]
    assert found[0]["start"] >= date(2009, 1, 6) and cost(found) == pytest.approx(50.0)


@pytest.mark.parametrize("door", DOORS)
def test_a_cheaper_offer_is_waited_for(tmp_path: Path, door: str) -> None:
    found = case("peers/min_future_offer", tmp_path, door)["orders"]
    assert [(row["offer"], row["units"]) for row in found] == [("o2", pytest.approx(5.0))]
    assert found[0]["start"] >= date(2009, 1, 5) and cost(found) == pytest.approx(25.0)


@pytest.mark.parametrize("door", DOORS)
def test_a_component_ends_and_its_successor_begins(tmp_path: Path, door: str) -> None:
    """Two are made of the two cA before the 6th, one of the one cB from then on; cA and cB cannot be bought."""
    found = case("peers/min_component_ends", tmp_path, door)
    assert total(found["gaps"], "served_units") == pytest.approx(3.0)
    assert total(found["gaps"], "lost_units") == pytest.approx(2.0)
    by_day = {str(row["start"]): row["units"] for row in found["orders"]}
    assert sum(count for day, count in by_day.items() if day < "2009-01-06") == pytest.approx(2.0)


# versions of one row --------------------------------------------------------------------------------

WEEKLY = "demand,product,due,units\nd1,FG,2026-01-12,10\nd2,FG,2026-01-19,10\nd3,FG,2026-01-26,10\nd4,FG,2026-02-02,10"


@pytest.mark.parametrize("door", DOORS)
def test_the_price_of_an_offer_changes_and_comes_back(tmp_path: Path, door: str) -> None:
    """30, for two weeks from the 19th on 10, then 30 again: what is needed on 2 February is bought a week before it, at
    10 and 1 of holding. The first ten cannot wait."""
    offers = "offer,product,price,valid_from,valid_to\nO,FG,30,,\nO,FG,10,2026-01-19,2026-02-02"
    found = written(tmp_path / "c", door, offers=offers, demand=WEEKLY)["orders"]
    assert units(found, "offer", "start") == {
        ("O", "2026-01-12"): 10.0,
        ("O", "2026-01-19"): 10.0,
        ("O", "2026-01-26"): 20.0,
    }
    assert cost(found) == pytest.approx(10 * 30 + 30 * 10)


@pytest.mark.parametrize("door", DOORS)
def test_an_offer_ends(tmp_path: Path, door: str) -> None:
    """O at 10 ends on 20 January, P at 30 does not."""
    offers = "offer,product,price,valid_to\nO,FG,10,2026-01-20\nP,FG,30,"
    found = written(tmp_path / "c", door, offers=offers, demand=WEEKLY)["orders"]
    assert units(found, "offer") == {"O": 40.0}
    assert max(row["start"] for row in found) == date(2026, 1, 19)
    ended = "offer,product,price,valid_to\nO,FG,10,2026-01-05\nP,FG,30,"
    found = written(tmp_path / "d", door, offers=ended, demand=WEEKLY)["orders"]
    assert units(found, "offer") == {"P": 40.0}


@pytest.mark.parametrize("door", DOORS)
def test_a_recipe_gets_faster_and_dearer(tmp_path: Path, door: str) -> None:
    """10 hours a week. An hour a unit at 5, from 19 January on half an hour at 7: ten of the first forty are made
    before it, and then up to twenty a week."""
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit,valid_from\nR,FG,L,1,5,\nR,FG,L,0.5,7,2026-01-19"
    demand = "demand,product,due,units\nd1,FG,2026-01-12,20\nd2,FG,2026-01-26,40"
    found = written(tmp_path / "c", door, lines="line,hours_per_week\nL,10", recipes=recipes, demand=demand)
    assert units(found["orders"], "recipe", "start") == {
        ("R", "2026-01-05"): 10.0,
        ("R", "2026-01-12"): 10.0,
        ("R", "2026-01-19"): 20.0,
        ("R", "2026-01-26"): 20.0,
    }
    assert cost(found["orders"]) == pytest.approx(20 * 5 + 40 * 7)
    assert total(found["gaps"], "late_units") == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("door", DOORS)
def test_a_line_gets_a_second_shift_in_the_middle_of_a_week(tmp_path: Path, door: str) -> None:
    """5 hours a week, from Thursday 15 January on 10: 3 of 5 days of one hour and 2 of two are 7 in that week."""
    lines = "line,hours_per_week,valid_from\nL,5,\nL,10,2026-01-15"
    recipes = "recipe,product,line,hours_per_unit\nR,FG,L,1"
    demand = "demand,product,due,units\nd,FG,2026-01-05,22"
    found = written(tmp_path / "c", door, lines=lines, recipes=recipes, demand=demand)["orders"]
    assert units(found, "start") == {"2026-01-05": 5.0, "2026-01-12": 7.0, "2026-01-19": 10.0}


@pytest.mark.parametrize("door", DOORS)
def test_a_line_closes(tmp_path: Path, door: str) -> None:
    """10 hours a week, until Wednesday 14 January: 3 of 5 days of two hours in that week."""
    lines = "line,hours_per_week,valid_to\nL,10,2026-01-15"
    recipes = "recipe,product,line,hours_per_unit\nR,FG,L,1"
    demand = "demand,product,due,units\nd,FG,2026-02-02,32"
    found = written(tmp_path / "c", door, lines=lines, recipes=recipes, demand=demand)
    assert units(found["orders"], "start") == {"2026-01-05": 10.0, "2026-01-12": 6.0}
    assert total(found["gaps"], "lost_units") == pytest.approx(16.0)


@pytest.mark.parametrize("door", DOORS)
def test_the_quantity_of_a_component_changes(tmp_path: Path, door: str) -> None:
    """One X in an FG, from 26 January on three: 10 and 30. An FG is too dear to keep for being built before it."""
    found = written(
        tmp_path / "c",
        door,
        economics=(
            "product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit,salvage_per_unit\n"
            "FG,900,1000,100000,0\nX,1,1000,100000,0"
        ),
        recipes="recipe,product,cost_per_unit\nR,FG,1",
        offers="offer,product,price\nO,X,100",
        components="product,component,units_per_unit,valid_from\nFG,X,1,\nFG,X,3,2026-01-26",
        demand="demand,product,due,units\nd1,FG,2026-01-19,10\nd2,FG,2026-02-09,10",
    )["orders"]
    assert units(found, "product", "start") == {
        ("FG", "2026-01-19"): 10.0,
        ("X", "2026-01-19"): 10.0,
        ("FG", "2026-02-09"): 10.0,
        ("X", "2026-02-09"): 30.0,
    }


@pytest.mark.parametrize("door", DOORS)
def test_lots_of_a_product_take_the_bill_of_their_week(tmp_path: Path, door: str) -> None:
    """Lots of ten with a set-up: X until 26 January, Y from then on."""
    found = written(
        tmp_path / "c",
        door,
        recipes="recipe,product,cost_per_unit,setup_cost,min_lot_units\nR,FG,1,5,10",
        components="product,component,units_per_unit,valid_from,valid_to\nFG,X,1,,2026-01-26\nFG,Y,1,2026-01-26,",
        offers="offer,product,price\nOX,X,1\nOY,Y,1",
        demand="demand,product,due,units\nd1,FG,2026-01-12,10\nd2,FG,2026-02-09,20",
    )["orders"]
    assert units(found, "product") == {"FG": 30.0, "X": 10.0, "Y": 20.0}


@pytest.mark.parametrize("door", DOORS)
def test_a_lane_opens_and_its_price_changes(tmp_path: Path, door: str) -> None:
    """Made at F, wanted at S. The lane opens on the 12th at 9, from the 26th on it costs 2: what is wanted on 2
    February waits for that, what is wanted on the 19th cannot."""
    found = written(
        tmp_path / "c",
        door,
        sites="site\nF\nS",
        recipes="recipe,product,site,cost_per_unit\nR,FG,F,1",
        lanes="lane,from_site,to_site,cost_per_unit,valid_from\nFS,F,S,9,2026-01-12\nFS,F,S,2,2026-01-26",
        demand="demand,product,market,due,units\nd1,FG,S,2026-01-05,5\nd2,FG,S,2026-01-19,10\nd3,FG,S,2026-02-02,10",
    )["orders"]
    moved = [row for row in found if row["kind"] == "move"]
    assert units(moved, "lane", "start") == {
        ("FS", "2026-01-12"): 5.0,
        ("FS", "2026-01-19"): 10.0,
        ("FS", "2026-02-02"): 10.0,
    }
    if door == "balance":
        assert cost(moved) == pytest.approx(15 * 9 + 10 * 2)


@pytest.mark.parametrize("door", DOORS)
def test_a_substitute_may_stand_in_for_two_weeks(tmp_path: Path, door: str) -> None:
    """FG cannot be had, X may be delivered for it from 19 January to 2 February."""
    found = written(
        tmp_path / "c",
        door,
        substitutes="product,substitute,cost_per_unit,valid_from,valid_to\nFG,X,1,2026-01-19,2026-02-02",
        offers="offer,product,price,units_per_week\nO,FG,1,0\nOX,X,1,",
        demand=(
            "demand,product,due,units\nd1,FG,2026-01-19,10\nd2,FG,2026-01-26,10\nd3,FG,2026-02-16,10\nd4,X,2026-02-16,1"
        ),
    )
    served = {str(row["bucket"]): row["served_units"] for row in found["gaps"] if row["product"] == "FG"}
    assert served["2026-01-19"] == served["2026-01-26"] == pytest.approx(10.0)
    assert sum(served.values()) == pytest.approx(20.0)  # nothing is set aside ahead for the third ten


def test_a_row_that_is_known_later_is_unknown_before(tmp_path: Path) -> None:
    """The cheaper price from 19 January on is learnt on the 12th."""
    offers = "offer,product,price,valid_from,known_at\nO,FG,30,,2026-01-01\nO,FG,10,2026-01-19,2026-01-12T08:00:00Z"
    written(tmp_path / "c", offers=offers, demand=WEEKLY)
    now = datetime(2026, 1, 13, tzinfo=UTC)
    with Chain(tmp_path / "c", now=lambda: now) as chain:
        before, after = (chain.state(datetime(2026, 1, day, 12, tzinfo=UTC)) for day in (11, 12))
        assert before.versions("offers")["price"].to_pylist() == [30.0]
        assert after.versions("offers")["price"].to_pylist() == [30.0, 10.0]
        assert after.table("offers")["price"].to_pylist() == [30.0]


# the whole family -----------------------------------------------------------------------------------

WEEKS = 6
# Days from the start; None: no limit.
limits = st.sampled_from([None, None, -9, 7, 9, 14, 17, 28])
spans = st.tuples(limits, limits).filter(lambda pair: None in pair or pair[0] < pair[1])


def dated(*values: float, most: int) -> st.SearchStrategy[list[tuple[float, int | None, int | None]]]:
    """Versions of one row: (value, first, after), one at most from each day."""
    rows = st.lists(st.tuples(st.sampled_from(values), spans), min_size=1, max_size=most)
    return rows.map(lambda found: list({days[0]: (value, *days) for value, days in found}.values()))


def lasting(rows: list[tuple[float, int | None, int | None]], day: int) -> float | None:
    """The value of the last to start of the versions that hold on a day."""
    held = [
        (-99 if a is None else a, value) for value, a, b in rows if (a is None or a <= day) and (b is None or day < b)
    ]
    return max(held)[1] if held else None


@given(
    price=dated(3.0, 5.0, 8.0, most=3),
    hours=dated(7.0, 14.0, 21.0, most=3),
    bill=dated(1.0, 2.0, most=2),
    recipe=dated(1.0, 2.0, most=2),
)
@settings(max_examples=60, deadline=None)
def test_no_row_is_used_on_a_day_on_which_it_does_not_hold(
    price: list[Any], hours: list[Any], bill: list[Any], recipe: list[Any]
) -> None:
    """FG takes X, bought at a price, and hours of L; versions of all four rows begin and end on any day."""

    def rows(table: str, column: str, versions: list[Any], **others: Any) -> pa.Table:
        columns: dict[str, list[Any]] = {name: [value] * len(versions) for name, value in others.items()}
        columns[column] = [value for value, *_ in versions]
        for name, place in (("valid_from", 1), ("valid_to", 2)):
            days = [None if v[place] is None else START + timedelta(days=v[place]) for v in versions]
            columns[name] = pa.array(days, pa.date32())
        return in_state_schema(table, pa.table(columns))

    chain = ChainSettings("t", horizon_buckets=WEEKS)
    tables = {
        "products": pa.table({"product": ["FG", "X"], "kind": ["finished", "material"], "price": [1000.0, 1.0]}),
        "offers": rows("offers", "price", price, offer="O", product="X"),
        "lines": rows("lines", "hours_per_week", hours, line="L"),
        "components": rows("components", "units_per_unit", bill, product="FG", component="X"),
        "recipes": rows("recipes", "hours_per_unit", recipe, recipe="R", product="FG", line="L"),
    }
    state = state_of_tables(chain, chain.calendar.midnight(START), tables)
    asked = np.array([[3.0, 0.0, 6.0, 0.0, 0.0, 4.0]])
    starts = chain.calendar.starts(START, WEEKS)
    demand = Forecast((Item("FG", "all"),), starts, asked[None], ("given",), np.zeros(1, np.int64), np.zeros(1, bool))
    found = balance(state, demand, nothing_learnt()).quantities.to_pylist()
    stock, last_begins = 0.0, max(-99 if first is None else first for _, first, _ in bill)
    for week, start in enumerate(starts):
        made, bought = (
            sum(row["started_units"] for row in found if row["start"] == start and row["kind"] == kind)
            for kind in ("make", "buy")
        )
        in_bill, each_hour = lasting(bill, 7 * week), lasting(recipe, 7 * week)
        assert made < 1e-6 or (each_hour is not None and (in_bill is not None or 7 * week > last_begins))
        there = sum((lasting(hours, 7 * week + day) or 0.0) / 5 for day in range(5))
        assert made * (each_hour or 0.0) <= there + 1e-6
        own_price = lasting(price, 7 * week)
        bought_at = {row["cost_per_unit"] for row in found if row["start"] == start and row["kind"] == "buy"}
        assert bought_at <= {own_price}
        stock += bought - made * (in_bill or 0.0)
        assert stock >= -1e-6, "components come from nowhere"
