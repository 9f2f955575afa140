"""What keeps a request whose group is not delivered: what the others of the group lack."""

from datetime import date
from typing import Any

import pytest

from datong.cycle import decide, head
from datong.model.flow import nothing_learnt
from small_chain import chain

Row = dict[str, Any]


def gaps(group: str | None, most_of_b: float) -> dict[str, Row]:
    """By product: 4 of A and 5 of B are wanted in the second week; of B so many can be had in a week, of A any."""
    wanted = {"A": 4.0, "B": 5.0}
    state = chain(
        4,
        {"max_late_days": 99},
        products=[{"product": p, "price": 100.0} for p in wanted],
        offers=[
            {"offer": f"o{p}", "product": p, "price": 1.0, "lead_days": 0.0, "units_per_week": most}
            for p, most in (("A", None), ("B", most_of_b))
        ],
        demand=[
            {"demand": f"d{p}", "product": p, "due": date(2024, 1, 8), "units": units, "delivery_group": group}
            for p, units in wanted.items()
        ],
    )
    found = decide(head(state, nothing_learnt(), 0)).clearing.gaps.to_pylist()
    return {r["product"]: r for r in found if r["demand_units"] > 0}


@pytest.mark.parametrize(("most", "column"), [(0.0, "lost_units"), (2.0, "late_units")])
def test_what_the_others_lack_is_in_the_way_of_all_of_a_group(most: float, column: str) -> None:
    """Without B no A is delivered either, in time or at all; by itself A is on time."""
    rows = gaps("G", most)
    assert [(rows[p][column], rows[p]["binding"]) for p in "AB"] == [(4.0, "oB"), (5.0, "oB")]
    assert gaps(None, most)["A"]["on_time_units"] == 4.0
