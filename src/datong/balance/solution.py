"""What a door gives back, whichever it is: quantities and prices, as arrays on the market's axes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from datong.model.flow import FloatArray


@dataclass(frozen=True, eq=False)
class Prices:
    """Money per unit of what is scarce; none is negative but `component`.

    line: (line, bucket) per hour. limit: (way, bucket) per unit of a limited offer. turned_away: (demanded, bucket) per
    unit of sure demand. component: (product, bucket) at most this per unit; inf where its cheapest way decides.
    rule: prices of the rules beyond the linear core by their name, as rules.py has them.
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
    are empty where nothing of the kind can be.
    """

    started: FloatArray
    issued: FloatArray
    turned_away: FloatArray
    prices: Prices
    door: str
    iterations: int
    substituted: FloatArray = field(default_factory=nothing)
    wasted: FloatArray = field(default_factory=nothing)
