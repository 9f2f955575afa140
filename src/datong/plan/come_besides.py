"""What comes of each order besides its product: co-products and by-products (network/co_products.py)."""

from collections.abc import Mapping

import pyarrow as pa

from datong.plan.lots_along_clearing import Lot
from datong.plan.planning_inputs import Work

BESIDES_SCHEMA = pa.schema(
    [
        ("order", pa.string()),
        ("product", pa.string()),
        ("site", pa.string()),
        ("bucket", pa.date32()),
        ("units", pa.float64()),
        ("units_per_unit", pa.float64()),
    ]
)


def come_besides(work: Work, numbers: Mapping[Lot, str]) -> pa.Table:
    """In BESIDES_SCHEMA, by order: units of a product that come of it, in the bucket in which they are there, and units
    for a unit started."""
    rows = [
        {
            "order": order,
            "product": work.facts.product_of(output.product),
            "site": lot.way.site or None,
            "bucket": work.starts[lot.arrive],
            "units": lot.units * output.units_per_unit,
            "units_per_unit": output.units_per_unit,
        }
        for lot, order in numbers.items()
        for output in lot.way.outputs
    ]
    return pa.Table.from_pylist(rows, schema=BESIDES_SCHEMA)
