"""Yields and lead times that past orders taught and that differ from what the tables say: the plan counts on them, and
says so."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Literal

from datong.ledger.state import State
from datong.model.findings import Finding, finding
from datong.model.flow import IMPLIED, Learnt
from datong.model.words import Message, message
from datong.network.ways import lead_time_of

# Shares and days that differ by less are the same, as they are shown.
SAME_SHARE, SAME_DAYS = 0.0005, 0.05
# Recipes and offers that one finding names.
MOST_NAMED = 10

Kind = Literal["yield", "lead"]


@dataclass(frozen=True)
class LearntFigure:
    """What a plan counts on of a recipe or an offer, a row of a table. value, stated: a share, or days; records: orders
    or reports on which it rests, 0 where that is not known."""

    kind: Kind
    table: str
    key: str
    product: str
    value: float
    stated: float
    records: int

    def differs(self, other: float) -> bool:
        return abs(self.value - other) >= (SAME_SHARE if self.kind == "yield" else SAME_DAYS)


def learnt_figures(state: State, learnt: Learnt) -> Iterator[LearntFigure]:
    """Everything of the chain's recipes and offers that was learnt, as it is known today."""
    recipes = state.table("recipes").select(["recipe", "product", "yield_share", "lead_days"]).to_pylist()
    offers = state.table("offers").select(["offer", "product", "lead_days"]).to_pylist()
    for row in recipes:
        share = learnt.yield_share.get(row["recipe"])
        if share is not None:
            records = learnt.yield_records.get(row["recipe"], 0)
            yield LearntFigure("yield", "recipes", row["recipe"], row["product"], share, row["yield_share"], records)
    known = {row["product"] for row in (*recipes, *offers)} | set(
        state.versions("recipe_outputs")["product"].to_pylist()
    )
    implied = [product for product in state.table("products")["product"].to_pylist() if product not in known]
    rows = [("recipes", r["recipe"], r["product"], r["lead_days"]) for r in recipes]
    rows += [("offers", r["offer"], r["product"], r["lead_days"]) for r in offers]
    rows += [("offers", f"{product}{IMPLIED}", product, state.settings.defaults.offer_lead_days) for product in implied]
    for table, key, product, stated in rows:
        if past := learnt.lead_days.get(key):
            yield LearntFigure("lead", table, key, product, lead_time_of(learnt, key, stated), stated, len(past))


def learnt_notices(state: State, learnt: Learnt) -> Iterator[Finding]:
    """What of it differs from the tables: a finding for the yields, and one for the lead times of each table."""
    names = dict(zip(*(state.table("products")[c].to_pylist() for c in ("product", "name")), strict=True))
    found = [one for one in learnt_figures(state, learnt) if one.differs(one.stated)]
    for kind, table in (("yield", "recipes"), ("lead", "recipes"), ("lead", "offers")):
        own = [one for one in found if (one.kind, one.table) == (kind, table)]
        if own:
            told = _listed([figure_words(one, names.get(one.product)) for one in own])
            column = "yield_share" if kind == "yield" else "lead_days"
            yield finding("warning", f"position.learnt_{kind}", table, column=column, rows_affected=len(own), told=told)


def figure_words(one: LearntFigure, name: str | None) -> Message:
    """What is counted of a recipe or an offer, what its row says, and on how much that rests. name: of its product."""
    product = one.product if not name or name == one.product else f"{name} ({one.product})"
    of = {"key": one.key.removesuffix(IMPLIED), "product": product, "records": one.records}
    figures = {"value": shown_figure(one.kind, one.value), "stated": shown_figure(one.kind, one.stated)}
    return message(f"position.of_{one.kind}{'' if one.records else '_unknown'}", **of, **figures)


def shown_figure(kind: Kind, value: float) -> float:
    """As precise as it is shown: a tenth of a percent or of a day."""
    return round(value, 3) if kind == "yield" else round(value, 1)


def _listed(parts: list[Message]) -> Message:
    """The first of them, and how many more there are."""
    some = parts[:MOST_NAMED]
    if len(parts) > len(some):
        some.append(message("plan.more", count=len(parts) - len(some)))
    return reduce(lambda before, following: message("plan.list", before=before, following=following), some)
