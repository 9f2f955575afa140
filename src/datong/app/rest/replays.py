"""History through the loop, held against what the company did."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from datong.app.rest.around_every_call import Called, Signed
from datong.app.rest.json_answers import plain, shape
from datong.app.rest.shapes import Body
from datong.app.service import replays
from datong.app.service.jobs import Job
from datong.app.service.replays import MOST_BUCKETS, USUAL_BUCKETS, Replayed

router = APIRouter(prefix="/replays", tags=["plan"], route_class=Signed)


class NewReplay(Body):
    """buckets: how many of the last closed weeks or days are re-lived."""

    buckets: int = Field(USUAL_BUCKETS, ge=1, le=MOST_BUCKETS)


@router.post("", status_code=202)
def start(sent: NewReplay, call: Called) -> Job:
    """Begin a replay: a job."""
    return replays.start_replay(call.served, call.who, sent.buckets)


@router.get("/last", response_model=shape(Replayed) | None)
def last(call: Called) -> Any:
    """What the last replay says; None: there was none."""
    return plain(replays.last_replay(call.served, call.who))
