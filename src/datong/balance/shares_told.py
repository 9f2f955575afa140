"""Sourcing shares that a plan does not meet, in words."""

import numpy as np

from datong.balance.arrays import Market
from datong.balance.stock_limits import LEAST_TOLD, listed
from datong.model.findings import Finding, finding
from datong.model.flow import FloatArray
from datong.model.words import message, shown


def shares_told(market: Market, started: FloatArray) -> tuple[Finding, ...]:
    """What each recipe or offer brings beside the share that it is to bring, where it is half a unit short or more.
    started: (way, bucket) units."""
    rule = market.rules.sourcing_shares
    if not rule.is_there:
        return ()
    units = started.sum(axis=1)
    short, own, every = rule.short(started), rule.own @ units, rule.every @ units
    missed = [
        message(
            "sourcing.missed_one",
            code=rule.rows[r][1],
            product=rule.rows[r][2],
            **_apart(float(own[r] / every[r]), float(rule.share[r])),
            units=shown(float(short[r])),
        )
        for r in np.argsort(-short, kind="stable").tolist()
        if short[r] >= LEAST_TOLD
    ]
    if not missed:
        return ()
    names = listed(missed)
    return (finding("warning", "sourcing.missed", "sourcing shares", count=len(missed), names=names),)


def _apart(share: float, wanted: float) -> dict[str, str]:
    """Two shares as percentages, with the fewest digits, at most three, with which they differ."""
    for digits in range(4):
        told = {"share": f"{share:.{digits}%}", "wanted": f"{wanted:.{digits}%}"}
        if told["share"] != told["wanted"]:
            break
    return told
