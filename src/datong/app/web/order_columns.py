"""Orders as rows of a grid: names beside codes, words for coded values, numbers and days as the report writes them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from datong.app.service.orders_shown import party_word
from datong.app.wording import figures
from datong.app.wording.columns import title
from datong.model.fractional_units import PIECE
from datong.model.words import say

# Columns of the grid of orders, in their order; those of numbers, which stand to the right.
COLUMNS = (
    *("order", "state", "kind", "product", "units", "start", "due", "counted_on", "needed_by"),
    *("line", "way", "site"),
    *("counterparty", "to_come_units", "value", "cost", "late_for", "locked"),
)
NUMBERS = frozenset({"units", "to_come_units", "value", "cost"})
# Columns with titles of their own here: shorter ones.
OWN_TITLES = frozenset(
    {
        "order",
        "product",
        "units",
        "to_come_units",
        "value",
        "cost",
        "way",
        "late_for",
        "start",
        "needed_by",
        "counterparty",
    }
)
# By which column of the list a column of the grid is sorted; the others by the one of their own name.
SORTED_BY: Mapping[str, str | None] = {"way": "recipe", "late_for": "late", "product": "product"}


def order_path(order: str) -> str:
    """The page that shows an order."""
    return f"/planner/plan?order={quote(order, safe='')}"


def column_title(name: str, language: str) -> str:
    """A column's title where it stands among orders."""
    return say(f"web_plan.column_{name}", language) if name in OWN_TITLES else title(name, language)


def shown_order(row: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A row of ORDERS_NOW as texts by column of the grid, with what colours it."""
    unit = "" if row["base_unit"] in (None, "", PIECE) else f" {row['base_unit']}"
    hurts = row["hurts"] or []
    return {
        "order": row["order"],
        "state": state_word(row, language),
        "kind": say(f"code.kind_{row['kind']}", language),
        "product": _called(row),
        "units": figures.fitting(row["units"]) + unit,
        "start": _day(row["start"]),
        "due": _day(row["due"]),
        "counted_on": _day(row["counted_on"]),
        "needed_by": _day(row["needed_by"]),
        "line": row["line"] or "",
        "way": row["recipe"] or row["offer"] or row["lane"] or "",
        "site": f"{row['from_site']} → {row['site']}" if row["from_site"] else row["site"] or "",
        "counterparty": party_word(row["counterparty"], row["counterparty_name"], language),
        "to_come_units": figures.fitting(row["to_come_units"]),
        "value": figures.number(row["value"]),
        "cost": figures.number(row["cost"]),
        "late_for": ", ".join(hurts[:3]) + (" …" if len(hurts) > 3 else ""),
        "locked": say("shown.yes", language) if row["locked"] else "",
        "mark": mark_of(row),
    }


def state_word(row: Mapping[str, Any], language: str) -> str:
    if row["origin"] == "edit":
        return say("web_plan.state_edit", language)
    return say(f"code.state_{row['state']}", language)


def mark_of(row: Mapping[str, Any]) -> str:
    """What colours an order: overdue or late before edited, edited before out, out before proposed."""
    if row["is_overdue"] or row["late"]:
        return "late"
    if row["state"] in ("refused", "cancelled"):
        return "gone"
    return {"edit": "edit", "out": "out", "plan": "plan"}[row["origin"]]


def _day(day: Any) -> str:
    return "" if day is None else day.isoformat()


def _called(row: Mapping[str, Any]) -> str:
    code, name = row["product"], row["name"]
    return f"{code} · {name}" if name not in (None, "", code) else code
