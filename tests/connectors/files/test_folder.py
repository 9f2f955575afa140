"""A chain folder: which files are which tables, and the tables against one another."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.connectors.files.folder import CheckResult, check_folder, read_folder
from datong.ledger.row_checks import ROW
from datong.model.findings import has_errors

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared"

GOOD = {
    "chain.toml": 'name = "test"\ntime_zone = "Asia/Shanghai"\n',
    "products.csv": "product,kind\nP,finished\nQ,finished\nC,component\n",
    "sales.csv": "product,units,happened_at\nP,1,2026-01-05\nQ,2,2026-01-06\n",
    "lines.csv": "line,hours_per_week\nL,40\n",
    "recipes.csv": "recipe,product,line\nRP,P,L\nRQ,Q,\nRC,C,L\n",
    "components.csv": "product,recipe,component,units_per_unit\nP,,C,2\nQ,RQ,C,1\n",
}


def folder_of(folder: Path, **changed: str | bytes | None) -> CheckResult:
    """The good folder with some files exchanged ('lines_csv' for lines.csv); None takes one out."""
    files: dict[str, str | bytes | None] = dict(GOOD)
    files.update({name[::-1].replace("_", ".", 1)[::-1]: content for name, content in changed.items()})
    for name, content in files.items():
        if content is not None:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return check_folder(folder)


def codes(result: CheckResult) -> list[tuple[str, str, int | None, str | None]]:
    return [(f.code, f.source, f.row, f.column) for f in result.findings]


def test_a_good_folder_has_no_findings(tmp_path: Path) -> None:
    result = folder_of(tmp_path)
    assert result.findings == ()
    assert result.settings is not None and result.settings.name == "test"
    assert {name: c.rows.num_rows for name, c in result.checked.items()} == {
        "products": 3,
        "lines": 1,
        "recipes": 3,
        "components": 2,
        "sales": 2,
    }
    assert list(result.checked) == ["products", "lines", "recipes", "components", "sales"]


# Every kind of bad input, each as a finding: file, row, column.
BAD: list[tuple[str, dict[str, str | bytes | None], tuple[str, str, int | None, str | None]]] = [
    (
        "wrong type",
        {"sales_csv": "product,units,happened_at\nP,many,2026-01-05\n"},
        ("not_a_number", "sales.csv", 2, "units"),
    ),
    (
        "unknown product",
        {"sales_csv": "product,units,happened_at\nP,1,2026-01-05\nX,1,2026-01-05\n"},
        ("unknown_reference", "sales.csv", 3, "product"),
    ),
    (
        "unknown line",
        {"recipes_csv": "recipe,product,line\nRQ,Q,L9\nRP,P,L\nRC,C,L\nRQ2,Q,L\nR3,Q,\n", "components_csv": None},
        ("unknown_reference", "recipes.csv", 2, "line"),
    ),
    (
        "negative hours",
        {"lines_csv": "line,hours_per_week\nL,40\nM,-40\n"},
        ("under_minimum", "lines.csv", 3, "hours_per_week"),
    ),
    (
        "duplicate id",
        {"products_csv": "product\nP\nQ\nC\nP\n"},
        ("duplicate_key", "products.csv", 5, "product"),
    ),
    (
        "own product called another one",
        {"product_aliases_csv": "alias,product\nP,P\nother,Q\nP2,P\nQ,P\n"},
        ("own_alias", "product_aliases.csv", 5, "alias"),
    ),
    ("column missing", {"lines_csv": "line\nL\n"}, ("missing_column", "lines.csv", None, "hours_per_week")),
    ("empty file", {"lines_csv": ""}, ("empty_file", "lines.csv", None, None)),
    (
        "truncated file",
        {"sales_csv": "product,units,happened_at\nP,1,2026-01-05\nQ,2"},
        ("field_count", "sales.csv", 3, None),
    ),
    ("truncated Parquet", {"stock_parquet": b"PAR1 cut"}, ("truncated_file", "stock.parquet", None, None)),
    (
        "wrong encoding",
        {"sales_csv": b"product,units,happened_at,customer\nP,1,2026-01-05,Andr\xe9\nP,1,2026-01-06,B\n"},
        ("wrong_encoding", "sales.csv", 2, None),
    ),
    (
        "cyclic bill of materials",
        {"components_csv": "product,component,units_per_unit\nP,C,1\nC,P,1\n"},
        ("cycle", "components.csv", 2, "component"),
    ),
    (
        "recipe of another product",
        {"components_csv": "product,recipe,component,units_per_unit\nP,RQ,C,1\n"},
        ("disagrees", "components.csv", 2, "product"),
    ),
    (
        "co-product that is the recipe's own product",
        {"recipe_outputs_csv": "recipe,product,units_per_unit\nRP,C,1\nRP,P,1\n"},
        ("own_output", "recipe_outputs.csv", 3, "product"),
    ),
    (
        "co-product that is no product",
        {"recipe_outputs_csv": "recipe,product,units_per_unit\nRP,Z,1\n"},
        ("unknown_reference", "recipe_outputs.csv", 2, "product"),
    ),
    (
        "component that nobody makes",
        {"recipes_csv": "recipe,product,line\nRP,P,L\nRQ,Q,\n"},
        ("nobody_makes", "components.csv", 2, "component"),
    ),
    (
        "share of a firm that runs no line",
        {"firm_shares_csv": "firm,floor_share\nF,0.2\nG,0.1\n", "sites_csv": "site,firm\nS,F\n"}
        | {"lines_csv": "line,site,hours_per_week\nL,S,40\n"},
        ("runs_no_line", "firm_shares.csv", 3, "firm"),
    ),
    (
        "never valid",
        {"recipes_csv": "recipe,product,valid_from,valid_to\nRP,P,2026-02-01,2026-01-01\nRQ,Q,,\nRC,C,,\n"},
        ("not_after", "recipes.csv", 2, "valid_to"),
    ),
    (
        "date far off",
        {"sales_csv": "product,units,happened_at\nP,1,1926-01-05\n"},
        ("odd_date", "sales.csv", 2, "happened_at"),
    ),
    ("no products", {"products_csv": None}, ("no_products", "FOLDER", None, None)),
    ("no demand", {"sales_csv": None}, ("no_demand", "FOLDER", None, None)),
    ("no settings", {"chain_toml": None}, ("no_settings", "chain.toml", None, None)),
    ("name of no table", {"salse_csv": "a\nb\n"}, ("unknown_table", "salse.csv", None, None)),
    ("name kept for later", {"inspections_csv": "a\nb\n"}, ("reserved_table", "inspections.csv", None, None)),
    ("other ending", {"stock_ods": "a\nb\n"}, ("not_read", "stock.ods", None, None)),
    ("two files for a table", {"products_jsonl": '{"product": "Z"}'}, ("two_sources", "products.jsonl", None, None)),
]


@pytest.mark.parametrize(("changed", "expected"), [(c, e) for _, c, e in BAD], ids=[name for name, _, _ in BAD])
def test_bad_input(
    tmp_path: Path, changed: dict[str, str | bytes | None], expected: tuple[str, str, int | None, str | None]
) -> None:
    result = folder_of(tmp_path, **changed)
    code, source, row, column = expected
    assert (code, tmp_path.name if source == "FOLDER" else source, row, column) in codes(result)
    errors = [f for f in result.findings if f.severity == "error"]
    assert len(errors) <= 2
    warnings = {"nobody_makes", "own_output", "runs_no_line", "odd_date", "unknown_table", "reserved_table", "not_read"}
    assert has_errors(result.findings) == (code not in warnings)
    for found in result.findings:
        assert "{" not in found.text("en") and "{" not in found.text("zh")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = "product,name\nP,帆布包\nQ,双肩包\nC,拉链\n"
    result = folder_of(tmp_path, products_csv=text.encode(encoding))
    assert result.findings == ()
    assert result.checked["products"].rows["name"].to_pylist() == ["帆布包", "双肩包", "拉链"]


def test_unknown_references_move_to_the_rejected_rows(tmp_path: Path) -> None:
    text = "product,units,happened_at\nP,x,2026-01-05\nX,1,2026-01-05\nQ,1,2026-01-05\nP\n"
    result = folder_of(tmp_path, sales_csv=text)
    assert result.checked["sales"].rows[ROW].to_pylist() == [4]
    assert result.checked["sales"].rejected[ROW].to_pylist() == [2, 3, 5]


def test_what_refers_to_a_rejected_row_is_rejected_with_it(tmp_path: Path) -> None:
    """The line's hours are wrong, so its recipes go, and the bill of materials of such a recipe."""
    result = folder_of(
        tmp_path,
        lines_csv="line,hours_per_week\nL,-1\n",
        components_csv="product,recipe,component,units_per_unit\nP,RP,Q,1\n",
    )
    assert result.checked["recipes"].rows["recipe"].to_pylist() == ["RQ"]
    assert result.checked["components"].rows.num_rows == 0


def test_a_table_that_cannot_be_read_makes_no_noise_in_others(tmp_path: Path) -> None:
    result = folder_of(tmp_path, products_csv="produkt\nP\n")
    assert [c for c in codes(result) if c[0] == "unknown_reference"] == []
    assert ("missing_column", "products.csv", None, "product") in codes(result)
    result = folder_of(tmp_path, products_csv="")
    assert [c[0] for c in codes(result)] == ["empty_file"]


def test_each_circle_is_named(tmp_path: Path) -> None:
    """A > B > C > A, and D > D; E hangs on the first circle without being in it."""
    result = folder_of(
        tmp_path,
        products_csv="product\nA\nB\nC\nD\nE\nP\nQ\n",
        recipes_csv=None,
        components_csv="product,component,units_per_unit\nA,B,1\nB,C,1\nC,A,1\nD,D,1\nA,E,1\n",
    )
    cycles = [f for f in result.findings if f.code == "cycle"]
    assert [(f.row, f.rows_affected) for f in cycles] == [(2, 3), (5, 1)]
    assert "A → B → C → A" in cycles[0].found.text("en") and "D → D" in cycles[1].found.text("zh")
    assert result.checked["components"].rows["component"].to_pylist() == ["E"]
    assert result.checked["components"].rejected.num_rows == 4


def test_lanes_that_lead_nowhere_and_recipes_at_no_site_are_named(tmp_path: Path) -> None:
    """RQ has no line, and L no site: with lanes, nobody knows where they make. RC says so itself."""
    recipes = "recipe,product,line,site\nRP,P,L,\nRQ,Q,,\nRC,C,L,F\n"
    lanes = "lane,from_site,to_site\na,F,S\nb,S,S\n"
    result = folder_of(tmp_path, sites_csv="site\nF\nS\n", recipes_csv=recipes, lanes_csv=lanes)
    assert codes(result) == [
        ("no_site", "recipes.csv", 2, "recipe"),
        ("no_site", "recipes.csv", 3, "recipe"),
        ("same_site", "lanes.csv", 3, "to_site"),
    ]
    assert result.checked["lanes"].rows["lane"].to_pylist() == ["a"]
    (tmp_path / "lanes.csv").unlink()
    assert check_folder(tmp_path).findings == ()


def test_the_shortest_circle_of_a_knot_is_named(tmp_path: Path) -> None:
    result = folder_of(
        tmp_path,
        products_csv="product\nA\nB\nC\nP\nQ\n",
        recipes_csv=None,
        components_csv="product,component,units_per_unit\nA,B,1\nB,C,1\nC,A,1\nB,A,1\n",
    )
    (cycle,) = [f for f in result.findings if f.code == "cycle"]
    assert "A → B → A" in cycle.found.text("en") and cycle.rows_affected == 4


def test_a_transfer_against_its_lane(tmp_path: Path) -> None:
    """A lane ends at one site, and one of a product carries no other."""
    result = folder_of(
        tmp_path,
        sites_csv="site\nS\nT\n",
        lanes_csv="lane,from_site,to_site,product\nST,S,T,\nSTP,S,T,P\n",
        orders_csv="order,kind,product,lane,site,units,start,due\n1,move,P,ST,T,1,2026-01-01,2026-01-02\n"
        "2,move,P,ST,S,1,2026-01-01,2026-01-02\n3,move,Q,STP,,1,2026-01-01,2026-01-02\n",
    )
    told = [code for code in codes(result) if code[1] == "orders.csv"]
    assert told == [("disagrees", "orders.csv", 4, "product"), ("disagrees", "orders.csv", 3, "site")]
    assert result.checked["orders"].rows["order"].to_pylist() == ["1"]


def test_site_of_a_recipe_against_its_line(tmp_path: Path) -> None:
    result = folder_of(
        tmp_path,
        sites_csv="site\nS\nT\n",
        lines_csv="line,site,hours_per_week\nL,S,40\n",
        recipes_csv="recipe,product,line,site\nRP,P,L,T\nRQ,Q,L,S\nRC,C,L,\n",
    )
    assert codes(result) == [("disagrees_oddly", "recipes.csv", 2, "site")]
    assert result.checked["recipes"].rows.num_rows == 3


def test_sheets_of_a_workbook_are_tables(tmp_path: Path) -> None:
    (tmp_path / "chain.toml").write_text('name = "x"\n')
    with xlsxwriter.Workbook(tmp_path / "数据.xlsx") as book:
        for name, rows in {
            "products": [["product"], ["P"]],
            "销售": [["product", "units", "happened_at"], ["P", 3, "2026-01-05"]],
            "notes": [["to self"], ["hello"]],
        }.items():
            sheet = book.add_worksheet(name)
            for r, row in enumerate(rows):
                sheet.write_row(r, 0, row)
    (tmp_path / "~$数据.xlsx").write_bytes(b"lock file")
    result = check_folder(tmp_path)
    assert codes(result) == [("unknown_table", "数据.xlsx/notes", None, None)]
    assert result.checked["sales"].rows["units"].to_pylist() == [3.0]


def test_a_workbook_of_one_sheet_may_bear_the_tables_name(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "lines.xlsx") as book:
        sheet = book.add_worksheet("Sheet1")
        sheet.write_row(0, 0, ["line", "hours_per_week"])
        sheet.write_row(1, 0, ["L", 40])
    result = folder_of(tmp_path, lines_csv=None)
    assert result.findings == () and result.checked["lines"].rows.num_rows == 1


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("README.md", "lp.json", ".hidden.csv", "notes.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".datong").mkdir()
    assert folder_of(tmp_path).findings == ()


def test_no_folder(tmp_path: Path) -> None:
    result = check_folder(tmp_path / "nothing")
    assert result.settings is None and [f.code for f in result.findings] == ["no_folder"]
    assert read_folder(tmp_path / "nothing").parts == ()


def test_an_empty_folder_says_all_that_is_missing(tmp_path: Path) -> None:
    assert [f.code for f in check_folder(tmp_path).findings] == ["no_settings", "no_products", "no_demand"]


def test_the_same_folder_gives_the_same_findings(tmp_path: Path) -> None:
    bad = {"components_csv": "product,component,units_per_unit\nP,C,1\nC,P,x\nQ,Z,1\n", "lines_csv": "line\n"}
    first, second = folder_of(tmp_path, **bad), folder_of(tmp_path, **bad)
    assert first.findings == second.findings
    assert first.checked["components"].rejected.equals(second.checked["components"].rejected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["product", "units", "happened_at", ",", "\n", "P", "1", '"', "2026-01-05", "é", "-"])))
def test_any_sales_file_never_raises(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    folder = tmp_path_factory.mktemp("chain")
    result = folder_of(folder, sales_csv="product,units,happened_at\n" + "".join(pieces))
    for found in result.findings:
        assert found.text("en") and found.text("zh")


@pytest.mark.parametrize("size", ["100", "1000"])
def test_the_conformance_fixtures_pass(size: str) -> None:
    folder = SHARED / "bench" / "network" / size
    if not folder.is_dir():
        pytest.skip("shared fixtures are not there")
    result = check_folder(folder)
    assert result.findings == ()
    assert result.checked["demand"].rejected.num_rows == 0 and result.checked["demand"].rows.num_rows > 0


def test_parquet_with_a_null_column(tmp_path: Path) -> None:
    stock = pa.table({"happened_at": ["2026-01-05"], "site": pa.nulls(1), "product": ["P"], "units": [3]})
    pa.parquet.write_table(stock, tmp_path / "stock.parquet")
    result = folder_of(tmp_path)
    assert result.findings == () and result.checked["stock"].rows["site"].to_pylist() == [None]
