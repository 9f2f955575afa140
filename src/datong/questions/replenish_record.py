"""What was ordered of each item in the past and what became of it: the record from which `replenish` learns leads.

Overdue orders of a plan are judged elsewhere: network/overdue_arrivals.py.
"""

from dataclasses import dataclass

import numpy as np

from datong.learn.replenish_lead_times import furthest_lead
from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.model.flow import FloatArray
from datong.network.facts import ChainFacts
from datong.network.past_orders import PlacedOrder, placed_orders
from datong.network.site_transfers import still_on_the_way
from datong.network.ways import Way, lead_buckets

# Orders older than this say little of a supplier today.
RECORD_BUCKETS = 104


# Deliveries may be short by this share, as where a quantity is 'about' (UCP 600, article 30).
SHORT_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Sold:
    """A product that is sold, where it is (a label of the facts), its cheapest way and its lead time in buckets."""

    label: str
    way: Way
    unit_cost: float
    lead: int


@dataclass(frozen=True, eq=False)
class Record:
    """(item, closed bucket) each: good units ordered, buckets until they came (came_after; NaN not yet, inf never), the
    share of them that came (came_share), and good units still to come (left); and coming: (item, open bucket) good
    units of orders for later, by their due day."""

    ordered: FloatArray
    came_after: FloatArray
    came_share: FloatArray
    left: FloatArray
    coming: FloatArray


def past_orders(state: State, facts: ChainFacts, sold: list[Sold], buckets: int) -> Record:
    """What was ordered of each item, and what became of it.

    An order stands where one with the item's lead would have been placed to be there on the day it was promised for,
    or on which its own way brings it if that is later: ways differ in their leads, and leads change. Orders that stand
    in one bucket count as one: it has come when all of them have. An order has come once all but SHORT_SHARE of its
    good units are there; what is missing of one that is over, or older than any lead that is thought of, is lost, and
    the share of it that came is told. What came, or will not come, of other ways tells nothing of the item's; what is
    open of them comes on its day, until it is overdue.
    """
    calendar, first = state.settings.calendar, state.first_open_bucket
    at = {item.label: i for i, item in enumerate(sold)}
    ways: dict[tuple[str, str, str], Way] = {}
    for way in facts.ways:
        ways.setdefault((*way_and_kind(way), facts.product_of(way.product)), way)
    found: dict[tuple[int, int], list[tuple[PlacedOrder, float, int | None]]] = {}
    coming = np.zeros((len(sold), buckets))
    for row in still_on_the_way(state).to_pylist():
        label = row["product"] if facts.places is None else facts.places.label.get((row["product"], row["to_site"]), "")
        there = max(calendar.index(calendar.local_date(row["arrives"]), first), 0)
        if label in at and there < buckets:
            coming[at[label], there] += row["units"]
    for order in placed_orders(state):
        own = ways.get((order.kind, order.source, order.product))
        label = order.product
        if facts.places is not None:
            site = order.site or (own.site if own is not None else None) or ""
            label = facts.places.label.get((order.product, site), label)
        if label not in at:
            continue
        lead, good = sold[at[label]].lead, 1.0 if own is None else own.yield_share
        promised = calendar.index(order.due, first)
        earliest = calendar.index(order.placed, first) + (0 if own is None else lead_buckets(own, calendar))
        due = max(promised, earliest)
        age = lead - due
        if age > RECORD_BUCKETS:
            continue
        other = own is not None and way_and_kind(own) != way_and_kind(sold[at[label]].way)
        if other and not order.left_units:
            continue  # says nothing of this way
        if age > 0 and not (other and due >= 0):
            arrived = None if order.arrived is None else calendar.index(order.arrived, first)
            came = None if arrived is None else _came_after(arrived, promised, due, lead)
            found.setdefault((at[label], age), []).append((order, good, came))
        elif due < buckets:  # for later, or by another way whose word is not broken
            coming[at[label], due] += order.left_units * good
    ordered, left = np.zeros((len(sold), RECORD_BUCKETS)), np.zeros((len(sold), RECORD_BUCKETS))
    came_after, came_share = np.full(ordered.shape, np.nan), np.ones(ordered.shape)
    furthest = furthest_lead(np.array([item.lead for item in sold], dtype=np.int64))
    for (item, age), orders in found.items():
        left[item, -age] = sum(order.left_units * good for order, good, _ in orders)
        units = np.array([order.units * good for order, good, _ in orders])
        share = np.array([order.good_units for order, _, _ in orders]) / np.maximum(units, LEAST_UNITS)
        share = np.where(share >= 1 - SHORT_SHARE, 1.0, share)
        is_open = (share < 1) & (age <= furthest[item]) & (np.array([o.left_units for o, _, _ in orders]) > 0)
        if is_open.any():
            ordered[item, -age] = left[item, -age]
            continue
        ordered[item, -age] = units.sum()
        came_share[item, -age] = share @ units / max(units.sum(), LEAST_UNITS)
        came_after[item, -age] = max((came for _, _, came in orders if came is not None), default=np.inf)
    return Record(ordered, came_after, came_share, left, coming)


def way_and_kind(way: Way) -> tuple[str, str]:
    """What an order names of its way."""
    return way.kind, way.row or way.name


def _came_after(arrived: int, promised: int, due: int, lead: int) -> int:
    """Buckets until an order came that stands `lead` before `due`; one bucket early is the calendar, and no news."""
    if arrived > due:
        return lead + arrived - due
    early = promised - arrived
    return lead if early <= 1 else max(lead - early, 0)
