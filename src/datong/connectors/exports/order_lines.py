"""Which row of an export is which line of an order, so that the next export knows it again.

A line is known by its order, the day of it, its product, and, where an order has a product several times, its turn
among them: columns may come and go, states and quantities may change. The day keeps numbers apart that begin anew, as
those of receipts do.
"""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.dates import not_a_day
from datong.ledger.columns import before_in_group

# A key that was made here.
KEY = re.compile(r"/[0-9]{4}-[0-9]{2}-[0-9]{2}/")
# What `line_keys` puts behind the second line of one product in an order, and those after it.
_TURN = r"^(.*/[0-9]{4}-[0-9]{2}-[0-9]{2}/.*)/[0-9]+$"


def line_keys(order: Cells, days: np.ndarray, product: pa.Array) -> pa.Array:
    """(row,) key of its order line; null where its order, day or product is not told. days: since 1970-01-01."""
    there = ~not_a_day(days)
    day = pa.array(np.where(there, days, 0).astype(np.int32), pa.int32(), mask=~there).cast(pa.date32())
    line = pc.binary_join_element_wise(order.text, pc.cast(day, pa.string()), product, "/")
    turn = pa.array(_turns(line), pa.int64())
    again = pc.binary_join_element_wise(line, pc.cast(turn, pa.string()), "/")
    return pc.if_else(pc.greater(turn, 1), again, line)


def _turns(line: pa.Array) -> np.ndarray:
    """(row,) how many rows of the same line there were up to it, itself included."""
    codes = line.dictionary_encode("encode").indices.to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.argsort(codes, kind="stable")
    turn = np.empty(len(codes), np.int64)
    turn[order] = before_in_group(codes[order], np.ones(len(codes))) + 1
    return turn


def repeated(lines: pa.Array, columns: Mapping[str, Cells], rows: np.ndarray) -> np.ndarray:
    """(row,) bool: of these rows those that are alike in every column to an earlier row of the same order line. lines:
    (row,) keys, as `line_keys` gives them; only lines with a turn of their own can have one."""
    base = pc.replace_substring_regex(lines, _TURN, r"\1")
    encoded = base.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    known = rows & (encoded >= 0)
    count = np.bincount(encoded[known], minlength=int(encoded.max(initial=0)) + 1)
    at = np.flatnonzero(known & (count[np.maximum(encoded, 0)] > 1))
    result = np.zeros(len(rows), bool)
    if not len(at):
        return result
    texts = [cells.text.take(pa.array(at)).to_pylist() for cells in columns.values()]
    seen: set[tuple[object, ...]] = set()
    for place, row in zip(at.tolist(), zip(*texts, strict=True), strict=True):
        result[place] = row in seen
        seen.add(row)
    return result
