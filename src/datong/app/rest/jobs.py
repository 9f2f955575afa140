"""Long work: begun, looked at, cancelled. And who changed what."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from datong.app.rest.around_every_call import Called, Signed
from datong.app.rest.json_answers import plain, shape
from datong.app.rest.shapes import Body, Code, Count, Day
from datong.app.rest.workbooks import Workbook, as_file
from datong.app.service import audit_list
from datong.app.service.audit_list import Looked
from datong.app.service.jobs import Job

jobs = APIRouter(prefix="/jobs", tags=["jobs"], route_class=Signed)
audit = APIRouter(prefix="/audit", tags=["audit"], route_class=Signed)

OfJob = Annotated[str, Path(max_length=80, description="The name of a job.")]


class NewJob(Body):
    """kind: 'run' makes a plan; what else is a job has an endpoint of its own. branch: a what-if; None: the plan
    itself. as_of: a day or a moment; None: now. seed: of what chance decides; None: the chain's."""

    kind: Literal["run"]
    branch: Code | None = None
    as_of: Annotated[str, Field(max_length=40)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class Entry(BaseModel):
    """One change. at: seconds since 1970. by: the login. what: was done. way: by which door. is_hidden: it has values
    or a reason, which are told only to who may see the plan."""

    entry: int
    at: float
    by: str
    what: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str
    way: str
    is_hidden: bool


class Entries(BaseModel):
    """cursor: asks for the entries after these; None: there are none yet."""

    rows: list[Entry]
    cursor: str | None


class Jobs(BaseModel):
    """cursor: asks for the jobs before these; None: there are none."""

    rows: list[Job]
    cursor: str | None


@jobs.get("")
def list_jobs(
    call: Called,
    count: Count = 50,
    cursor: Annotated[str | None, Query(max_length=80, description="Where the piece before ended.")] = None,
) -> Jobs:
    """Jobs that one may see, newest first."""
    found = call.served.jobs.jobs(call.who, count + 1, cursor)
    return Jobs(rows=found[:count], cursor=found[count - 1].job if len(found) > count else None)


@jobs.post("", status_code=202)
def start_job(sent: NewJob, call: Called) -> Job:
    """Begin a job, or find the one that waits with the same question."""
    asked = {name: value for name, value in sent.model_dump(exclude={"kind"}).items() if value is not None}
    return call.served.start_job(call.who, sent.kind, asked)


@jobs.get("/{job}")
def job(job: OfJob, call: Called) -> Job:
    """How far a job is, and what came of it."""
    return call.served.jobs.job(call.who, job)


@jobs.post("/{job}/cancellation")
def cancel_job(job: OfJob, call: Called) -> Job:
    """Stop a job: nothing of it is kept. One that has ended stays as it is."""
    return call.served.cancel_job(call.who, job)


@audit.get("")
def entries(
    call: Called,
    count: Count = 100,
    cursor: Annotated[str, Query(pattern=r"^\d{1,18}$", description="Where the piece before ended.")] = "0",
) -> Entries:
    """Who changed what, from what to what, and why; oldest first."""
    found = [Entry(**row) for row in call.served.audit.entries(call.who, int(cursor), count)]
    return Entries(rows=found, cursor=str(found[-1].entry) if len(found) == count else None)


def _looked(
    by: Annotated[str, Query(max_length=80, description="A login.")] = "",
    what: Annotated[str, Query(max_length=80, description="What was done.")] = "",
    subject: Annotated[str, Query(max_length=400, description="A part of what was changed.")] = "",
    first: Annotated[Day | None, Query(description="A day, included.")] = None,
    last: Annotated[Day | None, Query(description="A day, included.")] = None,
) -> Looked:
    return Looked(by, what, subject, first, last)


WhatIsLooked = Annotated[Looked, Depends(_looked)]
_FOUND = shape(audit_list.Entries)


@audit.get("/found", response_model=_FOUND)
def found_entries(
    call: Called,
    looked: WhatIsLooked,
    count: Count = 100,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="The number of an entry.")] = None,
) -> Any:
    """What of the audit is looked for, newest first; `before` of an answer asks for what follows."""
    return plain(audit_list.audit_list(call.served, call.who, looked, before, count))


@audit.get("/acts")
def acts(call: Called) -> dict[str, int]:
    """What was done so far, and how often."""
    return audit_list.acts(call.served, call.who)


@audit.get("/found.xlsx", response_class=Workbook)
def found_out(call: Called, looked: WhatIsLooked) -> Workbook:
    """What of the audit is looked for, as a workbook."""
    return as_file(audit_list.audit_sheet(call.served, call.who, looked, call.language))
