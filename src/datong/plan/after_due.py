"""Units that count in the bucket of a customer's due day, and so are on time, but are there after that day."""

from collections.abc import Callable, Mapping
from datetime import date

import pyarrow as pa

from datong.model.flow import AFTER_DUE_SCHEMA
from datong.plan.days_of_lots import Days
from datong.plan.lots_along_clearing import Lot
from datong.plan.pegging import Pegged


def after_due(found: Pegged, days: Mapping[Lot, Days], product_of: Callable[[str], str]) -> pa.Table:
    """Rows of AFTER_DUE_SCHEMA, by due day and key; late_money: 0. Who uses what is by pegging: first come first used.

    days: of each lot that is ordered. product_of: the product that a label of product and site is of.
    """
    comes = [(days[lot].due, lot.way.product, peg) for lot, own in found.pegs.items() if lot in days for peg in own]
    comes += [(one.day, one.product, peg) for one, peg in found.of_out]
    units: dict[tuple[date, str, str, date], float] = {}
    for there_on, product, peg in comes:
        use = peg.use
        if use.kind == "request" and not use.late and there_on > use.due:
            key = (use.due, use.name, product_of(product), there_on)
            units[key] = units.get(key, 0.0) + peg.units
    rows = [
        {"demand": name, "product": product, "due": due, "there_on": there_on, "units": amount, "late_money": 0.0}
        for (due, name, product, there_on), amount in sorted(units.items())
    ]
    return pa.Table.from_pylist(rows, schema=AFTER_DUE_SCHEMA)
