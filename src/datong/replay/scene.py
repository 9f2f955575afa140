"""The scene of a replay out of what is known at its end: what buyers ordered, what was made, what could be made."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from datong.ledger.facts import Way, chain_facts
from datong.ledger.position import Position
from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.model.flow import Item, Learnt, nothing_learnt
from datong.replay.simulate import Batch, Due, Scene


@dataclass(frozen=True, eq=False)
class CompanyOutput:
    """What the company made or received in each bucket: units by product, and the hours its lines ran for it."""

    units: tuple[Mapping[str, float], ...]
    line_hours: tuple[Mapping[str, float], ...]

    @property
    def recorded(self) -> bool:
        return any(self.units)


def due_units(state: State) -> pd.DataFrame:
    """Units ordered and not cancelled: product, market, due (local day, datetime64), units."""
    rows = state.table("sales").select(["happened_at", "product", "market", "units", "state"]).to_pandas()
    rows = rows[rows["state"] == "ordered"]
    local = rows["happened_at"].dt.tz_convert(state.settings.calendar.zone).dt.tz_localize(None)
    due = local.dt.normalize() + pd.Timedelta(days=state.settings.promise_days)
    frame = pd.DataFrame({"product": rows["product"], "market": rows["market"], "due": due, "units": rows["units"]})
    return frame.groupby(["product", "market", "due"], as_index=False)["units"].sum()


def make_scene(
    actual: State,
    start: Position,
    buckets: Sequence[date],
    known: Sequence[State],
    measured: Learnt = nothing_learnt(),  # noqa: B008 - frozen
) -> Scene:
    """actual: all that is known by now. start: the position as the replay begins. known: what each bucket began with.

    measured: lead times and yields that the company's own orders turned out to have; the simulator lives by them.

    A line can run the hours that were planned for it as the bucket began, but no more than its usual ones less the
    share of days on which the whole chain stood still; or those that the company itself used, where they are more.
    """
    facts = chain_facts(actual, buckets, measured)
    ways = {way.name: way for state in known for way in chain_facts(state, (), nothing_learnt()).ways}
    ways |= {way.name: way for way in facts.ways}
    least = cheapest(facts.ways, buckets)
    company = company_output(actual, buckets, least)
    open_share = open_shares(actual, buckets)
    hours = [
        _hours(state, bucket, share, own)
        for state, bucket, share, own in zip(known, buckets, open_share, company.line_hours, strict=True)
    ]
    return Scene(
        settings=actual.settings,
        buckets=tuple(buckets),
        products=facts.products,
        economics=facts.economics,
        unit_cost={p: way.cost_per_unit / way.yield_share for p, way in least.items()},
        ways=ways,
        opening_units=start.on_hand_units,
        opening_owed=start.owed_units,
        demand_units=_demand(actual, start, buckets),
        line_hours=tuple(hours),
        lead_days=measured.lead_days,
    )


def _hours(state: State, bucket: date, open_share: float, own: Mapping[str, float]) -> dict[str, float]:
    planned = chain_facts(state, (bucket,), nothing_learnt()).line_hours
    weeks = state.settings.calendar.bucket_days / 7
    usual = {row["line"]: row["hours_per_week"] * weeks for row in state.table("lines").to_pylist()}
    could = {line: min(float(planned[line][0]), usual[line] * open_share) for line in usual}
    return {line: max(could.get(line, 0.0), own.get(line, 0.0)) for line in sorted({*could, *own})}


def cheapest_ways(state: State, buckets: Sequence[date]) -> dict[str, Way]:
    return cheapest(chain_facts(state, buckets, nothing_learnt()).ways, buckets)


def cheapest(ways: Sequence[Way], buckets: Sequence[date]) -> dict[str, Way]:
    """By product its cheapest way per good unit; making before buying, then by name.

    Ways that are valid in none of the buckets come last: they only say what a unit is worth where none other does.
    """

    def key(way: Way) -> tuple[bool, bool, float, str]:
        valid = any(way.is_open(bucket) for bucket in buckets)
        return not valid, way.kind == "buy", way.cost_per_unit / way.yield_share, way.name

    order = sorted(ways, key=key)
    result: dict[str, Way] = {}
    for way in order:
        result.setdefault(way.product, way)
    return result


def company_output(actual: State, buckets: Sequence[date], way: Mapping[str, Way]) -> CompanyOutput:
    """Recorded production and receipts by bucket. Hours: units by the recipe of the product's cheapest way."""
    calendar = actual.settings.calendar
    units: list[dict[str, float]] = [defaultdict(float) for _ in buckets]
    hours: list[dict[str, float]] = [defaultdict(float) for _ in buckets]
    at = {bucket: t for t, bucket in enumerate(buckets)}
    for table, column in (("production", "good_units"), ("receipts", "units")):
        rows = actual.table(table).select(["row_id", "happened_at", "product", column]).to_pylist()
        for row in sorted(rows, key=lambda r: r["row_id"]):
            t = at.get(calendar.bucket_start(calendar.local_date(row["happened_at"])))
            if t is None or row[column] <= 0:
                continue
            units[t][row["product"]] += row[column]
            used = way[row["product"]]
            if table == "production" and used.line is not None:
                hours[t][used.line] += row[column] / used.yield_share * used.hours_per_unit
    return CompanyOutput(tuple(units), tuple(hours))


def least_opening_units(
    actual: State, first: date, after: date, on_hand_units: Mapping[str, float]
) -> dict[str, float]:
    """By product the smallest opening stock that lets the company have sent what it sent, where that is more than what
    is on record: max over days of (sent to buyers - made and received) since `first`.

    It looks at what came later; every policy is given it. Nothing where what the company made or sent is not recorded.
    """
    calendar = actual.settings.calendar
    shipments = actual.table("shipments")
    flows = [
        (shipments.filter(pc.is_null(shipments["to_site"])), "units", 1.0),
        (actual.table("production"), "good_units", -1.0),
        (actual.table("receipts"), "units", -1.0),
    ]
    frames = []
    for rows, column, sign in flows:
        frame = rows.select(["happened_at", "product", column]).to_pandas()
        day = [calendar.local_date(moment) for moment in frame["happened_at"]]
        frames.append(pd.DataFrame({"product": frame["product"], "day": day, "units": sign * frame[column]}))
        frames[-1] = frames[-1][[first <= d < after for d in day]]
    if frames[0].empty or (frames[1].empty and frames[2].empty):
        return {}
    net = pd.concat(frames).groupby(["product", "day"])["units"].sum().sort_index()
    least = net.groupby(level="product").cumsum().groupby(level="product").max()
    return {
        str(product): float(units)
        for product, units in least.items()
        if units > max(on_hand_units.get(str(product), 0.0), 0.0) + LEAST_UNITS
    }


def open_shares(actual: State, buckets: Sequence[date]) -> list[float]:
    """By bucket: days on which anything at all was made, over the days of a usual (median) bucket with any; at most 1.

    Where nothing was ever recorded as made, 1: nobody knows.
    """
    calendar = actual.settings.calendar
    days = {calendar.local_date(m) for m in actual.table("production")["happened_at"].to_pylist()}
    if not days:
        return [1.0] * len(buckets)
    by_bucket: dict[date, int] = defaultdict(int)
    for day in days:
        by_bucket[calendar.bucket_start(day)] += 1
    usual = float(np.median(list(by_bucket.values())))
    return [min(by_bucket.get(bucket, 0) / usual, 1.0) for bucket in buckets]


def company_batches(company: CompanyOutput, t: int, bucket: date, unit_cost: Mapping[str, float]) -> list[Batch]:
    """What the company made or received in a bucket, as batches at the cost of the cheapest way."""
    return [
        Batch(f"company|{bucket}|{product}", "make", product, units, bucket, units * unit_cost[product])
        for product, units in sorted(company.units[t].items())
    ]


def batches_under_way(start: Position, scene: Scene) -> list[Batch]:
    """Orders that are out as the replay begins; what should have been there already comes in the first bucket.

    Of the units still to be started the recipe's yield is good.
    """
    calendar = scene.settings.calendar
    result = []
    for order in start.under_way:
        way = scene.way_of(order) if order.kind == "make" else None
        good = order.units * (1.0 if way is None else way.yield_share)
        arrives = max(calendar.bucket_start(order.due), scene.buckets[0])
        cost = good * scene.unit_cost[order.product]
        result.append(Batch(order.order, order.kind, order.product, good, arrives, cost))
    return result


def _demand(actual: State, start: Position, buckets: Sequence[date]) -> tuple[Mapping[Due, float], ...]:
    calendar = actual.settings.calendar
    first, after = buckets[0], calendar.shift(buckets[-1], 1)
    result: list[dict[Due, float]] = [{} for _ in buckets]
    due = due_units(actual)
    due = due[(due["due"] >= pd.Timestamp(first)) & (due["due"] < pd.Timestamp(after))]
    for product, market, day, units in due.itertuples(index=False):
        item, when = Item(str(product), str(market)), day.date()
        left = float(units) - start.served_ahead_units.get((item, when), 0.0)
        if left > 0:
            result[calendar.index(when, first)][item, when] = left
    return tuple(result)
