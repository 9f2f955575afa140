"""Nobody sees what is not theirs: every endpoint, page, file and tool, asked by everybody about things of each firm.

Each of two firms has a word of its own that stands in all rows about it: its name in both languages, the names of its
site, line, product, material and supplier, addresses, remarks of its answers, its people, rows that wait, files,
what-ifs, proposals with their reasons. No request says such a word, so an answer that does tells something of the firm.
The chain's own people see all of it, which shows that the words are there to be found.
"""

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zipfile import BadZipFile, ZipFile

import httpx
import nicegui
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from datong.app.chain import Chain
from datong.app.http.signed_in import COOKIE, CSRF_FIELD, CSRF_HEADER
from datong.app.mcp.tools import TOOLS
from datong.app.release_orders import release
from datong.app.rest.application import PREFIX
from datong.app.server import application
from datong.app.service import what_if
from datong.app.service.accounts import Session
from datong.app.service.data import upload
from datong.app.service.factory import answer, own_orders
from datong.app.service.grids import Wanted
from datong.app.service.live_events import Event, may_see
from datong.app.service.order_edit_rules import Change
from datong.app.service.orders_shown import orders
from datong.app.service.photos import add_photo
from datong.app.service.proposals_and_approvals import propose
from datong.app.service.roles_and_permissions import ROLES, Permission
from datong.app.service.served_chain import Served
from datong.app.service.typed_answers import Typed
from made_once import lay
from rest.test_doors import NEEDS, QUERIES
from served_mill import Clock, serve_at, session_of
from service.test_photo_checked_and_cleaned import jpeg

WORDS = ("Karst", "Lupin")
FIRMS = tuple(f"{word} Works" for word in WORDS)
# Of what stands in the market, which who decides about findings and demand may see; of all else of a firm.
WARES = tuple(f"{word}ware" for word in WORDS)
# Words of others that a role may see. None: all of them.
SEES: Mapping[str, tuple[str, ...] | None] = {
    "planner": None,
    "analyst": None,
    "auditor": None,
    "product_manager": WARES,
    "administrator": FIRMS,  # which firm an account speaks for
    "platform": (),
    "factory": (),
}


def _rows(head: str, *rows: str) -> str:
    """A file in which each row stands once for each firm: '#' is its number, 'Word' its word."""
    each = (row.replace("#", str(n)).replace("Word", word) for row in rows for n, word in enumerate(WORDS, 1))
    return "\n".join((head, *each, ""))


FILES = {
    "chain.toml": 'name = "mill"\nhorizon_buckets = 4\nstart = 2026-03-02\nhistory = "live"\n',
    "sites.csv": _rows(
        "site,kind,firm,address,name",
        "W#,factory,Word Works,1 Word Road,Word mill",
        "V#,supplier,,2 Word Road,Word field",
    ),
    "lines.csv": _rows("line,hours_per_week,site,name", "L#,40,W#,Word press"),
    "products.csv": _rows("product,price,kind,name", "P#,100,finished,Wordware", "M#,4,material,Word seed"),
    "recipes.csv": _rows("recipe,product,line,hours_per_unit,cost_per_unit", "P#/1,P#,L#,1,10"),
    "components.csv": _rows("product,component,units_per_unit", "P#,M#,2"),
    "offers.csv": _rows("offer,product,price,lead_days,site", "M#/V,M#,4,0,V#"),
    "firms.csv": _rows("firm,name,language", "Word Works,Word 工厂,zh"),
    "demand.csv": _rows(
        "demand,product,due,units", "d#,P#,2026-03-04,35", "e#,P#,2026-03-12,50", "g#,P#,2026-03-24,50"
    ),
}


def _given_out(folder: Path) -> None:
    chain = folder / "mill"
    chain.mkdir()
    for name, text in FILES.items():
        (chain / name).write_text(text, encoding="utf-8")
    with Chain(chain, Clock()) as opened:
        opened.run()
        release(opened, [], True)


def _filled(served: Served, number: int) -> Mapping[str, str]:
    """What a firm does and what is done about it; what is its own, by the name of the place in a path."""
    word, firm = WORDS[number - 1], FIRMS[number - 1]
    own = session_of(served, "factory", firm, login=f"of{number}@works").who
    mine = own_orders(served, own).orders
    answer(served, own, mine[0].order, Typed("accepted", "key-00001", remark=f"{word} says yes"))
    photo = add_photo(served, own, mine[0].order, jpeg(5 + number))
    planner = session_of(served, "planner", login=f"plan{number}@works").who
    job = served.jobs.cancel(planner, served.jobs.start(planner, "run", {}).job).job
    planned = orders(served, planner, Wanted()).rows.to_pylist()
    ours = next(row for row in planned if row["origin"] == "plan" and row["product"] == f"P{number}")
    proposal = propose(served, planner, Change(ours["order"]), f"{word} asks for it").proposal
    what_if.make(served, planner, f"b{number}", f"what {word} asks")
    sent = upload(served, planner, "products.csv", f"product,kind,name\nX{number},finished,{word}ware\n".encode())
    places = {"order": mine[0].order, "login": own.login, "job": job, "proposal": str(proposal), "name": f"b{number}"}
    return places | {
        "digest": photo.digest,
        "table": "lines",
        "key": ours["order"],
        "upload": str(sent.upload),
        "rank": "0",
        "number": str(number),
    }


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Generator[Served]:
    one = serve_at(lay(_given_out, tmp_path_factory.mktemp("two")) / "mill", clock)
    yield one
    one.close()


@pytest.fixture(scope="module")
def things(served: Served) -> tuple[Mapping[str, str], ...]:
    """What is each firm's. A file comes in with a row that waits, of each."""
    found = tuple(_filled(served, number) for number in (1, 2))
    folder = served.chain_thread.read(lambda chain: chain.folder)
    rows = _rows("product,price,kind,name", "Y#,-1,Word,Word waits")
    (folder / "products-2.csv").write_text(rows, encoding="utf-8")
    served.chain_thread.write("plan1@works", lambda chain: chain.read_folder_again())
    return found


@dataclass(frozen=True)
class Viewer:
    """Somebody who asks. others: words of which none may be told to them; may: longer words that may."""

    role: str
    firm: str | None
    session: Session
    token: str
    others: tuple[str, ...]
    may: tuple[str, ...]

    def told(self, text: str) -> list[str]:
        """Words of others in an answer."""
        for word in self.may:
            text = re.sub(re.escape(word), "", text, flags=re.IGNORECASE)
        return [text[max(0, m.start() - 60) : m.end() + 60] for w in self.others for m in re.finditer(w, text, re.I)]


def viewers(served: Served, at: str = "here") -> Iterator[Viewer]:
    """One of each role; of a role of firms, one of each firm."""
    for role in ROLES:
        for firm in FIRMS if role == "factory" else (None,):
            session = session_of(served, role, firm, login=f"{role}{FIRMS.index(firm) if firm else ''}@{at}")
            token = served.people.make_token(session.who, "t", [p.value for p in session.who.permissions])
            others = tuple(word for word in WORDS if firm is None or not firm.startswith(word))
            sees = SEES[role]
            yield Viewer(role, firm, session, token, () if sees is None else others, sees or ())


@dataclass(frozen=True)
class Request:
    door: str
    method: str
    path: str  # with places to be filled
    body: Any = None


def _routes(app: FastAPI) -> set[tuple[str, str]]:
    """Methods and paths of all routes of the server, but for those of the API, of files that lie ready and of the
    toolkit's own."""
    found = set()
    for route in (*app.routes, *nicegui.app.routes):
        if isinstance(route, Route) and not route.path.startswith((PREFIX, "/_nicegui")):
            found |= {(method, re.sub(r":\w+", "", route.path)) for method in route.methods or () if method != "HEAD"}
    return found


# Arguments that fit, by tool of the protocol.
ARGUMENTS = {
    "why": {"order": "{order}"},
    "quote": {"product": "P1", "units": 1, "due": "2026-03-20"},
    "branch": {"name": "x", "run": False},
    "compare": {"name": "{name}"},
    "job": {"job": "{job}"},
    "propose": {"kind": "release", "orders": ["{order}"], "why": "x"},
}
# What ends the session, or the token, that asks.
ENDS = {
    *(("DELETE", "/session"), ("PUT", "/session/password"), ("DELETE", "/tokens/{token}")),
    *(("POST", "/sign-out"), ("POST", "/account")),
}


def requests(app: FastAPI) -> list[Request]:
    """Everything that can be asked."""
    rest = [Request("rest", *one, body) for one, (_, body) in NEEDS.items() if one not in ENDS and one[1] != "/events"]
    pages = [Request("page", *one) for one in sorted(_routes(app) - ENDS) if one[1] != "/mcp"]
    tools = [Request("mcp", "POST", name, ARGUMENTS.get(name, {})) for name in TOOLS]
    return [*rest, *pages, *tools]


def _fit(text: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return re.sub(r"\{\w+\}", "1", text)


async def asked(client: httpx.AsyncClient, viewer: Viewer, one: Request, places: Mapping[str, str], by: str) -> str:
    """All that an answer says: headers, text, texts in a workbook. by: 'token', or the cookie."""
    headers = {"accept": "application/json, text/html"}
    if by == "token" or one.door == "mcp":
        headers["authorization"] = f"Bearer {viewer.token}"
    else:
        headers |= {"cookie": f"{COOKIE}={viewer.session.secret}", CSRF_HEADER: viewer.session.csrf}
    if one.door == "mcp":
        call = {"name": one.path, "arguments": json.loads(_fit(json.dumps(one.body), places))}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        headers["accept"] = "application/json, text/event-stream"
        answer = await client.post("/mcp", json=body, headers=headers)
    elif one.door == "rest":
        path = PREFIX + _fit(one.path, places) + QUERIES.get(one.path, "").replace("=P", f"=P{places['number']}")
        sent = {"content": one.body} if isinstance(one.body, bytes) else {"json": one.body}
        answer = await client.request(one.method, path, headers=headers, **(sent if one.method != "GET" else {}))
    else:
        form = {CSRF_FIELD: viewer.session.csrf, "state": "accepted", "key": "key-00009"}
        sent = {"data": form} if one.method == "POST" else {}
        answer = await client.request(one.method, _fit(one.path, places), headers=headers, **sent)
    assert answer.status_code < 500, (one, answer.text)
    told = json.dumps(dict(answer.headers))
    return f"{answer.status_code} {told}\n{answer.text}{_in_workbook(answer.content)}"


def _in_workbook(content: bytes) -> str:
    with suppress(BadZipFile), ZipFile(BytesIO(content)) as book:
        return "".join(book.read(name).decode() for name in book.namelist())
    return ""


def test_no_word_of_another_firm_is_said_at_any_door(served: Served, clock: Clock, things) -> None:
    """More than 5,000 requests: all that can be asked, by 8 people, of the things of 2 firms, by cookie and token."""
    app = application(served)
    everything = [(one, by) for one in requests(app) for by in (("cookie", "token") if one.door == "rest" else ("",))]
    told, seen, found = [], Counter(), defaultdict(set)

    async def all_of_it() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as to:
            for viewer in viewers(served):  # one after the other: a session that is not used ends
                for (one, by), places in product(everything, things):
                    clock.later(seconds=20)
                    said = await asked(to, viewer, one, places, by)
                    name = (viewer.role, viewer.firm)
                    seen[name] += 1
                    found[name] |= {(word, one.door) for word in WORDS if word.lower() in said.lower()}
                    told.extend((*name, one.method, one.path, by, words) for words in viewer.told(said))

    asyncio.run(all_of_it())
    assert told == []
    assert set(seen.values()) == {len(everything) * len(things)} and len(seen) == len(ROLES) + 1
    assert sum(seen.values()) > 5000
    all_there = set(product(WORDS, ("rest", "page", "mcp")))
    assert all(found[role, None] == all_there for role, sees in SEES.items() if sees is None)
    assert all(
        found["factory", firm] == {(word, "rest"), (word, "page")} for word, firm in zip(WORDS, FIRMS, strict=True)
    )
    assert found["platform", None] == set()


def test_what_is_anothers_and_what_is_not_there_look_the_same(served: Served, clock: Clock, things) -> None:
    """But for the name that was asked for, and only to who may not see it: a firm, a platform."""
    app, other = application(served), []
    asks_for = [one for one in requests(app) if re.search(r"\{(order|job|proposal|name|upload|login)\}", one.path)]
    none = {
        "order": "W20260302-999",
        "job": "0" * 16,
        "proposal": "9999",
        "name": "b9",
        "upload": "9999",
        "login": "nobody@x",
    }

    async def all_of_it() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as to:
            for viewer in (one for one in viewers(served, "again") if one.role in ("factory", "platform")):
                foreign = next(own for own, firm in zip(things, FIRMS, strict=True) if firm != viewer.firm)
                for one in asks_for:
                    clock.later(seconds=20)
                    both = []
                    for places in (foreign, foreign | none):
                        said = (await asked(to, viewer, one, places, "cookie")).partition("\n")
                        text = said[0].partition("{")[0] + said[2]
                        for name in set(re.findall(r"\{(\w+)\}", one.path)) & set(none):
                            before = r"(?<!\w)" if len(places[name]) > 1 else "(?<=/)"  # 2 of a path, not of a count
                            for said_again in (places[name], quote(places[name], safe="")):
                                text = re.sub(rf"{before}{re.escape(said_again)}(?!\w)", "X", text)
                        both.append(text)
                    if both[0] != both[1]:
                        other.append((viewer.role, one.method, one.path, *both))

    asyncio.run(all_of_it())
    assert len(asks_for) > 40 and other == []


def test_no_event_of_another_firm_is_told(served: Served) -> None:
    """Every permission, of each firm and of the chain itself, to each role of each firm."""
    for viewer, needed, firm in product(viewers(served, "hears"), Permission, (None, *FIRMS)):
        hears = may_see(Event("orders", "", needed, firm), viewer.session.who)
        assert hears == (firm == viewer.firm if viewer.firm is not None else needed in ROLES[viewer.role])
