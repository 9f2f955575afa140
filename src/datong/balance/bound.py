"""The certificate: from prices alone, a cost that no plan fixed now can go below.

Weak duality (Geoffrion 1974): give every scarce thing any price that is not negative, let each unit take what is
cheapest for it alone, and take off the worth of everything scarce at these prices. Only hard minima stand here, every
sample path counts, and no figure of a solver but its prices comes in; so a bad solver gives a weak bound, never a
false one.
"""

import numpy as np

from datong.balance.pack import Market
from datong.balance.solution import Prices
from datong.model.flow import FloatArray, IntArray
from datong.model.layers import expected_over_and_short, layer_grid, layer_slopes

# A gain per unit below this share of its price is rounding.
NOTHING = 1e-9
# Products whose layers are looked at together: what a core's cache holds.
PRODUCTS_AT_ONCE = 200


def unit_prices(market: Market, prices: Prices) -> tuple[FloatArray, FloatArray]:
    """Full prices of a good unit, by way and by product, each with the bucket in which it is there.

    A way costs (cost + hours * price of the hour + its components at their prices + price of the offer) / yield. A
    product's price is its cheapest way's; a component's also at most that of holding it from the bucket before, and at
    most the given one; none is less than what a unit left at the end is worth. So that no way and no holding earns
    anything at these prices, components of which leftovers could be made at a gain count more than the given price.
    """
    ways, cheapest, _ = _priced(market, prices)
    return ways, cheapest


def _priced(market: Market, prices: Prices) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """`unit_prices`, and what ways earn all the same (way, bucket of arrival) where any does."""
    left = np.arange(market.buckets, 0, -1)
    least = market.salvage[:, None] - market.holding[:, None] * left
    traded = market.is_component.copy()
    traded[market.demanded] = True
    least[~traded] = -np.inf  # nobody makes what is neither used nor sold
    for _ in market.steps:
        ways, cheapest, raised = _at_least(market, prices, least)
        if not raised:
            return ways, cheapest, None
        earned = _earned(market, ways, cheapest)
        if not earned.any() or not _raise_components(market, cheapest, earned, least):
            break
    ways, cheapest, _ = _at_least(market, prices, least)
    return ways, cheapest, _earned(market, ways, cheapest)


def _at_least(market: Market, prices: Prices, least: FloatArray) -> tuple[FloatArray, FloatArray, bool]:
    """`unit_prices` of which none of a product is below `least` (product, bucket); whether any had to be raised."""
    raised = False
    ways = np.full(market.way_open.shape, np.inf)
    cheapest = np.full((len(market.products), market.buckets), np.inf)
    line_price = np.maximum(prices.line, 0.0)
    for step in market.steps:
        of = step.ways
        limit_price = np.where(np.isfinite(market.way_limit[of]), np.maximum(prices.limit[of], 0.0), 0.0)
        price = market.way_cost[of, None] + limit_price
        on_line = np.flatnonzero(market.way_line[of] >= 0)
        price[on_line] += market.way_hours[of[on_line], None] * line_price[market.way_line[of[on_line]]]
        for turn in step.use_turns:
            use = step.uses[turn]
            part = market.use_units[use, None] * cheapest[market.use_component[use]]
            price[step.use_at[turn]] += np.where(market.use_open[use], part, 0.0)
        price = np.where(market.way_open[of], price / market.way_yield[of, None], np.inf)
        ways[of] = there = shifted(price, market.way_lead[of], np.inf)
        for turn in step.way_turns:
            product = market.way_product[of[turn]]
            cheapest[product] = np.minimum(cheapest[product], there[turn])
        part = step.products[market.is_component[step.products]]
        cheapest[part] = np.minimum(cheapest[part], prices.component[part])
        raised |= bool((cheapest[step.products] < least[step.products]).any())
        cheapest[step.products] = np.maximum(cheapest[step.products], least[step.products])
        cheapest[part] = _held(market, part, cheapest[part])
    return ways, cheapest, raised


def _earned(market: Market, ways: FloatArray, cheapest: FloatArray) -> FloatArray:
    """(way, bucket of arrival) money that a good unit counts beyond its way's full price, where more than rounding."""
    price = np.where(np.isfinite(ways), ways, 0.0)
    more = cheapest[market.way_product] - price
    return np.where(np.isfinite(ways) & (more > NOTHING * (1.0 + np.abs(price))), more, 0.0)


def _raise_components(market: Market, cheapest: FloatArray, earned: FloatArray, least: FloatArray) -> bool:
    """Raises `least` of the components of ways that earn until they do not; whether there were any to raise.

    All components of a way count at least one same share of what they cost where nothing is scarce, so that their own
    ways do not come to earn by it; one that cannot be had takes the whole.
    """
    way, arrive = np.nonzero(earned)
    wanted = np.zeros(earned.shape)  # by bucket of start: money that a start's components must count for more
    wanted[way, arrive - market.way_lead[way]] = market.way_yield[way] * earned[way, arrive]
    use, start = np.nonzero(market.use_open & (wanted > 0)[market.use_way])
    by, component, units = market.use_way[use], market.use_component[use], market.use_units[use]
    plain = market.plain_cost[component]
    now, usual = np.zeros(earned.shape), np.zeros(earned.shape)
    np.add.at(now, (by, start), units * cheapest[component, start])
    np.add.at(usual, (by, start), units * plain)
    whole, total = wanted[by, start] + now[by, start], usual[by, start]
    share = np.divide(whole, total, out=np.zeros(len(use)), where=total > 0)
    worth = np.where(np.isinf(plain), whole / units, share * np.where(np.isinf(plain), 0.0, plain))
    before = least.copy()
    np.maximum.at(least, (component, start), worth)
    steps = market.holding[:, None] * np.arange(market.buckets)
    least[:] = np.maximum.accumulate((least - steps)[:, ::-1], axis=1)[:, ::-1] + steps
    return bool((least > before).any())


def shifted(amount: FloatArray, lead: IntArray, before: float) -> FloatArray:
    """Amounts by bucket of start as amounts by bucket of arrival, both (way, bucket); `before`: where none can be."""
    start = np.arange(amount.shape[1]) - lead[:, None]
    return np.where(start >= 0, np.take_along_axis(amount, np.maximum(start, 0), axis=1), before)


def _held(market: Market, product: IntArray, price: FloatArray) -> FloatArray:
    """The prices that do not rise by more than the holding. product: indices; price: (one of them, bucket)."""
    steps = market.holding[product, None] * np.arange(market.buckets)
    return np.minimum.accumulate(price - steps, axis=1) + steps


def lower_bound(market: Market, prices: Prices) -> float:
    """The Lagrangian dual at these prices, in money; negative prices count as none.

        sum over demanded products of
            sum_t f_t(0) + sum over layers n of min(0, min over a of price_a + sum_{t>=a} slope_t(n))
        - sum of price * amount over line hours, limited offers, sure demand, and component stock that comes anyway
        - what ways that earn at these prices could earn with all the hours of their lines,

    price_a being the cheapest way to have the unit in bucket a: made, bought, or turned away. With component stock that
    has no way and no use, its price is taken as 0.
    """
    _, cheapest, earned = _priced(market, prices)
    away_price = np.maximum(prices.turned_away, _least_away_price(market))
    bound = -float((np.maximum(prices.line, 0.0) * market.line_hours).sum())
    limited = np.isfinite(market.way_limit)
    bound -= float((np.maximum(prices.limit, 0.0)[limited] * market.way_limit[limited]).sum())
    bound -= float((away_price * market.sure).sum())
    stock = market.is_component[:, None] & (market.fixed != 0)
    worth = cheapest[stock]
    if not np.isfinite(worth).all():
        return -np.inf
    bound -= float(worth @ market.fixed[stock])
    product = market.demanded
    away = np.where(market.sure > 0, market.lost_sale[product, None] + away_price, np.inf)
    price = np.minimum(cheapest[product], away)
    if market.given_demand is None:
        bound += sum(_least_cost(market, d, price[d]) for d in range(len(product)))
    else:
        pieces = range(0, len(product), PRODUCTS_AT_ONCE)
        bound += sum(
            _least_given_cost(market, np.arange(i, min(i + PRODUCTS_AT_ONCE, len(product))), price) for i in pieces
        )
    bound += _idle_stock_cost(market)
    return bound if earned is None else bound - _most_earned(market, earned)


def _most_earned(market: Market, earned: FloatArray) -> float:
    """Money that ways take at most by making what counts more than its full price; inf where nothing limits them."""
    way, arrive = np.nonzero(earned)
    start = arrive - market.way_lead[way]
    units, hours = market.way_limit[way, start], market.way_hours[way]
    scarce = np.flatnonzero((market.way_line[way] >= 0) & (hours > 0))
    most = market.line_hours[market.way_line[way[scarce]], start[scarce]] / hours[scarce]
    units[scarce] = np.minimum(units[scarce], most)
    return float((earned[way, arrive] * market.way_yield[way] * units).sum())


def _least_away_price(market: Market) -> FloatArray:
    """(demanded, bucket) the price at which nobody turns a buyer away to earn the salvage of the unit; at least 0."""
    product = market.demanded
    held = market.holding[product, None] * np.arange(market.buckets, 0, -1)
    return np.maximum((market.salvage - market.lost_sale)[product, None] - held, 0.0)


def _least_cost(market: Market, d: int, price: FloatArray) -> float:
    """What the d-th demanded product costs at least when a unit in bucket a is to be had at price (bucket)."""
    product = market.demanded[d]
    holding, late, waiting, salvage = (
        float(a[product]) for a in (market.holding, market.late, market.waiting_at_end, market.salvage)
    )
    net = market.net_demand(d)
    over, short = expected_over_and_short(np.zeros(market.buckets), net)
    base = holding * over.sum() + late * short.sum() + waiting * short[-1] - salvage * over[-1]
    width, chance = layer_grid(net)
    saving = np.cumsum(layer_slopes(chance, holding, late, waiting, salvage)[:, ::-1], axis=1)[:, ::-1] + price
    return float(base + width @ np.minimum(saving.min(axis=1), 0.0)) if len(width) else float(base)


def _least_given_cost(market: Market, d: IntArray, price: FloatArray) -> float:
    """`_least_cost` of some demanded products whose demand is one path. price: (demanded, bucket), of all of them.

    A layer is asked for from one bucket on or, after a receipt, not: the edges of the layers are the path's own values.
    """
    product = market.demanded[d]
    holding, late, waiting, salvage = (
        a[product, None] for a in (market.holding, market.late, market.waiting_at_end, market.salvage)
    )
    net = market.net_given_demand(d)
    over, short = np.maximum(-net, 0.0), np.maximum(net, 0.0)
    base = (holding * over + late * short).sum() + (waiting * short[:, -1:] - salvage * over[:, -1:]).sum()
    upper = np.sort(short, axis=1)
    lower = np.concatenate([np.zeros((len(d), 1)), upper[:, :-1]], axis=1)
    asked = net[:, None, :] > lower[:, :, None]  # (d, layer, bucket)
    slope = np.where(asked, -late[:, :, None], holding[:, :, None])
    slope[:, :, -1] -= np.where(asked[:, :, -1], waiting, salvage)
    saving = np.cumsum(slope[:, :, ::-1], axis=2)[:, :, ::-1] + price[d, None, :]
    return float(base + ((upper - lower) * np.minimum(saving.min(axis=2), 0.0)).sum())


def _idle_stock_cost(market: Market) -> float:
    """Holding of stock that nobody asks for and nothing uses: every plan pays it."""
    idle = np.ones(len(market.products), dtype=bool)
    idle[market.demanded] = False
    idle &= ~market.is_component
    stock = np.cumsum(market.fixed[idle], axis=1)
    return float((stock.sum(axis=1) * market.holding[idle]).sum() - (stock[:, -1] * market.salvage[idle]).sum())
