"""The rules beyond the linear core, each with its equation first. A Market holds their arrays in `beyond`.

Each rule stands in three places and nowhere else: in the exact door (highs.py), in `evaluate`, which refuses a plan that
breaks it and costs it, and in the bound, where it has a price of its own (Prices.rule) or limits the choices of a layer.
Units: t and s are buckets, d a class of demand, p a product, w a way, l a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datong.ledger.rule_facts import DemandClass, RuleFacts
from datong.model.flow import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from datong.balance.pack import Market
    from datong.balance.solution import Prices, Solution


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
