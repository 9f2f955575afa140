"""Does interest in, or praise of, the values of attributes run ahead of what buyers choose? Out of sample, or not.

Of value v and week t let a be the mean effect of the next WEEKS weeks' sales (one week alone at a time), f what the
levels expect of it, and n the effect of the indicator less the level known then. a - f is regressed on n beside the
level and its last change, and earned as in leads.py: fitted on weeks whose target has ended before the one that is
told.
"""

from dataclasses import dataclass

import numpy as np

from datong.model.flow import BoolArray, FloatArray
from datong.statistics.leads import LEVEL_BUCKETS, lead_beside
from datong.statistics.tastes import FIRST_NOISE, WEEKS, Ahead, Panel, Tastes, two_way, weekly_effects


@dataclass(frozen=True, eq=False)
class Indicator:
    """name: of the indicator. logs, weight: (product, week) logarithm of it, and its precision, 0 where unknown."""

    name: str
    logs: FloatArray
    weight: FloatArray


@dataclass(frozen=True, eq=False)
class TasteLead:
    """name: of the indicator. slope, doubt: how far tastes follow one unit of news, both in logarithms, and its
    standard error. p_value: of no gain out of sample. t: its test statistic. news: (value of all attributes one after
    another) now, in logarithms."""

    name: str
    slope: float
    doubt: float
    p_value: float
    t: float
    news: FloatArray


def of_counts(name: str, counts: FloatArray, known: BoolArray) -> Indicator:
    """counts: (product, week) views, searches ... known: whether they were counted."""
    weight = np.where(known, 1.0 / (1.0 / (counts + 0.5) + FIRST_NOISE), 0.0)
    return Indicator(name, np.log(counts + 0.5), weight)


def of_odds(name: str, good: FloatArray, bad: FloatArray) -> Indicator:
    """Logarithm of the odds of praise. good, bad: (product, week) reviews."""
    weight = np.where(good + bad > 0, 1.0 / (1.0 / (good + 0.5) + 1.0 / (bad + 0.5)), 0.0)
    return Indicator(name, np.log((good + 0.5) / (bad + 0.5)), weight)


def taste_leads(panel: Panel, found: Tastes, indicators: list[Indicator]) -> list[TasteLead]:
    """Those of the indicators that can be tested."""
    sold = weekly_effects(panel, found.left, found.weight)
    known = found.weight.sum(axis=0) > 0
    level = np.concatenate([one.filtered for one in found.levels], axis=1)
    expected = np.concatenate([one.ahead for one in found.levels], axis=1)
    weeks = len(sold)
    target = np.full(sold.shape, np.nan)
    for t in range(weeks - WEEKS):
        ahead = known[t + 1 : t + 1 + WEEKS]
        if 2 * ahead.sum() >= WEEKS:
            target[t] = sold[t + 1 : t + 1 + WEEKS][ahead].mean(axis=0) - expected[t]
    usable = ~np.isnan(target.T)
    usable[:, :LEVEL_BUCKETS] = False
    change = np.diff(level, axis=0, prepend=level[:1])
    result = []
    for one in indicators:
        week, worth = two_way(one.logs, one.weight, np.zeros(len(one.logs)))
        said = weekly_effects(panel, one.logs - week[None, :] - worth[:, None], one.weight)
        news = said - level
        own, same = np.stack([level.T, change.T]), np.ones(news.T.shape)
        lead = lead_beside(np.nan_to_num(target.T), own, news.T, same, usable, WEEKS)
        if lead is not None:
            result.append(TasteLead(one.name, *lead, news[-1]))
    return result


def ahead_of(panel: Panel, lead: TasteLead) -> Ahead:
    """What an earned indicator adds."""
    parts = np.split(lead.news, np.cumsum(panel.counts)[:-1])
    return Ahead(tuple(lead.slope * part for part in parts), tuple(lead.doubt * np.abs(part) for part in parts))
