"""The endpoints for people: Markdown for docs/api.md.

`python -m datong.app.rest.api_markdown docs/api.md` writes the part of the page between the marks.
"""

import sys
from pathlib import Path
from typing import Any

from datong.app.rest.application import PREFIX, new_api
from datong.app.rest.openapi import OPEN

BEGIN, END = "<!-- endpoints:begin -->", "<!-- endpoints:end -->"


def endpoints(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Method, path below /api/v1 and what it does, in the order of the description."""
    return [
        (method.upper(), path, operation.get("description", "").replace("\n", " "))
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]


def endpoints_markdown(schema: dict[str, Any]) -> str:
    lines = [f"| Endpoint, below {PREFIX} | What it does |", "| --- | --- |"]
    for method, path, does in endpoints(schema):
        note = " Nobody has to be signed in." if (method.lower(), path) in OPEN else ""
        lines.append(f"| `{method} {path}` | {does}{note} |")
    return "\n".join(lines)


def page_with(text: str, schema: dict[str, Any]) -> str:
    """The page with that table in its place."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{endpoints_markdown(schema)}\n{END}{rest.partition(END)[2]}"


def main(page: Path) -> None:
    page.write_text(page_with(page.read_text(encoding="utf-8"), new_api().openapi()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
