"""The tables of a chain folder for people: records for `datong schema`, Markdown for docs/tables.md.

`python -m datong.connectors.files.tables_document DOCS_DIR` writes docs/tables.md and docs/tables.zh-CN.md, and in
docs/privacy.md and docs/privacy.zh-CN.md the part between the marks.
"""

import sys
from pathlib import Path
from typing import Any

from datong.model.tables import RESERVED, Column, Table, tables
from datong.model.words import say

DOCS = {"en": "tables.md", "zh": "tables.zh-CN.md"}
PRIVACY_DOCS = {"en": "privacy.md", "zh": "privacy.zh-CN.md"}
BEGIN, END = "<!-- personal:begin -->", "<!-- personal:end -->"


def schema_records(language: str) -> list[dict[str, Any]]:
    """One record for each column of each table, in order; all texts in `language`."""
    return [
        {
            "table": table.name,
            "column": column.name,
            "type": say(f"schema.types.{column.type}", language),
            "unit": say(f"schema.units.{column.unit}", language) if column.unit else "",
            "required": column.required,
            "default": _default(column, language),
            "allowed": _allowed(column, language),
            "meaning": column.zh if language == "zh" else column.en,
        }
        for table in tables().values()
        for column in table.columns.values()
    ]


def schema_markdown(language: str) -> str:
    """All tables as one Markdown page."""
    lines = [f"# {say('schema.title', language)}", "", say("schema.intro", language), ""]
    columns = ("column", "type", "unit", "required", "default", "allowed", "meaning")
    records = schema_records(language)
    for table in tables().values():
        text = table.zh if language == "zh" else table.en
        lines += [f"## {table.name}", "", text, "", say(f"schema.{table.kind}", language)]
        lines += [say("schema.key", language, key=", ".join(f"`{k}`" for k in (*table.key, *table.finer))), ""]
        lines.append("| " + " | ".join(say(f"schema.{c}", language) for c in columns) + " |")
        lines.append("|" + " --- |" * len(columns))
        for record in records:
            if record["table"] == table.name:
                shown = {**record, "column": f"`{record['column']}`"}
                shown["required"] = say("schema.yes", language) if record["required"] else ""
                lines.append("| " + " | ".join(str(shown[c]).replace("|", "\\|") for c in columns) + " |")
        lines.append("")
    names = ", ".join(f"`{name}`" for name in sorted(RESERVED))
    lines += [say("schema.reserved", language, names=names), ""]
    return "\n".join(lines)


def personal_markdown(language: str) -> str:
    """Which columns are about persons, and how each is kept, as a Markdown table."""
    heads = [say(f"privacy.{name}", language) for name in ("table", "column", "about", "kept_as")]
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for table in tables().values():
        for column in table.columns.values():
            if column.personal:
                about = say(f"privacy.{column.personal}_is", language)
                lines.append(f"| `{table.name}` | `{column.name}` | {about} | {_kept_as(table, column, language)} |")
    return "\n".join(lines)


def _kept_as(table: Table, column: Column, language: str) -> str:
    how = "as_token" if column.personal == "customer" else "as_masked" if column.masked else "as_told"
    if how == "as_masked" and not table.personal_columns("customer"):  # whom it is of, nobody knows
        how = "as_masked_alone"
    return say(f"privacy.{how}", language)


def privacy_doc(text: str, language: str) -> str:
    """The page with that table in its place."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{personal_markdown(language)}\n{END}{rest.partition(END)[2]}"


def _default(column: Column, language: str) -> str:
    text = column.default_text_zh if language == "zh" else column.default_text_en
    if text or column.default is None:
        return text
    return str(column.default).lower() if isinstance(column.default, bool) else str(column.default)


def _allowed(column: Column, language: str) -> str:
    limits = (("≥", column.minimum), (">", column.above), ("≤", column.maximum), ("<", column.below))
    parts = [f"{sign} {limit:g}" for sign, limit in limits if limit is not None]
    if column.largest is not None:
        parts.append(f"≤ {column.largest:,.0f}")
    if column.choices:
        parts.append(", ".join(column.choices))
    if column.refers_to is not None:
        parts.append(say("schema.refers_to", language, table=column.refers_to))
    return "; ".join(parts)


def main(folder: Path) -> None:
    for language, name in DOCS.items():
        (folder / name).write_text(schema_markdown(language), encoding="utf-8", newline="\n")
        page = folder / PRIVACY_DOCS[language]
        if page.is_file():
            page.write_text(privacy_doc(page.read_text(encoding="utf-8"), language), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
