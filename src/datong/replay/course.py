"""A policy's own course as the tables that its next decision sees in place of the company's."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State, in_state_schema
from datong.model.flow import IMPLIED, Item, PlannedOrder, nothing_learnt
from datong.network.facts import chain_facts
from datong.network.places import ANYWHERE
from datong.network.position import position
from datong.network.sent_to_buyers import ships_to_buyers
from datong.replay.making import true_lead_days
from datong.replay.scene_and_batches import NOTHING, Batch
from datong.replay.simulate import Simulation

# A product and a site: '' where no site is named, and in a chain without lanes, in which stock of all sites is one.
Place = tuple[str, str]
# What is simulated from the replay's start on; all other tables are as they were known at each moment.
SIMULATED = ("stock", "production", "receipts", "shipments", "orders", "order_events")


def before_replay(
    state: State, opening_stock_factor: float = 1.0, least_units: Mapping[Place, float] = MappingProxyType({})
) -> State:
    """The state as the replay begins, with its books closed so that they can be carried on.

    What is on hand then is never below nothing (records that say so lack something), nor below `least_units`, and times
    opening_stock_factor; what is thereby added to the records, or taken off, has come in at that moment, or is counted
    then where stock lies at sites.

    The position of a chain that records nothing that was sent (network/position.py) means that every sale was served at
    once, and that what was sold beyond the stock had come in unrecorded. Here both are written out: the sales as
    shipments, the units missing as receipts. The position stays what it was.
    """
    closed = _taken_back(_closed_books(state))
    there = _stock(closed)
    target = {
        place: opening_stock_factor * max(there.get(place, 0.0), least_units.get(place, 0.0), 0.0)
        for place in {*there, *least_units}
    }
    return _with_stock(closed, "opening", target)


def _stock(state: State) -> Mapping[Place, float]:
    where = position(state)
    if state.table("lanes").num_rows:
        return where.on_hand_by_site
    return {(product, ANYWHERE): units for product, units in where.on_hand_units.items()}


def _taken_back(state: State) -> State:
    """What was sent and not asked for yet lies in stock again: the simulator serves all that is asked for from then on,
    and a policy must not believe that some of it is served already."""
    unasked = position(state).sent_unasked_units
    if not unasked:
        return state
    site_of = _asked_sites(state)
    rows = [
        {
            "row_id": f"shipments:replay|back|{item.product}|{item.market}",
            "shipment": f"replay|back|{item.product}|{item.market}",
            "happened_at": _just_before(state.as_of),
            "known_at": state.as_of,
            "market": item.market,
            "from_site": site_of(item),
            "product": item.product,
            "units": -units,
        }
        for item, units in unasked.items()
    ]
    return state.with_tables(shipments=_append("shipments", state.table("shipments"), rows))


def _asked_sites(state: State) -> Callable[[Item], str | None]:
    """The site at which an item is asked for; None in a chain without lanes, and where several serve it."""
    if not state.table("lanes").num_rows:
        return lambda _item: None
    facts = chain_facts(state, (state.first_open_bucket,), nothing_learnt())
    points = facts.stock_points
    return lambda item: (points[label].site or None) if (label := facts.label_of(item)) in points else None


def _closed_books(state: State) -> State:
    shipments = state.table("shipments")
    if ships_to_buyers(state):
        return state
    sales = state.table("sales")
    sales = sales.filter(pc.field("state") == "ordered")
    served = {name: sales[name] for name in ("happened_at", "product", "market", "units", "known_at")}
    name = [f"replay|{row_id}" for row_id in sales["row_id"].to_pylist()]
    rows = {**served, "from_site": _left_from(sales, state), "shipment": pa.array(name), "row_id": pa.array(name)}
    sent = state.with_tables(shipments=pa.concat_tables([shipments, in_state_schema("shipments", pa.table(rows))]))
    return _with_stock(sent, "missing", _stock(state))


def _left_from(sales: pa.Table, state: State) -> pa.ChunkedArray | pa.Array:
    """The site that sales left: in a chain with lanes, their market where that is the code of one."""
    if not state.table("lanes").num_rows:
        return pa.nulls(sales.num_rows, pa.string())
    is_site = pc.is_in(sales["market"], state.table("sites")["site"].combine_chunks())
    return pc.if_else(is_site, sales["market"], pa.scalar(None, pa.string()))


def _with_stock(state: State, why: str, units: Mapping[Place, float]) -> State:
    """The state with so much in stock at its moment: received then, or in a chain with lanes counted."""
    there = _stock(state)
    more = {place: wanted - there.get(place, 0.0) for place, wanted in sorted(units.items())}
    more = {place: by for place, by in more.items() if abs(by) > NOTHING}
    if not more:
        return state
    if state.table("lanes").num_rows:
        counts = [
            {
                "row_id": f"stock:replay|{why}|{product}|{site}",
                "happened_at": state.as_of,
                "known_at": state.as_of,
                "product": product,
                "site": site or None,
                "units": units[product, site],
            }
            for product, site in more
        ]
        return state.with_tables(stock=_append("stock", state.table("stock"), counts))
    receipts = [
        {
            "row_id": f"receipts:replay|{why}|{product}",
            "receipt": f"replay|{why}|{product}",
            "happened_at": state.as_of,
            "known_at": state.as_of,
            "product": product,
            "units": by,
        }
        for (product, _), by in more.items()
    ]
    return state.with_tables(receipts=_append("receipts", state.table("receipts"), receipts))


def course_tables(course: Simulation, before: State) -> dict[str, pa.Table]:
    """The SIMULATED tables after the course's last step: those of `before`, and what happened on the course since.

    Batches that have arrived are production, receipts or transfers; those still to come, and orders given out that
    start later, are locked orders, which `position` counts as under way. What began is told to have, and what lies
    there of its components, or of what it moves, is counted since: they are taken, and its hours spent. What happens in
    a bucket is entered as of its end.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SIMULATED}
    for batch in course.arrived:
        _enter_arrival(rows, course, batch)
        _enter_done(rows, course, batch)
    under_way = [batch.planned for batch in (*course.arrived, *course.coming) if batch.planned is not None]
    for order in under_way:
        _enter_start(rows, course, order)
    _enter_counts(rows, course)
    for order in [*under_way, *course.waiting]:
        if order.order in course.released:  # the others are in `before`
            _enter_order(rows, course, order)
    for sent in course.sent:
        end, site = _end(course, sent.bucket), course.scene.site_of(sent.label)
        name = f"replay|{sent.bucket}|{sent.item.product}|{sent.item.market}" + (f"|{site}" if site else "")
        rows["shipments"].append(
            {
                "row_id": f"shipments:{name}",
                "shipment": name,
                "happened_at": _just_before(end),
                "known_at": end,
                "from_site": site,
                "market": sent.item.market,
                "product": sent.item.product,
                "units": sent.units,
            }
        )
    return {name: _append(name, before.table(name), added) for name, added in rows.items()}


def _enter_start(rows: Mapping[str, list[dict[str, Any]]], course: Simulation, order: PlannedOrder) -> None:
    """That an order began, just after its day did: what is counted as a bucket begins, before its orders do, has their
    components in it."""
    calendar = course.scene.settings.calendar
    moment = calendar.midnight(order.start) + timedelta(seconds=1)
    _enter_event(rows, order.order, "started", moment, _end(course, calendar.bucket_start(order.start)), None)


def _enter_counts(rows: Mapping[str, list[dict[str, Any]]], course: Simulation) -> None:
    """What lies there now of all that orders which are still to come took."""
    scene = course.scene
    taken = {label for batch in course.coming if batch.planned is not None for label, _ in batch.uses}
    # Records do not tell which of alternate components was taken.
    taken |= {use.component for picks in scene.picks.values() for way in picks for use in way.uses}
    now = _end(course, scene.buckets[course.step_index - 1])
    for label in sorted(taken):
        row = {"product": scene.product_of(label), "site": scene.site_of(label), "units": course.on_hand[label]}
        name = f"stock:replay|now|{label}"
        rows["stock"].append({**row, "row_id": name, "happened_at": now, "known_at": now})


def _enter_arrival(rows: Mapping[str, list[dict[str, Any]]], course: Simulation, batch: Batch) -> None:
    scene, end = course.scene, _end(course, batch.arrives)
    name, site = f"replay|{batch.order}", scene.site_of(batch.product)
    entry = {
        "happened_at": _just_before(end),
        "known_at": end,
        "order": batch.order,
        "product": scene.product_of(batch.product),
    }
    if batch.kind == "move" and not batch.uses:
        return  # it left before the replay began: its shipment is on record, and is there in its time
    if batch.kind == "move":
        sites = {"from_site": scene.site_of(batch.uses[0][0]), "to_site": site}
        row = {"row_id": f"shipments:{name}", "shipment": name, "units": batch.units}
        rows["shipments"].append({**entry, **row, **sites})
        return
    entry["site"] = site
    if batch.kind == "make":
        line = None if batch.planned is None else batch.planned.line
        rows["production"].append(
            {
                **entry,
                "row_id": f"production:{name}",
                "production": name,
                "line": line,
                "good_units": batch.units,
                "scrap_units": batch.scrap_units,
            }
        )
    else:
        rows["receipts"].append({**entry, "row_id": f"receipts:{name}", "receipt": name, "units": batch.units})


def _enter_order(rows: Mapping[str, list[dict[str, Any]]], course: Simulation, order: PlannedOrder) -> None:
    """The order, and that it was released in the bucket in which the policy gave it out."""
    released = course.scene.settings.calendar.midnight(course.released[order.order])
    names = ("order", "kind", "product", "recipe", "line", "lane", "site", "units", "needed_by")
    row = {name: getattr(order, name) for name in names}
    offer = order.offer if order.offer is not None and not order.offer.endswith(IMPLIED) else None
    row |= {"offer": offer, "start": order.start, "due": max(order.due, order.start), "locked": True}
    rows["orders"].append({**row, "row_id": f"orders:{order.order}", "known_at": released})
    _enter_event(rows, order.order, "released", released, released, None)


def _enter_done(rows: Mapping[str, list[dict[str, Any]]], course: Simulation, batch: Batch) -> None:
    """That the order of a batch was done: after the lead time that it turned out to have, to the day."""
    calendar, order, end = course.scene.settings.calendar, batch.planned, _end(course, batch.arrives)
    done = _just_before(end)
    if order is not None:
        lead_days = math.ceil(true_lead_days(course.scene, order))
        done = calendar.midnight(order.start + timedelta(days=lead_days))
    _enter_event(rows, batch.order, "done", done, end, batch.units)


def _enter_event(
    rows: Mapping[str, list[dict[str, Any]]], order: str, state: str, moment: datetime, known_at: datetime, good: Any
) -> None:
    name = f"replay|{order}|{state}"
    rows["order_events"].append(
        {
            "row_id": f"order_events:{name}",
            "order_event": name,
            "happened_at": moment,
            "known_at": known_at,
            "order": order,
            "state": state,
            "good_units": good,
        }
    )


def _end(course: Simulation, bucket: Any) -> datetime:
    calendar = course.scene.settings.calendar
    return calendar.midnight(calendar.shift(bucket, 1))


def _just_before(moment: datetime) -> datetime:
    return moment - timedelta(seconds=1)


def _append(name: str, before: pa.Table, added: list[dict[str, Any]]) -> pa.Table:
    if not added:
        return before
    names = sorted({column for row in added for column in row})
    columns = {column: pa.array([row.get(column) for row in added]) for column in names}
    both = pa.concat_tables([before, in_state_schema(name, pa.table(columns))])
    return both.sort_by("row_id").combine_chunks()
