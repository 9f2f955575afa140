"""The models that come with Datong: what the script makes, small, and better than words of praise and blame alone."""

import io
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from datong.sense.voice.polarity_model import probabilities, scores
from datong.sense.voice.reading import split, verdicts
from datong.sense.voice.shipped import FILE, LANGUAGES, packed, shipped, unpacked

ROOT = Path(__file__).resolve().parents[3]
GOOD = {
    "zh": ["质量很好，下次还会再买", "物流很快，包装完好", "口感不错，水分足"],
    "en": ["I love this dress, it fits perfectly"],
}
BAD = {
    "zh": ["太差了，用了两天就坏了", "客服不理人，再也不会来了", "没有想象的好，退货了"],
    "en": ["Poor quality, I returned it right away", "The fabric is scratchy and it looks cheap"],
}


@pytest.mark.parametrize("of", LANGUAGES)
def test_plain_praise_and_blame_are_told_apart(of: str) -> None:
    assert (probabilities(shipped(of), GOOD[of]) > 0.5).all() and (probabilities(shipped(of), BAD[of]) < 0.5).all()


@pytest.mark.parametrize("of", LANGUAGES)
def test_of_another_language_it_says_nothing(of: str) -> None:
    parts = split(["Бабушка связала красивый шарф, очень тёплый", "Το φόρεμα είναι πολύ όμορφο"])
    assert not verdicts(parts, shipped(of)).any()


def test_what_is_packed_is_unpacked() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, **packed({name: shipped(name) for name in LANGUAGES}))
    file.seek(0)
    for name, model in unpacked(file).items():
        assert np.array_equal(scores(model, GOOD[name]), scores(shipped(name), GOOD[name]))
        assert model.knots == shipped(name).knots


def test_the_file_is_small_and_says_what_it_was_learnt_from() -> None:
    place = files("datong.sense.voice")
    assert len(place.joinpath(FILE).read_bytes()) < 2_000_000
    told = place.joinpath("shipped.md").read_text(encoding="utf-8")
    assert all(word in told for word in ("CC0", "Apache-2.0", "ASAP", "Brooks", "shipped_voice.toml"))


@pytest.mark.skipif(
    not (ROOT.parent / "shared" / "data" / "reviews_en_clothing").is_dir(), reason="the public sets are not there"
)
def test_the_file_is_what_the_script_makes() -> None:
    pytest.importorskip("pandas")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "shipped_voice.py"), "compare"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr
