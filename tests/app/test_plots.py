"""Plots of results say what the tables say; without matplotlib the remedy is told."""

import sys
import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import pyarrow as pa
import pytest
from matplotlib import pyplot
from matplotlib.dates import date2num

import datong
from mill import write

DAYS = [date(2024, 1, 1) + timedelta(days=2 * n) for n in range(120)]
SOLD = pa.table({"date": DAYS, "SKU": ["A", "$B_1$"] * 60, "qty": [1, 9] * 60, "price": [9.5] * 120})


@pytest.fixture(autouse=True)
def no_figures_are_left() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # letters that this machine has not
        yield
        for number in pyplot.get_fignums():
            pyplot.figure(number).canvas.draw()
    pyplot.close("all")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_forecast_is_drawn_with_its_history_and_interval(language: str) -> None:
    result = datong.forecast(SOLD, horizon=4, language=language)
    axes = result.plot("A")
    rows = [row for row in result.table.to_pylist() if row["product"] == "A"]
    past = [row for row in result.history.to_pylist() if row["product"] == "A"]
    before, ahead = axes.get_lines()
    assert list(before.get_ydata()) == pytest.approx([row["units"] for row in past], nan_ok=True)
    assert list(ahead.get_ydata()) == [row["mean_units"] for row in rows]
    (band,) = axes.collections
    heights = {height for _, height in band.get_paths()[0].vertices}
    assert {row["q10_units"] for row in rows} | {row["q90_units"] for row in rows} <= heights
    words = {"en": "Sold so far", "zh": "历史销量"}
    assert axes.get_legend().get_texts()[0].get_text() == words[language]


def test_the_series_with_most_demand_is_drawn_where_none_is_named_on_the_axes_given() -> None:
    result = datong.forecast(SOLD, horizon=4)
    axes = pyplot.subplots()[1]
    assert result.plot(axes=axes) is axes
    assert axes.get_title() == r"\$B_1\$"  # no formula
    assert result.plot("A", "all").get_title() == "A · all"
    with pytest.raises(datong.NotFound, match=r"'C'.*A"):
        result.plot("C")


def test_what_to_order_is_drawn_from_its_start_to_when_it_is_there() -> None:
    result = datong.replenish(SOLD)
    axes = result.plot()
    rows = [row for row in result.orders.to_pylist() if row["units"] > 0][::-1]
    assert [bar.get_width() for bar in axes.patches] == [(row["due"] - row["start"]).days for row in rows]
    assert [bar.get_x() for bar in axes.patches] == [date2num(row["start"]) for row in rows]
    assert len(result.plot("A").patches) == 1


def test_a_run_draws_its_forecast_stock_and_orders(tmp_path: Path) -> None:
    with datong.open(write(tmp_path / "mill"), language="en") as chain:
        run, replenished = chain.run(), chain.replenish()
    flow = [row for row in run.tables["flow"].to_pylist() if row["product"] == "P"]
    stock = run.plot("stock", "P")
    closing = stock.get_lines()[0]
    assert list(closing.get_ydata()) == pytest.approx([row["closing_units"] for row in flow])
    came, went = (sum(b.get_height() for b in group) for group in stock.containers)
    opening = flow[0]["opening_units"]
    assert opening + came + went == pytest.approx(flow[-1]["closing_units"])
    assert len(run.plot("orders").patches) == min(len(run.orders), 20)
    assert run.plot("forecast").get_lines()
    assert replenished.plot() is not None
    with pytest.raises(datong.NotFound, match="forecast, stock, orders"):
        run.plot("everything")


def test_without_matplotlib_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    result = datong.forecast(SOLD, horizon=2)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(datong.NotFound, match=r"pip install 'datong\[plot\]'"):
        result.plot()
