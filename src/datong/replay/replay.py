"""Re-lives history through the loop: bucket by bucket, with only what was known then, beside what the company did.

Who knows what: a policy is handed the ledger's state as of the bucket's first moment, in which stock, production,
receipts, shipments and orders since the replay began are those of the policy's own course. `actual`, the state that
knows everything, goes to the simulator alone: what buyers then ordered, and what the lines then could do.

Frozen buckets: orders go out so many buckets ahead and then stand. The buckets that are frozen as the replay begins
were decided before it; so each policy first decides them one by one, on what is known as the replay begins.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datong.cycle import USUAL, CycleResult, Stages, run_cycle
from datong.ledger.protocol import RunRecord
from datong.ledger.row_ids import SINCE_EVER
from datong.ledger.state import State
from datong.model.errors import Refused
from datong.model.flow import SCORES_SCHEMA, Learnt, PlannedOrder, nothing_learnt
from datong.model.words import Message, message
from datong.network.facts import ChainFacts, chain_facts, located
from datong.network.places import ANYWHERE
from datong.network.position import Position, position
from datong.network.ways import Way, way_on
from datong.replay.baseline import baseline_orders
from datong.replay.company import Company, company_of
from datong.replay.course import Place, before_replay, course_tables
from datong.replay.forecast_and_lead_time_errors import learning
from datong.replay.foresight import Foresight
from datong.replay.policies_compared import (
    DIFFERENCES_SCHEMA,
    SUMMARY_SCHEMA,
    by_bucket,
    by_product,
    differences,
    summary,
)
from datong.replay.scenario import STATED, Scenario, as_in, in_scenario
from datong.replay.scene_and_batches import Scene
from datong.replay.scene_from_records import batches_under_way, due_units, make_scene, orders_under_way
from datong.replay.served_as_recorded import recorded_service
from datong.replay.simulate import Simulation
from datong.replay.unit_worth import unit_costs

# A forecast needs some past: so many weeks before the first bucket that is re-lived.
PAST_WEEKS = 8

Record = Callable[[State, Learnt, int, CycleResult], RunRecord]
# The orders that a policy gives out at a moment: those that start in the first bucket that is not frozen.
Decide = Callable[[State], Sequence[PlannedOrder]]


@dataclass(frozen=True, eq=False)
class ReplayResult:
    """What every policy's course was worth; columns as in policies_compared.py. Policies: datong,
    company, baseline, foresight.

    differences: Datong less each of the others. scores: those of Datong's cycles in the course of the replay, in order
    (SCORES_SCHEMA). learning: how far what it believed was from what came, cycle by cycle
    (forecast_and_lead_time_errors.py).
    recorded_service: how the company served its buyers by its own books (served_as_recorded.py). notes: how the figures
    came about. The company is left out where the records do not tell what it did (company.py).
    """

    by_bucket: pa.Table
    by_product: pa.Table
    summary: pa.Table
    differences: pa.Table
    scores: pa.Table
    learning: pa.Table
    recorded_service: pa.Table
    notes: tuple[Message, ...]

    def tables(self) -> dict[str, pa.Table]:
        return {
            "by_bucket": self.by_bucket,
            "by_product": self.by_product,
            "summary": self.summary,
            "differences": self.differences,
            "scores": self.scores,
            "learning": self.learning,
            "recorded_service": self.recorded_service,
            "notes": pa.table(
                {
                    "key": [note.key for note in self.notes],
                    **{language: [note.text(language) for note in self.notes] for language in ("en", "zh")},
                }
            ),
        }


@dataclass
class Loop:
    """Datong as a policy: one cycle per bucket, each with what the ones before it learnt.

    believed: by order given out, its way as planning took it to be, with the lead time and yield that it counted on.
    """

    seed: int
    record: Record
    stages: Stages = USUAL
    learnt: Learnt = field(default_factory=nothing_learnt)
    believed: dict[str, Way] = field(default_factory=dict)
    runs: list[RunRecord] = field(default_factory=list)
    scores: list[pa.Table] = field(default_factory=lambda: [SCORES_SCHEMA.empty_table()])

    def __call__(self, state: State) -> Sequence[PlannedOrder]:
        numbered = [run.tables["orders"] for run in self.runs if "orders" in run.tables]
        result = run_cycle(state, self.learnt, self.runs, self.seed, stages=self.stages, proposed=numbered)
        sent = [message.order for message in result.messages]
        settings = state.settings
        starts = settings.calendar.starts(state.first_open_bucket, settings.frozen_buckets + 1)
        ways = chain_facts(state, starts, self.learnt).ways_of_row
        self.believed |= {o.order: way_on(ways[o.kind, o.recipe or o.offer or o.lane or ""], o.start) for o in sent}
        self.runs.append(self.record(state, self.learnt, self.seed, result))
        self.learnt = result.learnt
        self.scores.append(result.learnt.scores)
        return sent


def replay(
    states: Callable[[datetime], State],
    actual: State,
    buckets: int,
    seed: int,
    record: Record,
    on_step: Callable[[int], None] = lambda _done: None,
    scenario: Scenario = STATED,
    stages: Stages = USUAL,
) -> ReplayResult:
    """The last `buckets` closed buckets once more, or as many of them as have PAST_WEEKS of sales before them.

    states: what was known at a moment. actual: all that is known by now; no policy sees it, but for perfect foresight.
    record: keeps a cycle for later ones to learn from. on_step: called with the number of buckets done. stages: other
    ones than Datong's usual, to find out what one is worth. Raises Refused where nothing can be replayed.
    """
    setting = set_scene(states, actual, buckets, scenario)
    scene = setting.scene
    loop = Loop(seed, record, stages)
    courses = _courses(setting, loop, on_step)
    courses["foresight"] = follow(setting, Foresight(setting.due, scene, seed, setting.measured))
    scores = pa.concat_tables(loop.scores).combine_chunks()
    frozen = scene.settings.frozen_buckets
    notes = [message("replay.note_simulated"), message("replay.note_capacity"), message("replay.note_cost")]
    notes += [message("replay.note_frozen", buckets=frozen)] if frozen else []
    least = setting.company.least_opening
    if least:
        raised = round(sum(least.values()))
        notes.append(message("replay.note_opening", products=len(least), units=f"{raised:,}"))
    if setting.company.left_out is not None:
        notes.append(setting.company.left_out)
    notes += _short_notes(courses)
    return ReplayResult(
        by_bucket(courses),
        by_product(courses),
        summary(courses),
        differences(courses, "datong", seed),
        scores,
        learning(scores, courses["datong"], loop.believed),
        recorded_service(actual),
        tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class Sweep:
    """Every scenario's replay without perfect foresight: `scenario` and the columns of policies_compared.py.

    differences: Datong less each of the others, scenario by scenario.
    """

    summary: pa.Table
    differences: pa.Table

    def tables(self) -> dict[str, pa.Table]:
        return {"sweep_summary": self.summary, "sweep_differences": self.differences}


def replay_sweep(
    states: Callable[[datetime], State],
    actual: State,
    buckets: int,
    seed: int,
    record: Record,
    scenarios: Sequence[Scenario],
    on_scenario: Callable[[int], None] = lambda _done: None,
) -> Sweep:
    """The replay in every scenario: does what is claimed stand under other economics, promises and opening stocks?

    on_scenario: called with the number of scenarios done. Others as of `replay`.
    """
    summaries, found = [], []
    for done, scenario in enumerate(scenarios, start=1):
        setting = set_scene(states, actual, buckets, scenario)
        courses = _courses(setting, Loop(seed, record))
        summaries.append(_named(scenario, summary(courses)))
        found.append(_named(scenario, differences(courses, "datong", seed)))
        on_scenario(done)
    name = pa.field("scenario", pa.string())
    return Sweep(
        pa.concat_tables([pa.schema([name, *SUMMARY_SCHEMA]).empty_table(), *summaries]).combine_chunks(),
        pa.concat_tables([pa.schema([name, *DIFFERENCES_SCHEMA]).empty_table(), *found]).combine_chunks(),
    )


def _courses(
    setting: "Setting", loop: Loop, on_step: Callable[[int], None] = lambda _done: None
) -> dict[str, Simulation]:
    """Datong, the company where its making is recorded, and the baseline."""
    courses = {"datong": follow(setting, loop, on_step)}
    if setting.company.left_out is None:
        courses["company"] = follow_company(setting)
    courses["baseline"] = follow(setting, baseline_orders)
    return courses


def _short_notes(courses: Mapping[str, Simulation]) -> list[Message]:
    """Of each policy, what it ordered and could not begin for want of components."""
    short = {policy: float(course.short_units.sum()) for policy, course in courses.items()}
    return [
        message("replay.note_short", policy=message(f"report.policy.{policy}"), units=f"{units:,.0f}")
        for policy, units in short.items()
        if units >= 0.5
    ]


def _named(scenario: Scenario, rows: pa.Table) -> pa.Table:
    return rows.add_column(0, pa.field("scenario", pa.string()), pa.repeat(scenario.name, rows.num_rows))


@dataclass(frozen=True, eq=False)
class Setting:
    """What a replay is about, before any policy acts. known: what was known as each bucket began. before: the first of
    these with its books closed, and `start` its position. facts: of the re-lived buckets, with what was measured.
    company: what it did; where its own flows would go below nothing, the opening stock was raised. due: `due_units` of
    all that is known. measured: lead times and yields of the company's own orders, which the simulator lives by.
    """

    scene: Scene
    known: tuple[State, ...]
    before: State
    start: Position
    facts: ChainFacts
    company: Company
    due: pd.DataFrame
    measured: Learnt


def set_scene(states: Callable[[datetime], State], actual: State, buckets: int, scenario: Scenario = STATED) -> Setting:
    """The setting of a replay; parameters and errors as of `replay`."""
    of_scenario = in_scenario(states, scenario)
    states, actual = (lambda moment: _from_any_day(of_scenario(moment))), _from_any_day(as_in(actual, scenario))
    starts = replayed_buckets(actual, buckets)
    known = tuple(_known_at(states, actual.settings.calendar.midnight(start)) for start in starts)
    if not known[0].table("products").num_rows or not known[0].table("sales").num_rows:
        raise Refused(message("replay.nothing_known", day=starts[0], buckets=len(starts)))
    measured = _measured(actual)
    facts = chain_facts(actual, starts, measured)
    recorded = located(facts, position(known[0])).on_hand_units
    company = company_of(actual, facts, starts, unit_costs(facts, starts), recorded)
    least = {_place(facts, label): units for label, units in company.least_opening.items()}
    before = before_replay(known[0], scenario.opening_stock_factor, least)
    start = position(before)
    scene = make_scene(actual, facts, start, known, starts, company.line_hours, measured)
    return Setting(scene, known, before, start, facts, company, due_units(actual), measured)


def _from_any_day(state: State) -> State:
    """A state whose plans begin where its records end: the day before which the chain does not plan is none of the
    past, which is planned again."""
    return replace(state, settings=replace(state.settings, start=None))


def _place(facts: ChainFacts, label: str) -> Place:
    """Product and site ('' in a chain without lanes) of a stock point."""
    point = facts.stock_points.get(label)
    return (label, ANYWHERE) if point is None else (point.product, point.site)


def replayed_buckets(actual: State, buckets: int) -> list[date]:
    """Starts of the closed buckets to re-live, oldest first. Raises Refused where there are none."""
    calendar = actual.settings.calendar
    due = due_units(actual)
    if due.empty:
        raise Refused(message("replay.no_sales"))
    past_buckets = PAST_WEEKS * 7 // calendar.bucket_days
    first = calendar.shift(calendar.bucket_start(due["due"].min().date()), past_buckets)
    open_bucket = actual.first_open_bucket
    there = max(calendar.index(open_bucket, first), 0)
    starts = [calendar.shift(open_bucket, -n) for n in range(min(buckets, there), 0, -1)]
    if not starts:
        raise Refused(message("replay.too_short", weeks=PAST_WEEKS))
    return starts


def follow(setting: Setting, decide: Decide, on_step: Callable[[int], None] = lambda _done: None) -> Simulation:
    """A policy's course. In each bucket it sees what was known then, with its own course in place of the company's."""
    scene, start = setting.scene, setting.start
    course = Simulation(scene, batches_under_way(start, scene, setting.facts), orders_under_way(start, scene))
    for t, state in enumerate(setting.known):
        frozen = state.settings.frozen_buckets
        for ahead in range(frozen + 1) if t == 0 else (frozen,):
            seen = state.with_tables(**course_tables(course, setting.before))
            course.release(decide(replace(seen, settings=replace(state.settings, frozen_buckets=ahead))))
        course.run()
        on_step(t + 1)
    return course


def follow_company(setting: Setting) -> Simulation:
    """What the company did, through the same simulator."""
    course = Simulation(setting.scene)
    for batches in setting.company.batches:
        course.step(batches)
    return course


def _measured(actual: State) -> Learnt:
    """Lead times and yields of the company's own orders, where it recorded any."""
    scrap = actual.table("production")["scrap_units"]
    if not actual.table("order_events").num_rows and not pc.any(pc.greater(scrap, 0.0)).as_py():
        return nothing_learnt()
    return USUAL.learn(actual, USUAL.sense(actual), (), position(actual))


def _known_at(states: Callable[[datetime], State], moment: datetime) -> State:
    state = states(moment)
    if state.as_of != moment:
        raise ValueError(f"asked for what was known at {moment}, given {state.as_of}")
    known = state.with_tables(**{name: _dated(state.table(name)) for name in ("demand", "orders")})
    known = known.with_tables(**{name: _not_to_come(state, name, day) for name, day in _AHEAD.items()})
    demand = known.table("demand")
    # What was wanted before is in the sales, which are what a replay serves.
    return known.with_tables(demand=demand.filter(pc.greater_equal(demand["due"], pa.scalar(known.first_open_bucket))))


# Tables of what is known ahead, with the day on which a row begins.
_AHEAD = {"prices": "valid_from", "promotions": "from"}


def _not_to_come(state: State, name: str, day: str) -> pa.Table:
    """Every version without those to come that do not say when they were known: the past may not have known them."""
    rows = state.tables[name]
    ever = pc.fill_null(pc.less_equal(rows["known_at"], pa.scalar(SINCE_EVER, rows["known_at"].type)), True)
    to_come = pc.fill_null(pc.greater(rows[day], pa.scalar(state.today)), False)
    return rows.filter(pc.invert(pc.and_(ever, to_come)))


def _dated(rows: pa.Table) -> pa.Table:
    """Wanted units and orders that say when they were known. Without it they count as known since ever, which is right
    for what exists but would tell the past what was wanted or ordered only later."""
    return rows.filter(pc.greater(rows["known_at"], pa.scalar(SINCE_EVER, rows["known_at"].type)))
