"""Rows as shops have them: goods without a code, refunds in part, orders not paid yet, lists without order numbers."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export


def read(path: Path, lines: list[str], answers: dict[str, str] | None = None) -> Reading:
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_export(path, answers or {})


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def told(reading: Reading) -> str:
    return " ".join(note.text("en") for note in reading.notes)


def units_of(reading: Reading, table: str = "sales") -> dict[str, float]:
    part = reading.part(table)
    totals: dict[str, float] = {}
    for row in [] if part is None else part.to_pylist():
        totals[row["product"]] = totals.get(row["product"], 0.0) + row["units"]
    return totals


# --- sums ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["Order,Date,SKU,Name,Quantity", "Customer,Date,SKU,Name,Quantity"])
def test_goods_without_a_code_are_no_sums_of_the_lines_above(head: str, tmp_path: Path) -> None:
    goods = [("KA,Tea", 1), ("KA,Tea", 1), (",Sieve", 2)] * 20
    rows = [f"A{i},2024-01-{i % 28 + 1:02},{what},{count}" for i, (what, count) in enumerate(goods)]
    reading = read(tmp_path / "list.csv", [head, *rows])
    assert asked(reading) == [] and reading.left == ()
    assert units_of(reading) == {"KA": 40.0, "Sieve": 40.0}


def test_goods_with_a_date_and_a_name_alone_are_no_sums_unless_all_are(tmp_path: Path) -> None:
    goods = [("KA,Tea", 4), ("KA,Tea", 5), (",Sieve", 2), ("KA,Tea", 1), ("KA,Tea", 1), (",Sieve", 2)] * 10
    rows = [f"2024-01-{i % 28 + 1:02},{what},{count}" for i, (what, count) in enumerate(goods)]
    reading = read(tmp_path / "list.csv", ["Date,SKU,Name,Quantity", *rows])
    assert asked(reading) == [] and units_of(reading) == {"KA": 110.0, "Sieve": 40.0}


@pytest.mark.parametrize(
    ("head", "row", "total"),
    [
        ("Date,SKU,Name,Quantity", "2024-01-{d:02},{c},{n},{q}", "2024-01-{d:02},,Teas,4"),
        ("Date,SKU,Quantity", "2024-01-{d:02},{c},{q}", "2024-01-{d:02},,4"),
    ],
)
def test_sums_that_only_their_number_tells_are_asked_about(head: str, row: str, total: str, tmp_path: Path) -> None:
    lines = [head]
    for d in range(1, 21):
        lines += [row.format(d=d, c=c, n=n, q=q) for c, n, q in (("KA", "Assam", 1), ("KB", "Ceylon", 3))]
        lines.append(total.format(d=d))
    reading = read(tmp_path / "list.csv", lines)
    assert "sums" in asked(reading)
    left = read(tmp_path / "list.csv", lines, {"sums": "leave", **dict.fromkeys(asked(reading)[:-1], "leave_out")})
    assert (left.sold, left.questions) == (80, ()) and "20 rows of sums" in left.last_line("en")


def test_a_last_row_of_nothing_but_numbers_is_a_sum(tmp_path: Path) -> None:
    rows = [f"2024-01-{d:02},KA,Tea,2" for d in range(1, 21)]
    reading = read(tmp_path / "list.csv", ["Date,SKU,Name,Quantity", *rows, ",,,40"])
    assert asked(reading) == [] and reading.sold == 40 and "1 rows of sums" in reading.last_line("en")
