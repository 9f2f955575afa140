"""Sales as sums of days: what most readers of a chain's sales want to know of them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import days_in_zone
from datong.ledger.large_tables import parts
from datong.ledger.state import State
from datong.model.flow import IntArray

_OF_DAY = ("product", "market", "ordered", "day")


def sold_by_day(state: State) -> pa.Table:
    """Sales by product, market, whether they are in state 'ordered', and the chain's local day (`day`, days since
    1970-01-01), in that order: `units`, how many `lines`, and whether one has a fraction of a unit (`broken`)."""
    return state.once("sold by day", lambda: _sold_by_day(state))


def _sold_by_day(state: State) -> pa.Table:
    sums = []
    for rows in parts(state.table("sales"), ("happened_at", "product", "market", "units", "state")):
        units = rows["units"].fill_null(0.0)
        of_rows = {
            "product": rows["product"],
            "market": rows["market"],
            "ordered": pc.fill_null(pc.equal(rows["state"], "ordered"), False),
            "day": days_in_zone(rows["happened_at"], state.settings.time_zone).cast(pa.int64()),
            "units": units,
            "lines": pa.array(np.ones(rows.num_rows, np.int64)),
            "broken": pa.array(units.to_numpy() % 1 != 0),
        }
        sums.append(_summed(pa.table(of_rows)))
        if len(sums) > 1:
            sums = [_summed(pa.concat_tables(sums))]
    return sums[0].sort_by([(name, "ascending") for name in _OF_DAY])


def _summed(rows: pa.Table) -> pa.Table:
    found = rows.group_by(list(_OF_DAY), use_threads=False).aggregate(
        [("units", "sum"), ("lines", "sum"), ("broken", "max")]
    )
    return found.rename_columns([*_OF_DAY, "units", "lines", "broken"])


def days_with_sales(state: State) -> IntArray:
    """Days of which a sale in whatever state is recorded, ascending, in days since 1970-01-01."""
    return np.unique(sold_by_day(state)["day"].drop_null().to_numpy())


def sold_pairs(state: State) -> list[tuple[str, str]]:
    """Product and market of all sales, each pair once, in order."""
    found = sold_by_day(state).group_by(["product", "market"], use_threads=False).aggregate([])
    return list(zip(found["product"].to_pylist(), found["market"].to_pylist(), strict=True))


def keys_of_sales(state: State, keys: Sequence[str]) -> pa.Array:
    """Those of some keys that are keys of sales."""
    asked = pa.array(keys, pa.string())
    found: set[str] = set()
    for rows in parts(state.table("sales"), ("sale",)):
        own = rows["sale"]
        found.update(own.filter(pc.is_in(own, value_set=asked)).to_pylist())
    return pa.array(sorted(found), pa.string())
