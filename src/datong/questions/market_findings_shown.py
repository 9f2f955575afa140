"""What the market says, as report, workbook and terminal show it: each finding with all that is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from datong.ledger.state import State
from datong.model.errors import Refused
from datong.model.words import Message, message
from datong.questions.decision_effect import effect_of
from datong.questions.finding_pictures import Picture, picture_of
from datong.questions.finding_strength import STATED_KINDS
from datong.questions.hours_to_order import HoursToOrder
from datong.questions.market_findings import MarketFinding, market_findings, seen_by_run, seen_by_sense
from datong.questions.review_aspects import Quote, quotes_of, review_aspects, reviews_less
from datong.sense.blame_and_praise import read_reviews
from datong.sense.series import sale_rows, series_of_sales

# Findings that carry a picture and quotes: more would make a page heavy. And most whose effect is worked out.
PICTURES, EFFECTS = 20, 40


@dataclass(frozen=True, eq=False)
class ShownFinding:
    """picture: None for one beyond the first PICTURES, or of which nothing is known. effect: what came of it; None
    where nobody has decided on it."""

    finding: MarketFinding
    picture: Picture | None
    quotes: tuple[Quote, ...]
    effect: Message | None


@dataclass(frozen=True, eq=False)
class MarketShown:
    """findings: the strongest first. hours: from the market to an accepted order. aspects: what reviews
    praise and blame, less: how many of them count less than one, and why (review_aspects.py). by_shipped: whether the
    models that come with Datong read the reviews. attributes: what their values will be (tables_out.py,
    ATTRIBUTES_SCHEMA)."""

    findings: tuple[ShownFinding, ...]
    hours: HoursToOrder
    aspects: pa.Table
    by_shipped: bool
    less: tuple[Message, ...]
    attributes: pa.Table


@dataclass(frozen=True, eq=False)
class MarketNow:
    """findings: in the order of sense. attributes: what their values will be (tables_out.py, ATTRIBUTES_SCHEMA). less:
    how many reviews count less than one, and why."""

    findings: list[MarketFinding]
    attributes: pa.Table
    less: tuple[Message, ...]


def market_now(state: State, runs: Sequence[tuple[datetime, Mapping[str, pa.Table]]]) -> MarketNow:
    """What is found at the state's moment. runs: as `market_findings` has them."""
    seen = seen_by_sense(state)
    heard = None if seen.weeks is None else read_reviews(state, seen.weeks.end)
    return MarketNow(market_findings(state, runs, seen), seen.attributes, reviews_less(heard))


def market_shown(
    state: State,
    tables: Mapping[str, pa.Table],
    past: Sequence[tuple[datetime, Mapping[str, pa.Table]]],
    hours: HoursToOrder,
) -> MarketShown:
    """What a run found. tables: of the run. past: of earlier kept runs, oldest first, as `market_findings` has them."""
    seen = seen_by_run(state, tables)
    found = market_findings(state, [*past, (state.as_of, tables)], seen)
    found = sorted(found, key=_rank)  # of equal ones in the order in which they are told
    weeks = seen.weeks
    heard = None if weeks is None else read_reviews(state, weeks.end)
    effects = _effects(state, found)
    shown = [
        ShownFinding(one, picture_of(state, one, weeks, heard), quotes_of(state, one, heard), effects.get(one.finding))
        for one in found[:PICTURES]
    ]
    shown += [ShownFinding(one, None, (), effects.get(one.finding)) for one in found[PICTURES:]]
    by_shipped = heard is not None and heard.by_shipped
    return MarketShown(tuple(shown), hours, review_aspects(heard), by_shipped, reviews_less(heard), seen.attributes)


def _rank(one: MarketFinding) -> tuple[bool, bool, float]:
    """Those that are found or said now before those that are over; of them what was found before what people say, the
    strongest first."""
    strength = 0.0 if one.signal is None else abs(one.signal.strength or 0.0)
    return one.signal is None, one.kind in STATED_KINDS, -strength


def _effects(state: State, found: Sequence[MarketFinding]) -> dict[str, Message]:
    """What came of the findings that somebody decided on, or that people stated, by their ids."""
    measured = [one for one in found if one.decision is not None or one.kind in STATED_KINDS]
    series = series_of_sales(state, sale_rows(state)) if measured else None
    effects: dict[str, Message] = {}
    for one in measured[:EFFECTS]:
        try:
            effects[one.finding] = effect_of(state, one, series).text
        except Refused as refused:
            effects[one.finding] = refused.message
    for one in measured[EFFECTS:]:
        effects[one.finding] = message("findings.effect_ask", finding=one.finding)
    return effects
