"""Sourcing shares that a plan does not meet, in words."""

from datetime import date, timedelta

import numpy as np

from datong.balance.arrays import Market
from datong.balance.stock_limits import LEAST_TOLD, listed
from datong.model.findings import Finding, finding
from datong.model.flow import FloatArray
from datong.model.words import Message, message, shown


def shares_told(market: Market, started: FloatArray) -> tuple[Finding, ...]:
    """What each recipe or offer brings beside the share that it is to bring, where it is half a unit short or more.
    started: (way, bucket) units."""
    rule = market.rules.sourcing_shares
    if not rule.is_there:
        return ()
    short, own, every = rule.short(started), rule.brought(rule.own, started), rule.brought(rule.every, started)
    missed = [
        _on(
            rule.days[r],
            message(
                "sourcing.missed_one",
                code=rule.rows[r][1],
                product=rule.rows[r][2],
                **_apart(float(own[r] / every[r]), float(rule.share[r])),
                units=shown(float(short[r])),
            ),
        )
        for r in np.argsort(-short, kind="stable").tolist()
        if short[r] >= LEAST_TOLD
    ]
    if not missed:
        return ()
    names = listed(missed)
    return (finding("warning", "sourcing.missed", "sourcing shares", count=len(missed), names=names),)


def _on(days: tuple[date, date | None] | None, missed: Message) -> Message:
    """What is missed, with the days on which it is to be kept, where these are not all."""
    if days is None:
        return missed
    first, after = days
    if after is None:
        return message("sourcing.missed_from", missed=missed, first=first)
    return message("sourcing.missed_until", missed=missed, first=first, last=after - timedelta(days=1))


def _apart(share: float, wanted: float) -> dict[str, str]:
    """Two shares as percentages, with the fewest digits, at most three, with which they differ."""
    for digits in range(4):
        told = {"share": f"{share:.{digits}%}", "wanted": f"{wanted:.{digits}%}"}
        if told["share"] != told["wanted"]:
            break
    return told
