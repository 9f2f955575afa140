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


# --- amounts ---


@pytest.mark.parametrize("own", [False, True])
def test_what_stands_on_the_first_line_of_an_order_is_its_amount_not_the_rows(own: bool, tmp_path: Path) -> None:
    """Two plates at 5 and a bowl at 7.5: the order comes to 17.50, which is no price of two plates. A column of the
    rows' own amounts is taken where there is one."""
    lines = ["Order,Date,SKU,Quantity,Subtotal" + ",Line total" * own]
    for i in range(1, 21):
        lines += [
            f"A{i},2024-01-{i:02},KA,2,17.50" + ",10.00" * own,
            f"A{i},2024-01-{i:02},KB,1," + ",7.50" * own,
        ]
    reading = read(tmp_path / "orders.csv", lines)
    assert asked(reading) == []
    fields = {guess.field: guess.column for guess in reading.columns}
    assert fields.get("amount") == ("Line total" if own else None)
    assert own or fields["order_amount"] == "Subtotal"
    sales = reading.part("sales")
    assert sales is not None
    prices = set(sales["price"].to_pylist()) if "price" in sales.column_names else set()
    assert prices == ({5.0, 7.5} if own else set())


@pytest.mark.parametrize("answers", [{}, {"unpaid_shipped": "not_sold"}])
def test_what_went_out_and_is_not_paid_is_told(answers: dict[str, str], tmp_path: Path) -> None:
    lines = ["Order,Date,SKU,Quantity,Financial Status,Fulfillment status"]
    for i in range(1, 29):
        state = "pending,fulfilled" if i > 25 else "paid,fulfilled"
        lines.append(f"A{i},2024-01-{i:02},KA,2,{state}")
    reading = read(tmp_path / "orders.csv", lines, answers)
    assert asked(reading) == [] and reading.sold == (50.0 if answers else 56.0)
    said = "6 units of orders that went out and are not paid yet count as sold (Financial Status: pending"
    assert (said in told(reading)) is not bool(answers)
    assert ("3 rows with 6 units: Financial Status: pending" in reading.last_line("en")) is bool(answers)


def test_what_is_left_out_is_told_by_column_and_value(tmp_path: Path) -> None:
    lines = ["Order,Date,SKU,Title,Quantity,订单状态,退款状态,Cancelled at"]
    for i in range(1, 29):
        state = "交易关闭,没有申请退款,2024-02-01" if i == 28 else "交易成功,null,"
        lines.append(f"A{i},2024-01-{i:02},KA,Tea,2,{state}")
    lines += [f"B{i},2024-01-{i:02},,{what},1,交易成功,null," for i, what in enumerate(["Tip", "Tip", "Shipping"], 1)]
    reading = read(tmp_path / "orders.csv", lines)
    assert asked(reading) == []
    said = reading.last_line("en")
    assert "1 row with 2 units: 订单状态: 交易关闭, Cancelled at: ✓" in said and "null" not in said
    assert "3 lines of no goods: Tip, Shipping" in said


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
    assert asked(reading) == [] and reading.sold == 40 and "1 row of sums" in reading.last_line("en")


# --- codes that are none ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", ["null", "NULL", "none", "N/A", "-", "0", "无", "空", "'null", ""])
@pytest.mark.parametrize("head", ["Order,Date,SKU,Name,Quantity", "订单编号,付款时间,商家编码,宝贝标题,数量"])
def test_goods_whose_code_is_a_word_for_none_go_by_their_name(nothing: str, head: str, tmp_path: Path) -> None:
    names = ("Tea", "Sieve", "Pot")
    rows = [f"A{i},2024-01-{i % 28 + 1:02},{nothing if i % 3 else 'KA-1'},{names[i % 3]},2" for i in range(60)]
    reading = read(tmp_path / "list.csv", [head, *rows])
    assert asked(reading) == [] and units_of(reading) == {"KA-1": 40.0, "Sieve": 40.0, "Pot": 40.0}
    assert "40 rows have no code" in told(reading)


def test_zero_among_short_codes_is_a_code(tmp_path: Path) -> None:
    rows = [f"A{i},2024-01-{i % 28 + 1:02},{i % 5},Tea {i % 5},2" for i in range(60)]
    assert set(units_of(read(tmp_path / "list.csv", ["Order,Date,SKU,Name,Quantity", *rows]))) == set("01234")


def test_without_a_name_they_are_told(tmp_path: Path) -> None:
    rows = [f"A{i},2024-01-{i % 28 + 1:02},{'null' if i == 7 else 'KA-1'},2" for i in range(200)]
    reading = read(tmp_path / "list.csv", ["Order,Date,SKU,Quantity", *rows])
    assert units_of(reading) == {"KA-1": 398.0} and "1 row without a product" in reading.last_line("en")


# --- orders that are not paid ----------------------------------------------------------------------------------------

TAOBAO = (
    "子订单编号,主订单编号,标题,价格,购买数量,商家编码,商品属性,订单状态,"
    "买家实际支付金额,退款状态,退款金额,订单创建时间,订单付款时间"
)


def taobao(
    state: str, refund: str = "没有申请退款", money: str = "无退款申请", paid: str = "2024-01-{d:02} 10:02:00"
) -> str:
    return f"{{i}},M{{i}},茶杯,44.00,2,KA-1,,{state},88.00,{refund},{money},2024-01-{{d:02}} 10:00:00,{paid}"


def shop(rows: list[str]) -> list[str]:
    return [TAOBAO, *(row.format(i=i, d=i % 28 + 1) for i, row in enumerate(rows))]


@pytest.mark.parametrize("state", ["等待买家付款", "交易关闭"])
def test_orders_without_a_day_of_payment_are_left_out_by_their_state(state: str, tmp_path: Path) -> None:
    rows = [taobao(state, paid="") if i % 6 == 0 else taobao("交易成功") for i in range(60)]
    reading = read(tmp_path / "list.csv", shop(rows))
    assert (asked(reading), reading.findings, reading.sold) == ([], (), 100)
    assert f"10 rows with 20 units: 订单状态: {state}" in reading.last_line("en")
    assert "their date is 订单创建时间" in told(reading)


# --- refunds in part -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("money", "back", "says"),
    [("5.00", 0, "no unit came back"), ("44.00", 10, "10 units came back"), ("88.00", 20, "20 units came back")],
)
def test_goods_come_back_as_far_as_the_refund_pays_for_them(money: str, back: int, says: str, tmp_path: Path) -> None:
    rows = [taobao("交易成功", "退款成功", money) if i % 6 == 0 else taobao("交易成功") for i in range(60)]
    reading = read(tmp_path / "list.csv", shop(rows))
    assert (asked(reading), reading.sold, reading.returned) == ([], 120, back) and says in told(reading)


def test_a_little_money_given_back_in_an_order_of_several_lines_is_money(tmp_path: Path) -> None:
    states = ["refunded,5"] * 8 + ["paid,0"] * 52
    rows = [f"A{i // 2},2024-01-{i % 28 + 1:02},K{i % 2},2,10.00,{state}" for i, state in enumerate(states)]
    reading = read(tmp_path / "list.csv", ["Order,Date,SKU,Quantity,Price,Status,Refund Amount", *rows])
    assert (asked(reading), reading.sold, reading.returned) == ([], 120, 0)
    assert "8 rows were refunded in part: taken as money" in told(reading)


@pytest.mark.parametrize(
    ("money", "back"), [("10.00", 0), ("79.00", 1 * 5), ("158.00", 2 * 5)], ids=["little", "one of two", "whole line"]
)
def test_a_refund_on_a_line_is_measured_by_that_line_in_orders_of_several(
    money: str, back: int, tmp_path: Path
) -> None:
    """The orders have other lines, which cost more and were not refunded."""
    head = TAOBAO.removeprefix("子订单编号,").replace("标题,价格", "商品标题,商品价格")
    rows = []
    for i in range(30):
        state = ("退款成功", money) if i < 5 else ("没有申请退款", "0.00")
        day = f"2024-01-{i % 28 + 1:02} 10:00:00"
        rows.append(f"M{i},短袖,79.00,2,KA-1,,交易成功,158.00,{','.join(state)},{day},{day}")
        rows.append(f"M{i},水壶,129.00,2,KB-1,,交易成功,258.00,没有申请退款,0.00,{day},{day}")
    reading = read(tmp_path / "list.csv", [head, *rows])
    assert (asked(reading), reading.sold, reading.returned) == ([], 120, back)


SHOPIFY = "Name,Created at,Lineitem sku,Lineitem name,Lineitem quantity,Lineitem price,Lineitem fulfillment status,"
SHOPIFY += "Financial Status,Refunded Amount"


def shopify(state: str, money: str, orders: int = 40) -> list[str]:
    """Orders of two cups for 18, two plates for 18 and one pot for 49, the first four of them refunded."""
    rows = [SHOPIFY]
    for i in range(orders):
        first = f"{state},{money}" if i < 4 else "paid,0.00"
        for of_order, line in zip((first, ",", ","), ("CUP,Cup,2,18.00", "PLATE,Plate,2,18.00", "POT,Pot,1,49.00"),
                                  strict=True):  # fmt: skip
            rows.append(f"#{i + 1},2024-01-{i % 28 + 1:02},{line},fulfilled,{of_order}")
    return rows


@pytest.mark.parametrize(
    ("state", "money", "questions", "back"),
    [
        ("partially_refunded", "49.00", [], 4),  # the pot alone costs as much
        ("partially_refunded", "121.00", [], 20),  # all goods, not the parcel
        ("partially_refunded", "72.00", [], 16),  # both cups, both plates
        ("refunded", "1.00", [], 0),
        ("paid", "0.00", [], 0),  # nothing was given back
        ("refunded", "126.00", [], 20),  # with the parcel
        ("partially_refunded", "1.00", ["partly_refunded"], 0),
        ("partially_refunded", "18.00", ["refund_lines"], 4),  # a cup or a plate
    ],
)
def test_a_refund_of_an_order_is_of_the_lines_that_cost_as_much(
    state: str, money: str, questions: list[str], back: int, tmp_path: Path
) -> None:
    reading = read(tmp_path / "list.csv", shopify(state, money))
    assert (asked(reading), reading.sold, reading.returned) == (questions, 200, back)
    if money == "49.00":
        assert "4 rows were refunded in part" in told(reading) and units_of(reading, "returns") == {"POT": 4.0}


@pytest.mark.parametrize(("answer", "back"), [("some", 4), ("sold", 0), ("returned", 20)])
def test_which_lines_a_refund_is_of_is_asked_with_their_units(answer: str, back: int, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", shopify("partially_refunded", "18.00"))
    (question,) = reading.questions
    of = {option.name: option.says.text("en") for option in question.options}
    assert "4 units" in of["some"] and "20 units" in of["sold"] and "20 units" in of["returned"]
    answered = read(tmp_path / "list.csv", shopify("partially_refunded", "18.00"), {"refund_lines": answer})
    assert (asked(answered), answered.sold, answered.returned) == ([], 200, back)


@pytest.mark.parametrize(
    ("money", "questions", "back"), [("10.00", [], 4), ("20.00", [], 8), ("7.00", ["partly_refunded"], 0)]
)
def test_a_state_of_a_part_is_asked_about_unless_the_money_pays_for_units(
    money: str, questions: list[str], back: int, tmp_path: Path
) -> None:
    states = [f"partially refunded,{money}"] * 4 + ["paid,0"] * 52
    rows = [f"A{i},2024-01-{i % 28 + 1:02},K{i % 2},2,10.00,{state}" for i, state in enumerate(states)]
    reading = read(tmp_path / "list.csv", ["Order,Date,SKU,Quantity,Price,Status,Refund Amount", *rows])
    assert (asked(reading), reading.sold, reading.returned) == (questions, 112, back)


def test_the_goods_of_one_unit_that_were_paid_back_came_back(tmp_path: Path) -> None:
    """A partial refund of just the price of the unit, without what the parcel cost, is no question."""
    states = ["partially_refunded,10.00"] * 4 + ["paid,0"] * 52
    rows = [f"A{i},2024-01-{i % 28 + 1:02},K{i % 2},1,10.00,15.00,{state}" for i, state in enumerate(states)]
    head = "Name,Created at,Lineitem sku,Lineitem quantity,Lineitem price,Total,Financial Status,Refunded Amount"
    reading = read(tmp_path / "list.csv", [head, *rows])
    assert (asked(reading), reading.sold, reading.returned) == ([], 56, 4)


def test_a_compensation_before_shipment_leaves_the_sale(tmp_path: Path) -> None:
    rows = [taobao("买家已付款，等待卖家发货", "退款成功", "5.00"), *[taobao("交易成功")] * 59]
    reading = read(tmp_path / "list.csv", shop(rows))
    assert (asked(reading), reading.sold, reading.returned) == ([], 120, 0)


SERVICES = [
    "Rabatt 5 %", "Rabatt", "5% Rabatt", "Neukundenrabatt 10 €", "Gutschein WELCOME10", "Bearbeitungsgebühr",
    "Rabatt auf Kaffee",
    "Discount 10%", "Coupon SUMMER", "Voucher -5.00", "Gift card", "Processing fee 2.50 EUR", "Loyalty discount",
    "店铺优惠券", "满减优惠 20元", "红包抵扣", "平台服务费", "积分抵扣5元", "满100立减",
]  # fmt: skip


@pytest.mark.parametrize("coded", [True, False])
@pytest.mark.parametrize("name", SERVICES)
def test_what_is_taken_off_an_order_is_no_goods_that_came_back(tmp_path: Path, name: str, coded: bool) -> None:
    """Rows of discounts, vouchers and fees without a code, or in a list without any codes."""
    lines = ["Datum,Artikel,Bezeichnung,Menge,Netto €" if coded else "Datum,Bezeichnung,Menge,Netto €"]
    for day in range(1, 29):
        for code, product in (("K1", "Kaffee"), ("T1", "Tee")):
            own = f"{code},{product}" if coded else product
            lines.append(f"{day:02}.03.26,{own},{1 + day % 3},{5 + 5 * (day % 3)}.00")
        if day % 3 == 0:
            lines.append(f"{day:02}.03.26,{',' if coded else ''}{name},-1,-2.00")
    lines.append(f"28.03.26,{'K1,' if coded else ''}Kaffee,-2,-10.00")
    path = tmp_path / "liste.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    reading = read_export(path)
    assert not reading.questions
    assert reading.column("amount") == "Netto €"
    assert (reading.sold, reading.returned) == (2 * sum(1 + day % 3 for day in range(1, 29)), 2)
    assert f"9 lines of no goods: {name}" in reading.last_line("en")
    part = reading.part("products")
    assert part is not None and part.num_rows == 2


@pytest.mark.parametrize(
    "name",
    ["Postage & packing", "Porto und Verpackung", "Shipping + insurance", "运费、包装", "Frais de port et emballage"],
)
def test_a_name_of_services_and_what_goes_with_them_is_no_goods(tmp_path: Path, name: str) -> None:
    lines = ["Date,SKU,Item name,Qty,Price"]
    lines += [
        f"2026-03-{day:02},S{day % 2},Tea {day % 2},3,9\n2026-03-{day:02},SHIP,{name},1,4.9" for day in range(1, 29)
    ]
    reading = read(tmp_path / "sales.csv", lines)
    assert reading.sold == 28 * 3 and f"28 lines of no goods: {name}" in reading.last_line("en")


@pytest.mark.parametrize(
    "name", ["Shipping box", "Voucher wallet", "Discount tea", "Port", "Insurance & packing", "红包袋", "Pfandflasche"]
)
def test_goods_with_such_a_word_that_are_sold_stay(tmp_path: Path, name: str) -> None:
    lines = ["Date,SKU,Item name,Qty"]
    lines += [f"2026-03-{day:02},S{day % 2},{name if day % 2 else 'Tea'},{day}" for day in range(1, 29)]
    lines.append(f"2026-03-28,S1,{name},-2")
    path = tmp_path / "sales.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    reading = read_export(path)
    sold = sum(range(1, 29)) if name != "Port" else sum(range(2, 29, 2))  # the French word for shipping alone
    assert reading.sold == sold and not reading.questions


@pytest.mark.parametrize(
    "note", ["Davon Gutschriften", "of which returns", "其中退货", "Anzahl Belege", "Stand: heute"]
)
def test_a_figure_below_the_table_without_code_and_date_is_a_note(tmp_path: Path, note: str) -> None:
    lines = ["Datum,Artikel,Bezeichnung,Menge"]
    lines += [f"{day:02}.03.26,K{day % 2},Kaffee {day % 2},{day}" for day in range(1, 29)]
    reading = read(tmp_path / "liste.csv", [*lines, f"Summe,,,{sum(range(1, 29))}", f"{note},,,-7"])
    assert not reading.questions and not reading.findings
    assert (reading.sold, reading.returned) == (sum(range(1, 29)), 0)
    assert "1 row of notes with 7 units" in reading.last_line("en")


def test_a_return_in_the_row_of_its_sale_names_it(tmp_path: Path) -> None:
    """A row of both; a row of its own with a quantity below zero names none."""
    lines = ["Order,Date,SKU,Qty,Returned qty"]
    lines += [f"R{day},2026-03-{day:02},A,{day},{2 if day % 7 == 0 else 0}" for day in range(1, 29)]
    part = read(tmp_path / "orders.csv", [*lines, "R99,2026-03-28,A,-1,0"]).part("returns")
    assert part is not None
    pairs = list(zip(part["return"].to_pylist(), part["sale"].to_pylist(), part["units"].to_pylist(), strict=True))
    assert [(key == sale, units) for key, sale, units in pairs] == [(True, 2.0)] * 4 + [(False, 1.0)]
    assert pairs[-1][1] is None


def test_one_row_is_one_row(tmp_path: Path) -> None:
    lines = ["Order,Date,SKU,Qty"]
    lines += [f"R{day},2026-03-{day % 28 + 1:02},A,2" for day in range(1, 200)]
    reading = read(tmp_path / "orders.csv", [*lines, "R998,soon,A,1", "R999,2026-03-28,A,-1"])
    (found,) = reading.findings
    assert "1 row with a date that cannot be read" in found.text("en") and "(1 unit)" in found.text("en")
    assert "1 row with a negative quantity is read as returns: 1 unit." in told(reading)


# --- numbers of orders that a spreadsheet has rounded -----------------------------------------------------------------


def spoiled(order: str, rows: int = 60) -> list[str]:
    """A line a row, two an order; some were refunded in full, their neighbours in the order were not."""
    head = "Order,Date,SKU,Quantity,Price,Amount,Status,Shipped at,Refund Amount"
    lines = [head]
    for i in range(rows):
        state = "refunded,2024-01-30,20.00" if i % 10 == 0 else "paid,2024-01-30,0.00"
        number = order.format(i=i // 2, n=1_234_567 + i // 2)
        lines.append(f"{number},2024-01-{i // 2 % 28 + 1:02},K{i % 2},2,10.00,20.00,{state}")
    return lines


@pytest.mark.parametrize("order", ["3.00000E+18", "3.{n}e+18", "30000000{n}00000", "30000000{n}0"])
def test_rounded_numbers_of_orders_are_told_and_join_no_rows(order: str, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", spoiled(order))
    (found,) = [f for f in reading.findings if f.code == "destroyed_orders"]
    assert found.severity == "warning" and found.column == "Order" and "60 rows" in found.found.text("en")
    assert reading.column("order") is None and reading.lines.kind.startswith("days")
    assert (reading.sold, reading.returned) == (120, 12)


def test_a_few_rounded_numbers_leave_the_others_as_they_are(tmp_path: Path) -> None:
    lines = spoiled("30000000{n}1234")
    lines[1:7] = [line.replace(line.split(",")[0], "3.00000E+18") for line in lines[1:7]]
    reading = read(tmp_path / "list.csv", lines)
    (found,) = [f for f in reading.findings if f.code == "destroyed_orders"]
    assert "6 rows" in found.found.text("en") and "1 different one is left" in found.found.text("en")
    assert reading.lines.keys is not None and reading.lines.keys.null_count == 6 and reading.lines.by_order
    assert "filled" not in told(reading) and (reading.sold, reading.returned) == (120, 12)


@pytest.mark.parametrize("order", ["30000000{n}1234", "2026{n}00", "A-3.00000E+18-{i}", "{i}000"])
def test_numbers_of_orders_that_are_whole_are_not_called_rounded(order: str, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", spoiled(order))
    assert reading.findings == () and reading.column("order") == "Order" and reading.lines.by_order
