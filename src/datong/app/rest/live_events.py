"""What changes, told at once: server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from queue import Empty
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from datong.app.rest.around_every_call import Call, Called, Signed
from datong.app.rest.problems import TooOften
from datong.app.service.live_events import Event, Listener
from datong.model.words import message

EVENT_STREAM = "text/event-stream"
# Seconds: so often a listener is told that the line holds, and so often it is looked for something new.
HEARTBEAT_S, LOOK_S = 15.0, 0.2
# Streams that one account may have open at once.
MOST_STREAMS = 20


class Stream(StreamingResponse):
    """Events, for the browser's EventSource. However it ends, also before its first word, its place is given back."""

    media_type = EVENT_STREAM

    give_back: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.give_back()


events = APIRouter(prefix="/events", tags=["events"], route_class=Signed)


@events.get("", response_class=Stream)
async def listen(call: Called, last_event_id: Annotated[str | None, Header(max_length=200)] = None) -> Stream:
    """What changes from now on, of what one may see: `event` is its kind, `data` its kind and subject. Whoever comes
    back after a break is told `lost` first: load anew."""
    listener = call.served.events.listen(call.who)
    if call.door.streams.count(call.who.account) >= MOST_STREAMS:
        call.served.events.leave(listener)
        raise TooOften(message("rest.too_many_streams", most=MOST_STREAMS), int(HEARTBEAT_S))
    call.door.streams.append(call.who.account)
    told = _told(call, listener, is_back=last_event_id is not None)
    stream = Stream(told, headers={"cache-control": "no-store"})

    def give_back() -> None:
        call.served.events.leave(listener)
        call.door.streams.remove(call.who.account)

    stream.give_back = give_back
    return stream


async def _told(call: Call, listener: Listener, *, is_back: bool) -> AsyncGenerator[str]:
    """The text of a stream; it ends when its listener may not listen any more."""
    clock = asyncio.get_running_loop().time
    yield "retry: 3000\n\n"
    number, said_at = 0, clock()
    if is_back:
        number += 1
        yield _text("lost", "", number)
    while True:
        event = _next(listener)
        if event is None and clock() - said_at < HEARTBEAT_S:
            await asyncio.sleep(LOOK_S)
            continue
        if not await run_in_threadpool(call.still_holds):
            return
        said_at = clock()
        if event is None:
            yield ": the line holds\n\n"
        else:
            number += 1
            yield _text(event.kind, event.subject, number)


def _next(listener: Listener) -> Event | None:
    try:
        return listener.queue.get_nowait()
    except Empty:
        return None


def _text(kind: str, subject: str, number: int) -> str:
    """One event. number: counts those of this stream alone, so that it tells nothing of what others do."""
    data = json.dumps({"kind": kind, "subject": subject}, ensure_ascii=False)
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n"
