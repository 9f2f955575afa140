"""`datong demo --twin`: the whole circle on a market twin, told as it goes."""

from datetime import datetime
from functools import partial

from datong.app.cli import terminal
from datong.app.wording import figures
from datong.app.wording.names import Names
from datong.model.words import say
from datong.replay.twin.parameters import TwinSettings

PRODUCTS, HISTORY_WEEKS, FAULT_WEEK, VISITORS = 8, 40, 42, 1200.0
# Longest review that is shown, in characters, and reasons of an order.
SHOWN, REASONS = 120, 2


def answer(seed: int, language: str) -> int:
    from datong.cycle import decide
    from datong.questions.counter_offers import ALIKE
    from datong.questions.decision_effect import effect_of
    from datong.questions.market_findings import market_findings
    from datong.replay.twin.circle import MOST_WEEKS, lots_of, turn

    settings = TwinSettings(
        products=PRODUCTS, history_weeks=HISTORY_WEEKS, visitors=VISITORS, fault_week=FAULT_WEEK, seed=seed
    )
    terminal.line(say("twin.head", language, products=PRODUCTS))
    with terminal.reading(say("twin.playing", language), language):
        circle = turn(settings, partial(decide, limits=ALIKE))
    share = f"{settings.effects.fault_share:.0%}"
    called = Names({"products": circle.state.table("products")}).called(circle.product)
    terminal.line(say("twin.fault", language, day=_day(circle.fault), share=share, product=called))
    if circle.finding is None or circle.known is None or circle.mended is None:
        terminal.line(say("twin.nothing", language, weeks=MOST_WEEKS))
        return 0
    late = (circle.known - circle.fault).days // 7
    text = circle.finding.text.text(language)
    terminal.line(say("twin.found", language, day=_day(circle.known), weeks=late, text=text))
    reviews = circle.state.table("reviews")
    rows = {row["row_id"]: row for row in reviews.to_pylist()}
    shown = rows[circle.finding.evidence[0]]
    words = {"day": _day(shown["happened_at"]), "stars": f"{shown['rating']:g}", "text": shown["text"][:SHOWN]}
    terminal.line(say("twin.quote", language, **words))
    terminal.line(say("twin.taken", language, day=_day(circle.known)))
    market = circle.played.market
    after = [lot for lot in lots_of(circle.played, circle.product) if market.moment(lot.start) >= circle.mended]
    if after:
        day = _day(market.moment(after[0].start))
        why = " ".join(cause.text(language) for cause in circle.played.reasons.get(after[0].order, ())[:REASONS])
        words = {"day": day, "units": f"{after[0].units:g}", "product": called, "why": why}
        terminal.line(say("twin.lot", language, **words))
    names = ("before", "during", "after")
    shares = {name: f"{value:.0%}" for name, value in zip(names, circle.bad_share, strict=True)}
    terminal.line(say("twin.shares", language, product=called, **shares))
    finding = next(f for f in market_findings(circle.state) if f.decision is not None)
    told = effect_of(circle.state, finding).text.text(language)
    terminal.line(say("twin.effect", language, day=_day(market.now), text=told))
    weeks = market.week - HISTORY_WEEKS
    profit = figures.number(circle.played.profit)
    terminal.line(say("twin.money", language, weeks=weeks, profit=profit))
    return 0


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
