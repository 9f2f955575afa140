"""What goes bad in a plan, in words: counted stock by its day of expiry, all else by the shelf life of its product."""

import numpy as np

from datong.balance.arrays import Market
from datong.balance.evaluate import Outcome, arrived_units
from datong.balance.scarcity import product_of
from datong.balance.solution import Solution
from datong.balance.stock_limits import LEAST_TOLD, listed
from datong.model.findings import Finding, finding
from datong.model.flow import FloatArray
from datong.model.settings import ChainSettings
from datong.model.words import Message, message, shown
from datong.network.shelf_life import of_dated
from datong.network.shelf_life import wasted as fewest_wasted


def expiry_told(market: Market, solution: Solution, outcome: Outcome, settings: ChainSettings) -> tuple[Finding, ...]:
    """By product and bucket, half a unit or more that goes bad at its end: of counted stock by its day of expiry, and
    of all else by its shelf life, then at the latest: a plan throws away at once what nothing will take."""
    rule, wasted = market.rules.shelf_life, solution.wasted
    of_stock, of_life = np.zeros(market.stock.fixed.shape), np.zeros(market.stock.fixed.shape)
    perishes = np.flatnonzero((rule.life >= 0) & (wasted > 0).any(axis=1)).tolist()
    if not perishes:
        return ()
    arrived, lies = arrived_units(market, solution.started), np.diff(outcome.stock, axis=1, prepend=0.0)
    out, spoils = market.stock.fixed + market.stock.taken + arrived - lies - wasted, rule.spoiling(market)
    for p in perishes:
        came, left = market.stock.fixed[p], out[p] - market.stock.taken[p]
        bad = wasted[p] if rule.is_dated[p] else fewest_wasted(came, arrived[p], left, int(rule.life[p]), spoils[p])
        of_stock[p] = of_dated(rule.spoils[p], out[p], bad)
        of_life[p] = bad - of_stock[p]
    found = []
    for key, column, bad in (("bad", "expires_on", of_stock), ("aged", "shelf_life_days", of_life)):
        if told := _listed(market, bad, settings):
            table = "stock" if key == "bad" else "products"
            found.append(finding("warning", f"expiry.{key}", table, column=column, count=len(told), names=listed(told)))
    return tuple(found)


def _listed(market: Market, bad: FloatArray, settings: ChainSettings) -> list[Message]:
    return [
        message(
            "expiry.bad_one",
            product=product_of(market, market.products.names[p]),
            units=shown(float(bad[p, t])),
            when=message(f"netting.{settings.calendar.unit}", day=market.bucket_starts[t]),
        )
        for p, t in zip(*(at.tolist() for at in np.nonzero(bad >= LEAST_TOLD)), strict=True)
    ]
