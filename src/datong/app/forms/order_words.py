"""An order in the words that its firm reads."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from datong.app.service.factory import OwnOrder
from datong.app.wording.figures import fitting, long_day
from datong.ledger.counter_offer import Offer, told_offer
from datong.ledger.order_life import OrderEvent
from datong.model.calendar import Calendar
from datong.model.findings import Finding
from datong.model.fractional_units import PIECE, unit_word
from datong.model.words import Message, catalogue, message, say

# Findings of what seems a slip of the hand: it can be confirmed.
_DOUBTS = frozenset({"far_too_many", "far_too_few", "offered_far", "offered_many", "offered_dear"})
_FEWER = frozenset({"fewer_units", "fewer_scrap"})


@dataclass(frozen=True)
class Words:
    """How days, units and money are written."""

    language: str
    currency: str
    calendar: Calendar

    def say(self, key: str, /, **places: object) -> str:
        return say(key, self.language, **places)

    def day(self, day: date) -> str:
        """With the day of the week."""
        weekday = self.say(f"forms.weekday.d{day.weekday()}")
        return self.say("forms.day", day=long_day(day, self.language), weekday=weekday)

    def day_beside(self, day: date, today: date, part: str) -> str:
        """The day, and how far it is from today where it still counts."""
        text = self.day(day)
        if part == "ended":
            return text
        days = (day - today).days
        rule = "late" if days < 0 else "today" if days == 0 else "tomorrow" if days == 1 else "ahead"
        return self.say(f"forms.due.{rule}", day=text, days=abs(days))

    def moment(self, moment: datetime) -> str:
        """On the chain's clocks; a midnight is a day alone."""
        local = moment.astimezone(self.calendar.zone)
        day = long_day(local.date(), self.language)
        return day if (local.hour, local.minute) == (0, 0) else f"{day} {local:%H:%M}"

    def units(self, units: float, own: OwnOrder) -> str:
        if own.unit == PIECE:
            return self.say("forms.pieces", units=fitting(units))
        word = unit_word(own.unit)
        unit = word.text(self.language) if isinstance(word, Message) else word
        return self.say("forms.units", units=fitting(units), unit=unit)

    def offer(self, offer: Offer) -> str:
        return told_offer(offer, self.currency).text(self.language)

    def state(self, own: OwnOrder) -> str:
        return self.of_kind(f"state.{own.state}", own)

    def of_kind(self, key: str, own: OwnOrder) -> str:
        """What is said of an order of this kind otherwise than of work: what is moved or bought is sent and arrives."""
        other = f"forms.{own.kind}.{key}"
        return self.say(other if other in catalogue() else f"forms.{key}")

    def size(self, count: int) -> str:
        """Of a file."""
        return f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{max(1, round(count / 1024))} kB"


def named(own: OwnOrder) -> str:
    """The product by name and code."""
    return f"{own.product_name} ({own.product})" if own.product_name else own.product


def line_of(own: OwnOrder, words: Words) -> str:
    """An order in one line of the list."""
    return f"{named(own)} · {words.units(own.agreed.units or 0.0, own)}"


def stand_of(own: OwnOrder, words: Words) -> str:
    """Number, kind and state of an order, as the list has them."""
    return " · ".join((own.order, words.say(f"dispatch.kind.{own.kind}"), words.state(own)))


def facts(own: OwnOrder, words: Words) -> list[tuple[str, str]]:
    """Title and text of what an order asks for, as its sheet calls them."""
    is_bought = own.kind == "buy"
    rows = [
        ("order", own.order),
        ("kind", words.say(f"dispatch.kind.{own.kind}")),
        ("product_name" if own.product_name else "product", named(own)),
        ("units", words.units(own.agreed.units or 0.0, own)),
        ("arrives_on" if is_bought else "due", words.day(own.due)),
        ("ordered_on" if is_bought else "start", words.day(own.start)),
        ("line", own.line),
        ("price", "" if own.agreed.price is None else f"{own.agreed.price:,.10g} {words.currency}".strip()),
        ("from_site", own.from_site),
        ("site", own.to_site),
        ("deliver_to", own.deliver_to),
    ]
    told = [(words.say(f"dispatch.title.{name}"), text) for name, text in rows if text]
    if own.stand.good_units or own.stand.scrap_units:
        told.append((words.say("dispatch.title.good_units"), words.units(own.stand.good_units, own)))
        told.append((words.say("dispatch.title.scrap_units"), words.units(own.stand.scrap_units, own)))
    return told


def actions(own: OwnOrder) -> tuple[str, ...]:
    """What can be answered now, the likeliest first."""
    if own.state == "done":
        return ("correct",)
    if own.part == "ended":
        return ()
    if own.state == "offered":
        return ("accept", "offer", "refuse") if own.stand.without_offer == "released" else ("accept", "offer", "done")
    if own.state == "released":
        return ("accept", "offer", "refuse", "start", "progress", "done")
    begun = () if own.state in ("started", "partly_done") else ("start",)
    return (*begun, "progress", "done", "offer", "remark")


def history(own: OwnOrder, words: Words, came: Mapping[datetime, datetime]) -> list[tuple[str, str, str]]:
    """When, what, and the remark, of all that was said of an order, the last that was said first. came: when answers
    came that waited before they were sent, by when they were given."""
    offers = {event.key: event.offer for event in own.events if event.state == "offered"}
    told = [
        (
            _when(event.said_at, came.get(event.said_at), words),
            _on_its_day(event, _event(event, own, offers.get(event.answers or ""), words), words),
            event.reason or "",
        )
        for event in sorted(own.events, key=lambda event: event.said_at)
        if event.state != "proposed"
    ]
    return told[::-1]


def _when(said_at: datetime, came: datetime | None, words: Words) -> str:
    given = words.moment(said_at)
    return given if came is None else words.say("web_parts.came_later", given=given, came=words.moment(came))


def _on_its_day(event: OrderEvent, text: str, words: Words) -> str:
    """With the day from which it counts, where that is another than the day on which it was said."""
    day = event.other_day(words.calendar)
    if day is None:
        return text
    return words.say("service_orders.happened_on", what=text, day=long_day(day, words.language))


def _event(event: OrderEvent, own: OwnOrder, decided: Offer | None, words: Words) -> str:
    if event.answers is not None:
        rule = "dispatch.offer_taken" if event.state == "accepted" else "dispatch.offer_refused"
        return words.say(rule, offer=words.offer(decided or Offer()))
    if event.state == "offered":
        return words.say("forms.said.offered", offer=words.offer(event.offer))
    text = words.of_kind(f"said.{event.state}", own)
    if event.good_units is not None:
        text = words.say("forms.said.with_good", text=text, units=words.units(event.good_units, own))
    if event.scrap_units:
        text = words.say("forms.said.with_scrap", text=text, units=words.units(event.scrap_units, own))
    return text


def findings_told(found: Sequence[Finding], language: str) -> list[tuple[str, str]]:
    """Severity and text of each finding, with a remedy for who answers on a page and not in a sheet."""
    return [(one.severity, _told(one, language)) for one in found]


def _told(one: Finding, language: str) -> str:
    title = f"dispatch.title.{one.column}"
    remedy = f"forms.remedy.{one.code}"
    told = message(remedy, **dict(one.remedy.params)) if remedy in catalogue() else one.remedy
    rule = "forms.finding.note" if one.severity == "note" else "forms.finding.plain"
    text = say(rule, language, found=one.found, expected=one.expected, remedy=told)
    return say("forms.finding.at", language, title=message(title), text=text) if title in catalogue() else text


def may_be_confirmed(codes: Collection[str]) -> bool:
    """Whether what was typed counts once somebody says that it is meant."""
    return bool(_DOUBTS & set(codes))


def may_be_correction(codes: Collection[str]) -> bool:
    """Whether fewer than before counts once somebody says that it is a correction."""
    return bool(_FEWER & set(codes))
