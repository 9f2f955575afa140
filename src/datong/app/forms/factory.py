"""The pages of a firm: its orders, one order with its answers, free hours, photos."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from datong.app.forms.order_words import (
    Words,
    actions,
    facts,
    findings_told,
    history,
    line_of,
    may_be_confirmed,
    may_be_correction,
    named,
    stand_of,
)
from datong.app.forms.page_requests import Ask, page, to, whole
from datong.app.service.answers_sent_late import own_late_answers
from datong.app.service.factory import (
    PARTS,
    WHOLE,
    Answered,
    OwnOrder,
    OwnOrders,
    Part,
    answer,
    answered,
    own_order,
    own_order_sheet,
    own_orders,
)
from datong.app.service.grid_as_workbook import XLSX
from datong.app.service.grids import Filter, Wanted
from datong.app.service.idle_hours import idle_hours
from datong.app.service.photos import MOST, add_photo, photo, photos, suffix
from datong.app.service.typed_answers import LONGEST_REMARK, Typed
from datong.app.wording.figures import fitting, long_day, money
from datong.model.errors import DatongError, NotFound, Refused
from datong.model.words import Message, message

# Orders of each part on the first page, and on a page of one part alone: all of it stays under 60 kB.
FEW, MANY = 12, 40
# Fields of an answer as its forms name them.
_TEXTS = ("units", "due", "price", "good_units", "scrap_units", "when", "remark", "agreed")


@dataclass(frozen=True)
class Shown:
    """One part of the list of orders. rows: order, its line of text, what it asks for, where it stands. count: of all
    of it. following: where the rest is listed; '' where there is none."""

    part: str
    rows: Sequence[tuple[OwnOrder, str, str, str]]
    count: int
    following: str


def see_orders(ask: Ask) -> Response:
    only = ask.query.get("part")
    found: dict[Part, OwnOrders] = {}
    if only in PARTS:
        found[only] = _piece(ask, only, MANY, ask.query.get("after"))
    else:
        found = {part: _piece(ask, part, FEW) for part in PARTS}
    parts = [_shown(ask, part, one, only in PARTS) for part, one in found.items()]
    return page(ask, "orders.html", found=next(iter(found.values())), parts=parts, only=only if only in PARTS else "")


def _piece(ask: Ask, part: Part, most: int, cursor: str | None = None) -> OwnOrders:
    """A piece of a part of the list: a firm may have thousands. A cursor that is none begins it anew."""
    wanted = Wanted((Filter("part", "is", part),), cursor=cursor, count=most)
    try:
        return own_orders(ask.served, ask.who, wanted)
    except Refused:
        return own_orders(ask.served, ask.who, replace(wanted, cursor=None))


def _shown(ask: Ask, part: Part, found: OwnOrders, is_alone: bool) -> Shown:
    words = _words(ask, found.currency)
    rows = [
        (one, line_of(one, words), words.day_beside(one.due, found.today, one.part), stand_of(one, words))
        for one in found.orders
    ]
    after = f"&after={found.cursor}" if is_alone else ""
    return Shown(part, rows, found.total, "" if found.cursor is None else f"/factory?part={part}{after}")


def orders_sheet(ask: Ask) -> Response:
    """All of the firm's orders as a workbook."""
    content = own_order_sheet(ask.served, ask.who, WHOLE, ask.language)
    name = 'attachment; filename="orders.xlsx"'
    return Response(content, media_type=XLSX, headers={"content-disposition": name})


def _words(ask: Ask, currency: str) -> Words:
    return Words(ask.language, currency, ask.served.chain_thread.settings.calendar)


def see_order(ask: Ask) -> Response:
    """An order; after an answer, with what came of it."""
    own = own_order(ask.served, ask.who, ask.names["order"])
    found = answered(ask.served, ask.who, own.order, ask.query.get("said", ""))
    return _order_page(ask, own, 200, result=None if found is None else found[0])


def _order_page(
    ask: Ask,
    own: OwnOrder,
    status: int,
    result: Answered | None = None,
    typed: Typed | None = None,
    problem: Message | None = None,
) -> Response:
    """typed: what was wrong and is kept. problem: with a photo."""
    words = _words(ask, ask.served.chain_thread.settings.currency)
    codes = frozenset() if result is None else frozenset(one.code for one in result.findings)
    return page(
        ask,
        "order.html",
        status,
        own=own,
        title=named(own),
        facts=facts(own, words),
        words=words,
        actions=actions(own),
        history=history(own, words, own_late_answers(ask.served, ask.who, own.order)),
        photos=photos(ask.served, ask.who, own.order),
        most_photos=MOST,
        longest_remark=LONGEST_REMARK,
        result=result,
        told=() if result is None else findings_told(result.findings, ask.language),
        typed=typed or Typed("", ""),
        ask_confirmed=may_be_confirmed(codes),
        ask_correction=may_be_correction(codes),
        problem="" if problem is None else problem.text(ask.language),
        new_key=lambda: secrets.token_urlsafe(16),
    )


def answer_order(ask: Ask) -> Response:
    """Take in an answer. What is wrong comes back at once, with what was typed."""
    typed = _typed(ask)
    result = answer(ask.served, ask.who, ask.names["order"], typed)
    seen_at = f"/factory/orders/{quote(result.order)}?said={typed.key}"
    if ask.is_for_script:
        texts = [text for _, text in findings_told(result.findings, ask.language)]
        return JSONResponse(
            {"taken": result.is_taken, "texts": texts, "page": seen_at}, 200 if result.is_taken else 422
        )
    if result.is_taken:
        return to(seen_at)
    return _order_page(ask, own_order(ask.served, ask.who, result.order), 422, result=result, typed=typed)


def _typed(ask: Ask) -> Typed:
    fields = ask.fields
    return Typed(
        fields.get("state", ""),
        fields.get("key", ""),
        **{name: fields.get(name, "") for name in _TEXTS},
        is_confirmed=fields.get("is_confirmed") == "1",
        is_correction=fields.get("is_correction") == "1",
        waited_s=_seconds(fields.get("waited_s", "")),
    )


def _seconds(text: str) -> float:
    return float(whole(text) or 0)


def add_photo_of(ask: Ask) -> Response:
    own = own_order(ask.served, ask.who, ask.names["order"])
    try:
        if not ask.file:
            raise Refused(message("forms.no_file"))
        add_photo(ask.served, ask.who, own.order, ask.file)
    except DatongError as error:
        return _order_page(ask, own, 422, problem=error.message)
    return to(f"/factory/orders/{quote(own.order)}#photos")


def see_photo(ask: Ask) -> Response:
    found, content = photo(ask.served, ask.who, ask.names["order"], ask.names["digest"])
    name = f'inline; filename="{found.digest[:12]}{suffix(found)}"'
    return Response(content, media_type=found.kind, headers={"content-disposition": name})


def see_hours(ask: Ask) -> Response:
    """Free hours of the own lines; where there is nothing, what would fill the page."""
    try:
        found = idle_hours(ask.served, ask.who)
    except NotFound as error:
        return page(ask, "hours.html", weeks=(), found=None, text=error.message.text(ask.language))
    weeks = [
        (long_day(week.first, ask.language), fitting(week.free_hours), fitting(week.available_hours))
        for week in found.weeks
    ]
    earned = money(found.would_earn_money, found.currency, ask.language)
    rate = money(found.money_per_hour, found.currency, ask.language)
    free = fitting(found.free_hours)
    return page(ask, "hours.html", weeks=weeks, found=found, text="", earned=earned, rate=rate, free=free)
