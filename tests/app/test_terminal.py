import io
import math
import time
from dataclasses import replace

import pyarrow as pa
import pytest
from rich.cells import cell_len
from rich.console import Console

from datong.app.cli.main import main
from datong.app.cli.terminal import (
    balance_progress,
    data,
    finding_record,
    findings,
    line,
    make_console,
    reading,
    records,
    show_replay,
    show_results,
    stage_progress,
    step_progress,
    table,
    warning,
)
from datong.app.wording.columns import method_words, shown_value
from datong.forecast.models_tried import MODELS
from datong.ledger.row_checks import finding_record as kept_record
from datong.model import findings as model_findings
from datong.model.findings import Finding
from datong.model.words import catalogue, message


def printed(inputs, language: str, width: int = 120, **options) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False)
    show_results(inputs, language, console=console, **options)
    if inputs.replay:
        show_replay(inputs.replay, inputs.settings, language, console)
    return file.getvalue()


def test_results_show_gap_signals_orders_and_replay(inputs):
    text = printed(inputs, "en")
    assert any(line.startswith("P01") and line.rstrip().endswith("  LINE01") for line in text.splitlines())
    assert "Signals found: 1" in text and "=P01 is held back: a row of it was refused" in text and "2 sales" in text
    assert "W001" in text and "LINE01 is held back: a row of it was refused" in text
    assert "Datong would have cost BDT 40 less" in text
    assert "lines.hours_per_week, products.price" in text
    assert "W002" not in printed(inputs, "en", orders=1)


def test_gap_table_sums_to_its_total(inputs):
    """What is shown makes up the last row; one product alone is not called 'all others'."""
    lines = printed(inputs, "en").splitlines()

    def demand(name: str) -> float:
        line = next(line for line in lines if line.startswith(name))
        return float(line.removeprefix(name).split()[0].replace(",", ""))

    assert not [line for line in lines if line.startswith("all others")]
    assert demand("P01") + demand("P02") == pytest.approx(demand("In all"), abs=1)


def test_chinese_columns_line_up(inputs):
    lines = printed(inputs, "zh").splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("───"))
    assert "供需缺口" in lines[rule - 2] and "需求" in lines[rule - 1]
    assert len({cell_len(line) for line in lines[rule - 1 : rule + 3]}) == 1


@pytest.mark.parametrize("width", [60, 80])
def test_nothing_is_lost_in_a_narrow_window(inputs, width):
    text = printed(inputs, "zh", width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    demand = sum(r["demand_units"] for r in inputs.tables["gaps"].to_pylist())
    assert "W001" in text and f"{demand:,.0f}" in text


def test_a_long_path_stays_in_one_piece(capsys):
    path = "/" + "x" * 200 + "/报告.html"
    line(f"Report: {path} [bold]")
    assert capsys.readouterr().out == f"Report: {path} [bold]\n"


def test_data_is_printed_as_it_is_and_warnings_stay_out_of_a_pipe(capsys):
    data('{"a": "[red]"}')
    warning("mind")
    with reading("busy", "en"):
        pass
    out, err = capsys.readouterr()
    assert (out, err) == ('{"a": "[red]"}\n', "mind\n")


def test_any_table_prints_without_its_empty_columns():
    file = io.StringIO()
    rows = pa.table({"product": ["A"], "lot": pa.array([None], pa.string()), "units": [1234.5]})
    table(rows, "zh", Console(file=file, width=100))
    assert "产品" in file.getvalue() and "1,234" in file.getvalue() and "lot" not in file.getvalue()
    records([{"table": "sales", "column": "[units]"}], "en", Console(file=file, width=100))
    assert "[units]" in file.getvalue()


def test_says_so_when_there_is_nothing(inputs):
    tables = {n: t.slice(0, 0) for n, t in inputs.tables.items()} | {"certificate": inputs.tables["certificate"]}
    text = printed(replace(inputs, tables=tables, replay={}, assumed=()), "en")
    assert "No order is worth placing now." in text and "Signals found: 0" in text
    assert "assumed" not in text


def finding(severity, rows: int = 1) -> Finding:
    return Finding(
        severity=severity,
        code="unknown_product",
        source="sales.csv",
        found=message("report.title", name="[bold]X[/bold]", day="1"),
        expected=message("report.none"),
        remedy=message("report.none"),
        row=7,
        column="product",
        rows_affected=rows,
    )


def test_a_finding_is_not_cut_where_its_names_are_wide():
    parts = "洗发300 (成都), of a forecast of 242 in the week of 2026-03-16, 150 are firm orders (C03 150)"
    told = model_findings.finding("note", "netting.part_ordered", "demand", parts=parts)
    for width in range(60, 140):
        file = io.StringIO()
        findings([told], "en", Console(file=file, width=width, highlight=False))
        assert "…" not in file.getvalue()
        assert parts.replace(" ", "") in "".join(file.getvalue().split())


def test_findings_say_where_what_and_the_remedy():
    file = io.StringIO()
    found = [finding("error", rows=1200), finding("warning")]
    findings(found, "en", Console(file=file, width=100, highlight=False))
    text = file.getvalue()
    assert "error  sales.csv, row 7, column product (1,200 rows)  [unknown_product]" in text
    assert "[bold]X[/bold]" in text, "data is not markup"
    assert text.count("Remedy") == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_kept_finding_reads_as_the_finding_did(language):
    assert finding_record(kept_record(finding("error")), language) == finding("error").text(language)


def test_no_colour_in_a_pipe_or_with_no_color(inputs, monkeypatch):
    file = io.StringIO()
    show_results(inputs, "en", console=make_console(file))
    assert "\x1b" not in file.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    assert make_console(file).no_color


def test_progress_is_quiet_where_nobody_watches():
    file = io.StringIO()
    with stage_progress("en", Console(file=file)) as on_stage:
        on_stage("sense")
        on_stage("forecast")
    with step_progress("weeks", 3, Console(file=file)) as on_step:
        on_step(2)
    assert file.getvalue().strip() == ""


def test_the_bar_of_a_balance_tells_step_gap_and_bound():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None)
    with balance_progress("en", "CNY", console) as (on_stage, on_progress):
        assert on_progress(0.0, 0, None, -math.inf)  # before any stage
        on_stage("balance")
        assert on_progress(0.1, 3, None, -math.inf)
        time.sleep(0.3)  # the line is drawn a few times a second
        assert on_progress(0.5, 12, 2000.0, 1990.0)
        time.sleep(0.3)
    shown = file.getvalue()
    assert "balance: step 3 " in shown
    assert "balance: step 12, gap 0.50% of all cost, bound CNY 1.99k" in shown
    quiet = io.StringIO()
    with balance_progress("zh", "CNY", Console(file=quiet)) as (on_stage, on_progress):
        on_stage("balance")
        assert on_progress(0.5, 12, 2000.0, 1990.0)
    assert quiet.getvalue().strip() == ""


def test_reading_shows_how_many_rows_have_come():
    file = io.StringIO()
    with reading("sales.csv", "zh", Console(file=file, force_terminal=True, width=80, color_system=None)) as on_rows:
        on_rows("sales", 1_250_000)
        time.sleep(0.3)  # the line is drawn a few times a second
    assert "已读 1,250,000 行" in file.getvalue()
    with reading("sales.csv", "zh", Console(file=io.StringIO())) as on_rows:
        on_rows("sales", 1)


def test_progress_shows_each_stage_in_the_language():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system=None)
    with stage_progress("zh", console) as on_stage:
        for stage in ("sense", "forecast"):
            on_stage(stage)
    assert "感知" in file.getvalue() and "预测" in file.getvalue()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_model_of_a_forecast_has_words(language: str) -> None:
    for name in (*MODELS, "pooled"):
        assert f"forecast.model.{name}" in catalogue()
    told = method_words("WindowAverage26+SES", language)
    assert "WindowAverage" not in told and "SES" not in told
    assert told == {"zh": "经回测选用：最近 26 期均值、指数平滑"}.get(
        language, "chosen by back-test: mean of the last 26 periods, exponential smoothing"
    )


def test_yes_and_no_are_words() -> None:
    said = [shown_value("late", value, language) for language in ("en", "zh") for value in (True, False)]
    assert said == ["yes", "no", "是", "否"]


def test_the_schema_is_told_in_chinese_but_for_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "orders", "--lang", "zh"]) == 0
    head, *rows = [line for line in capsys.readouterr().out.splitlines() if line.strip()][1:]
    assert not any(letter.isascii() and letter.isalpha() for letter in head), head
    assert not any(word in " ".join(rows) for word in ("True", "False"))
