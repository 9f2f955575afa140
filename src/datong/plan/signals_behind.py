"""Which signals can be a reason of an order: of those that speak of days ahead, such as move demand that it serves."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from datong.model.flow import Sensed, Signal
from datong.plan.lots_along_clearing import Lot
from datong.plan.pegging import Peg, Use
from datong.plan.planning_inputs import Work

# Demand of a product, wherever it is asked for, in a bucket.
Wanted = tuple[str, int]


class SignalsBehind:
    """The signals of products, held against what orders are for."""

    def __init__(self, sensed: Sensed, work: Work, pegs: Mapping[Lot, Sequence[Peg]]) -> None:
        self._work, self._pegs = work, pegs
        self._at = {start: t for t, start in enumerate(work.starts)}
        self._of: dict[str, list[Signal]] = defaultdict(list)
        for signal in sorted(sensed.signals, key=lambda s: s.rank):
            self._of[signal.product].append(signal)
        self._moves: dict[str, set[Wanted]] = defaultdict(set)
        for one in sensed.adjustments:
            if one.bucket in self._at:
                self._moves[one.signal].add((one.item.product, self._at[one.bucket]))

    def of(self, lot: Lot) -> list[Signal]:
        """Of the lot's product, by rank. What moves demand, or is only said, is among them only where it moves some
        that the lot serves: a promotion is no reason of what is made for the months after it."""
        signals = self._of[self._work.facts.product_of(lot.way.product)]
        if not signals:
            return []
        served = set(self._served(lot))
        return [s for s in signals if self._is_found(s) or self._moves.get(s.signal, set()) & served]

    def _is_found(self, signal: Signal) -> bool:
        """Whether a test found it in what was sold, and it moves no demand by itself."""
        return signal.p_value is not None and signal.signal not in self._moves

    def _served(self, lot: Lot) -> Iterator[Wanted]:
        """The demand that a lot is for, also through orders that take it; where it is for none, that of the bucket in
        which it is there."""
        todo, seen = [lot], {lot}
        while todo:
            one = todo.pop()
            pegs = self._pegs.get(one, ())
            if not pegs:
                yield self._work.facts.product_of(one.way.product), one.arrive
            for peg in pegs:
                parent = peg.use.parent
                if parent is None:
                    yield self._work.facts.product_of(peg.product(one)), self._wanted_in(peg.use)
                elif parent not in seen:
                    seen.add(parent)
                    todo.append(parent)

    def _wanted_in(self, use: Use) -> int:
        """The bucket in which a use is wanted, though it may be served later; what was due before the horizon, in its
        first."""
        due = use.waits_since or use.due
        return max((t for t, start in enumerate(self._work.starts) if start <= due), default=0)
