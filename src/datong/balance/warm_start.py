"""Prices of an earlier clearing as the start of the next one."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.balance.arrays import Market
from datong.balance.scarcity import shared_name
from datong.balance.solution import Prices
from datong.model.flow import FloatArray
from datong.network.horizon import day_numbers


def warm_prices(market: Market, table: pa.Table) -> Prices:
    """The `prices` table of an earlier clearing on the market's axes, by what, name and bucket.

    A line, a lane or an offer that has no price there costs nothing more; a component without one is worth what its
    cheapest way costs. Prices of what is turned away are not in the table and start at 0, and those of stock that is
    held for one product's demand follow from the others. Any prices are a valid start: they decide how soon a door is
    done, not what is right.
    """
    called = [shared_name(market, label) for label in market.lines.names]
    line = np.zeros(market.lines.hours.shape)
    for what in ("line", "lane", "offer"):
        own = [i for i, (kind, _) in enumerate(called) if kind == what]
        line[own] = _looked_up(table, what, [called[i][1] for i in own], market, 0.0)
    # Of what goes into nothing the stock has a price, in the buckets in which units come.
    stock = _looked_up(table, "stock", market.products.names, market, np.inf)
    stock[market.uses.component], stock[~market.products.is_component] = np.inf, np.inf
    return Prices(
        line=line,
        limit=_looked_up(table, "offer", [w.name for w in market.ways.facts], market, 0.0),
        turned_away=np.zeros(market.demand.sure.shape),
        component=np.minimum(_looked_up(table, "component", market.products.names, market, np.inf), stock),
    )


def known_share(market: Market, table: pa.Table) -> float:
    """Share of the things priced in the `prices` table of an earlier clearing that this market has too, 0 to 1; 1 where
    nothing is priced. Near 0 it is the clearing of another chain."""
    named: dict[str, set[str]] = {"component": set(market.products.names), "stock": set(market.products.names)}
    named["offer"] = {w.name for w in market.ways.facts}
    for what, name in (shared_name(market, label) for label in market.lines.names):
        named.setdefault(what, set()).add(name)
    things = set(zip(table["what"].to_pylist(), table["name"].to_pylist(), strict=True))
    return sum(name in named.get(what, ()) for what, name in things) / len(things) if things else 1.0


def _looked_up(table: pa.Table, what: str, names: Sequence[str], market: Market, missing: float) -> FloatArray:
    """(name, bucket) the prices of one kind."""
    rows = table.filter(pc.equal(table["what"], what))
    name = pc.index_in(rows["name"], pa.array(names, pa.string())).fill_null(-1).to_numpy()
    starts = day_numbers(market.bucket_starts)
    day = rows["bucket"].cast(pa.int32()).to_numpy().astype(np.int64)
    bucket = np.searchsorted(starts, day)
    known = (name >= 0) & (bucket < len(starts))
    known[known] = starts[bucket[known]] == day[known]
    found = np.full((len(names), market.buckets), missing)
    found[name[known], bucket[known]] = rows["price"].fill_null(missing).to_numpy()[known]
    return found
