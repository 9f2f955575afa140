"""Products that are held back: of how they are made or bought a row was refused, so that nobody knows how.

Without that row another plan would be made: a product would be bought that is made, made of nothing, or made on a line
without hours. So no way to get the product starts until the row is mended, and what needs the product runs short. A
product that has no row at all is not held back: what it is bought for is assumed, and marked so.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import REFUSED, State
from datong.model.findings import Finding, finding
from datong.model.flow import IntArray
from datong.model.words import Message, message

# Tables of which a refused row holds products back; what stands behind others comes first.
HOLDING = (
    *("lines", "line_calendar", "recipes", "recipe_steps", "recipe_lines", "recipe_outputs", "components", "offers"),
)
# The kind of a product that is never stocked nor ordered.
PHANTOM = "phantom"
# A refused count holds nothing back, but an older one stays in force (position_notices.py). Of those, so many at most.
COUNTS, MOST_COUNTS = "stock", 1_000
# Names that one finding gives at most.
NAMED = 10
# Between the cells of a row that could not be taken apart.
_BETWEEN_CELLS = re.compile(r"""[,;\t|"]+""")


@dataclass(frozen=True)
class Reason:
    """Why a product is held back. source, row, column: where to look; found, remedy: what is wrong and what to do."""

    source: str
    row: int | None
    column: str | None
    found: Message
    remedy: Message


@dataclass(frozen=True, eq=False)
class Held:
    """Products that are held back, in order, each with its reasons. circular: those that go into themselves."""

    reasons: Mapping[str, tuple[Reason, ...]]
    circular: frozenset[str]

    def __contains__(self, product: str) -> bool:
        return product in self.reasons


def held_back(state: State, bucket_starts: Sequence[date]) -> Held:
    """The products that no way may start for in these buckets, and why."""
    products = set(state.table("products")["product"].to_pylist())
    reasons: dict[str, list[Reason]] = defaultdict(list)
    refused = refused_rows(state)
    for row in refused:
        for product in sorted(_concerned(row, refused, state, products)):
            reasons[product].append(row.reason)
    for product, reason in _on_no_line(state, bucket_starts):
        reasons[product].append(reason)
    circular = _circular(state, bucket_starts)
    for product in circular:
        reasons[product].append(_in_a_circle(circular))
    known = {product: tuple(reasons[product]) for product in sorted(reasons) if product in products}
    return Held(known, frozenset(circular))


def held_findings(state: State, held: Held) -> list[Finding]:
    """One finding for each product that is held back: its rows, the remedy, and what runs short."""
    found = []
    for product, reasons in held.reasons.items():
        first, needing = reasons[0], needed_by(state, product)
        more = message("held.more_rows", count=len(reasons) - 1) if len(reasons) > 1 else ""
        short = message("held.runs_short", products=named(needing)) if needing else ""
        found.append(
            finding(
                "error",
                "held.held_back",
                first.source,
                row=first.row,
                column=first.column,
                product=product,
                reason=first.found,
                more=more,
                remedy=first.remedy,
                short=short,
            )
        )
    return found


def lacking(state: State, held: Held) -> dict[str, str]:
    """Products that run short because one is held back, which for each: itself, or the first that goes into it."""
    found = {product: product for product in held.reasons}
    for product in held.reasons:
        for needing in needed_by(state, product):
            found.setdefault(needing, product)
    return dict(sorted(found.items()))


def needed_by(state: State, product: str) -> tuple[str, ...]:
    """Products that a product goes into, through all levels, in order."""
    components = state.versions("components")
    into: dict[str, list[str]] = defaultdict(list)
    for made, used in zip(components["product"].to_pylist(), components["component"].to_pylist(), strict=True):
        into[used].append(made)
    seen: set[str] = set()
    new = {product}
    while new:
        new = {made for used in new for made in into[used]} - seen
        seen |= new
    return tuple(sorted(seen - {product}))


def circles(made: IntArray, used: IntArray, count: int) -> IntArray:
    """(pair) number of the circle that the pair is part of, from 0; -1 of one that is in none. made, used: indices of
    things of which the first is made of the second; count: of things."""
    if not len(made):
        return np.zeros(0, dtype=np.int64)
    from scipy.sparse import coo_array  # slow to import, and few folders have a bill of materials
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(made)), (made, used)), shape=(count, count)).tocsr()
    _, group = connected_components(graph, directed=True, connection="strong")
    sizes = np.bincount(group, minlength=count)
    inside = (group[made] == group[used]) & ((sizes[group[made]] > 1) | (made == used))
    return np.where(inside, group[made], -1)


# refused rows --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class RefusedRow:
    """A row that was refused: its cells by column, where they could be told apart, and what is wrong with it."""

    table: str
    cells: Mapping[str, str]
    reason: Reason

    def cell(self, column: str) -> str:
        return self.cells.get(column, "")


def refused_rows(state: State) -> list[RefusedRow]:
    """Refused rows that may hold products back; what stands behind others comes first."""
    rows = [_as_refused(row) for row in state.table(REFUSED).to_pylist() if row["table"] in HOLDING]
    return sorted(rows, key=lambda row: HOLDING.index(row.table))  # stable: by source and row within a table


def _as_refused(row: Mapping[str, Any]) -> RefusedRow:
    cells = {name: "" if value is None else str(value).strip() for name, value in json.loads(row["raw"]).items()}
    records = json.loads(row["findings"])
    first = records[0] if records else {}
    told = {part: {"en": first.get(part, ""), "zh": first.get("zh", {}).get(part, "")} for part in _PARTS}
    found, expected, remedy = (message("held.as_told", **told[part]) for part in _PARTS)
    reason = message("held.refused", found=found, expected=expected)
    source, column = first.get("source", row["source"]), first.get("column")
    return RefusedRow(row["table"], cells, Reason(source, row["row"], column, reason, remedy))


_PARTS = ("found", "expected", "remedy")


def _concerned(row: RefusedRow, refused: Sequence[RefusedRow], state: State, products: set[str]) -> set[str]:
    """The products that a refused row says how to get."""
    if row.table in ("lines", "line_calendar"):
        return _made_on(row.cell("line"), refused, state)
    own = _named_in(row, state, products)
    if own or row.table in ("components", "recipe_steps", "recipe_lines", "recipe_outputs"):
        return own
    # A way that cannot be told whose it is may be that of any product that has none.
    without = products - _with_a_way(state)
    told = row.cell("product")
    return {product for product in without if not told or _plain(product) == _plain(told)}


def _named_in(row: RefusedRow, state: State, products: set[str]) -> set[str]:
    """The product that a row names itself, or that its recipe or offer is known to be for."""
    told = row.cell("product")
    if told in products or row.table == "recipe_outputs":  # its recipe makes something else
        return {told} & products
    recipe = row.cell("recipe")
    codes = {"recipe": {recipe, _recipe_of_steps(state).get(recipe, "")} - {""}, "offer": {row.cell("offer")} - {""}}
    for key, table in (("recipe", "recipes"), ("recipe", "components"), ("offer", "offers")):
        if codes[key]:
            rows = state.versions(table)
            found = rows["product"].filter(pc.is_in(rows[key], pa.array(sorted(codes[key]), pa.string())))
            if len(found):
                return set(found.to_pylist())
    if set(row.cells) == {"text"}:  # a record that could not be taken apart
        cells = [cell.strip() for cell in _BETWEEN_CELLS.split(row.cell("text"))]
        return set([cell for cell in cells if cell in products][:1])
    return set()


def _made_on(line: str, refused: Sequence[RefusedRow], state: State) -> set[str]:
    """Products with a recipe on a line, or a step of one, also where that row was refused too."""
    if not line:
        return set()
    recipes, steps, beside = (state.versions(name) for name in ("recipes", "recipe_steps", "recipe_lines"))
    recipe_of = _recipe_of_steps(state)
    on_line = {
        recipe_of.get(code, code)
        for rows in (recipes, steps, beside)
        for code in rows["recipe"].filter(pc.fill_null(pc.equal(rows["line"], line), False)).to_pylist()
    }
    on_line |= {
        recipe_of.get(row.cell("recipe"), row.cell("recipe"))
        for row in refused
        if row.table in ("recipe_steps", "recipe_lines") and row.cell("line") == line
    }
    own = recipes["product"].filter(pc.is_in(recipes["recipe"], pa.array(sorted(on_line), pa.string()))).to_pylist()
    return set(own) | {row.cell("product") for row in refused if row.table == "recipes" and row.cell("line") == line}


def _recipe_of_steps(state: State) -> dict[str, str]:
    """Step -> its recipe."""
    steps = state.versions("recipe_steps")
    return dict(zip(steps["step"].to_pylist(), steps["recipe"].to_pylist(), strict=True))


def _with_a_way(state: State) -> set[str]:
    tables = ("recipes", "offers", "recipe_outputs")
    return {product for name in tables for product in state.versions(name)["product"].to_pylist()}


def _plain(code: str) -> str:
    """A code without what is often written in two ways: case, signs between, leading zeros."""
    return re.sub(r"[\W_]+", "", code).casefold().lstrip("0")


# rows that do not fit one another ------------------------------------------------------------------


def _on_no_line(state: State, bucket_starts: Sequence[date]) -> list[tuple[str, Reason]]:
    """Products of recipes that name a line which no row of `lines` gives: its hours would have no end."""
    recipes = state.versions("recipes")
    there = state.versions("lines")["line"].combine_chunks()
    missing = recipes.filter(pc.and_(pc.is_valid(recipes["line"]), pc.invert(pc.is_in(recipes["line"], there))))
    return [
        (
            row["product"],
            Reason(
                "recipes",
                None,
                "line",
                message("held.no_line", recipe=row["recipe"], line=row["line"]),
                message("held.no_line_remedy", line=row["line"]),
            ),
        )
        for row in sorted(_open(missing, bucket_starts).to_pylist(), key=lambda row: row["recipe"])
    ]


def _circular(state: State, bucket_starts: Sequence[date]) -> list[str]:
    """Products that go into themselves by rows that hold in these buckets, in order. (The checks of a folder refuse a
    circle of one file; the ledger can hold one that is made of rows of two.)"""
    components = _open(state.versions("components"), bucket_starts)
    if not components.num_rows:
        return []
    made_here = pc.is_in(components["product"], state.versions("recipes")["product"].combine_chunks())
    pairs = components.select(["product", "component"]).filter(made_here)
    names = pc.unique(pa.chunked_array([*pairs["product"].chunks, *pairs["component"].chunks], pa.string())).sort()
    made, used = (pc.index_in(pairs[name], names).to_numpy() for name in ("product", "component"))
    inside = circles(made, used, len(names)) >= 0
    return [names[i].as_py() for i in np.unique(made[inside]).tolist()]


def _in_a_circle(products: Sequence[str]) -> Reason:
    names = named(products)
    return Reason("components", None, "component", message("held.circle", products=names), message("held.end_a_row"))


def _open(rows: pa.Table, bucket_starts: Sequence[date]) -> pa.Table:
    """Rows that hold on the first day of one of the buckets."""
    if not bucket_starts:
        return rows
    begun = pc.less_equal(rows["valid_from"], pa.scalar(bucket_starts[-1]))
    not_over = pc.greater(rows["valid_to"], pa.scalar(bucket_starts[0]))
    return rows.filter(pc.and_(pc.fill_null(begun, True), pc.fill_null(not_over, True)))


def named(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:NAMED]) + (" ..." if len(every) > NAMED else "")
