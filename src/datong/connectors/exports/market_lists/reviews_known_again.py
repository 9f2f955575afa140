"""Which review of a list without numbers is which that a chain holds.

A review without a number of the platform's is known by its words, its day and its product; its key has its stars, too,
so that reviews without words stay apart. Where one of the same words has other stars now, or words were added below
them, it is the same review, and takes the key under which it is held."""

import re
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

# The key of a review without a number: a digest of what it says, its day, its product and, of equal ones, its turn.
_OF_WORDS = re.compile(r"^[0-9a-f]{16}(/(?:\d{4}-\d\d-\d\d)?/.*?)(#\d+)?$", re.DOTALL)
_COLUMNS = ("rating", "title", "text")


@dataclass(frozen=True)
class _Review:
    """key: in the ledger, or of the list. place: day and product of the key. rating: stars; None for none. title, text:
    its words, masked; None where there are none."""

    key: str
    place: str
    rating: float | None
    title: str | None
    text: str | None

    def words(self) -> Iterator[Hashable]:
        """By what it is known, best first: its words; then those before something was added below them. Nothing of one
        without words."""
        if self.title is None and self.text is None:
            return
        text = self.text or ""
        yield self.place, self.title, self.text
        for at in range(len(text) - 1, -1, -1):
            if text[at] == "\n":
                yield self.place, self.title, text[:at]


@dataclass
class _Held:
    """Reviews that a chain holds and that no row of the list is yet. taken: keys that stand for a row of the list.
    alike: by all that they say; worded: by their words alone."""

    taken: set[str] = field(default_factory=set)
    alike: dict[Hashable, deque[str]] = field(default_factory=dict)
    worded: dict[Hashable, deque[str]] = field(default_factory=dict)

    def take(self, keys: deque[str] | None) -> str | None:
        """The first of some keys that is free still, which it is not any more."""
        while keys:
            if (key := keys.popleft()) not in self.taken:
                self.taken.add(key)
                return key
        return None


def known_again(held: pa.Table, rows: pa.Table) -> pa.Array:
    """(row,) keys of reviews, those of the chain where it has them. held: its reviews. rows: of a list, with their
    products as the list writes them.

    First those that say the same, then those of the same words. What is neither is new, and its key is one that nothing
    else has."""
    mine = _reviews(rows, frozenset())
    places = frozenset(review.place for review in mine if review is not None)
    theirs = [review for review in _reviews(held, places) if review is not None]
    free = _Held()
    for review in theirs:
        free.alike.setdefault(_all_of(review), deque()).append(review.key)
        if (words := next(review.words(), None)) is not None:
            free.worded.setdefault(words, deque()).append(review.key)
    keys = [None if r is not None else key for r, key in zip(mine, rows["review"].to_pylist(), strict=True)]
    said = {review.key: _all_of(review) for review in theirs}
    for at, review in enumerate(mine):  # as they are, under their own key
        if review is not None and said.get(review.key) == _all_of(review) and review.key not in free.taken:
            free.taken.add(review.key)
            keys[at] = review.key
    for at, review in enumerate(mine):
        if review is not None and keys[at] is None:
            keys[at] = free.take(free.alike.get(_all_of(review)))
    for at, review in enumerate(mine):
        if review is not None and keys[at] is None:
            keys[at] = next((key for w in review.words() if (key := free.take(free.worded.get(w))) is not None), None)
    return pa.array(_with_new(keys, mine, set(said)), pa.string())


def _with_new(keys: Sequence[str | None], mine: Sequence[_Review | None], held: set[str]) -> list[str | None]:
    """Keys, with one of its own for each review that is new."""
    used = held | {key for key in keys if key is not None}
    turns: dict[str, int] = {}
    result: list[str | None] = []
    for key, review in zip(keys, mine, strict=True):
        if key is None and review is not None:
            key, bare = review.key, re.sub(r"#\d+$", "", review.key)
            while key in used:
                turns[bare] = turns.get(bare, 1) + 1
                key = f"{bare}#{turns[bare]}"
            used.add(key)
        result.append(key)
    return result


def _all_of(review: _Review) -> Hashable:
    return review.place, review.rating, review.title, review.text


def _reviews(table: pa.Table, places: frozenset[str]) -> list[_Review | None]:
    """(row,) reviews that have no number of their own; None for others. places: those that are asked for; where there
    are none, the rows tell their product."""
    columns = [table[name].to_pylist() for name in ("review", *_COLUMNS)]
    products = table["product"].to_pylist()
    result: list[_Review | None] = []
    for key, rating, title, text, product in zip(*columns, products, strict=True):
        found = None if key is None else _OF_WORDS.match(key)
        if found is None:
            result.append(None)
            continue
        whole = found[1] + (found[2] or "")  # a product may be called MUG#2
        place = whole if whole in places or (not places and whole.endswith(f"/{product}")) else found[1]
        result.append(_Review(key, place, rating, title, text))
    return result
