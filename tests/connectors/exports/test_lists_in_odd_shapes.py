"""Lists in the shapes of notebooks, printed reports and shop systems: side by side, in groups, in one cell, by size."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from datong.connectors.exports.products_in_cells import parts_of
from datong.connectors.exports.reading import Reading, read_export


def read(path: Path, lines: Sequence[str], answers: dict[str, str] | None = None, encoding: str = "utf-8") -> Reading:
    path.write_bytes("\n".join(lines).encode(encoding))
    return read_export(path, answers or {})


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def products(reading: Reading) -> set[str]:
    sales = reading.part("sales")
    assert sales is not None
    return set(sales["product"].to_pylist())


@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("blocks", [2, 3])
def test_lists_side_by_side_are_read_one_below_the_other(blocks: int, gap: int, tmp_path: Path) -> None:
    heads = [h for _ in range(blocks) for h in ("Date", "Item", "Qty", *[""] * gap)]
    rows = [
        ",".join(c for b in range(blocks) for c in (f"2026-0{b + 3}-{i + 1:02}", f"K{i % 3}", "2", *[""] * gap))
        for i in range(20)
    ]
    short = ",".join(["2026-03-25", "K1", "4", *[""] * (len(heads) - 3)])
    reading = read(tmp_path / "list.csv", [",".join(heads), *rows, short])
    assert (asked(reading), reading.sold, products(reading)) == ([], blocks * 40 + 4, {"K0", "K1", "K2"})
    assert any("side by side" in note.text("en") for note in reading.notes)


def test_columns_that_are_named_twice_are_no_lists_side_by_side(tmp_path: Path) -> None:
    rows = [f"2026-03-{i + 1:02},K{i % 3},2,2026-03-{i + 2:02},9" for i in range(20)]
    reading = read(tmp_path / "list.csv", ["Date,Item,Qty,Date,Stock", *rows])
    assert reading.sold == 40


GROUPS = {"Item: KA-1": "KA-1", "KB-2 - Oak shelf": "KB-2 - Oak shelf", "KC-3": "KC-3"}


@pytest.mark.parametrize("total", ["", "Total", "Total KA-1"])
@pytest.mark.parametrize("name", ["", "Mug"])
def test_products_in_rows_of_their_own_above_their_days_are_asked_about(name: str, total: str, tmp_path: Path) -> None:
    lines = ["Date;Order No.;Qty;Amount"]
    for head in GROUPS:
        lines += [f"{head};{name};;", *(f"2026-03-{i + 1:02};B{i};3;30.00" for i in range(9))]
        lines += [f"{total};;27;270.00"] if total else []
    reading = read(tmp_path / "list.csv", lines)
    assert asked(reading) == ["groups"]
    reading = read(tmp_path / "list.csv", lines, {"groups": "products"})
    assert (asked(reading), reading.sold, products(reading)) == ([], 81, {*GROUPS.values()})


@pytest.mark.parametrize(
    ("text", "parts"),
    [("2× Oak shelf 80 cm, 1× Cap", [(2, "Oak shelf 80 cm"), (1, "Cap")]),
     ("1 x Mug, blue; 2 x Tray", [(1, "Mug, blue"), (2, "Tray")]), ("Mug ×2, Tray ×1", [(2, "Mug"), (1, "Tray")]),
     ("陶瓷杯×2；托盘×1", [(2, "陶瓷杯"), (1, "托盘")]), ("Mug (2), Tray (1)", [(2, "Mug"), (1, "Tray")]),
     ("2x4 lumber", []), ("Cable 3x", []), ("Mug", []), ("Mug, Tray x 2 in a box", [])],
)  # fmt: skip
def test_a_cell_that_lists_products_with_their_counts(text: str, parts: list[tuple[int, str]]) -> None:
    assert list(parts_of(text)) == parts


def orders(counts: Sequence[int]) -> list[str]:
    rows = [
        f'{i},2026-03-{i % 28 + 1:02},"{1 + i % 2}× Mug, {1 + i % 3}× Tray",{n},50.00' for i, n in enumerate(counts)
    ]
    return ["Order #,Date,Product(s),Items sold,N. Revenue", *rows]


def test_an_order_is_a_row_for_each_product_where_the_counts_add_up(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", orders([2 + i % 2 + i % 3 for i in range(30)]))
    sales = reading.part("sales")
    assert sales is not None and (asked(reading), products(reading)) == ([], {"Mug", "Tray"})
    assert reading.sold == sum(2 + i % 2 + i % 3 for i in range(30))
    prices = sales["price_per_unit"].to_pylist() if "price_per_unit" in sales.column_names else []
    assert not any(prices)  # the money is of the whole order


def test_counts_that_do_not_add_up_tell_nothing(tmp_path: Path) -> None:
    assert "Mug" not in products(read(tmp_path / "list.csv", orders([7] * 30)))


def of_sizes(total: bool) -> tuple[list[str], int]:
    rows, whole = [], 0
    for i in range(40):
        sizes = [i % 3, (i + 1) % 2, i % 4, 1]
        whole += sum(sizes)
        rows.append(
            f"2026-03-{i % 28 + 1:02},K{i % 3},{','.join(str(n or '') for n in sizes)}{f',{sum(sizes)}' * total}"
        )
    return [f"Date,Style,XS,S,M,L{',Total' * total}", *rows], whole


@pytest.mark.parametrize("total", [True, False])
def test_sizes_across_are_asked_about_with_their_sum_first(total: bool, tmp_path: Path) -> None:
    lines, whole = of_sizes(total)
    reading = read(tmp_path / "list.csv", lines)
    assert asked(reading) == ["units_column"] and reading.sold == whole


def test_two_orders_of_one_day_do_not_hide_that_cells_stand_once(tmp_path: Path) -> None:
    """The date is there twice in a row; the column beside it, whatever it is, names each order once."""
    rows = [f"2026-03-{i // 2 + 1:02},X{i},KA,1\n,,KB,2" for i in range(20)]
    reading = read(tmp_path / "list.csv", ["Date,Whatsit,SKU,Quantity", *rows])
    assert (asked(reading), reading.sold) == ([], 60)


def test_words_of_states_tell_the_encoding(tmp_path: Path) -> None:
    rows = [f"2026-03-{i % 28 + 1:02};KA;2;{'Vyřízeno' if i % 9 else 'Čeká na platbu'}" for i in range(36)]
    reading = read(tmp_path / "list.csv", ["Datum;SKU;Quantity;Stav", *rows], encoding="cp1250")
    assert (asked(reading), reading.sold) == ([], 64)


@pytest.mark.parametrize("week", ["KW{w} 26", "KW{w:02}/26", "W{w} 2026"])
def test_weeks_of_years_of_two_digits_as_columns(week: str, tmp_path: Path) -> None:
    heads = ",".join(week.format(w=w) for w in range(1, 9))
    reading = read(tmp_path / "list.csv", [f"SKU,{heads}", "KA,1,2,3,4,5,6,7,8", "KB,1,2,3,4,5,6,7,8"])
    assert (asked(reading), reading.sold) == ([], 72)


@pytest.mark.parametrize(
    ("encoding", "heads", "kinds"),
    [("cp1254", "Tarih;İşlem;Stok Kodu;Miktar", ("Satış", "İade")),
     ("cp1251", "Дата;Тип документа;Артикул;Кол-во", ("Продажа", "Возврат")),
     ("cp1250", "Datum;Typ dokladu;Kód;Množství", ("Prodej", "Vrácení")),
     ("cp1253", "Ημερομηνία;Type;SKU;Ποσότητα", ("Sale", "Return"))],
)  # fmt: skip
def test_words_of_kinds_are_read_in_the_encoding_of_their_language(
    encoding: str, heads: str, kinds: tuple[str, str], tmp_path: Path
) -> None:
    rows = [f"{i % 28 + 1:02}.03.2026;{kinds[i % 9 == 4]};KA;2" for i in range(45)]
    reading = read(tmp_path / "list.csv", [heads, *rows], encoding=encoding)
    assert (asked(reading), reading.sold, reading.returned) == ([], 80, 10)
