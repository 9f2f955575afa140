"""Work orders that go out to somebody, for the tests of those who deliver them."""

from datetime import date

from datong.dispatch.orders_due_for_release import order_key
from datong.model.flow import Cause, OrderMessage, PlannedOrder
from datong.model.words import message


def work(number: str, units: float = 100.0, kind: str = "make") -> PlannedOrder:
    return PlannedOrder(
        order=number,
        kind="buy" if kind == "buy" else "make",
        product="P1",
        recipe=None,
        offer=None,
        line="L1",
        units=units,
        start=date(2026, 3, 5),
        due=date(2026, 3, 9),
        needed_by=date(2026, 3, 10),
        cost=0.0,
        value=0.0,
        causes=(Cause("plan", message("dispatch.kind.make")), Cause("sense", message("dispatch.state.done"))),
    )


def to(counterparty: str, *orders: PlannedOrder) -> list[OrderMessage]:
    return [OrderMessage(order_key(order), counterparty, order) for order in orders]
