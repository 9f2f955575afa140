"""How the company really served its buyers, by its own shipments: beside what the simulator makes of its production."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.network.sent_to_buyers import ships_to_buyers

RECORDED_SERVICE_SCHEMA = pa.schema([("within_days", pa.int64()), ("share", pa.float64())])
WITHIN_DAYS = (0, 1, 3, 7, 14)


def recorded_service(state: State) -> pa.Table:
    """Share of all units ordered that had been sent within so many days of their order, and in the end (null).

    First in, first out by product: of the units ordered up to day d, O_d, those beyond O_{d-1} were sent within k days
    as far as all that was sent by then, S_{d+k}, reaches: min(max(S_{d+k} - O_{d-1}, 0), O_d - O_{d-1}). What was sent
    ahead of an order counts as sent on its day. No rows where the chain does not record what it sends to buyers.
    """
    if not ships_to_buyers(state):
        return RECORDED_SERVICE_SCHEMA.empty_table()
    sales, shipments = state.table("sales"), state.table("shipments")
    ordered = _daily(sales.filter(pc.field("state") == "ordered"), state)
    sent = _daily(shipments.filter(pc.is_null(shipments["to_site"])), state)
    days = pd.date_range(min(ordered.index[0], sent.index[0]), max(ordered.index[-1], sent.index[-1]))
    orders = ordered.reindex(days).fillna(0.0)
    so_far = sent.reindex(index=days, columns=orders.columns).fillna(0.0).cumsum().to_numpy()
    units = orders.to_numpy()
    before = np.cumsum(units, axis=0) - units
    total = float(units.sum())
    rows: list[dict[str, float | int | None]] = []
    for within in (*WITHIN_DAYS, None):
        last = len(days) - 1
        until = np.full(len(days), last) if within is None else np.minimum(np.arange(len(days)) + within, last)
        served = np.clip(so_far[until] - before, 0.0, units)
        rows.append({"within_days": within, "share": float(served.sum()) / total if total > 0 else 1.0})
    return pa.Table.from_pylist(rows, schema=RECORDED_SERVICE_SCHEMA)


def _daily(rows: pa.Table, state: State) -> pd.DataFrame:
    """(local day, product) units."""
    frame = rows.select(["happened_at", "product", "units"]).to_pandas()
    day = frame["happened_at"].dt.tz_convert(state.settings.calendar.zone).dt.tz_localize(None).dt.normalize()
    return frame.groupby([day, "product"])["units"].sum().unstack(fill_value=0.0).sort_index()
