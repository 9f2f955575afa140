"""Whatever stands in a table or in chain.toml: a finding with its row and remedy, a refusal in words, or a plan of
finite numbers; never a traceback, and nothing planned by a default that nobody chose."""

import math
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datong
from datong.app.check_folder import check_chain
from datong.app.cli.main import main
from datong.connectors.files.settings import read_settings
from datong.cycle import run_cycle
from datong.ledger.can_be_planned import beyond_limits, refuse_too_large
from datong.ledger.row_checks import validate
from datong.ledger.state import State, state_of_tables
from datong.model.errors import BadInput, DatongError, Refused
from datong.model.findings import Finding
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings, Defaults
from datong.model.tables import tables
from datong.network.doubts_before_planning import review
from datong.questions.tables_out import run_tables

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

# P is made of C on line L, for given demand; Q is bought, and forecast from its sales.
ROWS: dict[str, list[dict[str, str]]] = {
    "products": [{"product": p, "kind": k, "price": "100"} for p, k in (("P", ""), ("Q", ""), ("C", "component"))],
    "lines": [{"line": "L", "hours_per_week": "40"}],
    "line_calendar": [{"line": "L", "from": "2026-01-12", "to": "2026-01-19", "hours": "20"}],
    "recipes": [{"recipe": "RP", "product": "P", "line": "L", "hours_per_unit": "1", "cost_per_unit": "2"}],
    "components": [{"product": "P", "component": "C", "units_per_unit": "1"}],
    "offers": [
        {"offer": "OC", "product": "C", "price": "1", "lead_days": "0"},
        {"offer": "OQ", "product": "Q", "price": "40", "lead_days": "3"},
    ],
    "economics": [{"product": "P", "lost_sale_cost_per_unit": "100"}],
    "demand": [
        {"demand": "d1", "product": "P", "due": "2026-01-06", "units": "5", "firm": "yes", "priority": "0"},
        {"demand": "d2", "product": "P", "due": "2026-01-20", "units": "5", "firm": "no", "priority": "1"},
    ],
    "sales": [
        {"sale": f"s{i}", "product": "Q", "units": str(3 + i % 3), "price": "100", "happened_at": f"2025-{m}-{d}"}
        for i, (m, d) in enumerate((m, d) for m in ("11", "12") for d in ("03", "10", "17", "24"))
    ],
    "stock": [{"product": "P", "units": "2", "happened_at": "2026-01-04"}],
    "orders": [
        {"order": "W1", "product": "P", "recipe": "RP", "units": "1", "start": "2026-01-05", "due": "2026-01-06",
         "locked": "yes"}
    ],
}  # fmt: skip
COLUMNS = sorted(
    (name, column.name)
    for name in ROWS
    for column in tables()[name].columns.values()
    if column.type in ("number", "integer", "date", "moment")
)
VALUES = st.sampled_from(
    [
        "",
        "0",
        "1",
        "-1",
        "0.3",
        "2000",
        "1e300",
        "-1e300",
        "1e-300",
        "1e-7",
        "1e-6",
        "1e9",
        "1e12",
        "1e15",
        "nan",
        "inf",
        "-inf",
        "x",
        "1,5",
        "19",
        "999999",
        "0001-01-01",
        "1899-12-31",
        "1970-01-01",
        "2025-12-29",
        "2026-01-12",
        "2099-12-31",
        "2199-12-31",
        "9999-12-31",
        "10000-01-01",
    ]
)


def state_of(rows: dict[str, list[dict[str, str]]], own: ChainSettings) -> tuple[State, list[Finding]]:
    """The rows through the checks of their tables, as a ledger would hold them, and what the checks found."""
    known: dict[str, pa.Array] = {}
    good, found = {}, []
    for name in (name for name in tables() if name in rows):
        columns = list(dict.fromkeys(column for row in rows[name] for column in row))
        texts = pa.table({column: pa.array([row.get(column) for row in rows[name]], pa.string()) for column in columns})
        checked = validate(tables()[name], texts, f"{name}.csv", own, known)
        found += checked.findings
        key = tables()[name].key[0]
        if key in checked.rows.column_names:
            known[name] = checked.rows[key].combine_chunks()
            good[name] = checked.rows.select([c for c in checked.rows.column_names if c in tables()[name].columns])
    return state_of_tables(own, MONDAY, good), found


def all_finite(table: pa.Table) -> bool:
    numbers = [table[f.name].to_pylist() for f in table.schema if pa.types.is_floating(f.type)]
    return all(math.isfinite(value) for column in numbers for value in column if value is not None)


def plan_or_words(state: State) -> None:
    """A plan of finite numbers, or an error that a user can mend."""
    if not state.table("products").num_rows or not (state.table("sales").num_rows + state.table("demand").num_rows):
        return
    assert beyond_limits(state) == ()
    try:
        refuse_too_large(state)
        review(state)
        made = run_tables(run_cycle(state, nothing_learnt(), [], 0))
    except DatongError as error:
        assert error.message.text("en") and error.message.text("zh")
        return
    for name, table in made.items():
        assert all_finite(table), name


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.dictionaries(st.tuples(st.sampled_from(COLUMNS), st.integers(0, 1)), VALUES, min_size=1, max_size=5))
def test_any_values_give_findings_or_a_plan(changes: dict[tuple[tuple[str, str], int], str]) -> None:
    rows = {name: [dict(row) for row in own] for name, own in ROWS.items()}
    for ((name, column), at), value in changes.items():
        rows[name][min(at, len(rows[name]) - 1)][column] = value
    state, found = state_of(rows, ChainSettings("x", horizon_buckets=3, path_count=4))
    for one in found:
        assert (one.row is not None and one.column is not None) or one.code == "duplicate_key"
        assert all(part.text(lang) for part in (one.found, one.expected, one.remedy) for lang in ("en", "zh"))
    plan_or_words(state)


SETTINGS: dict[str, list[str]] = {
    "time_zone": ['"Asia/Shanghai"', '"Nowhere/City"', '"../etc"', '""', "8", '"America/New_York"'],
    "currency": ['"USD"', '"yuan"', '"€"', "7", '""', '"usd"'],
    "bucket": ['"day"', '"week"', '"month"', '"Day"', "7"],
    "start": ["2026-01-07", "0001-01-01", "2199-01-01", "9999-12-31", '"2026-01-05"', "2026-01-05T10:00:00"],
    "horizon_buckets": ["1", "2", "0", "-3", "520", "521", "1e9", "1000000000", "2.5", "true"],
    "country": ['"CN"', '"XX"', "1"],
    "promise_days": ["0", "9", "3650", "3651", "-1", "0.5"],
    "frozen_buckets": ["0", "1", "-1", "3", "520"],
    "max_late_days": ["0", "6", "3650", "1000000", "-1"],
    "path_count": ["1", "3", "0", "-5", "10001", "1e4"],
    "seed": ["0", "4294967295", "4294967296", "-1", '"x"'],
    "history": ['"live"', '"declared"', '"past"'],
    "defaults.price": ["0", "1e12", "1e300", "nan", "inf", "-1"],
    "defaults.cost_share": ["0", "1000", "1001", "-0.1"],
    "defaults.holding_share_per_week": ["0", "1000", "nan"],
    "defaults.late_share_per_week": ["0", "1000", "inf"],
    "defaults.late_horizon_factor": ["0", "1000", "nan"],
    "defaults.lost_sale_share": ["0", "1000", "1e18"],
    "defaults.offer_lead_days": ["0", "3650", "1e9"],
    "defaults.priority_factor": ["1", "1000", "0.5", "1e9"],
    "defaults.firm_factor": ["1", "1000", "1e9"],
    "defaults.change_cost_share": ["0", "1000", "-1"],
    "defaults.firm_share_factor": ["0", "1000", "nan"],
    "horizon": ["3"],
    "defaults.prise": ["3"],
}


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.data())
def test_any_settings_give_findings_or_a_plan(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=4, unique=True))
    lines = [f"{name} = {data.draw(st.sampled_from(SETTINGS[name]))}" for name in sorted(names, key=lambda n: "." in n)]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "chain.toml").write_text("\n".join(['name = "x"', *lines]) + "\n", encoding="utf-8")
        own, found = read_settings(Path(place))
    assert own is not None
    for one in found:
        assert one.column is not None and one.column in " ".join(lines)
        assert all(part.text(lang) for part in (one.found, one.expected, one.remedy) for lang in ("en", "zh"))
    if not found:
        plan_or_words(state_of(ROWS, own)[0])


def write(folder: Path, chain: str, **changed: list[dict[str, str]]) -> Path:
    folder.mkdir()
    (folder / "chain.toml").write_text(chain, encoding="utf-8")
    for name, rows in (ROWS | changed).items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        lines = [",".join(columns), *(",".join(row.get(column, "") for column in columns) for row in rows)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ('time_zone = "Nowhere/City"', ("IANA", "IANA")),
        ("horizon_buckets = 0", ("from 1 to 520", "1 到 520")),
        ("frozen_buckets = 13", ("from 0 to 12", "0 到 12")),
        ('bucket = "month"', ('"week"', '"week"')),
        ("path_count = 0", ("from 1 to 10000", "1 到 10000")),
        ('currency = "€€€"', ("ISO 4217", "ISO 4217")),
        ('history = "liv"', ('"live"', '"live"')),
        ("start = 9999-12-31", ("from 1990-01-01 to 2100-12-31", "1990-01-01 至 2100-12-31")),
        ("horizon_bucket = 3", ("horizon_buckets", "horizon_buckets")),
    ],
)
def test_a_wrong_setting_stops_every_command_that_opens_the_chain(
    line: str, allowed: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "x", f'name = "x"\n{line}\n')
    for language, words in zip(("en", "zh"), allowed, strict=True):
        for command in ("check", "run", "balance", "quarantine"):
            assert main([command, str(folder), "--lang", language]) == 1
            printed = capsys.readouterr()
            text = " ".join((printed.out + printed.err).split())
            assert line.split()[0] in text and words in text, (command, text)
    assert not (folder / ".datong").exists()  # nothing was read by a default that nobody chose


def test_a_row_that_was_good_under_other_settings_stops_the_plan(tmp_path: Path) -> None:
    """Priority 1000 is one like any other while priority_factor is 1; then a step is twice as dear: 2 ^ 1000."""
    heavy = [ROWS["demand"][0] | {"priority": "1000"}, ROWS["demand"][1]]
    folder = write(tmp_path / "x", 'name = "x"\n[defaults]\npriority_factor = 1\n', demand=heavy)
    with datong.open(folder) as chain:
        chain.balance()
    (folder / "chain.toml").write_text('name = "x"\n', encoding="utf-8")
    with datong.open(folder) as chain:
        assert "too_heavy" in [f.code for f in chain.findings]
        with pytest.raises(BadInput) as refused:
            chain.balance()
        (found,) = refused.value.findings
        assert found.code == "beyond" and found.column == "priority" and "demand:d1" in found.text("en")
        chain.withdraw("demand", ["demand:d1"])
        chain.balance()


def test_a_plan_too_large_for_memory_is_refused_with_what_makes_it_large() -> None:
    many = [{"product": f"P{i}", "kind": "", "price": "1"} for i in range(500)]
    state, _ = state_of({"products": many}, ChainSettings("x", horizon_buckets=520, path_count=10_000))
    with pytest.raises(Refused, match="path_count"):
        refuse_too_large(state)


def test_a_record_of_the_far_future_is_refused_unless_the_plan_starts_there(tmp_path: Path) -> None:
    """The chain stands at its last record: of 2062 instead of 2026, all of it would be planned as of then."""
    sales = [*ROWS["sales"], {"sale": "s9", "product": "Q", "units": "1", "happened_at": "2062-01-05"}]

    def today() -> datetime:
        return datetime(2026, 1, 9, tzinfo=UTC)

    folder = write(tmp_path / "x", 'name = "x"\n', sales=sales)
    wrong = [("not_come", "sales.csv", len(sales) + 1)]
    assert [(f.code, f.source, f.row) for f in check_chain(folder, today).findings if f.severity == "error"] == wrong
    for _ in range(2):  # also where nothing has changed
        with datong.app.chain.Chain(folder, today) as chain:
            assert [(f.code, f.source, f.row) for f in chain.findings] == wrong
            assert chain.default_as_of().year == 2026
    with datong.app.chain.Chain(folder, lambda: datetime(2062, 1, 9, tzinfo=UTC)) as chain:
        assert chain.findings == () and chain.default_as_of().year == 2062
    ahead = write(tmp_path / "y", 'name = "x"\nstart = 2062-01-09\n', sales=sales)
    with datong.app.chain.Chain(ahead, today) as chain:
        assert chain.findings == ()


@pytest.mark.parametrize("moment", ["9999-12-31", "0001-01-01", "2200-01-01", "1900-01-01T00:00+00:00"])
def test_a_moment_beyond_all_records_is_refused(
    moment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "x", 'name = "x"\n')
    assert main(["run", str(folder), "--as-of", moment, "--lang", "en"]) == 2
    assert "2199-12-31" in capsys.readouterr().err


def test_a_number_of_the_ledger_that_is_none_is_refused() -> None:
    bad = pa.table({"product": ["P"], "price": [float("nan")]})
    state = state_of_tables(ChainSettings("x", defaults=Defaults()), MONDAY, {"products": bad})
    (found,) = beyond_limits(state)
    assert (found.source, found.column) == ("products", "price")
