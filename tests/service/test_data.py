"""What came in, rows that wait and are mended in place, and files that are brought in after a look at what they do."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from datong.app.service.data import (
    KEPT,
    MOST_WAITING,
    arrivals,
    as_waiting,
    correct,
    discard,
    drop_upload,
    folder_findings,
    freshness,
    preview,
    profiles,
    quarantine,
    retry,
    take,
    upload,
    uploads,
    waiting,
)
from datong.app.service.grids import Wanted
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.model.errors import Asked, BadInput, DatongError, NotFound, Refused

PLANNER = Who(1, "plan@works", "", ("planner",))
OTHER = Who(5, "other@works", "", ("planner",))
ANALYST = Who(2, "look@works", "", ("analyst",))
FACTORY = Who(3, "press@works", "", ("factory",), firm="F1")
NEW = b"sale,happened_at,product,market,units,price\nx1,2026-03-02,OIL,north,5,90\nx2,2026-03-02,OLI,north,5,90\n"


def sold(served: Served) -> int:
    return next(one.rows for one in freshness(served, PLANNER) if one.table == "sales")


def test_each_table_says_how_fresh_it_is(shop: Served) -> None:
    fresh = {one.table: one for one in freshness(shop, ANALYST)}
    assert fresh["sales"].rows == 26 * 7 * 3
    assert fresh["sales"].last_happened == datetime(2026, 3, 1, tzinfo=UTC)
    assert (fresh["sales"].waiting, fresh["sales"].source) == (0, "sales")
    assert "production" not in fresh
    rows = arrivals(shop, ANALYST, Wanted(count=3))
    assert [r["what"] for r in rows.rows.to_pylist()][:1] == ["run"]
    assert rows.cursor is not None


def test_a_preview_says_what_would_come_in_and_keeps_nothing(shop: Served, audited: Callable) -> None:
    before = (sold(shop), arrivals(shop, PLANNER).total, quarantine(shop, PLANNER).total)
    brought = upload(shop, PLANNER, "C:\\exports\\sales.csv", NEW)
    assert (brought.name, brought.size) == ("sales.csv", len(NEW))
    seen = preview(shop, PLANNER, brought.upload)
    (report,) = seen.reports
    assert (report.table, report.added, report.quarantined) == ("sales", 1, 1)
    assert any("OLI" in f.text("en") for f in seen.findings)
    assert (sold(shop), arrivals(shop, PLANNER).total, quarantine(shop, PLANNER).total) == before
    again = preview(shop, PLANNER, brought.upload)
    assert again.reports == seen.reports
    taken = take(shop, PLANNER, brought.upload)
    assert [(r.added, r.quarantined) for r in taken.reports] == [(1, 1)]
    assert sold(shop) == before[0] + 1
    assert uploads(shop, PLANNER) == ()
    assert audited()[-2:] == ["upload_file", "take_file"]
    with pytest.raises(NotFound):
        take(shop, PLANNER, brought.upload)


def test_what_of_an_export_is_not_sure_is_asked_and_the_answer_kept_only_when_taken(shop: Served) -> None:
    """2/3/2026 may be the second of March or the third of February."""
    text = "Order,Date,SKU,Qty,Price\n" + "".join(f"A{i},{1 + i % 3}/3/2026,OIL,{2 + i},90\n" for i in range(1, 6))
    brought = upload(shop, PLANNER, "export 12.csv", text.encode())
    with pytest.raises(Asked) as asked:
        preview(shop, PLANNER, brought.upload)
    answers = {}
    for _ in range(6):
        try:
            seen = preview(shop, PLANNER, brought.upload, answers=answers)
            break
        except Asked as more:
            answers |= {q.key: q.options[0].name for q in more.questions}
    assert asked.value.questions
    assert seen.reading is not None
    assert not (shop.chain_thread.folder / "answers.toml").exists()
    take(shop, PLANNER, brought.upload, answers=answers)
    assert (shop.chain_thread.folder / "answers.toml").exists()


def test_no_key_of_a_customer_is_made_by_a_look(shop: Served) -> None:
    text = NEW.replace(b"price\n", b"price,customer\n").replace(b",90\n", b",90,Wang Fang\n")
    brought = upload(shop, PLANNER, "sales.csv", text)
    keys = shop.chain_thread.folder / ".datong" / "customers"
    preview(shop, PLANNER, brought.upload)
    assert not any(b"Wang" in f.read_bytes() for f in shop.chain_thread.folder.rglob("*") if f.is_file())
    there = sorted(f.name for f in (shop.chain_thread.folder / ".datong").rglob("*") if f.is_file())
    assert "ledger.duckdb" in there
    assert not keys.exists() or not any(keys.iterdir())


def test_a_row_that_waits_is_mended_where_it_is(shop: Served, audited: Callable) -> None:
    take(shop, PLANNER, upload(shop, PLANNER, "sales.csv", NEW).upload)
    (row,) = [as_waiting(r) for r in quarantine(shop, ANALYST).rows.to_pylist()]
    assert (row.table, row.source, row.row, row.cells["product"]) == ("sales", "sales.csv", 3, "OLI")
    assert row.findings[0].column == "product"
    assert "OLI" in row.findings[0].found["en"]
    assert "OLI" in row.findings[0].found["zh"] != row.findings[0].found["en"]
    assert not row.in_folder
    with pytest.raises(BadInput) as wrong:
        correct(shop, PLANNER, row.quarantine_id, {"product": "OLY"})
    assert "OLY" in wrong.value.findings[0].text("en")
    assert waiting(shop, PLANNER, row.quarantine_id).cells["product"] == "OLI"
    count = sold(shop)
    report = correct(shop, PLANNER, row.quarantine_id, {"product": "OIL"}, "mistyped")
    assert report.added == 1
    assert sold(shop) == count + 1
    assert quarantine(shop, PLANNER).total == 0
    assert audited()[-1] == "correct_row"


def test_the_audit_repeats_nothing_of_a_person(shop: Served) -> None:
    """Neither the customer that is typed, nor what stands in a column that the table does not know."""
    text = NEW.replace(b"price\n", b"price,customer\n").replace(b",90\n", b",90,Wang Fang\n")
    take(shop, PLANNER, upload(shop, PLANNER, "sales.csv", text).upload)
    (row,) = [as_waiting(r) for r in quarantine(shop, PLANNER).rows.to_pylist()]
    correct(shop, PLANNER, row.quarantine_id, {"product": "OIL", "customer": "Li Na", "phone": "13800000000"})
    noted = str(shop.database.rows("SELECT * FROM audit"))
    assert "OIL" in noted
    assert not [name for name in ("Li Na", "Wang Fang", "13800000000") if name in noted]
    shop.chain_thread.close()
    files = [f for f in shop.chain_thread.folder.rglob("*") if f.is_file()]
    assert not [f for f in files if b"Li Na" in f.read_bytes()]


def test_rows_that_wait_are_tried_again_or_discarded(shop: Served) -> None:
    take(shop, PLANNER, upload(shop, PLANNER, "sales.csv", NEW).upload)
    assert [r.quarantined for r in retry(shop, PLANNER)] == [1]
    shop.chain_thread.write("x", lambda chain: chain.write_rows("products", [{"product": "OLI", "price": "9"}], "x"))
    assert [r.added for r in retry(shop, PLANNER)] == [1]
    take(shop, PLANNER, upload(shop, PLANNER, "sales.csv", NEW.replace(b"OLI", b"OLX")).upload)
    ids = quarantine(shop, PLANNER).rows["quarantine_id"].to_pylist()
    assert discard(shop, PLANNER, ids) == len(ids) > 0
    with pytest.raises(NotFound):
        discard(shop, PLANNER, ids)


def test_a_mended_row_of_a_file_in_the_folder_stays_mended(shop: Served) -> None:
    """The file still has the wrong row: it waits again when it is read again, and the mended one still holds."""
    file = shop.chain_thread.folder / "lines.csv"
    file.write_text("line,hours_per_week\nPRESS,40\nCUT,4o\n", encoding="utf-8")
    shop.chain_thread.lend(lambda: None)
    (row,) = [as_waiting(r) for r in quarantine(shop, PLANNER).rows.to_pylist()]
    assert row.in_folder
    correct(shop, PLANNER, row.quarantine_id, {"hours_per_week": "40"})
    shop.chain_thread.lend(lambda: None)
    lines = shop.chain_thread.read(lambda chain: chain.state(names=("lines",)).table("lines")["line"].to_pylist())
    assert lines == ["CUT", "PRESS"]


def test_a_file_is_kept_for_its_owner_for_an_hour(shop: Served, clock) -> None:
    brought = upload(shop, PLANNER, "sales.csv", NEW)
    for task in (preview, take, drop_upload):
        with pytest.raises(NotFound):
            task(shop, OTHER, brought.upload)
    clock.later(seconds=KEPT.total_seconds() + 1)
    assert uploads(shop, PLANNER) == ()
    with pytest.raises(NotFound):
        preview(shop, PLANNER, brought.upload)
    upload(shop, PLANNER, "sales.csv", NEW)
    assert len(shop.database.rows("SELECT upload FROM uploads")) == 1  # the old one is gone for good
    drop_upload(shop, PLANNER, uploads(shop, PLANNER)[0].upload)
    assert uploads(shop, PLANNER) == ()


def test_files_that_cannot_be_are_refused(shop: Served) -> None:
    for name, content in (("sales.exe", NEW), ("sales.csv", b"")):
        with pytest.raises(Refused):
            upload(shop, PLANNER, name, content)
    for _ in range(MOST_WAITING):
        upload(shop, PLANNER, "sales.csv", NEW)
    with pytest.raises(Refused, match="wait"):
        upload(shop, PLANNER, "sales.csv", NEW)
    with pytest.raises(BadInput):
        preview(shop, PLANNER, uploads(shop, PLANNER)[0].upload, table="no such table")


def test_who_may_not_is_told(shop: Served) -> None:
    for task in (freshness, arrivals, quarantine, folder_findings, profiles):
        with pytest.raises(NotAllowed):
            task(shop, FACTORY)
    for task in (retry, uploads, lambda s, w: upload(s, w, "sales.csv", NEW), lambda s, w: correct(s, w, "x", {})):
        with pytest.raises(NotAllowed):
            task(shop, ANALYST)


def test_platforms_are_listed_and_the_folder_is_clean(shop: Served) -> None:
    known = profiles(shop, ANALYST)
    assert len(known) > 10
    assert not any(is_own for _, is_own in known)
    assert folder_findings(shop, ANALYST) == ()


def test_a_file_that_was_wrong_is_dropped_and_stays_in_the_audit(shop: Served) -> None:
    brought = upload(shop, PLANNER, "bad.xlsx", b"no workbook at all")
    with pytest.raises(DatongError):
        preview(shop, PLANNER, brought.upload)
    drop_upload(shop, PLANNER, brought.upload)
    assert uploads(shop, PLANNER) == ()
    entries = [
        e
        for e in shop.audit.entries(Who(9, "audit@works", "", ("auditor", "planner")))
        if e["subject"] == brought.upload
    ]
    assert [(e["what"], (e["after"] or e["before"])["name"]) for e in entries] == [
        ("upload_file", "bad.xlsx"),
        ("drop_upload", "bad.xlsx"),
    ]
