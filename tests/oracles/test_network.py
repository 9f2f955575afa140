"""The network benchmark with its referee: the market's optimum, and whole orders that the referee accepts."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datong.balance.solvers import balance
from datong.ledger.state import state_of_tables
from datong.model.flow import Forecast, Item, nothing_learnt
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.plan.reason import sentence
from planning import plan
from script import load

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"
FOLDER = SHARED / "bench" / "network" / "100"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the benchmark folder is not beside this checkout")


@pytest.fixture(scope="module")
def chain():
    """State and forecast of the folder: its demand is given, so every path is the same."""
    settings = ChainSettings(**tomllib.loads((FOLDER / "chain.toml").read_text(encoding="utf-8")))
    given = {f.stem: pq.read_table(f) for f in FOLDER.glob("*.parquet") if f.stem in tables()}
    stock = given["stock"]
    moments = stock["happened_at"].cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    given["stock"] = stock.set_column(0, "happened_at", moments)
    state = state_of_tables(settings, datetime(2026, 1, 5, tzinfo=UTC), given)
    starts = settings.calendar.starts(settings.start, settings.horizon_buckets)
    rows = state.table("demand").to_pylist()
    items = sorted({Item(r["product"], r["market"]) for r in rows})
    index = {item: i for i, item in enumerate(items)}
    paths = np.zeros((len(items), 3, len(starts)))
    for r in rows:
        paths[index[Item(r["product"], r["market"])], :, settings.calendar.index(r["due"], starts[0])] += r["units"]
    zero = np.zeros(len(items))
    method = ("given",) * len(items)
    return state, Forecast(tuple(items), starts, paths, method, zero.astype(np.int64), zero.astype(bool))


@pytest.fixture(scope="module")
def clearing(chain):
    return balance(*chain, nothing_learnt())


@pytest.fixture(scope="module")
def referee():
    return load(SHARED / "tools" / "network_bench.py")


def score(referee, orders, tmp_path):
    columns = ["kind", "recipe", "offer", "product", "units", "start", "due"]
    pq.write_table(orders.select(columns), tmp_path / "orders.parquet")
    return referee.score(FOLDER, tmp_path / "orders.parquet")


def test_optimum_and_bound(clearing):
    optimum = json.loads((FOLDER / "lp.json").read_text(encoding="utf-8"))["optimum"]
    assert clearing.total_cost == pytest.approx(optimum, rel=1e-6)
    assert clearing.lower_bound == pytest.approx(optimum, rel=1e-6)
    assert clearing.lower_bound <= clearing.total_cost


def test_referee_takes_the_quantities(clearing, referee, tmp_path):
    found = score(referee, clearing.quantities, tmp_path)
    assert found["infeasible"] == []
    assert found["avoidable_over_lp"] == pytest.approx(1.0, abs=1e-4)


def test_referee_takes_whole_orders(chain, referee, tmp_path):
    """Whole units cost a little more than the fractions of the programme, and break no rule."""
    state, forecast = chain
    planned = plan(state, forecast)
    names = ("kind", "recipe", "offer", "product", "units", "start", "due")
    orders = pa.Table.from_pylist([{n: getattr(o, n) for n in names} for o in planned.orders])
    assert all(o.units == round(o.units) and o.units >= 1 for o in planned.orders)
    found = score(referee, orders, tmp_path)
    assert found["infeasible"] == []
    assert found["avoidable_over_lp"] < 1.05
    assert len({o.order for o in planned.orders}) == len(planned.orders)
    for order in planned.orders[:50]:
        assert sentence(order, "en").endswith(".")
        assert sentence(order, "zh").endswith("。")
