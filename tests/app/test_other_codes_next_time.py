"""The next export without the column of codes: its order lines are those of the chain all the same."""

from collections import Counter
from pathlib import Path

import pytest

import datong
from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.model.errors import Asked

NAMES = {"A1": "Mug blue", "A2": "Mug red", "A3": "Tray oak", "A4": "Lamp small"}
COLUMNS = ("Order", "Created at", "Quantity", "SKU", "Item name")


def lines(days: range) -> list[tuple[str, str, int, str]]:
    """An order a day of one to three products: order, day, units, code."""
    codes = list(NAMES)
    return [
        (f"#{1000 + day}", f"2024-01-{day:02}", day % 5 + 1, codes[(day + at) % 4])
        for day in days
        for at in range(day % 3 + 1)
    ]


def written(path: Path, rows: list[tuple[str, str, int, str]], *, codes: bool = True) -> Path:
    head = [name for name in COLUMNS if codes or name != "SKU"]
    told = [[order, day, str(units), *([code] if codes else []), NAMES[code]] for order, day, units, code in rows]
    path.write_text("\n".join(",".join(row) for row in [head, *told]) + "\n", encoding="utf-8")
    return path


def sold(chain: Chain) -> Counter[str]:
    result: Counter[str] = Counter()
    for row in chain.state().table("sales").to_pylist():
        result[row["product"]] += row["units"]
    return result


def truth(days: range) -> Counter[str]:
    result: Counter[str] = Counter()
    for _, _, units, code in lines(days):
        result[code] += units
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    first = written(tmp_path / "orders-1.csv", lines(range(1, 25)))
    assert main(["try", str(first), "--yes", "--keep", str(tmp_path / "chain"), "--lang", "en"]) == 0
    return tmp_path / "chain"


def test_lines_are_known_though_the_column_of_codes_is_gone(folder: Path, tmp_path: Path) -> None:
    second = written(tmp_path / "orders-2.csv", lines(range(10, 29)), codes=False)
    with datong.open(folder) as chain:
        taken = chain.ingest(second)
        assert sold(chain) == truth(range(1, 29))
        assert [f.code for f in taken.findings if f.code in ("vanished", "other_list")] == []
        (told,) = [f for f in taken.findings if f.code == "told_by_lines"]
        assert "Mug blue = A1" in told.text("en") and "4 products" in told.text("en")
        assert {r["product"] for r in chain.state().table("products").to_pylist()} == set(NAMES)
        chain.ingest(written(tmp_path / "orders-3.csv", lines(range(20, 29))))  # the codes are there again
        assert sold(chain) == truth(range(1, 29))
        chain.ingest(written(tmp_path / "orders-4.csv", lines(range(28, 31)), codes=False))  # hardly any line is known
        assert sold(chain) == truth(range(1, 31))


def test_lines_whose_product_nothing_tells_are_asked_about(folder: Path, tmp_path: Path) -> None:
    """Two products in each order, always the same two: which is which?"""
    rows = [(f"#{2000 + day}", f"2024-02-{day:02}", 2, code) for day in range(1, 20) for code in ("A1", "A2")]
    with datong.open(folder) as chain:
        chain.ingest(written(tmp_path / "orders-2.csv", rows))
        before = sold(chain)
        again = written(tmp_path / "orders-3.csv", rows, codes=False)
        with pytest.raises(Asked) as asked:
            chain.ingest(again)
        assert [q.key for q in asked.value.questions][:1] == ["other_codes"]
        assert "38 lines" in asked.value.questions[0].asks.text("en")
        assert sold(chain) == before


def test_an_order_in_which_a_product_took_the_place_of_another_is_no_other_code(folder: Path, tmp_path: Path) -> None:
    rows = lines(range(10, 29))
    names_now = {**NAMES, "N9": "New bowl"}
    at = next(i for i, row in enumerate(rows) if row[1] == "2024-01-12")
    rows[at] = (*rows[at][:3], "N9")
    text = "\n".join(",".join([o, d, str(u), c, names_now[c]]) for o, d, u, c in rows)
    path = tmp_path / "orders-2.csv"
    path.write_text(",".join(COLUMNS) + "\n" + text + "\n", encoding="utf-8")
    with datong.open(folder) as chain:
        taken = chain.ingest(path)
        assert [f.code for f in taken.findings if f.code == "told_by_lines"] == []
        assert sold(chain)["N9"] == rows[at][2]


def test_what_came_back_stays_sold_where_the_next_list_does_not_say_that_it_was_sent(tmp_path: Path) -> None:
    def export(name: str, *, sent: bool) -> Path:
        head = ["订单编号", "付款时间", "商品编码", "数量", "订单状态", "退款状态", *(["发货时间"] if sent else [])]
        rows = []
        for day in range(1, 29):
            back = day % 7 in (0, 3)  # of which those of the third day were never sent
            states = ["交易关闭", "退款成功"] if back else ["交易成功", ""]
            shipped = ["" if day % 7 == 3 else f"2024-01-{day:02} 18:00:00"] if sent else []
            rows.append([f"7{day:03}", f"2024-01-{day:02} 10:00:00", "A1", "2", *states, *shipped])
        (tmp_path / name).write_text("\n".join(",".join(r) for r in [head, *rows]) + "\n", encoding="utf-8")
        return tmp_path / name

    words = ["--yes", "--keep", str(tmp_path / "chain"), "--lang", "zh"]
    assert main(["try", str(export("a.csv", sent=True)), *words]) == 0
    with datong.open(tmp_path / "chain") as chain:
        before = sold(chain)
        assert before == {"A1": 48}
        chain.ingest(export("b.csv", sent=False))
        assert sold(chain) == before
        assert sum(r["units"] for r in chain.state().table("returns").to_pylist()) == 8


def test_lines_under_another_number_of_the_order_are_asked_about(tmp_path: Path) -> None:
    """The numbers of lines are gone; those of whole orders are there, and are the same only for orders of one line."""

    def export(name: str, days: range, *, of_lines: bool) -> Path:
        head = ["子订单编号", "主订单编号", "付款时间", "商品编码", "数量"][0 if of_lines else 1 :]
        rows = []
        for day in days:
            for at in range(1 + 2 * (day % 2)):
                numbers = [f"7{day:02}{at}", f"7{day:02}0"][0 if of_lines else 1 :]
                rows.append([*numbers, f"2024-01-{day:02} 10:00:00", f"A{at}", str(day % 4 + 1)])
        (tmp_path / name).write_text("\n".join(",".join(r) for r in [head, *rows]) + "\n", encoding="utf-8")
        return tmp_path / name

    first = export("a.csv", range(1, 26), of_lines=True)
    assert main(["try", str(first), "--yes", "--keep", str(tmp_path / "chain"), "--lang", "en"]) == 0
    with datong.open(tmp_path / "chain") as chain:
        before = sold(chain)
        with pytest.raises(Asked) as asked:
            chain.ingest(export("b.csv", range(3, 29), of_lines=False))
        assert [q.key for q in asked.value.questions] == ["other_orders"]
        assert sold(chain) == before
        chain.ingest(export("c.csv", range(3, 29), of_lines=True))
        assert sold(chain)["A0"] == before["A0"] + sum(day % 4 + 1 for day in (26, 27, 28))
