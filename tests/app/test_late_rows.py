"""What is late and for whom, worked out by columns, says what going through the rows one by one says."""

import math
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from datong.app.wording.late import _CAUSE, KINDS, LATE_SCHEMA, NOTHING, late_rows, most_important
from datong.app.wording.report_inputs import ReportInputs
from datong.balance.clearing_tables import GAPS_SCHEMA
from datong.balance.deliveries import DELIVERIES_SCHEMA
from datong.model.settings import ChainSettings
from datong.questions.demand_totals import LEAST_SHORT

MONDAY = date(2026, 3, 2)
WEEKS = [MONDAY + timedelta(days=7 * n) for n in range(3)]
SETTINGS = ChainSettings("chain", "UTC")
PRODUCTS = pa.table({"product": ["A", "B"], "name": ["Chair", "B"], "base_unit": ["piece", None]})
Row = dict[str, Any]

CELL = st.tuples(st.sampled_from(["A", "B", "A@S"]), st.sampled_from(["all", "EU"]), st.sampled_from(WEEKS))
PART = st.sampled_from([0.0, 0.2, 1.0, 4.0])
GAP = st.fixed_dictionaries(
    {
        "late_units": PART,
        "refused_units": PART,
        "never": PART,
        "binding": st.sampled_from([None, "L1"]),
        "needed_days": st.sampled_from([None, 0, 7]),
        "kept_for": st.sampled_from([None, "somebody"]),
        "lost_binding": st.sampled_from([None, "", "L2"]),
        "lost_needed_days": st.sampled_from([None, 14]),
        "needed_amount": st.sampled_from([None, 12.0]),
        "lost_needed_amount": st.sampled_from([None, 6.0]),
        "was_due_units": st.just(0.0),
    }
)
REQUEST = st.fixed_dictionaries(
    {
        "demand": st.sampled_from([None, "D1", "D2"]),
        "product": st.sampled_from(["A", "B"]),
        "market": st.sampled_from(["all", "EU"]),
        "firm": st.booleans(),
        "priority": st.sampled_from([None, 0, 2]),
        "due": st.integers(-9, 20).map(lambda n: MONDAY + timedelta(days=n)),
        "units": st.sampled_from([0.5, 1.0, 3.0]),
        "what": st.sampled_from(["on_time", *KINDS]),
        "bucket": st.sampled_from([None, *WEEKS]),
    }
)


def filled(rows: list[Row], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema)


def inputs_of(gaps: dict[Any, Row], requests: list[Row]) -> ReportInputs:
    cells = [
        {k: v for k, v in row.items() if k != "never"}
        | dict(zip(("product", "market", "bucket"), cell, strict=True))
        | {"lost_units": row["refused_units"] + row["never"]}
        for cell, row in gaps.items()
    ]
    tables = {
        "gaps": filled(cells, GAPS_SCHEMA),
        "deliveries": filled(requests, DELIVERIES_SCHEMA),
        "products": PRODUCTS,
        "forecast_total": pa.table({"bucket": pa.array(WEEKS, pa.date32())}),
    }
    return ReportInputs(tables, SETTINGS, datetime(2026, 3, 4, tzinfo=UTC))


def one_by_one(inputs: ReportInputs) -> list[Row]:
    """The same, each row by itself, in no order; what is too little to be told last."""
    none: Row = dict.fromkeys(LATE_SCHEMA.names)
    names = {"A": "Chair", "A@S": "Chair"}
    rows, known, small = [], defaultdict(float), dict.fromkeys(KINDS, 0.0)
    for r in inputs.tables["deliveries"].to_pylist():
        if r["what"] != "on_time":
            due_in = max(SETTINGS.calendar.bucket_start(r["due"]), MONDAY)
            own = {name: r[name] for name in ("demand", "product", "market", "firm", "priority", "due", "units")}
            rows.append(none | own | {"due_in": due_in, "service": r["what"], "served_in": r["bucket"]})
            known[r["product"], r["market"], due_in, r["what"]] += r["units"]
    causes = {}
    for gap in inputs.tables["gaps"].to_pylist():
        if gap["late_units"] + gap["lost_units"] <= 0:
            continue
        cell = (gap["product"], gap["market"], gap["bucket"])
        causes[cell, False] = {name: gap[name] for name in _CAUSE}
        is_own = gap["lost_binding"] is not None
        causes[cell, True] = {name: gap[f"lost_{name}" if is_own else name] for name in _CAUSE}
        for is_lost in (False, True):
            of = gap["lost_units"] if is_own and is_lost else gap["late_units"] + gap["lost_units"] * (not is_own)
            causes[cell, is_lost]["of"] = of
        parts = (gap["late_units"], gap["refused_units"], gap["lost_units"] - gap["refused_units"])
        for kind, whole in zip(KINDS, parts, strict=True):
            units = whole - known[*cell, kind]
            if units < LEAST_SHORT:
                small[kind] += units
            else:
                where = {"product": cell[0], "market": cell[1], "due_in": cell[2]}
                rows.append(none | where | {"units": units, "service": kind})
    for row in rows:
        cell = (row["product"], row["market"], row["due_in"])
        row |= causes.get((cell, row["service"] != "late"), {})
        of = row.pop("of", None)
        if row["needed_amount"] is not None:
            row["needed_amount"] *= row["units"] / of if of else math.inf
        row["product_name"] = names.get(row["product"])
        if row["served_in"] is not None:
            row["needed_days"] = (row["served_in"] - row["due_in"]).days
        if row["needed_days"] == 0:
            row |= {name: None for name in _CAUSE if name != "needed_days"} | {"binding": ""}
    return rows + [none | {"units": u, "service": kind} for kind, u in small.items() if u > NOTHING]


def importance(row: Row) -> tuple[Any, ...]:
    return (not row["firm"], -(row["priority"] or 0), row["due"] or row["due_in"], -row["units"], row["product"])


@given(st.dictionaries(CELL, GAP, max_size=6), st.lists(REQUEST, max_size=6))
def test_it_says_what_going_through_the_rows_says(gaps, requests) -> None:
    inputs = inputs_of(gaps, requests)
    found, told = late_rows(inputs), one_by_one(inputs)
    assert found.schema == LATE_SCHEMA
    assert sorted(map(repr, found.to_pylist())) == sorted(map(repr, told))
    named = [row for row in found.to_pylist() if row["product"] is not None]
    keys = [(row["due_in"], *importance(row)[:2], row["due"] or row["due_in"], row["product"]) for row in named]
    assert keys == sorted(keys)
    assert all(row["product"] is None for row in found.to_pylist()[len(named) :])
    rows = found.filter(pc.is_valid(found["product"]))
    assert most_important(rows, 3, {}) == sorted(named, key=importance)[:3]
    most = most_important(rows, 3, {"of_nobody": pc.is_null(rows["demand"])})
    assert most == sorted(named, key=lambda row: (row["demand"] is None, *importance(row)))[:3]
