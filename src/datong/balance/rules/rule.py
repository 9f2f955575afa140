"""What a rule beyond the linear core is, and the places in which its terms stand.

A rule is a file: a frozen dataclass of its arrays, made of the chain's facts by `of`, with its equation first in its
docstring. A chain that does not have the rule has it with empty arrays, or with arrays that do nothing. Its terms:

    HiGHS      `add_to` adds columns and rows to the linear programme (highs.py) and gives what reads them back
    referee    `referee` refuses a plan that breaks the rule, and gives what it costs (evaluate.py)
    bound      `worth`: what the rule's own amounts are worth at given prices (bound.py); further terms of a rule that
               has a price of its own, or limits the choices of a layer, are methods or are named in its docstring
    search     `in_search`: the search of prices (price_search.py, dual.py) keeps the rule
    lots       the integer programme (exact_lots.py) has what `add_to` adds; what a product needs at most under the rule
               stands there (`most_wanted`)

Units: t and s are buckets, d a class of demand, p a product, w a way, l a line.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import DemandClass
from datong.network.ways import Way

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class Chain:
    """What the arrays of the rules are made for."""

    # (product) names.
    products: Sequence[str]
    # (way) as the chain has them.
    ways: Sequence[Way]
    # (way) buckets that a start works over.
    span: IntArray
    # (line) names.
    lines: Sequence[str]
    # Names among `lines` of what is none, but a lane or an offer.
    shared: Container[str]
    # (demanded) the index of its product, and the class of demand.
    classes: Sequence[tuple[int, DemandClass]]
    # (demanded, bucket) units asked for in every path.
    sure: FloatArray
    # (way) money: the most that an hour of its line can earn by it.
    way_worth: FloatArray
    # Buckets whose plan nobody can change.
    frozen_buckets: int

    @property
    def buckets(self) -> int:
        return self.sure.shape[1]


@dataclass(frozen=True, eq=False)
class Part:
    """Part of a market: some of its demand and its ways, on no line."""

    # Indices of the demanded that are kept.
    demanded: IntArray
    # (product) whether it has to do with them.
    products: BoolArray
    # Indices of the ways that are kept.
    ways: IntArray
    # How many buckets there are.
    buckets: int


@dataclass(frozen=True, eq=False)
class Walk:
    """A plan as the referee has walked it."""

    # (way, bucket) units.
    started: FloatArray
    # (line, bucket) hours of what is started, set-ups included.
    hours: FloatArray
    # (product, bucket) good units that come of what is started.
    arrived: FloatArray
    # (substitute, bucket) units set aside for the demand that they stand in for.
    substituted: FloatArray
    # (product, bucket) units that went bad.
    wasted: FloatArray
    # (demanded, bucket) cumulative units that came to it or were turned away.
    in_time: FloatArray
    # (demanded, bucket) cumulative units that it was served, as expected.
    served: FloatArray
    # (product, bucket) units at the bucket's end, in pools and set aside, as expected.
    stock: FloatArray


@dataclass(frozen=True, eq=False)
class Found:
    """What a rule reads back out of a solved programme."""

    # Its own prices, on its own axes; None: it has none.
    price: FloatArray | None = None
    # Units of its own columns, on its own axes; None: it has none.
    units: FloatArray | None = None


# Values (column) and duals (row) of a solved programme -> what the rule finds there.
Reader = Callable[[FloatArray, FloatArray], Found]


def nothing_found(_value: FloatArray, _dual: FloatArray) -> Found:
    """Of a rule without columns and rows of its own."""
    return Found()


@dataclass(frozen=True, eq=False)
class Charges:
    """What the rules add to prices in the bound: multipliers, cut to what keeps the bound true."""

    # (way, bucket) money per unit started, in [-charge, charge]: the change charge's.
    change: FloatArray
    # (line) money per hour: the firm shares'.
    hour: FloatArray
    # (way, bucket) money per unit started, or (way, 1): the sourcing shares'.
    way: FloatArray
    # (product, bucket) money per unit in stock: the shelf life's.
    shelf_life: FloatArray
    # (target, bucket) money per unit in stock that is not below the smallest: the safety stock's.
    safety_stock: FloatArray
    # (product, bucket) money per unit in stock: what the safety stocks take off.
    off_holding: FloatArray

    def held(self, product: IntArray) -> FloatArray:
        """(product, bucket) what the rules add to holding. product: indices."""
        return self.shelf_life[product] - self.off_holding[product]


class Rule:
    """A rule that adds nothing anywhere: each rule says where it does."""

    # By which findings, refusals and prices name it.
    name: ClassVar[str]
    # Whether the search of prices keeps it.
    in_search: ClassVar[bool] = False
    # Whether it can make it pay to have more than anyone asks for.
    leaves_over: ClassVar[bool] = False
    # Whether its price can make it pay to start a way for nothing but having started it.
    earns: ClassVar[bool] = False

    @property
    def can_leave_over(self) -> bool:
        """Whether it can make it pay, as this chain has it, to have more than anyone asks for."""
        return self.leaves_over

    @property
    def is_in_search(self) -> bool:
        """Whether the search of prices keeps it as this chain has it."""
        return self.in_search

    @property
    def is_there(self) -> bool:
        """Whether the chain has the rule."""
        raise NotImplementedError

    def part(self, part: Part) -> Self:
        """The rule of part of the market."""
        raise NotImplementedError

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        """Adds its columns and rows. column_of: (way, bucket) column of starts, or -1."""
        return nothing_found

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        """Money by term. Raises AssertionError where the plan breaks the rule."""
        return {}

    def lets_start(self, market: "Market", arrived: FloatArray, stock: FloatArray) -> bool:
        """Whether deliveries can be chosen that keep it, for starts that are within ways, hours and stocks.

        arrived: (product, bucket) good units that come of them; stock: those at its end if nothing is delivered.
        """
        return True

    def worth(self, market: "Market", prices: "Prices", charges: Charges) -> float:
        """Money that the bound takes off for the rule's own amounts."""
        return 0.0
