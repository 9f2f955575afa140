"""Which column the units are: by its word, by the sums that it makes with others; else a question."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score, is_number_of, may_be_units, named_fields, with_column
from datong.connectors.exports.export import Export
from datong.connectors.exports.numbers import DECIMAL_SIGNS, read_numbers
from datong.connectors.exports.price_units_amount import (
    codes_of,
    fits,
    samples_of,
    sum_text,
    sums_tell,
)
from datong.connectors.exports.profiles import present
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.running_totals import says_running
from datong.connectors.exports.table import UNITS_COLUMN
from datong.connectors.exports.units_of_orders import units_of_lines
from datong.connectors.exports.vocabulary import header_words, plain
from datong.ledger.row_checks import shown
from datong.model.words import Message, message

_MOSTLY = 0.5
_MOST_NAMED = 6  # columns in the name of their sum
_LEAST_PARTS = 3  # columns of counts that may be added up
_NEARLY_ALL = 0.95  # of the rows in which one column is the product of two others
_CLEARLY = 0.75  # of a header's words
_LEAST = 0.5  # so that a header names a quantity at all
_AS_CLEARLY = 0.12  # less clear than that: a longer word beside the same one


def units_column(export: Export) -> str | None:
    """The column of units: one with a word for it, or one that makes the amount with the price; else a question."""
    found = export.choice.column("units")
    if found is not None:
        if not read_numbers(export.columns[found]).money:
            if export.table.money and found == UNITS_COLUMN:
                said = shown(" ".join(export.table.money.split()))
                _ask_for_money(export, found, message("export.asks.money_figures", name=said))
            return found if "units" in export.known else _of_pieces(export, found) or _of_rivals(export, found)
        _ask_for_money(export, found, message("export.asks.money_units", column=found))
        return found
    price, amount = export.cells("price"), export.cells("amount")
    spare = export.choice.spare_units
    if price is not None and amount is not None:
        p, a = (read_numbers(c) for c in (price, amount))
        for name in spare:
            u = read_numbers(export.columns[name])
            if max(fits(u.values(m), p.values(m), a.values(m)) for m in DECIMAL_SIGNS) > 0.9:
                export.choice = with_column(export.choice, "units", name)
                return name
    named = tuple(n for n in export.columns if header_score("units", n) >= 0.5 and n not in spare)
    if not spare and not named:
        if export.table.wide:
            _ask_for_periods_without_units(export)
            return None
        if not _ask_for_only_money(export):
            export.notes.append(message("export.one_unit_a_row"))
        return None
    made = (*_with_cases(export, spare), *_with_all_together(export, spare))
    spare = tuple(dict.fromkeys((*made, *spare)))
    options = [Option(n, message("export.reading.units_column", units=sum_text(export.columns[n]))) for n in spare]
    options.append(Option("one_a_row", message("export.reading.one_a_row", units=f"{export.table.height:,}")))
    samples = samples_of(export.columns[(*spare, *named)[0]])
    question = Question("units_column", message("export.asks.units_column"), (*spare, *named), samples, tuple(options))
    chosen = export.asking.ask(question)
    if chosen == "one_a_row":
        return None
    export.choice = with_column(export.choice, "units", chosen)
    return chosen


def _with_all_together(export: Export, spare: Sequence[str]) -> tuple[str, ...]:
    """The header of the column in which all columns of counts that may be units are added up in each row, as the sizes
    of a product are; or of a new one where none does it. Nothing where they are fewer than three or not whole."""
    taken = {c.column for c in export.choice.columns if c.field not in ("amount", "price")}
    free = [n for n in export.columns if n not in taken and not n.startswith("#")]
    read = {n: column.values(".") for n in free if not (column := read_numbers(export.columns[n])).unread.any()}
    whole = {n: np.nan_to_num(v) for n, v in read.items() if (np.nan_to_num(v) % 1 == 0).all() and (v > 0).any()}
    for name, values in whole.items():
        parts = [n for n in whole if n != name and (whole[n] <= values).all()]
        if len(parts) >= _LEAST_PARTS and _are_alike(np.sum([whole[n] for n in parts], axis=0), values, values > 0):
            return (name,)
    parts = [n for n in whole if n in spare or (may_be_units(n) and not is_number_of(n) and not named_fields([n]))]
    if len(parts) < _LEAST_PARTS or not set(spare) <= set(parts):
        return ()
    total = np.sum([whole[n] for n in parts], axis=0)
    made = " + ".join(parts if len(parts) <= _MOST_NAMED else (*parts[:2], "…", parts[-1]))
    export.columns[made] = Cells(pa.array([f"{v:.10g}" if v else None for v in total], pa.string()))
    return (made,)


def _of_pieces(export: Export, found: str) -> str | None:
    """The column that counts pieces, where the one that was found counts cases and another tells how many pieces each
    case holds: their product stands in it. Where it stands in none, what was sold is a question, unless prices tell.
    None where nothing says that the one found counts cases."""
    known = {plain(word) for word in header_words()["per_case"]}
    taken = {c.column for c in export.choice.columns if c.field != "amount"}
    free = [n for n in export.columns if n not in taken]
    holding = [n for n in free if plain(n) in known]
    own = read_numbers(export.columns[found]).values(".")
    read = {n: read_numbers(export.columns[n]).values(".") for n in (free if holding else ())}
    for per in holding:
        pieces = own * read[per]
        there = ~np.isnan(pieces) & (own != 0)
        if not (read[per][there] > 1).any() or any(_are_alike(v * read[per], own, there) for v in read.values()):
            continue
        for name in free:
            if name != per and _are_alike(read[name], pieces, there):
                export.notes.append(message("export.units_of_pieces", column=name, cases=found, per=per))
                export.choice = with_column(export.choice, "units", name)
                return name
        if export.cells("price") is not None and sums_tell({found: own}, export.cells) is not None:
            return None
        made = _with_cases(export, (found,))
        if made:
            readings = (*made, found)
            options = tuple(
                Option(n, message("export.reading.units_column", units=sum_text(export.columns[n]))) for n in readings
            )
            asks = message("export.asks.units_of_cases", column=found, per=per)
            samples = samples_of(export.columns[found])
            chosen = export.asking.ask(Question("units_column", asks, (found, per), samples, options))
            export.choice = with_column(export.choice, "units", chosen)
            return chosen
    return None


def _are_alike(values: np.ndarray, wanted: np.ndarray, rows: np.ndarray) -> bool:
    return bool(rows.any()) and bool(np.isclose(values[rows], wanted[rows]).mean() >= _NEARLY_ALL)


def _with_cases(export: Export, spare: Sequence[str]) -> tuple[str, ...]:
    """The headers of new columns, each of a quantity times how many pieces one of it holds, where a column tells that
    for each product."""
    known = {plain(word) for word in header_words()["per_case"]}
    product = codes_of(export.columns[export.choice.column("product") or ""])
    result: list[str] = []
    for per in [n for n in export.columns if plain(n) in known and n not in spare]:
        pieces = read_numbers(export.columns[per]).values(".")
        there = ~np.isnan(pieces) & (product > 0)
        pairs = np.unique(np.stack([product, np.nan_to_num(pieces)])[:, there], axis=1)
        if not there.any() or not (pieces[there] > 1).any() or len(np.unique(pairs[0])) < pairs.shape[1]:
            continue
        for name in spare:
            text = [None if v != v else f"{v:.10g}" for v in read_numbers(export.columns[name]).values(".") * pieces]
            result.append(f"{name} × {per}")
            export.columns[result[-1]] = Cells(pa.array(text, pa.string()))
    return tuple(result)


def _ask_for_money(export: Export, found: str, asks: Message) -> None:
    """Figures that seem to be money count as units only where somebody says so."""
    options = (Option("units", message("export.reading.units_money", units=sum_text(export.columns[found]))),)
    export.asking.ask(Question("money_units", asks, (found,), samples_of(export.columns[found]), options))


def _ask_for_periods_without_units(export: Export) -> None:
    """Periods stand as columns, and no column of their figures was made: that each row is one unit only somebody
    says."""
    option = Option("one_a_row", message("export.reading.one_a_row", units=f"{export.table.height:,}"))
    export.asking.ask(Question("units_column", message("export.asks.units_column"), (), (), (option,)))


def _ask_for_only_money(export: Export) -> bool:
    """Whether it was asked if each row is one unit: where a list has amounts and no price, and they differ within
    products as amounts of several units do."""
    amount = export.cells("amount")
    if amount is None or export.cells("price") is not None or not _differ(export, read_numbers(amount).values(".")):
        return False
    column = export.choice.column("amount") or ""
    option = Option("one_a_row", message("export.reading.one_a_row", units=f"{export.table.height:,}"))
    asks = message("export.asks.only_money", column=column)
    export.asking.ask(Question("units_column", asks, (column,), samples_of(amount), (option,)))
    return True


def _differ(export: Export, amount: np.ndarray) -> bool:
    """Whether most products that are sold several times are sold for several amounts."""
    product = codes_of(export.columns[export.choice.column("product") or ""])
    there = ~np.isnan(amount) & (product > 0)
    pairs = np.unique(np.column_stack([product[there], np.round(amount[there], 2)]), axis=0)[:, 0].astype(np.int64)
    several = np.bincount(product[there]) > 1
    amounts = np.bincount(pairs, minlength=len(several))
    return bool((amounts[several] > 1).mean() > _MOSTLY) if several.any() else True


def _of_rivals(export: Export, found: str) -> str:
    """Where another column says as clearly that it holds quantities, and other ones: the one that makes the amount
    with the price, or from which returns are not taken off yet; else which of them it is, is a question."""
    own = read_numbers(export.columns[found]).values(".")
    taken = {c.column for c in export.choice.columns}
    taken |= set() if export.profile is None else {*present(export.profile.ignored, export.columns)}
    clearly = header_score("units", found.removesuffix(" (2)"))
    clearly = _CLEARLY if clearly >= _CLEARLY else max(clearly - _AS_CLEARLY, 0.5)
    rivals: dict[str, np.ndarray] = {}
    for name, cells in export.columns.items():
        if name not in taken and header_score("units", name.removesuffix(" (2)")) >= clearly and not says_running(name):
            other = read_numbers(cells)
            if not other.unread.any() and not np.array_equal(other.values("."), own, equal_nan=True):
                rivals[name] = other.values(".")
    of_lines = None if export.table.wide else _of_lines(export, found, own)
    if of_lines is not None:
        return of_lines
    if not rivals or export.table.wide:
        return found
    told = sums_tell({found: own, **rivals}, export.cells)
    if told is None:
        names = (found, *rivals)
        options = tuple(
            Option(n, message("export.reading.units_column", units=sum_text(export.columns[n]))) for n in names
        )
        asks = message("export.asks.units_columns")
        told = export.asking.ask(Question("units_column", asks, names, samples_of(export.columns[found]), options))
    export.choice = with_column(export.choice, "units", told)
    return told


def _of_lines(export: Export, found: str, own: np.ndarray) -> str | None:
    """The column of the lines' quantities, where the one that was found, or another, counts whole orders; None where
    none does, or all of an order's lines are alike. own: (row,) of the column that was found."""
    order = export.cells("order")
    if order is None:
        return None
    taken = {c.column for c in export.choice.columns if c.field != "name"}  # an "Item Qty" may pass for a name
    others: dict[str, np.ndarray] = {}
    for name, cells in export.columns.items():
        if name not in taken and header_score("units", name) >= _LEAST:
            column = read_numbers(cells)
            others |= {} if column.unread.any() else {name: column.values(".")}
    names, sure = units_of_lines(order, own, others)
    if not names:
        of_orders = [n for n, v in others.items() if units_of_lines(order, v, {found: own}) == ((found,), True)]
        if not others or len(of_orders) < len(others):
            return None
        export.notes.append(message("export.units_of_orders", column=found, of_orders=", ".join(of_orders)))
        return found
    if sure:
        export.notes.append(message("export.units_of_orders", column=names[0], of_orders=found))
        chosen = names[0]
    else:
        readings = (*names, found)
        options = tuple(
            Option(n, message("export.reading.units_column", units=sum_text(export.columns[n]))) for n in readings
        )
        asks = message("export.asks.units_of_orders", column=found)
        samples = samples_of(export.columns[found])
        chosen = export.asking.ask(Question("units_column", asks, readings, samples, options))
    export.choice = with_column(export.choice, "units", chosen)
    return chosen
