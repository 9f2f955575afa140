"""What was ordered before, and what became of it: the record from which lead times are learnt."""

from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.order_life import Standing
from datong.ledger.standings import LEAST_UNITS, OPEN_STATES, order_standings, state_now
from datong.ledger.state import State


@dataclass(frozen=True)
class PlacedOrder:
    """An order that was given out. source: its recipe, offer or lane, '' where it names none; site: where it arrives,
    where it says so.

    units: of a recipe those started. placed: its start; due: promised. good_units, arrived: what came of it, and the
    local day of the last arrival, None where nothing did. left_units: still to come; nothing of one that was refused,
    cancelled or is done.
    """

    order: str
    kind: str
    product: str
    source: str
    site: str | None
    units: float
    good_units: float
    left_units: float
    placed: date
    due: date
    arrived: date | None


def placed_orders(state: State) -> tuple[PlacedOrder, ...]:
    """Orders given out so far, by (placed, order); proposals are none.

    Of transfers those that are still to leave: what has left is taken to be there, and says nothing of the way's time.
    What was cancelled by the day it was due was not ordered in the end: only what came of it by then counts. An order
    that is done without a word of units came as ordered.
    """
    stands = order_standings(state)
    last = _last_arrivals(state)
    found = []
    columns = ["order", "kind", "product", "recipe", "offer", "lane", "site", "units", "start", "due"]
    for row in state.table("orders").select(columns).to_pylist():
        stand = stands.get(row["order"], Standing())
        now = state_now(stand)
        units, good = row["units"], stand.good_units
        came = good + stand.scrap_units
        left = max(units - came, 0.0) if now in OPEN_STATES else 0.0
        if now == "proposed" or (row["kind"] == "move" and left <= LEAST_UNITS):
            continue
        arrival = last.get(row["order"], stand.more_at)
        if now == "done" and came <= LEAST_UNITS:
            good, arrival = units, stand.happened_at
        if now == "cancelled" and _local_day(state, stand.happened_at) <= row["due"]:
            if came <= LEAST_UNITS:
                continue
            units = came
        found.append(
            PlacedOrder(
                order=row["order"],
                kind=row["kind"],
                product=row["product"],
                source=row["recipe"] or row["offer"] or row["lane"] or "",
                site=row["site"],
                units=units,
                good_units=good,
                left_units=left,
                placed=row["start"],
                due=row["due"],
                arrived=None if arrival is None or good <= LEAST_UNITS else _local_day(state, arrival),
            )
        )
    return tuple(sorted(found, key=lambda o: (o.placed, o.order)))


def _local_day(state: State, moment: datetime | None) -> date:
    return date.max if moment is None else state.settings.calendar.local_date(moment)


def _last_arrivals(state: State) -> dict[str, datetime]:
    """Moment of the last receipt or production of each order."""
    rows = pa.concat_tables([state.table(name).select(["order", "happened_at"]) for name in ("receipts", "production")])
    last = rows.filter(pc.is_valid(rows["order"])).group_by("order").aggregate([("happened_at", "max")])
    return dict(zip(last["order"].to_pylist(), last["happened_at_max"].to_pylist(), strict=True))
