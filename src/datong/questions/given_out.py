"""What one plan counts on and another does not: orders that were given out or locked by hand, from whichever run, and
what each costs. For what came since a plan (`since`), and for two plans side by side (`compare`).

A run is held against the last one of an earlier moment, while orders go out of others too: of runs of its own moment
that were made again, or of nobody's plan. All of them are paid, and the plan counts on them: they count with it. What
was out then and was refused or cancelled since counts with the plan before: what takes its place counts now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.standings import READ_FOR_STANDINGS, only_orders, only_recipes, order_standings, state_now
from datong.ledger.state import State
from datong.network.horizon import valid_on
from datong.network.price_breaks import row_of_units
from datong.questions.paired_orders import same_units

Row = Mapping[str, Any]
# By run, tables of its results by name.
Sources = Mapping[str, Mapping[str, pa.Table]]
_WAYS = ("recipe", "offer", "lane")
_WAY_OF = {"make": "recipe", "buy": "offer", "move": "lane"}
# Tables of a state that this reads.
STATE_READ = (*READ_FOR_STANDINGS, "recipes", "lines", "lanes")
_NO_COST = frozenset({"refused", "cancelled"})

# order, way and days: as the ledger has them. stands: whether it is to be paid: it was not refused or cancelled.
# locked: it did not go out, but a planner locked it. cost: money, null where no way says what it is.
GIVEN_OUT_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("order", "kind", "product", *_WAYS, "site")),
        ("units", pa.float64()),
        ("start", pa.date32()),
        ("due", pa.date32()),
        ("stands", pa.bool_()),
        ("locked", pa.bool_()),
        ("cost", pa.float64()),
    ]
)


@dataclass(frozen=True, eq=False)
class WentOut:
    """Both in `GIVEN_OUT_SCHEMA`. since: orders that the plan before did not count on and the state has. ended: those
    that it counted on and that were refused or cancelled since."""

    since: pa.Table
    ended: pa.Table


def runs_since(before: State, state: State) -> set[str]:
    """The runs that proposed what went out, or was refused or cancelled, between two states."""
    return {row["run"] for row, _ in (*_since(before, state), *_ended(before, state)) if row["run"]}


def given_out(before: State, sources: Sources, state: State, tables: Mapping[str, pa.Table]) -> WentOut:
    """before: the world that the plan before saw. sources: of each run from which something went out or ended, at least
    its orders and ways, by run. tables: of the run now."""
    found = _since(before, state), _ended(before, state)
    prices = _Prices(sources, state, tables, [row for part in found for row, _ in part])
    since, ended = (_table(part, state, prices) for part in found)
    return WentOut(since, ended)


def _table(found: Sequence[tuple[dict[str, Any], str]], state: State, prices: "_Prices") -> pa.Table:
    only = only_recipes(state)
    rows = []
    for row, now in found:
        own = dict(row)
        if own["kind"] == "make" and own["recipe"] is None:
            own["recipe"] = only.get((own["product"], own["line"])) or only.get(own["product"])
        own |= {"stands": now not in _NO_COST, "locked": now == "proposed", "cost": prices.cost(own)}
        rows.append({name: own[name] for name in GIVEN_OUT_SCHEMA.names})
    return pa.Table.from_pylist(rows, GIVEN_OUT_SCHEMA)


def _since(before: State, state: State) -> list[tuple[dict[str, Any], str]]:
    """Orders on which a plan counts now and did not before, by number, each with its state. Only few are read."""
    were, are = (of.table("orders")["order"].combine_chunks() for of in (before, state))
    free = before.table("orders").filter(pc.invert(before.table("orders")["locked"]))["order"].combine_chunks()
    only_proposed = {row["order"] for row, now in _orders_of(before, free) if now == "proposed"}
    fresh = are.filter(pc.invert(pc.is_in(are, were)))
    asked = pa.concat_arrays([fresh, pa.array(sorted(only_proposed), pa.string())])
    return [(row, now) for row, now in _orders_of(state, asked) if now != "proposed" or row["locked"]]


def _ended(before: State, state: State) -> list[tuple[dict[str, Any], str]]:
    """Orders on which a plan counted before and that were refused or cancelled since, by number, each as it was."""
    events = state.table("order_events")
    told = events.filter(pc.is_in(events["state"], pa.array(sorted(_NO_COST), pa.string())))["order"]
    gone = [row["order"] for row, now in _orders_of(state, pc.unique(told)) if now in _NO_COST]
    were = _orders_of(before, pa.array(gone, pa.string()))
    return [(row, was) for row, was in were if was not in _NO_COST and (was != "proposed" or row["locked"])]


def _orders_of(state: State, numbers: pa.Array) -> list[tuple[dict[str, Any], str]]:
    """Orders of these numbers, each with its state."""
    own = only_orders(state, numbers)
    stands = order_standings(own)
    rows = sorted(own.table("orders").to_pylist(), key=lambda row: row["order"])
    return [(row, state_now(stands.get(row["order"]))) for row in rows]


class _Prices:
    """What orders cost: as the run that proposed one has it; where somebody changed it, or no run did, by its way."""

    def __init__(self, sources: Sources, state: State, tables: Mapping[str, pa.Table], orders: list[Row]) -> None:
        self.bucket_of = state.settings.calendar.bucket_start
        numbers = pa.array([row["order"] for row in orders], pa.string())
        products = pa.array(sorted({row["product"] for row in orders}), pa.string())
        self.proposed = {
            (run, row["order"]): row
            for run, own in sources.items()
            if "orders" in own
            for row in own["orders"].filter(pc.is_in(own["orders"]["order"], numbers)).to_pylist()
        }
        known = {**sources, None: tables}
        self.ways = {
            run: own["ways"].filter(pc.is_in(own["ways"]["product"], products)).to_pylist()
            for run, own in known.items()
            if "ways" in own
        }
        self.lanes = state.versions("lanes").to_pylist() if "move" in {row["kind"] for row in orders} else []

    def cost(self, order: Row) -> float | None:
        """Money, None where neither its run nor its way says it."""
        proposed = self.proposed.get((order["run"], order["order"]))
        if proposed is not None and order["price"] is None and _is_as_proposed(order, proposed):
            return float(proposed["cost"])
        rates = self._rates(order)
        if order["price"] is not None:
            rates = order["price"], 0.0 if rates is None else rates[1]
        return None if rates is None else order["units"] * rates[0] + rates[1]

    def _rates(self, order: Row) -> tuple[float, float] | None:
        """Money for a unit and for a set-up: as the run that proposed it knew its way, else as it is known now."""
        day, name = self.bucket_of(order["start"]), order[_WAY_OF[order["kind"]]]
        if order["kind"] == "move":  # what a run keeps of a lane has the stock on the way in it
            lanes = [lane for lane in self.lanes if lane["lane"] == name and _holds(lane, day)]
            return (lanes[-1]["cost_per_unit"], lanes[-1]["cost_per_order"]) if lanes else None
        for run in (order["run"], None):
            key = order["kind"], order["product"], name
            own = (w for w in self.ways.get(run, ()) if (w["kind"], w["product"], w["way"]) == key and _holds(w, day))
            way = row_of_units(list(own), order["units"])
            if way is not None:
                return way["cost_per_unit"], way["setup_cost"]
        return None


def _is_as_proposed(order: Row, proposed: Row) -> bool:
    return all(order[name] == proposed.get(name) for name in _WAYS) and same_units(order, proposed)


def _holds(row: Row, day: date) -> bool:
    return valid_on(day, row["valid_from"], row["valid_to"])
