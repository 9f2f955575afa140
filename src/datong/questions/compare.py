"""What differs between two runs: in what went in, and in what came out. Tables in, tables out.

A and B are the two runs; columns end in _a and _b. What one of them does not have is null there.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.settings import ChainSettings
from datong.model.tables import BESIDE, tables
from datong.questions.demand_totals import gap_totals
from datong.questions.given_out import given_out
from datong.questions.paired_orders import paired, same_units
from datong.questions.result_table import Frame
from datong.questions.waits_longer import waits_longer

Row = dict[str, Any]
_Order = Mapping[str, Any]

# When a row was known and what of it is assumed is not what it says.
_NOT_COMPARED = frozenset({"row_id", *BESIDE})


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two runs. name: as it was asked for. branch: None for the trunk. settings: those of its day as JSON
    gives them, None where they were not kept. state: the world that it saw. tables: its results by name.
    """

    name: str
    branch: str | None
    run: str
    as_of: datetime
    seed: int
    settings: Mapping[str, Any] | None
    state: State
    tables: Mapping[str, pa.Table]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs and the tables of their differences (see `compare`), each also as a Frame: comparison.orders."""

    a: Side
    b: Side
    settings: ChainSettings
    tables: Mapping[str, pa.Table] = field(repr=False)

    def __repr__(self) -> str:
        sides = "; ".join(f"{side.name}: run {side.run}" for side in (self.a, self.b))
        return f"{sides}; tables: {', '.join(self.tables)}"

    @property
    def learnt_differs(self) -> bool:
        """Whether the two took something else from past runs."""
        a, b = (side.tables["learnt_used"] for side in (self.a, self.b))
        return not a.equals(b)

    @property
    def changed_rows(self) -> Frame:
        """Rows that went into one run only, and cells that differ."""
        return Frame("changed_rows", self.tables["changed_rows"])

    @property
    def cost(self) -> Frame:
        """Cost of the two plans by term, in money."""
        return Frame("cost", self.tables["cost"])

    @property
    def orders(self) -> Frame:
        """Orders that are in one plan only, or at another time or of another size."""
        return Frame("orders", self.tables["orders"])

    @property
    def demand(self) -> Frame:
        """Demand by product in units: on time, late, unserved."""
        return Frame("demand", self.tables["demand"])

    @property
    def prices(self) -> Frame:
        """What one more hour or unit of what is scarce is worth."""
        return Frame("prices", self.tables["prices"])

    @property
    def forecast(self) -> Frame:
        """Expected demand of all items together by bucket, in units."""
        return Frame("forecast", self.tables["forecast"])


def compare(a: Side, b: Side, settings: ChainSettings) -> Comparison:
    """The differences as tables.

    sides: the two runs. settings: setting, text_a, text_b. changed_tables: rows only in B (added), only in A
    (removed), and in both with other content (changed), by table. changed_rows: these rows, with a row for each cell.
    cost: money by term and in all. counted_on: orders that one of the two counts on as they are, given out or locked,
    and the other does not; the other may plan them, so that they cost in both. orders: see `order_changes`. demand:
    units by product. later: who waits longer in B. prices, price_buckets: what is scarce in either. forecast: all items
    by bucket.
    """
    changed = {name: changed_rows(name, a.state.versions(name), b.state.versions(name)) for name in tables()}
    changed_tables, cells = _changed(changed)
    counted_on = orders_counted_on(a, b)
    return Comparison(
        a,
        b,
        settings,
        {
            "sides": _sides(a, b),
            "settings": setting_changes(a.settings, b.settings),
            "changed_tables": changed_tables,
            "changed_rows": cells,
            "cost": cost_changes(a.tables["cost"], b.tables["cost"], counted_on),
            "counted_on": counted_on,
            "orders": order_changes(a.tables["orders"], b.tables["orders"], settings.calendar.bucket_start),
            "demand": demand_changes(a.tables["gaps"], b.tables["gaps"]),
            "later": waits_longer(a.tables, b.tables),
            "prices": price_changes(a.tables["prices"], b.tables["prices"]),
            "price_buckets": price_buckets(a.tables["prices"], b.tables["prices"]),
            "forecast": forecast_changes(a.tables["forecast_total"], b.tables["forecast_total"]),
        },
    )


def _sides(a: Side, b: Side) -> pa.Table:
    return pa.table(
        {
            "side": ["A", "B"],
            "name": [a.name, b.name],
            "branch": pa.array([a.branch, b.branch], pa.string()),
            "run": [a.run, b.run],
            "as_of": pa.array([a.as_of, b.as_of], pa.timestamp("us", tz="UTC")),
            "seed": [a.seed, b.seed],
        }
    )


# what went in ------------------------------------------------------------------------------------


def setting_changes(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> pa.Table:
    """Settings that differ, as texts; none where one side's were not kept."""
    flat_a, flat_b = ({}, {}) if a is None or b is None else (_flat("", a), _flat("", b))
    names = [n for n in sorted({*flat_a, *flat_b}) if flat_a.get(n) != flat_b.get(n)]
    return pa.table(
        {
            "setting": pa.array(names, pa.string()),
            "text_a": pa.array([flat_a.get(n) for n in names], pa.string()),
            "text_b": pa.array([flat_b.get(n) for n in names], pa.string()),
        }
    )


def _flat(prefix: str, tree: Mapping[str, Any]) -> dict[str, str]:
    result: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            result |= _flat(f"{prefix}{name}.", value)
        else:
            result[f"{prefix}{name}"] = "" if value is None else str(value)
    return result


def changed_rows(name: str, a: pa.Table, b: pa.Table) -> list[Row]:
    """Rows of one table that are in one state only (added, removed: one row each) or differ (changed: one row for each
    cell, with both values as text), by row_id and then in the order of the columns. Of a row that has several versions,
    those after the first are named with their day: 'offers:O (2026-02-02)'.
    """
    if a.equals(b):
        return []
    a, b = _named(a), _named(b)
    in_b = pc.index_in(a["row_id"], b["row_id"].combine_chunks())
    in_a = pc.index_in(b["row_id"], a["row_id"].combine_chunks())
    one_sided = {"column": None, "text_a": None, "text_b": None}
    result: list[tuple[str, int, Row]] = []
    for change, side, place in (("removed", a, in_b), ("added", b, in_a)):
        for row_id in side["row_id"].filter(pc.is_null(place)).to_pylist():
            result.append((row_id, 0, {"table": name, "row_id": row_id, "change": change, **one_sided}))
    common_a = a.filter(pc.is_valid(in_b))
    common_b = b.take(in_b.drop_null())
    for i, column in enumerate(a.column_names):
        if column in _NOT_COMPARED:
            continue
        left, right = common_a[column], common_b[column]
        differs = pc.if_else(
            pc.or_(pc.is_null(left), pc.is_null(right)),
            pc.xor(pc.is_null(left), pc.is_null(right)),
            pc.fill_null(pc.not_equal(left, right), False),
        )
        at = np.flatnonzero(differs.to_numpy())
        cells = (common_a["row_id"].take(at), left.take(at), right.take(at))
        for row_id, was, now in zip(*(c.to_pylist() for c in cells), strict=True):
            cell = {"change": "changed", "column": column, "text_a": _cell(was), "text_b": _cell(now)}
            result.append((row_id, i, {"table": name, "row_id": row_id, **cell}))
    return [row for _, _, row in sorted(result, key=lambda r: r[:2])]


def _named(rows: pa.Table) -> pa.Table:
    """The rows with a row_id that is each one's own."""
    ids = rows["row_id"].to_pylist()
    if len(set(ids)) == len(ids):
        return rows
    seen: set[str] = set()
    for i, (row_id, day) in enumerate(zip(ids, rows["valid_from"].to_pylist(), strict=True)):
        if row_id in seen:
            ids[i] = f"{row_id} ({day})"
        seen.add(row_id)
    return rows.set_column(rows.schema.get_field_index("row_id"), "row_id", pa.array(ids, pa.string()))


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:.15g}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _changed(by_table: Mapping[str, Sequence[Row]]) -> tuple[pa.Table, pa.Table]:
    counts = []
    for name, rows in by_table.items():
        ids = {change: {r["row_id"] for r in rows if r["change"] == change} for change in _CHANGES}
        if rows:
            counts.append({"table": name} | {f"{change}_rows": len(ids[change]) for change in _CHANGES})
    count_schema = pa.schema([("table", pa.string()), *((f"{change}_rows", pa.int64()) for change in _CHANGES)])
    names = ("table", "row_id", "change", "column", "text_a", "text_b")
    cell_schema = pa.schema([(name, pa.string()) for name in names])
    every = [row for rows in by_table.values() for row in rows]
    return pa.Table.from_pylist(counts, count_schema), pa.Table.from_pylist(every, cell_schema)


_CHANGES = ("added", "removed", "changed")


# what came out -----------------------------------------------------------------------------------


_COUNTED_ON_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("side", "order", "kind", "product")),
        ("units", pa.float64()),
        ("start", pa.date32()),
        ("due", pa.date32()),
        ("cost", pa.float64()),
    ]
)


def orders_counted_on(a: Side, b: Side) -> pa.Table:
    """Orders that are given out or locked in one of the two runs only, of A and then of B. cost: null where nothing
    says what it is."""
    sources = {side.run: side.tables for side in (a, b)}
    in_b = given_out(a.state, sources, b.state, b.tables)
    in_a = given_out(b.state, sources, a.state, a.tables)
    only = {"A": (in_a.since, in_b.ended), "B": (in_b.since, in_a.ended)}
    rows = []
    for name, parts in only.items():
        own = {row["order"]: row for part in parts for row in part.to_pylist() if row["stands"]}
        rows += [{**own[order], "side": name} for order in sorted(own)]
    return pa.Table.from_pylist([{n: row[n] for n in _COUNTED_ON_SCHEMA.names} for row in rows], _COUNTED_ON_SCHEMA)


# The cost of orders that are given out or locked in one of the two only, as a term of both.
COUNTED_ON = "counted_on"


def cost_changes(a: pa.Table, b: pa.Table, counted_on: pa.Table | None = None) -> pa.Table:
    """Money by term (nothing for a term that a plan does not have) and in all; difference = B - A.

    counted_on: orders that one of the two counts on and the other does not. The cost of a plan leaves them out; the
    other pays for what it plans in their place, so that here they are a term.
    """
    money = [dict(zip(side["term"].to_pylist(), side["money"].to_pylist(), strict=True)) for side in (a, b)]
    only = [] if counted_on is None else counted_on.to_pylist()
    out = [math.fsum(row["cost"] or 0.0 for row in only if row["side"] == side) for side in ("A", "B")]
    if only:
        money = [{**of, COUNTED_ON: cost} for of, cost in zip(money, out, strict=True)]
    terms = list(dict.fromkeys([*money[0], *money[1]]))
    rows = [(term, money[0].get(term, 0.0), money[1].get(term, 0.0)) for term in terms]
    rows.append(("total", math.fsum(r[1] for r in rows), math.fsum(r[2] for r in rows)))
    return pa.table(
        {
            "term": pa.array([r[0] for r in rows], pa.string()),
            "money_a": pa.array([r[1] for r in rows], pa.float64()),
            "money_b": pa.array([r[2] for r in rows], pa.float64()),
            "difference": pa.array([r[2] - r[1] for r in rows], pa.float64()),
        }
    )


# What became of an order.
SAME, RESIZED, MOVED, DUE_MOVED, BOTH = "same", "resized", "moved", "due_moved", "moved_resized"
ADDED, REMOVED, GIVEN_OUT = "added", "removed", "given_out"

_OF_AN_ORDER = {
    "order": pa.string(),
    "units": pa.float64(),
    "start": pa.date32(),
    "due": pa.date32(),
    "cost": pa.float64(),
}
_ORDER_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("change", "kind", "product", "recipe", "offer")),
        *((f"{name}_{side}", type_) for name, type_ in _OF_AN_ORDER.items() for side in "ab"),
    ]
)


def order_changes(a: pa.Table, b: pa.Table, bucket_of: Callable[[date], date], out: pa.Table | None = None) -> pa.Table:
    """Every order of both plans, paired, and what became of it: same, resized, moved, due_moved, moved_resized, added,
    removed; given_out where its partner is one that went out since plan A.

    bucket_of: the first day of the bucket of a day. out: orders that went out since plan A, with the columns of both.
    Orders are paired among those of one product by one recipe, offer or lane to one site, as `paired` says. One without
    a partner is in A only (removed) or in B only (added). resized: it starts as before, with other units; due_moved: it
    starts as before with as many, and is due on another day.
    """
    groups: dict[tuple[Any, ...], tuple[list[Row], list[Row], list[Row]]] = {}
    for side, orders in enumerate((a, b, b.slice(0, 0) if out is None else out)):
        for order in orders.to_pylist():
            what = tuple(order.get(name) or "" for name in ("kind", "product", "recipe", "offer", "lane", "site"))
            groups.setdefault(what, ([], [], []))[side].append(order)
    rows: list[Row] = []
    for what in sorted(groups):
        left, right, own_out = groups[what]
        gone = {id(order) for order in own_out}
        pairs, only_a, only_b = paired(left, right, bucket_of, own_out)
        found: list[tuple[str, _Order | None, _Order | None]] = [
            (GIVEN_OUT if id(other) in gone else _became(one, other), one, other) for one, other in pairs
        ]
        found += [(REMOVED, one, None) for one in only_a] + [(ADDED, None, other) for other in only_b]
        for change, one, other in sorted(found, key=_when):
            some = one or other
            assert some is not None
            row = {"change": change} | {name: some[name] for name in ("kind", "product", "recipe", "offer")}
            for letter, order in (("a", one), ("b", other)):
                row |= {f"{name}_{letter}": None if order is None else order[name] for name in _OF_AN_ORDER}
            rows.append(row)
    return pa.Table.from_pylist(rows, _ORDER_SCHEMA)


def orders_beside(
    a: tuple[pa.Table, pa.Table], b: tuple[pa.Table, pa.Table], bucket_of: Callable[[date], date]
) -> pa.Table:
    """As `order_changes`, of two plans one of which may count on orders that the other plans: given_out.

    a, b: the orders that a plan proposes, and those that it counts on as given out or locked and the other does not, in
    GIVEN_OUT_SCHEMA. One of these without a partner stands alone.
    """
    (planned_a, out_a), (planned_b, out_b) = a, b
    if out_a.num_rows > out_b.num_rows:  # A is the later one
        return _mirrored(orders_beside(b, a, bucket_of))
    if not any(pc.any(pc.is_valid(side["site"])).as_py() for side in (planned_a, planned_b)):
        out_b = out_b.set_column(out_b.column_names.index("site"), "site", pa.nulls(out_b.num_rows, pa.string()))
    found = order_changes(planned_a, planned_b, bucket_of, out_b)
    paired_out = found.filter(pc.equal(found["change"], GIVEN_OUT))["order_b"].combine_chunks()
    rows = []
    for one in out_b.filter(pc.invert(pc.is_in(out_b["order"], paired_out))).to_pylist():
        row: Row = {"change": GIVEN_OUT} | {name: one[name] for name in ("kind", "product", "recipe", "offer")}
        rows.append(row | {f"{name}_b": one[name] for name in _OF_AN_ORDER})
    return pa.concat_tables([found, pa.Table.from_pylist(rows, _ORDER_SCHEMA)])


def _mirrored(changes: pa.Table) -> pa.Table:
    """The same seen from the other plan."""
    other = {ADDED: REMOVED, REMOVED: ADDED}
    names = [
        f"{name[:-1]}{'ba'['ab'.index(name[-1])]}" if name[-2:] in ("_a", "_b") else name
        for name in changes.column_names
    ]
    became = pa.array([other.get(one, one) for one in changes["change"].to_pylist()], pa.string())
    return changes.rename_columns(names).set_column(0, "change", became).select(_ORDER_SCHEMA.names)


def _became(one: _Order, other: _Order) -> str:
    """What of an order differs in its partner. One that starts as before has not moved."""
    if one["start"] == other["start"]:
        if not same_units(one, other):
            return RESIZED
        return SAME if one["due"] == other["due"] else DUE_MOVED
    return MOVED if same_units(one, other) else BOTH


def _when(pair: tuple[str, _Order | None, _Order | None]) -> tuple[date, str]:
    order = pair[1] or pair[2]
    assert order is not None
    return order["due"], order["order"]


_DEMAND = ("demand_units", "on_time_units", "late_units", "lost_units")


def demand_changes(a: pa.Table, b: pa.Table) -> pa.Table:
    """Demand of every product over the horizon in units, and how much of it is on time, late and unserved."""
    sides = [{row["product"]: row for row in gap_totals(gaps, "product")} for gaps in (a, b)]
    products = sorted({*sides[0], *sides[1]})
    columns: dict[str, pa.Array] = {"product": pa.array(products, pa.string())}
    for name in _DEMAND:
        for letter, side in zip("ab", sides, strict=True):
            columns[f"{name}_{letter}"] = pa.array([side.get(p, {}).get(name) for p in products], pa.float64())
    return pa.table(columns)


def price_buckets(a: pa.Table, b: pa.Table) -> pa.Table:
    """Price, use and amount of everything that is scarce in some bucket of either run, by bucket."""
    sides = [{(r["what"], r["name"], r["bucket"]): r for r in prices.to_pylist()} for prices in (a, b)]
    scarce = {key[:2] for side in sides for key, row in side.items() if (row["price"] or 0.0) > 0}
    keys = sorted(key for key in {*sides[0], *sides[1]} if key[:2] in scarce)
    columns: dict[str, pa.Array] = {
        "what": pa.array([k[0] for k in keys], pa.string()),
        "name": pa.array([k[1] for k in keys], pa.string()),
        "bucket": pa.array([k[2] for k in keys], pa.date32()),
    }
    for name in ("price", "used", "available"):
        for letter, side in zip("ab", sides, strict=True):
            columns[f"{name}_{letter}"] = pa.array([side.get(k, {}).get(name) for k in keys], pa.float64())
    return pa.table(columns)


def price_changes(a: pa.Table, b: pa.Table) -> pa.Table:
    """Of everything that is scarce in either run: its highest price, in how many buckets it has one, and used over
    available in all buckets (null where it has no bound).
    """
    buckets = price_buckets(a, b).to_pylist()
    rows: dict[tuple[str, str], list[Row]] = {}
    for row in buckets:
        rows.setdefault((row["what"], row["name"]), []).append(row)
    columns: dict[str, pa.Array] = {
        "what": pa.array([what for what, _ in rows], pa.string()),
        "name": pa.array([name for _, name in rows], pa.string()),
    }
    for letter in "ab":
        highest, scarce, shares = [], [], []
        for own in rows.values():
            there = [r for r in own if r[f"price_{letter}"] is not None]
            highest.append(max((r[f"price_{letter}"] for r in there), default=None))
            scarce.append(sum(r[f"price_{letter}"] > 0 for r in there) if there else None)
            shares.append(_share(there, letter))
        columns[f"highest_price_{letter}"] = pa.array(highest, pa.float64())
        columns[f"scarce_buckets_{letter}"] = pa.array(scarce, pa.int64())
        columns[f"used_share_{letter}"] = pa.array(shares, pa.float64())
    return pa.table(columns)


def _share(rows: Sequence[Row], letter: str) -> float | None:
    used, available = ([r[f"{n}_{letter}"] for r in rows] for n in ("used", "available"))
    if any(v is None for v in (*used, *available)):
        return None
    total = math.fsum(available)
    return math.fsum(used) / total if 0 < total < math.inf else None


def forecast_changes(a: pa.Table, b: pa.Table) -> pa.Table:
    """Demand of all items together by bucket, in units: what is expected, and the 10%, 50% and 90% quantiles."""
    sides = [{r["bucket"]: r for r in total.to_pylist()} for total in (a, b)]
    buckets = sorted({*sides[0], *sides[1]})
    columns: dict[str, pa.Array] = {"bucket": pa.array(buckets, pa.date32())}
    for name in ("mean_units", "q10_units", "q50_units", "q90_units"):
        for letter, side in zip("ab", sides, strict=True):
            columns[f"{name}_{letter}"] = pa.array([side.get(k, {}).get(name) for k in buckets], pa.float64())
    return pa.table(columns)
