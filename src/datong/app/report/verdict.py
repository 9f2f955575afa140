"""What a replay says Datong was worth beside what the company did."""

import math
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.report import figures
from datong.model.words import say

POLICIES = ("datong", "company", "baseline")
INTERVAL = 0.9


@dataclass(frozen=True)
class PolicyTotal:
    """One policy over all replayed buckets. fill_share: units served on time over demand."""

    policy: str
    cost: float
    fill_share: float
    mean_stock_units: float


@dataclass(frozen=True)
class Verdict:
    """saving: the company's cost less Datong's, in money; negative where Datong costs more.

    low, high: 90% interval of the saving (None with fewer than three buckets).
    """

    totals: dict[str, PolicyTotal]
    buckets: int
    saving: float
    saving_share: float
    low: float | None
    high: float | None

    @property
    def unsure(self) -> bool:
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


def by_policy(by_bucket: pa.Table) -> dict[str, pa.Table]:
    """The rows of each policy, in time order; the known policies first."""
    found = sorted(set(by_bucket["policy"].to_pylist()))
    order = [p for p in POLICIES if p in found] + [p for p in found if p not in POLICIES]
    return {p: by_bucket.filter(pc.field("policy") == p).sort_by("bucket") for p in order}


def policy_totals(by_bucket: pa.Table) -> dict[str, PolicyTotal]:
    """Each policy over all buckets, the known policies first."""
    return {p: _total(p, t) for p, t in by_policy(by_bucket).items()}


def verdict(by_bucket: pa.Table) -> Verdict | None:
    """Datong beside the company over the buckets of a replay; None where either is missing.

    The interval takes the n buckets' savings d as draws: n mean(d) +- t(n - 1) sd(d) sqrt(n), Student's t. Buckets are
    not quite independent (stock carries over), so it is a rough guide, and says so by being wide.
    """
    rows = by_policy(by_bucket)
    if "datong" not in rows or "company" not in rows:
        return None
    totals = policy_totals(by_bucket)
    cost = {p: rows[p]["cost"].to_pylist() for p in ("datong", "company")}
    saved = [c - d for c, d in zip(cost["company"], cost["datong"], strict=True)]
    saving = math.fsum(saved)
    low = high = None
    n = len(saved)
    if n >= 3:
        from scipy.stats import t  # takes a while to import

        mean = saving / n
        deviation = math.sqrt(math.fsum((s - mean) ** 2 for s in saved) / (n - 1))
        reach = float(t.ppf(0.5 + INTERVAL / 2, n - 1)) * deviation * math.sqrt(n)
        low, high = saving - reach, saving + reach
    company = totals["company"].cost
    return Verdict(totals, n, saving, saving / company if company > 0 else 0.0, low, high)


def _total(policy: str, rows: pa.Table) -> PolicyTotal:
    def total(column: str) -> float:
        return math.fsum(v or 0.0 for v in rows[column].to_pylist())

    demand = total("demand_units")
    fill = total("served_on_time_units") / demand if demand > 0 else 1.0
    return PolicyTotal(policy, total("cost"), fill, total("stock_units") / max(rows.num_rows, 1))


def verdict_words(found: Verdict, currency: str, language: str) -> list[str]:
    """What the replay says, in sentences; plainly so where Datong is not better."""

    def money(value: float) -> str:
        return figures.money(value, currency, language)

    def words(key: str, **params: object) -> str:
        return say(f"report.replay.{key}", language, **params)

    if found.saving == 0:
        said = [words("same")]
    else:
        key = "better" if found.saving > 0 else "worse"
        said = [words(key, money=money(abs(found.saving)), share=figures.share(abs(found.saving_share)))]
    if found.low is not None and found.high is not None:
        said.append(words("interval", low=money(found.low), high=money(found.high)))
        if found.unsure:
            said.append(words("unsure"))
    return said
