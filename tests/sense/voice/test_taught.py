"""Aspects as somebody's own labels have them."""

import numpy as np

from datong.sense.voice.aspects import lexicon
from datong.sense.voice.polarity_model import Settings, learnt
from datong.sense.voice.taught import NOT_MENTIONED, judged, taught
from datong.sense.voice.tones import tone_words
from own_reviews import reviews

WORDS = lexicon(
    '[a.screen]\nwords_zh = ["屏幕"]\n[a.case]\nwords_zh = ["外壳"]\n[a.keys]\nwords_zh = ["键盘"]', "own.toml"
)
SEEDS = ("屏幕", "外壳", "键盘")


def labelled(many: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Reviews of laptops with a label of each aspect. Whoever labels calls the case neither good nor bad, whatever is
    said of it: that can only be learnt from the labels."""
    texts, positive, _ = reviews(many, seed, ("laptops",))
    there = np.array([[seed in text for seed in SEEDS] for text in texts])
    label = np.where(positive[:, None], 1, -1) * np.array([1, 0, 1])
    return texts, np.where(there, label, NOT_MENTIONED)


def test_labels_teach_what_is_mentioned_and_how_it_is_judged() -> None:
    texts, positive, _ = reviews(900, 1)
    model = learnt(texts, positive, 1, settings=Settings(bits=16))
    known, labels = labelled(100, 2)
    by = taught(known, labels, model, WORDS, tone_words())
    new, truth = labelled(200, 3)
    found = judged(new, by, model)
    assert (found == truth).mean() > 0.95
    assert judged(["", "完全无关"], by, model).tolist() == [[NOT_MENTIONED] * 3] * 2
    assert judged([], by, model).shape == (0, 3)
