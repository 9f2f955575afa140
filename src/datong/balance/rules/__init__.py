"""The rules beyond the linear core, one a file. rule.py says what a rule is, and where its terms stand."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from datong.balance.rules.change_charge import ChangeCharge
from datong.balance.rules.co_products import CoProducts
from datong.balance.rules.firm_shares import FirmShares
from datong.balance.rules.largest_stock import LargestStock
from datong.balance.rules.lines_at_once import LinesAtOnce
from datong.balance.rules.long_lots import LongLots
from datong.balance.rules.max_lateness import MaxLateness
from datong.balance.rules.order_lateness import OrderLateness
from datong.balance.rules.overtime import Overtime
from datong.balance.rules.per_lot import PerLot
from datong.balance.rules.priorities import Priorities
from datong.balance.rules.rule import Chain, Charges, Part, Rule
from datong.balance.rules.safety_stock import SafetyStock
from datong.balance.rules.shelf_life import ShelfLife
from datong.balance.rules.smallest_delivery import SmallestDelivery
from datong.balance.rules.sourcing_shares import SourcingShares
from datong.balance.rules.stock_held import StockCurve
from datong.balance.rules.substitutes import Substitutes
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class Rules:
    """All rules of a market, those that it does not have included. Programme and referee go over them in this order."""

    substitutes: Substitutes
    overtime: Overtime
    shelf_life: ShelfLife
    change_charge: ChangeCharge
    firm_shares: FirmShares
    max_lateness: MaxLateness
    priorities: Priorities
    order_lateness: OrderLateness
    smallest_delivery: SmallestDelivery
    safety_stock: SafetyStock
    largest_stock: LargestStock
    long_lots: LongLots
    lines_at_once: LinesAtOnce
    per_lot: PerLot
    sourcing_shares: SourcingShares
    co_products: CoProducts

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "Rules":
        return cls(
            substitutes=Substitutes.of(facts, chain),
            overtime=Overtime.of(facts, chain),
            shelf_life=ShelfLife.of(facts, chain),
            change_charge=ChangeCharge.of(facts, chain),
            firm_shares=FirmShares.of(facts, chain),
            max_lateness=MaxLateness.of(facts, chain),
            priorities=Priorities.of(facts, chain),
            order_lateness=OrderLateness.of(facts, chain),
            smallest_delivery=SmallestDelivery.of(facts, chain),
            safety_stock=SafetyStock.of(facts, chain),
            largest_stock=LargestStock.of(facts, chain),
            long_lots=LongLots.of(facts, chain),
            lines_at_once=LinesAtOnce.of(facts, chain),
            per_lot=PerLot.of(facts, chain),
            sourcing_shares=SourcingShares.of(facts, chain),
            co_products=CoProducts.of(facts, chain),
        )

    @cached_property
    def all(self) -> tuple[Rule, ...]:
        return tuple(getattr(self, f.name) for f in fields(self))

    @cached_property
    def by_name(self) -> tuple[Rule, ...]:
        """All rules in the order of their names, in which their money is summed."""
        return tuple(sorted(self.all, key=lambda rule: rule.name))

    @cached_property
    def there(self) -> tuple[Rule, ...]:
        """The rules that the chain has, in the order of their names."""
        return tuple(rule for rule in self.by_name if rule.is_there)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(rule.name for rule in self.there)

    @property
    def unknown_to_search(self) -> tuple[str, ...]:
        """Names of those that the search of prices does not keep."""
        return tuple(rule.name for rule in self.there if not rule.is_in_search)

    def in_no_pool(self, is_pooled: BoolArray, demanded: IntArray) -> "Rules":
        """The rules of stock, in the curves of demand where that can be. is_pooled: (product); demanded: (demanded)."""
        safety, largest = (rule.in_no_pool(is_pooled, demanded) for rule in (self.safety_stock, self.largest_stock))
        return replace(self, safety_stock=safety, largest_stock=largest)

    def stock_curve(self, d: int, net: FloatArray) -> StockCurve | None:
        """What the rules of stock add to the curve of a class of demand; None: nothing. net: (path, bucket) its
        cumulative units net of what comes anyway."""
        below, above = (at.get(d) for at in self._targets_of)
        if below is None and above is None:
            return None
        none = np.zeros(net.shape[1])
        smallest, cost = (
            none if below is None else rows[below] for rows in (self.safety_stock.smallest, self.safety_stock.cost)
        )
        largest, beyond = (
            otherwise if above is None else rows[above]
            for rows, otherwise in ((self.largest_stock.largest, none + np.inf), (self.largest_stock.cost, none))
        )
        return StockCurve(smallest, largest, cost, beyond, net)

    @cached_property
    def _targets_of(self) -> tuple[dict[int, int], dict[int, int]]:
        """Class of demand -> the target of a smallest, and of a largest stock, that stands in its curve."""
        below, above = (
            {d: k for k, d in enumerate(rule.own.tolist()) if d >= 0}
            for rule in (self.safety_stock, self.largest_stock)
        )
        return below, above

    @cached_property
    def in_curves(self) -> BoolArray:
        """(demanded) whether rules of stock stand in its curve."""
        found = np.zeros(len(self.priorities.weight), dtype=bool)
        own = np.concatenate([self.safety_stock.own, self.largest_stock.own])
        found[own[own >= 0]] = True
        return found

    def part(self, part: Part) -> "Rules":
        return Rules(**{f.name: getattr(self, f.name).part(part) for f in fields(self)})


def pools(rules: Rules, demanded: IntArray, is_component: BoolArray, way_product: IntArray) -> BoolArray:
    """(product) whether its units lie in one stock until they are used or set aside for one demand.

    Components do. So do products whose demand has several classes or smallest deliveries, substitutes, what is asked
    for and goes bad, what nobody asks for and is to lie in stock, and all that comes together of one start.
    way_product: (way) the product that it brings.
    """
    pooled = is_component.copy()
    pooled[rules.substitutes.product] = True
    pooled[rules.co_products.product] = True
    pooled[way_product[rules.co_products.way]] = True
    asked = np.bincount(demanded, minlength=len(pooled))
    pooled |= asked > 1
    pooled[demanded[rules.smallest_delivery.smallest > 0]] = True
    for rule in (rules.safety_stock, rules.largest_stock):
        pooled[rule.stock.product[asked[rule.stock.product] == 0]] = True
    return pooled | ((rules.shelf_life.life >= 0) & (asked > 0))


def charges(market: "Market", prices: "Prices") -> Charges:
    """The rules' own prices."""
    rules, count = market.rules, len(market.products)
    safety = rules.safety_stock.price(prices)
    return Charges(
        change=rules.change_charge.price(market, prices),
        hour=rules.firm_shares.price(market, prices),
        way=rules.sourcing_shares.price(prices),
        shelf_life=rules.shelf_life.price(market, prices),
        safety_stock=safety,
        off_holding=rules.safety_stock.stock.by_product(safety, count),
    )
