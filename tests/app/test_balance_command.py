"""datong balance, from Python and from the command line, on a small mill that is short of hours in one week."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datong
from datong.app.chain import Chain
from datong.app.cli.interrupt import asked_to_stop
from datong.app.cli.main import main
from datong.balance import solvers
from datong.model.errors import NoPlan, NotFound
from datong.questions.clear_market import ORDERS_SCHEMA, changed_orders
from mill import FILES, run, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "mill 厂")


@pytest.fixture
def chain(folder: Path) -> Iterator[Chain]:
    with datong.open(folder) as opened:
        yield opened


def made(orders: pa.Table) -> list[tuple[str, str, float]]:
    rows = orders.to_pylist()
    return [(r["recipe"] or r["offer"], str(r["start"]), round(r["units"], 6)) for r in rows]


def test_what_is_scarce_is_made_ahead_or_elsewhere(chain: Chain) -> None:
    """80 hours in two weeks for 85 of P. Week 1 has 5 hours to spare for week 2 (holding 1 each); the last 5 units
    go to P/2 at 20 more: so the hours of both weeks are worth 20 and 19. Materials: 170 less 30 in stock, when needed.

    Cost: 80 * 10 + 5 * 30 + 7 * 5 made; 140 * 4 bought; 5 held for a week. Unavoidable: 85 at 10, 7 at 5, 140 at 4.
    """
    result = chain.balance()
    assert sorted(made(result.orders.arrow), key=lambda order: (order[1], order[0])) == [
        ("M/V", "2026-03-02", 50.0),
        ("P/1", "2026-03-02", 40.0),
        ("M/V", "2026-03-09", 90.0),
        ("P/1", "2026-03-09", 40.0),
        ("P/2", "2026-03-09", 5.0),
        ("Q/1", "2026-03-09", 7.0),
    ]
    certificate = result.certificate
    assert certificate["total_cost"] == pytest.approx(800 + 150 + 35 + 560 + 5)
    assert certificate["lower_bound"] == pytest.approx(1550)
    assert certificate["unavoidable_cost"] == pytest.approx(850 + 35 + 560)
    assert certificate["gap_share_of_avoidable"] == pytest.approx(0.0, abs=1e-9)
    assert (certificate["stopped"], certificate["door"], certificate["whole"]) == ("gap", "highs", True)
    orders = result.orders.to_pandas()
    spent = float((orders["units"] * orders["cost_per_unit"]).sum())
    assert spent == pytest.approx(certificate["cost"]["production"] + certificate["cost"]["purchase"])
    prices = {(r["name"], str(r["bucket"])): r["price"] for r in result.prices.arrow.to_pylist()}
    assert [prices["A", day] for day in ("2026-03-02", "2026-03-09")] == pytest.approx([19.0, 20.0])


def test_the_command_writes_tables_and_certificate(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    status, printed = run(capsys, "balance", folder, "--out", out, "--lang", "en")
    assert status == 0
    assert "Balance of mill" in printed and "0.00% of what this plan spends" in printed
    assert sorted(p.name for p in out.glob("[!.]*")) == [
        "certificate.json",
        "clearing.parquet",
        "deliveries.parquet",
        "flow.parquet",
        "gaps.parquet",
        "hours.parquet",
        "money.parquet",
        "orders.parquet",
        "prices.parquet",
        "products.parquet",
        "stock_limits.parquet",
    ]
    told = json.loads((out / "certificate.json").read_text(encoding="utf-8"))
    assert told["total_cost"] == pytest.approx(1550)
    assert set(told["seconds"]) == {"open", "sense", "forecast", "balance", "plan"}
    assert pq.read_table(out / "orders.parquet").num_rows == 6
    before = {p.name: p.read_bytes() for p in out.glob("*.parquet")}
    status, printed = run(capsys, "balance", folder, "--out", out, "--format", "json")
    assert json.loads(printed)["orders"] == 6
    assert {p.name: p.read_bytes() for p in out.glob("*.parquet")} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert run(capsys, "balance", folder, "--out", tmp_path / "mine")[0] == 2
    status, printed = run(capsys, "balance", folder, "--lang", "zh")
    assert status == 0 and "计划总成本" in printed and "紧缺资源" in printed


def test_a_program_that_asks_for_json_gets_json_when_it_fails_too(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["balance", str(tmp_path / "empty"), "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["error"]
    assert {"no_products", "no_demand"} & {f["code"] for f in told["findings"]}
    assert main(["balance", str(folder), "--warm", str(tmp_path / "empty"), "--format", "json"]) == 2
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_warm_tells_what_changed_and_what_it_costs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rush order of 3 P in week 2 comes as 3 more of P/2 at 30, with 6 more of M at 4."""
    first, second = tmp_path / "first", tmp_path / "second"
    assert run(capsys, "balance", folder, "--out", first)[0] == 0
    text = FILES["demand.csv"] + "d4,P,2026-03-13,3\n"
    (folder / "demand.csv").write_text(text, encoding="utf-8")
    status, printed = run(capsys, "balance", folder, "--warm", first, "--out", second, "--lang", "en")
    assert status == 0
    assert "0 orders added (0 units), 2 changed (9), 0 dropped (0)" in printed
    assert "costs CNY 114 more" in printed and "another one" not in printed
    rows = pq.read_table(second / "changes.parquet").to_pylist()
    assert [(r["change"], r["recipe"] or r["offer"], r["units_change"], r["money_change"]) for r in rows] == [
        ("changed", "M/V", pytest.approx(6), pytest.approx(24)),
        ("changed", "P/2", pytest.approx(3), pytest.approx(90)),
    ]
    told = json.loads((second / "certificate.json").read_text(encoding="utf-8"))
    assert told["cost_change"] == pytest.approx(114) and told["earlier_known_share"] == 1.0
    status, printed = run(capsys, "balance", folder, "--warm", folder, "--lang", "en")
    assert status == 2 and "holds no earlier balance" in printed


def test_a_balance_of_another_chain_to_start_from_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tmp_path / "first"
    assert run(capsys, "balance", folder, "--out", first)[0] == 0
    prices = pq.read_table(first / "prices.parquet")
    names = pa.array([f"other {name}" for name in prices["name"].to_pylist()])
    other = prices.set_column(prices.schema.get_field_index("name"), "name", names)
    pq.write_table(pa.concat_tables([other, prices.slice(0, 1)]), first / "prices.parquet")
    status, printed = run(capsys, "balance", folder, "--warm", first, "--lang", "en")
    assert status == 0 and "looks like the balance of another one" in printed
    status, printed = run(capsys, "balance", folder, "--warm", first, "--lang", "zh")
    assert status == 0 and "另一条供应链" in printed


def orders(*rows: tuple[str, str, date, float, float]) -> pa.Table:
    names = ("kind", "product", "start", "units", "cost_per_unit")
    records = [dict(zip(names, r, strict=True)) for r in rows]
    for r in records:
        r |= {"recipe": f"{r['product']}/1"} if r["kind"] == "make" else {"offer": f"{r['product']}/V"}
    return pa.Table.from_pylist(records, schema=ORDERS_SCHEMA)


def test_orders_of_one_way_and_day_are_compared_together() -> None:
    """2 + 3 of X against 5; Y gone, Z new."""
    monday, tuesday = date(2026, 3, 2), date(2026, 3, 3)
    before = orders(("make", "X", monday, 2, 1), ("make", "X", monday, 3, 1), ("buy", "Y", monday, 4, 2.5))
    after = orders(("make", "X", monday, 5, 1), ("make", "Z", tuesday, 1, 7))
    rows = changed_orders(before, after).to_pylist()
    assert [(r["change"], r["recipe"], r["offer"], r["units_change"], r["money_change"]) for r in rows] == [
        ("dropped", None, "Y/V", -4.0, -10.0),
        ("added", "Z/1", None, 1.0, 7.0),
    ]


FREE_TO_LOSE = "product,late_cost_per_unit_week,lost_sale_cost_per_unit\nP,0,0\nQ,0,0\n"
TWO_SITES = {
    "products.csv": "product,price\nP,100\n",
    "sites.csv": "site\nF\nG\n",
    "lines.csv": "line,site,hours_per_week\nA,F,40\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\n",
    "lanes.csv": "lane,from_site,to_site,lead_days,cost_per_unit\nFG,F,G,0,2\n",
    "demand.csv": "demand,product,market,due,units\nd1,P,G,2026-03-04,30\n",
}


def two_sites(folder: Path, **changed: str) -> Path:
    folder.mkdir()
    files = {name: FILES[name] for name in ("chain.toml", "economics.csv")} | TWO_SITES
    for name, text in (files | {".".join(n.rsplit("_", 1)): t for n, t in changed.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_moves_are_among_the_changes(tmp_path: Path) -> None:
    with datong.open(two_sites(tmp_path / "one")) as chain:
        before = chain.balance().orders.arrow
    more = TWO_SITES["demand.csv"].replace(",30", ",35")
    with datong.open(two_sites(tmp_path / "two", demand_csv=more)) as chain:
        after = chain.balance().orders.arrow
    rows = changed_orders(before, after).to_pylist()
    told = {
        (r["kind"], r["recipe"] or r["lane"], r["start"].weekday(), r["units_change"], r["money_change"]) for r in rows
    }
    # 35 at an hour each are done on the fifth day of eight hours, 30 on the fourth: the transfer leaves a day later.
    assert told == {("make", "P/1", 0, 5.0, 50.0), ("move", "FG", 3, -30.0, -60.0), ("move", "FG", 4, 35.0, 70.0)}


@pytest.mark.parametrize("lead_days", [0, 7])
def test_what_is_unavoidable_goes_through_a_circle_of_lanes_once(tmp_path: Path, lead_days: int) -> None:
    """30 at 10 and 2 for the way; on a lane of a week each is held for it, at 1, and late for it, at 50."""
    lanes = f"lane,from_site,to_site,lead_days,cost_per_unit\nFG,F,G,{lead_days},2\nGF,G,F,0,0\n"
    with datong.open(two_sites(tmp_path / "circle", lanes_csv=lanes)) as chain:
        certificate = chain.balance().certificate
    weeks = lead_days // 7
    assert certificate["unavoidable_cost"] == pytest.approx(30 * (12 + weeks))
    assert certificate["avoidable_cost"] == pytest.approx(30 * 50 * weeks)


def test_a_door_that_does_not_know_a_rule_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    products = "product,price,kind,shelf_life_days\nP,100,finished,14\nQ,50,finished,\nM,4,material,\n"
    calendar = "line,from,to,hours,overtime_hours,overtime_cost_per_hour\nA,2026-03-02,2026-03-09,40,5,3\n"
    folder = write(tmp_path / "rules", products_csv=products, line_calendar_csv=calendar)
    status, told = run(capsys, "balance", folder, "--door", "prices", "--lang", "en")
    assert status == 2 and "overtime, shelf life" in told and "--door highs" in told
    status, told = run(capsys, "balance", folder, "--door", "prices", "--lang", "zh")
    assert status == 2 and "加班、保质期" in told
    lanes = TWO_SITES["lanes.csv"] + "GF,G,F,0,0\n"
    status, told = run(capsys, "balance", two_sites(tmp_path / "circle", lanes_csv=lanes), "--door", "prices")
    assert status == 2 and "--door highs" in told
    assert run(capsys, "balance", folder)[0] == 0


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("certificate.json", b"[1]"),
        ("certificate.json", b'{"total_cost": "much"}'),
        ("certificate.json", b"{"),
        ("prices.parquet", b"PAR1"),
        ("prices.parquet", pa.table({n: ["x"] for n in ("what", "name", "bucket", "price")})),
        ("orders.parquet", pa.table({n: ["x"] for n in ORDERS_SCHEMA.names})),
    ],
)
def test_a_damaged_earlier_balance_is_refused_in_words(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, damage: bytes | pa.Table
) -> None:
    out = tmp_path / "out"
    assert run(capsys, "balance", folder, "--out", out)[0] == 0
    if isinstance(damage, bytes):
        (out / file).write_bytes(damage)
    else:
        pq.write_table(damage, out / file)
    status, told = run(capsys, "balance", folder, "--warm", out, "--lang", "en")
    assert status == 2 and "holds no earlier balance" in told


def test_the_terms_that_are_shown_end_in_their_total(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cost 800 + 150 + 35 made, 560 bought, 5 held; where all is lost, no share of what can be avoided is told."""
    _, told = run(capsys, "balance", folder, "--lang", "en")
    rows = [line.split() for line in told.splitlines()]
    assert ["total", "1,550"] in rows and ["holding", "stock", "5"] in rows
    empty = "happened_at,product,units\n2026-02-28,M,0\n"
    folder = write(tmp_path / "free", economics_csv=FREE_TO_LOSE, stock_csv=empty)
    _, told = run(capsys, "balance", folder, "--lang", "en")
    assert "would save at most CNY 0, 0.00% of what this plan spends" in " ".join(told.split()) and "–" not in told


def test_lots_are_whole_and_the_certificate_is_that_of_the_lots(tmp_path: Path) -> None:
    """P/1 in lots of 40 with a set-up of 20 each; P/2, without lots, at 30 instead of 10. Every lot has its set-up."""
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit,setup_cost,lot_multiple_units\n"
    recipes += "P/1,P,A,1,10,20,40\nP/2,P,,0,30,,\n"
    folder = write(tmp_path / "lots", recipes_csv=recipes + "Q/1,Q,,0,5,,\n")
    with datong.open(folder) as chain:
        result = chain.balance()
    certificate = result.certificate
    lots = [(way, units) for way, _, units in made(result.orders.arrow) if way == "P/1"]
    assert lots and all(units % 40 == 0 for _, units in lots)
    assert certificate["whole"] and certificate["cost"]["setup"] == 20 * len(lots)
    assert certificate["total_cost"] >= certificate["cleared_cost"] + 20 * len(lots) - 1e-6
    # HiGHS proves that no plan in lots costs less, and that is more than the market without lots.
    assert certificate["door"] == "integer"
    assert certificate["lower_bound"] == pytest.approx(certificate["total_cost"])
    assert certificate["lower_bound"] > certificate["cleared_cost"] + 1
    gross = sum(money for money in certificate["cost"].values() if money > 0)
    assert certificate["gap_share"] == pytest.approx((certificate["total_cost"] - certificate["lower_bound"]) / gross)
    assert "clearing" in result.tables
    assert certificate["stopped"] == "gap"


def test_what_is_told_of_lots_is_what_the_orders_do(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large chain the bound knows of no lots: no search could close the gap. The gaps are the orders' own."""
    monkeypatch.setattr(solvers, "INTEGER_UP_TO", -1)
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit,setup_cost,lot_multiple_units\n"
    (folder / "recipes.csv").write_text(recipes + "P/1,P,A,1,10,20,40\nP/2,P,,0,30,,\nQ/1,Q,,0,5,,\n", encoding="utf-8")
    told = run(capsys, "balance", folder, "--lang", "en")[1]
    assert "92 units asked for: 92 on time, 0 late, 0 not served." in told and "the rest of the gap is lots" in told
    told = run(capsys, "balance", folder, "--lang", "zh")[1]
    assert "其余差距来自批量" in told


def test_whole_units_can_be_asked_for(tmp_path: Path) -> None:
    demand = FILES["demand.csv"].replace(",50\n", ",50.5\n")
    lines = FILES["lines.csv"].replace("40", "40.25")
    folder = write(tmp_path / "odd", demand_csv=demand, lines_csv=lines)
    with datong.open(folder) as chain:
        fractional, whole = chain.balance(), chain.balance(whole=True)
    assert ("P/1", "2026-03-02", 40.25) in made(fractional.orders.arrow)
    assert all(units % 1 == 0 for way, _, units in made(whole.orders.arrow) if way == "Q/1")
    assert whole.certificate["total_cost"] >= fractional.certificate["total_cost"] - 1e-6


def test_the_forecast_is_cleared_where_nothing_is_given(tmp_path: Path) -> None:
    days = ("2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26", "2026-02-02", "2026-02-09", "2026-02-16")
    sales = "sale,happened_at,product,units\n" + "".join(f"s{i},{day},P,30\n" for i, day in enumerate(days))
    folder = write(tmp_path / "sold", sales_csv=sales)
    (folder / "demand.csv").unlink()
    with datong.open(folder) as chain:
        result = chain.balance()
    asked = sum(r["demand_units"] for r in result.gaps.arrow.to_pylist() if r["product"] == "P")
    assert 60 < asked < 200
    assert result.certificate["gap_share"] < 0.05


def test_a_door_that_is_stopped_gives_its_best_plan_or_says_that_it_has_none(chain: Chain) -> None:
    heard = []

    def stop(*so_far: object) -> bool:
        heard.append(so_far)
        return False

    result = chain.balance(door="prices", gap=0.0, on_progress=stop)
    assert len(heard) >= 1
    certificate = result.certificate
    assert certificate["stopped"] == "asked"
    assert certificate["lower_bound"] <= 1550 + 1e-6 <= certificate["total_cost"] + 2e-6
    with pytest.raises(NoPlan, match="HiGHS"):
        chain.balance(door="highs", time_limit_s=1e-9)
    with pytest.raises(NotFound, match="holds no earlier balance"):
        chain.balance(warm=chain.folder)


def test_lots_that_are_asked_to_stop_are_a_plan_all_the_same(tmp_path: Path) -> None:
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit,setup_cost\nP/1,P,A,1,10,3\nQ/1,Q,,0,5,1\n"
    stages: list[str] = []
    heard: list[str] = []

    def goes_on(*_so_far: object) -> bool:
        heard.append(stages[-1])
        return stages[-1] != "plan"

    with datong.open(write(tmp_path / "lots", recipes_csv=recipes)) as chain:
        asked = chain.balance(door="prices", gap=1e-6, on_stage=stages.append, on_progress=goes_on)
        late = chain.balance(door="prices", gap=1e-6, time_limit_s=1e-9)
    assert "plan" in heard
    assert (asked.certificate["stopped"], late.certificate["stopped"]) == ("asked", "time")
    for result in (asked, late):
        assert sum(units for way, _, units in made(result.orders.arrow) if way == "Q/1") == 7.0


def test_the_first_press_asks_and_the_second_is_not_ours() -> None:
    before, asked_once = signal.getsignal(signal.SIGINT), []
    with asked_to_stop(lambda: asked_once.append(True)) as is_asked:
        assert not is_asked()
        signal.raise_signal(signal.SIGINT)
        assert is_asked() and asked_once == [True]
    assert signal.getsignal(signal.SIGINT) is before
    code = (
        "import signal; from datong.app.cli.interrupt import asked_to_stop\n"
        "with asked_to_stop(lambda: None):\n"
        "    signal.raise_signal(signal.SIGINT); print('once', flush=True)\n"
        "    signal.raise_signal(signal.SIGINT); print('twice', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("once\n", -signal.SIGINT)
