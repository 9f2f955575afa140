"""Tables larger than memory should hold: kept in a file of their own and read part by part.

A ledger writes the rows of a large event table (MOST_IN_MEMORY) into a file without a name, from where they are mapped:
the table is an ordinary one, but its pages are the file's, and the system lets go of them when memory is wanted. Who
reads it goes over `parts`, and keeps sums, not rows. A table of one part gives the same as the whole.
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.model.flow import IntArray

# Rows that are worked on at once; of an event table of more rows than these none are held in memory.
MOST_IN_MEMORY = 250_000


def parts(rows: pa.Table, names: Sequence[str]) -> Iterator[pa.Table]:
    """These columns of a table, up to MOST_IN_MEMORY rows at a time, in order; one part at least."""
    some = rows.select(list(names))
    for begin in range(0, max(some.num_rows, 1), MOST_IN_MEMORY):
        yield some.slice(begin, MOST_IN_MEMORY)


def is_large(rows: pa.Table) -> bool:
    """Whether a table has more than one part."""
    return too_many(rows.num_rows)


def too_many(rows: int) -> bool:
    """Whether so many rows of an event table are more than are held in memory."""
    return rows > MOST_IN_MEMORY


def taken(column: pa.ChunkedArray, rows: IntArray) -> pa.ChunkedArray:
    """The values of a column at some positions, in their order. Of a column in many pieces no more is copied."""
    if column.num_chunks < 2:
        return column.take(pa.array(rows))
    ends = np.cumsum([len(chunk) for chunk in column.chunks])
    order = np.argsort(rows, kind="stable")
    piece = np.searchsorted(ends, rows[order], side="right")
    cuts = np.flatnonzero(np.diff(piece)) + 1
    found = []
    for own in np.split(order, cuts) if len(order) else []:
        at = int(np.searchsorted(ends, rows[own[0]], side="right"))
        chunk = column.chunk(at)
        found.append(chunk.take(pa.array(rows[own] - (ends[at] - len(chunk)))))
    back = np.empty(len(rows), np.int64)
    back[order] = np.arange(len(rows))
    together = pa.concat_arrays(found) if found else pa.array([], column.type)
    return pa.chunked_array([together.take(pa.array(back))])


def codes_at(column: pa.ChunkedArray, rows: IntArray) -> tuple[IntArray, pa.Array]:
    """(row) the place of the text at each of some positions of a column among those there are, in the order of their
    first appearance; -1: null."""
    found, known = [np.zeros(0, np.int64)], pa.array([], column.type)
    for begin in range(0, len(rows), MOST_IN_MEMORY):
        encoded = taken(column, rows[begin : begin + MOST_IN_MEMORY]).combine_chunks().dictionary_encode()
        own, at = encoded.dictionary, pc.index_in(encoded.dictionary, value_set=known)
        is_new = pc.is_null(at)
        place = pc.fill_null(at, -1).to_numpy().astype(np.int64)
        fresh = own.filter(is_new)
        place[is_new.to_numpy(zero_copy_only=False)] = len(known) + np.arange(len(fresh))
        known = pa.concat_arrays([known, fresh])
        found.append(np.append(place, -1)[pc.fill_null(encoded.indices, len(own)).to_numpy()])
    return np.concatenate(found), known


def in_file(made: Iterable[pa.Table], schema: pa.Schema, folder: Path) -> pa.Table:
    """The rows of tables as one whose pages are those of a file, which goes when nobody reads the table any more.
    folder: where there is room for it."""
    with TemporaryFile(dir=folder) as file:
        with pa.ipc.new_file(pa.PythonFile(file, mode="w"), schema) as writer:
            for rows in made:
                writer.write_table(rows.combine_chunks())
        file.flush()
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return pa.ipc.open_file(pa.BufferReader(pa.py_buffer(pages))).read_all()
