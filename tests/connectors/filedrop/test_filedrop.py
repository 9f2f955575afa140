import csv
import os
import shutil
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from datong.connectors.filedrop import folders, inbox, outbox
from datong.connectors.filedrop.answer_phrases import numbers_of
from datong.connectors.filedrop.folders import box
from datong.connectors.filedrop.inbox import CollectedFiles, collect, settle
from datong.connectors.filedrop.order_sheet import Known, as_csv, as_workbook, sheet_of
from datong.connectors.filedrop.read_answers import Came, ReportRead, _cell
from datong.connectors.filedrop.sheet_columns import ANSWER_COLUMNS
from datong.connectors.files.old_workbook import OLD_FORMAT
from datong.connectors.inlet_and_outlet import Delivered, Unreachable, delivery_key
from datong.dispatch.answers import Batch, answers
from datong.dispatch.rows_of_released_orders import release_rows
from datong.learn.yields import learnt_yields
from datong.ledger.can_be_planned import beyond_limits
from datong.ledger.standings import order_standings, order_states
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.calendar import Calendar
from datong.model.findings import Finding
from datong.model.flow import OrderMessage
from datong.model.settings import ChainSettings
from datong.model.words import Message, message, say
from datong.network.position import position
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger
from work_orders import to, work

# 10:00 on 4 March in Shanghai (UTC+8).
RELEASED = datetime(2026, 3, 4, 2, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
SETTINGS = ChainSettings("x", time_zone="Asia/Shanghai")


def deliver(messages: list[OrderMessage], folder: Path, language: str, **more: object) -> list[Path]:
    """The files of a delivery, which must have gone well."""
    outcomes = outbox.deliver(messages, folder, language, **more)
    assert all(isinstance(one, Delivered) for one in outcomes), outcomes
    return [Path(one.place) for one in outcomes]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# out -----------------------------------------------------------------------------------------------


def test_one_readable_file_for_each_counterparty(tmp_path: Path) -> None:
    messages = [*to("North Mill", work("W2"), work("W1", 1234567.5)), *to("南厂", work("W3"))]
    files = deliver(messages, tmp_path, "zh", run="R1", known=Known({"P1": "酱油"}))
    assert [f.parent for f in files] == [tmp_path / "outbox" / name for name in ("North Mill", "南厂")]
    assert [p.name for p in sorted((tmp_path / "inbox").iterdir())] == ["North Mill", "南厂"]
    assert files[0].name.startswith("North_Mill-R1-")
    assert files[1].name.startswith("南厂-R1-")
    assert files[0].read_bytes().startswith(b"\xef\xbb\xbf")
    rows = read(files[0])
    assert [r["单号"] for r in rows] == ["W1", "W2"]
    assert rows[0] | {"消息编号": ""} == {
        "单号": "W1",
        "类型": "生产",
        "产品编码": "P1",
        "品名": "酱油",
        "数量": "1234567.5",
        "单位": "",
        "开工日": "2026-03-05",
        "交期": "2026-03-09",
        "产线": "L1",
        "下单原因": "生产；完工",
        "消息编号": "",
        **dict.fromkeys(("状态", "可做数量", "新交期", "累计良品数", "累计报废数", "时间", "原因"), ""),
    }
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_same_key_makes_no_second_file(tmp_path: Path) -> None:
    (first,) = deliver(to("A", work("W1")), tmp_path, "en")
    assert deliver(to("A", work("W1")), tmp_path, "zh", run="later") == []
    (second,) = deliver(to("A", work("W1"), work("W2"), work("W2")), tmp_path, "en")
    assert [r["order"] for r in read(second)] == ["W2"]
    first.unlink()  # the counterparty took it away
    assert deliver(to("A", work("W1")), tmp_path, "en") == []


def test_a_kill_before_the_note_writes_the_same_file_again(tmp_path: Path) -> None:
    """What lies in the outbox is not believed; marked, the file says that it may have come before."""
    (first,) = deliver(to("A", work("W1")), tmp_path, "en")
    (tmp_path / "sent.csv").unlink()
    (again,) = deliver([replace(m, repeated=True) for m in to("A", work("W1"))], tmp_path, "en")
    assert again == first
    assert "counts once" in read(again)[0]["note"]
    assert len(list((tmp_path / "outbox").rglob("*.csv"))) == 1


def test_a_file_that_somebody_plants_in_the_outbox_is_named_and_keeps_nothing_back(tmp_path: Path) -> None:
    """Its key would make the order seem sent."""
    (key,) = (m.key for m in to("A", work("W1")))
    (tmp_path / "outbox" / "A").mkdir(parents=True)
    planted = tmp_path / "outbox" / "A" / "planted.csv"
    planted.write_text(f"order,units,message\nW1,9999,{key}\n", encoding="utf-8")
    before = planted.read_bytes()
    (file,) = deliver(to("A", work("W1")), tmp_path, "en")
    found = collect(tmp_path, SETTINGS.calendar).findings
    assert [(f.code, f.source) for f in found] == [("planted", "outbox/A/planted.csv")]
    assert planted.read_bytes() == before
    assert read(file)[0]["units"] == "100"


def test_a_sheet_that_a_kill_kept_from_being_noted_is_known_by_what_it_says(tmp_path: Path) -> None:
    """Each file of two sheets is written and then the power goes: what lies there whole is ours and went out; what does
    not is written again, marked. Nothing of it is called planted, and no half of a file stays."""
    messages = [*to("A", work("W1")), *to("B", work("W2"), work("W3"))]
    again = [replace(m, repeated=True) for m in messages]
    for at_write in range(11):
        drop = tmp_path / str(at_write)
        written: list[Path] = []

        def write(path: Path, content: bytes, written: list[Path] = written, last: int = at_write) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if len(written) == last:
                path.with_name(f".{path.name}.14600.tmp").write_bytes(content[:40])
                raise KeyboardInterrupt
            path.write_bytes(content)
            written.append(path)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbox, "write_whole", write)
            patch.setattr(folders, "write_whole", write)
            if at_write < 10:
                with pytest.raises(KeyboardInterrupt):
                    outbox.deliver(messages, drop, "en")
            else:
                outbox.deliver(messages, drop, "en")
        assert collect(drop, SETTINGS.calendar).findings == (), at_write
        outcomes = outbox.deliver(again, drop, "en")
        left = sorted(key for one in outcomes if isinstance(one, Delivered) for key in one.keys)
        noted = 3 if at_write < 5 else 2 if at_write < 10 else 0
        assert len(left) == noted, at_write
        sheets = {row["order"]: row.get("note", "") for p in drop.rglob("outbox/*/*.csv") for row in read(p)}
        assert sorted(sheets) == ["W1", "W2", "W3"]
        assert ["W1" if at_write < 4 else "", "W2" if at_write < 9 else ""] == [
            order if sheets[order] else "" for order in ("W1", "W2")
        ], at_write
        assert sorted(p.name for p in drop.rglob("*.tmp")) == []
        assert not (drop / "writing.csv").exists()
        assert outbox.deliver(again, drop, "en") == ()


def test_only_a_half_of_our_own_is_taken_away(tmp_path: Path) -> None:
    (sheet,) = deliver(to("A", work("W1")), tmp_path, "en")
    ours, others = sheet.with_name(f".{sheet.name}.77.tmp"), sheet.with_name(".plan.csv.77.tmp")
    for path in (ours, others):
        path.write_bytes(b"half")
    deliver(to("A", work("W2")), tmp_path, "en")
    assert (ours.exists(), others.exists()) == (False, True)


def test_a_link_in_the_outbox_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "drop" / "outbox").mkdir(parents=True)
    (tmp_path / "drop" / "outbox" / "A").symlink_to(tmp_path / "elsewhere")
    first, second = outbox.deliver([*to("A", work("W1")), *to("B", work("W2"))], tmp_path / "drop", "en")
    assert isinstance(first, Unreachable) and isinstance(second, Delivered)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_two_counterparties_never_share_a_folder() -> None:
    names = ["A/B", "A_B", "A?B", "works", "a" * 90, "a" * 91, "..", "ACME Ltd.", "南厂"]
    boxes = [box(name) for name in names]
    assert box("works") == ""
    assert len(set(boxes)) == len(names)
    assert all(name == Path(name).name and name not in ("..", ".") for name in boxes if name)


def test_what_went_out_before_keys_had_their_chain_does_not_go_again(tmp_path: Path) -> None:
    deliver(to("A", work("W1")), tmp_path, "en")
    named = [replace(m, key=delivery_key("mill", m.key)) for m in to("A", work("W1"), work("W2"))]
    (file,) = deliver(named, tmp_path, "en")
    assert [r["order"] for r in read(file)] == ["W2"]


def test_names_cannot_leave_the_folder_and_cells_are_no_formulas(tmp_path: Path) -> None:
    (file,) = deliver(to("../../etc/passwd", work("W1")), tmp_path, "en", known=Known({"P1": "=1+1"}))
    assert file.parent.parent == tmp_path / "outbox"
    assert file.resolve().is_relative_to(tmp_path.resolve())
    assert read(file)[0]["product name"] == "'=1+1"


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("in the way")
    (out,) = outbox.deliver(to("A", work("W1")), tmp_path, "en")
    assert isinstance(out, Unreachable) and str(tmp_path) in out.why.text("en")


# in ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBLedger]:
    """A ledger with three orders that were given out."""
    with open_ledger(tmp_path_factory.mktemp("released") / "ledger.duckdb", SETTINGS) as opened:
        orders = to("Mill", work("W1"), work("W2"), work("B1", 40.0, kind="buy"))
        for table, rows in release_rows(orders, "R1", RELEASED).items():
            opened.ingest(table, rows, None, (), "dispatch", RELEASED, by="test")
        yield opened


@pytest.fixture
def ledger(released: DuckDBLedger) -> Iterator[DuckDBLedger]:
    """What a test writes is taken back."""
    with suppress(InterruptedError), released.together():
        yield released
        raise InterruptedError


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    (tmp_path / "drop" / "inbox").mkdir(parents=True)
    return tmp_path / "drop"


def put(drop: Path, text: str, name: str = "report.csv", encoding: str = "utf-8") -> None:
    (drop / "inbox" / name).write_text(text, encoding=encoding)


@dataclass(frozen=True)
class Heard:
    """What lay in an inbox, and what it comes to for the orders."""

    collected: CollectedFiles
    answers: tuple[Finding, ...]
    batches: tuple[Batch, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.collected.findings, *self.answers)


def heard(drop: Path, state: State) -> Heard:
    collected = collect(drop, state.settings.calendar)
    found = answers(state, collected.reports, END)
    return Heard(collected, found.findings, found.batches)


def take(ledger: DuckDBLedger, drop: Path) -> Heard:
    """What an app does: read, ingest, then move the files away."""
    got = heard(drop, ledger.state(END))
    for batch in got.batches:
        report = ledger.ingest(batch.table, batch.rows, None, (), batch.source, END, by="test")
        assert report.quarantined == 0
    settle(got.collected, got.answers, "en")
    return got


def end(ledger: DuckDBLedger) -> State:
    return ledger.state(END)


def made(ledger: DuckDBLedger) -> list[tuple[str, float, float]]:
    rows = end(ledger).table("production").to_pylist()
    return sorted((r["order"], r["good_units"], r["scrap_units"]) for r in rows)


def codes(got: Heard) -> list[tuple[str, str, int | None]]:
    return [(f.severity, f.code, f.row) for f in got.findings]


def test_acknowledgements_and_reports_become_events_and_production(ledger: DuckDBLedger, drop: Path) -> None:
    put(
        drop,
        "单号,状态,累计良品数,累计报废数,时间,原因\n"
        "W1,接单,,,2026-03-04 15:00,\n"
        "W1,开工,,,2026/3/5 8:00,\n"
        "W1,部分完工,60,2,2026年3月6日,\n"
        "W1,完工,95,5,2026-03-07 17:30,\n"
        "W2,拒单,,,2026-03-04 15:00,机器维修\n",
        encoding="gb18030",
    )
    got = take(ledger, drop)
    assert got.findings == ()
    assert made(ledger) == [("W1", 35.0, 3.0), ("W1", 60.0, 2.0)]
    state = end(ledger)
    rows = state.table("order_events").to_pylist()
    refused = next(r for r in rows if r["state"] == "refused")
    assert (refused["reason"], refused["counterparty"]) == ("机器维修", "Mill")
    assert refused["happened_at"] == datetime(2026, 3, 4, 7, tzinfo=UTC)
    assert [o.order for o in position(state).under_way] == ["B1"]
    assert position(state).on_hand_units["P1"] == 95.0
    assert not list((drop / "inbox").iterdir())
    assert [p.name for p in (drop / "done").iterdir()] == ["report.csv"]


def test_a_report_taken_twice_changes_nothing(ledger: DuckDBLedger, drop: Path) -> None:
    text = "order,state,good units in all,when\nW1,partly done,60,2026-03-06\nW1,partly done,60,2026-03-06\n"
    put(drop, text)
    take(ledger, drop)
    before = {name: end(ledger).table(name) for name in ("order_events", "production")}
    assert made(ledger) == [("W1", 60.0, 0.0)]
    put(drop, text)
    assert take(ledger, drop).batches == ()
    put(drop, text + "W1,done,100,2026-03-08\n", name="grown.csv")
    got = heard(drop, ledger.state(datetime(2026, 3, 5, tzinfo=UTC)))  # a state that has not heard of it
    for batch in got.batches:
        ledger.ingest(batch.table, batch.rows, None, (), batch.source, END, by="test")
    settle(got.collected, got.answers, "en")
    assert before["order_events"].num_rows + 1 == end(ledger).table("order_events").num_rows
    assert made(ledger) == [("W1", 40.0, 0.0), ("W1", 60.0, 0.0)]
    assert sorted(p.name for p in (drop / "done").iterdir() if p.suffix == ".csv") == [
        "grown.csv",
        "report-2.csv",
        "report.csv",
    ]


def test_a_step_that_many_orders_left_out_is_one_finding(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,good_units,happened_at\nW1,done,100,2026-03-08\nW2,done,10,2026-03-08\n")
    (found,) = [f for f in take(ledger, drop).answers if f.code == "out_of_order"]
    assert found.rows_affected == 2
    assert "2 orders (W1, W2)" in found.text("en") and "2 张单（W1, W2）" in found.text("zh")


@pytest.mark.parametrize(
    ("good", "scrap", "found"),
    [(60, 30, []), (60, 40, [("note", "used_up", 2)]), (60, 60, [("warning", "used_up", 2)])],
)
def test_units_that_leave_nothing_of_an_order_are_told_to_close_it(
    ledger: DuckDBLedger, drop: Path, good: int, scrap: int, found: list[tuple[str, str, int]]
) -> None:
    """W1 is of 100."""
    put(drop, "order,state,when\nW1,accepted,2026-03-04\nW1,started,2026-03-05\n")
    take(ledger, drop)
    put(drop, f"order,state,good_units,scrap_units,when\nW1,partly done,{good},{scrap},2026-03-06 09:00\n", "two.csv")
    got = take(ledger, drop)
    assert codes(got) == found
    assert bool(found) == ("W1" not in {o.order for o in position(end(ledger)).under_way})
    assert all(f"are {good + scrap} units of an order of 100" in f.text("en") for f in got.findings)


@pytest.mark.parametrize("apart", [True, False])
def test_work_of_the_day_on_which_an_order_was_accepted_leaves_no_step_out(
    ledger: DuckDBLedger, drop: Path, apart: bool
) -> None:
    """A day alone is no time before the acceptance at three that day; the day before is."""
    accepted, started = "W1,accepted,2026-03-04 15:00\n", "W1,started,2026-03-04\n"
    head = "order,state,when\n"
    put(drop, head + accepted + ("" if apart else started))
    assert codes(take(ledger, drop)) == []
    if apart:
        put(drop, head + started, "two.csv")
        assert codes(take(ledger, drop)) == []
    put(drop, head + "W2,accepted,2026-03-05 15:00\nW2,started,2026-03-04\n", "three.csv")
    assert "out_of_order" in {code for _, code, _ in codes(take(ledger, drop))}
    states = order_states(end(ledger))
    assert (states["W1"][0], states["W2"][0]) == ("started", "started")


def test_a_late_report_adds_no_units_twice(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,good_units,happened_at\nW1,done,100,2026-03-08T10:00\n")
    got = take(ledger, drop)
    assert codes(got) == [("note", "out_of_order", 2)]
    put(drop, "order,state,good_units,happened_at\nW1,started,,2026-03-05T08:00\nW1,partly_done,40,2026-03-06T08:00\n")
    take(ledger, drop)
    assert made(ledger) == [("W1", 100.0, 0.0)]
    assert "W1" not in {o.order for o in position(end(ledger)).under_way}


def test_units_that_the_ledger_has_from_elsewhere_do_not_count_twice(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,good_units,happened_at\nW1,partly_done,40,2026-03-06T08:00\n")
    first = heard(drop, end(ledger))
    other = first.batches[0]
    assert other.table == "production"
    keys = other.rows.column_names.index("production")
    ledger.ingest(
        "production", other.rows.set_column(keys, "production", [["from the machine"]]), None, (), "mes", END, by="test"
    )
    take(ledger, drop)
    assert made(ledger) == [("W1", 40.0, 0.0)]


def test_done_without_a_number_is_what_was_ordered_and_marked_assumed(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,happened_at\nW1,started,2026-03-05\nW1,done,2026-03-07\n")
    got = take(ledger, drop)
    assert ("note", "units_assumed", 3) in codes(got)
    (row,) = end(ledger).table("production").to_pylist()
    assert (row["good_units"], row["assumed"]) == (100.0, "good_units,known_at")
    put(drop, "order,state,happened_at\nW1,started,2026-03-05\nW1,done,2026-03-07\n")
    assert take(ledger, drop).batches == ()


def test_done_without_a_number_is_the_yield_of_what_was_ordered(ledger: DuckDBLedger, drop: Path) -> None:
    """Of 100 ordered, 4 of 5 come out good; of the purchase of 40, all. W2 has more than that already: 85."""
    recipes = pa.table({"recipe": ["R"], "product": ["P1"], "yield_share": [0.8]})
    state = end(ledger)
    of_recipe = pc.if_else(pc.equal(state.table("orders")["kind"], "make"), "R", None)
    at = state.table("orders").column_names.index("recipe")
    with_recipe = state.table("orders").set_column(at, "recipe", of_recipe)
    made = pa.table({"happened_at": [RELEASED], "order": ["W2"], "product": ["P1"], "good_units": [85.0]})
    state = state.with_tables(
        recipes=in_state_schema("recipes", recipes),
        orders=with_recipe,
        production=in_state_schema("production", made),
    )
    put(drop, "order,state,happened_at\nW1,done,2026-03-07\nW2,done,2026-03-07\nB1,done,2026-03-07\n")
    got = heard(drop, state)
    rows = {batch.table: batch.rows.to_pylist() for batch in got.batches}
    assert [(r["order"], r["good_units"], r["assumed"]) for r in rows["production"]] == [("W1", 80.0, "good_units")]
    assert [(r["order"], r["units"]) for r in rows["receipts"]] == [("B1", 40.0)]
    assert [r["good_units"] for r in rows["order_events"]] == [80.0, 85.0, 40.0]
    (note,) = [f for f in got.findings if f.code == "units_assumed" and f.row == 2]
    assert "80" in note.text("en")
    assert "80" in note.text("zh")


def test_a_kill_between_two_batches_loses_and_doubles_nothing(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,good_units,happened_at\nW1,partly_done,40,2026-03-06 08:00\nW1,done,90,2026-03-07 08:00\n")
    first = heard(drop, end(ledger)).batches[0]
    ledger.ingest(first.table, first.rows, None, (), first.source, END, by="test")
    take(ledger, drop)
    assert made(ledger) == [("W1", 40.0, 0.0), ("W1", 50.0, 0.0)]
    assert end(ledger).table("order_events").num_rows == 6 + 2


def test_what_a_supplier_has_done_is_received(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,good_units,happened_at\nB1,accepted,,2026-03-05\nB1,done,40,2026-03-09\n")
    take(ledger, drop)
    assert [(r["order"], r["units"]) for r in end(ledger).table("receipts").to_pylist()] == [("B1", 40.0)]
    assert made(ledger) == []


def test_what_a_transfer_reports_has_left_one_site_for_the_other(tmp_path: Path, drop: Path) -> None:
    transfer = replace(work("T1", 40.0), kind="move", line=None, lane="F-S", from_site="F", site="S")
    (file,) = deliver(to("F", transfer), tmp_path / "out", "en")
    assert [(r["kind"], r["from"], r["to"]) for r in read(file)] == [("move", "F", "S")]
    released = release_rows(to("F", transfer), "run-1", RELEASED)
    released["lanes"] = pa.table({"lane": ["F-S"], "from_site": ["F"], "to_site": ["S"]})
    state = state_of_tables(SETTINGS, END, {n: t for n, t in released.items() if n != "order_events"})
    events = [{"order_event": "1", "order": "T1", "state": "released", "happened_at": RELEASED}]
    state = state.with_tables(order_events=in_state_schema("order_events", pa.Table.from_pylist(events)))
    put(drop, "order,state,good_units,happened_at\nT1,done,40,2026-03-09\n")
    rows = {batch.table: batch.rows.to_pylist() for batch in heard(drop, state).batches}
    (sent,) = rows["shipments"]
    assert (sent["order"], sent["from_site"], sent["to_site"], sent["units"]) == ("T1", "F", "S", 40.0)
    assert "production" not in rows
    assert "receipts" not in rows


def test_every_bad_row_is_found_and_the_rest_goes_in(ledger: DuckDBLedger, drop: Path) -> None:
    put(
        drop,
        "order,state,good_units,happened_at\n"
        "W1,accepted,,2026-03-04 15:00\n"
        "W9,accepted,,2026-03-04 15:00\n"
        "W1,gone,,2026-03-05\n"
        "W1,started,,yesterday\n"
        "W1,partly_done,-3,2026-03-06\n"
        "\n"
        "W1,refused,,2026-03-06\n"
        "W1,partly_done,120,2026-03-06 09:00\n"
        "W1,done,110,2026-03-07 09:00\n",
    )
    got = take(ledger, drop)
    assert sorted(codes(got), key=lambda c: (c[2] or 0, c[1])) == [
        ("error", "unknown_order", 3),
        ("error", "unknown_state", 4),
        ("error", "bad_moment", 5),
        ("error", "bad_units", 6),
        ("error", "impossible_state", 8),
        ("note", "out_of_order", 9),
        ("warning", "too_many_units", 9),
        ("error", "fewer_units", 10),
    ]
    assert made(ledger) == [("W1", 120.0, 0.0)]
    assert [p.name for p in sorted((drop / "bad").iterdir())] == ["report.csv", "report.findings.txt"]
    text = (drop / "bad" / "report.findings.txt").read_text(encoding="utf-8-sig")
    assert len(text.splitlines()) == len(got.findings)
    assert "W9" in text
    for found in got.findings:
        assert "{" not in found.text("zh")


def test_late_news_does_not_undo_what_came_after_it(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,good_units,happened_at\nW1,started,,2026-03-05 08:00\nW1,done,100,2026-03-08 08:00\n")
    take(ledger, drop)
    put(drop, "order,state,happened_at\nW1,cancelled,2026-03-06 08:00\nW2,refused,2026-03-04\n")
    assert codes(take(ledger, drop)) == [("error", "impossible_state", 2)]
    assert [o.order for o in position(end(ledger)).under_way] == ["B1"]  # W1 done, W2 refused on the day of its release


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_rows"),
        (b"order,state,happened_at\n", "no_rows"),
        (b"order,happened_at\nW1,2026-03-05\n", "no_column"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00" * 20, "unreadable_file"),
        (b"order,state\xff\xff,happened_at\n", "unreadable"),
    ],
)
def test_a_file_that_cannot_be_read_moves_to_bad(ledger: DuckDBLedger, drop: Path, content: bytes, code: str) -> None:
    (drop / "inbox" / "broken.csv").write_bytes(content)
    got = take(ledger, drop)
    assert (got.batches, [f.code for f in got.findings]) == ((), [code])
    assert {p.name for p in (drop / "bad").iterdir()} == {"broken.csv", "broken.findings.txt"}


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_file_that_is_cut_short_is_no_answer(ledger: DuckDBLedger, drop: Path, cut: int) -> None:
    """Wherever it ends: before the column of answers, or in the middle of a row."""
    (file,) = deliver(to("Mill", work("W1"), work("W2")), drop, "zh")
    text = file.read_text(encoding="utf-8-sig")
    head, first = text.splitlines()[:2]
    for whole in (head, f"{head}\n{first}"):
        put(drop, ",".join(whole.split(",")[:-cut]), "cut.csv", "utf-8-sig")
        got = take(ledger, drop)
        assert [f.severity for f in got.findings] == ["error"]
        assert got.batches == ()
    assert not (drop / "done").exists()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_findings_name_columns_and_units_as_the_sheet_has_them(ledger: DuckDBLedger, drop: Path, language: str) -> None:
    put(drop, "order,state,good_units,new_due,when\nW1,gone,x,soon,then\nW2,started,1.5,,then\n")
    (drop / "inbox" / "no.xlsx").write_bytes(b"PK not a zip")
    told = "\n".join(f.text(language) for f in heard(drop, end(ledger)).findings)
    for name in ("state", "good_units", "new_due", "happened_at"):
        if name != "state":
            assert name not in told
    assert "zip" not in told and "/" not in told.replace("datong/", "")
    if language == "zh":
        assert "列 状态" in told and "列 累计良品数" in told and "other offer" not in told
    (file,) = deliver(to("Mill", work("W1")), drop, language, known=Known({}, {"P1": "piece"}))
    assert read(file)[0][say("dispatch.title.unit", language)] == {"en": "piece", "zh": "件"}[language]


def test_separators_and_byte_order_marks_of_spreadsheets(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order;state;good_units;happened_at\nW1;Partly Done;60,0;2026-03-05 09:00+08:00\n", "a.csv", "utf-8-sig")
    put(drop, "单号\t状态\t时间\nW2\t取消\t2026.3.5\n", "B.CSV")
    put(drop, "half a fi", ".hidden.csv")
    got = take(ledger, drop)
    assert [f.code for f in got.findings if f.severity == "error"] == []
    assert made(ledger) == [("W1", 60.0, 0.0)]
    cancelled = [r for r in end(ledger).table("order_events").to_pylist() if r["state"] == "cancelled"]
    assert [r["order"] for r in cancelled] == ["W2"]


def test_a_report_that_grows_while_it_is_taken_in_stays_and_is_read_again(ledger: DuckDBLedger, drop: Path) -> None:
    text = "order,state,good_units,happened_at\nW1,partly_done,40,2026-03-06T08:00\n"
    put(drop, text)
    got = heard(drop, end(ledger))
    for batch in got.batches:
        ledger.ingest(batch.table, batch.rows, None, (), batch.source, END, by="test")
    put(drop, text + "W1,done,100,2026-03-08T08:00\n")  # between reading it and moving it away
    settle(got.collected, got.answers, "en")
    assert [p.name for p in (drop / "inbox").iterdir()] == ["report.csv"]
    take(ledger, drop)
    assert made(ledger) == [("W1", 40.0, 0.0), ("W1", 60.0, 0.0)]
    assert not list((drop / "inbox").iterdir())


def test_what_is_no_file_stays_and_keeps_nothing_from_the_others(ledger: DuckDBLedger, drop: Path) -> None:
    (drop / "inbox" / "folder.csv").mkdir()
    (drop / "inbox" / "link.csv").symlink_to("nowhere")
    put(drop, "order,state,good_units,happened_at\nW1,done,100,2026-03-08T10:00\n")
    got = take(ledger, drop)
    assert codes(got)[:2] == [("error", "no_file", None), ("error", "link", None)]
    assert made(ledger) == [("W1", 100.0, 0.0)]
    assert sorted(p.name for p in (drop / "inbox").iterdir()) == ["folder.csv", "link.csv"]


def test_an_empty_or_missing_inbox_is_nothing(ledger: DuckDBLedger, tmp_path: Path) -> None:
    got = heard(tmp_path / "nowhere", end(ledger))
    assert (got.batches, got.findings) == ((), ())
    settle(got.collected, got.answers, "en")


def test_the_same_order_changed_goes_out_again(tmp_path: Path) -> None:
    deliver(to("A", work("W1")), tmp_path, "en")
    (file,) = deliver(to("A", replace(work("W1"), units=70.0)), tmp_path, "en")
    assert read(file)[0]["units"] == "70"


# answers that are wrong ----------------------------------------------------------------------------

HEAD = "order,state,good_units,happened_at,reason\n"


@pytest.mark.parametrize("day", ["2199-01-01", "9999-12-31", "2027-01-03"])
def test_nobody_reports_what_has_not_happened(ledger: DuckDBLedger, drop: Path, day: str) -> None:
    put(drop, f"{HEAD}W1,started,,{day},\nW2,accepted,,2026-03-05,\n")
    got = take(ledger, drop)
    assert codes(got) == [("error", "not_yet", 2)]
    assert [r["order"] for r in end(ledger).table("order_events").to_pylist() if r["state"] == "accepted"] == ["W2"]
    latest = ledger.latest_known_at()
    assert latest is not None
    assert latest < END


def test_work_may_begin_without_a_time_and_units_may_not(ledger: DuckDBLedger, drop: Path) -> None:
    """Begun on the day on which the file was written; never before the order went out. Sent again it is the same."""
    put(drop, f"{HEAD}W1,开工,,,\nW2,开工,20,,\nW2,完工,,,\nW2,部分完工,20,,\nB1,部分完工,,,\n")
    written_at = datetime(2026, 3, 7, 20, tzinfo=UTC).timestamp()  # the 8th in Shanghai
    os.utime(drop / "inbox" / "report.csv", (written_at, written_at))
    got = take(ledger, drop)
    assert [(f.severity, f.code, f.row, f.subject) for f in got.findings] == [
        ("error", "no_moment", 3, "W2"),
        ("error", "no_moment", 4, "W2"),
        ("error", "no_moment", 5, "W2"),
        ("note", "out_of_order", 6, "B1"),
        ("note", "day_assumed", 6, "B1"),
        ("note", "out_of_order", 2, "W1"),
        ("note", "day_assumed", 2, "W1"),
    ]
    assert "2026-03-08" in got.findings[-1].text("zh") and "“”" not in "".join(f.text("zh") for f in got.findings)
    (begun,) = [r for r in end(ledger).table("order_events").to_pylist() if r["state"] == "started"]
    assert begun["order"] == "W1" and "happened_at" in begun["assumed"]
    put(drop, f"{HEAD}W1,开工,,,\n")
    os.utime(drop / "inbox" / "report.csv", (0, 0))
    assert codes(take(ledger, drop)) == []
    put(drop, f"{HEAD}W2,开工,,,\n")
    os.utime(drop / "inbox" / "report.csv", (0, 0))
    take(ledger, drop)
    begun = [r for r in end(ledger).table("order_events").to_pylist() if r["state"] == "started"]
    assert [(r["order"], r["happened_at"]) for r in begun if r["order"] == "W2"] == [("W2", RELEASED)]


def test_a_day_that_hangs_on_when_it_was_written_is_asked_where_the_row_does_not_say(
    ledger: DuckDBLedger, drop: Path
) -> None:
    """On Saturday the 7th next Wednesday is the 11th; how late two days are hangs on the day asked for alone, and what
    is no later than that needs no question."""
    head = "单号,交期,状态,新交期,时间,原因\n"
    put(drop, f"{head}W1,2026-03-09,下周三交,,3月7日 上午9点,\nW2,2026-03-09,下周三交,,,\nB1,2026-03-09,接但,,,\n")
    noon = datetime(2026, 3, 7, 4, tzinfo=UTC).timestamp()
    os.utime(drop / "inbox" / "report.csv", (noon, noon))
    got = collect(drop, SETTINGS.calendar)
    told = [(f.code, f.row, f.subject) for f in got.findings]
    assert told == [("read_as_day", 2, "W1"), ("which_day", 3, "W2"), ("unknown_state", 4, "B1")]
    assert "2026-03-11" in got.findings[1].text("zh") and "是否指“接单”" in got.findings[2].text("zh")
    (report,) = got.reports
    assert (report.event.offer.due, report.event.happened_at) == (
        date(2026, 3, 11),
        datetime(2026, 3, 7, 1, tzinfo=UTC),
    )
    put(drop, f"{head}W1,2026-03-09,没问题，晚两天,,,\nW2,2026-03-09,,下周三,,\nB1,2026-03-09,接单,,,明天发货\n")
    os.utime(drop / "inbox" / "report.csv", (noon, noon))
    got = collect(drop, SETTINGS.calendar)
    assert [(f.code, f.row) for f in got.findings] == [("which_day", 3), ("read_as_day", 4)]
    assert [(r.event.state, r.event.offer.due) for r in got.reports] == [
        ("accepted", date(2026, 3, 11)),
        ("accepted", date(2026, 3, 8)),
    ]


def test_hints_to_what_is_not_understood_lead_to_the_right_columns(ledger: DuckDBLedger, drop: Path) -> None:
    head = "单号,状态,时间,原因\n"
    put(drop, f"{head}W1,先做50件其余下周,,\nW2,没料,,\nB1,接单,,但要贵一点\n")
    got = take(ledger, drop)
    assert [(f.code, f.row) for f in got.findings] == [("unknown_state", 2), ("unknown_state", 3), ("takes_back", 4)]
    told = [f.text("zh") for f in got.findings]
    assert "是否指“另提方案”" in told[0] and "可做数量" in told[0]
    assert "若做不了，请选“拒单”" in told[1] and "另提方案" in told[2]
    assert got.batches == ()


def test_days_are_told_as_the_chain_has_them(ledger: DuckDBLedger, drop: Path) -> None:
    """Midnight in Shanghai is 16:00 of the day before in UTC; so is the end of the year 2026 already 2027 there."""
    put(drop, f"{HEAD}W1,started,,2027-02-25,\nW2,started,,2026-02-25,\nW2,accepted,,9999-12-31T20:00Z,\n")
    found = collect(drop, SETTINGS.calendar)
    assert [(f.code, f.row) for f in found.findings] == [("bad_moment", 4)]
    late = datetime(2026, 12, 31, 20, tzinfo=UTC)
    told = {f.code: dict(f.found.params) for f in answers(end(ledger), found.reports, late).findings}
    assert {name: str(day) for name, day in told["not_yet"].items()} == {"then": "2027-02-25", "today": "2027-01-01"}
    assert {name: str(day) for name, day in told["before_order"].items()} == {"then": "2026-02-25", "out": "2026-03-04"}


def test_a_report_from_before_the_order_is_refused(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, f"{HEAD}W1,done,100,2025-03-06,\n")
    assert codes(take(ledger, drop)) == [("error", "before_order", 2)]
    assert made(ledger) == []


@pytest.mark.parametrize("units", ["1e300", "1000", "201"])
def test_a_multiple_of_the_order_waits_until_it_is_confirmed(ledger: DuckDBLedger, drop: Path, units: str) -> None:
    put(drop, f"{HEAD}W1,done,{units},2026-03-06,\n")
    assert codes(take(ledger, drop)) == [("error", "far_too_many", 2)]
    assert made(ledger) == []
    put(drop, f"{HEAD}W1,done,1e300,2026-03-06,数量属实\n")  # no plan could be made of it
    assert codes(take(ledger, drop))[-1] == ("error", "far_too_many", 2)
    put(drop, f"{HEAD}W1,done,250,2026-03-06,数量属实\n")
    assert codes(take(ledger, drop))[-1] == ("warning", "too_many_units", 2)
    assert made(ledger) == [("W1", 250.0, 0.0)]


@pytest.mark.parametrize(
    "asks", ["请确认", "未确认", "待客户确认", "not confirmed yet", "please confirm", "unconfirmed"]
)
def test_who_asks_for_a_confirmation_confirms_nothing(ledger: DuckDBLedger, drop: Path, asks: str) -> None:
    put(drop, f"{HEAD}W1,done,250,2026-03-06,{asks}\n")
    assert codes(take(ledger, drop)) == [("error", "far_too_many", 2)]
    put(drop, f"{HEAD}W1,done,250,2026-03-06,{asks}; 已确认\n")
    assert codes(take(ledger, drop))[-1] == ("warning", "too_many_units", 2)


def test_the_last_word_on_what_is_done_holds(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, f"{HEAD}W1,done,100,2026-03-06,\n")
    take(ledger, drop)
    put(drop, f"{HEAD}W1,done,60,2026-03-07,counted again\n")
    got = take(ledger, drop)
    assert codes(got)[-1] == ("note", "corrected", 2)
    assert sum(good for _, good, _ in made(ledger)) == 60.0
    assert position(end(ledger)).on_hand_units["P1"] == 60.0
    put(drop, f"{HEAD}W1,done,60,2026-03-07,counted again\n")
    assert take(ledger, drop).batches == ()
    assert beyond_limits(end(ledger)) == ()


@pytest.mark.parametrize(
    ("said", "good", "scrap"),
    [
        ((("partly_done", 40, 2), ("partly_done", 90, 2), ("done", 100, 5), ("done", 60, 25)), 60.0, 25.0),
        ((("partly_done", 40, 2), ("done", 100, 5), ("done", 30, 1)), 30.0, 1.0),
        ((("done", 100, 0), ("done", 60, 0), ("done", 80, 0)), 80.0, 0.0),
    ],
)
def test_a_correction_goes_back_over_as_many_bookings_as_it_takes(
    ledger: DuckDBLedger, drop: Path, said: tuple[tuple[str, int, int], ...], good: float, scrap: float
) -> None:
    """No booking is below zero, or no plan could be made; the last word holds, however often it is read."""
    head = "order,state,good_units,scrap_units,happened_at,reason\n"
    for day, (state, units, lost) in enumerate(said):
        line = f"{head}W1,{state},{units},{lost},2026-03-{6 + day:02d},counted\n"
        for _ in range(2):
            put(drop, line)
            take(ledger, drop)
    rows = end(ledger).table("production")
    assert sum(rows["good_units"].to_pylist()) == good
    assert sum(rows["scrap_units"].to_pylist()) == scrap
    assert position(end(ledger)).on_hand_units["P1"] == good
    assert beyond_limits(end(ledger)) == ()


@pytest.mark.parametrize(
    ("cells", "units"),
    [
        (("1,5",), [1.5]),
        (("40件", "６０"), [40.0, 60.0]),
        (("1.250,5", "2,5"), [None, 2.5]),
        (("1,000",), [None]),
        (("2,100", "1,5"), [None, 1.5]),
        (("12 pcs",), [12.0]),
    ],
)
def test_numbers_are_read_as_people_write_them(
    ledger: DuckDBLedger, drop: Path, cells: tuple[str, ...], units: list[float | None]
) -> None:
    """1,000 alone could be one or a thousand: nobody guesses."""
    orders = ("W1", "W2")
    rows = "".join(f'{o};started;"{cell}";2026-03-06;confirmed\n' for o, cell in zip(orders, cells, strict=False))
    put(drop, HEAD.replace(",", ";") + rows)
    got = heard(drop, end(ledger))
    found = {r.event.order: r.event.good_units for r in got.collected.reports}
    big = [1250.5 if u is None and cells[0] == "1.250,5" else u for u in units]
    assert [found.get(o) for o in orders[: len(cells)]] == big


DAYS_OF_TWO = [
    ("2026-03-06", "2026-03-06"),
    ("2026-03-06", "2026-03-07"),
    ("2026-03-06 09:00", "2026-03-06"),
    ("2026-03-06 09:00", "2026-03-06 09:00"),
]


@pytest.mark.parametrize(("first", "second"), DAYS_OF_TWO)
@pytest.mark.parametrize(
    ("state", "good", "scrap"), [("partly done", 80, 2), ("done", 80, 2), ("partly done", 100, 0), ("done", 120, 0)]
)
@pytest.mark.parametrize("word", ["", "更正", "Correction: counted again"])
def test_fewer_units_are_taken_whole_as_a_correction_or_not_at_all(
    ledger: DuckDBLedger, drop: Path, first: str, second: str, state: str, good: int, scrap: int, word: str
) -> None:
    head = "order,state,good_units,scrap_units,when,reason\n"
    put(drop, f"{head}W1,partly done,100,1,{first},\n")
    take(ledger, drop)
    put(drop, f"{head}W1,{state},{good},{scrap},{second},{word}\n")
    got = take(ledger, drop)
    stand = order_standings(end(ledger))["W1"]
    good_made, scrap_made = (sum(units) for units in list(zip(*made(ledger), strict=True))[1:])
    assert (stand.good_units, stand.scrap_units) == (good_made, scrap_made)
    if word:
        assert (stand.state, good_made, scrap_made) == (state.replace(" ", "_"), good, scrap)
        assert [f.code for f in got.findings if f.severity == "error"] == []
        return
    assert (stand.state, good_made, scrap_made) == ("partly_done", 100.0, 1.0)
    (wrong,) = [f for f in got.findings if f.severity == "error"]
    assert wrong.code == ("fewer_units" if good < 100 else "fewer_scrap")
    assert "更正" in wrong.text("zh") and "still count" in wrong.text("en")
    put(drop, f"{head}W1,done,110,3,2026-03-08,\n")
    take(ledger, drop)
    assert sum(units for _, units, _ in made(ledger)) == 110.0


def test_two_totals_of_one_day_are_heard_in_their_order(ledger: DuckDBLedger, drop: Path) -> None:
    """Whoever reports twice a day without a time says more the second time."""
    rows = "".join(f"W1,partly done,{units},2026-03-06\n" for units in (90, 10, 60, 40))
    put(drop, f"order,state,good_units,when\n{rows}W1,done,100,2026-03-07\n")
    assert [f for f in take(ledger, drop).findings if f.severity == "error"] == []
    assert sum(units for _, units, _ in made(ledger)) == 100.0


@pytest.mark.parametrize("column", ["good_units", "scrap_units", "new_units", "new_price"])
@pytest.mark.parametrize("beside", ["１,５", "1,5", "2,75", "1500", "80", "1.234,5"])
@pytest.mark.parametrize("doubtful", ["2,100", "１,２５０", "2.100"])
def test_a_number_that_could_be_two_is_a_question_whatever_stands_beside_it(
    ledger: DuckDBLedger, drop: Path, column: str, beside: str, doubtful: str
) -> None:
    """In the sheet of several people a comma for decimals in one row tells nothing of the next."""
    put(drop, f'order,state,when,{column}\nW1,started,2026-03-06,"{doubtful}"\nW2,started,2026-03-06,"{beside}"\n')
    collected = heard(drop, end(ledger)).collected
    assert [r.event.order for r in collected.reports if r.event.state == "started"] == ["W2"]
    ((code, row, text),) = [(f.code, f.row, f.text("en")) for f in collected.findings]
    assert (code, row) == ("two_numbers", 2)
    assert "could be 2100 or 2.1" in text or "could be 1250 or 1.25" in text


def test_the_point_that_other_cells_prove_is_the_sheets_own() -> None:
    assert numbers_of(["12.125", "80.5"]) == [12.125, 80.5]
    assert numbers_of(["2,100", "1,234.5"]) == [2100.0, 1234.5]


@given(st.floats(0.0005, 1e6).map(lambda x: round(x, 4)))
def test_a_number_that_a_workbook_holds_is_that_number(number: float) -> None:
    """However many decimals it has: 1.125 is no thousand."""
    assert numbers_of([_cell(number), "1,5"]) == [number, 1.5]


@pytest.mark.parametrize(
    ("row", "column"), [("done,1.5,", "good_units"), ("done,98,１.５", "scrap_units"), ("only 1.5,,", "new_units")]
)
def test_a_part_of_a_screw_is_refused_and_of_a_kilogram_is_not(
    ledger: DuckDBLedger, drop: Path, row: str, column: str
) -> None:
    put(drop, f"order,state,good_units,scrap_units,when\nW1,{row},2026-03-06\n")
    collected = collect(drop, SETTINGS.calendar)
    screws = answers(end(ledger), collected.reports, END)
    assert [(f.code, f.column) for f in screws.findings] == [("part_of_a_piece", column)]
    assert "件" in screws.findings[0].text("zh")
    assert screws.batches == ()
    products = in_state_schema("products", pa.table({"product": ["P1"], "base_unit": ["kg"]}))
    kilograms = answers(end(ledger).with_tables(products=products), collected.reports, END)
    assert "part_of_a_piece" not in [f.code for f in kilograms.findings]


def test_done_with_next_to_nothing_waits_until_it_is_confirmed(ledger: DuckDBLedger, drop: Path) -> None:
    head = "order,state,good_units,scrap_units,happened_at,reason\n"
    put(drop, f"{head}W1,done,0,,2026-03-06,\nW2,done,0,100,2026-03-06,\n")
    got = take(ledger, drop)
    assert [c for c in codes(got) if c[0] == "error"] == [("error", "far_too_few", 2)]
    assert made(ledger) == [("W2", 0.0, 100.0)]
    put(drop, f"{head}W1,done,0,,2026-03-06,确认\n")
    assert [c for c in codes(take(ledger, drop)) if c[0] == "error"] == []


@pytest.mark.parametrize(
    ("word", "state"),
    [("同意", "accepted"), ("OK", "accepted"), ("不做", "refused"), ("Completed", "done"), ("已开工", "started")],
)
def test_words_of_the_work_floor_are_understood(ledger: DuckDBLedger, drop: Path, word: str, state: str) -> None:
    put(drop, f"{HEAD}W1,{word},,2026-03-06,\n")
    (report,) = heard(drop, end(ledger)).collected.reports
    assert report.event.state == state


def test_a_link_is_left_and_told(ledger: DuckDBLedger, drop: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.csv").write_text(f"{HEAD}W1,accepted,,2026-03-06,\n", encoding="utf-8")
    (drop / "inbox" / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    put(drop, f"{HEAD}W2,accepted,,2026-03-06,\n")
    got = take(ledger, drop)
    assert codes(got) == [("error", "link", None)]
    assert [r.event.order for r in got.collected.reports] == ["W2"]


def test_a_sheet_in_another_firms_folder_is_one_finding(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, HEAD + "".join(f"X{i},accepted,,2026-03-06,\n" for i in range(11)))
    got = take(ledger, drop)
    assert [(f.code, f.rows_affected, f.subject) for f in got.findings] == [("unknown_orders", 11, None)]
    assert "X0, X1, X2" in got.findings[0].text("zh") and "该企业的文件夹" in got.findings[0].text("zh")


def test_many_orders_that_nobody_knows_are_one_finding(ledger: DuckDBLedger, drop: Path) -> None:
    rows = "".join(f"X{i},accepted,,2026-03-06,\n" for i in range(5_000))
    put(drop, f"{HEAD}{rows}W1,accepted,,2026-03-06,\n")
    got = take(ledger, drop)
    assert codes(got) == [("error", "unknown_orders", 2)]
    assert "5,000" in got.findings[0].text("en") or "5000" in got.findings[0].text("en")


def test_a_column_that_nobody_reads_is_told(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,happened_at,new boss\nW1,accepted,2026-03-06,Li\n")
    assert ("warning", "unknown_column", None) in codes(take(ledger, drop))


def test_a_file_that_is_still_being_written_is_waited_for(ledger: DuckDBLedger, drop: Path) -> None:
    rows = [f"W{i},accepted,,2026-03-06,\n" for i in (1, 2)]
    path = drop / "inbox" / "slow.csv"

    def write() -> None:
        with path.open("w", encoding="utf-8") as file:
            for part in (HEAD, *rows):
                file.write(part)
                file.flush()
                time.sleep(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    while not path.exists():
        time.sleep(0.005)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "QUIET_SECONDS", 0.5)
        take(ledger, drop)
    writer.join()
    take(ledger, drop)
    accepted = [r["order"] for r in end(ledger).table("order_events").to_pylist() if r["state"] == "accepted"]
    assert sorted(accepted) == ["W1", "W2"]


def test_a_file_that_grows_after_it_was_put_away_is_read_again(ledger: DuckDBLedger, drop: Path) -> None:
    """Whoever wrote it still had it open as it was moved."""
    put(drop, f"{HEAD}W1,accepted,,2026-03-06,\n", "slow.csv")
    with (drop / "inbox" / "slow.csv").open("a", encoding="utf-8") as file:
        take(ledger, drop)
        file.write("W2,accepted,,2026-03-06,\n")
    got = take(ledger, drop)
    assert [r.event.order for r in got.collected.reports] == ["W1", "W2"]
    accepted = [r["order"] for r in end(ledger).table("order_events").to_pylist() if r["state"] == "accepted"]
    assert sorted(accepted) == ["W1", "W2"]
    assert take(ledger, drop).collected.files == ()


def test_a_copy_of_the_drop_folder_is_as_the_drop_folder(ledger: DuckDBLedger, drop: Path) -> None:
    """A copy has other times: what was put away, and what firms were told, is known by what it says. What anybody wrote
    otherwise is read again, or named."""
    deliver(to("Mill", work("W1"), work("W2")), drop, "en")
    for name, text in (("good.csv", "W1,accepted,,2026-03-06,\n"), ("odd.csv", "W2,what,,2026-03-06,\n")):
        (drop / "inbox" / "Mill" / name).write_text(f"{HEAD}{text}", encoding="utf-8")
    reader = inbox.Reader({"Mill": "Mill"})
    collected = collect(drop, SETTINGS.calendar, reader)
    settle(collected, (), "en")
    assert [f.code for f in collected.findings] == ["unknown_state"]
    copied = drop.with_name("copied")
    shutil.copytree(drop, copied, copy_function=shutil.copyfile)
    later = time.time_ns() + 5_000_000_000
    for path in copied.rglob("*.*"):
        os.utime(path, ns=(later, later))
    assert sorted(path.name for path in copied.rglob("*.txt")) == ["odd.findings.txt"] * 2
    got = collect(copied, SETTINGS.calendar, reader)
    assert (got.findings, got.files) == ((), ())
    (copied / "outbox" / "Mill" / "odd.findings.txt").write_text("pay to another account", encoding="utf-8")
    (copied / "done" / "Mill" / "good.csv").write_text(f"{HEAD}W1,refused,,2026-03-07,\n", encoding="utf-8")
    got = collect(copied, SETTINGS.calendar, reader)
    assert [f.code for f in got.findings] == ["planted"]
    assert [one.source for one in got.files] == ["Mill/good.csv"]


@pytest.mark.parametrize(
    ("name", "rows", "stays"),
    [
        ("odd.csv", "W1,accepted,,2026-03-06,\n", False),  # the same name: it stands for the file of before
        ("new.csv", "W1,accepted,,2026-03-06,\n", True),  # W2 is still wrong
        ("new.csv", "W1,accepted,,2026-03-06,\nW2,accepted,,2026-03-06,\n", False),
        ("new.csv", "W1,accepted,,2026-03-06,\nW2,what,,2026-03-06,\n", True),
    ],
)
def test_what_a_firm_put_right_is_not_held_against_it(drop: Path, name: str, rows: str, stays: bool) -> None:
    deliver(to("Mill", work("W1"), work("W2")), drop, "en")
    reader = inbox.Reader({"Mill": "Mill"})
    told = drop / "outbox" / "Mill" / "odd.findings.txt"
    for put_in, text in (("odd.csv", "W1,what,,2026-03-06,\nW2,why,,2026-03-06,\n"), (name, rows)):
        (drop / "inbox" / "Mill" / put_in).write_text(f"{HEAD}{text}", encoding="utf-8")
        settle(collect(drop, SETTINGS.calendar, reader), (), "en")
        if put_in == "odd.csv" and "what" in text:
            said = told.read_text(encoding="utf-8-sig")
            assert "row 2 (W1), column state" in said and "row 3 (W2), column state" in said
    assert told.exists() == stays
    assert (drop / "bad" / "Mill" / "odd.findings.txt").exists()


WRONG, RIGHT = f"{HEAD}W2,what,,2026-03-06,\n", f"{HEAD}W2,accepted,,2026-03-06,\n"


def tell_mill(drop: Path, name: str, text: str) -> list[str]:
    """The texts in the firm's folder after it sent a file."""
    (drop / "inbox" / "Mill" / name).write_text(text, encoding="utf-8")
    settle(collect(drop, SETTINGS.calendar, inbox.Reader({"Mill": "Mill"})), (), "en")
    return sorted(path.name for path in (drop / "outbox" / "Mill").glob("*.findings.txt"))


def two_complaints(drop: Path) -> None:
    deliver(to("Mill", work("W1"), work("W2")), drop, "en")
    wrong = f"{HEAD}W1,what,,2026-03-06,\nW2,what,,2026-03-06,\n"
    assert tell_mill(drop, "odd.csv", wrong) == ["odd.findings.txt"]
    assert tell_mill(drop, "odd again.csv", wrong) == ["odd again.findings.txt", "odd.findings.txt"]


def test_a_complaint_goes_once_all_its_rows_were_answered_in_whichever_files(drop: Path) -> None:
    two_complaints(drop)
    both = ["odd again.findings.txt", "odd.findings.txt"]
    assert tell_mill(drop, "first.csv", f"{HEAD}W1,accepted,,2026-03-06,\n") == both
    put(drop, f"{HEAD}W2,accepted,,2026-03-06,\n")  # our own people's
    assert tell_mill(drop, "nothing.csv", f"{HEAD}W1,accepted,,2026-03-06,\n") == []


def test_a_kill_while_files_are_put_away_leaves_no_complaint_that_was_answered(
    drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_complaints(drop)
    answer, wrong = f"{HEAD}W1,accepted,,2026-03-06,\nW2,accepted,,2026-03-06,\n", f"{HEAD}W1,what,,2026-03-06,\n"
    unlink = Path.unlink

    def once(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        if path.name == "odd.findings.txt":
            raise KeyboardInterrupt

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    kills = (("right.csv", answer, (Path, "unlink", once)), ("worse.csv", wrong, (inbox, "write_text", killed)))
    for name, text, kill in kills:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(*kill)
            tell_mill(drop, name, text)
        assert (drop / "inbox" / "Mill" / name).exists()
    got = collect(drop, SETTINGS.calendar, inbox.Reader({"Mill": "Mill"}))
    assert "planted" not in [f.code for f in got.findings]
    settle(got, (), "en")
    assert [path.name for path in (drop / "outbox" / "Mill").glob("*.findings.txt")] == ["worse.findings.txt"]
    assert collect(drop, SETTINGS.calendar, inbox.Reader({"Mill": "Mill"})).findings == ()


def test_a_file_that_is_no_sheet_is_told_once_to_us_and_to_its_firm(drop: Path) -> None:
    """Locks of office programs, and copies that are under way, are nobody's answers."""
    deliver(to("Mill", work("W1")), drop, "en")
    box, reader = drop / "inbox" / "Mill", inbox.Reader({"Mill": "Mill"}, languages={"Mill": "zh"})
    names = ["photo.jpg", "reply.pdf", "reply.txt"]
    for name in (*names, "~$reply.xlsx", "copy.csv.part", "Thumbs.db"):
        (box / name).write_bytes(b"\xff\xd8\xff")
    (drop / "inbox" / "all.pdf").write_bytes(b"%PDF")
    (box / "more").mkdir()
    (box / "more" / "W1.csv").write_text(f"{HEAD}W1,accepted,,2026-03-06,\n")
    got = collect(drop, SETTINGS.calendar, reader)
    sheets = [f"Mill/{name}" for name in names]
    assert [(f.code, f.source) for f in got.findings] == [
        ("unknown_box", "Mill/more"),
        *(("not_read", name) for name in (*sheets, "all.pdf")),
    ]
    assert not got.reports
    settle(got, (), "en")
    told = sorted((drop / "outbox" / "Mill").glob("*.findings.txt"))
    assert [path.name for path in told] == [f"{name}.findings.txt" for name in names]
    assert all("另存为 .xlsx 或 .csv" in path.read_text(encoding="utf-8-sig") for path in told)
    assert [f.code for f in collect(drop, SETTINGS.calendar, reader).findings] == ["unknown_box"]
    (box / "reply.csv").write_text("no sheet either")
    settle(bad := collect(drop, SETTINGS.calendar, reader), (), "en")
    assert inbox.row_counts(got, ()) == () and len(inbox.row_counts(bad, ())) == 1
    assert all(path.exists() for path in told)
    (box / "reply.csv").write_text(f"{HEAD}W1,accepted,,2026-03-06,\n")
    settle(collect(drop, SETTINGS.calendar, reader), (), "en")
    assert [path.name for path in told if path.exists()] == ["photo.jpg.findings.txt"]


def xls(rows: list[list[str]]) -> bytes:
    """A workbook of the old format with one sheet of texts: its records, in a container of sectors of 512 bytes."""

    def record(kind: int, data: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def begin(kind: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 0x06))

    def text(value: str) -> bytes:
        return struct.pack("<HB", len(value), 1) + value.encode("utf-16-le")

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        head = name.encode("utf-16-le").ljust(64, b"\0") + struct.pack("<HBB", 2 * len(name) + 2, kind, 1)
        return head + struct.pack("<iii", -1, -1, child) + bytes(36) + struct.pack("<iQ", start, size)

    cells = [(r, c, value) for r, row in enumerate(rows) for c, value in enumerate(row)]
    sheet = begin(0x10) + b"".join(record(0x0204, struct.pack("<HHH", r, c, 0) + text(v)) for r, c, v in cells)
    start = len(begin(5)) + 4 + 6 + 3 + 4
    book = begin(5) + record(0x0085, struct.pack("<IHBB", start, 0, 1, 0) + b"S") + record(0x000A)
    book = (book + sheet + record(0x000A)).ljust(4096, b"\0")
    book += bytes(-len(book) % 512)
    places = [-3, -2, *range(3, len(book) // 512 + 2), -2]
    table = struct.pack("<128i", *places, *[-1] * (128 - len(places)))
    folder = entry("Root Entry", 5, 1, -2, 0) + entry("Workbook", 2, -1, 2, len(book)) + bytes(256)
    head = OLD_FORMAT + bytes.fromhex("a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<iiiiIiiii", 0, 1, 1, 0, 4096, -2, 0, -2, 0) + struct.pack("<109i", 0, *[-1] * 108)
    return head + table + folder + book


def test_a_workbook_of_the_old_format_is_read_as_any_other(ledger: DuckDBLedger, drop: Path) -> None:
    rows = [line.split(",") for line in f"{HEAD}W1,accepted,,2026-03-06,\nW2,what,,2026-03-06,".splitlines()]
    (drop / "inbox" / "reply.xls").write_bytes(xls(rows))
    got = take(ledger, drop)
    assert codes(got) == [("error", "unknown_state", 3)]
    assert [(r.event.order, r.event.state) for r in got.collected.reports] == [("W1", "accepted")]


def test_a_broken_workbook_of_the_old_format_ends_nothing(ledger: DuckDBLedger, drop: Path) -> None:
    """Cut within its sectors, and with a size of a stream that no memory holds."""
    whole = xls([["order", "state"], ["W1", "accepted"]])
    (drop / "inbox" / "cut.xls").write_bytes(whole[: 512 * 3 + 37])
    (drop / "inbox" / "large.xls").write_bytes(whole[: 512 * 2 + 128 + 120] + b"\xff" * 6 + whole[512 * 2 + 254 :])
    put(drop, f"{HEAD}W2,accepted,,2026-03-06,\n")
    got = take(ledger, drop)
    assert {(f.code, f.source) for f in got.findings} >= {("unreadable_book", "cut.xls")}
    assert [r.event.order for r in got.collected.reports if r.source == "report.csv"] == ["W2"]


def test_a_file_that_could_not_be_read_is_put_right_by_one_of_its_name_alone(drop: Path) -> None:
    """Of which orders it spoke is not known."""
    deliver(to("Mill", work("W1"), work("W2")), drop, "en")
    told = ["answer-w2.findings.txt"]
    assert tell_mill(drop, "answer-w2.csv", "nothing,of,this\n1,2,3\n") == told
    assert tell_mill(drop, "other.csv", f"{HEAD}W1,accepted,,2026-03-06,\n") == told
    assert tell_mill(drop, "answer-w2.csv", RIGHT) == []


def test_a_file_that_was_wrong_twice_is_put_right_by_one_of_its_name(drop: Path) -> None:
    """What was told of the second lies under the name under which that was put away. Its orders do not settle it."""
    deliver(to("Mill", work("W1"), work("W2")), drop, "en")
    assert tell_mill(drop, "odd.csv", WRONG) == ["odd.findings.txt"]
    assert tell_mill(drop, "odd.csv", WRONG) == ["odd-2.findings.txt"]
    assert tell_mill(drop, "odd-2.csv", "nothing,of,this\n1,2,3\n") == ["odd-2-2.findings.txt", "odd-2.findings.txt"]
    assert tell_mill(drop, "odd.csv", f"{HEAD}W1,accepted,,2026-03-06,\n") == ["odd-2-2.findings.txt"]


def test_a_file_that_is_mended_where_it_was_put_keeps_the_name_under_which_it_came(drop: Path) -> None:
    deliver(to("Mill", work("W1"), work("W2")), drop, "en")
    for _ in range(2):
        tell_mill(drop, "odd.csv", WRONG)
    (drop / "bad" / "Mill" / "odd-2.csv").write_text(f"{HEAD}W2,why so,,2026-03-06,\n", encoding="utf-8")
    assert tell_mill(drop, "good.csv", f"{HEAD}W1,accepted,,2026-03-06,\n") == ["odd-2.findings.txt"]
    assert "why so" in (drop / "outbox" / "Mill" / "odd-2.findings.txt").read_text(encoding="utf-8-sig")
    assert tell_mill(drop, "odd.csv", f"{HEAD}W1,accepted,,2026-03-06,\n") == []


def test_one_bad_file_never_stops_the_next(ledger: DuckDBLedger, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong with it, expected or not."""
    put(drop, f"{HEAD}W2,accepted,,2026-03-06,\n", "a.csv")
    put(drop, f"{HEAD}W1,accepted,,2026-03-06,\n", "b.csv")
    read = inbox.read_report

    def broken(came: Came, calendar: Calendar) -> ReportRead:
        if came.source == "a.csv":
            raise RecursionError("deep")
        return read(came, calendar)

    monkeypatch.setattr(inbox, "read_report", broken)
    got = take(ledger, drop)
    assert codes(got) == [("error", "unreadable", None)]
    assert [r.event.order for r in got.collected.reports] == ["W1"]
    assert (drop / "bad" / "a.csv").exists()


# offers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("W1,延期,,,", "offers_nothing"),
        ("W1,延期3天,,,", "unknown_state"),
        ("W1,offer,2026-03-06,,", None),  # earlier than asked for: accepted, and said
        ("W1,offer,2019-01-01,,", "offered_past"),
        ("W1,offer,2028-01-01,,", "offered_far"),
        ("W1,offer,,500,", "offered_many"),
        ("W1,only 80,,90,", "two_answers"),
        ("W1,offer,soon,,", "bad_day"),
        ("W1,offer,,0,", "offers_nothing"),
        ("W1,offer,,1e300,confirmed", "offered_many"),
    ],
)
def test_an_offer_that_cannot_be_meant_is_a_question(
    ledger: DuckDBLedger, drop: Path, row: str, code: str | None
) -> None:
    put(drop, f"order,state,new day,units instead,reason\n{row}\n")
    collected = collect(drop, SETTINGS.calendar)
    got = answers(end(ledger), collected.reports, RELEASED)
    found = [f.code for f in (*collected.findings, *got.findings)]
    assert found == ["offered_earlier" if code is None else code]
    states = [r["state"] for b in got.batches for r in b.rows.to_pylist()]
    assert states == (["accepted"] if code is None else [])


def test_an_offer_beside_news_of_work_is_told_besides(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,good_units,when,new day\nW1,partly done,40,2026-03-06,2026-03-20\n")
    collected = collect(drop, SETTINGS.calendar)
    got = answers(end(ledger), collected.reports, datetime(2026, 3, 7, tzinfo=UTC))
    for batch in got.batches:
        ledger.ingest(batch.table, batch.rows, None, (), batch.source, END, by="test")
    stand = order_standings(end(ledger))["W1"]
    assert (stand.state, stand.without_offer, stand.good_units) == ("offered", "partly_done", 40.0)
    assert "W1" in {o.order for o in position(end(ledger)).under_way}


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ("没布料，做不了,,", ("refused", None, "没布料", "happened_at")),
        ("no fabric; cannot,,", ("refused", None, "no fabric", "happened_at")),
        ("已经开工,,", ("started", None, None, "happened_at")),
        ("已经做完了,一百四十四,2026-03-05", ("done", 144.0, None, None)),
        ("部分完工,两百,今天", ("partly_done", 200.0, None, "happened_at")),
        ("部分完工,八十,今天上午9点", ("partly_done", 80.0, None, "happened_at")),
        ("部分完工,一百二,2026-03-05", "bad_units"),
        ("红色，做不了,,", "unknown_state"),
        ("没问题，做不了,,", "unknown_state"),
        ("没布料,,", "unknown_state"),
        ("收到,,", "unknown_state"),
        ("做好一半了,,", "unknown_state"),
    ],
)
def test_natural_words_in_the_cells_of_a_sheet(
    ledger: DuckDBLedger, drop: Path, cells: str, told: tuple[object, ...] | str
) -> None:
    put(drop, f"单号,数量,状态,累计良品数,时间\nW1,163,{cells}\n")
    got = heard(drop, end(ledger))
    if isinstance(told, str):
        (found,) = got.collected.findings
        assert found.code == told and not got.collected.reports
        assert ("163 件中已完成约 81 件" in found.text("zh")) == ("一半" in cells)
    else:
        (report,) = got.collected.reports
        event = report.event
        assert (event.state, event.good_units, event.reason, event.assumed) == told


def test_what_is_told_of_today_is_of_the_day_on_which_the_file_was_written(ledger: DuckDBLedger, drop: Path) -> None:
    for number, text in enumerate(("今天", "今天下午3点", "today")):
        put(drop, f"单号,状态,累计良品数,时间\nW1,部分完工,{number + 1},{text}\n", name := f"{number}.csv")
        written = datetime(2026, 3, 9, 4, tzinfo=UTC).timestamp()
        os.utime(drop / "inbox" / name, (written, written))
    reports = collect(drop, SETTINGS.calendar).reports
    moments = [report.event.happened_at.astimezone(SETTINGS.calendar.zone) for report in reports]
    assert [(m.day, m.hour) for m in moments] == [(9, 0), (9, 15), (9, 0)]


def test_a_price_is_spoken_of_where_a_sheet_has_a_column_for_it(tmp_path: Path) -> None:
    """The works write it as the state, and the sheet says so."""
    for kind, is_asked in (("make", False), ("buy", True)):
        sheet = sheet_of("Mill", "R1", to("Mill", work("W1", 40.0, kind=kind)), "zh", Known())
        (tmp_path / "sheet.xlsx").write_bytes(as_workbook(sheet, "zh"))
        book = CalamineWorkbook.from_path(tmp_path / "sheet.xlsx").get_sheet_by_index(0).to_python()
        text = "".join(str(cell) for row in book for cell in row)
        assert ("新单价" in text, "如“单价20”" in text) == (is_asked, not is_asked)


@pytest.mark.parametrize(
    ("remark", "due"),
    [
        ("余下推迟到12月14号", date(2026, 12, 14)),
        ("机器坏了，其余延期到12月14日", date(2026, 12, 14)),
        ("the rest by 14 Dec 2026", date(2026, 12, 14)),
        ("余下晚两天", date(2026, 3, 14)),
        ("缺人", None),
        ("11月3日机器坏了", None),
        ("余下按3月12日交", None),  # as asked for
        ("其余下周", "?"),
        ("余下50件12月14号交", "?"),
        ("剩下的只能做20", "?"),
        ("余下12月14号交，余下12月20号交", "?"),
    ],
)
def test_a_later_day_for_the_rest_in_a_remark_is_an_offer_or_a_question(
    ledger: DuckDBLedger, drop: Path, remark: str, due: date | str | None
) -> None:
    head = "单号,交期,状态,累计良品数,时间,原因\n"
    put(drop, f"{head}W1,2026-03-12,部分完成,50件,2026-03-09,{remark}\n")
    got = take(ledger, drop)
    said = [(e.event.state, e.event.offer.due) for e in got.collected.reports]
    if due == "?":
        assert [(f.code, f.column) for f in got.findings] == [("day_of_rest", "reason")] and not said
    else:
        assert said == [("partly_done", None), *([("offered", due)] if due else [])]


def test_what_a_counterparty_says_later_ends_its_offer(ledger: DuckDBLedger, drop: Path) -> None:
    """All on one day of which nobody says the time: the order in which it was heard counts."""
    for state, expected in (("only 80", "offered"), ("only 90", "offered"), ("accepted", "accepted")):
        put(drop, f"order,state,when\nW1,{state},2026-03-05\n")
        collected = collect(drop, SETTINGS.calendar)
        for batch in answers(end(ledger), collected.reports, datetime(2026, 3, 7, tzinfo=UTC)).batches:
            ledger.ingest(batch.table, batch.rows, None, (), batch.source, END, by="test")
        settle(collected, (), "en")
        stand = order_standings(end(ledger))["W1"]
        assert stand.state == expected
        assert (stand.offer is None) == (expected == "accepted")
        assert stand.offer is None or stand.offer.offer.units == float(state[-2:])


# the sheet -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sheet_is_answered_in_the_sheet(ledger: DuckDBLedger, drop: Path, language: str) -> None:
    """What goes out comes back with its yellow columns filled in; rows that are left empty are not answered yet."""
    (file,) = deliver(to("Mill", work("W1"), work("W2")), drop, language, known=Known({"P1": "酱油"}, {"P1": "box"}))
    grid = CalamineWorkbook.from_path(str(file.with_suffix(".xlsx"))).get_sheet_by_index(0).to_python()
    head = next(i for i, row in enumerate(grid) if say("dispatch.title.order", language) in row)
    titles = [*grid[head]]
    for name in set(ANSWER_COLUMNS) - {"new_price"}:  # works give no price
        at = titles.index(say(f"dispatch.title.{name}", language))
        assert grid[head + 1][at] or grid[head + 2][at]
    assert [row[0] for row in grid[head + 3 :]] == ["W1", "W2"]
    assert grid[head + 3][titles.index(say("dispatch.title.unit", language))] == "box"
    answers = {"state": say("dispatch.state.done", language), "good_units": 95, "scrap_units": "5件"}
    answers |= {"happened_at": datetime(2026, 3, 6, 9, 30), "reason": ""}  # noqa: DTZ001
    for name, value in answers.items():
        grid[head + 3][titles.index(say(f"dispatch.title.{name}", language))] = value
    with xlsxwriter.Workbook(str(drop / "inbox" / "back.xlsx"), {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        page = book.add_worksheet()
        for number, row in enumerate(grid):
            page.write_row(number, 0, row)
    got = take(ledger, drop)
    assert [f.text("en") for f in got.findings if f.severity != "note"] == []
    assert made(ledger) == [("W1", 95.0, 5.0)]
    assert [r.event.order for r in got.collected.reports] == ["W1"]


WHY = "确认：客户急, confirmed"


def note_of(why: str) -> Message:
    told = message("dispatch.offer_refused", offer=message("dispatch.offered_due", due=date(2026, 3, 13)))
    return message("dispatch.because", text=told, why=why)


def sheet_that_tells(drop: Path, language: str, suffix: str) -> tuple[list[list[object]], int]:
    """The second sheet, which tells what became of offers: its cells, and the row of its titles."""
    messages = [replace(m, note=note_of(WHY)) for m in to("Mill", work("W1"), work("W2"))]
    (file,) = deliver(messages, drop, language)
    if suffix == ".csv":
        return [list(row) for row in csv.reader(file.read_text(encoding="utf-8-sig").splitlines())], 0
    grid = CalamineWorkbook.from_path(str(file.with_suffix(suffix))).get_sheet_by_index(0).to_python()
    return grid, next(i for i, row in enumerate(grid) if say("dispatch.title.order", language) in row)


def send_back(drop: Path, grid: list[list[object]]) -> None:
    with (drop / "inbox" / "back.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[str(cell) for cell in row] for row in grid])


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("titled", ["", "原因", "reason", "备注"])
@pytest.mark.parametrize("has_own", [True, False])
def test_what_a_sheet_gave_out_is_no_answer(
    ledger: DuckDBLedger, drop: Path, language: str, suffix: str, titled: str, has_own: bool
) -> None:
    """Whatever its title: not a reason, no word that confirms a multiple of what was ordered, and no row of its own."""
    grid, head = sheet_that_tells(drop, language, suffix)
    titles = grid[head]
    named = ("state", "note", "reason", "happened_at", "good_units")
    at = {name: titles.index(say(f"dispatch.title.{name}", language)) for name in named}
    titles[at["note"]] = titled or titles[at["note"]]
    titles[at["reason"]] = titles[at["reason"]] if has_own else "x"
    send_back(drop, grid)
    got = take(ledger, drop)
    assert (got.batches, got.findings) == ((), ())
    assert got.collected.files[0].empty == 2
    w1, w2 = grid[-2:]
    w1[at["state"]] = say("dispatch.state.refused", language)
    for name, value in (("state", say("dispatch.state.done", language)), ("good_units", 900)):
        w2[at[name]] = value
    w2[at["happened_at"]] = "2026-03-06"
    send_back(drop, grid)
    got = take(ledger, drop)
    assert [(f.code, f.subject) for f in got.findings] == [("far_too_many", "W2")]
    (refused,) = [r for r in end(ledger).table("order_events").to_pylist() if r["state"] == "refused"]
    assert (refused["order"], refused["reason"]) == ("W1", None)


@pytest.mark.parametrize("typed", ["没料", "{note}。没料", "没料 {note}"])
@pytest.mark.parametrize("column", ["note", "reason"])
def test_what_is_written_where_our_words_stood_is_heard(
    ledger: DuckDBLedger, drop: Path, typed: str, column: str
) -> None:
    grid, head = sheet_that_tells(drop, "zh", ".xlsx")
    row, titles = grid[head + 3], grid[head]
    row[titles.index("状态")] = "拒单"
    text = typed.format(note=row[titles.index("说明")])
    row[titles.index(say(f"dispatch.title.{column}", "zh"))] = text
    send_back(drop, grid)
    assert [f for f in take(ledger, drop).findings if f.severity == "error"] == []
    (refused,) = [r for r in end(ledger).table("order_events").to_pylist() if r["state"] == "refused"]
    assert refused["reason"] == "没料"


def test_of_a_sheet_of_an_earlier_version_what_we_wrote_is_no_answer_either(ledger: DuckDBLedger, drop: Path) -> None:
    grid, head = sheet_that_tells(drop, "zh", ".xlsx")
    (drop / "given.csv").unlink()
    grid[head + 3][grid[head].index("状态")] = "拒单"
    send_back(drop, grid)
    take(ledger, drop)
    (refused,) = [r for r in end(ledger).table("order_events").to_pylist() if r["state"] == "refused"]
    assert refused["reason"] is None


def test_an_empty_sheet_says_nothing(ledger: DuckDBLedger, drop: Path) -> None:
    (file,) = deliver(to("Mill", work("W1"), work("W2")), drop, "zh")
    for suffix in (".xlsx", ".csv"):
        shutil.copy(file.with_suffix(suffix), drop / "inbox")
    got = take(ledger, drop)
    assert (got.batches, got.findings) == ((), ())


def test_a_sheet_is_headed_by_the_firms_name(tmp_path: Path) -> None:
    for code, head in (("SUZHEN", "苏州苏针针织厂（SUZHEN） 的单据"), ("works", "工厂 的单据"), ("X", "X 的单据")):
        known = Known(names={"SUZHEN": "苏州苏针针织厂", "X": "X"})
        (file,) = deliver(to(code, work("W1")), tmp_path / code, "zh", run="R1", known=known)
        sheet = CalamineWorkbook.from_path(str(file.with_suffix(".xlsx"))).get_sheet_by_index(0).to_python()
        assert str(sheet[0][0]).startswith(head), sheet[0]


def test_a_supplier_sees_offer_unit_and_price_and_nothing_of_ours(tmp_path: Path) -> None:
    bought = work("P1", kind="buy")
    known = Known({"P1": "Wax"}, {"P1": "kg"}, {"O": 2.2}, "EUR")
    bought = replace(bought, offer="O")
    (file,) = deliver(to("Agri", bought), tmp_path, "en", known=known)
    (row,) = read(file)
    assert (row["offer"], row["unit"], row["price of one"]) == ("O", "kg", "2.2 EUR")
    assert (row["order date"], row["delivery date"]) == ("2026-03-05", "2026-03-09")
    assert "why" not in row
    assert "line" not in row


def test_a_workbook_has_numbers_as_numbers_and_days_as_days(tmp_path: Path) -> None:
    """So that whoever gets it can add up and sort. In the CSV they are texts, as before."""
    bought = replace(work("B1", 1234.5, kind="buy"), offer="M/V")
    known = Known(prices={"M/V": 12.5}, currency="CNY")
    cases = (("V", bought, ("ordered_on", "arrives_on")), ("F", work("W1"), ("start", "due")))
    for firm, order, days in cases:
        (file,) = deliver(to(firm, order), tmp_path, "en", known=known)
        grid = CalamineWorkbook.from_path(str(file.with_suffix(".xlsx"))).get_sheet_by_index(0).to_python()
        row = dict(zip(next(row for row in grid if "order" in row), grid[-1], strict=True))
        assert [row[say(f"dispatch.title.{day}", "en")] for day in days] == [date(2026, 3, 5), date(2026, 3, 9)]
        assert (row["order"], row["units"]) == (order.order, order.units)
        assert row.get("price of one") == (12.5 if firm == "V" else None)
        assert read(file)[0].get("price of one") == ("12.5 CNY" if firm == "V" else None)


def test_the_same_sheet_gives_the_same_bytes() -> None:
    sheet = sheet_of("Mill", "R1", to("Mill", work("W1")), "zh", Known())
    assert as_workbook(sheet, "zh") == as_workbook(sheet, "zh")
    assert as_csv(sheet, "zh").startswith(b"\xef\xbb\xbf")


def test_a_workbook_that_would_do_harm_is_refused(ledger: DuckDBLedger, drop: Path) -> None:
    with zipfile.ZipFile(drop / "inbox" / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 300_000_000)
    got = take(ledger, drop)
    assert got.batches == ()
    assert [f.severity for f in got.findings] == ["error"]
    assert (drop / "bad" / "bomb.xlsx").exists()


def test_what_a_terminal_obeys_stays_in_the_file(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, f"{HEAD}W\x1b[2J9,accepted,,2026-03-06,\nW1,refused,,2026-03-06,no\x1b]0;x\x07 room\n", "a\x1b[31m.csv")
    got = take(ledger, drop)
    assert "\x1b" not in "".join(f.text(language) for f in got.findings for language in ("en", "zh"))
    assert all("\x1b" not in str(row) for row in end(ledger).table("order_events").to_pylist())


@pytest.mark.parametrize("columns", [("place", "size", "changed", "chain"), ("place", "size", "changed")])
def test_what_was_put_away_before_files_were_known_by_what_they_say_counts_once(
    ledger: DuckDBLedger, drop: Path, columns: tuple[str, ...]
) -> None:
    """An earlier version noted sizes and times alone. A restored backup has other times: the files are read again, a
    start without a day among them, and nothing is new; from then on they are known by what they say."""
    written_at = datetime(2026, 3, 7, 1, tzinfo=UTC).timestamp()
    for name, rows in (("one.csv", "W1,开工,,,\nW2,started,,2026-03-05,\n"), ("two.csv", "W2,done,60,2026-03-07,\n")):
        put(drop, HEAD + rows, name)
        os.utime(drop / "inbox" / name, (written_at, written_at))
        assert {severity for severity, *_ in codes(take(ledger, drop))} <= {"note", "warning"}
    before = end(ledger).table("order_events").sort_by("row_id")
    with (drop / "taken.csv").open(encoding="utf-8-sig", newline="") as file:
        kept = [{name: row[name] for name in columns} for row in csv.DictReader(file)]
    assert len(kept) == 2
    with (drop / "taken.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(kept)
    later = datetime(2026, 3, 9, 1, tzinfo=UTC).timestamp()
    for path in (drop / "done").rglob("*.csv"):
        os.utime(path, (later, later))
    assert [one.source for one in collect(drop, SETTINGS.calendar).files] == ["one.csv", "two.csv"]
    assert [code for code in codes(take(ledger, drop)) if code[0] != "note"] == []
    assert end(ledger).table("order_events").sort_by("row_id").equals(before)
    assert collect(drop, SETTINGS.calendar).files == ()


ODD_NAMES = (
    *("=cmd", "a\nb", "\x1b[31mred", "报告 (最终版)！", "x" * 251, "报" * 83),
    *(" lead", "-rf", "a'b\"c", "dot..", "a\u202egp"),
)


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
@pytest.mark.parametrize("rows", ["W1,accepted,,2026-03-06,\n", "W1,what,,2026-03-06,\n"], ids=["good", "bad"])
def test_a_file_of_any_name_is_read_once_and_put_away(drop: Path, name: str, rows: str) -> None:
    """Names as long as a system allows, too: the text that tells what is wrong has a name that fits. A second file of
    the same name lies beside the first."""
    deliver(to("Mill", work("W1"), work("W2")), drop, "en")
    reader = inbox.Reader({"Mill": "Mill"})
    for count in (1, 2):
        text = HEAD + rows + "\n" * count
        (drop / "inbox" / "Mill" / f"{name}.csv").write_text(text, encoding="utf-8")
        collected = collect(drop, SETTINGS.calendar, reader)
        assert len(collected.files) == 1
        settle(collected, (), "en")
        assert list((drop / "inbox" / "Mill").iterdir()) == []
        again = collect(drop, SETTINGS.calendar, reader)
        assert (again.files, again.findings) == ((), ())
        into = drop / ("bad" if collected.findings else "done") / "Mill"
        assert len(list(into.glob("*.csv"))) == count
        assert len(list(into.glob("*.findings.txt"))) == (count if collected.findings else 0)


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ("W1,P1,60,2026-03-09", "units"),
        ("W1,P1,100,2026-03-16", "due"),
        ("W1,P2,100,2026-03-09", "product"),
    ],
)
def test_an_acceptance_of_what_was_written_over_is_asked(
    ledger: DuckDBLedger, drop: Path, changed: str, column: str
) -> None:
    head = "order,product,units,due,state,when\n"
    put(drop, f"{head}{changed},accepted,2026-03-05\nW2,P1,100,2026-03-09,accepted,2026-03-05\n")
    got = take(ledger, drop)
    (wrong,) = [f for f in got.findings if f.severity == "error"]
    assert (wrong.code, wrong.column, wrong.subject) == ("changed_order", column, "W1")
    rows = end(ledger).table("order_events").to_pylist()
    assert [r["order"] for r in rows if r["state"] == "accepted"] == ["W2"]


def test_what_a_spreadsheet_makes_of_a_sheet_changes_no_order(ledger: DuckDBLedger, drop: Path) -> None:
    """100.0 and another way to write a day; and a sheet from before an answer tells what was ordered then."""
    put(drop, "order,product,units,due,state,when\nW1,p1,100.0,2026/3/9,accepted,2026-03-05\n")
    assert [f for f in take(ledger, drop).findings if f.severity == "error"] == []
    put(drop, "order,product,units,due,state,when\nW1,P1,70,2026-03-09,accepted,2026-03-06\n")
    assert [f for f in take(ledger, drop).findings if f.code == "changed_order"] == []


def test_an_offer_for_a_day_that_was_over_is_asked(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,new_due,when\nW1,offered,2025-03-16,2026-03-05\n")
    assert codes(take(ledger, drop)) == [("error", "offered_past", 2)]


def test_fewer_units_on_an_earlier_day_keep_their_day(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,new_units,new_due\nW1,offered,60,2026-03-07\n")
    got = answers(end(ledger), collect(drop, SETTINGS.calendar).reports, RELEASED)
    ((row,),) = [batch.rows.to_pylist() for batch in got.batches]
    assert (row["state"], row["offered_units"], row["offered_due"]) == ("offered", 60.0, date(2026, 3, 7))


@pytest.mark.parametrize(("good", "scrap", "is_told"), [(30, 0, True), (60, 35, False), (95, 0, False)])
def test_done_with_much_less_than_was_ordered_is_told(
    ledger: DuckDBLedger, drop: Path, good: int, scrap: int, is_told: bool
) -> None:
    put(drop, f"order,state,good_units,scrap_units,when\nW1,done,{good},{scrap},2026-03-06\n")
    assert (("warning", "too_few_units", 2) in codes(take(ledger, drop))) == is_told
    assert made(ledger) == [("W1", float(good), float(scrap))]


def test_boxes_in_a_remark_are_asked(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,state,reason,when\nW1,accepted,只能做5箱,2026-03-06\n")
    assert codes(take(ledger, drop)) == [("error", "other_unit", 2)]


@pytest.mark.parametrize(
    ("cells", "unit", "is_asked"),
    [
        ("partly_done,5箱,", "件", True),
        ("partly_done,5箱,", "", True),
        ("partly_done,5 boxes,", "piece", True),
        ("只能做5箱,,", "件", True),
        ("offered,,5箱", "件", True),
        ("partly_done,5箱,", "箱", False),
        ("partly_done,5件,", "件", False),
        ("partly_done,5 pcs,", "", False),
    ],
)
def test_boxes_are_asked_of_what_is_counted_in_pieces(
    ledger: DuckDBLedger, drop: Path, cells: str, unit: str, is_asked: bool
) -> None:
    put(drop, f"order,unit,state,good_units,new_units,when\nW1,{unit},{cells},2026-03-06\n")
    asked = [f for f in take(ledger, drop).findings if f.code == "other_unit"]
    assert bool(asked) == is_asked
    if is_asked:
        assert made(ledger) == []
        assert "5" in asked[0].text("zh") and "箱" not in asked[0].remedy.text("zh")


def test_a_day_that_is_told_by_speech_is_said_as_it_was_read_and_keeps_its_words(
    ledger: DuckDBLedger, drop: Path
) -> None:
    """Next Monday is the day that was asked for: accepted, and nobody need guess of what day."""
    put(drop, "单号,状态,时间\nW1,下周一才能交,2026-03-05\n")
    got = take(ledger, drop)
    (note,) = [f for f in got.findings if f.code == "read_as_day"]
    assert note.severity == "note" and "2026-03-09" in note.text("zh") and "下周一才能交" in note.text("en")
    (row,) = [r for r in end(ledger).table("order_events").to_pylist() if r["state"] == "accepted"]
    assert row["reason"] == "下周一才能交"
    assert (drop / "done" / "report.csv").exists()


def test_what_is_like_a_refusal_is_asked_with_both_readings(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "单号,状态,时间\nW1,不能接,2026-03-05\n")
    (asked,) = take(ledger, drop).findings
    assert asked.code == "unknown_state"
    assert "拒单" in asked.remedy.text("zh") and "另提方案" in asked.remedy.text("zh")


def test_a_correction_is_no_report_more_to_learn_a_yield_from(ledger: DuckDBLedger, drop: Path) -> None:
    head = "order,state,good_units,scrap_units,when,reason\n"
    put(drop, f"{head}W1,partly done,100,0,2026-03-06,\n")
    take(ledger, drop)
    put(drop, f"{head}W1,done,90,2,2026-03-07,更正\n")
    take(ledger, drop)
    recipes = pa.table({"recipe": ["R"], "product": ["P1"], "yield_share": [1.0]})
    state = end(ledger).with_tables(recipes=in_state_schema("recipes", recipes))
    assert (sum(g for _, g, _ in made(ledger)), learnt_yields(state)["R"].records) == (90.0, 1)


def test_what_came_is_asked_with_what_it_may_mean(ledger: DuckDBLedger, drop: Path) -> None:
    """To have received a sheet, or goods, is neither yes nor no: nobody is led to a yes."""
    for text in ("收到", "已收到", "received", "noted"):
        put(drop, f"order,state,when\nW1,{text},2026-03-06\n")
        (found,) = take(ledger, drop).findings
        assert found.code == "unknown_state" and found.remedy is not None
        words = found.remedy.text("en")
        assert "'refused'" in words and "'accepted'" in words and "'done'" in words and "did you mean" not in words


def test_an_earlier_day_is_taken_as_accepted_and_said(ledger: DuckDBLedger, drop: Path) -> None:
    put(drop, "order,units,state,new_due,when\nW1,100,offered,2026-03-06,2026-03-05\n")
    got = take(ledger, drop)
    assert codes(got) == [("note", "offered_earlier", 2)]
    assert "2026-03-06" in got.findings[0].text("en") and "2026-03-06" in got.findings[0].text("zh")
    assert order_standings(end(ledger))["W1"].state == "accepted"


def test_units_that_are_left_out_are_an_offer_of_the_others(ledger: DuckDBLedger, drop: Path) -> None:
    for cells in ("少20件,", "20 fewer,", "offered,少20件"):
        put(drop, f"order,units,state,new_units,when\nW1,100,{cells},2026-03-06\n")
        got = heard(drop, ledger.state(END))
        assert [r.event.offer.units for r in got.collected.reports] == [80.0], cells


@pytest.mark.parametrize(
    ("remark", "is_asked"), [("布料12月10日才到", True), ("2026-03-20 fabric", True), ("布料齐", False)]
)
def test_a_yes_whose_remark_names_a_day_after_the_one_asked_for_is_asked(
    ledger: DuckDBLedger, drop: Path, remark: str, is_asked: bool
) -> None:
    put(drop, f"order,due,state,reason,when\nW1,2026-03-12,accepted,{remark},2026-03-06\n")
    assert (("error", "takes_back", 2) in codes(take(ledger, drop))) == is_asked


def test_what_is_offered_of_the_rest_holds_after_an_acceptance_of_the_same_day(
    ledger: DuckDBLedger, drop: Path
) -> None:
    """The row's time is that of the work, in the morning; the order was accepted later, and the file written last."""
    put(drop, "order,state,when\nW1,accepted,2026-03-06 12:00\n")
    take(ledger, drop)
    head = "order,due,state,good_units,when,reason"
    text = f"{head}\nW1,2026-03-12,partly_done,50,2026-03-06 08:00,余下推迟到2027年1月20号\n"
    put(drop, text, "work.csv")
    at = datetime(2026, 3, 6, 15, tzinfo=UTC).timestamp()
    os.utime(drop / "inbox" / "work.csv", (at, at))
    take(ledger, drop)
    stand = order_standings(end(ledger))["W1"]
    assert stand.offer is not None and stand.offer.offer.due == date(2027, 1, 20)
    put(drop, text, "again.csv")
    before = end(ledger).table("order_events").num_rows
    take(ledger, drop)
    assert end(ledger).table("order_events").num_rows == before
