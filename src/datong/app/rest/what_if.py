"""What-ifs: made, changed, run, held against the plan, taken over or dropped."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from datong.app.rest.around_every_call import Called, OfChain
from datong.app.rest.json_answers import Grid, Rows, plain, shape
from datong.app.rest.lists_by_cursor import AskedPiece, piece, piece_of, span
from datong.app.rest.shapes import Body, Code, Done, Why
from datong.app.rest.tables_by_cursor import Asked, grid
from datong.app.service import what_if
from datong.app.service.jobs import Job
from datong.app.service.what_if import Change, Changed, NewRow, TakenOver, WhatIf
from datong.ledger.protocol import TRUNK, IngestReport

router = APIRouter(prefix="/branches", tags=["what-if"], route_class=OfChain)

OfName = Annotated[str, Path(max_length=200, description="The name of a what-if.")]
Text = Annotated[str, Field(max_length=1000)]


class NewBranch(Body):
    """parent: 'main', or another what-if that it stands on."""

    name: Code
    note: Why = ""
    parent: Code = TRUNK


class Value(Body):
    """One value of a row. key: as its grid names it. text: as a file writes it; '' empties it."""

    table: Code
    key: Code
    column: Code
    text: Text


class Row(Body):
    """A row that is not there yet. values: as a file writes them, by column."""

    table: Code
    values: Annotated[dict[Code, Text], Field(min_length=1, max_length=100)]


class Changes(Body):
    """All of them are made, or none."""

    changes: Annotated[list[Value | Row], Field(min_length=1, max_length=1000)]


class Reports(BaseModel):
    """What became of the rows, with every finding."""

    reports: list[shape(IngestReport)]  # ty: ignore[invalid-type-form]
    findings: Rows


class TakeOver(Body):
    """anyway: also where the chain says something else since."""

    why: Why = ""
    anyway: bool = False


class Side(BaseModel):
    """One of the plans that are compared."""

    name: str
    run: str


class Compared(BaseModel):
    """How plan b differs from plan a, by table, so many rows of each. cursor: asks for the rows after these of every
    table; None: there are none in any. totals: how many rows each has."""

    a: Side
    b: Side
    tables: dict[str, Rows]
    totals: dict[str, int]
    cursor: str | None


@router.get("", response_model=piece_of(WhatIf))
def list_branches(call: Called, wanted: AskedPiece) -> Any:
    """What-ifs, in the order in which they were made."""
    return piece(what_if.branches(call.served, call.who), wanted, lambda one: one.name)


@router.post("", status_code=201, response_model=shape(WhatIf))
def make(sent: NewBranch, call: Called) -> Any:
    """A new what-if on what is known now."""
    return plain(what_if.make(call.served, call.who, sent.name, sent.note, sent.parent))


@router.delete("/{name}")
def drop(name: OfName, call: Called, why: Annotated[str, Query(max_length=2000)] = "") -> Done:
    """Delete a what-if with its rows and runs."""
    what_if.drop(call.served, call.who, name, why)
    return Done()


@router.get("/{name}/rows/{table}")
def rows(name: OfName, table: Annotated[str, Path(max_length=100)], call: Called, wanted: Asked) -> Grid:
    """Rows of a table as a what-if (or 'main') has them."""
    return grid(lambda asked: what_if.rows(call.served, call.who, name, table, asked), wanted, call.language)


@router.get("/{name}/changes", response_model=piece_of(Changed))
def changes(name: OfName, call: Called, wanted: AskedPiece) -> Any:
    """What a what-if says otherwise than the chain did when it was made, cell by cell."""
    found = what_if.changes(call.served, call.who, name)
    return piece(found, wanted, lambda one: json.dumps([one.table, one.row, one.column]))


@router.post("/{name}/changes")
def change(name: OfName, sent: Changes, call: Called) -> Reports:
    """Change values of rows, or add rows, on a what-if."""
    said = [
        Change(one.table, one.key, one.column, one.text) if isinstance(one, Value) else NewRow(one.table, one.values)
        for one in sent.changes
    ]
    taken = what_if.change(call.served, call.who, name, said)
    return Reports(reports=plain(taken.reports, call.language), findings=plain(taken.findings, call.language))


@router.post("/{name}/runs", status_code=202)
def start_run(name: OfName, call: Called) -> Job:
    """Plan as a what-if says: a job."""
    return what_if.start_run(call.served, call.who, name)


@router.get("/{name}/comparison")
def compare(
    name: OfName, call: Called, wanted: AskedPiece, against: Annotated[str, Query(max_length=200)] = TRUNK
) -> Compared:
    """What differs between the last plans of a what-if and of 'main' or another one."""
    found = what_if.compare(call.served, call.who, name, against)
    a, b = (Side(name=side.name, run=side.run) for side in (found.a, found.b))
    totals = {table: rows.num_rows for table, rows in found.tables.items()}
    runs = f"{a.run}/{b.run}"  # whose rows stay as they are
    begin, end, cursor = span(max(totals.values(), default=0), wanted, lambda _at: runs)
    tables = {table: plain(rows.slice(begin, end - begin)) for table, rows in found.tables.items()}
    return Compared(a=a, b=b, tables=tables, totals=totals, cursor=cursor)


@router.post("/{name}/taking-over", response_model=shape(TakenOver))
def take_over(name: OfName, sent: TakeOver, call: Called) -> Any:
    """Write what a what-if changed into the chain itself, where the next plan goes by it; the what-if stays."""
    return plain(what_if.take_over(call.served, call.who, name, sent.why, anyway=sent.anyway))
