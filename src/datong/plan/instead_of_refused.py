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
    was refused, and what the way that was refused starts of it next; where there is neither, what starts last before.
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
        for lot in answers or _last([lot for lot in own if starts[lot.start] < refusal.first]):
            found[lot].append(refusal)
    return {lot: tuple(refused) for lot, refused in found.items()}


def _first(lots: Sequence[Lot]) -> list[Lot]:
    return [lot for lot in lots if lot.start == min(x.start for x in lots)]


def _last(lots: Sequence[Lot]) -> list[Lot]:
    return [lot for lot in lots if lot.start == max(x.start for x in lots)]
