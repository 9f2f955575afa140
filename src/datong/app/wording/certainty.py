"""What is certain of a plan's cost, in sentences: how it was worked out, and how far it is from the best at most."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from datong.app.wording import figures
from datong.model.settings import ChainSettings
from datong.model.words import say

# Beyond this gap a plan in lots is told with both bounds: those of set-ups are weak.
WEAK_GAP = 0.02


def certainty_lines(
    certificate: Mapping[str, Any], settings: ChainSettings, language: str, kept: pa.Table | None = None
) -> list[str]:
    """certificate: total_cost, lower_bound, market_bound, gap_share and futures; of a balance also
    gap_share_of_avoidable and avoidable_cost. Null where a bound is not known. kept: orders that are out or locked,
    whose cost is not in that of the plan; None where nobody asks.
    """

    def money(value: float | None) -> str:
        return figures.money(value, settings.currency, language)

    futures = certificate.get("futures") or 1
    # The worth of what is left is the only term that can be below nothing.
    given = "certainty.cost_credit" if certificate["total_cost"] < 0 else "certainty.cost"
    key = given if futures == 1 else "certainty.cost_expected"
    bucket = say("certainty.week" if settings.bucket == "week" else "certainty.day", language)
    lines = [say(key, language, money=money(certificate["total_cost"]), futures=futures, bucket=bucket)]
    if kept is not None and kept.num_rows:
        lines.append(say("certainty.without_kept", language, count=kept.num_rows))
    bound, market = certificate["lower_bound"], certificate.get("market_bound")
    if bound is None:
        return [*lines, say("certainty.no_bound", language)]
    share = certificate["gap_share"]
    gap = money(max(certificate["total_cost"] - bound, 0.0))
    words = {"bound": money(bound), "gap": gap, "share": figures.share_at_most(share)}
    key = "certainty.bound" if futures == 1 else "certainty.bound_fixed"
    avoidable = certificate.get("gap_share_of_avoidable")
    if avoidable is not None:
        key += "_avoidable"
        words |= {"avoidable": figures.share_at_most(avoidable), "part": money(certificate["avoidable_cost"])}
    lines.append(say(key, language, **words))
    if certificate.get("in_lots") and share > WEAK_GAP:
        key = "certainty.weak" if money(bound) != money(market) else "certainty.weak_alone"
        lines.append(say(key, language, bound=money(bound), market=money(market)))
    return lines
