"""Findings of the market in words: how strong one is, since when it is known, and what was decided about it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from datong.app.wording import figures
from datong.app.wording.columns import coded
from datong.model.words import say

if TYPE_CHECKING:  # they import every stage
    from datong.questions.finding_strength import Strength
    from datong.questions.market_findings import MarketFinding


# From this share on times are easier to grasp than percent.
TIMES_FROM = 2.0


def strength_words(strength: "Strength | None", language: str) -> str:
    """'+102% (nine times in ten +92% to +113%)', or '×34 (...)'; without an interval where there is none; of what was
    not there before, the least that it is; '' where nothing is known."""
    if strength is None:
        return ""
    if strength.from_none and strength.low is not None:
        return say("findings.strength_from_none", language, low=_times(strength.low))
    write = _times if strength.share >= TIMES_FROM else _percent
    ends = {"share": strength.share, "low": strength.low, "high": strength.high}
    told = {name: None if value is None else write(value) for name, value in ends.items()}
    if told["low"] is None or told["high"] is None or strength.low == strength.high:
        return str(told["share"])
    return say("findings.strength", language, **told)


def _percent(share: float) -> str:
    return f"{share:+.0%}"


def _times(share: float) -> str:
    return f"×{figures.number(1.0 + share, 1 if share < 9 else 0)}"


# A gain of fewer units a week is none.
LEAST_GAIN = 0.05


def attribute_rows(attributes: pa.Table, language: str) -> pa.Table:
    """What attributes and what runs ahead of sales are called, and their values, for a table that people read."""
    names = [coded("attribute", name, language) for name in attributes["attribute"].to_pylist()]
    leads = [name and say(f"sense.indicator_{name}", language) for name in attributes["lead"].to_pylist()]
    told = attributes.rename_columns(["attribute_value" if n == "value" else n for n in attributes.column_names])
    for column, values in (("attribute", names), ("lead", leads)):
        told = told.set_column(told.column_names.index(column), column, pa.array(values, pa.string()))
    return told


def value_name(row: Mapping[str, Any], language: str) -> str:
    """'colour black', of a row of the run's table."""
    attribute = coded("attribute", row["attribute"], language)
    return say("sense.attribute", language, attribute=attribute, value=row["value"])


def attribute_words(row: Mapping[str, Any], language: str) -> str:
    """'colour black: 24.7% -> 22.0% (17.4% to 26.9%), -23 a week', of a row of the run's table."""
    ends = {"late": "late_share", "expected": "expected_share", "low": "low_share", "high": "high_share"}
    shares = {place: f"{row[column]:.1%}" for place, column in ends.items()}
    gain = row["gain_units"]
    units = "0" if abs(gain) < LEAST_GAIN else f"{'+' if gain > 0 else '-'}{figures.fitting(abs(gain))}"
    return say("findings.attributes_row", language, name=value_name(row, language), units=units, **shares)


def decision_words(one: "MarketFinding", zone: ZoneInfo, language: str) -> str:
    """Who decided what, when and why; '' where nobody did."""
    made = one.decision
    if made is None:
        return ""
    why = say("findings.why", language, why=made.reason) if made.reason else ""
    who = made.decided_by or say("findings.nobody", language)
    day = made.made_at.astimezone(zone).date()
    return say(f"findings.decided_{made.state}", language, day=day, who=who, why=why)
