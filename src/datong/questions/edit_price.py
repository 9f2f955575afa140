"""What changing a proposed order by hand costs: the difference of two plans, as it was and as changed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.cycle import decide, head
from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.ledger.state import State, schema_of
from datong.model.errors import DatongError
from datong.model.flow import Learnt
from datong.questions.counter_offers import ALIKE, OfferCost, cost_of_change


@dataclass(frozen=True, eq=False)
class EditAsked:
    """What the price of an edit is worked out from: a value, which any process can answer.

    before, after: rows of `orders`, locked: the order as it is now, and as it (and what is split off it) would be. Both
    plans count on theirs. paid: money that is paid more for the orders themselves: by the unit, and for set-ups.
    """

    state: State
    learnt: Learnt
    seed: int
    before: Sequence[Mapping[str, Any]]
    after: Sequence[Mapping[str, Any]]
    paid: float

    def answer(self, on_stage: Callable[[str], None] = lambda _stage: None) -> OfferCost:
        """What the edit costs more, in money, and between what that lies for certain."""
        names = {row["order"] for row in (*self.before, *self.after)}
        try:
            on_stage("forecast")
            begun = head(with_locked(self.state, names, self.before), self.learnt, self.seed)
            on_stage("plan")
            base = decide(begun, limits=ALIKE).given_out
        except DatongError as error:
            return OfferCost(why=error.message)
        return cost_of_change(begun, with_locked(self.state, names, self.after), base, self.paid)


def with_locked(state: State, names: Collection[str], rows: Sequence[Mapping[str, Any]]) -> State:
    """The state as if these proposals were locked, and no others of those names."""
    there = state.tables["orders"]
    rest = there.filter(pc.invert(pc.is_in(there["order"], pa.array(sorted(names), pa.string()))))
    schema = schema_of("orders")
    made = [{name: row.get(name) for name in schema.names} | {"row_id": f"orders:{row['order']}"} for row in rows]
    events = state.tables["order_events"]
    told = order_events_rows([OrderEvent(row["order"], "proposed", state.as_of) for row in rows])
    known = {"row_id": told["order_event"], "known_at": told["happened_at"]}
    columns = [known.get(f.name, told[f.name] if f.name in told.column_names else None) for f in events.schema]
    cells = [
        pa.nulls(told.num_rows, f.type) if c is None else c.cast(f.type)
        for f, c in zip(events.schema, columns, strict=True)
    ]
    return state.with_tables(
        orders=pa.concat_tables([rest, pa.Table.from_pylist(made, schema=schema)]).sort_by("row_id"),
        order_events=pa.concat_tables([events, pa.table(cells, schema=events.schema)]),
    )
