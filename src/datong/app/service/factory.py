"""A firm and its own orders: what was given out to it, and what it answers.

An answer is taken in exactly as one in a sheet of the drop folder: what was typed is read by the same readers, held
against the order by the same rules, and kept as the same event. Its key makes it count once, however often it is sent.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.exchange_one_way import forget_told, known, take_in_reports
from datong.app.service.answers_sent_late import GIVEN_AT
from datong.app.service.day_of_chain import chain_today
from datong.app.service.grid_as_workbook import SheetGrid, workbook
from datong.app.service.grids import Wanted, piece
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.table_of_orders import ORDERS_NOW
from datong.app.service.typed_answers import Asked, Typed, event_of
from datong.app.service.where_orders_stand import Stands, where_orders_stand
from datong.app.wording.columns import coded
from datong.connectors.filedrop.order_sheet import Known
from datong.dispatch.answers import READ_FOR_ANSWERS
from datong.ledger.counter_offer import Offer, told_offer
from datong.ledger.order_life import OrderEvent, OrderReport, Standing, events_of_table, in_order
from datong.ledger.protocol import Ledger
from datong.ledger.standings import only_orders, order_standings, state_of, with_lines
from datong.ledger.state import State
from datong.model.errors import NotFound, Refused
from datong.model.findings import Finding, finding, finding_as_json, finding_from_json, has_errors
from datong.model.fractional_units import PIECE
from datong.model.words import message

# Name of this way in, under which the ledger keeps what was found until it was told.
WAY = "factory"
KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
# An answer that waited on a phone was said so long ago at most.
LONGEST_WAIT = timedelta(days=30)

Part = Literal["to_answer", "running", "ended"]
# In the order in which they are shown.
PARTS: tuple[Part, ...] = get_args(Part)
# How the list of orders is asked for: a piece by conditions on these columns. PLACE puts them in the order in which
# they are shown: by part, and within it by day, of which there are fewer than MOST_DAYS.
PLACE, MOST_DAYS = "place", 10_000_000
_F = ORDERS_NOW.field
LISTED = pa.schema(
    [
        *(_F(name) for name in ("order", "kind", "product")),
        ("product_name", pa.string()),
        *(_F(name) for name in ("units", "base_unit", "start", "due", "state")),
        ("part", pa.string()),
        (PLACE, pa.int64()),
    ]
)
# Columns of its workbook.
SHEET = pa.schema(
    [
        *(LISTED.field(name) for name in ("order", "kind", "product", "product_name", "units", "base_unit")),
        ("price_per_unit", pa.float64()),
        *(LISTED.field(name) for name in ("start", "due")),
        *((name, pa.string()) for name in ("line", "from_site", "to_site", "deliver_to", "state")),
    ]
)
WHOLE = Wanted(is_whole=True)
RUNNING: Part = "running"  # any other state than these
_PARTS: Mapping[str, Part] = {"released": "to_answer", "refused": "ended", "cancelled": "ended", "done": "ended"}


@dataclass(frozen=True)
class OwnOrder:
    """An order as the firm sees it that it was given out to.

    agreed: units, day and price of a unit (None: nobody knows one) as they hold now. state: where it stands, as states
    of orders are called. line: with its name, '' where none is told. from_site: which a transfer leaves; to_site: where
    what is bought or moved arrives; with their names, '' where there is none. deliver_to: its address, '' for work
    orders. events: what was said of it, oldest first.
    """

    order: str
    kind: str
    product: str
    product_name: str
    unit: str
    agreed: Offer
    start: date
    line: str
    from_site: str
    to_site: str
    deliver_to: str
    state: str
    stand: Standing
    events: tuple[OrderEvent, ...]

    @property
    def part(self) -> Part:
        """Of the list of orders: to be answered first, then what runs (or waits for the planner), then what ended."""
        return _PARTS.get(self.state, RUNNING)

    @property
    def offer(self) -> Offer | None:
        """What the firm offered and nobody has decided on."""
        return None if self.stand.offer is None else self.stand.offer.offer

    @property
    def agreed_key(self) -> str:
        """What it asks for, to be said with an answer: nobody accepts what was decided after they had looked."""
        return (
            "/".join("" if one is None else f"{one:.15g}" for one in (self.agreed.units, self.agreed.price))
            + f"/{self.due}"
        )

    @property
    def due(self) -> date:
        return self.agreed.due or self.start


@dataclass(frozen=True)
class OwnOrders:
    """orders: those to answer first, then those that run, each by the day they are due; those that ended, the last one
    first; or as they are asked for. cursor: asks for those after these; None: there are none. total: how many meet the
    conditions. currency: of prices. today: the chain's day. firm_name: the firm as it is called."""

    orders: tuple[OwnOrder, ...]
    cursor: str | None
    total: int
    currency: str
    today: date
    firm_name: str


@dataclass(frozen=True)
class Answered:
    """What came of an answer. is_taken: it counts. findings: what was odd or wrong. state: of the order, afterwards.
    is_again: it had been sent before, and counted then."""

    order: str
    is_taken: bool
    findings: tuple[Finding, ...]
    state: str
    is_again: bool = False


@dataclass(frozen=True)
class _Read:
    """What is read of the chain, for all firms: its state, what orders are told with, and where each stands."""

    state: State
    known: Known
    stands: Stands


# By ledger, where its orders stood when that was last asked.
_BEFORE: WeakKeyDictionary[Ledger, Stands] = WeakKeyDictionary()


def own_orders(served: Served, who: Who, wanted: Wanted = WHOLE) -> OwnOrders:
    """The orders that were given out to the firm of who asks, or a piece of them: it may have tens of thousands.
    wanted: by columns of LISTED. Raises NotAllowed; Refused for conditions that do not fit."""
    who.require(Permission.ANSWER_ORDERS)
    firm = who.own_firm
    read = _read(served)
    listed = served.chain_thread.kept(("factory/list", firm), lambda _: _listed(read, firm))
    found = piece(listed, "order", wanted if wanted.sort else replace(wanted, sort=PLACE))
    orders = _orders_of(served, firm, found.rows["order"].to_pylist())
    return OwnOrders(
        orders,
        found.cursor,
        found.total,
        served.chain_thread.settings.currency,
        chain_today(served),
        read.known.names.get(firm) or firm,
    )


def own_order_sheet(served: Served, who: Who, wanted: Wanted, language: str) -> bytes:
    """The same orders as a workbook, all that meet the conditions. Raises as `own_orders`."""
    found = own_orders(served, who, replace(wanted, is_whole=True))
    rows = pa.Table.from_pylist([_sheet_row(one, language) for one in found.orders], SHEET)
    return workbook(SheetGrid("own_orders", served.chain_thread.settings.name, "order", (), rows), language)


def _sheet_row(one: OwnOrder, language: str) -> dict[str, Any]:
    codes = {name: str(coded(name, getattr(one, name), language)) for name in ("kind", "state")}
    codes["base_unit"] = str(coded("base_unit", one.unit, language))
    return {
        **{name: getattr(one, name) for name in ("order", "product", "product_name", "start", "line")},
        "units": one.agreed.units,
        "price_per_unit": one.agreed.price,
        "due": one.due,
        **{name: getattr(one, name) for name in ("from_site", "to_site", "deliver_to")},
        **codes,
    }


def _listed(read: _Read, firm: str) -> pa.Table:
    """A firm's orders in LISTED, without what each of them says in full: of those alone that were given out to it, not
    of what a plan proposes."""
    orders, products = read.state.table("orders"), read.state.table("products")
    orders = orders.append_column("state", read.stands.rows["state"])
    own = orders.filter(pc.is_in(orders["order"], _given_out(read.state, firm)))
    product = products.take(pc.index_in(own["product"], products["product"].combine_chunks()))
    due = pc.coalesce(own["due"], own["start"])
    at = pc.index_in(own["state"], pa.array(_PARTS)).fill_null(-1).to_numpy()
    at = np.array([PARTS.index(part) for part in (*_PARTS.values(), RUNNING)])[at]
    days = pc.fill_null(due.cast(pa.int32()), 0).to_numpy()
    days = np.where(at == PARTS.index("ended"), -days, days)
    told = {
        "product_name": product["name"],
        "base_unit": product["base_unit"],
        "due": due,
        "part": pa.array(PARTS).take(pa.array(at)),
        PLACE: pa.array(at * MOST_DAYS + days, pa.int64()),
    }
    return pa.table([told[f.name] if f.name in told else own[f.name] for f in LISTED], LISTED)


def _given_out(state: State, firm: str) -> pa.Array:
    """Numbers of the orders that were ever given out to a firm."""
    said = state.table("order_events")
    return pc.unique(
        said["order"].filter(pc.and_(pc.equal(said["state"], "released"), pc.equal(said["counterparty"], firm)))
    )


def _orders_of(served: Served, firm: str, numbers: Sequence[str]) -> tuple[OwnOrder, ...]:
    """Some of a firm's orders by their numbers, without those that are none: no other is read by itself."""
    found = _found(_read(served), firm, numbers)
    return tuple(found[name] for name in numbers if name in found)


def own_order(served: Served, who: Who, order: str) -> OwnOrder:
    """One of them. Raises NotAllowed; NotFound, in the same words for another firm's order as for one that is not
    there."""
    who.require(Permission.ANSWER_ORDERS)
    found = _orders_of(served, who.own_firm, [order])
    if not found:
        raise NotFound(message("factory.no_order", order=order))
    return found[0]


def answer(served: Served, who: Who, order: str, typed: Typed) -> Answered:
    """Take in what a firm says of its own order. What is wrong is a finding, and then nothing of the answer is taken.
    The same answer with the same key counts once, and gives what came of it the first time. Raises NotAllowed,
    NotFound, Refused for a key that is none."""
    own = own_order(served, who, order)
    if not KEY.fullmatch(typed.key):
        raise Refused(message("factory.wrong_key"))
    firm, key = who.own_firm, _event_key(who.own_firm, own.order, typed)
    before = answered(served, who, own.order, typed.key)
    if before is not None and before[1] == key:
        return replace(before[0], is_again=True)
    calendar = served.chain_thread.settings.calendar
    moment, agreed = _moment(served, own, typed), own.agreed
    asked = Asked(own.order, agreed.due, own.stand, moment, calendar, who.language, own.unit, agreed.units)
    if typed.state == "accepted" and typed.agreed not in ("", own.agreed_key):
        other = told_offer(agreed, served.chain_thread.settings.currency)
        return Answered(
            own.order, False, (finding("error", "factory.other_order_now", own.order, now=other),), own.state
        )
    event, wrong = event_of(typed, asked)
    if event is None:
        return Answered(own.order, False, tuple(wrong), own.state)
    source = f"{firm}/{own.order}/{key}"
    event = replace(event, order_event=key, acted_at=served.now() - _waited(typed))
    report = OrderReport(source, 1, event, firm)
    _, found = served.chain_thread.write(who.login, lambda chain: take_in_reports(chain, [report], WAY))
    if has_errors(found):
        return Answered(own.order, False, found, own.state)
    now = own_order(served, who, own.order)
    given_at = event.acted_at if _waited(typed) else None
    result = _note(served, who, key, typed, own, (Answered(own.order, True, found, now.state), given_at))
    if found:
        served.chain_thread.write(who.login, lambda chain: forget_told(chain, WAY, source))
    served.events.tell("orders", own.order, Permission.SEE_PLAN, firm)
    return result


def answered(served: Served, who: Who, order: str, key: str) -> tuple[Answered, str] | None:
    """What came of an own answer that was taken before, by its key, and the key of its event."""
    row = served.database.row(
        "SELECT digest, body FROM answered WHERE account = ? AND key = ?", (who.account, _kept_as(order, key))
    )
    if row is None or row["body"] is None:
        return None
    kept = json.loads(row["body"])
    found = tuple(finding_from_json(one) for one in kept["findings"])
    return Answered(order, True, found, kept["state"]), row["digest"]


def _note(
    served: Served, who: Who, key: str, typed: Typed, own: OwnOrder, came: tuple[Answered, datetime | None]
) -> Answered:
    """Keep what came of an answer, for whoever sends it again, and who gave it; once where the same comes twice at
    once. came: with when it was given, where it waited before it was sent."""
    result, given_at = came
    body = {"state": result.state, "findings": [finding_as_json(one) for one in result.findings]}
    said = {name: value for name, value in vars(typed).items() if value and name not in ("key", "waited_s")}
    with served.database.together():
        there = answered(served, who, own.order, typed.key)
        if there is not None and there[1] == key:
            return replace(there[0], is_again=True)
        served.database.write(
            "INSERT OR REPLACE INTO answered VALUES (?, ?, ?, ?, ?, ?)",
            (
                who.account,
                _kept_as(own.order, typed.key),
                key,
                200,
                json.dumps(body, ensure_ascii=False, default=str),
                served.now().timestamp(),
            ),
        )
        after = {"state": result.state, "said": said}
        after |= {} if given_at is None else {GIVEN_AT: given_at.isoformat()}
        served.audit.note(
            who.login, "answer_order", own.order, before={"state": own.state}, after=after, why=typed.remark, way=WAY
        )
    return result


def _kept_as(order: str, key: str) -> str:
    return f"{WAY}:{order}:{key}"


def _event_key(firm: str, order: str, typed: Typed) -> str:
    """Key of an answer's event: nobody can name another firm's, and what is said otherwise is another answer, also
    where a page that was gone back to sends it under the same key."""
    said = {f.name: getattr(typed, f.name) for f in fields(typed) if f.name != "waited_s"}
    text = json.dumps([firm, order, said], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _moment(served: Served, own: OwnOrder, typed: Typed) -> datetime:
    """When an answer was given, on the chain's clock: not before the order went out."""
    waited = _waited(typed)
    now = served.chain_thread.read(Chain.clock)
    out_since = min((event.happened_at for event in own.events if event.state == "released"), default=now)
    return max(now - waited, min(out_since, now))


def _waited(typed: Typed) -> timedelta:
    """How long an answer waited on a phone."""
    return min(timedelta(seconds=max(typed.waited_s, 0.0)), LONGEST_WAIT)


def _read(served: Served) -> _Read:
    names = (*READ_FOR_ANSWERS, "sites", "firms")

    def read(chain: Chain) -> _Read:
        state = chain.state(names=names)
        stands = _BEFORE[chain.ledger] = where_orders_stand(state, _BEFORE.get(chain.ledger))
        return _Read(state, known(chain), stands)

    return served.chain_thread.kept("factory/read", read)


def _found(read: _Read, firm: str, numbers: Sequence[str]) -> Mapping[str, OwnOrder]:
    given = _given_out(read.state, firm)
    given = given.filter(pc.is_in(given, pa.array(numbers, pa.string())))
    state = only_orders(read.state, given)
    events = events_of_table(state.table("order_events"))
    stands = order_standings(state, events)
    places = _Places(read.state)
    return {
        row["order"]: _own_order(
            row,
            stands.get(row["order"], Standing()),
            in_order(events.get(row["order"], ())),
            places,
            read.known,
        )
        for row in with_lines(state, state.table("orders")).to_pylist()
    }


def _own_order(
    row: Mapping[str, Any], stand: Standing, events: Sequence[OrderEvent], places: "_Places", told: Known
) -> OwnOrder:
    price = row["price"] if row["price"] is not None else told.prices.get(row["offer"] or "")
    return OwnOrder(
        order=row["order"],
        kind=row["kind"],
        product=row["product"],
        product_name=told.product_names.get(row["product"]) or "",
        unit=told.base_units.get(row["product"]) or PIECE,
        agreed=Offer(row["units"], row["due"], price),
        start=row["start"],
        line=places.line(row),
        from_site=places.leaves(row),
        to_site=places.arrives(row),
        deliver_to="" if row["kind"] == "make" else told.addresses.get(row["site"] or "", ""),
        state=state_of(row, stand),
        stand=stand,
        events=tuple(events),
    )


class _Places:
    """Lines and sites of orders, with their names."""

    def __init__(self, state: State) -> None:
        self._lines = {row["line"]: row["name"] for row in state.table("lines").to_pylist()}
        self._sites = {row["site"]: row["name"] for row in state.table("sites").to_pylist()}
        self._lanes = {row["lane"]: row["from_site"] for row in state.table("lanes").to_pylist()}

    def line(self, row: Mapping[str, Any]) -> str:
        return _with_name(row["line"], self._lines) if row["kind"] == "make" else ""

    def leaves(self, row: Mapping[str, Any]) -> str:
        return _with_name(self._lanes.get(row["lane"] or ""), self._sites) if row["kind"] == "move" else ""

    def arrives(self, row: Mapping[str, Any]) -> str:
        return "" if row["kind"] == "make" else _with_name(row["site"], self._sites)


def _with_name(code: str | None, names: Mapping[str, str | None]) -> str:
    name = names.get(code or "")
    return f"{code} · {name}" if name and name != code else code or ""
