"""The ledger against the rules of ledger/verdicts.py, and the rest of what it promises in plain Python."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datong.ledger.protocol import Ledger
from datong.ledger.verdicts import Coming, Verdict, Version, verdicts, verdicts_on_branch
from datong.model.errors import Refused
from datong.model.settings import ChainSettings
from stores import BACK_ENDS, DuckDBStore, Store

MOMENT = pa.timestamp("us", tz="UTC")
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 6


def at(day: int) -> datetime:
    return START + timedelta(days=day)


class Row(NamedTuple):
    """A sale: key ('' for none), day it happened, units, days until it was known (None: not said)."""

    key: str
    happened: int
    units: int
    known_after: int | None

    @property
    def known(self) -> int:
        return self.happened + (self.known_after or 0)

    @property
    def content(self) -> tuple[str, int, int]:
        return self.key, self.happened, self.units

    @property
    def coming(self) -> Coming:
        return Coming(at(self.known), repr(self.content), self.known_after is None)


class Ingest(NamedTuple):
    """A file with rows from row 2 on. whole: the source has no other rows."""

    source: str
    rows: list[Row]
    whole: bool


class Withdraw(NamedTuple):
    key: str
    day: int


class Retry(NamedTuple):
    """All rows of a source that are in quarantine, tried again as they were."""

    source: str


class Oracle:
    """held: of each source, rows in quarantine with their row numbers."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Version]] = {}
        self.held: dict[str, set[tuple[int, Row]]] = {}

    def in_force(self, name: str, day: int) -> Version | None:
        seen = [(v.known, i) for i, v in enumerate(self.versions.get(name, [])) if v.known <= at(day)]
        return self.versions[name][max(seen)[1]] if seen else None

    def ingest(self, source: str, numbered: Sequence[tuple[int, Row]], whole: bool) -> tuple[int, int, int, int]:
        equal: Counter[tuple[str, int, int]] = Counter()
        chains: dict[str, list[tuple[int, Row]]] = {}
        for number, row in numbered:
            equal[row.content] += 1
            chains.setdefault(row.key or f"{row.content}.{equal[row.content]}", []).append((number, row))
        tally: Counter[str] = Counter()
        bad = set()
        for name, rows in chains.items():
            judged = list(zip(rows, self.judge(name, [row.coming for _, row in rows]), strict=True))
            tally.update(verdict for _, verdict in judged)
            bad |= {told for told, verdict in judged if verdict == "conflicting"}
            news = [row for (_, row), verdict in judged if verdict in ("new", "superseding")]
            told = [Version(at(row.known), repr(row.content)) for row in sorted(news, key=lambda row: row.known)]
            self.versions.setdefault(name, []).extend(told)
        held = self.held.get(source, set())
        self.held[source] = (held & bad if whole else held) | bad
        return tally["new"], tally["superseding"], tally["known"], tally["conflicting"]

    def judge(self, name: str, rows: Sequence[Coming]) -> list[Verdict]:
        return verdicts(self.versions.get(name, []), rows)

    def names(self) -> set[str]:
        return set(self.versions)

    def retry(self, source: str) -> tuple[list[tuple[int, Row]], tuple[int, int, int, int]]:
        """The rows in quarantine, in order, and what becomes of them now."""
        held = sorted(self.held.pop(source, set()), key=repr)
        return held, self.ingest(source, held, whole=False)

    def withdraw(self, key: str, day: int) -> int:
        there = self.in_force(key, day)
        if there is None or there.withdrawn:
            return 0
        self.versions[key].append(Version(at(day), there.says, True))
        return 1

    def seen(self, day: int) -> list[tuple[str, int, int]]:
        found = [self.in_force(name, day) for name in self.names()]
        return sorted(ast.literal_eval(v.says) for v in found if v is not None and not v.withdrawn)


class BranchOracle(Oracle):
    """A branch as a whole copy of its parent at its moment, and a list of what was said on it, in that order."""

    def __init__(self, parent: Oracle, moment: int) -> None:
        super().__init__()
        self.parent, self.moment = deepcopy(parent), moment

    def names(self) -> set[str]:
        return self.parent.names() | super().names()

    def in_force(self, name: str, day: int) -> Version | None:
        if day < self.moment:
            return self.parent.in_force(name, day)
        return super().in_force(name, day) or self.parent.in_force(name, self.moment)

    def judge(self, name: str, rows: Sequence[Coming]) -> list[Verdict]:
        below = self.parent.in_force(name, self.moment)
        return verdicts_on_branch(below, self.versions.get(name, []), rows)

    def withdraw(self, key: str, day: int) -> int:
        day = max(day, self.moment)
        there = self.in_force(key, day)
        if there is None or there.withdrawn:
            return 0
        self.versions.setdefault(key, []).append(Version(at(day), there.says, True))
        return 1


rows = st.builds(
    Row, st.sampled_from(["s", "s", "t", ""]), st.integers(0, 2), st.integers(1, 2), st.sampled_from([None, 0, 1, 3])
)
sources = st.sampled_from(["a", "a", "b"])
step = st.one_of(
    st.builds(Ingest, sources, st.lists(rows, min_size=1, max_size=5), st.booleans()),
    st.builds(Withdraw, st.sampled_from(["s", "t"]), st.integers(0, DAYS)),
    st.builds(Retry, sources),
)


@pytest.fixture(scope="module", params=sorted(BACK_ENDS))
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    place = BACK_ENDS[request.param](tmp_path_factory.mktemp("oracle"))
    yield place
    place.close()


@pytest.fixture(scope="module")
def ledger(kept: Store) -> Ledger:
    return kept.open(ChainSettings("x"))


_example = count()
# PostgreSQL judges by the statements of DuckDB, and each takes longer: of its examples every third is tried.
_tried = count()


def is_tried(kept: Store) -> bool:
    return isinstance(kept, DuckDBStore) or next(_tried) % 3 == 0


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=6))
def test_ids_versions_withdrawals_quarantine_and_as_of(
    kept: Store, ledger: Ledger, steps: list[Ingest | Withdraw | Retry]
) -> None:
    if not is_tried(kept):
        return
    product = f"P{next(_example)}-"  # examples share a ledger and differ in product
    oracle = Oracle()
    for taken in steps:
        match taken:
            case Withdraw(key, day):
                done = ledger.withdraw("sales", [f"sales:{product}{key}"], START + timedelta(days=day), by="test")
                assert done == oracle.withdraw(key, day)
            case Retry(source):
                ids = [r["quarantine_id"] for r in held_rows(ledger, product) if r["source"] == product + source]
                again, expected = oracle.retry(source)
                if again:
                    report = ledger.ingest(
                        "sales", as_table(product, again), None, (), product + source, NOW, retried=ids, by="test"
                    )
                    assert (report.added, report.superseded, report.known, report.quarantined) == expected
            case Ingest(source, new, whole):
                numbered = list(enumerate(new, start=2))
                for _ in range(2):  # the second time changes nothing
                    report = ledger.ingest(
                        "sales", as_table(product, numbered), None, (), product + source, NOW, whole=whole, by="test"
                    )
                    tally = report.added, report.superseded, report.known, report.quarantined
                    assert tally == oracle.ingest(source, numbered, whole)
        assert sorted((r["source"].removeprefix(product), r["row"]) for r in held_rows(ledger, product)) == sorted(
            (source, number) for source, held in oracle.held.items() for number, _ in held
        )
    for day in range(DAYS + 1):
        assert seen(ledger, product, day) == oracle.seen(day)


# On one of the ledgers so far (its place modulo their number): a file, a withdrawal, or a branch of it as of a day.
branch_step = st.tuples(
    st.integers(0, 3),
    st.one_of(
        st.lists(rows, min_size=1, max_size=5),
        st.tuples(st.sampled_from(["s", "t"]), st.integers(0, DAYS)),
        st.integers(0, DAYS),
    ),
)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.lists(rows, min_size=3, max_size=5),
    moment=st.integers(0, DAYS),
    later=st.lists(branch_step, min_size=2, max_size=6),
)
def test_branches_of_the_trunk_and_of_one_another(
    kept: Store,
    ledger: Ledger,
    first: list[Row],
    moment: int,
    later: list[tuple[int, list[Row] | tuple[str, int] | int]],
) -> None:
    if not is_tried(kept):
        return
    product = f"P{next(_example)}-"
    branches = kept.branches(ledger)
    there: list[tuple[str | None, Oracle]] = [(None, Oracle())]
    for place, taken in [(0, first), (0, moment), *later]:
        name, oracle = there[place % len(there)]
        on = ledger if name is None else branches.on(name)
        if isinstance(taken, int):
            child = f"{product} {len(there)}"
            moment = START + timedelta(days=taken)
            if isinstance(oracle, BranchOracle) and taken < oracle.moment:
                with pytest.raises(Refused):
                    branches.make(child, name, moment, NOW, "", by="test")
            else:
                branches.make(child, name, moment, NOW, "", by="test")
                there.append((child, BranchOracle(oracle, taken)))
        elif isinstance(taken, tuple):
            key, day = taken
            done = on.withdraw("sales", [f"sales:{product}{key}"], START + timedelta(days=day), by="test")
            assert done == oracle.withdraw(key, day)
        else:
            numbered = list(enumerate(taken, start=2))
            for _ in range(2):
                report = on.ingest("sales", as_table(product, numbered), None, (), product + "a", NOW, by="test")
                tally = report.added, report.superseded, report.known, report.quarantined
                assert tally == oracle.ingest("a", numbered, whole=False)
    for name, oracle in there:  # what was done on one changed none of the others
        on = ledger if name is None else branches.on(name)
        for day in range(DAYS + 1):
            assert seen(on, product, day) == oracle.seen(day)
    for name, _ in reversed(there[1:]):
        branches.drop(str(name), NOW, by="test")
    assert seen(ledger, product, DAYS) == there[0][1].seen(DAYS)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(
        st.lists(rows, min_size=1, max_size=4, unique_by=lambda r: (r.key, r.known)), min_size=2, max_size=4
    ),
    data=st.data(),
)
def test_files_about_different_things_may_come_in_any_order(
    kept: Store, ledger: Ledger, files: list[list[Row]], data: st.DataObject
) -> None:
    """And so may the rows of each, where no two of them speak of one thing at one moment."""
    if not is_tried(kept):
        return
    found = []
    for order in (range(len(files)), data.draw(st.permutations(range(len(files))))):
        example = f"Q{next(_example)}-"
        for i in order:
            product = f"{example}{i}-"
            shuffled = data.draw(st.permutations(files[i])) if found else files[i]
            ledger.ingest("sales", as_table(product, list(enumerate(shuffled, 2))), None, (), product, NOW, by="test")
        found.append([[seen(ledger, f"{example}{i}-", day) for day in range(DAYS + 1)] for i in range(len(files))])
    assert found[0] == found[1]


def held_rows(ledger: Ledger, product: str) -> list[dict[str, Any]]:
    return [row for row in ledger.quarantined().to_pylist() if row["source"].startswith(product)]


def seen(ledger: Ledger, product: str, day: int) -> list[tuple[str, int, int]]:
    """The contents that are known on a day. The last day's are read with every other table, the others' alone."""
    names = None if day == DAYS else ("sales",)
    found = ledger.state(START + timedelta(days=day), names).table("sales")
    found = found.filter(pc.equal(found["product"], product)).to_pylist()
    return sorted(
        ((r["sale"] or "").removeprefix(product), (r["happened_at"] - START).days, int(r["units"])) for r in found
    )


def as_table(product: str, numbered: Sequence[tuple[int, Row]]) -> pa.Table:
    taken = [row for _, row in numbered]
    happened = [START + timedelta(days=r.happened) for r in taken]
    known = [None if r.known_after is None else START + timedelta(days=r.known) for r in taken]
    return pa.table(
        {
            "happened_at": pa.array(happened, MOMENT),
            "sale": [f"{product}{r.key}" if r.key else None for r in taken],
            "product": [product] * len(taken),
            "units": [float(r.units) for r in taken],
            "known_at": pa.array(known, MOMENT),
            "__row__": [number for number, _ in numbered],
        }
    )
