"""How customers want their orders delivered: with others of a group, complete, or in no smaller parts."""

from collections import defaultdict
from collections.abc import Iterable

import pyarrow.compute as pc

from datong.ledger.products_held_back import named
from datong.ledger.state import State
from datong.model.words import Message, message, shown
from datong.network.rows_in_plan import rows_in_plan


class DeliveredAsAsked:
    def __init__(self, state: State) -> None:
        """What the rows of `demand` that are planned say."""
        rows = rows_in_plan(state).select(["demand", "units", "min_delivery_units", "delivery_group"])
        told = pc.or_(pc.is_valid(rows["min_delivery_units"]), pc.is_valid(rows["delivery_group"]))
        self.group_of: dict[str, str] = {}
        self.members: dict[str, list[str]] = defaultdict(list)
        self.smallest: dict[str, tuple[float, float]] = {}
        for row in rows.filter(told).to_pylist():
            if row["delivery_group"]:
                self.group_of[row["demand"]] = row["delivery_group"]
                self.members[row["delivery_group"]].append(row["demand"])
            elif row["min_delivery_units"]:
                self.smallest[row["demand"]] = row["min_delivery_units"], row["units"]

    def of(self, requests: Iterable[str]) -> list[Message]:
        """What is said of these requests, each group once."""
        told: list[Message] = []
        asked = sorted(set(requests))
        for group in sorted({self.group_of[name] for name in asked if name in self.group_of}):
            if len(self.members[group]) > 1:
                told.append(message("plan.cause.together", group=group, names=named(sorted(self.members[group]))))
        for name in asked:
            least, units = self.smallest.get(name, (0.0, 0.0))
            if least >= units > 0:
                told.append(message("plan.cause.complete", name=name))
            elif least > 0:
                told.append(message("plan.cause.at_least", name=name, least=shown(least)))
        return told
