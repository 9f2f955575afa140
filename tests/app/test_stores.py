"""A chain's folder with its ledger in a file or in a database: the commands work alike, and it moves both ways."""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from datong.app import stores
from datong.app.borrowed_chain import borrow
from datong.app.chain import Chain
from datong.app.service.chain_thread import ChainThread
from datong.app.service.lend_chain import Lending
from datong.app.service.live_events import Events
from datong.app.stores import LEDGER_FILE, MOVED_FILE, STORE_FILE
from datong.app.wiring import wire
from datong.connectors.files.settings import read_settings
from datong.model.errors import DatongError, LedgerBusy, Refused
from datong.model.settings import ChainSettings
from datong.store.copying import digests
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger
from mill import run, write
from postgres_server import APP, OWNER, server
from served_mill import Clock
from stores import NOW

FMCG = Path(__file__).resolve().parents[2] / "examples" / "fmcg"


@pytest.fixture
def database() -> Iterator[str]:
    """A database that nobody has prepared yet."""
    name = server().new_database("template0")
    yield name
    server().drop([name])


@pytest.fixture
def address(database: str) -> str:
    stores.prepare(server().url(database, OWNER), APP, (), clean=False)
    return server().url(database)


def held(folder: Path) -> dict[str, str]:
    """What the ledger of a folder holds, wherever it is."""
    at, _ = wire(folder, Clock(), "test")
    assert isinstance(at.ledger, DuckDBLedger)
    with closing(at.ledger) as ledger:
        return digests(ledger)


def test_a_team_begins_as_the_commands_say(tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step is what the one before it said."""
    mill, address = write(tmp_path / "mill"), server().url(database)
    status, said = run(capsys, "run", mill, "--store", address)
    assert status == 2 and f"datong database postgresql://OWNER@HOST/DATABASE --role {APP}" in said
    assert not (mill / ".datong").exists()
    status, said = run(capsys, "database", server().url(database, OWNER), "--role", APP, "--chain", "other")
    assert status == 0 and f"role {APP} may use other" in said
    status, said = run(capsys, "run", mill, "--store", address)
    assert status == 2 and "--chain mill" in said
    for more in ([], ["--clean"]):
        status, said = run(capsys, "database", server().url(database, OWNER), "--role", APP, *more)
        assert status == 0 and f"role {APP} may use other" in said
    assert run(capsys, "run", mill, "--store", address)[0] == 2
    status, said = run(capsys, "database", server().url(database, OWNER), "--role", APP, "--every-chain")
    assert status == 0 and f"role {APP} may use every chain" in said
    status, said = run(capsys, "run", mill, "--store", address, "--lang", "zh")
    assert status == 0 and not (mill / LEDGER_FILE).exists()
    assert (mill / STORE_FILE).stat().st_mode & 0o077 == 0
    with Chain(mill) as chain:
        kept = chain.kept_run().run
    assert kept in run(capsys, "run", mill, "--store", address)[1]
    for words in (
        ["branch", mill, "more", "--set", "lines.A.hours_per_week=60"],
        ["why", "W20260302-001", "--chain", mill],
        ["writes", mill],
        ["check", mill],
        ["release", "--due", "--chain", mill],
    ):
        assert run(capsys, *words)[0] == 0, words


@pytest.mark.usefixtures("searched_anew")
def test_both_stores_make_the_same_run(tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    here, there = write(tmp_path / "here"), write(tmp_path / "there")
    assert run(capsys, "run", there, "--store", address)[0] == run(capsys, "run", here)[0] == 0
    found = []
    for folder in (here, there):
        with Chain(folder) as chain:
            name = chain.kept_run().run
            found.append((name, chain.ledger.run_tables(name)))
    assert found[0] == found[1]


def test_a_ledger_moves_there_and_back_and_holds_the_same(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mill = write(tmp_path / "mill")
    assert run(capsys, "run", mill)[0] == 0 and run(capsys, "branch", mill, "more")[0] == 0
    before = held(mill)
    status, said = run(capsys, "run", mill, "--store", address)
    assert status == 2 and f"datong migrate {mill} {address}" in said
    status, said = run(capsys, "migrate", mill, address)
    rows = sum(int(digest.split()[0]) for digest in before.values())
    assert status == 0 and f"{rows} rows of {len(before)} tables" in said and str(mill / MOVED_FILE) in said
    assert not (mill / LEDGER_FILE).exists() and held(mill) == before
    assert run(capsys, "run", mill)[0] == 0
    later = held(mill)
    status, said = run(capsys, "migrate", address, mill)
    assert status == 0, said
    assert not (mill / STORE_FILE).exists() and held(mill) == later
    settings, _ = read_settings(mill)
    assert settings is not None
    with closing(open_ledger(mill / LEDGER_FILE, settings)) as ledger:
        assert digests(ledger) == later
    status, said = run(capsys, "migrate", mill, address)  # what was there is there still
    assert status == 2 and "never mixed" in said and held(mill) == later


def test_what_cannot_be_moved_is_refused_and_changes_nothing(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mill = write(tmp_path / "mill")
    assert "no ledger" in run(capsys, "migrate", mill, address)[1]
    assert "One of the two" in run(capsys, "migrate", mill, mill)[1]
    assert "One of the two" in run(capsys, "migrate", address, address)[1]
    assert run(capsys, "check", mill)[0] == 0 and run(capsys, "run", mill)[0] == 0
    assert "is there already" in run(capsys, "migrate", address, mill)[1]
    other = write(tmp_path / "other", chain_toml='name = "other"\nstart = 2026-03-02\n')
    assert run(capsys, "run", other, "--store", address)[0] == 0
    elsewhere = address.replace("app@", "asked@")
    for words in (["run", other, "--store", elsewhere], ["migrate", elsewhere, other]):
        status, said = run(capsys, *words)
        assert status == 2 and "is kept in" in said
    (other / STORE_FILE).write_text("store = 7\n")
    status, said = run(capsys, "run", other)
    assert status == 1 and "does not say where" in said


def test_two_folders_of_one_name_are_mixed_only_where_it_is_said(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mill = write(tmp_path / "mill")
    assert run(capsys, "run", mill, "--store", address)[0] == 0
    before = held(mill)
    other = write(tmp_path / "other", lines_csv="line,hours_per_week\nB,10\n")
    status, said = run(capsys, "run", other, "--store", address)
    assert status == 2 and "--join" in said and "chain.toml" in said
    assert not (other / ".datong").exists() and held(mill) == before
    with Chain(mill) as chain:
        name = chain.kept_run().run
    moved = write(tmp_path / "moved")  # the same tables in another folder
    assert run(capsys, "writes", moved, "--store", address, "--join")[0] == 0
    assert {**held(moved), "intakes": before["intakes"]} == before  # but for when its files were looked at
    assert name in run(capsys, "run", moved, "--store", address)[1]  # noted: no second word is needed
    status, said = run(capsys, "run", write(tmp_path / "file"), "--join")
    assert status == 2 and "--store" in said


def test_a_password_is_used_and_kept_nowhere(
    tmp_path: Path, database: str, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "")
    stores.prepare(server().url(database, OWNER), "asked", (), clean=False)
    mill = write(tmp_path / "mill")
    status, said = run(capsys, "run", mill, "--store", server().url(database, "asked:wrong"))
    assert status == 2 and "PGPASSWORD" in said and "wrong" not in said
    assert run(capsys, "run", mill, "--store", server().url(database, "asked:secret"))[0] == 0
    assert b"secret" not in b"".join(file.read_bytes() for file in mill.rglob("*") if file.is_file())
    assert run(capsys, "writes", mill)[0] == 0
    monkeypatch.setenv("PGPASSWORD", "")
    assert "PGPASSWORD" in run(capsys, "writes", mill)[1]


def test_a_password_anywhere_in_an_address_is_neither_shown_nor_kept(
    tmp_path: Path, database: str, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "")
    stores.prepare(server().url(database, OWNER), "asked", (), clean=False)
    asked = server().url(database, "asked")
    mill = write(tmp_path / "mill")
    for bad in (f"{asked}&sslpassword=secret", "postgres://u:p/w#secret@h/db", "postgres:/u:secret@h/db"):
        for words in (["run", mill, "--store", bad], ["migrate", mill, bad], ["database", bad, "--role", APP]):
            status, said = run(capsys, *words)
            assert status != 0 and "secret" not in said, words
    assert not (mill / STORE_FILE).exists()
    status, said = run(capsys, "run", mill, "--store", f"{asked}&password=secret")
    assert status == 0 and "secret" not in said
    assert b"secret" not in b"".join(file.read_bytes() for file in mill.rglob("*") if file.is_file())
    (mill / STORE_FILE).write_text('store = "postgres:/u:secret@h/db"\n')
    status, said = run(capsys, "run", mill)
    assert status == 1 and "secret" not in said


def test_a_served_chain_is_lent_to_commands_and_is_nobody_elses(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mill = write(tmp_path / "mill")
    stores.keep_in(mill, address)
    chain_thread = ChainThread(mill, Clock())
    lending = Lending(chain_thread, Events(), "http://127.0.0.1:1")
    try:
        status, said = run(capsys, "run", mill)
        assert status == 0 and "http://127.0.0.1:1" in said
        kept = chain_thread.read(lambda chain: chain.kept_run().run)
        assert kept in said
        far = shutil.copytree(mill, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("served.json"))
        with pytest.raises(LedgerBusy, match=f"role {APP}"):
            Chain(far)
        lent = borrow(mill)
        assert lent is not None
        with Chain(far) as chain:  # let go of by the server
            assert chain.kept_run().run == kept
        lent.give_back()
        assert chain_thread.read(lambda chain: chain.kept_run().run) == kept
    finally:
        lending.close()
        chain_thread.close()


def sales_of(chain_thread: ChainThread) -> tuple[int, ...]:
    """How many sales a server says that there are: as kept answers of any kind, and read."""
    count: Callable[[Chain], int] = lambda chain: chain.state(names=("sales",)).table("sales").num_rows  # noqa: E731
    return chain_thread.kept("any", count), chain_thread.kept("of sales", count, ("sales",)), chain_thread.read(count)


def test_a_server_whose_line_was_cut_hands_out_nothing_that_somebody_else_has_changed(
    tmp_path: Path, database: str, address: str
) -> None:
    """Its lock goes with the line: whoever opens the chain then may write to it."""
    mill = write(tmp_path / "mill")
    stores.keep_in(mill, address)
    chain_thread = ChainThread(mill, Clock())
    try:
        (before,) = set(sales_of(chain_thread))
        version = chain_thread.version
        cut(database)
        assert set(sales_of(chain_thread)) == {before} and chain_thread.version == version  # nobody wrote
        cut(database)
        far = shutil.copytree(mill, tmp_path / "elsewhere")
        (far / "sales.csv").write_text("happened_at,product,market,units\n2026-02-28,P,all,1\n", encoding="utf-8")
        with Chain(far) as chain:
            after = chain.state().table("sales").num_rows
        assert after > before
        assert set(sales_of(chain_thread)) == {after} and chain_thread.version > version
    finally:
        chain_thread.close()


def test_what_is_kept_is_handed_out_without_a_turn_while_the_line_holds(tmp_path: Path, address: str) -> None:
    mill = write(tmp_path / "mill")
    stores.keep_in(mill, address)
    chain_thread = ChainThread(mill, Clock())
    try:
        chain_thread.kept("name", lambda chain: chain.settings.name)
        begun, go_on = threading.Event(), threading.Event()
        slow = threading.Thread(target=lambda: chain_thread.read(lambda _: (begun.set(), go_on.wait(20))))
        slow.start()
        assert begun.wait(20)
        assert chain_thread.kept("name", lambda _: "asked again") == "mill" and slow.is_alive()
        go_on.set()
        slow.join()
    finally:
        chain_thread.close()


def cut(database: str) -> None:
    """End every session of a database."""
    with server().superuser() as top:
        top.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [database])


@pytest.mark.parametrize("kept", ["file", "database"])
def test_a_backup_of_a_chain_is_a_ledger_to_go_back_to(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str], kept: str
) -> None:
    """While it is served, from either store."""
    mill, backup = write(tmp_path / "mill"), tmp_path / "backup.duckdb"
    if kept == "database":
        stores.keep_in(mill, address)
    assert run(capsys, "run", mill)[0] == 0
    before = held(mill)
    chain_thread = ChainThread(mill, Clock())
    lending = Lending(chain_thread, Events(), "http://127.0.0.1:1")
    try:
        status, said = run(capsys, "backup", mill, "--out", backup)
        assert status == 0 and str(mill / LEDGER_FILE) in said
        assert run(capsys, "backup", mill, "--out", backup)[0] == 2
    finally:
        lending.close()
        chain_thread.close()
    back = write(tmp_path / "back")
    (back / ".datong").mkdir()
    backup.rename(back / LEDGER_FILE)
    assert held(back) == before
    assert [file.name for file in tmp_path.iterdir() if "copy" in file.name] == []


def test_who_is_forgotten_in_a_database_is_said_to_be_in_its_free_space(
    tmp_path: Path, database: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews = "review,happened_at,product,stars,text,customer\nr1,2026-02-27,P,2,as small as in Zanzibar,Lee Wong\n"
    mill = write(tmp_path / "mill", reviews_csv=reviews)
    stores.keep_in(mill, address)
    with Chain(mill) as chain:
        assert chain.state().table("reviews")["text"].to_pylist() == ["as small as in Zanzibar"]
    assert in_free_space(database, b"Zanzibar")
    status, said = run(capsys, "forget", "Lee Wong", "--chain", mill, "--yes")
    assert status == 0 and "--clean" in said
    assert in_free_space(database, b"Zanzibar")
    assert run(capsys, "database", server().url(database, OWNER), "--role", APP, "--clean")[0] == 0
    assert not in_free_space(database, b"Zanzibar")
    with Chain(mill) as chain:
        assert chain.state().table("reviews")["text"].to_pylist() == [None]


class NoCheckpoint(DuckDBLedger):
    """A file whose closing leaves its log beside it, as on a full disk."""

    asked_is_enough = False

    def close(self) -> None:
        with suppress(Refused):  # it is closed
            self._run("PRAGMA disable_checkpoint_on_shutdown")
        super().close()

    def _run(self, sql: str, params: Sequence[object] = ()) -> None:
        if sql != "CHECKPOINT" or self.asked_is_enough:
            super()._run(sql, params)


@pytest.mark.parametrize("asked_is_enough", [True, False])
def test_a_copy_is_whole_in_its_one_file_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_is_enough: bool
) -> None:
    def opened(path: Path, settings: ChainSettings) -> DuckDBLedger:
        ledger = open_ledger(path, settings)
        ledger.__class__ = NoCheckpoint
        return ledger

    backup = tmp_path / "backup.duckdb"
    with Chain(write(tmp_path / "mill")) as chain:
        chain.run()
        assert isinstance(chain.ledger, DuckDBLedger)
        before = digests(chain.ledger)
        with monkeypatch.context() as patch:
            patch.setattr(NoCheckpoint, "asked_is_enough", asked_is_enough)
            patch.setattr(stores, "open_file", opened)
            if not asked_is_enough:
                with pytest.raises(DatongError, match="log beside it"):
                    stores.write_file(chain.ledger, backup)
                assert not list(tmp_path.glob("backup*"))
                return
            stores.write_file(chain.ledger, backup)
        assert [file.name for file in tmp_path.glob("backup*")] == [backup.name]
        with closing(open_ledger(backup, chain.settings)) as copy:
            assert digests(copy) == before


def test_the_log_of_a_file_that_is_moved_away_goes_with_it(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left behind, it would be played into the next file of that name."""
    mill = write(tmp_path / "mill")
    with Chain(mill) as chain:
        chain.run()
    before = held(mill)

    def opened(path: Path, settings: ChainSettings) -> DuckDBLedger:
        ledger = open_ledger(path, settings)
        ledger.__class__ = NoCheckpoint
        ledger.note_deliveries("mail", ["k"], "sent", NOW)
        return ledger

    with monkeypatch.context() as patch:
        patch.setattr(stores, "open_file", opened)
        stores.migrate(str(mill), address)
    assert not (mill / f"{LEDGER_FILE}.wal").exists()
    settings, _ = read_settings(mill)
    assert settings is not None
    with closing(open_ledger(mill / MOVED_FILE, settings)) as moved:
        assert digests(moved) == held(mill) != before


def in_free_space(database: str, text: bytes) -> bool:
    """Whether some byte of a database's files, its log apart, says it."""
    with server().superuser() as top:
        top.execute("CHECKPOINT")
        found = top.execute("SELECT oid::text FROM pg_database WHERE datname = %s", [database]).fetchone()
    assert found is not None
    return any(text in file.read_bytes() for file in (server().folder / "data" / "base" / found[0]).iterdir())


def test_without_the_library_it_is_said_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "find_spec", lambda _name: None)
    status, said = run(capsys, "run", write(tmp_path / "mill"), "--store", "postgresql://app@/x")
    assert status == 2 and "datong[postgres]" in said
    assert "datong[postgres]" in run(capsys, "database", "postgresql://app@/x", "--role", "r")[1]


def test_the_example_moves_there_and_back(tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    chain = shutil.copytree(FMCG, tmp_path / "fmcg", ignore=shutil.ignore_patterns(".datong"))
    with Chain(chain) as opened:
        assert opened.state().table("sales").num_rows == 4880
    before = held(chain)
    assert sum(int(digest.split()[0]) for digest in before.values()) > 19_000
    assert run(capsys, "migrate", chain, address)[0] == 0 and held(chain) == before
    assert run(capsys, "migrate", address, chain)[0] == 0 and held(chain) == before
