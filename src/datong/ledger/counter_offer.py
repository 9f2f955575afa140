"""What a counterparty offers instead of what was ordered: another day, other units, another price."""

from dataclasses import dataclass
from datetime import date

from datong.model.words import Message, message


@dataclass(frozen=True)
class Offer:
    """What a counterparty offers instead of what was ordered. None: as ordered. units: in all; price: of a unit."""

    units: float | None = None
    due: date | None = None
    price: float | None = None

    def __bool__(self) -> bool:
        return self != Offer()


AS_ORDERED = Offer()


def told_offer(offer: Offer, currency: str) -> Message:
    """What is offered, in words."""
    parts = []
    if offer.units is not None:
        parts.append(message("dispatch.offered_units", units=offer.units))
    if offer.due is not None:
        parts.append(message("dispatch.offered_due", due=offer.due))
    if offer.price is not None:
        parts.append(message("dispatch.offered_price", price=offer.price, currency=currency))
    told = parts[0] if parts else message("dispatch.offered_nothing")
    for part in parts[1:]:
        told = message("dispatch.offered_all", before=told, following=part)
    return told
