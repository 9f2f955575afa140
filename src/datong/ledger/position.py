"""Where the chain stands at a moment: stock on hand, demand still owed, and what is under way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from datong.ledger.life import Standing, events_of_table, standing
from datong.ledger.state import State
from datong.model.flow import Item

# Orders in these states will still bring units; `refused`, `done` and `cancelled` ones will not.
OPEN_STATES = frozenset({"released", "accepted", "started", "partly_done"})


@dataclass(frozen=True)
class UnderWay:
    """An order already out. units: of those started or ordered, what is neither done nor scrapped yet."""

    order: str
    kind: str
    product: str
    recipe: str | None
    line: str | None
    units: float
    start: date
    due: date


@dataclass(frozen=True)
class Position:
    """on_hand_units by product, all sites together. owed_units by item and due day: ordered, due before the
    first open bucket, not served, not older than max_late_days. served_ahead_units by item and due day: orders due in
    open buckets that were already served. under_way: orders out, by due day.
    """

    on_hand_units: Mapping[str, float]
    owed_units: Mapping[tuple[Item, date], float]
    served_ahead_units: Mapping[tuple[Item, date], float]
    under_way: tuple[UnderWay, ...]


def position(state: State) -> Position:
    """The position at the state's moment.

    Stock is the last count of each product and site plus what moved after it: production and receipts in, shipments
    out, transfers from one site to the other, and the components that production took. Sales are served by shipments
    to buyers, first due first; a chain without any shipments is taken to have served every sale at once, from its
    stock. Stock is then never below zero: sales beyond what was counted and made say that something was not recorded.
    """
    owed, served_ahead = _served(state)
    return Position(_on_hand(state), owed, served_ahead, _under_way(state))


def _on_hand(state: State) -> dict[str, float]:
    counts = state.table("stock").select(["happened_at", "site", "product", "units"]).to_pandas()
    counts = counts[counts["units"].notna()]
    counts["site"] = counts["site"].fillna("")
    last = counts.groupby(["product", "site"])["happened_at"].transform("max")
    counts = (
        counts[counts["happened_at"] == last]
        .groupby(["product", "site"], as_index=False)
        .agg(happened_at=("happened_at", "max"), units=("units", "sum"))
    )
    moves = pd.concat(
        [
            _moves(state, "production", "site", "good_units", 1),
            _moves(state, "receipts", "site", "units", 1),
            _moves(state, "shipments", "from_site", "units", -1),
            _moves(state, "shipments", "to_site", "units", 1).query("site != ''"),
            _sold_at_once(state),
            _backflushed(state),
        ]
    )
    # What moved at an unnamed place is in the product's last count anywhere; what moved at a place that was never
    # counted is in a count that names no place.
    anywhere = counts.groupby("product", as_index=False)["happened_at"].max().assign(site="")
    counted = pd.concat([counts[["product", "site", "happened_at"]], anywhere]).drop_duplicates(["product", "site"])
    moves = moves.merge(counted, on=["product", "site"], how="left", suffixes=("", "_count"))
    of_all_places = counts[counts["site"] == ""].set_index("product")["happened_at"]
    last_count = moves["happened_at_count"].fillna(moves["product"].map(of_all_places))
    after = last_count.isna() | (moves["happened_at"] > last_count)
    both = pd.concat([counts[["product", "units"]], moves.loc[after, ["product", "units"]]])
    units = both.groupby("product")["units"].sum()
    if state.table("shipments").num_rows == 0:
        units = units.clip(lower=0.0)
    return {str(p): float(u) for p, u in units.items()}


def _sold_at_once(state: State) -> pd.DataFrame:
    """Sales as moves out, where a chain records no shipments: what is sold is gone."""
    sales = _moves(state, "sales", "market", "units", -1).assign(site="")
    sold = state.table("sales")["state"].to_numpy(zero_copy_only=False) == "ordered"
    return sales[sold & (state.table("shipments").num_rows == 0)]


def _backflushed(state: State) -> pd.DataFrame:
    """Components as moves out, for what was made and scrapped, by the bill of materials that held on the day.

    The recipe is the order's, or the product's only one. They may have lain anywhere: the place stays unnamed.
    """
    recipe_of: dict[str, list[str]] = {}
    for row in state.table("recipes").select(["recipe", "product"]).to_pylist():
        recipe_of.setdefault(row["product"], []).append(row["recipe"])
    ordered = {r["order"]: r["recipe"] for r in state.table("orders").select(["order", "recipe"]).to_pylist()}
    parts: dict[tuple[str, str | None], dict[str, dict[str, Any]]] = {}
    for row in state.table("components").to_pylist():
        parts.setdefault((row["product"], row["recipe"]), {})[row["component"]] = row
    zone = state.settings.calendar.zone
    columns = ["happened_at", "product", "order", "good_units", "scrap_units"]
    moves = []
    for made in state.table("production").select(columns).to_pylist() if parts else ():
        product, only = made["product"], recipe_of.get(made["product"], [])
        recipe = ordered.get(made["order"]) or (only[0] if len(only) == 1 else None)
        day = made["happened_at"].astimezone(zone).date()
        started = made["good_units"] + (made["scrap_units"] or 0.0)
        for part in {**parts.get((product, None), {}), **parts.get((product, recipe), {})}.values():
            if (part["valid_from"] or day) <= day and (part["valid_to"] is None or day < part["valid_to"]):
                used = started * part["units_per_unit"] / (1.0 - part["scrap_share"])
                moves.append((made["happened_at"], part["component"], -used))
    at, component, units = zip(*moves, strict=True) if moves else ((), (), ())
    frame = pa.table(
        {"happened_at": pa.array(at, pa.timestamp("us", "UTC")), "product": pa.array(component, pa.string())}
    )
    return frame.to_pandas().assign(site="", units=np.array(units, float))


def _moves(state: State, table: str, site: str, units: str, sign: int) -> pd.DataFrame:
    rows = state.table(table).select(["happened_at", site, "product", units]).to_pandas()
    rows.columns = pd.Index(["happened_at", "site", "product", "units"])
    return rows.assign(site=rows["site"].fillna(""), units=rows["units"] * sign)


def _served(state: State) -> tuple[dict[tuple[Item, date], float], dict[tuple[Item, date], float]]:
    """Runs the queue of owed units day by day, all items at once: serve the oldest first, drop the too old."""
    settings = state.settings
    sales = _by_item_and_day(state, "sales")
    shipments = _by_item_and_day(state, "shipments")
    if sales.empty or shipments.empty:
        return {}, {}
    items = sorted(set(sales["item"]) | set(shipments["item"]))
    at = {item: i for i, item in enumerate(items)}
    first = min(sales["day"].min(), shipments["day"].min())
    days = (state.today - first).days + 1
    ordered, sent = np.zeros((len(items), days)), np.zeros((len(items), days))
    for rows, into in ((sales, ordered), (shipments, sent)):
        day = np.array([(d - first).days for d in rows["day"]])
        inside = day < days
        row = np.array([at[item] for item in rows["item"]])
        np.add.at(into, (row[inside], day[inside]), rows["units"].to_numpy()[inside])
    keep = settings.max_late_days + settings.promise_days + 1
    queue = np.zeros((len(items), keep))  # (item, age in days since the order)
    taken = np.zeros((len(items), keep))  # units of the same orders already served
    for d in range(days):
        queue[:, 1:], queue[:, 0] = queue[:, :-1].copy(), ordered[:, d]
        taken[:, 1:], taken[:, 0] = taken[:, :-1].copy(), 0.0
        older = np.cumsum(queue[:, ::-1], axis=1)[:, ::-1] - queue  # units that stand before each age
        serve = np.clip(sent[:, [d]] - older, 0.0, queue)
        queue -= serve
        taken += serve
    owed: dict[tuple[Item, date], float] = {}
    served_ahead: dict[tuple[Item, date], float] = {}
    open_day = state.first_open_bucket
    for i, age in zip(*np.nonzero((queue > 1e-9) | (taken > 1e-9)), strict=True):
        due = state.today + timedelta(days=settings.promise_days - int(age))
        if due < open_day and queue[i, age] > 1e-9:
            owed[items[i], due] = float(queue[i, age])
        elif due >= open_day and taken[i, age] > 1e-9:
            served_ahead[items[i], due] = float(taken[i, age])
    return owed, served_ahead


def _by_item_and_day(state: State, table: str) -> pd.DataFrame:
    rows = state.table(table).to_pandas()
    rows = rows[rows["state"] == "ordered"] if table == "sales" else rows[rows["to_site"].isna()]
    zone = state.settings.calendar.zone
    frame = pd.DataFrame(
        {
            "item": [Item(p, m) for p, m in zip(rows["product"], rows["market"], strict=True)],
            "day": rows["happened_at"].dt.tz_convert(zone).dt.date,
            "units": rows["units"],
        }
    )
    return frame.groupby(["item", "day"], as_index=False)["units"].sum()


def order_states(state: State) -> dict[str, tuple[str, float, datetime | None]]:
    """State, good units so far and moment of the last event of every order that has events."""
    return {o: (str(s.state), s.good_units, s.happened_at) for o, s in _standings(state).items()}


def _standings(state: State) -> dict[str, Standing]:
    stands = {order: standing(events) for order, events in events_of_table(state.table("order_events")).items()}
    return {order: stand for order, stand in stands.items() if stand.state is not None}


def _under_way(state: State) -> tuple[UnderWay, ...]:
    """Orders out that still bring units. An order in the table without events, if locked, counts as released."""
    stands = _standings(state)
    rows = state.table("orders").select(
        ["order", "kind", "product", "recipe", "line", "units", "start", "due", "locked"]
    )
    result = []
    for r in rows.to_pylist():
        stand = stands.get(r["order"]) or Standing("released" if r["locked"] else "proposed")
        now, left = stand.state, r["units"] - stand.good_units - stand.scrap_units
        if now in OPEN_STATES and left > 1e-9:
            result.append(
                UnderWay(r["order"], r["kind"], r["product"], r["recipe"], r["line"], left, r["start"], r["due"])
            )
    return tuple(sorted(result, key=lambda o: (o.due, o.order)))
