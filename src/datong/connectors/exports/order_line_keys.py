"""Which row of an export is which line of an order, so that the next export knows it again.

A line is known by its order, the day of it, its product, and, where an order has a product several times, its turn
among them: columns may come and go, states and quantities may change. The day keeps numbers apart that begin anew, as
those of receipts do.

A list without order numbers is one of days: a line is known by its day and product, and by its time, market and unit
price where the list has them; by its turn where all of these are the same. Who bought is no part of it: a key is kept
as long as the sale, and would name the customer. Which of them tell lines apart
is decided at the first list of a chain and kept with its answers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.export import Export
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import is_line_total
from datong.connectors.exports.questions import Option, Question
from datong.ledger.columns import before_in_group
from datong.model.words import message

# A key that was made here.
KEY = re.compile(r"/[0-9]{4}-[0-9]{2}-[0-9]{2}/")
# What `line_keys` puts behind the second line of one product in an order, and those after it.
_TURN = r"^(.*/[0-9]{4}-[0-9]{2}-[0-9]{2}/.*)/[0-9]+$"


# What stands between the key of a line that counts several days and the number of a day after its first.
DAY_OF_STRETCH = "/+"
# How lines are known: kept as an answer. ROWS: by all that is in them.
LINES, OTHER_LINES = "lines", "other_lines"
ORDERS, ROWS, DAYS = "orders", "rows", "days"
# What tells lines of one day and product apart, in the order of their key.
_PARTS = ("time", "market", "price")
# What an earlier version had among them.
_CUSTOMER = "customer"


@dataclass(frozen=True, eq=False)
class Lines:
    """keys: (row,) of each row's line, null where none can be made; None where rows are known by their content. kind:
    what they are made of, to be kept with the chain, '' where the rows tell by themselves."""

    keys: pa.Array | None = None
    kind: str = ""

    @property
    def by_order(self) -> bool:
        """Whether the keys are those of `line_keys`."""
        return self.keys is not None and not self.kind


def lines_of(export: Export, numbers: Numbers, when: Moments, product: pa.Array, earlier: np.ndarray) -> Lines:
    """The lines that the rows of an export are, known as those of the chain before it. earlier: (row,) bool, rows of a
    line that stands there again, later: they have no key."""
    order = None if export.table.wide else export.cells("order")
    if order is not None and earlier.any():
        order = Cells(pc.if_else(pa.array(earlier), pa.scalar(None, pa.string()), order.text))
    parts = _parts_of_days(export, numbers, when, product)
    own = ORDERS if order is not None else "+".join((DAYS, *parts))
    kept = export.asking.answers.get(LINES)
    if kept is not None and names_customers(kept):
        kept = without_customers(kept)
    elif kept is not None:
        export.asking.said(LINES, (kept,) if _is_kind(kept) else (own,))
    if kept is None:
        kept = own
    if kept == ROWS:
        return Lines()
    wanted = () if kept == ORDERS else tuple(kept.split("+")[1:])
    lacking = [_column_of(part) for part in wanted if part not in parts]
    if kept == ORDERS and order is None:
        lacking = ["order"]
    if lacking:
        _ask_for_other_lines(export, lacking)
        wanted = tuple(parts)
    elif order is not None and kept == ORDERS:
        return Lines(line_keys(order, when.days, product))
    return Lines(day_keys(when.days, product, [parts[part] for part in wanted]), kept)


def _is_kind(kept: str) -> bool:
    first, *parts = kept.split("+")
    return kept in (ORDERS, ROWS) or (first == DAYS and set(parts) <= set(_PARTS))


def names_customers(kind: str) -> bool:
    """Whether lines were known by their customers, too, as an earlier version had it."""
    return _CUSTOMER in kind.split("+")[1:]


def without_customers(kind: str) -> str:
    return "+".join(part for part in kind.split("+") if part != _CUSTOMER)


def keys_without_customers(keys: Sequence[str], kind: str) -> dict[str, str]:
    """The keys that an earlier version made of days, each with the one it has without its customer; `kind` is what they
    were made of. Those that are alike then are told apart by their turn, in the order in which they come."""
    place = 2 + kind.split("+").index(_CUSTOMER)  # after an empty part, the day and the product
    turns: dict[str, int] = {}
    result: dict[str, str] = {}
    taken = set(keys)  # by lines that came in by other keys since, too
    for key in keys:
        parts = [part for part in key.split("/") if not part.startswith("#")]
        if not KEY.match(key) or len(parts) != 2 + len(kind.split("+")):
            continue
        line = "/".join(parts[:place] + parts[place + 1 :])
        while True:
            turns[line] = turns.get(line, 0) + 1
            other = line if turns[line] == 1 else f"{line}/#{turns[line]}"
            if other not in taken:
                break
        result[key] = other
    return result


def without_day_of_stretch(keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """Keys of lines, of a day of a line that counts several that of the line itself."""
    return pc.replace_substring_regex(keys, f"{re.escape(DAY_OF_STRETCH)}[0-9]+$", "")


def _column_of(part: str) -> str:
    return "date" if part == "time" else part


def _parts_of_days(export: Export, numbers: Numbers, when: Moments, product: pa.Array) -> dict[str, pa.Array]:
    """(row,) texts that tell the lines of one day and product apart, of those that the file has."""
    found = {}
    if when.clock.any():
        found["time"] = pa.array(when.seconds, pa.int64()).cast(pa.string())
    if (cells := export.cells("market")) is not None:
        found["market"] = cells.text
    price = numbers.by_field.get("price")
    if price is not None and not is_line_total(price, np.abs(numbers.units), numbers.by_field.get("amount"), product):
        found["price"] = pa.array(np.round(price, 6), pa.float64(), from_pandas=True).cast(pa.string())
    return found


def _ask_for_other_lines(export: Export, lacking: Sequence[str]) -> None:
    """Lines that an earlier export told apart by what this one has not: what both have would count twice."""
    fields = tuple(message(f"export.field.{wanted}") for wanted in lacking)
    option = Option("count", message("export.reading.other_lines_count"))
    asks = message("export.asks.other_lines", lacking=fields[0])
    export.asking.ask(Question(OTHER_LINES, asks, (), (), (option,)))


def day_keys(days: np.ndarray, product: pa.Array, parts: Sequence[pa.Array]) -> pa.Array:
    """(row,) key of a line without an order; null where its day or product is not told."""
    there = ~not_a_day(days)
    day = pa.array(np.where(there, days, 0).astype(np.int32), pa.int32(), mask=~there).cast(pa.date32())
    texts = [_escaped(product), *(pc.fill_null(_escaped(part), "") for part in parts)]
    line = pc.binary_join_element_wise(pa.scalar(""), pc.cast(day, pa.string()), *texts, "/")
    turn = pa.array(turns(line), pa.int64())
    again = pc.binary_join_element_wise(line, pc.binary_join_element_wise("#", pc.cast(turn, pa.string()), ""), "/")
    return pc.if_else(pc.greater(turn, 1), again, line)


def _escaped(text: pa.Array) -> pa.Array:
    """Texts that hold no stroke and no hash, so that no two lines have one key."""
    for sign, written in (("%", "%25"), ("/", "%2F"), ("#", "%23")):
        text = pc.replace_substring(text, sign, written)
    return text


def line_keys(order: Cells, days: np.ndarray, product: pa.Array) -> pa.Array:
    """(row,) key of its order line; null where its order, day or product is not told. days: since 1970-01-01."""
    there = ~not_a_day(days)
    day = pa.array(np.where(there, days, 0).astype(np.int32), pa.int32(), mask=~there).cast(pa.date32())
    line = pc.binary_join_element_wise(order.text, pc.cast(day, pa.string()), product, "/")
    turn = pa.array(turns(line), pa.int64())
    again = pc.binary_join_element_wise(line, pc.cast(turn, pa.string()), "/")
    return pc.if_else(pc.greater(turn, 1), again, line)


def turns(line: pa.Array) -> np.ndarray:
    """(row,) how many rows of the same line there were up to it, itself included."""
    codes = line.dictionary_encode("encode").indices.to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.argsort(codes, kind="stable")
    turn = np.empty(len(codes), np.int64)
    turn[order] = before_in_group(codes[order], np.ones(len(codes))) + 1
    return turn


def repeated(lines: pa.Array, columns: Mapping[str, Cells], rows: np.ndarray) -> np.ndarray:
    """(row,) bool: of these rows those that are alike in every column to an earlier row of the same order line. lines:
    (row,) keys, as `line_keys` gives them; only lines with a turn of their own can have one."""
    base = pc.replace_substring_regex(lines, _TURN, r"\1")
    encoded = base.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    known = rows & (encoded >= 0)
    count = np.bincount(encoded[known], minlength=int(encoded.max(initial=0)) + 1)
    at = np.flatnonzero(known & (count[np.maximum(encoded, 0)] > 1))
    result = np.zeros(len(rows), bool)
    if not len(at):
        return result
    alike = np.zeros(len(at), np.int64)  # a number for all that is alike in the columns so far
    for cells in columns.values():
        own = cells.text.take(pa.array(at)).dictionary_encode("encode").indices.to_numpy(zero_copy_only=False)
        alike = np.unique(alike * (int(own.max()) + 1) + own, return_inverse=True)[1]
    result[at] = True
    result[at[np.unique(alike, return_index=True)[1]]] = False
    return result
