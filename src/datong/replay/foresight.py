"""Perfect foresight: the loop with a forecast that is right and the hours that there really were.

Nobody can do this; it is the limit that everyone else is measured by.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from datong.cycle import Stages, run_cycle
from datong.ledger.state import State, in_state_schema
from datong.model.flow import Forecast, Item, Learnt, PlannedOrder, Sensed, nothing_learnt
from datong.network.line_hours import said_per_hour
from datong.replay.scene_and_batches import Scene


@dataclass(frozen=True, eq=False)
class Foresight:
    """A policy that is told the future.

    due: `due_units` of all that is known by now. scene: its hours are the true ones. measured: the lead times and
    yields that orders turned out to have. Beyond the end of the records nothing is wanted: what is left there is not
    for anything.
    """

    due: pd.DataFrame
    scene: Scene
    seed: int
    measured: Learnt

    def __call__(self, state: State) -> list[PlannedOrder]:
        stages = Stages(forecast=self._forecast, learn=lambda *_: nothing_learnt())
        result = run_cycle(self._with_true_hours(state), self.measured, (), self.seed, stages=stages)
        return [sent.order for sent in result.messages]

    def _forecast(self, sensed: Sensed, learnt: Learnt, path_count: int, seed: int) -> Forecast:
        starts = sensed.series.horizon_starts
        calendar = self.scene.settings.calendar
        after = calendar.shift(starts[-1], 1)
        due = self.due[(self.due["due"] >= pd.Timestamp(starts[0])) & (self.due["due"] < pd.Timestamp(after))]
        # An item that nobody has bought yet may still be wanted.
        later = {Item(p, m) for p, m in zip(due["product"], due["market"], strict=True)}
        items = tuple(sorted(later | set(sensed.series.items)))
        at = {item: i for i, item in enumerate(items)}
        paths = np.zeros((len(items), 1, len(starts)))
        for product, market, day, units in due.itertuples(index=False):
            paths[at[Item(str(product), str(market))], 0, calendar.index(day.date(), starts[0])] += float(units)
        return Forecast(
            items=items,
            bucket_starts=starts,
            paths=paths,
            method=("given",) * len(items),
            backtest_windows=np.zeros(len(items), dtype=np.int64),
            prior=np.zeros(len(items), dtype=bool),
        )

    def _with_true_hours(self, state: State) -> State:
        """The lines as they turned out in each bucket of the replay; beyond it as they are known."""
        scene, calendar = self.scene, self.scene.settings.calendar
        weeks = calendar.bucket_days / 7
        said = said_per_hour(state, scene.buckets)
        spans = [
            {
                "line": line,
                "from": bucket,
                "to": calendar.shift(bucket, 1),
                "hours": hours * (said[line][t] if line in said else 1 / weeks),
            }
            for t, (bucket, by_line) in enumerate(zip(scene.buckets, scene.line_hours, strict=True))
            for line, hours in sorted(by_line.items())
            if line not in scene.shared
        ]
        known = state.versions("lines").to_pylist()
        most = {
            line: max(by_line.get(line, 0.0) for by_line in scene.line_hours) / weeks
            for line in {line for by_line in scene.line_hours for line in by_line} - scene.shared
        }
        unknown = sorted(most.keys() - {row["line"] for row in known})
        lines = [*known, *({"line": line, "hours_per_week": most[line]} for line in unknown)]
        beyond = [row for row in state.versions("line_calendar").to_pylist() if row["from"] > scene.buckets[-1]]
        return state.with_tables(
            lines=in_state_schema("lines", pa.Table.from_pylist(lines, schema=state.table("lines").schema)),
            line_calendar=in_state_schema(
                "line_calendar",
                pa.Table.from_pylist([*spans, *beyond], schema=state.table("line_calendar").schema),
            ),
        )
