"""Totals over firms tell no firm's own figures, not even by subtraction; and they are the figures of the plan."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.app.service.grids import Wanted
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.app.service.totals import (
    LEAST_FIRMS,
    LEAST_REST,
    MOST_SHARE,
    _category_of_lines,
    _firms_of_products,
    demand,
    demand_sheet,
    hours,
    hours_sheet,
    of_plan,
    told_safely,
)
from datong.model.errors import NotFound
from mill import write
from rest_client import Client, application
from served_mill import Clock, serve_at, serve_firms, session_of
from small_chain import MONDAY, chain, press
from workbook_cells import rows_of

PAT = Who(9, "pat@hub", "", ("platform",))
# Three firms bake bread and cake, one alone presses oil, and oil is the least of it.
FIRMS = ("Canary Mill", "Canary Oven", "Canary Hearth", "Canary Press")
MADE = {"Bread": "123", "Cake": "123", "Oil": "4"}
UNITS = {"Bread": 20, "Cake": 10, "Oil": 6}


def files() -> dict[str, str]:
    made = [(kind, at) for kind, of in MADE.items() for at in of]
    lines = {"sites": "site,kind,firm", "lines": "line,hours_per_week,site", "firms": "firm,name"}
    lines |= {"products": "product,price,kind,name,category_a", "demand": "demand,product,due,units"}
    lines |= {"recipes": "recipe,product,line,hours_per_unit,cost_per_unit"}
    rows: dict[str, list[str]] = {name: [] for name in lines}
    for at, firm in enumerate(FIRMS, start=1):
        rows["sites"].append(f"S{at},factory,{firm}")
        rows["firms"].append(f"{firm},{firm} Ltd")
    for kind, at in made:
        rows["lines"].append(f"{kind}{at},{40 + int(at)},S{at}")
        rows["products"].append(f"{kind}-{at},9,finished,Secret {kind} {at},{kind}")
        rows["recipes"].append(f"{kind}-{at}/1,{kind}-{at},{kind}{at},1,2")
        rows["demand"] += [
            f"d{kind}{at}{week},{kind}-{at},2026-03-{4 + 7 * week:02},{UNITS[kind]}" for week in range(3)
        ]
    chain = {"chain_toml": 'name = "hub"\nhorizon_buckets = 4\nstart = 2026-03-02\n'}
    return chain | {f"{name}_csv": "\n".join([head, *rows[name], ""]) for name, head in lines.items()}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = serve_at(write(tmp_path_factory.mktemp("hub") / "mill", **files()), Clock())
    one.chain_thread.write("test", lambda chain: chain.run())
    yield one
    one.close()


def test_a_category_of_one_firm_stands_with_the_smallest_of_the_others(hub: Served) -> None:
    rows = demand(hub, PAT).rows.to_pylist()
    first = [row for row in rows if row["bucket"] == date(2026, 3, 2)]
    told = {row["category"]: (row["firms"], row["demand_units"]) for row in first}
    assert told == {"Bread": (3, 60.0), None: (4, 36.0)}  # cake and oil
    for row in rows:
        assert row["on_time_units"] + row["late_units"] + row["lost_units"] == pytest.approx(row["demand_units"])
    spare = {row["category"]: row for row in hours(hub, PAT).rows.to_pylist() if row["bucket"] == date(2026, 3, 2)}
    assert spare.keys() == {"Bread", None}
    assert spare["Bread"]["available_hours"] == pytest.approx(41 + 42 + 43)
    assert spare[None]["available_hours"] == pytest.approx(41 + 42 + 43 + 44) and spare[None]["firms"] == 4
    assert all(0.0 <= row["used_share"] <= 1.0 for row in spare.values())


def test_a_recipe_is_of_the_firms_of_all_its_lines_else_of_that_of_its_site() -> None:
    """X2 is made in steps on X's line, X3 by hand at X's site, and XY on X's line with a tool of Y: three products of
    X, one of both. So what X and Y have of a category are two firms' figures, and no total of them is told."""
    given = press()
    given["products"] = [{"product": p, "price": 1.0, "category_a": "k"} for p in ("X1", "X2", "X3", "XY", "Y1")]
    given["sites"] = [{"site": "sx", "firm": "X"}, {"site": "sy", "firm": "Y"}]
    at = {"LX": "sx", "LY": "sy", "TY": "sy"}
    given["lines"] = [{"line": line, "site": site, "hours_per_week": 1.0} for line, site in at.items()]
    made = [("r1", "X1", "LX", None), ("r2", "X2", None, None), ("r3", "X3", None, "sx"), ("r4", "XY", "LX", None)]
    given["recipes"] = [
        dict(zip(("recipe", "product", "line", "site"), row, strict=True)) for row in [*made, ("r5", "Y1", "LY", None)]
    ]
    given["recipe_steps"] = [{"step": f"s{i}", "recipe": "r2", "sequence": float(i), "line": "LX"} for i in (1, 2)]
    given["recipe_lines"] = [{"recipe": "r4", "line": "TY"}]
    given["economics"] = [{"product": "X1"}]
    given["demand"] = [{"demand": "D", "product": "X1", "due": MONDAY, "units": 0.0}]
    state = chain(2, **given)
    x, y = {"X"}, {"Y"}
    assert _firms_of_products(state) == {"X1": x, "X2": x, "X3": x, "XY": x | y, "Y1": y}
    assert _category_of_lines(state) == {"LX": "k", "LY": "k", "TY": "k"}


def test_they_add_up_to_the_plan(hub: Served) -> None:
    def table(name: str):
        return hub.chain_thread.read(
            lambda chain: chain.ledger.run_table(chain.ledger.runs()["run"][0].as_py(), name)
        ).to_pylist()

    gaps, lines = table("gaps"), table("hours")
    for name in ("demand_units", "late_units", "lost_units"):
        assert sum(r[name] for r in demand(hub, PAT).rows.to_pylist()) == pytest.approx(sum(r[name] for r in gaps))
    used = sum(row["run_hours"] + row["setup_hours"] + row["under_way_hours"] for row in lines)
    told = hours(hub, PAT).rows.to_pylist()
    assert sum(row["used_hours"] for row in told) == pytest.approx(used) and used > 0
    assert sum(row["free_hours"] for row in told) == pytest.approx(sum(row["free_hours"] for row in lines))


def test_no_canary_comes_out_and_workbooks_say_the_same(hub: Served) -> None:
    client = Client(application(hub), session_of(hub, "platform"))
    for path in ("/totals", "/totals/demand", "/totals/hours"):
        answer = client.get(path)
        assert answer.status_code == 200 and "Canary" not in answer.text and "Secret" not in answer.text
    for ask, sheet in ((demand, demand_sheet), (hours, hours_sheet)):
        rows = rows_of(sheet(hub, PAT, Wanted(), "zh"))
        assert [row["firms"] for row in rows] == [row["firms"] for row in ask(hub, PAT).rows.to_pylist()]
        assert not any("Canary" in str(cell) or "Secret" in str(cell) for row in rows for cell in row.values())


@pytest.fixture
def firms(tmp_path: Path, clock: Clock) -> Iterator[Served]:
    """A mill with two firms, whose orders were given out."""
    one = serve_firms(tmp_path / "firms", clock)
    yield one
    one.close()


def test_two_firms_tell_nothing_and_only_who_may_see_totals_is_told(firms: Served, served: Served) -> None:
    """Each bucket has a row that says that nothing may be told of it."""
    for piece, buckets in ((demand(firms, PAT), 2), (hours(firms, PAT), 4)):
        rows = piece.rows.to_pylist()
        assert len(rows) == buckets and {row["firms"] for row in rows} == {0}
        assert all(
            value is None for row in rows for name, value in row.items() if name.endswith(("units", "hours", "share"))
        )
    for ask in (demand, hours, of_plan):
        with pytest.raises(NotAllowed):
            ask(firms, Who(8, "f", "", ("factory",), "Mill One"))
        with pytest.raises(NotFound):
            ask(served, PAT)


def test_no_slip_and_no_trifle_makes_a_third_firm() -> None:
    """Of 50 and 40, each would know the other's own but for what is beside them."""
    assert told_safely({"mugs": {"f1": 50.0, "f2": 40.0, "": 30.0}}) == ()
    assert told_safely({"mugs": {"f1": 50.0, "f2": 40.0, "f3": 0.8}}) == ()
    assert [one.firms for one in told_safely({"mugs": {"f1": 50.0, "f2": 40.0, "f3": 5.0, "": 30.0}})] == [3]


def test_what_no_firm_is_named_for_is_of_none() -> None:
    """A site without a firm, a recipe and a line without a site, an offer of nobody that is known."""
    given = press()
    given["products"] = [{"product": product, "price": 1.0} for product in ("A", "B", "C", "D")]
    given["sites"] = [{"site": "s", "firm": None}, {"site": "f", "firm": "F"}]
    given["lines"] = [
        {"line": "L", "site": None, "hours_per_week": 1.0},
        {"line": "LF", "site": "f", "hours_per_week": 1.0},
    ]
    made = (("A", "L", None), ("B", None, "s"), ("D", "LF", None))
    given["recipes"] = [{"recipe": f"r{p}", "product": p, "line": line, "site": site} for p, line, site in made]
    given["offers"] = [{"offer": "o", "product": "C", "price": 1.0, "lead_days": 0.0}]
    given["economics"] = [{"product": "A"}]
    given["demand"] = [{"demand": "D", "product": "A", "due": MONDAY, "units": 0.0}]
    assert _firms_of_products(chain(2, **given)) == {"A": {""}, "B": {""}, "C": {""}, "D": {"F"}}


PARTS = st.dictionaries(
    st.sampled_from("abcd"),
    st.dictionaries(
        st.sampled_from(["f1", "f2", "f3", "f4", "f5", ""]), st.sampled_from([0.0, 1.0, 2.0, 30.0, 50.0]), max_size=6
    ),
    max_size=4,
)


@given(PARTS)
def test_what_is_told_is_safe_alone_and_by_subtraction(parts: Mapping[str, Mapping[str, float]]) -> None:
    told = told_safely(parts)
    covered = [category for one in told for category in one.parts]
    assert not told or sorted(covered) == sorted(parts)  # all of it, each once: nothing is left to subtract
    for some in [(one,) for one in told] + [told] * bool(told):
        own: dict[str, float] = {}
        for category in (category for one in some for category in one.parts):
            for firm, amount in parts[category].items():
                own[firm] = own.get(firm, 0.0) + amount
        having = sorted((amount for firm, amount in own.items() if amount > 0 and firm), reverse=True)
        assert len(having) >= LEAST_FIRMS and max(having) <= MOST_SHARE * sum(having)
        assert sum(having[2:]) >= LEAST_REST * having[0]
    assert all((one.category is None) == (len(one.parts) > 1) for one in told)
