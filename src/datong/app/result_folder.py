"""Tables as a folder of Parquet files, with a workbook or a page beside them."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datong.connectors.files.write_whole import one_at_a_time
from datong.model.errors import Refused
from datong.model.words import message

# Says that a folder was written here, and may therefore be replaced by the next run.
FOLDER_MARK = ".datong-run"


def write_tables(tables: Mapping[str, pa.Table], folder: Path, others: Mapping[str, bytes] | None = None) -> None:
    """Writes one Parquet file for each table, and `others` by file name, all or nothing.

    The same tables give the same bytes. A folder written by an earlier run is replaced. Raises Refused where the
    folder holds anything that an earlier run did not write.
    """
    others = others or {}
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder.parent):
        fresh, stale = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
        if stale.exists() and not folder.exists():  # a kill between the two moves
            stale.rename(folder)
        refuse_foreign(folder)
        for left_over in (fresh, stale):
            shutil.rmtree(left_over, ignore_errors=True)
        fresh.mkdir()
        try:
            names = []
            for name, table in tables.items():
                write_parquet(table, fresh / f"{name}.parquet")
                names.append(f"{name}.parquet")
            for name, content in others.items():
                (fresh / name).write_bytes(content)
                names.append(name)
            mark = "".join(f"{n}\n" for n in sorted(names))
            (fresh / FOLDER_MARK).write_text(mark, encoding="utf-8", newline="\n")
            _exchange(fresh, folder, stale)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(stale, ignore_errors=True)


def _exchange(fresh: Path, folder: Path, stale: Path) -> None:
    """Puts `fresh` in the place of `folder`; what was there goes to `stale`, or back if that fails."""
    if folder.exists():
        folder.rename(stale)
    try:
        fresh.rename(folder)
    except OSError:
        if stale.exists():
            stale.rename(folder)
        raise


def write_parquet(table: pa.Table, path: Path) -> None:
    """One Parquet file with fixed settings, so that equal tables give equal bytes."""
    table = table.replace_schema_metadata(None).combine_chunks()
    pq.write_table(table, path, compression="zstd", version="2.6", row_group_size=1_000_000, store_schema=False)


def refuse_foreign(folder: Path) -> None:
    """Raises Refused where write_tables could not write: before long work rather than after it."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise Refused(message("report.not_a_folder", folder=str(folder)))
    mark = folder / FOLDER_MARK
    own = {FOLDER_MARK, *mark.read_text(encoding="utf-8").split("\n")} if mark.is_file() else set()
    foreign = sorted(p.name for p in folder.iterdir() if p.name not in own)
    if foreign:
        raise Refused(message("report.folder_in_use", folder=str(folder), name=foreign[0], count=len(foreign)))
