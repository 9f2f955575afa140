"""Prices that were asked for before, for the orders and the decisions of the API."""

from pydantic import BaseModel

from datong.app.rest.around_every_call import Call
from datong.app.service import last_order_edit_price
from datong.app.service.jobs import Job


class LastPrice(BaseModel):
    """job: that worked it out, or does; null: none was asked for, or the last one was stopped or failed. is_current:
    nothing was written to the chain since it was asked for."""

    job: Job | None
    is_current: bool


def last_price_of(call: Call, order: str | None = None) -> LastPrice:
    """Of a change of an order, or of all offers."""
    job = last_order_edit_price.last_price(call.served, call.who, order)
    return LastPrice(
        job=job, is_current=job is not None and last_order_edit_price.is_current(call.served, call.who, job)
    )
