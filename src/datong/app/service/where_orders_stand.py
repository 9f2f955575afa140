"""Where each row of `orders` stands, worked out anew only for those of which something changed since it was last asked:
a hand edit touches one order of a hundred thousand.
"""

from typing import Any
from weakref import WeakKeyDictionary

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.ledger.order_life import Standing, events_of_table, in_order
from datong.ledger.protocol import Ledger
from datong.ledger.standings import OPEN_STATES, READ_FOR_STANDINGS, only_orders, order_standings, state_of
from datong.ledger.state import State

# By order. said: the counterparty that its last event with one names. origin: as ORDERS_NOW.
STANDS = pa.schema(
    [
        ("order", pa.string()),
        ("state", pa.string()),
        ("good_units", pa.float64()),
        ("to_come_units", pa.float64()),
        ("said", pa.string()),
        ("origin", pa.string()),
    ]
)
_BEFORE: WeakKeyDictionary[Ledger, tuple[State, pa.Table]] = WeakKeyDictionary()


def where_orders_stand(chain: Chain, state: State) -> pa.Table:
    """In STANDS, in the order of the table `orders`. To be asked on the chain's own thread."""
    before = _BEFORE.get(chain.ledger)
    changed = None if before is None else changed_orders(before[0], state)
    if before is None or changed is None:
        found = stands_of(state)
    else:
        kept = before[1].filter(pc.invert(pc.is_in(before[1]["order"], changed)))
        every = pa.concat_tables([kept, stands_of(only_orders(state, changed))]).combine_chunks()
        found = every.take(pc.index_in(state.table("orders")["order"], every["order"].combine_chunks()))
    tables = {name: state.table(name) for name in READ_FOR_STANDINGS}
    _BEFORE[chain.ledger] = State(state.settings, state.as_of, tables), found
    return found


def changed_orders(before: State, after: State) -> pa.Array | None:
    """Numbers of the orders of which a row came, went or changed; None: that cannot be told."""
    found = []
    for name in READ_FOR_STANDINGS:
        old, new = before.table(name), after.table(name)
        if old is new:
            continue
        if any(pc.count_distinct(rows["row_id"]).as_py() != rows.num_rows for rows in (old, new)):
            return None
        found += [_unlike(old, new), _unlike(new, old)]
    return pc.unique(pa.concat_arrays(found)) if found else pa.array([], pa.string())


def _unlike(rows: pa.Table, others: pa.Table) -> pa.Array:
    """Orders of the rows that are not the same among the others."""
    at = pc.index_in(rows["row_id"], others["row_id"].combine_chunks())
    same = pc.is_valid(at)
    there = others.take(at)
    for name in rows.column_names:
        both_null = pc.and_(pc.is_null(rows[name]), pc.is_null(there[name]))
        same = pc.and_(same, pc.or_(both_null, pc.fill_null(pc.equal(rows[name], there[name]), False)))
    return rows["order"].filter(pc.and_(pc.invert(same), pc.is_valid(rows["order"]))).combine_chunks()


def stands_of(state: State) -> pa.Table:
    """In STANDS, worked out of every row of a state."""
    stands = order_standings(state)
    said = _who_said(state)
    none = Standing()
    found: list[dict[str, Any]] = []
    for row in state.table("orders").select(["order", "kind", "units", "locked"]).to_pylist():
        stand = stands.get(row["order"])
        now, own = state_of(row, stand), stand or none
        left = max(0.0, row["units"] - own.good_units - own.scrap_units) if now in (*OPEN_STATES, "proposed") else 0.0
        found.append(
            {
                "order": row["order"],
                "state": now,
                "good_units": own.good_units,
                "to_come_units": left,
                "said": said.get(row["order"]),
                "origin": "edit" if now == "proposed" and row["locked"] else "out",
            }
        )
    return pa.Table.from_pylist(found, STANDS)


def _who_said(state: State) -> dict[str, str]:
    """The counterparty that the last event of an order names that names one, by order."""
    rows = state.table("order_events")
    named = rows.filter(pc.fill_null(pc.not_equal(rows["counterparty"], ""), False))
    told = {order: in_order(events)[-1].counterparty for order, events in events_of_table(named).items()}
    return {order: party for order, party in told.items() if party}
