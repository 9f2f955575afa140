"""The rules beyond the linear core, each with its equation first. A Market holds their arrays in `beyond`.

Each rule stands in three places: in the exact door (highs.py), in `evaluate`, which refuses a plan that breaks it and
costs it, and in the bound, where it has a price of its own (Prices.rule) or limits the choices of a layer.
Units: t and s are buckets, d a class of demand, p a product, w a way, l a line.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datong.balance.spans import over_span
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.facts import Way
from datong.network.rule_facts import DemandClass, RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class Rules:
    """Arrays of the rules. A rule that a chain does not have has an empty array, or one that does nothing.

    weight: (demanded) factor on lateness and loss. overdue: (demanded, bucket) cumulative units that must be served or
    turned away by the end of the bucket. substitute_demand, substitute_product, substitute_cost: (substitute) a class
    of demand, the product that may serve it, money per unit; substitute_open: (substitute, bucket) whether it may.
    shelf_life: (product) buckets, -1 where a unit keeps.
    change_cost: (way) money per unit; before: (way, bucket) units of the earlier plan; charged: (bucket) it reaches so
    far. firms, floor, ceiling: (firm); on_firm: (firm, line); works: (line) it is one, no lane; share_cost: money per
    hour. overtime, overtime_cost: (line, bucket) hours, money per hour. owed: (demanded) units of the first bucket's
    demand that were due before it.
    """

    weight: FloatArray
    overdue: FloatArray
    substitute_demand: IntArray
    substitute_product: IntArray
    substitute_cost: FloatArray
    substitute_open: BoolArray
    shelf_life: IntArray
    change_cost: FloatArray
    before: FloatArray
    charged: BoolArray
    firms: tuple[str, ...]
    floor: FloatArray
    ceiling: FloatArray
    works: BoolArray
    on_firm: BoolArray
    share_cost: float
    overtime: FloatArray
    overtime_cost: FloatArray
    owed: FloatArray

    @property
    def names(self) -> frozenset[str]:
        """The rules that this chain has."""
        has = {
            "maximum lateness": bool(self.overdue.any()),
            "priorities": bool((self.weight != 1.0).any()),
            "substitutes": len(self.substitute_cost) > 0,
            "shelf life": bool((self.shelf_life >= 0).any()),
            "change charge": bool(self.charged.any() and self.change_cost.any()),
            "firm shares": len(self.firms) > 0,
            "overtime": bool(self.overtime.any()),
        }
        return frozenset(name for name, there in has.items() if there)


def build(
    rules: RuleFacts,
    products: Sequence[str],
    ways: Sequence[Way],
    lines: Sequence[str],
    classes: Sequence[tuple[int, DemandClass]],
    sure: FloatArray,
    way_worth: FloatArray,
    frozen_buckets: int,
    shared: Container[str] = (),
) -> Rules:
    """Arrays of the rules. classes: each class of demand with the index of its product; sure: (class, bucket).

    way_worth: (way) the most that an hour of its line can earn by it. shared: lines that are none, but lanes. Nobody
    can change the plan of a frozen bucket.
    """
    buckets = sure.shape[1]
    at = {p: i for i, p in enumerate(products)}
    of = {p: [d for d, (i, _) in enumerate(classes) if i == at[p]] for p in {s.product for s in rules.substitutes}}
    pairs = [(d, at[s.substitute], s.cost_per_unit, s.holds) for s in rules.substitutes for d in of[s.product]]
    shares = [s for s in rules.shares if s.firm in set(rules.firm_of_line.values())]
    none = np.zeros(buckets)
    return Rules(
        weight=np.array([c.weight for _, c in classes], dtype=np.float64),
        overdue=_overdue(rules, classes, sure),
        substitute_demand=np.array([d for d, *_ in pairs], dtype=np.int64),
        substitute_product=np.array([p for _, p, *_ in pairs], dtype=np.int64),
        substitute_cost=np.array([c for _, _, c, _ in pairs], dtype=np.float64),
        substitute_open=np.array([h or (True,) * buckets for *_, h in pairs], dtype=bool).reshape(-1, buckets),
        shelf_life=np.array([rules.shelf_life_buckets.get(p, -1) for p in products], dtype=np.int64),
        change_cost=np.array([rules.change_cost.get(w.product, 0.0) for w in ways], dtype=np.float64),
        before=np.array([rules.before.get(w.name, none) for w in ways]).reshape(len(ways), buckets),
        charged=(np.arange(buckets) < rules.before_buckets) & (np.arange(buckets) >= frozen_buckets),
        firms=tuple(s.firm for s in shares),
        floor=np.array([s.floor for s in shares], dtype=np.float64),
        ceiling=np.array([s.ceiling for s in shares], dtype=np.float64),
        works=np.array([line not in shared for line in lines], dtype=bool),
        on_firm=np.array(
            [[rules.firm_of_line.get(line) == s.firm for line in lines] for s in shares], dtype=bool
        ).reshape(len(shares), len(lines)),
        share_cost=rules.hour_worth_factor * float(way_worth.max(initial=0.0)),
        overtime=np.array([rules.overtime_hours.get(line, none) for line in lines]).reshape(len(lines), buckets),
        overtime_cost=np.array([rules.overtime_cost.get(line, none) for line in lines]).reshape(len(lines), buckets),
        owed=np.array([0.0 if c.owed is None else c.owed.sum() for _, c in classes], dtype=np.float64),
    )


def pools(rules: Rules, demanded: IntArray, is_component: BoolArray) -> BoolArray:
    """(product) whether its units lie in one stock until they are used or set aside for one demand.

    Components do. So do products whose demand has several classes, substitutes, and what is asked for and goes bad.
    """
    pooled = is_component.copy()
    pooled[rules.substitute_product] = True
    asked = np.bincount(demanded, minlength=len(pooled))
    pooled |= asked > 1
    return pooled | ((rules.shelf_life >= 0) & (asked > 0))


# maximum lateness ---------------------------------------------------------------------------------


def _overdue(rules: RuleFacts, classes: Sequence[tuple[int, DemandClass]], sure: FloatArray) -> FloatArray:
    """Maximum lateness: what was asked for K buckets ago is served, or was turned away, oldest first.

        S_d(t) + U_d(t) >= O_d(t),     O_d(t) = D_d(t - K)

    S, U, D cumulative units served, turned away and asked for; K whole buckets of max_late_days. With one path this is
    the rule itself. With several, D is what is asked for on every path, bucket by bucket and in all: of the rest, which
    may never come, the plan of that later day decides. Before bucket K only what is owed from before can be overdue.
    """
    overdue = np.zeros(sure.shape)
    late, buckets = rules.late_buckets, sure.shape[1]
    if late is None:
        return overdue
    if late < buckets and len(sure):
        certain = np.cumsum(sure, axis=1)
        several = [d for d, (_, c) in enumerate(classes) if len(c.paths) > 1]
        for d in several:
            certain[d] = np.minimum(certain[d], np.cumsum(classes[d][1].paths, axis=1).min(axis=0))
        overdue[:, late:] = np.maximum(certain[:, : buckets - late], 0.0)
    for d, (_, one) in enumerate(classes):
        if one.owed is not None:
            overdue[d] = np.maximum(overdue[d], np.cumsum(one.owed[:-1]))
    return overdue


def turn_away_overdue(market: "Market", supply: FloatArray, turned_away: FloatArray) -> FloatArray:
    """Maximum lateness for a door that does not know it: turned_away, and besides what would be served too late.

    supply: (demanded, bucket) cumulative. What is overdue and neither served nor turned away by a bucket is turned away
    in the first buckets in which sure demand is left to turn away.
    """
    overdue = market.rules.overdue
    away = turned_away.copy()
    missing = overdue - supply - np.cumsum(away, axis=1)
    for d in np.flatnonzero(missing.max(axis=1, initial=0.0) > 0):
        for t in range(market.buckets):
            short = overdue[d, t] - supply[d, t] - away[d, : t + 1].sum()
            for s in range(t + 1):
                more = min(max(short, 0.0), market.demand.sure[d, s] - away[d, s])
                away[d, s] += more
                short -= more
    return away


# substitutes --------------------------------------------------------------------------------------


def honest_salvages(rules: Rules, demanded: IntArray, salvage: FloatArray, plain_cost: FloatArray) -> FloatArray:
    """(product) salvage, and never more than a substitute costs: nobody makes one to have the other left over.

    Substitutes: a unit of product q may be set aside for a class d of the demand for p, V(q, d, t) at cost c each,

        I_q(t) = I_q(t - 1) + arrivals - used - issued - sum of V(q, ., t),    M_d(t) - M_d(t - 1) = ... + V(., d, t),

    so that a unit of d costs at most the substitute's price in that bucket and c.
    """
    salvage = salvage.copy()
    of = demanded[rules.substitute_demand]
    np.minimum.at(salvage, of, plain_cost[rules.substitute_product] + rules.substitute_cost)
    return salvage


def worth_left(market: "Market", product: IntArray, holding: FloatArray) -> FloatArray:
    """(product, bucket) what a unit that is there in the bucket is worth by being left over. holding: the same axes."""
    return market.money.salvage[product, None] - np.cumsum(holding[:, ::-1], axis=1)[:, ::-1]


def worth_elsewhere(market: "Market", shelf_life: FloatArray) -> FloatArray:
    """(product, bucket) what it is worth at least by standing in for one that is left over, or by being thrown away.

    shelf_life: (product, bucket) its price.
    """
    rules = market.rules
    worth = np.where(rules.shelf_life[:, None] >= 0, 0.0, np.full(market.stock.fixed.shape, -np.inf))
    of = market.demand.product[rules.substitute_demand]
    left = worth_left(market, of, market.money.holding[of, None] + shelf_life[of])
    np.maximum.at(worth, rules.substitute_product, left - rules.substitute_cost[:, None])
    return worth


# shelf life ---------------------------------------------------------------------------------------


def fresh(market: "Market", arrived: FloatArray) -> FloatArray:
    """(product, bucket) most units that can be in stock at the bucket's end; inf for a product that keeps.

        I_p(t) + sum over its classes of E stock set aside for d  <=  sum of arrivals in (t - L, t]  + promised_p(t)

    Shelf life, oldest first: a unit may lie over the ends of L buckets, L whole buckets of shelf_life_days. As the
    oldest go first, what is left is the youngest: nothing older is left exactly when no more is left than came in the
    last L buckets. What would be older is wasted: it leaves stock, and has cost what it cost. Stock counts as new in
    the first bucket; what orders under way will still take, promised_p(t), is theirs. A substitute that is set aside
    counts as stock of what it stands in for, not as an arrival. With several paths the rule holds for the stock that
    is expected. arrived: (product, bucket) good units of what is started.
    """
    most = np.full(arrived.shape, np.inf)
    product = np.flatnonzero(market.rules.shelf_life >= 0)
    came = np.cumsum(arrived[product] + np.maximum(market.stock.fixed[product], 0.0), axis=1)
    life = market.rules.shelf_life[product]
    most[product] = came - _ago(came, life) + _promised(market, product)
    return most


def fresh_credit(market: "Market", price: FloatArray) -> FloatArray:
    """(product, bucket) what a unit's arrival is worth by making room: the prices of its next L buckets.

    price: (product, bucket) of the shelf life, per unit in stock.
    """
    total = np.cumsum(price, axis=1)
    last = np.clip(np.arange(market.buckets) + market.rules.shelf_life[:, None] - 1, 0, market.buckets - 1)
    until = np.take_along_axis(total, last, axis=1)
    credit = until - total + price
    return np.where(market.rules.shelf_life[:, None] > 0, credit, 0.0)


def _ago(amount: FloatArray, buckets: IntArray) -> FloatArray:
    """(row, bucket) the amount so many buckets before, 0 before the first. buckets: (row)."""
    then = np.arange(amount.shape[1]) - buckets[:, None]
    return np.where(then >= 0, np.take_along_axis(amount, np.maximum(then, 0), axis=1), 0.0)


def _promised(market: "Market", product: IntArray) -> FloatArray:
    """(product, bucket) units that orders under way will still take after the bucket."""
    out = np.maximum(-market.stock.fixed[product], 0.0)
    return out.sum(axis=1, keepdims=True) - np.cumsum(out, axis=1)


# change charge, firm shares, overtime -------------------------------------------------------------


def rule_costs(market: "Market", started: FloatArray, hours: FloatArray, substituted: FloatArray) -> dict[str, float]:
    """Money by term, of the rules that the market has. hours: (line, bucket) of what is started.

    Change charge:   sum over ways and charged buckets of  change_cost x |x(w, t) - x0(w, t)|,  x0: the earlier plan.
    Firm shares:     share_cost x sum over firms of  max(floor H - H_f, 0) + max(H_f - ceiling H, 0),  with H_f the
                     hours that the firm's lines work in the horizon, H those of all, orders under way included.
    Overtime:        sum of overtime_cost x max(hours - hours of the line, 0), at most `overtime` hours.
    Substitutes:     sum of cost x V.
    """
    rules, cost = market.rules, {}
    if "change charge" in market.rule_names:
        moved = np.abs(started - rules.before)[:, rules.charged]
        cost["changes"] = float(rules.change_cost @ moved.sum(axis=1))
    if "firm shares" in market.rule_names:
        of_line = (hours + market.lines.hours_taken).sum(axis=1)
        own, total = rules.on_firm @ of_line, of_line[rules.works].sum()
        missed = np.maximum(rules.floor * total - own, 0.0) + np.maximum(own - rules.ceiling * total, 0.0)
        cost["firm_shares"] = float(rules.share_cost * missed.sum())
    if "overtime" in market.rule_names:
        cost["overtime"] = float((rules.overtime_cost * np.maximum(hours - market.lines.hours, 0.0)).sum())
    if "substitutes" in market.rule_names:
        cost["substitution"] = float(rules.substitute_cost @ substituted.sum(axis=1))
    return cost


@dataclass(frozen=True, eq=False)
class Charges:
    """What the rules add to prices in the bound. Multipliers are cut to what keeps the bound true.

    change: (way, bucket) in [-charge, charge] per unit started; hour: (line) per hour, firms' shares; shelf_life:
    (product, bucket) per unit in stock.
    """

    change: FloatArray
    hour: FloatArray
    shelf_life: FloatArray


def charges(market: "Market", prices: "Prices") -> Charges:
    """The rules' own prices.

    charge |x - x0| >= v (x - x0)                         for v in [-charge, charge]; for x0 = 0 best at v = charge
    share_cost max(floor H - H_f, 0) >= phi (floor H - H_f),   phi in [0, share_cost];  the ceiling's alike
    0 >= mu (stock - fresh)                               for mu >= 0
    """
    rules, given = market.rules, prices.rule
    most = np.where(rules.charged, rules.change_cost[:, None], 0.0)
    change = np.clip(given.get("change charge", np.zeros(most.shape)), -most, most)
    change = np.where(rules.before > 0, change, most)
    change = np.where((rules.before > 0) & ~market.ways.is_open, -most, change)
    floor, ceiling = np.clip(given.get("firm shares", np.zeros((2, len(rules.firms)))), 0.0, rules.share_cost)
    hour = np.zeros(len(market.lines))
    if rules.firms:
        hour = (floor @ rules.floor - ceiling @ rules.ceiling) * rules.works + (ceiling - floor) @ rules.on_firm
    shelf = np.maximum(given.get("shelf life", np.zeros(market.stock.fixed.shape)), 0.0)
    return Charges(change, hour, np.where(rules.shelf_life[:, None] >= 0, shelf, 0.0))


def amounts_worth(market: "Market", prices: "Prices", charge: Charges) -> float:
    """What the bound takes off for the rules' own amounts, in money."""
    rules = market.rules
    worth = float((charge.change * rules.before).sum())
    worth -= float(charge.hour @ market.lines.hours_taken.sum(axis=1))
    if "overtime" in market.rule_names:
        over = np.maximum(np.maximum(prices.line, 0.0) - rules.overtime_cost, 0.0)
        worth += float((over * rules.overtime).sum())
    product = np.flatnonzero(rules.shelf_life >= 0)
    most = fresh(market, np.zeros(market.stock.fixed.shape))[product]
    return worth + float((charge.shelf_life[product] * most).sum())


def most_started(market: "Market") -> FloatArray:
    """(way, bucket) most units that hours and limits allow to start; inf where neither does."""
    scarce = np.flatnonzero((market.ways.line >= 0) & (market.ways.hours > 0))
    most = market.ways.limit.copy()
    hours = over_span(market, scarce, market.most_hours) * market.ways.span[scarce, None]
    most[scarce] = np.minimum(most[scarce], hours / market.ways.hours[scarce, None])
    return most
