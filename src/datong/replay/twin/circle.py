"""The whole circle on a twin: a bad lot, the reviews, the finding, the decision, the sound lot, and what came of it.

Datong plans every week. Once it finds a complaint about the faulty product, a manager of the twin takes the finding and
mends the cause: from the next week on lots are sound again. The effect is measured from what can be seen alone, and the
truth of the twin stands beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from datong.cycle import USUAL, Decision, Head, decide
from datong.ledger.state import State, state_of_tables
from datong.model.flow import TAKEN, Signal
from datong.network.finding_decisions import Decision as Taken
from datong.network.finding_decisions import decision_rows
from datong.replay.twin.market import Market, TwinOrder
from datong.replay.twin.parameters import TwinSettings
from datong.replay.twin.play import Played, chain_settings, datong, play

# Weeks after the decision until its effect is looked at, and weeks in all at most.
AFTER_WEEKS, MOST_WEEKS = 12, 30
MANAGER = "manager"


@dataclass(frozen=True, eq=False)
class Circle:
    """One turn. fault, known, mended: moments at which bad lots began, at which Datong found it, and from which lots
    are sound. finding: None where nothing was found in MOST_WEEKS. taken: as the ledger has it. state: what could be
    seen in the end. played: the game. bad_share: of reviews of the product, (before the fault, from it until the mend,
    in the last weeks)."""

    product: str
    fault: datetime
    known: datetime | None
    mended: datetime | None
    finding: Signal | None
    taken: Taken | None
    state: State
    played: Played
    bad_share: tuple[float, float, float]


def turn(
    settings: TwinSettings,
    decides: Callable[[Head], Decision] = decide,
    on_week: Callable[[int], None] = lambda _week: None,
    after_weeks: int = AFTER_WEEKS,
) -> Circle:
    """settings: with a fault_week. on_week: told the number of each week that was played. after_weeks: that are played
    once lots are sound again."""
    found: dict[str, Signal] = {}
    taken: dict[str, Taken] = {}
    last = settings.history_weeks + MOST_WEEKS

    def watch(market: Market, tables: dict[str, pa.Table]) -> None:
        on_week(market.week - settings.history_weeks)
        if not found:
            state = state_of_tables(chain_settings(settings), market.now, tables)
            own = market.truth.names[market.faulty_product]
            about = [s for s in USUAL.sense(state).signals if s.kind == "complaint" and s.product == own]
            if about:
                signal = found["first"] = max(about, key=lambda s: (s.strength or 0.0, s.signal))
                market.mended_week = market.week + 1
                what = (signal.signal, TAKEN, signal.kind, signal.subject, signal.first, signal.last, market.now)
                evidence = (signal.evidence_table, signal.evidence)
                taken["first"] = Taken(*what, None, *evidence, reason="mended", decided_by=MANAGER)
        tables.update(_decisions(taken))

    def is_over(market: Market) -> bool:
        mended = market.mended_week
        return market.week >= last or (mended is not None and market.week >= mended + after_weeks)

    game = play(settings, datong(settings, decides=decides), MOST_WEEKS, watch, is_over)
    market = game.market
    state = state_of_tables(chain_settings(settings), market.now, game.seen() | _decisions(taken))
    begin = settings.fault_week if settings.fault_week is not None else market.week
    mended = market.mended_week
    return Circle(
        market.truth.names[market.faulty_product],
        market.moment(begin),
        None if mended is None else market.moment(mended - 1),
        None if mended is None else market.moment(mended),
        found.get("first"),
        taken.get("first"),
        state,
        game,
        _bad_shares(market, begin, mended),
    )


def _decisions(taken: dict[str, Taken]) -> dict[str, pa.Table]:
    """The table of decisions, where there is one."""
    rows = decision_rows(list(taken.values()))
    return {"decisions": rows.drop_columns([n for n in rows.column_names if n.startswith("__")])} if taken else {}


def _bad_shares(market: Market, begin: int, mended: int | None) -> tuple[float, float, float]:
    i, end = market.faulty_product, market.week
    cut = end if mended is None else mended
    spans = ((0, begin), (begin, cut), (max(end - 4, cut), end))
    read = [(market.bad[a:b, i].sum(), market.read[a:b, i].sum()) for a, b in spans]
    before, during, after = (float(bad / every) if every else 0.0 for bad, every in read)
    return before, during, after


def lots_of(played: Played, product: str) -> list[TwinOrder]:
    """Work orders of a product that were given, by week."""
    place = played.market.truth.names.index(product)
    return sorted((o for o in played.orders if o.product == place), key=lambda o: (o.start, o.order))
