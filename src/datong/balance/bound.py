"""The certificate: from prices alone, a cost that no plan fixed now can go below.

Weak duality (Geoffrion 1974): give every scarce thing any price that is not negative, let each unit take what is
cheapest for it alone, and take off the worth of everything scarce at these prices. Only hard minima stand here, every
sample path counts, and no figure of a solver but its prices comes in; so a bad solver gives a weak bound, never a
false one.
"""

from dataclasses import dataclass, replace

import numpy as np

from datong.balance.arrays import Market
from datong.balance.long_lot_spans import cost_beside, hours_there, most_beside, over_span
from datong.balance.rules import charges
from datong.balance.rules.rule import Charges
from datong.balance.rules.safety_stock import KeptWorth, worth_kept
from datong.balance.rules.shelf_life import make_room
from datong.balance.rules.substitutes import worth_elsewhere, worth_left
from datong.balance.set_up_bound import Choices, choices, least_with_set_ups, set_up_prices, sold_alone
from datong.balance.solution import Prices
from datong.model.demand_layers import expected_over_and_short, layer_grid, layer_slopes
from datong.model.flow import BoolArray, FloatArray, IntArray

# Products whose layers are looked at together: what a core's cache holds.
PRODUCTS_AT_ONCE = 200
# Of money, what is rounding.
NO_GAIN = 1e-7
# What rounding leaves of amounts that a bound adds up and takes off again, as a share of them.
ROUNDS_BY = 1e-12


def unit_prices(market: Market, prices: Prices) -> tuple[FloatArray, FloatArray]:
    """Full prices of a good unit, by way and by product, each with the bucket in which it is there.

    A way costs (cost + hours * price of the hour + its components at their prices + price of the offer) / yield. A
    product's price is its cheapest way's; a component's also at most that of holding it from the bucket before, and at
    most the given one, so that no way and no holding earns anything at these prices.
    """
    priced = _priced(market, prices)
    return priced.ways, priced.cheapest


@dataclass(frozen=True, eq=False)
class _Priced:
    """ways: (way, bucket), cheapest: (product, bucket), of a good unit there. holding: (product, bucket) with the price
    of shelf life and that of safety stock. rules_worth: money that the bound takes off for the rules beyond the linear
    core."""

    ways: FloatArray
    cheapest: FloatArray
    holding: FloatArray
    rules_worth: float


def _priced(market: Market, prices: Prices, tries: int = 3) -> _Priced:
    """`unit_prices` and what comes with them.

    Where the price of a product's shelf life had to be lowered, what its substitutes are worth by it has risen: then
    it is left out. Where that of a safety stock has to be lower, all is worked out anew with it; after so many tries
    without it.
    """
    besides = market.rules.co_products
    prices = besides.prices_known(prices) if besides.is_there else prices
    charge = charges(market, prices)
    elsewhere = worth_elsewhere(market, charge)
    credit = market.rules.shelf_life.credit(charge.shelf_life)
    given = charge.shelf_life.copy()
    earns = any(rule.earns for rule in market.rules.there)
    # A component worth something at the end, made of one that counts for less than it costs, earns too.
    # So does, at prices below what a unit left lying is worth, what takes one to where it lies at less.
    lower = besides.is_there or market.rules.largest_stock.can_leave_over
    leftovers = lower or bool((market.money.salvage[market.products.is_component] > 0).any())
    most = most_started(market) if earns or leftovers else np.zeros(0)
    rules_worth = 0.0
    worth, kept = KeptWorth.of(market, charge), np.ones(len(charge.safety_stock))
    ways = np.full(market.ways.is_open.shape, np.inf)
    cheapest = np.full((len(market.products), market.buckets), np.inf)
    floor = _left_or_taken_on(market, prices, charge, elsewhere) if lower else np.full(cheapest.shape, -np.inf)
    earned = np.zeros(0)
    if besides.is_there:
        earned = besides.credit(market, _co_products_worth(market, prices, charge, floor) + credit)
    for step in market.steps:
        of = step.ways
        price = _without_components(market, prices, charge, of)
        for turn in step.use_turns:
            use = step.uses[turn]
            part = market.uses.units[use, None] * cheapest[market.uses.component[use]]
            price[step.use_at[turn]] += np.where(market.uses.is_open[use], part, 0.0)
        if besides.is_there:
            price -= earned[of]
        if earns:
            rules_worth += _earn_nothing(market, of, price, np.maximum(elsewhere, floor), charge, credit, most)
        elif leftovers:
            part = np.flatnonzero(market.products.is_component[market.ways.product[of]])
            raised = price[part]
            rules_worth += _earn_nothing(market, of[part], raised, np.maximum(elsewhere, floor), charge, credit, most)
            price[part] = raised
        price = np.where(market.ways.is_open[of], price / market.ways.yield_share[of, None], np.inf)
        there = shifted(price, market.ways.lead[of], np.inf)
        make_room(market, of, there, elsewhere, charge, credit)
        there -= credit[market.ways.product[of]]
        market.rules.safety_stock.kept_share(market, of, there, worth, kept)
        ways[of] = there
        for turn in step.way_turns:
            product = market.ways.product[of[turn]]
            cheapest[product] = np.minimum(cheapest[product], there[turn])
        part = step.products[market.products.is_component[step.products]]
        holding = market.money.holding[part, None] + charge.held(part)
        least = np.maximum(worth_kept(market, part, holding, elsewhere[part]), floor[part])
        cheapest[part] = _held(holding, np.maximum(np.minimum(cheapest[part], prices.component[part]), least))
    if market.rules.substitutes.is_there and (charge.shelf_life < given * (1 - 1e-9)).any():
        return _priced(market, replace(prices, rule={**prices.rule, "shelf life": np.zeros(given.shape)}))
    if (kept < 1).any():
        kept = kept if tries else np.where(kept < 1, 0.0, 1.0)
        return _priced(market, market.rules.safety_stock.lowered(prices, kept), max(tries - 1, 0))
    rules_worth += sum(rule.worth(market, prices, charge) for rule in market.rules.by_name)
    every = np.arange(len(market.products))
    return _Priced(ways, cheapest, market.money.holding[:, None] + charge.held(every), rules_worth)


def _without_components(market: Market, prices: Prices, charge: Charges, of: IntArray) -> FloatArray:
    """(way, bucket of start) price of a unit started by the ways `of`, but for its components."""
    limit_price = np.where(np.isfinite(market.ways.limit[of]), np.maximum(prices.limit[of], 0.0), 0.0)
    price = market.ways.cost[of, None] + limit_price + charge.change[of] + charge.way[of]
    an_hour = np.maximum(prices.line, 0.0) + charge.hour[:, None]
    on_line = np.flatnonzero(market.ways.line[of] >= 0)
    price[on_line] += market.ways.hours[of[on_line], None] * over_span(market, of[on_line], an_hour)
    if market.rules.lines_at_once.is_there:
        price += cost_beside(market, of, an_hour)
    return price


def _earn_nothing(
    market: Market,
    of: IntArray,
    price: FloatArray,
    elsewhere: FloatArray,
    charge: Charges,
    credit: FloatArray,
    most: FloatArray,
) -> float:
    """Raises prices (way, bucket of start) of the ways `of` below what a unit is worth in any case; gives what that
    takes off the bound. elsewhere: (product, bucket) what it is worth but left over.

    A rule's price can make starting a way earn money. Of the change charge's, v is raised, up to the charge; the rest
    is a price of what can be started at most (hours or a limit).
    """
    product = market.ways.product[of]
    left = worth_left(market, product, market.money.holding[product, None] + charge.held(product))
    there = np.arange(market.buckets) + market.ways.lead[of, None]
    arrival = np.minimum(there, market.buckets - 1)
    worth = np.maximum(left, elsewhere[product]) + credit[product]
    short = np.maximum(np.take_along_axis(worth, arrival, axis=1) * market.ways.yield_share[of, None] - price, 0.0)
    short[~market.ways.is_open[of] | (there >= market.buckets)] = 0.0
    raised = np.minimum(short, market.rules.change_charge.room(of, charge.change))
    charge.change[of] += raised
    rest = np.where(np.isfinite(most[of]), short - raised, 0.0)
    price += raised + rest
    if ((short - raised - rest) > NO_GAIN * np.maximum(1.0, np.abs(left).max(initial=0.0))).any():
        return np.inf  # without an end: nothing is known then
    return float((rest[rest > 0] * most[of][rest > 0]).sum())


def _co_products_worth(market: Market, prices: Prices, charge: Charges, floor: FloatArray) -> FloatArray:
    """(product, bucket) prices of co-products, of a unit that is there, that theirs in the end are at most; 0 of others
    (rules/co_products.py). floor: (product, bucket) of `_left_or_taken_on`."""
    product = np.unique(market.rules.co_products.product)
    holding = market.money.holding[product, None] + charge.held(product)
    worth = np.zeros(market.stock.fixed.shape)
    worth[product] = _held(holding, np.maximum(prices.component[product], floor[product]))
    return worth


def _left_or_taken_on(market: Market, prices: Prices, charge: Charges, elsewhere: FloatArray) -> FloatArray:
    """(product, bucket) what a unit that is there is worth at least: left over (`worth_kept`), or by a way that takes
    it alone (a lane, say) as what comes of that, left over there, less what the way costs at these prices."""
    every = np.arange(len(market.products))
    holding = market.money.holding[:, None] + charge.held(every)
    floor = worth_kept(market, every, holding, elsewhere)
    use = np.flatnonzero(np.bincount(market.uses.way, minlength=len(market.ways))[market.uses.way] == 1)
    way, part = market.uses.way[use], market.uses.component[use]
    arrival = np.arange(market.buckets) + market.ways.lead[way, None]
    starts = market.ways.is_open[way] & market.uses.is_open[use] & (arrival < market.buckets)
    arrival = np.minimum(arrival, market.buckets - 1)
    cost = _without_components(market, prices, charge, way)
    for _ in every:
        there = np.take_along_axis(floor[market.ways.product[way]], arrival, axis=1)
        taken = (market.ways.yield_share[way, None] * there - cost) / market.uses.units[use, None]
        onward = floor.copy()
        np.maximum.at(onward, part, np.where(starts, taken, -np.inf))
        onward = worth_kept(market, every, holding, np.maximum(elsewhere, onward))
        if np.array_equal(onward, floor):
            break
        floor = onward
    return floor


def most_started(market: Market) -> FloatArray:
    """(way, bucket) most units that hours and limits allow to start; inf where neither does."""
    scarce = np.flatnonzero((market.ways.line >= 0) & (market.ways.hours > 0))
    most = market.ways.limit.copy()
    most[scarce] = np.minimum(most[scarce], hours_there(market, scarce) / market.ways.hours[scarce, None])
    return np.minimum(most, most_beside(market)) if market.rules.lines_at_once.is_there else most


def shifted(amount: FloatArray, lead: IntArray, before: float) -> FloatArray:
    """Amounts by bucket of start as amounts by bucket of arrival, both (way, bucket); `before`: where none can be."""
    start = np.arange(amount.shape[1]) - lead[:, None]
    return np.where(start >= 0, np.take_along_axis(amount, np.maximum(start, 0), axis=1), before)


def _held(holding: FloatArray, price: FloatArray) -> FloatArray:
    """The prices that do not rise by more than the holding of the bucket before: both (product, bucket)."""
    steps = np.cumsum(holding, axis=1) - holding
    return np.minimum.accumulate(price - steps, axis=1) + steps


def lower_bound(market: Market, prices: Prices, in_lots: bool = False) -> float:
    """The Lagrangian dual at these prices, in money; negative prices count as none.

        sum over demanded products of
            sum_t f_t(0) + sum over layers n of min(0, min over a of price_a + sum_{t>=a} slope_t(n))
        - sum of price * amount over line hours, limited offers, sure demand, and component stock that comes anyway,

    price_a being the cheapest way to have the unit in bucket a: made, bought, or turned away. With component stock that
    has no way and no use, its price is taken as 0. in_lots: each lot pays for its set-up (set_up_bound.py), of products
    all of which is for one demand on one path; then it is no bound of plans in any quantities.
    """
    priced = _priced(market, prices)
    cheapest = priced.cheapest
    away_price = np.maximum(prices.turned_away, _least_away_price(market, priced.holding))
    bound = -float((np.maximum(prices.line, 0.0) * market.lines.hours).sum())
    limited = np.isfinite(market.ways.limit)
    bound -= float((np.maximum(prices.limit, 0.0)[limited] * market.ways.limit[limited]).sum())
    bound -= float((away_price * market.demand.sure).sum()) + priced.rules_worth
    stock = market.products.is_component[:, None] & (market.stock.fixed != 0)
    worth = cheapest[stock]
    if not np.isfinite(worth).all():
        return -np.inf
    bound -= float(worth @ market.stock.fixed[stock])
    product = market.demand.product
    away = np.where(market.demand.sure > 0, market.lost_cost[:, None] + away_price, np.inf)
    price = np.minimum(cheapest[product], away)
    market.rules.substitutes.cheapen(price, cheapest)
    beyond = market.rules.safety_stock.most(len(cheapest))[product]
    given = np.zeros(0, dtype=np.int64)
    if market.given_demand is not None:
        given = np.flatnonzero(~market.rules.in_curves & (beyond == 0))
    others = np.setdiff1d(np.arange(len(product)), given)
    bound += sum(_least_cost(market, d, price[d], priced.holding[product[d]], beyond[d]) for d in others.tolist())
    if in_lots:
        alone = given[sold_alone(market)[given]]
        set_up = shifted(set_up_prices(market, prices), market.ways.lead, np.inf)
        for piece in _pieces(alone):
            of = choices(market, piece, priced.ways, set_up, away[piece])
            bound += _least_in_lots(market, piece, of, priced.holding)
        given = np.setdiff1d(given, alone)
    bound += sum(_least_given_cost(market, piece, price, priced.holding) for piece in _pieces(given))
    bound += _idle_stock_cost(market)
    return bound


def _pieces(demanded: IntArray) -> list[IntArray]:
    return [demanded[i : i + PRODUCTS_AT_ONCE] for i in range(0, len(demanded), PRODUCTS_AT_ONCE)]


def is_below(bound: float, total: float, market: Market, share: float) -> bool:
    """Whether a bound is no higher than the cost of a plan, but for rounding: a share of the cost, and of what a bound
    begins with and takes off again, what demand costs that is never served."""
    beyond = bound - total - share * max(abs(total), 1.0)
    return beyond <= 0 or beyond <= ROUNDS_BY * _unserved_cost(market)


def _unserved_cost(market: Market) -> float:
    """What all demand that does not find its units in what comes anyway costs at most, on any path."""
    cost = 0.0
    for d in range(len(market.demand.product)):
        short = np.maximum(market.net_demand(d), 0.0).max(axis=0, initial=0.0)
        cost += float(market.late_cost[d] * short.sum() + market.end_cost[d] * short[-1])
    return cost


def _least_away_price(market: Market, holding: FloatArray) -> FloatArray:
    """(demanded, bucket) the price at which nobody turns a buyer away to earn what the unit is worth left over; at
    least 0. holding: (product, bucket)."""
    product = market.demand.product
    return np.maximum(worth_left(market, product, holding[product]) - market.lost_cost[:, None], 0.0)


def _least_cost(market: Market, d: int, price: FloatArray, holding: FloatArray, beyond: float) -> float:
    """What the d-th demanded product costs at least when a unit in bucket a is to be had at price (bucket).

    holding: (bucket) of its units. beyond: units that may come beyond its largest demand.
    """
    salvage = float(market.money.salvage[market.demand.product[d]])
    late, waiting = float(market.late_cost[d]), float(market.end_cost[d])
    net = market.net_demand(d)
    over, short = expected_over_and_short(np.zeros(market.buckets), net)
    base = holding @ over + late * short.sum() + waiting * short[-1] - salvage * over[-1]
    stock = market.rules.stock_curve(d, net)
    further = [market.least_supply[d], [max(net.max(), market.least_supply[d].max()) + beyond] if beyond else []]
    width, chance = layer_grid(net, np.concatenate(further if stock is None else [*further, stock.edges]))
    slopes = layer_slopes(chance, holding, late, waiting, salvage)
    if stock is not None:
        base += stock.base
        slopes += stock.slopes(np.concatenate([[0.0], np.cumsum(width)]), chance)
    saving = np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1] + price
    least = _in_time(saving, np.cumsum(width), market.least_supply[d])
    return float(base + width @ least) if len(width) else float(base)


def _in_time(saving: FloatArray, upper: FloatArray, least_supply: FloatArray) -> FloatArray:
    """(..., layer) the least of a layer's savings by the bucket it is there in, (..., layer, bucket), or 0: never.

    A layer up to least_supply (..., bucket) must be there by then: maximum lateness. upper: (..., layer) its end.
    """
    must = _must_be_there(upper, least_supply)
    too_late = _after(must)
    least = np.where(too_late, np.inf, saving).min(axis=-1)
    return np.where(must[..., -1], least, np.minimum(least, 0.0))


def _must_be_there(upper: FloatArray, least_supply: FloatArray) -> BoolArray:
    """(..., layer, bucket) whether a layer must be there by the end of the bucket, as of `_in_time`."""
    must: BoolArray = least_supply[..., None, :] >= upper[..., None] * (1 - 1e-12) - 1e-9  # and in later ones
    # A layer as thin as rounding need not be there.
    return must & (upper[..., None] > 0) & (least_supply[..., None, :] > 0)


def _after(must: BoolArray) -> BoolArray:
    """(..., layer, bucket) whether the layer must be there before: by the end of an earlier bucket."""
    return np.concatenate([np.zeros_like(must[..., :1]), must[..., :-1]], axis=-1)


@dataclass(frozen=True, eq=False)
class _Layers:
    """The layers of some demanded products whose demand is one path."""

    # (demanded) money where nothing ever comes but what comes anyway.
    base: FloatArray
    # (demanded, layer) units.
    width: FloatArray
    # (demanded, layer, bucket) money of a unit that is there from the bucket on, less what it costs if it never is.
    cost: FloatArray
    # (demanded, layer) units up to the layer's end.
    upper: FloatArray
    # (demanded, bucket) units that must be there by then.
    by_then: FloatArray


def _given_layers(market: Market, d: IntArray, holding: FloatArray) -> _Layers:
    """Of demanded products d whose demand is one path. holding: (product, bucket).

    A layer is asked for from one bucket on or, after a receipt, not: the edges of the layers are the path's own values.
    """
    product = market.demand.product[d]
    holding, salvage = holding[product], market.money.salvage[product, None]
    late, waiting = market.late_cost[d, None], market.end_cost[d, None]
    net = market.net_given_demand(d)
    over, short = np.maximum(-net, 0.0), np.maximum(net, 0.0)
    base = (holding * over + late * short).sum(axis=1) + (waiting * short[:, -1:] - salvage * over[:, -1:]).sum(axis=1)
    by_then = market.least_supply[d]
    upper = np.sort(np.concatenate([short, by_then], axis=1) if by_then.any() else short, axis=1)
    lower = np.concatenate([np.zeros((len(d), 1)), upper[:, :-1]], axis=1)
    asked = net[:, None, :] > lower[:, :, None]  # (d, layer, bucket)
    slope = np.where(asked, -late[:, :, None], holding[:, None, :])
    slope[:, :, -1] -= np.where(asked[:, :, -1], waiting, salvage)
    cost = np.cumsum(slope[:, :, ::-1], axis=2)[:, :, ::-1]
    return _Layers(base, np.where(upper > lower, upper - lower, 0.0), cost, upper, by_then)


def _least_given_cost(market: Market, d: IntArray, price: FloatArray, holding: FloatArray) -> float:
    """`_least_cost` of some demanded products whose demand is one path. price: (demanded, bucket), of all of them;
    holding: (product, bucket)."""
    layers = _given_layers(market, d, holding)
    saving = layers.cost + price[d, None, :]
    has_least = bool(layers.by_then.any())
    least = _in_time(saving, layers.upper, layers.by_then) if has_least else np.minimum(saving.min(axis=2), 0.0)
    return float(layers.base.sum() + np.where(layers.width > 0, layers.width * least, 0.0).sum())


def _least_in_lots(market: Market, d: IntArray, of: Choices, holding: FloatArray) -> float:
    """`_least_given_cost` where each lot pays for its set-up (set_up_bound.py)."""
    layers = _given_layers(market, d, holding)
    too_late = _after(_must_be_there(layers.upper, layers.by_then))
    return float((layers.base + least_with_set_ups(of, layers.width, layers.cost, too_late)).sum())


def _idle_stock_cost(market: Market) -> float:
    """Holding of stock that nobody asks for and nothing uses: every plan pays it."""
    idle = np.ones(len(market.products), dtype=bool)
    idle[market.demand.product] = False
    idle &= ~market.products.is_component
    stock = np.cumsum(market.stock.fixed[idle], axis=1)
    return float(
        (stock.sum(axis=1) * market.money.holding[idle]).sum() - (stock[:, -1] * market.money.salvage[idle]).sum()
    )
