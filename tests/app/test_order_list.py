"""`datong try`: what she gets of an export, and of the next one."""

import re
import shlex
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook

import datong
from datong.app.cli.main import main
from datong.connectors.exports.count_sheet import read_counts
from datong.connectors.exports.vocabulary import may_be_no_goods
from datong.connectors.files.read import whole_source
from datong.model.errors import BadInput
from datong.questions.order_list import pace

PACE = "Sells a week, expected of the next 4 whole weeks"


def written(path: Path, days: int = 60, more: tuple[str, ...] = (), last: int = 0) -> Path:
    """Two products in two countries; the bowl has a picture."""
    rows = ["Order,Date,SKU,Item name,Quantity,Country,Image URL"]
    for day in range(days):
        date = f"2024-{1 + day // 28:02}-{1 + day % 28:02}"
        rows.append(f"A{day},{date},KA,Plate,2,UK,")
        rows.append(f"B{day},{date},KB,Bowl,{1 + day % 3},FR,https://img.example/bowl.jpg")
    path.write_text("\n".join([*rows[: len(rows) - last], *more]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a chain that was made of a first export."""
    folder = tmp_path_factory.mktemp("tried")
    export = written(folder / "orders-1.csv")
    assert main(["try", str(export), "--yes", "--into", str(folder / "chain"), "--lang", "en"]) == 0
    return folder / "chain"


def rows_of(path: Path) -> list[list[object]]:
    return CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()


def count(chain: Path, path: Path, counts: dict[str, object], day: object = None) -> Path:
    """The count sheet that came with a list, filled in."""
    head, *rows = rows_of(chain / "results" / "count-sheet.xlsx")
    book = Workbook(str(path))
    sheet = book.add_worksheet("Count")
    for at, row in enumerate([head, *rows]):
        for i, value in enumerate(row):
            filled = counts.get(str(row[0]), value) if at and i == 2 else day if day and at and i == 3 else value
            sheet.write(at, i, filled)
    book.close()
    return path


def test_the_list_names_products_and_says_what_it_assumes(tried: Path) -> None:
    rows = rows_of(tried / "results" / "order-list.xlsx")
    told = " ".join(str(cell) for row in rows[:4] for cell in row)
    assert "assumes nothing in stock for 2 of 2 products" in told
    at = next(i for i, row in enumerate(rows) if row[0] == "Product")
    listed = {row[1]: dict(zip(rows[at], row, strict=True)) for row in rows[at + 1 :]}
    assert listed["KA"]["Product"] == "Plate" and listed["KB"]["Picture"] == "https://img.example/bowl.jpg"
    assert 12 <= float(str(listed["KA"][PACE])) <= 16
    assert float(str(listed["KA"]["Order now"])) > 0 and listed["KA"]["In stock"] == "?"


def test_what_sells_a_week_is_of_whole_weeks_that_have_not_begun(tried: Path) -> None:
    with datong.open(tried) as chain:
        result, state = chain.run(listed=True), chain.state()
    forecast = result.tables["forecast"].to_pylist()
    starts = sorted({row["bucket"] for row in forecast})
    whole = [start for start in starts if start > state.today][:4]
    assert whole == starts[1:5] or whole == starts[:4]
    for row in result.tables["order_list"].to_pylist():
        own = [r["mean_units"] for r in forecast if r["product"] == row["product"] and r["bucket"] in whole]
        assert row["week_units"] == pytest.approx(sum(own) / 4)


@given(
    first=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    days=st.sampled_from((1, 7)),
    count=st.integers(1, 60),
    begun=st.integers(-10, 80),
)
def test_no_bucket_that_has_begun_counts_for_the_pace(first: date, days: int, count: int, begun: int) -> None:
    starts = [first + timedelta(days=days * i) for i in range(count)]
    today = first + timedelta(days=begun)
    taken = starts[pace(starts, today, days)]
    if starts[-1] > today:
        assert min(taken) > today and len(taken) == min(28 // days, sum(start > today for start in starts))
    else:
        assert taken == starts


def test_a_list_of_months_says_that_its_days_are_assumed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    months = [f"2025-{month:02}" for month in range(1, 13)]
    export = tmp_path / "months.csv"
    rows = [",".join([item, *(str(100 + n) for n in range(12))]) for item in ("Mug", "Plate")]
    export.write_text("\n".join([",".join(["Item", *months]), *rows]) + "\n", encoding="utf-8")
    assert main(["try", str(export), "--into", str(tmp_path / "shop"), "--yes", "--lang", "en"]) == 0
    told = capfd.readouterr()
    text = " ".join(told.out.split())
    assert "2,532 units sold (2025-01-01 to 2025-12-31) were known by the month" in text
    assert "Rows that count a month or another stretch of days: 24 (2,532 units)." in text


def test_what_is_out_does_not_last(tried: Path, tmp_path: Path) -> None:
    export = written(tmp_path / "orders.csv")
    assert main(["try", str(export), "--yes", "--into", str(tmp_path / "chain"), "--lang", "en"]) == 0
    counts = count(tmp_path / "chain", tmp_path / "count.xlsx", {"KA": 0})
    command = ["try", str(export), "--yes", "--into", str(tmp_path / "chain"), "--stock", str(counts), "--lang", "en"]
    assert main(command) == 0
    rows = rows_of(tmp_path / "chain" / "results" / "order-list.xlsx")
    at = next(i for i, row in enumerate(rows) if row[0] == "Product")
    listed = {row[1]: dict(zip(rows[at], row, strict=True)) for row in rows[at + 1 :]}
    assert float(str(listed["KA"]["Order now"])) > 0
    assert str(listed["KA"]["Lasts until"]).startswith("out now; with what comes, 2024-")


def test_one_series_a_product_unless_markets_are_wanted(tried: Path, tmp_path: Path) -> None:
    with datong.open(tried) as chain:
        assert set(chain.state().table("sales")["market"].to_pylist()) == {"all"}
    export = written(tmp_path / "orders.csv")
    assert main(["try", str(export), "--yes", "--by-market", "--into", str(tmp_path / "chain"), "--lang", "en"]) == 0
    with datong.open(tmp_path / "chain") as chain:
        assert set(chain.state().table("sales")["market"].to_pylist()) == {"UK", "FR"}
        taken = chain.ingest(written(tmp_path / "orders-2.csv"))  # the next export keeps them apart, too
        assert sum(report.added + report.superseded for report in taken.reports) == 0


def test_the_order_of_the_list_is_the_order_of_the_plan(tried: Path) -> None:
    with datong.open(tried) as chain:
        result = chain.run(listed=True)
    first = min(result.tables["forecast_total"]["bucket"].to_pylist())
    planned: dict[str, float] = {}
    for row in result.tables["orders"].to_pylist():
        if (row["start"] - first).days < 7:
            planned[row["product"]] = planned.get(row["product"], 0) + row["units"]
    assert {r["product"]: r["order_units"] for r in result.tables["order_list"].to_pylist()} == planned


def test_a_count_that_comes_back_is_taken_off(tried: Path, tmp_path: Path) -> None:
    counts = count(tried, tmp_path / "count.xlsx", {"KA": 500})
    export = written(tmp_path / "orders-2.csv", more=("A99,2024-03-06,KA,Plate,2,UK,",))
    command = ["try", str(export), "--yes", "--into", str(tried), "--stock", str(counts), "--lang", "en"]
    assert main(command) == 0
    rows = rows_of(tried / "results" / "order-list.xlsx")
    at = next(i for i, row in enumerate(rows) if row[0] == "Product")
    listed = {row[1]: dict(zip(rows[at], row, strict=True)) for row in rows[at + 1 :]}
    assert listed["KA"]["Order now"] == 0 and float(str(listed["KA"]["In stock"])) >= 498
    assert "after" in str(listed["KA"]["Lasts until"]) and listed["KB"]["In stock"] == "?"
    head, *sheet = rows_of(tried / "results" / "count-sheet.xlsx")
    assert head[4:] == ["Last count", "Last counted on"] and [row[0] for row in sheet] == ["KA", "KB"]
    assert [row[2] for row in sheet] == ["", ""] and sheet[0][4] == 500 and sheet[1][4:] == ["", ""]
    assert str(sheet[0][5]).startswith("2024-0")


def test_a_wrong_count_is_refused_whole(tried: Path, tmp_path: Path) -> None:
    book = Workbook(str(tmp_path / "count.xlsx"))
    sheet = book.add_worksheet()
    for at, row in enumerate([
        ("编码", "品名", "实盘数量", "盘点日期"), ("KA", "Plate", "some", ""), ("KX", "", 3, ""),
        ("KB", "Bowl", -1, "soon"),
    ]):  # fmt: skip
        sheet.write_row(at, 0, row)
    book.close()
    with datong.open(tried) as chain, pytest.raises(BadInput) as refused:
        chain.ingest(tmp_path / "count.xlsx")
    assert [f.code for f in refused.value.findings] == ["not_a_number", "unknown", "not_a_number", "not_a_day"]
    assert "KX" in said_of(refused.value, "en") and "KX" in said_of(refused.value, "zh")


def typed_counts(path: Path, counts: list[object]) -> Path:
    """A count sheet of the products KA, KB, ..."""
    book = Workbook(str(path))
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ("Code", "Name", "Counted", "Counted on"))
    for at, counted in enumerate(counts, start=1):
        sheet.write_row(at, 0, (f"K{chr(64 + at)}", "", counted, ""))
    book.close()
    return path


@pytest.mark.parametrize(
    ("counts", "units"),
    [
        (["3.500", "12,5"], ["3500", "12.5"]),
        (["3,500", "12.5"], ["3500", "12.5"]),
        (["1.234,5", "2.000"], ["1234.5", "2000"]),
        ([3.5, "12,5", "3.500"], ["3.5", "12.5", "3500"]),  # a typed cell means what it says
        ([1.125, 4], ["1.125", "4"]),
        (["１２", "3 pcs"], ["12", "3"]),
    ],
)
def test_counts_are_read_by_the_evidence_of_their_column(
    tmp_path: Path, counts: list[object], units: list[str]
) -> None:
    source, count, _ = read_counts(typed_counts(tmp_path / "c.xlsx", counts), {"KA", "KB", "KC"}, date(2024, 3, 1))
    assert whole_source(source).rows["units"].to_pylist() == units and count == len(units)


@pytest.mark.parametrize("counts", [["1.250"], ["1,250", 7], ["1.250", "3,5", "2.5"]])
def test_a_count_with_two_readings_is_told_and_nothing_taken_for_it(tmp_path: Path, counts: list[object]) -> None:
    with pytest.raises(BadInput) as refused:
        read_counts(typed_counts(tmp_path / "c.xlsx", counts), {"KA", "KB", "KC"}, date(2024, 3, 1))
    (found,) = refused.value.findings
    assert (found.code, found.row) == ("two_readings", 2)
    assert "1.25 or 1250" in said_of(refused.value, "en") and "1.25 还是 1250" in said_of(refused.value, "zh")


@pytest.mark.parametrize(
    ("cell", "unit", "code"),
    [
        ("12箱", "piece", "other_unit"),
        ("5 boxes", None, "other_unit"),
        ("3kg", "piece", "other_unit"),
        ("1,5", "piece", "part_of_a_piece"),
        ("12件", "piece", None),
        ("12箱", "箱", None),
        ("1,5", "kg", None),
        (1.5, "piece", None),
    ],
)
def test_a_count_in_another_unit_or_of_a_part_is_asked(
    tmp_path: Path, cell: object, unit: str | None, code: str | None
) -> None:
    file = typed_counts(tmp_path / "c.xlsx", [cell])
    if code is None:
        assert read_counts(file, {"KA"}, date(2024, 3, 1), {"KA": unit})[1] == 1
        return
    with pytest.raises(BadInput) as raised:
        read_counts(file, {"KA"}, date(2024, 3, 1), {"KA": unit})
    assert [found.code for found in raised.value.findings] == [code]
    assert str(cell) in said_of(raised.value, "en") and str(cell) in said_of(raised.value, "zh")


def said_of(error: BadInput, language: str) -> str:
    return str([found.as_record(language) for found in error.findings])


def test_what_is_no_count_sheet_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as absent:
        read_counts(tmp_path / "none.xlsx", frozenset({"KA"}), date(2024, 3, 1))
    with pytest.raises(BadInput) as other:
        read_counts(written(tmp_path / "orders.csv"), frozenset({"KA"}), date(2024, 3, 1))
    assert "No such file" in said_of(absent.value, "en") and "count sheet" not in said_of(absent.value, "en")
    assert "Counted" in said_of(other.value, "en") and "盘点表" in said_of(other.value, "zh")


def test_the_next_export_says_what_came_and_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain = tmp_path / "chain"
    assert main(["try", str(written(tmp_path / "orders-1.csv")), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    capsys.readouterr()
    sheet = count(chain, chain / "results" / "count-sheet.xlsx", {"KB": 40})  # filled in where it lies
    more = ("A90,2024-03-05,KA,Plate,9,UK,", "A91,2024-03-06,KA,Plate,9,UK,")
    export = written(tmp_path / "orders-2.csv", more=more)
    assert main(["try", str(export), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "2 new" in said.replace("added", "new") or "2 added" in said
    assert "To do" in said or "this week" in said
    assert said.index("Order list of") > said.index("orders-2.csv")
    assert said.index("To do" if "To do" in said else "What to do") > said.index("Order list of")
    changes = said[said.index("Since the last plan") : said.index("What to do")].strip().splitlines()
    assert len(changes) <= 6 and changes[-1].strip().endswith("is in the report.") and "parquet" not in said
    assert "Next time: datong try NEW_EXPORT --into" in said
    assert "Counts of 1 product are taken in; 1 row not filled in." in said
    assert [(row[0], row[2], row[4]) for row in rows_of(sheet)[1:]] == [("KA", "", ""), ("KB", "", 40)]
    assert [row[2] for row in rows_of(chain / "results" / "count-sheet-taken-in.xlsx")[1:]] == ["", 40]


def test_the_command_that_takes_vanished_lines_out_works_as_it_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = tmp_path / "my chain"
    first = written(
        tmp_path / "orders-1.csv", more=("A 9;'9,2024-02-01,KA,Plate,5,UK,", "#98,2024-02-02,KA,Plate,4,UK,")
    )
    assert main(["try", str(first), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    capsys.readouterr()
    assert main(["try", str(written(tmp_path / "orders-2.csv")), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    (command,) = (line for line in said.splitlines() if line.startswith("datong withdraw sales "))
    with datong.open(chain) as opened:
        before = sum(opened.state().table("sales")["units"].to_pylist())
    assert main(shlex.split(command)[1:]) == 0
    with datong.open(chain) as opened:
        assert before - sum(opened.state().table("sales")["units"].to_pylist()) == 9


def test_every_heading_of_a_reading_is_in_the_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = written(tmp_path / "orders.csv")
    assert main(["try", str(export), "--yes", "--into", str(tmp_path / "chain"), "--lang", "zh"]) == 0
    (heads,) = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("读作"))
    assert len(heads) == 6 and not any(head.isascii() for head in heads)


def test_nothing_is_told_twice(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chain = tmp_path / "chain"
    assert main(["try", str(written(tmp_path / "orders-1.csv")), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    capfd.readouterr()
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    ahead = written(tmp_path / "orders-2.csv", more=(f"A90,{tomorrow},KA,Plate,9,UK,",))
    assert main(["try", str(ahead), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    told = capfd.readouterr()
    assert (told.out + told.err).count("[in_the_future]") == 1


def under_way(chain: Path, product: str) -> float:
    with datong.open(chain) as opened:
        rows = opened.run(listed=True).tables["order_list"].to_pylist()
    return next(row["under_way_units"] for row in rows if row["product"] == product)


def test_what_was_ordered_and_what_arrived_is_told_with_the_commands_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = tmp_path / "my chain"
    assert main(["try", str(written(tmp_path / "orders.csv")), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    commands = re.findall(r"(datong (?:release --due|ingest receipts.csv) --chain '.*?')", said)
    assert len(commands) == 2
    with datong.open(chain) as opened:
        planned = opened.run(listed=True).tables["order_list"].to_pylist()
    wanted = {row["product"]: row["order_units"] for row in planned}
    assert wanted["KA"] > 0
    assert main(shlex.split(commands[0])[1:]) == 0
    assert under_way(chain, "KA") == wanted["KA"]
    assert "Under way" not in said.split("Order list of")[1]
    capsys.readouterr()
    assert main(["try", str(tmp_path / "orders.csv"), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    assert "Under way" in capsys.readouterr().out.split("Order list of")[1]
    with datong.open(chain) as opened:
        orders = [row for row in opened.state().table("orders").to_pylist() if row["product"] == "KA"]
    lines = [f"2024-03-05,{row['order']},KA,{row['units']}" for row in orders]
    (tmp_path / "receipts.csv").write_text("\n".join(["happened_at,order,product,units", *lines]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(commands[1])[1:]) == 0
    assert under_way(chain, "KA") == 0
    # What arrived is there: it is not ordered once more, and the row agrees with itself.
    capsys.readouterr()
    assert main(["try", str(tmp_path / "orders.csv"), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    assert "Of 1 of these, what arrived by the records" in " ".join(capsys.readouterr().out.split())
    (listed,) = [row for row in rows_of(chain / "results" / "order-list.xlsx") if row[:2] == ["Plate", "KA"]]
    assert f"? + {wanted['KA']:.0f} arrived" in listed
    with datong.open(chain) as opened:
        after = {row["product"]: row for row in opened.run(listed=True).tables["order_list"].to_pylist()}
    assert after["KA"]["order_units"] < wanted["KA"] / 2 and after["KA"]["short_chance"] < 0.5
    assert not after["KA"]["counted"] and after["KA"]["on_hand_units"] == wanted["KA"]


@pytest.mark.parametrize(
    "name", ["Gift Card - €25", "补差价 邮费专拍", "【赠品】茶巾 单拍不发", "Versandkosten Inland"]
)
def test_what_nobody_orders_is_known_by_its_name(name: str) -> None:
    assert may_be_no_goods(name)


@pytest.mark.parametrize("name", ["Gift box of tea", "Pen tip", "Shipping box", "紫砂壶 赠送茶杯 送运费险"])
def test_what_is_ordered_is_not_taken_for_something_else(name: str) -> None:
    assert not may_be_no_goods(name)


def test_what_may_be_no_goods_stands_apart_until_somebody_says_that_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["Order,Date,SKU,Item name,Quantity,Price"]
    for day in range(60):
        on = f"2024-{1 + day // 28:02}-{1 + day % 28:02}"
        rows += [f"A{day},{on},KA,Plate,2,5.5", f"B{day},{on},GC,Gift Card - 25,1,25", f"C{day},{on},SM,Sampler,1,0.00"]
        rows.append(f"D{day},{on},KB,Bowl,1,7.5")
    (tmp_path / "orders.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    command = ["try", str(tmp_path / "orders.csv"), "--yes", "--into", str(tmp_path / "chain"), "--lang", "en"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "2 of 2 products to order now" in said and "Not goods? 2 products set apart" in said
    assert "Order list of chain, " in said  # by the folder that was named, not by its first file
    assert f"Order list to send: {tmp_path.resolve() / 'chain' / 'results' / 'order-list.xlsx'}" in said
    assert (
        "Sampler (SM): " in said
        and "no sale of it has a price above 0. If you do order it: --answer goods:SM=yes" in said
    )
    (released,) = re.findall(r"all of this: datong (release .*? --chain \S+) \(or", said)
    assert main(command) == 0  # now there is a plan before it, and it says what is to be done
    told = " ".join(capsys.readouterr().out.split())
    assert "Give out what the list orders and starts by 2024-03-10 (2), with datong release --due and --without" in told
    assert "; 2 more, of products that stand apart" in told
    page = (tmp_path / "chain" / "results" / "report.html").read_text(encoding="utf-8")
    assert "2 more, of products that stand apart" in page and "release --due and --without PRODUCT" in page
    assert main([*command, "--answer", "goods:SM=yes"]) == 0
    assert "of 3 products to order now" in capsys.readouterr().out
    assert main(command) == 0  # it is kept
    assert "of 3 products to order now" in capsys.readouterr().out
    assert shlex.split(released)[:6] == ["release", "--due", "--without", "GC", "--without", "SM"]
    where = ["--chain", str(tmp_path / "chain"), "--lang", "en"]
    assert main(["release", "--without", "GC", *where]) == 2  # of what, nobody said
    assert main(["release", "--due", "--without", "G C", *where]) == 2
    assert "No order of the plan is of G C." in capsys.readouterr().err
    assert main(shlex.split(released)) == 0
    with datong.open(tmp_path / "chain") as opened:
        assert set(opened.state().table("orders")["product"].to_pylist()) == {"KA", "KB"}


def test_half_a_jar_in_stock_orders_no_half_jars(tmp_path: Path) -> None:
    chain = tmp_path / "chain"
    assert main(["try", str(written(tmp_path / "orders.csv")), "--yes", "--into", str(chain), "--lang", "en"]) == 0
    counts = count(chain, tmp_path / "count.xlsx", {"KA": 3.5, "KB": 1.25})
    export = str(written(tmp_path / "orders-2.csv", more=("A99,2024-03-06,KA,Plate,2,UK,",)))
    assert main(["try", export, "--yes", "--into", str(chain), "--stock", str(counts), "--lang", "en"]) == 0
    with datong.open(chain) as opened:
        orders = opened.run(listed=True).tables["orders"]["units"].to_pylist()
    assert orders and all(units == int(units) for units in orders)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x", encoding="utf-8")
    export = written(tmp_path / "orders-1.csv")
    assert main(["try", str(export), "--yes", "--into", str(tmp_path / "mine"), "--lang", "en"]) == 2


def dated(path: Path, ends: date, more: tuple[str, ...] = (), days: int = 84) -> Path:
    """Two products that sell every day up to one, and more lines: product, quantity, state."""
    rows = ["Order,Date,SKU,Quantity,Status"]
    for day in range(days):
        at = ends - timedelta(days=days - 1 - day)
        rows += [f"A{day},{at},KA,{2 + day % 2},paid", f"B{day},{at},KB,3,paid"]
    rows += [f"C{i},{ends - timedelta(days=i % 28)},{line}" for i, line in enumerate(more)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def list_of(path: Path, folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[str, list[list[object]]]:
    """What the terminal says, and the rows of the list's workbook."""
    assert main(["try", str(path), "--yes", "--into", str(folder), *more]) == 0
    return " ".join(capsys.readouterr().out.split()), rows_of(folder / "results" / "order-list.xlsx")


def last_sunday(weeks: int) -> date:
    today = datetime.now().astimezone().date()
    return today - timedelta(days=today.weekday() + 1 + 7 * weeks)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "The records end on {}, {} days before"), ("zh", "数据记录到 {} 为止")]
)
@pytest.mark.parametrize(("weeks", "is_stale"), [(0, False), (2, True), (30, True)])
def test_a_list_of_records_that_end_weeks_ago_says_so(
    weeks: int, is_stale: bool, language: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = last_sunday(weeks)
    days = (datetime.now().astimezone().date() - ends).days
    said, rows = list_of(dated(tmp_path / "a.csv", ends), tmp_path / "c", capsys, "--lang", language)
    told = words.format(ends, days)
    assert (told in said) == is_stale and any(told in str(row[0]) for row in rows) == is_stale


@pytest.mark.parametrize(("count", "is_much"), [(4, False), (60, True)])
def test_much_that_is_left_out_is_said_in_the_workbook(
    count: int, is_much: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = dated(tmp_path / "a.csv", last_sunday(0), tuple(f"KA,{2 + i % 3},cancelled" for i in range(count)))
    _, rows = list_of(export, tmp_path / "c", capsys, "--lang", "en")
    left = sum(2 + i % 3 for i in range(count))
    told = [str(row[0]) for row in rows if "are left out" in str(row[0])]
    assert bool(told) == is_much
    if is_much:
        assert f"Of the {462 + left} units of a.csv, {left} are left out" in told[0] and "cancelled" in told[0]


@pytest.mark.parametrize(
    ("language", "words"), [("en", "from similar products, for want of history"), ("zh", "参照同类产品估计")]
)
def test_a_product_that_was_sold_once_says_that_others_tell_its_demand(
    language: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = dated(tmp_path / "a.csv", last_sunday(0), ("NEW,2,paid",))
    said, rows = list_of(export, tmp_path / "c", capsys, "--lang", language)
    of = {str(row[1]): row for row in rows if len(row) > 10 and row[1]}
    assert words in str(of["NEW"][10]) and not of["KA"][10] and not of["KB"][10]
    assert said.replace(" ", "").count(words[:8].replace(" ", "")) == 1  # in the product's cell, over several lines
    units = {str(row[3]) for code, row in of.items() if code in ("NEW", "KA", "KB")}
    assert units == {"件" if language == "zh" else "piece"}


def test_a_list_in_which_each_product_has_its_history_has_no_remarks(tried: Path) -> None:
    heads = next(row for row in rows_of(tried / "results" / "order-list.xlsx") if "Code" in row)
    assert "Remark" not in heads
