"""What past orders taught of yields and lead times: what this plan counts on otherwise than the one before, and what
only the next one will. What a plan counts on was learnt by the runs before it."""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from datong.learn.learnt_as_table import learnt_from_table
from datong.ledger.state import State
from datong.model.words import message
from datong.network.learnt_told import LearntFigure, learnt_figures, shown_figure
from datong.questions.since.rows import Naming, PlanBefore, Row

_Figures = dict[tuple[str, str], LearntFigure]


def learnt_rows(
    before: PlanBefore | None, state: State, tables: Mapping[str, pa.Table], naming: Naming
) -> Iterator[Row]:
    """First what the plan counts on otherwise than the one before, then what it does not count on yet."""
    used, learnt = _figures(state, tables.get("learnt_used")), _figures(state, tables.get("learnt"))
    if before is not None:
        was = _figures(state, before.tables.get("learnt_used"))
        yield from _changes("learnt", was, used, naming)
    yield from _changes("learnt_next", used, learnt, naming)


def _figures(state: State, table: pa.Table | None) -> _Figures:
    """By kind and key."""
    known = () if table is None else learnt_figures(state, learnt_from_table(table))
    return {(one.kind, one.key): one for one in known}


def _changes(part: str, was: _Figures, now: _Figures, naming: Naming) -> Iterator[Row]:
    for key, one in now.items():
        counted = was[key].value if key in was else one.stated
        if one.differs(counted):
            words = {"key": one.key, "product": naming.called(one.product), "records": one.records}
            figures = {"now": shown_figure(one.kind, one.value), "before": shown_figure(one.kind, counted)}
            unknown = "" if one.records else "_unknown"
            text = message(f"since.{part}_{one.kind}{unknown}", **words, **figures)
            yield Row("learnt", f"{part}_{one.kind}", text, one.key, one.product)
