"""`try` and `ingest` of sales exports at a terminal: what is asked, what is kept, and what the next export finds."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import datong
from datong.app.chain import Chain
from datong.app.cli.main import EXIT_ASKED, EXIT_REFUSED, main
from datong.app.take_in_beside_folder import of_tables
from datong.connectors.exports.questions import ANSWERS_FILE, read_answers
from datong.model.errors import Asked, Refused
from datong.model.tables import tables
from mill import write

EXPORT = "Date,SKU,Qty,Status\n" + "".join(
    f"{month}/{day}/2024,{code},{day},{'refunded' if day == 5 else 'paid'}\n"
    for month in range(1, 7)
    for day, code in ((1, "A"), (5, "B"), (9, "A"))
)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "orders 2024.csv"
    path.write_text(EXPORT, encoding="utf-8")
    return path


def typed(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Somebody sits at the terminal and types."""
    said: Iterator[str] = iter(answers)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _prompt="": next(said))


def test_a_question_is_asked_at_the_terminal_until_it_is_answered(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "?", "9", "2", "y", "")  # Enter: the stock is not known
    assert main(["try", str(export), "--keep", str(tmp_path / "kept"), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "no sale: 30 units are left out" in said
    assert said.strip().splitlines()[-1] == (
        "Read 18 rows: 60 units sold, 0 came back. Left out: 6 rows with 30 units: Status: refunded."
    )
    assert read_answers(tmp_path / "kept") == {"refunded": "not_sold", "lines": "days"}


def test_what_is_typed_amiss_is_told_and_asked_again(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "", "9", "2", "q", "y", "")
    assert main(["try", str(export), "--keep", str(tmp_path / "kept"), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "Nothing is chosen for you here." in said and "9 is none of these." in said
    assert "Please type y or n." in said


def test_how_many_pieces_a_box_holds_is_typed_at_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"A{i},2024-01-{i:02},KA,2,{'ctn' if i % 2 else 'pcs'}" for i in range(1, 29)]
    (tmp_path / "list.csv").write_text("\n".join(["Order,Date,SKU,Quantity,Unit", *rows]) + "\n", encoding="utf-8")
    typed(monkeypatch, "box:6", "ctn:12", "", "", "")
    assert main(["try", str(tmp_path / "list.csv"), "--keep", str(tmp_path / "kept"), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "ctn:12" in said and "364 units sold" in said  # 14 x 2 x 12 + 14 x 2


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 2)])
def test_the_only_reading_is_no_choice(
    answer: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dates of three rows in 28 cannot be read."""
    rows = [f"A{i},{f'2024-01-{i:02}' if i % 9 else 'soon'},KA,2" for i in range(1, 29)]
    (tmp_path / "list.csv").write_text("\n".join(["Order,Date,SKU,Quantity", *rows]) + "\n", encoding="utf-8")
    typed(monkeypatch, "1", answer, *(("", "") if answer == "y" else ()))
    assert main(["try", str(tmp_path / "list.csv"), "--keep", str(tmp_path / "kept"), "--lang", "en"]) == status
    said = capsys.readouterr().out
    assert "The only way to go on (leave_out)" in said and "[1-1]" not in said and "1. leave_out" not in said
    assert "Please type y or n." in said  # "1" is no answer to that


def test_with_yes_a_question_stops(export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for language in ("en", "zh"):
        assert main(["try", str(export), "--yes", "--keep", str(tmp_path / "kept"), "--lang", language]) == EXIT_ASKED
        assert "refunded" in capsys.readouterr().out
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("answer", ["refunded=perhaps", "refunded", "=sold"])
def test_an_answer_that_is_none_is_refused(answer: str, export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", str(export), "--yes", "--answer", answer, "--lang", "en"]) == EXIT_REFUSED
    assert answer.rpartition("=")[2] in capsys.readouterr().err


def test_the_next_export_asks_nothing_again(export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    assert (
        main(["try", str(export), "--yes", "--answer", "refunded=returned", "--keep", str(kept), "--lang", "en"]) == 0
    )
    first = capsys.readouterr().out
    assert "none of the 30 units that came back can be sold again" in " ".join(first.split())
    assert "What came back is not in stock again until it is counted." in first.strip().splitlines()[-1]
    later = tmp_path / "orders 2025.csv"
    later.write_text(EXPORT.replace("/2024,", "/2025,") + "6/20/2025,C,4,paid\n", encoding="utf-8")
    assert main(["ingest", str(later), "--chain", str(kept), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "94 units sold, 30 came back" in said.strip().splitlines()[-1]
    with datong.open(kept) as chain:
        state = chain.ledger.state(datetime(2026, 1, 1, tzinfo=UTC), ("products", "sales", "returns"))
        assert sorted(state.table("products")["product"].to_pylist()) == ["A", "B", "C"]
        assert state.table("sales").num_rows == 37 and state.table("returns").num_rows == 12
        with pytest.raises(Asked) as asked:
            other = tmp_path / "orders 2026.csv"
            other.write_text(EXPORT.replace("paid", "Limbo"), encoding="utf-8")
            chain.ingest(other)
        assert [q.key for q in asked.value.questions] == ["state:Limbo"]
        assert chain.ingest(other, answers={"state:Limbo": "not_sold"}).reading is not None
    assert read_answers(kept) == {"refunded": "returned", "state:Limbo": "not_sold", "lines": "days"}


def test_a_file_that_is_nearly_called_like_a_table_is_no_export(export: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert main(["try", str(export), "--yes", "--answer", "refunded=sold", "--keep", str(kept)]) == 0
    stock = tmp_path / "stocks.csv"
    stock.write_text("product,date,units\nA,2025-01-01,5\n", encoding="utf-8")
    assert main(["ingest", str(stock), "--chain", str(kept)]) == 1
    counted = tmp_path / "库存 2025.csv"
    counted.write_text("product,date,units\nA,2025-01-01,5\n", encoding="utf-8")
    assert main(["ingest", str(counted), "--chain", str(kept)]) == EXIT_ASKED


@pytest.mark.parametrize("name", sorted(tables()))
def test_a_file_of_any_name_with_all_columns_of_one_table_is_that_table(name: str, tmp_path: Path) -> None:
    file = tmp_path / "from the north, week 49.csv"
    file.write_text(",".join(tables()[name].columns) + "\n", encoding="utf-8")
    has_own_names = any("_" in column for column in tables()[name].columns)
    assert of_tables(file)[1] == (name if has_own_names else None)


@pytest.mark.parametrize("head", ["product,price,kind", "happened_at,product,units", "happened_at,product,units,Shop"])
def test_columns_that_say_not_whose_they_are_leave_a_file_an_export(head: str, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"{head}\n", encoding="utf-8")
    assert of_tables(file)[1] is None


def test_a_list_with_the_columns_of_sales_keeps_its_markets_and_numbers(tmp_path: Path) -> None:
    """Two rows known, one of them said otherwise, and one new: not three sales more."""
    chain = write(tmp_path / "shop", demand_csv="")
    (chain / "demand.csv").unlink()
    head = "sale,happened_at,product,market,units,price\n"
    (chain / "sales.csv").write_text(f"{head}S1,2026-02-01,P,NO,2,9\nS2,2026-02-02,P,SE,1,9\n", encoding="utf-8")
    later = tmp_path / "week 49.csv"
    later.write_text(
        f"{head}S1,2026-02-01,P,NO,2,9\nS2,2026-02-02,P,SE,3,9\nS3,2026-02-03,P,SE,4,9\n", encoding="utf-8"
    )
    with Chain(chain) as opened:
        taken = opened.ingest(later)
        assert taken.reading is None and [(r.table, r.added, r.known) for r in taken.reports] == [("sales", 1, 1)]
        assert [(f.code, f.row) for f in taken.findings if f.severity == "error"] == [("same_id_other_content", 3)]
        rows = opened.state().table("sales").to_pylist()
        assert [(row["sale"], row["market"], row["units"]) for row in rows][-1] == ("S3", "SE", 4)


def test_answers_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / ANSWERS_FILE).write_text("answers = [", encoding="utf-8")
    with pytest.raises(Refused, match="answers"):
        read_answers(tmp_path)


def test_an_answer_to_no_question_is_named(export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the questions that there are, whether others are open or not, at the first export and the next ones."""
    kept = tmp_path / "kept"
    command = ["try", str(export), "--yes", "--keep", str(kept), "--lang", "en", "--answer"]
    assert main([*command, "blah=1"]) == EXIT_REFUSED
    assert "The answer blah: this file asks no such question" in (said := capsys.readouterr()).err
    assert "Its questions are: refunded." in said.err and "? refunded" in said.out and not kept.exists()
    assert main([*command, "refunded=returned", "--answer", "blah=1"]) == EXIT_REFUSED
    assert "Its questions are: refunded." in capsys.readouterr().err and not kept.exists()
    assert main([*command, "refunded=returned"]) == 0
    later = tmp_path / "orders 2025.csv"
    later.write_text(EXPORT.replace("/2024,", "/2025,") + "6/20/2025,C,4,paid\n", encoding="utf-8")
    for again in (["try", str(later), "--yes", "--into", str(kept)], ["ingest", str(later), "--chain", str(kept)]):
        assert main([*again, "--lang", "en", "--answer", "blah=1"]) == EXIT_REFUSED
        assert "blah" in capsys.readouterr().err
    with datong.open(kept) as chain:
        assert "C" not in chain.state().table("products")["product"].to_pylist()
    table = tmp_path / "products.csv"
    table.write_text("product,name\nC,Clock\n", encoding="utf-8")
    files = ["ingest", str(table), str(later), "--chain", str(kept), "--lang", "en", "--answer"]
    assert main([*files, "refunded=returned", "--answer", "blah=1"]) == EXIT_REFUSED
    assert "The answer blah: none of these files asks that" in capsys.readouterr().err
    assert main([*files, "refunded=returned"]) == 0  # what is answered already may be said again
