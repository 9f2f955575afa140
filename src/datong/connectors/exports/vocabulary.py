"""Words that exports use: for columns, months, currencies, totals, states of orders and kinds of documents."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from datong.ledger.product_names.comparable_words import plain

MARKET_LIST_HEADERS, MARKET_LIST_CELLS = "market_lists/header_words.toml", "market_lists/cell_words.toml"
_FIGURES = re.compile(r"[-+]?\d[\d.,]*|[%‰€$£¥]|\b(?:eur|usd|gbp|cny|rmb)\b|元")
# Between the parts of one name: postage & packing.
_BETWEEN_SERVICES = re.compile(r"\s*[&+/,、]\s*|\s+(?:and|und|et|y|e|i)\s+")
MARKET_LISTS = ("reviews", "interest", "promotions", "prices")


@cache
def vocabulary() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """words.toml and order_state_words.toml: lists of words by area and name."""
    return {**_read("words.toml"), **_read("order_state_words.toml")}


@cache
def header_words() -> Mapping[str, tuple[str, ...]]:
    """headers.toml: words for each field, best first; `not_FIELD`: words that rule a field out. The fields of lists of
    reviews, interest, promotions and prices (market_lists/header_words.toml) are called reviews_text, interest_view,
    ..."""
    found = {name: tuple(words) for name, words in _read("headers.toml").items()}
    listed = _read(MARKET_LIST_HEADERS)
    for area in MARKET_LISTS:
        for name, words in listed[area].items():
            field, ruled_out = name.removeprefix("not_"), name.startswith("not_")
            found[f"{'not_' if ruled_out else ''}{area}_{field}"] = tuple(words)
    return found


@cache
def market_list_cells(name: str) -> frozenset[str]:
    """One list of the words in cells of reviews and in names of files (market_lists/cell_words.toml), plain."""
    return frozenset(plain(word) for word in _read(MARKET_LIST_CELLS)["cells"][name])


def _read(name: str) -> Mapping[str, Any]:
    return tomllib.loads(files("datong.connectors.exports").joinpath(name).read_text(encoding="utf-8"))


@cache
def units_of_measure() -> Mapping[str, Mapping[str, float]]:
    """measures.toml: for each kind of measure, how much one of each unit is, plain."""
    return {kind: {plain(name): float(f) for name, f in of.items()} for kind, of in _read("measures.toml").items()}


@cache
def words(area: str, name: str) -> frozenset[str]:
    """One list of words.toml or order_state_words.toml, plain."""
    return frozenset(plain(word) for word in vocabulary()[area][name])


@cache
def months() -> Mapping[str, int]:
    """Names of months, whole and in their first three or four letters, as 1..12. What two languages take for different
    months is left out."""
    found: dict[str, set[int]] = {}
    for names in vocabulary()["months"].values():
        for number, name in enumerate(names, start=1):
            whole = plain(name)
            for form in {whole, *((whole[:3], whole[:4]) if whole[0].isascii() else ())}:
                found.setdefault(form, set()).add(number)
    found |= {"sept": {9}, "maj": {5}, "juil": {7}, "mrz": {3}, "mrt": {3}}
    english = {plain(name)[:3]: i for i, name in enumerate(vocabulary()["months"]["en"], start=1)}
    return {form: min(numbers) for form, numbers in found.items() if len(numbers) == 1} | english


def is_total(text: str) -> bool:
    """Whether a cell is the name of a row or column of sums."""
    return plain(text).strip(" :：.()*") in words("totals", "words")


def kind_named(title: str) -> str:
    """What the name of a sheet or a title says of the rows below it: 'return', 'other' for something else than sales,
    or ''."""
    bare = plain(title)
    said = set(re.findall(r"[^\W\d_]+", bare))

    def named(known: frozenset[str]) -> bool:
        return any(word in said or (not word.isascii() and word in bare) for word in known)

    if named(words("files", "returns")):
        return "return"
    return "other" if named(words("files", "other")) else ""


def is_service(text: str) -> bool:
    """Whether a cell is the name of a line that is no goods, with a figure or without: shipping, a discount of 5 %."""
    bare = plain(text).strip(" :：.()*")
    known = words("services", "words")
    if bare in known or _without_figures(bare) in known:
        return True
    parts = [part for part in _BETWEEN_SERVICES.split(bare) if part]
    beside = known | words("services", "beside")
    return len(parts) > 1 and all(part in beside for part in parts) and any(part in known for part in parts)


def _without_figures(text: str) -> str:
    """A text without numbers and the signs of money and shares that go with them."""
    return " ".join(_FIGURES.sub(" ", text).split()).strip(" :：.()*-–")


def names_service(text: str) -> bool:
    """Whether a cell begins or ends with such a name: 'Rabatt Neukunde', 'Shipping - DHL', '店铺优惠券'. Goods may:
    'shipping box'."""
    return _service_names().search(_without_figures(plain(text))) is not None


@cache
def _service_names() -> re.Pattern[str]:
    """The names of lines that are no goods, at either end of a text; a word of letters only where it ends."""
    known = sorted(words("services", "words"), key=lambda word: (-len(word), word))
    spaced = "|".join(re.escape(word) for word in known if word[0].isascii())
    close = "|".join(re.escape(word) for word in known if not word[0].isascii() and len(word) > 1)
    return re.compile(rf"^(?:{spaced})(?![^\W_])|(?<![^\W_])(?:{spaced})$|^(?:{close})|(?:{close})$")


def may_be_no_goods(name: str) -> bool:
    """Whether a product's name holds words of what nobody orders: a gift card, a top-up of postage, a present."""
    return _names_of_no_goods().search(plain(name)) is not None


@cache
def _names_of_no_goods() -> re.Pattern[str]:
    """Words of what nobody orders, anywhere in a text; those of letters as whole words."""
    known = sorted(words("services", "no_goods"))
    spaced = "|".join(re.escape(word) for word in known if word.isascii())
    close = "|".join(re.escape(word) for word in known if not word.isascii())
    return re.compile(rf"\b(?:{spaced})\b|{close}")


def names_total(text: str) -> bool:
    """Whether a cell begins or ends with such a name: 'KA-10 Total', '1月小计'."""
    return _total_names().search(plain(text).strip(" :：.()*")) is not None


@cache
def _total_names() -> re.Pattern[str]:
    """The names of sums, alone or at either end of a text; a word of letters only where a blank parts it."""
    known = sorted(words("totals", "words"), key=lambda word: (-len(word), word))
    spaced = "|".join(re.escape(word) for word in known if word[0].isascii())
    close = "|".join(re.escape(word) for word in known if not word[0].isascii() and len(word) > 1)
    alone = "|".join(re.escape(word) for word in known)
    return re.compile(rf"^(?:{spaced})[ :]|[ :](?:{spaced})$|^(?:{close})|(?:{close})$|^(?:{alone})$")
