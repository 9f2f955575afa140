"""An invented export of each platform: its headers, and rows whose right reading is known.

SOLD: the units count as sold; BACK: sold and come back; NOT: no sale.
"""

import csv
import io
from dataclasses import dataclass
from datetime import date, timedelta

from datong.connectors.exports.profiles import Profile

SOLD, BACK, NOT = "sold", "back", "not"
GOODS = {"KA-10": "Plate, blue", "KB-20": "Bowl", "KC-30": "Cup 0.3"}
FIRST = date(2024, 1, 1)
ROWS = 126


@dataclass(frozen=True)
class Kind:
    """A state that rows are in. cells: by column of states, its text; outcome: what the rows come to; every: every how
    manieth row is in it."""

    cells: dict[str, str]
    outcome: str
    every: int = 0


@dataclass(frozen=True)
class Invented:
    """dated: how a day is written. kinds: the commonest state first. more: further columns, the same text in each row.
    asked: keys of questions that are right, and their answers. sign: of the units of rows that come back."""

    dated: str
    kinds: tuple[Kind, ...] = (Kind({}, SOLD),)
    more: dict[str, str] | None = None
    asked: dict[str, str] | None = None
    price: float | None = 4.0
    amounts: bool = False


STAMP = "{day} 10:0{n}:00"
_TAOBAO = "买家已付款,等待卖家发货"
INVENTED = {
    "shopify": Invented(
        STAMP + " +0000",
        (
            Kind({"Financial Status": "paid", "Lineitem fulfillment status": "fulfilled"}, SOLD),
            Kind({"Financial Status": "paid", "Lineitem fulfillment status": "pending"}, SOLD, 9),
            Kind({"Financial Status": "refunded", "Lineitem fulfillment status": "fulfilled"}, BACK, 10),
            Kind({"Financial Status": "refunded", "Lineitem fulfillment status": "restocked"}, NOT, 11),
            Kind({"Financial Status": "voided", "Lineitem fulfillment status": ""}, NOT, 13),
        ),
        {"Fulfillment Status": "fulfilled", "Vendor": "Own", "Id": "9001"},
    ),
    "woocommerce": Invented(
        "{day} 10:00",
        (
            Kind({"Order Status": "Completed"}, SOLD),
            Kind({"Order Status": "Cancelled"}, NOT, 9),
            Kind({"Order Status": "Failed"}, NOT, 10),
            Kind({"Order Status": "Processing"}, SOLD, 11),
        ),
        {"Order Total Amount": "99.90", "Item #": "1", "Payment Method Title": "Card"},
    ),
    "amazon_orders": Invented(
        "{day}T10:00:00+00:00",
        (
            Kind({"order-status": "Shipped", "item-status": "Shipped"}, SOLD),
            Kind({"order-status": "Cancelled", "item-status": "Cancelled"}, NOT, 9),
            Kind({"order-status": "Shipped - Returned to Seller", "item-status": "Shipped"}, BACK, 10),
            Kind({"order-status": "Unshipped", "item-status": "Unshipped"}, SOLD, 11),
        ),
        {"last-updated-date": "2024-06-01T10:00:00+00:00", "fulfillment-channel": "Amazon", "currency": "GBP"},
        amounts=True,
    ),
    "amazon_returns": Invented(
        "{day}T10:00:00+00:00",
        (Kind({}, BACK),),
        {"status": "Unit returned to inventory", "reason": "UNWANTED_ITEM", "detailed-disposition": "SELLABLE",
         "fulfillment-center-id": "LTN4", "fnsku": "X000"},
        price=None,
    ),
    "amazon_settlement": Invented(
        "{day}T10:00:00+00:00",
        (
            Kind({"transaction-type": "Order", "amount-type": "ItemPrice", "amount-description": "Principal"}, SOLD),
            Kind({"transaction-type": "Order", "amount-type": "ItemPrice", "amount-description": "Tax"}, NOT, 9),
            Kind({"transaction-type": "Order", "amount-type": "ItemFees", "amount-description": "Commission"}, NOT, 11),
            Kind({"transaction-type": "Refund", "amount-type": "ItemPrice", "amount-description": "Principal"},
                 "returned", 10),
        ),
        {"settlement-id": "11999", "total-amount": "", "currency": "GBP", "deposit-date": "2024-06-01"},
        amounts=True,
    ),
    "square_items": Invented(
        "{day}",
        (Kind({"Event Type": "Payment"}, SOLD), Kind({"Event Type": "Refund"}, "returned", 9)),
        {"Time": "10:00:00", "Time Zone": "Eastern Time (US & Canada)", "Price Point Name": "Regular", "Tax": "$0.00"},
        amounts=True,
    ),
    "taobao_items": Invented(
        STAMP,
        (
            Kind({"订单状态": "交易成功", "退款状态": "没有申请退款"}, SOLD),
            Kind({"订单状态": "交易关闭", "退款状态": "没有申请退款"}, NOT, 9),
            Kind({"订单状态": "等待买家付款", "退款状态": "没有申请退款"}, NOT, 10),
            Kind({"订单状态": "交易成功", "退款状态": "退款成功"}, BACK, 11),
            Kind({"订单状态": _TAOBAO, "退款状态": "退款关闭"}, SOLD, 13),
        ),
        {"商品属性": "颜色分类:蓝", "支付单号": "P1", "发货时间": ""},
    ),
    "taobao_orders": Invented(
        STAMP,
        (
            Kind({"订单状态": "交易成功", "订单关闭原因": "订单未关闭"}, SOLD),
            Kind({"订单状态": "交易关闭", "订单关闭原因": "买家未付款"}, NOT, 9),
            Kind({"订单状态": "等待买家付款", "订单关闭原因": "订单未关闭"}, NOT, 10),
            Kind({"订单状态": _TAOBAO, "订单关闭原因": "订单未关闭"}, SOLD, 13),
        ),
        {"买家应付货款": "8.00", "买家应付邮费": "0.00", "总金额": "8.00", "宝贝种类": "1", "店铺Id": "0"},
    ),
    "jd_orders": Invented(
        STAMP,
        (
            Kind({"订单状态": "完成"}, SOLD),
            Kind({"订单状态": "(删除)等待出库"}, NOT, 9),
            Kind({"订单状态": "等待付款"}, NOT, 10),
            Kind({"订单状态": "等待出库"}, SOLD, 11),
        ),
        {"商品ID": "100001", "订单金额": "88.00", "结算金额": "80.00", "订单类型": "SOP", "支付方式": "在线支付"},
    ),
    "pinduoduo_orders": Invented(
        STAMP,
        (
            Kind({"订单状态": "已签收", "售后状态": "无售后或售后取消"}, SOLD),
            Kind({"订单状态": "已取消", "售后状态": "无售后或售后取消"}, NOT, 9),
            Kind({"订单状态": "已收货", "售后状态": "退款成功"}, BACK, 10),
            Kind({"订单状态": "待发货", "售后状态": "退款成功"}, NOT, 11),
        ),
        {"商品规格": "无规格", "邮费(元)": "0", "商品id": "7001", "赠品数量": "1"},
        amounts=True,
    ),
    "douyin_orders": Invented(
        STAMP,
        (
            Kind({"订单状态": "已完成", "售后状态": "-"}, SOLD),
            Kind({"订单状态": "已关闭", "售后状态": "-"}, NOT, 9),
            Kind({"订单状态": "已完成", "售后状态": "退款成功"}, BACK, 10),
            Kind({"订单状态": "已发货", "售后状态": "售后关闭"}, SOLD, 11),
        ),
        {"商品规格": "1袋", "订单应付金额": "8.00", "运费": "0.00", "发货时间": ""},
    ),
    "alibaba_1688": Invented(
        STAMP,
        (
            Kind({"订单状态": "交易成功"}, SOLD),
            Kind({"订单状态": "交易关闭"}, NOT, 9),
            Kind({"订单状态": "等待买家付款"}, NOT, 10),
        ),
        {"卖家公司名": "示例制造有限公司", "货品总价(元)": "8", "实付款(元)": "8", "Offer ID": "1"},
        {"list:alibaba_1688": "sales"},
    ),
    "odoo_sales": Invented(
        STAMP,
        (
            Kind({"Status": "Sales Order"}, SOLD),
            Kind({"Status": "Quotation"}, NOT, 9),
            Kind({"Status": "Cancelled"}, NOT, 10),
        ),
        {"Salesperson": "A. Example", "Invoice Status": "Fully Invoiced"},
    ),
    "erpnext_sales": Invented("{day}", more={"Income Account": "Sales - E", "Company": "Example", "Stock UOM": "Nos"}),
    "sap_va05": Invented("{day}", more={"Net Value": "8.00", "Sales Unit": "EA", "Purchase order no.": "PO-7"}),
    "kingdee_outbound": Invented(
        "{day}", (Kind({"单据类型": "标准销售出库单"}, SOLD),), {"库存单位": "件", "发货组织": "总部", "仓库": "成品"}
    ),
    "kingdee_orders": Invented(
        "{day}", (Kind({"单据类型": "标准销售订单"}, SOLD),), {"销售员": "李明", "结算组织": "总部"}
    ),
}  # fmt: skip
PURCHASES = ("odoo_purchases", "erpnext_purchases")


def headers_of(profile: Profile) -> dict[str, str]:
    """The header of each field: the first that the profile names."""
    found: dict[str, str] = {}
    for wanted, headers in profile.columns.items():
        free = [h for h in headers if h not in found.values()]
        if free:
            found[wanted] = free[0]
    return found


def export_of(profile: Profile, invented: Invented) -> tuple[bytes, float, float]:
    """The file, and the units that are sold and that come back."""
    heads = headers_of(profile)
    codes = list(GOODS)
    rows, sold, returned = [], 0.0, 0.0
    for i in range(ROWS):
        kind = next((k for k in invented.kinds if k.every and i % k.every == k.every - 1), invented.kinds[0])
        day, code, units = FIRST + timedelta(days=i // 3), codes[i % 3], 1 + i % 4
        sign = -1 if kind.outcome == "returned" else 1
        cells = dict.fromkeys(profile.signs, "x") | (invented.more or {}) | kind.cells
        values = {
            "order": f"2024{i:06}", "date": invented.dated.format(day=day, n=i % 10), "product": code,
            "name": GOODS[code], "units": f"{sign * units}", "customer": f"c{i % 17}", "market": "shop-1",
            "price": "4.00", "amount": f"{units * 4 * sign:.2f}",
        }  # fmt: skip
        for wanted, head in heads.items():
            if wanted in values:
                cells[head] = values[wanted]
            elif head not in kind.cells and head not in (invented.more or {}):
                cells[head] = ""
        rows.append(cells)
        sold += units if kind.outcome in (SOLD, BACK) and profile.holds != "returns" else 0
        returned += units if kind.outcome in (BACK, "returned") else 0
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8"), sold, returned
