"""Where every order stands: its state, and what was made, received or sent of it, told in whichever way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import codes
from datong.ledger.order_life import OrderEvent, Standing, events_of_table, standing
from datong.ledger.state import State
from datong.model.calendar import Calendar

# Orders in these states will still bring units; `refused`, `done` and `cancelled` ones will not.
OPEN_STATES = frozenset({"released", "offered", "accepted", "started", "partly_done"})
# Tables that `order_standings` reads.
READ_FOR_STANDINGS = ("orders", "order_events", "production", "receipts", "shipments")
# Sums of fractions leave less than this behind.
LEAST_UNITS = 1e-6


def order_states(state: State) -> dict[str, tuple[str, float, datetime | None]]:
    """State, good units so far and moment of the last event of every order that has events."""
    stands = order_standings(state)
    return {o: (str(s.state), s.good_units, s.happened_at) for o, s in stands.items() if s.state is not None}


def order_standings(state: State, told: Mapping[str, Sequence[OrderEvent]] | None = None) -> dict[str, Standing]:
    """Where every order stands that has events, production or receipts (its `state` is None without events). told: the
    events by order, where somebody read them already.

    Good and scrapped units so far: what its events say in all, or the sum of its production and receipts where that
    is more: the same units are told in either way, or in both.
    """
    events = events_of_table(state.table("order_events")) if told is None else told
    stands = {order: standing(of_order) for order, of_order in events.items()}
    for table, columns in (
        ("production", ("good_units", "scrap_units")),
        ("receipts", ("units",)),
        ("shipments", ("units",)),
    ):
        rows = state.table(table)
        if table == "shipments":  # of transfer orders: what left for the other site is taken to be there
            orders = state.table("orders")
            transfers = orders["order"].filter(pc.equal(orders["kind"], "move"))
            rows = rows.filter(
                pc.and_(pc.is_valid(rows["to_site"]), pc.is_in(rows["order"], transfers.combine_chunks()))
            )
        rows = rows.filter(pc.is_valid(rows["order"]))
        rows = of_their_orders(state, rows) if table == "production" else rows
        if not rows.num_rows:
            continue
        code, orders = codes(rows["order"])
        sums = [np.bincount(code, rows[c].to_numpy(), len(orders)) for c in columns]
        moments = _first_and_last(rows)
        for order, good, *scrap in zip(orders, *sums, strict=True):
            stands[order] = _at_least(stands.get(order, Standing()), float(good), float(sum(scrap)), moments[order])
    return stands


def of_their_orders(state: State, production: pa.Table) -> pa.Table:
    """Rows of `production` without those that name an order of another product, as a co-product does that came of it:
    they are no units of that order."""
    orders = state.table("orders")
    made = orders["product"].take(pc.index_in(production["order"], orders["order"].combine_chunks()))
    return production.filter(pc.fill_null(pc.equal(made, production["product"]), True))


def _first_and_last(rows: pa.Table) -> dict[str, tuple[datetime, datetime]]:
    """First and last moment, by order."""
    found = rows.group_by("order").aggregate([("happened_at", "min"), ("happened_at", "max")])
    moments = zip(found["happened_at_min"].to_pylist(), found["happened_at_max"].to_pylist(), strict=True)
    return dict(zip(found["order"].to_pylist(), moments, strict=True))


def _at_least(stand: Standing, good_units: float, scrap_units: float, booked: tuple[datetime, datetime]) -> Standing:
    """booked: the first and last moment at which so many were."""
    good, scrap = max(stand.good_units, good_units), max(stand.scrap_units, scrap_units)
    first = booked[0] if stand.reported_at is None else min(stand.reported_at, booked[0])
    more_at = booked[1] if good_units > stand.good_units else stand.more_at
    return replace(stand, good_units=good, scrap_units=scrap, reported_at=first, more_at=more_at)


def only_orders(state: State, orders: pa.Array) -> State:
    """The same state with orders of these numbers alone, and what is known of them: who asks about few reads few."""
    all_rows = {name: state.tables[name] for name in READ_FOR_STANDINGS}
    return state.with_tables(**{name: rows.filter(pc.is_in(rows["order"], orders)) for name, rows in all_rows.items()})


def state_now(stand: Standing | None) -> str:
    """State of an order of the table `orders`. Without events it is partly done where units of it were booked, else
    released: whoever lists his open orders has given them out. A plan of someone else's has `proposed` events."""
    if stand is None or stand.state is None:
        booked = stand is not None and stand.good_units + stand.scrap_units > LEAST_UNITS
        return "partly_done" if booked else "released"
    return stand.state


def state_of(row: Mapping[str, Any], stand: Standing | None) -> str:
    """State of a row of `orders`: one of which all units are made or received, scrapped ones included, is done,
    whatever was said last of it. A transfer that has left is not there yet."""
    now = state_now(stand)
    if stand is None or now not in OPEN_STATES or row["kind"] == "move":
        return now
    return "done" if row["units"] - stand.good_units - stand.scrap_units <= LEAST_UNITS else now


def begun_at(stand: Standing | None, start: date, calendar: Calendar) -> datetime | None:
    """The moment at which work on an order began; None where nothing says that it has.

    Where only later news is known (units, done), it began on the day it was to start, or at that news if sooner.
    """
    if stand is None or (stand.started_at is None and stand.reported_at is None):
        return None
    told = stand.started_at or calendar.midnight(start)
    return told if stand.reported_at is None else min(told, stand.reported_at)


def possible_lines(state: State, row: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines on which an order can be made: the one that it names, else that of its recipe, else those of the
    recipes of its product, at its site where it names one and recipes there are known. Empty: no line is needed, or
    none is known."""
    if row["kind"] != "make":
        return ()
    if row["line"]:
        return (row["line"],)
    return _lines_of(state)(row)


def with_lines(state: State, orders: pa.Table) -> pa.Table:
    """Rows of `orders` with their line: where none is told, the only one on which an order can be made."""
    untold = pc.and_(pc.equal(orders["kind"], "make"), pc.equal(pc.fill_null(orders["line"], ""), ""))
    rows = orders.filter(untold).select(["product", "recipe", "site"]).to_pylist()
    if not rows:
        return orders
    lines_of = _lines_of(state)
    found = [lines[0] or None if len(lines := lines_of(row)) == 1 else None for row in rows]
    lines = pc.replace_with_mask(orders["line"].combine_chunks(), untold.combine_chunks(), pa.array(found, pa.string()))
    return orders.set_column(orders.column_names.index("line"), "line", lines)


def _lines_of(state: State) -> Callable[[Mapping[str, Any]], tuple[str, ...]]:
    """Looks up the lines of the recipes of an order that names no line. A recipe without one makes it without any."""
    recipes = state.table("recipes")
    begun = pc.fill_null(pc.less_equal(recipes["valid_from"], pa.scalar(state.today)), True)
    rows = recipes.filter(begun).select(["recipe", "product", "line", "site"]).to_pylist()
    site_of = dict(zip(*(state.table("lines")[name].to_pylist() for name in ("line", "site")), strict=True))
    by_recipe: dict[str, list[dict[str, Any]]] = {}
    by_product: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_recipe.setdefault(row["recipe"], []).append(row)
        by_product.setdefault(row["product"], []).append(row)

    def lines_of(order: Mapping[str, Any]) -> tuple[str, ...]:
        ways = by_recipe.get(order["recipe"] or "") or by_product.get(order["product"], [])
        here = [way for way in ways if order["site"] and (way["site"] or site_of.get(way["line"])) == order["site"]]
        lines = {way["line"] or "" for way in here or ways}
        return () if lines == {""} else tuple(sorted(lines))

    return lines_of


def only_recipes(state: State) -> Mapping[str | tuple[str, str], str]:
    """The recipe of a product that has one alone, and by (product, line) of a line that runs one of them alone; of the
    recipes that have begun."""
    recipes = state.table("recipes")
    begun = pc.fill_null(pc.less_equal(recipes["valid_from"], pa.scalar(state.today)), True)
    rows = recipes.filter(begun).select(["recipe", "product", "line"])
    of_product = _alone(rows, ["product"])
    of_line = _alone(rows.filter(pc.is_valid(rows["line"])), ["product", "line"])
    found: dict[str | tuple[str, str], str] = {row["product"]: row["recipe_min"] for row in of_product}
    return found | {(row["product"], row["line"]): row["recipe_min"] for row in of_line}


def _alone(rows: pa.Table, keys: list[str]) -> list[dict[str, Any]]:
    """The keys that stand with one recipe alone, each with that recipe as `recipe_min`."""
    told = rows.group_by(keys, use_threads=False).aggregate([("recipe", "count_distinct"), ("recipe", "min")])
    return told.filter(pc.equal(told["recipe_count_distinct"], 1)).to_pylist()
