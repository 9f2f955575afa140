"""Series made by hand, and SupplyGraph's weekly orders where the data is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import holidays
import numpy as np
import pandas as pd
import pytest

from datong.model.flow import HolidayBucket, Item, Sensed, SeriesSet

MONDAY = date(2023, 1, 2)
SHARED = Path(__file__).resolve().parents[2] / ".." / "shared"


def sensed_of(
    units: np.ndarray,
    horizon: int = 4,
    *,
    names: Sequence[str] = (),
    category: Sequence[str] = (),
    bucket_days: int = 7,
    holidays: Sequence[HolidayBucket] = (),
    known_ahead: np.ndarray | None = None,
    known_history: np.ndarray | None = None,
    given: np.ndarray | None = None,
) -> Sensed:
    """units: (item, closed bucket), NaN where unknown."""
    units = np.asarray(units, dtype=float)
    items, closed = units.shape
    starts = tuple(MONDAY + timedelta(days=bucket_days * t) for t in range(closed + horizon))
    series = SeriesSet(
        items=tuple(Item(names[i] if names else f"p{i}", "all") for i in range(items)),
        bucket_starts=starts[:closed],
        horizon_starts=starts[closed:],
        units=units,
        sold_units=np.nan_to_num(units),
        availability=np.zeros((items, closed), dtype=np.int64),
        known_ahead_units=np.zeros((items, horizon)) if known_ahead is None else known_ahead,
        given_units=np.full((items, horizon), np.nan) if given is None else given,
        known_ahead_history=np.zeros((items, closed, 1)) if known_history is None else known_history[:, :, None],
        holidays=tuple(holidays),
        category=tuple(category) if category else ("",) * items,
    )
    return Sensed(series, ())


@pytest.fixture(scope="session")
def make_sensed() -> Callable[..., Sensed]:
    return sensed_of


@dataclass(frozen=True)
class SupplyGraph:
    """units, early: (item, week) orders by due week (3 days after the order), and those taken before the week."""

    units: np.ndarray
    early: np.ndarray
    names: tuple[str, ...]
    category: tuple[str, ...]
    weeks: tuple[date, ...]

    def sensed(self, origin: int, with_holidays: bool = True, with_early: bool = True, horizon: int = 13) -> Sensed:
        """What is known when week `origin` opens."""
        units = self.units[:, :origin].copy()
        for row in units:
            row[: np.argmax(row > 0) if (row > 0).any() else len(row)] = np.nan
        known = np.zeros((len(units), horizon))
        known[:, 0] = self.early[:, origin] if with_early else 0.0
        weeks = {MONDAY + timedelta(days=7 * t) for t in range(origin + horizon)}
        days: dict[tuple[date, str], int] = {}
        for day, text in holidays.country_holidays("BD", years=[2023]).items() if with_holidays else ():
            for name in text.split("; "):
                key = (day - timedelta(days=day.weekday()), name)
                days[key] = days.get(key, 0) + 1
        return sensed_of(
            units,
            horizon,
            names=self.names,
            category=self.category,
            holidays=[HolidayBucket(w, name, n) for (w, name), n in sorted(days.items()) if w in weeks],
            known_ahead=known,
            known_history=self.early[:, :origin] if with_early else None,
        )


@pytest.fixture(scope="session")
def supplygraph() -> SupplyGraph:
    folder = SHARED / "data" / "supplygraph"
    if not folder.exists():
        pytest.skip("needs ../shared/data/supplygraph")
    rows = pd.read_parquet(folder / "flows_daily.parquet")
    rows["date"] = pd.to_datetime(rows["date"])
    rows = rows[rows["date"] < "2023-08-09"]
    due = rows["date"] + pd.Timedelta(days=3)
    rows["week"] = due - pd.to_timedelta(due.dt.weekday, unit="D")
    units = rows.groupby(["product", "week"])["sales_order_units"].sum().unstack().iloc[:, :-1]
    early = rows[rows["date"] < rows["week"]].groupby(["product", "week"])["sales_order_units"].sum().unstack()
    early = early.reindex(index=units.index, columns=units.columns).fillna(0.0)
    group = pd.read_parquet(folder / "products.parquet").set_index("product")["product_group"]
    return SupplyGraph(
        units.to_numpy(dtype=float),
        early.to_numpy(dtype=float),
        tuple(str(p) for p in units.index),
        tuple(str(group[p]) for p in units.index),
        tuple(w.date() for w in units.columns),
    )
