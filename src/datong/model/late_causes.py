"""What stands in the way of demand that is late or lost, as a row of the table `gaps` has it: one answer for the first
screen, the sheet Late and the reason of an order."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from datong.model.words import Message, message

# What kind of thing stands in the way: it lies there for others, it was sent elsewhere, it is scarce, it was due before
# the plan begins, no start is left, or it costs more than it is worth.
LateCause = Literal["kept", "sent", "scarce", "was_due", "no_time", "dearer"]


# What begins the names of columns that tell the cause of what is lost, where what is late has another one.
LOST = "lost_"


def cause_of(row: Mapping[str, Any]) -> tuple[LateCause, str]:
    """What stands in the way of what is late or lost in a row of `gaps`, and the scarce thing, '' where it is none."""
    if row["needed_days"] == 0:
        return "was_due", ""
    if row["kept_for"]:
        return ("kept", row["binding"]) if row["binding"] else ("sent", "")
    if row["binding"]:
        return "scarce", row["binding"]
    return ("no_time" if row["binding_bucket"] is None else "dearer"), ""


def short_together(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What is short beside the scarce thing of a row of `gaps`; an earlier version of Datong did not keep it."""
    return tuple(row.get("short_too") or ())


def lacks(product: str, held: Mapping[str, str], bound: Collection[str]) -> str | None:
    """The product that is held back and for want of which this one runs short; None where it is not that.

    held: by product that one that is held back goes into, that one. bound: products of which something scarce stands in
    the way.
    """
    lacked = held.get(product)
    return lacked if lacked == product or product not in bound else None


def no_time_words(row: Mapping[str, Any], unit: str) -> Message:
    """That no start is left in time: how many days it takes, with what must come before it, and the first bucket in
    which it can start, where that is not the plan's first, or the release fence that keeps it from an earlier one; None
    of these where nothing can start that ends within the horizon. unit: of buckets."""
    rounded, days, start = message(f"plan.rounded_{unit}"), row.get("soonest_days"), row.get("soonest_start")
    parts = row.get("soonest_through")
    if days == 0 and row.get("fenced_until") is not None:
        return message("report.gap.fenced_at_once", until=row["fenced_until"])
    if days is not None and row.get("fenced_until") is not None:
        return message("report.gap.fenced", until=row["fenced_until"], days=days, rounded=rounded)
    if days is None:
        return message("report.gap.no_time", rounded=rounded)
    if start is None and parts:
        return message("report.gap.no_time_through", days=days, parts=parts, rounded=rounded)
    if start is None and days == 0:  # what is due from the first bucket on could be there
        return message("report.gap.no_time_due_before")
    if start is None:
        return message("report.gap.no_time_days", days=days, rounded=rounded)
    begins = message(f"plan.{unit}", day=start)
    if parts:
        return message("report.gap.no_time_start_through", start=begins, days=days, parts=parts, rounded=rounded)
    if days == 0:
        return message("report.gap.no_time_at_once", start=begins)
    return message("report.gap.no_time_start", start=begins, days=days, rounded=rounded)
