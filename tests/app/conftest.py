"""A small chain's run made by hand: two products, one line, four past weeks, three weeks ahead."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from datong.app.wording.report_inputs import Assumed, ReportInputs
from datong.balance.cost_and_flow_tables import FLOW_SCHEMA, FUTURES_SCHEMA, HOURS_SCHEMA, MONEY_SCHEMA
from datong.balance.deliveries import DELIVERIES_SCHEMA
from datong.model.flow import (
    SCORES_SCHEMA,
    Cause,
    Clearing,
    Forecast,
    HolidayBucket,
    Item,
    Learnt,
    OrderMessage,
    Plan,
    PlannedOrder,
    Sensed,
    SeriesSet,
    Signal,
    Subject,
)
from datong.model.settings import ChainSettings
from datong.model.words import message
from datong.questions.tables_out import run_tables

MONDAY = date(2023, 7, 3)


def weeks(first: int, count: int) -> tuple[date, ...]:
    return tuple(MONDAY + timedelta(weeks=first + i) for i in range(count))


def make_result(products: int = 2, past: int = 4, ahead: int = 3, lines: int = 1) -> SimpleNamespace:
    """A cycle's result; with more products, weeks and lines it is as large as a real one."""
    rng = np.random.default_rng(7)
    items = tuple(Item(f"P{i + 1:02d}", "all") for i in range(products))
    before, open_ = weeks(-past, past), weeks(0, ahead)
    level = 1000.0 / (1 + np.arange(products))
    units = np.round(level[:, None] * rng.lognormal(0, 0.25, (products, past)))
    units[-1, 0] = np.nan
    availability = np.zeros((products, past), dtype=np.int64)
    availability[-1, 0] = 2
    series = SeriesSet(
        items=items,
        bucket_starts=before,
        horizon_starts=open_,
        units=units,
        sold_units=np.nan_to_num(units),
        availability=availability,
        known_ahead_units=np.zeros((products, ahead)),
        given_units=np.full((products, ahead), np.nan),
        known_ahead_history=np.zeros((products, past, 1)),
        holidays=(HolidayBucket(before[1], "Eid al-Adha", 3),),
        category=("",) * products,
    )
    signal = Signal(
        signal="S1",
        kind="decline",
        subject=Subject("product", "P01"),
        first=before[-2],
        last=before[-1],
        strength=-4.2,
        effect_share=-0.31,
        effect_units=-310.0,
        p_value=1e-6,
        q_value=2e-5,
        evidence_table="sales",
        evidence=("sales:1", "sales:2"),
        text=message("report.gap.held", name="=P01"),
    )
    paths = np.round(level[:, None, None] * rng.lognormal(0, 0.3, (products, 200, ahead)))
    forecast = Forecast(
        items=items,
        bucket_starts=open_,
        paths=paths,
        method=("AutoETS",) * products,
        backtest_windows=np.full(products, 4),
        prior=np.arange(products) == products - 1,
    )
    mean = paths.mean(axis=1)
    rows = [(p, b) for p in range(products) for b in range(ahead)]
    late = np.where(np.arange(products)[:, None] == 0, 0.1 * mean, 0.0)
    lost = np.where(np.arange(products)[:, None] == 0, 0.05 * mean, 0.0)
    gaps = pa.table(
        {
            "product": [items[p].product for p, _ in rows],
            "market": ["all" for _ in rows],
            "bucket": pa.array([open_[b] for _, b in rows], pa.date32()),
            "demand_units": [float(mean[p, b]) for p, b in rows],
            "on_time_units": [float(mean[p, b] - late[p, b] - lost[p, b]) for p, b in rows],
            "late_units": [float(late[p, b]) for p, b in rows],
            "lost_units": [float(lost[p, b]) for p, b in rows],
            "refused_units": [float(lost[p, b]) for p, b in rows],
            "served_units": [float(mean[p, b] - lost[p, b]) for p, b in rows],
            "waiting_units": [float(late[p, b]) for p, b in rows],
            "binding": ["LINE01" if p == 0 else "" for p, _ in rows],
            "binding_price": [212.0 if p == 0 else 0.0 for p, _ in rows],
            "binding_bucket": pa.array([open_[b] if p == 0 else None for p, b in rows], pa.date32()),
            "needed_amount": pa.array([4.0 if p == 0 else None for p, _ in rows], pa.float64()),
            "needed_unit": pa.array(["hour" if p == 0 else None for p, _ in rows], pa.string()),
            "needed_days": pa.array([None for _ in rows], pa.int64()),
            "kept_units": pa.array([None for _ in rows], pa.float64()),
            "kept_for": pa.array([None for _ in rows], pa.string()),
        }
    )
    cells = [(i, b) for i in range(lines) for b in range(ahead)]
    used = [float(40 * min(1, rng.uniform(0.3, 1.5))) for _ in cells]
    prices = pa.table(
        {
            "what": ["line" for _ in cells],
            "name": [f"LINE{i + 1:02d}" for i, _ in cells],
            "bucket": pa.array([open_[b] for _, b in cells], pa.date32()),
            "price": [float(rng.uniform(50, 900)) if u >= 40 else 0.0 for u in used],
            "unit": ["hour" for _ in cells],
            "used": used,
            "available": [40.0 for _ in cells],
        }
    )
    quantities = pa.table(
        {
            "kind": ["make"],
            "product": ["P01"],
            "recipe": ["P01/works"],
            "offer": pa.array([None], pa.string()),
            "line": ["LINE01"],
            "start": pa.array([open_[0]], pa.date32()),
            "due": pa.array([open_[1]], pa.date32()),
            "units": [500.0],
            "cost_per_unit": [70.0],
            "price_share": [12.0],
        }
    )
    cost = {
        "production": 80_000.0,
        "purchase": 0.0,
        "holding": 900.0,
        "late": 1_500.0,
        "lost": 2_600.0,
        "salvage": -100.0,
    }
    hours = pa.Table.from_pylist(
        [
            {
                "line": f"LINE{i + 1:02d}",
                "bucket": open_[b],
                "run_hours": u,
                "setup_hours": 0.0,
                "under_way_hours": 0.0,
                "free_hours": 40.0 - u,
                "available_hours": 40.0,
                "overtime_hours": 0.0,
            }
            for (i, b), u in zip(cells, used, strict=True)
        ],
        schema=HOURS_SCHEMA,
    )
    money = pa.Table.from_pylist(
        [
            {"term": t, "product": "P01", "name": "P01", "quantity": 1.0, "unit": "in_all", "rate": c, "money": c}
            for t, c in cost.items()
        ],
        schema=MONEY_SCHEMA,
    )
    clearing = Clearing(
        quantities=quantities,
        prices=prices,
        gaps=gaps,
        deliveries=DELIVERIES_SCHEMA.empty_table(),
        flow=FLOW_SCHEMA.empty_table(),
        hours=hours,
        money=money,
        cost=cost,
        lower_bound=84_500.0,
        door="market",
        iterations=120,
    )
    orders = tuple(
        PlannedOrder(
            order=f"W{i + 1:03d}",
            kind="make",
            product=items[i % products].product,
            recipe=f"{items[i % products].product}/works",
            offer=None,
            line="LINE01",
            units=500.0 - i,
            start=open_[0],
            due=open_[1],
            needed_by=open_[1],
            cost=35_000.0,
            value=9_000.0 - 100.0 * i,
            causes=(
                Cause("balance", message("report.gap.held", name="LINE01")),
                Cause("sense", message("report.title", name="<P01>", day=before[0]), "sales", ("sales:1", "sales:2")),
            ),
        )
        for i in range(max(2, products // 2))
    )
    kept = pa.table(
        {
            "order": ["K1"],
            "kind": ["make"],
            "product": ["P01"],
            "units": [100.0],
            "start": pa.array([before[-1]], pa.date32()),
            "due": pa.array([open_[0]], pa.date32()),
            "state": ["started"],
        }
    )
    scores = pa.Table.from_pylist(
        [
            {"metric": m, "run": f"R{b}", "product": "P01", "market": "all", "horizon": 0, "bucket": d, "value": v}
            for b, d in enumerate(before)
            for m, v in (("covered", float(b % 4 != 0)), ("pinball_units", 30.0 - b), ("bias_units", 5.0 - 3 * b))
        ],
        schema=SCORES_SCHEMA,
    )
    return SimpleNamespace(
        sensed=Sensed(series, (signal,)),
        forecast=forecast,
        clearing=clearing,
        decision=SimpleNamespace(
            given_out=SimpleNamespace(market_bound=84_000.0, lots=None), findings=(), clearing=clearing
        ),
        futures=FUTURES_SCHEMA.empty_table(),
        plan=Plan(orders, kept, gaps=gaps),
        messages=(OrderMessage("M1", "works", orders[0]),),
        learnt=Learnt({}, {}, {}, {}, scores),
    )


def make_replay(buckets: int = 4, datong: float = 90.0, company: float = 100.0) -> dict[str, pa.Table]:
    """A replay in which every bucket costs about so much."""
    starts = weeks(-buckets, buckets)
    rows = [
        {
            "policy": policy,
            "bucket": start,
            "demand_units": 1000.0,
            "served_on_time_units": served,
            "late_units": 1000.0 - served,
            "stock_units": stock + 10 * i,
            "made_units": 1000.0,
            "cost": cost + i,
        }
        for policy, served, stock, cost in (
            ("baseline", 930.0, 800.0, 105.0),
            ("company", 950.0, 700.0, company),
            ("datong", 980.0, 500.0, datong),
        )
        for i, start in enumerate(starts)
    ]
    table = pa.Table.from_pylist(rows)
    summary = [
        {
            "policy": policy,
            "fill_on_time_share": served / 1000,
            "lost_units": 5.0,
            "mean_stock_units": stock,
            "mean_stock_money": 70 * stock,
            "production_change_share": 0.25,
            "cost": sum(r["cost"] for r in rows if r["policy"] == policy),
            "avoidable_cost": sum(r["cost"] for r in rows if r["policy"] == policy) / 2,
        }
        for policy, served, stock in (("company", 950.0, 715.0), ("baseline", 930.0, 815.0), ("datong", 980.0, 515.0))
    ]
    saving = buckets * (datong - company)
    differences = [
        {
            "measure": "cost",
            "difference": saving,
            "low": saving - 15,
            "high": saving + 15,
            "finding": "unsure" if abs(saving) <= 15 else "better" if saving < 0 else "worse",
        },
        {"measure": "fill_on_time_share", "difference": 0.03, "low": 0.01, "high": 0.05, "finding": "better"},
        {
            "measure": "mean_stock_money",
            "difference": -14_000.0,
            "low": -20_000.0,
            "high": -8_000.0,
            "finding": "better",
        },
        {"measure": "production_change_money", "difference": 50.0, "low": -10.0, "high": 80.0, "finding": "unsure"},
    ]
    return {
        "by_bucket": table.set_column(1, "bucket", table["bucket"].cast(pa.date32())),
        "summary": pa.Table.from_pylist(summary),
        "differences": pa.Table.from_pylist([{"policy": "datong", "than": "company", **d} for d in differences]),
    }


def make_inputs(**sizes: int) -> ReportInputs:
    return ReportInputs(
        tables=run_tables(make_result(**sizes)),  # ty: ignore[invalid-argument-type]
        settings=ChainSettings("Example <Oils> & Flour", time_zone="Asia/Dhaka", currency="BDT"),
        as_of=datetime(2023, 7, 2, 18, tzinfo=UTC),
        replay=make_replay(),
        assumed=(
            Assumed("lines", "hours_per_week", 19, "Most tonnes seen in a week so far."),
            Assumed("products", "price", 41, ""),
        ),
    )


@pytest.fixture
def result() -> SimpleNamespace:
    return make_result()


@pytest.fixture
def inputs() -> ReportInputs:
    return make_inputs()


@pytest.fixture
def replay_tables() -> Callable[..., dict[str, pa.Table]]:
    return make_replay


@pytest.fixture
def large_inputs() -> ReportInputs:
    return make_inputs(products=41, past=31, ahead=13, lines=19)
