"""Refunds of a part of a row's money: how many units came back with them, or none."""

import numpy as np

NEARLY_WHOLE = 0.8  # of the amount: what is missing may be shipping
_HALF = 0.5  # of price x units, where no amount says what was paid: a discount may be in it


def refunded_in_part(
    money: np.ndarray, units: np.ndarray, price: np.ndarray | None, amount: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(row,) bool: less was given back than was paid; and (row,) units that came back, of these rows and of those whose
    goods were paid back in full: as many as the money is a multiple of a unit's price, none where it is of none. All of
    these are (row,), NaN where nothing is known."""
    nothing = np.zeros(len(units))
    count, back = np.abs(np.nan_to_num(units)), np.abs(np.nan_to_num(money))
    list_price = nothing if price is None else np.abs(np.nan_to_num(price))
    paid = nothing if amount is None else np.abs(np.nan_to_num(amount))
    whole = np.where(paid > 0, paid, list_price * count)
    share = np.where(paid > 0, NEARLY_WHOLE, _HALF)
    some = (back > 0) & (count > 0) & (back < whole - 0.005)
    fitting = np.zeros(len(units))
    for unit_price in (paid / np.maximum(count, 1e-9), list_price):
        times = np.round(back / np.maximum(unit_price, 1e-9))
        fits = (unit_price > 0.005) & (times >= 1) & (times <= count)
        fits &= np.abs(back - times * unit_price) <= 0.005 + 0.005 * times
        fitting = np.where(fits & (fitting == 0), times, fitting)
    part = some & ((fitting > 0) | (back < share * whole))
    return part, np.where(part | (~some & (fitting == count) & (count > 0)), fitting, 0.0)
