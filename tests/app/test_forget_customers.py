"""Customers are kept as keyed hashes: nothing that Datong writes names one, and forgetting reaches all of it."""

import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datong
from datong.app import take_in_beside_folder
from datong.app.cli.main import main
from datong.connectors.exports.order_line_keys import LINES
from datong.connectors.exports.questions import read_answers, write_answers
from datong.connectors.files import customer_keys, without_plain_customers
from datong.connectors.files.customer_keys import KEYS_FOLDER
from datong.connectors.files.starter import write_starter
from datong.ledger.customer_tokens import TOKEN
from datong.model.errors import DatongError, NotFound, Refused
from datong.store import duckdb_ledger, migrations

CANARY, OTHER = "Canary Zhao 7391", "Wren Qian 5512"
PRODUCT = "BAG-01"
REVIEW = "the zipper squeals terribly and broke"


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    folder = tmp_path / "chain"
    write_starter(folder, "en")
    for table in ("sales", "reviews"):
        (folder / f"{table}.csv").unlink(missing_ok=True)
    return folder


def sales_csv(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["sale,happened_at,product,units,customer", *rows]) + "\n", encoding="utf-8")
    return path


def few_sales(path: Path) -> Path:
    lines = [f"s{i},2026-02-{i:02d},{PRODUCT},{1 + i % 3},{(CANARY, OTHER)[i % 2]}" for i in range(1, 21)]
    return sales_csv(path, *lines, f",2026-02-03,{PRODUCT},4,{CANARY}", f",2026-02-03,{PRODUCT},4,{OTHER}")


def few_reviews(path: Path) -> Path:
    lines = [f"r{i},2026-02-{i:02d},{PRODUCT},{(1, 5)[i % 2]},{(REVIEW, 'fine bag')[i % 2]},{(CANARY, OTHER)[i % 2]}"
             for i in range(1, 15)]  # fmt: skip
    path.write_text("\n".join(["review,happened_at,product,rating,text,customer", *lines]) + "\n", encoding="utf-8")
    return path


def said(folder: Path, *words: str, but: tuple[str, ...] = ()) -> list[str]:
    """Files of a folder in whose bytes any of the words stands, in the encodings that programs write, unpacked too."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in but):
        content = b"".join(_contents(path))
        if any(w.encode(code) in content for w in words for code in ("utf-8", "utf-16-le")):
            found.append(str(path.relative_to(folder)))
    return found


def _contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if path.suffix == ".xlsx":
        import zipfile

        with zipfile.ZipFile(path) as packed:
            yield from (packed.read(name) for name in packed.namelist())
    if path.suffix == ".parquet":
        yield json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False).encode()
    if path.suffix == ".duckdb":
        yield "\n".join(_everything(path)).encode()


def _everything(path: Path) -> Iterator[str]:
    """All that a ledger's tables hold, kept runs included."""
    import duckdb

    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        for schema, name in names:
            for row in connection.execute(f'SELECT * FROM {schema}."{name}"').fetchall():
                for value in row:
                    if isinstance(value, bytes) and name == "worked_out":
                        yield str(zlib.decompress(value))
                    elif isinstance(value, bytes):
                        with pa.ipc.open_stream(value) as reader:
                            yield str(reader.read_all().to_pylist())
                    else:
                        yield str(value)


def tokens(chain: Path) -> dict[str, set[str]]:
    with datong.open(chain) as opened:
        state = opened.state()
        return {name: set(state.table(name)["customer"].drop_null().to_pylist()) for name in ("sales", "reviews")}


def by_folder(chain: Path, tmp_path: Path) -> None:
    few_sales(chain / "sales.csv")
    few_reviews(chain / "reviews.csv")


def by_ingest(chain: Path, tmp_path: Path) -> None:
    with datong.open(chain) as opened:
        opened.ingest(few_sales(tmp_path / "in" / "sales.csv"))
        opened.ingest(few_reviews(tmp_path / "in" / "reviews.csv"))


def by_mapping(chain: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(few_sales(tmp_path / "in" / "sales.csv"))
    frame.rename(columns={"customer": "Kunde"}).to_csv(tmp_path / "in" / "shop.csv", index=False)
    rules = tmp_path / "mapping.toml"
    rules.write_text(
        '[[into]]\ntable = "sales"\n[into.columns]\nsale = "sale"\nhappened_at = "happened_at"\n'
        'product = "product"\nunits = "units"\ncustomer = "Kunde"\n',
        encoding="utf-8",
    )
    with datong.open(chain) as opened:
        opened.ingest(tmp_path / "in" / "shop.csv", mapping=rules)
        opened.ingest(few_reviews(tmp_path / "in" / "reviews.csv"))


DOORS: dict[str, Callable[[Path, Path], None]] = {"folder": by_folder, "ingest": by_ingest, "mapping": by_mapping}


@pytest.mark.parametrize("door", DOORS)
def test_no_byte_names_a_customer_whichever_door_they_come_by(
    chain: Path, tmp_path: Path, door: str, capsys: pytest.CaptureFixture[str]
) -> None:
    DOORS[door](chain, tmp_path)
    with datong.open(chain) as opened:
        assert opened.unheeded_edits == ()  # nothing had to be made over
    assert said(chain, CANARY, OTHER, but=("sales.csv", "reviews.csv")) == []
    assert main(["run", str(chain), "--out", str(tmp_path / "out")]) == 0
    assert main(["report", str(chain), "--out", str(tmp_path / "out" / "report.html")]) == 0
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err
    assert said(chain, CANARY, OTHER, but=("sales.csv", "reviews.csv")) == []
    assert said(tmp_path / "out", CANARY, OTHER) == []
    held = tokens(chain)
    assert len(held["sales"]) == 2 and held["reviews"] == held["sales"]  # the same in both tables
    assert all(TOKEN.fullmatch(token) for token in held["sales"])


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".jsonl"])
def test_bad_and_damaged_rows_name_nobody_either(
    chain: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame(
        {
            "sale": ["s1", "s2", "s1"],
            "happened_at": ["2026-02-01", "2026-02-02", "2026-02-01"],
            "product": [PRODUCT, "GHOST", PRODUCT],
            "units": ["1", "2", "5"],
            "customer": [CANARY, CANARY, CANARY],
            "buyer_note": [f"call {CANARY}"] * 3,
        }
    )
    path = tmp_path / "in" / f"sales{suffix}"
    path.parent.mkdir()
    match suffix:
        case ".csv":
            frame.to_csv(path, index=False)
            path.write_text(path.read_text() + f's4,2026-02-03,{PRODUCT},1,{CANARY},x,{CANARY}\n"{CANARY}\n')
        case ".xlsx":
            frame.to_excel(path, index=False, sheet_name="sales")
        case ".parquet":
            frame.to_parquet(path)
        case _:
            path.write_text(frame.to_json(orient="records", lines=True) + f'{{"customer": "{CANARY}\n')
    with datong.open(chain) as opened:
        taken = opened.ingest(path)
        assert sum(report.quarantined for report in taken.reports) >= 2
        assert CANARY not in "".join(f.text("en") + f.text("zh") for f in taken.findings)
        assert CANARY not in str(opened.ledger.quarantined().to_pylist())
        opened.retry_quarantine()
    capsys.readouterr()
    assert main(["quarantine", str(chain)]) in (0, 1)
    assert main(["ingest", str(path), "--chain", str(chain)]) in (0, 1)
    assert CANARY not in capsys.readouterr().out
    assert said(chain, CANARY) == []


def test_an_export_of_reviews_names_nobody(chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f'{i},{PRODUCT},{1 + i % 5},"Bag {i} with a strap",2026-02-{1 + i % 20:02d},{CANARY}' for i in range(40)]
    rows += [f'41,{PRODUCT},5,"ok",2026-02-02,{CANARY},extra,{CANARY}', f'42,GHOST-9,5,"so",2026-02-02,{CANARY}']
    file = tmp_path / "product_reviews_export.csv"
    heads = "review_id,sku,rating,body,created_at,reviewer_name"
    file.write_text("\n".join([heads, *rows, f'"{CANARY}']) + "\n", encoding="utf-8")
    assert main(["ingest", str(file), "--chain", str(chain), "--lang", "en"]) == 1
    assert CANARY not in capsys.readouterr().out
    assert said(chain, CANARY) == []
    with datong.open(chain) as opened:
        assert opened.state().table("reviews").num_rows == 40


def export(path: Path, customers: list[str]) -> Path:
    rows = [
        f"2026-01-{1 + i // 4:02d},{'AB'[i % 2]},{2 + i % 3},9.90,{customers[i % len(customers)]}" for i in range(80)
    ]
    path.write_text("\n".join(["Date,SKU,Quantity,Unit price,Customer", *rows]) + "\n", encoding="utf-8")
    return path


def test_an_export_that_is_tried_names_nobody_and_the_next_one_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = export(tmp_path / "list.csv", [CANARY, OTHER, "Third"]), tmp_path / "tried"
    for _ in range(2):
        assert main(["try", str(file), "--yes", "--into", str(folder), "--lang", "en"]) == 0
    assert CANARY not in capsys.readouterr().out
    with datong.open(folder) as opened:
        state = opened.state()
        assert state.table("sales").num_rows == 80
        assert len(set(state.table("sales")["customer"].to_pylist())) == 3
        opened.forget(CANARY)
        taken = opened.ingest(file)
        assert sum(r.added + r.superseded for r in taken.reports) == 0
    assert said(folder, CANARY, OTHER) == []


def test_a_dataframe_names_nobody(tmp_path: Path) -> None:
    frame = pd.read_csv(export(tmp_path / "list.csv", [CANARY, OTHER]))
    trial = datong.try_(frame, keep=tmp_path / "kept")
    assert CANARY not in repr(trial) + str(trial.notes)
    assert said(tmp_path / "kept", CANARY, OTHER) == []
    found = datong.replenish(frame, lead_days=7)
    assert CANARY not in str(found.notes) + str(found.findings)


def test_the_same_customer_has_the_same_token_until_forgotten(chain: Path, tmp_path: Path) -> None:
    by_ingest(chain, tmp_path)
    before = tokens(chain)
    with datong.open(chain) as opened:
        (report,) = opened.ingest(tmp_path / "in" / "sales.csv").reports
        assert (report.added, report.superseded, report.known) == (0, 0, 22)
    assert tokens(chain) == before


def test_two_chains_give_one_customer_different_tokens_and_equal_runs(chain: Path, tmp_path: Path) -> None:
    by_folder(chain, tmp_path)
    other = tmp_path / "second" / "chain"
    shutil.copytree(chain, other)
    with datong.open(chain) as one, datong.open(other) as two:
        assert one.run().run == two.run().run
    assert tokens(chain)["sales"].isdisjoint(tokens(other)["sales"])


def test_equal_rows_without_a_key_of_two_files_are_two_where_their_buyers_are(chain: Path, tmp_path: Path) -> None:
    row = f",2026-02-03,{PRODUCT},4,"
    with datong.open(chain) as opened:

        def added(name: str, *buyers: str) -> int:
            file = sales_csv(tmp_path / name / "sales.csv", *(row + buyer for buyer in buyers))
            return opened.ingest(file).reports[0].added

        assert added("1", CANARY) == 1
        assert added("2", OTHER) == 1
        assert added("3", OTHER, CANARY) == 0
        assert added("4", OTHER, "", CANARY, "Third") == 2  # one for nobody, one for the third
        assert added("5", "", "") == 0  # they may be any of those
        opened.forget(CANARY)
        assert added("6", OTHER, "", CANARY, "Third") == 0


@pytest.mark.parametrize("door", DOORS)
def test_forgetting_leaves_no_trace_of_name_token_or_words(
    chain: Path, tmp_path: Path, door: str, capsys: pytest.CaptureFixture[str]
) -> None:
    DOORS[door](chain, tmp_path)
    with datong.open(chain) as opened:
        opened.run()
        found = opened.person(CANARY, "asked by mail")
        (token,) = set(found["sales"]["customer"].to_pylist())
        units = sum(opened.state().table("sales")["units"].to_pylist())
    shutil.copy(chain / ".datong" / "ledger.duckdb", tmp_path / "backup.duckdb")
    keys = (chain / KEYS_FOLDER / "customers.key").read_bytes()
    capsys.readouterr()
    assert main(["forget", CANARY, "--chain", str(chain), "--yes", "--why", "asked by mail", "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert "1 key(s) destroyed" in told and "sales: 11 rows" in told and CANARY not in told
    assert said(chain, token) == []
    assert said(chain, CANARY, REVIEW, but=("sales.csv", "reviews.csv")) == []
    changed = (chain / KEYS_FOLDER / "customers.key").read_bytes()
    assert len(changed) == len(keys) and sum(a != b for a, b in zip(keys, changed, strict=True)) > 40
    with datong.open(chain) as opened:
        state = opened.state()
        assert sum(state.table("sales")["units"].to_pylist()) == units  # what counts stays
        assert state.table("sales").num_rows == 22 and state.table("reviews").num_rows == 14
        opened.run()
        with pytest.raises(NotFound) as caught:
            opened.forget(CANARY)
        assert CANARY not in str(caught.value)
        audit = opened.ledger.writes().to_pylist()
        assert {(w["subject"], w["source"]) for w in audit if w["what"] == "forget"} >= {("sales", "asked by mail")}
        assert [w["source"] for w in audit if w["what"] == "person"] == ["asked by mail"]
        assert CANARY not in str(audit) and token not in str(audit)


def test_the_same_file_again_after_forgetting_changes_nothing(chain: Path, tmp_path: Path) -> None:
    by_folder(chain, tmp_path)
    with datong.open(chain) as opened:
        opened.state()
        opened.forget(CANARY)
        assert REVIEW not in opened.state().table("reviews")["text"].to_pylist()  # at once
    (chain / "sales.csv").write_text((chain / "sales.csv").read_text() + f"s99,2026-02-25,{PRODUCT},1,{CANARY}\n")
    with datong.open(chain) as opened:
        sold = next(r for r in opened.ingested if r.table == "sales")
        assert (sold.added, sold.superseded, sold.known) == (1, 0, 22)  # bought again: somebody new
        assert len([c for c in opened.state().table("sales")["customer"].to_pylist() if c is None]) == 11


def test_what_a_person_is_given_is_all_and_nobody_elses(chain: Path, tmp_path: Path) -> None:
    by_ingest(chain, tmp_path)
    for name in ("mine.json", "mine.csv"):
        assert main(["person", CANARY, "--chain", str(chain), "--out", str(tmp_path / name)]) == 0
    rows = json.loads((tmp_path / "mine.json").read_text(encoding="utf-8"))
    assert len(rows["sales"]) == 11 and len(rows["reviews"]) == 7
    assert {row["text"] for row in rows["reviews"]} == {REVIEW}
    cells = pd.read_csv(tmp_path / "mine.csv", encoding="utf-8-sig")
    assert set(cells[cells["column"] == "text"]["value"]) == {REVIEW}
    assert cells[cells["table"] == "sales"]["row"].nunique() == 11


class Killed(BaseException):
    """As a kill would end the process there."""


@pytest.mark.parametrize("at", ["destroy", "forget_person", "rewrite", "end_forgetting"])
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_in_the_middle_is_ended_by_the_next_opening(
    chain: Path, tmp_path: Path, at: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_ingest(chain, tmp_path)
    with datong.open(chain) as opened:
        (token,) = set(opened.person(CANARY)["sales"]["customer"].to_pylist())
    where = duckdb_ledger.DuckDBLedger if at in ("forget_person", "rewrite") else customer_keys.CustomerKeys
    own = getattr(where, at)

    def killed(*given: object, **named: object) -> object:
        if after:
            own(*given, **named)
        raise Killed

    with monkeypatch.context() as patch, datong.open(chain) as opened:
        patch.setattr(where, at, killed)
        with pytest.raises(Killed):
            opened.forget(CANARY)
    with datong.open(chain) as opened, pytest.raises(NotFound):
        opened.person(CANARY)
    assert said(chain, token, REVIEW) == []
    with datong.open(chain) as opened:
        assert [w["subject"] for w in opened.ledger.writes().to_pylist() if w["what"] == "forget"].count("sales") == 1


def test_lost_keys_are_said_and_their_customers_can_be_forgotten(
    chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_ingest(chain, tmp_path)
    shutil.rmtree(chain / KEYS_FOLDER)
    more = sales_csv(tmp_path / "more" / "sales.csv", f"s77,2026-02-25,{PRODUCT},1,{CANARY}")
    with datong.open(chain) as opened:
        opened.run()  # what is there can be planned
        with pytest.raises(Refused, match="keys"):
            opened.ingest(more)
        assert opened.state().table("sales").num_rows == 22
    assert main(["forget", "--lost", "--chain", str(chain), "--yes", "--lang", "en"]) == 0
    assert "sales: 22 rows" in capsys.readouterr().out
    with datong.open(chain) as opened:
        assert opened.ingest(more).reports[0].added == 1
        assert opened.ingest(tmp_path / "in" / "sales.csv").reports[0].added == 0


def test_a_ledger_with_plain_customers_is_hashed_and_says_so(
    chain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = few_sales(tmp_path / "in" / "sales.csv")
    with datong.open(chain) as opened:  # as an earlier version did it
        monkeypatch.setattr(opened._at.customers, "tokens", list)
        opened.ingest(few)
        bad = sales_csv(tmp_path / "bad" / "sales.csv", f"s50,2026-02-02,GHOST,1,{CANARY}")
        opened.ingest(bad)
    monkeypatch.undo()
    assert said(chain, CANARY) == [".datong/ledger.duckdb"]
    assert main(["run", str(chain), "--lang", "en"]) == 0
    told = capsys.readouterr()
    assert "23 rows named customers as they came" in told.out + told.err
    assert said(chain, CANARY, OTHER) == []
    with datong.open(chain) as opened:
        assert opened.ingest(few).reports[0].added == 0
        assert opened.unheeded_edits == ()


def test_keys_are_for_their_owner_alone_and_left_out_of_backups(chain: Path, tmp_path: Path) -> None:
    by_ingest(chain, tmp_path)
    folder = chain / KEYS_FOLDER
    assert (folder / "customers.key").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_who_is_not_asked_forgets_nobody(chain: Path, tmp_path: Path) -> None:
    by_ingest(chain, tmp_path)
    assert main(["forget", CANARY, "--chain", str(chain)]) == 2
    with datong.open(chain) as opened:
        assert opened.rows_about(CANARY) == 18
        opened.branch("what-if")
        with pytest.raises(Refused):
            opened.on("what-if").forget(CANARY)


def test_whoever_bought_nothing_for_so_long_can_be_forgotten_at_once(
    chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"s1,2025-02-01,{PRODUCT},1,{CANARY}", f"s2,2026-02-20,{PRODUCT},1,{OTHER}"]
    with datong.open(chain) as opened:
        opened.ingest(sales_csv(tmp_path / "in" / "sales.csv", *rows))
        assert opened.customers_without_rows_since(5000) == 0
    assert main(["forget", "--older-than", "300", "--chain", str(chain), "--yes", "--lang", "en"]) == 0
    assert "sales: 1 rows" in capsys.readouterr().out
    with datong.open(chain) as opened:
        assert [c is None for c in opened.state().table("sales")["customer"].to_pylist()] == [True, False]


def test_quotes_of_who_is_forgotten_leave_kept_runs(chain: Path, tmp_path: Path) -> None:
    by_ingest(chain, tmp_path)
    with datong.open(chain) as opened:
        result = opened.run()
        signals = opened.ledger.run_table(result.run, "signals")
        if not signals.num_rows:
            signals = pa.Table.from_pylist([dict.fromkeys(signals.column_names)], schema=signals.schema)
        quoted = json.dumps(f"they say “{REVIEW}”", ensure_ascii=False)
        at = signals.column_names.index("text_params")
        texts = pa.array([quoted] * signals.num_rows, signals.schema.field("text_params").type)
        from datong.store.written_anew import arrow_bytes

        opened.ledger._run(
            "UPDATE run_tables SET arrow = ? WHERE run = ? AND name = 'signals'",
            [arrow_bytes(signals.set_column(at, "text", texts)), result.run],
        )
        done = opened.forget(CANARY)
        assert done.rows["run_tables"] == 1
        assert REVIEW not in str(opened.ledger.run_table(result.run, "signals").to_pylist())


def test_what_was_worked_out_of_the_days_of_who_is_forgotten_goes(chain: Path, tmp_path: Path) -> None:
    few_sales(chain / "sales.csv")
    few_reviews(chain / "reviews.csv")
    with (chain / "reviews.csv").open("a", encoding="utf-8") as more:
        more.write(f"far,2026-01-20,{PRODUCT},5,well sewn,{OTHER}\n")
    with datong.open(chain) as opened:
        opened.run()
        kept = {one.day for one in opened.ledger.worked_out().values()}
        assert len(kept) > 5
        opened.forget(CANARY)
        left = {one.day for one in opened.ledger.worked_out().values()}
        assert left == {min(kept)}  # all others are days of theirs, or lie beside one
        opened.run()
        assert len(opened.ledger.worked_out()) == len(kept)


def test_checking_a_folder_names_nobody_and_says_the_same_twice(
    chain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sales_csv(chain / "sales.csv", *(f"s1,2026-02-01,{PRODUCT},{n},{CANARY}" for n in (1, 2)))
    told = []
    for _ in range(2):
        assert main(["check", str(chain)]) == 1
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] and CANARY not in told[0]
    assert not (chain / KEYS_FOLDER).exists()


def test_a_full_disk_gives_no_token_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = customer_keys.CustomerKeys(tmp_path / "keys")
    (first,) = keys.tokens([CANARY])
    with monkeypatch.context() as full:
        full.setattr(customer_keys.os, "fsync", lambda _file: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space"):
            keys.tokens([OTHER])
    assert keys.known(OTHER) is None
    (second,) = keys.tokens([OTHER])
    path = tmp_path / "keys" / "customers.key"
    with path.open("ab") as file:
        file.write(b"half a rec")  # of a process that was killed
    again = customer_keys.CustomerKeys(tmp_path / "keys")
    assert again.tokens([CANARY, OTHER, "Third"])[:2] == [first, second]
    assert len({*customer_keys.CustomerKeys(tmp_path / "keys").tokens([CANARY, OTHER, "Third"])}) == 3
    path.write_bytes(b"no keys")
    with pytest.raises(DatongError, match="keys"):
        customer_keys.CustomerKeys(tmp_path / "keys").tokens([CANARY])


HEADS = {
    "returns": "happened_at,product,units",
    "orders": "order,start,due,product,units",
    "demand": "demand,due,product,units",
}


def with_unknown_columns(folder: Path, table: str) -> Path:
    """A row with a product that nobody knows, and one that cannot be cut into cells; both name somebody."""
    folder.mkdir()
    columns = [*HEADS[table].split(","), "customer", "phone"]
    cells = {"happened_at": "2026-02-01", "start": "2026-02-01", "due": "2026-02-01", "product": "GHOST", "units": "1"}
    row = ",".join((cells | {"customer": CANARY, "phone": "13812345678"}).get(name, "k1") for name in columns)
    path = folder / f"{table}.csv"
    path.write_text(f"{','.join(columns)}\n{row}\n{row},{CANARY},x\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("table", HEADS)
def test_columns_that_a_table_does_not_know_are_kept_of_no_table(chain: Path, tmp_path: Path, table: str) -> None:
    with datong.open(chain) as opened:
        opened.ingest(with_unknown_columns(tmp_path / "in", table), table=table)
        for _ in range(2):
            waiting = opened.ledger.quarantined().to_pylist()
            assert len(waiting) == 2 and "GHOST" in str(waiting)
            opened.retry_quarantine()
    assert said(chain, CANARY, "13812345678") == []


@pytest.mark.parametrize("table", HEADS)
def test_unknown_columns_that_an_earlier_version_kept_go_when_the_ledger_is_opened(
    chain: Path, tmp_path: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before, datong.open(chain) as opened:
        before.setattr(without_plain_customers, "guarded", lambda _table, rows, _customers: rows)
        before.setattr(without_plain_customers, "may_name", lambda _table, _headers: False)
        before.setattr(take_in_beside_folder, "may_name", lambda _table, _headers: False)
        opened.ingest(with_unknown_columns(tmp_path / "in", table), table=table)
        layout = migrations.MIGRATIONS.index(migrations._quarantine_without_unknown_columns)
        opened.ledger._run("DELETE FROM schema_version WHERE version > ?", [layout])
    assert said(chain, CANARY) == [".datong/ledger.duckdb"]
    with datong.open(chain) as opened:
        waiting = opened.ledger.quarantined().to_pylist()
        assert len(waiting) == 2 and any("GHOST" in row["raw"] and "GHOST" in row["findings"] for row in waiting)
    assert said(chain, CANARY, "13812345678") == []


@pytest.mark.parametrize("killed_at", [None, "hash_customers", "rewrite"])
def test_keys_that_named_customers_are_made_over_also_after_a_kill(
    chain: Path, tmp_path: Path, killed_at: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that were known by day and customer, as an earlier version had it: of a sale, and of a return alone."""
    sold, back = f"/2026-02-01/{PRODUCT}/{CANARY}", f"/2026-02-02/{PRODUCT}/{OTHER}"
    returned = tmp_path / "in" / "returns.csv"
    with datong.open(chain) as opened:
        monkeypatch.setattr(opened._at.customers, "tokens", list)
        opened.ingest(sales_csv(tmp_path / "in" / "sales.csv", f"{sold},2026-02-01,{PRODUCT},1,{CANARY}"))
        returned.write_text(f"return,happened_at,product,units\n{back},2026-02-02,{PRODUCT},1\n", encoding="utf-8")
        opened.ingest(returned)
    monkeypatch.undo()
    write_answers(chain, {**read_answers(chain), LINES: "days+customer"})

    def killed(*_given: object, **_named: object) -> None:
        raise Killed

    if killed_at is not None:
        with monkeypatch.context() as patch:
            patch.setattr(duckdb_ledger.DuckDBLedger, killed_at, killed)
            with pytest.raises(Killed):
                datong.open(chain)
        assert said(chain, CANARY, OTHER) == [".datong/ledger.duckdb"]
    with datong.open(chain) as opened:
        state = opened.state()
        assert state.table("sales")["sale"].to_pylist() == [f"/2026-02-01/{PRODUCT}"]
        assert state.table("returns")["row_id"].to_pylist() == [f"returns:/2026-02-02/{PRODUCT}"]
    assert said(chain, CANARY, OTHER) == []
    assert read_answers(chain)[LINES] == "days"


class Short:
    """A file of which a write takes so many bytes at once, and only so many in all."""

    def __init__(self, at_once: int, in_all: int) -> None:
        self.at_once, self.left = at_once, in_all

    def write(self, content: memoryview) -> int:
        taken = min(len(content), self.at_once, self.left)
        self.left -= taken
        return taken


def test_keys_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path.open

    class Opened:
        def __init__(self, file: object, short: Short) -> None:
            self.file, self.short = file, short

        def __enter__(self) -> "Opened":
            return self

        def __exit__(self, *_given: object) -> None:
            self.file.close()  # ty: ignore[unresolved-attribute]

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def write(self, content: memoryview) -> int:
            return self.file.write(content[: self.short.write(content)])  # ty: ignore[unresolved-attribute]

    def opened(short: Short) -> None:
        def opening(path: Path, mode: str = "r", **named: int) -> object:
            file = own(path, mode, **named)  # ty: ignore[no-matching-overload]
            return Opened(file, short) if mode == "r+b" else file

        monkeypatch.setattr(Path, "open", opening)

    keys = customer_keys.CustomerKeys(tmp_path / "keys")
    opened(Short(at_once=50, in_all=10_000))
    names = [f"customer {i}" for i in range(5)]
    made = keys.tokens(names)
    assert customer_keys.CustomerKeys(tmp_path / "keys").tokens(names) == made
    keys.destroy(made[:2])
    assert customer_keys.CustomerKeys(tmp_path / "keys").live(made) == set(made[2:])
    opened(Short(at_once=50, in_all=60))
    with pytest.raises(OSError, match="No space"):
        keys.tokens(["x", "y"])
    assert keys.known("x") is None and keys.known("y") is None
    with pytest.raises(OSError, match="No space"):
        keys.destroy(made[2:])


def test_who_came_into_quarantine_lately_or_bought_on_a_branch_is_not_forgotten_as_old(
    chain: Path, tmp_path: Path
) -> None:
    third = "Third One"
    with datong.open(chain) as opened:
        opened.ingest(sales_csv(tmp_path / "old" / "sales.csv", f"s1,2020-02-01,{PRODUCT},1,{third}"))
        opened.ingest(sales_csv(tmp_path / "new" / "sales.csv", f"s2,2026-02-20,GHOST,1,{CANARY}"))
        opened.branch("what-if")
        opened.on("what-if").ingest(sales_csv(tmp_path / "b" / "sales.csv", f"s3,2099-02-20,{PRODUCT},1,{OTHER}"))
        assert opened.customers_without_rows_since(300) == 1
        assert opened.rows_about(third) == 1


def test_a_review_that_a_branch_corrected_without_its_customer_is_forgotten_there_too(
    chain: Path, tmp_path: Path
) -> None:
    with datong.open(chain) as opened:
        opened.ingest(few_reviews(tmp_path / "reviews.csv"))
        opened.branch("what-if")
        corrected = tmp_path / "b" / "reviews.csv"
        corrected.parent.mkdir()
        corrected.write_text(
            f"review,happened_at,known_at,product,rating,text\nr2,2026-02-02,2026-02-28,{PRODUCT},1,corrected squeal\n"
        )
        branch = opened.on("what-if")
        assert branch.ingest(corrected).reports[0].superseded == 1
        assert "corrected squeal" in str(opened.person(CANARY)["reviews"].to_pylist())
        opened.forget(CANARY)
        assert "squeal" not in str(opened.on("what-if").state().table("reviews")["text"].to_pylist())
    assert said(chain, "corrected squeal", REVIEW) == []


def test_a_record_that_cannot_be_cut_names_nobody_where_a_mapping_reads_other_columns_alone(
    chain: Path, tmp_path: Path
) -> None:
    file, rules = tmp_path / "shop.csv", tmp_path / "mapping.toml"
    file.write_text(f"sku,n,buyer\nBAG-01,1,{CANARY}\nBAG-01,1,{CANARY},x\n", encoding="utf-8")
    rules.write_text(
        '[[into]]\ntable = "demand"\n[into.columns]\ndemand = "n"\nproduct = "sku"\nunits = "n"\n'
        "due = \"'2026-03-01'\"\n",
        encoding="utf-8",
    )
    with datong.open(chain) as opened:
        taken = opened.ingest(file, mapping=rules)
        assert taken.reports[0].quarantined == 1
    assert said(chain, CANARY) == []
