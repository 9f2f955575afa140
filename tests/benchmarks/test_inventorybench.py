"""The referee of InventoryBench: it reproduces the published rule, and shows a policy nothing that it may not see."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from script import load

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "inventorybench"
bench = load(ROOT / "benchmarks" / "inventorybench.py")

with_data = pytest.mark.skipif(not (DATA / "instances_dev.parquet").exists(), reason="needs ../shared")


def dev():
    return bench.read_games(DATA / "instances_dev.parquet", DATA / "periods_dev.parquet")


def small(items=6, periods=14, training=5, seed=1):
    random = np.random.default_rng(seed)
    promised = np.resize(np.array([0, 4, 2]), items)
    lead = np.repeat(promised[:, None], periods, axis=1)
    lead[2::3] = random.choice([1, 2, 3, bench.NEVER], (len(lead[2::3]), periods))
    return bench.Games(
        np.array([f"g{i}" for i in range(items)]),
        np.array(["a 0", "a 4", "a x"] * (items // 3)),
        np.resize(np.array([1.0, 4.0, 19.0, 4.0]), items),
        np.ones(items),
        promised,
        random.poisson(50, (items, training)).astype(float),
        random.poisson(50, (items, periods)).astype(float),
        lead,
    )


@with_data
@pytest.mark.parametrize("observation", ["A", "B"])
def test_the_published_or_rule_is_reproduced(observation):
    games = dev()
    played = bench.play(games, bench.or_rule, observation)
    assert played.score.mean() == pytest.approx(bench.PUBLISHED_OR[observation], abs=5e-7)
    if observation == "A":
        table = pd.read_parquet(DATA / "or_baseline_orders_dev.parquet").pivot(
            index="instance", columns="period", values="order_quantity"
        )
        published = table.reindex(games.key).fillna(0).to_numpy()
        assert (played.orders == published).all()
        at = list(games.key).index("real_trajectory/lead_time_4/108775044")
        assert played.reward[at] == -17847
        assert played.score[at] == 0


def test_a_game_by_hand():
    """Orders 10, 10 and 10, lead times 1, lost and 0; demand 5, 6 and 9; profit 2, holding 1.

    Stock after demand: 0, 10 - 6 = 4, 4 + 10 - 9 = 5. Sold 6 + 9 = 15: 30 - 0 - 4 - 5 = 21 of 2 x 20.
    """
    games = replace(
        small(1, 3),
        cell=np.array(["a"]),
        profit=np.array([2.0]),
        promised_lead=np.array([1]),
        demand=np.array([[5.0, 6.0, 9.0]]),
        lead=np.array([[1, bench.NEVER, 0]]),
    )
    seen = []

    def ten(_, known):
        seen.append((known.on_hand[0], known.came_after[0, 5:].tolist()))
        return np.array([10.9])

    for observation, lost in (("A", np.nan), ("B", np.inf)):
        seen.clear()
        played = bench.play(games, ten, observation)
        assert (played.reward[0], played.score[0]) == (21.0, 21 / 40)
        assert [stock for stock, _ in seen] == [0, 0, 4]
        np.testing.assert_equal([came for _, came in seen], [[], [np.nan], [1.0, lost]])


def test_rule_of_one_instance_is_the_rule_of_many():
    games = small()
    together = bench.play(games, bench.or_rule).orders
    for i in range(6):
        assert bench.play(games.part(np.array([i])), bench.or_rule_alone).orders.tolist() == [together[i].tolist()]


@pytest.mark.parametrize("observation", ["A", "B"])
@pytest.mark.parametrize("turn", [1, 4, 9])
def test_a_poisoned_future_changes_nothing_before(observation, turn):
    """Demand from a turn on, and each arrival or loss not told by then, become others: orders up to it stay."""
    games = small()
    periods = np.arange(games.demand.shape[1])
    demand, lead = games.demand.copy(), games.lead.copy()
    demand[:, turn:] = 997
    told = (lead != bench.NEVER) & (periods + lead < turn)
    if observation == "B":
        told |= periods < turn
    lead = np.where(told, lead, np.where(periods < turn, bench.NEVER, 0))
    plain, poisoned = (
        bench.play(g, bench.Datong(), observation).orders for g in (games, replace(games, demand=demand, lead=lead))
    )
    assert plain[:, : turn + 1].tolist() == poisoned[:, : turn + 1].tolist()
    assert plain.tolist() != poisoned.tolist()


def test_nothing_is_pooled_over_instances():
    games = small()
    together = bench.play(games, bench.Datong()).orders
    for i in range(6):
        assert bench.play(games.part(np.array([i])), bench.Datong()).orders.tolist() == [together[i].tolist()]


def test_any_file_of_the_schema_is_played(tmp_path):
    """Other names, lengths of training and test, and lead-time settings; on two processes the same as on one."""
    heads = pd.DataFrame(
        {
            "instance": ["x", "y", "z"],
            "family": ["one", "one", "two"],
            "lead_time_setting": [0, 1, 7],
            "promised_lead_time": [0, 1, 7],
            "profit": [3.5, 2.0, 9.0],
            "holding_cost": [0.5, 1.0, 1.0],
        }
    )
    random = np.random.default_rng(1)
    lengths = {"x": (3, 9), "y": (8, 12), "z": (5, 20)}
    rows = [
        {
            "instance": name,
            "phase": phase,
            "period": t + 1,
            "demand": int(random.poisson(20)),
            "lead_time": None if phase == "train" else int(random.choice([0, 1, -1])),
        }
        for name, both in lengths.items()
        for phase, count in zip(("train", "test"), both, strict=True)
        for t in range(count)
    ]
    heads.to_parquet(tmp_path / "heads.parquet")
    pd.DataFrame(rows).astype({"lead_time": "Int8"}).to_parquet(tmp_path / "rows.parquet")
    games = bench.read_games(tmp_path / "heads.parquet", tmp_path / "rows.parquet")
    result = bench.measure(games, tmp_path / "heads.parquet", "B", 1)
    assert json.loads(json.dumps(result))["decisions"] == 9 + 12 + 20
    assert sorted(result["cells"]) == ["one 0", "one 1", "two 7"]
    assert result["published_or_difference"] is None
    in_parts = bench.play_in_parts(games, "B", 2)
    assert in_parts.orders.tolist() == bench.play_datong(games, "B").orders.tolist()
    assert not in_parts.orders[0, 9:].any()


def tables(folder, heads=None, rows=None):
    """Two instances of three test periods as files."""
    many = pd.DataFrame({"instance": ["b", "a/品,'"], "family": "f", "lead_time_setting": "x", "holding_cost": 1})
    many = many.assign(profit=4, promised_lead_time=[0, 2])
    each = pd.DataFrame({"phase": ["train"] * 2 + ["test"] * 3, "period": [1, 2, 1, 2, 3], "demand": 5})
    each["lead_time"] = [None, None, 0, -1, 2]
    periods = many[["instance"]].merge(each, how="cross")
    files = folder / "i.parquet", folder / "p.parquet"
    (heads or (lambda t: t))(many).to_parquet(files[0])
    (rows or (lambda t: t))(periods).to_parquet(files[1])
    return files


def test_files_are_read_in_any_order_of_rows_and_columns(tmp_path):
    given = bench.read_games(*tables(tmp_path))
    turned = bench.read_games(*tables(tmp_path, lambda t: t[t.columns[::-1]][::-1], lambda t: t[t.columns[::-1]][::-1]))
    assert given.key.tolist() == turned.key.tolist() == ["a/品,'", "b"]
    assert (given.lead == [[0, bench.NEVER, 2]] * 2).all() and (turned.lead == given.lead).all()
    assert (turned.training == given.training).all()


@pytest.mark.parametrize(
    ("heads", "rows", "words"),
    [
        (lambda t: t.head(0), None, ["no instance"]),
        (lambda t: t.drop(columns="profit"), None, ["lacks the columns profit"]),
        (lambda t: pd.concat([t, t.head(1)]), lambda t: pd.concat([t, t.tail(1)]), ["twice", "two rows"]),
        (lambda t: t.assign(profit=-1), lambda t: t[t["phase"] == "train"], ["no test periods", "below 0", "2 inst"]),
        (None, lambda t: t.assign(lead_time=None), ["without lead_time"]),
    ],
)
def test_what_is_wrong_with_files_is_said_at_once(tmp_path, heads, rows, words):
    with pytest.raises(SystemExit) as refused:
        bench.read_games(*tables(tmp_path, heads, rows))
    assert all(word in str(refused.value) for word in words)


def test_a_file_that_is_not_there_or_not_parquet_is_named(tmp_path):
    instances, periods = tables(tmp_path)
    periods.write_text("no table")
    for files in ((tmp_path / "none.parquet", periods), (instances, periods)):
        with pytest.raises(SystemExit, match=r"cannot be read as Parquet"):
            bench.read_games(*files)


def test_test_periods_that_are_missing_are_told(tmp_path, capsys):
    files = tables(tmp_path, None, lambda t: t[(t["phase"] == "train") | (t["period"] != 2)])
    bench.read_games(*files)
    assert "test periods are missing" in capsys.readouterr().err
