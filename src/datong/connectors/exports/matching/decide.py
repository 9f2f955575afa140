"""The products of a file as those of a chain: what is sure is said, what is not is asked, and what somebody said before
holds. Nothing is taken for one product in silence."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from datong.connectors.exports.identities import BETWEEN_CODES, CODES
from datong.connectors.exports.matching.match import DOUBT, SAME, Item, Match, by_own_code, catalogue_of, match
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.result import Reading
from datong.ledger.product_aliases import products_by_alias
from datong.ledger.row_checks import shown
from datong.model.findings import Finding, finding
from datong.model.words import message

KEY, ALL = "same:", "same"
OF_ITS_OWN, LIKELIEST, REFUSE = "own", "likeliest", "refuse"
# Most products that are asked about one by one.
ASKED_ONE_BY_ONE = 20
_SHOWN = 5
# Of a file's products the share that have a code of the chain's, from which on its codes are the chain's; and of these
# the share whose names contradict, up to which they are: two shops may both have a code 101.
_OURS, _RENAMED = 0.5, 0.05
# A number with a decimal mark; the part of it before a dash that may stand for the mark.
_DECIMAL = re.compile(r"(?<![\d.,])\d+[.,]\d+(?![\d.,]*\d)")
_DASHED = re.compile(r"(?<![a-z\d])(\d+)-(?=(\d+)(?!\d))", re.IGNORECASE)
_FIGURES = {
    "sales": "units",
    "returns": "units",
    "reviews": None,
    "interest": "count",
    "promotions": None,
    "prices": None,
}


@dataclass(frozen=True, eq=False)
class Decided:
    """by_alias: the product of each code of the file that stands for another one. aliases: rows of product_aliases, of
    what was found or said now. questions: what has no answer. kept: all answers of this kind that the chain is to keep.
    refused: codes that somebody will not have read. moved: the product that a code stood for and does not any more."""

    by_alias: Mapping[str, str] = field(default_factory=dict)
    aliases: pa.Table | None = None
    questions: tuple[Question, ...] = ()
    findings: tuple[Finding, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)


def decide(
    reading: Reading, products: pa.Table, aliases: pa.Table, answers: Mapping[str, str], kept: Mapping[str, str]
) -> Decided:
    """What the products of a reading are. products, aliases: of the chain. answers: `same:CODE=PRODUCT`, or `own`; for
    all that are left in doubt `same=own` or `same=likeliest`. kept: answers of before, which hold where no alias does.
    """
    told = reading.part("products")
    if told is None or not told.num_rows or not products.num_rows:
        return Decided(kept={key: value for key, value in kept.items() if key.startswith(KEY)})
    before = products_by_alias(aliases)
    known = {item.code: item for item in _known_items(products, aliases)}
    items = _items_of(told, frozenset(_decimals(known.values())))
    names = {item.code: item.names[0] if item.names else item.code for item in (*items, *known.values())}
    renamed = _renamed(items, known)
    ours = _has_our_codes(items, known, len(renamed))
    own_before = {item.code: OF_ITS_OWN for item in items
                  if kept.get(KEY + item.code) == OF_ITS_OWN and item.code not in before}  # fmt: skip
    said = own_before | {item.code: answers[KEY + item.code] for item in items if KEY + item.code in answers}
    asking = Asking({ALL: answers[ALL]} if ALL in answers else {})
    free = [item for item in items if item.code not in said and item.code not in before]
    matches = {m.item.code: m for m in _matches(free, known, ours)}
    figures = _figures(reading)
    doubtful = [m for m in matches.values() if m.outcome == DOUBT]
    chosen = _chosen(doubtful, asking, names, figures) | _said(said, set(known))
    found = {code: m.product for code, m in matches.items() if m.outcome == SAME and m.product != code}
    how = {code: matches[code].how for code in found}
    own = [code for code, product in chosen.items() if product == OF_ITS_OWN]
    now = found | {code: product for code, product in chosen.items() if product not in (OF_ITS_OWN, REFUSE)}
    # A code that was taken for another product, and is its own after all, says so; so does one under another name that
    # somebody says is the chain's, which else would be asked about again.
    now |= {code: code for code in own if before.get(code, code) != code}
    of_before = {item.code: before[item.code] for item in items if item.code in before and item.code not in now}
    return Decided(
        of_before | now, _rows(now, how, items, reading.name), tuple(asking.open),
        (*_told(reading.name, found, how, names), *(_told_of_names(reading.name, renamed, known) if ours else ())),
        {key: value for key, value in kept.items() if key.startswith(KEY) and key[len(KEY) :] not in now}
        | {KEY + code: OF_ITS_OWN for code in own},
        tuple(code for code, product in chosen.items() if product == REFUSE),
        {code: before[code] for code, product in now.items() if before.get(code, product) != product},
    )  # fmt: skip


def _matches(items: Sequence[Item], known: Mapping[str, Item], ours: bool) -> Iterator[Match]:
    """What each product is. ours: the file has the chain's own codes, so that another code is another product, whatever
    it is called."""
    others = [item for item in items if item.code not in known]
    for item in items:
        if item.code in known:
            yield Match(item, SAME, item.code, "code") if ours else by_own_code(item, known[item.code])
    if ours:
        others = [item for item in others if item.codes]
    if others:
        taken = {item.code for item in items if item.code in known}
        for found in match(others, catalogue_of([*known.values()]), names=not ours):
            # Two codes of one file are not one product by their names alone.
            shared = found.outcome == SAME and found.how == "name" and found.product in taken
            yield replace(found, outcome=DOUBT, differs="shared") if shared else found


def _has_our_codes(items: Sequence[Item], known: Mapping[str, Item], renamed: int) -> bool:
    """Whether the codes of a file are those of the chain. renamed: how many of them have a name that contradicts."""
    own = sum(item.code in known for item in items)
    return own >= _OURS * len(items) and renamed <= _RENAMED * own


def _renamed(items: Sequence[Item], known: Mapping[str, Item]) -> list[Item]:
    """Products with a code of the chain's that are called otherwise, in an attribute that tells products apart."""
    own = (item for item in items if item.code in known)
    return [item for item in own if by_own_code(item, known[item.code]).outcome == DOUBT]


def _told_of_names(source: str, renamed: Sequence[Item], known: Mapping[str, Item]) -> Iterator[Finding]:
    if renamed:
        pairs = "; ".join(
            f"{shown(item.code)}: {shown(known[item.code].names[0])} / {shown(item.names[0])}"
            for item in renamed[:_SHOWN]
        )
        yield finding("warning", "matching.renamed", source, count=len(renamed), pairs=pairs)


# --- the two sides -----------------------------------------------------------------------------------------------


def _items_of(told: pa.Table, decimals: Collection[str]) -> list[Item]:
    """The products of a file. decimals: numbers in names of the chain's products, which handles write with a dash."""
    items = []
    for row in told.to_pylist():
        code, name = row["product"], row.get("name")
        more = tuple(c for c in (row.get("gtin"), *(row.get(CODES) or "").split(BETWEEN_CODES)) if c and c != code)
        wordy = tuple(c for c in (code, *more) if _is_wordy(c))
        items.append(Item(code, (name,) if name else _readings(wordy[0], decimals) if wordy else (), more))
    return items


def _decimals(items: Iterable[Item]) -> Iterator[str]:
    """Numbers with a decimal mark in the names of products, with a dot."""
    for item in items:
        for name in item.names:
            yield from (number.replace(",", ".") for number in _DECIMAL.findall(name))


def _readings(handle: str, decimals: Collection[str]) -> tuple[str, ...]:
    """A handle, and what it may stand for, too: 1-7-l is 1.7 l where a product of the chain's is called so."""
    with_dots = _DASHED.sub(lambda m: f"{m[1]}." if f"{m[1]}.{m[2]}" in decimals else m[0], handle)
    return tuple(dict.fromkeys((handle, with_dots)))


def _is_wordy(code: str) -> bool:
    """Whether a code is a name in small letters: blue-ceramic-mug."""
    parts = code.replace("_", "-").split("-")
    return (len(parts) > 1 and sum(part.isalpha() and len(part) > 2 for part in parts) > 1) or not code.isascii()


def _known_items(products: pa.Table, aliases: pa.Table) -> list[Item]:
    called: dict[str, list[str]] = {}
    for row in aliases.to_pylist():
        if row["name"]:
            called.setdefault(row["product"], []).append(row["name"])
    items = []
    for row in products.to_pylist():
        more = [str(row[c]) for c in ("colour", "size") if row[c] and row[c] not in (row["name"] or "")]
        name = " ".join([row["name"], *more]) if row["name"] else row["product"] if _is_wordy(row["product"]) else ""
        names = tuple(dict.fromkeys([*([name] if name else []), *called.get(row["product"], ())]))
        items.append(Item(row["product"], names, (row["gtin"],) if row["gtin"] else ()))
    return items


def _figures(reading: Reading) -> dict[str, float]:
    """How many units, reviews or counts each product of a file has."""
    result: dict[str, float] = {}
    for name, source in reading.parts:
        if name not in _FIGURES or not source.rows.num_rows:
            continue
        column = _FIGURES[name]
        rows = source.rows.select(["product", *([column] if column else [])])
        sums = rows.group_by("product").aggregate([(column, "sum") if column else ([], "count_all")])
        for product, value in zip(sums["product"].to_pylist(), sums[sums.column_names[-1]].to_pylist(), strict=True):
            result[product] = result.get(product, 0.0) + value
    return result


# --- asking ------------------------------------------------------------------------------------------------------


def _chosen(
    doubtful: Sequence[Match], asking: Asking, names: Mapping[str, str], figures: Mapping[str, float]
) -> dict[str, str]:
    """What somebody says of each product that is in doubt; without an answer, nothing."""
    clashes = [m for m in doubtful if m.candidates[0][0] == m.item.code]
    others = [m for m in doubtful if m.candidates[0][0] != m.item.code]
    chosen = {m.item.code: asking.ask(_clash(m, names, figures)) for m in clashes}
    if ALL in asking.answers or len(others) > ASKED_ONE_BY_ONE:
        said = asking.ask(_all_at_once(others, names, figures)) if others else OF_ITS_OWN
        return chosen | {m.item.code: m.candidates[0][0] if said == LIKELIEST else said for m in others}
    return chosen | {m.item.code: asking.ask(_one(m, names, figures)) for m in others}


def _one(found: Match, names: Mapping[str, str], figures: Mapping[str, float]) -> Question:
    code, count = found.item.code, f"{figures.get(found.item.code, 0):,.10g}"
    options = [
        Option(product, message("matching.same", product=product, name=shown(names[product]), count=count,
                                likeness=f"{value:.0%}"))
        for product, value in found.candidates
    ]  # fmt: skip
    options.append(Option(OF_ITS_OWN, message("matching.own", count=count)))
    why = message(f"matching.differs_{found.differs}")
    asks = message("matching.asks", code=shown(code), name=shown(names[code]), why=why)
    samples = tuple(shown(names[product]) for product, _ in found.candidates)
    return Question(KEY + code, asks, (), (shown(names[code]), *samples)[:3], tuple(options))


def _clash(found: Match, names: Mapping[str, str], figures: Mapping[str, float]) -> Question:
    """A code that the chain has for a product that is called otherwise."""
    code, count = found.item.code, f"{figures.get(found.item.code, 0):,.10g}"
    theirs = found.item.names[0]  # `names` has that of the chain
    why = message(f"matching.differs_{found.differs}")
    options = (
        Option(code, message("matching.same_code", count=count)),
        Option(REFUSE, message("matching.refuse")),
    )
    asks = message("matching.asks_code", code=shown(code), name=shown(theirs), why=why)
    return Question(KEY + code, asks, (), (shown(theirs), shown(names[code])), options)


def _all_at_once(found: Sequence[Match], names: Mapping[str, str], figures: Mapping[str, float]) -> Question:
    count = f"{sum(figures.get(m.item.code, 0) for m in found):,.10g}"
    words = {"many": f"{len(found):,}", "count": count}
    samples = tuple(f"{shown(names[m.item.code])} ~ {shown(names[m.candidates[0][0]])}" for m in found[:3])
    options = tuple(Option(n, message(f"matching.all_{n}", **words)) for n in (OF_ITS_OWN, LIKELIEST))
    return Question(ALL, message("matching.asks_all", **words), (), samples, options)


def _said(said: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """What somebody said without being asked, or before: a product of the chain, or its own. A slip is an answer that
    is none of the readings."""
    for code, product in said.items():
        Asking({KEY + code: product}).said(KEY + code, (*sorted(known), OF_ITS_OWN, REFUSE))
    return dict(said)


# --- saying ------------------------------------------------------------------------------------------------------


def _rows(now: Mapping[str, str], how: Mapping[str, str], items: Sequence[Item], source: str) -> pa.Table | None:
    if not now:
        return None
    names = {item.code: item.names[0] if item.names else None for item in items}
    return pa.table(
        {
            "alias": pa.array(list(now), pa.string()),
            "product": pa.array(list(now.values()), pa.string()),
            "name": pa.array([names[code] for code in now], pa.string()),
            "how": pa.array([how.get(code, "said") for code in now], pa.string()),
            "source": pa.array([source] * len(now), pa.string()),
        }
    )


def _told(source: str, found: Mapping[str, str], how: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Finding]:
    """That products were taken for products of the chain without being asked, and how to take it back."""
    for kind in ("barcode", "other_code", "name"):
        some = [code for code in found if how[code] == kind]
        if some:
            pairs = "; ".join(
                f"{shown(code)} ({shown(names[code])}) = {shown(found[code])} ({shown(names[found[code]])})"
                for code in some[:_SHOWN]
            )
            yield finding("note", f"matching.by_{kind}", source, count=len(some), pairs=pairs, code=shown(some[0]))
