"""The page Search: everything whose code or name has a text in it, each with a link to where it is shown."""

from starlette.requests import Request

from datong.app.service.search import Found, Hit, search
from datong.app.web.layout import heading
from datong.app.web.page_elements import Column, link, read, table, words
from datong.app.web.visit import Visit

PATH = "/planner/search"
# Where each kind is shown, and by which name it is asked for there.
SHOWN_ON = {
    "product": ("/planner/demand", "product"),
    "order": ("/planner/plan", "order"),
    "finding": ("/planner/findings", "finding"),
    "line": ("/planner/market", "line"),
    "firm": ("/planner/plan", "firm"),
    "what_if": ("/planner/what-if", "name"),
}


async def build(visit: Visit, request: Request) -> None:
    text = request.query_params.get("q", "")
    found = await read(visit, lambda who: search(visit.served, who, text))
    if not found.text:
        words("p", visit.say("web_search.how"), "note")
        return
    if not found.hits:
        words("p", visit.say("web_search.nothing", text=found.text), "note")
        return
    for kind in dict.fromkeys(hit.kind for hit in found.hits):
        _kind(visit, found, kind)


def _kind(visit: Visit, found: Found, kind: str) -> None:
    title = visit.say(f"web_search.{kind}")
    heading(title)
    own = [hit for hit in found.hits if hit.kind == kind]
    columns = [Column(visit.say(f"web_search.{c}")) for c in ("code", "name", "says")]
    table(title, columns, [_line(visit, hit) for hit in own])
    if kind in found.more:
        words("p", visit.say("web_search.more", count=len(own)), "soft")


def _line(visit: Visit, hit: Hit) -> list:
    def code() -> None:
        path, name = SHOWN_ON[hit.kind]
        link(hit.key, path, **{name: hit.key})

    return [code, hit.name, hit.says if isinstance(hit.says, str) else hit.says.text(visit.language)]
