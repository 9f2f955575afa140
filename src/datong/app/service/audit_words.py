"""Values before and after a change, field by field in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from datong.app.wording.columns import coded, shown_value
from datong.model.words import catalogue, say

# By which doors changes come, as the audit notes them.
WAYS = ("web", "rest", "factory", "mcp", "oidc", "terminal")
Values = Mapping[str, Any]


def way_words(way: str, language: str) -> str:
    """By which door a change came; '' where it is not noted."""
    key = f"service.way.{way}"
    return say(key, language) if key in catalogue() else way


def fields_words(values: Values | None, other: Values | None, language: str) -> str:
    """A line for each field. other: the values on the other side of the change: a field that is empty here and not
    there is told to be empty; one that is empty on both sides is left out."""
    told, beside = values or {}, other or {}
    lines = [
        say("service.audit_line", language, name=_title(name, language), value=_value(name, value, language) or "–")
        for name, value in told.items()
        if not (_is_empty(value) and _is_empty(beside.get(name)))
    ]
    return "\n".join(lines)


def _is_empty(value: Any) -> bool:
    return value in (None, "", [], {})


def _title(name: str, language: str) -> str:
    """A field's name: as the audit calls it, as tables do, or as it is."""
    keys = (f"service.audit_field.{name}", f"column.{name}")
    return next((say(key, language) for key in keys if key in catalogue()), name.replace("_", " "))


def _value(name: str, value: Any, language: str) -> str:
    if _is_empty(value):
        return ""
    if isinstance(value, Mapping):
        told = [(_title(str(key), language), _value(str(key), one, language)) for key, one in value.items()]
        parts = [say("service.audit_part", language, name=key, value=text) for key, text in told if text]
        return say("service.audit_next", language).join(parts)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return say("service.audit_join", language).join(_value(name, one, language) for one in value)
    return _word(name, value, language)


def _word(name: str, value: Any, language: str) -> str:
    """A single value: of people and jobs, and of orders, in the words that pages have for it."""
    keys = {"roles": "service.role", "scopes": "service.permission", "way": "service.way", "kind": "service.job"}
    key = f"{keys.get(name, f'service.{name}')}.{value}"
    if key in catalogue() and f"code.{name}_{value}" not in catalogue():
        return say(key, language)
    word = coded(name, value, language)
    return word if isinstance(word, str) else shown_value(name, word, language)
