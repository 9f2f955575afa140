"""All orders of a chain as one table: what the last plan proposes, and what is out or was changed by hand."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.last_run_in_memory import LastPlan, last_plan, of_run, run_table
from datong.app.service.where_orders_stand import Stands, where_orders_stand
from datong.dispatch.counterparty_of_order import counterparties
from datong.dispatch.orders_due_for_release import due_before
from datong.ledger.protocol import Ledger
from datong.ledger.standings import OPEN_STATES, READ_FOR_STANDINGS, only_orders, with_lines
from datong.ledger.state import State
from datong.model.errors import NotFound
from datong.model.settings import ChainSettings
from datong.model.words import message
from datong.questions.tables_out import ORDERS_SCHEMA

# Tables of a state that the list reads.
READ = (*READ_FOR_STANDINGS, "products", "sites", "lines", "recipes", "recipe_steps", "offers", "lanes", "firms")
_F = ORDERS_SCHEMA.field
_TEXT = pa.string()

# origin: 'plan': the last plan proposes it; 'edit': a planner changed or locked it, and it is not out; 'out': it was
# given out, or another system told of it. to_come_units: ordered less good and scrapped. is_due: it is to be given out
# now: the last plan says so, or it was changed by hand and starts before the end of the bucket that is. is_overdue: it
# is out, past its day, and brings more. counted_on: of what is out, the day on which the last plan counts on it by the
# hours and components that it has for it, where that is another than `due`, the day that was promised; else null. cost,
# value, behind: money, as of a plan's proposal; null of others.
ORDERS_NOW = pa.schema(
    [
        *(_F(name) for name in ("order", "kind", "product")),
        ("name", _TEXT),
        _F("units"),
        ("base_unit", _TEXT),
        *(_F(name) for name in ("start", "due", "needed_by", "line", "recipe", "offer", "lane", "from_site", "site")),
        ("counterparty", _TEXT),
        ("counterparty_name", _TEXT),
        ("state", _TEXT),
        ("good_units", pa.float64()),
        ("to_come_units", pa.float64()),
        ("locked", pa.bool_()),
        ("origin", _TEXT),
        ("is_due", pa.bool_()),
        ("is_overdue", pa.bool_()),
        ("counted_on", pa.date32()),
        *(_F(name) for name in ("cost", "value", "behind", "late", "hurts")),
        ("run", _TEXT),
    ]
)


@dataclass(frozen=True, eq=False)
class OrdersNow:
    """rows: in ORDERS_NOW, in no order. plan: the last one, None where there is none. as_of: the moment that
    the rows are of."""

    rows: pa.Table
    plan: LastPlan | None
    as_of: datetime


def row_of(rows: pa.Table, name: str) -> dict[str, Any]:
    """The row of one order. Raises NotFound."""
    at = pc.index(rows["order"], name).as_py()
    if at < 0:
        raise NotFound(message("service_orders.no_order", order=name))
    return rows.slice(at, 1).to_pylist()[0]


def version_of(row: Mapping[str, Any]) -> str:
    """Names what is shown of an order: another content has another version."""
    told = {name: row[name] for name in _VERSIONED}
    return hashlib.sha256(json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()[:16]


_VERSIONED = ("order", "units", "start", "due", "line", "recipe", "offer", "lane", "site", "state", "locked", "origin")


@dataclass(frozen=True, eq=False)
class _Made:
    """The list as it was made last. proposed: all that the last plan proposes. of: what the list was made of beside the
    orders themselves; stands: where they stand."""

    now: OrdersNow
    proposed: pa.Table | None
    of: "_Basis"
    stands: Stands


@dataclass(frozen=True, eq=False)
class _Basis:
    """What the whole list depends on. today, end: the chain's day, and the end of what is to be given out now. others:
    tables of the state, those of the orders apart."""

    plan: LastPlan | None
    settings: ChainSettings
    today: date
    end: date
    others: tuple[pa.Table, ...]

    def is_like(self, other: "_Basis") -> bool:
        """Whether it is the same: a table that nothing came into is the very same one."""
        mine, theirs = ((one.plan, one.settings, one.today, one.end) for one in (self, other))
        return mine == theirs and all(a is b for a, b in zip(self.others, other.others, strict=True))


_BEFORE: WeakKeyDictionary[Ledger, _Made] = WeakKeyDictionary()


def orders_now(chain: Chain) -> OrdersNow:
    """All orders of a chain; worked out anew for those alone of which something changed since, where nothing else did.
    To be asked on the chain's own thread."""
    state, plan = chain.state(names=READ), last_plan(chain)
    settings = state.settings
    end = due_before(settings, state.first_open_bucket)
    others = tuple(state.tables[name] for name in READ if name not in READ_FOR_STANDINGS)
    basis, before = _Basis(plan, settings, state.today, end, others), _BEFORE.get(chain.ledger)
    stands = where_orders_stand(state, None if before is None else before.stands)
    if before is not None and stands.changed is not None and before.of.is_like(basis):
        proposed, rows = before.proposed, _with_changed(chain, before, stands, state, basis)
    else:
        proposed = None if plan is None else _proposed(chain, plan, state)
        rows = _all_rows(chain, state, stands.rows, basis, proposed)
    now = OrdersNow(rows, plan, state.as_of)
    _BEFORE[chain.ledger] = _Made(now, proposed, basis, stands)
    return now


def _all_rows(chain: Chain, state: State, stands: pa.Table, basis: _Basis, proposed: pa.Table | None) -> pa.Table:
    """In ORDERS_NOW, of the orders that the state has and that are proposed."""
    told = _out(state, stands, basis.end)
    rows = _with_money(chain, told, {run for run in told["run"].to_pylist() if run is not None})
    rows = _named(rows.select(_STORED).cast(_STORED_SCHEMA), _products(chain, state, basis.plan), state)
    if proposed is not None:
        still = pc.invert(pc.is_in(proposed["order"], told["order"].combine_chunks()))
        rows = pa.concat_tables([proposed.filter(still), rows.select(proposed.column_names)])
    is_open = pc.is_in(rows["state"], pa.array(sorted(OPEN_STATES)))
    is_past = pc.less(rows["due"], pa.scalar(state.today))
    is_overdue = pc.and_(pc.and_(is_open, is_past), pc.greater(rows["to_come_units"], 0.0))
    rows = rows.append_column("is_overdue", is_overdue)
    kept = None if basis.plan is None else run_table(chain, basis.plan.run, "kept")
    rows = rows.append_column("counted_on", _counted_on(rows, kept))
    return rows.select(ORDERS_NOW.names).cast(ORDERS_NOW).combine_chunks()


def _counted_on(rows: pa.Table, kept: pa.Table | None) -> pa.Array:
    """Of rows of orders the day on which a plan counts on each that brings more, where it knew the same promised day.
    kept: orders that were out already when it was made; None: there is none."""
    if kept is None or "counted_on" not in kept.column_names:  # of a plan that an earlier version kept
        return pa.nulls(rows.num_rows, pa.date32())
    found = kept.select(["due", "counted_on"]).take(pc.index_in(rows["order"], kept["order"].combine_chunks()))
    same_promise = pc.and_(pc.equal(found["due"], rows["due"]), pc.not_equal(found["counted_on"], rows["due"]))
    told = pc.and_(same_promise, pc.and_(pc.equal(rows["origin"], "out"), pc.greater(rows["to_come_units"], 0.0)))
    return pc.if_else(pc.fill_null(told, False), found["counted_on"], pa.scalar(None, pa.date32()))


def _with_changed(chain: Chain, before: _Made, stands: Stands, state: State, basis: _Basis) -> pa.Table:
    """The rows as they were, with those of the orders exchanged of which something changed."""
    rows, proposed, changed = before.now.rows, before.proposed, stands.changed
    assert changed is not None  # whoever asks has looked
    if not len(changed):
        return rows
    of_changed = stands.rows.filter(pc.is_in(stands.rows["order"], changed))
    if proposed is not None:
        proposed = proposed.filter(pc.is_in(proposed["order"], changed))
    new = _all_rows(chain, only_orders(state, changed), of_changed, basis, proposed)
    places = np.flatnonzero(pc.is_in(rows["order"], changed).to_numpy())
    begins, ends = [0, *(places + 1)], [*places, rows.num_rows]
    kept = [rows.slice(begin, end - begin) for begin, end in zip(begins, ends, strict=True)]
    return pa.concat_tables([*kept, new]).combine_chunks()


# Columns of both parts, before names are put beside codes.
_ADDED = ("name", "base_unit", "counterparty_name", "is_overdue", "counted_on")
_STORED = [name for name in ORDERS_NOW.names if name not in _ADDED]
_STORED_SCHEMA = pa.schema([ORDERS_NOW.field(name) for name in _STORED])


def _proposed(chain: Chain, plan: LastPlan, state: State) -> pa.Table:
    """All that the last plan proposed, with names and with whoever it goes to as the chain's tables say now."""

    def made() -> pa.Table:
        rows, messages = (run_table(chain, plan.run, name) for name in ("orders", "messages"))
        assert rows is not None and messages is not None  # every run has them
        told = _with(
            rows,
            is_due=pc.is_in(rows["order"], messages["order"].combine_chunks()),
            counterparty=counterparties(state, rows),
            state=_all(rows, "proposed"),
            good_units=_all(rows, 0.0),
            to_come_units=rows["units"],
            origin=_all(rows, "plan"),
            run=_all(rows, plan.run),
        )
        return _named(told.select(_STORED).cast(_STORED_SCHEMA), _products(chain, state, plan), state)

    whose = tuple(state.table(name) for name in ("sites", "lines", "recipes", "recipe_steps", "offers", "firms"))
    return of_run(chain, plan.run, f"proposed {_digest(whose)}", made)


def _digest(tables: Sequence[pa.Table]) -> str:
    """Names what tables hold."""
    digest = hashlib.sha256()
    for table in tables:
        for batch in table.select([n for n in table.column_names if n not in ("known_at", "assumed")]).to_batches():
            for column in batch.columns:
                for buffer in column.buffers():
                    if buffer is not None:
                        digest.update(buffer)
    return digest.hexdigest()[:16]


def _out(state: State, stands: pa.Table, end: date) -> pa.Table:
    """Rows of `orders`: out, locked, or told of by another system; with where each stands. end: of what is to be given
    out now."""
    rows = with_lines(state, state.table("orders"))
    lanes = state.table("lanes")
    leaves = lanes["from_site"].take(pc.index_in(rows["lane"], lanes["lane"].combine_chunks()))
    rows = _with(rows, from_site=leaves)
    party = pc.coalesce(stands["said"], counterparties(state, rows))
    is_due = pc.and_(pc.equal(stands["origin"], "edit"), pc.less(rows["start"], pa.scalar(end)))
    told = {name: stands[name] for name in ("state", "good_units", "to_come_units", "origin")}
    return _with(rows, counterparty=party, is_due=is_due, **told)


def _with_money(chain: Chain, out: pa.Table, runs: set[str]) -> pa.Table:
    """Rows with what the plan that proposed them says of their money, where they are as it proposed them."""
    names, mine = ["order", "run", "units", "start", "cost", "value", "behind", "late", "hurts"], out["order"]
    known = [
        _with(own, run=_all(own, run))
        for run in sorted(runs)
        if (t := run_table(chain, run, "orders")) is not None
        and (own := t.filter(pc.is_in(t["order"], mine.combine_chunks()))).num_rows
    ]
    if not known or not out.num_rows:
        money = {n: pa.nulls(out.num_rows, ORDERS_SCHEMA.field(n).type) for n in names[4:]}
        return _with(out, **money)
    plans = pa.concat_tables([table.select(names) for table in known])
    keys = pc.binary_join_element_wise(plans["run"], plans["order"], "|").combine_chunks()
    at = pc.index_in(pc.binary_join_element_wise(out["run"], out["order"], "|"), keys)
    found = plans.take(at)
    same = pc.fill_null(pc.and_(pc.equal(found["units"], out["units"]), pc.equal(found["start"], out["start"])), False)
    money = {n: pc.if_else(same, found[n], pa.scalar(None, found[n].type)) for n in names[4:8]}
    return _with(out, **money, hurts=found["hurts"])


def _products(chain: Chain, state: State, plan: LastPlan | None) -> pa.Table:
    """product, name, base_unit: as the last plan has them, unless there is none."""
    kept = None if plan is None else run_table(chain, plan.run, "products")
    return state.table("products") if kept is None else kept


def _named(rows: pa.Table, products: pa.Table, state: State) -> pa.Table:
    at = pc.index_in(rows["product"], products["product"].combine_chunks())
    firms = state.table("firms")
    firm = firms["name"].take(pc.index_in(rows["counterparty"], firms["firm"].combine_chunks()))
    return _with(
        rows,
        name=products["name"].take(at),
        base_unit=products["base_unit"].take(at),
        counterparty_name=firm,
    )


def _all(rows: pa.Table, value: Any) -> pa.Array:
    """A column with one value in every row."""
    return pa.repeat(pa.scalar(value), rows.num_rows)


def _with(rows: pa.Table, **columns: Any) -> pa.Table:
    """The table with these columns, new or in place of those that it has."""
    for name, column in columns.items():
        there = rows.column_names.index(name) if name in rows.column_names else None
        rows = rows.append_column(name, column) if there is None else rows.set_column(there, name, column)
    return rows
