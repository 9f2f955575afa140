"""Rows of reviews or of interest on their way: what came of a list."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Taken:
    """rows: of our table, with the number of the file's row. used: (row,) bool, rows of the file that gave some.
    counts: how many of each kind were taken, by the name of the kind, as `heard.taken_KIND` says them."""

    rows: pa.Table
    used: np.ndarray
    counts: Mapping[str, float]
