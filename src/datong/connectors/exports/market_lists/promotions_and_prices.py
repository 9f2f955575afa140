"""Rows of lists of promotions (discounts, campaigns) and of price lists, past ones and those to come.

A row is known by its promotion, product and first day, a price by its product and first day: the same list again
changes nothing, and another figure takes the place of the one before."""

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score
from datong.connectors.exports.date_column import Moments, read_moments
from datong.connectors.exports.day_month_order import NOT_A_DAY, not_a_day
from datong.connectors.exports.export import Export
from datong.connectors.exports.market_lists.columns import PRICES, PROMOTIONS
from datong.connectors.exports.market_lists.discounts import NUMBER, SHARE, TENTHS, read_discounts
from datong.connectors.exports.market_lists.rows_taken import Taken
from datong.connectors.exports.number_columns import read_figures
from datong.connectors.exports.numbers import read_numbers
from datong.connectors.exports.our_tables import APART, MARKETS, SUMMED
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.stretches import days_counted
from datong.connectors.exports.vocabulary import plain
from datong.ledger.row_checks import ROW
from datong.model.words import message

# What a share in a column of discounts is: taken off, or what is left to pay.
TAKEN_OFF, TO_PAY = "taken_off", "to_pay"
# Whether the day at whose midnight a promotion ends is its last.
LAST_DAY, INCLUDED, NOT_INCLUDED = "last_day", "included", "not_included"
_TENTH = "折"
# A bare number above this is no share, but percent; up to ten, in a Chinese column, tenths.
_MOST_SHARE, _MOST_TENTHS = 1.0, 10.0


def promotion_rows(export: Export, when: Moments, product: pa.Array) -> Taken:
    """Promotions: name, product, days, price, and the share that is taken off."""
    after = _after(export, when)
    export.rows.drop("no_end", not_a_day(after), None)
    export.rows.drop("ends_before", after <= when.days, None)
    numbers = read_figures(export, None)
    price = _positive(numbers.by_field.get("price"), export)
    listed = _listed(export, numbers.comma_decimals)
    off = _taken_off(export)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_price = 1.0 - price / listed
        off = np.where(np.isnan(off) & (by_price >= 0), by_price, off)
    used = export.rows.inside
    market = _market(export)
    name = _names(export, market)
    columns = {
        "promotion": name,
        "product": product,
        "from": _dates(when.days),
        "to": _dates(after),
        "price": pa.array(price, from_pandas=True),
        "discount_share": pa.array(off, from_pandas=True),
    }
    return _taken(export, columns, market, used, PROMOTIONS)


def price_rows(export: Export, when: Moments, product: pa.Array) -> Taken:
    """Prices with the days from which they hold, and until which where that is told."""
    price = _positive(read_figures(export, None).by_field.get("price"), export)
    export.rows.drop("no_price", np.isnan(price), None)
    after = _after(export, when)
    export.rows.drop("ends_before", ~not_a_day(after) & (after <= when.days), None)
    columns = {
        "product": product,
        "price": pa.array(price, from_pandas=True),
        "valid_from": _dates(when.days),
        "valid_to": _dates(after),
    }
    return _taken(export, columns, _market(export), export.rows.inside, PRICES)


def _taken(export: Export, columns: dict[str, pa.Array], market: pa.Array | None, used: np.ndarray, kind: str) -> Taken:
    if market is not None:
        columns["market"] = market
    rows = pa.table({**columns, ROW: pa.array(export.table.numbers, pa.int64())}).filter(pa.array(used))
    return Taken(rows, used, {kind: float(used.sum())})


def _dates(days: np.ndarray) -> pa.Array:
    there = ~not_a_day(days)
    return pa.array(np.where(there, days, 0).astype(np.int32), pa.int32(), mask=~there).cast(pa.date32())


def _market(export: Export) -> pa.Array | None:
    cells = export.cells("market")
    if cells is None or export.asking.said(MARKETS, (SUMMED, APART)) != APART:
        return None
    return cells.text


def _names(export: Export, market: pa.Array | None) -> pa.Array:
    """(row,) names of promotions, with the market where there is one; of a list without names, that of the file."""
    cells = export.cells("promotion")
    own = [None] * export.table.height if cells is None else cells.text.to_pylist()
    stem = export.name.rpartition(".")[0] or export.name
    markets = [None] * export.table.height if market is None else market.to_pylist()
    return pa.array(
        [" / ".join(part for part in (name or stem, where) if part) for name, where in zip(own, markets, strict=True)],
        pa.string(),
    )


def _positive(values: np.ndarray | None, export: Export) -> np.ndarray:
    """(row,) prices above nothing; NaN for all others."""
    if values is None:
        return np.full(export.table.height, np.nan)
    with np.errstate(invalid="ignore"):
        return np.where(values > 0, values, np.nan)


def _listed(export: Export, comma_decimals: bool) -> np.ndarray:
    cells = export.cells("list_price")
    values = None if cells is None else read_numbers(cells).values("," if comma_decimals else ".")
    return _positive(values, export)


# --- days --------------------------------------------------------------------------------------------------------


def _after(export: Export, when: Moments) -> np.ndarray:
    """(row,) the day after the last one; not a day where none is told. A column of stretches tells both ends."""
    name = export.choice.column("end")
    if name is None:
        lengths = days_counted(export.columns[export.choice.column("date") or ""], when.days)
        return np.where(lengths > 1, when.days + lengths, NOT_A_DAY)
    start = export.choice
    export.choice = start.with_guess("date", name)
    ends = read_moments(export, False)
    export.choice = start
    there = ~not_a_day(ends.days)
    unread = export.columns[name].filled & ~there & export.rows.inside
    if unread.any():
        export.notes.append(message("heard.no_end", column=name, count=f"{unread.sum():,}"))
    timed = there & ends.clock
    midnight = timed & (ends.seconds == 0)
    is_last = np.ones(len(there), bool)
    if midnight.any() and (timed & ~midnight).any():
        is_last = ~midnight  # where others end at 23:59, midnight is the end itself
    elif (midnight & export.rows.inside).any() and _ask_last_day(export, name, midnight) == NOT_INCLUDED:
        is_last = ~midnight
    return np.where(there, ends.days + is_last, ends.days)


def _ask_last_day(export: Export, name: str, midnight: np.ndarray) -> str:
    words = {"column": name, "count": f"{midnight.sum():,}"}
    options = tuple(Option(n, message(f"heard.reading.last_day_{n}", **words)) for n in (INCLUDED, NOT_INCLUDED))
    samples = tuple(export.columns[name].text.filter(pa.array(midnight)).unique().slice(0, 3).to_pylist())
    return export.asking.ask(Question(LAST_DAY, message("heard.asks.last_day", **words), (name,), samples, options))


# --- discounts ---------------------------------------------------------------------------------------------------


def _taken_off(export: Export) -> np.ndarray:
    """(row,) share of the price that is taken off; NaN where nothing tells it, or what it says cannot be."""
    cells, name = export.cells("discount"), export.choice.column("discount") or ""
    if cells is None:
        return np.full(export.table.height, np.nan)
    values, how = read_discounts(cells)
    of_tenths = _TENTH in plain(name)
    bare = how == NUMBER
    if of_tenths:  # 8.5 in a column of 折扣
        tenths = bare & (values > _MOST_SHARE) & (values <= _MOST_TENTHS)
        values, how = np.where(tenths, 1.0 - values / _MOST_TENTHS, values), np.where(tenths, TENTHS, how)
    percent = (how == NUMBER) & (values > _MOST_SHARE)
    values = np.where(percent, values / 100, values)
    unsure = np.isin(how, (SHARE, NUMBER)) & export.rows.inside
    if unsure.any() and _ask_what_is_left(export, cells, name, values, unsure, of_tenths) == TO_PAY:
        values = np.where(np.isin(how, (SHARE, NUMBER)), 1.0 - values, values)
    known = (how != "") & (values >= 0) & (values < 1)
    odd = export.rows.inside & cells.filled & ~known
    if odd.any():
        export.notes.append(message("heard.no_discount", column=name, count=f"{odd.sum():,}"))
    return np.where(known, values, np.nan)


def _ask_what_is_left(
    export: Export, cells: Cells, name: str, values: np.ndarray, unsure: np.ndarray, of_tenths: bool
) -> str:
    """Whether shares are taken off or left to pay. A column that says 'off', or discount in percent up to a half of the
    price, is sure; prices beside it tell, too."""
    told = _told_by_prices(export, values, unsure)
    if told is not None:
        return told
    if header_score("promotions_off", name) or (not of_tenths and float(np.nanmax(values[unsure])) <= 0.5):
        return TAKEN_OFF
    first, second = (TO_PAY, TAKEN_OFF) if of_tenths else (TAKEN_OFF, TO_PAY)
    mean = float(np.nanmean(values[unsure]))
    off = {TAKEN_OFF: mean, TO_PAY: 1.0 - mean}
    options = tuple(Option(n, message(f"heard.reading.discount_{n}", off=f"{off[n]:.0%}")) for n in (first, second))
    samples = tuple(cells.text.filter(pa.array(unsure)).unique().slice(0, 3).to_pylist())
    asks = message("heard.asks.discount", column=name)
    return export.asking.ask(Question("discount", asks, (name,), samples, options))


def _told_by_prices(export: Export, values: np.ndarray, unsure: np.ndarray) -> str | None:
    """What shares are where price and list price stand beside them and agree with one reading alone."""
    price, listed = export.cells("price"), _listed(export, False)
    if price is None:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        left = read_numbers(price).values(".") / listed
    there = unsure & ~np.isnan(left)
    if not there.any():
        return None
    away = {TO_PAY: np.abs(values - left)[there], TAKEN_OFF: np.abs(1.0 - values - left)[there]}
    fits = [name for name, gap in away.items() if float(np.median(gap)) <= 0.02]
    return fits[0] if len(fits) == 1 else None
