"""Which product of a chain a product of a file is: by codes, then by its name and what it says of colour, size,
measures, count and model. What is not sure is left to a person; two that differ in any of these are never taken for
one.

The likeness of two names is the Dice coefficient (Dice 1945) of their meanings, each weighted by how rare it is among
the products (inverse document frequency, Sparck Jones 1972), as in the linkage of records (Christen 2012, "Data
Matching", 5)."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from datong.connectors.exports.matching.gtin import gtin_of
from datong.connectors.exports.vocabulary import plain
from datong.ledger.product_names.attributes import Attributes, attributes_of, conflict, missing

# Chosen on the development seeds of benchmarks/same_product.py: from SURE on two names that tell the same attributes
# are one product's, from ASK on a person is asked; a second candidate within NEAR of the first leaves a doubt.
SURE, ASK, NEAR = 0.85, 0.65, 0.08
# Meanings that two names must share at least, so that they are sure.
LEAST_MEANINGS = 3
# Likeness of names that codes which are equal but for blanks and marks need beside them.
AGREEING = 0.5
CANDIDATES_SHOWN = 3
_LEAST_PREFIX, _PREFIX_WORTH = 3, 0.8
_UNKNOWN_WORTH = 0.3  # of a word in another script
_MOST_COMMON = 0.2  # of all products: a meaning of more finds no candidates
_LEAST_COMMON = 50
_LOOKED_AT = 60  # candidates by product

SAME, OWN, DOUBT = "same", "own", "doubt"


@dataclass(frozen=True)
class Item:
    """A product as one side knows it. names: what it is called; codes: all that may stand for it, its own first."""

    code: str
    names: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Match:
    """What a product of a file is. outcome: SAME as `product`, OWN, or DOUBT. how: 'code', 'barcode', 'other_code',
    'name', 'said'. differs: the attribute that leaves a doubt, '' for none. candidates: products that it may be, best
    first, with the likeness of names (0..1)."""

    item: Item
    outcome: str
    product: str = ""
    how: str = ""
    differs: str = ""
    candidates: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The products of a chain, as they are looked up. by_code: product by each of its codes; by_bare: the same, without
    case, blanks and marks; by_gtin: in 14 digits. names: what the names of each product say. rarity: weight of each
    meaning. having: products by meaning. rarest: weight of a meaning that no product has."""

    items: Mapping[str, Item]
    by_code: Mapping[str, str]
    by_bare: Mapping[str, str]
    by_gtin: Mapping[str, str]
    names: Mapping[str, tuple[Attributes, ...]]
    rarity: Mapping[str, float] = field(default_factory=dict)
    having: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rarest: float = 1.0


def catalogue_of(items: Iterable[Item]) -> Catalogue:
    """The catalogue of some products. A code that two products share stands for neither."""
    every = {item.code: item for item in items}
    by_code: dict[str, set[str]] = defaultdict(set)
    by_bare: dict[str, set[str]] = defaultdict(set)
    by_gtin: dict[str, set[str]] = defaultdict(set)
    for item in every.values():
        for code in (item.code, *item.codes):
            by_code[code].add(item.code)
            by_bare[bare(code)].add(item.code)
            if (number := gtin_of(code)) is not None:
                by_gtin[number].add(item.code)
    names = {code: tuple(map(attributes_of, item.names)) for code, item in every.items()}
    having: dict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for code, told in names.items():
        own = {meaning for one in told for meaning in meanings_of(one)}
        counts.update(own)
        for meaning in sorted(own):
            for key in _keys(meaning):
                having[key].append(code)
    rarity = {meaning: math.log(1 + len(every) / count) for meaning, count in counts.items()}
    single = ({key: next(iter(some)) for key, some in index.items() if len(some) == 1 and key}
              for index in (by_code, by_bare, by_gtin))  # fmt: skip
    return Catalogue(every, *single, names, rarity, having, max(rarity.values(), default=1.0))


def by_own_code(item: Item, known: Item) -> Match:
    """What a product is whose code is one of the chain's: that product, unless its name contradicts."""
    if not item.names or set(item.names) & set(known.names):
        return Match(item, SAME, known.code, "code")
    return _unless_conflict(item, known.code, "code", tuple(map(attributes_of, known.names)))


def match(items: Sequence[Item], known: Catalogue, *, names: bool = True) -> list[Match]:
    """What each product of a file is, one for each in their order. names: names may tell, where no code does."""
    found = [_by_code(item, known) or (_by_name(item, known) if names else Match(item, OWN)) for item in items]
    claims = Counter(m.product for m in found if m.outcome == SAME)
    own = {item.code for item in items if item.code in known.items}
    result = []
    for one in found:
        shared = claims[one.product] > 1 or (one.product in own and one.item.code != one.product)
        if one.outcome == SAME and one.how == "name" and shared:  # two of one file are not one by their names alone
            one = Match(one.item, DOUBT, differs="shared", candidates=one.candidates)
        result.append(one)
    return result


# --- codes -------------------------------------------------------------------------------------------------------


def bare(code: str) -> str:
    """A code without case, blanks and marks."""
    return "".join(c for c in plain(code) if c.isalnum())


def _by_code(item: Item, known: Catalogue) -> Match | None:
    """What the codes of a product say; None where they say nothing. Its own code, a barcode and another code of it are
    sure, where the names do not contradict; one that is equal but for blanks and marks needs names that agree."""
    if item.code in known.items:
        return by_own_code(item, known.items[item.code])
    for code in (item.code, *item.codes):
        number = gtin_of(code)
        if number is not None and number in known.by_gtin:
            product = known.by_gtin[number]
            return _unless_conflict(item, product, "barcode", known.names[product])
    for code in (item.code, *item.codes):
        if code in known.by_code:
            product = known.by_code[code]
            return _unless_conflict(item, product, "other_code", known.names[product])
    for code in (item.code, *item.codes):
        product = known.by_bare.get(bare(code))
        if product is not None:
            likeness = max(_likenesses(item, product, known), default=0.0)
            certain = _unless_conflict(item, product, "other_code", known.names[product])
            if likeness >= AGREEING or certain.outcome == DOUBT:
                return certain
            return Match(item, DOUBT, differs="code", candidates=((product, likeness),))
    return None


def _unless_conflict(item: Item, product: str, how: str, names: Sequence[Attributes]) -> Match:
    """The same product, unless all of its names contradict those of the other in some attribute. names: what those of
    the other say."""
    pairs = [(mine, theirs) for mine in map(attributes_of, item.names) for theirs in names]
    conflicts = [conflict(*pair) for pair in pairs]
    if conflicts and all(conflicts):
        return Match(item, DOUBT, how=how, differs=conflicts[0], candidates=((product, 1.0),))
    return Match(item, SAME, product, how)


# --- names -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=200_000)
def meanings_of(told: Attributes) -> frozenset[str]:
    """All that a name says, attributes and words."""
    marked = (f"{name}:{value}" for name, values in told.told().items() for value in values)
    return frozenset((*told.words, *marked))


def likeness(one: frozenset[str], other: frozenset[str], rarity: Mapping[str, float], unknown: float) -> float:
    """0..1: the Dice coefficient of two sets of meanings, weighted; a word that begins another one counts as most of
    it: an abbreviation. unknown: the weight of a meaning without one."""

    def weight(meanings: Iterable[str]) -> float:
        return sum(rarity.get(meaning, unknown) for meaning in meanings)

    mine, theirs = _left(one, other)
    shared = 2 * weight(one & other)
    total = shared + weight(mine) + weight(theirs)
    if in_other_scripts(one, other):  # words that no list knows tell little: the other name may say the same
        total -= (1 - _UNKNOWN_WORTH) * weight(m for m in (*mine, *theirs) if ":" not in m)
    for word, partner in _abbreviated(mine, theirs):
        shared += _PREFIX_WORTH * weight((word, partner))
    return shared / total if total else 0.0


def _left(one: frozenset[str], other: frozenset[str]) -> tuple[list[str], list[str]]:
    """What each of two names says and the other does not."""
    return sorted(one - other), sorted(other - one)


def _abbreviated(mine: Sequence[str], theirs: Sequence[str]) -> list[tuple[str, str]]:
    """Words of one name that begin words of the other, each once."""
    free, pairs = list(theirs), []
    for word in mine:
        partner = next((other for other in free if _abbreviates(word, other)), None)
        if partner is not None:
            free.remove(partner)
            pairs.append((word, partner))
    return pairs


def differ_in_words(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether each of two names has a word that the other has not, as two brands are."""
    mine, theirs = (tuple(m for m in left if ":" not in m) for left in _left(one, other))
    pairs = len(_abbreviated(mine, theirs))
    return len(mine) > pairs and len(theirs) > pairs


def in_other_scripts(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether one of two names has words in Chinese that no list knows, and the other has unknown words in letters."""
    chinese, letters = (
        [any(m.isascii() == ascii_only for m in left if ":" not in m) for left in _left(one, other)]
        for ascii_only in (False, True)
    )
    return (chinese[0] and letters[1] and not chinese[1]) or (chinese[1] and letters[0] and not chinese[0])


def _abbreviates(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= _LEAST_PREFIX and short.isascii() and short.isalpha() and long.startswith(short)


def _keys(meaning: str) -> Iterator[str]:
    """Under what a meaning is looked up: itself, and the beginning of a word, for abbreviations."""
    yield meaning
    if meaning.isascii() and meaning.isalpha() and len(meaning) > _LEAST_PREFIX:
        yield f"^{meaning[:_LEAST_PREFIX]}"


def _likenesses(item: Item, product: str, known: Catalogue) -> Iterator[float]:
    for mine in map(attributes_of, item.names):
        for theirs in known.names[product]:
            yield likeness(meanings_of(mine), meanings_of(theirs), known.rarity, known.rarest)


def _by_name(item: Item, known: Catalogue) -> Match:
    """What the name of a product says: the same, one to be asked about, or one of its own."""
    best: dict[str, tuple[float, str]] = {}
    for mine in map(attributes_of, item.names):
        for product in _candidates(mine, known):
            for theirs in known.names[product]:
                if conflict(mine, theirs):
                    continue
                value = likeness(meanings_of(mine), meanings_of(theirs), known.rarity, known.rarest)
                if value > max(best.get(product, (0.0, ""))[0], ASK - NEAR):
                    best[product] = value, _doubt(mine, theirs)
    ranked = sorted(best.items(), key=lambda pair: (-pair[1][0], pair[0]))
    near = [(product, value) for product, (value, _) in ranked if value >= ASK]
    if not near:
        return Match(item, OWN)
    product, (value, doubt) = ranked[0]
    if not doubt and value < SURE:
        doubt = "words"
    if not doubt and len(ranked) > 1 and ranked[1][1][0] > value - NEAR:
        doubt = "several"
    if doubt:
        return Match(item, DOUBT, differs=doubt, candidates=tuple(near[:CANDIDATES_SHOWN]))
    return Match(item, SAME, product, "name", candidates=tuple(near[:CANDIDATES_SHOWN]))


def _doubt(mine: Attributes, theirs: Attributes) -> str:
    """What two names that do not contradict leave open; '' for nothing."""
    if lacks := missing(mine, theirs):
        return f"lacks_{lacks}"
    one, other = meanings_of(mine), meanings_of(theirs)
    if in_other_scripts(one, other):
        return "language"
    return "words" if len(one & other) < LEAST_MEANINGS or not mine.words or differ_in_words(one, other) else ""


def _candidates(told: Attributes, known: Catalogue) -> list[str]:
    """Products that share rare meanings with a name, those that share most first."""
    most = max(_LEAST_COMMON, _MOST_COMMON * len(known.items))
    scores: dict[str, float] = defaultdict(float)
    for meaning in sorted(meanings_of(told)):
        for key in _keys(meaning):
            having = known.having.get(key, ())
            if len(having) <= most:
                for product in having:
                    scores[product] += known.rarity.get(meaning, 1.0)
    return sorted(scores, key=lambda product: (-scores[product], product))[:_LOOKED_AT]
