"""The share of good units in what was made, by recipe."""

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from datong.learn.lead_times import LEAST_ORDERS
from datong.ledger.standings import of_their_orders
from datong.ledger.state import State


@dataclass(frozen=True)
class LearntYield:
    """What reports of what was made teach of a recipe."""

    # Good units over all units made.
    share: float
    # How many reports it rests on: those of good units; scrap alone corrects or adds to one.
    records: int


def learnt_yields(state: State) -> dict[str, LearntYield]:
    """By recipe, of known recipes with any scrap reported.

    A report without an order counts for the product's recipe where there is just one. (The prior is the recipe's own
    share with the weight of LEAST_ORDERS average reports.)
    """
    recipes = state.table("recipes").select(["recipe", "product", "yield_share"]).to_pylist()
    made = of_their_orders(state, state.table("production"))
    made = made.select(["order", "product", "good_units", "scrap_units"])
    made = made.append_column("is_report", pc.cast(pc.greater(made["good_units"], 0.0), pa.int64()))
    of_product = Counter(row["product"] for row in recipes)
    single = {row["product"]: row["recipe"] for row in recipes if of_product[row["product"]] == 1}
    orders = (
        state.table("orders").select(["order", "recipe"]).to_pydict() if made.num_rows else {"order": [], "recipe": []}
    )
    by_order = dict(zip(orders["order"], orders["recipe"], strict=True))
    names = zip(made["order"].to_pylist(), made["product"].to_pylist(), strict=True)
    recipe = pa.array([by_order.get(order) or single.get(product) for order, product in names], pa.string())
    sums = made.append_column("recipe", recipe).group_by("recipe", use_threads=False)
    sums = sums.aggregate([("good_units", "sum"), ("scrap_units", "sum"), ("is_report", "sum")])
    of_recipe = {row["recipe"]: row for row in sums.to_pylist()}
    result = {}
    for row in sorted(recipes, key=lambda row: row["recipe"]):
        told = of_recipe.get(row["recipe"])
        if told is None or not told["scrap_units_sum"]:
            continue
        good, total = told["good_units_sum"] or 0.0, (told["good_units_sum"] or 0.0) + told["scrap_units_sum"]
        records = max(told["is_report_sum"] or 0, 1)
        weight = LEAST_ORDERS * total / records
        share = (good + weight * row["yield_share"]) / (total + weight)
        result[row["recipe"]] = LearntYield(share, records)
    return result
