"""The ways and their components as arrays: levels, days on which they are valid, cost of a good unit."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.bill_levels import in_no_circle, level_turns, product_levels
from datong.network.horizon import day_numbers
from datong.network.ways import Way


@dataclass(frozen=True, eq=False)
class OutputArrays:
    """What comes of ways besides their products. All (output)."""

    # Index of the way.
    way: IntArray
    # Index of the product that comes besides that of the way.
    product: IntArray
    # Units of it for a unit started.
    units: FloatArray
    # The part of what a start costs that it bears.
    share: FloatArray
    # Whether it goes into what the way takes, at whatever level, so that not everybody can begin with it.
    needed: BoolArray


@dataclass(frozen=True, eq=False)
class WayArrays:
    """The ways and their components as arrays. Axes: way; use (a way's component, in the order of the ways).

    product: (way) index of what it makes; cost, yield_share: (way). use_way, use_component, use_units: (use). from_day,
    to_day (not included): days since 1970-01-01, of ways, and use_from_day, use_to_day of uses. own_share: (way) the
    part of what a start costs that its product bears. level: (product) 0 where nothing goes into it, else one more than
    the highest of its components; and a co-product is above what it comes with, unless it goes into that.
    turns_of_level: levels in the order in which prices and times are handed on through them (`level_turns`). closed:
    (way, first day, day after) in which a way may not start.
    """

    product: IntArray
    cost: FloatArray
    yield_share: FloatArray
    from_day: IntArray
    to_day: IntArray
    use_way: IntArray
    use_component: IntArray
    use_units: FloatArray
    use_from_day: IntArray
    use_to_day: IntArray
    outputs: OutputArrays
    own_share: FloatArray
    level: IntArray
    turns_of_level: IntArray
    closed: tuple[tuple[int, date, date], ...] = ()

    @classmethod
    def of(cls, products: Sequence[str], ways: Sequence[Way]) -> "WayArrays":
        """Raises NoPlan where a product goes into itself."""
        at = {p: i for i, p in enumerate(products)}
        way_uses = [tuple(u for u in w.uses if u.component in at) for w in ways]
        uses = [u for own in way_uses for u in own]
        product = np.array([at[w.product] for w in ways], dtype=np.int64)
        use_way = np.repeat(np.arange(len(ways)), np.array([len(own) for own in way_uses], dtype=np.int64))
        use_component = np.array([at[u.component] for u in uses], dtype=np.int64)
        is_move = np.array([w.kind == "move" for w in ways], dtype=bool)
        parent, part = product[use_way], use_component
        if any(w.lot_uses for w in ways):
            pairs = [(at[w.product], at[c]) for w in ways for c, _ in w.lot_uses if c in at]
            parent, part = (np.concatenate([a, b]) for a, b in zip((parent, part), np.array(pairs).T, strict=True))
            is_move = np.concatenate([is_move[use_way], np.zeros(len(pairs), dtype=bool)])
        else:
            is_move = is_move[use_way]
        outputs = [(w, at[o.product], o) for w, way in enumerate(ways) for o in way.outputs if o.product in at]
        out_way, out_product = (np.array([o[i] for o in outputs], dtype=np.int64) for i in (0, 1))
        needed = np.zeros(len(outputs), dtype=bool)
        if outputs:
            of, into, before, takes = _besides(product, use_way, use_component, out_way, out_product)
            fits = in_no_circle(len(products), parent, part, into, before)
            needed[of[takes & ~fits]] = True
            parent, part = np.concatenate([parent, into[fits]]), np.concatenate([part, before[fits]])
            is_move = np.concatenate([is_move, np.zeros(int(fits.sum()), dtype=bool)])
        level = product_levels(products, parent, part, is_move)
        return cls(
            product=product,
            cost=np.array([w.cost_per_unit for w in ways], dtype=np.float64),
            yield_share=np.array([w.yield_share for w in ways], dtype=np.float64),
            from_day=day_numbers([w.valid_from for w in ways], date.min),
            to_day=day_numbers([w.valid_to for w in ways], date.max),
            use_way=use_way,
            use_component=use_component,
            use_units=np.array([u.units_per_unit for u in uses], dtype=np.float64),
            use_from_day=day_numbers([u.valid_from for u in uses], date.min),
            use_to_day=day_numbers([u.valid_to for u in uses], date.max),
            outputs=OutputArrays(
                way=out_way,
                product=out_product,
                units=np.array([o.units_per_unit for *_, o in outputs], dtype=np.float64),
                share=np.array([o.share for *_, o in outputs], dtype=np.float64),
                needed=needed,
            ),
            own_share=np.array([w.own_share for w in ways], dtype=np.float64),
            level=level,
            turns_of_level=level_turns(level, product[use_way], use_component),
            closed=tuple((i, *days) for i, w in enumerate(ways) for days in (*w.closed, *w.between_orders)),
        )

    def open_in(self, bucket_starts: Sequence[date]) -> tuple[BoolArray, BoolArray]:
        """(way, bucket) and (use, bucket): valid on the first day of the bucket; of ways also: not refused then."""
        start = day_numbers(bucket_starts)
        ways = (self.from_day[:, None] <= start) & (start < self.to_day[:, None])
        for way, first, after in self.closed:
            ways[way, [first <= day < after for day in bucket_starts]] = False
        return ways, (self.use_from_day[:, None] <= start) & (start < self.use_to_day[:, None])

    def least_costs(self, bucket_starts: Sequence[date]) -> FloatArray:
        """(product) `unit_costs`."""
        least = np.full(len(self.level), np.inf)
        for day in self._days_of_change(bucket_starts):
            least = np.minimum(least, self._costs_on(day))
        return least

    def good_unit_costs(self, product_cost: FloatArray) -> FloatArray:
        """(way) cost of a good unit with all components at these costs, whenever they are valid."""
        parts = np.bincount(self.use_way, self.use_units * product_cost[self.use_component], len(self.cost))
        return (self.cost + parts) * self.own_share / self.yield_share

    def _costs_on(self, day: int) -> FloatArray:
        """(product) cost of a good unit by the cheapest way that is valid on a day. What comes besides that into which
        it goes costs what its other ways do; where it has none, what it bears of the first start of which all that is
        taken has a cost."""
        way_valid = (self.from_day <= day) & (day < self.to_day)
        use_valid = (self.use_from_day <= day) & (day < self.use_to_day) & way_valid[self.use_way]
        known = np.full(len(self.level), np.inf)
        while True:
            cost = self._handed_on(known, way_valid, use_valid)
            of = np.flatnonzero(way_valid[self.outputs.way] & self.outputs.needed)
            of = of[np.isinf(cost[self.outputs.product[of]])]
            if not len(of):
                return cost
            use = np.flatnonzero(use_valid)
            parts = np.bincount(self.use_way[use], self.use_units[use] * cost[self.use_component[use]], len(self.cost))
            borne = self._of_outputs(of, self.cost + parts)
            if not np.isfinite(borne).any():
                return cost
            np.minimum.at(known, self.outputs.product[of], borne)

    def _handed_on(self, known: FloatArray, way_valid: BoolArray, use_valid: BoolArray) -> FloatArray:
        """(product) costs handed on level by level, until none falls any more: what comes besides can stand below that
        of which it comes. known: (product) costs to begin with; way_valid: (way); use_valid: (use)."""
        cost = known.copy()
        way_level = self.level[self.product]
        use_level = way_level[self.use_way]
        while True:
            before = cost.copy()
            for level in self.turns_of_level:
                use = np.flatnonzero(use_valid & (use_level == level))
                way = np.flatnonzero(way_valid & (way_level == level))
                parts = np.bincount(
                    self.use_way[use], self.use_units[use] * cost[self.use_component[use]], len(self.cost)
                )
                start = self.cost + parts
                np.minimum.at(cost, self.product[way], _borne(start[way], self.own_share[way] / self.yield_share[way]))
                of_level = way_level[self.outputs.way] == level
                out = np.flatnonzero(way_valid[self.outputs.way] & of_level & ~self.outputs.needed)
                np.minimum.at(cost, self.outputs.product[out], self._of_outputs(out, start))
            if not len(self.outputs.way) or np.array_equal(cost, before):
                return cost

    def _of_outputs(self, output: IntArray, start: FloatArray) -> FloatArray:
        """(output) what a unit of some outputs bears of what a start costs. start: (way) money."""
        each = self.outputs.share[output] / self.outputs.units[output]
        return _borne(start[self.outputs.way[output]], each)

    def _days_of_change(self, bucket_starts: Sequence[date]) -> list[int]:
        """The first bucket, and each in which other ways or components are valid than in the one before it."""
        limits = np.unique(np.concatenate([self.from_day, self.to_day, self.use_from_day, self.use_to_day]))
        starts = day_numbers(bucket_starts)
        passed = np.searchsorted(limits, starts, side="right")
        return [int(day) for i, day in enumerate(starts) if i == 0 or passed[i] > passed[i - 1]]


def _borne(cost: FloatArray, share: FloatArray) -> FloatArray:
    """Shares of costs; of a cost that is not known, inf."""
    known = np.isfinite(cost)
    return np.where(known, np.where(known, cost, 0.0) * share, np.inf)


def _besides(
    product: IntArray, use_way: IntArray, use_component: IntArray, out_way: IntArray, out_product: IntArray
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """Pairs of a co-product and what it comes after: (pair) which output it is of, the co-product, what it comes after
    (the product of its way, and the components of that), and whether that is a component."""
    parts: dict[int, list[int]] = defaultdict(list)
    taking = np.isin(use_way, out_way)
    for way, part in zip(use_way[taking].tolist(), use_component[taking].tolist(), strict=True):
        parts[way].append(part)
    pairs = []
    for o, (way, out) in enumerate(zip(out_way.tolist(), out_product.tolist(), strict=True)):
        pairs.append((o, out, int(product[way]), 0))
        pairs += [(o, out, part, 1) for part in parts[way]]
    of, out, before, takes = np.array(pairs, dtype=np.int64).T
    return of, out, before, takes > 0


def unit_costs(products: Sequence[str], ways: Sequence[Way], bucket_starts: Sequence[date]) -> dict[str, float]:
    """Cost of a good unit by the cheapest way, in its cheapest bucket, when nothing is scarce, components included.

    Only what is valid in a bucket counts there; inf for a product without a way.
    """
    return dict(zip(products, WayArrays.of(products, ways).least_costs(bucket_starts).tolist(), strict=True))


def components_first(products: Sequence[str], ways: Sequence[Way]) -> tuple[str, ...]:
    """Products in an order in which every component comes before what it goes into, level by level; stock points of a
    circle of lanes stand together.

    Raises NoPlan on a cycle in the bill of materials.
    """
    arrays = WayArrays.of(products, ways)
    return tuple(products[i] for i in np.argsort(arrays.level, kind="stable"))
