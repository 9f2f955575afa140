"""Exponential smoothing of one series, and its kin for demand with gaps.

The arithmetic is statsforecast's, bit for bit, in its compiled part: the library itself imports pandas, statsmodels and
more, which takes longer than the whole plan of a small chain. Each function takes (bucket) units of a series that is
not the same throughout, and gives the expected units of a bucket ahead.
"""

import sys
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import numpy as np

from datong.model.flow import FloatArray

# Where the best smoothing factor is looked for: of demand as it comes, and of its parts.
WIDE, NARROW = (0.01, 0.99), (0.1, 0.3)
_NAME = "statsforecast._lib"


@cache
def _compiled() -> ModuleType:
    """The smoothing functions of statsforecast's extension module, without the package around it."""
    if _NAME not in sys.modules:
        package = find_spec("statsforecast")
        places = None if package is None else package.submodule_search_locations
        spec = PathFinder.find_spec(_NAME.rpartition(".")[2], None if places is None else list(places))
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(_NAME)
        spec.name = spec.loader.name = _NAME  # ty: ignore[missing-attribute]
        module = module_from_spec(spec)
        sys.modules[_NAME] = module
        spec.loader.exec_module(module)
    return sys.modules[_NAME].ses


def _smoothed(units: FloatArray, bounds: tuple[float, float]) -> float:
    """Simple exponential smoothing with the factor of least squared errors within the bounds."""
    compiled = _compiled()
    return compiled.ses_forecast(units, compiled.golden_section_ses(units, *bounds))[0]


def _gaps(units: FloatArray) -> FloatArray:
    """(demand) buckets from one demand to the next, the first from the start."""
    return np.diff(np.flatnonzero(units) + 1, prepend=0).astype(units.dtype)


def ses(units: FloatArray) -> float:
    """Simple exponential smoothing."""
    return float(_smoothed(units, WIDE))


def croston(units: FloatArray) -> float:
    """Croston (1972): the smoothed size of a demand over the smoothed gap between two."""
    sizes = units[units > 0]
    if not len(sizes):
        return float(units[-1])
    size, gap = _smoothed(sizes, NARROW), _smoothed(_gaps(units), NARROW)
    return float(size / gap if gap != 0.0 else size)


def tsb(units: FloatArray, size_factor: float = 0.2, chance_factor: float = 0.2) -> float:
    """Teunter, Syntetos and Babai (2011): the smoothed size of a demand times the smoothed chance of one."""
    compiled = _compiled()
    chance = compiled.ses_forecast((units != 0).astype(units.dtype), chance_factor)[0]
    return float(chance * compiled.ses_forecast(units[units > 0], size_factor)[0])


def adida(units: FloatArray) -> float:
    """Nikolopoulos et al. (2011): smoothing of sums over as many buckets as the mean gap between demands has."""
    buckets = round(_gaps(units).mean())
    return float(_compiled().chunk_forecast(units, buckets) / buckets)


def imapa(units: FloatArray) -> float:
    """Petropoulos and Kourentzes (2015): the mean of smoothing over sums of 1, 2, ... buckets, up to the mean gap."""
    most = round(_gaps(units).mean().item())
    means = np.empty(most, dtype=units.dtype)
    for buckets in range(1, most + 1):
        cut = units[len(units) % buckets :]
        means[buckets - 1] = _smoothed(cut.reshape(-1, buckets).sum(axis=1), NARROW) / buckets
    return float(means.mean())
