"""The guide over the demo's pages: step by step, once a person, and on the demo's chain alone."""

from collections.abc import Generator
from pathlib import Path

import pytest

from datong.app.service.guide import Step, close_guide, guide, next_step
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served, serve
from datong.app.wiring import DEMO_MARK
from mill import write
from service.conftest import QUICK, Clock
from two_firms import person


@pytest.fixture
def demo(tmp_path: Path, clock: Clock) -> Generator[Served]:
    (tmp_path / DEMO_MARK).touch()
    one = serve(write(tmp_path / "chain"), None, clock, hasher=QUICK)
    yield one
    one.close()


def planner(served: Served, login: str = "ann") -> Who:
    return person(served, login, None, ("planner",))


def test_one_is_led_over_five_pages_and_then_no_more(demo: Served) -> None:
    ann, eve = planner(demo), planner(demo, "eve")
    seen = []
    while (step := guide(demo, ann)) is not None:
        seen.append((step.page, step.number, step.of))
        assert next_step(demo, ann, "elsewhere") == step  # pressed twice: the second press is of a page before
        next_step(demo, ann, step.page)
    assert seen == [(page, n, 5) for n, page in enumerate(("today", "plan", "market", "what_if", "data"), 1)]
    assert guide(demo, eve) == Step("today", 1, 5)


def test_a_closed_guide_stays_closed_and_pages_that_one_may_not_see_are_left_out(demo: Served) -> None:
    ann = planner(demo)
    close_guide(demo, ann)
    assert guide(demo, ann) is None
    manager = person(demo, "pia", None, ("product_manager",))
    assert guide(demo, manager) is None
    assert guide(demo, person(demo, "fa", "F1")) is None


def test_another_chain_has_no_guide(served: Served) -> None:
    assert guide(served, planner(served)) is None
