"""A price that is known ahead, from its row to the work order, to the finding, and to what it was worth."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import datong
from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.app.clock import parse_moment
from datong.app.market_findings import market_findings

WEEKS, PRODUCTS = 90, 8
SETTINGS = 'name = "shop"\nhorizon_buckets = 6\npath_count = 100\n'


def day(week: int, weekday: int = 0) -> str:
    return str(np.datetime64("2023-01-02") + 7 * week + weekday)


def shop(folder: Path, ahead: str = "", weeks: int = WEEKS) -> Path:
    """Eight products of some 40 a week at a price of 10 that was 8 or 11 for some weeks now and then, elasticity -2; a
    list of prices with rows `ahead` of P0. In the weeks from WEEKS on P0 costs 8."""
    rng = np.random.default_rng(3)
    sales, prices = ["happened_at,product,units,price"], ["product,price,valid_from,known_at"]
    for i in range(PRODUCTS):
        price = np.full(WEEKS + 8, 10.0)
        for week in rng.integers(4, WEEKS - 14, 5).tolist():
            price[week : week + 5] = rng.choice([8.0, 11.0])
        price[WEEKS:] = 8.0 if i == 0 else 10.0
        units = rng.poisson(40 * (price / 10) ** -2.0)
        sales += [f"{day(w, 2)},P{i},{units[w]},{price[w]}" for w in range(weeks)]
        begins = [w for w in range(WEEKS) if w == 0 or price[w] != price[w - 1]]
        prices += [f"P{i},{price[w]},{day(w)},{day(w)}" for w in begins]
    files = {"chain.toml": SETTINGS, "sales.csv": "\n".join(sales) + "\n"}
    files["prices.csv"] = "\n".join(prices) + "\n" + ahead
    files["products.csv"] = "product,price\n" + "".join(f"P{i},10\n" for i in range(PRODUCTS))
    files["lines.csv"] = "line,hours_per_week\nL,4000\n"
    files["recipes.csv"] = "recipe,product,line,hours_per_unit,cost_per_unit\n" + "".join(
        f"P{i}/1,P{i},L,0.1,2\n" for i in range(PRODUCTS)
    )
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


AHEAD = f"P0,8,{day(WEEKS)},{day(WEEKS - 1)}\n"


def test_a_price_cut_makes_more_be_made_and_order_and_finding_say_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """8 in place of 10 at an elasticity of -2: 1.56 times as much."""
    made = {}
    for name, ahead in (("plain", ""), ("cut", AHEAD)):
        with datong.open(shop(tmp_path / name, ahead)) as chain:
            result = chain.run(parse_moment(day(WEEKS), chain.settings))
        orders = result.tables["orders"].to_pylist()
        made[name] = {f"P{i}": sum(o["units"] for o in orders if o["product"] == f"P{i}") for i in range(PRODUCTS)}
    assert 1.35 < made["cut"].pop("P0") / made["plain"].pop("P0") < 1.8
    assert made["cut"] == made["plain"]
    moved = result.tables["adjustments"].to_pylist()
    assert {row["product"] for row in moved} == {"P0"} and len(moved) == 6
    order = next(o["order"] for o in orders if o["product"] == "P0")
    folder = str(tmp_path / "cut")
    for language, said in (("en", "P0 costs 8.00 from"), ("zh", "价格为 8.00，近期为 10.00")):
        assert main(["why", order, "--chain", folder, "--lang", language]) == 0
        assert said in " ".join(capsys.readouterr().out.split())
    with Chain(Path(folder)) as chain:
        (found,) = (f for f in market_findings(chain, parse_moment(day(WEEKS), chain.settings)) if f.kind == "price")
    assert order in found.orders
    assert found.strength is not None and found.strength.low < 0.56 < found.strength.high
    assert main(["dismiss", found.finding, "--chain", folder, "--why", "called off", "--lang", "en"]) == 0
    with datong.open(tmp_path / "cut") as chain:
        assert not chain.run(parse_moment(day(WEEKS), chain.settings)).tables["adjustments"].num_rows
    assert main(["effect", found.finding, "--chain", folder, "--lang", "en"]) == 0
    assert "Too early to say" in capsys.readouterr().out
    page = tmp_path / "report.html"
    assert main(["report", folder, "--out", str(page), "--lang", "zh"]) == 0
    assert "价格为 8.00，近期为 10.00" in page.read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["findings", folder, "--format", "json", "--lang", "en"]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out) if row["kind"] == "price"]
    assert [row["does"] for row in rows] == ["the forecast is not moved by it"]


def test_what_a_price_was_worth_is_scored_when_its_week_is_over(tmp_path: Path) -> None:
    folder = shop(tmp_path / "c", AHEAD)
    with datong.open(folder) as chain:
        chain.run(parse_moment(day(WEEKS), chain.settings))
    shop(folder, AHEAD, weeks=WEEKS + 3)
    with datong.open(folder) as chain:
        scores = chain.run(parse_moment(day(WEEKS + 3), chain.settings)).tables["scores"].to_pylist()
    error = {
        name: float(np.mean([r["value"] for r in scores if r["metric"] == f"{name}_error_units"]))
        for name in ("adjusted", "unadjusted")
    }
    assert error["adjusted"] < 0.7 * error["unadjusted"]


PRICE_LIST = "SKU,Product,Price,Valid From\nP0,Cup,{price},2025-02-03\nP1,Bowl,7.50,2025-02-03\nQ7,Hose,3,2025-02-03\n"
CAMPAIGN = "活动名称,商品编码,活动开始时间,活动结束时间,折扣\n双11,P0,2025-01-06 00:00:00,2025-01-12 23:59:59,8折\n"


def test_lists_of_shops_become_prices_and_promotions_of_the_chain(tmp_path: Path) -> None:
    """What the chain does not know waits in quarantine; the same list again changes nothing, another price does."""
    with Chain(shop(tmp_path / "c")) as chain:
        path = tmp_path / "list.csv"
        path.write_text(PRICE_LIST.format(price=8), encoding="utf-8")
        taken = chain.ingest(path)
        assert "unknown_products" in {f.code for f in taken.findings}
        assert [(r.table, r.rows, r.added) for r in taken.reports] == [("prices", 3, 2)]

        def ahead() -> list[tuple[str, float]]:
            rows = chain.state().versions("prices").to_pylist()
            return [(r["product"], r["price"]) for r in rows if r["valid_from"] == date(2025, 2, 3)]

        assert ahead() == [("P0", 8.0), ("P1", 7.5)]
        (again,) = chain.ingest(path).reports
        assert (again.added, again.superseded) == (0, 0)
        path.write_text(PRICE_LIST.format(price=9), encoding="utf-8")
        assert chain.ingest(path).reports[0].superseded == 1
        assert ahead() == [("P0", 9.0), ("P1", 7.5)]
        path.write_text(CAMPAIGN, encoding="utf-8")
        assert [(r.table, r.added) for r in chain.ingest(path).reports] == [("promotions", 1)]
        (row,) = chain.state().table("promotions").to_pylist()
        assert (row["promotion"], row["to"], row["change_share"]) == ("双11", date(2025, 1, 13), None)
        assert row["discount_share"] == pytest.approx(0.2)


def test_a_price_that_is_no_price_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shop(tmp_path / "c", f"P0,0,{day(WEEKS)},\nP9,5,,\nP1,-3,{day(WEEKS)},\n")
    assert main(["check", str(folder), "--format", "json"]) == 1
    found = [f for f in json.loads(capsys.readouterr().out) if f["source"] == "prices.csv"]
    assert {f["column"] for f in found} == {"price", "product"}
