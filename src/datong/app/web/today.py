"""The page Today: what came back, what is late and for whom, and what to decide first."""

from starlette.requests import Request

from datong.app.web.layout import note
from datong.app.web.visit import Visit


async def build(visit: Visit, _request: Request) -> None:
    note(visit.say("web_today.no_run"))
