"""Proposals that a planner locked or changed by hand are given out as they are now."""

from collections.abc import Collection
from datetime import datetime

import pyarrow as pa

from datong.app.chain import Chain
from datong.app.order_messages_now import READ
from datong.dispatch.counterparty_of_order import counterparties
from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.ledger.standings import order_states, with_lines
from datong.model.errors import NotFound
from datong.model.words import message


def release_locked(chain: Chain, orders: Collection[str]) -> list[str]:
    """Give out proposals that a planner locked or changed by hand, as they are now. Returns their numbers. Raises
    NotFound for one that is none."""
    state = chain.state(names=READ)
    states = order_states(state)
    rows = with_lines(state, state.table("orders"))
    names = rows["order"].to_pylist()
    locked = dict(zip(names, rows["locked"].to_pylist(), strict=True))
    strangers = [o for o in orders if not locked.get(o) or states.get(o, ("",))[0] != "proposed"]
    if strangers:
        raise NotFound(message("service_orders.not_locked", orders=", ".join(sorted(strangers))))
    lanes = state.table("lanes")
    leaves = dict(zip(lanes["lane"].to_pylist(), lanes["from_site"].to_pylist(), strict=True))
    starts = pa.array([leaves.get(lane) for lane in rows["lane"].to_pylist()], pa.string())
    parties = dict(zip(names, counterparties(state, rows.append_column("from_site", starts)).to_pylist(), strict=True))
    moment: datetime = chain.clock()
    chosen = [name for name in names if name in set(orders)]
    if chosen:
        said = chain.world_clock()
        events = order_events_rows(
            [OrderEvent(o, "released", moment, counterparty=parties[o], acted_at=said) for o in chosen]
        )
        known_at = pa.array([moment] * len(chosen), pa.timestamp("us", tz="UTC"))
        told = events.append_column("known_at", known_at)
        chain.ledger.ingest("order_events", told, None, (), "edits", moment, by=chain.by)
    return chosen
