"""What a replay says Datong was worth beside what the company did, a simple baseline, and perfect foresight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.wording import figures
from datong.model.words import catalogue, say

POLICIES = ("datong", "company", "baseline", "foresight")
# Measures of a difference in the order in which they are told.
MEASURES = ("cost", "fill_on_time_share", "mean_stock_money", "production_change_money")


@dataclass(frozen=True)
class Verdict:
    """Datong beside `than`. saving: money that `than` cost more; negative where Datong cost more.

    saving_share: of the avoidable cost of `than`, that is without making each unit by its cheapest way, which no
    policy can save.

    fill_more: share of demand that Datong serves on time beyond what `than` does.

    saving_low, saving_high and fill_low, fill_high (shares of demand served on time): 90% intervals of the replay; None
    where too few products differ for one.
    """

    than: str
    saving: float
    saving_low: float | None
    saving_high: float | None
    saving_share: float
    fill_more: float
    fill_low: float | None
    fill_high: float | None

    @property
    def unsure(self) -> bool:
        return self.saving_low is None or self.saving_high is None or self.saving_low <= 0 <= self.saving_high


def by_policy(by_bucket: pa.Table) -> dict[str, pa.Table]:
    """The rows of each policy, in time order; the known policies first."""
    return {
        p: by_bucket.filter(pc.field("policy") == p).sort_by("bucket")
        for p in in_order(set(by_bucket["policy"].to_pylist()))
    }


def in_order(policies: set[str]) -> list[str]:
    return [p for p in POLICIES if p in policies] + sorted(policies - set(POLICIES))


def totals(summary: pa.Table) -> list[dict[str, Any]]:
    """Rows of the replay's summary, the known policies first."""
    rows = {r["policy"]: r for r in summary.to_pylist()}
    return [rows[p] for p in in_order(set(rows))]


def verdict(replayed: Mapping[str, pa.Table]) -> Verdict | None:
    """Beside the company, or the baseline where nothing is recorded of it; None where there is neither.

    From the tables `summary` and `differences` (Datong less each other policy).
    """
    if "differences" not in replayed or not replayed["differences"].num_rows:
        return None
    rows = replayed["differences"].to_pylist()
    than = next(p for p in POLICIES if any(r["than"] == p for r in rows))
    found = {r["measure"]: r for r in rows if r["than"] == than}
    cost, fill = found["cost"], found["fill_on_time_share"]
    other = next(r["avoidable_cost"] for r in replayed["summary"].to_pylist() if r["policy"] == than)
    saving = -cost["difference"]
    return Verdict(
        than,
        saving,
        _turned(cost["high"]),
        _turned(cost["low"]),
        saving / other if other > 0 else 0.0,
        fill["difference"],
        fill["low"],
        fill["high"],
    )


def verdict_words(found: Verdict, currency: str, language: str) -> list[str]:
    """What the replay says, in sentences; plainly so where Datong is not better."""

    def money(value: float) -> str:
        return figures.money(value, currency, language)

    def words(key: str, **params: object) -> str:
        return say(f"report.replay.{key}", language, **params)

    than = words(f"than_{found.than}")
    if found.saving == 0:
        said = [words("same", than=than)]
    else:
        key = "better" if found.saving > 0 else "worse"
        if found.unsure:
            key = "unproven_less" if found.saving > 0 else "unproven_more"
        share = figures.share(abs(found.saving_share))
        said = [words(key, money=money(abs(found.saving)), share=share, than=than)]
    if found.saving_low is None or found.saving_high is None:
        said.append(words("no_interval"))
    else:
        said.append(words("interval", low=money(found.saving_low), high=money(found.saving_high)))
    more = f"{100 * found.fill_more:+.1f}"
    if found.fill_low is None or found.fill_high is None:
        said.append(words("fill_more_only", more=more))
    else:
        low, high = (f"{100 * v:+.1f}" for v in (found.fill_low, found.fill_high))
        said.append(words("fill_more", more=more, low=low, high=high))
    return said


def _turned(value: float | None) -> float | None:
    return None if value is None else -value


def limit_words(summary: pa.Table, currency: str, language: str) -> str:
    """What perfect foresight would have cost beyond what nobody can save; '' where it was not followed."""
    avoidable = {r["policy"]: r["avoidable_cost"] for r in summary.to_pylist()}
    left = avoidable.get("foresight")
    if left is None or left > min(avoidable.values()):
        return ""  # it plans, too: where its plan is not the best, it is no limit
    return say("report.replay.limit", language, money=figures.money(left, currency, language))


def difference_rows(
    differences: pa.Table, currency: str, language: str, names: Sequence[str] = ("company", "baseline")
) -> list[dict[str, str]]:
    """Datong less each other policy, in words: than, measure, difference, interval ('' where none), finding."""
    found = {(r["than"], r["measure"]): r for r in differences.to_pylist()}
    result = []
    for than in (p for p in names if (p, "cost") in found):
        for measure in MEASURES:
            row = found[than, measure]
            result.append(
                {
                    "than": policy_name(than, language),
                    "measure": say(f"report.measure.{measure}", language),
                    "difference": _change(measure, row["difference"], currency, language),
                    "interval": _interval(measure, row, currency, language),
                    "finding": say(f"report.finding.{row['finding']}", language),
                }
            )
    return result


def _interval(measure: str, row: Mapping[str, Any], currency: str, language: str) -> str:
    if row["low"] is None:
        return ""
    low, high = (_change(measure, row[side], currency, language) for side in ("low", "high"))
    return say("terminal.from_to", language, low=low, high=high)


def _change(measure: str, value: float | None, currency: str, language: str) -> str:
    if value is None:
        return ""
    if measure == "fill_on_time_share":
        return say("report.replay.points", language, points=f"{100 * value:+.1f}")
    sign = "+" if value > 0 else "-" if value < 0 else ""
    return sign + figures.money(abs(value), currency, language)


def scenario_name(scenario: str, language: str) -> str:
    """'promise_3_days' and its like in words."""
    parts = scenario.removeprefix("promise_").removesuffix("_days")
    if scenario.startswith("promise_"):
        return say("report.scenario.promise", language, days=parts)
    name, _, factor = scenario.rpartition("_x")
    return say(f"report.scenario.{name or scenario}", language, factor=factor)


def policy_name(policy: str, language: str) -> str:
    key = f"report.policy.{policy}"
    return say(key, language) if key in catalogue() else policy
