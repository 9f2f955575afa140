"""What demand costs at least where each lot pays for its set-up: the bound of chains whose lots HiGHS cannot prove.

In the Lagrangian dual (bound.py) each demanded product takes for itself what is cheapest at the prices of what is
scarce. A choice is a way k of the product and a bucket a in which its units are there, p(k,a) the full price of a unit,
and

    K(k,a) = fixed cost of an order + hours of a set-up x price of an hour.

With n the layers of the product's demand, w(n) their units, and c(n,a) what a unit of layer n costs that is there from
bucket a on, less what it costs if it never is (demand_layers.py), the product costs at least, beside what bound.py
begins with,

    least over sets S of choices of   sum over S of K  +  sum over n of w(n) min( 0, least over S of p(k,a) + c(n,a) ).

A layer further up is wanted later: for a < a' the difference c(n,a) - c(n,a') does not fall with n, so that of two
choices the one that is there sooner serves the layers further down. Each choice then serves layers that follow one
another, and a dynamic programme over layers finds the least (Wagner and Whitin 1958; with backlog, Zangwill 1966):

    F(m) = min( F(m-1), least over k, a and j < m of F(j) + K(k,a) + sum over n = j+1, ..., m of w(n) min(0, p + c) )

A layer that must be there by some bucket takes no choice after it, and cannot be left out. Without set-ups this is the
sum of bound.py. Smallest lots, steps, and the set-ups of components are left out: so it stays a bound.
"""

from dataclasses import dataclass

import numpy as np

from datong.balance.arrays import Market
from datong.balance.long_lot_spans import over_span
from datong.balance.solution import Prices
from datong.model.flow import BoolArray, FloatArray, IntArray

# Rules that say no more than what the units, hours or lateness of a product cost.
KNOWN = frozenset({"lateness of orders", "long lots", "maximum lateness", "overtime", "priorities"})


@dataclass(frozen=True, eq=False)
class Choices:
    """The choices of some demanded products; where a product has fewer than others, the rest have infinite prices."""

    # (demanded, way, bucket of arrival) full price of a good unit.
    price: FloatArray
    # (demanded, way, bucket of arrival) K.
    set_up: FloatArray


def sold_alone(market: Market) -> BoolArray:
    """(demanded) whether all that its product's ways bring is for this demand; nowhere with rules beyond KNOWN."""
    product = market.demand.product
    once = np.bincount(product, minlength=len(market.products))[product] == 1
    return once & ~market.products.is_component[product] & (market.rules.names <= KNOWN)


def set_up_prices(market: Market, prices: Prices) -> FloatArray:
    """(way, bucket of start) K: money for an order, whatever its size."""
    ways = market.ways
    price = np.repeat(ways.setup_cost[:, None], market.buckets, axis=1)
    works = np.flatnonzero((ways.line >= 0) & (ways.setup_hours > 0))
    price[works] += ways.setup_hours[works, None] * over_span(market, works, np.maximum(prices.line, 0.0))
    return price


def choices(market: Market, d: IntArray, price: FloatArray, set_up: FloatArray, away: FloatArray) -> Choices:
    """Of the demanded d: their products' ways, and to turn the demand away, for which nothing is set up.

    price, set_up: (way, bucket of arrival), away: (d, bucket).
    """
    product = market.demand.product[d]
    order = np.argsort(market.ways.product, kind="stable")
    first, after = (np.searchsorted(market.ways.product[order], product, side=side) for side in ("left", "right"))
    place = first[:, None] + np.arange((after - first).max(initial=0))
    is_own = place < after[:, None]
    way = order[np.minimum(place, len(order) - 1)]
    none, own = np.zeros((len(d), 1, market.buckets)), is_own[:, :, None]
    return Choices(
        np.concatenate([np.where(own, price[way], np.inf), away[:, None]], axis=1),
        np.concatenate([np.where(own, set_up[way], 0.0), none], axis=1),
    )


def least_with_set_ups(of: Choices, width: FloatArray, cost: FloatArray, too_late: BoolArray) -> FloatArray:
    """(demanded) money, the least of the module.

    width: (demanded, layer) units, layers from the first on; cost: (demanded, layer, bucket) c; too_late: (demanded,
    layer, bucket) the layer must be there before. A layer that must be there by some bucket has later ones too late.
    """
    must = np.asarray(too_late.any(axis=2))
    least = np.zeros(len(width))
    serving = np.full(of.price.shape, np.inf)
    for layer in range(width.shape[1]):
        unit = of.price + cost[:, layer, None]
        unit = np.where(must[:, layer, None, None], unit, np.minimum(unit, 0.0))
        unit = np.where(too_late[:, layer, None], np.inf, unit)
        there = width[:, layer] > 0
        money = np.where(there[:, None, None], unit, 0.0) * width[:, layer, None, None]
        serving = np.minimum(serving, least[:, None, None]) + money
        served = (serving + of.set_up).min(axis=(1, 2))
        least = np.minimum(served, np.where(must[:, layer] & there, np.inf, least))
    return least
