"""The tables of a chain folder for people: records for `datong schema`, Markdown for docs/tables.md.

`python -m datong.connectors.files.schema DOCS_DIR` writes docs/tables.md and docs/tables.zh-CN.md.
"""

import sys
from pathlib import Path
from typing import Any

from datong.model.tables import RESERVED, Column, tables
from datong.model.words import say

DOCS = {"en": "tables.md", "zh": "tables.zh-CN.md"}


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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
