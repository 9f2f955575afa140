"""How much each model of a series counts, by how it did in the back-test."""

import numpy as np

from datong.model.flow import FloatArray

# Weight of a model = loss ** -LOSS_POWER: 0 is the plain mean, infinity the best one only.
LOSS_POWER = 2.0


def mix_weights(errors: FloatArray, series: FloatArray) -> FloatArray:
    """(model) weights from back-test errors (model, window, bucket ahead): loss ** -LOSS_POWER, sum 1.

    The loss is the root mean square error: what is chosen here is the mean of the paths, their quantiles come from
    the errors of the mix. A tenth of the series' own standard deviation is added to each, so that few windows do not
    decide all.
    """
    seen = ~np.isnan(errors)
    count = seen.sum(axis=(1, 2))
    if not len(errors) or not count.all():
        return np.full(len(errors), 1.0 / max(len(errors), 1))
    loss = np.sqrt(np.where(seen, errors, 0.0).__pow__(2).sum(axis=(1, 2)) / count)
    loss = loss + 0.1 * float(np.std(series)) + 1e-9
    power = (loss / loss.min()) ** -LOSS_POWER
    return power / power.sum()
