"""The factory of a twin, as its chain states it: one line and its hours, recipes with set-ups and lots, and costs."""

import numpy as np

from datong.replay.twin import parameters as p
from datong.replay.twin.market import Market, Row
from datong.replay.twin.parameters import COLOURS, SHAPES

LINE = "L1"


def usual_need(market: Market) -> np.ndarray:
    """(product) units a week that buyers take in the middle of the season, by worth alone."""
    wants = np.exp(market.truth.worth + p.DRAW)
    return market.settings.visitors * len(p.CHANNELS) * wants / (1.0 + wants.sum())


def line_hours(market: Market) -> float:
    """Hours of the line a week."""
    need = usual_need(market)
    return float(np.round(p.HOURS_OVER_NEED * (need.sum() * p.HOURS_PER_UNIT + len(need) * p.SETUP_HOURS / 2), 1))


def master_tables(market: Market) -> dict[str, list[Row]]:
    truth = market.truth
    products: list[Row] = []
    attributes: list[Row] = []
    recipes: list[Row] = []
    for i, name in enumerate(truth.names):
        what = {"colour": COLOURS[truth.colour[i]], "shape": SHAPES[truth.shape[i]]}
        products.append(
            {"product": name, "name": " ".join(what.values()), "price": p.PRICE, "category_a": what["shape"]}
        )
        attributes += [{"product": name, "attribute": which, "value": value} for which, value in what.items()]
        recipes.append(
            {
                "recipe": name,
                "product": name,
                "line": LINE,
                "hours_per_unit": p.HOURS_PER_UNIT,
                "setup_hours": p.SETUP_HOURS,
                "min_lot_units": float(p.MIN_LOT),
                "lead_days": float(p.LEAD_DAYS),
                "cost_per_unit": p.COST,
                "yield_share": p.YIELD,
            }
        )
    economics: list[Row] = [
        {
            "product": name,
            "holding_cost_per_unit_week": p.HOLDING_PER_WEEK,
            "late_cost_per_unit_week": p.PRICE - p.COST,
            "lost_sale_cost_per_unit": p.PRICE,
        }
        for name in truth.names
    ]
    lines: list[Row] = [{"line": LINE, "hours_per_week": line_hours(market)}]
    return {
        "products": products,
        "product_attributes": attributes,
        "lines": lines,
        "recipes": recipes,
        "economics": economics,
    }
