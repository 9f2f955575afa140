"""Orders that are put together (`order_every_days` of recipes, offers and lanes): one of a row and product in so many
days, so that what is wanted until the next one comes with it.

With N days, a new order may start in bucket t where its first day is N days or more after that of the last bucket in
which one of the row could start or did (an order that is out, done or locked among them), and where none that is out
starts within N days of it:

    t may start   if   day(t) - day(before) >= N     and     |day(t) - day(k)| >= N for each order k that is out.

Of a recipe with steps it is the first step. As a refusal does, the rule closes ways on days, so that doors, bound,
lots and referee know no rule of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pyarrow.compute as pc

from datong.ledger.order_life import events_of_table, in_order, standing
from datong.ledger.state import State
from datong.network.horizon import valid_on
from datong.network.routes import Routes
from datong.network.ways import Way, closed_but

# By kind of order, the table that says how, and its key.
_ROWS: Mapping[str, tuple[str, str]] = {
    "make": ("recipes", "recipe"),
    "buy": ("offers", "offer"),
    "move": ("lanes", "lane"),
}
# States of an order that takes no place among the others.
_NONE = ("refused", "cancelled")

# Kind of order, key of its recipe, offer or lane, and product.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Version:
    """A row as it holds on some days."""

    days: int
    valid_from: date | None
    valid_to: date | None


def in_rhythm(
    ways: Sequence[Way], state: State, bucket_starts: Sequence[date], product_of: Callable[[str], str]
) -> tuple[Way, ...]:
    """The ways, those of rows with `order_every_days` closed but in the buckets in which a new order may start.
    product_of: the product of a label."""
    told = _told(state)
    if not told:
        return tuple(ways)
    routes, calendar = Routes.of(state), state.settings.calendar
    groups: dict[Key, list[int]] = defaultdict(list)
    for w, way in enumerate(ways):
        row = (way.recipe or way.offer or way.lane) if way.is_order else None
        if way.kind == "make":
            row = routes.recipe_of(row) if way.place is None or way.place[0] == 1 else None
        if row is not None and (way.kind, row) in told:
            product = way.place[2] if way.place is not None else product_of(way.product)
            groups[way.kind, row, product].append(w)
    out, found = _orders_out(state, routes), list(ways)
    for key, own in groups.items():
        versions, frozen = told[key[:2]], state.settings.frozen_buckets
        days = [_days_on(versions, day) for day in bucket_starts]
        can = [t >= frozen and any(ways[w].is_open(day) for w in own) for t, day in enumerate(bucket_starts)]
        starts = [calendar.bucket_start(day) for day in out.get(key, ())]
        may = _may_start(bucket_starts, can, days, starts)
        closed = closed_but(may, bucket_starts, calendar)
        for w in own:
            found[w] = replace(ways[w], between_orders=closed, order_every_days=max(days))
    return tuple(found)


def _days_on(versions: Sequence[_Version], day: date) -> int:
    """Days from one order to the next as the last version to begin says that holds on a day; 0: none does."""
    held = [v for v in versions if valid_on(day, v.valid_from, v.valid_to)]
    return max(held, key=lambda v: v.valid_from or date.min).days if held else 0


def _may_start(
    bucket_starts: Sequence[date], can: Sequence[bool], days: Sequence[int], out: Sequence[date]
) -> list[int]:
    """Buckets in which a new order may start. can: (bucket) whether one could without the rule; days: (bucket) from one
    order to the next; out: first days of the buckets in which orders that are out start."""
    found: list[int] = []
    for t, day in enumerate(bucket_starts):
        apart = timedelta(days=days[t])
        before = [bucket_starts[found[-1]]] if found else []
        is_apart = all(day - one >= apart for one in before) and all(abs(day - one) >= apart for one in out)
        if can[t] and (is_apart or not days[t]):
            found.append(t)
    return found


def _told(state: State) -> dict[tuple[str, str], list[_Version]]:
    """(kind of order, key) of each row that has any, and its versions."""
    found: dict[tuple[str, str], list[_Version]] = defaultdict(list)
    for kind, (table, key) in _ROWS.items():
        rows = state.versions(table).select([key, "order_every_days", "valid_from", "valid_to"])
        if not pc.max(rows["order_every_days"]).as_py():
            continue
        for row in rows.to_pylist():
            version = _Version(int(row["order_every_days"] or 0), row["valid_from"], row["valid_to"])
            found[kind, row[key]].append(version)
    return {row: versions for row, versions in found.items() if any(v.days for v in versions)}


def _orders_out(state: State, routes: Routes) -> dict[Key, list[date]]:
    """Days on which orders start or started that were given out or are locked. Of a recipe with steps, those of the
    first one."""
    events = events_of_table(state.table("order_events"))
    found: dict[Key, list[date]] = defaultdict(list)
    for order in state.table("orders").to_pylist():
        own, row = events.get(order["order"], ()), order[_ROWS[order["kind"]][1]]
        stands = standing(in_order(own)).state if own else "released"
        if stands in _NONE or (stands == "proposed" and not order["locked"]) or order["start"] is None:
            continue
        row = routes.last(row) or row  # an order of the whole is one of its last step
        place = routes.place(row) if order["kind"] == "make" else None
        if row is not None and (place is None or place[0] == 1):
            found[order["kind"], routes.recipe_of(row) or row, order["product"]].append(order["start"])
    return found
