"""Money that was given back in orders of several lines: which units came back with it, if any."""

from dataclasses import dataclass

import numpy as np

from datong.connectors.exports.units_of_part_refunds import NEARLY_WHOLE, refunded_in_part

# Most combinations of units that are tried in an order.
_MOST_TRIED = 50_000
# Of the orders of several lines with a refund, in so many it is more than a line cost: then it is of the order.
_EXCEEDS = 0.2


@dataclass(frozen=True, eq=False)
class Lines:
    """(row,) each. units: as they count, 0 for rows that are out. price: of a unit; amount: of the line; None where no
    column has them, NaN where nothing is known. order: a number for each order, 0 for none."""

    units: np.ndarray
    price: np.ndarray | None
    amount: np.ndarray | None
    order: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """(row,) what the units cost, 0 where it is not known."""
        paid = np.zeros(len(self.units)) if self.amount is None else np.abs(np.nan_to_num(self.amount))
        listed = np.zeros(len(self.units)) if self.price is None else np.abs(np.nan_to_num(self.price))
        return np.where(paid > 0, paid, listed * np.abs(self.units))

    @property
    def unit_prices(self) -> tuple[np.ndarray, ...]:
        """(row,) what one unit cost, and the price that is written, where there is one."""
        cost = self.whole / np.maximum(np.abs(self.units), 1e-9)
        return (cost,) if self.price is None else (cost, np.abs(np.nan_to_num(self.price)))

    @property
    def in_several(self) -> np.ndarray:
        """(row,) bool: its order has another line."""
        there = (self.order > 0) & (self.units > 0)
        return there & (np.bincount(self.order[there], minlength=int(self.order.max(initial=0)) + 1)[self.order] > 1)


@dataclass(frozen=True, eq=False)
class Refunds:
    """(row,) each. part: bool, less was given back than was paid. back: units that came back with the money. others:
    bool, its order was refunded for other lines. unsure: bool, several combinations of its order's units cost what was
    given back. perhaps: of these rows, the units of the first combination of the fewest."""

    part: np.ndarray
    back: np.ndarray
    others: np.ndarray
    unsure: np.ndarray
    perhaps: np.ndarray


def refunds(money: np.ndarray, lines: Lines, *, is_of_order: bool) -> Refunds:
    """What refunds come to. money: (row,) as it stands, NaN for none; is_of_order: of several lines it is of all."""
    part, back = refunded_in_part(money, lines.units, lines.price, lines.amount)
    size = len(money)
    others, unsure, perhaps = np.zeros(size, bool), np.zeros(size, bool), np.zeros(size)
    several = lines.in_several
    if is_of_order and several.any():
        # An order without a refund is not looked at: there may be hundreds of thousands.
        part, back = part & ~several, np.where(several, 0.0, back)
        given = np.abs(np.nan_to_num(money))
        refunded = np.unique(lines.order[several & (given >= 0.005)])
        at = np.flatnonzero(several & np.isin(lines.order, refunded))
        at = at[np.argsort(lines.order[at], kind="stable")]
        for rows in np.split(at, np.flatnonzero(np.diff(lines.order[at])) + 1) if len(at) else ():
            amount = float(given[rows].max())
            goods = float(lines.whole[rows].sum())
            if amount > goods + 0.01 or not (lines.whole[rows] > 0).all():
                continue
            found = _combinations(amount, lines.units[rows], tuple(p[rows] for p in lines.unit_prices))
            if len(found) == 1:
                back[rows], others[rows] = found[0], found[0] == 0
            elif len(found) > 1:
                unsure[rows], perhaps[rows] = True, min(found, key=lambda units: units.sum())
            else:
                part[rows] = amount < NEARLY_WHOLE * goods
    part |= several & (back > 0) & (back < lines.units)
    return Refunds(part, back, others, unsure, perhaps)


def is_of_orders(money: np.ndarray, lines: Lines) -> bool:
    """Whether money that was given back is of the whole order by its amounts: no order of several lines has two
    different ones, and often it is more than the line cost on which it stands."""
    rows = np.flatnonzero(lines.in_several & (np.abs(np.nan_to_num(money)) > 0.005))
    if not len(rows):
        return False
    of, given = np.unique(lines.order[rows], return_inverse=True)[1], np.abs(money[rows])
    high, low, over = np.zeros(of.max() + 1), np.full(of.max() + 1, np.inf), np.zeros(of.max() + 1, bool)
    np.maximum.at(high, of, given)
    np.minimum.at(low, of, given)
    np.logical_or.at(over, of, given > lines.whole[rows] + 0.01)
    return bool((high - low < 0.005).all() and over.mean() >= _EXCEEDS)


def _combinations(amount: float, units: np.ndarray, unit_prices: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """The units of each line, by all ways in which some of an order's cost an amount, by the first prices by which any
    do. Parts of a unit come back with the whole line only. Too many to be tried: the first two are none and all."""
    steps = [np.arange(n + 1) if n == int(n) else np.array([0.0, n]) for n in units.tolist()]
    tried = np.prod([float(len(s)) for s in steps])
    if tried > _MOST_TRIED:
        return [np.zeros(len(units)), units]
    for prices in unit_prices:
        sums, count = np.zeros(1), np.zeros(1)
        for step, price in zip(steps, prices.tolist(), strict=True):
            sums = (sums[:, None] + step * price).ravel()
            count = (count[:, None] + step).ravel()
        hits = np.flatnonzero((np.abs(sums - amount) <= 0.005 + 0.001 * count) & (count > 0))
        if len(hits):
            places = np.unravel_index(hits, [len(s) for s in steps])
            return list(np.array([s[p] for s, p in zip(steps, places, strict=True)], float).T)
    return []
