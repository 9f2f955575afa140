"""Which rows are left out since they are no sales: sums, notes, parts of another row, what cannot be read."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.export import Export
from datong.connectors.exports.filled_down import Told, name_columns, named_only, only_where
from datong.connectors.exports.left_out_counts import FEW
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.numbers import read_numbers
from datong.connectors.exports.order_state_words import marks_of
from datong.connectors.exports.personal import names_people
from datong.connectors.exports.price_units_amount import codes_of, quoted_of, texts_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.units_of_orders import units_of_lines
from datong.connectors.exports.vocabulary import is_service, may_be_no_goods, names_service, plain, words
from datong.ledger.row_checks import shown
from datong.model.findings import finding
from datong.model.words import message

_MOSTLY = 0.8
# Clocks and zones differ by so many days: a sale of tomorrow is none of a year to come.
MOST_DAYS_AHEAD = 2
# A day to come that is no further away is of a list that goes on, further away a year is mistyped.
_GOES_ON = 60
EPOCH = date(1970, 1, 1).toordinal()
_MOST_NAMED = 3
_BETWEEN_PRODUCTS = (";", "；", "|", "、", "+", ",", "，", "/", "\n")


def leave_out(export: Export, numbers: Numbers, when: Moments, told: Told) -> Numbers:
    """Leave rows out that are no sales: sums, notes, and what cannot be read. The numbers, with the units of rows that
    have none as somebody says."""
    size = export.table.height
    units = numbers.units
    product = export.columns[export.choice.column("product") or ""].filled
    day = ~not_a_day(when.days)
    _leave_sums_out(export, numbers, when, told, product, day)
    goods = [cells for f in ("product", "name") if (cells := export.cells(f)) is not None]
    services = export.rows.services(goods) | _taken_off(export, numbers, goods, product)
    export.rows.drop("service", services, None, _names(goods, services & export.rows.inside))
    _leave_heads_of_orders_out(export, numbers, product | named_only(export))
    _leave_errors_out(export, numbers)
    _leave_components_out(export, numbers)
    _ask_for_mixed_rows(export, numbers)
    empty = np.isnan(units) & ~numbers.unread.get("units", np.zeros(size, bool))
    export.rows.drop("note", (empty | (numbers.units_column is None)) & (~product | ~day), None)
    export.rows.drop("note", np.isnan(units) & (~product | ~day), None)
    export.rows.drop("note", ~product & ~named_only(export) & ~day & ~told.of_order, units)
    numbers = _without_empty_quantities(export, numbers, empty)
    _drop(export, numbers, "unread_units", np.isnan(numbers.units), export.choice.column("units"))
    date = export.columns[export.choice.column("date") or ""]
    _drop(export, numbers, "unread_date", ~day & date.filled, export.choice.column("date"))
    _drop(export, numbers, "no_date", ~day, export.choice.column("date"))
    _leave_days_to_come_out(export, numbers, when, day)
    _take_names(export, product)
    _drop(
        export,
        numbers,
        "no_product",
        ~export.columns[export.choice.column("product") or ""].filled,
        export.choice.column("product"),
    )
    return numbers


def _leave_days_to_come_out(export: Export, numbers: Numbers, when: Moments, day: np.ndarray) -> None:
    """Rows of a day to come: a mistyped year, which would move all plans there. Where they are more than a few, only
    after a question: they may be orders for later. Of a list that goes on into the weeks to come those of the next days
    are such, too: no clock tells why they are there."""
    if export.today is None:
        return
    ahead = when.days - (export.today.toordinal() - EPOCH)
    rows = day & (ahead > MOST_DAYS_AHEAD) & export.rows.inside
    if (rows & (ahead <= _GOES_ON)).any():
        rows = day & (ahead > 0) & export.rows.inside
    column = export.choice.column("date") or ""
    if not rows.any():
        return
    count, units = f"{int(rows.sum()):,}", f"{np.nansum(np.abs(numbers.units[rows])):,.10g}"
    lines = export.table.numbers[np.flatnonzero(rows)[:_MOST_NAMED]].tolist()
    samples = quoted_of(export.columns[column], rows, names_people(export.columns))
    if rows.sum() / export.rows.inside.sum() > FEW:
        words = {"count": count, "units": units, "column": column, "today": export.today}
        options = tuple(Option(n, message(f"export.reading.to_come_{n}", units=units)) for n in ("leave_out", "keep"))
        asks = message("export.asks.to_come", **words)
        if export.asking.ask(Question("to_come", asks, (column,), samples, options)) == "keep":
            return
    export.findings.append(
        finding("error", "export.to_come_cell", export.name, row=int(lines[0]), column=column,
                rows_affected=int(rows.sum()), count=count, value=", ".join(samples[:_MOST_NAMED]), units=units,
                rows=", ".join(map(str, lines)), today=export.today)
    )  # fmt: skip
    export.rows.drop("to_come", rows, numbers.units)


def _taken_off(export: Export, numbers: Numbers, goods: list[Cells], coded: np.ndarray) -> np.ndarray:
    """(row,) bool: the name begins or ends with a word for what is no goods, as goods may, too; and the row has no code
    where others have one, or all rows of this name take something off: of goods that came back some were sold. So do
    gift cards with which somebody paid; those that were sold are left to whoever orders."""
    named, perhaps = export.rows.hints_of_services(goods), export.rows.hints_of_no_goods(goods)
    if not named.any() and not perhaps.any():
        return named
    keys = codes_of(goods[-1])
    amount = numbers.by_field.get("amount", numbers.units)
    is_less = (np.nan_to_num(numbers.units) < 0) | (np.nan_to_num(amount) < 0)
    ever_sold = np.zeros(keys.max() + 1, bool)
    ever_sold[keys[~is_less]] = True
    has_name = export.choice.column("name") is not None
    uncoded = named & ~coded if has_name and coded.any() else np.zeros(len(named), bool)
    return uncoded | ((named | perhaps) & (keys > 0) & ~ever_sold[keys])


def _names(goods: list[Cells], rows: np.ndarray) -> str:
    """What rows that are no goods are called, the commonest first: by the column in which their words stand."""
    found: dict[str, int] = {}
    for cells in goods:
        counted = cells.text.filter(pa.array(rows)).value_counts().to_pylist()
        for one in counted:
            if one["values"] is not None and any(
                rule(one["values"]) for rule in (is_service, names_service, may_be_no_goods)
            ):
                found[one["values"]] = found.get(one["values"], 0) + one["counts"]
    names = [shown(name) for name in sorted(found, key=lambda name: (-found[name], name))]
    return ", ".join(names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")


def leave_extra_cells_out(export: Export) -> None:
    """Rows of a text file with more cells than there are names: a comma within a number may have cut them."""
    names = list(export.columns)
    last = max(i for i, name in enumerate(names) if not name.startswith("#"))
    extra = names[last + 1 :]
    if not extra:
        return
    rows = np.any([export.columns[name].filled for name in extra], axis=0)
    if not export.table.separator:
        export.notes.append(message("export.unnamed", count=len(extra)))
        return
    count = f"{int(rows.sum()):,}"
    options = tuple(Option(n, message(f"export.reading.{n}", count=count)) for n in ("leave_out", "as_it_stands"))
    asks = message("export.asks.extra_cells", count=count)
    samples = quoted_of(export.columns[extra[0]], rows, names_people(export.columns))
    if export.asking.ask(Question("extra_cells", asks, (), samples, options)) == "leave_out":
        export.rows.drop("extra_cells", rows, None)


def _without_empty_quantities(export: Export, numbers: Numbers, empty: np.ndarray) -> Numbers:
    """Rows of goods without a quantity: none was sold, or one, as lists kept by hand have it. A question where they are
    more than a few and nothing else in them says why."""
    rows = empty & export.rows.inside
    bare = rows & ~_explained(export, numbers, rows)
    if bare.sum() > FEW * export.rows.inside.sum():
        column, count = export.choice.column("units") or "", f"{int(bare.sum()):,}"
        options = tuple(Option(n, message(f"export.reading.{n}", count=count)) for n in ("leave_out", "one_each"))
        asks = message("export.asks.no_units", column=column, count=count)
        samples = texts_of(export.columns[export.choice.column("product") or ""], bare)
        if export.asking.ask(Question("no_units", asks, (column,), samples, options)) == "one_each":
            units = np.where(bare, 1.0, numbers.units)
            numbers, rows = replace(numbers, units=units, by_field={**numbers.by_field, "units": units}), rows & ~bare
    export.rows.drop("no_units", rows, None)
    return numbers


def _explained(export: Export, numbers: Numbers, rows: np.ndarray) -> np.ndarray:
    """(row,) bool: a row without a quantity that is of no sale: by its kind or its state, by another quantity, by money
    of which there is none, or by another column of numbers that is filled in such rows only."""
    if export.choice.kinds or (export.profile is not None and "units" in export.profile.columns):
        return rows
    nothing = np.zeros(len(rows), bool)
    for name in export.choice.states:
        undone = [t for t in export.columns[name].text.unique().drop_null().to_pylist()
                  if (marks_of(t) or frozenset()) & {"cancelled", "unpaid"}]  # fmt: skip
        found = pc.is_in(export.columns[name].text, pa.array(undone, pa.string()))
        nothing |= pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    money = [numbers.by_field[f] for f in ("amount", "price") if f in numbers.by_field]
    if money:
        nothing |= ~np.any([np.nan_to_num(values) != 0 for values in money], axis=0)
    for wanted in ("cancelled_units", "returned_units", "shipped_units"):
        nothing |= np.nan_to_num(numbers.by_field.get(wanted, 0.0)) != 0
    taken = {c.column for c in export.choice.columns}
    for name, cells in export.columns.items():
        if name not in taken and (cells.filled & rows).any() and not (cells.filled & ~rows & export.rows.inside).any():
            nothing |= cells.filled
    return nothing & rows


def _leave_errors_out(export: Export, numbers: Numbers) -> None:
    """Rows with an error of a spreadsheet where their day, product or quantity should stand; one with a name needs no
    code."""
    named = export.cells("name")
    for wanted in ("date", "product", "units"):
        column = export.choice.column(wanted) or ""
        cells = export.table.columns.get(column)
        if cells is not None:
            rows = cells.errors
            if wanted == "product" and named is not None:
                rows &= ~named.filled
            _drop(export, numbers, "error_cells", rows, column)


def _leave_sums_out(
    export: Export, numbers: Numbers, when: Moments, told: Told, product: np.ndarray, day: np.ndarray
) -> None:
    """Rows of sums: by a word of sums; or, where a row tells nothing but numbers, by the sum that it makes. A row
    with a date or a name and without a code may be a sale all the same: a question, where all of its kind agree."""
    units = numbers.units
    named = export.rows.totals(name_columns(export))
    words_of_sums = named | export.rows.hints_of_totals(name_columns(export))
    bare = ~product & ~words_of_sums & ~told.of_order & ~told.named
    summed = export.rows.sums(units, when.days, words_of_sums | bare)
    whole = words_of_sums & day & product  # rows that lack nothing are sums only if nearly all of them are
    if whole.any() and summed[whole].mean() < _MOSTLY:
        summed &= ~whole
    certain = words_of_sums & (~day | ~product | summed) | (bare & ~day & summed)
    dated = _agreeing(bare & day, summed)
    if export.table.wide:
        certain |= dated
    export.rows.drop("total", certain, None)
    doubtful = export.rows.inside & named
    if doubtful.any():
        _ask_for_totals(export, numbers, "totals", doubtful)
    uncoded = ~product & ~words_of_sums & ~told.of_order & told.named
    if uncoded.any():
        dated |= _agreeing(uncoded, export.rows.sums(units, when.days, words_of_sums | bare | uncoded))
    dated &= export.rows.inside
    if dated.any():
        _ask_for_totals(export, numbers, "sums", dated)


def _leave_heads_of_orders_out(export: Export, numbers: Numbers, named: np.ndarray) -> None:
    """Rows of a whole order beside those of its lines: they name no product, and their units are the sum of the
    order's lines. named: (row,) bool, a product is named."""
    order = export.cells("order")
    inside = export.rows.inside
    if order is None or not (heads := ~named & order.filled & inside & (np.nan_to_num(numbers.units) != 0)).any():
        return
    codes = codes_of(order)
    of_lines = np.bincount(codes, np.where(named & inside, np.nan_to_num(numbers.units), 0.0))
    several = np.bincount(codes, named & inside) > 1
    summed = several[codes] & np.isclose(of_lines[codes], np.nan_to_num(numbers.units))
    export.rows.drop("total", _agreeing(heads, summed), None)


def _agreeing(rows: np.ndarray, summed: np.ndarray) -> np.ndarray:
    """Of rows of one kind those that are sums: none, unless nearly all of them are."""
    return rows & summed if rows.any() and summed[rows].mean() >= _MOSTLY else np.zeros(len(rows), bool)


def _ask_for_totals(export: Export, numbers: Numbers, key: str, rows: np.ndarray) -> None:
    amount = f"{np.nansum(numbers.units[rows]):,.10g}"
    texts = tuple(
        dict.fromkeys(
            t for c in name_columns(export) for t in c.text.filter(pa.array(rows)).slice(0, 3).to_pylist() if t
        )
    )
    options = tuple(
        Option(n, message(f"export.reading.{n}_totals", units=amount, count=int(rows.sum()))) for n in ("leave", "keep")
    )
    asks = message(f"export.asks.{key}", count=int(rows.sum()))
    columns = tuple(n for n, c in export.columns.items() if (export.rows.totals([c]) & rows).any())
    if export.asking.ask(Question(key, asks, columns, texts, options)) == "leave":
        export.rows.drop("total", rows, None)


def _leave_components_out(export: Export, numbers: Numbers) -> None:
    """Rows that name another product of the file as the one that they are a part of: both may be counted."""
    product = export.cells("product")
    assert product is not None
    codes = product.text.unique()
    taken = {c.column for c in export.choice.columns}
    for name, cells in export.columns.items():
        rows = cells.filled & export.rows.inside
        if name in taken or not 0 < rows.sum() < export.rows.inside.sum() or len(codes) < 2:
            continue
        parents = cells.text.filter(pa.array(rows))
        if not pc.all(pc.is_in(parents.unique(), codes)).as_py():
            continue
        if pc.any(pc.equal(parents, product.text.filter(pa.array(rows)))).as_py():
            continue
        units = f"{np.nansum(np.abs(numbers.units[rows])):,.10g}"
        options = tuple(
            Option(n, message(f"export.reading.components_{n}", units=units)) for n in ("leave_out", "keep")
        )
        asks = message("export.asks.components", column=name, count=f"{int(rows.sum()):,}")
        if export.asking.ask(Question("components", asks, (name,), texts_of(cells, rows), options)) == "leave_out":
            export.rows.drop("components", rows, numbers.units)


def _ask_for_mixed_rows(export: Export, numbers: Numbers) -> None:
    """Rows of several products at once: a column counts the kinds in a row, or a cell names several known ones."""
    product = export.cells("product")
    assert product is not None
    column, named = export.choice.column("product") or "", product
    order = export.cells("order")
    rows = _of_several(product, export.rows.inside)
    for name, cells in export.columns.items():
        if plain(name) in words("lists", "kinds_in_row"):
            count = read_numbers(cells).values(".")
            if order is not None and units_of_lines(order, count, {name: numbers.units})[1]:
                continue  # it counts the units of the whole order
            more = count > 1
            if (more & export.rows.inside).any():
                column, named, rows = name, cells, rows | more
    rows &= export.rows.inside
    if not rows.any():
        return
    units, count = f"{np.nansum(np.abs(numbers.units[rows])):,.10g}", f"{int(rows.sum()):,}"
    options = tuple(Option(n, message(f"export.reading.mixed_{n}", units=units)) for n in ("leave_out", "as_one"))
    asks = message("export.asks.mixed_rows", column=column, count=count)
    samples = texts_of(named, rows)
    if export.asking.ask(Question("mixed_rows", asks, (column,), samples, options)) == "leave_out":
        export.rows.drop("mixed", rows, numbers.units)


def _of_several(product: Cells, inside: np.ndarray) -> np.ndarray:
    """(row,) bool: the cell is several products of the file, with a mark between them."""
    encoded = product.text.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    alone = set(known)
    several = [any(_are_all_known(text, mark, alone) for mark in _BETWEEN_PRODUCTS if mark in text) for text in known]
    if not any(several):
        return np.zeros(len(product), bool)
    return np.array([*several, False])[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)] & inside


def _are_all_known(text: str, mark: str, known: set[str]) -> bool:
    parts = [part.strip() for part in text.split(mark)]
    return len(parts) > 1 and all(part in known for part in parts)


def _take_names(export: Export, product: np.ndarray) -> None:
    """Products without a code go by their name."""
    rows = named_only(export) & ~product & export.rows.inside
    name = export.cells("name")
    if name is None or not rows.any():
        return
    column = export.choice.column("product") or ""
    export.columns[column] = only_where(name, export.columns[column], rows)
    export.notes.append(message("export.by_name", column=column, count=f"{int(rows.sum()):,}"))


def _drop(export: Export, numbers: Numbers, reason: str, rows: np.ndarray, column: str | None) -> None:
    """Leave rows out that cannot be read; where they are more than a few, only after a question."""
    rows = rows & export.rows.inside
    count = int(rows.sum())
    if not count:
        return
    units = np.abs(np.nan_to_num(numbers.units))
    part = max(count / max(1, export.rows.inside.sum()), units[rows].sum() / max(1e-9, units[export.rows.inside].sum()))
    texts = () if column is None else quoted_of(export.columns[column], rows, names_people(export.columns))
    amount = f"{units[rows].sum():,.10g}"
    if part > FEW and column not in export.settled:
        option = Option("leave_out", message("export.reading.leave_out", count=f"{count:,}"))
        asks = message(f"export.asks.{reason}", count=f"{count:,}", units=amount, column=column or "")
        export.asking.ask(Question(reason, asks, (column or "",), texts, (option,)))
    first = int(export.table.numbers[np.flatnonzero(rows)[0]])
    key = reason if reason.startswith("unread") else f"{reason}_cell"
    export.findings.append(
        finding("error", f"export.{key}", export.name, row=first, column=column, rows_affected=count,
                count=f"{count:,}", value=", ".join(texts[:3]), units=amount)
    )  # fmt: skip
    export.rows.drop(reason, rows, numbers.units)
