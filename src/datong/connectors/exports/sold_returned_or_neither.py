"""What a row means: sold, sold and come back, or neither, by the words of its states and the kind of its document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score, says_return
from datong.connectors.exports.order_state_words import marks_of, without_days
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import shown
from datong.model.words import Message, message

# What becomes of a row, as numbers of `Outcome.codes`.
SOLD, RETURNED, NEITHER, ONLY_RETURN, IN_PART = range(5)
_OUTCOMES = {"sold": SOLD, "returned": RETURNED, "not_sold": NEITHER, "in_part": IN_PART}

_EMPTY = "(empty)"
# Stands for the value of a moment or an amount that is there.
_THERE = "✓"
# Before the marks of a state that the platform's own profile explains.
_OWN = "="
# Marks of what a number says: a row's text is its state.
_SILENT = frozenset({"all_units", "other_lines", "some_back", "all_back"})


def _decide(marks: frozenset[str], has_returned_units: bool) -> str:
    """What a row's marks come to: an outcome, '?' and the key of a question, or '!' and that of an outcome that is told
    and can be changed."""
    if "other_lines" in marks and not marks & {"cancelled", "returning", "unpaid"}:
        marks -= {"refunded", "partly", "refund_money"}
    in_part = ("in_part" in marks and "partly" not in marks) or ("in_units" in marks and "unshipped" not in marks)
    if in_part and not marks & {"cancelled", "returning", "unpaid"}:
        return "in_part"
    if "refunded" in marks:
        if "partly" in marks:
            if "all_units" in marks and "unshipped" not in marks:  # the goods are paid back, something else is not
                return "in_part"
            return "sold" if has_returned_units else "?partly_refunded"
        if marks & {"some_back", "all_back"} and not marks & {"unshipped", "cancelled"}:
            return "returned" if "all_back" in marks else "sold"  # the number tells more than the word
        if has_returned_units and "shipped" in marks and not marks & {"some_back", "all_back"}:
            return "?returned_uncounted"
        if "shipped" in marks:
            return "returned"
        if "unshipped" in marks or "cancelled" in marks:
            return "not_sold"
        return "?refunded"
    if "cancelled" in marks:
        return "?cancelled_shipped" if "shipped" in marks else "not_sold"
    if "returning" in marks:
        return "?returning"
    if "refund_money" in marks and not has_returned_units:
        return "?refund_money"
    if "shipped" in marks:
        return "!unpaid_shipped" if marks & {"unpaid", "pending"} and "sold" not in marks else "sold"
    if "unpaid" in marks:
        return "not_sold"
    return "?pending" if "pending" in marks and "sold" not in marks else "sold"


# The readings of each question, the likeliest first.
_READINGS = {
    "refunded": ("returned", "not_sold", "sold"),
    "returned_uncounted": ("returned", "sold", "not_sold"),
    "partly_refunded": ("sold", "returned", "not_sold"),
    "cancelled_shipped": ("not_sold", "returned", "sold"),
    "refund_money": ("returned", "sold", "not_sold"),
    "returning": ("sold", "returned", "not_sold"),
    "pending": ("sold", "not_sold"),
    "unpaid_shipped": ("sold", "not_sold"),
}


@dataclass(frozen=True, eq=False)
class Signs:
    """What tells the state of rows. states: columns of words. moments: columns of moments, with the mark that one makes
    (shipped_at, cancelled_at, refunded_at; in_part, in_units: less was given back than was paid, for no unit or for
    some; all_units: the goods were paid back in full; other_lines: it was given back for other lines of the order).
    kinds: columns of kinds of documents. words: for columns of states whose platform is known, the marks of its own
    words (plain)."""

    states: Mapping[str, Cells]
    moments: Mapping[str, tuple[str, Cells]]
    kinds: Mapping[str, Cells]
    has_returned_units: bool = False
    words: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Outcome:
    """codes: (row,) SOLD, RETURNED (sold and come back), NEITHER, ONLY_RETURN or IN_PART (sold, and refunded in part).
    reasons: (row,) text of the state by which a row is NEITHER, '' for the others. notes: what counts as sold, though
    somebody may see it otherwise."""

    codes: np.ndarray
    reasons: np.ndarray
    notes: tuple[Message, ...] = ()


def outcomes(signs: Signs, units: np.ndarray, counted: np.ndarray, asking: Asking) -> Outcome:
    """What becomes of each row. units: (row,) that it is of; counted: (row,) bool, rows that are counted at all."""
    size = len(units)
    combined, texts, values = _combinations(signs, size)
    codes = np.zeros(len(texts), np.int8)
    undone = np.zeros(len(texts), bool)
    above = np.bincount(combined[counted], (units > 0)[counted], minlength=len(texts))
    doubts: dict[str, list[int]] = {}
    told: dict[str, list[int]] = {}
    for place, parts in enumerate(values):
        marks: set[str] = set()
        unknown = ""
        if any((kind == "state" and value != _EMPTY) or kind.startswith(_OWN) for kind, value in parts):
            parts = [part for part in parts if part != ("state", _EMPTY)]  # another column tells
        for kind, value in parts:
            found = _marks_of_part(kind, value)
            if found is None:
                unknown = unknown or value
            else:
                marks |= found
        undone[place] = "refunded" in marks or ("cancelled" in marks and not above[place])
        verdict = _decide(frozenset(marks), signs.has_returned_units)
        if unknown and verdict not in ("not_sold", "returned"):
            verdict = f"?state:{unknown}"
        if verdict.startswith("!"):
            told.setdefault(verdict[1:], []).append(place)
        elif verdict.startswith("?"):
            doubts.setdefault(verdict[1:], []).append(place)
        else:
            codes[place] = _OUTCOMES[verdict]
    back = undone[combined] & (units < 0)  # a row of its own for what is taken back
    asked = counted & ~back
    weight = np.bincount(combined[asked], np.abs(units[asked]), minlength=len(texts))
    for key, places in doubts.items():
        if weight[places].sum() > 0:
            codes[places] = _OUTCOMES[asking.ask(_question(key, places, texts, weight, tuple(signs.states)))]
    notes: list[Message] = []
    for key, places in told.items():
        codes[places] = _OUTCOMES[reading := asking.said(key, _READINGS[key])]
        if reading == "sold" and (sum_of := weight[places].sum()) > 0:
            notes.append(
                message(f"export.{key}", units=f"{sum_of:,.10g}", words="; ".join(texts[p] for p in places[:3]))
            )
    codes = np.where(back, RETURNED, codes[combined])
    reasons = np.array(texts, dtype=object)[combined]
    found = Outcome(codes, np.where(codes == NEITHER, reasons, ""), tuple(notes))
    return _with_kinds(found, signs, units, counted, asking)


def _marks_of_part(kind: str, value: str) -> frozenset[str] | None:
    """What a part of a combination says; None where it is a state that no word explains."""
    if kind.startswith(_OWN):
        return frozenset(kind.removeprefix(_OWN).split("+")) - {""}
    return marks_of(value) if kind == "state" else frozenset({kind})


def _combinations(signs: Signs, size: int) -> tuple[np.ndarray, list[str], list[list[tuple[str, str]]]]:
    """(row,) number of the combination of states that it has; each combination's text ('header: value' of what says
    something), and its parts: the mark that a moment makes, or 'state' and the text."""
    keys: list[tuple[np.ndarray, list[list[tuple[str, str]]]]] = []
    told_of: list[list[str]] = []
    for name, cells in signs.states.items():
        known, at = _states(cells)
        own = signs.words.get(name, {})
        parts: list[list[tuple[str, str]]]
        parts = [[(_OWN + "+".join(sorted(own[plain(t)])) if plain(t) in own else "state", t)] for t in known]
        keys.append((at, [*parts, _when_empty(name, cells, says_sold=any(_says_sold(part) for part in parts))]))
        told_of.append([*(_told(name, t, own) for t in known), ""])
    for name, (mark, cells) in signs.moments.items():
        there = cells.filled
        absent = [("unshipped", "")] if mark == "shipped" else []
        if mark == "shipped" and not 0.3 <= there.mean() <= 0.99:
            continue  # it tells nothing: hardly any row, or all, the cancelled ones too
        keys.append((there.astype(np.int64), [absent, [(mark, name)]]))
        told_of.append(["", "" if mark in _SILENT else f"{shown(name)}: {_THERE}"])
    combined = np.zeros(size, np.int64)
    for at, parts in keys:
        combined = combined * len(parts) + at
    distinct, combined = np.unique(combined, return_inverse=True)
    values: list[list[tuple[str, str]]] = []
    told: list[str] = []
    for code in distinct.tolist():
        found: list[tuple[str, str]] = []
        why: list[str] = []
        for (_, parts), words_of in zip(reversed(keys), reversed(told_of), strict=True):
            code, place = divmod(code, len(parts))
            found = [*parts[place], *found]
            why = [words_of[place], *why]
        values.append(found)
        told.append(", ".join(part for part in why if part))
    bare = [shown(", ".join(text for _, text in parts if text)) for parts in values]
    return combined, [why or text for why, text in zip(told, bare, strict=True)], values


def _whole(word: str) -> str:
    """A state as a question shows it: whole, for its end may be what tells it from another."""
    return " ".join(shown(part) for part in word.split())


def _states(cells: Cells) -> tuple[list[str], np.ndarray]:
    """The states of a column, without the days that they name, and (row,) the place of each row's, one past the last
    for none."""
    encoded = cells.text.dictionary_encode()
    texts = [without_days(text) for text in encoded.dictionary.to_pylist()]
    known = list(dict.fromkeys(texts))
    place = {text: at for at, text in enumerate(known)}
    of_text = np.array([*(place[text] for text in texts), len(known)], np.int64)
    return known, of_text[encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)]


def _told(column: str, text: str, own: Mapping[str, frozenset[str]]) -> str:
    """A state by its column; '' for one that says that there is nothing to say: null, 没有申请退款."""
    said = own.get(plain(text), marks_of(text))
    return "" if said is not None and not said else f"{shown(column)}: {shown(text)}"


def _when_empty(name: str, cells: Cells, *, says_sold: bool) -> list[tuple[str, str]]:
    """What an empty cell of a column of states says: nothing where the column only tells of returns and cancellations,
    or is filled in hardly any row and never with a word for a sale; else that the state is not known."""
    only_returns = any(word in plain(name) for word in ("refund", "return", "cancel", "退", "售后", "取消", "retour"))
    named = header_score("state", name) >= 0.4
    tells = says_sold or (named and cells.filled.mean() >= 0.5)
    return [] if only_returns or not tells else [("state", _EMPTY)]


def _says_sold(parts: Sequence[tuple[str, str]]) -> bool:
    """Whether what a column says is that goods were sold, and nothing else."""
    marks = [_marks_of_part(kind, value) for kind, value in parts]
    return bool(marks) and all(found and found <= {"sold", "shipped"} for found in marks)


def _question(
    key: str, places: Sequence[int], texts: Sequence[str], weight: np.ndarray, columns: tuple[str, ...]
) -> Question:
    units = f"{weight[places].sum():,.10g}"
    samples = tuple(dict.fromkeys(texts[place] for place in places if texts[place]))
    asked, _, word = key.partition(":")
    readings = _READINGS.get(asked, ("sold", "not_sold", "returned"))
    options = tuple(Option(name, message(f"export.reading.{name}", units=units)) for name in readings)
    asks = message(f"export.asks.{asked}", word=_whole(word) if word else ", ".join(samples[:3]))
    return Question(key, asks, columns, samples, options)


def _with_kinds(outcome: Outcome, signs: Signs, units: np.ndarray, counted: np.ndarray, asking: Asking) -> Outcome:
    """The same, with rows that are documents of a return, and those of no sale at all."""
    codes, reasons = outcome.codes.copy(), outcome.reasons.copy()
    for name, cells in signs.kinds.items():
        encoded = cells.text.dictionary_encode()
        known = encoded.dictionary.to_pylist()
        at = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
        weight = np.bincount(at[counted], np.abs(units[counted]), minlength=len(known) + 1)
        verdicts = np.zeros(len(known) + 1, np.int8)
        for place, text in enumerate(known):
            bought = plain(text) == "purchase" and len({plain(k) for k in known} & words("kinds", "sale")) > 1
            verdicts[place] = _kind(text, name, float(weight[place]), asking, bought=bought)
        if says_return(name) and (verdicts[:-1] != ONLY_RETURN).any():  # of the row's sale, which came back
            verdicts[verdicts == ONLY_RETURN] = RETURNED
        of_row = verdicts[at]
        told = np.array([*(f"{shown(name)}: {shown(text)}" for text in known), ""], dtype=object)
        codes = np.where((of_row == ONLY_RETURN) & (codes != NEITHER), ONLY_RETURN, codes)
        codes = np.where((of_row == RETURNED) & (codes == SOLD), RETURNED, codes)
        codes = np.where((of_row == NEITHER), NEITHER, codes)
        reasons = np.where((of_row == NEITHER) & (reasons == ""), told[at], reasons)
    return replace(outcome, codes=codes, reasons=reasons)


def _kind(text: str, column: str, weight: float, asking: Asking, *, bought: bool) -> int:
    """What documents of one kind are. bought: the word may mean that goods came in: others are named sales."""
    said = plain(text)
    if said in words("kinds", "return"):
        return ONLY_RETURN
    if said in words("kinds", "nothing"):
        return NEITHER
    if (said in words("kinds", "sale") and not bought) or not weight or said in words("states", "nothing"):
        return SOLD
    units = f"{weight:,.10g}"
    options = tuple(
        Option(name, message(f"export.reading.{key}", units=units))
        for name, key in (("sold", "sold"), ("return", "return"), ("not_sold", "not_sold"))
    )
    asks = message("export.asks.kind", word=shown(text))
    chosen = asking.ask(Question(f"kind:{text}", asks, (column,), (shown(text),), options))
    return {"sold": SOLD, "return": ONLY_RETURN, "not_sold": NEITHER}[chosen]
