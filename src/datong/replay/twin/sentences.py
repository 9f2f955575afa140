"""Reviews of a twin in both languages, made of sentences of our own by aspect and polarity."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np

# Aspects that a glad or a cross buyer of a sound unit speaks of; of a faulty one, the fault.
ASPECTS = ("fit", "workmanship", "delivery", "service", "price")
FAULT = "material"
CHINESE_SHARE = 0.6


@cache
def sentences() -> Mapping[str, Mapping[str, Mapping[str, list[str]]]]:
    """By language, aspect and 'good' or 'bad'."""
    return tomllib.loads((files("datong.replay.twin") / "sentences.toml").read_text(encoding="utf-8"))


def review(glad: bool, faulty: bool, draw: int) -> dict[str, object]:
    """rating and text of a review; `draw` decides what the buyer happens to say."""
    rng = np.random.default_rng(draw)
    language = "zh" if rng.random() < CHINESE_SHARE else "en"
    aspects = [str(a) for a in rng.permutation(ASPECTS)[: 1 + int(rng.integers(2))]]
    said = [(aspect, "good" if glad else "bad") for aspect in aspects]
    if faulty and not glad:
        said = [(FAULT, "bad"), *said[:1]]
    elif not glad and len(said) > 1:  # even who is cross likes something
        said[1] = (said[1][0], "good")
    texts = [str(rng.choice(sentences()[language][aspect][polarity])) for aspect, polarity in said]
    rating = float(rng.choice([4, 5]) if glad else rng.choice([1, 2]))
    return {"rating": rating, "text": ("" if language == "zh" else " ").join(texts)}
