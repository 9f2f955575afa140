"""Where the records of sales end: days of which nobody has told are no days without demand."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger.state import State, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.position_notices import position_notices
from datong.network.sales_recorded_until import sales_end
from datong.sense.series import demand_series

FIRST = date(2026, 1, 5)  # a Monday


def chain(days: Sequence[int], today: int, products: Sequence[str] = ("A", "B")) -> State:
    """One unit of each product sold on each of these days, counted from FIRST."""
    sold = [(d, p) for d in days for p in products]
    moments = [datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=d, hours=9) for d, _ in sold]
    tables = {
        "products": pa.table({"product": list(products)}),
        "sales": pa.table(
            {"happened_at": moments, "product": [p for _, p in sold], "units": [1.0 for _ in sold]},
            schema=pa.schema(
                [("happened_at", pa.timestamp("us", "UTC")), ("product", pa.string()), ("units", pa.float64())]
            ),
        ),
    }
    as_of = datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=today)
    return state_of_tables(ChainSettings("t"), as_of, tables)


WORKDAYS = [d for d in range(70) if d % 7 < 5]


@pytest.mark.parametrize(
    ("days", "today", "end"),
    [
        (range(70), 70, None),  # up to yesterday
        (range(70), 77, 69),  # a week that nobody exported
        (range(69), 70, 68),  # yesterday alone is missing, and something is sold each day
        (WORKDAYS[:-1], 70, 66),  # the last Friday is
        (WORKDAYS, 70, None),  # the week-end after a Friday is as usual
        (WORKDAYS, 77, 67),
        (range(0, 70, 7), 70, None),  # by the week, on its Monday
        (range(0, 70, 7), 77, 63),
        (range(0, 70, 14), 84, None),  # too few to know what is usual
        ([*range(20), *range(30, 80)], 84, None),  # such a gap was there before
    ],
)
def test_records_end_where_the_chain_was_never_so_long_without_a_sale(
    days: Sequence[int], today: int, end: int | None
) -> None:
    found = sales_end(chain(days, today))
    assert (None if found is None else (found.day - FIRST).days) == end


def test_one_product_alone_says_nothing_of_the_records() -> None:
    assert sales_end(chain(range(70), 90, ["A"])) is None


@pytest.mark.parametrize(
    ("days", "today", "weeks"),
    [
        (range(70), 77, 1),  # a whole week
        (range(70), 83, 1),  # and the one that has begun is not over
        (range(70), 75, None),
        (range(0, 70, 14), 98, 5),  # too few to know what is usual
        ([*range(20), *range(40, 80)], 98, None),  # such a gap was there before
    ],
)
def test_weeks_that_count_as_unsold_are_said(days: Sequence[int], today: int, weeks: int | None) -> None:
    """Of one product alone: what is not recorded counts as not sold, which lowers the forecast."""
    said = [f for f in position_notices(chain(days, today, ["A"]), nothing_learnt()) if f.code == "sales_quiet_week"]
    assert [f"the {weeks} whole week{'' if weeks == 1 else 's'} between" in f.text("en") for f in said] == [True][
        : 1 if weeks else 0
    ]


def test_days_that_nobody_told_of_are_unknown_and_said() -> None:
    """Sold daily for ten weeks. A fortnight later the weeks between are no weeks without demand."""
    then, later = chain(range(70), 70), chain(range(70), 84)
    assert np.array_equal(demand_series(then).units, np.full((2, 10), 7.0))
    assert np.array_equal(demand_series(later).units[:, :10], np.full((2, 10), 7.0))
    assert np.isnan(demand_series(later).units[:, 10:]).all()
    assert [f.code for f in position_notices(then, nothing_learnt())] == []
    (said,) = position_notices(later, nothing_learnt())
    assert said.code == "sales_end"
    assert "2026-03-15" in said.text("en") and "14 days" in said.text("en")


def test_a_week_of_which_a_part_is_recorded_is_unknown() -> None:
    """Up to a Wednesday: the week's other days were sold on, too."""
    units = demand_series(chain(range(73), 77)).units
    assert np.array_equal(units[:, :10], np.full((2, 10), 7.0))
    assert np.isnan(units[:, 10]).all()
