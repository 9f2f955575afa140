"""An order that serves late, the sheet Late and the first screen name one cause: that of the request."""

import re
from collections import defaultdict
from functools import cache

import pytest

from cases.random_chains import random_chain
from datong.app.service.market import in_the_way_of
from datong.app.wording.report_inputs import ReportInputs
from datong.app.wording.view import RunView
from datong.model.errors import NoPlan
from datong.model.late_causes import cause_of, no_time_words, short_together
from datong.model.words import Message
from datong.questions.demand_totals import ANY_SHORT, short_by_cause
from datong.questions.run import RunAsked
from datong.questions.tables_out import message_of

SEEDS = range(40)
# What stands in the way as a reason says it, by the key of its words.
KINDS = {
    "report.gap.kept": "kept",
    "report.gap.sent": "sent",
    **{
        f"report.gap.{key}": "no_time"
        for key in (
            *("no_time_days", "no_time_start", "no_time_at_once", "fenced", "fenced_at_once"),
            *("no_time_through", "no_time_start_through", "no_time_due_before"),
        )
    },
    "report.gap.no_binding": "dearer",
    "plan.why_late.was_due": "was_due",
    **{
        f"plan.why_late.{key}": "scarce"
        for key in ("short", "fenced", "shut", "full", "few", "few_overtime", "short_too")
    },
}


@cache
def view_of(seed: int) -> RunView | None:
    """The run of a random chain, with no demand that is only expected; None where none can be made."""
    made = random_chain(seed, ("forecast",))
    try:
        tables = RunAsked(made.state, (), None, 0).answer().tables
    except NoPlan:
        return None
    return RunView(ReportInputs(tables, made.settings, made.state.as_of), "en")


def told(view: RunView) -> list[tuple[str, Message, set[str]]]:
    """What each order says of what it serves late: its number, why, and the requests of which it says so."""
    found = []
    for r in view.inputs.tables["reasons"].to_pylist():
        if r["text_key"] == "plan.cause.late":
            text = message_of(r["text_key"], r["text_params"])
            params = dict(text.params)
            named = set(re.findall(r"(\S+) \(", params["whom"].text("en")))
            found.append((r["order"], params["why"], named))
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_an_order_names_the_cause_that_the_sheet_late_names(seed: int) -> None:
    view = view_of(seed)
    if view is None:
        return
    by_request = {}
    for row in view.late:
        if row["service"] == "late":
            by_request.setdefault(row["demand"], []).append(row)
    whys = told(view)
    for order, why, named in whys:
        for name in named:
            kinds = {(cause_of(row), row["binding_bucket"]) for row in by_request[name]}
            mine = {(kind, bucket) for (kind, _), bucket in kinds if kind == KINDS[why.key]}
            assert mine, (order, name, why.text("en"), kinds)
            if KINDS[why.key] == "scarce":
                words = why.text("en")
                rows = by_request[name]
                named = [[row["binding"], *short_together(row)] for row in rows]
                same = [
                    all(name in words for name in names) and str(row["binding_bucket"]) in words
                    for row, names in zip(rows, named, strict=True)
                ]
                assert any(same), (order, words, [(view.cause(row), row["binding_bucket"]) for row in rows])
    # And each order says so of everything that it serves late, three of a kind by name.
    late = {r["order"]: set(r["hurts"]) for r in view.inputs.tables["orders"].to_pylist() if r["hurts"]}
    said: dict[str, set[str]] = {}
    for order, _, named in whys:
        said.setdefault(order, set()).update(named)
    assert all(len(said.get(order, ())) >= min(len(requests), 3) for order, requests in late.items())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_screen_the_page_market_and_the_sheet_late_blame_the_same_for_as_many_units(seed: int) -> None:
    view = view_of(seed)
    if view is None:
        return
    tables, sheet = view.inputs.tables, defaultdict(float)
    for row in view.late:
        kind, name = cause_of(row)
        sheet[kind, name, short_together(row)] += row["units"]
    screen, market = defaultdict(float), defaultdict(float)
    for row in short_by_cause(tables, view.lacks):
        kind = "no_time" if row["cause"] == "fenced" else row["cause"]
        screen[kind, row["binding"], row.get("beside", ())] += row["units"]
    for one in in_the_way_of(tables):
        kind = "no_time" if one.cause == "fenced" else one.cause
        market[kind, "" if kind == "sent" else one.name, one.beside] += one.units
    sheet = {key: units for key, units in sheet.items() if units >= ANY_SHORT}
    for other in (screen, market):
        assert {key: units for key, units in other.items() if units >= ANY_SHORT} == pytest.approx(sheet, abs=1e-6)


def test_the_random_chains_are_late_for_many_reasons() -> None:
    seen = {KINDS[why.key] for seed in SEEDS if (view := view_of(seed)) is not None for _, why, _ in told(view)}
    assert {"scarce", "no_time"} <= seen


def test_what_is_there_at_once_and_was_due_before_is_not_told_to_take_0_days() -> None:
    words = no_time_words({"soonest_days": 0, "soonest_start": None, "fenced_until": None}, "week")
    assert words.text("en") == "they were due before the plan begins"
    assert words.text("zh") == "计划开始前已到期"


def test_of_what_no_way_brings_within_the_horizon_no_order_of_now_is_blamed() -> None:
    words = no_time_words({"soonest_days": None, "soonest_start": None, "fenced_until": None}, "day")
    assert words.text("en").startswith("nothing that can start within the horizon would be there within it (")
    assert words.text("zh").startswith("计划期内开工或下单，都不能在计划期内到位（")
