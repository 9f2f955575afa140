"""What each policy's course was worth: by bucket, by product, in all, and paired differences with their interval."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from datong.model.flow import FloatArray
from datong.replay.costs_charged import COST_TERMS
from datong.replay.scene_and_batches import NOTHING
from datong.replay.simulate import Simulation

BY_BUCKET_SCHEMA = pa.schema(
    [
        ("policy", pa.string()),
        ("bucket", pa.date32()),
        ("demand_units", pa.float64()),
        ("served_on_time_units", pa.float64()),
        ("late_units", pa.float64()),
        ("lost_units", pa.float64()),
        ("short_units", pa.float64()),
        ("stock_units", pa.float64()),
        ("stock_money", pa.float64()),
        ("made_units", pa.float64()),
        ("cost", pa.float64()),
        ("avoidable_cost", pa.float64()),
        *[(f"{term}_cost", pa.float64()) for term in COST_TERMS],
    ]
)

BY_PRODUCT_SCHEMA = pa.schema(
    [
        ("policy", pa.string()),
        ("product", pa.string()),
        ("demand_units", pa.float64()),
        ("served_on_time_units", pa.float64()),
        ("late_units", pa.float64()),
        ("lost_units", pa.float64()),
        ("short_units", pa.float64()),
        ("mean_stock_units", pa.float64()),
        ("mean_stock_money", pa.float64()),
        ("made_units", pa.float64()),
        ("cost", pa.float64()),
        ("avoidable_cost", pa.float64()),
    ]
)

SUMMARY_SCHEMA = pa.schema(
    [
        ("policy", pa.string()),
        ("demand_units", pa.float64()),
        ("fill_on_time_share", pa.float64()),
        ("units_not_on_time", pa.float64()),
        ("lost_units", pa.float64()),
        ("owed_end_units", pa.float64()),
        ("short_units", pa.float64()),
        ("mean_stock_units", pa.float64()),
        ("mean_stock_money", pa.float64()),
        ("made_units", pa.float64()),
        ("production_change_share", pa.float64()),
        ("cost", pa.float64()),
        ("avoidable_cost", pa.float64()),
        *[(f"{term}_cost", pa.float64()) for term in COST_TERMS],
    ]
)

DIFFERENCES_SCHEMA = pa.schema(
    [
        ("policy", pa.string()),
        ("than", pa.string()),
        ("measure", pa.string()),
        ("difference", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("finding", pa.string()),
    ]
)

# Whether more of a measure is better (1) or worse (-1).
MEASURES = {
    "cost": -1,
    "fill_on_time_share": 1,
    "mean_stock_money": -1,
    "production_change_money": -1,
}

BOOTSTRAP_DRAWS = 2000
INTERVAL = 0.9
# With fewer products that differ there is no interval: a sign test over four could not reach this level either, since
# 2 x (1/2)^4 > 1 - INTERVAL.
FEWEST_PRODUCTS = 5


def by_bucket(courses: Mapping[str, Simulation]) -> pa.Table:
    """All products together, at all sites. late_units: owed at the bucket's end. short_units: ordered, and not begun
    for want of components. stock_money: at the cost of the cheapest way.

    avoidable_cost: cost less that of making every unit due by its cheapest way, which no policy can save.
    """
    rows = []
    for policy, c in courses.items():
        total = _cost(c)
        for t, bucket in enumerate(c.scene.buckets):
            row = {
                "policy": policy,
                "bucket": bucket,
                "demand_units": c.demand_units[t].sum(),
                "served_on_time_units": c.on_time_units[t].sum(),
                "late_units": c.late_units[t].sum(),
                "lost_units": c.lost_units[t].sum(),
                "short_units": c.short_units[t].sum(),
                "stock_units": c.stock_units[t].sum(),
                "stock_money": (c.stock_units[t] * _unit_cost(c)).sum(),
                "made_units": c.made_units[t].sum(),
                "cost": total[t].sum(),
                "avoidable_cost": (total[t] - c.demand_units[t] * _unit_cost(c)).sum(),
            }
            rows.append(row | {f"{term}_cost": c.cost[term][t].sum() for term in COST_TERMS})
    return pa.Table.from_pylist(rows, schema=BY_BUCKET_SCHEMA)


def by_product(courses: Mapping[str, Simulation]) -> pa.Table:
    """All buckets together, and all sites. late_units: not served in the bucket in which they were due."""
    rows = []
    for policy, c in courses.items():
        worth = _unit_cost(c)
        columns = {
            "demand_units": c.demand_units,
            "served_on_time_units": c.on_time_units,
            "late_units": c.demand_units - c.on_time_units,
            "lost_units": c.lost_units,
            "short_units": c.short_units,
            "mean_stock_units": c.stock_units / len(c.scene.buckets),
            "mean_stock_money": c.stock_units * worth / len(c.scene.buckets),
            "made_units": c.made_units,
            "cost": _cost(c),
            "avoidable_cost": _cost(c) - c.demand_units * worth,
        }
        totals = {name: _of_products(c, units.sum(axis=0)).tolist() for name, units in columns.items()}
        for i, product in enumerate(c.scene.codes[0]):
            rows.append({"policy": policy, "product": product} | {name: of[i] for name, of in totals.items()})
    return pa.Table.from_pylist(rows, schema=BY_PRODUCT_SCHEMA)


def summary(courses: Mapping[str, Simulation]) -> pa.Table:
    """One row per policy.

    fill_on_time_share: units served in the bucket in which they were due, over units due. production_change_share:
    sum over products and buckets of |made - made in the bucket before| over what was made, both at unit cost: 0 is
    level, 2 is all or nothing.
    """
    rows = []
    for policy, c in courses.items():
        demand, on_time = c.demand_units.sum(), c.on_time_units.sum()
        made = c.made_units * _unit_cost(c)
        after_first = made[1:].sum()
        row = {
            "policy": policy,
            "demand_units": demand,
            "fill_on_time_share": on_time / demand if demand > 0 else 1.0,
            "units_not_on_time": demand - on_time,
            "lost_units": c.lost_units.sum(),
            "owed_end_units": c.late_units[-1].sum(),
            "short_units": c.short_units.sum(),
            "mean_stock_units": c.stock_units.sum(axis=1).mean(),
            "mean_stock_money": (c.stock_units * _unit_cost(c)).sum(axis=1).mean(),
            "made_units": c.made_units.sum(),
            "production_change_share": np.abs(np.diff(made, axis=0)).sum() / after_first if after_first > 0 else 0.0,
            "cost": _cost(c).sum(),
            "avoidable_cost": (_cost(c) - c.demand_units * _unit_cost(c)).sum(),
        }
        rows.append(row | {f"{term}_cost": c.cost[term].sum() for term in COST_TERMS})
    return pa.Table.from_pylist(rows, schema=SUMMARY_SCHEMA)


def differences(courses: Mapping[str, Simulation], policy: str, seed: int) -> pa.Table:
    """`policy` less each of the others, with a paired bootstrap interval over products.

    measure: of MEASURES, in money but for the share; production_change_money is the sum over buckets of |made - made in
    the bucket before|, product by product, at unit cost. The interval (Efron and Tibshirani 1993, ch. 13) holds the
    middle INTERVAL of BOOTSTRAP_DRAWS draws of as many products with replacement. finding: 'better' or 'worse' only
    where the interval leaves 0 out, else 'unsure'. The interval says how much hangs on which products there were; it
    takes products as independent, which buyers and lines in common make them only partly. Where fewer than
    FEWEST_PRODUCTS products differ there is none (null), and nothing is proven. All must have run to the end and met
    the same demand.
    """
    rows = []
    for than in courses:
        if policy not in courses or than == policy:
            continue
        for measure, values in _paired(courses[policy], courses[than], seed).items():
            low = high = None
            if _differing(courses[policy], courses[than], measure) >= FEWEST_PRODUCTS:
                low, high = np.quantile(values[1:], [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
            rows.append(
                {
                    "policy": policy,
                    "than": than,
                    "measure": measure,
                    "difference": values[0],
                    "low": low,
                    "high": high,
                    "finding": _finding(low, high, MEASURES[measure]),
                }
            )
    return pa.Table.from_pylist(rows, schema=DIFFERENCES_SCHEMA)


def _finding(low: float | None, high: float | None, good: int) -> str:
    if low is None or high is None or low <= 0 <= high:
        return "unsure"
    return "better" if low * good > 0 else "worse"


def _paired(ours: Simulation, theirs: Simulation, seed: int) -> dict[str, FloatArray]:
    """(draw) differences of each measure; the first draw is what was seen."""
    assert ours.step_index == theirs.step_index == len(ours.scene.buckets), "a course has not run to its end"
    assert np.array_equal(ours.demand_units, theirs.demand_units), "the courses did not meet the same demand"
    count = len(ours.scene.codes[0])
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=BOOTSTRAP_DRAWS)
    weights = np.vstack([np.ones(count), draws])  # (draw, product)
    of_product = _by_measure(ours, theirs)
    demand = weights @ _of_products(ours, ours.demand_units.sum(axis=0))
    totals = {measure: weights @ by for measure, by in of_product.items()}
    on_time = totals["fill_on_time_share"]
    totals["fill_on_time_share"] = np.divide(on_time, demand, out=np.zeros_like(on_time), where=demand > 0)
    return totals


def _differing(ours: Simulation, theirs: Simulation, measure: str) -> int:
    """How many products differ in a measure."""
    of_product = _by_measure(ours, theirs)[measure]
    return int(np.count_nonzero(np.abs(of_product) > NOTHING * max(float(np.abs(of_product).max(initial=0.0)), 1.0)))


def _by_measure(ours: Simulation, theirs: Simulation) -> dict[str, FloatArray]:
    """(product) differences of each measure; of the share on time, in units."""
    by_point = {
        "cost": (_cost(ours) - _cost(theirs)).sum(axis=0),
        "fill_on_time_share": (ours.on_time_units - theirs.on_time_units).sum(axis=0),
        "mean_stock_money": (ours.stock_units - theirs.stock_units).mean(axis=0) * _unit_cost(ours),
        "production_change_money": _production_change(ours) - _production_change(theirs),
    }
    return {measure: _of_products(ours, values) for measure, values in by_point.items()}


def _of_products(course: Simulation, values: FloatArray) -> FloatArray:
    """(product) of (stock point): all its sites together."""
    codes, of_point = course.scene.codes
    total = np.zeros(len(codes))
    np.add.at(total, of_point, values)
    return total


def _production_change(course: Simulation) -> FloatArray:
    """(product) money."""
    return np.abs(np.diff(course.made_units, axis=0)).sum(axis=0) * _unit_cost(course)


def _cost(course: Simulation) -> FloatArray:
    """(bucket, product) money, all terms."""
    return np.sum([course.cost[term] for term in COST_TERMS], axis=0)


def _unit_cost(course: Simulation) -> FloatArray:
    """(product) money per unit by the cheapest way."""
    return np.array([course.scene.unit_cost[p] for p in course.scene.products])
