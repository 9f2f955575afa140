"""Profiles of platforms: each recognises an export of its own and reads it rightly; a chain's own come first."""

from pathlib import Path

import pytest

from connectors.exports.market_list_exports import MORE
from connectors.exports.profile_exports import INVENTED, PURCHASES, export_of
from datong.app.cli.main import main
from datong.connectors.exports.profiles import PROFILES_FOLDER, built_in, profiles_of, recognised, text_of
from datong.connectors.exports.reading import Reading, read_export

PROFILES = {profile.key: profile for profile in built_in()}


def read(tmp_path: Path, key: str, answers: dict[str, str] | None = None) -> Reading:
    content, _, _ = export_of(PROFILES[key], INVENTED[key])
    (tmp_path / "export.csv").write_bytes(content)
    return read_export(tmp_path / "export.csv", answers or {})


def test_every_profile_has_an_invented_export() -> None:
    assert {*INVENTED, *PURCHASES, *MORE} == set(PROFILES)


@pytest.mark.parametrize("key", PROFILES)
def test_a_profile_says_where_its_headers_come_from(key: str) -> None:
    assert PROFILES[key].source
    assert all(address.startswith("https://") for address in PROFILES[key].source)


@pytest.mark.parametrize("key", INVENTED)
def test_an_export_is_read_rightly(key: str, tmp_path: Path) -> None:
    """With its right question answered, or without any; what it comes to is what was made."""
    _, sold, returned = export_of(PROFILES[key], INVENTED[key])
    asked = INVENTED[key].asked or {}
    first = read(tmp_path, key)
    assert first.profile is PROFILES[key]
    assert {question.key for question in first.questions} == set(asked)
    reading = read(tmp_path, key, asked)
    assert (reading.questions, reading.sold, reading.returned) == ((), sold, returned)
    products = reading.part("products")
    assert products is not None and products["product"].to_pylist() == ["KA-10", "KB-20", "KC-30"]
    sales = reading.part("sales")
    if INVENTED[key].price is not None and sales is not None:
        assert set(sales["price"].to_pylist()) == {INVENTED[key].price}


@pytest.mark.parametrize("key", INVENTED)
def test_a_profile_is_not_taken_for_another(key: str) -> None:
    headers = (*PROFILES[key].signs, *(headers[0] for headers in PROFILES[key].columns.values()))
    assert recognised(built_in(), headers) is PROFILES[key]


@pytest.mark.parametrize("key", PURCHASES)
def test_a_list_of_purchases_is_never_read_as_sales(key: str, tmp_path: Path) -> None:
    signs = PROFILES[key].signs
    rows = [
        ",".join(f"2024-01-{day:02}" if "Date" in s or "Arrival" in s else str(day) for s in signs) for day in (1, 2, 3)
    ]
    (tmp_path / "export.csv").write_text("\n".join([",".join(signs), *rows]), encoding="utf-8")
    reading = read_export(tmp_path / "export.csv")
    assert reading.missing and reading.parts == ()
    assert [f.code for f in reading.findings] in (["purchases"], ["no_date"], ["no_product"])


def test_what_was_bought_on_1688_is_refused(tmp_path: Path) -> None:
    reading = read(tmp_path, "alibaba_1688", {"list:alibaba_1688": "purchases"})
    assert reading.missing == ("sales",) and [f.code for f in reading.findings] == ["purchases"]


@pytest.mark.parametrize(
    ("head", "key"),
    [
        (
            "Purchasing Document,Item,Document Date,Vendor/supplying plant,Material,Short Text,Order Quantity",
            "purchases",
        ),
        ("采购订单号,采购日期,供应商,物料编码,物料名称,采购数量,单位", "purchases"),
        ("生产任务单号,单据日期,车间,物料编码,物料名称,完工数量,单位", "production"),
    ],
)
def test_lists_of_purchases_and_production_are_asked_about(head: str, key: str, tmp_path: Path) -> None:
    rows = [f"45000{i},2024-01-{i + 1:02},10,KA-{i % 3},Plate,{i + 1},EA" for i in range(20)]
    if key == "purchases" and head.startswith("Purch"):
        rows = [f"45000{i},10,2024-01-{i + 1:02},Steel Ltd,KA-{i % 3},Plate,{i + 1}" for i in range(20)]
    (tmp_path / "list.csv").write_text("\n".join([head, *rows]), encoding="utf-8")
    assert f"list:{key}" in {question.key for question in read_export(tmp_path / "list.csv").questions}


def test_several_products_in_a_row_are_asked_about(tmp_path: Path) -> None:
    rows = [f"{i},2024-01-{i % 28 + 1:02},{'A01;B02' if i % 7 == 0 else ('A01', 'B02')[i % 2]},2" for i in range(40)]
    (tmp_path / "list.csv").write_text("\n".join(["订单号,日期,商家编码,数量", *rows]), encoding="utf-8")
    reading = read_export(tmp_path / "list.csv")
    assert [question.key for question in reading.questions] == ["mixed_rows"]
    assert read_export(tmp_path / "list.csv", {"mixed_rows": "leave_out"}).sold == 2 * 34


def test_the_cells_of_a_question_are_of_the_column_that_it_names(tmp_path: Path) -> None:
    rows = [f"{i},2024-01-{i % 28 + 1:02},A0{i % 3},2,{3 if i % 7 == 0 else 1}" for i in range(40)]
    (tmp_path / "list.csv").write_text("\n".join(["订单号,日期,商家编码,数量,宝贝种类", *rows]), encoding="utf-8")
    (asked,) = read_export(tmp_path / "list.csv").questions
    assert (asked.key, asked.columns, asked.samples) == ("mixed_rows", ("宝贝种类",), ("3",))
    assert "closed" in asked.options[1].says.text("en")


def test_variants_without_a_code_are_products_of_their_own(tmp_path: Path) -> None:
    head = "Date,Time,Category,Item,Qty,Price Point Name,SKU,Gross Sales,Event Type"
    rows = [
        f"2024-01-{i % 28 + 1:02},10:00:00,Drinks,Latte,1,{('Small', 'Large')[i % 2]},,$4.00,Payment" for i in range(30)
    ]
    (tmp_path / "items.csv").write_text("\n".join([head, *rows]), encoding="utf-8")
    products = read_export(tmp_path / "items.csv").part("products")
    assert products is not None and sorted(products["product"].to_pylist()) == ["Latte, Large", "Latte, Small"]


def test_a_chains_own_profile_comes_first(tmp_path: Path) -> None:
    text = text_of("shopify")
    assert text is not None
    (tmp_path / PROFILES_FOLDER).mkdir()
    own = text.replace('paid = "sold"', 'paid = "cancelled"')
    (tmp_path / PROFILES_FOLDER / "shopify.toml").write_text(own, encoding="utf-8")
    profiles, findings = profiles_of(tmp_path)
    assert findings == []
    content, _, _ = export_of(PROFILES["shopify"], INVENTED["shopify"])
    (tmp_path / "export.csv").write_bytes(content)
    assert read_export(tmp_path / "export.csv", profiles=profiles).sold < read_export(tmp_path / "export.csv").sold


def test_all_faults_of_a_profile_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / PROFILES_FOLDER).mkdir()
    wrong = """
name = ""
holds = "everything"
signs = ["One"]
share = 7
colums = 1
[columns]
date = "Date"
sku = ["SKU"]
[states.Status]
done = "finished"
"""
    (tmp_path / PROFILES_FOLDER / "mine.toml").write_text(wrong, encoding="utf-8")
    (tmp_path / PROFILES_FOLDER / "torn.toml").write_text("name = ", encoding="utf-8")
    profiles, findings = profiles_of(tmp_path)
    assert profiles == built_in()
    told = [(f.code, dict(f.found.params).get("key")) for f in findings]
    assert told == [
        ("profile_wrong", "colums"), ("profile_lacks", "list"), ("profile_lacks", "source"), ("profile_wrong", "name"),
        ("profile_wrong", "holds"), ("profile_wrong", "share"), ("profile_wrong", "signs"),
        ("profile_wrong", "columns.date"), ("profile_wrong", "columns.sku"), ("profile_lacks", "columns.product"),
        ("profile_lacks", "columns.units"), ("profile_wrong", "states.Status.done"), ("profile_unreadable", None),
    ]  # fmt: skip


def test_the_command_lists_and_prints_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "--lang", "en"]) == 0
    assert "Shopify (orders)" in capsys.readouterr().out
    assert main(["profiles", "shopify", "--lang", "en"]) == 0
    assert capsys.readouterr().out == text_of("shopify")
    assert main(["profiles", "nobody", "--lang", "en"]) == 2


def test_the_command_says_whose_export_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, _, _ = export_of(PROFILES["shopify"], INVENTED["shopify"])
    (tmp_path / "export.csv").write_bytes(content)
    kept = tmp_path / "chain"
    (kept / PROFILES_FOLDER).mkdir(parents=True)
    (kept / PROFILES_FOLDER / "mine.toml").write_text("share = 2", encoding="utf-8")
    command = ["try", str(tmp_path / "export.csv"), "--yes", "--keep", str(kept), "--lang", "en"]
    assert main(command) == 1
    assert "share is 2" in capsys.readouterr().out
    (kept / PROFILES_FOLDER / "mine.toml").unlink()
    assert main(command) == 0
    assert "Read as an export of Shopify (orders)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "header",
    [
        "订单编号,买家会员名,订单状态,订单创建时间,宝贝标题,宝贝总数量,订单关闭原因",
        "订单号,买家,状态,日期,商品,数量,关闭原因",
    ],
)
def test_that_an_order_is_not_closed_is_no_state(tmp_path: Path, header: str) -> None:
    """Also in a list that no profile knows."""
    rows = [header]
    for day in range(1, 29):
        closed = day % 7 == 0
        state, why = ("交易关闭", "买家未付款") if closed else ("交易成功", "订单未关闭")
        rows.append(f"A{day},b{day},{state},2026-03-{day:02} 10:00:00,杯{day % 2},{day},{why}")
    path = tmp_path / "订单.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    reading = read_export(path)
    assert not reading.questions
    assert (reading.sold, reading.returned) == (sum(d for d in range(1, 29) if d % 7), 0)


def test_an_order_that_was_never_paid_has_the_day_on_which_it_was_made(tmp_path: Path) -> None:
    """Rows of a platform's second date are no gaps of a group, and nothing is asked of them."""
    money = "买家应付货款,买家应付邮费,总金额,买家实际支付金额"
    rows = [
        f"订单编号,买家会员名,{money},订单状态,订单创建时间,订单付款时间 ,宝贝标题 ,宝贝种类 ,宝贝总数量,订单关闭原因"
    ]
    for day in range(1, 29):
        made, closed = f"2026-03-{day:02} 10:00:00", day % 9 == 0
        state, why, paid = ("交易关闭", "买家未付款", "") if closed else ("交易成功", "订单未关闭", made)
        rows.append(f'"=""40{day}""",b,8,0,8,8,{state},{made},{paid},杯{day % 2},1,{day},{why}')
    path = tmp_path / "ExportOrderList.csv"
    path.write_text("\n".join(rows) + "\n", encoding="gbk")
    reading = read_export(path)
    assert reading.profile is not None and not reading.questions
    assert (reading.sold, reading.returned) == (sum(d for d in range(1, 29) if d % 9), 0)
