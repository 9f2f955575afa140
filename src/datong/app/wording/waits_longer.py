"""A customer's order that waits longer by one plan than by another, in a sentence."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from datong.app.wording import figures
from datong.app.wording.names import Names
from datong.model.settings import ChainSettings
from datong.model.words import say


def later_line(row: Mapping[str, Any], settings: ChainSettings, names: Names, language: str) -> str:
    """A customer's order that comes later by one plan than by another. row: of LATER_SCHEMA."""
    told = {
        "demand": row["demand"],
        "product": names.called(row["product"]),
        "units": figures.fitting(row["units"]),
        "due": row["due"],
        "before": _there(row, "a", settings, language),
        "then": _there(row, "b", settings, language),
    }
    return say("quote.later", language, **told)


def _there(row: Mapping[str, Any], side: str, settings: ChainSettings, language: str) -> str:
    there = row[f"there_{side}"]
    if there is None:
        return say("quote.not_at_all", language)
    if row[f"by_bucket_{side}"]:
        return say("quote.in_bucket", language, when=when(there, settings, language))
    return say("quote.by_day", language, day=there)


def when(bucket: date | str, settings: ChainSettings, language: str) -> str:
    """A bucket in words: the week of ..., or the day."""
    return say("plan.week" if settings.bucket == "week" else "plan.day", language, day=bucket)
