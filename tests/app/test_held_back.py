"""A bad master row holds its products back: said by every door, never bought instead, and the rest is planned."""

from pathlib import Path

import pytest

import datong
from datong.app.check_folder import check_chain
from datong.app.cli.main import main

# P is made of C on line L; Q is made on line M; B is bought. All are wanted.
FILES = {
    "chain.toml": 'name = "held"\nstart = 2026-01-05\nhorizon_buckets = 3\n',
    "products.csv": "product,kind,price\nP,finished,100\nQ,finished,100\nB,finished,100\nC,component,5\n",
    "sites.csv": "site\nS\n",
    "lines.csv": "line,hours_per_week\nL,40\nM,40\n",
    "line_calendar.csv": "line,from,to,hours\nL,2026-01-19,2026-01-26,20\nM,2026-01-19,2026-01-26,20\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit,yield_share\nRP,P,L,1,2,1\nRQ,Q,M,1,2,1\n",
    "components.csv": "product,component,units_per_unit,scrap_share\nP,C,1,0\n",
    "offers.csv": "offer,product,site,price\nOC,C,S,1\nOB,B,S,50\n",
    "demand.csv": "demand,product,due,units\n"
    + "".join(f"{p}{day},{p},2026-01-{day},5\n" for p in "PQB" for day in ("05", "12", "19")),
}

# What is changed in a file, the products that are then held back, those that run short as well, and where it is said.
FAMILY = {
    "line hours -5": ("lines.csv", "L,40", "L,-5", "P", "", ("lines.csv", 2)),
    "line hours in words": ("lines.csv", "L,40", "L,many", "P", "", ("lines.csv", 2)),
    "calendar hours -5": ("line_calendar.csv", "L,2026-01-19,2026-01-26,20", "L,2026-01-19,2026-01-26,-5", "P", "",
                          ("line_calendar.csv", 2)),
    "calendar ends before it begins": ("line_calendar.csv", "L,2026-01-19,2026-01-26", "L,2026-01-26,2026-01-19", "P",
                                       "", ("line_calendar.csv", 2)),
    "yield 0": ("recipes.csv", "RP,P,L,1,2,1", "RP,P,L,1,2,0", "P", "", ("recipes.csv", 2)),
    "yield 2": ("recipes.csv", "RP,P,L,1,2,1", "RP,P,L,1,2,2", "P", "", ("recipes.csv", 2)),
    "unit hours -1": ("recipes.csv", "RP,P,L,1,2,1", "RP,P,L,-1,2,1", "P", "", ("recipes.csv", 2)),
    "unknown line": ("recipes.csv", "RP,P,L,1,2,1", "RP,P,X,1,2,1", "P", "", ("recipes.csv", 2)),
    "a second recipe is bad": ("recipes.csv", "RQ,Q,M,1,2,1", "RQ,Q,M,1,2,1\nR9,P,M,1,nan,1", "P", "",
                               ("recipes.csv", 4)),
    "a recipe twice": ("recipes.csv", "RQ,Q,M,1,2,1", "RQ,Q,M,1,2,1\nRP,P,M,1,2,1", "P", "", ("recipes.csv", 4)),
    "a cell too many": ("recipes.csv", "RP,P,L,1,2,1", "RP,P,L,1,2,1,7", "P", "", ("recipes.csv", 2)),
    "component -1": ("components.csv", "P,C,1,0", "P,C,-1,0", "P", "", ("components.csv", 2)),
    "scrap 1": ("components.csv", "P,C,1,0", "P,C,1,1", "P", "", ("components.csv", 2)),
    "unknown component": ("components.csv", "P,C,1,0", "P,X,1,0", "P", "", ("components.csv", 2)),
    "a component twice": ("components.csv", "P,C,1,0", "P,C,1,0\nP,C,2,0", "P", "", ("components.csv", 3)),
    "a circle of one": ("components.csv", "P,C,1,0", "P,P,1,0", "P", "", ("components.csv", 2)),
    "a circle of two": ("components.csv", "P,C,1,0", "P,C,1,0\nC,P,1,0", "CP", "", ("components.csv", 2)),
    "offer price -1": ("offers.csv", "OB,B,S,50", "OB,B,S,-1", "B", "", ("offers.csv", 3)),
    "offer at an unknown site": ("offers.csv", "OB,B,S,50", "OB,B,X,50", "B", "", ("offers.csv", 3)),
    "a component's offer": ("offers.csv", "OC,C,S,1", "OC,C,S,x", "C", "P", ("offers.csv", 2)),
    "an offer without product": ("offers.csv", "OB,B,S,50", "OB,,S,50", "B", "", ("offers.csv", 3)),
    "an offer of a code in other letters": ("offers.csv", "OB,B,S,50", "OB,b,S,50", "B", "", ("offers.csv", 3)),
}  # fmt: skip


def folder_of(place: Path, **changed: str) -> Path:
    folder = place / "held"
    folder.mkdir(exist_ok=True)
    for name, text in (FILES | changed).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def bad(place: Path, case: str) -> Path:
    file, good, other, *_ = FAMILY[case]
    assert FILES[file].count(good) == 1
    return folder_of(place, **{file: FILES[file].replace(good, other)})


def ordered(orders) -> dict[str, list[tuple]]:
    names = ("recipe", "offer", "start", "due", "units")
    found: dict[str, list[tuple]] = {}
    for row in orders.arrow.to_pylist():
        found.setdefault(row["product"], []).append(tuple(row[name] for name in names))
    return {product: sorted(rows, key=str) for product, rows in found.items()}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple]]:
    """The orders by product where every row is good."""
    with datong.open(folder_of(tmp_path_factory.mktemp("good"))) as chain:
        assert chain.findings == () and [f.code for f in chain.review()] == ["idle_sites"]
        return ordered(chain.run().orders)


@pytest.mark.parametrize("case", FAMILY)
def test_nothing_is_planned_for_what_is_held_back(case: str, tmp_path: Path, good: dict[str, list[tuple]]) -> None:
    *_, held, short, where = FAMILY[case]
    stopped = set(held + short) | ({"C"} if "P" in held + short else set())  # C is wanted for P alone
    folder = bad(tmp_path, case)
    checked = [f for f in check_chain(folder).findings if f.code == "held_back"]
    with datong.open(folder) as chain:
        told = [f for f in chain.review() if f.code == "held_back"]
        orders = ordered(chain.run().orders)
        balance = chain.balance(whole=True)
    assert [dict(f.found.params)["product"] for f in told] == sorted(held)
    assert checked == told  # with the same file and row
    assert where in [(f.source, f.row) for f in told]
    for f in told:
        assert all(name in f.text(language) for name in (*held[:1], where[0]) for language in ("en", "zh"))
    assert orders == {product: rows for product, rows in good.items() if product not in stopped}
    assert set(ordered(balance.orders)) == set(orders)
    assert set(balance.certificate["held_back"]) == set(held + short)
    lost = {row["product"]: row["lost_units"] for row in balance.gaps.arrow.to_pylist() if row["lost_units"]}
    assert set(lost) == set(held + short) - {"C"}


def test_a_mended_row_frees_its_product(tmp_path: Path, good: dict[str, list[tuple]]) -> None:
    with datong.open(bad(tmp_path, "yield 2")) as chain:
        first = chain.run()
        assert "P" not in ordered(first.orders)
    with datong.open(folder_of(tmp_path)) as chain:
        assert [f.code for f in chain.review()] == ["idle_sites"]
        again = chain.run()
    assert ordered(again.orders) == good
    assert again.run != first.run
    # A row that turns bad later holds its product back as well, though the ledger knows how it was before.
    with datong.open(bad(tmp_path, "yield 2")) as chain:
        assert "P" not in ordered(chain.run().orders)
        assert chain.compare("main", "main") is not None
    # What is taken out of the file is no longer waited for.
    with datong.open(folder_of(tmp_path, **{"recipes.csv": FILES["recipes.csv"] + "R9,P,M,1,2,7\n"})) as chain:
        assert "P" not in ordered(chain.run().orders)
    with datong.open(folder_of(tmp_path)) as chain:
        assert ordered(chain.run().orders) == good


def test_a_row_taken_in_later_frees_its_product(tmp_path: Path, good: dict[str, list[tuple]]) -> None:
    header, of_p, of_q = FILES["recipes.csv"].splitlines()
    folder = folder_of(tmp_path, **{"recipes.csv": f"{header}\n{of_q}\n"})
    more = tmp_path / "more" / "recipes.csv"
    more.parent.mkdir()
    with datong.open(folder) as chain:
        more.write_text(f"{header}\n{of_p.replace('1,2,1', '1,2,0')}\n", encoding="utf-8")
        chain.ingest(more)
        assert "P" not in ordered(chain.run().orders)
        more.write_text(f"{header}\n{of_p}\n", encoding="utf-8")
        chain.ingest(more)
        assert [f.code for f in chain.review()] == ["idle_sites"]
        assert ordered(chain.run().orders) == good


def test_a_branch_may_say_how_it_is_without_freeing_the_trunk(tmp_path: Path, good: dict[str, list[tuple]]) -> None:
    recipe = {"recipe": "RP", "product": "P", "line": "L", "hours_per_unit": 1, "cost_per_unit": 2}
    with datong.open(bad(tmp_path, "yield 2")) as chain:
        what_if = chain.branch("mended")
        assert "P" not in ordered(what_if.run().orders)
        what_if.add("recipes", recipe)
        assert ordered(what_if.run().orders) == good
        assert "P" not in ordered(chain.run().orders)


def test_what_is_under_way_still_comes(tmp_path: Path) -> None:
    """A locked order for P stays, with its hours and components; nothing is added to it."""
    orders = "order,product,recipe,units,start,due,locked\nW1,P,RP,4,2026-01-05,2026-01-09,true\n"
    folder = folder_of(tmp_path, **{"orders.csv": orders})
    with datong.open(folder) as chain:
        chain.run()
    folder_of(tmp_path, **{"recipes.csv": FILES["recipes.csv"] + "R9,P,M,1,2,7\n"})
    with datong.open(folder) as chain:
        result = chain.run()
    assert "P" not in ordered(result.orders)
    assert [row["order"] for row in result.tables["kept"].to_pylist()] == ["W1"]
    served = sum(row["served_units"] for row in result.gaps.arrow.to_pylist() if row["product"] == "P")
    assert served == pytest.approx(4.0)


@pytest.mark.parametrize(("language", "words"), [("en", "P is held back"), ("zh", "P 暂停计划")])
def test_every_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, words: str) -> None:
    folder = str(bad(tmp_path, "yield 2"))
    for command in ("check", "run", "balance", "replenish"):
        status = main([command, folder, "--lang", language])
        printed = capsys.readouterr()
        text = " ".join((printed.out + printed.err).split())
        assert status == (1 if command == "check" else 0), text
        assert words in text and "recipes.csv" in text, command
    main(["quote", folder, "--product", "P", "--due", "2026-01-12", "--lang", language])
    printed = capsys.readouterr()
    assert words in " ".join((printed.out + printed.err).split())
