"""Lots that cannot be formed: no bucket has the hours for them, or no supplier's limit lets them through."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from datong.balance.arrays import Market
from datong.balance.exact_lots import LotRules
from datong.balance.scarcity import LINE, name_of, product_of
from datong.balance.solvers import Cleared
from datong.model.findings import Finding, finding
from datong.network.spread_over_long_lot import most_over

# Units of a product that are never served from which on a lot that cannot be formed is told.
LEAST_TOLD = 0.5


def unformed(given_out: Cleared, rules: LotRules) -> tuple[Finding, ...]:
    """What it would take, of each way of a product that falls short or goes into one that does, whose smallest lot fits
    into no bucket in which it may start."""
    market = given_out.market
    short = _short(given_out)
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for way in np.flatnonzero(short[market.ways.product]).tolist():
        facts = market.ways.facts[way]
        rows[facts.row or facts.name, facts.product].append(way)
    return tuple(found for ways in rows.values() for found in _of_row(market, rules, ways))


def _of_row(market: Market, rules: LotRules, ways: Sequence[int]) -> Iterator[Finding]:
    """Of the ways that a row is, what keeps all of them from being started; none where one of them can be."""
    told = {way: next(_of_way(market, rules, way), None) for way in ways}
    if not any(found is None and market.ways.is_open[way].any() for way, found in told.items()):
        yield from [found for found in told.values() if found is not None][:1]


def _short(given_out: Cleared) -> np.ndarray:
    """(product) whether units of it are refused or wait at the end, or it goes into such a product."""
    market, outcome = given_out.market, given_out.outcome
    missing = outcome.turned_away.sum(axis=1) + outcome.waiting[:, -1]
    short = np.zeros(len(market.products), dtype=bool)
    short[market.demand.product[missing >= LEAST_TOLD]] = True
    for product in reversed(market.products.order):
        if short[product]:
            uses = np.isin(market.uses.way, np.flatnonzero(market.ways.product == product))
            short[market.uses.component[uses]] = True
    return short


def _of_way(market: Market, rules: LotRules, way: int) -> Iterator[Finding]:
    facts = market.ways.facts[way]
    smallest = max(float(rules.smallest[way]), float(rules.step[way]))
    is_open = market.ways.is_open[way]
    if smallest <= 0 or (facts.min_units <= 1 and facts.multiple_units <= 1 and facts.span == 1):
        return
    if facts.from_units:  # nobody has to reach a price break
        return
    name = facts.row or facts.name
    words: dict[str, Any] = {"way": name, "product": product_of(market, facts.product), "units": smallest}
    if not is_open.any():
        if facts.span > 1 and facts.span > market.buckets - int(market.ways.lead[way]) + facts.span - 1:
            yield finding("warning", "unformed.horizon", "recipes", **words, span=facts.span)
        return
    for line, each, setup in market.held_by(way):
        if market.lines.names[line] in market.places.shared:
            continue
        needed = setup + smallest * each
        there = most_over(market.most_hours[line], facts.worked)
        most = float(there[is_open].max())
        if needed > most * (1 + 1e-9) + 1e-9:
            yield finding(
                "warning",
                "unformed.hours",
                "recipes",
                **words,
                line=name_of(market, LINE, line),
                needed=round(needed, 2),
                most=round(most, 2),
            )
            return
    room = float(market.ways.limit[way][is_open].max())
    if np.isfinite(room) and smallest > room * (1 + 1e-9):
        yield finding("warning", "unformed.limit", "offers", **words, most=round(room, 2))
