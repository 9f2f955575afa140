"""What buyers choose by: the share of each value of an attribute, and what it will be in the next weeks.

Attributes come from the table `product_attributes`, the columns of products and their names
(network/product_attributes.py). Shares are what buyers want: weeks out of stock are left out and a new product has a
worth of its own (statistics/tastes.py). Interest and praise count as far as they ran ahead of sales in the chain's own
past (statistics/taste_leads.py); at most EARNED_SHARE of what is used may be there by accident.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import codes, day_number, local_days
from datong.ledger.state import State
from datong.model.flow import AttributeOutlook, BoolArray, FloatArray, IntArray, SeriesSet
from datong.network.product_attributes import Attribute, product_attributes
from datong.sense.interest_leads_sales import COMPLAINT_STARS, EARNED_SHARE
from datong.sense.weeks_looked_at import WEEK_DAYS, weekly
from datong.sense.which_reviews_count import doubted
from datong.statistics.false_discovery import false_discovery_q
from datong.statistics.taste_changes import PRODUCTS_MIN
from datong.statistics.taste_leads import Indicator, TasteLead, ahead_of, of_counts, of_odds, taste_leads
from datong.statistics.tastes import BEFORE, NOTHING_AHEAD, WEEKS, Ahead, Outlook, Panel, Tastes, outlook, tastes

# Weeks that are looked at, at most and at least.
WEEKS_MOST, WEEKS_LEAST = 104, WEEKS + BEFORE
# Fewest products, and most values of an attribute that are told apart, those that sell most; the others are one.
PRODUCTS_LEAST, VALUES_MOST = 4, 30
# Of a product in several markets, least share of its usual sales that is known of a week, so that the rest is filled.
KNOWN_SHARE = 0.5
# Weeks since its last sale, and units expected in them, from which a product is off the shelf.
SILENT_WEEKS, SILENT_UNITS = 4, 5.0
GOOD_STARS = 4.0


@dataclass(frozen=True, eq=False)
class Shares:
    """products: of the panel. attributes, labels: by attribute, and (value) what it is called, '' for the others
    together. starts: first day of each week, in days since 1970-01-01. usual_units: (product) a week, of the last
    WEEKS. told: by attribute."""

    products: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    labels: tuple[tuple[str, ...], ...]
    starts: IntArray
    usual_units: FloatArray
    panel: Panel
    found: Tastes
    told: tuple[Outlook, ...]
    lead: str


def attribute_shares(state: State, series: SeriesSet, explained: BoolArray) -> Shares | None:
    """None where the products have no attributes to choose by, or too little was sold. explained: (bucket) those that
    a feast accounts for, which are left out."""
    bucket_days = state.settings.calendar.bucket_days
    attributes = product_attributes(state) if series.items else ()
    if not attributes or len(series.bucket_starts) * bucket_days < WEEKS_LEAST * WEEK_DAYS:
        return None
    by_item, week_starts = weekly(series, explained, bucket_days, WEEKS_MOST)
    products, units = _of_products(series, by_item)
    silent, units = _without_silence(units)
    has = np.array([any(name in one.values for one in attributes) for name in products], bool)
    sells = has & (np.nansum(units, axis=1) > 0)
    if sells.sum() < PRODUCTS_LEAST:
        return None
    names = tuple(name for name, own in zip(products, sells, strict=True) if own)
    units = units[sells]
    recent = units[:, -WEEKS:]
    known = (~np.isnan(recent)).sum(axis=1)
    usual = np.nansum(recent, axis=1) / np.maximum(known, 1)
    coded = [(one, *_coded(one, names, np.nansum(units, axis=1))) for one in attributes]
    coded = [(one, values, labels) for one, values, labels in coded if len(labels) > 1]
    if not coded:
        return None
    on_sale = ~silent[sells] & (~np.isnan(units[:, -BEFORE:])).any(axis=1)
    if on_sale.sum() < PRODUCTS_LEAST:
        return None
    told_weeks = (~np.isnan(units)).any(axis=0)
    if 2 * told_weeks[-WEEKS:].sum() < WEEKS or not told_weeks[-WEEKS - BEFORE : -WEEKS].any():
        return None
    panel = Panel(units, tuple(v for _, v, _ in coded), tuple(len(labels) for *_, labels in coded), on_sale)
    found = tastes(panel)
    starts = np.array([day_number(start) for start in week_starts])
    ahead, lead = _ahead(state, panel, found, names, starts)
    told = outlook(panel, found, ahead)
    kept = tuple(one for one, *_ in coded), tuple(tuple(labels) for *_, labels in coded)
    return Shares(names, *kept, starts, usual, panel, found, told, lead)


def _of_products(series: SeriesSet, units: FloatArray) -> tuple[list[str], FloatArray]:
    """Products, and (product, week) units over all markets; NaN where too little is known. A market in which a product
    is not on sale yet is none of its; one that is out of stock is filled by what it usually has of its sales."""
    names = sorted({item.product for item in series.items})
    place = {name: i for i, name in enumerate(names)}
    of = np.array([place[item.product] for item in series.items], np.int64)
    known = ~np.isnan(units)
    there = np.cumsum(known, axis=1) > 0
    usual = np.where(known, units, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    sums = [np.zeros((len(names), units.shape[1])) for _ in range(3)]
    parts = np.nan_to_num(units), known * usual[:, None], there * usual[:, None]
    for total, part in zip(sums, parts, strict=True):
        np.add.at(total, of, part)
    sold, of_known, of_all = sums
    enough = (of_all > 0) & (of_known >= KNOWN_SHARE * of_all)
    return names, np.where(enough, sold * of_all / np.maximum(of_known, 1e-12), np.nan)


def _without_silence(units: FloatArray) -> tuple[BoolArray, FloatArray]:
    """(product) whether it is plain that it is not offered any more, and units without the weeks since its last sale
    then: of a product that nobody can buy, nobody's taste is known."""
    result, gone = units.copy(), np.zeros(len(units), bool)
    sold = np.nan_to_num(units) > 0
    weeks = units.shape[1]
    last = weeks - 1 - np.argmax(sold[:, ::-1], axis=1)
    for i in np.flatnonzero(sold.any(axis=1)).tolist():
        silent = int((~np.isnan(units[i, last[i] + 1 :])).sum())
        usual = float(np.nanmean(units[i, : last[i] + 1]))
        if silent >= SILENT_WEEKS and silent * usual >= SILENT_UNITS:
            result[i, last[i] + 1 :] = np.nan
            gone[i] = True
    return gone, result


def _coded(one: Attribute, products: Sequence[str], units: FloatArray) -> tuple[IntArray, list[str]]:
    """(product) place of its value, -1 for none; and what the values are called, '' for the rest beyond VALUES_MOST."""
    total: dict[str, float] = {}
    for name, sold in zip(products, units.tolist(), strict=True):
        if name in one.values:
            total[one.values[name]] = total.get(one.values[name], 0.0) + sold
    labels = sorted(sorted(total, key=lambda value: (-total[value], value))[:VALUES_MOST])
    labels += [""] * (len(total) > VALUES_MOST)
    place = {label: i for i, label in enumerate(labels)}
    rest = len(labels) - 1
    values = [place.get(one.values[name], rest) if name in one.values else -1 for name in products]
    return np.array(values, np.int64), labels


# what runs ahead of sales ------------------------------------------------------------------------


def _ahead(state: State, panel: Panel, found: Tastes, products: Sequence[str], starts: IntArray) -> tuple[Ahead, str]:
    """What the clearest of the earned indicators adds, and its name."""
    tested = taste_leads(panel, found, _indicators(state, products, starts))
    q_values = false_discovery_q([one.p_value for one in tested])
    earned: list[TasteLead] = [
        one
        for one, q in zip(tested, q_values.tolist(), strict=True)
        if q <= EARNED_SHARE and abs(one.slope) > one.doubt
    ]
    if not earned:
        return NOTHING_AHEAD, ""
    best = max(earned, key=lambda one: (one.t, one.name))
    return ahead_of(panel, best), best.name


def _indicators(state: State, products: Sequence[str], starts: IntArray) -> list[Indicator]:
    """Interest by kind, and praise in stars, by product and week."""
    result = []
    interest = state.table("interest")
    for kind in sorted(set(interest["kind"].to_pylist())) if interest.num_rows else ():
        rows = interest.filter(pc.equal(interest["kind"], kind))
        counts = _summed(state, rows, rows["count"].to_numpy(zero_copy_only=False), products, starts)
        known = np.cumsum(counts, axis=1) > 0
        result.append(of_counts(kind, counts, known))
    reviews = state.table("reviews")
    if reviews.num_rows and pc.any(pc.is_valid(reviews["rating"])).as_py():
        weight = doubted(reviews, np.arange(reviews.num_rows), local_days(reviews, state)).weight
        stars = reviews["rating"].to_numpy(zero_copy_only=False)
        sides = (weight * (stars >= GOOD_STARS), weight * (stars <= COMPLAINT_STARS))
        good, bad = (_summed(state, reviews, side, products, starts) for side in sides)
        result.append(of_odds("praise", good, bad))
    return result


def _summed(state: State, rows: pa.Table, values: FloatArray, products: Sequence[str], starts: IntArray) -> FloatArray:
    """(product, week) sum of the (row) values."""
    of, names = codes(rows["product"])
    place = {name: i for i, name in enumerate(products)}
    product = np.array([place.get(name, -1) for name in names], np.int64)[of]
    week = (local_days(rows, state) - starts[0]) // WEEK_DAYS
    inside = (product >= 0) & (week >= 0) & (week < len(starts))
    cell = product[inside] * len(starts) + week[inside]
    flat = np.bincount(cell, np.nan_to_num(values[inside]), len(products) * len(starts))
    return flat.astype(np.float64).reshape(len(products), len(starts))


# what is told ------------------------------------------------------------------------------------


def outlooks(shares: Shares) -> tuple[AttributeOutlook, ...]:
    """Of values that at least PRODUCTS_MIN products on sale have, those first that will gain most units."""
    result = []
    for a, (one, labels) in enumerate(zip(shares.attributes, shares.labels, strict=True)):
        for v, label in enumerate(labels):
            own = carriers(shares, a, v)
            if label and len(own) >= PRODUCTS_MIN:
                result.append(_outlook_of(shares, a, v, one, own))
    return tuple(sorted(result, key=lambda one: (-one.gain_units, one.attribute, one.value)))


def carriers(shares: Shares, attribute: int, value: int) -> list[int]:
    """Products on sale that have a value, those that sell most first."""
    own = np.flatnonzero((shares.panel.values[attribute] == value) & shares.panel.on_sale)
    return sorted(own.tolist(), key=lambda i: (-shares.usual_units[i], shares.products[i]))


def weekly_units(shares: Shares, attribute: int) -> float:
    """Units a week of products on sale that have the attribute, as of late."""
    own = (shares.panel.values[attribute] >= 0) & shares.panel.on_sale
    return float(shares.usual_units[own].sum())


def _outlook_of(shares: Shares, a: int, v: int, one: Attribute, own: Sequence[int]) -> AttributeOutlook:
    told, names = shares.told[a], tuple(shares.products[i] for i in own)
    parts = (told.before, told.late, told.expected, told.low, told.high, told.gain, told.gain_low, told.gain_high)
    return AttributeOutlook(
        one.name,
        shares.labels[a][v],
        names,
        *(float(part[v]) for part in parts),
        float(told.gain[v]) * weekly_units(shares, a),
        shares.lead,
        sum(name in one.from_names for name in names),
    )
