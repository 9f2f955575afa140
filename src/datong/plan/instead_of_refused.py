"""Which lots stand in for what was refused."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from datong.network.facts import ChainFacts
from datong.network.refusals import Refusal
from datong.network.ways import way_key
from datong.plan.lots_along_clearing import Lot


def refusals_behind(
    facts: ChainFacts, starts: Sequence[date], lots: Iterable[Lot]
) -> Mapping[Lot, tuple[Refusal, ...]]:
    """By lot the refusals that it answers, by start and number: what other ways start of the product in the bucket that
    was refused, and what the way that was refused starts of it next; also what another way of the same firm starts of
    it next, where that is sooner; where there is none of these, what starts last before.
    """
    if not facts.refusals:
        return {}
    of_product: dict[str, list[Lot]] = defaultdict(list)
    for lot in lots:
        of_product[facts.product_of(lot.way.product)].append(lot)
    found: dict[Lot, list[Refusal]] = defaultdict(list)
    for refusal in facts.refusals:
        own = of_product[refusal.product]
        asked = [lot for lot in own if way_key(lot.way, facts.product_of) == refusal.way]
        answers = [lot for lot in own if lot not in asked and refusal.first <= starts[lot.start] < refusal.after]
        answers += _first([lot for lot in asked if starts[lot.start] >= refusal.after])
        elsewise = [lot for lot in own if is_asked_elsewise(lot, refusal) and starts[lot.start] >= refusal.after]
        answers += [lot for lot in _first(elsewise) if all(lot.start < other.start for other in answers)]
        for lot in answers or _last([lot for lot in own if starts[lot.start] < refusal.first]):
            found[lot].append(refusal)
    return {lot: tuple(refused) for lot, refused in found.items()}


def is_asked_elsewise(lot: Lot, refusal: Refusal) -> bool:
    """Whether a lot asks the firm that refused for the same by another recipe, offer or lane of it."""
    return lot.way.kind == refusal.kind and (lot.way.row or lot.way.name) in refusal.else_rows


def _first(lots: Sequence[Lot]) -> list[Lot]:
    return [lot for lot in lots if lot.start == min(x.start for x in lots)]


def _last(lots: Sequence[Lot]) -> list[Lot]:
    return [lot for lot in lots if lot.start == max(x.start for x in lots)]
