"""The benchmark of voice: its splits stay, its measures are those worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from script import load

ROOT = Path(__file__).resolve().parents[2]
bench = load(ROOT / "benchmarks" / "voice.py")
with_data = pytest.mark.skipif(not bench.DATA.is_dir(), reason="needs ../shared")


def test_f1_counts_pairs_of_aspect_and_polarity() -> None:
    """Found: 3 pairs, of which 1 right; there: 2. F1 = 2 x 1 / (3 + 2)."""
    found = np.array([[1, -2, 0], [-2, -1, -2]])
    gold = np.array([[1, -2, 1], [-2, -2, -2]])
    assert bench.f1(found, gold) == pytest.approx(2 / 5)
    assert bench.f1(found, gold, np.array([0, 0])) == pytest.approx(4 / 8)


def test_a_word_of_negation_turns_the_one_right_after_it() -> None:
    assert bench.counted("好,不好,不太好吃好", ["好"], ["不", "不太"]) == 0
    assert bench.of_lexicon(["味道不好,服务热情"])[0][[4, 15]].tolist() == [1, -1]


def test_the_difference_is_paired() -> None:
    part = bench.Part(["a", "b", "c", "d"], np.array([True, True, False, False]), [""] * 4)
    row = bench.row_of("x", part, np.array([1.0, -1, -1, -1]), datong=np.array([1.0, 1, -1, -1]))
    assert row["svm"] == 0.75 and row["datong"] == 1 and row["datong_less_svm"] == 0.25
    assert row["datong_less_svm_se"] == pytest.approx(np.std([0, 1, 0, 0]) / 2, abs=1e-4)


def test_scores_of_clauses_are_put_together_by_review() -> None:
    found = bench.over_clauses(np.array([2.0, -1.0, 5.0, 3.0]), np.array([0, 0, 0, 2]), 3)
    assert [one.tolist() for one in found] == [[-1, 0, 3], [5, 0, 3], [2, 0, 3], [5, 0, 3], [2, 0, 3]]


def test_without_data_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "DATA", tmp_path / "none")
    assert bench.main([]) == 0
    assert "is not beside this checkout" in capsys.readouterr().out


@with_data
def test_no_text_of_the_test_part_is_learnt_from() -> None:
    train, test = bench.read("waimai", "waimai_10k.parquet")
    assert len(test) == (len(train) + len(test)) // 5
    assert not set(train.texts) & set(test.texts)
    inner = bench.chosen("waimai", "waimai_10k.parquet", short=False, opened=False)
    assert not set(inner.test.texts) & (set(inner.train.texts) | set(test.texts))


@with_data
def test_fakes_of_every_kind_are_planted_and_most_are_found() -> None:
    row = bench.fakes(short=True, opened=False)
    assert set(row["each"]) == {f"{language}, {name}" for language in ("en", "zh") for name in ("developed", "opened")}
    for one in row["each"].values():
        assert all(one[kind] > 0.8 for kind in ("frame", "burst", "buyer"))
        assert one["planted"] >= 5 * 10 * 18
    assert row["flagged"] >= 0.8


def test_generators_share_no_words() -> None:
    """What is held out is another one: no frame, and no word of a place, is in two sets."""
    seen: set[str] = set()
    for made in (bench.DEVELOPED, bench.OPENED, bench.HELD_OUT):
        places = [
            word for fill in made.words.values() for name, words in fill.items() if name != "few" for word in words
        ]
        own = {*places, *(frame for some in made.frames.values() for frame in some)}
        assert not own & seen
        seen |= own
