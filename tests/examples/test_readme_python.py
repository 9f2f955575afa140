"""The Python of the READMEs runs, in the order in which it stands."""

import re
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest

from mill import write

matplotlib.use("Agg")

# The chain of the second block has a line A3 and a product A.
CHAIN = {
    "chain_toml": 'name = "mill"\nhorizon_buckets = 4\nstart = 2023-08-07\n',
    "lines_csv": "line,hours_per_week\nA3,40\n",
    "products_csv": "product,price,kind\nA,100,finished\n",
    "economics_csv": "product,holding_cost_per_unit_week,late_cost_per_unit_week\nA,1,50\n",
    "recipes_csv": "recipe,product,line,hours_per_unit,cost_per_unit\nA/1,A,A3,1,10\n",
    "demand_csv": "demand,product,due,units\nd1,A,2023-08-16,35\n",
    "stock_csv": "happened_at,product,units\n2023-08-05,A,3\n",
    "components_csv": "product,component,units_per_unit\n",
    "offers_csv": "offer,product,price,lead_days\n",
}
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_python_of_the_readme_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-01", periods=60, freq="3D")
    sales = pd.DataFrame({"date": days, "SKU": ["A", "B"] * 30, "qty": [3, 5, 4, 2, 6, 1] * 10, "price": 9.5})
    sales.to_excel("sales.xlsx", index=False, engine="xlsxwriter")
    names: dict[str, Any] = {"df": sales}
    exec(blocks[0], names)
    assert names["forecast"].table["bucket"].dtype.kind == "M"
    chain = write(tmp_path / "mill", **CHAIN)
    exec(blocks[1].replace('"my-chain"', repr(str(chain))), {**names, "datong": names["datong"]})
    assert (tmp_path / "report.html").is_file() and (tmp_path / "results" / "datong.xlsx").is_file()
    matplotlib.pyplot.close("all")
