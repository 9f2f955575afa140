"""The sheet that a counterparty gets: its orders, and beside them the columns in which it answers.

The same rows as CSV, for programs, and as a workbook, for people, who fill it in and send it back. A supplier is told
offer, unit, price and where to deliver, a carrier where to, and no other firm our reasons; our own works are told why,
without buyers' words and small counts of them (model/small_cells.py).
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from datong.connectors.filedrop.sheet_columns import ANSWER_COLUMNS, EXAMPLE
from datong.ledger.order_life import REPORTED
from datong.model.flow import OrderMessage, party
from datong.model.fractional_units import unit_word
from datong.model.small_cells import for_others
from datong.model.words import Message, catalogue, say

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_WIDTHS = {
    "why": 60,
    "product_name": 24,
    "key": 18,
    "reason": 30,
    "happened_at": 16,
    "order": 18,
    "deliver_to": 30,
    "note": 40,
}
_WIDTH = 12
# Causes that say what the maker is to take, and what will come.
FOR_THE_MAKER = ("plan.cause.alternatives", "plan.cause.besides")
# Columns that a workbook has as numbers and as days, so that whoever gets it can add up and sort.
_NUMBERS = ("units", "price")
_DAYS = ("start", "due", "ordered_on", "arrives_on")


@dataclass(frozen=True)
class Known:
    """What orders are told with. product_names, base_units: by product code. prices: of a unit, by offer.

    addresses: by site; that of the only place which takes deliveries under ''. counterparties: all that ever got an
    order; languages, names: of those that have one. firms: counterparties that are other firms: our reasons name our
    stock and what others cost. steps: of each routing step, its place and how many its recipe has.
    """

    product_names: Mapping[str, str | None] = field(default_factory=dict)
    base_units: Mapping[str, str | None] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    currency: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    counterparties: tuple[str, ...] = ()
    languages: Mapping[str, str] = field(default_factory=dict)
    firms: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """counterparty: as its people read it. columns: names of those that tell an order; answers: of those of the answer,
    which follow. rows: texts, an order each."""

    counterparty: str
    run: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    answers: tuple[str, ...] = ANSWER_COLUMNS


def sheet_of(counterparty: str, run: str, messages: Sequence[OrderMessage], language: str, known: Known) -> Sheet:
    """The sheet of one counterparty's orders, in that order."""
    cells = [_cells(message, language, known) for message in messages]
    bought = [message.order.kind == "buy" for message in messages]
    days = ["ordered_on", "arrives_on"] if all(bought) else ["start", "due"]
    columns = ["order", "kind", "product", "product_name", "units", "unit", *days]
    columns += ["offer", "price"] if any(bought) else []
    columns += [] if all(bought) else ["line"]
    columns += [] if all(bought) or counterparty in known.firms else ["why"]
    columns += ["from_site", "site"] if any(message.order.site is not None for message in messages) else []
    columns += [name for name in ("deliver_to", "note") if any(own[name] for own in cells)]
    columns.append("key")
    rows = tuple(tuple(_harmless(own[name]) for name in columns) for own in cells)
    answers = tuple(name for name in ANSWER_COLUMNS if name != "new_price" or any(bought))
    who = party(counterparty, known.names)
    return Sheet(who if isinstance(who, str) else who.text(language), run, tuple(columns), rows, answers)


def _cells(sent: OrderMessage, language: str, known: Known) -> dict[str, str]:
    order = sent.order
    price = known.prices.get(order.offer or "") if sent.price is None else sent.price
    address = "" if order.kind == "make" else known.addresses.get(order.site or "", "")
    notes = [] if sent.note is None else [sent.note.text(language)]
    if order.kind == "make" and (found := known.steps.get(order.recipe or "")) is not None:
        place, count = found
        notes.insert(0, say("dispatch.step", language, step=order.recipe, place=place, count=count))
    notes += [cause.text.text(language) for cause in order.causes if cause.text.key in FOR_THE_MAKER]
    notes += [say("dispatch.repeated", language)] if sent.repeated else []
    reasons = [] if order.kind == "buy" else [for_others(cause.text).text(language) for cause in order.causes]
    return {
        "order": order.order,
        "kind": say(f"dispatch.kind.{order.kind}", language),
        "product": order.product,
        "product_name": known.product_names.get(order.product) or "",
        "units": f"{order.units:.3f}".rstrip("0").rstrip("."),
        "unit": _unit(known.base_units.get(order.product), language),
        "start": order.start.isoformat(),
        "due": order.due.isoformat(),
        "ordered_on": order.start.isoformat(),
        "arrives_on": order.due.isoformat(),
        "offer": order.offer or "",
        "price": "" if price is None else f"{price:.10g} {known.currency}".strip(),
        "line": order.line or "",
        "why": say("dispatch.join", language).join(reasons),
        "from_site": order.from_site or "",
        "site": order.site or "",
        "deliver_to": address,
        "note": say("dispatch.join", language).join(notes),
        "key": sent.key,
    }


def _unit(unit: str | None, language: str) -> str:
    word = unit_word(unit or "")
    return word.text(language) if isinstance(word, Message) else word


def _harmless(text: str) -> str:
    """A text that a spreadsheet does not take for a formula (OWASP, CSV injection), in full width either."""
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


def as_csv(sheet: Sheet, language: str) -> bytes:
    """UTF-8 with a byte order mark, for Excel."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([say(f"dispatch.title.{name}", language) for name in (*sheet.columns, *sheet.answers)])
    writer.writerows([*row, *("" for _ in sheet.answers)] for row in sheet.rows)
    return text.getvalue().encode("utf-8-sig")


def as_workbook(sheet: Sheet, language: str) -> bytes:
    """An .xlsx that prints on the width of a page: how to answer, an example that is filled in, and the orders with a
    list of answers to choose from. The same sheet gives the same bytes."""
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": sheet.counterparty, "created": datetime(2000, 1, 1)})  # noqa: DTZ001
    page = book.add_worksheet(say("dispatch.sheet.name", language))
    bold, grey = book.add_format({"bold": True}), book.add_format({"italic": True, "font_color": "#777777"})
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    answer = book.add_format({"bg_color": "#FFF6D5", "border": 1, "border_color": "#DDCC99", "valign": "top"})
    top = 0
    page.write_string(top, 0, say("dispatch.sheet.title", language, name=sheet.counterparty, run=sheet.run), bold)
    offer = "offer" if "new_price" in sheet.answers else "offer_unpriced"
    for line in ("how", offer, "when", "back"):
        top += 1
        page.write_string(top, 0, say(f"dispatch.sheet.{line}", language))
    top += 2
    head_row = top
    names = (*sheet.columns, *sheet.answers)
    first_answer = len(sheet.columns)
    for column, name in enumerate(names):
        page.write_string(top, column, say(f"dispatch.title.{name}", language), head)
        page.set_column(column, column, _WIDTHS.get(name, _WIDTH))
    for example in ("example", "example_offer"):
        top += 1
        page.write_string(top, 0, EXAMPLE[language], grey)
        for column, name in enumerate(sheet.answers, start=first_answer):
            if f"dispatch.sheet.{example}.{name}" in catalogue():
                page.write_string(top, column, say(f"dispatch.sheet.{example}.{name}", language), grey)
    _write_orders(book, page, sheet, top + 1)
    for number in range(top + 1, top + 1 + len(sheet.rows)):
        for column in range(first_answer, len(names)):
            page.write_blank(number, column, None, answer)
    last = top + max(len(sheet.rows), 1)
    states = [say(f"dispatch.state.{state}", language) for state in REPORTED]
    page.data_validation(
        top + 1,
        first_answer,
        last,
        first_answer,
        {"validate": "list", "source": states, "error_type": "information"},
    )
    page.freeze_panes(head_row + 1, 1)
    page.set_landscape()
    page.set_paper(9)  # A4
    page.fit_to_pages(1, 0)
    page.repeat_rows(head_row)
    book.close()
    return content.getvalue()


def _write_orders(book: xlsxwriter.Workbook, page: Worksheet, sheet: Sheet, top: int) -> None:
    """The rows of a sheet, from a row on: numbers as numbers, days as days."""
    for column, name in enumerate(sheet.columns):
        shape = book.add_format({"text_wrap": True, "valign": "top", **_shown_as(name, sheet)})
        for number, row in enumerate(sheet.rows, start=top):
            cell = row[column]
            if cell and name in _DAYS:
                page.write_datetime(number, column, datetime.fromisoformat(cell), shape)
            elif cell and name in _NUMBERS:
                page.write_number(number, column, float(cell.partition(" ")[0]), shape)
            else:
                page.write_string(number, column, cell, shape)


def _shown_as(name: str, sheet: Sheet) -> dict[str, str]:
    """How a day is shown, and a price: with the currency, which is the same for all orders."""
    if name in _DAYS:
        return {"num_format": "yyyy-mm-dd"}
    if name != "price":
        return {}
    prices = (row[sheet.columns.index(name)] for row in sheet.rows)
    currency = next((price for price in prices if price), "").partition(" ")[2].replace('"', "")
    return {"num_format": f'General "{currency}"'} if currency else {}
