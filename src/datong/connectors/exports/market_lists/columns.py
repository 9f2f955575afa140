"""Which column of a list of reviews, interest, promotions or prices is which: by the words of its header, and by its
cells."""

from collections.abc import Mapping

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import Choice, ColumnGuess, Facts, assigned, facts_of, header_score, others
from datong.connectors.exports.market_lists.discounts import share_of_discounts
from datong.connectors.exports.market_lists.star_ratings import share_of_stars
from datong.ledger.masking import masked_short
from datong.model.words import Message, message

REVIEWS, INTEREST, PROMOTIONS, PRICES = "reviews", "interest", "promotions", "prices"
# Lists of what is known ahead, too.
PLANNED = (PROMOTIONS, PRICES)
# What a column can be, in the order in which equal scores are settled.
FIELDS = {
    REVIEWS: ("date", "product", "name", "variant", "rating", "title", "text", "more", "key", "market"),
    INTEREST: (
        "date", "product", "name", "market", "view", "visitor", "cart", "cart_people", "favourite", "favourite_people",
        "search", "term",
    ),
    PROMOTIONS: ("date", "end", "product", "name", "promotion", "discount", "price", "list_price", "market"),
    PRICES: ("date", "end", "product", "name", "price", "market"),
}  # fmt: skip
COUNTS = ("view", "visitor", "cart", "cart_people", "favourite", "favourite_people", "search")
# What each kind of interest is counted by: how often is better than how many people.
COUNTED_BY = {
    "view": ("view", "visitor"),
    "search": ("search",),
    "cart": ("cart", "cart_people"),
    "favourite": ("favourite", "favourite_people"),
}

# Least score of a column; least share of its cells that are what its field holds.
LEAST_SCORE, LEAST_SHARE = 0.5, 0.8
_HEADER_WEIGHT, _HALF = 0.7, 0.5


def named(list_kind: str, field: str, header: str) -> bool:
    """Whether the words of a header name a field of a list."""
    return header_score(f"{list_kind}_{field}", header) >= LEAST_SCORE


def choose(list_kind: str, columns: Mapping[str, Cells], fixed: Mapping[str, str]) -> Choice:
    """Each field its best column, best scores first. fixed: the column of fields that a profile or somebody names."""
    facts = {name: facts_of(name, cells) for name, cells in columns.items()}
    scores: dict[tuple[str, str], float] = {}
    for name, cells in columns.items():
        for field in FIELDS[list_kind]:
            by_words = header_score(f"{list_kind}_{field}", name)
            fits = _fit(field, facts[name], cells) if by_words else 0.0
            score = _HEADER_WEIGHT * by_words + (1 - _HEADER_WEIGHT) * fits
            if fits and score >= LEAST_SCORE and field not in fixed and name not in fixed.values():
                scores[field, name] = score
    scores |= dict.fromkeys(fixed.items(), 1.0)
    chosen = assigned(scores, FIELDS[list_kind], list(columns))
    if "product" not in chosen and "name" in chosen:
        chosen["product"] = chosen["name"]
    if "date" not in chosen:
        dates = [n for n in columns if n not in chosen.values() and facts[n].dates >= LEAST_SHARE > facts[n].numbers]
        chosen |= {"date": dates[0]} if len(dates) == 1 else {}
    guesses = []
    for field in FIELDS[list_kind]:
        name = chosen.get(field)
        if name is None or (field == "name" and name == chosen["product"]):
            continue
        reason = _reason(field, facts[name], by_words=(field, name) in scores)
        sure = round(scores.get((field, name), LEAST_SCORE), 2)
        more = others(field, chosen.values(), scores)
        guesses.append(ColumnGuess(field, name, sure, reason, more, _examples(field, facts[name])))
    return Choice(tuple(guesses), (), (), {})


def _fit(field: str, facts: Facts, cells: Cells) -> float:
    """0..1: how well the cells alone go with a field; 0 where they rule it out."""
    if not facts.filled:
        return 0.0
    if field in ("date", "end"):
        return facts.dates if facts.dates >= _HALF else 0.0
    if field == "discount":
        discounts = share_of_discounts(cells)
        return discounts if discounts >= LEAST_SHARE else 0.0
    if field in (*COUNTS, "price", "list_price"):
        return facts.numbers if facts.numbers >= LEAST_SHARE else 0.0
    if field == "rating":
        stars = share_of_stars(cells)
        return stars if stars >= LEAST_SHARE else 0.0
    if facts.dates >= LEAST_SHARE and facts.numbers < LEAST_SHARE:
        return 0.0
    if field in ("text", "more", "title", "name"):
        return 0.0 if facts.numbers >= LEAST_SHARE else max(facts.filled, _HALF)
    return facts.filled


def _examples(field: str, facts: Facts) -> tuple[str, ...]:
    """Some of the cells, for a person; of people's own words without what is personal."""
    return tuple(map(masked_short, facts.examples)) if field in ("text", "more", "title") else facts.examples


def _reason(field: str, facts: Facts, by_words: bool) -> Message:
    key = "export.by_header" if by_words else "export.by_content"
    if field in ("date", "end"):
        return message(key, cells=message("export.cells_dates", share=f"{facts.dates:.0%}"))
    if field in COUNTS or field in ("rating", "price", "list_price"):
        return message(key, cells=message("export.cells_numbers", share=f"{facts.numbers:.0%}"))
    return message(key, cells=message("export.cells_distinct", count=facts.distinct_count))


def columns_named(list_kind: str, field: str, columns: Mapping[str, Cells]) -> list[str]:
    """All columns whose header names a field."""
    return [name for name in columns if named(list_kind, field, name)]
