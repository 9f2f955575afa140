"""Sales exports as a spreadsheet or a shop could write them: a truth, and a file in any convention that says it."""

import csv
import io
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import xlsxwriter

PRODUCTS = ["KA-10", "KB-20", "KC-30", "00123"]
HEADERS = {
    "en": ("Date", "SKU", "Quantity", "Unit price", "Amount", "Order ID", "Order status", "Type"),
    "de": ("Datum", "Artikelnummer", "Menge", "Einzelpreis", "Betrag", "Bestellnummer", "Bestellstatus", "Belegart"),
    "zh": ("下单时间", "商品编码", "数量", "单价", "金额", "订单编号", "订单状态", "单据类型"),
    "fr": ("Date", "Référence", "Quantité", "Prix unitaire", "Montant", "Commande", "Statut", "Type"),
}
MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "de": [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    "fr": [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
}
ENCODINGS = {
    "en": ["utf-8", "utf-8-sig", "utf-16"],
    "de": ["utf-8", "cp1252", "utf-16"],
    "zh": ["utf-8", "gb18030", "utf-16"],
    "fr": ["utf-8-sig", "cp1252"],
}
TOTALS = {"en": ["Total", "Grand Total"], "de": ["Summe", "Gesamt"], "zh": ["合计", "总计"], "fr": ["Total"]}
SUBTOTALS = {"en": "Subtotal", "de": "Zwischensumme", "zh": "小计", "fr": "Sous-total"}
# Words of a state, and what they come to: sold, returned (sold and come back), neither.
STATES = {
    "en": {
        "paid": "sold",
        "Shipped": "sold",
        "cancelled": "neither",
        "shipped, refunded": "returned",
        "failed": "neither",
    },
    "zh": {
        "交易成功": "sold",
        "已发货，待签收": "sold",
        "已发货，退款成功": "returned",
        "未发货，退款成功": "neither",
        "交易关闭": "neither",
        "待支付": "neither",
    },
}
KINDS = {
    "en": ("Sale", "Refund"),
    "zh": ("销售出库单", "销售退货单"),
    "de": ("Rechnung", "Gutschrift"),
    "fr": ("Vente", "Avoir"),
}


@dataclass
class Made:
    """A file and its truth. sold, returned: by day and product. how: the conventions, for a person."""

    path: Path
    how: dict[str, object]
    sold: dict[tuple[date, str], float] = field(default_factory=lambda: defaultdict(float))
    returned: dict[tuple[date, str], float] = field(default_factory=lambda: defaultdict(float))


def made(folder: Path, seed: int) -> Made:
    """One file, the same for the same seed."""
    chance = random.Random(seed)
    return _wide(folder, chance, seed) if chance.random() < 0.25 else _long(folder, chance, seed)


# --- numbers and dates -------------------------------------------------------------------------------------------


def number(value: float, places: int, decimal: str, group: str) -> str:
    text = f"{abs(value):,.{places}f}"
    text = text.replace(",", "G").replace(".", decimal).replace("G", group)
    return f"-{text}" if value < 0 else text


def signed(text: str, way: str) -> str:
    if not text.startswith("-"):
        return text
    bare = text[1:]
    return {"-": text, "trailing": f"{bare}-", "brackets": f"({bare})", "true": f"−{bare}", "kept": f"'-{bare}"}[way]


def day_text(day: date, way: str, language: str) -> str:
    month = MONTHS.get(language, MONTHS["en"])[day.month - 1]
    return {
        "iso": f"{day}",
        "slash_iso": f"{day:%Y/%m/%d}",
        "compact": f"{day:%Y%m%d}",
        "dmy/": f"{day:%d/%m/%Y}",
        "mdy/": f"{day.month}/{day.day}/{day.year}",
        "dmy.": f"{day:%d.%m.%Y}",
        "dmy-": f"{day:%d-%m-%Y}",
        "dmy.2": f"{day:%d.%m.%y}",
        "named": f"{day.day}. {month} {day.year}" if language == "de" else f"{day.day} {month} {day.year}",
        "named_first": f"{MONTHS['en'][day.month - 1][:3]} {day.day:02}, {day.year}",
        "named_dash": f"{day.day:02}-{MONTHS['en'][day.month - 1][:3]}-{day:%y}",
        "zh": f"{day.year}年{day.month}月{day.day}日",
        "serial": str((day - date(1899, 12, 30)).days),
    }[way]


DATE_WAYS = {
    "en": ["iso", "slash_iso", "compact", "dmy/", "mdy/", "dmy-", "named", "named_first", "named_dash", "serial"],
    "de": ["iso", "dmy.", "dmy.2", "named", "dmy/"],
    "zh": ["iso", "slash_iso", "zh", "compact"],
    "fr": ["dmy/", "iso", "named", "dmy."],
}
CLOCKS = [
    "",
    "",
    "",
    " {h:02}:{m:02}:00",
    " {h}:{m:02}",
    "T{h:02}:{m:02}:00",
    " {h:02}:{m:02}:00 +0800",
    " {h:02}:{m:02}:00 -0500",
]


# --- long tables -------------------------------------------------------------------------------------------------


def _long(folder: Path, chance: random.Random, seed: int) -> Made:
    language = chance.choice(list(HEADERS))
    workbook = chance.random() < 0.25
    comma = chance.random() < (0.85 if language in ("de", "fr") else 0.1)
    how: dict[str, object] = {
        "language": language,
        "workbook": workbook,
        "decimal": "," if comma else ".",
        "group": chance.choice(["", "", *(["."] if comma else [","]), " ", "\u202f", "'"]),
        "places": chance.choice([0, 0, 0, 3, 2, 1]),
        "big": chance.random() < 0.3,
        "date": chance.choice(DATE_WAYS[language]),
        "clock": chance.choice(CLOCKS),
        "sign": chance.choice(["none", "-", "trailing", "brackets", "true", "kept", "kind"]),
        "total": chance.choice(["none", "none", "date", "product", "unlabelled", "sub"]),
        "title": chance.choice([0, 0, 0, 1, 2]),
        "note": chance.random() < 0.2,
        "states": language in STATES and chance.random() < 0.5,
        "first_line": chance.random() < 0.5,
        "price": chance.choice(["", "unit", "amount", "both"]),
        "currency": chance.choice(["", "", "$", "€ ", " EUR", "¥"]),
        "suffix": chance.choice(["", "", "", "", {"zh": "件", "de": " Stk", "fr": " pcs"}.get(language, " pcs")]),
        "wide_digits": language == "zh" and chance.random() < 0.3,
        "sort": chance.choice(["up", "up", "down", "product", "mixed"]),
        "grouped": chance.random() < 0.15,
        "every": chance.choice([1, 1, 1, 7, 30]),
    }
    if how["sign"] == "kind" or how["states"]:
        how["sign"] = "none" if how["states"] else "kind"
    if how["date"] in ("compact", "serial", "zh") and how["clock"]:
        how["clock"] = ""
    if how["grouped"]:
        how |= {"sort": "up", "clock": "", "states": False, "total": "none"}
    sales = _sales(chance, how)
    header, rows, truth = _long_rows(chance, how, sales)
    result = Made(folder / "x", how)
    for (day, product), (sold, returned) in truth.items():
        if sold:
            result.sold[day, product] = round(sold, 6)
        if returned:
            result.returned[day, product] = round(returned, 6)
    table = [*_titles(how, language), header, *rows, *([["Created by the shop"]] if how["note"] else [])]
    result.path = _written(folder, chance, how, table, seed)
    return result


def _sales(chance: random.Random, how: dict) -> list[tuple[date, int, str, float]]:
    """Day, order, product and units of each line."""
    first = date(2023, 1, 1) + timedelta(days=chance.randrange(300))
    lines, order = [], 1000
    for step in range(chance.choice([40, 60, 90]) if how["every"] == 1 else chance.choice([12, 18, 26])):
        day = first + timedelta(days=step * int(how["every"]))
        if how["every"] == 30:  # the first of each month
            month = first.month - 1 + step
            day = date(first.year + month // 12, month % 12 + 1, 1)
        for _ in range(chance.choice([1, 1, 2])):
            order += 1
            for product in chance.sample(PRODUCTS, chance.choice([1, 2, 3])):
                units = chance.randint(1, 12) + (chance.randint(0, 3) / 4 if how["places"] else 0)
                if how["places"] == 1:
                    units = chance.randint(1, 25) / 2
                if how["big"] and chance.random() < 0.3:
                    units *= 400
                if how["sign"] != "none" and chance.random() < 0.1:
                    units = -units
                lines.append((day, order, product, units))
    if how["sort"] == "down":
        lines.reverse()
    elif how["sort"] == "product":
        lines.sort(key=lambda line: line[2])
    elif how["sort"] == "mixed":
        chance.shuffle(lines)
    return lines


def _long_rows(chance: random.Random, how: dict, sales: list) -> tuple[list[str], list[list], dict]:
    language, decimal, group, places = how["language"], how["decimal"], how["group"], how["places"]
    names = HEADERS[language]
    header = [names[0], names[1], names[2]]
    header += [names[3]] if how["price"] in ("unit", "both") else []
    header += [names[4]] if how["price"] in ("amount", "both") else []
    with_order = how["states"] or chance.random() < 0.5
    header += [names[5]] if with_order else []
    header += [names[6]] if how["states"] else []
    header += [names[7]] if how["sign"] == "kind" else []
    state_of: dict[int, tuple[str, str]] = {}
    truth: dict[tuple[date, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    rows: list[list] = []
    seen: set[int] = set()
    last_day, since, whole = None, 0.0, 0.0
    for day, order, product, units in sales:
        if how["total"] == "sub" and last_day is not None and day.month != last_day.month and how["sort"] == "up":
            rows.append([f"{SUBTOTALS[language]}", "", number(since, places, decimal, group)])
            since = 0.0
        since += units
        whole += units
        state = state_of.setdefault(order, chance.choice(list(STATES.get(language, STATES["en"]).items())))
        text = signed(
            number(units, places, decimal, group),
            how["sign"] if how["sign"] in ("trailing", "brackets", "true", "kept") else "-",
        )
        if how["sign"] == "kind":
            text = text.lstrip("-")
        if how["wide_digits"] and chance.random() < 0.3:
            text = text.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
        clock = str(how["clock"]).format(h=chance.randint(8, 21), m=chance.randint(0, 59))
        when = day_text(day, how["date"], language) + clock
        if how["grouped"] and day == last_day:
            when = ""
        row = [when, product, text + how["suffix"]]
        price = 10 + PRODUCTS.index(product) + 0.5
        money = [price] * (how["price"] in ("unit", "both")) + [price * units] * (how["price"] in ("amount", "both"))
        row += [_money(abs(m) if how["sign"] == "kind" else m, how) for m in money]
        row += [f"B{order}"] if with_order else []
        if how["states"]:
            row.append("" if how["first_line"] and order in seen else state[0])
        row += [KINDS[language][units < 0]] if how["sign"] == "kind" else []
        seen.add(order)
        rows.append(row)
        last_day = day
        outcome = state[1] if how["states"] else "sold"
        entry = truth[day, product]
        entry[0] += units if units > 0 and outcome != "neither" else 0
        entry[1] += -units if units < 0 else units if outcome == "returned" else 0
    label = chance.choice(TOTALS[language])
    total = number(whole, places, decimal, group)
    if how["total"] in ("date", "sub"):
        rows.append([label, "", total])
    elif how["total"] == "product":
        rows.append(["", label, total])
    elif how["total"] == "unlabelled":
        rows.append(["", "", total])
    return header, [[*row, *[""] * (len(header) - len(row))] for row in rows], truth


def _money(value: float, how: dict) -> str:
    text = number(abs(value), 2, how["decimal"], how["group"])
    currency = str(how["currency"])
    text = currency + text if currency and not currency.startswith(" ") else text + currency
    return f"-{text}" if value < 0 else text


def _titles(how: dict, language: str) -> list[list[str]]:
    title = {"en": "Sales report", "de": "Verkaufsbericht", "zh": "销售明细表", "fr": "Rapport des ventes"}[language]
    return [[title], [], ["Shop", "Main"]][: int(how["title"]) + (how["title"] == 2)] if how["title"] else []


# --- wide tables -------------------------------------------------------------------------------------------------


def _wide(folder: Path, chance: random.Random, seed: int) -> Made:
    language = chance.choice(["en", "de", "zh"])
    how: dict[str, object] = {
        "language": language,
        "workbook": chance.random() < 0.5,
        "layout": "wide",
        "decimal": ".",
        "title": chance.choice([0, 0, 1]),
        "period": chance.choice(["iso", "mon-yy", "mon yyyy", "mm/yyyy", "zh", "week", "day", "two_rows"]),
        "total_row": chance.random() < 0.5,
        "total_column": chance.random() < 0.5,
        "note": False,
    }
    result = Made(folder / "x", how)
    count = chance.choice([6, 12, 18])
    days = [date(2023, 1, 1)]
    while len(days) < count:
        before = days[-1]
        days.append(date(before.year + before.month // 12, before.month % 12 + 1, 1))
    if how["period"] in ("week", "day"):
        step = 7 if how["period"] == "week" else 1
        days = [date(2023, 1, 2) + timedelta(days=step * i) for i in range(count)]
    english = [m[:3] for m in MONTHS["en"]]
    names = [
        {
            "iso": f"{d:%Y-%m}",
            "mon-yy": f"{english[d.month - 1]}-{d:%y}",
            "mon yyyy": f"{english[d.month - 1]} {d.year}",
            "mm/yyyy": f"{d:%m/%Y}",
            "zh": f"{d.year}年{d.month}月",
            "day": f"{d}",
            "two_rows": english[d.month - 1],
            "week": "{}-W{:02}".format(*d.isocalendar()[:2]),
        }[str(how["period"])]
        for d in days
    ]
    product = HEADERS[language][1]
    total = TOTALS[language][0]
    cells = {p: [chance.choice([0, *range(1, 60)]) for _ in days] for p in PRODUCTS}
    for code, units in cells.items():
        for day, value in zip(days, units, strict=True):
            if value:
                result.sold[day, code] = float(value)
    lines = [[code, *map(str, units)] for code, units in cells.items()]
    if how["total_row"]:
        lines.append([total, *(str(sum(cells[p][i] for p in PRODUCTS)) for i in range(count))])
    if how["total_column"]:
        lines = [[*line, str(sum(map(int, line[1:])))] for line in lines]
    header = [[product, *names, *([total] if how["total_column"] else [])]]
    if how["period"] == "two_rows":
        years = [str(d.year) if i == 0 or d.month == 1 else "" for i, d in enumerate(days)]
        header.insert(0, ["", *years, *([""] if how["total_column"] else [])])
    table = [*_titles(how, language), *header, *lines]
    result.path = _written(folder, chance, how, table, seed)
    return result


# --- files -------------------------------------------------------------------------------------------------------


def _written(folder: Path, chance: random.Random, how: dict, table: list[list], seed: int) -> Path:
    width = max(map(len, table))
    if how["workbook"]:
        path = folder / f"made-{seed}.xlsx"
        how["typed"] = chance.random() < 0.5 and how["decimal"] == "."
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet("Data")
            for r, row in enumerate(table):
                for c, text in enumerate(row):
                    bare = str(text).removeprefix("-")
                    if how["typed"] and bare.replace(".", "", 1).isdigit() and bare[:2] != "00" and len(bare) < 8:
                        sheet.write_number(r, c, float(text))
                    elif text != "":
                        sheet.write_string(r, c, str(text))
        return path
    encoding = chance.choice(ENCODINGS["zh" if how.get("period") == "zh" else str(how["language"])])
    separator = ";" if how["decimal"] == "," and chance.random() < 0.7 else chance.choice([",", ";", "\t", "|"])
    padded = chance.random() < 0.5
    how |= {"encoding": encoding, "separator": separator, "padded": padded}
    if encoding == "cp1252":
        table = [[str(cell).replace("−", "-").replace("\u202f", "\u00a0") for cell in row] for row in table]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    for row in table:
        writer.writerow([*row, *[""] * (width - len(row))] if padded else row or [""])
    ending = {"\t": chance.choice([".txt", ".tsv", ".csv"])}.get(separator, ".csv")
    path = folder / f"made-{seed}{ending}"
    path.write_bytes(out.getvalue().encode(encoding, "replace"))
    return path
