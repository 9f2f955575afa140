"""Hours from what the market said to an accepted order, worked out by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Literal

import pyarrow as pa
import pytest

from datong.ledger.state import State, state_of_tables
from datong.model.settings import ChainSettings
from datong.model.words import message
from datong.questions.hours_to_order import HoursToOrder, Proposed, hours_to_order
from datong.questions.tables_out import REASONS_SCHEMA, SIGNALS_SCHEMA, params_json


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2024, 9, day, hour, tzinfo=UTC)


def review(name: str, known_at: datetime, assumed: str | None = None) -> dict[str, object]:
    row = {"row_id": name, "product": "TEA", "text": "…", "happened_at": at(1), "known_at": known_at}
    return row | {"assumed": assumed}


def event(order: str, state: str, known_at: datetime) -> dict[str, object]:
    """Said to have happened on the first: what counts is when it became known."""
    return {"row_id": f"{order}{state}", "order": order, "state": state, "happened_at": at(1), "known_at": known_at}


def signal(name: str, evidence: tuple[str, ...], table: str = "reviews") -> dict[str, object]:
    text = message("sense.all_products")
    told = {"text_key": text.key, "text_params": f'{{"name": "{name}"}}'}
    return told | {"signal": name, "kind": "complaint", "evidence_table": table, "evidence": list(evidence)}


def reason(order: str, name: str, stage: str = "sense") -> dict[str, object]:
    told = {"text_key": "sense.all_products", "text_params": f'{{"name": "{name}"}}'}
    return told | {"order": order, "rank": 1, "stage": stage, "evidence_table": "reviews", "evidence": []}


def proposed(moment: datetime, signals: list[dict], reasons: list[dict]) -> Proposed:
    return Proposed(
        moment,
        pa.Table.from_pylist(signals, schema=SIGNALS_SCHEMA),
        pa.Table.from_pylist(reasons, schema=REASONS_SCHEMA),
    )


def state(
    orders: dict[str, str], events: list[dict], reviews: list[dict], history: Literal["live", "declared"] = "live"
) -> State:
    rows = [
        {"order": o, "product": "TEA", "units": 5.0, "run": run, "start": date(2024, 9, 9)} for o, run in orders.items()
    ]
    tables = {"products": [{"product": "TEA"}], "orders": rows, "order_events": events, "reviews": reviews}
    made = {name: pa.Table.from_pylist(own) for name, own in tables.items()}
    return state_of_tables(ChainSettings("shop", history=history), at(30), made)


REVIEWS = [review("r1", at(2)), review("r2", at(4, 12)), review("r3", at(5))]
# r1 and r2 show the signal 'a', r3 the signal 'b'; the run knew of all that came up to the sixth.
RUN = proposed(
    at(6),
    [signal("a", ("r1", "r2")), signal("b", ("r3",)), signal("promo", ("p1",), "promotions")],
    [reason("W1", "a"), reason("W2", "a"), reason("W2", "b"), reason("W3", "b"), reason("W4", "promo")],
)


def test_hours_are_counted_from_the_rows_to_the_answer() -> None:
    """W1 rests on r1 (the 2nd) and r2 (the 4th at 12:00), planned on the 6th at 0:00, out on the 6th at 6:00, accepted
    on the 7th at 0:00: 36 hours to the plan, 6 until it was out, 18 until the answer, 60 in all; from r1 it is 120.
    W2 rests on r3 (the 5th) as well, out at the same time, begun on the 9th at 0:00 without a word: 24 + 6 + 66 = 96;
    from r1 168. Medians: 78, 30, 6, 42 and 144. W3 waits; W4 rests on a promotion alone; W9 is not of these runs."""
    events = [event(o, "released", at(6, 6)) for o in ("W1", "W2", "W3", "W4", "W9")]
    events += [event("W1", "accepted", at(7)), event("W1", "done", at(20)), event("W2", "started", at(9))]
    events += [event("W4", "accepted", at(7)), event("W9", "accepted", at(7))]
    orders = dict.fromkeys(("W1", "W2", "W3", "W4"), "R1") | {"W9": "R0"}
    found = hours_to_order(state(orders, events, REVIEWS), {"R1": RUN})
    assert [(o.order, o.first_row, o.last_row) for o in found.orders] == [
        ("W1", at(2), at(4, 12)),
        ("W2", at(2), at(5)),
    ]
    assert (found.median_hours, found.waiting) == (78, 1)
    said = [one.text("en") for one in found.text]
    assert "78 hours at the median, over 2 orders of the last 1 run that" in said[0]
    assert "30 hours to the plan, 6 until it was given out, 42 until it was accepted" in said[1]
    assert "144 hours" in said[1]
    assert said[2].startswith("1 more such order given out")
    assert len(said) == 3


def test_where_no_order_was_accepted_that_is_the_answer() -> None:
    none = hours_to_order(state({"W1": "R1"}, [event("W1", "released", at(6, 6))], REVIEWS), {"R1": RUN})
    assert (none.orders, none.median_hours, none.waiting) == ((), None, 1)
    assert "No order" in none.text[0].text("en")
    assert HoursToOrder((), 0, 0).text == (message("findings.hours_none"),)


def test_a_row_that_became_known_after_the_run_is_none_that_it_saw() -> None:
    """r2 was corrected on the 8th, r1 is gone: nothing tells when what W1 rests on was known."""
    events = [event("W1", "released", at(6, 6)), event("W1", "accepted", at(9))]
    corrected = hours_to_order(state({"W1": "R1"}, events, [review("r2", at(8))]), {"R1": RUN})
    assert (corrected.orders, corrected.waiting) == ((), 0)


def test_moments_that_are_assumed_are_said_to_be() -> None:
    events = [event("W1", "released", at(6, 6)), event("W1", "accepted", at(7))]
    reviews = [review("r1", at(2), "market, known_at"), review("r2", at(4, 12))]
    found = hours_to_order(state({"W1": "R1"}, events, reviews), {"R1": RUN})
    assert [o.is_assumed for o in found.orders] == [True]
    assert any("does not say when" in one.text("en") for one in found.text)


def test_on_records_of_the_past_only_what_people_did_is_counted_in_hours() -> None:
    """The chain's clock stands on the seventh. W1 was planned on the 20th at 0:00 by the clock of the world, given out
    5 hours later and accepted 3 hours after that; nobody noted when W2, accepted, was given out."""
    events = [event(o, "released", at(7)) for o in ("W1", "W2")] + [event(o, "accepted", at(7)) for o in ("W1", "W2")]
    minutes = {("W1", "released"): at(20, 5), ("W1", "accepted"): at(20, 8), ("W2", "accepted"): at(20, 9)}
    events = [one | {"acted_at": minutes.get((one["order"], one["state"]))} for one in events]
    of_the_past = state(dict.fromkeys(("W1", "W2"), "R1"), events, REVIEWS, "declared")
    found = hours_to_order(of_the_past, {"R1": replace(RUN, kept_at=at(20))})
    assert (len(found.orders), found.median_hours) == (2, None)
    said = [one.text("en") for one in found.text]
    assert said[0].startswith("Accepted: 2 orders") and "cannot be told" in said[0]
    assert "5 hours from the plan until given out, 3 until accepted" in said[1]
    unknown = hours_to_order(of_the_past, {"R1": RUN})
    assert "an unknown number of hours from the plan" in unknown.text[1].text("en")
    assert "未知 小时" in unknown.text[1].text("zh")


@pytest.mark.parametrize("history", ["live", "declared"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_sentence_is_in_both_languages(language: str, history: Literal["live", "declared"]) -> None:
    events = [event("W1", "released", at(6, 6)), event("W1", "accepted", at(7)), event("W3", "released", at(7))]
    reviews = [review("r1", at(2), "known_at"), review("r3", at(5))]
    found = hours_to_order(state({"W1": "R1", "W3": "R1"}, events, reviews, history), {"R1": RUN})
    assert len(found.text) == (4 if history == "live" else 3)
    assert all(one.text(language) and "{" not in one.text(language) for one in found.text)
    assert params_json(found.text[0])
