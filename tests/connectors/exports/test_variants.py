"""Variants of products that the codes of the products do not tell apart: never summed under the name of one of them."""

from collections import Counter
from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export

VARIANTS = ("Black", "White")


def read(folder: Path, header: str, row: str, **answers: str) -> Reading:
    """40 rows of two products, of which the first has two variants. {d}: the day; {p}: 1 or 2; {v}: the variant, that
    of product 2 is always the same."""
    rows = []
    for at in range(40):
        product = 1 + at % 2
        variant = VARIANTS[(at // 2) % 2] if product == 1 else "Grey"
        rows.append(row.format(d=f"{1 + at % 28:02}", p=product, v=variant, n=at))
    path = folder / "export.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_export(path, answers)


def sold(reading: Reading) -> dict[str, float]:
    """The units of each product."""
    found: Counter[str] = Counter()
    sales = reading.part("sales")
    assert sales is not None
    for sale in sales.to_pylist():
        found[sale["product"]] += sale["units"]
    return dict(found)


def names(reading: Reading) -> dict[str, str]:
    products = reading.part("products")
    assert products is not None
    return {row["product"]: row.get("name") or "" for row in products.to_pylist()}


DOUYIN = (
    "主订单编号,子订单编号,选购商品,商品规格,商品数量,商品ID,商家编码,商品单价,订单应付金额,订单提交时间,订单状态,售后状态",
    "69300{n},69300{n}0,杯子{p},{v},2,360{p},,39.9,79.8,2025-10-{d} 10:00:00,已完成,-",
)
PINDUODUO = (
    "商品,订单号,订单状态,商家实收金额(元),商品数量(件),商品id,商品规格,样式ID,商家编码-规格维度,售后状态,订单成交时间",
    "杯子{p},2510-{n},已收货,19.8,2,360{p},{v},,,无售后或售后取消,2025-10-{d} 10:00:00",
)


@pytest.mark.parametrize(("header", "row"), [DOUYIN, PINDUODUO])
def test_variants_without_a_code_are_told_apart_by_what_the_platform_says(
    tmp_path: Path, header: str, row: str
) -> None:
    reading = read(tmp_path, header, row)
    assert sold(reading) == {"3601, Black": 20, "3601, White": 20, "3602, Grey": 40}
    assert any("商品规格" in note.text("en") for note in reading.notes)
    assert names(reading) == {"3601, Black": "杯子1, Black", "3601, White": "杯子1, White", "3602, Grey": "杯子2, Grey"}


def test_a_code_that_several_variants_share_never_goes_by_the_name_of_one(tmp_path: Path) -> None:
    row = DOUYIN[1].replace(",360{p},,", ",360{p},CUP-{p},")
    together = read(tmp_path, DOUYIN[0], row, variants="together")
    assert sold(together) == {"CUP-1": 40, "CUP-2": 40}
    assert any("3 variants" in note.text("en") and "商品规格" in note.text("zh") for note in together.notes)
    assert names(together) == {"CUP-1": "杯子1", "CUP-2": "杯子2, Grey"}
    assert [q.key for q in read(tmp_path, DOUYIN[0], row).questions] == ["variants"]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Order Creation Date,Parent SKU Reference No.,SKU Reference No.,Product Name,Variation Name,Quantity",
         "2025-10-{d},T{p},,Tee {p},{v},2"),
        ("Sale Date,Item Name,Quantity,Variations,SKU", "2025-10-{d},Tee {p},2,Color:{v},"),
        ("Sale Date,Item Number,Item Title,Custom Label,Quantity,Variation Details",
         "2025-10-{d},260{p},Tee {p},,2,[Color:{v}]"),
        ("日期,货号,品名,颜色,数量", "2025-10-{d},T{p},短袖{p},{v},2"),
    ],
)  # fmt: skip
def test_a_column_of_variants_that_the_product_does_not_tell_apart_is_asked_about(
    tmp_path: Path, header: str, row: str
) -> None:
    reading = read(tmp_path, header, row)
    (question,) = [q for q in reading.questions if q.key == "variants"]
    said = [option.says.text("en") for option in question.options]
    assert "3 in all" in said[0] and said[0].count(": 20") == 2 and "2 in all" in said[1] and ": 40" in said[1]
    assert sorted(sold(read(tmp_path, header, row, variants="apart")).values()) == [20, 20, 40]
    assert sorted(sold(read(tmp_path, header, row, variants="together")).values()) == [40, 40]


def test_variants_that_the_codes_tell_apart_are_not_asked_about(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Color,Quantity", "2025-10-{d},T{p}-{v},{v},2")
    assert not reading.questions and len(sold(reading)) == 3


def test_an_answer_holds_for_a_list_in_which_no_product_has_several_variants(tmp_path: Path) -> None:
    one = read(tmp_path, "Date,SKU,Color,Quantity", "2025-10-{d},T{p},Red,2", variants="apart")
    assert sold(one) == {"T1, Red": 40, "T2, Red": 40}


@pytest.mark.parametrize("header", ["No of product in order", "Number of products", "No. of items", "商品总数"])
def test_a_column_that_counts_products_is_none_of_products(tmp_path: Path, header: str) -> None:
    reading = read(tmp_path, f"Order ID,Order date,{header},Product Name,Quantity", "O{n},2025-10-{d},{p},Tee {p},2")
    assert (reading.column("product"), reading.questions) == ("Product Name", ())


def test_small_whole_numbers_under_a_header_in_part_of_products_are_asked_about(tmp_path: Path) -> None:
    header = "Order ID,Order date,Product tally here,Product Name,Quantity"
    (question,) = read(tmp_path, header, "O{n},2025-10-{d},{p},Tee {p},2").questions
    assert (question.key, question.options[0].name) == ("product_column", "Product Name")
    row = "O{n},2025-10-{d},{p},Tee {p},2"
    assert sold(read(tmp_path, header, row, product_column="Product Name")) == {"Tee 1": 40, "Tee 2": 40}
    assert sold(read(tmp_path, header, row, product_column="Product tally here")) == {"1": 40, "2": 40}


def test_products_with_one_rounded_code_go_by_their_names(tmp_path: Path) -> None:
    header, row = "Date,EAN,Description,Quantity", "2025-10-{d},6.93E+12,Lamp {v},2"
    reading = read(tmp_path, header, row)
    assert sold(reading) == {"Lamp Black": 20, "Lamp White": 20, "Lamp Grey": 40}
    products = reading.part("products")
    assert products is not None and not any(row.get("gtin") for row in products.to_pylist())
    assert any("rounded" in note.text("en") for note in reading.notes)
    later = read(tmp_path, header, "2025-11-{d},6.93E+12,Lamp,2", **reading.kept)
    assert sold(later) == {"Lamp": 80}
    assert sold(read(tmp_path, header, row, rounded_codes="by_code")) == {"6.93E+12": 80}
