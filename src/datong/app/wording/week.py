"""What to do this week, in three sentences: what to start, buy and send; what is late; what stands in the way."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.wording import figures
from datong.app.wording.columns import rounded
from datong.app.wording.late import both_words, most_important, scarce_words
from datong.app.wording.proposed_orders import buckets_late
from datong.app.wording.view import RunView
from datong.model.calendar import Calendar
from datong.network.netting_told import PART_ORDERED
from datong.plan.orders_already_out import late_for
from datong.questions.demand_totals import (
    ANY_SHORT,
    BETWEEN,
    LEAST_SHORT,
    after_day_units,
    by_cause,
    short_by_cause,
    together,
)
from datong.questions.tables_out import REASONS_SCHEMA, kept_findings, message_of

Row = dict[str, Any]

# Notices of products whose forecast given demand takes the place of.
FORECAST_REPLACED = ("history_unused", "forecast_given")
# So many are named in a sentence.
NAMED = 3
# Reasons of an order that its week is too short for.
SHORT_WEEK = ("plan.cause.waits_short", "plan.cause.waits_short_until")
KINDS = ("make", "buy", "move")


def this_week(view: RunView) -> list[str]:
    """The three sentences."""
    return [
        to_do(view, view.orders_now),
        " ".join((_late(view), *behind_the_days(view), *ordered_already(view))),
        _in_the_way(view),
    ]


def left_to_do(view: RunView, left: Sequence[Row], given_out: Sequence[Row]) -> str:
    """The first sentence, some time after the plan. left: orders that begin this week and are not out, as they are now,
    the most urgent first; given_out: those that begin this week and are out, whichever plan proposed them."""
    if not given_out:
        return to_do(view, left)
    named = [_given(view, row) for row in given_out[:NAMED]]
    if len(given_out) > NAMED:
        named.append(view.say("week.given_more", count=len(given_out) - NAMED))
    told = {"count": len(given_out), "orders": _joined(view, named)}
    if not left:
        return view.say("week.all_given_out", **told, **_days(view))
    return view.say("week.some_given_out", left=to_do(view, left), **told)


def _given(view: RunView, row: Row) -> str:
    amount, product = view.amount(row["units"], row["product"]), view.names.called(row["product"])
    return view.say("week.order_given", order=row["order"], amount=amount, product=product)


def counted_on(view: RunView) -> list[str]:
    """What the plan counts on that may turn out otherwise: an overdue purchase, a count that was refused."""
    lines = [view.say("week.counted_on", what=text) for text in view.counted_on[:NAMED]]
    more = len(view.counted_on) - NAMED
    return [*lines, view.say("week.counted_on_more", count=more)] if more > 0 else lines


def forecast_replaced(view: RunView) -> list[str]:
    """Products that sell and that Datong makes no forecast of, since demand is given; nothing where there are none."""
    told = [f for f in kept_findings(view.inputs.tables, "notices") if f.code in FORECAST_REPLACED]
    return [view.say("week.counted_on", what=f.found.text(view.language)) for f in told]


def _joined(view: RunView, parts: list[str]) -> str:
    return view.say("week.next").join(parts)


# what to do --------------------------------------------------------------------------------------


def _days(view: RunView) -> dict[str, date]:
    after = view.inputs.after_this_week
    return {"first": after - timedelta(days=7), "last": after - timedelta(days=1)}


def to_do(view: RunView, now: Sequence[Row]) -> str:
    """What to start, buy and send. now: orders of this week, the most urgent first."""
    days = _days(view)
    if not view.orders and not now:
        return view.say("week.no_orders", **days)
    if not now:
        first = view.orders[0]
        return view.say("week.nothing_now", order=_order(view, first), start=first["start"], **days)
    counts = [(kind, sum(r["kind"] == kind for r in now)) for kind in KINDS]
    actions = [
        view.say(f"week.{kind}_one" if n == 1 else f"week.{kind}", count=figures.number(n)) for kind, n in counts if n
    ]
    key = "week.do" if len(now) > NAMED else "week.do_all"
    orders = _joined(view, [_order(view, r) for r in now[:NAMED]])
    return view.say(key, actions=view.say("week.list").join(actions), orders=orders, **days)


def _order(view: RunView, row: Row) -> str:
    calendar = view.inputs.settings.calendar
    return view.say(
        "week.order_late" if buckets_late(row, calendar) > 0 else "week.order",
        order=row["order"],
        amount=view.amount(row["units"], row["product"]),
        product=view.names.called(row["product"]),
        when=view.when(row["counted_in"] or calendar.bucket_start(row["due"])),
        needed=row["needed_by"],
    )


# what is late ------------------------------------------------------------------------------------


def _late(view: RunView) -> str:
    total, expected = view.demand, view.inputs.futures > 1
    if total["demand_units"] <= 0:
        return view.say("week.no_demand")
    suffix = "_expected" if expected else ""
    units = {name: figures.fitting(total[f"{name}_units"]) for name in ("demand", "late", "lost")}
    if total["late_units"] + total["lost_units"] < ANY_SHORT:
        return view.say(f"week.all_on_time{suffix}{counted_by(view)}", demand=units["demand"])
    late = view.late_table.filter(pc.is_valid(view.late_table["product"]))
    if not late.num_rows:
        return view.say(f"week.little_late{suffix}", **units)
    rows = most_important(late, NAMED, {"most": pc.negate(late["units"])} if expected else {})
    key = "week.late" if late.num_rows > NAMED else "week.late_all"
    return view.say(f"{key}{suffix}", who=_joined(view, [_request(view, r) for r in rows]), **units)


def counted_by(view: RunView) -> str:
    """The end of the key of words that say by what is counted, where something on time by its bucket is there after
    its day."""
    if after_day_units(view.demand) < LEAST_SHORT:
        return ""
    return "_by_week" if view.inputs.settings.bucket == "week" else "_by_day"


def behind_the_days(view: RunView) -> list[str]:
    """What days make of what weeks say: units on time that come after their day, orders that their week is too short
    for, and orders that are out and cannot be there by the day that was promised."""
    return [words for words in (_after_due(view), _too_short_a_week(view), _out_later(view)) if words]


def _out_later(view: RunView) -> str:
    """What is out and is expected later than promised, and why; '' where there is none. What is past due, and waits for
    nothing that the plan knows of, is told by the plan's notices."""
    kept = view.inputs.tables.get("kept")
    today = view.inputs.as_of.astimezone(view.inputs.settings.calendar.zone).date()
    rows = [] if kept is None else kept.to_pylist()
    known = [r for r in rows if r.get("counted_on") is not None and (today <= r["due"] or late_for(r) is not None)]
    later = sorted((r for r in known if r["counted_on"] > r["due"]), key=lambda r: (r["due"], r["order"]))
    if not later:
        return ""
    parts = []
    for row in later[:NAMED]:
        days, why = {"order": row["order"], "due": row["due"], "expected": row["counted_on"]}, late_for(row)
        one = view.say("week.out_later_one", **days)
        parts.append(one if why is None else view.say("week.out_later_why", **days, why=why.text(view.language)))
    if len(later) > NAMED:
        parts.append(view.say("week.short_more", count=len(later) - NAMED))
    return view.say("week.out_later", orders=_joined(view, parts))


def ordered_already(view: RunView) -> list[str]:
    """The part of forecasts that is firm orders, the largest; nothing where there is none."""
    found = [f for f in kept_findings(view.inputs.tables) if f.code == PART_ORDERED]
    return [view.say("week.counted_on", what=f.found.text(view.language)) for f in found]


def _too_short_a_week(view: RunView) -> str:
    """Orders that their line has too few hours for, in the week in which they are counted; '' where there are none."""
    reasons = view.inputs.tables.get("reasons", REASONS_SCHEMA.empty_table())
    rows = reasons.filter(pc.is_in(reasons["text_key"], pa.array(SHORT_WEEK)))
    if not rows.num_rows:
        return ""
    parts = []
    for row in rows.slice(0, NAMED).to_pylist():
        told = dict(message_of(row["text_key"], row["text_params"]).params)
        hours, left = (figures.fitting(float(told[name])) for name in ("hours", "left"))
        words = {"order": row["order"], "line": told["line"], "day": told["day"], "hours": hours, "left": left}
        until = {"done": told["done"]} if "done" in told else {}
        parts.append(view.say("week.short_order_until" if until else "week.short_order", **words, **until))
    if rows.num_rows > len(parts):
        parts.append(view.say("week.short_more", count=rows.num_rows - len(parts)))
    return view.say("week.short_week", count=rows.num_rows, orders=_joined(view, parts))


def _after_due(view: RunView) -> str:
    """What is there later by its day than the plan counts; '' where nothing is."""
    rows = view.inputs.tables["after_due"].to_pylist() if "after_due" in view.inputs.tables else []
    calendar = view.inputs.settings.calendar
    on_time = [r for r in rows if r.get("what", "on_time") == "on_time"]
    in_it = [r for r in on_time if _same_bucket(r, calendar)]
    after = [r for r in on_time if not _same_bucket(r, calendar)]
    later = [r for r in rows if r.get("what") == "late"]
    said = []
    if _units(in_it) >= LEAST_SHORT:
        counts = {name: figures.fitting(view.demand[f"{name}_units"]) for name in ("by_day", "on_time")}
        said.append(view.say("week.after_due", **counts, **_latest(view, in_it)))
    if (units := _units(after)) >= LEAST_SHORT:
        counted = view.demand["late_units"]
        words = {"late": figures.fitting(counted + units), "counted": figures.fitting(counted)}
        key = "week.after_week" if view.inputs.settings.bucket == "week" else "week.after_day"
        said.append(view.say(key, **words, **_latest(view, after)))
    if _units(later) >= LEAST_SHORT:
        said.append(view.say("week.later_still", **_latest(view, later)))
    return " ".join(said)


def _same_bucket(row: Row, calendar: Calendar) -> bool:
    """Whether a row of `after_due` is there in the bucket in which it counts; of an earlier version's run, always."""
    return "counted_in" not in row or calendar.index(row["there_on"], row["counted_in"]) == 0


def _units(rows: Sequence[Row]) -> float:
    return math.fsum(row["units"] for row in rows)


def _latest(view: RunView, rows: Sequence[Row]) -> Row:
    """Of rows of `after_due`: their units and money, and the one that is the most days after its own."""
    most = max(rows, key=lambda r: ((r["there_on"] - r["due"]).days, r["units"], r["demand"]))
    return {
        "units": figures.fitting(_units(rows)),
        "money": figures.money(
            math.fsum(r.get("late_money", 0.0) for r in rows), view.inputs.settings.currency, view.language
        ),
        "own": figures.fitting(most["units"]),
        "product": view.names.called(most["product"]),
        "demand": most["demand"] or "–",
        "due": most["due"],
        "there": most["there_on"],
        "days": (most["there_on"] - most["due"]).days,
    }


def _request(view: RunView, row: Row) -> str:
    what = {"amount": view.amount(row["units"], row["product"]), "product": view.names.called(row["product"])}
    if row["due"] is None:
        market = "" if row["market"] in (None, "", "all") else view.say("week.in_market", market=row["market"])
        return view.say(f"week.expected_{row['service']}", when=view.when(row["due_in"]), market=market, **what)
    then = view.when(row["served_in"]) if row["served_in"] else ""
    return view.say(f"week.request_{row['service']}", demand=row["demand"] or "–", due=row["due"], when=then, **what)


# what stands in the way --------------------------------------------------------------------------


def _in_the_way(view: RunView) -> str:
    if view.demand["late_units"] + view.demand["lost_units"] < ANY_SHORT:
        return _fullest(view)
    gaps = view.inputs.tables["gaps"]
    gaps = by_cause(gaps.filter(pc.invert(pc.is_in(gaps["product"], pa.array(list(view.lacks), pa.string())))))
    found = short_by_cause(view.inputs.tables, view.lacks)
    told = sorted((f for f in found if f["units"] >= ANY_SHORT), key=lambda f: -f["units"])[:NAMED]
    if not told:
        return view.say("week.little_in_the_way")
    causes = [_cause(view, gaps, f) for f in told]
    short = view.demand["late_units"] + view.demand["lost_units"]
    rest = short - math.fsum(f["units"] for f in told)
    others = math.fsum(f["units"] for f in found if f not in told)
    if abs(rest - others) < LEAST_SHORT:  # they are told elsewhere, one by one: a sum without rounding is the same
        rest = others
    if rest >= LEAST_SHORT:
        causes.append(view.say("week.other_causes", units=figures.fitting(rest)))
    return view.say("week.in_the_way", causes=_joined(view, causes))


def _cause(view: RunView, gaps: pa.Table, found: Row) -> str:
    """One thing that keeps units from being on time. gaps: of products that wait for none that is held back."""
    cause, units = found["cause"], figures.fitting(found["units"])
    if cause in ("scarce", "kept"):
        return _binding(view, gaps, found)
    if cause == "held":
        return view.say("week.held", name=view.names.called(found["binding"]), units=units)
    if cause == "dearer":
        return view.say("week.dearer_expected" if view.inputs.futures > 1 else "week.dearer", units=units)
    words = {"rounded": rounded(view.inputs.settings, view.language)} if cause == "no_time" else {}
    words |= {"who": found["kept_for"]} if cause == "sent" else {}
    return view.say(f"week.{cause}", units=units, **words)


def _binding(view: RunView, gaps: pa.Table, found: Row) -> str:
    """One scarce thing: how many units it keeps from being on time, and where it is short first."""
    name = scarce_words(found["binding"], found["unit"], found["beside"], view.names, view.language)
    what = {"name": name, "units": figures.fitting(found["units"])}
    if found["kept"]:
        return view.say("week.kept", who=found["kept_for"], **what)
    told = pc.and_(pc.equal(gaps["binding"], found["binding"]), pc.is_valid(gaps["binding_bucket"]))
    told = pc.and_(told, pc.equal(together(gaps), BETWEEN.join(found["beside"])))
    rows = gaps.filter(pc.and_(told, pc.is_null(gaps["kept_for"])))
    first = rows.filter(pc.equal(rows["binding_bucket"], pc.min(rows["binding_bucket"]))).to_pylist()
    if not first:
        return view.say("week.binding", **what)
    when = view.when(first[0]["binding_bucket"])
    if found["beside"]:
        what["name"] = view.names.thing(found["binding"], found["unit"])
        beside = both_words([view.names.called(one) for one in found["beside"]], view.language)
        return view.say("week.binding_both", **what, beside=beside, when=when)
    # What several lack there may be more, or less, than the sum of what each of them lacks.
    if len(first) > 1 or first[0]["needed_amount"] is None:
        return view.say("week.binding_when", **what, when=when)
    amount = figures.fitting(first[0]["needed_amount"])
    key = "week.binding_hours" if first[0]["needed_unit"] == "hour" else "week.binding_units"
    return view.say(key, amount=amount, when=when, **what)


def _fullest(view: RunView) -> str:
    hours = view.inputs.tables["hours"]
    by = hours.group_by("line", use_threads=False).aggregate([("free_hours", "sum"), ("available_hours", "sum")])
    shares = [
        (1 - r["free_hours_sum"] / r["available_hours_sum"], r["line"])
        for r in by.to_pylist()
        if r["available_hours_sum"] > 0
    ]
    if not shares:
        return view.say(f"week.nothing_in_the_way{counted_by(view)}")
    share, line = min(shares, key=lambda s: (-s[0], s[1]))
    return view.say(f"week.fullest{counted_by(view)}", line=line, share=figures.share(share, 0))
