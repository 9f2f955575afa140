"""The numbers of the orders that took what lay there while demand went without it (`kept_for` of the table `gaps`)."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from datong.model.late_causes import LOST
from datong.plan.lots_along_clearing import Lot

# What took units, as `gaps` has it: what they went into, and the first day of the bucket.
_TOOK = re.compile(r"→ (?P<product>.+?) \((?P<day>\d{4}-\d\d-\d\d)\)")


def with_numbers(gaps: pa.Table, numbers: Mapping[Lot, str], starts: Sequence[date]) -> pa.Table:
    """The table `gaps` with the numbers of the orders behind what was sent elsewhere or went into something else. Of
    what is kept for later demand (it has a binding) nothing changes."""
    named: dict[tuple[str, str], list[str]] = defaultdict(list)
    for lot, number in numbers.items():
        named[lot.way.product, starts[lot.start].isoformat()].append(number)

    def told(found: re.Match[str]) -> str:
        product, day = found["product"], found["day"]
        return f"→ {product} ({', '.join([day, *sorted(named.get((product, day), ()))])})"

    for of in ("", LOST):
        sent = pc.and_(pc.is_valid(gaps[f"{of}kept_for"]), pc.equal(pc.fill_null(gaps[f"{of}binding"], ""), ""))
        rows = pc.indices_nonzero(sent).to_pylist()
        if rows:
            whom = gaps[f"{of}kept_for"].to_pylist()
            for row in rows:
                whom[row] = _TOOK.sub(told, whom[row])
            place = gaps.column_names.index(f"{of}kept_for")
            gaps = gaps.set_column(place, gaps.schema.field(place), pa.array(whom, pa.string()))
    return gaps
