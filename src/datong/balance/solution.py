"""What a door gives back, whichever it is: quantities and prices, as arrays on the market's axes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from datong.model.flow import FloatArray

# Told while a door works: seconds so far, iteration, cost of the best plan at hand (None: none yet) and the bound that
# is certain so far, in money (-inf: none yet). False asks the door to stop and to give its best plan.
OnProgress = Callable[[float, int, float | None, float], bool]


@dataclass(frozen=True)
class Limits:
    """When a door may stop: at a certified gap, as a share of what can be avoided of the plan's cost (avoidable.py), or
    after so many seconds of solving. most_nodes: of the search for lots, that HiGHS may look at."""

    gap_share: float = 0.01
    time_limit_s: float | None = None
    most_nodes: int = 200


USUAL_LIMITS = Limits()


def never_stop(_seconds: float, _iteration: int, _cost: float | None, _bound: float) -> bool:
    """An OnProgress that only listens."""
    return True


@dataclass(frozen=True, eq=False)
class Prices:
    """Money per unit of what is scarce; none is negative but `component`.

    line: (line, bucket) per hour. limit: (way, bucket) per unit of a limited offer. turned_away: (demanded, bucket) per
    unit of sure demand. component: (product, bucket) at most this per unit; inf where its cheapest way decides.
    rule: prices of the rules beyond the linear core by their names, as their files in rules/ have them.
    """

    line: FloatArray
    limit: FloatArray
    turned_away: FloatArray
    component: FloatArray
    rule: Mapping[str, FloatArray] = field(default_factory=dict)


def nothing() -> FloatArray:
    return np.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class Solution:
    """started: (way, bucket) units. issued: (demanded, bucket) units of a component product that are set aside to sell.

    turned_away: (demanded, bucket) units of sure demand that are not served. substituted: (substitute, bucket) units of
    it that are set aside for the demand it stands in for. wasted: (product, bucket) units that went bad. The last two
    are empty where nothing of the kind can be. gap: money by which it may be above the cheapest plan, of whole numbers
    that a solver decided; inf: not known.
    """

    started: FloatArray
    issued: FloatArray
    turned_away: FloatArray
    prices: Prices
    door: str
    iterations: int
    substituted: FloatArray = field(default_factory=nothing)
    wasted: FloatArray = field(default_factory=nothing)
    gap: float = math.inf
