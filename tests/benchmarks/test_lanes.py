"""The network with lanes is the one without them at other places: the same demand, and the same parts in stock."""

from collections import Counter
from pathlib import Path

import pytest

from datong.balance.solvers import balance
from datong.model.flow import nothing_learnt

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_lanes_move_what_the_chain_has_and_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from network.chain import generated
    from network.lanes import with_lanes

    chain = generated(10, 1)
    laned = with_lanes(chain, 1)
    asked: tuple[Counter, Counter] = (Counter(), Counter())
    parts: tuple[Counter, Counter] = (Counter(), Counter())
    for one, wanted, there in zip((chain, laned), asked, parts, strict=True):
        for item, paths in zip(one.demand.items, one.demand.paths, strict=True):
            wanted[item.product] += float(paths.sum())
        for row in one.state.table("stock").to_pylist():
            if row["product"] not in wanted:
                there[row["product"]] += row["units"]
    assert asked[0] == asked[1]
    assert parts[0] and parts[1] == pytest.approx(parts[0])
    clearing = balance(laned.state, laned.demand, nothing_learnt(), door="highs")
    assert clearing.lower_bound == pytest.approx(clearing.total_cost)
    moved = {row["lane"] for row in clearing.quantities.to_pylist() if row["kind"] == "move"}
    assert {lane.split("-")[0] for lane in moved} >= {"DEPOT"} and any("-DC" in lane for lane in moved)
