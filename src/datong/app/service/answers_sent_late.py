"""When answers came in that were sent some time after they were given: from a phone that was offline, by a mail."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served

# Of what comes sooner after it was said, one moment is told.
AT_ONCE = timedelta(minutes=1)
# As the audit of an answer has the moment at which it was given, where it waited.
GIVEN_AT = "given_at"


@dataclass(frozen=True)
class LateArrivals:
    """noted: by order and the moment at which an answer was given, when it came, both on the world's clock. is_live:
    the chain's clock is the world's."""

    noted: Mapping[tuple[str, datetime], datetime]
    is_live: bool

    def of(self, order: str, said_at: datetime, known_at: datetime) -> datetime | None:
        """When an answer came in; None where that was at once, or is not known. known_at: on the chain's clock."""
        came = self.noted.get((order, said_at), known_at if self.is_live else None)
        return None if came is None or came - said_at < AT_ONCE else came


def late_arrivals(served: Served, orders: Collection[str]) -> LateArrivals:
    """Of the answers to some orders."""
    places = ", ".join("?" * len(orders))
    asked = f"SELECT subject, at, after FROM audit WHERE what = 'answer_order' AND subject IN ({places})"
    noted = {}
    for row in served.database.rows(asked, tuple(orders)):
        given = json.loads(row["after"] or "{}").get(GIVEN_AT)
        if given is not None:
            noted[row["subject"], datetime.fromisoformat(given)] = datetime.fromtimestamp(row["at"], UTC)
    return LateArrivals(noted, served.chain_thread.settings.history == "live")


def own_late_answers(served: Served, who: Who, order: str) -> dict[datetime, datetime]:
    """When answers to an order of one's own firm came in that waited before they were sent, by when they were given.
    Raises NotAllowed."""
    who.require(Permission.ANSWER_ORDERS)
    return {given: came for (_, given), came in late_arrivals(served, [order]).noted.items() if came - given >= AT_ONCE}
