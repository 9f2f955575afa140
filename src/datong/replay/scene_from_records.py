"""The scene of a replay out of what is known at its end: what buyers ordered, what could be made, what was out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from datong.ledger.state import State
from datong.model.flow import Item, Learnt, PlannedOrder, nothing_learnt
from datong.network.economics import Economics
from datong.network.facts import ChainFacts, chain_facts, located
from datong.network.line_hours import usual_hours
from datong.network.position import Position, UnderWay
from datong.network.ways import Way
from datong.replay.scene_and_batches import Batch, Due, Scene
from datong.replay.unit_worth import unit_costs


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
    facts: ChainFacts,
    start: Position,
    known: Sequence[State],
    buckets: Sequence[date],
    company_hours: Sequence[Mapping[str, float]],
    measured: Learnt,
) -> Scene:
    """actual: all that is known by now; facts: of the buckets, with what was measured. start: the position as the
    replay begins. known: what each bucket began with. measured: lead times and yields that the company's own orders
    turned out to have; the simulator lives by them.

    A line can run the hours that were planned for it as the bucket began, but no more than its usual ones less the
    share of days on which the whole chain stood still; or those that the company itself used (company_hours), where
    they are more. What was known once and is no more (a recipe, a lane, a place of stock) is part of the scene.
    """
    then = [chain_facts(state, (bucket,), nothing_learnt()) for state, bucket in zip(known, buckets, strict=True)]
    economics: dict[str, Economics] = {}
    ways: dict[str, Way] = {}
    for earlier in (*then, facts):
        economics |= earlier.economics
        ways |= {way.name: way for way in earlier.ways}
    cost = unit_costs(facts, buckets)
    for earlier, bucket in zip(reversed(then), reversed(buckets), strict=True):
        if earlier.economics.keys() - cost.keys():
            cost = unit_costs(earlier, (bucket,)) | cost
    shares = open_shares(actual, buckets)
    return Scene(
        settings=actual.settings,
        buckets=tuple(buckets),
        products=tuple(sorted(economics)),
        economics=economics,
        unit_cost=cost,
        ways=ways,
        opening_units=located(facts, start).on_hand_units,
        opening_owed=start.owed_units,
        demand_units=_demand(actual, start, buckets),
        line_hours=tuple(
            _hours(state, at_start, share, own, bucket)
            for state, at_start, share, own, bucket in zip(known, then, shares, company_hours, buckets, strict=True)
        ),
        lead_days=measured.lead_days,
        places=facts.places,
    )


def _hours(
    state: State, facts: ChainFacts, open_share: float, own: Mapping[str, float], bucket: date
) -> dict[str, float]:
    """By line, and by what stands for one: lanes and offers that several share give what was planned."""
    planned = {line: float(hours[0]) for line, hours in facts.line_hours.items()}
    usual = usual_hours(state, (bucket,))
    could = {line: min(planned[line], usual[line] * open_share) for line in usual}
    could |= {key: planned[key] for key in facts.shared}
    return {line: max(could.get(line, 0.0), own.get(line, 0.0)) for line in sorted({*could, *own})}


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


# what was out as the replay begins -----------------------------------------------------------------


def batches_under_way(start: Position, scene: Scene, facts: ChainFacts) -> list[Batch]:
    """Purchases that are out as the replay begins, and what is in work; what should have been there already comes in
    the first bucket.

    Of the units still to be started the recipe's yield is good. Components that are still to take are taken in the
    first bucket.
    """
    calendar = scene.settings.calendar
    result = []
    for order, there in zip(start.under_way, located(facts, start).under_way, strict=True):
        if there.product not in scene.unit_cost or _is_to_begin(order, scene):
            continue
        way = scene.way_of(order) if order.kind != "buy" else None
        good = order.units * (1.0 if way is None else way.yield_share)
        uses = (
            ()
            if way is None
            else tuple(
                (use.component, order.units * use.units_per_unit)
                for use in way.uses
                if order.takes(scene.product_of(use.component))
            )
        )
        taken_later = sum(units * scene.unit_cost[label] for label, units in uses)
        result.append(
            Batch(
                order=order.order,
                kind=order.kind,
                product=there.product,
                units=good,
                arrives=max(calendar.bucket_start(order.due), scene.buckets[0]),
                cost=max(good * scene.unit_cost[there.product] - taken_later, 0.0),
                scrap_units=0.0 if way is None else order.units - good,
                uses=uses,
                besides=()
                if way is None
                else tuple((output.product, order.units * output.units_per_unit) for output in way.outputs),
            )
        )
    return result


def orders_under_way(start: Position, scene: Scene) -> list[PlannedOrder]:
    """Work and transfers that were given out before the replay begins and have not begun: they start on their day, or
    in the first bucket where that has passed, and take hours and components like any other order."""
    return [
        PlannedOrder(
            order=order.order,
            kind="move" if order.kind == "move" else "make",
            product=order.product,
            recipe=order.recipe,
            offer=None,
            line=order.line,
            units=order.units,
            start=max(order.start, scene.buckets[0]),
            due=order.due,
            needed_by=order.due,
            cost=0.0,
            value=None,
            causes=(),
            lane=order.lane,
            site=order.site,
        )
        for order in start.under_way
        if _is_to_begin(order, scene)
    ]


def _is_to_begin(order: UnderWay, scene: Scene) -> bool:
    return order.kind != "buy" and order.stage != "begun" and scene.way_of(order) is not None


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
