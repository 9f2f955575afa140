"""What-ifs: make one, change anything on it, run it, hold it against the plan, and take it over or drop it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datong.app.branch_changes import Change, NewRow, as_cell
from datong.app.chain import Chain
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.jobs import Job
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.take_in_beside_folder import Taken
from datong.ledger.protocol import TRUNK, Branch, branch_name
from datong.ledger.state import Snapshot, State
from datong.model.errors import NotFound, Refused
from datong.model.tables import BESIDE, tables
from datong.model.words import message

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.compare import Comparison

# Rows in conflict that a sentence names.
MOST_NAMED = 5
# Cells that say when a row was known, and what of it is assumed: no part of what a planner changes.
_NOT_SAID = ("row_id", *BESIDE)

Key = tuple[str, date | None]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class WhatIf:
    """A branch. parent: 'main' or another one. moment: whose knowledge it stands on. changed: rows of its own by table.
    last_run: None where it has none. is_current: nothing was changed since that run."""

    name: str
    parent: str
    moment: datetime
    made_at: datetime
    note: str
    changed: Mapping[str, int]
    last_run: str | None
    is_current: bool


@dataclass(frozen=True)
class TakenOver:
    """What a branch brought to the plan: ids of rows that were written, and of those that were withdrawn, by table."""

    written: Mapping[str, tuple[str, ...]]
    withdrawn: Mapping[str, tuple[str, ...]]


def branches(served: Served, who: Who) -> tuple[WhatIf, ...]:
    """Every what-if, in the order in which they were made."""
    who.require(Permission.SEE_PLAN)
    return served.chain_thread.kept(
        "what_if.branches", lambda chain: tuple(_shown(chain, one) for one in chain.branches())
    )


def _shown(chain: Chain, one: Branch) -> WhatIf:
    is_current = one.last_run is not None and chain.on(one.name).ledger.run_inputs(one.last_run, ()).current
    parent = one.parent or TRUNK
    return WhatIf(one.name, parent, one.moment, one.made_at, one.note, dict(one.changed), one.last_run, is_current)


def make(served: Served, who: Who, name: str, note: str = "", parent: str = TRUNK) -> WhatIf:
    """A new what-if on what is known now. Raises Refused for a name that is taken or is none, NotFound for a parent
    that is not there."""
    who.require(Permission.WHAT_IF)
    served.chain_thread.write(who.login, lambda chain: chain.on(None).branch(name, parent=parent, note=note))
    served.audit.note(who.login, "make_branch", name, after={"note": note, "parent": parent})
    served.events.tell("plan", name, Permission.SEE_PLAN)
    return _the(branches(served, who), name)


def _the(there: Sequence[WhatIf], name: str) -> WhatIf:
    plain = branch_name(name)
    found = next((one for one in there if one.name == plain), None)
    if found is None:
        raise NotFound(message("branch.unknown", name=name, branches=", ".join([TRUNK, *(b.name for b in there)])))
    return found


def drop(served: Served, who: Who, name: str, why: str = "") -> None:
    """Delete a what-if with its rows and runs. Raises NotFound, Refused while others stand on it."""
    who.require(Permission.WHAT_IF)
    gone = _the(branches(served, who), name)
    served.chain_thread.write(who.login, lambda chain: chain.drop_branch(gone.name))
    served.audit.note(who.login, "drop_branch", gone.name, before={"changed": dict(gone.changed)}, why=why)
    served.events.tell("plan", gone.name, Permission.SEE_PLAN)


# changing ----------------------------------------------------------------------------------------


def changeable() -> tuple[str, ...]:
    """Tables of which single values can be changed: those that say what exists."""
    return tuple(table.name for table in tables().values() if table.kind == "master")


def rows(served: Served, who: Who, name: str, table: str, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008
    """Rows of a table as a what-if (or 'main') has them; `key` tells them apart and names them to `change`. Raises
    NotFound."""
    who.require(Permission.SEE_PLAN)
    if table not in changeable():
        raise NotFound(message("branch.unknown_table", table=table, tables=", ".join(changeable())))
    plain = branch_name(name)
    found = served.chain_thread.kept(("what_if.rows", plain, table), lambda chain: table_rows(chain.on(plain), table))
    return piece(found, "key", wanted)


def table_rows(view: Chain, table: str) -> pa.Table:
    """Rows of a table that says what exists, with `key`, as a chain or a branch has them."""
    held = view.state(names=(table,)).table(table)
    keys = [row_id.partition(":")[2] for row_id in held["row_id"].to_pylist()]
    columns = [c for c in tables()[table].columns if c not in BESIDE]
    return pa.table({"key": pa.array(keys, pa.string()), **{c: held[c] for c in columns}, "assumed": held["assumed"]})


def change(served: Served, who: Who, name: str, changes: Sequence[Change | NewRow | str]) -> Taken:
    """Change values of rows, or add rows, on a what-if. Raises BadInput with all findings where the rules of a row are
    broken: then nothing is changed; NotFound, and Refused on the plan itself."""
    who.require(Permission.WHAT_IF)
    plain = branch_name(name)
    if plain is None:
        raise Refused(message("served.what_if.not_on_main"))
    taken = served.chain_thread.write(who.login, lambda chain: chain.on(plain).change(*changes))
    served.audit.note(who.login, "change_branch", plain, after={"changes": [str(one) for one in changes]})
    served.events.tell("plan", plain, Permission.SEE_PLAN)
    return taken


@dataclass(frozen=True)
class Changed:
    """What a what-if says otherwise in one cell, as texts. column: '' where it withdraws the row. was: when the what-if
    was made; now: in the chain today ('': nothing). is_new: the row is not there without it. is_in_conflict: the
    chain says something else since."""

    table: str
    row: str
    column: str
    was: str
    wanted: str
    now: str
    is_new: bool
    is_in_conflict: bool


def changes(served: Served, who: Who, name: str) -> tuple[Changed, ...]:
    """What a what-if says otherwise than the chain did when it was made, by table and row. Raises NotFound."""
    who.require(Permission.SEE_PLAN)
    plain = _the(branches(served, who), name).name
    return served.chain_thread.kept(
        ("what_if.changes", plain), lambda chain: tuple(c for one in _differing(chain, plain) for c in _cells(one))
    )


def _cells(one: "_Differs") -> list[Changed]:
    row = _version(one.key)
    if one.wanted is None:
        return [Changed(one.table, row, "", "", "", "", is_new=False, is_in_conflict=one.is_in_conflict)]
    was, now, is_new = one.was or {}, one.now or {}, one.was is None
    told = {c: (as_cell(was.get(c)), as_cell(value), as_cell(now.get(c))) for c, value in one.cells.items()}
    return [
        Changed(one.table, row, column, *cells, is_new=is_new, is_in_conflict=one.is_in_conflict)
        for column, cells in told.items()
        if not is_new or cells[1]
    ]


# running and comparing ---------------------------------------------------------------------------


def start_run(served: Served, who: Who, name: str) -> Job:
    """Begin to plan as a what-if says. Raises NotFound."""
    who.require(Permission.WHAT_IF)
    return served.start_job(who, "try", {"branch": _the(branches(served, who), name).name})


def compare(served: Served, who: Who, name: str, against: str = TRUNK) -> "Comparison":
    """What differs between the last runs of the plan (or another what-if) and of a what-if. Raises NotFound, and
    Refused where one of them has no run of what it holds now: that is a job."""
    who.require(Permission.SEE_PLAN)
    there = branches(served, who)
    for side in (against, name):
        if branch_name(side) is None:
            continue
        one = _the(there, side)
        if one.last_run is None or not one.is_current:
            key = "served.what_if.never_run" if one.last_run is None else "served.what_if.changed_since"
            raise Refused(message(key, name=one.name))
    has_plan = served.chain_thread.kept(
        "what_if.has_plan", lambda chain: None in chain.ledger.runs()["branch"].to_pylist()
    )
    if None in (branch_name(against), branch_name(name)) and not has_plan:
        raise NotFound(message("served.no_plan"))
    return served.chain_thread.kept(("what_if.compare", against, name), lambda chain: chain.compare(against, name))


# taking over -------------------------------------------------------------------------------------


def take_over(served: Served, who: Who, name: str, why: str = "", *, anyway: bool = False) -> TakenOver:
    """Write what a what-if changed into the chain itself, where the next plan goes by it. The what-if stays.

    anyway: also where the chain says something else since the what-if was made. Raises NotFound; Refused for such rows
    otherwise, for events (they come in from files), and where nothing was changed; BadInput where a row breaks a rule.
    Then nothing is written.
    """
    who.require(Permission.WHAT_IF)
    who.require(Permission.CHANGE_DATA)
    _the(branches(served, who), name)
    plain = str(branch_name(name))
    done, before = served.chain_thread.write(who.login, lambda chain: _take_over(chain, plain, anyway))
    after = {"written": dict(done.written), "withdrawn": dict(done.withdrawn)}
    served.audit.note(who.login, "take_over_branch", plain, before=before, after=after, why=why)
    for kind, permission in (("data", Permission.SEE_DATA), ("plan", Permission.SEE_PLAN)):
        served.events.tell(kind, plain, permission)
    return done


@dataclass(frozen=True)
class _Differs:
    """A row that a branch has otherwise. was: as the chain had it when the branch was made (None: not at all); wanted:
    as the branch has it; now: as the chain has it now."""

    table: str
    key: Key
    was: Row | None
    wanted: Row | None
    now: Row | None

    @property
    def cells(self) -> dict[str, Any]:
        """What the branch says otherwise, by column."""
        names = [c for c in tables()[self.table].columns if c not in _NOT_SAID]
        wanted = self.wanted or {}
        return {c: wanted.get(c) for c in names if self.was is None or wanted.get(c) != self.was.get(c)}

    @property
    def is_in_conflict(self) -> bool:
        """Whether the chain says something else since."""
        if self.wanted is None:
            return self.now is not None and self.was is not None and not _same(self.now, self.was, self.was)
        if self.now is None:
            return self.was is not None
        was = self.was or {}
        return any(self.now.get(c) not in (was.get(c) if self.was else value, value) for c, value in self.cells.items())

    @property
    def is_there(self) -> bool:
        """Whether the chain says the same already."""
        if self.wanted is None or self.now is None:
            return self.wanted is self.now
        return all(self.now.get(c) == value for c, value in self.cells.items())


def _same(one: Row, other: Row, columns: Iterable[str]) -> bool:
    return all(one.get(c) == other.get(c) for c in columns if c not in _NOT_SAID)


def _take_over(chain: Chain, name: str, anyway: bool) -> tuple[TakenOver, dict[str, Any]]:
    differing = [one for one in _differing(chain, name) if not one.is_there]
    if not differing:
        raise Refused(message("served.what_if.nothing_changed", name=name))
    events = sorted({one.table for one in differing if tables()[one.table].kind != "master"})
    if events:
        raise Refused(message("served.what_if.of_events", name=name, tables=", ".join(events)))
    conflicts = [one for one in differing if one.is_in_conflict]
    if conflicts and not anyway:
        some = "; ".join(_conflict_words(one) for one in conflicts[:MOST_NAMED])
        some += " …" if len(conflicts) > MOST_NAMED else ""
        raise Refused(message("served.what_if.in_conflict", name=name, count=len(conflicts), rows=some))
    written: dict[str, tuple[str, ...]] = {}
    withdrawn: dict[str, tuple[str, ...]] = {}
    with chain.ledger.together():
        for table in (t for t in tables() if any(one.table == t for one in differing)):
            own = [one for one in differing if one.table == table]
            new = [one for one in own if one.wanted is not None]
            gone = [_version(one.key) for one in own if one.wanted is None and one.now is not None]
            if new:
                chain.write_rows(table, [_as_rows(one) for one in new], f"what-if {name}")
                written[table] = tuple(_version(one.key) for one in new)
            if gone:
                chain.withdraw(table, gone)
                withdrawn[table] = tuple(gone)
    before = {
        _version(one.key): {c: as_cell((one.now or {}).get(c)) for c in one.cells} for one in differing if one.now
    }
    return TakenOver(written, withdrawn), before


def _conflict_words(one: _Differs) -> str:
    if one.now is None or one.wanted is None:
        return _version(one.key)
    told = [
        f"{_version(one.key)} {column}: {as_cell(one.now.get(column))} / {as_cell(value)}"
        for column, value in one.cells.items()
        if one.now.get(column) != value
    ]
    return ", ".join(told)


def _version(key: Key) -> str:
    """The id of a row, with the day from which on it holds, where it says one."""
    return key[0] if key[1] is None else f"{key[0]} ({key[1]})"


def _as_rows(one: _Differs) -> dict[str, str]:
    """The row as the chain is to have it: as it has it now, with what the branch says otherwise."""
    cells = {**(one.now or one.wanted or {}), **one.cells}
    told = {c: as_cell(cells.get(c)) for c in tables()[one.table].columns if c not in _NOT_SAID}
    marks = [m.strip() for m in ((one.now or {}).get("assumed") or "").split(",")]
    return told | {"assumed": ",".join(m for m in marks if m and m not in one.cells and m != "known_at")}


def _differing(chain: Chain, name: str) -> list[_Differs]:
    """Rows that a branch, or one that it stands on, has otherwise than the chain had them when it was made."""
    there = {one.name: one for one in chain.branches()}
    line = [there[name]]
    while line[-1].parent is not None:
        line.append(there[line[-1].parent])
    root = line[-1]
    changed = {table for one in line for table in one.changed}
    names = tuple(table for table in tables() if table in changed)
    snapshot = Snapshot(chain.ledger.chain, None, root.sees)
    before = chain.on(None).ledger.state(root.moment, names, snapshot)
    on_branch = chain.on(name).state(names=names)
    now = chain.on(None).state(names=names)
    return [one for table in names for one in _of_table(table, before, on_branch, now)]


def _of_table(table: str, before: State, on_branch: State, now: State) -> list[_Differs]:
    was, wanted, held = (_by_key(state, table) for state in (before, on_branch, now))
    found = []
    for key in sorted({*was, *wanted}, key=lambda k: (k[0], str(k[1]))):
        old, new = was.get(key), wanted.get(key)
        if old is None or new is None or not _same(old, new, tables()[table].columns):
            found.append(_Differs(table, key, old, new, held.get(key)))
    return found


def _by_key(state: State, table: str) -> dict[Key, Row]:
    return {(row["row_id"], row.get("valid_from")): row for row in state.versions(table).to_pylist()}
