"""Products that a list names otherwise than the chain's earlier exports, told by the order lines that both have: its
column of codes is gone, or another one. Without this each of those lines would count a second time."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.result import Reading
from datong.connectors.files.read import RawSource
from datong.ledger.product_aliases import products_by_alias
from datong.ledger.row_checks import shown
from datong.model.findings import finding
from datong.model.words import message

OTHER_CODES, OTHER_ORDERS, COUNT = "other_codes", "other_orders", "count"
# How an alias is known that order lines told.
BY_LINES = "lines"
# Fewest order lines under other codes that tell that a list names its products otherwise.
_LEAST_LINES = 3
_SHOWN = 5
# Fewest lines, and their share of those of days that the chain has, that tell that orders have other numbers now.
_LEAST_ALIKE, _MOSTLY = 10, 0.5
# Order and day of a key that `line_keys` made, and what stands behind them: the product, and a turn.
_PARTS = re.compile(r"^(.*?/\d{4}-\d{2}-\d{2})/(.*)$", re.DOTALL)
_COLUMNS = ("sale", "return")


@dataclass(frozen=True, eq=False)
class ToldByLines:
    """reading: with the chain's codes and the keys of its lines. aliases: the product of each code that was told so.
    questions: what is left open."""

    reading: Reading
    aliases: Mapping[str, str] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()


def told_by_lines(
    reading: Reading, sales: pa.Table, products: pa.Table, aliases: pa.Table, answers: Mapping[str, str]
) -> ToldByLines:
    """A reading whose lines are those of the chain, whatever it calls their products. sales, products, aliases: of the
    chain."""
    if reading.lines.keys is None or not reading.lines.by_order or not sales.num_rows:
        return ToldByLines(reading)
    asking = Asking(answers)
    result = _by_orders(reading, sales, products, aliases, asking)
    _ask_for_other_orders(result.reading, sales, asking)
    used = {**result.reading.used, **asking.used}
    return replace(result, reading=replace(result.reading, used=used), questions=tuple(asking.open))


def _by_orders(reading: Reading, sales: pa.Table, products: pa.Table, aliases: pa.Table, asking: Asking) -> ToldByLines:
    """Products told by the orders that both have; what nothing tells is asked."""
    known = frozenset(products["product"].to_pylist())
    ours = {key: product for key, product in zip(sales["sale"].to_pylist(), sales["product"].to_pylist(), strict=True)
            if key is not None and _PARTS.match(key)}  # fmt: skip
    theirs = _products_of_lines(reading)
    groups = _left_open(theirs, ours)
    codes = frozenset(theirs.values())
    others = {product for _, there in groups.values() for product in there.values() if product not in codes}
    told = aliases.filter(pc.fill_null(pc.equal(aliases["how"], BY_LINES), False))
    before = {code: product for code, product in products_by_alias(told).items()
              if code in codes - known and product not in codes}  # fmt: skip
    found = _agreed(groups, codes - known, others, before)
    lines = {line: key for here, there in groups.values() for line, key in _pairs(here, there, found)}
    open_ = [line for here, there in groups.values() for line, code in here.items()
             if line not in lines and code not in known and not {*there} <= {*lines.values()}]  # fmt: skip
    if len(lines) + len(open_) < _LEAST_LINES and not before:
        return ToldByLines(reading)
    if open_:
        samples = tuple(dict.fromkeys(shown(theirs[line]) for line in open_))
        asks = message("export.asks.other_codes", count=len(open_), samples="; ".join(samples[:3]))
        options = (Option(COUNT, message("export.reading.other_codes_count")),)
        asking.ask(Question(OTHER_CODES, asks, (), samples, options))
    if not found:
        return ToldByLines(reading)
    pairs = "; ".join(f"{shown(code)} = {shown(product)}" for code, product in list(found.items())[:_SHOWN])
    many = f"{len(lines):,}"
    said = finding("note", "export.told_by_lines", reading.name, count=len(found), lines=many, pairs=pairs)
    theirs = {line: code for line, code in theirs.items() if line not in ours}
    result = _renamed(replace(reading, findings=(*reading.findings, said)), found, lines, theirs)
    return ToldByLines(result, found)


def _ask_for_other_orders(reading: Reading, sales: pa.Table, asking: Asking) -> None:
    """Lines that the chain has under other order numbers: the column that told orders before is gone, and another one
    tells them. Known by most of the file's lines being the chain's, and the others being of the same days, products
    and units as those that the file lacks."""
    part = reading.part("sales")
    if part is None or "sale" not in part.column_names:
        return
    theirs, ours = _days_of(part), _days_of(sales)
    new = {key: line for key, line in theirs.items() if key not in ours}
    gone = {key: line for key, line in ours.items() if key not in theirs}
    last = max((day for day, _, _ in ours.values()), default="")
    inside = Counter(line for line in new.values() if line[0] <= last)
    alike = sum((inside & Counter(gone.values())).values())
    if len(theirs) - len(new) < _LEAST_ALIKE or alike < max(_LEAST_ALIKE, _MOSTLY * inside.total()):
        return
    asks = message("export.asks.other_orders", count=alike)
    options = (Option(COUNT, message("export.reading.other_orders_count")),)
    samples = tuple(shown(key.split("/")[0]) for key, line in new.items() if line[0] <= last)
    asking.ask(Question(OTHER_ORDERS, asks, (reading.column("order") or "",), samples[:3], options))


def _days_of(sales: pa.Table) -> dict[str, tuple[str, str, float]]:
    """Day, product and units of each line that has a key of an order."""
    columns = (sales[name].to_pylist() for name in ("sale", "product", "units"))
    return {key: (found[1][-10:], product, round(units, 6)) for key, product, units in zip(*columns, strict=True)
            if key is not None and (found := _PARTS.match(key)) is not None}  # fmt: skip


def with_aliases(aliases: pa.Table | None, told: ToldByLines, source: str) -> pa.Table | None:
    """Rows of product_aliases with those of products that order lines told."""
    if not told.aliases:
        return aliases
    count = len(told.aliases)
    made = pa.table(
        {
            "alias": pa.array(list(told.aliases), pa.string()),
            "product": pa.array(list(told.aliases.values()), pa.string()),
            "name": pa.nulls(count, pa.string()),
            "how": pa.array([BY_LINES] * count, pa.string()),
            "source": pa.array([source] * count, pa.string()),
        }
    )
    return made if aliases is None else pa.concat_tables([aliases, made])


def _products_of_lines(reading: Reading) -> dict[str, str]:
    """The product of each line of a file that has a key and is sold or came back."""
    result: dict[str, str] = {}
    for name, column in (("sales", "sale"), ("returns", "return")):
        part = reading.part(name)
        if part is not None and column in part.column_names:
            keys, products = part[column].to_pylist(), part["product"].to_pylist()
            result |= {k: p for k, p in zip(keys, products, strict=True) if k is not None and _PARTS.match(k)}
    return result


Groups = Mapping[str, tuple[dict[str, str], dict[str, str]]]


def _left_open(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Groups:
    """Of orders that both have, by order and day: the lines of the file that the chain does not have, and those of the
    chain that the file does not have, each with its product."""
    groups: dict[str, tuple[dict[str, str], dict[str, str]]] = defaultdict(lambda: ({}, {}))
    for at, (lines, others) in enumerate(((theirs, ours), (ours, theirs))):
        for key, product in lines.items():
            if key not in others and (found := _PARTS.match(key)) is not None:
                groups[found[1]][at][key] = product
    return {name: pair for name, pair in groups.items() if pair[0] and pair[1]}


def _agreed(
    groups: Groups, codes: Collection[str], products: Collection[str], before: Mapping[str, str]
) -> dict[str, str]:
    """The product of the chain that each code of the file stands for, by the orders in which nothing else is left: the
    same one in all of them, and for no other code. codes: of the file, that the chain does not have. products: of the
    chain, that the file does not have. before: what an earlier list told."""
    found = dict(before)
    while True:
        votes: dict[str, set[str]] = defaultdict(set)
        for here, there in groups.values():
            told = {found[code] for code in here.values() if code in found}
            left = {code for code in here.values() if code not in found}
            others = {product for product in there.values() if product not in told}
            if len(left) == len(others) == 1:
                votes[next(iter(left))] |= others
        new = {
            code: next(iter(of)) for code, of in votes.items() if len(of) == 1 and code in codes and of <= {*products}
        }
        taken = [*found.values(), *new.values()]
        new = {code: product for code, product in new.items() if taken.count(product) == 1}
        if not new:
            return found
        found |= new


def _pairs(here: Mapping[str, str], there: Mapping[str, str], found: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Lines of the file and those of the chain that they are, of one order: by their products, in their turn."""
    left: dict[str, list[str]] = defaultdict(list)
    for key, product in there.items():
        left[product].append(key)
    return [(line, left[product].pop(0)) for line, code in here.items() if left[product := found.get(code, code)]]


def _renamed(
    reading: Reading, found: Mapping[str, str], lines: Mapping[str, str], theirs: Mapping[str, str]
) -> Reading:
    """A reading with the chain's codes and keys. A line that the chain does not have gets the key that it had under the
    chain's code."""
    keys = dict(lines)
    taken = {*lines.values()}
    for line, code in theirs.items():
        parts = _PARTS.match(line)
        if line not in keys and code in found and parts is not None and parts[2].startswith(code):
            key = f"{parts[1]}/{found[code]}{parts[2][len(code) :]}"
            if key not in taken:
                keys[line] = key
                taken.add(key)
    parts_of = []
    for name, source in reading.parts:
        rows = source.rows
        for column, of in (("product", found), *((c, keys) for c in _COLUMNS)):
            if column in rows.column_names:
                rows = rows.set_column(rows.column_names.index(column), column, _mapped(rows[column], of))
        parts_of.append((name, RawSource(source.name, rows, source.rejected)))
    own = reading.lines.keys
    mapped = None if own is None else _mapped(own, keys)
    return replace(reading, parts=tuple(parts_of), lines=replace(reading.lines, keys=mapped))


def _mapped(texts: pa.Array | pa.ChunkedArray, of: Mapping[str, str]) -> pa.Array:
    """Texts, with another one in place of some."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    place = pc.index_in(whole, pa.array(list(of), whole.type))
    return pc.coalesce(pa.array(list(of.values()), whole.type).take(place), whole)
