"""A folder that has not changed is not read again; whatever decides the outcome counts as a change."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import datong
from datong.app.cli.main import main
from datong.connectors.files import folder as folders
from datong.connectors.files import read as reading
from datong.connectors.files import take_in_folder
from datong.ledger.protocol import IngestReport
from datong.model.errors import NotFound
from datong.store.duckdb_ledger import DuckDBLedger

PRODUCTS = "product,price\nA,1\nB,2\n"
SALES = "sale,product,units,happened_at\ns1,A,1,2026-01-05\ns2,B,x,2026-01-05\ns3,A,1,1970-01-05\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "chain.toml").write_text('name = "shop"\n', encoding="utf-8")
    (shop / "products.csv").write_text(PRODUCTS, encoding="utf-8")
    (shop / "sales.csv").write_text(SALES, encoding="utf-8")
    return shop


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[str]]:
    """Gives the tables that were checked since it was last asked."""
    seen: set[str] = set()
    make = folders.TableCheck.take

    def take(self, rows):
        seen.add(self.table.name)
        return make(self, rows)

    monkeypatch.setattr(folders.TableCheck, "take", take)

    def asked() -> set[str]:
        found = set(seen)
        seen.clear()
        return found

    return asked


def opened(folder: Path) -> tuple[list[str], list[str], dict[str, int]]:
    """Codes of the findings and of the unheeded edits, and how many rows of each table were known already."""
    with datong.open(folder) as chain:
        known = {report.table: report.known for report in chain.ingested}
        return [f.code for f in chain.findings], [f.code for f in chain.unheeded], known


def test_what_is_unchanged_is_not_read_and_says_the_same(shop: Path, read: Callable[[], set[str]]) -> None:
    first = opened(shop)
    assert first[0] == ["odd_date", "not_a_number"]
    assert read() == {"products", "sales"}
    assert opened(shop) == (first[0], first[1], {"products": 2, "sales": 2})
    assert read() == set()


def test_a_change_of_one_byte_is_seen_though_size_and_time_stay(shop: Path, read: Callable[[], set[str]]) -> None:
    opened(shop)
    read()
    path = shop / "sales.csv"
    times = path.stat()
    path.write_text(SALES.replace("s3,A,1,1970", "s3,A,1,1991"), encoding="utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert opened(shop)[0] == ["not_a_number"]
    assert "sales" in read()


@pytest.mark.parametrize(
    ("file", "text", "checked"),
    [
        ("chain.toml", 'name = "shop"\ntime_zone = "Asia/Shanghai"\n', {"products", "sales"}),
        ("products.csv", PRODUCTS + "C,3\n", {"products", "sales"}),  # a key more, which sales may name
        ("products.csv", PRODUCTS.replace("A,1", "A,9"), {"products"}),  # the same keys
        ("stock.csv", "product,units,happened_at\nA,1,2026-01-05\n", {"products", "stock"}),
    ],
)
def test_what_depends_on_a_change_is_read_and_nothing_else(
    shop: Path, read: Callable[[], set[str]], file: str, text: str, checked: set[str]
) -> None:
    opened(shop)
    read()
    (shop / file).write_text(text, encoding="utf-8")
    codes = opened(shop)[0]
    assert {"not_a_number", "odd_date"} <= set(codes)
    assert read() == checked


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Gives the tables whose rows a ledger was handed since it was last asked."""
    seen: list[str] = []
    take_in = DuckDBLedger.take_in

    def noted(self: DuckDBLedger, table: str, *rest: Any, **named: Any) -> IngestReport:
        seen.append(table)
        return take_in(self, table, *rest, **named)

    monkeypatch.setattr(DuckDBLedger, "take_in", noted)

    def asked() -> list[str]:
        found = list(seen)
        seen.clear()
        return found

    return asked


@pytest.mark.parametrize(
    ("file", "text", "handed"),
    [
        ("notes/of-mine.txt", "A folder of its own", []),
        ("products.csv", PRODUCTS + "C,3\n", ["products", "sales"]),
        ("products.csv", PRODUCTS.replace("A,1", "A,x"), ["products", "sales"]),
        ("lines.csv", "line,hours_per_week\nL,40\nM,30\n", ["lines"]),
        ("chain.toml", 'name = "shop"\ntime_zone = "Asia/Shanghai"\n', ["lines", "products", "sales"]),
    ],
)
def test_rows_that_are_found_as_they_were_are_not_judged_again(
    shop: Path, taken: Callable[[], list[str]], file: str, text: str, handed: list[str]
) -> None:
    """Tables that others are held against are read whenever a folder differs, and handed on only where they differ."""
    (shop / "lines.csv").write_text("line,hours_per_week\nL,40\nM,x\n", encoding="utf-8")
    first = opened(shop)
    assert sorted(taken()) == ["lines", "products", "sales"]
    (shop / file).parent.mkdir(exist_ok=True)
    (shop / file).write_text(text, encoding="utf-8")
    again = opened(shop)
    assert sorted(taken()) == handed
    if not handed:
        assert again == (first[0], first[1], {"lines": 1, "products": 2, "sales": 2})
    assert opened(shop)[:2] == again[:2] and taken() == []


def test_other_rules_read_everything(shop: Path, read: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    opened(shop)
    read()
    monkeypatch.setattr(take_in_folder, "rules_digest", lambda: "a newer Datong")
    opened(shop)
    assert read() == {"products", "sales"}


def test_what_came_in_elsewhere_stands_until_the_folder_changes(shop: Path, tmp_path: Path) -> None:
    """The price of A is 1 in the folder. Another file says 7: that holds, until the folder's file says 3."""
    other = tmp_path / "products.csv"
    other.write_text("product,price\nA,7\n", encoding="utf-8")
    with datong.open(shop) as chain:
        assert chain.ingest(other).reports[0].superseded == 1
    with datong.open(shop) as chain:
        assert [r.superseded for r in chain.ingested if r.table == "products"] == [0]
        assert [f.code for f in chain.unheeded] == ["overtaken"]
        assert chain.state().table("products")["price"].to_pylist() == [7.0, 2.0]
    (shop / "products.csv").write_text(PRODUCTS.replace("A,1", "A,3"), encoding="utf-8")
    with datong.open(shop) as chain:
        assert [r.superseded for r in chain.ingested if r.table == "products"] == [1]
        assert chain.unheeded == ()
        assert chain.state().table("products")["price"].to_pylist() == [3.0, 2.0]


def test_a_version_that_was_taken_out_of_its_file_is_said_until_it_is_settled(shop: Path) -> None:
    """A costs 1, from July on 9. Without the second row in the file the ledger still has it; taken out there, A costs
    1. That an old row, which a later one has replaced, is no longer in the file needs no word."""
    rows = "product,price,valid_from\nA,1,\nA,9,2026-07-01\nB,2,\n"
    (shop / "products.csv").write_text(rows, encoding="utf-8")
    assert opened(shop)[1] == []
    (shop / "products.csv").write_text(rows.replace("A,9,2026-07-01\n", ""), encoding="utf-8")
    for _ in range(2):
        assert opened(shop)[1] == ["vanished"]
    with datong.open(shop) as chain:
        assert "products:A (2026-07-01)" in chain.unheeded[0].found.text("en")
        assert chain.state().versions("products").num_rows == 3
        evidence = chain.ledger.rows("products", ["products:A (2026-07-01)"])
        assert evidence["price"].to_pylist() == [9.0]
        with pytest.raises(NotFound):
            chain.withdraw("products", ["products:A (2026-08-01)"])
        assert chain.withdraw("products", ["products:A (2026-07-01)"]) == 1
        assert chain.state().versions("products")["price"].to_pylist() == [1.0, 2.0]
    assert opened(shop)[1] == []
    (shop / "products.csv").write_text("product,price,valid_from\nA,3,2026-02-01\nB,2,\n", encoding="utf-8")
    assert opened(shop)[1] == []


def test_an_unheeded_edit_is_said_until_it_is_settled(shop: Path) -> None:
    opened(shop)
    (shop / "sales.csv").write_text(SALES.replace("s1,A,1,", "s1,A,5,"), encoding="utf-8")
    for _ in range(2):
        assert opened(shop)[1] == ["same_id_other_content"]
    (shop / "sales.csv").write_text("sale,product,units,happened_at\ns1,A,1,2026-01-05\n", encoding="utf-8")
    for _ in range(2):
        assert opened(shop)[1] == ["vanished"]
    with datong.open(shop) as chain:
        chain.withdraw("sales", ["sales:s3"])
    assert opened(shop)[1] == []


def test_a_file_written_to_while_it_is_read_is_read_again(
    shop: Path, read: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first look and the reading somebody puts another file in its place, and later the first one back."""
    check = take_in_folder.check_folder

    def meanwhile(*args, **options):
        (shop / "sales.csv").write_text(SALES.replace("s1,A", "s4,A"), encoding="utf-8")
        return check(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(take_in_folder, "check_folder", meanwhile)
        opened(shop)
    (shop / "sales.csv").write_text(SALES, encoding="utf-8")
    read()
    assert opened(shop)[2]["sales"] == 1
    assert "sales" in read()
    with datong.open(shop) as chain:
        assert chain.state().table("sales")["sale"].to_pylist() == ["s1", "s3", "s4"]


@pytest.mark.parametrize("table", ["products", "sales"])
@pytest.mark.parametrize("more", ["", "D,4\n"])
def test_a_file_that_changes_while_it_streams_in_leaves_no_row_and_comes_in_the_next_time(
    shop: Path, monkeypatch: pytest.MonkeyPatch, table: str, more: str
) -> None:
    """more: written to its end after its last batch; nothing: only its time changes."""
    (shop / "stock.csv").write_text("product,units,happened_at\nA,1,2026-01-05\n", encoding="utf-8")
    batches = reading.csv_batches

    def meanwhile(path: Path, *args):
        yield from batches(path, *args)
        if path.stem == table:
            path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")

    with monkeypatch.context() as patched:
        patched.setattr(reading, "csv_batches", meanwhile)
        with datong.open(shop) as chain:
            assert ("changed_while_read", f"{table}.csv") in [(f.code, f.source) for f in chain.findings]
            assert chain.state().table(table).num_rows == 0
    with datong.open(shop) as chain:
        assert "changed_while_read" not in [f.code for f in chain.findings]
        assert chain.state().table(table).num_rows == 2 + (table == "products" and more != "")


def test_a_file_that_another_one_stood_in_for_is_not_taken_for_known(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its digest to the end of the reading another file stands in its place, then it is back."""
    check = take_in_folder.check_folder

    def meanwhile(*args, **options):
        (shop / "sales.csv").write_text(SALES.replace("s1,A", "s4,A"), encoding="utf-8")
        checked = check(*args, **options)
        (shop / "sales.csv").write_text(SALES, encoding="utf-8")
        return checked

    with monkeypatch.context() as patched:
        patched.setattr(take_in_folder, "check_folder", meanwhile)
        opened(shop)
    with datong.open(shop) as chain:
        assert chain.state().table("sales")["sale"].to_pylist() == ["s1", "s3", "s4"]


def test_a_file_that_comes_meanwhile_is_taken_in(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = take_in_folder.check_folder

    def meanwhile(*args, **options):
        (shop / "stock.csv").write_text("product,units,happened_at\nA,1,2026-01-05\n", encoding="utf-8")
        return check(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(take_in_folder, "check_folder", meanwhile)
        assert "stock" in opened(shop)[2]
    assert opened(shop)[2]["stock"] == 1


def test_a_file_that_could_not_be_read_once_is_read_the_next_time(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("the drive is away")

    with monkeypatch.context() as patched:
        patched.setattr(reading, "csv_batches", broken)
        assert opened(shop)[0] == ["unreadable_file", "unreadable_file"]
    assert opened(shop)[0] == ["odd_date", "not_a_number"]


def test_a_file_that_changes_after_its_rows_came_in_is_taken_in_and_read_again(
    shop: Path, read: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that was there before is gone, which takes a second reading to see."""
    (shop / "sales.csv").write_text("sale,product,units,happened_at\ns1,A,1,2026-01-05\ns2,A,2,2026-01-05\n")
    opened(shop)
    (shop / "sales.csv").write_text("sale,product,units,happened_at\ns1,A,1,2026-01-05\n")
    batches, readings = reading.csv_batches, []

    def meanwhile(path: Path, *args):
        yield from batches(path, *args)
        readings.append(path.stem)
        if readings.count("sales") == 2:
            (shop / "sales.csv").touch()

    with monkeypatch.context() as patched:
        patched.setattr(reading, "csv_batches", meanwhile)
        codes, _, known = opened(shop)
    assert codes == [] and known["sales"] == 1 and readings.count("sales") == 2
    read()
    assert opened(shop)[1] == ["vanished"]
    assert "sales" in read()


def test_a_table_whose_file_is_gone_is_asked_about_until_it_is_settled(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger still plans with its rows. Put the file back, or say that none of it holds."""
    stock = shop / "stock.csv"
    stock.write_text("product,units,happened_at\nA,1,2026-01-05\nB,2,2026-01-05\n", encoding="utf-8")
    assert opened(shop)[1] == []
    text = stock.read_text(encoding="utf-8")
    stock.unlink()
    for _ in range(2):
        with datong.open(shop) as chain:
            (found,) = chain.unheeded
            assert (found.code, found.source) == ("table_gone", "stock")
            assert "2 rows" in found.text("en") and "withdraw stock --all" in found.text("en")
            assert "2 行" in found.text("zh")
            assert chain.state().table("stock").num_rows == 2
    stock.write_text(text, encoding="utf-8")
    assert opened(shop)[1] == []
    stock.unlink()
    assert main(["run", str(shop), "--lang", "en"]) == 0
    assert "[table_gone]" in capsys.readouterr().err
    assert main(["withdraw", "stock", "--all", "--chain", str(shop), "--lang", "en"]) == 0
    assert "2 rows of stock" in capsys.readouterr().out
    assert opened(shop)[1] == []
    assert main(["withdraw", "stock", "--chain", str(shop), "--lang", "en"]) == 2
    assert main(["withdraw", "stock", "x", "--all", "--chain", str(shop), "--lang", "en"]) == 2


@pytest.mark.parametrize("bad", ["recipes.csv", "recipes.ods"])
def test_a_table_whose_file_cannot_be_read_is_not_gone(shop: Path, bad: str) -> None:
    (shop / "recipes.csv").write_text("recipe,product\nR,A\n", encoding="utf-8")
    assert opened(shop)[1] == []
    (shop / "recipes.csv").unlink()
    (shop / bad).write_bytes(b"")
    assert opened(shop)[1] == ([] if bad == "recipes.csv" else ["table_gone"])


def test_a_row_of_another_file_is_discarded_for_good_one_of_the_folder_comes_back(shop: Path, tmp_path: Path) -> None:
    with datong.open(shop) as chain:
        other = tmp_path / "recipes.csv"
        other.write_text("recipe,product,yield_share\nRA,A,2\n", encoding="utf-8")
        chain.ingest(other)
        assert [f.code for f in chain.review() if f.severity == "error"] == ["held_back"]
        waiting = chain.ledger.waiting().to_pylist()
        assert [row["table"] for row in waiting] == ["recipes", "sales"]
        with pytest.raises(NotFound):
            chain.discard_quarantine(["nothing"])
        assert chain.discard_quarantine([row["quarantine_id"] for row in waiting]) == 2
        assert chain.ledger.waiting().num_rows == 0
        assert [f.code for f in chain.review() if f.severity == "error"] == []
    with datong.open(shop) as chain:
        assert [row["table"] for row in chain.ledger.waiting().to_pylist()] == ["sales"]
