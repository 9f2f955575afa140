"""Stock that lies there while a request goes without it, and for whom it is kept; and what was sent elsewhere, or went
into something else, while demand went without it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from datong.balance.arrays import Market
from datong.balance.deliveries import NOTHING, Delivered
from datong.balance.evaluate import Outcome
from datong.balance.why_unserved import Binding, Units
from datong.ledger.columns import grouped
from datong.model.flow import BoolArray, FloatArray, IntArray

# Of those whom stock is kept for so many are named.
NAMED = 3


@dataclass(frozen=True, eq=False)
class Kept:
    """Units that are late or lost while they lie there at the end of the bucket in which they are due, and are used
    later; of a bucket where that tells of half or more of what is missing (`told_of` of which of these is said)."""

    # (product asked for, bucket) units.
    units: FloatArray
    # Flat, those who take them, the first to take first, as 'key (day on which it is due)'; null where there are none.
    whom: pa.StringArray


def kept(
    market: Market,
    demanded: IntArray,
    units: Units,
    outcome: Outcome,
    started: FloatArray,
    found: Delivered | None,
) -> Kept:
    """Of products whose demand is known request by request. started: (way, bucket) units."""
    amount, whom = np.zeros(units.asked.shape), np.full(units.asked.size, None, dtype=object)
    if found is None:
        return Kept(amount, pa.array(whom, pa.string()))
    shelves = _Shelves(market, outcome, started, found)
    missing = units.late + units.lost
    for d in np.flatnonzero((missing >= NOTHING).any(axis=1) & shelves.known_whole(demanded, units)).tolist():
        product = int(demanded[d])
        lying = shelves.lying(product)
        for t in np.flatnonzero((missing[d] >= NOTHING) & (lying >= NOTHING)).tolist():
            names, taken = shelves.takers(product, t, float(lying[t]))
            if names and 2.0 * taken >= missing[d, t]:
                amount[d, t] = min(float(missing[d, t]), taken)
                whom[d * market.buckets + t] = ", ".join(names)
    return Kept(amount, pa.array(whom, pa.string()))


def told_of(lying: Kept, units: Units, binding: Binding) -> Kept:
    """What lies there, where it is all of what is missing, or nothing else stands in the way of the rest. binding: what
    is scarce without it."""
    part = (lying.units > 0) & (lying.units < units.late + units.lost - NOTHING)
    scarce = np.char.str_len(binding.name.to_numpy(zero_copy_only=False).astype(np.str_)).reshape(part.shape) > 0
    left_out = part & scarce
    whom = lying.whom.take(pa.array(np.arange(part.size), mask=left_out.ravel()))
    return Kept(np.where(left_out, 0.0, lying.units), whom)


def where_kept(market: Market, demanded: IntArray, units: Units, binding: Binding, lying: Kept) -> Binding:
    """What stands in the way: where what lies there is kept for others, as many units of the product itself as are
    missing."""
    missing = units.late + units.lost
    of, bucket = np.nonzero(lying.units)
    names = binding.name.to_numpy(zero_copy_only=False).copy()
    hours, price, when, needed = (a.copy() for a in (binding.hours, binding.price, binding.bucket, binding.needed))
    for d, t in zip(of.tolist(), bucket.tolist(), strict=True):
        names[d * market.buckets + t] = market.products.names[int(demanded[d])]
    hours[of, bucket], price[of, bucket], when[of, bucket] = False, 0.0, bucket
    needed[of, bucket] = missing[of, bucket]
    told = pa.array(names, pa.string())
    cells = np.arange(units.asked.size)
    beside = binding.beside.take(pa.array(cells, mask=(lying.units > 0).ravel()))
    return replace(binding, name=told, hours=hours, price=price, bucket=when, needed=needed, beside=beside)


def sent_elsewhere(
    market: Market, demanded: IntArray, units: Units, started: FloatArray, binding: Binding
) -> dict[tuple[int, int], str]:
    """By (product asked for, bucket) where nothing can be there in time: what took units until then from where its
    demand is served, as 'units → product (start of the bucket)', the last first, where that is half or more of what is
    missing. started: (way, bucket) units."""
    missing, found = units.late + units.lost, {}
    of_cell = np.char.str_len(binding.name.to_numpy(zero_copy_only=False).astype(np.str_)).reshape(missing.shape)
    cells = np.nonzero((missing >= NOTHING) & (binding.bucket < 0) & (of_cell == 0))
    drains = _Drains(market, started)
    for d, t in zip(*(axis.tolist() for axis in cells), strict=True):
        taken = [(amount, name, u) for u in range(t, -1, -1) for name, amount in drains.used(int(demanded[d]), u)]
        if taken and 2.0 * sum(amount for amount, _, _ in taken) >= missing[d, t]:
            told = [f"{amount:.10g} → {name} ({market.bucket_starts[u]})" for amount, name, u in taken]
            found[d, t] = ", ".join([*told[:NAMED], *(["…"] if len(told) > NAMED else [])])
    return found


def with_sent(market: Market, lying: Kept, sent: Mapping[tuple[int, int], str]) -> Kept:
    """Those whom stock is kept for, and what was sent elsewhere, of which no units lie there."""
    whom = lying.whom.to_pylist()
    for (d, t), what in sent.items():
        whom[d * market.buckets + t] = whom[d * market.buckets + t] or what
    return replace(lying, whom=pa.array(whom, pa.string()))


class _Drains:
    """Where a product's demand is served from, and what orders take from there. started: (way, bucket) units."""

    def __init__(self, market: Market, started: FloatArray) -> None:
        self.market, self.started = market, started
        self.uses_of, self.first_use = grouped(market.uses.component, len(market.products))
        serving = np.array([way.serves for way in market.ways.facts], dtype=bool)
        self.served_from: dict[int, set[int]] = defaultdict(set)
        for use in np.flatnonzero(serving[market.uses.way]).tolist():
            self.served_from[int(market.ways.product[market.uses.way[use]])].add(int(market.uses.component[use]))

    def places(self, product: int) -> list[int]:
        """The stock points that its demand is served from: its own, and those that serve it at once."""
        return [product, *sorted(self.served_from.get(product, ()))]

    def used(self, product: int, bucket: int) -> list[tuple[str, float]]:
        """What orders take in a bucket from where the product lies, by what they bring."""
        market = self.market
        of: dict[str, float] = defaultdict(float)
        for place in self.places(product):
            for use in self.uses_of[self.first_use[place] : self.first_use[place + 1]].tolist():
                way = int(market.uses.way[use])
                amount = float(market.uses.units[use] * self.started[way, bucket])
                if amount > NOTHING and market.uses.is_open[use, bucket] and int(market.ways.product[way]) != product:
                    of[market.products.names[market.ways.product[way]]] += amount
        return sorted(of.items())


class _Shelves:
    """What lies where a product's demand is served from, and who takes it."""

    def __init__(self, market: Market, outcome: Outcome, started: FloatArray, found: Delivered) -> None:
        self.market, self.outcome, self.found = market, outcome, found
        self.drains = _Drains(market, started)
        known = np.flatnonzero(found.demanded >= 0)
        self.of_product = market.demand.product[found.demanded[known]]
        order = np.argsort(self.of_product, kind="stable")
        self.asks, self.of_product = known[order], self.of_product[order]

    def known_whole(self, demanded: IntArray, units: Units) -> BoolArray:
        """(product asked for) whether its requests are all of its demand."""
        told = np.bincount(self.of_product, self.found.asks.units[self.asks], len(self.market.products))[demanded]
        asked = units.asked.sum(axis=1)
        return np.abs(told - asked) <= NOTHING * np.maximum(asked, 1.0)

    def lying(self, product: int) -> FloatArray:
        """(bucket) units that lie there at its end, of what comes in whole units whole ones."""
        places = np.array(self.drains.places(product))
        return self.market.deliverable(self.outcome.stock[places], places).sum(axis=0)

    def takers(self, product: int, bucket: int, lying: float) -> tuple[list[str], float]:
        """Who takes what lies there at the end of a bucket, and how much of it; later requests and orders alone."""
        taken, names = 0.0, dict[str, None]()
        for name, amount in self._taken(product, bucket):
            if lying <= NOTHING:
                break
            own = min(amount, lying)
            lying -= own
            if name:
                taken += own
                names[name] = None
        told = list(names)
        return [*told[:NAMED], *(["…"] if len(told) > NAMED else [])], taken

    def _taken(self, product: int, bucket: int) -> Iterator[tuple[str, float]]:
        """Who takes units after a bucket, in turn, and how many; '' for requests that were due by then."""
        asks, by_bucket = self.found.asks, self.found.by_bucket
        own = self.asks[slice(*np.searchsorted(self.of_product, [product, product + 1]))]
        for t in range(bucket + 1, self.market.buckets):
            for ask in own[by_bucket[own, t] > NOTHING].tolist():
                yield self._asked(ask) if asks.bucket[ask] > bucket else "", float(by_bucket[ask, t])
            start = self.market.bucket_starts[t]
            yield from ((f"{name} ({start})", amount) for name, amount in self.drains.used(product, t))

    def _asked(self, ask: int) -> str:
        day = np.datetime64(int(self.found.asks.due_day[ask]), "D")
        return f"{self.found.asks.key[ask].as_py() or '–'} ({day})"
