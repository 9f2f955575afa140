"""What a planner is told of firm orders that are part of a forecast: of a forecast of 40 in a week, 25 are orders."""

from collections.abc import Sequence
from datetime import date
from functools import reduce

import pyarrow as pa

from datong.model.calendar import BucketUnit, Calendar
from datong.model.findings import Finding, finding
from datong.model.words import Message, message, shown
from datong.network.forecast_netting import PartOrdered, parts_ordered

# Code of the finding.
PART_ORDERED = "part_ordered"
# So many parts, and orders of one part, are named.
MOST_PARTS, MOST_ORDERS = 3, 5
# A part of less than this many units is not told.
LEAST_TOLD = 0.5


def part_words(bucket: date, part: PartOrdered, unit: BucketUnit) -> Message:
    """Of a forecast of 40 in the week of 2024-01-08, 25 are firm orders (o1 20, o2 5)."""
    orders = [message("netting.order", name=name, units=shown(units)) for name, units in part.orders]
    return message(
        "netting.part",
        forecast=shown(part.forecast_units),
        when=message(f"netting.{unit}", day=bucket),
        units=shown(part.units),
        orders=_listed(orders, MOST_ORDERS, "list"),
    )


def parts_told(consumed: pa.Table, calendar: Calendar) -> tuple[Finding, ...]:
    """The parts of forecasts that are firm orders, the largest first; nothing where there are none."""
    parts = {key: part for key, part in parts_ordered(consumed).items() if part.units >= LEAST_TOLD}
    if not parts:
        return ()
    largest = sorted(parts, key=lambda key: (-parts[key].units, key))
    words = [
        message(
            "netting.of_product",
            product=product if market == "all" else f"{product} ({market})",
            part=part_words(bucket, parts[product, market, bucket], calendar.unit),
        )
        for product, market, bucket in largest
    ]
    return (finding("note", f"netting.{PART_ORDERED}", "demand", parts=_listed(words, MOST_PARTS, "parts")),)


def _listed(words: Sequence[Message], most: int, key: str) -> Message:
    """The first few, and how many more there are."""
    some = list(words[:most])
    if len(words) > most:
        some.append(message("netting.more", count=len(words) - most))
    return reduce(lambda before, following: message(f"netting.{key}", before=before, following=following), some)
