"""Odd sales exports, of shops in eight languages: a truth, and a file that says it in conventions mixed at random."""

import csv
import io
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter

GOODS = {"KA-10": "Plate", "KB-20": "Bowl", "00417": "Cup", "Z/9": "Jug"}


# Of each language: headers of date, product, units, price, amount, order, state, kind; encodings; words of sums;
# states that are sold, neither, come back; kinds of a sale and a return; months; what counts the units.
def _months(names: str) -> list[str]:
    return names.split()


TONGUES: dict[str, dict[str, Any]] = {
    "es": {
        "heads": ("Fecha", "Código", "Cantidad", "Precio unitario", "Importe",
                  "Nº pedido", "Estado", "Tipo de documento"),
        "encodings": ("utf-8", "cp1252", "utf-16"), "sums": ("Total general", "Suma total"), "sum": "Subtotal",
        "states": ("Pagado", "Cancelado", "Enviado, reembolsado"), "kinds": ("Venta", "Devolución"), "counter": "uds",
        "months": _months("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
        "named": "{d.day} de {m} de {d.year}", "comma": True,
    },
    "ja": {
        "heads": ("注文日", "商品コード", "数量", "単価", "金額", "注文番号", "注文ステータス", "伝票種別"),
        "encodings": ("utf-8", "shift_jis", "utf-16"), "sums": ("合計", "総計"), "sum": "小計",
        "states": ("発送済み", "キャンセル", "返品済み"), "kinds": ("売上", "返品"), "counter": "個",
        "months": [f"{m}月" for m in range(1, 13)], "named": "{d.year}年{d.month}月{d.day}日", "comma": False,
    },
    "de": {
        "heads": ("Bestelldatum", "Artikel-Nr.", "Menge", "VK-Preis", "Umsatz", "Auftragsnummer", "Status", "Belegart"),
        "encodings": ("utf-8-sig", "cp1252", "utf-16"), "sums": ("Gesamtsumme", "Summe"), "sum": "Zwischensumme",
        "states": ("Versendet", "Storniert", "Versendet, erstattet"), "kinds": ("Rechnung", "Gutschrift"),
        "counter": "Stk.", "named": "{d.day}. {m} {d.year}", "comma": True,
        "months": _months("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    },
    "fr": {
        "heads": ("Date de commande", "Référence", "Quantité", "Prix unitaire", "Montant",
                  "N° commande", "Statut", "Type"),
        "encodings": ("utf-8", "cp1252"), "sums": ("Total général", "Total"), "sum": "Sous-total",
        "states": ("Expédié", "Annulé", "Expédié, remboursé"), "kinds": ("Facture", "Avoir"), "counter": "pièces",
        "months": _months("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
        "named": "{d.day} {m} {d.year}", "comma": True,
    },
    "zh": {
        "heads": ("付款时间", "商家编码", "购买数量", "单价", "实付金额", "订单编号", "订单状态", "单据类型"),
        "encodings": ("utf-8", "gb18030", "utf-16"), "sums": ("总计", "合计"), "sum": "小计",
        "states": ("交易成功", "交易关闭", "已发货，退款成功"), "kinds": ("销售出库单", "销售退货单"), "counter": "件",
        "months": [f"{m}月" for m in range(1, 13)], "named": "{d.year}年{d.month}月{d.day}日", "comma": False,
    },
    "hant": {
        "heads": ("訂單日期", "商品編號", "數量", "單價", "金額", "訂單編號", "訂單狀態", "單據類型"),
        "encodings": ("utf-8", "big5", "utf-16"), "sums": ("總計", "合計"), "sum": "小計",
        "states": ("已出貨", "已取消", "已出貨，已退款"), "kinds": ("銷貨單", "銷貨退回單"), "counter": "件",
        "months": [f"{m}月" for m in range(1, 13)], "named": "{d.year}年{d.month}月{d.day}日", "comma": False,
    },
    "it": {
        "heads": ("Data ordine", "Codice articolo", "Quantità", "Prezzo unitario", "Importo",
                  "Ordine", "Stato", "Tipo"),
        "encodings": ("utf-8", "cp1252"), "sums": ("Totale complessivo", "Totale"), "sum": "Totale parziale",
        "states": ("Spedito", "Annullato", "Spedito, rimborsato"), "kinds": ("Fattura", "Nota di credito"),
        "counter": "pz", "named": "{d.day} {m} {d.year}", "comma": True,
        "months": _months(
            "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
        ),
    },
    "en": {
        "heads": ("Order date", "Item code", "Units sold", "Price each", "Line total",
                  "Order #", "Order state", "Doc type"),
        "encodings": ("utf-8", "utf-8-sig", "utf-16"), "sums": ("Grand Total", "TOTAL"), "sum": "Sub-total",
        "states": ("Completed", "Voided", "Delivered - refunded"), "kinds": ("Invoice", "Credit memo"),
        "counter": "pcs",
        "months": _months("January February March April May June July August September October November December"),
        "named": "{m} {d.day}, {d.year}", "comma": False,
    },
}  # fmt: skip
DAYS: dict[str, Callable[[date, str], str]] = {
    "iso": lambda d, m: f"{d}", "ymd/": lambda d, m: f"{d.year}/{d.month}/{d.day}",
        "dmy/": lambda d, m: f"{d:%d/%m/%Y}",
    "dmy2": lambda d, m: f"{d:%d/%m/%y}", "mdy/": lambda d, m: f"{d.month}/{d.day}/{d.year}",
    "dmy.": lambda d, m: f"{d.day}.{d.month}.{d.year}", "ymd.": lambda d, m: f"{d:%Y.%m.%d}",
    "compact": lambda d, m: f"{d:%Y%m%d}", "serial": lambda d, m: f"{(d - date(1899, 12, 30)).days}",
    "reiwa": lambda d, m: f"令和{d.year - 2018}年{d.month}月{d.day}日", "weekday": lambda d, m: f"{d:%Y-%m-%d} (月)",
}  # fmt: skip
EUROPE = ["iso", "dmy/", "dmy2", "dmy.", "named", "compact"]
DATE_WAYS = {
    "es": EUROPE, "de": EUROPE, "fr": EUROPE, "it": EUROPE, "en": ["iso", "dmy/", "mdy/", "named", "serial", "ymd/"],
    "ja": ["ymd/", "named", "reiwa", "iso", "ymd."], "zh": ["iso", "ymd/", "named", "compact"],
    "hant": ["iso", "ymd/", "named", "ymd."],
}  # fmt: skip
NOISE: dict[str, Callable[[random.Random], str]] = {
    "Phone": lambda c: f"0{c.randint(100_000_000, 999_999_999)}", "Postcode": lambda c: f"{c.randint(10_000, 99_999)}",
    "Tax rate": lambda c: c.choice(("19%", "7%")), "Weight kg": lambda c: f"{c.randint(1, 9)}.{c.randint(1, 9)}",
    "Photos": lambda c: str(c.randint(0, 7)), "Stock left": lambda c: str(c.randint(0, 300)), "": lambda c: "",
    "Salesman": lambda c: c.choice(("Ada", "Bo")), "Line": lambda c: str(c.randint(1, 3)),
}  # fmt: skip


@dataclass
class Odd:
    """A file and its truth. sold, returned: by day and product. how: the conventions, for a person."""

    path: Path
    how: dict[str, Any]
    sold: dict[tuple[date, str], float] = field(default_factory=lambda: defaultdict(float))
    returned: dict[tuple[date, str], float] = field(default_factory=lambda: defaultdict(float))


def odd(folder: Path, seed: int) -> Odd:
    """One file, the same for the same seed."""
    chance = random.Random(f"odd {seed}")
    how = _conventions(chance)
    made = Odd(folder / f"list-{seed}.{how['kind_of_file']}", how)
    rows = _rows(chance, made)
    table = [*_titles(chance, how), *_heads(how), *rows, *([["* " + "x" * 9]] if how["note"] else [])]
    _write(made.path, how, table)
    return made


def _conventions(chance: random.Random) -> dict[str, Any]:
    tongue = chance.choice(sorted(TONGUES))
    words = TONGUES[tongue]
    comma = words["comma"] if chance.random() < 0.85 else not words["comma"]
    heads = [n for n in chance.sample(sorted(NOISE), chance.randint(0, 3)) if n or chance.random() < 0.5]
    kind_of_file = chance.choice(("csv", "csv", "tsv", "txt", "xlsx"))
    how = {
        "tongue": tongue, "comma": comma, "noise": heads, "kind_of_file": kind_of_file,
        "group": chance.choice(("", "", ".", " ", "'", "\u202f") if comma else ("", "", ",", " ", "'")),
        "separator": "\t" if kind_of_file == "tsv" else chance.choice((";", "|", "\t") if comma else (",", ";", "|")),
        "encoding": chance.choice(words["encodings"]), "date": chance.choice(DATE_WAYS[tongue]),
        "clock": chance.choice(("", "", " {t:%H:%M}", " {t:%I:%M %p}", " {t:%H:%M:%S}")),
        "minus": chance.choice(("-{}", "{}-", "({})", "−{}", "- {}")), "counter": chance.random() < 0.15,
        "money": chance.choice(("{}", "{}", "{} €", "$ {}", "¥{}")), "places": chance.choice((0, 0, 0, 3)),
        "back": chance.choice(("none", "negative", "kind", "state")), "orders": chance.random() < 0.7,
        "once": chance.choice(("", "", "order", "date")), "state_once": chance.random() < 0.4,
        "sums": chance.choice(("", "", "last", "days", "both")), "title": chance.randint(0, 3),
        "note": chance.random() < 0.3, "again": chance.random() < 0.15, "blank": chance.random() < 0.2,
        "merged": chance.random() < 0.5, "typed": chance.random() < 0.6, "shuffle": chance.random(),
        "price": chance.random() < 0.6, "amount": chance.random() < 0.4, "backward": chance.random() < 0.3,
    }  # fmt: skip
    if how["date"] in ("reiwa", "serial", "weekday", "compact"):
        how["clock"] = ""
    if how["once"] == "order":
        how["orders"] = True
    how["columns"] = _columns(how)
    random.Random(how["shuffle"]).shuffle(how["columns"])
    if how["once"] == "date":
        how["columns"] = ["date", *[c for c in how["columns"] if c != "date"]]
    return how


def _columns(how: dict[str, Any]) -> list[str]:
    more = [c for c, there in (("order", how["orders"]), ("price", how["price"]), ("amount", how["amount"])) if there]
    told = {"kind": ["kind"], "state": ["state"]}.get(how["back"], [])
    return ["date", "product", "units", *more, *told, *how["noise"]]


def number(value: float, places: int, how: dict[str, Any]) -> str:
    text = f"{abs(value):,.{places}f}".replace(",", "G").replace(".", "," if how["comma"] else ".")
    text = text.replace("G", how["group"])
    return how["minus"].format(text) if value < 0 else text


def _rows(chance: random.Random, made: Odd) -> list[list[Any]]:
    """Orders of one to three lines each, over ten weeks."""
    how, words = made.how, TONGUES[made.how["tongue"]]
    rows: list[list[Any]] = []
    whole, of_day, order = 0.0, 0.0, 5000
    start = date(2024, 1, 3)
    spread = chance.choice((1, 9, 90))
    days = [start + timedelta(days=i) for i in range(70)]
    for day in reversed(days) if how["backward"] else days:
        of_day, first_of_day = 0.0, True
        for _ in range(chance.randint(0, 2)):
            order += 1
            state = chance.choices((0, 1, 2), (8, 1, 1))[0]
            clock = time(chance.randint(8, 20), chance.randint(0, 59))
            when = words["named"].format(d=day, m=words["months"][day.month - 1]) if how["date"] == "named" else ""
            when = (when or DAYS[how["date"]](day, "")) + how["clock"].format(t=clock)
            for line, product in enumerate(chance.sample(sorted(GOODS), chance.randint(1, 3))):
                units = chance.randint(1, 9 * spread) + (chance.choice((0.25, 0.5, 0.125)) if how["places"] else 0)
                back = how["back"] in ("negative", "kind") and chance.random() < 0.1
                signed = -units if back and how["back"] == "negative" else units
                _count(made, (day, product), units, back, state if how["back"] == "state" else 0)
                price = 2.5 * (1 + sorted(GOODS).index(product))
                cells = {
                    "date": "" if how["once"] == "date" and not first_of_day else when, "product": product,
                    "units": number(signed, how["places"], how) + (f" {words['counter']}" if how["counter"] else ""),
                    "price": how["money"].format(number(price, 2, how)),
                    "amount": how["money"].format(number(price * signed, 2, how)),
                    "order": "" if how["once"] == "order" and line else f"A{order}", "kind": words["kinds"][back],
                    "state": "" if how["state_once"] and how["orders"] and line else words["states"][state],
                    **{name: NOISE[name](chance) for name in how["noise"]},
                }  # fmt: skip
                whole, of_day, first_of_day = whole + signed, of_day + signed, False
                rows.append([cells[column] for column in how["columns"]])
        if how["sums"] in ("days", "both") and not first_of_day:
            rows.append(_sum_row(how, words["sum"], of_day))
        if how["again"] and day == days[30]:
            rows.append(_heads(how)[-1])
        if how["blank"] and day.weekday() == 6:
            rows.append([""] * len(how["columns"]))
    return [*rows, *([_sum_row(how, chance.choice(words["sums"]), whole)] if how["sums"] in ("last", "both") else [])]


def _count(made: Odd, key: tuple[date, str], units: float, back: bool, state: int) -> None:
    if not back and state != 1:
        made.sold[key] = round(made.sold[key] + units, 6)
    if back or state == 2:
        made.returned[key] = round(made.returned[key] + units, 6)


def _sum_row(how: dict[str, Any], word: str, units: float) -> list[str]:
    place = next(i for i, column in enumerate(how["columns"]) if column not in ("units", "price", "amount"))
    row = [number(units, how["places"], how) if column == "units" else "" for column in how["columns"]]
    row[place] = word
    return row


def _heads(how: dict[str, Any]) -> list[list[str]]:
    fields = ("date", "product", "units", "price", "amount", "order", "state", "kind")
    named = dict(zip(fields, TONGUES[how["tongue"]]["heads"], strict=True))
    return [[named.get(column, column) for column in how["columns"]]]


def _titles(chance: random.Random, how: dict[str, Any]) -> list[list[str]]:
    return [[chance.choice(("Export", "Shop 1", "2024"))] if i % 2 == 0 else [] for i in range(how["title"])]


def _write(path: Path, how: dict[str, Any], table: Sequence[Sequence[str]]) -> None:
    if how["kind_of_file"] == "xlsx":
        _write_workbook(path, how, table)
        return
    text = io.StringIO()
    csv.writer(text, delimiter=how["separator"], lineterminator="\r\n").writerows(table)
    known = text.getvalue().replace("−", "-") if how["encoding"] in ("cp1252", "big5", "shift_jis") else text.getvalue()
    path.write_bytes(known.encode(how["encoding"], errors="replace"))


def _write_workbook(path: Path, how: dict[str, Any], table: Sequence[Sequence[str]]) -> None:
    """Cells as texts; or, where they are typed, numbers that are plain as numbers."""
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    width = len(how["columns"])
    if how["merged"] and width > 1:
        sheet.merge_range(0, 0, 0, width - 1, "Export 1")
    for row, cells in enumerate(table, start=1):
        for column, text in enumerate(cells):
            wanted = how["columns"][column] if column < width else ""
            plain = text.replace(".", "", 1).isdigit() and wanted == "units" and not how["comma"]
            if text and how["typed"] and plain:
                sheet.write_number(row, column, float(text))
            elif text:
                sheet.write_string(row, column, text)
    book.close()
