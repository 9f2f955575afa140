"""A promotion from its row to the work order, to the reason, and to what it turned out to be worth."""

import json
from pathlib import Path

import numpy as np
import pytest

import datong
from datong.app.cli.main import main
from datong.app.clock import parse_moment

WEEKS = 30
FILES = {
    "chain.toml": 'name = "shop"\nhorizon_buckets = 6\npath_count = 100\n',
    "products.csv": "product,name,price\nTEA,Green tea,9\nCUP,Paper cup,9\n",
    "lines.csv": "line,hours_per_week\nL,400\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\nTEA/1,TEA,L,0.1,2\nCUP/1,CUP,L,0.1,2\n",
}
PROMOTION = (
    "promotion,product,from,to,change_share,low_share,high_share,stated_by\n"
    "AUTUMN,TEA,2024-08-05,2024-08-12,1.0,0.6,1.4,Sales\n"
)


def day(week: int, weekday: int = 2) -> str:
    return str(np.datetime64("2024-01-01") + 7 * week + weekday)


def shop(folder: Path, weeks: int = WEEKS, more: dict[str, str] | None = None, last: float = 50.0) -> Path:
    """50 of each a week, about; `last` teas in the last week."""
    rng = np.random.default_rng(3)
    rows = [(day(w), p, int(rng.poisson(50))) for w in range(weeks) for p in ("TEA", "CUP")]
    rows = [(d, p, last if (d, p) == (day(31), "TEA") else u) for d, p, u in rows]
    sales = "happened_at,product,units\n" + "".join(f"{d},{p},{u}\n" for d, p, u in rows)
    folder.mkdir(exist_ok=True)
    for name, text in (FILES | {"sales.csv": sales} | (more or {})).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_promotion_makes_more_be_made_and_the_order_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {}
    for name, more in (("plain", {}), ("promoted", {"promotions.csv": PROMOTION})):
        with datong.open(shop(tmp_path / name, more=more)) as chain:
            result = chain.run(parse_moment(day(WEEKS, 0), chain.settings))
        orders = result.tables["orders"].to_pylist()
        made[name] = {p: sum(o["units"] for o in orders if o["product"] == p) for p in ("TEA", "CUP")}
    assert 35 < made["promoted"]["TEA"] - made["plain"]["TEA"] < 65
    assert made["promoted"]["CUP"] == made["plain"]["CUP"]
    (row,) = result.tables["adjustments"].to_pylist()
    assert (row["product"], str(row["bucket"]), row["factor"]) == ("TEA", "2024-08-05", 2.0)
    assert row["adjusted_units"] == pytest.approx(2 * row["unadjusted_units"], rel=0.05)
    tea = next(o["order"] for o in orders if o["product"] == "TEA")
    for language, said in (
        ("en", "Planned promotion AUTUMN of Green tea (TEA)"),
        ("zh", "计划促销 AUTUMN（Green tea (TEA)"),
    ):
        assert main(["why", tea, "--chain", str(tmp_path / "promoted"), "--lang", language]) == 0
        assert said in " ".join(capsys.readouterr().out.split())


def test_what_a_promotion_was_worth_is_scored_when_its_week_is_over(tmp_path: Path) -> None:
    """Forecast 100 with it and 50 without; 95 came: with it the error is some 5, without some 45."""
    folder = shop(tmp_path / "c", more={"promotions.csv": PROMOTION})
    with datong.open(folder) as chain:
        chain.run(parse_moment(day(WEEKS, 0), chain.settings))
    shop(folder, weeks=WEEKS + 2, last=95.0)
    with datong.open(folder) as chain:
        scores = chain.run(parse_moment(day(WEEKS + 2, 0), chain.settings)).tables["scores"].to_pylist()
    of = {r["metric"]: r for r in scores if r["metric"].endswith("adjusted_error_units")}
    assert set(of) == {"adjusted_error_units", "unadjusted_error_units"}
    assert {(r["product"], str(r["bucket"])) for r in of.values()} == {("TEA", "2024-08-05")}
    assert of["adjusted_error_units"]["value"] < 15 < 35 < of["unadjusted_error_units"]["value"]


def test_a_row_that_contradicts_itself_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"promotions.csv": PROMOTION.replace("1.0,0.6,1.4", "0.5,0.6,0.4").replace("2024-08-12", "2024-08-05")}
    assert main(["check", str(shop(tmp_path / "c", more=bad)), "--format", "json"]) == 1
    found = {(f["code"], f["column"]) for f in json.loads(capsys.readouterr().out) if f["source"] == "promotions.csv"}
    assert {("below_low", "change_share"), ("above_high", "high_share")} <= found
    assert any(column == "to" for _, column in found)
