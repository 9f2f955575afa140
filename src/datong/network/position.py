"""Where the chain stands at a moment: stock on hand, demand still owed, and what is under way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from datong.ledger.standings import order_standings
from datong.ledger.state import State
from datong.model.flow import Item
from datong.network.expiry import Expiring, expiring
from datong.network.orders_out import UnderWay
from datong.network.owed import FirmRow, owed
from datong.network.stock_on_hand import Counts, SinceCount, movements, on_hand, on_hand_by_site, since_count
from datong.network.under_way import under_way


@dataclass(frozen=True)
class Position:
    """on_hand_units by product, all sites together. on_hand_by_site: the same by product and site ('' where
    unnamed) in a chain with lanes, none below zero. owed_units by item and due day: ordered or firmly wanted, due
    before the first open bucket, not served, not older than max_late_days. served_ahead_units by item and due day:
    due in open buckets and already served. under_way: orders out, by due day. sent_unasked_units by item: sent, and
    not yet asked for; what is ordered in the next days is taken to be served by it. firm_rows: the part of
    owed_units that firm rows of `demand` are; firm_ahead_units by key: the part of served_ahead_units that was sent
    for them. since_count: what the stock on hand is made of, by product and site. expiring: what of it has a day of
    expiry, and what had one that has passed, which is not on hand. unexplained_units: the
    part of sent_unasked_units of items of which firm rows are due soon.
    """

    on_hand_units: Mapping[str, float]
    owed_units: Mapping[tuple[Item, date], float]
    served_ahead_units: Mapping[tuple[Item, date], float]
    under_way: tuple[UnderWay, ...]
    sent_unasked_units: Mapping[Item, float] = field(default_factory=dict)
    on_hand_by_site: Mapping[tuple[str, str], float] = field(default_factory=dict)
    firm_rows: tuple[FirmRow, ...] = ()
    since_count: Mapping[tuple[str, str], SinceCount] = field(default_factory=dict)
    firm_ahead_units: Mapping[str, float] = field(default_factory=dict)
    expiring: Expiring = field(default_factory=lambda: Expiring({}, {}))
    unexplained_units: Mapping[Item, float] = field(default_factory=dict)


def position(state: State) -> Position:
    """The position at the state's moment.

    Stock is the last count of each product and site plus what moved after it: production and receipts in, shipments
    out, transfers at their other site once they are there (site_transfers.py), and what orders took of their components
    (stock_on_hand.py). Sales and firm wants are served by shipments to buyers, first due first (owed.py); a chain
    without any (see ships_to_buyers) is taken to have served every sale at once, from its stock. Stock is then never
    below zero: sales beyond what was counted and made say that something was not recorded.
    """
    stands, counts = order_standings(state), Counts.of(state)
    moved, to_buyers = movements(state, stands, counts), owed(state)
    units, since = on_hand(state, counts, moved), since_count(counts, moved)
    by_site = on_hand_by_site(counts, moved) if state.table("lanes").num_rows else {}
    expires = expiring(state, by_site or {(product, ""): own for product, own in units.items()}, since)
    for place in expires.gone:
        units[place[0]] -= expires.gone_units(place)
        if place in by_site:
            by_site[place] -= expires.gone_units(place)
    return Position(
        on_hand_units=units,
        owed_units=to_buyers.owed_units,
        served_ahead_units=to_buyers.served_ahead_units,
        under_way=under_way(state, stands, counts),
        sent_unasked_units=to_buyers.unasked_units,
        on_hand_by_site=by_site,
        firm_rows=to_buyers.firm_rows,
        since_count=since,
        firm_ahead_units=to_buyers.firm_ahead_units,
        expiring=expires,
        unexplained_units=to_buyers.unexplained_units,
    )
