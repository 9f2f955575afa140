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
            wanted=round(float(rule.share[r]), 3),
            share=round(float(own[r] / every[r]), 3),
            units=shown(float(short[r])),
        )
        for r in np.argsort(-short, kind="stable").tolist()
        if short[r] >= LEAST_TOLD
    ]
    if not missed:
        return ()
    names = listed(missed)
    return (finding("warning", "sourcing.missed", "sourcing shares", count=len(missed), names=names),)
