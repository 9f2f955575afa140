"""Which column is which: by the words of its header, and by what is in a sample of its cells."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.day_month_order import share_of_dates
from datong.connectors.exports.numbers import share_of_numbers
from datong.connectors.exports.order_state_words import marks_of, tells_of_undoing, without_days
from datong.connectors.exports.personal import quoted
from datong.connectors.exports.vocabulary import header_words, is_total, plain, words
from datong.ledger.row_checks import shown
from datong.model.words import Message, message, say

# What a column can be, in the order in which equal scores are settled.
FIELDS = (
    "date", "product", "units", "price", "amount", "order", "customer", "market", "name",
    "cancelled_units", "returned_units", "shipped_units", "cancelled_at", "refunded_at", "shipped_at",
)  # fmt: skip
REQUIRED = ("date", "product")
NUMBER_FIELDS = ("units", "price", "amount", "cancelled_units", "returned_units", "shipped_units")
_MOMENTS = ("cancelled_at", "refunded_at", "shipped_at")
# Fields of which a cell is a date or a number.
_FIGURES = frozenset(
    {"date", "rating", *NUMBER_FIELDS, *_MOMENTS, "view", "visitor", "cart", "cart_people", "favourite",
     "favourite_people", "search"}
)  # fmt: skip

_SAMPLE_ROWS = 5000
_HEADER_WEIGHT = 0.7
_LEAST_SCORE = 0.5
_LEAST_SHARE = 0.8  # of cells that must read as a date or a number, so that the column can be one
_MOST_MARKETS = 200
_MOST_STATES = 60
_MOST_CODES = 12
_MOSTLY_WHOLE = 0.9  # share of the numbers of units of a row that are whole
_DIGITS_OF_UNITS = 3  # of a row of an order, mostly
_MOST_KINDS = 6
_MOST_UNITS = 10_000_000  # of a row; a larger number is a phone or a code
_YES = frozenset({"yes", "y", "true", "t", "1", "x", "ja", "oui", "si", "是", "✓", "√", "已取消", "已退款", "已退货"})
_NO = frozenset({"no", "n", "false", "f", "0", "nein", "non", "否", "-", "无", "未取消", "未退款", "未退货"})
_ABOUT_MARKS = frozenset(
    {"is", "was", "has", "been", "flag", "order", "item", "line", "sale", "transaction", "yn", "y",
     "n"}
)  # fmt: skip
# A header that counts things of an order is none of their codes: No of product in order, 商品种类数.
_COUNT_OF = re.compile(
    r"^(?:total )?(?:no|nr|nos|num|number|count|qty|quantity|jumlah|anzahl) (?:of|der|produk|barang) ?(?!orders?$)"
    r"|商品总?数$"
)
_COUNTED_FIELDS = frozenset({"product", "name", "order"})
_CODES_OF_MARKETS = ("id", "no", "nr", "nbr", "num", "number", "code", "key", "编码", "编号", "代码", "号")
_PARTS_OF_COUNTRIES = frozenset({"state", "estado", "stato"})
_DESTROYED = re.compile(r"\d([.,]\d+)?[eE]\+\d+")


@dataclass(frozen=True)
class ColumnGuess:
    """What one field is taken from. confidence: 0..1. others: columns that might be it too, best first."""

    field: str
    column: str
    confidence: float
    reason: Message
    others: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    def record(self, language: str, has_people: bool) -> dict[str, str]:
        """A line for a person. has_people: the list has columns of people, so that texts among its figures may be of
        one of them."""
        examples = quoted(self.examples, has_people) if self.field in _FIGURES else self.examples
        return {
            "field": say(f"export.field.{self.field}", language),
            "column": self.column,
            "confidence": f"{self.confidence:.0%}",
            "reason": self.reason.text(language),
            "others": ", ".join(self.others),
            "examples": "" if self.field == "customer" else ", ".join(examples),
        }


@dataclass(frozen=True)
class Choice:
    """columns: what each field is taken from. states, kinds: columns that say what became of a row, and what kind of
    document it is of. flags: columns of yes or no, or of money given back, with the mark that they make. remarks:
    columns of remarks, which tell a state here and there. counted_in: of units of measure. spare_units: columns of
    numbers that no word names, where no column of units is found. spare_products: columns of codes, where none is named
    and there are several. spare_dates: columns of dates, alike."""

    columns: tuple[ColumnGuess, ...]
    states: tuple[str, ...]
    kinds: tuple[str, ...]
    flags: Mapping[str, str]
    remarks: tuple[str, ...] = ()
    counted_in: str | None = None
    spare_units: tuple[str, ...] = ()
    spare_products: tuple[str, ...] = ()
    spare_dates: tuple[str, ...] = ()

    def column(self, field: str) -> str | None:
        return next((c.column for c in self.columns if c.field == field), None)

    def with_guess(self, field: str, column: str) -> "Choice":
        """The same, with a field that somebody, or the file as a whole, says the column of."""
        guess = ColumnGuess(field, column, 1.0, message("export.by_answer"))
        return replace(self, columns=(*(c for c in self.columns if c.field != field), guess))


@dataclass(frozen=True)
class Facts:
    """What the cells of a sample are. filled: share of all. numbers, dates, distinct, numbered: shares of the filled
    ones that are numbers, dates, unlike any other, or written as '#1'. whole: share of the numbers that may be whole.
    distinct_count: how many differ. typical: the middle one of the numbers, without its sign."""

    filled: float = 0.0
    numbers: float = 0.0
    whole: float = 0.0
    dates: float = 0.0
    distinct: float = 0.0
    distinct_count: int = 0
    typical: float = 0.0
    numbered: float = 0.0
    examples: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


# --- header words ------------------------------------------------------------------------------------------------


@cache
def tokens(text: str) -> tuple[str, ...]:
    """Words of a header: 'InvoiceDate (UTC)' gives invoice, date. Chinese stays in one piece."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"[(\[【].*?[)\]】]", " ", text)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return tuple(re.findall(r"[a-z0-9]+|[一-鿿]+|[^\W\d_]+", plain(text)))


class _Synonym(NamedTuple):
    """A word for a field, cut into its tokens. share: what is left of a score by its rank; generic: it is vague."""

    parts: tuple[str, ...]
    joined: str
    is_chinese: bool
    is_generic: bool
    share: float


@cache
def _synonyms(field: str) -> tuple[_Synonym, ...]:
    """The words of a field, best first."""
    known, generic = header_words()[field], set(header_words()["generic"])
    found = []
    for rank, word in enumerate(known):
        joined = "".join(parts := tokens(word))
        is_chinese = any("一" <= c <= "鿿" for c in joined)
        found.append(_Synonym(parts, joined, is_chinese, word in generic, 1 - 0.15 * rank / len(known)))
    return tuple(found)


@cache
def header_score(field: str, header: str) -> float:
    """How well a header's words name a field: 1 for the best word alone, less for later words and longer headers."""
    found = tokens(header)
    whole, spaced = "".join(found), " ".join(found)
    if not whole:
        return 0.0
    for word in header_words().get(f"not_{field}", ()):
        if word in found or (not word.isascii() and word in whole) or (" " in word and word in spaced):
            return 0.0
    if field in _COUNTED_FIELDS and _COUNT_OF.search(spaced):
        return 0.0
    best = 0.0
    for parts, joined, is_chinese, is_generic, share in _synonyms(field):
        if joined not in whole:
            continue
        if joined == whole:
            score = 1.0
        elif is_chinese:
            part = 0.9 if joined in found else 0.75 * (0.6 + 0.4 * len(joined) / len(whole))
            score = part if len(joined) > 1 else 0.0
        else:
            inside = any(found[i : i + len(parts)] == parts for i in range(len(found)))
            score = 0.75 * (0.6 + 0.4 * len(joined) / len(whole)) if inside else 0.0
        if is_generic:
            score *= 0.8
        best = max(best, score * share)
    return best


def named_fields(headers: Sequence[str]) -> set[str]:
    """Fields that some header names."""
    return {field for header in headers for field in _named_by(header)}


@lru_cache(maxsize=100_000)
def _named_by(header: str) -> tuple[str, ...]:
    return tuple(field for field in (*FIELDS, "state", "kind") if header_score(field, header) >= _LEAST_SCORE)


# --- content -----------------------------------------------------------------------------------------------------


def facts_of(name: str, cells: Cells) -> Facts:
    """What a sample of a column shows; rows from all over the table: an export is often sorted."""
    size = len(cells)
    if size > _SAMPLE_ROWS:
        cells = cells.take(np.linspace(0, size - 1, _SAMPLE_ROWS).astype(np.int64))
    kept = cells.filled
    texts = [t for t in cells.text.to_pylist() if t is not None]
    if not texts:
        return Facts()
    distinct = tuple(dict.fromkeys(texts))
    base = Facts(
        filled=len(texts) / len(cells),
        distinct=len(distinct) / len(texts),
        distinct_count=len(distinct),
        examples=tuple(shown(t) for t in distinct[:3]),
        values=distinct[: _MOST_STATES * 2],
        numbered=sum(t.startswith("#") and t[1:2].isdigit() for t in texts) / len(texts),
    )
    numbers, whole, typical = share_of_numbers(texts)
    dates = share_of_dates([t for t in texts if not is_total(t)] or texts, header_score("date", name) > 0)
    if cells.kind is not None:
        typed = cells.kind[kept]
        if (typed == Cells.DAY).any():
            numbers = 0.0
        elif (typed == Cells.NUMBER).all() and not header_score("date", name):
            dates = 0.0
    return replace(base, numbers=numbers, whole=whole, typical=typical, dates=dates)


def examples_of(cells: Cells) -> tuple[str, ...]:
    """Up to three different cells, for a person."""
    return tuple(map(shown, cells.text.drop_null().slice(0, _SAMPLE_ROWS).unique().slice(0, 3).to_pylist()))


def _fit(field: str, facts: Facts) -> float:
    """0..1: how well the cells alone go with a field."""
    if field == "date" or field in _MOMENTS:
        return facts.dates if facts.dates >= (_LEAST_SHARE if field in _MOMENTS else 0.5) else 0.0
    if field in NUMBER_FIELDS:
        if facts.numbers < _LEAST_SHARE or (facts.dates >= _LEAST_SHARE and not facts.numbers):
            return 0.0
        return facts.numbers * (0.5 + 0.5 * facts.whole if field == "units" else 1.0)
    if facts.dates >= _LEAST_SHARE and facts.numbers < _LEAST_SHARE:
        return 0.0
    if field in ("order", "customer", "market") and {plain(v) for v in facts.values} <= _YES | _NO:
        return 0.0  # a mark, not a name
    if field == "market":
        return facts.filled if facts.distinct_count <= _MOST_MARKETS else 0.0
    if field == "product":
        return facts.filled * (1.0 if facts.distinct < 0.9 else 0.7) * (0.3 if facts.numbered > 0.5 else 1.0)
    return max(facts.filled, 0.3)


def _is_returned_quantity(header: str) -> bool:
    """Whether a header has a word for a return and one for a quantity, and none for money or time."""
    found = set(re.findall(r"[^\W\d_]+", plain(header)))
    found |= {part.replace(".", "") for part in plain(header).split() if "." in part}  # Q.tà resa
    return (
        bool(found & _plain_words("words_of_return"))
        and bool(found & _plain_words("words_of_quantity"))
        and not found & _plain_words("not_returned_units")
    )


def says_return(header: str) -> bool:
    """Whether a header has a word for a return."""
    return bool(set(re.findall(r"[^\W\d_]+", plain(header))) & _plain_words("words_of_return"))


def _is_code_of_market(header: str) -> bool:
    """Whether a header says nothing but a word for a market, and that it is a code: then numbers may stand for one."""
    whole = "".join(found for found in tokens(header) if found not in _CODES_OF_MARKETS)
    for word in _CODES_OF_MARKETS:
        if not word.isascii():
            whole = whole.removesuffix(word)
    return whole in {synonym.joined.removesuffix("id") for synonym in _synonyms("market")}


def _score(field: str, header: str, facts: Facts) -> float:
    """0..1: how well a column is a field, by its header and by its cells; 0 where the cells rule it out."""
    named = header_score(field, header)
    if field == "order" and facts.numbered > 0.8 and plain(header) == "name":
        named = 0.9  # a shop's own number of the order, #1001, under the header Name
    if field in ("name", "product") and facts.numbered > 0.8 and plain(header) == "name":
        return 0.0
    if field == "returned_units" and (
        _is_returned_quantity(header) or (facts.whole > 0.99 and plain(header) in _plain_words("returned_bare"))
    ):
        named = max(named, 0.8)  # without a word for a quantity: whole numbers may be units, others are money
    if field == "units" and plain(header) in _plain_words("units_bare"):
        named = max(named, 0.8)
    if field in ("order", "customer", "market") and plain(header) in _plain_words("document"):
        return 0.0
    if field == "market" and facts.numbers >= _LEAST_SHARE and not _is_code_of_market(header):
        return 0.0
    if not named or not facts.filled:
        return 0.0
    fits = _fit(field, facts)
    return 0.0 if not fits else _HEADER_WEIGHT * named + (1 - _HEADER_WEIGHT) * fits


# --- choosing ----------------------------------------------------------------------------------------------------


def choose_columns(columns: Mapping[str, Cells], fixed: Mapping[str, str]) -> Choice:
    """Each field its best column. fixed: fields whose column is known already: of a wide table, or by an answer."""
    names = list(columns)
    facts = {name: facts_of(name, cells) for name, cells in columns.items()}
    scores = {
        (field, name): score
        for name in names
        for field in FIELDS
        if (score := _score(field, name, facts[name])) >= _LEAST_SCORE
    }
    scores = {pair: s for pair, s in scores.items() if pair[0] not in fixed and pair[1] not in fixed.values()}
    scores |= {(field, name): 1.0 for field, name in fixed.items() if name in columns}
    chosen = assigned(scores, FIELDS, names)
    if "shipped_units" in chosen and "units" not in chosen:
        chosen["units"] = chosen.pop("shipped_units")
        scores.setdefault(("units", chosen["units"]), _LEAST_SCORE)
    if "product" not in chosen and "name" in chosen:
        chosen["product"] = chosen.pop("name")
        scores.setdefault(("product", chosen["product"]), _LEAST_SCORE)
    spare_dates = _dates_by_content(chosen, names, facts)
    chosen |= {"date": spare_dates[0]} if spare_dates else {}
    chosen, spare_units, spare_products = _by_content(chosen, names, facts)
    taken = set(chosen.values())
    remarks = tuple(n for n in names if n not in taken and plain(n) in words("lists", "remarks"))
    free = [n for n in names if n not in taken and n not in remarks]
    documents = {n for n in free if _holds_kinds(n, facts[n])}
    states = tuple(n for n in free if n not in documents and _is_state(n, facts[n]))
    kinds = tuple(n for n in free if n not in states and (n in documents or _is_kind(n, facts[n])))
    flags = {n: mark for n in free if (mark := _flag(n, facts[n]))}
    measures = [n for n in free if n not in documents and _is_measure(n)]
    guesses = tuple(
        ColumnGuess(
            field,
            chosen[field],
            round(scores.get((field, chosen[field]), 0.4), 2),
            _reason(field, chosen[field], facts[chosen[field]]),
            others(field, taken, scores),
            facts[chosen[field]].examples,
        )
        for field in FIELDS
        if field in chosen
    )
    extra = tuple(
        ColumnGuess(field, n, 1.0, _reason(field, n, facts[n]), (), facts[n].examples)
        for field, some in (("state", tuple(dict.fromkeys((*states, *flags)))), ("kind", kinds))
        for n in some
    )
    counted_in = next((n for n in measures if _are_words(facts[n]) and facts[n].distinct_count <= _MOST_STATES), None)
    return Choice(
        (*guesses, *extra), states, kinds, flags, remarks, counted_in, spare_units, spare_products, spare_dates
    )


def with_column(choice: Choice, wanted: str, name: str) -> Choice:
    """A choice in which somebody, or sums, say what a field is taken from: which of them, `with_true_reasons` tells."""
    kept = tuple(c for c in choice.columns if c.field != wanted and c.column != name)
    guess = ColumnGuess(wanted, name, 1.0, message("export.by_answer"))
    return replace(choice, columns=(*kept, guess), spare_units=(), spare_products=())


def with_true_reasons(
    guesses: Sequence[ColumnGuess], used: Mapping[str, str], known: Mapping[str, str]
) -> tuple[ColumnGuess, ...]:
    """Columns, of which nobody answered those that only the file's own figures tell. used: answers by question. known:
    the column of fields that somebody named."""
    said = {*used.values(), *known.values(), *(key.partition(":")[2] for key in used)}
    answered, told = message("export.by_answer"), message("export.by_figures")
    return tuple(
        replace(guess, reason=told) if guess.reason == answered and guess.column not in said else guess
        for guess in guesses
    )


def with_order_amounts(choice: Choice, columns: Mapping[str, Cells]) -> Choice:
    """A choice that names amounts of the whole order, which are read for nothing."""
    reason = message("export.first_line_only")
    more = (ColumnGuess("order_amount", name, 1.0, reason, (), examples_of(cells)) for name, cells in columns.items())
    return replace(choice, columns=(*choice.columns, *more))


def without_amount(choice: Choice) -> Choice:
    """In a table with periods as columns, what stands beside them is of all periods together: no amount of a row."""
    kept = tuple(
        c for c in choice.columns if c.field not in ("amount", "returned_units", "cancelled_units", "shipped_units")
    )
    return replace(choice, columns=kept, states=(), flags={}, spare_units=())


def _is_state(name: str, facts: Facts) -> bool:
    """A column of the state of an order: it has few values and its header says so, or they are words for states, and
    some of a refund or a cancellation."""
    values = tuple(dict.fromkeys(map(without_days, facts.values)))
    count = facts.distinct_count if len(values) == len(facts.values) else len(values)
    if not 0 < count <= _MOST_STATES or facts.dates >= 0.5:
        return False
    marks = [marks_of(value) for value in values]
    known = sum(m is not None for m in marks) / len(marks)
    undone = any(m and m & {"cancelled", "refunded"} for m in marks)
    named = header_score("state", name)
    may_be_place = bool(set(tokens(name)) & _PARTS_OF_COUNTRIES)  # a state may be a part of a country
    if facts.numbers >= 0.5:  # numbers for states, which nobody knows but who asks
        return named >= 0.7 and 1 < facts.distinct_count <= _MOST_CODES and not may_be_place
    if named >= 0.4:
        return known > 0 or not may_be_place
    if facts.filled < 0.5 and len(marks) <= _MOST_CODES:  # notes: what they tell of, all or in part
        undone = undone or all(tells_of_undoing(value) for value in facts.values)
        known = max(known, sum(tells_of_undoing(value) for value in facts.values) / len(marks))
    return undone and known >= 0.5 and header_score("kind", name) < 0.4


def _is_kind(name: str, facts: Facts) -> bool:
    """A column of kinds of documents: its header may say so, and one of its values is a return or a cancellation; or
    its header leaves no doubt, and it has several values."""
    if not 0 < facts.distinct_count <= _MOST_STATES or header_score("kind", name) < 0.4 or facts.dates >= 0.5:
        return False
    values = {plain(v) for v in facts.values}
    if values & (words("kinds", "return") | words("kinds", "nothing")):
        return True
    return plain(name) in _plain_words("document") and 1 < facts.distinct_count <= _MOST_CODES


def _holds_kinds(name: str, facts: Facts) -> bool:
    """Whether all values of a column are kinds of documents, some of a sale and some of none, whatever its header; or
    it has a few values, and one names a return: what the others are is asked."""
    if not 1 < facts.distinct_count <= _MOST_CODES or header_score("state", name) >= 0.4:
        return False
    values = {plain(v) for v in facts.values}
    several = facts.filled > _LEAST_SHARE and len(values) <= _MOST_KINDS and not facts.numbers
    if several and any(map(_names_return, values)):
        return any(marks_of(v) is None for v in facts.values)
    sale, other = words("kinds", "sale"), words("kinds", "return") | words("kinds", "nothing")
    told = bool(values & sale) and bool(values & other) and values <= sale | other
    return told and any(marks_of(v) is None for v in values)


def _names_return(value: str) -> bool:
    """Whether the name of a kind of document holds a word for a return, whatever stands beside it."""
    said = f" {value} "
    return any(f" {word} " in said if word.isascii() else word in value for word in words("kinds", "return"))


def _flag(name: str, facts: Facts) -> str:
    """The mark that a column of yes and no makes, or one of money that was given back; '' where it is neither."""
    values = {plain(v) for v in facts.values}
    if plain(name) in _plain_words("refund_money"):
        money = [v for v in facts.values if any(c.isdigit() for c in v)]  # words say that there is none
        if money and share_of_numbers(money)[0] >= _LEAST_SHARE:
            return "refund_money"
    said = plain(name).rstrip("?？ ")
    for mark in ("cancelled", "refunded"):
        if said in _plain_words(f"{mark}_reason"):
            return mark
    if not values or not values <= _YES | _NO:
        return ""
    bare = [word for word in tokens(said) if word not in _ABOUT_MARKS]
    for mark in ("cancelled", "refunded"):
        known = _plain_words(f"{mark}_flag")
        if said in known or (len(bare) == 1 and bare[0] in known):
            return mark
    return ""


@cache
def _plain_words(name: str) -> frozenset[str]:
    return frozenset(plain(word) for word in header_words()[name])


def is_yes(text: str) -> bool:
    return plain(text) in _YES


def _is_measure(name: str) -> bool:
    """Whether a column says what the quantity is counted in."""
    return plain(name) in _plain_words("counted_in") or "uom" in plain(name).split()


def _are_words(facts: Facts) -> bool:
    """Whether cells are words, if some hold a figure: 6-pack."""
    return facts.numbers < 0.5 or any(c.isalpha() for value in facts.values for c in value)


def is_no(text: str) -> bool:
    return plain(text) in _NO or plain(text) in words("states", "nothing")


def assigned(scores: Mapping[tuple[str, str], float], fields: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Each field its best free column, best scores first; equal ones as the fields and the columns stand."""
    chosen: dict[str, str] = {}

    def order(pair: tuple[str, str]) -> tuple[float, int, int]:
        return -scores[pair], fields.index(pair[0]), names.index(pair[1])

    for field, name in sorted(scores, key=order):
        if field not in chosen and name not in chosen.values():
            chosen[field] = name
    return chosen


def _dates_by_content(chosen: Mapping[str, str], names: Sequence[str], facts: Mapping[str, Facts]) -> tuple[str, ...]:
    """Columns of dates, where no header names the one of a sale; the first is taken, of several after a question."""
    if "date" in chosen:
        return ()
    free = (n for n in names if n not in chosen.values() and facts[n].filled > 0.5)
    dates = tuple(n for n in free if facts[n].dates >= _LEAST_SHARE)
    return dates if len(dates) == 1 else tuple(n for n in dates if not _is_other_date(n))


def _is_other_date(header: str) -> bool:
    """Whether a header says that its dates are none of a sale: of a change, of work, of a day to come."""
    known, whole = _plain_words("other_dates"), plain(header)
    return bool(set(tokens(header)) & known) or any(not word.isascii() and word in whole for word in known)


def _by_content(
    chosen: Mapping[str, str], names: Sequence[str], facts: Mapping[str, Facts]
) -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """Columns for what no header names: the only column of codes that repeat. Units need a
    word: columns that might be units are only named, for a question."""
    result = dict(chosen)
    free = [n for n in names if n not in result.values() and facts[n].filled > 0.5]
    spare_products: tuple[str, ...] = ()
    if "product" not in result:
        codes = [n for n in free if facts[n].numbers < _LEAST_SHARE and facts[n].dates < _LEAST_SHARE]
        codes = [n for n in codes if facts[n].distinct < 0.9 and facts[n].distinct_count > 1]
        codes = [n for n in codes if not _is_state(n, facts[n]) and not _are_weekdays(n, facts[n])]
        if codes:
            result["product"] = max(codes, key=lambda n: facts[n].distinct_count)
            free.remove(result["product"])
            spare_products = tuple(codes) if len(codes) > 1 else ()
    spare: tuple[str, ...] = ()
    if "units" not in result and "date" in result and "product" in result:
        amounts = [n for n in free if facts[n].numbers >= _LEAST_SHARE and facts[n].dates < _LEAST_SHARE]
        amounts = [n for n in amounts if facts[n].typical < _MOST_UNITS and not is_number_of(n)]
        spare = tuple(n for n in sorted(amounts, key=lambda n: _unlike_units(facts[n])) if not _ruled_out(n))
    return result, spare, spare_products


def _are_weekdays(name: str, facts: Facts) -> bool:
    """Whether a column names the days of the week, which stand beside a date and are no products."""
    values = {plain(value).strip(".()") for value in facts.values}
    return header_score("date", name) >= 0.4 or values <= words("weekdays", "names")


def _unlike_units(facts: Facts) -> tuple[bool, int]:
    """How little numbers are like units: those that may be parts of one are, and long ones, which are numbers of
    something."""
    return facts.whole < _MOSTLY_WHOLE, max(0, len(f"{facts.typical:.0f}") - _DIGITS_OF_UNITS)


def may_be_units(header: str) -> bool:
    """Whether no word of a header says that it is something else than units."""
    return not _ruled_out(header)


def _ruled_out(header: str) -> bool:
    """Whether the words of a header say that it is something else than units."""
    found, whole = tokens(header), "".join(tokens(header))
    ruled = header_words()["not_units"]
    named = {field for field in ("price", "amount", "order", "customer") if header_score(field, header) >= 0.5}
    return bool(named) or any(word in found or (not word.isascii() and word in whole) for word in ruled)


def is_number_of(header: str) -> bool:
    """Whether a header says that its column numbers things: of rows, orders, people."""
    return bool(
        set(tokens(header)) & {"id", "no", "number", "index", "row", "key", "nr", "zip", "phone"}
    ) or header.endswith(("号", "序"))


def _reason(field: str, name: str, facts: Facts) -> Message:
    named = field in ("state", "kind") or header_score(field, name)
    if field == "date" or field in _MOMENTS:
        cells = message("export.cells_dates", share=f"{facts.dates:.0%}")
    elif field in NUMBER_FIELDS:
        cells = message("export.cells_numbers", share=f"{facts.numbers:.0%}")
    else:
        cells = message("export.cells_distinct", count=facts.distinct_count)
    return message("export.by_header" if named else "export.by_content", cells=cells)


def others(field: str, taken: Collection[str], scores: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
    """Columns that no other field took and that would fit too."""
    rest = [(score, name) for (f, name), score in scores.items() if f == field and name not in taken]
    return tuple(name for _, name in sorted(rest, key=lambda pair: (-pair[0], pair[1]))[:3])


def is_destroyed(code: str) -> bool:
    """Whether a spreadsheet has turned a long code into a rounded number: 6.90123E+12."""
    return _DESTROYED.fullmatch(code) is not None
