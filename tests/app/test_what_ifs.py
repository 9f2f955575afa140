"""What-ifs from Python and from the command line, on a small mill whose line is too slow."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import datong
from datong.app.branch_changes import Change, parse_change
from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.app.exchange_one_way import exchange, file_drop
from datong.app.release_orders import release
from datong.app.wiring import user_of_this_machine
from datong.connectors.files.starter import write_starter
from datong.model.errors import BadInput, NotFound, Refused
from mill import run

DAYS = ["2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26", "2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two lines; 120 of P are wanted a week, A.3 makes 40 of them and has a price, B is idle."""
    folder = tmp_path / "mill 厂"
    folder.mkdir()
    files = {
        "chain.toml": 'name = "mill"\nhorizon_buckets = 4\n',
        "products.csv": "product,price\nP,100\nQ,50\n",
        "lines.csv": "line,hours_per_week\nA.3,40\nB,40\n",
        "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A.3,1,10\nQ/1,Q,B,1,5\n",
        "components.csv": "product,component,units_per_unit\nP,Q,0.1\n",
        "stock.csv": "happened_at,product,units\n2026-02-28,P,10\n2026-02-28,Q,10\n",
        "sales.csv": "sale,happened_at,product,units\n" + "".join(f"s{i},{d},P,120\n" for i, d in enumerate(DAYS)),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def chain(folder: Path) -> Iterator[Chain]:
    with datong.open(folder) as opened:
        yield opened


def hours(chain: Chain) -> list[float]:
    return chain.state().table("lines")["hours_per_week"].to_pylist()


# changes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("lines.B.hours_per_week=120", Change("lines", "B", "hours_per_week", "120")),
        ("lines.A.3.hours_per_week=120", Change("lines", "A.3", "hours_per_week", "120")),
        (' lines."A.3".name = x=y.z=1 ', None),
        ('lines."A.3".name=x=y.z=1', Change("lines", "A.3", "name", "x=y.z=1")),
        ('lines."a""b".name=', Change("lines", 'a"b', "name", "")),
        ("components.P||Q.units_per_unit=2", Change("components", "P||Q", "units_per_unit", "2")),
        ("lines.B=120", None),
        ("hours", None),
    ],
)
def test_a_change_is_read_as_it_is_said(text: str, change: Change | None) -> None:
    if change is None:
        with pytest.raises(Refused, match=r"TABLE\.KEY\.COLUMN=VALUE"):
            parse_change(text)
    else:
        assert parse_change(text) == change


def test_a_value_is_changed_on_the_branch_alone_and_marked_as_assumed(chain: Chain) -> None:
    branch = chain.branch("two shifts", note="what for")
    taken = branch.change("lines.A.3.hours_per_week=80", 'lines."A.3".name=Andrea', "components.P||Q.units_per_unit=.2")
    assert [(r.table, r.superseded) for r in taken.reports] == [("lines", 1), ("components", 1)]
    assert hours(branch) == [80, 40]
    row = branch.state().table("lines").to_pylist()[0]
    assert (row["name"], row["assumed"]) == ("Andrea", "name,hours_per_week,known_at")
    assert branch.state().table("components")["units_per_unit"].to_pylist() == [0.2]
    assert hours(chain) == [40, 40]
    assert branch.clock() == branch.default_as_of() == chain.default_as_of()
    assert all(r.superseded == 0 for r in branch.change("lines.A.3.hours_per_week=80").reports)
    branch.change("lines.A.3.name=")
    assert branch.state().table("lines")["name"].to_pylist() == [None, None]
    (listed,) = chain.branches()
    assert (listed.name, listed.note, listed.changed) == ("two shifts", "what for", {"lines": 1, "components": 1})


def test_a_wrong_change_changes_nothing_and_says_all_that_is_wrong(chain: Chain) -> None:
    branch = chain.branch("b")
    with pytest.raises(BadInput) as told:
        branch.change("lines.B.hours_per_week=-1", "recipes.P/1.line=C", "products.P.price=cheap")
    assert {(f.source, f.column) for f in told.value.findings} == {
        ("b", "hours_per_week"),
        ("b", "line"),
        ("b", "price"),
    }
    with pytest.raises(NotFound, match=r"no row A3.*Did you mean 'A.3'"):
        branch.change("lines.A3.hours_per_week=1")
    with pytest.raises(NotFound, match=r"no column hours_per_weak.*Did you mean 'hours_per_week'"):
        branch.change("lines.B.hours_per_weak=1")
    with pytest.raises(NotFound, match="no column line that"):
        branch.change("lines.B.line=C")
    with pytest.raises(NotFound, match="no table"):
        branch.change("line.B.hours_per_week=1")
    with pytest.raises(Refused, match="what happened"):
        branch.change("sales.s1.units=1")
    with pytest.raises(Refused, match="on a branch only"):
        chain.change("lines.B.hours_per_week=1")
    assert chain.branches()[0].changed == {}


# runs ----------------------------------------------------------------------------------------------


def test_a_run_on_a_branch_is_the_run_of_a_chain_with_that_value(chain: Chain, folder: Path, tmp_path: Path) -> None:
    """The same orders as of a chain whose file says so; the trunk's run and what it learns from stay as they were."""
    before = chain.run()
    branch = chain.branch("two shifts")
    branch.change("lines.A.3.hours_per_week=80")
    result = branch.run()
    assert result.run != before.run
    assert result.as_of == before.as_of
    other = tmp_path / "other"
    other.mkdir()
    for file in folder.glob("[!.]*"):
        (other / file.name).write_bytes(file.read_bytes())
    (other / "lines.csv").write_text("line,hours_per_week\nA.3,80\nB,40\n", encoding="utf-8")
    with datong.open(other) as real:
        expected = real.run()
    for name in ("orders", "prices", "gaps", "forecast", "cost"):
        assert result.tables[name].equals(expected.tables[name]), name
    assert result.orders.arrow["units"].to_pylist() != before.orders.arrow["units"].to_pylist()
    assert chain.run().run == before.run
    assert [r.run for r in (chain.kept_run(), branch.kept_run())] == [before.run, result.run]
    order = result.orders.arrow["order"][0].as_py()
    assert branch.why(order)[0] == result.run
    assert chain.why(order)[0] == before.run


def test_a_change_from_a_day_on_is_a_further_version_of_the_row(chain: Chain) -> None:
    """A second shift from 16 March on: the weeks before it keep their 40 hours, and the first row stays in force."""
    branch = chain.branch("second shift")
    shift = {"line": "A.3", "hours_per_week": 80, "valid_from": "2026-03-16"}
    assert branch.add("lines", shift).reports[0].added == 1
    assert branch.add("lines", shift).reports == ()
    with pytest.raises(Refused, match="valid_from"):
        branch.add("lines", {**shift, "hours_per_week": 90})
    assert hours(branch) == [40, 40]
    result = branch.run()
    of_line = [r for r in result.tables["prices"].to_pylist() if (r["what"], r["name"]) == ("line", "A.3")]
    assert [round(r["available"], 1) for r in of_line] == [0.0, 40, 40, 80]  # Sunday: nothing is left of the first week
    found = chain.compare("main", "second shift").tables["changed_rows"].to_pylist()
    assert ("added", "lines:A.3 (2026-03-16)") in {(row["change"], row["row_id"]) for row in found}


def test_equal_branches_give_equal_runs_and_an_unchanged_one_the_trunk_s(chain: Chain) -> None:
    trunk = chain.run()
    one, two, three = (chain.branch(name) for name in ("one", "two", "three"))
    for branch in (one, two):
        branch.change("lines.A.3.hours_per_week=80")
    first, second = one.run(), two.run()
    assert first.run == second.run
    assert all(first.tables[name].equals(second.tables[name]) for name in first.tables)
    assert three.run().run == trunk.run
    chain.drop_branch("one")
    assert two.kept_run().orders.arrow.equals(second.orders.arrow)


def test_a_branch_learns_from_the_runs_before_its_moment(chain: Chain) -> None:
    early, late = datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 2, 16, tzinfo=UTC)
    first = chain.run(as_of=early)
    branch = chain.branch("b", as_of=datetime(2026, 2, 9, tzinfo=UTC))
    chain.run(as_of=late)
    result = branch.run()
    assert result.tables["learnt_used"].equals(first.tables["learnt"])
    assert [p.run for p in branch.past_runs(datetime(2027, 1, 1, tzinfo=UTC))] == [first.run, result.run]


def test_nothing_of_a_what_if_is_given_out_or_replayed(chain: Chain, tmp_path: Path) -> None:
    branch = chain.branch("b")
    with pytest.raises(NotFound, match="--branch b"):
        branch.kept_run()
    branch.run()
    for refused in (
        lambda: release(branch, (), True),
        lambda: exchange(branch, *[file_drop(branch, tmp_path, "en")] * 2),
    ):
        with pytest.raises(Refused, match="nothing of it is given out"):
            refused()
    with pytest.raises(Refused, match="what-if"):
        branch.replay()


def test_a_file_for_a_branch(folder: Path, tmp_path: Path) -> None:
    """A firm order more, a line less, and a row with a mistake, which waits on the branch."""
    (tmp_path / "demand.csv").write_text(
        "demand,product,due,units\nD1,P,2026-03-02,500\nD2,NOBODY,2026-03-02,1\n", encoding="utf-8"
    )
    with datong.open(folder) as chain:
        chain.branch("big order")
    with datong.open(folder, branch="big order") as branch:
        (report,) = branch.ingest(tmp_path / "demand.csv").reports
        assert (report.added, report.quarantined) == (1, 1)
        (again,) = branch.ingest(tmp_path / "demand.csv").reports
        assert (again.added, again.known, again.quarantined) == (0, 1, 1)
        assert branch.withdraw("lines", ["lines:B"]) == 1
        assert branch.state().table("lines")["line"].to_pylist() == ["A.3"]
        assert branch.ledger.quarantined().num_rows == 1
        branch.ledger.ingest("products", _product("NOBODY"), None, (), "x", branch.clock(), by="test")
        (retried,) = branch.retry_quarantine()
        assert retried.added == 1
        assert branch.ledger.quarantined().num_rows == 0
        trunk = branch.on("main")
        assert trunk.ledger.quarantined().num_rows == 0
        assert trunk.state().table("demand").num_rows == 0
        assert hours(trunk) == [40, 40]
    with pytest.raises(NotFound, match="big order"):
        datong.open(folder, branch="small order")


def _product(name: str):
    import pyarrow as pa

    return pa.table({"product": [name], "__row__": [2]})


def test_branches_of_branches_and_their_names(chain: Chain) -> None:
    outer = chain.branch("outer")
    outer.change("lines.A.3.hours_per_week=80")
    inner = outer.branch("inner")
    inner.change("lines.B.hours_per_week=0")
    assert hours(inner) == [80, 0]
    assert hours(chain.branch("beside", parent="main")) == [40, 40]
    assert hours(inner.branch("of the trunk", parent="trunk")) == [40, 40]
    chain.rename_branch("outer", "outer 2")
    assert [(b.name, b.parent) for b in chain.branches()][:2] == [("outer 2", None), ("inner", "outer 2")]
    with pytest.raises(Refused, match="inner"):
        chain.drop_branch("outer 2")


# comparing -----------------------------------------------------------------------------------------


def test_comparing_runs_what_has_no_run_and_the_trunk_as_of_the_branch_s_moment(chain: Chain) -> None:
    moment = datetime(2026, 2, 16, tzinfo=UTC)
    branch = chain.branch("b", as_of=moment)
    branch.change("lines.A.3.hours_per_week=80")
    comparison = chain.compare("主线", "b")
    assert {comparison.a.as_of, comparison.b.as_of} == {moment}
    assert chain.kept_run().run == comparison.a.run
    assert branch.kept_run().run == comparison.b.run
    assert [tuple(r.values()) for r in comparison.changed_rows.arrow.to_pylist()] == [
        ("lines", "lines:A.3", "changed", "hours_per_week", "40", "80")
    ]
    cost = {r["term"]: r for r in comparison.cost.arrow.to_pylist()}
    assert cost["total"]["difference"] < 0
    assert cost["total"]["money_a"] == pytest.approx(comparison.a.tables["certificate"]["total_cost"][0].as_py())
    (p,) = (r for r in comparison.demand.arrow.to_pylist() if r["product"] == "P")
    assert p["lost_units_b"] < p["lost_units_a"]
    assert chain.ledger.runs().num_rows == 1
    again = chain.compare(comparison.a.run, "b")
    assert again.tables["orders"].equals(comparison.tables["orders"])
    assert "b: run" in repr(again)
    branch.change("lines.A.3.hours_per_week=120")
    assert chain.compare("main", "b").b.run != comparison.b.run  # run again: it has changed since
    assert chain.compare("main", comparison.b.run).b.run == comparison.b.run
    with pytest.raises(NotFound, match=r"no run and no branch c.*main, b"):
        chain.compare("main", "c")


def test_an_order_that_is_locked_in_one_costs_in_both(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The branch locks an order just as the plan proposes it: it does the same, and it costs the same."""
    with datong.open(folder) as chain:
        plan = chain.run()
        first = min((o for o in plan.tables["orders"].to_pylist()), key=lambda o: (o["start"], o["order"]))
        branch = chain.branch("locked")
        names = ("kind", "product", "recipe", "line", "units", "start", "due")
        branch.add("orders", {n: first[n] for n in names} | {"order": "MINE", "locked": "true"})
        for a, b, side in (("main", "locked", "B"), ("locked", "main", "A")):
            found = chain.compare(a, b)
            (own,) = found.tables["counted_on"].to_pylist()
            assert (own["side"], own["order"], own["units"]) == (side, "MINE", first["units"])
            assert own["cost"] == pytest.approx(first["cost"])
            (term,) = (r for r in found.cost.arrow.to_pylist() if r["term"] == "counted_on")
            assert term[f"money_{side.lower()}"] == pytest.approx(first["cost"])
            (total,) = (r for r in found.cost.arrow.to_pylist() if r["term"] == "total")
            assert total["difference"] == pytest.approx(0.0, abs=0.01)
        assert chain.compare("main", "main").tables["counted_on"].num_rows == 0
    assert main(["compare", str(folder), "main", "locked", "--lang", "en", "--out", str(tmp_path / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"MINE ({first['units']:g} of P, from {first['start']}) is given out or locked in B alone" in said


def test_what_went_in_is_what_the_run_saw_and_not_what_the_ledger_holds_now(folder: Path) -> None:
    """A line that the file names later counts as known since ever; the older run did not have it. The horizon, too."""
    with datong.open(folder) as chain:
        first = chain.run()
    (folder / "lines.csv").write_text("line,hours_per_week\nA.3,40\nB,40\nC,7\n", encoding="utf-8")
    (folder / "chain.toml").write_text('name = "mill"\nhorizon_buckets = 5\n', encoding="utf-8")
    with datong.open(folder) as chain:
        second = chain.run()
        comparison = chain.compare(first.run, second.run)
        branch = chain.branch("b", as_of=first.as_of)
        before = branch.run().run
    assert [(r["row_id"], r["change"]) for r in comparison.changed_rows.arrow.to_pylist()] == [("lines:C", "added")]
    assert comparison.tables["settings"].to_pylist() == [{"setting": "horizon_buckets", "text_a": "4", "text_b": "5"}]
    (folder / "chain.toml").write_text('name = "mill"\nhorizon_buckets = 4\n', encoding="utf-8")
    with datong.open(folder) as chain:  # a branch is run again where the settings have changed since
        assert chain.compare(second.run, "b").b.run != before


# the command line ----------------------------------------------------------------------------------


def test_what_if_the_line_had_twice_its_hours(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line asks, one compares; typing them twice changes nothing."""
    ask = ("branch", folder, "two shifts", "--set", "lines.A.3.hours_per_week=80", "--note", "why not", "--lang", "en")
    status, text = run(capsys, *ask)
    assert status == 0, text
    assert "--branch 'two shifts'" in text
    assert "1 rows of lines changed on two shifts" in text
    status, text = run(capsys, *ask)
    assert (status, "0 rows of lines" in text) == (0, True), text
    status, text = run(capsys, "compare", folder, "main", "two shifts", "--out", tmp_path / "out", "--lang", "en")
    assert status == 0, text
    assert "lines:A.3: hours_per_week 40 → 80" in text
    assert len(text.splitlines()) < 60
    assert (tmp_path / "out" / "compare.xlsx").stat().st_size > 0
    assert pq.read_table(tmp_path / "out" / "changed_rows.parquet").num_rows == 1
    status, text = run(capsys, "compare", folder, "main", "two shifts", "--lang", "zh")
    assert (status, "输入的差异" in text) == (0, True)
    main(["compare", str(folder), "main", "two shifts", "--format", "json"])
    told = json.loads(capsys.readouterr().out)
    assert told["changed_rows"][0]["text_b"] == "80"
    assert {r["term"] for r in told["cost"]} >= {"production", "total"}
    status, text = run(capsys, "run", folder, "--branch", "two shifts", "--out", tmp_path / "run", "--lang", "en")
    assert (status, "a what-if" in text) == (0, True)
    order = pq.read_table(tmp_path / "run" / "orders.parquet")["order"][0].as_py()
    status, text = run(capsys, "why", order, "--chain", folder, "--branch", "two shifts")
    assert (status, order in text) == (0, True)
    page = tmp_path / "r.html"
    status, text = run(capsys, "report", folder, "--branch", "two shifts", "--out", page, "--lang", "en")
    assert (status, "mill · what-if two shifts" in page.read_text(encoding="utf-8")) == (0, True)
    for words in (("release", "--due", "--chain", folder), ("exchange", folder)):
        status, text = run(capsys, *words, "--branch", "two shifts", "--lang", "en")
        assert (status, "given out" in text) == (2, True)


def test_listing_changing_and_deleting(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, "branch", folder, "--lang", "en")
    assert (status, "No branches" in text) == (0, True)
    assert run(capsys, "branch", folder, "a", "--as-of", "2026-02-16")[0] == 0
    assert run(capsys, "branch", folder, "b", "--from", "a")[0] == 0
    status, text = run(capsys, "branch", folder, "a", "--as-of", "2026-02-17", "--lang", "en")
    assert (status, "already" in text) == (2, True)
    file = tmp_path / "lines.csv"
    file.write_text("line,hours_per_week\nB,41\nC,1\n", encoding="utf-8")
    assert run(capsys, "ingest", file, "--chain", folder, "--branch", "a")[0] == 0
    status, text = run(capsys, "withdraw", "lines", "lines:A.3", "--chain", folder, "--branch", "a", "--lang", "en")
    assert (status, "The chain itself keeps them" in text) == (0, True)
    file.write_text("line,hours_per_week\nD,-1\n", encoding="utf-8")
    status, text = run(capsys, "ingest", file, "--chain", folder, "--branch", "a", "--lang", "en")
    assert (status, "--retry --branch a" in text) == (1, True)
    assert run(capsys, "quarantine", folder, "--lang", "en")[1].startswith("Nothing")
    assert "-1" in run(capsys, "quarantine", folder, "--branch", "a")[1]
    status, text = run(capsys, "branch", folder, "--lang", "en")
    assert "lines 3" in text
    assert "2026-02-16 00:00" in text
    main(["branch", str(folder), "--format", "json"])
    told = json.loads(capsys.readouterr().out)
    assert [(b["name"], b["parent"], b["changed"]) for b in told] == [("a", None, {"lines": 3}), ("b", "a", {})]
    assert run(capsys, "branch", folder, "a", "--delete")[0] == 2
    assert run(capsys, "branch", folder, "b", "--delete", "--note", "x")[0] == 2
    assert run(capsys, "branch", folder, "--delete")[0] == 2
    assert run(capsys, "branch", folder, "a", "--rename", "c")[0] == 0
    assert run(capsys, "branch", folder, "b", "--delete")[0] == 0
    status, text = run(capsys, "branch", folder, "d", "--set", "lines.B.hours_per_week=x", "--lang", "en")
    assert (status, "Nothing was changed" in text) == (1, True)
    main(["branch", str(folder), "--format", "json"])
    assert [b["name"] for b in json.loads(capsys.readouterr().out)] == ["c"]


def test_every_write_says_who_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name where one is given, else the user of the machine; what is only looked at is no write."""
    write_starter(tmp_path / "chain", "en")
    monkeypatch.setenv("LOGNAME", "ann")
    with Chain(tmp_path / "chain") as chain:
        assert set(chain.ledger.writes()["by"].to_pylist()) == {"ann"}
        count = chain.ledger.writes().num_rows
        chain.state()
    with Chain(tmp_path / "chain", by="Bob") as chain:
        chain.branch("more").change("lines.SEW-1.hours_per_week=50")
        chain.rename_branch("more", "most")
        chain.drop_branch("most")
        news = chain.ledger.writes().to_pylist()[count:]
        assert [(row["by"], row["what"]) for row in news] == [
            ("Bob", what) for what in ("make_branch", "ingest", "rename_branch", "drop_branch")
        ]


def test_a_machine_without_a_name_for_its_user_writes_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", nobody)
    assert user_of_this_machine() == "unknown"
