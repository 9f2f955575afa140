"""From a bad lot to the reviews, the finding, the decision and the next lot, on a twin."""

from functools import partial

from datong.balance.solution import Limits
from datong.cycle import decide
from datong.questions.decision_effect import effect_of
from datong.questions.market_findings import market_findings
from datong.replay.twin.circle import lots_of, turn
from datong.replay.twin.parameters import TwinSettings

SETTINGS = TwinSettings(products=4, visitors=500, history_weeks=24, fault_week=22, seed=2)


def test_a_bad_lot_is_found_by_its_reviews_and_what_came_of_the_mend_is_not_told_too_early() -> None:
    circle = turn(SETTINGS, partial(decide, limits=Limits(most_nodes=0)), after_weeks=2)
    assert circle.finding is not None
    assert circle.known is not None
    assert circle.mended is not None
    assert circle.finding.product == circle.product
    assert circle.fault < circle.known < circle.mended
    shown = {row["row_id"]: row for row in circle.state.table("reviews").to_pylist()}
    assert {shown[row]["product"] for row in circle.finding.evidence} == {circle.product}
    assert max(shown[row]["happened_at"] for row in circle.finding.evidence) < circle.known
    assert circle.bad_share[1] > circle.bad_share[0]
    after = [o for o in lots_of(circle.played, circle.product) if circle.played.market.moment(o.start) >= circle.known]
    assert any("review" in why.text("en") for o in after for why in circle.played.reasons[o.order])
    decided = next(f for f in market_findings(circle.state) if f.decision is not None)
    assert decided.decision == circle.taken
    assert effect_of(circle.state, decided).estimate is None
