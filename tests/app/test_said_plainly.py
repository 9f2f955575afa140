"""What a planner reads of costs and changes says what it is, and leaves out what is nothing."""

import pyarrow as pa

from datong.app.wording.certainty import certainty_lines
from datong.app.wording.columns import title
from datong.app.wording.names import Names
from datong.app.wording.quotes import quote_lines
from datong.model.settings import ChainSettings

SETTINGS = ChainSettings("t", currency="EUR")


def certainty(total: float, futures: int = 1) -> str:
    told = {"total_cost": total, "lower_bound": None, "gap_share": None, "futures": futures}
    return certainty_lines(told, SETTINGS, "en")[0]


def test_a_cost_below_nothing_says_what_is_credited() -> None:
    assert "worth of what is left at its end, a credit" in certainty(-636.0)
    assert "credit" not in certainty(636.0)


def test_a_cost_says_what_it_leaves_out() -> None:
    told = {"total_cost": 10.0, "lower_bound": None, "gap_share": None}
    for count, words in (
        (0, None),
        (1, "What 1 order costs that is given out"),
        (2, "What 2 orders cost that are given"),
    ):
        lines = certainty_lines(told, SETTINGS, "en", pa.table({"order": ["W"] * count}))
        assert any("not in it" in line for line in lines) == (count > 0)
        assert words is None or lines[1].startswith(words)


def changes(**units: float) -> str:
    none = dict.fromkeys(("own_late_units", "other_late_units", "own_lost_units", "other_lost_units"), 0.0)
    money = {"money": 10.0, "money_per_unit": 1.0, "money_low": None, "money_high": None}
    summary = {"product": "A", "served": True, "marginal": False, "due": "2026-03-02", "exact": none | units | money}
    (said,) = [line for line in quote_lines(summary, SETTINGS, Names({}), "en") if line.startswith("What")]
    return said


def test_a_quote_tells_the_changes_that_there_are() -> None:
    assert changes(other_lost_units=14.0) == "What it changes: 14 more units of other products not served."
    both = changes(own_late_units=3.0, other_late_units=-2.0)
    assert both == "What it changes: 3 more of A late; 2 fewer units of other products late."


def test_the_day_on_which_something_is_there_has_a_header() -> None:
    assert (title("there_on", "en"), title("there_on", "zh")) == ("There on", "到货日")
