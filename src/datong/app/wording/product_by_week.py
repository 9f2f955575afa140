"""Product by week: what is asked for, what comes, and what is left, in one block for each product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.model.flow import FloatArray

# What each row of a block adds up: of which table, which columns. ALWAYS: shown even where they are nothing.
ROWS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "demand": ("gaps", ("demand_units",)),
    "used": ("flow", ("used_units",)),
    "plan": ("flow", ("made_units", "received_units")),
    "delivered": ("flow", ("delivered_units",)),
    "taken": ("flow", ("taken_units",)),
    "wasted": ("flow", ("wasted_units",)),
    "stock": ("flow", ("closing_units",)),
    "smallest": ("stock_limits", ("smallest_units",)),
}
ALWAYS = ("plan", "stock")
# Rows of what there is at a bucket's end, which are not added up over the buckets.
LEVELS = ("on_way", "stock", "smallest")
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Block:
    """A product's rows over the buckets, of all sites and markets together.

    demand: what customers want, due in the bucket; used: what goes into orders; plan: what is made or received;
    delivered; taken: what orders that are out take or send; wasted; on_way: what left a site and is
    not at another yet, and stock: what is left, both at the bucket's end; smallest: what is to be left at least
    (`stock_rules`), of all sites together where a row says it so. opening: stock before all. In each bucket
    stock and on_way of the one before + plan - used - delivered - taken - wasted = stock + on_way.
    """

    product: str
    opening: float
    rows: Mapping[str, FloatArray]

    @property
    def demand(self) -> float:
        return float(self.rows["demand"].sum()) if "demand" in self.rows else 0.0


def grid(tables: Mapping[str, pa.Table], starts: Sequence[date]) -> list[Block]:
    """Blocks of all products that are asked for or have any units, those that customers want first, then by code."""
    there = {name: tables[name] for name in ("gaps", "flow") if name in tables}
    products = sorted({p for table in there.values() for p in pc.unique(table["product"]).to_pylist()})
    if "stock_limits" in tables:
        there["stock_limits"] = _of_all_sites(tables["stock_limits"], products)
    values = {
        what: _summed(there[table], columns, products, starts)
        for what, (table, columns) in ROWS.items()
        if table in there
    }
    opening = np.zeros(len(products))
    if "flow" in there:
        stock, smallest = values.pop("stock"), values.pop("smallest", None)
        left, came = (_summed(there["flow"], (f"moved_{way}_units",), products, starts) for way in ("out", "in"))
        values |= {"on_way": (left - came).cumsum(axis=1), "stock": stock}
        values |= {} if smallest is None else {"smallest": smallest}
        opening = _summed(there["flow"], ("opening_units",), products, starts[:1]).sum(axis=1)
    blocks = []
    for i, product in enumerate(products):
        rows = {what: of[i] for what, of in values.items() if what in ALWAYS or np.abs(of[i]).max(initial=0) > NOTHING}
        blocks.append(Block(product, float(opening[i]), rows))
    return sorted(blocks, key=lambda b: (b.demand <= NOTHING, b.product))


def _of_all_sites(limits: pa.Table, products: Sequence[str]) -> pa.Table:
    """Rows of these products with a smallest stock: those of all sites together, where there are any, else by site."""
    rows = limits.filter(
        pc.and_(pc.is_valid(limits["smallest_units"]), pc.is_in(limits["product"], pa.array(products, pa.string())))
    )
    together = rows.filter(pc.is_null(rows["site"]))
    others = rows.filter(pc.invert(pc.is_in(rows["product"], pc.unique(together["product"]))))
    return pa.concat_tables([together, others.filter(pc.is_valid(others["site"]))])


def _summed(table: pa.Table, columns: Sequence[str], products: Sequence[str], starts: Sequence[date]) -> FloatArray:
    """(product, bucket) the columns added up; rows of other buckets are left out."""
    total = np.zeros((len(products), len(starts)))
    row = pc.index_in(table["product"], pa.array(products, pa.string()))
    bucket = pc.index_in(table["bucket"], pa.array(starts, pa.date32()))
    told = pc.is_valid(bucket)
    at = (row.filter(told).to_numpy(), bucket.filter(told).to_numpy())
    for column in columns:
        np.add.at(total, at, pc.fill_null(table[column], 0.0).filter(told).to_numpy())
    return total
