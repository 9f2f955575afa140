"""Why the day on which an order is wanted can stand before the day on which it is there."""

from collections.abc import Mapping
from typing import Any

from datong.model.calendar import Calendar
from datong.model.words import say


def after_need(row: Mapping[str, Any], calendar: Calendar, language: str) -> str:
    """In words: it comes late, or later in the same week, which counts as on time; '' where it is there by the day, or
    the day is not known. row: with the days `needed_by` and `due`."""
    needed, due = row["needed_by"], row["due"]
    if needed is None or due is None or due <= needed:
        return ""
    days = {"needed": needed, "due": due, "days": (due - needed).days}
    is_late = calendar.index(due, needed) > 0
    return say("web_plan.after_need_late" if is_late else "web_plan.after_need_within", language, **days)
