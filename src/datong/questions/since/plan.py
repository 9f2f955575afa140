"""What became of the plan before: its orders, and what the weeks that both plans cover cost."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.standings import order_standings, state_now
from datong.ledger.state import State
from datong.model.words import Message, message, shown
from datong.questions.compare import REMOVED, SAME, order_changes
from datong.questions.since.rows import Naming, PlanBefore, Row

_NO_COST = frozenset({"refused", "cancelled"})


def weeks_of_both(before: PlanBefore, tables: Mapping[str, pa.Table]) -> list[date]:
    """Starts of the buckets that both plans cover."""
    was, now = (of["forecast_total"]["bucket"].to_pylist() for of in (before.tables, tables))
    return sorted({*was} & {*now})


def order_rows(before: PlanBefore, state: State, tables: Mapping[str, pa.Table], naming: Naming) -> list[Row]:
    """Orders of the plan before that were not given out, beside those of the new plan; what is as it was is counted.

    What the new plan starts after the end of the plan before is not new, only nearer.
    """
    was = before.tables["orders"]
    was = was.filter(pc.invert(pc.is_in(was["order"], state.table("orders")["order"].combine_chunks())))
    covered = before.tables["forecast_total"]["bucket"].to_pylist()
    end = state.settings.calendar.shift(max(covered), 1)
    now = tables["orders"].filter(pc.less(tables["orders"]["start"], pa.scalar(end, pa.date32())))
    rows, same = [], 0
    for change in order_changes(was, now, state.settings.calendar.bucket_start).to_pylist():
        kind = change["change"]
        if kind == SAME:
            same += 1
            continue
        if kind == REMOVED:
            kind = "missed" if change["start_a"] < state.first_open_bucket else "dropped"
        rows.append(_order_row(kind, change, naming))
    if same:
        rows.append(
            Row(
                "orders",
                "same",
                message("since.order_same", count=same),
            )
        )
    kinds = ("missed", "dropped", "added", "moved", "due_moved", "resized", "moved_resized", "same")
    place = {kind: i for i, kind in enumerate(kinds)}
    return sorted(rows, key=lambda row: (place[row.kind], row.day[1] or row.day[0] or date.max, row.subject or ""))


def _order_row(kind: str, change: Mapping[str, Any], naming: Naming) -> Row:
    product = change["product"]
    units, days, money = ((change[f"{name}_a"], change[f"{name}_b"]) for name in ("units", "start", "cost"))
    subject = change["order_b"] or change["order_a"]
    words = {
        "order": subject,
        "product": naming.called(product),
        "amount": naming.amount(_last(units), product),
        "start": _last(days),
        "begins": message(f"since.begins_{change['kind']}"),
    }
    if kind in ("moved", "moved_resized"):
        words["start_before"] = days[0]
    if kind == "due_moved":
        words |= {"due": change["due_b"], "due_before": change["due_a"]}
    if kind in ("resized", "moved_resized"):
        words["before"] = naming.amount(units[0], product)
    return Row("orders", kind, message(f"since.order_{kind}", **words), subject, product, units, days, money)


def _last(pair: Sequence[Any]) -> Any:
    return pair[0] if pair[1] is None else pair[1]


# money -------------------------------------------------------------------------------------------


def cost_rows(
    before: PlanBefore, state: State, tables: Mapping[str, pa.Table], weeks: Sequence[date], naming: Naming
) -> list[Row]:
    """What these weeks cost in both plans: in all, by term, and units late and unserved.

    Orders count where they start, those given out since among those of the new plan; stock and what waits at the end of
    each week; what is not served where it was due. What was due before these weeks and is not served is told apart: the
    plan before could have it in a week that is over. Where the plan before was kept without its money by week, that.
    """
    if not weeks:
        return []
    if "money_by_bucket" not in before.tables:
        return [Row("cost", "unknown", message("since.cost_unknown"))]
    sides = [_cost_by_term(of, state, weeks) for of in (before.tables, tables)]
    sides[1]["orders"] += _given_out_cost(before, state, weeks)
    currency = state.settings.currency
    total = tuple(sum(side.values()) for side in sides)
    span = naming.span(len(weeks))
    rows = [_cost_row("total", total, _total_text(total, span, currency))]
    for term in sides[0]:
        money = (sides[0][term], sides[1][term])
        if any(shown(side) for side in money):
            words = {"before": shown(money[0]), "after": shown(money[1]), "currency": currency}
            rows.append(_cost_row(term, money, message(f"since.cost_{term}", **words)))
    rows += _unserved_before(before, tables, weeks[0], currency)
    for kind in ("late", "lost"):
        was, now = (_units_in(of["gaps"], f"{kind}_units", weeks) for of in (before.tables, tables))
        overdue = [_overdue_units(of, weeks[0], kind) for of in (before.tables, tables)]
        was, now = was - overdue[0], now - overdue[1]
        if shown(was) or shown(now):
            text = message(f"since.{kind}_units", before=shown(was), after=shown(now))
            rows.append(Row("cost", f"{kind}_units", text, units=(was, now)))
        if kind == "late" and shown(overdue[1]):
            text = message("since.late_overdue", units=shown(overdue[1]), day=weeks[0])
            rows.append(Row("cost", "late_overdue", text, units=(None, overdue[1])))
    return rows


def _unserved_before(before: PlanBefore, tables: Mapping[str, pa.Table], first: date, currency: str) -> list[Row]:
    """Units and money of demand that was due before the weeks of both plans and is not served, in both."""
    day = pa.scalar(first, pa.date32())
    units, money = [], []
    for of in (before.tables, tables):
        gaps, rows = of["gaps"], of["money_by_bucket"]
        earlier = gaps.filter(pc.less(gaps["bucket"], day))
        units.append((pc.sum(earlier["lost_units"]).as_py() or 0.0) + _overdue_units(of, first, "lost"))
        was_due = pc.fill_null(pc.less(rows["bucket"], day), True)
        rows = rows.filter(pc.and_(pc.equal(rows["term"], "lost"), was_due))
        money.append(pc.sum(rows["money"]).as_py() or 0.0)
    if not any(shown(amount) for amount in (*units, *money)):
        return []
    words = {f"units_{side}": shown(amount) for side, amount in zip(("before", "after"), units, strict=True)}
    words |= {f"money_{side}": shown(amount) for side, amount in zip(("before", "after"), money, strict=True)}
    text = message("since.lost_overdue", day=first, currency=currency, **words)
    return [Row("cost", "lost_overdue", text, units=(units[0], units[1]), money=(money[0], money[1]))]


def _overdue_units(tables: Mapping[str, pa.Table], first: date, kind: str) -> float:
    """Units that were due before the weeks of both plans begin and that a plan which begins with them serves late or
    not at all: it has them in its first week, and one that began earlier in weeks that are over."""
    if "deliveries" not in tables or min(tables["forecast_total"]["bucket"].to_pylist()) < first:
        return 0.0
    due_before = pc.less(tables["deliveries"]["due"], pa.scalar(first, pa.date32()))
    is_late = pc.equal(tables["deliveries"]["what"], "late")
    rows = tables["deliveries"].filter(pc.and_(due_before, is_late if kind == "late" else pc.invert(is_late)))
    rows = rows.filter(pc.not_equal(rows["what"], "on_time"))
    return float(pc.sum(rows["units"]).as_py() or 0.0)


def _cost_row(kind: str, money: tuple[float, ...], text: Message) -> Row:
    return Row("cost", kind, text, money=(money[0], money[1]))


def _total_text(total: tuple[float, ...], span: Message, currency: str) -> Message:
    difference = shown(total[1] - total[0])
    key = "cost_same" if not difference else "cost_more" if difference > 0 else "cost_less"
    words = {"before": shown(total[0]), "after": shown(total[1]), "difference": abs(difference), "currency": currency}
    return message(f"since.{key}", span=span, **words)


def _cost_by_term(tables: Mapping[str, pa.Table], state: State, weeks: Sequence[date]) -> dict[str, float]:
    """Money of the weeks: orders, overtime, holding, late, lost."""
    cost = {"orders": _order_cost(tables["orders"], state, weeks)}
    money = tables["money_by_bucket"]
    inside = money.filter(pc.is_in(money["bucket"], pa.array(weeks, pa.date32())))
    for term in ("overtime", "holding", "late", "lost"):
        cost[term] = pc.sum(inside.filter(pc.equal(inside["term"], term))["money"]).as_py() or 0.0
    return cost


def _order_cost(orders: pa.Table, state: State, weeks: Sequence[date]) -> float:
    """Money of the orders that start in these weeks."""
    end = state.settings.calendar.shift(weeks[-1], 1)
    first, after = (pa.scalar(day, pa.date32()) for day in (weeks[0], end))
    inside = pc.and_(pc.greater_equal(orders["start"], first), pc.less(orders["start"], after))
    return pc.sum(orders.filter(inside)["cost"]).as_py() or 0.0


def _given_out_cost(before: PlanBefore, state: State, weeks: Sequence[date]) -> float:
    """Money of the orders of the plan before that were given out since, and were neither refused nor cancelled."""
    stands = order_standings(state)
    were = set(before.state.table("orders")["order"].to_pylist())
    out = {
        row["order"]
        for row in state.table("orders").select(["order"]).to_pylist()
        if row["order"] not in were and state_now(stands.get(row["order"])) not in _NO_COST
    }
    orders = before.tables["orders"]
    return _order_cost(orders.filter(pc.is_in(orders["order"], pa.array(sorted(out), pa.string()))), state, weeks)


def _units_in(rows: pa.Table, column: str, weeks: Sequence[date]) -> float:
    """Units of these weeks."""
    return pc.sum(rows.filter(pc.is_in(rows["bucket"], pa.array(weeks, pa.date32())))[column]).as_py() or 0.0
