import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datong.app.result_folder import FOLDER_MARK, write_tables
from datong.model.errors import Refused
from datong.model.flow import PlannedOrder
from datong.model.words import message
from datong.questions.tables_out import (
    message_of,
    most_valuable,
    params_json,
    planned_orders,
    rendered,
    run_tables,
)


def test_every_stage_has_its_tables(result):
    tables = run_tables(result)
    assert list(tables) == [
        *("series", "holidays", "signals", "adjustments", "attributes", "forecast", "forecast_total", "demand"),
        "netting",
        *("clearing", "prices", "gaps", "taken", "besides", "used_for", "order_hours"),
        *(
            "deliveries",
            "flow",
            "stock_limits",
            "hours",
            "money",
            "futures",
            "cost",
            "certificate",
            "orders",
            "reasons",
            "kept",
        ),
        *("after_due", "findings", "messages", "scores"),
    ]
    assert tables["series"].num_rows == 2 * 4
    assert tables["forecast"].num_rows == tables["gaps"].num_rows == 2 * 3
    assert tables["orders"].column("order").to_pylist() == ["W001", "W002"]
    assert tables["reasons"].column("rank").to_pylist() == [1, 2, 1, 2]


def test_unknown_demand_is_null_and_not_zero(result):
    series = run_tables(result)["series"].to_pylist()
    first_of_second = next(r for r in series if r["product"] == "P02")
    assert first_of_second["units"] is None
    assert first_of_second["sold_units"] == 0
    assert first_of_second["availability"] == "stocked_out_inferred"
    assert run_tables(result)["demand"].column("given_units").null_count == 6


def test_total_quantiles_are_those_of_the_sum_in_each_path(result):
    """Sums of quantiles would be too wide: the quantile is taken after summing items within a path."""
    total = run_tables(result)["forecast_total"].to_pylist()[0]
    sums = np.sort(result.forecast.paths[:, :, 0].sum(axis=0))
    assert total["q90_units"] == sums[179]  # the 180th of 200
    assert total["mean_units"] == pytest.approx(sums.mean())


def test_certificate_holds_the_distance_to_the_bound(result):
    """80,000 + 0 + 900 + 1,500 + 2,600 - 100 = 84,900, without the credit 85,000; 400 of 85,000 = 0.471%."""
    row = run_tables(result)["certificate"].to_pylist()[0]
    assert row["total_cost"] == 84_900
    assert row["gap_share"] == pytest.approx(400 / 85_000)


def test_texts_come_back_with_their_types():
    text = message(
        "a.b",
        day=date(2023, 7, 3),
        units=np.float64(2.5),
        odd=float("inf"),
        inner=message("c.d", n=1),
        names=("x", "y"),
    )
    stored = params_json(text)
    json.loads(stored)
    assert message_of("a.b", stored) == text


def test_a_parameter_that_cannot_be_stored_is_a_mistake():
    with pytest.raises(TypeError):
        params_json(message("a.b", what=object()))


def test_rendered_puts_texts_into_the_language(result):
    tables = run_tables(result)
    english, chinese = (rendered(tables, language)["reasons"] for language in ("en", "zh"))
    assert "text_key" not in english.column_names
    assert english["text"][0].as_py() == "LINE01 is held back: a row of it was refused"
    assert chinese["text"][0].as_py() == "LINE01 暂停计划：其数据行未被采用"
    assert english.column_names.index("text") == tables["reasons"].column_names.index("text_key")


def test_words_that_changed_since_a_run_was_kept_do_not_hide_it():
    kept = pa.table({"text_key": ["report.gap.held", "gone.key"], "text_params": ['{"old": 1}', "{}"]})
    assert rendered({"reasons": kept}, "en")["reasons"]["text"].to_pylist() == [
        'report.gap.held {"old": 1}',
        "gone.key {}",
    ]


def test_orders_come_back_from_the_tables(result):
    assert planned_orders(run_tables(result)) == result.plan.orders


def test_most_valuable_orders_first_ties_by_number(result):
    def order(name: str, value: float) -> PlannedOrder:
        one = result.plan.orders[0]
        return replace(one, order=name, value=value)

    chosen = most_valuable([order("B", 5), order("A", 5), order("C", 9), order("D", 1)], 3)
    assert [o.order for o in chosen] == ["C", "A", "B"]


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_same_tables_same_bytes(result, tmp_path):
    write_tables(run_tables(result), tmp_path / "a", {"x.txt": b"1"})
    write_tables(run_tables(result), tmp_path / "b", {"x.txt": b"1"})
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    back = pq.read_table(tmp_path / "a" / "orders.parquet")
    assert back.equals(run_tables(result)["orders"])
    assert {p.name for p in tmp_path.iterdir()} == {"a", "b"}, "nothing temporary is left"


def test_writing_again_replaces_what_was_written(tmp_path):
    write_tables({"a": pa.table({"x": [1]}), "b": pa.table({"x": [1]})}, tmp_path / "out")
    write_tables({"a": pa.table({"x": [2]})}, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.parquet", FOLDER_MARK}
    assert pq.read_table(tmp_path / "out" / "a.parquet")["x"].to_pylist() == [2]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    write_tables({"a": pa.table({"x": [1]})}, tmp_path / "out")
    assert (tmp_path / "out" / "a.parquet").exists()


@pytest.mark.parametrize("foreign", ["sales.csv", "a.parquet"])
def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path, foreign):
    (tmp_path / foreign).write_text("mine")
    with pytest.raises(Refused) as refusal:
        write_tables({"a": pa.table({"x": [1]})}, tmp_path)
    assert foreign in refusal.value.message.text("zh")
    assert (tmp_path / foreign).read_text() == "mine"


def test_a_foreign_file_beside_earlier_results_is_refused(tmp_path):
    write_tables({"a": pa.table({"x": [1]})}, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(Refused):
        write_tables({"a": pa.table({"x": [2]})}, tmp_path / "out")
    assert pq.read_table(tmp_path / "out" / "a.parquet")["x"].to_pylist() == [1]


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(Refused):
        write_tables({}, tmp_path / "out")


def test_a_failure_leaves_the_earlier_results(tmp_path):
    write_tables({"a": pa.table({"x": [1]})}, tmp_path / "out")
    with pytest.raises(AttributeError):
        write_tables({"a": pa.table({"x": [2]}), "b": None}, tmp_path / "out")  # ty: ignore[invalid-argument-type]
    assert pq.read_table(tmp_path / "out" / "a.parquet")["x"].to_pylist() == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
