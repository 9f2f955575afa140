"""The pages that list the tables say what tables.toml says."""

from pathlib import Path

import pytest

from datong.connectors.files.tables_document import DOCS, PRIVACY_DOCS, privacy_doc, schema_markdown, schema_records
from datong.model.tables import RESERVED, tables

DOCS_DIR = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_docs_are_up_to_date(language: str) -> None:
    """If this fails: python -m datong.connectors.files.tables_document docs"""
    assert (DOCS_DIR / DOCS[language]).read_text(encoding="utf-8") == schema_markdown(language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_on_persons_lists_every_column_about_one(language: str) -> None:
    """If this fails: python -m datong.connectors.files.tables_document docs"""
    page = (DOCS_DIR / PRIVACY_DOCS[language]).read_text(encoding="utf-8")
    assert page == privacy_doc(page, language)
    columns = [c for t in tables().values() for c in t.columns.values() if c.type == "text"]
    assert {c.name for c in columns if c.masked} <= {c.name for c in columns if c.personal == "words"}
    # A column that is called like a person's says whose it is.
    telling = ("customer", "buyer", "email", "phone", "person", "worker", "operator")
    unsaid = [
        c.name for c in columns if not c.personal and (any(w in c.name for w in telling) or c.name.endswith("ed_by"))
    ]
    assert unsaid == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_column_has_a_record(language: str) -> None:
    records = schema_records(language)
    assert [(r["table"], r["column"]) for r in records] == [(t.name, c) for t in tables().values() for c in t.columns]
    assert all(r["type"] and r["meaning"] for r in records)
    assert len({tuple(r) for r in records}) == 1


def test_a_record_in_full() -> None:
    found = next(r for r in schema_records("en") if (r["table"], r["column"]) == ("recipes", "yield_share"))
    assert found == {
        "table": "recipes",
        "column": "yield_share",
        "type": "number",
        "unit": "share (0 to 1)",
        "required": False,
        "default": "1",
        "allowed": "> 0; ≤ 1",
        "meaning": "Good units per unit started.",
    }
    line = next(r for r in schema_records("zh") if (r["table"], r["column"]) == ("recipes", "line"))
    assert line["allowed"] == "lines 中已有"


def test_reserved_names_are_no_tables_and_are_listed() -> None:
    assert not RESERVED & set(tables())
    assert all(f"`{name}`" in schema_markdown("zh") for name in RESERVED)
