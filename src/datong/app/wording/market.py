"""Findings of the market in words: how strong one is, since when it is known, and what was decided about it."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from datong.app.wording import figures
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


def decision_words(one: "MarketFinding", zone: ZoneInfo, language: str) -> str:
    """Who decided what, when and why; '' where nobody did."""
    made = one.decision
    if made is None:
        return ""
    why = say("findings.why", language, why=made.reason) if made.reason else ""
    who = made.decided_by or say("findings.nobody", language)
    day = made.decided_at.astimezone(zone).date()
    return say(f"findings.decided_{made.state}", language, day=day, who=who, why=why)
