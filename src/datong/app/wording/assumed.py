"""Which numbers behind a result are assumed rather than measured, and how they were derived."""

from collections import Counter

import pyarrow.compute as pc

from datong.app.wording.report_inputs import Assumed
from datong.ledger.state import State
from datong.model.tables import tables
from datong.model.words import say

# Left empty, these are taken from [defaults] of chain.toml.
_DEFAULTED = {
    ("products", "price"): "assumed.price",
    ("economics", "holding_cost_per_unit_week"): "assumed.holding",
    ("economics", "late_cost_per_unit_week"): "assumed.late",
    ("economics", "lost_sale_cost_per_unit"): "assumed.lost_sale",
}


def assumed_columns(state: State, language: str) -> tuple[Assumed, ...]:
    """Assumed columns with the number of rows, from the rows' own marks and from empty cells that a default filled.

    known_at is left out: a missing moment is filled by rule for every row and changes no number.
    """
    result = []
    for name in tables():
        rows = state.table(name)
        counts: Counter[str] = Counter()
        for mark in pc.value_counts(rows["assumed"].drop_null()).to_pylist() if rows.num_rows else []:
            for column in mark["values"].split(","):
                counts[column.strip()] += mark["counts"]
        for column in sorted(set(counts) - {"known_at", ""}):
            derivation = state.settings.assumed.get(f"{name}.{column}", {})
            result.append(Assumed(name, column, counts[column], derivation.get(language, derivation.get("en", ""))))
    products = {p["product"] for p in state.table("products").to_pylist() if p["kind"] == "finished"}
    for (table, column), key in _DEFAULTED.items():
        rows = state.table(table)
        given = rows.filter(pc.is_valid(rows[column]))["product"].to_pylist()
        left_open = len(products - set(given))
        if left_open:
            result.append(Assumed(table, column, left_open, say(key, language, defaults=state.settings.defaults)))
    every = set(state.table("products")["product"].to_pylist())
    made = {p for name in ("recipes", "offers", "recipe_outputs") for p in state.table(name)["product"].to_pylist()}
    if every - made:
        text = say("assumed.offer", language, defaults=state.settings.defaults)
        result.append(Assumed("offers", "price", len(every - made), text))
        result.append(Assumed("offers", "lead_days", len(every - made), text))
    counts_of_stock = state.table("stock")
    counted = set(counts_of_stock.filter(pc.is_valid(counts_of_stock["units"]))["product"].to_pylist())
    if every - counted:
        result.append(Assumed("stock", "units", len(every - counted), say("assumed.stock", language)))
    return tuple(result)
