"""What the reasons of orders share: buckets, products and lines by name, lists of a few, and which hours are left."""

from collections.abc import Sequence
from datetime import date
from functools import reduce
from typing import Any

import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.flow import Clearing
from datong.model.words import Message, message
from datong.network.line_hours import overtime
from datong.plan.planning_inputs import Work

# Most rows of evidence that one cause shows, most requests or orders that it names.
MOST_ROWS, MOST_NAMED = 20, 3
# The unit that goes without saying.
PIECE = "piece"
# Below this share of its hours left, a line is full.
FULL_SHARE = 0.005
# Hours, money and units below this are nothing.
NOTHING = 1e-6


class OrderWords:
    """Names and hours of one plan. lines: (line, bucket) -> its row of the clearing's prices."""

    def __init__(self, state: State, clearing: Clearing, work: Work) -> None:
        self._work, self.starts = work, work.starts
        self._overtime, _ = overtime(state, work.starts)
        self.unit = state.settings.calendar.unit
        self.at = {s: t for t, s in enumerate(work.starts)}
        self.days = [self.named(s) for s in work.starts]
        of_lines = clearing.prices.filter(pc.equal(clearing.prices["what"], "line"))
        self.lines: dict[tuple[str, int], dict[str, Any]] = {
            (r["name"], self.at[r["bucket"]]): r for r in of_lines.to_pylist()
        }
        products = state.table("products").select(["product", "name", "base_unit"]).to_pylist()
        self.names = {r["product"]: r["name"] for r in products}
        self.units = {r["product"]: r["base_unit"] for r in products}

    def named(self, start: date) -> Message:
        """A bucket, in the horizon or before it, by its first day."""
        return message(f"plan.{self.unit}", day=start)

    def called(self, product: str) -> str:
        """A product by its name and code."""
        return self.thing(self._work.facts.becomes(product))

    def component(self, label: str) -> str:
        """A component by its name and code; what is taken of alternatives by those of each."""
        picks = {way.picks for way in self._work.facts.ways if way.product == label and way.picks is not None}
        return " / ".join(self.thing(component) for component in sorted(picks)) or self.called(label)

    def thing(self, code: str) -> str:
        """Something scarce: a product by its name and code, a stock point by those of its product and its site, an
        offer by its own name."""
        product, at, site = (code, "", "") if code in self.names else code.rpartition("@")
        name = self.names.get(product)
        return code if not name or name == product else f"{name} ({product})" + (f" @ {site}" if at else "")

    def unit_of(self, product: str) -> str:
        return self.units.get(self._work.facts.becomes(product)) or PIECE

    @staticmethod
    def listed(parts: Sequence[Message]) -> Message:
        """The first few, and how many more there are."""
        some = list(parts[:MOST_NAMED])
        if len(parts) > len(some):
            some.append(message("plan.more", count=len(parts) - len(some)))
        return reduce(lambda before, following: message("plan.list", before=before, following=following), some)

    def is_shut(self, line: str, bucket: int) -> bool:
        return self.lines[line, bucket]["available"] <= NOTHING

    def is_full(self, line: str, bucket: int) -> bool:
        """Whether the orders leave a line that is open no hours."""
        row = self.lines[line, bucket]
        return not self.is_shut(line, bucket) and self.free(line, bucket) <= FULL_SHARE * row["available"]

    def overtime(self, line: str, bucket: int) -> float:
        """Hours of a line in a bucket, of all that it has, that are overtime."""
        hours = self._overtime.get(line)
        return 0.0 if hours is None else float(hours[bucket])

    def free(self, line: str, bucket: int) -> float:
        """Hours that the orders leave."""
        row = self.lines[line, bucket]
        return max(row["available"] - row["used"], 0.0)
