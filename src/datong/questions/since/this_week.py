"""What to do this week, in a few lines."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.dispatch.orders_due_for_release import due_before
from datong.ledger.standings import OPEN_STATES, order_standings, state_of
from datong.ledger.state import State
from datong.model.words import Message, message, shown
from datong.questions.since.rows import NOTHING, Naming, PlanBefore, Row, listed, table_of
from datong.questions.tables_out import most_valuable, planned_orders

# Kinds of the row that says what is to be given out.
_RELEASE = ("release", "nothing_due")


def this_week(before: PlanBefore | None, state: State, tables: Mapping[str, pa.Table], naming: Naming) -> list[Row]:
    """What to give out, whom to ask for an answer or for goods, and whom to tell that something comes late."""
    rows = [_release(state, tables, naming)]
    standings = order_standings(state)
    late, silent, offered = [], [], []
    known = set() if before is None else set(before.state.table("orders")["order"].to_pylist())
    for row in sorted(state.table("orders").to_pylist(), key=lambda r: (r["due"], r["order"])):
        stand = standings.get(row["order"])
        now = state_of(row, stand)
        left = row["units"] - (0.0 if stand is None else stand.good_units + stand.scrap_units)
        if now not in OPEN_STATES or left <= NOTHING:
            continue
        named = message("since.named", order=row["order"], product=naming.called(row["product"]), units=shown(left))
        if now == "offered":
            offered.append(named)
        if row["due"] < state.today:
            late.append(named)
        elif now == "released" and row["order"] in known:
            silent.append(named)
    kinds = (("decide", offered), ("ask_late", late), ("ask_answer", silent))
    rows += [_to_do(kind, names) for kind, names in kinds if names]
    return rows + _to_tell(tables, naming)


def _to_do(kind: str, names: Sequence[Message]) -> Row:
    return Row("to_do", kind, message(f"since.{kind}", count=len(names), names=listed(names)))


def without_apart(tables: Mapping[str, pa.Table], state: State, apart: Collection[str]) -> pa.Table:
    """The table `since` of a run in which what is to be given out leaves out products that stand apart from its order
    list: whether they are ordered at all is for a person to say. state: what the run saw."""
    naming = Naming(state)
    row = table_of([_release(state, tables, naming, apart)], naming)
    since = tables["since"]
    kinds = zip(since["part"].to_pylist(), since["kind"].to_pylist(), strict=True)
    is_release = [part == "to_do" and kind in _RELEASE for part, kind in kinds]
    parts = [row if found else since.slice(at, 1) for at, found in enumerate(is_release)]
    return pa.concat_tables([since.slice(0, 0), *parts])


def _release(state: State, tables: Mapping[str, pa.Table], naming: Naming, apart: Collection[str] = frozenset()) -> Row:
    """apart: products that the plan orders and a list of it does not."""
    end = due_before(state.settings, state.first_open_bucket)
    due = tables["orders"].filter(pc.is_in(tables["orders"]["order"], tables["messages"]["order"].combine_chunks()))
    of_apart = pc.is_in(due["product"], pa.array(sorted(apart), pa.string()))
    words: dict[str, Any] = {"day": end - timedelta(days=1)}
    left_out = pc.sum(of_apart).as_py() or 0
    suffix = "_listed" if left_out else ""
    if left_out:
        words["apart"] = left_out
    due = due.filter(pc.invert(of_apart))
    if not due.num_rows:
        return Row("to_do", "nothing_due", message(f"since.nothing_due{suffix}", **words))
    fenced = pc.sum(pc.greater_equal(due["start"], pa.scalar(end, pa.date32()))).as_py() or 0
    if fenced:  # due since the next cycle may not propose it any more (dispatch)
        suffix += "_fenced"
        words |= {"start": due.num_rows - fenced, "fenced": fenced}
    orders = planned_orders({"orders": due, "reasons": tables["reasons"].slice(0, 0)})
    first = most_valuable(orders, len(orders))
    names = [
        message("since.named", order=o.order, product=naming.called(o.product), units=shown(o.units)) for o in first
    ]
    return Row("to_do", "release", message(f"since.release{suffix}", count=len(orders), names=listed(names), **words))


def _to_tell(tables: Mapping[str, pa.Table], naming: Naming) -> list[Row]:
    """Customers' orders that will be late or not served; with the day, where some of an order is on time by its bucket
    and is there after its day."""
    first: dict[str, dict[str, Any]] = {}
    for row in sorted(_short(tables), key=lambda r: (r["due"], r["demand"], r["product"])):
        told = first.setdefault(row["demand"], row | {"units": 0.0, "there": None})
        told["units"] += row["units"]  # it may come in parts
        told["there"] = max(filter(None, (told["there"], row["there"])), default=None)
    names = []
    for name, row in first.items():
        words = {"product": naming.called(row["product"]), "due": row["due"], "units": shown(row["units"])}
        if row["there"] is not None:
            names.append(message("since.told_by_day", name=name, there=row["there"], **words))
        else:
            names.append(message("since.told", name=name, **words))
    return [_to_do("tell", names)] if names else []


def _short(tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Parts of customers' orders that are not there by their day: demand, product, due, units, and there: of those that
    are on time by their bucket, the day on which they are there."""
    found = []
    for name, is_after in (("deliveries", False), ("after_due", True)):
        rows = tables.get(name)
        if rows is None:
            continue
        of_kind = (pc.equal if is_after else pc.not_equal)(rows["what"], "on_time")
        for row in rows.filter(pc.and_(of_kind, pc.greater(rows["units"], NOTHING))).to_pylist():
            if row["demand"]:
                part = {column: row[column] for column in ("demand", "product", "due", "units")}
                found.append(part | {"there": row["there_on"] if is_after else None})
    return found
