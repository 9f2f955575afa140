"""Tone by rule: words of praise and complaint in a clause, turned round ("not too small"), strengthened or weakened."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.voice.aspects import Lexicon, Mentions, lexicon, mentions
from datong.sense.voice.ngrams import Tokens

TONES = ("good", "bad", "flat", "turn", "strong", "slight")
STRONG, PLAIN, SLIGHT = 1.5, 1.0, 0.5


@dataclass(frozen=True, eq=False)
class Tones:
    """good, bad, flat: (clauses) how often words of praise, complaint and middling stand, turned ones on the other
    side. degree: (clauses) STRONG, PLAIN or SLIGHT."""

    good: IntArray
    bad: IntArray
    flat: IntArray
    degree: FloatArray


@cache
def tone_words() -> Lexicon:
    """Words of praise and complaint, in Chinese and English (`tone_words.toml`)."""
    name = "tone_words.toml"
    return lexicon(files("datong.sense.voice").joinpath(name).read_text(encoding="utf-8"), name)


def toned(found: Tokens, many: int, words: Lexicon) -> Tones:
    """The tones of `many` clauses. words: with the aspects 'tone.good' and so on, of which some may lack."""
    place = {path.rpartition(".")[2]: at for at, path in enumerate(words.paths)}
    hits = mentions(found, words)
    at = {tone: hits.aspect_of == place.get(tone, -1) for tone in TONES}
    turned = _turned(hits, at["turn"])
    good = at["good"] & ~turned | at["bad"] & turned
    bad = at["bad"] & ~turned | at["good"] & turned
    of = {
        name: np.bincount(hits.text_of[which], minlength=many) for name, which in (*at.items(), ("+", good), ("-", bad))
    }
    degree = np.where(of["slight"] > 0, SLIGHT, np.where(of["strong"] > 0, STRONG, PLAIN))
    return Tones(of["+"], of["-"], of["flat"], degree)


def _turned(hits: Mentions, turn: BoolArray) -> BoolArray:
    """(mentions) whether a word that turns round ends right before each."""
    return np.isin(hits.first, hits.last[turn]) & np.isin(
        hits.first * (1 + hits.text_of.max(initial=0)) + hits.text_of,
        (hits.last * (1 + hits.text_of.max(initial=0)) + hits.text_of)[turn],
    )
