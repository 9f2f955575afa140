"""A product that nobody bought or asked for gets nothing, and the run says so; one that is launched keeps its prior."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datong.app.chain import Chain
from mill import run

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "peers"


@pytest.mark.parametrize("door", ["run", "balance"])
@pytest.mark.parametrize("name", ["min_no_demand_product", "min_no_demand_product_week"])
def test_nothing_is_bought_that_nobody_asked_for(tmp_path: Path, name: str, door: str) -> None:
    if not CASES.is_dir():
        pytest.skip("the cases of practice are not here")
    shutil.copytree(CASES / name, tmp_path / "c")
    now = datetime(2009, 1, 1 if name.endswith("product") else 5, tzinfo=UTC)
    with Chain(tmp_path / "c", now=lambda: now) as chain:
        tables = chain.run().tables if door == "run" else chain.balance(gap=0.0001).tables
        assert {(row["product"], row["units"]) for row in tables["orders"].to_pylist()} == {("A", 5.0)}
        (said,) = chain.notices()
        assert said.code == "not_asked" and "(B)" in said.found.text("en")


def test_the_commands_say_which_and_a_launch_is_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A is wanted; N is launched in three weeks, and nobody ever asked for B."""
    folder = tmp_path / "c"
    folder.mkdir()
    for name, text in {
        "chain.toml": 'name = "t"\nstart = 2026-01-05\nhorizon_buckets = 8\n',
        "products.csv": "product,price,launched_on\nA,100,\nB,100,\nN,100,2026-01-26\n",
        "demand.csv": "demand,product,due,units\nd,A,2026-01-12,5\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    for command in ("run", "balance", "replenish"):
        status, printed = run(capsys, command, folder, "--as-of", "2026-01-05", "--lang", "en")
        assert status == 0
        told = " ".join(printed.split())
        assert "nobody has bought or asked for 1 of the finished products (B)" in told
        assert "no sale yet of 1 of the products that are launched soon or were lately (N)" in told
    with Chain(folder) as chain:
        forecast = chain.kept_run().forecast.arrow.to_pylist()
    assert {row["product"]: row["prior"] for row in forecast} == {"A": False, "N": True}
    launched = [row for row in forecast if row["product"] == "N"]
    assert all(row["mean_units"] == 0 for row in launched if str(row["bucket"]) < "2026-01-26")
    assert any(row["mean_units"] > 0 for row in launched)
