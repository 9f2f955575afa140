"""Rules of tables on the rows of one source."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.ledger.cells import local_to_utc
from datong.ledger.row_checks import DATE_ONLY, REJECTED_SCHEMA, ROW, Checked, TableCheck, nearest, validate
from datong.ledger.state import arrow_type
from datong.model.settings import ChainSettings, Defaults
from datong.model.tables import tables

SHANGHAI = ChainSettings("test", time_zone="Asia/Shanghai")
NEW_YORK = ChainSettings("test", time_zone="America/New_York")


def check(table: str, settings: ChainSettings = SHANGHAI, **columns: Sequence[Any] | pa.Array) -> Checked:
    return validate(tables()[table], pa.table(columns), f"{table}.csv", settings)


def sales(**columns: Any) -> Checked:
    count = len(next(iter(columns.values())))
    given_columns = {"product": ["P"] * count, "units": ["1"] * count, "happened_at": ["2026-01-05"] * count}
    return check("sales", **(given_columns | columns))


def codes(checked: Checked) -> list[tuple[str, int | None, str | None]]:
    return [(f.code, f.row, f.column) for f in checked.findings]


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234.5", 1234.5),
        ("1,234.5", 1234.5),
        ("1,234,567", 1234567.0),
        (" 3 ", 3.0),
        ("\u30003\u00a0", 3.0),
        ("+2", 2.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("0", 0.0),
    ],
)
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    checked = sales(units=[text])
    assert checked.findings == () and checked.rows["units"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.234,5", "decimal_comma"),
        ("1,5", "decimal_comma"),
        ("12,34,5", "not_a_number"),
        ("1_000", "not_a_number"),
        ("five", "not_a_number"),
        ("5 pcs", "not_a_number"),
        ("--1", "not_a_number"),
        ("nan", "not_finite"),
        ("-Infinity", "not_finite"),
        ("1e999", "not_finite"),
        ("-3", "negative_sale"),
        ("", "missing_value"),
        ("  ", "missing_value"),
    ],
)
def test_numbers_that_are_none(text: str, code: str) -> None:
    checked = sales(units=[text])
    assert codes(checked) == [(code, 2, "units")]
    assert checked.rows.num_rows == 0 and checked.rejected.num_rows == 1


@pytest.mark.parametrize(
    "text", ["2026-01-05", "2026-1-5", "2026/1/5", "2026.01.05", "2026年1月5日", "20260105", "2026-01-05 00:00:00"]
)
def test_days_as_people_write_them(text: str) -> None:
    checked = check("demand", demand=["D"], product=["P"], units=["1"], due=[text])
    assert checked.findings == () and checked.rows["due"].to_pylist() == [date(2026, 1, 5)]


@pytest.mark.parametrize("text", ["2026-02-30", "05/01/2026", "2026-13-01", "tomorrow", "45292", "infinity", "epoch"])
def test_days_that_are_none(text: str) -> None:
    assert codes(check("demand", demand=["D"], product=["P"], units=["1"], due=[text])) == [("not_a_date", 2, "due")]


@pytest.mark.parametrize(
    ("text", "at", "date_only"),
    [
        ("2026-01-05", moment(2026, 1, 4, 16), True),
        ("2026年1月5日", moment(2026, 1, 4, 16), True),
        ("2026-01-05 00:00", moment(2026, 1, 4, 16), False),
        ("2026/1/5 8:30", moment(2026, 1, 5, 0, 30), False),
        ("2026年1月5日 08:30:15", moment(2026, 1, 5, 0, 30, 15), False),
        ("2026-01-05T08:30:00.25", moment(2026, 1, 5, 0, 30, 0, 250_000), False),
        ("2026-01-05T08:30:00Z", moment(2026, 1, 5, 8, 30), False),
        ("2026-01-05 08:30:00+0530", moment(2026, 1, 5, 3), False),
        ("2026-01-05T08:30-05:00", moment(2026, 1, 5, 13, 30), False),
    ],
)
def test_moments_are_local_unless_they_say_otherwise(text: str, at: datetime, date_only: bool) -> None:
    checked = sales(happened_at=[text])
    assert checked.findings == ()
    assert checked.rows["happened_at"].to_pylist() == [at]
    assert checked.rows[DATE_ONLY].to_pylist() == [date_only]


def test_known_at_with_a_date_alone_is_the_end_of_that_day() -> None:
    checked = sales(known_at=["2026-01-05", "2026-01-05 09:00", ""])
    assert checked.rows["known_at"].to_pylist() == [moment(2026, 1, 5, 16), moment(2026, 1, 5, 1), None]


def test_daylight_saving() -> None:
    """New York 2026: clocks go from 02:00 EST to 03:00 EDT on 8 March and back from 02:00 EDT on 1 November.

    8 March 02:30 does not exist and is read with the offset before, -5: 07:30 UTC. 1 November 01:30 comes twice, the
    first is EDT, -4: 05:30 UTC. Midnights: 8 March at -5, 9 March at -4.
    """
    texts = ["2026-03-08 02:30", "2026-11-01 01:30", "2026-03-08", "2026-03-09", "2026-03-08 12:00"]
    checked = check("sales", NEW_YORK, product=["P"] * 5, units=["1"] * 5, happened_at=texts)
    assert checked.rows["happened_at"].to_pylist() == [
        moment(2026, 3, 8, 7, 30),
        moment(2026, 11, 1, 5, 30),
        moment(2026, 3, 8, 5),
        moment(2026, 3, 9, 4),
        moment(2026, 3, 8, 16),
    ]


@given(
    st.lists(st.datetimes(datetime.fromisoformat("1995-01-01"), datetime.fromisoformat("2090-01-01")), max_size=30),
    st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Dhaka", "Africa/Casablanca"]),
)
def test_local_to_utc_agrees_with_python(moments: list[datetime], name: str) -> None:
    zone = ZoneInfo(name)
    result = local_to_utc(np.array(moments, dtype="M8[us]"), zone)
    expected = [m.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) for m in moments]
    assert result.tolist() == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("Yes", True),
        ("1", True),
        ("是", True),
        ("FALSE", False),
        ("no", False),
        ("0", False),
        ("否", False),
    ],
)
def test_yes_and_no(text: str, value: bool) -> None:
    checked = check("stock", happened_at=["2026-01-05"], product=["P"], available=[text])
    assert checked.findings == () and checked.rows["available"].to_pylist() == [value]


def test_neither_yes_nor_no() -> None:
    checked = check("stock", happened_at=["2026-01-05"], product=["P"], available=["maybe"])
    assert codes(checked) == [("not_a_boolean", 2, "available")]


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("3.0", 3), ("-2", -2), ("1,000", 1000)])
def test_whole_numbers(text: str, value: int) -> None:
    equal = ChainSettings("test", defaults=Defaults(priority_factor=1.0))  # so that any priority may be told
    checked = check("demand", equal, demand=["D"], product=["P"], units=["1"], due=["2026-01-05"], priority=[text])
    assert checked.rows["priority"].to_pylist() == [value]


def test_no_whole_number() -> None:
    checked = check("demand", demand=["D"], product=["P"], units=["1"], due=["2026-01-05"], priority=["1.5"])
    assert codes(checked) == [("not_an_integer", 2, "priority")]


@pytest.mark.parametrize(
    ("table", "columns", "expected"),
    [
        ("lines", {"line": ["L"], "hours_per_week": ["-1"]}, ("under_minimum", "hours_per_week")),
        ("recipes", {"recipe": ["R"], "product": ["P"], "yield_share": ["95"]}, ("over_maximum", "yield_share")),
        ("recipes", {"recipe": ["R"], "product": ["P"], "yield_share": ["0"]}, ("not_above", "yield_share")),
        (
            "components",
            {"product": ["P"], "component": ["C"], "units_per_unit": ["1"], "scrap_share": ["1"]},
            ("not_below", "scrap_share"),
        ),
        ("products", {"product": ["P"], "kind": ["thing"]}, ("not_a_choice", "kind")),
        ("products", {"product": ["P"], "launched_on": ["1066-10-14"]}, ("impossible_date", "launched_on")),
        (
            "line_calendar",
            {"line": ["L"], "from": ["2026-01-05"], "to": ["2026-01-05"], "hours": ["1"]},
            ("not_after", "to"),
        ),
        (
            "recipes",
            {"recipe": ["R"], "product": ["P"], "valid_from": ["2026-01-05"], "valid_to": ["2025-01-05"]},
            ("not_after", "valid_to"),
        ),
        (
            "orders",
            {"order": ["O"], "product": ["P"], "units": ["1"], "start": ["2026-01-06"], "due": ["2026-01-05"]},
            ("before", "due"),
        ),
        (
            "firm_shares",
            {"firm": ["F"], "floor_share": ["0.4"], "ceiling_share": ["0.3"]},
            ("under_floor", "ceiling_share"),
        ),
        ("substitutes", {"product": ["P"], "substitute": ["P"]}, ("own_substitute", "substitute")),
    ],
)
def test_rules(table: str, columns: dict[str, list[str]], expected: tuple[str, str]) -> None:
    checked = check(table, **columns)
    assert [(f.code, f.column, f.row, f.severity) for f in checked.findings] == [(*expected, 2, "error")]
    assert checked.rows.num_rows == 0 and checked.rejected[ROW].to_pylist() == [2]


def test_odd_dates_are_kept_with_a_warning() -> None:
    checked = check("products", product=["P"], launched_on=["1970-01-01"])
    assert [(f.code, f.severity) for f in checked.findings] == [("odd_date", "warning")]
    assert checked.rows["launched_on"].to_pylist() == [date(1970, 1, 1)]


def test_for_ever_is_no_end() -> None:
    checked = check("recipes", recipe=["R"], product=["P"], valid_to=["9999-12-31"])
    assert checked.findings == () and checked.rows["valid_to"].to_pylist() == [None]


def test_choices_in_any_case() -> None:
    assert check("products", product=["P"], kind=["Material"]).rows["kind"].to_pylist() == ["material"]


def test_missing_column_names_the_nearest_and_lets_nothing_in() -> None:
    checked = check("lines", line=["L", "M"], hours_per_wek=["40", "x"])
    errors = [f for f in checked.findings if f.severity == "error"]
    assert [(f.code, f.column, f.row) for f in errors] == [("missing_column", "hours_per_week", None)]
    assert "hours_per_wek" in errors[0].remedy.text("en") and "hours_per_wek" in errors[0].remedy.text("zh")
    assert checked.rows.num_rows == 0 and checked.rejected.num_rows == 0


def test_a_missing_column_does_not_hide_what_else_is_wrong() -> None:
    checked = check("recipes", recipe=["R"], yield_share=["2"])
    assert {f.code for f in checked.findings} == {"missing_column", "over_maximum"}


def test_unknown_column_is_a_warning_with_the_nearest_name() -> None:
    checked = check("products", product=["P"], colur=["red"])
    assert [(f.code, f.severity, f.column) for f in checked.findings] == [("unknown_column", "warning", "colur")]
    assert "'colour'" in checked.findings[0].remedy.text("en")
    assert "colur" not in checked.rows.column_names and checked.rows.num_rows == 1


def test_headers_in_other_spellings() -> None:
    checked = check("lines", **{"Line": ["L"], "Hours per week": ["40"]})
    assert checked.findings == () and checked.rows["hours_per_week"].to_pylist() == [40.0]


def test_text_is_trimmed_and_empty_text_is_null() -> None:
    checked = check("products", product=["\u3000P ", "Q"], name=["", "  "])
    assert checked.rows["product"].to_pylist() == ["P", "Q"]
    assert checked.rows["name"].to_pylist() == [None, None]


def test_rows_have_the_types_of_the_table() -> None:
    checked = sales(price=["1"], customer=["C"], known_at=["2026-01-05"])
    columns = tables()["sales"].columns
    for name in checked.rows.column_names:
        if name in columns:
            assert checked.rows[name].type == arrow_type(columns[name])
    assert checked.rows[ROW].type == pa.int64() and checked.rows[DATE_ONLY].type == pa.bool_()
    assert checked.rejected.schema == REJECTED_SCHEMA


# --- typed input -------------------------------------------------------------------------------------------------


def test_typed_columns_of_parquet_and_excel() -> None:
    naive = pa.array([datetime.fromisoformat("2026-01-05 08:00")], pa.timestamp("ns"))
    zoned = pa.array([datetime.fromisoformat("2026-01-05 08:00")], pa.timestamp("ms", tz="UTC"))
    for happened_at, at, date_only in (
        (naive, moment(2026, 1, 5, 0), False),
        (zoned, moment(2026, 1, 5, 8), False),
        (pa.array([date(2026, 1, 5)]), moment(2026, 1, 4, 16), True),
        (pa.array([46027.0]), moment(2026, 1, 4, 16), True),  # 46027 days after 1899-12-30 is 2026-01-05
        (pa.array([46027.5]), moment(2026, 1, 5, 4), False),
        (pa.array([20260105]), moment(2026, 1, 4, 16), True),
    ):
        checked = sales(happened_at=happened_at, units=pa.array([2], pa.int8()), product=pa.array([1001.0]))
        assert checked.findings == ()
        (row,) = checked.rows.to_pylist()
        assert (row["happened_at"], row[DATE_ONLY], row["units"], row["product"]) == (at, date_only, 2.0, "1001")


@pytest.mark.parametrize(
    ("units", "code"),
    [
        (pa.array([float("nan")]), "not_finite"),
        (pa.array([float("inf")]), "not_finite"),
        (pa.array([True]), "not_a_number"),
        (pa.array([date(2026, 1, 5)]), "not_a_number"),
        (pa.array([[1]]), "not_a_number"),
        (pa.array([b"1"]), "not_a_number"),
        (pa.nulls(1), "missing_value"),
    ],
)
def test_typed_columns_that_do_not_fit(units: pa.Array, code: str) -> None:
    checked = sales(units=units)
    assert codes(checked) == [(code, 2, "units")]
    assert json.loads(checked.rejected["findings"][0].as_py())[0]["code"] == code


def test_dictionary_large_text_and_decimal_are_read_as_what_they_hold() -> None:
    product = pa.array(["P"], pa.large_string()).dictionary_encode()
    checked = sales(product=product, units=pa.array(["3"]).cast(pa.decimal128(9, 2)))
    assert checked.findings == () and checked.rows["units"].to_pylist() == [3.0]


# --- keys --------------------------------------------------------------------------------------------------------


def test_duplicate_key_of_a_master_table() -> None:
    checked = check("lines", line=["L", "M", " L"], hours_per_week=["40", "40", "40"])
    assert codes(checked) == [("duplicate_key", 4, "line")]
    assert checked.rows["line"].to_pylist() == ["L", "M"]


def test_versions_of_a_master_row_are_no_duplicates() -> None:
    checked = check(
        "lines",
        line=["L", "L", "L"],
        hours_per_week=["40", "44", "48"],
        known_at=["2026-01-05", "2026-01-12", "2026-01-12"],
        valid_from=["", "", "2026-02-01"],
    )
    assert checked.findings == () and checked.rows.num_rows == 3


def test_equal_events_may_repeat_but_not_with_other_content() -> None:
    """Rows 2 and 3 are equal; row 4 has their key and other units; row 5 is a correction; 6 and 7 have no key."""
    checked = sales(
        sale=["a", "a", "a", "a", "", ""],
        units=["1", "1", "2", "3", "1", "2"],
        known_at=["2026-01-06"] * 3 + ["2026-01-07"] + ["2026-01-06"] * 2,
    )
    assert codes(checked) == [("conflicting_event", 4, "sale")]
    assert checked.rows[ROW].to_pylist() == [2, 3, 5, 6, 7]


# --- rejected rows and grouping ----------------------------------------------------------------------------------


def test_rejected_rows_carry_the_row_as_it_came_and_all_their_findings() -> None:
    checked = sales(units=["x", "1"], product=["", "P"], note=["n", "n"])
    assert checked.rows[ROW].to_pylist() == [3]
    (rejected,) = checked.rejected.to_pylist()
    assert rejected[ROW] == 2
    assert json.loads(rejected["raw"]) == {"product": "", "units": "x", "happened_at": "2026-01-05", "note": "n"}
    records = json.loads(rejected["findings"])
    assert {(r["code"], r["column"], r["row"]) for r in records} == {
        ("not_a_number", "units", 2),
        ("missing_value", "product", 2),
    }
    assert all(r["zh"]["found"] and r["found"] for r in records)


def test_twenty_rows_are_named_and_more_are_one_finding() -> None:
    assert len(sales(units=["x"] * 20).findings) == 20
    checked = sales(units=["x"] * 12 + ["1"] + ["y"] * 12)
    (found,) = checked.findings
    assert (found.code, found.row, found.rows_affected) == ("not_a_number", 2, 24)
    assert "2, 3, 4, 5, 6" in found.found.text("en") and "24" in found.found.text("zh")
    assert checked.rejected.num_rows == 24 and checked.rows[ROW].to_pylist() == [14]


def test_row_numbers_of_the_source_are_kept() -> None:
    table = pa.table({"product": ["A", ""], ROW: pa.array([7, 9], pa.int64())})
    checked = validate(tables()["products"], table, "products.csv", SHANGHAI)
    assert checked.rows[ROW].to_pylist() == [7] and [f.row for f in checked.findings] == [9]


def test_no_rows_at_all() -> None:
    checked = check(
        "sales", product=pa.array([], pa.string()), units=pa.array([], pa.string()), happened_at=pa.nulls(0)
    )
    assert checked.rows.num_rows == 0 and checked.findings == ()


def test_nearest() -> None:
    assert nearest("unitz", ["units", "price"]) == "units"
    assert nearest("Product", ["product"]) == "product"
    assert nearest("zzz", ["units", "price"]) is None


# --- batches -----------------------------------------------------------------------------------------------------

_NUMBERS = st.sampled_from(
    ["1", "2.5", " 3 ", "1,234", "1,5", "x", "-1", "", "nan", "1e999", "+4", ".5", "0x10", "1_0"]
)
_MOMENTS = st.sampled_from(
    [
        "2026-01-05",
        "2026-01-05 08:30",
        "2026-01-05T08:30:15.25",
        "2026-01-05T08:30:00Z",
        "2026-01-05 08:30:00+0530",
        "2026年1月5日",
        "2026/1/5 8:30",
        "20260105",
        "2026-01-05 08",
        "2026-01-05 24:00",
        "2026-02-30",
        "1066-10-14",
        "?",
        "",
    ]
)
_SALE = st.tuples(
    st.sampled_from(["", "a", "b", "c"]), st.sampled_from(["P", "Q", " P\u3000", ""]), _NUMBERS, _MOMENTS, _MOMENTS
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_SALE, max_size=40), st.sampled_from([1, 2, 7]))
def test_the_size_of_batches_changes_nothing(rows: list[tuple[str, ...]], batch_rows: int) -> None:
    """A column in which one thing is odd is read by the full rules, a row alone often by the quick ones; keys repeat
    within batches and across them."""
    names = ("sale", "product", "units", "happened_at", "known_at")
    raw = pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})
    known = {"products": pa.array(["P"])}
    one, several = (validate(tables()["sales"], raw, "sales.csv", SHANGHAI, known, size) for size in (1000, batch_rows))
    assert several.rows.equals(one.rows)
    assert several.rejected.equals(one.rejected)
    assert several.findings == one.findings


def test_a_check_that_keeps_no_rejected_rows_finds_the_same() -> None:
    rows = pa.table(
        {"product": ["P", "", "P"], "units": ["1", "2", "x"], "happened_at": ["2026-01-05"] * 3, ROW: [2, 3, 4]}
    )
    checks = [
        TableCheck(tables()["sales"], rows.column_names[:3], "s", SHANGHAI, keep_rejected=keep)
        for keep in (True, False)
    ]
    whole, counted = (check.take(rows) for check in checks)
    assert checks[0].findings == checks[1].findings
    assert whole.rejected[ROW].to_pylist() == counted.rejected[ROW].to_pylist() == [3, 4]
    assert counted.rejected["raw"].null_count == 2


@pytest.mark.parametrize(
    ("table", "row", "code", "column"),
    [
        ("sales", {"units": "1e300"}, "too_large", "units"),
        ("sales", {"price": "1e300"}, "too_large", "price"),
        ("sales", {"units": "inf"}, "not_finite", "units"),
        ("sales", {"units": "NaN"}, "not_finite", "units"),
        ("sales", {"happened_at": "2199-06-01"}, "not_come", "happened_at"),
        ("sales", {"known_at": "2101-01-01"}, "not_come", "known_at"),
        ("sales", {"happened_at": "0001-01-01"}, "impossible_date", "happened_at"),
        ("products", {"price": "1e13"}, "too_large", "price"),
        ("offers", {"offer": "O", "price": "1", "lead_days": "1e9"}, "too_large", "lead_days"),
        ("recipes", {"recipe": "R", "lead_days": "99999"}, "too_large", "lead_days"),
        ("recipes", {"recipe": "R", "yield_share": "1e-300"}, "too_small", "yield_share"),
        ("recipes", {"recipe": "R", "yield_share": "0"}, "not_above", "yield_share"),
        ("components", {"component": "P", "units_per_unit": "1e7"}, "too_large", "units_per_unit"),
        ("demand", {"demand": "D", "due": "2026-01-05", "priority": "2000"}, "too_heavy", "priority"),
        ("demand", {"demand": "D", "due": "2026-01-05", "priority": "20"}, "too_heavy", "priority"),
        ("demand", {"demand": "D", "due": "2026-01-05", "priority": "19"}, None, None),
        ("demand", {"demand": "D", "due": "2026-01-05", "priority": "-9"}, None, None),
        ("products", {"shelf_life_days": "9999"}, None, None),
        ("products", {"price": "1e12"}, None, None),
    ],
)
def test_numbers_and_days_that_no_plan_can_be_made_of(
    table: str, row: dict[str, str], code: str | None, column: str | None
) -> None:
    """2 ^ 19 is the last weight below a million."""
    usual = {"product": "P"} | ({"happened_at": "2026-01-05"} if table == "sales" else {})
    usual |= {"units": "1"} if table in ("sales", "demand") else {}
    checked = check(table, **{name: [text] for name, text in (usual | row).items()})
    assert codes(checked) == ([] if code is None else [(code, 2, column)])
    assert checked.rows.num_rows == (code is None)
    for found in checked.findings:
        assert all(
            part.text(language) for part in (found.found, found.expected, found.remedy) for language in ("en", "zh")
        )


@pytest.mark.parametrize("control", ["\x1b", "\x07", "\x00", "\x7f", "\x9b", "\x0b"])
def test_characters_that_a_terminal_obeys_are_left_out_and_told(control: str) -> None:
    """A tab, a line end and what is merely rare (é, 链, a blank of no width between letters) stay."""
    names = [f"{control}[31mRed", "plain", control, "é 链\t-", None]
    checked = check("products", product=["A", "B", "C", "D", "E"], name=names)
    assert checked.rows["name"].to_pylist() == ["[31mRed", "plain", None, "é 链\t-", None]
    assert codes(checked) == [("control_characters", 2, "name"), ("control_characters", 4, "name")]
    for found in checked.findings:
        assert control not in found.text("en")
    assert checked.rows.num_rows == 5
