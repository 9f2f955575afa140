"""`datong try`: a stranger's export as a chain of its own."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from datong.connectors.files.read import RawSource
from datong.model.errors import Refused
from datong.model.words import message


def write_chain(folder: Path, name: str, country: str, parts: Sequence[tuple[str, RawSource]]) -> None:
    """A chain folder of the mapped rows, as text, so that `datong check` finds in it what it would find anywhere.

    Raises Refused where the folder holds anything already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refused(message("app.not_empty", folder=folder))
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"name": name, "country": country, "history": "declared"}
    text = "\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items() if value)
    (folder / "chain.toml").write_text(text + "\n", encoding="utf-8")
    for table, source in parts:
        rows = source.rows.drop_columns([c for c in source.rows.column_names if c.startswith("__")])
        pq.write_table(rows, folder / f"{table}.parquet")
