"""Price breaks of offers (`offer_price_breaks`): from so many units of one order on, a unit costs less.

Each break is a way of its own beside that of its offer, whose order has at least so many units. Of a break for all
units (`applies_to` = all) each costs its price c. Of one for those above (above) an order of x units costs

    F + c x,     F_k = F_k-1 + (c_k-1 - c_k) q_k     (0 of the offer itself, and of a break for all units)

with q_k the units from which break k counts: what the q_k units before it cost more. So lots, HiGHS, bound and referee
know breaks as they know smallest lots and fixed costs of orders; the least price of all is that of any quantities.
A break that is not below the price that holds before it is none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa

from datong.ledger.versions import Span, day_or_none, span

# A row of a table as it comes from Arrow.
Row = Mapping[str, Any]
# Units below this are rounding.
NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class PriceBreak:
    """What the orders of a way pay, of an offer with price breaks."""

    # Units of an order from which it counts; 0: the price of the offer itself.
    from_units: float
    # Money for a unit: of all of them, or of those above.
    price: float
    # Money that the units before it cost more, for each order.
    paid_more: float = 0.0
    # Whether its price is of the units above it alone.
    is_above: bool = False


class PriceBreaks:
    """The breaks of offers. rows: `State.versions` of offer_price_breaks."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows: dict[str, list[tuple[Span, Row]]] = defaultdict(list)
        for row in sorted(rows.to_pylist(), key=lambda row: (row["offer"], row["min_units"])):
            self._rows[row["offer"]].append((span(row["valid_from"], row["valid_to"]), row))

    def over_time(self, offer: Row) -> list[dict[str, Any]]:
        """A row of an offer in the spans in which its breaks do not change, each with those that hold, `breaks`."""
        rows, days = self._rows.get(offer["offer"], []), span(offer["valid_from"], offer["valid_to"])
        if not rows:
            return [{**offer, "breaks": ()}]
        cuts = {day for own, _ in rows for day in own if days.first < day < days.after}
        found = []
        for first, after in pairwise(sorted({*days, *cuts})):
            held = (row for own, row in rows if own.first <= first and after <= own.after)
            of_days = {"valid_from": day_or_none(first), "valid_to": day_or_none(after)}
            found.append({**offer, **of_days, "breaks": breaks_of(offer["price"], held)})
        return found


def breaks_of(price: float, rows: Iterable[Row]) -> tuple[PriceBreak, ...]:
    """The price of an offer and its breaks, by units; () where it has none. rows: by units."""
    found = [PriceBreak(0.0, price)]
    for row in rows:
        last, is_above = found[-1], row["applies_to"] == "above"
        if row["cost_per_unit"] < last.price:
            more = last.paid_more + (last.price - row["cost_per_unit"]) * row["min_units"] if is_above else 0.0
            found.append(PriceBreak(row["min_units"], row["cost_per_unit"], more, is_above))
    return tuple(found) if len(found) > 1 else ()


def break_of(breaks: Sequence[PriceBreak | None], units: float) -> int:
    """Of the breaks of ways that stand for one offer, the place of the one that an order of so many units is of: the
    last that it reaches."""
    reached = [-1.0 if b is None or b.from_units > units * (1 + NOTHING) else b.from_units for b in breaks]
    return max(range(len(breaks)), key=lambda i: reached[i])


def row_of_units(ways: Sequence[Row], units: float | None) -> Row | None:
    """Of rows of a run's table of ways that hold for an order of so many units, the one that it is of: the last price
    break that it reaches, else the first; None: there is none."""
    reached = [w for w in ways if w.get("from_units") and w["from_units"] <= (units or 0.0) * (1 + NOTHING)]
    plain = next((w for w in ways if not w.get("from_units")), None)
    return max(reached, key=lambda w: w["from_units"], default=plain)


def rising(state_rows: Iterable[Row], prices: Mapping[str, float]) -> list[Row]:
    """Rows that are no break, as they do not cost less than what holds before them. prices: by offer."""
    found, of_offer = [], defaultdict(list)
    for row in state_rows:
        of_offer[row["offer"]].append(row)
    for offer, rows in sorted(of_offer.items()):
        least = prices.get(offer, float("inf"))
        for row in sorted(rows, key=lambda row: row["min_units"]):
            if row["cost_per_unit"] >= least:
                found.append(row)
            least = min(least, row["cost_per_unit"])
    return found
