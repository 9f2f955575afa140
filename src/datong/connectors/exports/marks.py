"""What a state of an order says, by the words in it: shipped, unpaid, cancelled, refunded, each a mark."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from datong.connectors.exports.vocabulary import plain, vocabulary, words

_MARKS: Mapping[str, frozenset[str]] = {
    "sold": frozenset({"sold"}),
    "nothing": frozenset(),
    "shipped": frozenset({"shipped"}),
    "unshipped": frozenset({"unshipped"}),
    "unpaid": frozenset({"unpaid"}),
    "cancelled": frozenset({"cancelled"}),
    "refunded": frozenset({"refunded"}),
    "returned": frozenset({"refunded", "shipped"}),
    "partly": frozenset({"refunded", "partly"}),
    "returning": frozenset({"returning"}),
    "pending": frozenset({"pending"}),
}
_CLAUSES = re.compile(r"[,，;；/、|+&()（）:：]")
_NEGATION = re.compile(r"(?:^|\s)(?:not|no|non|never|un|nicht|kein|sin|pas)(?:\s|$)|[未无没不非待]")


@lru_cache(maxsize=10_000)
def marks_of(text: str) -> frozenset[str] | None:
    """What a state says, None where some part of it is no word that is known."""
    marks: set[str] = set()
    for clause in _CLAUSES.split(plain(text)):
        if clause.strip():
            found = _clause(clause.strip(" .!#-"))
            if found is None:
                return None
            marks |= found
    return frozenset(marks)


@lru_cache(maxsize=1)
def _known_states() -> Sequence[tuple[str, frozenset[str]]]:
    """All words for states, the longest first."""
    known = {word: _MARKS[name] for name in vocabulary()["states"] for word in words("states", name)}
    return sorted(known.items(), key=lambda pair: (-len(pair[0]), pair[0]))


def _clause(clause: str) -> frozenset[str] | None:
    marks: set[str] = set()
    rest, found = f" {clause} ", False
    for word, some in _known_states():
        if word.isascii():
            place = f" {word} "
            if place in rest:
                rest, found = rest.replace(place, "  "), True
                marks |= some
        elif word in rest:
            rest, found = rest.replace(word, " "), True
            marks |= some
    if not found or _NEGATION.search(rest):
        return None
    return frozenset(marks)
