"""Lines at once (`recipe_lines`): a way holds other lines, tools or operators besides its own, as long as it works.

    hours(l, t) = sum over ways w on line l of  hours(w) x(w, t)
                + sum over ways w that hold l beside it of  hours(w, l) x(w, t) + set-up(w, l) y(w, t)

and the hours of each line are a limit. HiGHS: entries in the rows of the lines. Bound: an hour of each line has its
price, and a unit pays for all of them. The referee counts them in `hours_worked` (long_lot_spans.py), spread over the
buckets that a long lot works. The search of prices does not know the rule. Which way holds what:
`network/lines_at_once.py`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Reader, Rule, nothing_found
from datong.model.flow import FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.highs import Programme


@dataclass(frozen=True, eq=False)
class LinesAtOnce(Rule):
    name: ClassVar[str] = "lines at once"

    # (held) index of the way.
    way: IntArray
    # (held) index of the line that it holds beside its own.
    line: IntArray
    # (held) hours of it per unit started.
    hours: FloatArray
    # (held) hours of it for each order.
    setup_hours: FloatArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "LinesAtOnce":
        at = {line: i for i, line in enumerate(chain.lines)}
        found = [(w, at[h.line], h) for w, way in enumerate(chain.ways) for h in way.beside if h.line in at]
        return cls(
            way=np.array([w for w, _, _ in found], dtype=np.int64),
            line=np.array([line for _, line, _ in found], dtype=np.int64),
            hours=np.array([h.hours_per_unit for *_, h in found], dtype=np.float64),
            setup_hours=np.array([h.setup_hours for *_, h in found], dtype=np.float64),
        )

    @property
    def is_there(self) -> bool:
        return len(self.way) > 0

    def part(self, part: Part) -> Self:
        """None: deliveries take no hours."""
        none = np.zeros(0, dtype=np.int64)
        return type(self)(none, none, np.zeros(0), np.zeros(0))

    def of_way(self, way: int) -> list[tuple[int, float, float]]:
        """Line, hours per unit and set-up hours of all that a way holds beside its line."""
        held = np.flatnonzero(self.way == way).tolist() if self.is_there else ()
        return [(int(self.line[i]), float(self.hours[i]), float(self.setup_hours[i])) for i in held]

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        share = programme.market.ways.share_after
        for i in range(len(self.way)):
            bucket = np.flatnonzero(column_of[self.way[i]] >= 0)
            columns, part = column_of[self.way[i], bucket], share[self.way[i]]
            for later in np.flatnonzero(part).tolist():
                row = programme.line_row + self.line[i] * programme.buckets + bucket + later
                programme.add_entries(row, columns, self.hours[i] * part[later])
        return nothing_found
