"""What became of the plan before: its orders, and what the weeks that both plans cover cost."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.words import Message, message, shown
from datong.questions.compare import GIVEN_OUT, REMOVED, SAME, order_changes
from datong.questions.given_out import WentOut
from datong.questions.since.rows import Naming, PlanBefore, Row, listed


def weeks_of_both(before: PlanBefore, tables: Mapping[str, pa.Table]) -> list[date]:
    """Starts of the buckets that both plans cover."""
    was, now = (of["forecast_total"]["bucket"].to_pylist() for of in (before.tables, tables))
    return sorted({*was} & {*now})


def order_rows(
    before: PlanBefore, state: State, tables: Mapping[str, pa.Table], out: pa.Table, naming: Naming
) -> list[Row]:
    """Orders of the plan before that did not go out by their number, beside those of the new plan and what went out by
    other numbers; what is as it was is counted. out: what went out since, in GIVEN_OUT_SCHEMA.

    What the new plan starts after the end of the plan before is not new, only nearer.
    """
    all_before = before.tables["orders"]
    was = all_before.filter(pc.invert(pc.is_in(all_before["order"], state.table("orders")["order"].combine_chunks())))
    covered = before.tables["forecast_total"]["bucket"].to_pylist()
    end = state.settings.calendar.shift(max(covered), 1)
    now = tables["orders"].filter(pc.less(tables["orders"]["start"], pa.scalar(end, pa.date32())))
    others = out.filter(pc.invert(pc.is_in(out["order"], all_before["order"].combine_chunks())))
    others = others.filter(pc.greater_equal(others["start"], pa.scalar(min(covered), pa.date32())))
    if not pc.any(pc.is_valid(all_before["site"])).as_py():  # a chain without stock points
        others = others.set_column(others.column_names.index("site"), "site", pa.nulls(others.num_rows, pa.string()))
    locked = {row["order"] for row in others.filter(others["locked"]).to_pylist()}
    rows, same = [], 0
    for change in order_changes(was, now, state.settings.calendar.bucket_start, others).to_pylist():
        kind = change["change"]
        if kind == SAME:
            same += 1
            continue
        if kind == GIVEN_OUT:
            rows.append(_given_out_row("locked" if change["order_b"] in locked else kind, change, naming))
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
    kinds = ("missed", "dropped", "added", "moved", "due_moved", "resized", "moved_resized", "given_out", "locked")
    place = {kind: i for i, kind in enumerate((*kinds, "same"))}
    return sorted(rows, key=lambda row: (place[row.kind], row.day[1] or row.day[0] or date.max, row.subject or ""))


def _given_out_row(kind: str, change: Mapping[str, Any], naming: Naming) -> Row:
    """An order of the plan before that went out by another number, its subject, or was locked by hand by it."""
    product = change["product"]
    units, days, money = ((change[f"{name}_a"], change[f"{name}_b"]) for name in ("units", "start", "cost"))
    words = {
        "order": change["order_a"],
        "given": change["order_b"],
        "product": naming.called(product),
        "before": naming.amount(units[0], product),
        "start_before": days[0],
        "begins": message(f"since.begins_{change['kind']}"),
    }
    key = f"since.order_{kind}"
    if days[0] != days[1] or shown(units[0]) != shown(units[1]):
        key, words = f"{key}_otherwise", words | {"amount": naming.amount(units[1], product), "start": days[1]}
    return Row("orders", kind, message(key, **words), change["order_b"], product, units, days, money)


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
    before: PlanBefore,
    state: State,
    tables: Mapping[str, pa.Table],
    went: WentOut,
    weeks: Sequence[date],
    naming: Naming,
) -> list[Row]:
    """What these weeks cost in both plans: in all, by term, and units late and unserved.

    Orders count where they start, those that went out since among those of the new plan, those refused or cancelled
    since (went.ended) among those of the plan before, also where that had them in a week that is over: what takes their
    place counts now; stock and what waits at the end of each week; what is not served
    where it was due. What was due before these weeks and is not served is told apart: the plan before could have it in
    a week that is over. Where the plan before was kept without its money by week, that. Orders that have no price are
    told.
    """
    if not weeks:
        return []
    if "money_by_bucket" not in before.tables:
        return [Row("cost", "unknown", message("since.cost_unknown"))]
    sides = [_cost_by_term(of, state, weeks) for of in (before.tables, tables)]
    paid = _starting_in(went.since.filter(went.since["stands"]), state, weeks)
    ended = pa.concat_tables([_starting_in(went.ended, state, weeks), _lapsed(before, went, weeks[0])])
    ended_cost, out_cost = (pc.sum(orders["cost"]).as_py() or 0.0 for orders in (ended, paid))
    sides[0]["orders"] += ended_cost
    sides[1]["orders"] += out_cost
    currency = state.settings.currency
    total = tuple(sum(side.values()) for side in sides)
    span = naming.span(len(weeks))
    rows = [_cost_row("total", total, _total_text(total, span, currency))]
    for term in sides[0]:
        money = (sides[0][term], sides[1][term])
        if any(shown(side) for side in money):
            words = {"before": shown(money[0]), "after": shown(money[1]), "currency": currency}
            key = f"since.cost_{term}"
            if term == "orders" and shown(out_cost):
                key, words = "since.cost_orders_out", words | {"out": shown(out_cost)}
            rows.append(_cost_row(term, money, message(key, **words)))
    if shown(ended_cost):
        words = {"money": shown(ended_cost), "currency": currency, "names": _named(ended.to_pylist(), naming)}
        rows.append(Row("cost", "orders_ended", message("since.orders_ended", **words), money=(ended_cost, None)))
    rows += _unpriced(pa.concat_tables([ended, paid]), naming)
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


def _lapsed(before: PlanBefore, went: WentOut, first: date) -> pa.Table:
    """Orders that the plan before had in weeks that are over, that went out, and were refused or cancelled."""
    gone = went.since.filter(pc.invert(went.since["stands"]))
    gone = gone.filter(pc.less(gone["start"], pa.scalar(first, pa.date32())))
    return gone.filter(pc.is_in(gone["order"], before.tables["orders"]["order"].combine_chunks()))


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
    cost = {"orders": pc.sum(_starting_in(tables["orders"], state, weeks)["cost"]).as_py() or 0.0}
    money = tables["money_by_bucket"]
    inside = money.filter(pc.is_in(money["bucket"], pa.array(weeks, pa.date32())))
    for term in ("overtime", "holding", "late", "lost"):
        cost[term] = pc.sum(inside.filter(pc.equal(inside["term"], term))["money"]).as_py() or 0.0
    return cost


def _starting_in(orders: pa.Table, state: State, weeks: Sequence[date]) -> pa.Table:
    """The orders that start in these weeks."""
    end = state.settings.calendar.shift(weeks[-1], 1)
    first, after = (pa.scalar(day, pa.date32()) for day in (weeks[0], end))
    return orders.filter(pc.and_(pc.greater_equal(orders["start"], first), pc.less(orders["start"], after)))


def _unpriced(paid: pa.Table, naming: Naming) -> list[Row]:
    """What went out, or was out and ended, and has no known cost."""
    unknown = paid.filter(pc.is_null(paid["cost"])).to_pylist()
    if not unknown:
        return []
    names = _named(unknown, naming)
    return [Row("cost", "unpriced", message("since.unpriced", count=len(unknown), names=names))]


def _named(orders: Sequence[Mapping[str, Any]], naming: Naming) -> Message | str:
    return listed(
        [
            message("since.named", order=row["order"], product=naming.called(row["product"]), units=shown(row["units"]))
            for row in orders
        ]
    )


def _units_in(rows: pa.Table, column: str, weeks: Sequence[date]) -> float:
    """Units of these weeks."""
    return pc.sum(rows.filter(pc.is_in(rows["bucket"], pa.array(weeks, pa.date32())))[column]).as_py() or 0.0
