"""By which sign the fields of a text are parted, and how many most records have."""

import numpy as np

from datong.connectors.files.csv_rows import DELIMITERS, records_of

_SAMPLE_RECORDS = 1000


def delimiter_and_width(sample: str) -> tuple[str, int]:
    """The separator and how many fields most records have.

    The right one cuts most records into as many fields, and leaves none of the other separators in them.
    """
    hint = sample[:5].lower()
    if hint.startswith("sep=") and hint[4:5] in DELIMITERS:
        first = hint[4]
        return first, _widths(sample, first)[1]

    def score(delimiter: str) -> tuple[float, int]:
        share, width, clean = _widths(sample, delimiter)
        return (share * clean, width) if width > 1 else (0.0, 0)

    best = max(DELIMITERS, key=score)
    return best, max(1, _widths(sample, best)[1])


def _widths(sample: str, delimiter: str) -> tuple[float, int, float]:
    """Share of the records with as many fields as most have, that number, and the share of fields without another
    separator in them."""
    records = [r for _, r in zip(range(_SAMPLE_RECORDS), records_of(sample, delimiter), strict=False)]
    records = [r for r in records if any(cell.strip() for cell in r)]
    if len(records) > 20:
        records = records[:-1]  # the sample may end within a record
    if not records:
        return 0.0, 0, 0.0
    widths = np.array([len(r) for r in records])
    values, counts = np.unique(widths, return_counts=True)
    most = int(values[counts.argmax()])
    top = max(max(i + 1 for i, cell in enumerate(r) if cell.strip()) for r in records[:20])
    width = max(most, min(top, most + 3) if top > most and counts.max() < len(records) else most)
    others = [d for d in DELIMITERS if d not in (delimiter, ",")]
    cells = [cell for r in records for cell in r]
    clean = 1 - sum(any(d in cell.strip() for d in others) for cell in cells) / len(cells)
    return float(counts.max() / len(records)), width, clean
