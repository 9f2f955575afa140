"""What somebody of a firm typed as an answer to one order, read as the sheets of the drop folder are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, get_args

from datong.connectors.filedrop.answer_phrases import (
    Said,
    Spoken,
    day_of,
    is_conditional,
    moment_of,
    names_later_day,
    number_of,
    said,
    two_numbers,
    units_less,
)
from datong.connectors.filedrop.read_answers import one_reading
from datong.ledger.counter_offer import AS_ORDERED, Offer
from datong.ledger.order_life import OrderEvent, Standing
from datong.model.calendar import Calendar
from datong.model.findings import Finding, finding
from datong.model.flow import OrderState
from datong.model.fractional_units import PIECE, other_container, other_unit
from datong.model.words import say, visible

# Most signs of a remark.
LONGEST_REMARK = 500
# A remark by itself, while work goes on.
REMARK = "remark"
# States that a firm answers with, and those beside which a remark may be an offer.
ANSWERS = ("accepted", "refused", "offered", "started", "partly_done", "done", REMARK)
_ANSWERED = ("accepted", "refused", "offered")
_MAY_REMARK = ("accepted", "started", "partly_done")
_NO_NUMBER = {"price": "dispatch.bad_price", "units": "dispatch.bad_offered_units"}
_WITH_UNITS = ("partly_done", "done")


@dataclass(frozen=True)
class Typed:
    """An answer as it was typed. state: one of ANSWERS. key: the same for the same answer sent again.

    units, due, price: what is offered instead. good_units, scrap_units: so far, in all. when: it happened; '': now.
    is_confirmed: what seems a slip of the hand is meant. is_correction: fewer than before is right. waited_s: seconds
    that it waited on a phone before it was sent. agreed: what the order asked for where it was answered
    (`OwnOrder.agreed_key`); '': not said.
    """

    state: str
    key: str
    units: str = ""
    due: str = ""
    price: str = ""
    good_units: str = ""
    scrap_units: str = ""
    when: str = ""
    remark: str = ""
    is_confirmed: bool = False
    is_correction: bool = False
    waited_s: float = 0.0
    agreed: str = ""


@dataclass(frozen=True)
class Asked:
    """What an answer is understood by. order: its number. due: the day agreed. stand: where it stands. moment: at which
    it was given. language: in which days and marks are read. unit: base unit of the product.
    units: that were ordered, or agreed since."""

    order: str
    due: date | None
    stand: Standing
    moment: datetime
    calendar: Calendar
    language: str
    unit: str = PIECE
    units: float | None = None

    @property
    def spoken(self) -> Spoken:
        """What days of a text are understood by."""
        return Spoken(self.calendar.local_date(self.moment), self.due, self.language == "zh", self.units)


def event_of(typed: Typed, asked: Asked) -> tuple[OrderEvent | None, Sequence[Finding]]:
    """The event that an answer is, or what is wrong with it. Nothing is held against the order yet."""
    reading = _Reading(typed, asked)
    event = reading.event()
    return (None, reading.findings) if reading.findings else (event, ())


class _Reading:
    """One answer, read field by field."""

    def __init__(self, typed: Typed, asked: Asked) -> None:
        self._typed, self._asked = typed, asked
        self.findings: list[Finding] = []

    def event(self) -> OrderEvent | None:
        typed = self._typed
        remark = " ".join(visible(typed.remark).split())
        state = self._state(remark)
        happened_at, date_only = self._when()
        good, scrap = None, None
        if state in _WITH_UNITS and typed.state != REMARK:
            good, scrap = self._number("good_units"), self._number("scrap_units")
            if typed.state == "partly_done" and not typed.good_units.strip() and not typed.scrap_units.strip():
                self._problem("factory.no_units", "good_units")
        offer = self._offer() if typed.state == "offered" else AS_ORDERED
        if typed.state in _ANSWERED:
            offer = self._with_remark(offer, said(remark, self._asked.spoken) if remark else None)
        takes_back = is_conditional(remark) or names_later_day(remark, self._asked.spoken)
        if typed.state == "accepted" and not offer and not self.findings and takes_back:
            self._problem("dispatch.takes_back", "reason", value=remark)
        if typed.state == "offered" and not offer and not self.findings:
            self._problem("dispatch.offers_nothing", "new_due")
        if len(remark) > LONGEST_REMARK:
            self._problem("factory.long_remark", "reason", count=len(remark), most=LONGEST_REMARK)
        if state is None:
            return None
        reason = self._marked(remark) or None
        return OrderEvent(self._asked.order, state, happened_at, good, scrap, reason, date_only=date_only, offer=offer)

    def _state(self, remark: str) -> OrderState | None:
        state = self._typed.state
        if state not in ANSWERS:
            self._problem("factory.no_answer", "state")
            return None
        if state == "refused" and not remark:
            self._problem("factory.no_reason", "reason")
        if state != REMARK:
            return next(known for known in get_args(OrderState) if known == state)
        if not remark:
            self._problem("factory.no_remark", "reason")
        if self._asked.stand.offer is not None or self._asked.stand.without_offer not in _MAY_REMARK:
            self._problem("factory.no_remark_yet", "reason")
            return None
        return self._asked.stand.without_offer

    def _when(self) -> tuple[datetime, bool]:
        """When it happened, and whether that is a day alone."""
        text, calendar = self._typed.when.strip(), self._asked.calendar
        if not text:
            return self._asked.moment, False
        today = calendar.local_date(self._asked.moment)
        found = moment_of(text, today, self._asked.language == "zh")
        if found is None:
            self._problem("dispatch.bad_moment", "happened_at", value=text)
            return self._asked.moment, False
        day, clock = found
        if clock is None and day == today:
            return self._asked.moment, False
        if clock is None:
            return calendar.midnight(day), True
        return datetime.combine(day, clock, calendar.zone).astimezone(UTC), False

    def _offer(self) -> Offer:
        text = self._typed.due.strip()
        day = self._day(text) if text else None
        if text and day is None:
            self._problem("dispatch.bad_day", "new_due", value=text)
        today = self._asked.calendar.local_date(self._asked.moment)
        if day is not None and day < today:  # sooner than agreed is no other offer; over is a slip of the hand
            self._problem("dispatch.offered_past", "new_due", then=str(day), today=str(today))
        less = units_less(self._typed.units, self._asked.units)
        return Offer(
            self._number("units", "new_units") if less is None else less, day, self._number("price", "new_price")
        )

    def _day(self, text: str) -> date | None:
        """A day, or a delay from the day agreed: 延期两天."""
        found = day_of(text, self._asked.spoken)
        if found is not None:
            return found[0]
        told = said(text, self._asked.spoken)
        return None if told is None or told != Said(offer=Offer(due=told.offer.due)) else told.offer.due

    def _with_remark(self, offer: Offer, remark: Said | None) -> Offer:
        """A remark that says nothing but an offer is one, too."""
        if remark is None or not remark.offer:
            return offer
        other = remark.offer
        box = other_container(self._typed.remark, self._asked.unit)
        if other.units is not None and box is not None:
            self._problem("dispatch.other_unit", "reason", value=self._typed.remark.strip(), other=box)
            return offer
        pairs = [(offer.units, other.units), (offer.due, other.due), (offer.price, other.price)]
        if any(a is not None and b is not None and a != b for a, b in pairs):
            self._problem("dispatch.two_answers", "reason", state=self._typed.remark.strip())
            return offer
        return replace(
            offer,
            units=other.units if offer.units is None else offer.units,
            due=other.due if offer.due is None else offer.due,
            price=other.price if offer.price is None else offer.price,
        )

    def _number(self, name: str, column: str | None = None) -> float | None:
        """A field's number; None where it is empty, or, with a finding, none or one of two."""
        text = str(getattr(self._typed, name)).strip()
        if not text:
            return None
        number, column = number_of(text), column or name
        if name == "units" and number is None:
            number = self._units_said(text)
        either = two_numbers(text) if number is None else None
        if either is not None:
            many, few = either
            self._problem("dispatch.two_numbers", column, value=text, many=f"{many:.15g}", few=one_reading(few))
        elif number is None or (name == "units" and number <= 0):
            self._problem(_NO_NUMBER.get(name, "dispatch.bad_units"), column, value=text)
        elif name != "price" and (other := other_unit(text, self._asked.unit)) is not None:
            self._problem("dispatch.other_unit", column, value=text, other=other)
        return number

    def _units_said(self, text: str) -> float | None:
        """Units in words that say nothing else: only 80, 只能做80."""
        told = said(text, self._asked.spoken)
        return None if told is None or told != Said(offer=Offer(told.offer.units)) else told.offer.units

    def _marked(self, remark: str) -> str:
        """A remark with the words by which the rules know that what seems wrong is meant."""
        marks = {"factory.confirmed": self._typed.is_confirmed, "factory.corrected": self._typed.is_correction}
        words = [say(key, self._asked.language) for key, is_marked in marks.items() if is_marked]
        return say("dispatch.join", self._asked.language).join([*filter(None, [remark]), *words])

    def _problem(self, rule: str, column: str, **params: Any) -> None:
        self.findings.append(finding("error", rule, self._asked.order, column=column, **params))
