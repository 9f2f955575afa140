"""The chain from Python, on the example's real records."""

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import datong
from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.app.wording.assumed import assumed_columns
from datong.model.errors import BadInput, NotFound
from datong.questions.result_table import Frame
from made_once import lay

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fmcg"


def monday(month: int, day: int) -> datetime:
    """Midnight in Dhaka (UTC+6)."""
    return datetime(2023, month, day, tzinfo=UTC) - timedelta(hours=6)


def example(folder: Path) -> Path:
    return shutil.copytree(EXAMPLE, folder / "chain", ignore=shutil.ignore_patterns(".datong", "*.py"))


def opened_example(folder: Path) -> None:
    datong.open(example(folder)).close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return example(tmp_path)


@pytest.fixture
def chain(folder: Path) -> Iterator[Chain]:
    """Its folder, taken in."""
    lay(opened_example, folder.parent)
    with datong.open(folder) as opened:
        yield opened


def test_each_cycle_takes_up_what_the_one_before_it_learnt(chain: Chain) -> None:
    """Run 1 knows nothing; run 2 scores run 1's forecasts at its end; run 3 forecasts with what run 2 learnt."""
    first, second, third = (chain.run(as_of=monday(m, d)) for m, d in ((6, 5), (6, 12), (6, 19)))
    assert first.tables["learnt_used"].num_rows == 0
    assert second.tables["learnt_used"].equals(first.tables["learnt"])
    assert third.tables["learnt_used"].equals(second.tables["learnt"])
    assert "forecast_ratio" in third.tables["learnt_used"]["what"].to_pylist()
    scored = second.scores.to_pandas().query("metric == 'covered'")
    assert set(scored["run"]) == {first.run}
    assert scored["bucket"].max().isoformat() == "2023-06-05T00:00:00"  # days are datetime64
    so_far = chain.scores(monday(6, 19)).to_pandas().query("metric == 'covered'")
    assert set(so_far["run"]) == {first.run, second.run}
    assert sorted({str(b) for b in so_far["bucket"]}) == ["2023-06-05", "2023-06-12"]


def test_a_run_is_kept_and_found_again(chain: Chain) -> None:
    result = chain.run(as_of=monday(7, 31))
    kept = chain.kept_run()
    assert kept.run == result.run
    assert kept.orders.arrow.equals(result.orders.arrow)
    again = chain.run(as_of=monday(7, 31))
    assert again.run == result.run
    assert chain.ledger.runs().num_rows == 1


def test_a_run_sees_nothing_that_was_known_later(folder: Path, tmp_path: Path) -> None:
    """The same run on a ledger that ends at its moment: the same orders, to the byte."""
    with datong.open(folder) as whole:
        orders = whole.run(as_of=monday(6, 5)).orders.arrow
    short = tmp_path / "short"
    shutil.copytree(folder, short, ignore=shutil.ignore_patterns(".datong"))
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    cut = pa.scalar(date(2023, 6, 5), pa.date32())
    for name in ("sales", "production", "shipments"):
        rows = pq.read_table(short / f"{name}.parquet")
        day = rows["happened_at"].cast(pa.date32())
        pq.write_table(rows.filter(pc.less(day, cut)), short / f"{name}.parquet")
    with datong.open(short) as past:
        assert past.run(as_of=monday(6, 5)).orders.arrow.equals(orders)


def test_opening_twice_changes_nothing_and_an_edited_price_supersedes(folder: Path) -> None:
    with datong.open(folder) as chain:
        before = chain.default_as_of()
        price = dict(zip(*(chain.state().table("products")[c].to_pylist() for c in ("product", "price")), strict=True))
    with datong.open(folder) as chain:
        assert all(report.added + report.superseded == 0 for report in chain.ingested)
        assert chain.default_as_of() == before
    text = (folder / "products.csv").read_text(encoding="utf-8")
    line = next(x for x in text.splitlines() if x.startswith("SOS008L02P"))
    edited = line.replace(f"{price['SOS008L02P']:g}", "9999")
    assert edited != line
    (folder / "products.csv").write_text(text.replace(line, edited), encoding="utf-8")
    with datong.open(folder) as chain:
        assert [r.superseded for r in chain.ingested if r.table == "products"] == [1]
        state = chain.state()
        now = dict(zip(*(state.table("products")[c].to_pylist() for c in ("product", "price")), strict=True))
        assert now["SOS008L02P"] == 9999
        assert (state.as_of - before).total_seconds() < 1  # the chain's own clock, not years later
        old = chain.ledger.state(before).table("products")
        assert dict(zip(old["product"].to_pylist(), old["price"].to_pylist(), strict=True)) == price


def test_edits_that_the_ledger_does_not_follow_are_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sale overwritten without a later known_at, and a line taken out of its table: both stay as they were."""
    table = "sale,happened_at,product,units\nS1,2023-08-08,SOS008L02P,{}\n"
    (folder / "sales.parquet").unlink(missing_ok=True)
    (folder / "sales.csv").write_text(table.format(5), encoding="utf-8")
    (folder / "offers.csv").write_text("offer,product,price\nO1,SOS008L02P,1\nO2,SOS008L02P,2\n", encoding="utf-8")
    with datong.open(folder) as chain:
        assert chain.unheeded == ()
    (folder / "sales.csv").write_text(table.format(6), encoding="utf-8")
    (folder / "offers.csv").write_text("offer,product,price\nO2,SOS008L02P,2\n", encoding="utf-8")
    with datong.open(folder) as chain:
        assert [(f.code, f.severity) for f in chain.unheeded] == [
            ("vanished", "warning"),
            ("same_id_other_content", "error"),
        ]
        assert "offers:O1" in chain.unheeded[0].found.text("en")
        assert set(chain.unheeded) <= set(chain.findings)
    assert main(["run", str(folder), "--lang", "en"]) == 0
    said = capsys.readouterr().err
    assert "offers:O1" in said
    assert "sales:S1" in said


def test_before_everything_the_moment_is_named_on_the_chains_clock(chain: Chain) -> None:
    with pytest.raises(BadInput, match="as of 2020-01-01 00:00:"):
        chain.run(as_of=datetime(2019, 12, 31, 18, tzinfo=UTC))


def test_a_folder_that_cannot_be_opened_says_why_in_its_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"(?s)check the path.*cannot be opened"):
        datong.open(tmp_path / "nowhere")


def test_polars_is_asked_for_in_words_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(NotFound, match="pip install polars"):
        Frame("orders", pa.table({"a": [1]})).to_polars()


def test_frames_turn_into_what_the_reader_uses(chain: Chain) -> None:
    result = chain.run(as_of=monday(7, 31))
    assert len(result.orders) == result.orders.arrow.num_rows > 0
    assert list(result.orders.to_pandas().columns) == result.orders.arrow.column_names
    assert pa.table(result.orders).equals(result.orders.arrow)
    assert "<table" in result.gaps._repr_html_()
    assert "orders:" in repr(result.orders)


def test_a_run_says_in_a_line_what_it_is(chain: Chain) -> None:
    result = chain.run(as_of=monday(7, 31))
    certificate = result.tables["certificate"].to_pylist()[0]
    cost = f"{certificate['total_cost']:,.0f} BDT"
    for word in (result.run, "fmcg as of 2023-07-31 00:00", f"{len(result.orders)} orders", cost, "certificate"):
        assert word in repr(result)


def test_what_a_default_fills_is_said_to_be_assumed(tmp_path: Path) -> None:
    """A shop with a sales list alone: price, costs, the offer and the opening stock are all assumed."""
    (tmp_path / "chain.toml").write_text('name = "shop"\n', encoding="utf-8")
    (tmp_path / "products.csv").write_text("product\nA\n", encoding="utf-8")
    (tmp_path / "sales.csv").write_text("happened_at,product,units\n2026-01-05,A,1\n", encoding="utf-8")
    with datong.open(tmp_path) as chain:
        found = {(a.table, a.column) for a in assumed_columns(chain.state(), "zh")}
    assert {("products", "price"), ("offers", "price"), ("offers", "lead_days"), ("stock", "units")} <= found


def test_a_sale_mended_in_its_file_is_told_and_can_be_withdrawn(tmp_path: Path) -> None:
    """Without a key a mended row is a new one: the ledger says so, and the old row can be taken out."""
    (tmp_path / "chain.toml").write_text('name = "shop"\n', encoding="utf-8")
    (tmp_path / "products.csv").write_text("product\nA\n", encoding="utf-8")
    sales = "happened_at,product,units\n2026-01-05,A,{}\n2026-01-12,A,7\n"
    (tmp_path / "sales.csv").write_text(sales.format(5), encoding="utf-8")
    with datong.open(tmp_path) as chain:
        assert chain.unheeded == ()
    (tmp_path / "sales.csv").write_text(sales.format(6), encoding="utf-8")
    with datong.open(tmp_path) as chain:
        assert [f.code for f in chain.unheeded] == ["vanished"]
        assert sum(chain.state().table("sales")["units"].to_pylist()) == 18
        rows = chain.state().table("sales").to_pylist()
        old = next(r["row_id"] for r in rows if r["units"] == 5)
        assert old in chain.unheeded[0].found.text("en")
        assert chain.withdraw("sales", [old]) == 1
        assert sum(chain.state().table("sales")["units"].to_pylist()) == 13
        with pytest.raises(NotFound):
            chain.withdraw("sales", ["sales:#nothing"])
    with datong.open(tmp_path) as chain:
        assert chain.unheeded == ()


def test_a_row_mended_in_the_folder_leaves_the_quarantine(folder: Path) -> None:
    good = (folder / "products.csv").read_text(encoding="utf-8")
    line = next(x for x in good.splitlines() if x.startswith("SOS008L02P"))
    (folder / "products.csv").write_text(good.replace(line, "SOS008L02P,S,SOS,carton,cheap,"), encoding="utf-8")
    with datong.open(folder) as chain:
        assert chain.ledger.quarantined().num_rows > 0
    (folder / "products.csv").write_text(good, encoding="utf-8")
    with datong.open(folder) as chain:
        assert chain.ledger.quarantined().num_rows == 0


def test_a_retry_keeps_rows_apart_that_had_the_same_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days' files of one name: both have a bad row 2. One is mended by a product that comes later, one stays; and
    of a lot of two rows at most, the third is tried too."""
    monkeypatch.setattr("datong.app.take_in_beside_folder.RETRIED_AT_ONCE", 2)
    (tmp_path / "chain.toml").write_text('name = "shop"\n', encoding="utf-8")
    (tmp_path / "products.csv").write_text("product\nA\n", encoding="utf-8")
    (tmp_path / "demand.csv").write_text("demand,product,units,due\nD,A,1,2026-01-05\n", encoding="utf-8")
    day = tmp_path / "day" / "sales.csv"
    day.parent.mkdir()
    with datong.open(tmp_path) as chain:
        for rows in ("B,1\nB,2\nB,3\n", "A,x\n"):
            day.write_text("product,units,happened_at\n" + rows.replace("\n", ",2026-01-05\n"), encoding="utf-8")
            chain.ingest(day)
        assert chain.ledger.waiting()["row"].to_pylist() == [2, 2, 3, 4]
    (tmp_path / "products.csv").write_text("product\nA\nB\n", encoding="utf-8")
    with datong.open(tmp_path) as chain:
        (report,) = chain.retry_quarantine()
        assert (report.rows, report.added, report.quarantined) == (4, 3, 1)
        (kept,) = chain.ledger.quarantined().to_pylist()
        assert '"units": "x"' in kept["raw"]


def test_runs_that_taught_something_are_part_of_a_runs_id(chain: Chain) -> None:
    """Run at T2, then at T1 before it, then at T2 again: the second run at T2 has learnt from T1 and is kept apart."""
    first = chain.run(as_of=monday(6, 12))
    chain.run(as_of=monday(6, 5))
    second = chain.run(as_of=monday(6, 12))
    assert first.run != second.run
    assert chain.ledger.runs().num_rows == 3


def test_a_chain_is_not_planned_without_a_table_that_it_has(folder: Path) -> None:
    """`lines` with a column renamed: planning on would be planning without limits. Bad rows alone do not stop it."""
    good = (folder / "lines.csv").read_text(encoding="utf-8")
    (folder / "lines.csv").write_text(good.replace("hours_per_week", "hours", 1), encoding="utf-8")
    with datong.open(folder) as chain, pytest.raises(BadInput) as refused:
        chain.run(as_of=monday(7, 31))
    assert [f.code for f in refused.value.findings] == ["missing_column"]
    rows = good.splitlines()
    broken = [rows[0], *(row.replace(row.split(",")[0], "X" + row.split(",")[0], 1) for row in rows[1:2]), *rows[2:]]
    (folder / "lines.csv").write_text("\n".join(broken) + "\nNOLINE,works,none\n", encoding="utf-8")
    with datong.open(folder) as chain:
        assert chain.run(as_of=monday(7, 31)).orders.arrow.num_rows > 0


def test_a_record_of_the_future_is_told(tmp_path: Path) -> None:
    """A year mistyped in one row would move the whole chain: the row waits; when its day has come it is one like any
    other."""
    folder = tmp_path / "chain"
    folder.mkdir()
    (folder / "chain.toml").write_text('name = "t"\n', encoding="utf-8")
    (folder / "products.csv").write_text("product\nA\n", encoding="utf-8")
    rows = "".join(f"s{d},2026-01-{d:02d},A,5\n" for d in range(1, 29))
    (folder / "sales.csv").write_text(f"sale,happened_at,product,units\n{rows}x,2099-01-01,A,5\n", encoding="utf-8")
    for year, told in ((2026, True), (2099, False)):
        with Chain(folder, now=lambda year=year: datetime(year, 2, 1, tzinfo=UTC)) as chain:
            assert ("not_come" in {f.code for f in chain.findings}) is told
            assert chain.state().table("sales").num_rows == (28 if told else 29)


def test_a_whole_state_is_read_once_until_something_is_written(chain: Chain, tmp_path: Path) -> None:
    first = chain.state()
    assert chain.state() is first and chain.state(first.as_of) is first
    assert chain.state(first.as_of - timedelta(days=30)).table("sales").num_rows < first.table("sales").num_rows
    sales = tmp_path / "sales.csv"
    sales.write_text(f"happened_at,product,units\n2023-01-02,{first.table('products')['product'][0]},7\n", "utf-8")
    before = chain.state(first.as_of)
    chain.ingest(sales)
    assert chain.state(first.as_of) is not before
    assert chain.state().table("sales").num_rows == first.table("sales").num_rows + 1
