"""The ceiling of the delay: its evidence and its weeks are those worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from script import load

bench = load(Path(__file__).resolve().parents[2] / "benchmarks" / "change.py")


def test_evidence_sums_over_sizes_and_over_when_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poisson of mean 1. Twice as much: ratio of u units is 2^u / e. Of 3 and 0 units:
    after one week a = 8 / e; after two (1 + a) / e. Half as much: 2^-u x sqrt(e); b = sqrt(e) / 8; (1 + b) sqrt(e)."""
    monkeypatch.setattr(bench, "SIZES_TRIED", (2.0, 0.5))
    found = bench.of_any_size(np.array([[3.0, 0.0]]), 1.0, None)
    a, b = 8 / np.e, np.e**0.5 / 8
    assert np.exp(found[0]) == pytest.approx([a + b, (1 + a) / np.e + (1 + b) * np.e**0.5])


def test_weeks_count_from_the_first() -> None:
    assert bench.weeks_until(np.array([[1.0, 3.0, 4.0], [5.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), 3.0).tolist() == [
        2,
        1,
        bench.NEVER,
    ]


def test_the_threshold_is_reached_by_the_share_that_is_allowed() -> None:
    """0.1 of 200 series a year: 10 of 20,000."""
    quiet = np.arange(20_000.0)[:, None] * [0.5, 1.0]
    assert (quiet.max(axis=1) >= bench.budgeted(quiet)).sum() == 10
