"""Prices of changes that were worked out before and still hold: nothing was written to the chain since they were asked
for, and it is the same day."""

from typing import Any

from datong.app.service.day_of_chain import chain_today
from datong.app.service.jobs import Job
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served

# Of what is asked for: of which write, and on which day of the chain.
WRITE, DAY = "write", "day"


def as_of_now(served: Served) -> dict[str, Any]:
    """What names the state of the chain that a price is asked of. For this layer."""
    written = served.chain_thread.kept("last write", lambda chain: chain.ledger.last_write())
    return {WRITE: written, DAY: chain_today(served).isoformat()}


def is_current(served: Served, who: Who, job: Job) -> bool:
    """Whether the price that a job worked out, or works out, is of the chain as it is now. Raises NotAllowed."""
    who.require(Permission.EDIT_ORDERS)
    return as_of_now(served).items() <= dict(job.asked).items()


def last_price(served: Served, who: Who, order: str | None = None) -> Job | None:
    """The last price of a change of an order that the same person asked for, or, of no order, of all offers that
    anybody did, unless it was stopped or failed; it may be of an earlier state of the chain. Raises NotAllowed."""
    who.require(Permission.EDIT_ORDERS)
    kind, by = ("price_offers", None) if order is None else ("price_edit", who.login)
    own = (job for job in served.jobs.jobs(who) if job.kind == kind and by in (None, job.by))
    found = next((job for job in own if job.asked.get("order") == order), None)
    return found if found is not None and (found.is_open or found.state == "done") else None
