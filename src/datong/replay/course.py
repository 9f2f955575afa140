"""A policy's own course as the tables that its next decision sees in place of the company's."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.facts import IMPLIED
from datong.ledger.position import position
from datong.ledger.state import State, in_state_schema
from datong.ledger.stock import ships_to_buyers
from datong.model.flow import PlannedOrder
from datong.replay.simulate import NOTHING, Batch, Simulation, true_lead_days

# What is simulated from the replay's start on; all other tables are as they were known at each moment.
SIMULATED = ("stock", "production", "receipts", "shipments", "orders", "order_events")


def before_replay(
    state: State, opening_stock_factor: float = 1.0, least_units: Mapping[str, float] = MappingProxyType({})
) -> State:
    """The state as the replay begins, with its books closed so that they can be carried on.

    What is on hand then is never below nothing (records that say so lack something), nor below `least_units`, and times
    opening_stock_factor; what is thereby added to the records has come in at that moment.

    The position of a chain that records nothing that was sent (ledger/position.py) means that every sale was served at
    once, and that what was sold beyond the stock had come in unrecorded. Here both are written out: the sales as
    shipments, the units missing as receipts. The position stays what it was.
    """
    closed = _taken_back(_closed_books(state))
    on_hand = position(closed).on_hand_units
    more = {}
    for product in {*on_hand, *least_units}:
        there = on_hand.get(product, 0.0)
        more[product] = opening_stock_factor * max(there, least_units.get(product, 0.0), 0.0) - there
    return _with_receipts(closed, "opening", more)


def _taken_back(state: State) -> State:
    """What was sent and not asked for yet lies in stock again: the simulator serves all that is asked for from then on,
    and a policy must not believe that some of it is served already."""
    rows = [
        {
            "row_id": f"shipments:replay|back|{item.product}|{item.market}",
            "shipment": f"replay|back|{item.product}|{item.market}",
            "happened_at": _just_before(state.as_of),
            "known_at": state.as_of,
            "market": item.market,
            "product": item.product,
            "units": -units,
        }
        for item, units in position(state).sent_unasked_units.items()
    ]
    return state.with_tables(shipments=_append("shipments", state.table("shipments"), rows)) if rows else state


def _closed_books(state: State) -> State:
    shipments = state.table("shipments")
    if ships_to_buyers(state):
        return state
    sales = state.table("sales")
    sales = sales.filter(pc.field("state") == "ordered")
    served = {name: sales[name] for name in ("happened_at", "product", "units", "known_at")}
    name = [f"replay|{row_id}" for row_id in sales["row_id"].to_pylist()]
    rows = {**served, "market": sales["market"], "shipment": pa.array(name), "row_id": pa.array(name)}
    sent = state.with_tables(shipments=pa.concat_tables([shipments, in_state_schema("shipments", pa.table(rows))]))
    there = position(sent).on_hand_units
    missing = {product: units - there.get(product, 0.0) for product, units in position(state).on_hand_units.items()}
    return _with_receipts(sent, "missing", missing)


def _with_receipts(state: State, why: str, units: Mapping[str, float]) -> State:
    """The state with more units of products received at its moment; what is not above 0 is left out."""
    receipts = [
        {
            "row_id": f"receipts:replay|{why}|{product}",
            "receipt": f"replay|{why}|{product}",
            "happened_at": state.as_of,
            "known_at": state.as_of,
            "product": product,
            "units": more,
        }
        for product, more in sorted(units.items())
        if more > NOTHING
    ]
    return state.with_tables(receipts=_append("receipts", state.table("receipts"), receipts)) if receipts else state


def course_tables(course: Simulation, before: State) -> dict[str, pa.Table]:
    """The SIMULATED tables after the course's last step: those of `before`, and what happened on the course since.

    Batches that have arrived are production or receipts; those still to come, and orders given out that start later,
    are locked orders, which `position` counts as under way. What happens in a bucket is entered as of its end.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SIMULATED}
    for batch in course.arrived:
        _enter_arrival(rows, course, batch)
        _enter_done(rows, course, batch)
    under_way = [batch.planned for batch in (*course.arrived, *course.coming) if batch.planned is not None]
    for order in [*under_way, *course.waiting]:
        _enter_order(rows, course, order)
    for sent in course.sent:
        end = _end(course, sent.bucket)
        name = f"replay|{sent.bucket}|{sent.item.product}|{sent.item.market}"
        rows["shipments"].append(
            {
                "row_id": f"shipments:{name}",
                "shipment": name,
                "happened_at": _just_before(end),
                "known_at": end,
                "market": sent.item.market,
                "product": sent.item.product,
                "units": sent.units,
            }
        )
    return {name: _append(name, before.table(name), added) for name, added in rows.items()}


def _enter_arrival(rows: Mapping[str, list[dict[str, Any]]], course: Simulation, batch: Batch) -> None:
    end = _end(course, batch.arrives)
    name = f"replay|{batch.order}"
    entry = {"happened_at": _just_before(end), "known_at": end, "order": batch.order, "product": batch.product}
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
    row = {name: getattr(order, name) for name in ("order", "kind", "product", "recipe", "line", "units", "needed_by")}
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
        done = calendar.midnight(calendar.bucket_start(order.start) + timedelta(days=lead_days))
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
