"""A market twin as a folder: the same market as in the process, wrong orders play nothing, a kill loses no week."""

import csv
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datong.app import twin_folder
from datong.app.check_folder import check_chain
from datong.app.cli.main import main
from datong.model.errors import BadInput, Refused
from datong.replay.twin.parameters import TwinSettings
from datong.replay.twin.play import Game, Wanted, opened, order_up_to

SMALL = TwinSettings(products=4, history_weeks=12, visitors=120.0, seed=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    twin_folder.start(tmp_path / "market", SMALL)
    return tmp_path / "market"


def written(folder: Path, orders: list[Wanted], name: str = "mine.csv") -> Path:
    path = folder.parent / name
    rows = [(one.product, f"{one.units:g}", f"{one.due:%Y-%m-%d}") for one in orders]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("product", "units", "due"), *rows])
    return path


def rows_of(folder: Path, table: str) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / f"{table}.csv").read_text(encoding="utf-8").splitlines()))


def test_weeks_that_are_played_from_a_folder_are_those_of_the_process(folder: Path) -> None:
    game, rule = Game(opened(SMALL)), order_up_to()
    for week in range(3):
        wanted = list(rule(game.tables(), game.market.now))
        twin_folder.play_week(folder, written(folder, wanted, f"{week}.csv"))
        game.week(wanted)
    assert twin_folder.open_game(folder).market.rows == game.market.rows
    sold = sum(row["units"] for row in game.market.rows["sales"])
    assert sum(float(row["units"]) for row in rows_of(folder, "sales")) == sold
    assert len(rows_of(folder, "reviews")) == len(game.market.rows["reviews"])
    found = twin_folder.score(folder)
    assert (found.weeks, found.profit, found.rule_profit) == (3, game.market.profit, game.market.profit)
    terms = found.terms
    out = terms["production"] + terms["stock"] + terms["returns"]
    assert found.profit == pytest.approx(terms["sales"] - out + terms["left"])


def test_datong_reads_its_tables_without_an_error(folder: Path) -> None:
    found = [f for f in check_chain(folder).findings if f.severity != "note"]
    assert found == []


def test_the_orders_of_a_run_can_be_given_and_those_that_start_later_stay(folder: Path) -> None:
    game = twin_folder.open_game(folder)
    product, day = game.market.truth.names[0], game.market.now.date()
    rows = [
        {"order": "W1", "kind": "make", "product": product, "units": 30.0, "start": day, "due": day},
        {"order": "P1", "kind": "buy", "product": product, "units": 30.0, "start": day, "due": day},
        {"order": "W2", "kind": "make", "product": product, "units": 9.0, "start": day + timedelta(7), "due": day},
    ]
    path = folder.parent / "orders.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    played, read = twin_folder.play_week(folder, path)
    assert read is not None
    assert (len(read.wanted), read.later, read.other_kind) == (1, 1, 1)
    assert [(o.units, o.arrive - o.start) for o in played.given] == [(30.0, 1)]  # not before its lead time
    with pytest.raises(BadInput) as refused:  # a second click
        twin_folder.play_week(folder, path)
    assert [f.code for f in refused.value.findings] == ["given_before"]
    assert twin_folder.open_game(folder).market.week == played.market.week


def test_all_that_is_wrong_with_orders_is_said_at_once_and_nothing_is_played(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    path = folder.parent / "bad.csv"
    name = rows_of(folder, "products")[0]["product"]
    path.write_text(f"product,units,due\nnobody,5,\n{name},1.5,\n{name},-3,\n{name},nan,\n{name},5,31/12\n")
    with pytest.raises(BadInput) as refused:
        twin_folder.play_week(folder, path)
    codes = ["unknown_product", "bad_units", "bad_units", "bad_units", "bad_day"]
    assert [(f.code, f.row) for f in refused.value.findings] == [(code, row) for row, code in enumerate(codes, 2)]
    path.write_text(f"order,product,units\nW1,{name},5\nW1,{name},5\n,{name},5\n,{name},5\n")
    with pytest.raises(BadInput) as refused:
        twin_folder.play_week(folder, path)
    assert [(f.code, f.row) for f in refused.value.findings] == [("twice", 3)]
    for wrong in ("hello\n", ""):  # no orders at all, it may seem
        path.write_text(wrong)
        with pytest.raises(BadInput):
            twin_folder.play_week(folder, path)
    path.write_text("units\n5\n")
    with pytest.raises(BadInput):
        twin_folder.play_week(folder, path)
    path.write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(Refused):
        twin_folder.play_week(folder, path)
    assert {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_kill_before_the_tables_were_written_plays_no_week_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = written(folder, [])
    with monkeypatch.context() as killed:
        killed.setattr(twin_folder, "_write_tables", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            twin_folder.play_week(folder, orders)
    game, read = twin_folder.play_week(folder, orders)
    assert (game.market.week, read) == (SMALL.history_weeks + 1, None)
    assert len(rows_of(folder, "sales")) == len(game.market.rows["sales"])
    assert twin_folder.play_week(folder, orders)[0].market.week == SMALL.history_weeks + 2


def test_a_folder_with_something_in_it_is_left_alone(folder: Path) -> None:
    with pytest.raises(Refused):
        twin_folder.start(folder, SMALL)
    with pytest.raises(Refused):
        twin_folder.open_game(folder.parent)
    with pytest.raises(Refused):
        twin_folder.start(folder.parent / "new", TwinSettings(products=1))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_commands_say_what_was_played(tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "m"
    start = ["twin", "start", str(folder), "--products", "3", "--history", "8", "--seed", "2", "--lang", language]
    assert main(start) == 0
    assert main(["twin", "week", str(folder), "--lang", language]) == 0
    assert main(["twin", "score", str(folder), "--lang", language]) == 0
    said = capsys.readouterr().out
    assert "{" not in said
    sold = sum(float(row["units"]) for row in rows_of(folder, "sales") if row["happened_at"] >= "2024-02-26")
    assert f"{sold:,.0f}" in said
