"""What was sold when the last plan was made, and was cancelled, taken back or corrected to fewer since then."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from datong.app.chain import Chain
from datong.app.cli.terminal_since import show_since
from datong.questions.run_result import RunResult
from datong.questions.tables_out import rendered

SETTINGS = 'name = "shop"\nhorizon_buckets = 4\nhistory = "live"\n'
PRODUCTS = "product,name\nA,Anvil\nB,Bucket\n"
HEADER = "sale,happened_at,product,units,state\n"
FIRST = datetime(2026, 3, 2, 8, tzinfo=UTC)
SALES = {
    f"{product}{week}": f"{(FIRST - timedelta(weeks=week)).date()},{product},{units},ordered"
    for product, units in (("A", 20), ("B", 5))
    for week in range(1, 21)
}


class Shop:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("chain.toml", SETTINGS), ("products.csv", PRODUCTS)):
            (folder / name).write_text(text, encoding="utf-8")

    def week(self, number: int, sales: dict[str, str]) -> RunResult:
        text = HEADER + "".join(f"{sale},{row}\n" for sale, row in sales.items())
        (self.folder / "sales.csv").write_text(text, encoding="utf-8")
        with Chain(self.folder, now=lambda: FIRST + timedelta(weeks=number)) as chain:
            return chain.run(seed=1)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def told(result: RunResult, language: str) -> list[str]:
    rows = rendered({"since": result.tables["since"]}, language)["since"].to_pylist()
    return [row["text"] for row in rows if row["kind"] == "fewer_sold"]


def with_lines(**changed: str | None) -> dict[str, str]:
    rows: dict[str, Any] = SALES | changed
    return {sale: row for sale, row in rows.items() if row is not None}


def test_cancelled_and_corrected_lines_are_told_by_product(shop: Shop) -> None:
    assert told(shop.week(0, SALES), "en") == []
    cancelled = SALES["A3"].replace("ordered", "cancelled")
    fewer = SALES["B2"].replace(",5,", ",2,")
    more = SALES["B4"].replace(",5,", ",50,")
    second = shop.week(1, with_lines(A3=cancelled, B2=fewer, B4=more, A99="2026-03-05,A,7,ordered"))
    assert told(second, "en") == [
        "Anvil (A): 20 less sold than the last plan counted (order lines of buyers cancelled or taken back: 1, "
        "corrected to fewer: 0)",
        "Bucket (B): 3 less sold than the last plan counted (order lines of buyers cancelled or taken back: 0, "
        "corrected to fewer: 1)",
    ]
    assert told(second, "zh")[0] == "Anvil (A)：比上次计划时少售 20 件（买家订单行取消或撤回 1 行，改少 0 行）"
    rows = [row for row in second.tables["since"].to_pylist() if row["kind"] == "fewer_sold"]
    assert [(row["part"], row["product"], row["units_before"]) for row in rows] == [
        ("came_back", "A", 20.0), ("came_back", "B", 3.0),
    ]  # fmt: skip
    assert told(shop.week(2, with_lines(A3=cancelled, B2=fewer, B4=more)), "en") == []


def test_a_line_that_is_withdrawn_is_told(shop: Shop) -> None:
    shop.week(0, SALES)
    with Chain(shop.folder, now=lambda: FIRST + timedelta(days=3)) as chain:
        chain.ledger.withdraw("sales", ["sales:A1", "sales:A2"], FIRST + timedelta(days=3), by="test")
        result = chain.run(as_of=FIRST + timedelta(days=4), seed=1)
    (text,) = told(result, "en")
    assert text.startswith(
        "Anvil (A): 40 less sold than the last plan counted (order lines of buyers cancelled or taken back: 2,"
    )


@pytest.mark.parametrize(("language", "wanted"), [("en", "2 with sales cancelled"), ("zh", "被取消或改少的产品 2")])
def test_the_terminal_counts_and_tells_them(language: str, wanted: str, shop: Shop) -> None:
    shop.week(0, SALES)
    second = shop.week(
        1, with_lines(A3=SALES["A3"].replace("ordered", "cancelled"), B2=SALES["B2"].replace(",5,", ",2,"))
    )
    console = Console(record=True, width=400)
    show_since(second.tables["since"], second.settings, language, console)
    shown = console.export_text()
    assert wanted in shown and all(text in shown for text in told(second, language))
