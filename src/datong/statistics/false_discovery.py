"""Control of false alarms over many tests."""

import numpy as np
import numpy.typing as npt

from datong.model.flow import FloatArray


def false_discovery_q(p_values: npt.ArrayLike) -> FloatArray:
    """q-values: the smallest share of false alarms among the signals at which each test is one.

    Benjamini and Hochberg (1995, JRSS B 57). It holds for independent tests and for positively dependent ones
    (Benjamini and Yekutieli 2001): what shakes one item of a chain tends to shake others the same way, so their tests
    lean together. The correction of 2001 for any dependence would cost a factor log(m) of power against a case that
    demand does not show.
    """
    p = np.asarray(p_values, np.float64)
    if not p.size:
        return p
    order = np.argsort(p, kind="stable")
    scaled = p[order] * p.size / np.arange(1, p.size + 1)
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
