"""What to make, buy and move now: one turn of the loop, kept as a run."""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong import __version__
from datong.balance.cost_and_flow_tables import money_by_bucket, parts, unit_costs, ways
from datong.cycle import CycleResult, run_cycle
from datong.learn.learnt_as_table import learnt_by, learnt_table
from datong.ledger.large_tables import parts as parts_of_rows
from datong.ledger.products_held_back import held_back, lacking
from datong.ledger.protocol import RunRecord
from datong.ledger.state import REFUSED, State
from datong.model.findings import Finding
from datong.model.flow import Learnt
from datong.model.tables import ACTED_AT, Table, tables
from datong.questions.order_list import order_list
from datong.questions.since import PlanBefore, since
from datong.questions.tables_out import findings_table, product_names, run_tables

# Most findings on rows that were left out that are kept with a run.
MOST_LEFT_OUT = 500
# Whole numbers by their width in bits.
_WHOLE = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


@dataclass(frozen=True, eq=False)
class RunAsked:
    """What one turn of the loop is worked out from: a value, which any process can answer.

    past_runs: earlier runs, oldest first; the last one's learning is used. before: the plan that it is held against.
    left_out: what is wrong with rows that the state is without; notices: what is expected or read otherwise than it may
    seem; both are told with the plan. proposed: orders of every kept run that plans from the same bucket, of the same
    moment too, oldest first: their numbers stand for nothing else. listed: with the table order_list.
    """

    state: State
    past_runs: tuple[RunRecord, ...]
    before: PlanBefore | None
    seed: int
    left_out: tuple[Finding, ...] = ()
    notices: tuple[Finding, ...] = ()
    proposed: tuple[pa.Table, ...] = ()
    listed: bool = False

    def answer(self, on_stage: Callable[[str], None] = lambda _stage: None) -> RunRecord:
        """One turn of the loop on the state, with what came and changed since the plan before.

        on_stage: called with the name of each stage as it starts. Raises NoPlan where locked orders cannot run.
        """
        used = learnt_by(self.past_runs)
        result = run_cycle(self.state, used, self.past_runs, self.seed, on_stage, proposed=self.proposed)
        record = run_record(self.state, used, self.seed, result, self.past_runs)
        more = {
            "since": since(self.before, self.state, record.tables),
            "left_out": findings_table(self.left_out[:MOST_LEFT_OUT]),
            "notices": findings_table(self.notices),
        }
        if self.listed:
            more["order_list"] = order_list(self.state, result.forecast, record.tables)
        write = None if self.state.snapshot is None else self.state.snapshot.write
        return replace(record, tables={**record.tables, **more}, write=write)


def run_record(
    state: State, used: Learnt, seed: int, result: CycleResult, past_runs: Sequence[RunRecord] = ()
) -> RunRecord:
    """The run as it is kept. Its id is a hash of everything that went in, the runs that it learnt from included."""
    kept = {**run_tables(result), "learnt_used": learnt_table(used), "learnt": learnt_table(result.learnt)}
    kept["held"] = held_table(state)
    kept |= {"products": product_names(state)}
    market = result.decision.market.market
    kept |= {"ways": ways(market), "parts": parts(market), "unit_costs": unit_costs(market)}
    kept["money_by_bucket"] = money_by_bucket(market, result.decision.given_out.outcome)
    digest = hashlib.sha256(f"{__version__}|{seed}|{state.as_of.isoformat()}".encode())
    digest.update(json.dumps(asdict(state.settings), default=str, sort_keys=True).encode())
    for name in tables():
        _digest_table(digest, tables()[name], state.versions(name))
    if state.table(REFUSED).num_rows:
        digest_content(digest, state.table(REFUSED))
    digest_content(digest, kept["learnt_used"])
    digest.update(",".join(past.run for past in past_runs).encode())
    name = f"R{state.today:%Y%m%d}-{digest.hexdigest()[:8]}"
    return RunRecord(name, state.as_of, seed, kept, dict(state.worked_out.used))


def _digest_table(digest: "hashlib._Hash", table: Table, rows: pa.Table) -> None:
    """Feeds rows to a digest, those of a large table a part at a time. Customers by number, in the order in which they
    come: tokens are of keys that no other chain has. Without the minute in which they were said: the same said later is
    the same plan."""
    known: dict[str, pa.Array] = {}
    for part in parts_of_rows(rows, [name for name in rows.column_names if name != ACTED_AT]):
        for name in table.personal_columns("customer"):
            own = part[name].combine_chunks()
            encoded = own.dictionary_encode()
            numbers, fresh = encoded.indices, encoded.dictionary
            if (before := known.get(name)) is not None:
                fresh = pa.concat_arrays([before, fresh.filter(pc.invert(pc.is_in(fresh, value_set=before)))])
                numbers = pc.index_in(own, value_set=fresh, skip_nulls=True)
            known[name] = fresh
            part = part.set_column(part.column_names.index(name), name, pa.chunked_array([numbers.cast(pa.int32())]))
        digest_content(digest, part)


def held_table(state: State) -> pa.Table:
    """Products that run short because one is held back: product, and which one it lacks."""
    starts = state.settings.calendar.starts(state.first_open_bucket, state.settings.horizon_buckets)
    lacks = lacking(state, held_back(state, starts))
    columns = {"product": list(lacks), "lacks": list(lacks.values())}
    return pa.table(columns, pa.schema([(name, pa.string()) for name in columns]))


def digest_content(digest: "hashlib._Hash", table: pa.Table) -> None:
    """Feeds a table's rows to a digest as they stream by: a large table in one piece takes several times its memory."""
    with pa.ipc.new_stream(pa.PythonFile(_Digesting(digest), mode="w"), table.schema) as writer:
        writer.write_table(_with_zeros_for_nulls(table.combine_chunks()))


def _with_zeros_for_nulls(table: pa.Table) -> pa.Table:
    """The same rows; what lies in memory where a number, day or moment is null is 0 and not chance."""
    for at, field in enumerate(table.schema):
        if table[at].null_count and pa.types.is_primitive(field.type):
            chunks = [_zeroed(chunk) for chunk in table[at].chunks]
            table = table.set_column(at, field, pa.chunked_array(chunks, field.type))
    return table


def _zeroed(values: pa.Array) -> pa.Array:
    is_bit = pa.types.is_boolean(values.type)
    plain = values if is_bit else values.view(_WHOLE[values.type.bit_width])
    filled = pc.fill_null(plain, False if is_bit else 0).to_numpy(zero_copy_only=False)
    return pa.array(filled, plain.type, mask=values.is_null().to_numpy(zero_copy_only=False)).view(values.type)


class _Digesting(io.RawIOBase):
    """A file that keeps nothing but the digest of what is written to it."""

    def __init__(self, digest: "hashlib._Hash") -> None:
        super().__init__()
        self._digest = digest

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        self._digest.update(content)
        return len(content)
