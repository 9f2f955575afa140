"""Make the models that come with Datong of sets whose licence allows it: src/datong/sense/voice/shipped.npz.

    python tools/shipped_voice.py write      learn, and write the file
    python tools/shipped_voice.py compare    learn, and exit 1 where the file says something else

English: reviews of clothes (CC0), the four fifths that `benchmarks/voice.py` learns from, four or five stars against
one or two. Chinese: reviews put together of our own words (`shipped_voice.toml`), and the clauses of 300 restaurant
reviews (ASAP, Apache-2.0) that speak of an aspect which is labelled as good or bad. What a score means is learnt from
those clauses alone, each scored by a model that has not seen its review: made reviews are too plain to say it. The data
lie in ../shared/data beside the checkout. Sets that may not be redistributed are not read: no setting comes from them.

The search for weights stops after some steps, so how a processor rounds its sums shows in their third digit. Two files
are the same where both know the same n-grams and give the texts that they were learnt from the same chances, nearly.
"""

import io
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datong.sense.voice.aspects import lexicon, mentions
from datong.sense.voice.ngrams import tokens
from datong.sense.voice.polarity_model import Polarity, Settings, knots_of, learnt, probabilities, scores
from datong.sense.voice.reading import split
from datong.sense.voice.shipped import FILE, packed, unpacked
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
# How far two chances of a text may be apart for rounding alone: at most, and on average.
APART, APART_ON_AVERAGE = 0.05, 0.003


def english() -> Polarity:
    texts, positive = english_reviews()
    return learnt(texts, positive, SEED, settings=ENGLISH)


def english_reviews() -> tuple[list[str], np.ndarray]:
    train, _ = voice.read("english", voice.ENGLISH)
    return voice.cleaned(train), train.positive


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


def differences(there: Mapping[str, Polarity], anew: Mapping[str, Polarity]) -> list[str]:
    """In what the models of two files differ by more than rounding; empty: in nothing."""
    texts = {"en": english_reviews()[0], "zh": asap_clauses()[0]}
    found = []
    for name, model in anew.items():
        if not np.array_equal(np.flatnonzero(model.inverse), np.flatnonzero(there[name].inverse)):
            found.append(f"{name}: other n-grams")
            continue
        apart = np.abs(probabilities(model, texts[name]) - probabilities(there[name], texts[name]))
        if apart.max() > APART or apart.mean() > APART_ON_AVERAGE:
            found.append(f"{name}: chances {apart.max():.4f} apart at most, {apart.mean():.4f} on average")
    return found


def main(arguments: Sequence[str]) -> int:
    arrays = packed({"en": english(), "zh": chinese()})
    if list(arguments) == ["write"]:
        np.savez_compressed(OUT, **arrays)
        return 0
    if list(arguments) == ["compare"]:
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        file.seek(0)
        found = differences(unpacked(io.BytesIO(OUT.read_bytes())), unpacked(file))
        sys.stdout.write(f"{'differs: ' + '; '.join(found) if found else 'the same'}\n")
        return int(bool(found))
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
