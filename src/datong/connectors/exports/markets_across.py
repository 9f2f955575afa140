"""Quantities of several markets that stand as columns beside each other: somebody says whether one of them is read, all
of them summed, or each as the units of a market."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells, woven
from datong.connectors.exports.columns import NUMBER_FIELDS, Choice, header_score
from datong.connectors.exports.numbers import read_numbers
from datong.connectors.exports.our_tables import APART, MARKETS
from datong.connectors.exports.price_units_amount import samples_of, sums_tell
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.sums_of_markets import sum_of_sides
from datong.connectors.exports.table import AMOUNT_COLUMN, MARKET_COLUMN, PRICE_COLUMN, UNITS_COLUMN, Table
from datong.connectors.exports.vocabulary import header_words, is_total, names_total, plain
from datong.model.words import message

UNITS_QUESTION, SUM = "units_column", "sum"
_LEAST_MARKETS = 2
_MARKS = " ()[]【】（）-_:：/,，·|"
# Columns of numbers that each market may have one of, and what they become.
_OF_EACH = {"amount": AMOUNT_COLUMN, "price": PRICE_COLUMN}


def markets_down(table: Table, choice: Choice, asking: Asking) -> tuple[Table, str] | None:
    """The table with a row for each market, or as it is and the header of the one quantity that is read; None where not
    several columns hold quantities of the same kind."""
    sides = sides_of(table, choice)
    if len(sides) < _LEAST_MARKETS:
        return None
    quantities = {header: read_numbers(table.columns[header]).values(".") for header in sides.values()}
    whole = sum_of_sides(quantities)
    if whole is not None:
        sides = {side: header for side, header in sides.items() if header != whole}
        quantities.pop(whole)
        table = replace(table, columns={n: c for n, c in table.columns.items() if n != whole},
                        notes=(*table.notes, message("export.of_all_markets", columns=whole)))  # fmt: skip
    told = None if table.wide else sums_tell(quantities, lambda field: _cells(table, choice, field))
    if told is not None:
        return table, told
    chosen = _ask(table, sides, quantities, asking)
    if chosen not in (SUM, APART):
        return table, chosen
    if chosen == APART:
        asking.answers = {**asking.answers, MARKETS: APART}
    return with_a_row_each(table, choice, sides), UNITS_COLUMN


def _cells(table: Table, choice: Choice, field: str) -> Cells | None:
    name = choice.column(field)
    return None if name is None else table.columns[name]


def _ask(table: Table, sides: Mapping[str, str], quantities: Mapping[str, np.ndarray], asking: Asking) -> str:
    """Which of the readings somebody chooses, each with its units."""
    sold = {header: np.nansum(values) for header, values in quantities.items()}
    options = [Option(n, message("export.reading.units_column", units=f"{of:,.10g}")) for n, of in sold.items()]
    count, units = len(sides), f"{sum(sold.values()):,.10g}"
    options.append(Option(SUM, message("export.reading.units_sum", units=units, count=count)))
    options.append(Option(APART, message("export.reading.units_apart", units=units, names=", ".join(sides))))
    asks = message("export.asks.units_markets")
    samples = samples_of(table.columns[next(iter(sold))])
    return asking.ask(Question(UNITS_QUESTION, asks, tuple(sold), samples, tuple(options)))


def sides_of(table: Table, choice: Choice) -> dict[str, str]:
    """The header of each market's quantity: columns of numbers with the same word for a quantity as the one that is
    taken, and other words beside it."""
    units = choice.column("units")
    if UNITS_COLUMN in table.columns:
        return {}
    if units is None:
        return {name: name for name in choice.spare_units} if table.wide else {}
    word, rest = parted(units, "units")
    if not rest:
        return {}
    taken = {c.column for c in choice.columns if c.field != "units"}
    sides: dict[str, str] = {}
    for name, cells in table.columns.items():
        own, rest = parted(name, "units")
        if own != word or name in taken or not _is_market(rest) or not header_score("units", name):
            continue
        if read_numbers(cells).unread.any() or rest in sides:
            continue
        sides[rest] = name
    return sides if units in sides.values() else {}


def _is_market(text: str) -> bool:
    """Whether what stands beside a word for a quantity can name a market: it is no number, no sum, no step of an
    order."""
    known = {plain(word) for word in header_words()["steps_of_orders"]}
    said = set(re.findall(r"[^\W\d_]+", plain(text)))
    return bool(said) and not said & known and not is_total(text) and not names_total(text)


def parted(header: str, field: str) -> tuple[str, str]:
    """The longest word of a header for a field, and what stands beside it; '' for none."""
    for word, pattern in _patterns(field):
        found = pattern.search(header)
        if found is not None:
            parts = (header[: found.start()].strip(_MARKS), header[found.end() :].strip(_MARKS))
            return word, " ".join(part for part in parts if part)
    return "", ""


@cache
def _patterns(field: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The words for a field, longest first; one of letters stands alone, a Chinese one within others, too."""
    words = sorted(header_words()[field], key=lambda word: (-len(word), word))
    found = []
    for word in words:
        bare = re.escape(word).replace(r"\ ", r"[ _-]+")
        close = re.search("[一-鿿]", word) is not None
        pattern = bare if close else rf"(?<![^\W_]){bare}(?![^\W_])"
        found.append((word, re.compile(pattern, re.IGNORECASE)))
    return tuple(found)


def with_a_row_each(table: Table, choice: Choice, sides: Mapping[str, str]) -> Table:
    """A row for each market, those of one row of the file together. Of amounts, only those of each market are read."""
    market, size = choice.column("market"), table.height
    rows, places = np.divmod(np.arange(size * len(sides)), len(sides))
    split = {UNITS_COLUMN: tuple(sides.values())}
    left: list[str] = []
    for field in NUMBER_FIELDS:
        own, column = _of_sides(table, field, sides), choice.column(field)
        if own and field in _OF_EACH:
            split[_OF_EACH[field]] = own
        elif column is not None and field not in ("units", "price"):
            left.append(column)
    gone = {*left, *(name for names in split.values() for name in names)}
    columns = {n: c.take(rows) for n, c in table.columns.items() if n not in gone}
    columns |= {made: woven([table.columns[n] for n in names]) for made, names in split.items()}
    names = pa.array(list(sides)).take(pa.array(places))
    if market is not None:
        names = pc.binary_join_element_wise(columns[market].text, names, " ", null_handling="skip")
    columns[MARKET_COLUMN] = Cells(names)
    notes = [message("export.markets_across", count=len(sides), columns=", ".join(sides.values()))]
    if left:
        notes.append(message("export.of_all_markets", columns=", ".join(left)))
    sold = ~np.isnan(read_numbers(columns[UNITS_COLUMN]).values(".")) | (places == 0)
    told = (*table.notes, *notes)
    made = replace(table, columns=columns, numbers=table.numbers[rows], notes=told, of_rows=table.read_rows)
    return made.keep(sold)


def _of_sides(table: Table, field: str, sides: Mapping[str, str]) -> tuple[str, ...]:
    """The columns of a field of each market, by one word and the same words beside it; none where one has none."""
    if field not in _OF_EACH:
        return ()
    by_word: dict[str, dict[str, str]] = {}
    for name in table.columns:
        word, rest = parted(name, field)
        by_word.setdefault(word, {}).setdefault(plain(rest), name)
    wanted: Sequence[str] = [plain(side) for side in sides]
    for word, of in by_word.items():
        if word and all(side in of for side in wanted):
            return tuple(of[side] for side in wanted)
    return ()
