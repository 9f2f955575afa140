"""What the records say stands where, on inputs from practice: what is bought and made, what is late, what is said."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

import datong
from datong.model.findings import Finding
from datong.model.words import LANGUAGES
from datong.questions.run_result import RunResult

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this checkout")


def copied(case: str, tmp_path: Path, changes: Mapping[str, Mapping[str, str]] | None = None) -> Path:
    """A copy of a case; changes: text replaced in its files."""
    folder = tmp_path / case.replace("/", "-")
    folder.mkdir()
    for file in (CASES / case).iterdir():
        text = file.read_text(encoding="utf-8")
        for old, new in (changes or {}).get(file.name, {}).items():
            assert old in text, (file.name, old)
            text = text.replace(old, new)
        (folder / file.name).write_text(text, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Told:
    """A clearing and what is said beside it."""

    tables: Mapping[str, pa.Table]
    findings: tuple[Finding, ...]


def clear(folder: Path) -> Told:
    with datong.open(folder) as chain:
        return Told(chain.balance(gap=0.0001).tables, (*chain.notices(), *chain.review()))


def cleared(case: str, tmp_path: Path, changes: Mapping[str, Mapping[str, str]] | None = None) -> Told:
    return clear(copied(case, tmp_path, changes))


def units(result: Told | RunResult, product: str) -> dict[date, float]:
    """Units ordered of a product, by start."""
    found: dict[date, float] = defaultdict(float)
    for row in result.tables["orders"].to_pylist():
        if row["product"] == product:
            found[row["start"]] += row["units"]
    return {day: pytest.approx(amount, abs=1e-3) for day, amount in sorted(found.items()) if amount > 1e-6}


def in_all(result: Told, product: str) -> float:
    return sum(row["units"] for row in result.tables["orders"].to_pylist() if row["product"] == product)


def gaps(result: Told) -> list[dict]:
    return [r for r in result.tables["gaps"].to_pylist() if max(r["late_units"], r["lost_units"]) > 1e-4]


def told(result: Told, code: str) -> list[Finding]:
    found = [f for f in result.findings if f.code == code]
    for finding in found:
        for language in LANGUAGES:
            assert finding.text(language)
    return found


def test_a_started_order_takes_nothing_more_off_a_count_made_since(tmp_path: Path) -> None:
    result = cleared("planning/P1-textbook-mrp", tmp_path)
    assert in_all(result, "A") == pytest.approx(80.0)
    assert (in_all(result, "C"), in_all(result, "D"), in_all(result, "E")) == (100.0, 300.0, 300.0)
    assert gaps(result) == []
    for case in ("planning/P1c-open-orders-minimal", "planning/P1g-started-drains-count"):
        assert in_all(cleared(case, tmp_path), "D") == 0.0


def test_a_count_made_before_the_start_has_the_components_still_to_take(tmp_path: Path) -> None:
    """The order takes 100 D of what was counted on the day before, and 20 are wanted besides."""
    for there, bought in (("120", 0.0), ("110", 10.0), ("90", 30.0)):
        changes = {"stock.csv": {"2026-01-04,D,20": f"2025-12-28,D,{there}"}}
        folder = tmp_path / there
        folder.mkdir()
        assert in_all(cleared("planning/P1g-started-drains-count", folder, changes), "D") == pytest.approx(bought)


def test_partial_reports_count_once(tmp_path: Path) -> None:
    """34 ordered, 14 told to be done: by events and production, by either alone, 16 more of 50 are made."""
    variants: list[dict[str, dict[str, str]]] = [
        {},
        {"production.csv": {"2026-01-03,MO1,LEG,14\n": ""}},
        {"order_events.csv": {"2026-01-03,MO1,partly_done,14\n": ""}},
        {"order_events.csv": {"2025-12-29,MO1,started,\n": "", "2026-01-03,MO1,partly_done,14\n": ""}},
    ]
    for i, changes in enumerate(variants):
        folder = tmp_path / str(i)
        folder.mkdir()
        result = cleared("planning/P7-partly-done", folder, changes)
        assert in_all(result, "LEG") == pytest.approx(16.0), changes
        assert told(result, "partly_done")
    receipts = cleared("planning/P9-receipts", tmp_path)
    assert (in_all(receipts, "M"), in_all(receipts, "N")) == (pytest.approx(50.0), pytest.approx(30.0))


@pytest.mark.parametrize("case", ["min_locked_component", "min_locked_component_stock0", "min_released_component"])
def test_locked_and_released_orders_have_their_components_bought(case: str, tmp_path: Path) -> None:
    """5 c, there by the 10th: the offer takes two days."""
    result = cleared(f"peers/{case}", tmp_path)
    assert units(result, "c") == {date(2009, 1, 8): 5.0}
    assert units(result, "A") == {}
    assert gaps(result) == []
    with datong.open(tmp_path / f"peers-{case}") as chain:
        run = chain.run()
    assert units(run, "c") == {date(2009, 1, 8): 5.0}
    assert any("MO1" in r["text_params"] for r in run.tables["reasons"].to_pylist())


def test_a_locked_order_takes_the_components_that_are_there(tmp_path: Path) -> None:
    result = cleared("peers/min_locked_line_shared", tmp_path)
    assert result.tables["orders"].num_rows == 0
    assert gaps(result) == []


def test_locked_orders_without_material_start_when_it_comes_and_are_named(tmp_path: Path) -> None:
    """200 i1 come, on the 1st and the 10th; two locked orders need 20 before that. They start on the 1st, and so are in
    time for the 20 x; 80 i1 are left for that day, and 150 are served by the 10th."""
    result = cleared("peers/fp_material_5", tmp_path)
    late = told(result, "starts_late")
    assert sorted(f.found.text().split()[1] for f in late) == ["MO1", "MO2"]
    assert all("2022-04-01" in f.found.text() for f in late)
    served = defaultdict(float)
    for row in result.tables["gaps"].to_pylist():
        if row["product"] == "i1":
            served[row["bucket"]] += row["served_units"]
    assert served[date(2022, 4, 1)] == pytest.approx(80.0)
    assert served[date(2022, 4, 10)] == pytest.approx(70.0)
    assert all(row["late_units"] < 1e-4 for row in result.tables["gaps"].to_pylist() if row["product"] == "x")


def test_a_count_below_nothing_is_nothing(tmp_path: Path) -> None:
    result = cleared("planning/P11-negative-stock", tmp_path)
    assert in_all(result, "M") == pytest.approx(50.0)
    assert told(result, "counted_below_nothing")


def test_a_count_that_was_refused_is_said_beside_the_one_that_holds(tmp_path: Path) -> None:
    result = cleared("planning/P11-negative-stock", tmp_path, {"stock.csv": {"M,-5": "M,some"}})
    (found,) = told(result, "refused_count")
    assert "2026-01-04" in found.found.text()
    assert "2025-12-20" in found.found.text()


def test_bins_of_one_count_add_up(tmp_path: Path) -> None:
    rows = "happened_at,product,bin,units\n2026-01-04,M,A1,10\n2026-01-04,M,A2,10\n2026-01-04,M,A3,7\n"
    folder = copied("planning/P11-negative-stock", tmp_path)
    (folder / "stock.csv").write_text(rows, encoding="utf-8")
    for _ in range(2):  # and where it is taken in once more
        assert in_all(clear(folder), "M") == pytest.approx(23.0)


def test_bins_that_nothing_tells_apart_are_a_finding(tmp_path: Path) -> None:
    folder = copied("planning/P11-negative-stock", tmp_path)
    (folder / "stock.csv").write_text(
        "happened_at,product,place,units\n2026-01-04,M,A1,10\n2026-01-04,M,A2,10\n2026-01-04,M,A3,7\n",
        encoding="utf-8",
    )
    with datong.open(folder) as chain:
        assert {"counted_twice", "conflicting_count"} <= {f.code for f in chain.findings}
    assert told(clear(folder), "refused_count")


@pytest.mark.parametrize(("case", "ordered", "due"), [("fp_overdue", "p", 15.0), ("min_overdue", "A", 15.0)])
def test_firm_orders_that_are_past_due_stay_owed(case: str, ordered: str, due: float, tmp_path: Path) -> None:
    """10 as soon as can be, 5 on the 10th."""
    result = cleared(f"peers/{case}", tmp_path)
    assert in_all(result, ordered) == pytest.approx(due)
    assert units(result, ordered)[date(2009, 1, 1)] == 10.0
    (found,) = told(result, "firm_overdue_unshipped")
    assert "10 units" in found.found.text()
    forecast = {
        "demand.csv": {"due,units,priority": "due,units,priority,firm", ",10,0": ",10,0,false", ",5,0": ",5,0,true"}
    }
    folder = tmp_path / "forecast"
    folder.mkdir()
    past = cleared(f"peers/{case}", folder, forecast)
    assert in_all(past, ordered) == pytest.approx(5.0)
    assert told(past, "firm_overdue_unshipped") == []


def test_what_was_sent_of_a_firm_order_is_no_longer_owed(tmp_path: Path) -> None:
    """12 were due: 10 by `od`, 2 by `d2`; 4 were sent for `od` by its number, then 3 of the product: all are of od."""
    changes = {"demand.csv": {"od,A,2008-12-20,10,0": "od,A,2008-12-20,10,0\nd2,A,2008-12-22,2,0"}}
    folder = copied("peers/min_overdue", tmp_path, changes)
    (folder / "shipments.csv").write_text(
        "shipment,happened_at,order,product,units\ns1,2008-12-21,od,A,4\ns2,2008-12-23,,A,3\n", encoding="utf-8"
    )
    result = clear(folder)
    assert units(result, "A")[date(2009, 1, 1)] == 5.0
    assert in_all(result, "A") == pytest.approx(10.0)


def test_past_sales_are_served_where_nothing_that_was_sent_is_recorded(tmp_path: Path) -> None:
    assert in_all(cleared("peers/min_overdue_sales", tmp_path), "A") == pytest.approx(5.0)


@pytest.mark.parametrize("case", ["fp_leadtime_3", "fp_leadtime_3_due_today", "fp_leadtime_3_due_today_known_at"])
def test_what_is_wanted_in_the_past_alone_brings_no_forecast(case: str, tmp_path: Path) -> None:
    """20 of `end` are owed or due today; 15 parts are in stock: nothing beyond 20 is made."""
    result = cleared(f"peers/{case}", tmp_path)
    assert in_all(result, "end") <= 20.0 + 1e-6
    assert units(result, "end")[date(2020, 1, 1)] == 15.0


def test_an_overdue_purchase_is_counted_when_it_can_be_expected_and_said(tmp_path: Path) -> None:
    """Due eight weeks ago, nothing known of it: a lead time of a week from today is in time for the 100 wanted then.
    Where they are wanted today, they are bought and late, not there without a word."""
    result = cleared("planning/P21-overdue-po", tmp_path)
    assert in_all(result, "M") == 0.0
    (found,) = told(result, "order_overdue")
    assert "2025-11-10" in found.found.text()
    assert "2026-01-12" in found.found.text()
    assert "100" in found.remedy.text()
    folder = tmp_path / "now"
    folder.mkdir()
    now = cleared("planning/P21-overdue-po", folder, {"demand.csv": {"2026-01-12": "2026-01-05"}})
    (late,) = gaps(now)
    assert (late["bucket"], late["late_units"]) == (date(2026, 1, 5), pytest.approx(100.0))
