"""Codes of products: kept as they are written, with what is wrong with them said."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import is_destroyed
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import shown
from datong.model.findings import Finding, finding
from datong.model.words import Message, message

_POINT_ZERO = re.compile(r"\d+\.0")
_TWINS_SHOWN = 3
# Blanks that do not break a line, that are thin, or as wide as a Chinese character.
_ODD_BLANKS = "\u00a0\u202f\u2009\u2007\u3000"


def read_codes(
    cells: Cells, rows: np.ndarray, column: str, source: str
) -> tuple[pa.Array, list[Message], list[Finding]]:
    """The codes of a column, what is to be said of them, and what is wrong with them. rows: those that count."""
    text = pc.replace_substring_regex(cells.text, f"[{_ODD_BLANKS}]", " ")
    notes: list[Message] = []
    findings: list[Finding] = []
    encoded = text.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    used = np.unique(encoded.indices.filter(pa.array(rows)).drop_null().to_numpy(zero_copy_only=False))
    codes = [known[i] for i in used.tolist()]
    digits = [c for c in codes if c[:1].isdigit() and set(c) <= set("0123456789.")]
    if digits and all(_POINT_ZERO.fullmatch(c) for c in digits) and len(digits) == len(codes):
        text = pc.replace_substring_regex(text, r"^(\d+)\.0$", r"\1")
        notes.append(message("export.point_zero", column=column))
        codes = [c.removesuffix(".0") for c in codes]
    destroyed = [c for c in codes if is_destroyed(c)]
    if destroyed:
        lost = pc.fill_null(pc.is_in(text, pa.array(destroyed, pa.string())), False).to_numpy(zero_copy_only=False)
        count = int((lost & rows).sum())
        findings.append(
            finding("warning", "export.destroyed_codes", source, column=column, rows_affected=count,
                    value=shown(destroyed[0]), count=f"{count:,}", codes=len(destroyed))
        )  # fmt: skip
    twins = _twins(codes)
    if twins:
        pairs = "; ".join(" / ".join(shown(c) for c in group) for group in twins[:_TWINS_SHOWN])
        findings.append(
            finding("warning", "export.twins", source, column=column, rows_affected=1, count=len(twins), value=pairs)
        )
    return text, notes, findings


def without_placeholders(cells: Cells) -> tuple[Cells, int]:
    """A column of codes or names without the texts that stand for nothing, and how many of its cells these were. A zero
    is a code where others are as short numbers."""
    known = cells.text.unique().drop_null().to_pylist()
    zeros = {text for text in known if set(text) == {"0"}}
    numbered = any(text.isdigit() and len(text) < 3 for text in known if text not in zeros)
    nothing = [t for t in known if plain(t) in words("codes", "nothing") or not plain(t)] + (
        [] if numbered else [*zeros]
    )
    if not nothing or len(nothing) == len(known):
        return cells, 0
    rows = pc.fill_null(pc.is_in(cells.text, pa.array(nothing, pa.string())), False)
    kept = pc.if_else(rows, pa.scalar(None, pa.string()), cells.text)
    return Cells(kept, cells.kind), int(pc.sum(rows).as_py())


def _twins(codes: Sequence[str]) -> list[list[str]]:
    """Codes that differ in case, blanks, width of characters, or zeros in front or behind the point alone."""
    groups: dict[str, list[str]] = {}
    for code in codes:
        bare = plain(code).replace(" ", "")
        if bare.isdigit():
            bare = bare.lstrip("0") or "0"
        elif re.fullmatch(r"\d+\.\d+", bare):
            bare = bare.strip("0").rstrip(".") or "0"
        groups.setdefault(bare, []).append(code)
    return [sorted(group) for group in groups.values() if len(group) > 1]
