"""What the last plan expects of a product's stock, bucket by bucket."""

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.last_run_in_memory import last_plan, run_table
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served

# What comes and what goes, of the columns of the run's table `flow`.
COMES = ("made_units", "received_units", "moved_in_units")
GOES = ("used_units", "moved_out_units", "taken_units", "delivered_units", "wasted_units")
STOCK = pa.schema(
    [
        ("bucket", pa.date32()),
        ("opening_units", pa.float64()),
        ("comes_units", pa.float64()),
        ("goes_units", pa.float64()),
        ("closing_units", pa.float64()),
    ]
)


def stock(served: Served, who: Who, product: str) -> pa.Table:
    """Units of a product over all sites, by bucket; empty where the last plan has none of it. Raises NotAllowed."""
    who.require(Permission.SEE_PLAN)
    return served.chain_thread.kept(("stock", product), lambda chain: _stock(chain, product))


def _stock(chain: Chain, product: str) -> pa.Table:
    plan = last_plan(chain)
    flow = None if plan is None else run_table(chain, plan.run, "flow")
    if flow is None:
        return STOCK.empty_table()
    own = flow.filter(pc.equal(flow["product"], product))
    names = [n for n in ("opening_units", *COMES, *GOES, "closing_units") if n in own.column_names]
    sums = own.group_by("bucket", use_threads=False).aggregate([(name, "sum") for name in names]).sort_by("bucket")

    def added(columns: tuple[str, ...]) -> pa.ChunkedArray | pa.Array:
        total = pa.array([0.0] * sums.num_rows, pa.float64())
        for name in columns:
            if name in names:
                total = pc.add(total, pc.fill_null(sums[f"{name}_sum"], 0.0))
        return total

    columns = [
        sums["bucket"],
        sums["opening_units_sum"],
        added(COMES),
        added(GOES),
        sums["closing_units_sum"],
    ]
    return pa.table(columns, schema=STOCK)
