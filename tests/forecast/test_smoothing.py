"""Smoothing gives what statsforecast's models give, to the last bit, and loads nothing of its house."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.forecast import smoothing

MODELS = {
    smoothing.ses: ("SimpleExponentialSmoothingOptimized", {}),
    smoothing.croston: ("CrostonOptimized", {}),
    smoothing.tsb: ("TSB", {"alpha_d": 0.2, "alpha_p": 0.2}),
    smoothing.adida: ("ADIDA", {}),
    smoothing.imapa: ("IMAPA", {}),
}
SIZES = st.one_of(st.just(0.0), st.integers(0, 50).map(float), st.floats(0, 1e6, allow_subnormal=False))
SERIES = st.lists(SIZES, min_size=2, max_size=80).filter(lambda units: max(units) > min(units))


@pytest.mark.filterwarnings("ignore")  # what the library's own imports warn of
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@given(series=SERIES)
def test_smoothing_is_the_librarys(model, series: list[float]) -> None:
    from statsforecast import models

    name, settings = MODELS[model]
    units = np.array(series)
    assert model(units) == float(getattr(models, name)(**settings).forecast(y=units, h=1)["mean"][0])


def test_the_house_of_the_library_is_not_loaded() -> None:
    code = (
        "import numpy as np, sys; from datong.forecast import smoothing; smoothing.ses(np.array([1.0, 2.0]));"
        "print([m for m in ('statsforecast', 'pandas', 'statsmodels', 'scipy.stats') if m in sys.modules]);"
        "import statsforecast.models as m; print(m._ses_lib is smoothing._compiled())"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]
