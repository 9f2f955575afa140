"""What stands in the way of late and of lost units, as columns of `gaps`.

Late units want to be there in the bucket in which they are due, lost ones in any in which they would still be taken:
one may lack hours and the other a material. Where the two have causes of their own, each is told with its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.balance.arrays import Market
from datong.balance.evaluate import Outcome
from datong.balance.groups_in_the_way import with_groups
from datong.balance.scarcity import NOTHING
from datong.balance.served_later import Later
from datong.balance.soonest import soonest
from datong.balance.stock_kept_for_others import Kept
from datong.balance.why_unserved import LEAST_TOLD, Binding, Units, fence_of
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.model.late_causes import LOST
from datong.network.horizon import day_numbers

CAUSE_FIELDS = (
    pa.field("binding", pa.string()),
    pa.field("binding_price", pa.float64()),
    pa.field("binding_bucket", pa.date32()),
    pa.field("needed_amount", pa.float64()),
    pa.field("needed_unit", pa.string()),
    pa.field("needed_days", pa.int64()),
    pa.field("kept_units", pa.float64()),
    pa.field("kept_for", pa.string()),
    pa.field("soonest_start", pa.date32()),
    pa.field("soonest_days", pa.int64()),
    pa.field("soonest_through", pa.string()),
    pa.field("short_too", pa.list_(pa.string())),
    pa.field("fenced_until", pa.date32()),
)


@dataclass(frozen=True, eq=False)
class Cause:
    """What stands in the way of some units."""

    # (product asked for, bucket) the units.
    units: FloatArray
    binding: Binding
    lying: Kept
    # (product asked for, bucket) whether they cost more than they are worth, and nothing else is in the way.
    dearer: BoolArray
    # (product asked for, bucket) whether they were due before the plan begins, and are served at once.
    at_once: BoolArray
    # (product asked for, bucket) days more after which they could be served; 0: not in the horizon, or nobody knows.
    days: IntArray


@dataclass(frozen=True, eq=False)
class Why:
    """first: of what is late, and of what is lost where that has the same cause or nothing is late; lost: of what is
    lost where it is `apart` (product asked for, bucket)."""

    first: Cause
    lost: Cause
    apart: BoolArray
    # (product asked for, bucket) share of what is late that was due before the plan begins, and is served at once.
    was_due: FloatArray


def why_of(
    market: Market,
    outcome: Outcome,
    demanded: IntArray,
    units: Units,
    later: Later,
    told: Callable[[IntArray, Units], tuple[Binding, Kept]],
) -> Why:
    """told: what stands in the way of units, by product asked for and bucket."""
    unserved = _to_blame(market, outcome, demanded, units)
    dearer = later.dearer & (units.lost > NOTHING)
    if dearer.any():
        dearer &= ~(told(demanded, unserved)[1].units > 0)
    blamed = replace(unserved, lost=np.where(dearer, 0.0, units.lost))
    at_once = (blamed.late <= NOTHING) & (units.late > NOTHING)
    together = told(demanded, blamed)
    has_lost = blamed.lost >= LEAST_TOLD
    is_other = at_once & has_lost
    late, lost = _picked(is_other, _nothing(units), together), together
    both = (blamed.late >= LEAST_TOLD) & has_lost
    if both.any():
        none = np.zeros(both.shape)
        own_late = told(demanded, replace(blamed, late=np.where(both, blamed.late, 0.0), lost=none))
        own_lost = told(demanded, replace(blamed, late=none, lost=np.where(both, blamed.lost, 0.0)))
        differs = both & _differs(both, own_late, own_lost)
        late, lost = _picked(differs, own_late, late), _picked(differs, own_lost, lost)
        is_other |= differs
    of_late, dearer = with_groups(market, demanded, outcome, late[0], dearer)
    of_lost, _ = with_groups(market, demanded, outcome, lost[0], np.zeros(dearer.shape, dtype=bool))
    late, lost = (of_late, late[1]), (of_lost, lost[1])
    blamed = replace(blamed, lost=np.where(dearer, 0.0, units.lost))
    of_price = dearer & (units.late > NOTHING)
    lost, apart = _picked(of_price, _nothing(units), lost), is_other | of_price
    refused = units.refused > NOTHING
    return Why(
        Cause(
            np.where(apart, units.late, units.late + blamed.lost),
            *late,
            dearer & ~apart,
            at_once & (apart | ~has_lost),
            _days_more(market, unserved, np.where(refused & ~apart, later.bucket, NOT_LOST)),
        ),
        Cause(
            np.where(apart, units.lost, 0.0),
            *lost,
            dearer & apart,
            np.zeros(apart.shape, dtype=bool),
            _days_more(market, unserved, np.where(refused, later.bucket, -1)),
        ),
        apart,
        (units.late - blamed.late) / np.where(units.late > 0, units.late, 1.0),
    )


def _to_blame(market: Market, outcome: Outcome, demanded: IntArray, units: Units) -> Units:
    """Units without what was due before and is served at once: it could not come sooner, nothing stands in its way."""
    soonest, late = np.minimum(market.demand.owed, outcome.served_by[:, 0]), units.late.copy()
    late[:, 0] -= np.minimum(np.bincount(market.demand.product, soonest, len(market.products))[demanded], late[:, 0])
    return replace(units, late=late)


def _nothing(units: Units) -> tuple[Binding, Kept]:
    """Nothing in the way of any units."""
    shape, count = units.asked.shape, units.asked.size
    names = pa.array(np.full(count, "", dtype=object), pa.string())
    none, nobody = pa.nulls(count, pa.list_(pa.string())), pa.nulls(count, pa.string())
    nowhere = np.full(shape, -1, dtype=np.int64)
    binding = Binding(names, np.zeros(shape, dtype=bool), np.zeros(shape), nowhere, np.zeros(shape), none)
    return binding, Kept(np.zeros(shape), nobody)


def _picked(where: BoolArray, some: tuple[Binding, Kept], others: tuple[Binding, Kept]) -> tuple[Binding, Kept]:
    """Some where (product asked for, bucket) says so, elsewhere the others."""
    if not where.any():
        return others
    count = where.size
    place = pa.array(np.where(where.ravel(), np.arange(count), count + np.arange(count)))

    def pick(one: Any, other: Any) -> Any:
        if isinstance(one, np.ndarray):
            return np.where(where, one, other)
        return pa.concat_arrays([one, other]).take(place)

    def all_of(one: Binding | Kept, other: Binding | Kept) -> list[Any]:
        return [pick(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)]

    return Binding(*all_of(some[0], others[0])), Kept(*all_of(some[1], others[1]))


def _differs(where: BoolArray, late: tuple[Binding, Kept], lost: tuple[Binding, Kept]) -> BoolArray:
    """(product asked for, bucket) whether something else stands in the way of what is lost than of what is late."""
    found = np.zeros(where.shape, dtype=bool)
    place = pa.array(np.flatnonzero(where))
    keys = [
        list(
            zip(
                binding.name.take(place).to_pylist(),
                binding.bucket[where].tolist(),
                binding.beside.take(place).to_pylist(),
                lying.whom.take(place).to_pylist(),
                strict=True,
            )
        )
        for binding, lying in (late, lost)
    ]
    found[where] = [one != other for one, other in zip(*keys, strict=True)]
    return found


# Instead of a bucket in which what is lost could be served: nothing is, the rest waits.
NOT_LOST = -2


def _days_more(market: Market, units: Units, could: IntArray) -> IntArray:
    """(product asked for, bucket) days more after which what is late or lost could be served; 0: not within the
    horizon, or nobody knows.

    What waits: until the plan has served all that was asked for by then. What is turned away: until the orders leave
    enough to serve it (could: bucket, -1: never; NOT_LOST: it waits).
    """
    d, t = np.nonzero(units.late + units.lost > NOTHING)
    served = np.cumsum(units.served, axis=1)
    target = (np.cumsum(units.asked, axis=1) - np.cumsum(units.refused, axis=1))[d, t]
    later = np.full(len(d), -1)
    for u in range(market.buckets - 1, 0, -1):
        is_served = served[d, u] >= target - 1e-6 * np.maximum(target, 1.0)
        there = np.where(could[d, t] != NOT_LOST, could[d, t] == u, is_served)
        later[there & (u > t)] = u
    starts = day_numbers(market.bucket_starts)
    days = np.zeros(units.asked.shape, dtype=np.int64)
    days[d, t] = np.where(later >= 0, starts[np.maximum(later, 0)] - starts[t], 0)
    return days


# columns -----------------------------------------------------------------------------------------


def cause_columns(
    market: Market, demanded: IntArray, why: Why, cell: tuple[IntArray, IntArray], late: FloatArray, lost: FloatArray
) -> dict[str, pa.Array]:
    """CAUSE_FIELDS, and those of what is lost apart. cell: (row) product asked for, and bucket; late, lost: (row)
    units."""
    apart = why.apart[cell]
    first = _columns(market, demanded, why.first, cell, np.where(apart, late, late + lost))
    of_lost = _columns(market, demanded, why.lost, cell, np.where(apart, lost, 0.0))
    rows = np.arange(len(apart))
    only_lost = apart & (late <= NOTHING)
    place = pa.array(np.where(only_lost, rows + len(rows), rows))
    own = pa.array(rows, mask=~(apart & ~only_lost & (lost > NOTHING)))
    return {name: pa.concat_arrays([first[name], of_lost[name]]).take(place) for name in first} | {
        f"{LOST}{name}": column.take(own) for name, column in of_lost.items()
    }


def _columns(
    market: Market, demanded: IntArray, why: Cause, cell: tuple[IntArray, IntArray], units: FloatArray
) -> dict[str, pa.Array]:
    """CAUSE_FIELDS of units (row), a part of those of the product and bucket (cell)."""
    binding, dearer, at_once = why.binding, why.dearer[cell] & (units > NOTHING), why.at_once[cell]
    # What is lost because it is dear waits for nothing.
    missing = np.where(dearer, 0.0, units)
    start = np.where(dearer, cell[1], binding.bucket[cell])
    share = missing / np.where(why.units[cell] > 0, why.units[cell], 1.0)
    needed = binding.needed[cell] * share
    is_needed = (needed > 0) & (missing > NOTHING)
    place = cell[0] * market.buckets + cell[1]
    no_time, soonest_there = _soonest(market, demanded[cell[0]], (start < 0) & (missing > NOTHING) & ~at_once)
    days, kept = why.days[cell], why.lying.units[cell]
    columns = {
        "binding": binding.name.take(pa.array(place)),
        "binding_price": pa.array(binding.price[cell], from_pandas=True),
        "binding_bucket": _when(market, start >= 0, start),
        "needed_amount": pa.array(needed, mask=~is_needed),
        "needed_unit": pa.array(["unit", "hour"]).take(pa.array(binding.hours[cell].astype(int), mask=~is_needed)),
        "needed_days": pa.array(np.where(at_once, 0, days), mask=(days <= 0) & ~at_once),
        "kept_units": pa.array(share * kept, mask=(kept <= 0) | (missing <= NOTHING)),
        "kept_for": why.lying.whom.take(pa.array(place, mask=(missing <= NOTHING) | at_once)),
        **soonest_there,
        "short_too": binding.beside.take(pa.array(place, mask=missing <= NOTHING)),
        "fenced_until": _fenced(market, demanded, binding, cell, no_time, missing),
    }
    return {f.name: columns[f.name].cast(f.type) for f in CAUSE_FIELDS}


def _soonest(market: Market, product: IntArray, asked: BoolArray) -> tuple[BoolArray, dict[str, pa.Array]]:
    """(row) whether it is asked for and its product could be there at all; and the columns that tell how soon."""
    found = soonest(market, np.unique(product[asked]).tolist())
    first = [found.get(p) if is_asked else None for p, is_asked in zip(product.tolist(), asked.tolist(), strict=True)]
    starts = np.array([-1 if one is None else one.start for one in first], dtype=np.int64)
    return starts >= 0, {
        "soonest_start": _when(market, starts > 0, starts),
        "soonest_days": pa.array([None if one is None else one.days for one in first], pa.int64()),
        "soonest_through": pa.array([None if one is None else one.named for one in first], pa.string()),
    }


def _fenced(
    market: Market,
    demanded: IntArray,
    binding: Binding,
    cell: tuple[IntArray, IntArray],
    no_time: BoolArray,
    missing: FloatArray,
) -> pa.Array:
    """(row) the end of the release fence without which what is short, or the scarce product behind it, could have been
    there in time. cell: (row) product asked for, and bucket; no_time: (row) no start is left in time; missing: (row)
    units late or lost."""
    found: list[date | None] = [None] * len(no_time)
    if not any(way.fenced_until for way in market.ways.facts):
        return pa.array(found, pa.date32())
    at = {name: p for p, name in enumerate(market.products.names)}
    names = binding.name.to_pylist()
    for row in np.flatnonzero(missing > NOTHING).tolist():
        d, t = int(cell[0][row]), int(cell[1][row])
        thing = int(demanded[d]) if no_time[row] else at.get(names[d * market.buckets + t], -1)
        if thing >= 0:
            found[row] = fence_of(market, thing, t if no_time[row] else int(binding.bucket[d, t]))
    return pa.array(found, pa.date32())


def _when(market: Market, told: BoolArray, bucket: IntArray) -> pa.Array:
    """First days of buckets, null where they are not told."""
    return pc.if_else(pa.array(told), dates(day_numbers(market.bucket_starts)[bucket]), None)


def dates(days: IntArray) -> pa.Array:
    """Days since 1970-01-01 as dates."""
    return pa.array(days.astype(np.int32)).cast(pa.date32())
