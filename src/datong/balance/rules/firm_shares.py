"""Firm shares (`firm_shares`: floor_share, ceiling_share): each firm's lines work a share of all hours.

    price x sum over firms of  max(floor H - H_f, 0) + max(H_f - ceiling H, 0)

with H_f the hours that the firm's lines work in the horizon, H those of all lines, orders under way included and
set-ups not; the price is `firm_share_factor` times the most that an hour of any line can earn.

HiGHS:  H_f - floor H + short >= 0  and  H_f - ceiling H - over <= 0, hours under way on the right.
Bound:  price max(floor H - H_f, 0) >= phi (floor H - H_f) for phi in [0, price]; the ceiling's alike.
What the tables say of it, by firm: `network/rule_facts.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Charges, Found, Part, Reader, Rule, Walk
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class FirmShares(Rule):
    name: ClassVar[str] = "firm shares"
    leaves_over: ClassVar[bool] = True
    earns: ClassVar[bool] = True

    # (firm) names.
    firms: tuple[str, ...]
    # (firm) least share of all hours, 0 to 1.
    floor: FloatArray
    # (firm) most, 0 to 1.
    ceiling: FloatArray
    # (line) whether it is one, no lane.
    works: BoolArray
    # (firm, line) whether the line is the firm's.
    on_firm: BoolArray
    # Money per hour short of a floor or beyond a ceiling.
    cost: float

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "FirmShares":
        shares = [s for s in facts.shares if s.firm in set(facts.firm_of_line.values())]
        on_firm = np.array([[facts.firm_of_line.get(line) == s.firm for line in chain.lines] for s in shares], bool)
        return cls(
            firms=tuple(s.firm for s in shares),
            floor=np.array([s.floor for s in shares], dtype=np.float64),
            ceiling=np.array([s.ceiling for s in shares], dtype=np.float64),
            works=np.array([line not in chain.shared for line in chain.lines], dtype=bool),
            on_firm=on_firm.reshape(len(shares), len(chain.lines)),
            cost=facts.hour_worth_factor * float(chain.way_worth.max(initial=0.0)),
        )

    @property
    def is_there(self) -> bool:
        return len(self.firms) > 0

    def part(self, part: Part) -> Self:
        """None: deliveries take no hours."""
        none = np.zeros(0)
        return type(self)((), none, none, np.zeros(0, dtype=bool), np.zeros((0, 0), dtype=bool), self.cost)

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        market = programme.market
        way, bucket = np.nonzero((column_of >= 0) & (market.ways.line >= 0)[:, None])
        line, columns = market.ways.line[way], column_of[way, bucket]
        beside, taken = market.rules.lines_at_once, market.lines.hours_taken.sum(axis=1)
        infinite = np.array([np.inf])
        rows = np.zeros((2, len(self.firms)), dtype=np.int64)
        for firm, on_firm in enumerate(self.on_firm):
            for side, (share, sign) in enumerate(((self.floor[firm], 1.0), (self.ceiling[firm], -1.0))):
                factor = on_firm - share * self.works
                known = np.array([-factor @ taken])
                row = programme.add_rows(*((known, infinite) if side == 0 else (-infinite, known)))
                hours = market.ways.hours[way] * factor[line]
                programme.add_entries(np.repeat(row, len(columns)), columns, hours)
                for held, other in zip(beside.way.tolist(), beside.hours * factor[beside.line], strict=True):
                    own = column_of[held][column_of[held] >= 0]
                    programme.add_entries(np.repeat(row, len(own)), own, float(other))
                programme.add_entries(row, programme.add_columns(np.array([self.cost]), infinite), sign)
                rows[side, firm] = row[0]
        return lambda _value, dual: Found(dual[rows] * np.array([[1.0], [-1.0]]))

    def referee(self, market: "Market", walk: Walk) -> Mapping[str, float]:
        if not self.is_there:
            return {}
        of_line = (walk.hours + market.lines.hours_taken).sum(axis=1)
        own, total = self.on_firm @ of_line, of_line[self.works].sum()
        missed = np.maximum(self.floor * total - own, 0.0) + np.maximum(own - self.ceiling * total, 0.0)
        return {"firm_shares": float(self.cost * missed.sum())}

    def price(self, market: "Market", prices: "Prices") -> FloatArray:
        """(line) money per hour, in the bound."""
        if not self.firms:
            return np.zeros(len(market.lines))
        floor, ceiling = np.clip(prices.rule.get(self.name, np.zeros((2, len(self.firms)))), 0.0, self.cost)
        return (floor @ self.floor - ceiling @ self.ceiling) * self.works + (ceiling - floor) @ self.on_firm

    def worth(self, market: "Market", prices: "Prices", charges: Charges) -> float:
        return -float(charges.hour @ market.lines.hours_taken.sum(axis=1))
