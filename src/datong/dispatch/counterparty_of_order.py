"""Who an order goes to: the firm or site that makes, delivers or sends it."""

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.flow import ANY_SUPPLIER, OWN_WORKS

_TEXT = pa.string()


def counterparties(state: State, orders: pa.Table) -> pa.Array:
    """Who makes, delivers or sends each of these orders (columns of `orders`, with from_site of transfers): the firm
    that runs the site of the recipe, line or offer, or where a transfer starts; else the site itself."""
    step = pc.coalesce(orders["recipe"], "")
    recipe = pc.coalesce(_of(state, "recipe_steps", "step", "recipe", step), step)
    of_way = _of(state, "recipe_steps", "step", "line", step), _of(state, "recipes", "recipe", "line", recipe)
    line = pc.coalesce(orders["line"], *of_way, "")
    made_at = pc.coalesce(
        _of(state, "recipes", "recipe", "site", recipe),
        _of(state, "lines", "line", "site", line),
        pa.scalar(None, _TEXT),
    )
    bought_at = _of(state, "offers", "offer", "site", orders["offer"])
    kind = orders["kind"]
    site = pc.case_when(
        pc.make_struct(pc.equal(kind, "buy"), pc.equal(kind, "move")), bought_at, orders["from_site"], made_at
    )
    nobody = pc.if_else(pc.equal(kind, "buy"), ANY_SUPPLIER, OWN_WORKS)
    found = pc.coalesce(_of(state, "sites", "site", "firm", site), site, nobody)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def other_firms(state: State) -> frozenset[str]:
    """Who runs a site that is not ours alone: its firm, or a supplier's site itself."""
    sites = state.table("sites").select(["site", "kind", "firm"]).to_pylist()
    return frozenset(s["firm"] or s["site"] for s in sites if s["firm"] or s["kind"] == "supplier")


def _of(state: State, table: str, key: str, value: str, keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """The value that a table has for each of these keys; null where it has none, or ''."""
    rows = state.table(table)
    found = rows[value].take(pc.index_in(keys, rows[key].combine_chunks()))
    return pc.if_else(pc.equal(found, ""), pa.scalar(None, _TEXT), found)
