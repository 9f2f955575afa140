"""Sourcing shares of recipes and offers (`sourcing_share`, `sourcing_share_cost_per_unit`), defaults filled in."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.compute as pc

from datong.ledger.state import State
from datong.network.facts import ChainFacts
from datong.network.horizon import valid_on
from datong.network.routes import Routes
from datong.network.ways import Way


@dataclass(frozen=True, slots=True)
class SourcingShare:
    """A recipe or an offer that is to bring a share of its product."""

    # 'make' or 'buy', its code, and its product.
    kind: str
    code: str
    product: str
    # Of all that is started of the product in its buckets, 0 to 1.
    share: float
    # Money for a good unit that it is short of that.
    cost: float
    # Names of its ways, and of all that bring its product otherwise than by a lane.
    ways: frozenset[str]
    of_product: frozenset[str]
    # The first of its buckets.
    first: int = 0
    # The bucket after the last of them; None: it counts to the end.
    after: int | None = None
    # The first days of these two; None: it counts in all buckets.
    days: tuple[date, date | None] | None = None

    def holds_in(self, bucket: int) -> bool:
        return self.first <= bucket and (self.after is None or bucket < self.after)


def sourcing_shares(state: State, facts: ChainFacts, starts: Sequence[date]) -> tuple[SourcingShare, ...]:
    """By product, then kind and code, then bucket: where the rows of a product say other shares on other days, each
    part of the horizon has its own. A unit that is short costs the price of its product where no row says what."""
    told: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for kind, table, key in (("make", "recipes", "recipe"), ("buy", "offers", "offer")):
        rows = state.versions(table)
        if not pc.any(pc.greater(rows["sourcing_share"], 0.0)).as_py():
            continue
        for row in rows.to_pylist():
            told[row["product"], kind, row[key]].append(row)
    told = {key: rows for key, rows in told.items() if any(row["sourcing_share"] for row in rows)}
    if not told:
        return ()
    routes, brings = Routes.of(state), defaultdict[str, list[Way]](list)
    for way in facts.ways:
        is_last = way.place is None or way.place[0] == way.place[1]
        if way.kind != "move" and way.picks is None and is_last:
            brings[facts.product_of(way.product)].append(way)
    price = {facts.product_of(label): economics.price for label, economics in facts.economics.items()}
    shares = {key: tuple(_share_on(rows, start) for start in starts) for key, rows in told.items()}
    found = []
    for (product, kind, code), rows in sorted(told.items()):
        row_of_way = routes.last(code) or code if kind == "make" else code
        own = frozenset(w.name for w in brings[product] if (w.kind, w.row or w.name) == (kind, row_of_way))
        stated = [money for row in rows if (money := row["sourcing_share_cost_per_unit"]) is not None]
        cost = max(stated, default=price.get(product, 0.0))
        every = frozenset(w.name for w in brings[product])
        of_rows = [own for (other, *_), own in sorted(shares.items()) if other == product]
        for first, after in _parts(of_rows) if own else ():
            if share := shares[product, kind, code][first]:
                ends = after < len(starts)
                days = (starts[first], starts[after] if ends else None) if first or ends else None
                until = after if ends else None
                found.append(SourcingShare(kind, code, product, share, cost, own, every, first, until, days))
    return tuple(found)


def _parts(shares: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """First bucket and the one after of each run of buckets in which all rows keep their shares. shares: (row, bucket)
    what each says."""
    by_bucket = list(zip(*shares, strict=True))
    begins = [t for t, now in enumerate(by_bucket) if t == 0 or now != by_bucket[t - 1]]
    return list(zip(begins, [*begins[1:], len(by_bucket)], strict=True))


def _share_on(rows: Sequence[Mapping[str, Any]], day: date) -> float:
    """What the version of a row that holds on a day says; 0: nothing."""
    held = (row["sourcing_share"] or 0.0 for row in rows if valid_on(day, row["valid_from"], row["valid_to"]))
    return next(held, 0.0)
