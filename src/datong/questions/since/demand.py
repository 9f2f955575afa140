"""What is asked for otherwise than at the last plan: customers' orders, and the forecast by product."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.words import message, shown
from datong.network.rows_in_plan import rows_in_plan
from datong.questions.since.rows import NOTHING, Naming, PlanBefore, Row

# A forecast that changes by less than this share, or by less than this many units, is the same.
SAME_SHARE, SAME_UNITS = 0.05, 0.5
_COLUMNS = ("row_id", "demand", "product", "due", "units")


def demand_changes(
    before: PlanBefore, state: State, tables: Mapping[str, pa.Table], weeks: Sequence[date], naming: Naming
) -> list[Row]:
    """Customers' orders by due day, then forecasts, the largest changes first. weeks: those that both plans cover."""
    was, now = _firm(before.state), _firm(state)
    rows = list(_requests(was, now, naming))
    rows.sort(key=lambda row: (row.day[1] or row.day[0] or date.max, row.subject or ""))
    if not weeks:
        return rows
    end = state.settings.calendar.shift(weeks[-1], 1)
    expected = [
        _less(_expected(of["forecast"], weeks), _due_between(firm, weeks[0], end))
        for of, firm in ((before.tables, was), (tables, now))
    ]
    return rows + _forecasts(expected[0], expected[1], len(weeks), naming)


def _firm(state: State) -> pa.Table:
    rows = rows_in_plan(state)
    return rows.filter(pc.and_(rows["firm"], pc.greater(rows["units"], 0.0)))


def _requests(was: pa.Table, now: pa.Table, naming: Naming) -> Iterable[Row]:
    """New, withdrawn and changed ones. Only what differs is looked at row by row."""
    for row in _without(now, was):
        yield _request("new", row, (None, row["units"]), (None, row["due"]), naming)
    for row in _without(was, now):
        yield _request("withdrawn", row, (row["units"], None), (row["due"], None), naming)
    there = pc.index_in(now["row_id"], was["row_id"].combine_chunks())
    both, old = now.filter(pc.is_valid(there)), was.take(there.drop_null())
    same = [pc.equal(both[name], old[name]) for name in ("product", "due", "units")]
    differs = pc.invert(pc.fill_null(pc.and_(pc.and_(same[0], same[1]), same[2]), False))
    pairs = zip(*(t.filter(differs).select(_COLUMNS).to_pylist() for t in (old, both)), strict=True)
    for one, other in pairs:
        units, days = (one["units"], other["units"]), (one["due"], other["due"])
        yield _request("changed", other, units, days, naming, one["product"])


def _without(rows: pa.Table, others: pa.Table) -> list[dict[str, Any]]:
    """Rows that the others do not have."""
    fresh = pc.invert(pc.is_in(rows["row_id"], others["row_id"].combine_chunks()))
    return rows.filter(fresh).select(_COLUMNS).to_pylist()


def _request(
    kind: str,
    row: Mapping[str, Any],
    units: tuple[float | None, float | None],
    days: tuple[date | None, date | None],
    naming: Naming,
    product_before: str | None = None,
) -> Row:
    name, product = row["demand"] or row["row_id"], row["product"]
    words = {
        "name": name,
        "amount": naming.amount(row["units"], product),
        "product": naming.called(product),
        "due": row["due"],
    }
    if kind == "changed":
        words |= {
            "before": naming.amount(units[0] or 0.0, product_before or product),
            "due_before": days[0],
            "product_before": naming.called(product_before or product),
        }
    return Row("demand", kind, message(f"since.request_{kind}", **words), name, product, units, days)


# forecasts ---------------------------------------------------------------------------------------


def _expected(forecast: pa.Table, weeks: Sequence[date]) -> dict[str, float]:
    """Units expected in these weeks, by product."""
    return _sums(forecast.filter(pc.is_in(forecast["bucket"], pa.array(weeks, pa.date32()))), "mean_units")


def _due_between(firm: pa.Table, first: date, end: date) -> dict[str, float]:
    """Units of customers' orders due from the first day to before the last one, by product."""
    inside = pc.and_(
        pc.greater_equal(firm["due"], pa.scalar(first, pa.date32())), pc.less(firm["due"], pa.scalar(end, pa.date32()))
    )
    return _sums(firm.filter(inside), "units")


def _sums(rows: pa.Table, column: str) -> dict[str, float]:
    sums = rows.group_by("product", use_threads=False).aggregate([(column, "sum")])
    return dict(zip(sums["product"].to_pylist(), sums[f"{column}_sum"].to_pylist(), strict=True))


def _less(units: Mapping[str, float], taken: Mapping[str, float]) -> dict[str, float]:
    """What is forecast beside customers' orders. A forecast that knows of them has them in it."""
    return {product: max(all_units - taken.get(product, 0.0), 0.0) for product, all_units in units.items()}


def _forecasts(was: Mapping[str, float], now: Mapping[str, float], weeks: int, naming: Naming) -> list[Row]:
    rows = []
    for product in sorted({*was, *now}):
        before, after = was.get(product, 0.0), now.get(product, 0.0)
        if abs(after - before) < max(SAME_UNITS, SAME_SHARE * before, NOTHING):
            continue
        kind = "forecast_up" if after > before else "forecast_down"
        words = {"product": naming.called(product), "before": shown(before), "after": shown(after)}
        text = message(f"since.{kind}", **words, span=naming.span(weeks))
        rows.append(Row("demand", kind, text, None, product, (before, after)))
    return sorted(rows, key=lambda row: (-abs((row.units[1] or 0.0) - (row.units[0] or 0.0)), row.product or ""))
