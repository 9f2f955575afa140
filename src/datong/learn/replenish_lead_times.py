"""How long an order takes and whether it comes at all, believed from what was promised and from own orders.

A supplier either keeps his word, which is believed with KEEPS_WORD before anything is known, or he does not. Of one who
does not, the lead times 0, 1.. and `lost` have unknown chances, with a Dirichlet prior of PRIOR_ORDERS orders:
LOST_SHARE of it lost, the rest about the promise, each bucket away SPREAD times as likely as the one before. What came
counts as it came. An order of age a that is not there yet is a right-censored observation: it counts for each lead time
from a on, and for lost, in proportion to the chances believed now, which is repeated until they hold (EM: Dempster,
Laird and Rubin 1977, J. Royal Statistical Society B 39; for censored counts Turnbull 1976, same journal 38). So an
order that does not come is more and more believed lost, and makes later ones look less sure.

The odds of "keeps his word" are multiplied by BROKEN for each promise that was broken and by the ratio of both
likelihoods for those that were kept. What is there in the bucket in which it is ordered, and was never ordered yet, is
no promise to doubt.
"""

import numpy as np
from scipy.special import expit, gammaln

from datong.model.flow import FloatArray, IntArray

KEEPS_WORD = 0.8
BROKEN = 1e-3
PRIOR_ORDERS = 4.0
LOST_SHARE = 0.2
SPREAD = 0.5
PASSES = 3
NOTHING = 1e-12


def furthest_lead(promised_lead: IntArray) -> IntArray:
    """(item) longest lead in buckets that is thought of: an order older than this is believed lost."""
    return 2 * promised_lead + 3


def lead_chances(
    promised_lead: IntArray,
    ordered: FloatArray,
    came_after: FloatArray,
    came_share: FloatArray | None = None,
    *,
    losses_told: bool = False,
) -> FloatArray:
    """(item, lead + 1) chances that an order placed now arrives after 0, 1.. buckets, the last one that it never does.

    promised_lead: (item) buckets. ordered: (item, bucket) units ordered in each closed bucket. came_after: (item,
    bucket) buckets until that order came; NaN not yet, inf known never to come. came_share: (item, bucket) share of it
    that came, where it has; the rest counts as lost. losses_told: a loss is known one bucket
    later, so that an order without news is under way. The lead axis ends with the furthest of all items.
    """
    furthest = furthest_lead(promised_lead)
    lead = np.arange(int(furthest.max(initial=0)) + 1)
    near = SPREAD ** np.abs(lead - promised_lead[:, None]) * (lead <= furthest[:, None])
    near = near / near.sum(axis=1, keepdims=True) * (1 - LOST_SHARE)
    prior = PRIOR_ORDERS * np.concatenate([near, np.full((len(near), 1), LOST_SHARE)], axis=1)
    shares = np.ones(ordered.shape) if came_share is None else came_share
    came, waiting = _counts(furthest, ordered, came_after, shares)
    loose = prior + came
    for _ in range(PASSES):
        loose = prior + came + _expected(loose / loose.sum(axis=1, keepdims=True), waiting, losses_told)
    loose = loose / loose.sum(axis=1, keepdims=True)
    keeps = _keeps_word(promised_lead, prior, came, waiting)[:, None]
    keeps[(promised_lead == 0) & ~(came + waiting).any(axis=1)] = 1.0  # no promise that could be broken
    word = np.zeros_like(loose)
    word[np.arange(len(word)), promised_lead] = 1.0
    return keeps * word + (1 - keeps) * loose


def chances_at_age(chances: FloatArray, age: int, *, losses_told: bool = False) -> FloatArray:
    """(item, lead + 1) chances of an order of `age` buckets that has not come; where none is left it is lost."""
    left = chances.copy()
    left[:, : min(age, chances.shape[1] - 1)] = 0.0
    if losses_told:
        left[:, -1] = 0.0
    left[:, -1] = np.maximum(left[:, -1], NOTHING)
    return left / left.sum(axis=1, keepdims=True)


def _counts(
    furthest: IntArray, ordered: FloatArray, came_after: FloatArray, came_share: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(item, lead + 1) each: orders that came, by lead, and orders that are not there yet, by age; the last one lost.

    An order that came later than the furthest lead counts as of that.
    """
    items, buckets = ordered.shape
    leads = int(furthest.max(initial=0)) + 1
    row, bucket = np.nonzero(ordered > 0)
    after = came_after[row, bucket]
    age = buckets - bucket
    waits = np.isnan(after)
    late = waits & (age > furthest[row])
    lost = np.isposinf(after) | late
    lead = np.minimum(np.where(waits | lost, age, after), furthest[row]).astype(int)
    came, waiting = np.zeros((items, leads + 1)), np.zeros((items, leads + 1))
    still = waits & ~late
    share = np.where(lost, 0.0, came_share[row, bucket])[~still]
    np.add.at(came, (row[~still], lead[~still]), share)
    np.add.at(came, (row[~still], leads), 1.0 - share)
    np.add.at(waiting, (row[still], lead[still]), 1.0)
    return came, waiting


def _expected(chances: FloatArray, waiting: FloatArray, losses_told: bool = False) -> FloatArray:
    """(item, lead + 1) expected counts of the orders not there yet: each spread over what is left at its age."""
    if losses_told:
        chances = np.concatenate([chances[:, :-1], np.zeros((len(chances), 1))], axis=1)
    left = np.cumsum(chances[:, ::-1], axis=1)[:, ::-1]
    each = np.divide(waiting, left, out=np.zeros_like(left), where=left > 0)
    return chances * np.cumsum(each, axis=1)


def _keeps_word(promised_lead: IntArray, prior: FloatArray, came: FloatArray, waiting: FloatArray) -> FloatArray:
    """(item) chance that the supplier keeps his word."""
    row = np.arange(len(prior))
    ages = np.arange(prior.shape[1])
    kept = came[row, promised_lead]
    broken = came.sum(axis=1) - kept + np.sum(waiting * (ages > promised_lead[:, None]), axis=1)
    own, whole = prior[row, promised_lead], prior.sum(axis=1)
    loose = gammaln(own + kept) - gammaln(own) - gammaln(whole + kept) + gammaln(whole)
    return expit(np.log(KEEPS_WORD / (1 - KEEPS_WORD)) + broken * np.log(BROKEN) - loose)
