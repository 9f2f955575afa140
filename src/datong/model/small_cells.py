"""What is told of persons to others: no small cells, and nobody's words.

Sheets go to firms and hang on a shop floor. A count of fewer than LEAST_TOLD reviews is told as being under it
(suppression of small cells; Hundepool et al. 2012, Statistical Disclosure Control), and what a buyer wrote is not told.
"""

from typing import Any

from datong.model.words import Message, message

LEAST_TOLD = 5
# Counts of persons' rows, by the text that tells them; and the text that tells the same without their words.
_COUNTS = {
    "sense.complaint": ("count", "base", "count_before", "base_before"),
    "sense.complaint_quoted": ("count", "base", "count_before", "base_before"),
    "sense.complaint_less": ("count",),
    "sense.lead_less": ("count",),
}
_WITHOUT_WORDS = {"sense.complaint_quoted": ("sense.complaint", "quotes")}


def for_others(said: Message) -> Message:
    """A text as it may leave the chain."""
    key, left_out = _WITHOUT_WORDS.get(said.key, (said.key, ""))
    counts = _COUNTS.get(said.key, ())
    places = [(name, value) for name, value in said.params if name != left_out]
    return message(key, **{name: _told(value, name in counts) for name, value in places})


def _told(value: Any, is_count: bool) -> Any:
    if isinstance(value, Message):
        return for_others(value)
    return message("sense.under", least=LEAST_TOLD) if is_count and value < LEAST_TOLD else value
