"""Which products anybody asks for: what nobody has bought or asked for gets no demand invented."""

from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.daily_sales import sold_by_day
from datong.ledger.state import State
from datong.network.rows_in_plan import rows_in_plan

# For so many days after its launch a product without a sale is still taken to sell like its look-alikes.
LATELY_DAYS = 56


@dataclass(frozen=True)
class Unasked:
    """Finished products without a sale and without a row in `demand`, in order. launched: on sale for the first time in
    the horizon or lately, by their launched_on: they are forecast like their look-alikes. left_out: all others, which
    are not forecast."""

    launched: tuple[str, ...]
    left_out: tuple[str, ...]


def unasked_products(state: State) -> Unasked:
    """The products that nobody has bought or asked for, as known at the state's moment."""
    sales = sold_by_day(state)
    sold = sales["product"].filter(sales["ordered"])
    asked = pa.chunked_array([*sold.chunks, *rows_in_plan(state)["product"].chunks], pa.string())
    products = state.table("products").select(["product", "kind", "launched_on"])
    products = products.filter(pc.equal(products["kind"], "finished"))
    products = products.filter(pc.invert(pc.is_in(products["product"], pc.unique(asked)))).sort_by("product")
    calendar = state.settings.calendar
    first = state.first_open_bucket
    end = calendar.shift(first, state.settings.horizon_buckets)
    day = products["launched_on"]
    near = pc.and_(pc.greater_equal(day, pa.scalar(first - timedelta(LATELY_DAYS))), pc.less(day, pa.scalar(end)))
    near = pc.fill_null(near, False)
    names = products["product"]
    return Unasked(tuple(names.filter(near).to_pylist()), tuple(names.filter(pc.invert(near)).to_pylist()))
