"""Lists of promotions and price lists as shops keep them: recognised, read, and what is not sure is asked."""

from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

from datong.connectors.exports.market_lists.discounts import discount_of
from datong.connectors.exports.reading import read_export
from datong.connectors.exports.result import Reading

TODAY = date(2026, 11, 1)


def read(tmp_path: Path, text: str, answers: dict[str, str] | None = None, name: str = "list.csv") -> Reading:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_export(tmp_path / name, answers or {}, today=TODAY)


def rows_of(reading: Reading, table: str) -> list[dict]:
    part = reading.part(table)
    assert part is not None
    return [{name: value for name, value in row.items() if name != "__row__"} for row in part.to_pylist()]


CHINESE = (
    "活动名称,商品编码,商品名称,活动开始时间,活动结束时间,原价,活动价,折扣,活动库存,状态\n"
    "双11,KA-10,杯子,2026-11-01 00:00:00,2026-11-11 23:59:59,100,80,8折,500,未开始\n"
    "双11,KB-20,碗,2026-11-01 00:00:00,2026-11-11 23:59:59,60,45,7.5折,300,未开始\n"
    "双12,KA-10,杯子,2026-12-12 00:00:00,2026-12-12 23:59:59,100,85,85折,500,未开始\n"
)


def test_a_campaign_list_in_chinese(tmp_path: Path) -> None:
    """Days to come are what such a list is for; a promotion that ends at 23:59 includes that day."""
    reading = read(tmp_path, CHINESE)
    assert reading.holds == "promotions" and not reading.questions and not reading.left
    rows = rows_of(reading, "promotions")
    assert [(r["promotion"], r["product"], str(r["from"]), str(r["to"])) for r in rows] == [
        ("双11", "KA-10", "2026-11-01", "2026-11-12"),
        ("双11", "KB-20", "2026-11-01", "2026-11-12"),
        ("双12", "KA-10", "2026-12-12", "2026-12-13"),
    ]
    assert [r["price"] for r in rows] == [80, 45, 85]
    assert [r["discount_share"] for r in rows] == pytest.approx([0.2, 0.25, 0.15])
    assert reading.last_line("zh") == "已读取 3 行：促销 3 行。没有遗漏。"
    assert [row["product"] for row in rows_of(reading, "products")] == ["KA-10", "KB-20"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Promotion Name;SKU;Start Date;End Date;Discount\nBlack Friday;KA-10;27/11/2026;30/11/2026;20%\n"
            "Black Friday;KB-20;27/11/2026;30/11/2026;15%\n",
            [("Black Friday", "KA-10", "2026-11-27", "2026-12-01", None, 0.2),
             ("Black Friday", "KB-20", "2026-11-27", "2026-12-01", None, 0.15)],
        ),
        (
            "Campaign,Product ID,Starts At,Ends At,Compare At Price,Sale Price\n"
            "XMAS,K1,2026-12-20,2026-12-26,40.00,30.00\n",
            [("XMAS", "K1", "2026-12-20", "2026-12-27", 30.0, 0.25)],
        ),
        (
            "促销名称,货号,促销时间,促销价\n年货节,K1,2027-01-10~2027-01-20,39.9\n",
            [("年货节", "K1", "2027-01-10", "2027-01-21", 39.9, None)],
        ),
    ],
)  # fmt: skip
def test_lists_of_promotions(tmp_path: Path, text: str, expected: list[tuple]) -> None:
    reading = read(tmp_path, text)
    assert not reading.questions
    fields = ("promotion", "product", "from", "to", "price", "discount_share")
    found = [tuple(str(r[f]) if f in ("from", "to") else r[f] for f in fields) for r in rows_of(reading, "promotions")]
    assert [row[:5] for row in found] == [row[:5] for row in expected]
    assert [row[5] for row in found] == [row[5] if row[5] is None else pytest.approx(row[5]) for row in expected]


def test_a_share_that_may_be_off_or_left_to_pay_is_asked(tmp_path: Path) -> None:
    text = "活动名称,商品编码,开始时间,结束时间,折扣\n双11,KA-10,2026-11-01,2026-11-11,0.8\n"
    text += "双11,KB-20,2026-11-01,2026-11-11,70%\n"
    reading = read(tmp_path, text)
    (question,) = reading.questions
    assert question.key == "discount"
    assert [o.name for o in question.options] == ["to_pay", "taken_off"]
    for answer, off in (("to_pay", [0.2, 0.3]), ("taken_off", [0.8, 0.7])):
        rows = rows_of(read(tmp_path, text, {"discount": answer}), "promotions")
        assert [r["discount_share"] for r in rows] == pytest.approx(off)
    beside = (
        text.replace(",折扣", ",折扣,原价,活动价").replace(",0.8\n", ",0.8,100,80\n").replace("70%\n", "70%,50,35\n")
    )
    sure = read(tmp_path, beside)
    assert not sure.questions
    assert [r["discount_share"] for r in rows_of(sure, "promotions")] == pytest.approx([0.2, 0.3])


def test_an_end_at_midnight_is_asked(tmp_path: Path) -> None:
    text = CHINESE.replace("23:59:59", "00:00:00").replace("双12,KA-10,杯子,2026-12-12", "双12,KA-10,杯子,2026-12-11")
    assert [q.key for q in read(tmp_path, text).questions] == ["last_day"]
    for answer, last in (("included", "2026-11-12"), ("not_included", "2026-11-11")):
        assert str(rows_of(read(tmp_path, text, {"last_day": answer}), "promotions")[0]["to"]) == last


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SKU,Product,Price,Valid From,Valid To\nKA-10,Mug,12.50,2026-11-01,2026-12-31\nKA-10,Mug,13.50,2027-01-01,\n",
         "list.csv"),
        ("商品编码,品名,零售价,生效日期,失效日期\nKA-10,杯子,12.50,2026-11-01,2026-12-31\nKA-10,杯子,13.50,2027-01-01,\n",
         "标价.csv"),
        ("Artikelnummer;Bezeichnung;Preis;Gültig ab;Gültig bis\nKA-10;Tasse;12,50;01.11.2026;31.12.2026\n"
         "KA-10;Tasse;13,50;01.01.2027;\n", "p.csv"),
    ],
)  # fmt: skip
def test_price_lists(tmp_path: Path, text: str, name: str) -> None:
    reading = read(tmp_path, text, name=name)
    assert reading.holds == "prices" and not reading.questions
    rows = [{k: str(v) if isinstance(v, date) else v for k, v in row.items()} for row in rows_of(reading, "prices")]
    assert rows == [
        {"product": "KA-10", "price": 12.5, "valid_from": "2026-11-01", "valid_to": "2027-01-01"},
        {"product": "KA-10", "price": 13.5, "valid_from": "2027-01-01", "valid_to": None},
    ]


def test_a_price_list_without_dates_is_of_a_day_that_is_asked(tmp_path: Path) -> None:
    text = "SKU,Name,Price\nKA-10,Mug,12.50\nKB-20,Bowl,0\nKC-30,Jug,\n"
    reading = read(tmp_path, text, name="price list 2026-12-01.csv")
    assert [q.key for q in reading.questions] == ["day_of_list"]
    reading = read(tmp_path, text, {"day_of_list": "file"}, name="price list 2026-12-01.csv")
    (row,) = rows_of(reading, "prices")
    assert (row["product"], row["price"], str(row["valid_from"])) == ("KA-10", 12.5, "2026-12-01")
    assert [(part.reason, part.rows) for part in reading.left] == [("no_price", 2)]


def test_rows_that_say_nothing_are_left_out_with_a_count(tmp_path: Path) -> None:
    text = CHINESE + "双12,,碗2,2026-12-12 00:00:00,2026-12-12 23:59:59,60,45,,1,\n" + (
        "双12,KB-20,碗,2026-12-12 00:00:00,,60,45,,1,\n"
        "双12,KB-20,碗,2026-12-14 00:00:00,2026-12-12 23:59:59,60,45,,1,\n"
    )  # fmt: skip
    left = {part.reason: part.rows for part in read(tmp_path, text).left}
    assert left == {"no_product": 1, "no_end": 1, "ends_before": 1}


def test_a_workbook_of_promotions(tmp_path: Path) -> None:
    path = tmp_path / "campaigns.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet, day = book.add_worksheet("活动"), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["活动名称", "商品编码", "开始日期", "结束日期", "活动价"])
        sheet.write_row(1, 0, ["双11", "KA-10"])
        sheet.write_datetime(1, 2, date(2026, 11, 1), day)
        sheet.write_datetime(1, 3, date(2026, 11, 11), day)
        sheet.write_number(1, 4, 80)
    reading = read_export(path, {}, today=TODAY)
    (row,) = rows_of(reading, "promotions")
    assert (str(row["from"]), str(row["to"]), row["price"]) == ("2026-11-01", "2026-11-12", 80.0)


@pytest.mark.parametrize(
    "text",
    [
        "Order Date,SKU,Quantity,Price,Discount,Promotion\n2026-10-01,KA-10,2,10,20%,FALL\n2026-10-02,KB-20,1,12,0%,\n",
        "下单时间,商品编码,数量,单价,折扣,活动名称\n2026-10-01,KA-10,2,10,8折,双11\n2026-10-02,KB-20,1,12,,\n",
        "Order Date,SKU,Quantity,Price,Start Date,End Date\n2026-10-01,KA-10,2,10,2026-10-03,2026-10-09\n",
    ],
)
def test_a_list_of_sales_with_discounts_stays_one(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).holds == "sales"


@pytest.mark.parametrize(
    ("text", "found"),
    [("8折", (0.2, "tenths")), ("75折", (0.25, "tenths")), ("打8.5折", (0.15, "tenths")), ("-20 %", (0.2, "off")),
     ("30% OFF", (0.3, "off")), ("立减15%", (0.15, "off")), ("20%", (0.2, "share")), ("２０％", (0.2, "share")),
     ("0.8", (0.8, "number")), ("¥20", None), ("yes", None), ("", None)],
)  # fmt: skip
def test_discounts_as_they_are_written(text: str, found: tuple[float, str] | None) -> None:
    said = discount_of(text)
    assert said == (None if found is None else (pytest.approx(found[0]), found[1]))
