"""The Python interface: tables in hand, moments as people write them, results that show themselves, one error tree."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datong
from datong.app import sales_without_folder
from datong.app.clock import moment_of
from datong.app.dataframes import arrow_of
from datong.model.settings import ChainSettings
from mill import write

DAYS = [date(2024, 1, 1) + timedelta(days=2 * n) for n in range(120)]
SOLD = {"when": DAYS, "SKU": ["A", "B"] * 60, "qty": [1, 2, 3, 4, 5, 6] * 20, "price": [9.5] * 120}


def frames() -> dict[str, Any]:
    plain = pd.DataFrame(SOLD).assign(when=pd.to_datetime(DAYS))
    return {
        "pandas": plain,
        "pandas, texts": plain.astype({"when": str}),
        "pandas, dates as objects": pd.DataFrame(SOLD),
        "pandas, dated index": plain.set_index("when"),
        "pandas, categories": plain.astype({"SKU": "category"}),
        "pandas, nullable": plain.convert_dtypes(),
        "pandas, any types": plain.astype({"SKU": object, "qty": object}),
        "polars": pl.DataFrame(SOLD),
        "arrow": pa.table(SOLD),
        "columns": SOLD,
    }


def rows_of(result: Any) -> list[dict[str, Any]]:
    return pa.table(result).to_pylist()


@pytest.fixture(scope="module")
def expected() -> list[dict[str, Any]]:
    return rows_of(datong.forecast(pa.table(SOLD), horizon=4))


@pytest.mark.parametrize("kind", frames())
def test_a_forecast_is_the_same_of_any_table_and_comes_as_the_callers_kind(kind: str, expected: list[Any]) -> None:
    given_table = frames()[kind]
    result = datong.forecast(given_table, horizon=4)
    assert rows_of(result) == expected
    wanted = pa.Table if isinstance(given_table, dict) else type(given_table)
    assert type(result.table) is wanted and type(result.history) is wanted
    if wanted is pd.DataFrame:
        assert result.table["bucket"].dtype.kind == "M" and result.history["bucket"].dtype.kind == "M"
    if wanted is pl.DataFrame:
        assert result.table["bucket"].dtype == pl.Date


def test_a_forecast_in_hand_is_that_of_try_and_of_the_folder_that_it_keeps(tmp_path: Path, expected: list[Any]) -> None:
    path = tmp_path / "sales.csv"
    pd.DataFrame(SOLD).to_csv(path, index=False)
    tried = datong.try_(path, keep=tmp_path / "kept")
    in_memory = datong.try_(pd.DataFrame(SOLD))
    with datong.open(tmp_path / "kept") as chain:
        kept = chain.kept_run()
        ordered = chain.replenish().orders.arrow
    for name in ("forecast", "orders", "series"):
        assert tried.run.tables[name] == kept.tables[name] == in_memory.run.tables[name]
    assert tried.run.run == in_memory.run.run
    assert rows_of(datong.forecast(path)) == rows_of(kept.forecast)
    assert datong.replenish(pa.table(SOLD)).orders == ordered
    assert type(in_memory.forecast) is pd.DataFrame and "Read 120 rows" in repr(in_memory)


def test_the_columns_that_are_given_are_taken() -> None:
    odd = pa.table({"d1": DAYS, "d2": DAYS[::-1], "a": SOLD["SKU"], "b": SOLD["SKU"][::-1], "x": SOLD["qty"]})
    named = datong.forecast(odd, horizon=4, date="d1", product="a", units="x")
    assert {c["field"]: c["column"] for c in named.columns} == {"date": "d1", "product": "a", "units": "x"}
    with pytest.raises(datong.Refused, match=r"no column nothing.*d1, d2, a, b, x"):
        datong.forecast(odd, date="nothing")


def test_markets_are_apart_where_their_column_is_named() -> None:
    two = pd.DataFrame({**SOLD, "Country": ["FR", "FR", "DE", "DE"] * 30})
    whole, apart = (datong.forecast(two, horizon=1, market=market) for market in (None, "Country"))
    assert set(whole.table["market"]) == {"all"} and set(apart.table["market"]) == {"FR", "DE"}


def test_many_products_are_followed_in_fewer_futures_as_by_try_and_it_is_said(tmp_path: Path) -> None:
    many = pa.table({"date": ["2024-01-01"] * 1000, "SKU": [f"P{n:04}" for n in range(1000)], "qty": [3] * 1000})
    read = sales_without_folder.read_sales(many, {}, {}, {}, "en")
    assert (
        read.settings.path_count == sales_without_folder.write_chain(tmp_path / "kept", "sales", "", read.reading) == 64
    )
    assert any("64 possible futures" in note for note in read.said)


def test_what_cannot_be_known_is_asked_with_its_readings_and_the_argument_that_answers() -> None:
    unclear = pa.table({"SKU": SOLD["SKU"], "qty": SOLD["qty"], "note": [f"n{i}" for i in range(120)]})
    with pytest.raises(datong.Asked) as asked:
        datong.forecast(unclear)
    (question,) = asked.value.questions
    assert question.key == "date" and [o.name for o in question.options] == ["SKU", "qty", "note"]
    assert "date='SKU'" in str(asked.value) and "for example n0, n1, n2" in str(asked.value)
    for ask in (datong.replenish, datong.try_):  # the same arguments answer them
        with pytest.raises(datong.Refused, match="no column nothing"):
            ask(unclear, date="nothing", product="SKU", units="qty", market="note", price="qty")
    with pytest.raises(datong.Asked) as asked:
        datong.forecast(pa.table({**SOLD, "status": ["paid"] * 119 + ["Limbo"]}))
    (question,) = asked.value.questions
    assert f"answers={{'{question.key}': " in str(asked.value)
    answered = datong.forecast(
        pa.table({**SOLD, "status": ["paid"] * 119 + ["Limbo"]}), answers={question.key: "not_sold"}, language="en"
    )
    assert "Left out: 1 row" in answered.notes[-1]


def test_two_columns_of_quantities_are_asked_about_unless_one_is_named() -> None:
    two = pa.table({**SOLD, "Quantity": [n + 1 for n in SOLD["qty"]]})
    with pytest.raises(datong.Asked, match="units_column"):
        datong.forecast(two)
    for name in ("qty", "Quantity"):
        assert {c["column"] for c in datong.forecast(two, units=name).columns} >= {name}


@pytest.mark.parametrize("thing", [7, "nowhere.csv", pl.DataFrame(SOLD).lazy(), None, [1, 2]])
def test_what_is_no_table_is_refused_in_words(thing: Any) -> None:
    with pytest.raises((datong.Refused, datong.BadInput, FileNotFoundError)):
        datong.forecast(thing)


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(datong.Refused, match="qty twice"):
        datong.forecast(pd.DataFrame([[1, 2]], columns=["qty", "qty"]))


def test_settings_are_held_to_the_rules_of_a_chain() -> None:
    for wrong in ({"horizon": 0}, {"bucket": "month"}, {"country": "Atlantis"}, {"time_zone": "Mars/Base"}):
        with pytest.raises(datong.BadInput):
            datong.forecast(pa.table(SOLD), **wrong)


def test_periods_as_columns_and_mixed_cells_are_read() -> None:
    wide = pd.DataFrame({"sku": ["A", "B"], **{pd.Timestamp(2024, m, 1): [m, 2 * m] for m in range(1, 10)}})
    long = datong.forecast(wide, horizon=2, language="en")
    assert long.notes[-1].startswith("Read 18 rows: 135 units sold")
    mixed = pd.DataFrame(SOLD).assign(SKU=[1, "B"] * 60)
    assert {row["product"] for row in rows_of(datong.forecast(mixed, horizon=1))} == {"1", "B"}


@pytest.mark.parametrize(
    "stock", [{"A": 400, "B": 400}, pd.DataFrame({"product": ["A", "B"], "units": [400, 400]})], ids=["units", "table"]
)
def test_stock_is_counted_and_what_is_assumed_of_it_is_said(stock: Any) -> None:
    without = datong.replenish(pd.DataFrame(SOLD), language="en")
    found = datong.replenish(pd.DataFrame(SOLD), stock=stock, language="en")
    assert (without.orders["units"] > 0).all() and (found.orders["units"] == 0).all()
    assert found.orders["on_hand_units"].tolist() == [400.0, 400.0]
    assert found.orders["start"].dtype.kind == "M"
    assert any("2024-08-26, the last day of sales" in note for note in found.notes)
    dated = pd.DataFrame({"product": ["A", "B"], "units": [400, 400], "happened_at": ["2024-08-26"] * 2})
    assert not any("last day" in note for note in datong.replenish(pd.DataFrame(SOLD), stock=dated).notes)


def test_offers_beside_the_sales_are_used_and_a_wrong_one_is_refused() -> None:
    offers = pd.DataFrame({"offer": ["A/V"], "product": ["A"], "price": [3.0], "lead_days": [21]})
    orders = datong.replenish(pd.DataFrame(SOLD), offers=offers).orders.set_index("product")
    assert orders.loc["A", "offer"] == "A/V" and (orders.loc["A", "due"] - orders.loc["A", "start"]).days == 21
    assert orders.loc["B", "offer"] != "A/V"
    with pytest.raises(datong.BadInput, match="lead_days"):
        datong.replenish(pd.DataFrame(SOLD), offers=offers.assign(lead_days=["soon"]))


def test_lead_days_count_where_no_offer_is_given() -> None:
    for days in (7, 28):
        orders = datong.replenish(pd.DataFrame(SOLD), lead_days=days).orders
        assert set((orders["due"] - orders["start"]).dt.days) == {days}


def test_what_cannot_be_used_of_the_sales_is_asked_about_and_told() -> None:
    gaps = pd.DataFrame({**SOLD, "SKU": [None, "B"] * 60})
    with pytest.raises(datong.Asked, match="no_product"):
        datong.forecast(gaps, horizon=1)
    result = datong.forecast(gaps, horizon=1, answers={"no_product": "leave_out"}, language="en")
    assert {row["product"] for row in rows_of(result)} == {"B"}
    assert any("60 rows without a product" in note for note in result.notes) and result.findings


def test_stock_of_what_was_never_sold_is_told_and_what_is_wrong_is_refused() -> None:
    found = datong.replenish(pd.DataFrame(SOLD), stock={"A": 400, "Z": 3}, language="en")
    assert found.orders.set_index("product")["on_hand_units"].to_dict() == {"A": 400.0, "B": 0.0}
    assert any("'Z'" in note for note in found.notes)
    with pytest.raises(datong.BadInput, match="'x'"):
        datong.replenish(pd.DataFrame(SOLD), stock={"A": "x", "B": 3})
    with pytest.raises(datong.Refused, match="no table"):
        datong.replenish(pd.DataFrame(SOLD), stock="A")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"review": 0}, "review_buckets is 0"), ({"seed": -1}, "seed is -1"), ({"language": "fr"}, "'fr' is not spoken")],
)
def test_options_out_of_their_range_are_refused_in_words(options: dict[str, Any], said: str) -> None:
    with pytest.raises(datong.Refused, match=said):
        datong.replenish(pd.DataFrame(SOLD), **options)


def test_an_empty_table_is_refused_and_categories_of_polars_are_read(expected: list[Any]) -> None:
    with pytest.raises(datong.Refused, match="no rows"):
        datong.forecast(pd.DataFrame(SOLD).iloc[:0])
    categories = pl.DataFrame({**SOLD, "SKU": ["A", "B", None, "B"] * 30}).with_columns(
        pl.col("SKU").cast(pl.Categorical)
    )
    assert arrow_of(categories)["SKU"].to_pylist() == ["A", "B", None, "B"] * 30
    assert arrow_of(categories.clear())["SKU"].to_pylist() == []
    categories = pl.DataFrame(SOLD).with_columns(pl.col("SKU").cast(pl.Categorical))
    assert rows_of(datong.forecast(categories, horizon=4)) == expected


# moments -----------------------------------------------------------------------------------------

SHANGHAI = ChainSettings("here", time_zone="Asia/Shanghai")


@given(st.datetimes(datetime(1971, 1, 1), datetime(2190, 1, 1)))  # noqa: DTZ001 - local ones are meant
def test_a_moment_is_the_same_however_it_is_written(local: datetime) -> None:
    there = local.replace(tzinfo=SHANGHAI.calendar.zone).astimezone(UTC)
    if (there.astimezone(SHANGHAI.calendar.zone).replace(tzinfo=None)) != local:
        return  # skipped by daylight saving
    forms = [local, local.isoformat(), str(local), np.datetime64(local), pd.Timestamp(local), there]
    forms += [there.isoformat(), pd.Timestamp(there), there.astimezone(SHANGHAI.calendar.zone)]
    assert {moment_of(form, SHANGHAI) for form in forms} == {there}
    day = local.date()
    whole = {moment_of(form, SHANGHAI) for form in (day, str(day), np.datetime64(day), pd.Timestamp(day))}
    assert whole == {SHANGHAI.calendar.midnight(day)}


@pytest.mark.parametrize("wrong", ["soon", "", 7, 3.5, pd.NaT, np.datetime64("NaT"), [], "2024-13-01"])
def test_what_is_no_moment_is_refused(wrong: Any) -> None:
    with pytest.raises(datong.Refused, match="is not a moment"):
        moment_of(wrong, SHANGHAI)


@pytest.fixture
def mill(tmp_path: Path) -> Path:
    return write(tmp_path / "mill")


def test_every_question_takes_moments_as_people_write_them(mill: Path) -> None:
    with datong.open(mill) as chain:
        whole = chain.moment("2026-03-02")
        for as_of in ("2026-03-02", date(2026, 3, 2), pd.Timestamp("2026-03-02"), np.datetime64("2026-03-02"), whole):
            assert chain.state(as_of).as_of == whole
            assert chain.run(as_of).as_of == whole
        assert chain.balance("2026-03-02").as_of == whole
        assert chain.replenish("2026-03-02").as_of == whole
        chain.branch("then", "2026-03-02")
        quoted = [
            chain.quote("P", due, 5, as_of="2026-03-02").summary["due"]
            for due in ("2026-03-12", date(2026, 3, 12), pd.Timestamp("2026-03-12 15:00"))
        ]
        assert quoted == ["2026-03-12"] * 3


# results show themselves -------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_results_show_themselves_in_the_chains_language_and_escaped(mill: Path, language: str) -> None:
    products = "product,name,price,kind\nP,<b>Püree</b> & Co,100,finished\nQ,,50,finished\nM,,4,material\n"
    (mill / "products.csv").write_text(products, encoding="utf-8")
    (mill / "chain.toml").write_text(
        'name = "<i>mill</i>"\nhorizon_buckets = 4\nstart = 2026-03-02\n', encoding="utf-8"
    )
    with datong.open(mill, language=language) as chain:
        run = chain.run()
        order = run.orders.arrow["order"][0].as_py()
        shown = [chain, run, chain.quote("P", "2026-03-12", 5), chain.why(order), chain.replenish(), run.orders]
        assert chain.on("main").language == chain.kept_run().language == language
    for one in shown:
        html, text = one._repr_html_(), repr(one)
        assert "<i>mill" not in html and "<b>P" not in html
        assert html.count("<div") == html.count("</div>")
        assert text and "\x1b" not in text and "object at" not in text
    assert "&lt;i&gt;mill" in shown[0]._repr_html_() and "&lt;i&gt;mill" in shown[1]._repr_html_()
    assert ("产品" if language == "zh" else "Product") in shown[1]._repr_html_()
    assert len(repr(chain).splitlines()) == len(repr(run).splitlines()) == 1  # also when it is closed


def test_why_is_taken_apart_as_before(mill: Path) -> None:
    with datong.open(mill, language="en") as chain:
        run = chain.run()
        order = run.orders.arrow["order"][0].as_py()
        number, row, reasons = why = chain.why(order)
    assert (number, row["order"]) == (run.run, order)
    assert len(reasons) == len(why.texts) > 0 and why.texts[0] in repr(why)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_results_in_hand_show_themselves(language: str) -> None:
    sold = pa.table({**SOLD, "SKU": ["<b>A</b>", "B"] * 60})
    for one in (datong.forecast(sold, 2, language=language), datong.replenish(sold, language=language)):
        html = one._repr_html_()
        assert "&lt;b&gt;A" in html and "<b>A" not in html and html.count("<div") == html.count("</div>")
        assert ("产品" if language == "zh" else "Product") in repr(one)


# one error tree, and what the commands do --------------------------------------------------------


def test_all_that_is_offered_is_there_and_errors_have_one_top() -> None:
    assert set(datong.__all__) <= set(dir(datong))
    for name in datong.__all__:
        thing = getattr(datong, name)
        if isinstance(thing, type) and issubclass(thing, Exception):
            assert issubclass(thing, datong.Error)
    assert callable(datong.forecast) and callable(
        datong.replenish
    )  # and not the parts of the engine that have the name
    with pytest.raises(AttributeError):
        _ = datong.nothing
    with pytest.raises(datong.Error):
        datong.open("nowhere at all")


def test_a_chain_is_refused_when_it_is_closed_or_opened_twice(mill: Path) -> None:
    with datong.open(mill) as chain, pytest.raises(datong.LedgerBusy, match=r"chain\.on"):
        datong.open(mill)
    for act in (chain.run, chain.replenish, chain.branches, chain.release, chain.exchange, chain.kept_run):
        with pytest.raises(datong.Refused, match="is closed"):
            act()
    chain.close()


def test_check_write_report_release_and_exchange_do_what_the_commands_do(mill: Path, tmp_path: Path) -> None:
    assert datong.check(mill).findings == datong.open(mill).check().findings
    with datong.open(mill, language="en") as chain:
        result = chain.run()
        out = chain.write(result, tmp_path / "out")
        assert {"orders.parquet", "datong.xlsx"} <= {path.name for path in out.iterdir()}
        page = chain.report(tmp_path / "page.html")
        assert "mill" in page.read_text(encoding="utf-8")
        released = chain.release(due=True)
        assert released and set(released) <= set(result.orders.arrow["order"].to_pylist())
        assert chain.release(due=True) == chain.release(released[0]) == []  # they are out already
        with pytest.raises(datong.NotFound):
            chain.release("W-nothing")
        done = chain.exchange()
        assert done.delivered and done.reports == 0
        assert list((mill / "exchange" / "outbox").iterdir())
        with pytest.raises(datong.Refused):
            chain.branch("what if").exchange()


def test_a_starter_is_written_and_runs(tmp_path: Path) -> None:
    files = datong.init(tmp_path / "bags")
    assert all(path.is_file() for path in files)
    with pytest.raises(datong.Refused):
        datong.init(tmp_path / "bags")


@given(st.lists(st.sampled_from([None, "x", 1, 2.5, True, date(2024, 1, 1)]), min_size=1, max_size=5))
def test_any_column_of_pandas_becomes_arrow(cells: list[Any]) -> None:
    table = arrow_of(pd.DataFrame({"a": pd.Series(cells, dtype=object)}))
    assert table.num_rows == len(cells)
    assert [value is None for value in table["a"].to_pylist()] == [cell is None for cell in cells]
