"""Customers in ledgers: those of before, whose content and keys named them, are made over and know their rows again."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from datong.connectors.exports.order_line_keys import keys_without_customers, names_customers, without_customers
from datong.ledger import row_ids
from datong.ledger.masking import masked
from datong.ledger.protocol import RunRecord
from datong.model.settings import ChainSettings
from datong.model.tables import Column
from datong.store import migrations
from datong.store.branches import DuckDBBranches
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger
from stores import make

Step = Callable[[duckdb.DuckDBPyConnection], bool | None]
pytestmark = pytest.mark.usefixtures("ledgers_are_made")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = ChainSettings("shop", history="declared")


def rows(*customers: str | None, sale: Sequence[str | None] | None = None) -> pa.Table:
    many = len(customers)
    return pa.table(
        {
            "__row__": pa.array(range(2, 2 + many), pa.int64()),
            "sale": pa.array(sale or [None] * many, pa.string()),
            "product": ["A"] * many,
            "happened_at": pa.array([datetime(2026, 1, 5, tzinfo=UTC)] * many, pa.timestamp("us", tz="UTC")),
            "units": [2.0] * many,
            "customer": pa.array(customers, pa.string()),
        }
    )


def added(ledger: DuckDBLedger, table: pa.Table, source: str = "sales") -> int:
    return ledger.ingest("sales", table, None, (), source, NOW, by="Ann").added


def before_step(step: Step) -> tuple[Step, ...]:
    """The steps that come before one, with the column that is written today."""
    *first, last = migrations.MIGRATIONS[: migrations.MIGRATIONS.index(step)]

    def with_what_is_written_today(connection: duckdb.DuckDBPyConnection) -> bool | None:
        found = last(connection)
        migrations._writes_acted_at(connection)
        return found

    return (*first, with_what_is_written_today)


def with_customers(given: Sequence[Column]) -> str:
    """What a content was made of before: of all columns."""
    hashed = [column for column in given if column.name != "known_at"]
    return f"md5_number(substr(concat('', {', '.join(row_ids._sql_content_part(c) for c in hashed)}), 2))"


def test_a_ledger_whose_contents_were_made_of_customers_knows_its_rows_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.duckdb"
    file = rows("Lee", "Wu", None, "Lee", sale=[None, None, None, "s1"])
    with monkeypatch.context() as before:
        before.setattr(row_ids, "_sql_content", with_customers)
        before.setattr(migrations, "MIGRATIONS", before_step(migrations._buyers_out_of_content))
        with open_ledger(path, SETTINGS) as ledger:
            assert added(ledger, file) == 4
            old = ledger.state(NOW).table("sales")["row_id"].to_pylist()
            shown = pa.table({"evidence": pa.array([old], pa.list_(pa.string()))})
            ledger.save_run(RunRecord("R20260301-00000000", NOW, 1, {"signals": shown}), NOW, by="Ann")
    with open_ledger(path, SETTINGS) as ledger:
        assert added(ledger, file) == 0
        assert added(ledger, file, "again") == 0
        now = ledger.state(NOW).table("sales")
        assert now.num_rows == 4 and now["row_id"].to_pylist() != old
        assert len({i.rpartition(".")[0] for i in now["row_id"].to_pylist() if "#" in i}) == 1
        (evidence,) = ledger.run_table("R20260301-00000000", "signals")["evidence"].to_pylist()
        assert sorted(evidence) == now["row_id"].to_pylist()
        assert ledger.rows("sales", evidence).num_rows == 4


def test_what_a_branch_says_of_equal_rows_stays_about_the_same_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two equal sales but for the buyer; a branch has a third one, and takes back that of Wu."""
    path = tmp_path / "ledger.duckdb"
    with monkeypatch.context() as before:
        before.setattr(row_ids, "_sql_content", with_customers)
        before.setattr(migrations, "MIGRATIONS", before_step(migrations._buyers_out_of_content))
        with open_ledger(path, SETTINGS) as ledger:
            assert added(ledger, rows("Lee", "Wu")) == 2
            bought = ledger.state(NOW).table("sales").select(["row_id", "customer"]).to_pylist()
            (of_wu,) = [row["row_id"] for row in bought if row["customer"] == "Wu"]
            branch = make(DuckDBBranches(ledger), "if", NOW)
            assert added(branch, rows("Xu"), "more") == 1
            branch.withdraw("sales", [of_wu], NOW, by="Ann")
            assert sorted(branch.state(NOW).table("sales")["customer"].to_pylist()) == ["Lee", "Xu"]
    with open_ledger(path, SETTINGS) as ledger:
        assert sorted(ledger.state(NOW).table("sales")["customer"].to_pylist()) == ["Lee", "Wu"]
        branch = DuckDBBranches(ledger).on("if")
        assert sorted(branch.state(NOW).table("sales")["customer"].to_pylist()) == ["Lee", "Xu"]


def test_words_that_were_kept_as_they_came_are_masked_and_their_rows_known_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reasons of returns with a telephone in one of them; the run that names its row goes on naming it."""
    path = tmp_path / "ledger.duckdb"

    def returned(reasons: list[str]) -> pa.Table:
        many = len(reasons)
        moments = pa.array([NOW] * many, pa.timestamp("us", "UTC"))
        return pa.table(
            {"__row__": pa.array(range(2, many + 2), pa.int64()), "happened_at": moments, "known_at": moments}
            | {"product": ["P"] * many, "market": ["all"] * many, "units": [1.0] * many, "reason": reasons}
        )

    plain, telephone = "too small", "too small, call 13812345678"
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", before_step(migrations._words_masked))
        with open_ledger(path, SETTINGS) as ledger:
            assert ledger.ingest("returns", returned([plain, telephone]), None, (), "r", NOW, by="Ann").added == 2
            old = ledger.state(NOW).table("returns")["row_id"].to_pylist()
            shown = pa.table({"evidence": pa.array([old], pa.list_(pa.string()))})
            ledger.save_run(RunRecord("R20260301-00000000", NOW, 1, {"signals": shown}), NOW, by="Ann")
    with open_ledger(path, SETTINGS) as ledger:
        now = ledger.state(NOW).table("returns")
        assert set(now["reason"].to_pylist()) == {plain, masked(telephone)} != {plain, telephone}
        (evidence,) = ledger.run_table("R20260301-00000000", "signals")["evidence"].to_pylist()
        assert sorted(evidence) == sorted(now["row_id"].to_pylist()) != sorted(old)
        assert ledger.ingest("returns", returned([plain, masked(telephone)]), None, (), "r", NOW, by="Ann").added == 0
    assert b"13812345678" not in path.read_bytes()


def test_keys_of_days_lose_their_customers_and_stay_apart() -> None:
    kind = "days+time+customer+price"
    keys = [
        "/2026-01-05/A/3600/Lee/9.9",
        "/2026-01-05/A/3600/Wu/9.9",
        "/2026-01-05/A/3600/Wu/9.9/#2",
        "R7/2026-01-05/A",
    ]
    assert names_customers(kind) and not names_customers("days+time") and not names_customers("rows")
    assert without_customers(kind) == "days+time+price"
    assert keys_without_customers(keys, kind) == {
        keys[0]: "/2026-01-05/A/3600/9.9",
        keys[1]: "/2026-01-05/A/3600/9.9/#2",
        keys[2]: "/2026-01-05/A/3600/9.9/#3",
    }


def test_a_ledger_whose_keys_named_customers_is_made_over(tmp_path: Path) -> None:
    old, new = "/2026-01-05/A/Lee", "/2026-01-05/A"
    with open_ledger(tmp_path / "ledger.duckdb", SETTINGS) as ledger:
        added(ledger, rows("Lee", sale=[old]))
        assert ledger.plain_customers() == ["Lee"]
        assert ledger.hash_customers({"Lee": "~" + "a" * 24}, {old: new}, NOW, by="Ann") == 1
        ledger.rewrite()
        assert ledger.plain_customers() == []
        table = ledger.state(NOW).table("sales")
        assert table["row_id"].to_pylist() == [f"sales:{new}"] and table["customer"].to_pylist() == ["~" + "a" * 24]
        assert added(ledger, rows("~" + "b" * 24, sale=[new])) == 0  # whoever it is
    assert b"Lee" not in (tmp_path / "ledger.duckdb").read_bytes()


def test_what_is_forgotten_leaves_every_version_and_every_branch(tmp_path: Path) -> None:
    from datong.store.branches import DuckDBBranches

    mine, theirs = "~" + "a" * 24, "~" + "b" * 24
    with open_ledger(tmp_path / "ledger.duckdb", SETTINGS) as ledger:
        added(ledger, rows(mine, theirs, sale=["s1", "s2"]))
        ledger.withdraw("sales", ["sales:s1"], NOW, by="Ann")
        branches = DuckDBBranches(ledger)
        branches.make("b", None, NOW, NOW, "", by="Ann")
        added(branches.on("b"), rows(mine, sale=["s3"]))  # ty: ignore[invalid-argument-type]
    assert mine.encode() in (tmp_path / "ledger.duckdb").read_bytes()
    with open_ledger(tmp_path / "ledger.duckdb", SETTINGS) as ledger:
        branches = DuckDBBranches(ledger)
        assert {name: table.num_rows for name, table in ledger.of_person([mine]).items()} == {"sales": 3}
        assert ledger.forget_person([mine], (), NOW, "", by="Ann") == {"sales": 3}
        assert ledger.of_person([mine]) == {} and ledger.customer_tokens() == {theirs}
        ledger.rewrite()
        assert branches.on("b").state(datetime(2026, 4, 1, tzinfo=UTC)).table("sales").num_rows == 2
    assert mine.encode() not in (tmp_path / "ledger.duckdb").read_bytes()


def test_only_what_is_quoted_of_a_customer_changes_in_findings_of_quarantine() -> None:
    from datong.ledger.customer_tokens import with_findings_of

    def kept(column: str | None, found: str, zh: str) -> dict[str, object]:
        same = {"expected": "one e of 12", "remedy": "see the e's"}
        return {"severity": "error", "code": "the_code", "source": "sales-12.csv", "row": 12, "rows_affected": 1,
                "column": column, "found": found, **same, "zh": {"found": zh, **same}}  # fmt: skip

    token = "~" + "a" * 24
    of_units = kept("units", "'12' is no number of e", "“12”不是 e")
    for name in ("e", "12"):
        findings = [
            kept("customer", f"'{name}'", f"“{name}”"),
            of_units,
            kept(None, f"'s1, {name}, x'", f"“{name}, x”"),
        ]
        told = with_findings_of(findings, {name: token}, ["customer"])
        assert told[0] == kept("customer", f"'{token}'", f"“{token}”")
        assert told[1] == of_units
        assert told[2] == kept(None, f"'s1, {token}, x'", f"“{token}, x”")
    for name in ("Canary Zhao", "O'Neil, Zhao"):
        (cut,) = with_findings_of([kept(None, f"'s1, {name[:8]}…'", f"“{name[:8]}…”")], {name: token}, ["customer"])
        assert cut == kept(None, f"'s1, {token}…'", f"“{token}…”")


def test_a_customer_with_a_short_name_leaves_findings_of_quarantine_as_they_are(tmp_path: Path) -> None:
    def waiting(ledger: DuckDBLedger) -> list[dict[str, object]]:
        return next(json.loads(one) for one in ledger.quarantined()["findings"].to_pylist())

    finding = {"severity": "error", "code": "unknown_reference", "source": "e.csv", "row": 2, "column": "product",
               "found": "'here'", "expected": "e", "remedy": "e", "zh": {"found": "“e”"}}  # fmt: skip
    raw = json.dumps({"sale": "e", "product": "e", "customer": "e"})
    bad = pa.table({"__row__": pa.array([2], pa.int64()), "raw": [raw], "findings": [json.dumps([finding])]})
    token = "~" + "a" * 24
    with open_ledger(tmp_path / "ledger.duckdb", SETTINGS) as ledger:
        ledger.ingest("sales", rows(), bad, (), "sales", NOW, by="Ann")
        before = waiting(ledger)
        assert ledger.hash_customers({"e": token}, {}, NOW, by="Ann") == 1
        assert waiting(ledger) == before
        (kept,) = ledger.quarantined()["raw"].to_pylist()
        assert json.loads(kept) == {"sale": "e", "product": "e", "customer": token}
        ledger.forget_person([token], (), NOW, "", by="Ann")
        assert waiting(ledger) == before


class Killed(BaseException):
    """As a kill would end the process there."""


def killed(*_given: object) -> None:
    raise Killed


@pytest.mark.parametrize("made_over", ["hashed", "forgotten", "migrated"])
def test_a_kill_before_the_file_is_written_anew_leaves_a_note_of_it(
    tmp_path: Path, made_over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, phone = tmp_path / "ledger.duckdb", "13812345678"
    with open_ledger(path, SETTINGS) as ledger:
        added(ledger, rows("Lee Canary", sale=["s1"]))
        raw = pa.array(['{"product": "G", "phone": "%s"}' % phone])  # noqa: UP031
        ledger.ingest("returns", rows().select(["__row__", "product", "happened_at", "units"]),
                      pa.table({"__row__": pa.array([9], pa.int64()), "raw": raw, "findings": ["[]"]}),
                      (), "r", NOW, by="Ann")  # fmt: skip
        ledger._run("CHECKPOINT")
        if made_over == "migrated":
            step = migrations.MIGRATIONS.index(migrations._quarantine_without_unknown_columns)
            ledger._run("DELETE FROM schema_version WHERE version > ?", [step])
    secret = (phone if made_over == "migrated" else "Lee Canary").encode()
    with monkeypatch.context() as patch:
        patch.setattr(DuckDBLedger, "rewrite", killed)
        if made_over == "migrated":
            with pytest.raises(Killed):
                open_ledger(path, SETTINGS)
        else:
            with open_ledger(path, SETTINGS) as ledger:
                token = "~" + "a" * 24 if made_over == "hashed" else None
                if token:
                    ledger.hash_customers({"Lee Canary": token}, {}, NOW, by="Ann")
                else:
                    ledger.forget_person(["Lee Canary"], (), NOW, "", by="Ann")
    assert secret in path.read_bytes()
    with open_ledger(path, SETTINGS) as ledger:  # not in use by the one that was killed
        assert ledger._rows("SELECT count(*) FROM rewrite_due") == [(0,)]
    assert secret not in path.read_bytes()


def test_a_ledger_that_a_link_leads_to_is_written_anew_where_it_is(tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "real.duckdb", tmp_path / "ledger.duckdb"
    real.parent.mkdir()
    open_ledger(real, SETTINGS).close()
    link.symlink_to(real)
    with open_ledger(link, SETTINGS) as ledger:
        added(ledger, rows("Lee Canary", sale=["s1"]))
        ledger.hash_customers({"Lee Canary": "~" + "a" * 24}, {}, NOW, by="Ann")
        ledger.rewrite()
        assert ledger.state(NOW).table("sales").num_rows == 1
    assert link.is_symlink() and b"Lee Canary" not in real.read_bytes()
    assert [p.name for p in real.parent.iterdir()] == ["real.duckdb"]


def test_keys_that_named_customers_are_others_wherever_they_stand(tmp_path: Path) -> None:
    """In a sale that was withdrawn, a return alone, what returns and reviews are of, a branch, the quarantine, what was
    decided and a kept run."""
    from datong.store.branches import DuckDBBranches

    day, many = datetime(2026, 1, 5, tzinfo=UTC), 1
    kind, names = "days+customer", ("Lee Canary", "Lee Canary Wu", "Wu Canary", "Ma Canary", "Qi Canary")
    lee, longer, wu, ma, qi = (f"/2026-01-05/A/{name}" for name in names)

    def events(**cells: str) -> pa.Table:
        moments = pa.array([day] * many, pa.timestamp("us", tz="UTC"))
        return pa.table({"__row__": pa.array([2], pa.int64()), "happened_at": moments}
                        | {name: [cell] for name, cell in cells.items()})  # fmt: skip

    def took(ledger: DuckDBLedger, table: str, **cells: str | float) -> int:
        return ledger.ingest(table, events(**cells), None, (), table, NOW, by="Ann").added  # ty: ignore[invalid-argument-type]

    path = tmp_path / "ledger.duckdb"
    with open_ledger(path, SETTINGS) as ledger:
        added(ledger, rows("Lee", "Lee", sale=[lee, longer]))
        ledger.withdraw("sales", [f"sales:{lee}"], NOW, by="Ann")
        took(ledger, "returns", **{"return": wu, "sale": longer, "product": "A", "units": 1.0})
        took(ledger, "returns", sale=longer, product="A", units=1.0)
        took(ledger, "reviews", sale=lee, product="A", rating=1.0)
        (nameless,) = (i for i in ledger.state(NOW).table("returns")["row_id"].to_pylist() if "#" in i)
        took(ledger, "decisions", finding="F", state="taken", kind="level_shift", evidence_table="sales",
             evidence=f"sales:{lee} sales:{longer} sales:s9")  # fmt: skip
        raw, finding = {"sale": ma}, {"column": "sale", "found": f"'{ma}'", "zh": {"found": f"“{ma}”"}}
        bad = {"raw": [json.dumps(raw)], "findings": [json.dumps([finding])]}
        bad = pa.table({"__row__": pa.array([3], pa.int64()), **bad})
        ledger.ingest("sales", rows(), bad, (), "bad", NOW, by="Ann")
        branches = DuckDBBranches(ledger)
        branches.make("b", None, NOW, NOW, "", by="Ann")
        added(branches.on("b"), rows("Qi", sale=[qi]))  # ty: ignore[invalid-argument-type]
        ids = [f"sales:{longer}", f"sales:{lee}", f"returns:{wu}", nameless]
        shown = pa.table({"evidence": pa.array([ids], pa.list_(pa.string())), "text": [json.dumps({"of": ids})]})
        ledger.save_run(RunRecord("R20260301-00000000", NOW, 1, {"signals": shown}), NOW, by="Ann")

        assert ledger.line_keys() == sorted([lee, longer, wu, ma, qi])
        keys = keys_without_customers(ledger.line_keys(), kind)
        ledger.hash_customers(dict.fromkeys(("Lee", "Qi"), "~" + "a" * 24), keys, NOW, by="Ann")
        ledger.rewrite()
        now = ledger.state(datetime(2026, 4, 1, tzinfo=UTC))
        (evidence,) = ledger.run_table("R20260301-00000000", "signals")["evidence"].to_pylist()
        assert evidence[:3] == [f"sales:{keys[longer]}", f"sales:{keys[lee]}", f"returns:{keys[wu]}"]
        assert set(evidence[2:]) == set(now.table("returns")["row_id"].to_pylist())
        assert ledger.run_table("R20260301-00000000", "signals")["text"].to_pylist() == [json.dumps({"of": evidence})]
        assert now.table("decisions")["evidence"].to_pylist() == [f"sales:{keys[lee]} sales:{keys[longer]} sales:s9"]
        assert set(now.table("returns")["sale"].to_pylist()) == {keys[longer]}
        assert now.table("reviews")["sale"].to_pylist() == [keys[lee]]
        (waiting,) = ledger.quarantined().to_pylist()
        assert json.loads(waiting["raw"]) == {"sale": keys[ma]} and f"'{keys[ma]}'" in waiting["findings"]
        assert added(ledger, rows("x", sale=[keys[longer]])) == 0
        assert took(ledger, "returns", sale=keys[longer], product="A", units=1.0) == 0
    with duckdb.connect(str(path)) as connection:
        for schema, name in connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
            assert "Canary" not in str(connection.execute(f'SELECT * FROM {schema}."{name}"').fetchall())
    assert b"Canary" not in path.read_bytes()
