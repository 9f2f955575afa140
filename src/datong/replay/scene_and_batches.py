"""What a simulation is made of: the scene, the same for every policy, and what begins, arrives and is sent on it.

A product stands for a stock point, by its label, in a chain with lanes (network/places.py).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np

from datong.model.flow import IntArray, Item, PlannedOrder
from datong.model.settings import ChainSettings
from datong.network.economics import Economics
from datong.network.places import ANYWHERE, Places
from datong.network.position import UnderWay
from datong.network.ways import Way, of_units, way_on, ways_by_row

# Below this many units there is nothing left.
NOTHING = 1e-9

Due = tuple[Item, date]


@dataclass(frozen=True, eq=False)
class Scene:
    """What is the same for every policy.

    economics, unit_cost (money for a unit by the cheapest way, components included), opening_units: by product.
    opening_owed: units by item and due day. demand_units: by bucket, units due in it by item and due day, less what had
    been served ahead. line_hours: by bucket, hours that each line could run, and units that go on a lane or come by an
    offer of which several products or sites share. ways: by name, with the yield that was really had; `way_of` an order
    is the version of its recipe, offer or lane that held on the day it starts. lead_days: by recipe or offer, lead
    times that orders on it really had; where none are recorded, the way's own holds. places: of a chain with lanes.
    """

    settings: ChainSettings
    buckets: tuple[date, ...]
    products: tuple[str, ...]
    economics: Mapping[str, Economics]
    unit_cost: Mapping[str, float]
    ways: Mapping[str, Way]
    opening_units: Mapping[str, float]
    opening_owed: Mapping[Due, float]
    demand_units: tuple[Mapping[Due, float], ...]
    line_hours: tuple[Mapping[str, float], ...]
    lead_days: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    places: Places | None = None

    @cached_property
    def _by_row(self) -> Mapping[tuple[str, str], tuple[Way, ...]]:
        return ways_by_row(self.ways.values())

    @cached_property
    def picks(self) -> Mapping[str, Sequence[Way]]:
        """What is taken of alternate components -> the alternatives, the cheapest first."""
        found: dict[str, list[Way]] = {}
        for way in self.ways.values():
            if way.picks is not None:
                found.setdefault(way.product, []).append(way)
        return {label: sorted(own, key=self._cost_of_pick) for label, own in found.items()}

    def _cost_of_pick(self, way: Way) -> tuple[float, str]:
        parts = sum(u.units_per_unit * self.unit_cost.get(u.component, 0.0) for u in way.uses)
        return way.cost_per_unit + parts, way.name

    def way_of(self, order: PlannedOrder | UnderWay) -> Way | None:
        """None where the chain has none of that name. An order that names no site is of the first that brings its
        product to any."""
        versions: Sequence[Way] = self._by_row.get((order.kind, order.recipe or order.offer or order.lane or ""), ())
        if self.places is not None:
            # The code of a routing step names it alone.
            own = [w for w in versions if w.place is not None or self.product_of(w.product) == order.product]
            site = order.site or next((w.site for w in own), None)
            there = [w for w in own if (w.site or ANYWHERE) == (order.site or ANYWHERE)]
            versions = there or [w for w in own if w.site == site and order.site is None]
        return way_on(of_units(versions, order.units), order.start) if versions else None

    def product_of(self, label: str) -> str:
        return self.places.points[label].product if self.places and label in self.places.points else label

    def site_of(self, label: str) -> str | None:
        """None in a chain without lanes, and where no site is named."""
        return (self.places.points[label].site or None) if self.places and label in self.places.points else None

    def label_of(self, item: Item) -> str:
        """Where an item is asked for."""
        return item.product if self.places is None else self.places.asked_at.get(item, item.product)

    @cached_property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """By label that others serve, these."""
        found: dict[str, list[str]] = defaultdict(list)
        if self.places is not None:
            label = self.places.label
            for move in self.places.moves:
                if move.lane is None:
                    found[label[move.product, move.to_site]].append(label[move.product, move.from_site])
        return {to: tuple(sorted(own)) for to, own in found.items()}

    @cached_property
    def shared(self) -> frozenset[str]:
        """Keys of line_hours that are no lines."""
        return frozenset(w.line for w in self.ways.values() if w.kind != "make" and w.line is not None)

    @cached_property
    def codes(self) -> tuple[tuple[str, ...], IntArray]:
        """Codes of the products, and (label) the position of its own in them."""
        of_label = [self.product_of(label) for label in self.products]
        codes = tuple(dict.fromkeys(of_label))
        at = {code: i for i, code in enumerate(codes)}
        return codes, np.array([at[code] for code in of_label], dtype=np.int64)


@dataclass(frozen=True)
class Batch:
    """Good units of a product that are there in the bucket which starts at `arrives`. cost: money for all of them,
    without what components they take as they begin.

    planned: the order that they came of; None for what the records tell, of the company or as the replay begins.
    scrap_units: what was started for it and did not become good. uses: units of components taken, by label. besides:
    units of co-products that are there with it, by label.
    """

    order: str
    kind: str
    product: str
    units: float
    arrives: date
    cost: float
    planned: PlannedOrder | None = None
    scrap_units: float = 0.0
    uses: tuple[tuple[str, float], ...] = ()
    besides: tuple[tuple[str, float], ...] = ()

    @property
    def brings(self) -> tuple[tuple[str, float], ...]:
        """All units that come, by label."""
        return ((self.product, self.units), *self.besides)


@dataclass(frozen=True)
class Begun:
    """What begins in a bucket. short_units: by product, units ordered that lacked components."""

    batches: Sequence[Batch]
    short_units: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """Units sent to the buyers of an item at the end of a bucket. label: off whose stock."""

    item: Item
    bucket: date
    units: float
    label: str
