"""datong quote, and clearing again after a change, on a small mill that is short of hours in one week."""

import json
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import datong
from datong.app.branch_changes import parse_row
from datong.app.chain import Chain
from datong.app.wording.names import Names
from datong.app.wording.quotes import waits_lines
from datong.model.errors import BadInput, NotFound, Refused
from made_once import lay
from mill import run, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "mill 厂")


def opened_mill(folder: Path) -> None:
    datong.open(write(folder / "mill 厂")).close()


@pytest.fixture
def chain(folder: Path) -> Iterator[Chain]:
    """Its folder, taken in."""
    lay(opened_mill, folder.parent)
    with datong.open(folder) as opened:
        yield opened


# quotes --------------------------------------------------------------------------------------------


def test_a_rush_order_is_priced_with_what_it_is_made_of(chain: Chain) -> None:
    """An hour of A is worth 20 in the second week: P/1 costs 10 + 8 of M + 20 = 38, a week early 10 + 8 + 19 + 1, P/2
    30 + 8. With nothing scarce it is 18: from the third week on. P/2 has no end, so any number costs 38: 3 cost 114."""
    result = chain.quote("P", date(2026, 3, 12), 3)
    told = result.summary
    assert (told["price_per_unit"], told["money"]) == (pytest.approx(38), pytest.approx(114))
    assert (told["recipe"], told["line"], told["start"]) == ("P/1", "A", "2026-03-09")
    assert (told["own_cost"], told["material_cost"], told["hours_premium"]) == pytest.approx((10, 8, 20))
    assert (told["scarce"], told["scarce_what"], told["scarce_bucket"]) == ("A", "line", "2026-03-09")
    assert (told["normal_price"], told["earliest_normal"]) == (18, "2026-03-16")
    assert (told["earliest"], told["holds_units"]) == ("2026-03-02", None)
    options = result.alternatives.arrow.to_pylist()
    assert [(r["recipe"], str(r["start"]), round(r["more_than_best"], 6), r["planned_units"]) for r in options[:3]] == [
        ("P/1", "2026-03-09", 0.0, pytest.approx(40)),
        ("P/2", "2026-03-09", 0.0, pytest.approx(5)),
        ("P/1", "2026-03-02", 0.0, pytest.approx(40)),
    ]
    assert [r["price_per_unit"] for r in result.weeks.arrow.to_pylist()] == pytest.approx([38, 18, 18])


def test_a_quote_says_by_which_day_it_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight hours a working day, an hour a unit: 8 are wanted on Monday and 4 lie in stock. 13 more for Monday take the
    4 and, with what the others then take, 17 hours: they are there on Wednesday. Two for Friday are of the lot for
    Monday, six hours. Of what lies in stock, one for Monday, it is there today."""
    made = write(
        tmp_path / "m",
        chain_toml='name = "m"\nhorizon_buckets = 2\nstart = 2026-03-02\n',
        products_csv="product,price,kind\nA,100,finished\nB,100,finished\n",
        lines_csv="line,hours_per_week\nL,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit\nA/1,A,L,1,10\nB/1,B,L,1,10\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv="happened_at,product,units\n2026-02-28,A,4\n2026-02-28,B,3\n",
        demand_csv="demand,product,due,units,firm\nd,A,2026-03-02,8,yes\n",
    )
    with datong.open(made) as opened:
        days = {
            (product, units, day): opened.quote(product, date(2026, 3, day), units).summary["there_on"]
            for product, units, day in (("A", 13, 2), ("A", 2, 6), ("B", 1, 2))
        }
        said = repr(opened.quote("A", date(2026, 3, 2), 13))
    assert days == {("A", 13, 2): "2026-03-04", ("A", 2, 6): "2026-03-02", ("B", 1, 2): "2026-03-02"}
    assert "there by 2026-03-04" in said
    told = {"en": "it is there by 2026-03-04, later than 2026-03-02", "zh": "2026-03-04 才能全部到齐"}
    for language, words in told.items():
        asked = ("--product", "A", "--units", "13", "--due", "2026-03-02")
        status, printed = run(capsys, "quote", made, *asked, "--lang", language)
        assert status == 0
        assert words in " ".join(printed.split())


def test_a_quote_names_whose_order_then_waits_or_goes_without(tmp_path: Path) -> None:
    """40 hours a week, an hour a unit, two weeks: 30 of A and 40 of B are wanted. 40 of A for this week, which are
    dear, take the hours of the first: of MINE and YOURS some come later or not at all."""
    made = write(
        tmp_path / "m",
        chain_toml='name = "m"\nhorizon_buckets = 2\nstart = 2026-03-02\n',
        products_csv="product,price,kind\nA,1000,finished\nB,100,finished\n",
        lines_csv="line,hours_per_week\nL,40\n",
        recipes_csv="recipe,product,line,hours_per_unit,cost_per_unit\nA/1,A,L,1,10\nB/1,B,L,1,10\n",
        components_csv="product,component,units_per_unit\n",
        offers_csv="offer,product,price,lead_days\n",
        stock_csv="happened_at,product,units\n2026-02-28,A,0\n2026-02-28,B,0\n",
        demand_csv="demand,product,due,units\nMINE,B,2026-03-04,30\nYOURS,B,2026-03-05,10\nTHEIRS,A,2026-03-11,30\n",
    )
    with datong.open(made) as opened:
        quoted = opened.quote("A", date(2026, 3, 4), 40)
    rows = quoted.tables["waits"].to_pylist()
    (b,) = (r for r in rows if r["product"] == "B")
    assert b["late_units"] + b["lost_units"] == pytest.approx(40)
    named = {"late": b["late_of"], "lost": b["lost_of"]}
    said = waits_lines(rows, (), quoted.settings, Names(quoted.tables), "en")
    assert any(named.values())
    for kind, words in (("late", "come later"), ("lost", "are not served")):
        if b[f"{kind}_units"] >= 0.5:
            units = sum(float(own.split("(")[1].rstrip(")")) for own in named[kind].split(", "))
            assert units == pytest.approx(b[f"{kind}_units"])
            assert any(line.endswith(f"{words}: {named[kind]}.") for line in said)
    assert "MINE" in f"{named}" and "THEIRS" not in f"{named}"


def test_where_demand_is_forecast_a_quote_says_by_which_day_all_of_its_week_is_there(tmp_path: Path) -> None:
    """8 a week were sold. What is expected of a week, and 5 more for its Tuesday, have until its Friday; where the shop
    has 60 they are there at once."""
    days = [date(2025, 8, 4) + timedelta(weeks=week) for week in range(30)]
    files = {
        "products": "product,price,kind\nA,100,finished\n",
        "lines": "line,hours_per_week\nL,40\n",
        "recipes": "recipe,product,line,hours_per_unit,cost_per_unit\nA/1,A,L,1,10\n",
        "sales": "happened_at,product,units\n" + "".join(f"{day},A,8\n" for day in days),
    }
    there = []
    for stock in (0, 60):
        made = tmp_path / f"m{stock}"
        made.mkdir()
        (made / "chain.toml").write_text('name = "m"\nhorizon_buckets = 3\nstart = 2026-03-02\n', encoding="utf-8")
        for name, text in (files | {"stock": f"happened_at,product,units\n2026-03-01,A,{stock}\n"}).items():
            (made / f"{name}.csv").write_text(text, encoding="utf-8")
        with datong.open(made) as opened:
            there.append(opened.quote("A", date(2026, 3, 3), 5).summary["there_on"])
    assert there == ["2026-03-06", "2026-03-02"]


def test_the_exact_price_of_a_large_order(chain: Chain) -> None:
    """10 of P in the first week: for 5 the units made ahead give way and are made by P/2, 38 - 1 of holding; the other
    5 come by P/2 at once: 5 x 37 + 5 x 38 = 375. The marginal price, 37, is good for 5: for these alone it is told."""
    few = chain.quote("P", date(2026, 3, 4), 5).summary
    assert (few["marginal"], few["money"]) == (True, pytest.approx(5 * 37))
    assert (few["marginal_price"], few["holds_units"]) == (pytest.approx(37), pytest.approx(5))
    result = chain.quote("P", date(2026, 3, 4), 10)
    told = result.summary
    assert (told["money"], told["price_per_unit"]) == (pytest.approx(375), pytest.approx(37.5))
    assert (told["marginal"], told["marginal_price"], told["holds_units"]) == (False, None, None)
    assert (result.weeks.arrow.num_rows, result.alternatives.arrow.num_rows) == (0, 0)
    exact = told["exact"]
    assert (exact["money"], exact["money_per_unit"]) == (pytest.approx(375), pytest.approx(37.5))
    assert (exact["money_low"], exact["money_high"]) == (pytest.approx(375), pytest.approx(375))
    assert [exact[n] for n in exact if n.endswith("_units")] == pytest.approx([0.0] * 4, abs=1e-6)
    branch = chain.branch("ten more")
    branch.add("demand", {"demand": "R1", "product": "P", "units": 10, "due": date(2026, 3, 4)})
    cost = [c.balance().certificate["total_cost"] for c in (chain, branch)]
    assert cost[1] - cost[0] == pytest.approx(375)


def test_an_earlier_balance_answers_without_clearing_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert run(capsys, "balance", folder, "--out", out)[0] == 0
    words = ("quote", folder, "--product", "P", "--due", "2026-03-12", "--units", "3", "--format", "json")
    fresh = json.loads(run(capsys, *words)[1])
    monkeypatch.setattr("datong.balance.solvers.WHOLE_UP_TO", 0)  # as if it were large
    exact = json.loads(run(capsys, *words, "--from", out, "--exact")[1])
    assert exact.pop("exact")["money"] == pytest.approx(114) == fresh.pop("exact")["money"]
    assert fresh.pop("waits") == fresh.pop("later") == []
    assert (fresh.pop("there_on"), exact.pop("there_on")) == ("2026-03-12", None)  # the large one makes no orders
    monkeypatch.setattr("datong.questions.quote.clear", None)
    earlier = json.loads(run(capsys, *words, "--from", out)[1])
    assert earlier.pop("there_on") is None
    for told in (fresh, exact, earlier):
        assert told.pop("seconds") > 0
        told.pop("cleared_as_of")
    assert fresh == exact == earlier


def test_what_is_only_refused_is_no_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An order of 7 of P, whose only line has 40 hours, all taken, and of which a lost sale costs 12: no way is named,
    nor a day; refusing costs 7 x 12 = 84."""
    more = "product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\nP,1,50,12\n"
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,2\n"
    full = "demand,product,due,units\nd1,P,2026-03-04,60\nd2,P,2026-03-12,60\nd3,P,2026-03-19,60\nd4,P,2026-03-26,60\n"
    folder = write(
        tmp_path / "m",
        economics_csv=more,
        recipes_csv=recipes,
        demand_csv=full,
        components_csv="product,component,units_per_unit\n",
    )
    with datong.open(folder) as chain:
        told = chain.quote("P", date(2026, 3, 12), 7).summary
    assert (told["served"], told["marginal"], told["money"]) == (False, False, pytest.approx(84))
    assert (told["kind"], told["earliest"], told["earliest_normal"]) == (None, None, None)
    for language, words in (
        ("en", "With the order in the plan, 7 units more of P are not served, of this order or of others"),
        ("zh", "将多缺交 7 件（该单或其他订单）"),
    ):
        printed = run(
            capsys, "quote", folder, "--product", "P", "--due", "2026-03-12", "--units", "7", "--lang", language
        )
        assert words in printed[1] and "84" in printed[1]


def test_the_quote_in_both_languages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("quote", folder, "--product", "P", "--due", "2026-03-12", "--units", "3", "--exact", "--lang")
    status, printed = run(capsys, *words, "en")
    assert status == 0
    assert "The price of one unit more agrees, CNY 38: make P/1 · A." in printed
    assert "Scarce above all: hours of line A in the week of 2026-03-09, CNY 20 an hour." in printed
    assert "total cost is CNY 114 more (CNY 38 a unit)" in printed
    status, printed = run(capsys, *words, "zh")
    assert status == 0 and "每件 38 CNY" in printed and "2026-03-09 当周产线 A 的工时" in printed


def test_what_cannot_be_quoted_is_answered_with_a_remedy(chain: Chain) -> None:
    with pytest.raises(NotFound, match="no product PP"):
        chain.quote("PP", date(2026, 3, 12))
    with pytest.raises(Refused, match="2026-03-01 is past: the plan begins on 2026-03-02"):
        chain.quote("P", date(2026, 3, 1))
    with pytest.raises(Refused, match=r"ends on 2026-03-29.*horizon_buckets = 5"):
        chain.quote("P", date(2026, 3, 30))
    with pytest.raises(NotFound, match="no market north"):
        chain.quote("P", date(2026, 3, 12), market="north")
    with pytest.raises(Refused, match="above 0"):
        chain.quote("P", date(2026, 3, 12), 0)
    with pytest.raises(NotFound, match="no earlier balance"):
        chain.quote("P", date(2026, 3, 12), earlier=chain.folder)
    told = chain.quote("M", date(2026, 3, 12)).summary
    # A lost sale of M costs its price, 4, and so does buying one: to refuse it costs no more.
    assert (told["price_per_unit"], told["served"]) == (pytest.approx(4), False)


def test_the_exact_price_is_not_told_against_another_balance(chain: Chain, tmp_path: Path) -> None:
    from datong.app.result_folder import write_tables
    from datong.questions.clear_market import CERTIFICATE

    result = chain.balance()
    write_tables(result.tables, tmp_path / "out", {CERTIFICATE: json.dumps(result.certificate).encode()})
    branch = chain.branch("b")
    assert branch.quote("P", date(2026, 3, 12), earlier=tmp_path / "out").summary["price_per_unit"] == pytest.approx(38)
    with pytest.raises(Refused, match="Make the balance anew"):
        branch.quote("P", date(2026, 3, 12), earlier=tmp_path / "out", exact=True)


# changes -------------------------------------------------------------------------------------------


CHANGES = {
    # 3 more of P by P/2 at 30, and 6 of M at 4.
    "rush": (["--add", "demand", "demand=R1", "product=P", "units=3", "due=2026-03-13"], 114),
    # 10 more by P/2, 20 of M, and the 5 units held for a week are none any more: 300 + 80 - 5.
    "surge": (["--set", "demand.d1.units=45"], 375),
    # 40 units by P/2 at 20 more.
    "down": (["--add", "line_calendar", "line=A", "from=2026-03-09", "to=2026-03-16", "hours=0"], 800),
    # M comes a week late: 30 in stock make 15 P, 20 wait for a week at 50 and are made by P/2 at 20 more in place of
    # hours of A that are full then, and the 5 units held for a week are none any more: 1000 + 20 x 20 + 5 x 20 - 5.
    "late": (["--set", "offers.M/V.lead_days=7"], 1495),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_cleared_on_a_branch_with_its_price(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, price = CHANGES[name]
    assert run(capsys, "balance", folder, "--out", tmp_path / "out")[0] == 0
    assert run(capsys, "branch", folder, name, *words, "--lang", "en")[0] == 0
    status, printed = run(capsys, "branch", folder, name, *words, "--lang", "en")  # typed twice
    assert status == 0 and "was" not in printed
    out = tmp_path / name
    status, printed = run(
        capsys, "balance", folder, "--branch", name, "--warm", tmp_path / "out", "--out", out, "--lang", "en"
    )
    assert status == 0 and "Against the earlier balance" in printed
    told = json.loads((out / "certificate.json").read_text(encoding="utf-8"))
    assert told["cost_change"] == pytest.approx(price)
    assert pq.read_table(out / "changes.parquet").num_rows > 0
    if name == "late":
        short = "late: M is short: by the orders of this plan they would take 40 more units"
        assert f"20 of P due in the week of 2026-03-02, {short}" in printed


def test_an_order_that_is_out_can_be_added(chain: Chain) -> None:
    """A locked order of 10 P in the first week takes ten hours and brings ten units: no cost of the plan any more."""
    branch = chain.branch("b")
    row = {"order": "W1", "product": "P", "recipe": "P/1", "units": 10, "start": "2026-03-02", "due": "2026-03-02"}
    taken = branch.add("orders", row | {"locked": "true"})
    assert [(r.table, r.added) for r in taken.reports] == [("orders", 1)]
    assert branch.state().table("orders")["locked"].to_pylist() == [True]
    cost = [c.balance().certificate["total_cost"] for c in (chain, branch)]
    assert cost[0] - cost[1] == pytest.approx(10 * 10)


def test_a_new_row_is_checked_and_never_takes_anothers_place(chain: Chain) -> None:
    branch = chain.branch("b")
    branch.add("demand", {"demand": "R1", "product": "P", "units": 3, "due": "2026-03-13"})
    row = next(r for r in branch.state().table("demand").to_pylist() if r["demand"] == "R1")
    assert (row["demand"], row["units"], row["assumed"]) == ("R1", 3.0, "product,due,units,known_at")
    again = branch.add("demand", {"demand": "R1", "product": "P", "units": "3.0", "due": "2026-03-13"})
    assert not again.reports
    with pytest.raises(Refused, match="a row R1 already, with other values"):
        branch.add("demand", {"demand": "R1", "product": "P", "units": 4, "due": "2026-03-13"})
    with pytest.raises(BadInput) as told:
        branch.add("demand", {"demand": "R2", "product": "X", "units": -1})
    assert {f.column for f in told.value.findings} >= {"product", "units", "due"}
    assert branch.state().table("demand").num_rows == 4
    with pytest.raises(NotFound, match=r"no column unitss .*Did you mean 'units'"):
        branch.add("demand", {"demand": "R2", "unitss": 1})
    with pytest.raises(Refused, match="needs its key: demand"):
        branch.add("demand", {"product": "P", "units": 1})
    with pytest.raises(Refused, match="on a branch only"):
        chain.add("demand", {"demand": "R2", "product": "P", "units": 1, "due": "2026-03-13"})
    with pytest.raises(NotFound, match="--add lines COLUMN=VALUE"):
        branch.change("lines.B.hours_per_week=3")
    assert chain.state().table("demand").num_rows == 3


@pytest.mark.parametrize("words", [["demand"], ["demand=R1", "units=3"], ["demand", "units"], ["demand", "=3"]])
def test_what_is_no_row_is_refused(words: list[str]) -> None:
    with pytest.raises(Refused, match="is not a row"):
        parse_row(words)


def test_hours_that_a_quote_calls_scarce_are_scarce_in_the_plan(tmp_path: Path) -> None:
    """Lots leave hours free in weeks that a plan in fractions of units fills: such hours have a price in neither."""
    folder = shutil.copytree(Path(__file__).parent / "chains" / "candles", tmp_path / "candles")
    with datong.open(folder) as chain:
        prices = chain.run().prices.arrow.to_pylist()
        known = {(r["name"], r["bucket"]) for r in prices if r["what"] == "line" and r["price"]}
        days = [date(2026, 12, 8), date(2026, 12, 14), date(2026, 12, 21)]
        weeks = [w for p in ("CANS", "CANL") for day in days for w in chain.quote(p, day).weeks.arrow.to_pylist()]
    assert [w for w in weeks if w["scarce_what"] == "line" and (w["scarce"], w["scarce_bucket"]) not in known] == []
