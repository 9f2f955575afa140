"""What a planner looks at first: what came back, what is late and for whom, and what to decide."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import dropwhile, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app import counter_offers
from datong.app.chain import Chain
from datong.app.release_rules import that_may_go
from datong.app.service.answers_sent_late import late_arrivals
from datong.app.service.jobs import Job
from datong.app.service.last_order_edit_price import as_of_now
from datong.app.service.last_run_in_memory import LastPlan, of_run, run_table
from datong.app.service.orders_shown import OrderShown, events_said, everything, order
from datong.app.service.releases import release
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.table_of_orders import ORDERS_NOW, OrdersNow, version_of
from datong.app.service.worked_once import worked_once
from datong.app.wording.late import by_day_rows, most_important
from datong.app.wording.proposed_orders import of_this_week, order_row
from datong.app.wording.report_inputs import ReportInputs
from datong.app.wording.view import RunView
from datong.app.wording.week import SHORT_WEEK, forecast_replaced, left_to_do, this_week
from datong.ledger.counter_offer import told_offer
from datong.ledger.order_life import REPORTED, events_of_table, standing
from datong.ledger.standings import READ_FOR_STANDINGS
from datong.ledger.state import State
from datong.model.errors import NotFound, Refused
from datong.model.settings import ChainSettings
from datong.model.tables import ACTED_AT
from datong.model.words import LANGUAGES, message
from datong.questions.counter_offers import open_offers
from datong.questions.tables_out import rendered

# So many decisions are shown, the dearest first, and so many rows of what came back, what is late and what is overdue.
MOST_DECISIONS, MOST_ROWS = 5, 20
DAYS = 7  # of a week
# Tables of a run that the sentences of the week and what is late are made of.
_TABLES = (
    *("orders", "ways", "products", "gaps", "deliveries", "after_due", "forecast_total", "hours"),
    *("certificate", "held", "notices", "findings", "left_out", "flow", "since"),
)
Texts = Mapping[str, str]


@dataclass(frozen=True)
class Decision:
    """Something to decide. key: names it, with the order as it is. action: order, make, move, expedite, defer, increase
    or decrease. row: the order, of ORDERS_NOW. reason: why, in both languages. money: what it saves, or of an offer
    what is paid more; hangs: whether the money is only what hangs on it. offer: an offer of a counterparty waits.
    assigned: the login of whoever is to decide. also: what an offer does besides, as an action."""

    key: str
    action: str
    row: Mapping[str, Any]
    reason: Texts
    money: float | None
    hangs: bool = False
    offer: Texts | None = None
    assigned: str | None = None
    also: str | None = None


@dataclass(frozen=True, eq=False)
class Today:
    """plan: the last one; None: there is none, and nothing but what came back is known. is_current: nothing at all
    came in since. week: what to do this week in sentences, with what was given out since. came_back: what the last
    plan learnt since the one before, in words; answered: answers since, which it does not know. late: rows of
    LATE_SCHEMA, those after their day alone among them, the most important first, with `cause` in words;
    late_count: of how many. overdue: orders that are out and past their day, in ORDERS_NOW, the first due first;
    overdue_count: of how many. decisions: the dearest first; decision_count: of how many. begins: orders that begin
    in the first week of the plan, given out ones too, in ORDERS_NOW, the first first; begins_count: of how many."""

    plan: LastPlan | None
    as_of: datetime
    currency: str
    week: Mapping[str, Sequence[str]]
    came_back: Sequence[Texts]
    answered: Sequence[Mapping[str, Any]]
    late: Sequence[Mapping[str, Any]]
    late_count: int
    overdue: pa.Table
    decisions: Sequence[Decision]
    decision_count: int
    overdue_count: int = 0
    is_current: bool = True
    begins: pa.Table = field(default_factory=ORDERS_NOW.empty_table)
    begins_count: int = 0


def today(served: Served, who: Who) -> Today:
    """What a planner looks at first. Raises NotAllowed."""
    who.require(Permission.SEE_PLAN)
    told = served.chain_thread.kept("today", lambda chain: _told(chain, everything(served), events_said(served)))
    shown, count = decisions(served, who)
    told = replace(told, decisions=[_reasoned(served, who, one) for one in shown], decision_count=count)
    told = replace(told, answered=_with_arrivals(served, told.answered))
    if told.plan is None:
        return told
    said = _said(served, told.plan)
    week, begins = served.chain_thread.kept("week", lambda _: _week_now(said, everything(served).rows))
    told = replace(told, week=week, begins=begins.slice(0, MOST_ROWS), begins_count=begins.num_rows)
    return replace(told, came_back=said.came_back, late=said.late, late_count=said.late_count)


def decisions(
    served: Served, who: Who, most: int = MOST_DECISIONS, after: str | None = None
) -> tuple[list[Decision], int]:
    """The first of what waits for a decision and was not dismissed, the dearest first, and how many there are; of
    proposals without their reasons. after: the key of one, for those that follow it. Raises NotAllowed, Refused for a
    key of what does not wait any more."""
    who.require(Permission.SEE_PLAN)
    waiting = _all_that_waits(served)
    noted = {row["decision"]: row for row in served.database.rows("SELECT * FROM order_decisions")}
    dismissed = {key for key, row in noted.items() if row["state"] == "dismissed"}
    gone = sum(_found(waiting, key) is not None for key in dismissed)
    shown: list[Decision] = []
    if after is not None and _found(waiting, after) is None:
        raise Refused(message("service.wrong_cursor"))
    listed = waiting.all_of_them()
    if after is not None:
        listed = islice(dropwhile(lambda one: one.key != after, listed), 1, None)
    for one in listed:
        if len(shown) == most:
            break
        if one.key not in dismissed:
            shown.append(replace(one, assigned=noted.get(one.key, {}).get("assigned")))
    return shown, len(waiting.offers) + waiting.due.num_rows - gone


def take(served: Served, who: Who, key: str, why: str = "") -> None:
    """Do it: give the order out, or take the offer. Raises NotAllowed, NotFound for what does not wait any more."""
    who.require(Permission.RELEASE_ORDERS)
    one = _the(served, who, key)
    name = one.row["order"]
    if one.offer is None:
        release(served, who, [name], why)
        return
    _decide_offer(served, who, one, True, why)


def hold(served: Served, who: Who, key: str, why: str = "") -> None:
    """Keep an order as it was, and refuse the offer of its counterparty. Raises as `take`, and Refused where none
    waits."""
    who.require(Permission.RELEASE_ORDERS)
    one = _the(served, who, key)
    if one.offer is None:
        raise Refused(message("service_orders.no_offer", order=one.row["order"]))
    _decide_offer(served, who, one, False, why)


def dismiss(served: Served, who: Who, key: str, why: str = "") -> None:
    """Show it no more, so long as the order stays as it is. Raises NotAllowed, NotFound."""
    who.require(Permission.EDIT_ORDERS)
    one = _the(served, who, key)
    _note(served, who, key, "dismissed", one.assigned, why)
    served.audit.note(who.login, "dismiss_decision", one.row["order"], why=why)
    _tell(served, one)


def assign(served: Served, who: Who, key: str, to: str) -> None:
    """Say who is to decide. Raises NotAllowed, NotFound also where there is no such planner."""
    who.require(Permission.EDIT_ORDERS)
    one = _the(served, who, key)
    if to not in planners(served, who):
        raise NotFound(message("service.no_account", login=to))
    _note(served, who, key, "open", to, "")
    served.audit.note(who.login, "assign_decision", one.row["order"], after={"assigned": to})
    _tell(served, one)


def planners(served: Served, who: Who) -> dict[str, str]:
    """Whom something can be assigned to: names by login. Raises NotAllowed."""
    who.require(Permission.EDIT_ORDERS)
    asked = "SELECT login, name FROM accounts WHERE NOT disabled AND roles LIKE '%\"planner\"%' ORDER BY login"
    return {row["login"]: row["name"] for row in served.database.rows(asked)}


def price_offers(served: Served, who: Who) -> Job:
    """Ask what taking each offer that waits would cost: a job that plans with and without each. Raises NotAllowed."""
    who.require(Permission.EDIT_ORDERS)
    return served.start_job(who, "price_offers", as_of_now(served))


# what is shown -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _OfRun:
    """What a run says by itself, whatever happened since. of_week: its orders of this week, in each language."""

    week: Mapping[str, Sequence[str]]
    came_back: Sequence[Texts]
    late: Sequence[Mapping[str, Any]]
    late_count: int
    of_week: Mapping[str, RunView]


def _told(chain: Chain, now: OrdersNow, events: pa.Table) -> Today:
    plan, settings = now.plan, chain.settings
    overdue = now.rows.filter(now.rows["is_overdue"]).sort_by([("due", "ascending"), ("order", "ascending")])
    first, count = overdue.slice(0, MOST_ROWS), overdue.num_rows
    nothing: dict[str, Sequence[str]] = {language: [] for language in LANGUAGES}
    if plan is None:
        return Today(None, now.as_of, settings.currency, nothing, [], [], [], 0, first, [], 0, count)
    answered, is_current = _answered(chain, plan, now, events), chain.ledger.run_inputs(plan.run, ()).current
    return Today(plan, now.as_of, settings.currency, nothing, [], answered, [], 0, first, [], 0, count, is_current)


def _said(served: Served, plan: LastPlan) -> _OfRun:
    """Worked out once for each run, beside the chain's thread: of a large plan it takes seconds."""

    def read(chain: Chain) -> dict[str, pa.Table]:
        tables = {name: t for name in _TABLES if (t := run_table(chain, plan.run, name)) is not None}
        reasons = run_table(chain, plan.run, "reasons")  # a large table, of which few rows are told here
        if reasons is None:
            return tables
        return tables | {"reasons": reasons.filter(pc.is_in(reasons["text_key"], pa.array(SHORT_WEEK)))}

    def work_out() -> _OfRun:
        return _of_run(served.chain_thread.read(read), served.chain_thread.settings, plan)

    return worked_once(served.chain_thread, ("today", plan.run, served.chain_thread.opened), work_out)


def _of_run(tables: Mapping[str, pa.Table], settings: ChainSettings, plan: LastPlan) -> _OfRun:
    inputs = ReportInputs(tables, settings, plan.as_of)
    # The sentences name orders of this week, or the first of all: a large plan has many others.
    orders = tables["orders"].sort_by([("start", "ascending"), ("needed_by", "ascending"), ("order", "ascending")])
    begins = pc.less(orders["start"], pa.scalar(inputs.after_this_week))
    shown = orders.filter(begins) if pc.any(begins).as_py() else orders.slice(0, 1)
    view, views, week = RunView(replace(inputs, tables={**tables, "orders": shown}), LANGUAGES[0]), {}, {}
    for language in LANGUAGES:
        view = views[language] = view.in_language(language)
        week[language] = [*this_week(view), *forecast_replaced(view)]
    late = view.late_table.filter(pc.is_valid(view.late_table["product"]))
    late = pa.concat_tables([late, by_day_rows(view.inputs)])
    first = most_important(late, MOST_ROWS, {"of_nobody": pc.is_null(late["demand"])})
    told = [row | {"cause": {lang: one.cause(row) for lang, one in views.items()}} for row in first]
    return _OfRun(week, _came_back(tables), told, late.num_rows, views)


def _week_now(said: _OfRun, rows: pa.Table) -> tuple[Mapping[str, Sequence[str]], pa.Table]:
    """The sentences of the week, the first of all orders that begin in it as they stand now: what is out is given,
    whichever plan proposed it; what was changed by hand is as it was changed. rows: in ORDERS_NOW."""
    since = rows.filter(pc.not_equal(rows["origin"], "plan"))
    changed = set(since["order"].to_pylist())
    view = next(iter(said.of_week.values()))  # their orders are the same in every language
    after = view.inputs.after_this_week
    begun = _that_begin(rows, after)
    given = begun.filter(pc.equal(begun["origin"], "out")).select(["order", "product", "units"]).to_pylist()
    left = planned = view.orders_now
    begins = pc.and_(pc.equal(since["origin"], "edit"), pc.less(since["start"], pa.scalar(after)))
    by_hand = [order_row(row) for row in since.filter(begins).to_pylist()]
    if by_hand or any(row["order"] in changed for row in planned):
        kept = [row for row in planned if row["order"] not in changed]
        left = of_this_week([*kept, *by_hand], after, view.inputs.settings.calendar)
    found = {
        language: [left_to_do(view, left, given), *said.week[language][1:]] for language, view in said.of_week.items()
    }
    return found, begun


def _that_begin(rows: pa.Table, after: date) -> pa.Table:
    """Orders that begin in the seven days before `after` and go ahead, given out ones too, the first first."""
    begin = pc.greater_equal(rows["start"], pa.scalar(after - timedelta(days=DAYS)))
    in_week = rows.filter(pc.and_(begin, pc.less(rows["start"], pa.scalar(after))))
    gone = pc.is_in(in_week["state"], pa.array(["refused", "cancelled"]))
    return in_week.filter(pc.invert(gone)).sort_by([("start", "ascending"), ("order", "ascending")])


def _came_back(tables: Mapping[str, pa.Table]) -> list[Texts]:
    if "since" not in tables:
        return []
    told = tables["since"]
    parts = pa.array(["came_back", "closed", "learnt", "promises"])
    told = told.filter(pc.is_in(told["part"], parts)).slice(0, MOST_ROWS)
    words = {lang: rendered({"since": told}, lang)["since"]["text"].to_pylist() for lang in LANGUAGES}
    return [{lang: words[lang][at] for lang in LANGUAGES} for at in range(told.num_rows)]


def _answered(chain: Chain, plan: LastPlan, now: OrdersNow, events: pa.Table) -> list[dict[str, Any]]:
    """What counterparties said of orders since the plan was made, the last that was said first: the order's row, with
    what was said, and when it was given (said_at) and came (arrived_at, on the chain's clock)."""

    def read() -> pa.Array:
        return (
            chain.ledger.run_inputs(plan.run, ("order_events",)).state.table("order_events")["row_id"].combine_chunks()
        )

    known = of_run(chain, plan.run, "events known", read)
    new = events.filter(pc.invert(pc.is_in(events["row_id"], known)))
    new = new.filter(pc.is_in(new["state"], pa.array(REPORTED)))
    new = new.append_column("said_at", pc.coalesce(new[ACTED_AT], new["happened_at"]))
    said = new.sort_by([("said_at", "descending"), ("row_id", "ascending")]).slice(0, MOST_ROWS).to_pylist()
    rows = now.rows.filter(pc.is_in(now.rows["order"], pa.array([r["order"] for r in said], pa.string())))
    of = {row["order"]: row for row in rows.to_pylist()}
    return [
        of[r["order"]]
        | {"said": r["state"], "reason": r["reason"], "said_at": r["said_at"], "arrived_at": r["known_at"]}
        for r in said
        if r["order"] in of
    ]


def _with_arrivals(served: Served, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """With arrived_at on the world's clock; None where an answer came at once, or nobody knows."""
    came = late_arrivals(served, {row["order"] for row in rows})
    return [dict(row) | {"arrived_at": came.of(row["order"], row["said_at"], row["arrived_at"])} for row in rows]


# what to decide ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Waiting:
    """What waits. offers: of counterparties, the dearest first. due: proposals in ORDERS_NOW, the dearest first.
    changes: what happened to proposals since the plan before, by number."""

    offers: Sequence[Decision]
    due: pa.Table
    changes: Mapping[str, str]

    def all_of_them(self) -> Iterator[Decision]:
        yield from self.offers
        for begin in range(0, self.due.num_rows, 32):
            yield from (self.of_row(row) for row in self.due.slice(begin, 32).to_pylist())

    def of_row(self, row: Mapping[str, Any]) -> Decision:
        money = row["behind"] if row["value"] is None else row["value"]
        action = self.changes.get(row["order"]) or ACTION_OF[row["kind"]]
        key = f"give-out:{row['order']}:{version_of(row)}"
        return Decision(key, action, row, {}, money, row["value"] is None and money is not None)


ACTION_OF = {"make": "make", "buy": "order", "move": "move"}


def _all_that_waits(served: Served) -> _Waiting:
    return served.chain_thread.kept("decisions", lambda chain: _waiting(chain, everything(served)))


def _waiting(chain: Chain, now: OrdersNow) -> _Waiting:
    rows = that_may_go(now.rows)
    rows = rows.append_column("money", pc.coalesce(rows["value"], rows["behind"]))
    rows = rows.sort_by([("money", "descending"), ("order", "ascending")]).drop_columns(["money"])
    offered = sorted(_offers(chain, now), key=lambda d: (-abs(d.money or 0.0), d.key))
    return _Waiting(offered, rows, _changes(chain, now.plan))


def _found(waiting: _Waiting, key: str) -> Decision | None:
    """What a key names, where it still waits and the order is as it was."""
    kind, _, rest = key.partition(":")
    if kind == "offer":
        return next((one for one in waiting.offers if one.key == key), None)
    rows = waiting.due.filter(pc.equal(waiting.due["order"], rest.rpartition(":")[0])).to_pylist()
    one = waiting.of_row(rows[0]) if rows else None
    return one if one is not None and one.key == key else None


def _changes(chain: Chain, plan: LastPlan | None) -> dict[str, str]:
    """What happened to proposals since the plan before, by number, as an action."""
    since = None if plan is None else run_table(chain, plan.run, "since")
    if since is None:
        return {}
    found = {}
    for row in since.filter(pc.equal(since["part"], "orders")).to_pylist():
        action = _action_of(row)
        if row["subject"] is not None and action is not None:
            found[row["subject"]] = action
    return found


def _action_of(row: Mapping[str, Any]) -> str | None:
    """A change of day comes before one of units: it is what can be too late."""
    if row["kind"] in ("moved", "moved_resized"):
        return "expedite" if row["day_after"] < row["day_before"] else "defer"
    if row["kind"] == "resized":
        return "increase" if row["units_after"] > row["units_before"] else "decrease"
    return None


def _offers(chain: Chain, now: OrdersNow) -> list[Decision]:
    """Offers of counterparties that nobody decided on."""
    waiting = now.rows.filter(pc.equal(now.rows["state"], "offered")).to_pylist()
    if not waiting:
        return []
    state: State = chain.state(names=(*READ_FOR_STANDINGS, "products", "recipes", "offers", "lanes"))
    of = {row["order"]: row for row in waiting}
    found = []
    for one in open_offers(state):
        name = one.order["order"]
        if name not in of:
            continue
        words = told_offer(one.said.offer, chain.settings.currency)
        told = {language: words.text(language) for language in LANGUAGES}
        reason = dict.fromkeys(LANGUAGES, one.said.reason or "")
        key = f"offer:{name}:{one.said.key}"
        action, also = _offered(one.order, one.taken)
        found.append(Decision(key, action, of[name], reason, one.paid_more, False, told, also=also))
    return found


def _offered(order_row: Mapping[str, Any], taken: Any) -> tuple[str, str | None]:
    """What taking an offer does to the order, as an action, and what it does besides."""
    days, units = (taken.due - order_row["due"]).days, taken.units - order_row["units"]
    of_days = None if not days else "defer" if days > 0 else "expedite"
    of_units = None if not units else "increase" if units > 0 else "decrease"
    if of_days is None or of_units is None:
        return of_days or of_units or ACTION_OF[order_row["kind"]], None
    return of_days, of_units


def _reasoned(served: Served, who: Who, one: Decision) -> Decision:
    """With the first reason of a proposal."""
    if one.offer is not None:
        return one
    shown: OrderShown = order(served, who, one.row["order"])
    return replace(one, reason=shown.reasons[0].text if shown.reasons else {})


# deciding ----------------------------------------------------------------------------------------


def _the(served: Served, who: Who, key: str) -> Decision:
    """Raises NotFound for what does not wait any more, or was dismissed."""
    who.require(Permission.SEE_PLAN)
    found = _found(_all_that_waits(served), key)
    noted = served.database.row("SELECT * FROM order_decisions WHERE decision = ?", (key,)) or {}
    if found is None or noted.get("state") == "dismissed":
        raise NotFound(message("service_orders.decided_already"))
    return replace(found, assigned=noted.get("assigned"))


def _decide_offer(served: Served, who: Who, one: Decision, is_taken: bool, why: str) -> None:
    name = one.row["order"]

    def write(chain: Chain) -> None:
        events = events_of_table(chain.state(names=("order_events",)).table("order_events")).get(name, [])
        stands = standing(events).offer
        if stands is None or f"offer:{name}:{stands.key}" != one.key:
            raise NotFound(message("service_orders.decided_already"))
        counter_offers.decide(chain, name, is_taken, why)

    told = {} if one.offer is None else {"offer": one.offer[who.language]}
    what = "take_offer" if is_taken else "refuse_offer"
    served.write_whole(who, write, lambda _: [served.audit.entry(who.login, what, name, after=told, why=why)])
    _tell(served, one)


def _note(served: Served, who: Who, key: str, state: str, assigned: str | None, why: str) -> None:
    served.database.write(
        "INSERT OR REPLACE INTO order_decisions (decision, at, by, state, assigned, why) VALUES (?, ?, ?, ?, ?, ?)",
        (key, served.now().timestamp(), who.login, state, assigned, why),
    )


def _tell(served: Served, one: Decision) -> None:
    party = one.row["counterparty"] if one.offer is not None else None
    served.events.tell("orders", one.row["order"], Permission.SEE_PLAN, party)
