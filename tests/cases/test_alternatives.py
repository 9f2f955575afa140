"""fp_flow_alternate_1 with its alternates as groups of one recipe: no dearer than as twelve recipes, and no later."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cases.plans import CASES, folder_of
from datong.app.chain import Chain

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
HEAD = "product,component,units_per_unit,alternate_group,alternate_cost_per_unit\n"
# What the twelve recipes of the case cost more than the first of them, by the component that they take.
GROUPS = "p,A,1,1,0\np,B,2,1,0.01\np,C,1,2,0\np,D,1,2,0.001\np,E,1,2,0.002\np,F,1,3,0\np,G,1,3,0.001\n"


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
def test_groups_of_one_recipe_do_what_twelve_recipes_do(tmp_path: Path) -> None:
    folders = tmp_path / "recipes", tmp_path / "groups"
    for folder in folders:
        shutil.copytree(folder_of("fp_flow_alternate_1"), folder)
    (folders[1] / "recipes.csv").write_text("recipe,product,lead_days\nmake,p,2\n")
    (folders[1] / "components.csv").write_text(HEAD + GROUPS)
    cost, late = [], []
    for folder in folders:
        with Chain(folder, now=lambda: NOW) as chain:
            assert not [f for f in chain.findings if f.severity == "error"]
            run = chain.run()
        cost.append(sum(row["money"] for row in run.cost.arrow.to_pylist()))
        served = [row for row in run.deliveries.arrow.to_pylist() if row["bucket"] is not None]
        assert sum(row["units"] for row in served) == pytest.approx(10.0)
        late.append(sum(row["units"] * (row["bucket"] - row["due"]).days for row in served))
    assert cost[1] == pytest.approx(cost[0])
    assert late[1] <= 42 + 1e-6
