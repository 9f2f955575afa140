"""The next daily list on the same chain: without order numbers, a row is known by its day, product and what else tells
it apart."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

import datong
from datong.app.chain import Chain
from datong.app.cli.main import EXIT_ASKED, main
from datong.connectors.exports.questions import read_answers
from datong.model.errors import Asked

FIRST_DAY = date(2024, 1, 1)
KINDS = {
    "plain": (["Date", "SKU", "Quantity"], "days"),
    "customers": (["Date", "SKU", "Quantity", "Customer"], "days"),
    "shops": (["Date", "SKU", "Quantity", "Shop", "Unit price"], "days+market+price"),
    "times": (["Date", "SKU", "Quantity"], "days+time"),
}


def rows_of(kind: str, seed: int, days: int = 28) -> list[list[str]]:
    """Rows of a list in the order of days; some keys stand there twice."""
    chance = random.Random(seed)
    rows = []
    for day in range(days):
        when = f"{FIRST_DAY + timedelta(days=day)}" + (" {h:02}:15:00" if kind == "times" else "")
        for hour, product in enumerate(("A", "B", "A/x")):
            more = {"customers": [chance.choice(("Lee", "Wu"))], "shops": [chance.choice("PQ"), "4.00"]}.get(kind, [])
            for _ in range(chance.choice((1, 1, 2))):
                rows.append([when.format(h=9 + hour), product, str(chance.randint(1, 9)), *more])
    return rows


def written(path: Path, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    path.write_text("\n".join([",".join(heads), *map(",".join, rows)]) + "\n", encoding="utf-8")
    return path


def tried(folder: Path, export: Path) -> int:
    return main(["try", str(export), "--yes", "--into", str(folder), "--lang", "en"])


def units(chain: Chain) -> Counter[tuple[str, str]]:
    result: Counter[tuple[str, str]] = Counter()
    for row in chain.state().table("sales").to_pylist():
        result[f"{row['happened_at']:%m-%d}", row["product"]] += row["units"]
    return result


def truth(rows: Sequence[Sequence[str]]) -> Counter[tuple[str, str]]:
    result: Counter[tuple[str, str]] = Counter()
    for when, product, quantity, *_ in rows:
        result[when[5:10], product] += int(quantity)
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_corrected_counts_once_and_overlap_changes_nothing(kind: str, tmp_path: Path) -> None:
    heads, kept = KINDS[kind]
    first = rows_of(kind, seed=len(kind))
    assert tried(tmp_path / "chain", written(tmp_path / "list-1.csv", heads, first)) == 0
    assert read_answers(tmp_path / "chain")["lines"] == kept
    later = [[when, product, str(int(quantity) + 5 * (i % 7 == 0)), *more]
             for i, (when, product, quantity, *more) in enumerate(rows_of(kind, len(kind), 35))]  # fmt: skip
    with datong.open(tmp_path / "chain") as chain:
        assert units(chain) == truth(first)
        chain.ingest(written(tmp_path / "list-2.csv", heads, later))
        assert units(chain) == truth(later)
        chain.ingest(tmp_path / "list-2.csv")
        assert units(chain) == truth(later)


def test_months_as_columns_are_corrected_too(tmp_path: Path) -> None:
    heads = ["SKU", *(f"2024-{month:02}" for month in range(1, 7))]
    first = [[product, *(str(10 + month) for month in range(6))] for product in "AB"]
    assert tried(tmp_path / "chain", written(tmp_path / "sheet-1.csv", heads, first)) == 0
    later = [[product, *(str(10 + month + (month == 5)) for month in range(6)), "7"] for product in "AB"]
    with datong.open(tmp_path / "chain") as chain:
        chain.ingest(written(tmp_path / "sheet-2.csv", [*heads, "2024-07"], later))
        assert sum(units(chain).values()) == 2 * (sum(10 + month for month in range(6)) + 1 + 7)


def test_a_list_that_lacks_what_told_its_rows_apart_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heads, _ = KINDS["shops"]
    first = rows_of("shops", 3)
    assert tried(tmp_path / "chain", written(tmp_path / "list-1.csv", heads, first)) == 0
    bare = written(tmp_path / "list-2.csv", heads[:3], [row[:3] for row in first])
    assert tried(tmp_path / "chain", bare) == EXIT_ASKED
    with datong.open(tmp_path / "chain") as chain:
        assert units(chain) == truth(first)
    with datong.open(tmp_path / "chain") as chain, pytest.raises(Asked) as caught:
        chain.ingest(bare)
    assert [question.key for question in caught.value.questions] == ["other_lines"]


def test_who_bought_is_no_part_of_how_a_line_is_known(tmp_path: Path) -> None:
    heads, _ = KINDS["customers"]
    first = rows_of("customers", 3)
    assert tried(tmp_path / "chain", written(tmp_path / "list-1.csv", heads, first)) == 0
    with datong.open(tmp_path / "chain") as chain:
        chain.ingest(written(tmp_path / "list-2.csv", heads[:3], [row[:3] for row in first]))
        assert units(chain) == truth(first)
        assert not any("Lee" in key or "Wu" in key for key in chain.state().table("sales")["sale"].to_pylist())


def test_a_daily_list_on_a_chain_of_orders_asks_and_one_with_order_numbers_later_counts_once(tmp_path: Path) -> None:
    days = rows_of("plain", 5)
    orders = [[f"#{i}", *row] for i, row in enumerate(days)]
    heads = ["Order", "Date", "SKU", "Quantity"]
    assert tried(tmp_path / "orders", written(tmp_path / "orders-1.csv", heads, orders)) == 0
    assert tried(tmp_path / "orders", written(tmp_path / "list-1.csv", heads[1:], days)) == EXIT_ASKED
    assert tried(tmp_path / "days", tmp_path / "list-1.csv") == 0
    assert tried(tmp_path / "days", tmp_path / "orders-1.csv") == 0
    with datong.open(tmp_path / "days") as chain:
        assert units(chain) == truth(days)


def test_a_list_of_days_is_known_again_without_the_answers(tmp_path: Path) -> None:
    heads, _ = KINDS["plain"]
    first = rows_of("plain", 7)
    assert tried(tmp_path / "chain", written(tmp_path / "list-1.csv", heads, first)) == 0
    (tmp_path / "chain" / "answers.toml").unlink()
    with datong.open(tmp_path / "chain") as chain:
        chain.ingest(tmp_path / "list-1.csv")
        assert units(chain) == truth(first)
