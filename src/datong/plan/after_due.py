"""Units that are there later than the plan counts: of those on time after the day on which they are due, of late ones
after the bucket in which they are served."""

from collections.abc import Mapping
from datetime import date

import pyarrow as pa

from datong.model.flow import AFTER_DUE_SCHEMA
from datong.plan.days_within_bucket import Days
from datong.plan.lots_along_clearing import Lot
from datong.plan.pegging import Pegged
from datong.plan.planning_inputs import Work


def after_due(work: Work, found: Pegged, days: Mapping[Lot, Days]) -> pa.Table:
    """Rows of AFTER_DUE_SCHEMA, by due day and key; late_money: 0. Who uses what is by pegging: first come first used.

    days: of each lot that is ordered.
    """
    comes = [(days[lot].due, peg.product(lot), peg) for lot, own in found.pegs.items() if lot in days for peg in own]
    comes += [(one.day, one.product, peg) for one, peg in found.of_out]
    comes += [(work.facts.today, product, peg) for product, peg in found.of_stock]
    units: dict[tuple[date, str, str, str, int, date], float] = {}
    for there_on, label, peg in comes:
        use = peg.use
        is_later = work.calendar.index(there_on, work.starts[0]) > use.bucket if use.late else there_on > use.due
        if use.kind == "request" and is_later:
            what = "late" if use.late else "on_time"
            key = (use.due, use.name, work.facts.product_of(label), what, use.bucket, there_on)
            units[key] = units.get(key, 0.0) + peg.units
    rows = [
        {"demand": name, "product": product, "due": due, "what": what, "counted_in": work.starts[bucket]}
        | {"there_on": there_on, "units": amount, "late_money": 0.0}
        for (due, name, product, what, bucket, there_on), amount in sorted(units.items())
    ]
    return pa.Table.from_pylist(rows, schema=AFTER_DUE_SCHEMA)
