"""InventoryBench."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from datong.replenish import Known

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "inventorybench"
NEVER = -1


@dataclass(frozen=True, eq=False)
class Games:
    """Instances side by side, by key. Bucket axes end with the last period; what an instance does not have is NaN.

    training: (instance, bucket) units, NaN before the first. demand, lead: (instance, period) units, and periods until an order of
    that period arrives, -1 where never; after an instance's last period NaN and -1. Only the referee may look at them.
    """

    keys: tuple[str, ...]
    cell: tuple[str, ...]
    profit: np.ndarray
    holding: np.ndarray
    promised_lead: np.ndarray
    training: np.ndarray
    demand: np.ndarray
    lead: np.ndarray

    def part(self, chosen: np.ndarray) -> "Games":
        at = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return Games(
            tuple(self.keys[i] for i in at),
            tuple(self.cell[i] for i in at),
            *(getattr(self, n)[at] for n in ("profit", "holding", "promised_lead", "training", "demand", "lead")),
        )


def read_games(instances: Path, periods: Path) -> Games:
    heads = pd.read_parquet(instances).sort_values("instance", ignore_index=True)
    rows = pd.read_parquet(periods, columns=["instance", "phase", "period", "demand", "lead_time"])
    at = pd.Index(heads["instance"]).get_indexer(rows["instance"])
    if (at < 0).any():
        raise SystemExit(f"{periods}: instances that {instances} does not have")
    train, test = (rows["phase"] == phase for phase in ("train", "test"))
    tables = {}
    for name, phase, column in (("training", train, "demand"), ("demand", test, "demand"), ("lead", test, "lead_time")):
        table = np.full((len(heads), int(rows["period"][phase].max())), np.nan)
        table[at[phase], rows["period"][phase] - 1] = rows[column][phase].astype(float)
        tables[name] = table
    lengths = np.sum(~np.isnan(tables["training"]), axis=1)
    for row, length in zip(tables["training"], lengths, strict=True):
        row[:] = np.roll(row, len(row) - length)
    return Games(
        tuple(heads["instance"]),
        tuple(heads["family"].astype(str) + " " + heads["lead_time_setting"].astype(str)),
        heads["profit"].to_numpy(float),
        heads["holding_cost"].to_numpy(float),
        heads["promised_lead_time"].to_numpy(int),
        tables["training"],
        tables["demand"],
        np.nan_to_num(tables["lead"], nan=NEVER).astype(int),
    )


Policy = Callable[[Known], np.ndarray]


@dataclass(frozen=True, eq=False)
class Played:
    """orders: (instance, period) units. reward, score: (instance) money and share of the profit of all demand."""

    orders: np.ndarray
    reward: np.ndarray
    score: np.ndarray
    seconds: float


def play(games: Games, policy: Policy, observation: str = "A") -> Played:
    count, periods = games.demand.shape
    before = games.training.shape[1]
    history = np.concatenate([games.training, games.demand], axis=1)
    on_hand, reward, seconds = np.zeros(count), np.zeros(count), 0.0
    ordered = np.zeros((count, before + periods))
    came_after = np.full((count, before + periods), np.nan)
    for t in range(periods):
        now = before + t
        known = Known(
            history[:, :now].copy(),
            ordered[:, :now].copy(),
            came_after[:, :now].copy(),
            on_hand.copy(),
            games.promised_lead,
            games.profit,
            games.holding,
        )
        start = time.perf_counter()
        units = policy(known)
        seconds += time.perf_counter() - start
        playing = ~np.isnan(games.demand[:, t])
        ordered[:, now] = np.where(playing, np.trunc(np.maximum(units, 0.0)), 0.0)
        due = np.where(games.lead[:, : t + 1] >= 0, np.arange(t + 1) + games.lead[:, : t + 1], NEVER)
        here = (due == t) & (ordered[:, before : now + 1] > 0)
        on_hand = on_hand + np.sum(np.where(here, ordered[:, before : now + 1], 0.0), axis=1)
        came_after[:, before : now + 1][here] = games.lead[:, : t + 1][here]
        if observation == "B":
            gone = (games.lead[:, t] == NEVER) & (ordered[:, now] > 0)
            came_after[gone, now] = np.inf
        demand = np.nan_to_num(games.demand[:, t])
        sold = np.minimum(demand, on_hand)
        on_hand = on_hand - sold
        reward += np.where(playing, games.profit * sold - games.holding * on_hand, 0.0)
    perfect = games.profit * np.nansum(games.demand, axis=1)
    score = np.maximum(0.0, np.divide(reward, perfect, out=np.zeros(count), where=perfect > 0))
    return Played(ordered[:, before:], reward, score, seconds)


def under_way(known: Known) -> np.ndarray:
    """(item, bucket) units ordered and not known to have come or to be lost."""
    return np.where(np.isnan(known.came_after), known.ordered, 0.0)


def or_rule(known: Known) -> np.ndarray:
    """The published baseline: a base stock of the plain mean and standard deviation, capped."""
    lead = known.promised_lead
    mean, sd = np.nanmean(known.demand, axis=1), np.nanstd(known.demand, axis=1, ddof=1)
    z = norm.ppf(known.shortage_cost / (known.shortage_cost + known.holding_cost))
    base = (1 + lead) * mean + z * np.sqrt(1 + lead) * sd
    position = known.on_hand + under_way(known).sum(axis=1)
    return np.maximum(0.0, np.minimum(np.ceil(base - position), np.ceil(mean + norm.ppf(0.95) * sd)))
