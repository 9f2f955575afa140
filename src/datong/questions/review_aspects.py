"""What reviews praise and blame, product by product, and what the writers say themselves.

A review counts once for an aspect, and may praise one and blame another; reviews that say the same, are of one buyer
or likely made up count less (sense/complaints.py). Parts of a review are left out, and it is said how many there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day
from datong.ledger.large_tables import taken
from datong.ledger.masking import masked
from datong.ledger.state import State
from datong.model.words import Message, message
from datong.questions.finding_pictures import aspect_of
from datong.questions.market_findings import MarketFinding
from datong.sense.blame_and_praise import ReadReviews
from datong.sense.change_found import number
from datong.sense.complaints import sums_by_product
from datong.sense.voice.aspects import general
from datong.sense.voice.language import language
from datong.sense.voice.text import clean
from datong.sense.weeks_looked_at import WEEKS_MAX
from datong.sense.which_reviews_count import SIGNS

# Parts of a review that are less are of floating point.
ROUNDING = 1e-6
# Most quotes of a finding, and longest one in characters.
QUOTES, QUOTE_LETTERS = 3, 140

# By product and aspect that is spoken of: reviews that praise it and that blame it, of how many of the product in all,
# how many of those that were written count less than one, between which days.
ASPECTS_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("aspect", pa.string()),
        *((name, pa.int64()) for name in ("praised_reviews", "blamed_reviews", "reviews", "less_reviews")),
        *((name, pa.date32()) for name in ("first", "last")),
    ]
)


@dataclass(frozen=True)
class Quote:
    """What a buyer wrote, masked, shortened. day: when, on the chain's calendar. stars: None where none were given.
    language: 'zh', 'en', or '' where it is another one or a mix."""

    text: str
    day: date
    stars: float | None
    language: str


def review_aspects(heard: ReadReviews | None) -> pa.Table:
    """Products with most reviews first; of each the aspects most spoken of first."""
    if heard is None:
        return ASPECTS_SCHEMA.empty_table()
    counted = heard.weight > 0
    of, days, weight = heard.of[counted], heard.day[counted], heard.weight[counted]
    said = (heard.opinions.praised, heard.opinions.blamed)
    sums = (sums_by_product(heard, which, heard.weight) for which in said)
    praised, blamed = (np.floor(parts + ROUNDING).astype(np.int64) for parts in sums)
    every = np.floor(np.bincount(of, weight, len(heard.products)) + ROUNDING).astype(np.int64)
    less = np.bincount(heard.of, heard.weight < 1, len(heard.products)).astype(np.int64)
    first, last = np.full(len(every), np.iinfo(np.int64).max), np.zeros(len(every), np.int64)
    np.minimum.at(first, of, days)
    np.maximum.at(last, of, days)
    rows: list[dict[str, Any]] = [
        {
            "product": heard.products[i],
            "aspect": general().aspects[a].path,
            "praised_reviews": int(praised[i, a]),
            "blamed_reviews": int(blamed[i, a]),
            "reviews": int(every[i]),
            "less_reviews": int(less[i]),
            "first": as_day(int(first[i])),
            "last": as_day(int(last[i])),
        }
        for i, a in np.argwhere(praised + blamed).tolist()
    ]
    rows.sort(key=lambda r: (-r["reviews"], r["product"], -r["praised_reviews"] - r["blamed_reviews"], r["aspect"]))
    return pa.Table.from_pylist(rows, schema=ASPECTS_SCHEMA)


def reviews_less(heard: ReadReviews | None) -> tuple[Message, ...]:
    """How many of the reviews that were read count less than one, and why; nothing where none was read."""
    if heard is None:
        return ()
    less = heard.weight < 1
    if not less.any():
        return (message("findings.reviews_full", count=len(less), weeks=WEEKS_MAX),)
    together = number(float(heard.weight[less].sum()))
    words = {"count": int(less.sum()), "read": len(less), "weeks": WEEKS_MAX, "together": together}
    parts = [(name, int((less & (heard.sign == place)).sum())) for place, name in enumerate(SIGNS)]
    why = (message(f"findings.less_{name}", count=count) for name, count in parts if count)
    return message("findings.reviews_less", **words), *why


def quotes_of(state: State, one: MarketFinding, heard: ReadReviews | None) -> tuple[Quote, ...]:
    """Of the reviews that show a finding the newest ones that differ; of a complaint each from the words that blame."""
    shown = one.signal if one.signal is not None else one.decision
    if shown is None or shown.evidence_table != "reviews" or heard is None:
        return ()
    reviews = state.table("reviews")
    named = pc.is_in(reviews["row_id"], value_set=pa.array(shown.evidence, pa.string()))
    places = np.flatnonzero(np.isin(heard.row, np.flatnonzero(named.to_numpy()))).tolist()
    names = ("title", "text", "rating")
    rows = pa.table({name: taken(reviews[name], heard.row[places]) for name in names}).to_pylist()
    aspect = aspect_of(one) if one.kind == "complaint" else None
    found: dict[str, Quote] = {}
    for i, row in sorted(zip(places, rows, strict=True), key=lambda pair: (-int(heard.day[pair[0]]), pair[0])):
        words = _said(row, "" if aspect is None else heard.blaming(i, aspect))
        if words and words not in found:
            found[words] = Quote(words, as_day(int(heard.day[i])), row["rating"], _language(words))
        if len(found) == QUOTES:
            break
    return tuple(found.values())


def _said(row: Mapping[str, str | None], clause: str) -> str:
    """The review without markup and personal data; a long one around the clause that is meant."""
    said = " ".join(part for part in (row["title"], row["text"]) if part)
    text = " ".join(masked(clean(said)).split())
    begin = max(text.find(" ".join(clause.split())), 0)
    if len(text) <= QUOTE_LETTERS:
        return text
    begin = min(begin, len(text) - QUOTE_LETTERS)
    part = text[begin : begin + QUOTE_LETTERS].strip()
    return ("…" if begin else "") + part + ("…" if begin + QUOTE_LETTERS < len(text) else "")


def _language(text: str) -> str:
    found = language(text)
    return found if found in ("zh", "en") else ""
