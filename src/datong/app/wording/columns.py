"""Titles of columns and words of coded values, from the catalogue; a name that it does not know stays as it is."""

from collections.abc import Sequence
from datetime import date

from datong.app.wording.figures import fitting
from datong.model.flow import EVIDENCE_ROWS, IMPLIED, method_message
from datong.model.settings import ChainSettings
from datong.model.words import catalogue, say


def title(column: str, language: str) -> str:
    """A column's title; of one that two runs have (`units_a`, `units_b`) with the run's letter."""
    if f"column.{column}" in catalogue():
        return say(f"column.{column}", language)
    name, side = column[:-2], column[-2:]
    if side in ("_a", "_b") and f"column.{name}" in catalogue():
        return f"{side[1].upper()} · {title(name, language)}"
    return column


def coded(column: str, value: object, language: str) -> object:
    """A coded value ('make', 'level_shift'), and the name of an offer that is assumed, in words; any other value as it
    is."""
    if isinstance(value, str) and value.endswith(IMPLIED):
        return say("replenish.by_anyone", language)
    key = f"code.{column}_{value}"
    return say(key, language) if isinstance(value, str) and key in catalogue() else value


def evidence_words(ids: Sequence[str], table: str, language: str) -> str:
    """How many rows of which table are behind something; with a plus where only the weightiest were kept."""
    many = "+" if len(ids) >= EVIDENCE_ROWS else ""
    return say("terminal.evidence", language, count=f"{len(ids)}{many}", table=table)


def shown_value(column: str, value: object, language: str) -> str:
    """Any value of a table as a short text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return say("shown.yes" if value else "shown.no", language)
    if isinstance(value, float):
        return fitting(value)
    if isinstance(value, list):
        return ", ".join(str(v) for v in value[:3]) + (" …" if len(value) > 3 else "")
    if isinstance(value, date):
        return value.isoformat()
    return str(coded(column, value, language))


def rounded(settings: ChainSettings, language: str) -> str:
    """How days of a lead time become buckets."""
    return say(f"plan.rounded_{settings.bucket}", language)


def method_words(method: str, language: str) -> str:
    """How a forecast was made: given, a prior, or the models that back-tests chose."""
    return method_message(method).text(language)
