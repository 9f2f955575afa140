"""What every store promises of a ledger (ledger/protocol.py): a suite over the back ends of conftest.py."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.ledger import large_tables
from datong.ledger.protocol import FEWER_SOLD_SCHEMA, IngestReport, Ledger, RunRecord
from datong.ledger.row_checks import REJECTED_SCHEMA, Checked, RowsInHand
from datong.ledger.state import Snapshot, arrow_type, state_schema
from datong.model.errors import NotFound
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from stores import Store, line, take_in

LIVE = ChainSettings("test", time_zone="Asia/Dhaka", history="live")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOTHING = pa.table(
    {"__row__": pa.array([], pa.int64()), "raw": pa.array([], pa.string()), "findings": pa.array([], pa.string())}
)


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, number, hour, tzinfo=UTC)


def table_of(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Checked rows as ledger/row_checks.py hands them over: only the columns that some row has."""
    columns = tables()[name].columns
    arrays = {
        c: pa.array([r.get(c) for r in rows], arrow_type(columns[c])) for c in columns if any(c in r for r in rows)
    }
    arrays["__row__"] = pa.array([r.get("__row__", i) for i, r in enumerate(rows, start=2)], pa.int64())
    if tables()[name].kind == "event":
        arrays["__date_only__"] = pa.array([bool(r.get("__date_only__")) for r in rows])
    return pa.table(arrays)


def take(
    ledger: Ledger, name: str, *rows: Mapping[str, Any], source: str = "a.csv", now: datetime = NOW
) -> IngestReport:
    return ledger.ingest(name, table_of(name, rows), NOTHING, (), source, now, by="test")


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    assert report.rows == report.added + report.superseded + report.known + report.quarantined
    return report.added, report.superseded, report.known, report.quarantined


def sale(**columns: Any) -> dict[str, Any]:
    return {"happened_at": day(5), "product": "P", "units": 1.0, **columns}


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return store.open()


# identity ------------------------------------------------------------------------------------------


def test_equal_lines_are_real_and_the_same_file_twice_changes_nothing(ledger: Ledger) -> None:
    file = [sale(), sale(), sale(units=2.0)]
    assert counts(take(ledger, "sales", *file)) == (3, 0, 0, 0)
    before = ledger.state(NOW).table("sales")
    assert before["row_id"].to_pylist() == sorted(before["row_id"].to_pylist())
    assert len(set(before["row_id"].to_pylist())) == 3
    assert counts(take(ledger, "sales", *file)) == (0, 0, 3, 0)
    assert counts(take(ledger, "sales", *file, sale(), sale(units=3.0))) == (2, 0, 3, 0)
    assert sorted(ledger.state(NOW).table("sales")["units"].to_pylist()) == [1.0, 1.0, 1.0, 2.0, 3.0]


def test_the_same_file_twice_leaves_no_trace(ledger: Ledger) -> None:
    take(ledger, "sales", sale())
    take(ledger, "sales", sale())
    assert ledger.writes().num_rows == 1


def test_a_text_cannot_pass_for_another_column(ledger: Ledger) -> None:
    take(ledger, "sales", sale(market="c\x1fpromotion:1:p"), sale(market="c", promotion="p"), sale(market="c"))
    ids = ledger.state(NOW).table("sales")["row_id"].to_pylist()
    assert len({i.rpartition(".")[0] for i in ids}) == 3


def test_empty_and_missing_columns_are_the_same(ledger: Ledger) -> None:
    take(ledger, "sales", sale())
    assert counts(take(ledger, "sales", sale(customer=None, price=None))) == (0, 0, 1, 0)


def test_composite_keys(ledger: Ledger) -> None:
    count = {"happened_at": day(3, 8), "product": "P", "units": 4.0}
    take(ledger, "stock", count)
    assert ledger.state(NOW).table("stock")["row_id"].to_pylist() == ["stock:2026-01-03T08:00:00Z||P|"]
    part = {"product": "a|b", "component": "c\\d", "units_per_unit": 1.0}
    take(ledger, "components", part)
    assert ledger.state(NOW).table("components")["row_id"].to_pylist() == ["components:a\\|b||c\\\\d"]


# knowing -------------------------------------------------------------------------------------------


def test_declared_history_is_known_when_it_happened(ledger: Ledger) -> None:
    """5 January in Dhaka (UTC+6) starts at 18:00 UTC on the 4th; as a day alone it is known 24 hours later."""
    take(
        ledger,
        "sales",
        sale(sale="day", happened_at=day(4, 18), __date_only__=True),
        sale(sale="moment", happened_at=day(4, 20)),
    )
    assert ledger.state(day(4, 20)).table("sales")["sale"].to_pylist() == ["moment"]
    rows = ledger.state(day(5, 18)).table("sales").to_pylist()
    assert [(r["sale"], r["known_at"], r["assumed"]) for r in rows] == [
        ("day", day(5, 18), "known_at"),
        ("moment", day(4, 20), "known_at"),
    ]
    assert ledger.latest_known_at() == day(5, 18)


def test_a_given_known_at_is_not_assumed_and_keeps_other_assumptions(ledger: Ledger) -> None:
    take(ledger, "sales", sale(sale="a", known_at=day(9)), sale(sale="b", assumed="price"))
    rows = {r["sale"]: r["assumed"] for r in ledger.state(NOW).table("sales").to_pylist()}
    assert rows == {"a": None, "b": "price,known_at"}


def test_master_rows_of_a_declared_history_hold_since_ever(ledger: Ledger) -> None:
    take(ledger, "products", {"product": "P", "price": 10.0})
    long_ago = ledger.state(datetime(1980, 1, 1, tzinfo=UTC)).table("products").to_pylist()
    assert [(r["product"], r["price"], r["kind"], r["base_unit"]) for r in long_ago] == [
        ("P", 10.0, "finished", "piece")
    ]
    assert ledger.latest_known_at() is None


def test_a_changed_master_row_holds_from_its_arrival_and_can_change_back(ledger: Ledger) -> None:
    for price, now in ((10.0, day(1)), (12.0, day(10)), (12.0, day(15)), (10.0, day(20))):
        take(ledger, "products", {"product": "P", "price": price}, now=now)
    prices = [ledger.state(day(d)).table("products")["price"].to_pylist() for d in (9, 10, 15, 20)]
    assert prices == [[10.0], [12.0], [12.0], [10.0]]
    assert ledger.latest_known_at() == day(20)


def test_dated_versions_in_one_file_are_versions(ledger: Ledger) -> None:
    file = [
        {"line": "L", "hours_per_week": 40.0},
        {"line": "L", "hours_per_week": 45.0, "known_at": day(8)},
        {"line": "L", "hours_per_week": 50.0, "known_at": day(15)},
    ]
    assert counts(take(ledger, "lines", *file)) == (1, 2, 0, 0)
    hours = [ledger.state(day(d)).table("lines")["hours_per_week"].to_pylist() for d in (7, 8, 14, 15)]
    assert hours == [[40.0], [45.0], [45.0], [50.0]]
    assert counts(take(ledger, "lines", *file)) == (0, 0, 3, 0)


def test_live_rows_are_known_on_arrival(store: Store) -> None:
    with closing(store.open(LIVE)) as ledger:
        take(ledger, "products", {"product": "P"}, now=day(3))
        take(ledger, "sales", sale(sale="s", happened_at=day(2)), now=day(4))
        assert ledger.state(day(2)).table("products").num_rows == 0
        assert ledger.state(day(3)).table("sales").num_rows == 0
        assert ledger.state(day(4)).table("sales").num_rows == 1
        take(ledger, "sales", sale(sale="s", happened_at=day(2), units=7.0), now=day(6))
        assert counts(take(ledger, "sales", sale(sale="s", happened_at=day(2)), now=day(8))) == (0, 0, 1, 0)
        assert ledger.state(day(9)).table("sales")["units"].to_pylist() == [7.0]


def test_a_version_waits_for_the_day_it_holds_from(ledger: Ledger) -> None:
    """1 February starts in Dhaka at 18:00 UTC on 31 January."""
    file = [{"product": "P", "price": 10.0}, {"product": "P", "price": 12.0, "valid_from": date(2026, 2, 1)}]
    assert counts(take(ledger, "products", *file)) == (2, 0, 0, 0)
    assert ledger.state(day(31, 17)).table("products")["price"].to_pylist() == [10.0]
    assert ledger.state(day(31, 18)).table("products")["price"].to_pylist() == [12.0]
    assert counts(take(ledger, "products", *file)) == (0, 0, 2, 0)
    assert ledger.withdraw("products", ["products:P"], day(20), by="test") == 1
    assert ledger.state(NOW).table("products").num_rows == 0


# correcting ----------------------------------------------------------------------------------------


def test_a_later_known_row_supersedes_and_nothing_is_overwritten(ledger: Ledger) -> None:
    take(ledger, "sales", sale(sale="s", known_at=day(5)))
    assert counts(take(ledger, "sales", sale(sale="s", units=3.0, known_at=day(7)))) == (0, 1, 0, 0)
    units = [ledger.state(day(d)).table("sales")["units"].to_pylist() for d in (4, 5, 6, 7)]
    assert units == [[], [1.0], [1.0], [3.0]]


def test_a_later_known_row_does_not_change_a_state_in_hand(ledger: Ledger) -> None:
    take(ledger, "sales", sale(sale="s"))
    state = ledger.state(NOW)
    take(ledger, "sales", sale(sale="t"))
    assert state.table("sales")["sale"].to_pylist() == ["s"]
    assert state.table("sales") is state.table("sales")


def test_a_cancellation_in_the_same_file(ledger: Ledger) -> None:
    file = [sale(sale="s"), sale(sale="s", state="cancelled", happened_at=day(9))]
    assert counts(take(ledger, "sales", *file)) == (1, 1, 0, 0)
    assert ledger.state(day(8)).table("sales")["state"].to_pylist() == ["ordered"]
    assert ledger.state(day(9)).table("sales")["state"].to_pylist() == ["cancelled"]
    assert counts(take(ledger, "sales", *file)) == (0, 0, 2, 0)


def test_other_content_not_later_goes_to_quarantine_once(ledger: Ledger) -> None:
    take(ledger, "sales", sale(sale="s", known_at=day(5)))
    for _ in range(2):
        report = take(ledger, "sales", sale(sale="s", units=3.0, known_at=day(5)), sale(sale="t"), source="b.csv")
        assert report.quarantined == 1
        (found,) = report.findings
        assert (found.code, found.row, found.source) == ("same_id_other_content", 2, "b.csv")
        assert "known_at" in found.remedy.text("en")
    assert ledger.state(NOW).table("sales")["units"].to_pylist() == [1.0, 1.0]
    (kept,) = ledger.quarantined().to_pylist()
    assert (kept["table"], kept["source"], kept["row"], kept["arrived_at"]) == ("sales", "b.csv", 2, NOW)
    assert json.loads(kept["raw"])["units"] == "3.0"
    assert json.loads(kept["findings"])[0]["code"] == "same_id_other_content"


def test_two_contents_at_one_moment_in_one_file(ledger: Ledger) -> None:
    file = [{"product": "P", "price": 1.0}, {"product": "P", "price": 2.0}, {"product": "P", "price": 1.0}]
    assert counts(take(ledger, "products", *file)) == (1, 0, 1, 1)
    assert counts(take(ledger, "products", *file)) == (0, 0, 2, 1)
    assert ledger.quarantined().num_rows == 1


def test_a_day_alone_stays_one_in_quarantine(ledger: Ledger) -> None:
    take(ledger, "sales", sale(sale="s", happened_at=day(4, 18), __date_only__=True))
    take(ledger, "sales", sale(sale="s", happened_at=day(4, 18), __date_only__=True, units=9.0))
    (kept,) = ledger.quarantined().to_pylist()
    assert json.loads(kept["raw"])["happened_at"] == "2026-01-05"


def test_rejected_rows_are_kept_once_and_leave_when_retried(ledger: Ledger) -> None:
    rejected = pa.table({"__row__": [3, 4], "raw": ['{"product": "?"}', '{"product": "!"}'], "findings": ["[]", "[]"]})
    for _ in range(2):
        report = ledger.ingest("sales", table_of("sales", [sale()]), rejected, (), "a.csv", NOW, by="test")
        assert (report.rows, report.quarantined) == (3, 2)
    kept = ledger.quarantined()
    assert kept["row"].to_pylist() == [3, 4]
    first = kept["quarantine_id"].to_pylist()[:1]
    report = ledger.ingest(
        "sales", table_of("sales", [sale(product="Q")]), None, (), "a.csv", NOW, retried=first, by="test"
    )
    assert counts(report) == (1, 0, 0, 0)
    assert ledger.quarantined()["row"].to_pylist() == [4]


def test_withdrawn_rows_stay_visible_before(ledger: Ledger) -> None:
    take(ledger, "sales", sale(sale="s", known_at=day(5)), sale(sale="t", known_at=day(5)))
    assert ledger.withdraw("sales", ["sales:s", "sales:nobody"], day(10), by="test") == 1
    assert ledger.withdraw("sales", ["sales:s"], day(12), by="test") == 0
    assert ledger.state(day(9)).table("sales")["sale"].to_pylist() == ["s", "t"]
    assert ledger.state(day(10)).table("sales")["sale"].to_pylist() == ["t"]
    assert counts(take(ledger, "sales", sale(sale="s", known_at=day(5)))) == (0, 0, 1, 0)
    assert ledger.state(NOW).table("sales")["sale"].to_pylist() == ["t"]
    assert counts(take(ledger, "sales", sale(sale="s", known_at=day(20)))) == (0, 1, 0, 0)
    assert ledger.state(day(20)).table("sales")["sale"].to_pylist() == ["s", "t"]


# reading -------------------------------------------------------------------------------------------


def test_every_table_reads_in_the_schema_of_a_state(ledger: Ledger) -> None:
    for name, table in tables().items():
        rows = ledger.state(NOW).table(name)
        assert rows.schema == state_schema(table)
        assert rows.num_rows == 0


def test_evidence_names_its_source(ledger: Ledger) -> None:
    take(ledger, "sales", sale(sale="s"), source="january.csv")
    take(ledger, "sales", sale(sale="s", units=4.0, known_at=day(20), __row__=17), source="february.csv")
    (row,) = ledger.rows("sales", ["sales:s", "sales:nobody"]).to_pylist()
    assert (row["units"], row["source"], row["source_row"]) == (4.0, "february.csv", 17)


def test_runs_are_kept_once_and_come_back_as_they_were(ledger: Ledger) -> None:
    result = pa.table(
        {"product": ["P"], "due": pa.array([date(2026, 1, 5)]), "at": pa.array([NOW], pa.timestamp("us", tz="UTC"))}
    )
    for name, moment in (("late", day(9)), ("early", day(2)), ("late", day(9))):
        ledger.save_run(RunRecord(name, moment, 7, {"orders": result}), NOW, by="test")
    assert ledger.runs()["run"].to_pylist() == ["early", "late"]
    assert ledger.runs(day(5))["run"].to_pylist() == ["early"]
    assert ledger.run_table("late", "orders").equals(result, check_metadata=True)
    with pytest.raises(NotFound, match="orders"):
        ledger.run_table("late", "nothing")
    with pytest.raises(NotFound):
        ledger.run_table("nobody", "orders")


def test_tables_of_a_run_are_read_at_once_or_some_of_them(ledger: Ledger) -> None:
    given = {name: pa.table({"a": [name]}) for name in ("orders", "gaps", "learnt")}
    ledger.save_run(RunRecord("R", day(2), 7, given), NOW, by="test")
    assert list(ledger.run_tables("R").items()) == sorted(given.items())
    assert ledger.run_tables("R", ("orders", "nothing", "gaps")) == {n: given[n] for n in ("gaps", "orders")}
    assert ledger.run_tables("R", ()) == ledger.run_tables("nobody") == {}


# what lasts ------------------------------------------------------------------------------------------


def test_it_is_there_after_closing(store: Store) -> None:
    with closing(store.open()) as ledger:
        take(ledger, "sales", sale(sale="s"))
    with closing(store.open()) as ledger:
        assert ledger.state(NOW).table("sales")["sale"].to_pylist() == ["s"]


def test_a_failed_ingest_changes_nothing(ledger: Ledger) -> None:
    broken = pa.table({"__row__": [2], "raw": ["{}"], "findings": pa.array([None], pa.string())})
    with pytest.raises(Exception, match=r"(?i)null"):
        ledger.ingest("sales", table_of("sales", [sale()]), broken, (), "a.csv", NOW, by="test")
    assert ledger.state(NOW).table("sales").num_rows == 0
    assert ledger.latest_known_at() is None
    assert counts(take(ledger, "sales", sale())) == (1, 0, 0, 0)


def test_many_rows_in_one_go(ledger: Ledger) -> None:
    count = 20_000
    moments = [day(1) + timedelta(minutes=i // 4) for i in range(count)]
    rows = pa.table(
        {
            "happened_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "product": pa.array(["P", "P", "Q", "R"] * (count // 4)),
            "units": pa.array([1.0] * count),
            "__row__": pa.array(range(2, count + 2)),
        }
    )
    first = ledger.ingest("sales", rows, None, (), "big.csv", NOW, by="test")
    again = ledger.ingest("sales", rows, None, (), "big.csv", NOW, by="test")
    assert (counts(first), counts(again)) == ((count, 0, 0, 0), (0, 0, count, 0))
    ids = ledger.state(NOW).table("sales")["row_id"].to_pylist()
    assert len(set(ids)) == count
    assert sum(i.endswith(".2") for i in ids) == count // 4


def test_a_source_that_is_all_new_is_not_read_again_to_find_what_is_gone(store: Store) -> None:
    """Where the ledger holds other rows of the table as well, it is."""
    ledger = store.open()
    asked: list[int] = []

    def again() -> RowsInHand:
        asked.append(1)
        rows = pa.table({"line": ["K"], "hours_per_week": [40.0], "__row__": [2]})
        return RowsInHand(Checked(rows, REJECTED_SCHEMA.empty_table(), ()))

    report = take_in(ledger, "lines", line(40.0, "K"), line(30.0, "M"))
    assert ledger.vanished(report, again) == () and not asked
    report = take_in(ledger, "lines", line(40.0, "K"), now=day(20))
    assert ledger.vanished(report, again) == ("lines:M",) and asked


def test_a_large_table_of_a_state_lies_in_a_file_and_says_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a file it is what it is in memory: other units, rows that are withdrawn, a state as of an earlier moment,
    and one that is in hand while more comes in."""
    open_one = store.open()
    take(open_one, "products", {"product": "A"})
    take(open_one, "unit_conversions", {"product": "A", "unit": "carton", "base_units_per_unit": 12.0})
    rows = [sale(sale=f"S{n}", product="A", units=float(n), unit="carton" if n % 3 else None) for n in range(20)]
    take(open_one, "sales", *rows)
    open_one.withdraw("sales", ["sales:S7"], NOW + timedelta(days=1), by="test")
    then, now = NOW + timedelta(hours=1), NOW + timedelta(days=2)
    whole = [open_one.state(moment, ("sales",)).table("sales") for moment in (then, now)]
    monkeypatch.setattr(large_tables, "MOST_IN_MEMORY", 4)
    open_one.close()
    again = store.open()
    before = pa.total_allocated_bytes()
    large = [again.state(moment, ("sales",)) for moment in (then, now)]
    assert [state.table("sales").num_rows for state in large] == [20, 19]
    assert all(state.table("sales").equals(rows) for state, rows in zip(large, whole, strict=True))
    assert pa.total_allocated_bytes() - before < large[0].table("sales").nbytes / 2
    take(again, "sales", sale(sale="S99", product="A"), source="b.csv", now=NOW + timedelta(days=2))
    assert large[1].table("sales").equals(whole[1])
    assert again.state(now + timedelta(days=1), ("sales",)).table("sales").num_rows == 20


# sales that count no longer -------------------------------------------------------------------------


def sold(name: str, units: float, **more: Any) -> dict[str, Any]:
    """A sale of 5 January, known since then."""
    return {"sale": name, "happened_at": day(5), "known_at": day(5), "product": name[0], "units": units, **more}


def fewer(ledger: Ledger, was: datetime, now: datetime, before: Snapshot) -> list[tuple[str, int, int, float]]:
    rows = ledger.fewer_sold(before, was, now)
    assert rows.schema == FEWER_SOLD_SCHEMA
    return [tuple(row.values()) for row in rows.to_pylist()]


def snapshot(ledger: Ledger, as_of: datetime) -> Snapshot:
    found = ledger.state(as_of, ()).snapshot
    assert found is not None
    return found


def test_sales_that_were_cancelled_taken_back_or_corrected_since(ledger: Ledger) -> None:
    """P1 is cancelled, P2 taken back, P3 corrected from 10 to 4, Q1 to more, R1 becomes a sale of S; Q2 stays."""
    first = [sold("P1", 3.0), sold("P2", 5.0), sold("P3", 10.0), sold("Q1", 1.0), sold("Q2", 2.0), sold("R1", 7.0)]
    take(ledger, "sales", *first)
    before = snapshot(ledger, day(10))
    assert fewer(ledger, day(10), day(20), before) == []
    later = {"known_at": day(15)}
    take(ledger, "sales", sold("P1", 3.0, state="cancelled", **later), source="b.csv")
    ledger.withdraw("sales", ["sales:P2"], day(15), by="test")
    more = [sold("P3", 4.0, **later), sold("Q1", 9.0, **later), sold("R1", 7.0, **later) | {"product": "S"}]
    take(ledger, "sales", *more, sold("Q3", 2.0, **later), source="c.csv")
    assert fewer(ledger, day(10), day(20), before) == [("P", 3, 2, 14.0), ("R", 1, 1, 7.0)]
    assert fewer(ledger, day(10), day(14), before) == []  # not known yet
    assert fewer(ledger, day(16), day(20), snapshot(ledger, day(16))) == []  # known already
    assert fewer(ledger, day(4), day(20), before) == []  # nothing was sold


def test_what_was_taken_back_before_it_was_sold_again_is_no_loss(ledger: Ledger) -> None:
    take(ledger, "sales", sold("P1", 3.0))
    before = snapshot(ledger, day(10))
    ledger.withdraw("sales", ["sales:P1"], day(12), by="test")
    take(ledger, "sales", sold("P1", 3.0, known_at=day(13)), source="b.csv")
    assert fewer(ledger, day(10), day(12), before) == [("P", 1, 1, 3.0)]
    assert fewer(ledger, day(10), day(13), before) == []


def test_a_cancellation_that_came_in_late_is_told_though_it_is_dated_before(ledger: Ledger) -> None:
    """The plan of the 10th counted the sale; the row that cancels it came in later, and says that it is of the 8th."""
    take(ledger, "sales", sold("P1", 3.0))
    before = snapshot(ledger, day(10))
    take(ledger, "sales", sold("P1", 3.0, state="cancelled", known_at=day(8)), source="b.csv")
    assert fewer(ledger, day(10), day(20), before) == [("P", 1, 1, 3.0)]
    assert fewer(ledger, day(10), day(20), snapshot(ledger, day(10))) == []


def test_fewer_units_are_counted_in_the_base_unit(ledger: Ledger) -> None:
    take(ledger, "products", {"product": "P", "base_unit": "piece"})
    take(ledger, "unit_conversions", {"product": "P", "unit": "carton", "base_units_per_unit": 12.0})
    take(ledger, "sales", sold("P1", 3.0, unit="carton"), sold("P2", 1.0))
    before = snapshot(ledger, day(10))
    take(ledger, "sales", sold("P1", 1.0, unit="carton", known_at=day(15)), source="b.csv")
    ledger.withdraw("sales", ["sales:P2"], day(15), by="test")
    assert fewer(ledger, day(10), day(20), before) == [("P", 2, 1, 25.0)]


def test_a_branch_tells_what_was_taken_back_there(store: Store, ledger: Ledger) -> None:
    take(ledger, "sales", sold("P1", 3.0), sold("P2", 4.0))
    before = snapshot(ledger, day(10))
    branches = store.branches(ledger)
    branches.make("what if", None, day(12), NOW, "", by="test")
    there = branches.on("what if")
    there.withdraw("sales", ["sales:P2"], day(15), by="test")
    assert fewer(there, day(10), day(20), before) == [("P", 1, 1, 4.0)]
    assert fewer(ledger, day(10), day(20), before) == []
