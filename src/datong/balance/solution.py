"""What a door gives back, whichever it is: quantities and prices, as arrays on the market's axes."""

from dataclasses import dataclass

from datong.model.flow import FloatArray


@dataclass(frozen=True, eq=False)
class Prices:
    """Money per unit of what is scarce; none is negative but `component`.

    line: (line, bucket) per hour. limit: (way, bucket) per unit of a limited offer. turned_away: (demanded, bucket) per
    unit of sure demand. component: (product, bucket) at most this per unit; inf where its cheapest way decides.
    """

    line: FloatArray
    limit: FloatArray
    turned_away: FloatArray
    component: FloatArray


@dataclass(frozen=True, eq=False)
class Solution:
    """started: (way, bucket) units. issued: (demanded, bucket) units of a component product that are set aside to sell.

    turned_away: (demanded, bucket) units of sure demand that are not served.
    """

    started: FloatArray
    issued: FloatArray
    turned_away: FloatArray
    prices: Prices
    door: str
    iterations: int
