"""What stands in the way of demand that is late or lost, as a row of the table `gaps` has it: one answer for the first
screen, the sheet Late and the reason of an order."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

# What kind of thing stands in the way: it lies there for others, it is scarce, it was due before the plan begins, no
# start is left, or it costs more than it is worth.
LateCause = Literal["kept", "scarce", "was_due", "no_time", "dearer"]


def cause_of(row: Mapping[str, Any]) -> tuple[LateCause, str]:
    """What stands in the way of what is late or lost in a row of `gaps`, and the scarce thing, '' where it is none."""
    if row["kept_for"]:
        return "kept", row["binding"]
    if row["binding"]:
        return "scarce", row["binding"]
    if row["needed_days"] == 0:
        return "was_due", ""
    return ("no_time" if row["binding_bucket"] is None else "dearer"), ""


def lacks(product: str, held: Mapping[str, str], bound: Collection[str]) -> str | None:
    """The product that is held back and for want of which this one runs short; None where it is not that.

    held: by product that one that is held back goes into, that one. bound: products of which something scarce stands in
    the way.
    """
    lacked = held.get(product)
    return lacked if lacked == product or product not in bound else None
