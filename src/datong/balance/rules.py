"""The rules beyond the linear core, each with its equation first. A Market holds their arrays in `beyond`.

Each rule stands in three places and nowhere else: in the exact door (highs.py), in `evaluate`, which refuses a plan that
breaks it and costs it, and in the bound, where it has a price of its own (Prices.rule) or limits the choices of a layer.
Units: t and s are buckets, d a class of demand, p a product, w a way, l a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datong.ledger.facts import Way
from datong.ledger.rule_facts import DemandClass, RuleFacts
from datong.model.flow import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from datong.balance.pack import Market
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class Rules:
    """Arrays of the rules. A rule that a chain does not have has an empty array, or one that does nothing.

    weight: (demanded) factor on lateness and loss. overdue: (demanded, bucket) cumulative units that must be served or
    turned away by the end of the bucket. substitute_demand, substitute_product, substitute_cost: (substitute) a class of
    demand, the product that may serve it, money per unit. shelf_life: (product) buckets, -1 where a unit keeps.
    change_cost: (way) money per unit; before: (way, bucket) units of the earlier plan; charged: (bucket) it reaches so
    far. firms, floor, ceiling: (firm); on_firm: (firm, line); share_cost: money per hour. overtime, overtime_cost:
    (line, bucket) hours, money per hour.
    """

    weight: FloatArray
    overdue: FloatArray
    substitute_demand: IntArray
    substitute_product: IntArray
    substitute_cost: FloatArray
    shelf_life: IntArray
    change_cost: FloatArray
    before: FloatArray
    charged: BoolArray
    firms: tuple[str, ...]
    floor: FloatArray
    ceiling: FloatArray
    on_firm: BoolArray
    share_cost: float
    overtime: FloatArray
    overtime_cost: FloatArray

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
) -> Rules:
    """Arrays of the rules. classes: each class of demand with the index of its product; sure: (class, bucket).

    way_worth: (way) the most that an hour of its line can earn by it.
    """
    buckets = sure.shape[1]
    at = {p: i for i, p in enumerate(products)}
    of = {p: [d for d, (i, _) in enumerate(classes) if i == at[p]] for p in {s.product for s in rules.substitutes}}
    pairs = [(d, at[s.substitute], s.cost_per_unit) for s in rules.substitutes for d in of[s.product]]
    shares = [s for s in rules.shares if s.firm in set(rules.firm_of_line.values())]
    none = np.zeros(buckets)
    return Rules(
        weight=np.array([c.weight for _, c in classes], dtype=np.float64),
        overdue=_overdue(rules, products, classes, sure),
        substitute_demand=np.array([d for d, *_ in pairs], dtype=np.int64),
        substitute_product=np.array([p for _, p, _ in pairs], dtype=np.int64),
        substitute_cost=np.array([c for *_, c in pairs], dtype=np.float64),
        shelf_life=np.array([rules.shelf_life_buckets.get(p, -1) for p in products], dtype=np.int64),
        change_cost=np.array([rules.change_cost.get(w.product, 0.0) for w in ways], dtype=np.float64),
        before=np.array([rules.before.get(w.name, none) for w in ways]).reshape(len(ways), buckets),
        charged=np.arange(buckets) < rules.before_buckets,
        firms=tuple(s.firm for s in shares),
        floor=np.array([s.floor for s in shares], dtype=np.float64),
        ceiling=np.array([s.ceiling for s in shares], dtype=np.float64),
        on_firm=np.array([[rules.firm_of_line.get(line) == s.firm for line in lines] for s in shares], dtype=bool).reshape(
            len(shares), len(lines)
        ),
        share_cost=rules.hour_worth_factor * float(way_worth.max(initial=0.0)),
        overtime=np.array([rules.overtime_hours.get(line, none) for line in lines]).reshape(len(lines), buckets),
        overtime_cost=np.array([rules.overtime_cost.get(line, none) for line in lines]).reshape(len(lines), buckets),
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


def _overdue(
    rules: RuleFacts, products: Sequence[str], classes: Sequence[tuple[int, DemandClass]], sure: FloatArray
) -> FloatArray:
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
    if rules.owed:
        first: dict[str, int] = {}
        for d, (product, _) in enumerate(classes):  # what is owed is firm: of the dearest class that holds as much
            owed = rules.owed.get(products[product])
            if owed is not None and products[product] not in first and sure[d, 0] >= owed.sum() - 1e-9:
                first[products[product]] = d
                overdue[d] = np.maximum(overdue[d], np.cumsum(owed))
    return overdue


def turn_away_overdue(market: "Market", supply: FloatArray, turned_away: FloatArray) -> FloatArray:
    """Maximum lateness for a door that does not know it: turned_away, and besides what would be served too late.

    supply: (demanded, bucket) cumulative. What is overdue and neither served nor turned away by a bucket is turned away
    in the first buckets in which sure demand is left to turn away.
    """
    overdue = market.beyond.overdue
    away = turned_away.copy()
    missing = overdue - supply - np.cumsum(away, axis=1)
    for d in np.flatnonzero(missing.max(axis=1, initial=0.0) > 0):
        for t in range(market.buckets):
            short = overdue[d, t] - supply[d, t] - away[d, : t + 1].sum()
            for s in range(t + 1):
                more = min(max(short, 0.0), market.sure[d, s] - away[d, s])
                away[d, s] += more
                short -= more
    return away
