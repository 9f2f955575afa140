"""More returns for every unit sold in the last weeks than before."""

import numpy as np

from datong.ledger.columns import day_number, local_days
from datong.ledger.state import State
from datong.model.flow import FloatArray, Item, SeriesSet
from datong.model.words import message
from datong.sense.change_found import Found, Shown, about, found, who
from datong.sense.weeks_looked_at import RECENT_WEEKS, WEEK_DAYS, WEEKS_MAX
from datong.statistics.rates import rate_rise

# Fewest returns in the recent weeks, and units sold in the weeks before.
RETURNS_MIN = 5


def returns_rise(state: State, series: SeriesSet, prices: FloatArray) -> list[Found]:
    """One test for every item with at least RETURNS_MIN recent returns (rows of the table, since a row is one decision
    to send back, however many units) and with sales in the weeks before. Shares in the text are of units."""
    rows = state.table("returns").select(["happened_at", "product", "market", "units"])
    if not rows.num_rows or not series.bucket_starts:
        return []
    bucket_days = state.settings.calendar.bucket_days
    end = day_number(series.bucket_starts[-1]) + bucket_days
    start, late = end - WEEKS_MAX * WEEK_DAYS, end - RECENT_WEEKS * WEEK_DAYS
    starts = np.array([day_number(b) for b in series.bucket_starts])
    spans = ((start, late), (late, end))
    sold = np.stack([series.sold_units[:, (starts >= a) & (starts < b)].sum(axis=1) for a, b in spans])
    at = {item: i for i, item in enumerate(series.items)}
    names = rows["product"].to_pylist(), rows["market"].to_pylist()
    item = np.array([at.get(Item(p, m), -1) for p, m in zip(*names, strict=True)])
    day, units = local_days(rows, state), rows["units"].to_numpy().astype(np.float64)
    back = np.zeros((2, len(series.items)))
    count = np.zeros((2, len(series.items)), np.int64)
    for k, (a, b) in enumerate(spans):
        inside = (item >= 0) & (day >= a) & (day < b)
        back[k] = np.bincount(item[inside], units[inside], len(series.items))
        count[k] = np.bincount(item[inside], minlength=len(series.items))
    p_values = rate_rise(count[1], count[0], sold[1], sold[0])
    result = []
    first = next(b for b in series.bucket_starts if day_number(b) >= late)
    for i in np.flatnonzero((count[1] >= RETURNS_MIN) & (sold[0] > 0) & (sold[1] > 0)):
        one = about(series.items[i])
        before, after = back[0, i] / sold[0, i], back[1, i] / sold[1, i]
        expected_rows = max(count[0, i] * sold[1, i] / sold[0, i], 1.0)
        text = message(
            "sense.returns_up", who=who(one), before=f"{before:.1%}", after=f"{after:.1%}", weeks=RECENT_WEEKS
        )
        result.append(
            found(
                f"surge-returns-{one.name}-{one.market}-{first.isoformat()}",
                "surge",
                one,
                (first, series.bucket_starts[-1]),
                (before * sold[1, i], back[1, i]),
                ((count[1, i] - expected_rows) / np.sqrt(expected_rows), p_values[i]),
                text,
                Shown(np.array([i]), (late, end - 1), prices[i : i + 1], "returns"),
            )
        )
    return result
