"""A number of an order means one thing, whatever is run how often."""

from collections import defaultdict
from pathlib import Path

import datong
from datong.app.clock import parse_moment

PRODUCTS = ("A", "B", "C", "D")
FILES = {
    "chain.toml": 'name = "shop"\nstart = 2026-01-05\nhorizon_buckets = 4\n',
    "products.csv": "product\n" + "\n".join(PRODUCTS) + "\n",
    "lines.csv": "line,hours_per_week\nL,40\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\n"
    + "".join(f"{p}/1,{p},L,0.1,1\n" for p in PRODUCTS),
}
DEMANDS = ("ABC", "BD", "ACD", "ACD")


def run_with_demand(folder: Path, products: str, as_of: str) -> list[tuple[str, str, str, str]]:
    """What the orders of a run are, when the products are wanted, ten of each in each of three weeks."""
    rows = [f"{p}{week},{p},10,2026-01-{12 + 7 * week}" for p in products for week in range(3)]
    (folder / "demand.csv").write_text("demand,product,units,due\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with datong.open(folder) as chain:
        orders = chain.run(parse_moment(as_of, chain.settings)).tables["orders"].to_pylist()
    return [(o["order"], o["product"], o["recipe"], str(o["start"].isocalendar().week)) for o in orders]


def test_a_number_of_a_moment_planned_again_and_of_a_later_day_means_one_order(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    means, runs = defaultdict(set), []
    for day in ("2026-01-05", "2026-01-07"):
        for products in DEMANDS:
            runs.append(run_with_demand(tmp_path, products, day))
            for number, *what in runs[-1]:
                means[number].add(tuple(what))
    assert {number: what for number, what in means.items() if len(what) > 1} == {}
    assert runs[2] == runs[3]
    assert len(means) > len(runs[0])
