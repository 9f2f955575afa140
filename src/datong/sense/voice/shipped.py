"""The models that come with Datong, for chains whose own reviews have too few stars to learn from.

One reads Chinese and one English. `shipped.npz` holds their weights, as `tools/shipped_voice.py` makes them;
`shipped.md` beside it says what they were learnt from, under which licences, and how often they are right.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import IO, Any

import numpy as np

from datong.sense.voice.linear import Linear
from datong.sense.voice.polarity_model import Polarity, Settings

FILE = "shipped.npz"
LANGUAGES = ("en", "zh")
# Weights are kept by two bytes each.
KEPT = np.float16


@cache
def shipped(of: str) -> Polarity:
    """The model of a language, one of LANGUAGES."""
    with files("datong.sense.voice").joinpath(FILE).open("rb") as file:
        return unpacked(file)[of]


def packed(models: Mapping[str, Polarity]) -> dict[str, np.ndarray]:
    """Models without groups as arrays, by name: of each the buckets that it knows and their weights."""
    arrays: dict[str, np.ndarray] = {}
    for name, model in models.items():
        known = np.flatnonzero(model.inverse)
        weights = (model.inverse, model.ratios, model.first.weights, model.second.weights)
        arrays |= {
            f"{name}.known": known.astype(np.uint32),
            f"{name}.weights": np.stack([one[known] for one in weights]).astype(KEPT),
            f"{name}.numbers": np.array([model.first.offset, model.second.offset, *model.sizes, model.usual]),
            f"{name}.knots": np.array(model.knots),
            f"{name}.bits": np.array(model.settings.bits),
        }
    return arrays


def unpacked(file: IO[bytes]) -> dict[str, Polarity]:
    """The models of a file in NumPy's format that `packed` arrays were written to."""
    with np.load(file, allow_pickle=False) as arrays:
        return {name: _model(name, arrays) for name in LANGUAGES}


def _model(name: str, arrays: Any) -> Polarity:
    bits = int(arrays[f"{name}.bits"])
    known, kept = arrays[f"{name}.known"], arrays[f"{name}.weights"]
    whole = np.zeros((4, 1 << bits), np.float32)
    whole[:, known] = kept
    first, second, size_one, size_two, usual = arrays[f"{name}.numbers"].tolist()
    scores, odds = arrays[f"{name}.knots"].tolist()
    plain = Polarity(Settings(bits), whole[0], whole[1], Linear(whole[2], first), Linear(whole[3], second))
    return replace(plain, usual=usual, sizes=(size_one, size_two), knots=(tuple(scores), tuple(odds)))
