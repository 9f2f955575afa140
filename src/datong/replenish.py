"""Replenishment of many items at once: forecast, belief in what is under way, and the order that costs least."""

from dataclasses import dataclass

from datong.model.flow import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of items when their orders are to be placed, all before the bucket that opens now.

    demand: (item, bucket) units of closed buckets; NaN where unknown or before the item's first. ordered: (item, bucket)
    units that were ordered in each of these. came_after: (item, bucket) buckets from that order to its arrival; NaN where it has
    not come, inf where it is known that it never will. on_hand: (item) units. promised_lead: (item) buckets.
    shortage_cost: (item) money per unit of lost sale. holding_cost: (item) money per unit and bucket.
    """

    demand: FloatArray
    ordered: FloatArray
    came_after: FloatArray
    on_hand: FloatArray
    promised_lead: IntArray
    shortage_cost: FloatArray
    holding_cost: FloatArray
