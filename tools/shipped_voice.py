"""Make the models that come with Datong of sets whose licence allows it: src/datong/sense/voice/shipped.npz.

    python tools/shipped_voice.py write      learn, and write the file
    python tools/shipped_voice.py compare    learn, and exit 1 where the file differs

English: reviews of clothes (CC0), the four fifths that `benchmarks/voice.py` learns from, four or five stars against
one or two. Chinese: reviews put together of our own words (`shipped_voice.toml`), and the clauses of 300 restaurant
reviews (ASAP, Apache-2.0) that speak of an aspect which is labelled as good or bad. What a score means is learnt from
those clauses alone, each scored by a model that has not seen its review: made reviews are too plain to say it. The data
lie in ../shared/data beside the checkout. Sets that may not be redistributed are not read: no setting comes from them.
"""

import sys
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datong.sense.voice.aspects import lexicon, mentions
from datong.sense.voice.ngrams import tokens
from datong.sense.voice.polarity_model import Polarity, Settings, knots_of, learnt, scores
from datong.sense.voice.reading import split
from datong.sense.voice.shipped import FILE, packed
from datong.sense.voice.text import clean

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import voice  # noqa: E402

ASAP = ROOT.parent / "shared" / "data" / "reviews_zh" / "asap_sample.parquet"
OUT = ROOT / "src" / "datong" / "sense" / "voice" / FILE
SEED = 16
MADE, MOST_CLAUSES, TURNED_SHARE = 12_000, 4, 0.15
FOLDS = 5
ENGLISH = Settings(bits=19)
CHINESE = Settings(bits=16, held_out_share=0)
NOT_ASPECTS = 4


def english() -> Polarity:
    train, _ = voice.read("english", voice.ENGLISH)
    return learnt(voice.cleaned(train), train.positive, SEED, settings=ENGLISH)


def chinese() -> Polarity:
    """Learnt from all; what a score means from ASAP, each review left out in its turn."""
    made, good = made_up(MADE)
    texts, positive, review = asap_clauses()
    fold = np.random.default_rng(SEED).integers(0, FOLDS, review.max() + 1)[review]
    score = np.zeros(len(texts))
    for k in range(FOLDS):
        rest = np.flatnonzero(fold != k)
        part = learnt([*made, *(texts[i] for i in rest)], np.append(good, positive[rest]), SEED, settings=CHINESE)
        asked = np.flatnonzero(fold == k)
        score[asked] = scores(part, [texts[i] for i in asked])
    whole = learnt([*made, *texts], np.append(good, positive), SEED, settings=CHINESE)
    even = evened(positive)
    return replace(whole, knots=knots_of(score[even], positive[even]))


def evened(positive: np.ndarray) -> np.ndarray:
    """Places of as many positive as negative ones."""
    random = np.random.default_rng(SEED)
    sides = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    many = min(map(len, sides))
    return np.sort(np.concatenate([random.permutation(side)[:many] for side in sides]))


def asap_clauses() -> tuple[list[str], np.ndarray, np.ndarray]:
    """Clauses with seeds of aspects that are labelled alike, good or bad; whether each is good; the review of each."""
    table = pd.read_parquet(ASAP)
    words = (ROOT / "benchmarks" / "voice_asap.toml").read_text(encoding="utf-8").partition("# Words of the lexicon")[0]
    seeds = lexicon(words, "voice_asap.toml")
    labels = table.iloc[:, NOT_ASPECTS:].to_numpy()
    parts = split([clean(text) for text in table["review"]])
    found = mentions(tokens(parts.texts), seeds)
    said = labels[parts.review[found.text_of], found.aspect_of]
    low = np.full(len(parts.texts), 9)
    high = np.full(len(parts.texts), -9)
    np.minimum.at(low, found.text_of, said)
    np.maximum.at(high, found.text_of, said)
    kept = np.flatnonzero((low == high) & (np.abs(low) == 1))
    return [parts.texts[i] for i in kept], low[kept] > 0, parts.review[kept]


def made_up(many: int) -> tuple[list[str], np.ndarray]:
    """Reviews put together of our own words, every second one good."""
    words = tomllib.loads((ROOT / "tools" / "shipped_voice.toml").read_text(encoding="utf-8"))
    random = np.random.default_rng(SEED)
    good = np.arange(many) % 2 == 0
    return [_review(words, side, random) for side in good.tolist()], good


def _review(words: dict[str, Any], good: bool, random: np.random.Generator) -> str:
    kinds = [name for name in words if name not in ("around", "said")]
    kind = kinds[random.integers(len(kinds))]
    clauses = [_clause(words, kind, good, random) for _ in range(1 + random.integers(MOST_CLAUSES))]
    text = clauses[0]
    for clause in clauses[1:]:
        text += _one(words["around"]["between"], random) + clause
    if random.random() < TURNED_SHARE:
        text = _clause(words, kind, not good, random) + "，" + _one(words["around"]["turn"], random) + text
    return text


def _clause(words: dict[str, Any], kind: str, good: bool, random: np.random.Generator) -> str:
    side, around = "good" if good else "bad", words["around"]
    if random.random() < 0.3:
        return _one(words["said"][side], random)
    of = words[[kind, kind, kind, "any", "service", "price", "delivery"][random.integers(7)]]
    before = _one(around["before"], random)
    return before + _one(of["subjects"], random) + _one(of[side], random) + _one(around["after"], random)


def _one(words: Sequence[str], random: np.random.Generator) -> str:
    return words[int(random.integers(len(words)))]


def main(arguments: Sequence[str]) -> int:
    arrays = packed({"en": english(), "zh": chinese()})
    if list(arguments) == ["write"]:
        np.savez_compressed(OUT, **arrays)
        return 0
    if list(arguments) == ["compare"]:
        with np.load(OUT) as there:
            differs = [name for name in arrays if name not in there or not np.array_equal(arrays[name], there[name])]
        sys.stdout.write(f"{'differs: ' + ', '.join(differs) if differs else 'the same'}\n")
        return int(bool(differs))
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
