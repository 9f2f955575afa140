"""A served chain under load: people who open pages and people who edit, timed until the rows have arrived; then a kill.

    python benchmarks/web.py [--short] [--products N] [--orders N] [--readers N] [--editors N] [--seconds N]

The server is the whole application in a process of its own; the load comes from another one, over HTTP. Each reader
asks every 10 seconds for what one page needs (today, a piece of the orders, one order with its reasons, demand of a
product, a tile of the picture of the lines); each editor locks an order every 30 seconds, or undoes that. Nobody sends
an ETag, so every answer is made and sent. One line of JSON for each figure. Where others use the machine, too, times
tell of them as well: the processor time of a request does not.

The chain: `cycle.py`'s random one of BASE products, really planned; then the products, the sales and the tables of that
plan are copied under other numbers until there are as many as were asked for, and a fifth of the orders are given out,
each with what was answered. Sentences of a copied order still name the product that was planned.

Before the load, a browser (Chromium) opens every page, three times each, and pans and zooms the picture of the lines:
until something is painted, and until all of what came into view is drawn. What a new server works out once is in the
first visit to a page, which is told by itself and has no bar; but that of a firm, which comes before all others, has.

At the end the server is killed (SIGKILL) while people edit. Opened again, the chain must have every edit that was
answered, with its entry in the audit and its way back.

The long form is 20,000 products, 100,000 orders, 200 readers and 20 editors for 5 minutes; it fails (exit code 1) where
the 95th percentile of reads is above 300 ms or of edits above 500 ms, where a page paints first only after 1.5 s (the
median of its visits), or where the picture answers later than after 100 ms (the 95th percentile). The short one (500
products, 2,500 orders, 40 readers, 8 editors, 10 seconds) shares its machine with others: its bars are 2 seconds, 5 of
paints and 1 of the picture. Both fail on any error, any lost
edit, and where memory grows by more than MOST_GROWTH.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyotp
import uvicorn
from argon2 import PasswordHasher
from playwright.sync_api import Browser, Page, sync_playwright

from cycle import FIRST, _moments, chain_tables, fill_ledger
from datong.app.chain import Chain
from datong.app.garbage_collection import collect_seldom
from datong.app.http.signed_in import COOKIE
from datong.app.server import application
from datong.app.service.roles_and_permissions import Permission
from datong.app.service.served_chain import DATABASE_FILE, Served, serve
from datong.app.web.pages import PAGES
from datong.ledger.protocol import RunRecord

BASE, WEEKS, OUT_SHARE = 500, 60, 0.2
READ_EVERY, EDIT_EVERY = 10.0, 30.0  # seconds
# Seconds of load before anything is measured: what is worked out once is worked out then.
WARM_UP = 5.0
READS_BAR, EDITS_BAR, SHORT_BAR = 0.3, 0.5, 2.0  # seconds, of the 95th percentile
MOST_GROWTH = 0.25  # of the server's memory, from the end of the warm-up
# Seconds until a page paints first, and until the picture of the lines has answered; of the short form.
PAINT_BAR, PICTURE_BAR, SHORT_PAINT_BAR, SHORT_PICTURE_BAR = 1.5, 0.1, 5.0, 1.0
VISITS, TURNS = 3, 20  # of a page; of the wheel over the picture, each way
# Seconds of many edits before the server is killed.
KILL_AFTER = 3.0
FIRM = "works"
PASSWORD = "a long sentence to remember"
PERMISSIONS = (Permission.SEE_PLAN, Permission.SEE_DEMAND, Permission.EDIT_ORDERS)
SETTINGS = 'name = "web"\ntime_zone = "Asia/Shanghai"\ncountry = "CN"\n'
# Columns that number what is copied, and those of hours, which as many orders more take.
NUMBERS = ("product", "order", "recipe", "offer", "way", "sale", "order_event", "signal", "demand", "delivery", "key")
HOURS = ("available_hours", "run_hours", "setup_hours", "under_way_hours", "free_hours", "hours_per_week")


# the chain ----------------------------------------------------------------------------------------


def copied(table: pa.Table, copies: int) -> pa.Table:
    """The rows once more under other numbers for each copy after the first; hours in the first alone, times copies."""
    names = set(table.column_names)
    if not names & set(NUMBERS):
        for name in names & set(HOURS):
            hours = pc.multiply(table[name], float(copies))
            table = table.set_column(table.column_names.index(name), name, hours)
        return table
    parts = [table]
    for copy in range(1, copies):
        part = table
        for name in sorted(names & set(NUMBERS)):
            at = part.column_names.index(name)
            if pa.types.is_string(part.schema.field(at).type):
                other = pc.binary_join_element_wise(part[name], f"c{copy:03d}", "-")
                part = part.set_column(at, part.schema.field(at), other)
        parts.append(part)
    return pa.concat_tables(parts)


def given_out(products: pa.Table, recipes: pa.Table, count: int) -> dict[str, pa.Table]:
    """Orders that are out, of the last weeks, with what was answered: a third done, a third accepted, a third not."""
    rng = np.random.default_rng(2)
    of = rng.integers(0, recipes.num_rows, count)
    weeks_ago = rng.integers(0, 4, count)
    orders = np.array([f"H{i:06d}" for i in range(count)])
    start = [FIRST + timedelta(days=7 * (WEEKS - 1 - int(week))) for week in weeks_ago]
    answered = [(at, state) for at in range(count) for state in ("released", "accepted", "done")[: 1 + at % 3]]
    at, states = (np.array(part) for part in zip(*answered, strict=True))
    rank = np.array([("released", "accepted", "done").index(state) for state in states])
    days = 7 * (WEEKS - 1 - weeks_ago[at]) - 2 + rank
    told = rng.integers(1, 40, count).astype(float)
    return {
        "orders": pa.table(
            {
                "order": orders,
                "product": recipes["product"].take(pa.array(of)),
                "recipe": recipes["recipe"].take(pa.array(of)),
                "line": recipes["line"].take(pa.array(of)),
                "units": told,
                "start": start,
                "due": [day + timedelta(days=14) for day in start],
            }
        ),
        "order_events": pa.table(
            {
                "happened_at": _moments(days, 9 + rank),
                "order": orders[at],
                "state": states,
                "good_units": pa.array([told[i] if s == "done" else None for i, s in answered], pa.float64()),
                "counterparty": pa.array([FIRM] * len(answered), pa.string()),
            }
        ),
    }


def planned(folder: Path) -> tuple[dict[str, pa.Table], RunRecord]:
    """The tables of a chain of BASE products, and a real plan of it."""
    given = chain_tables(BASE, WEEKS, seed=1)
    given = {name: table for name, table in given.items() if name not in ("orders", "order_events")}
    with _opened(folder) as chain:
        fill_ledger(chain.ledger, given)
        made = chain.run()
        return given, RunRecord(made.run, made.as_of, chain.settings.seed, made.tables)


def make(folder: Path, products: int, orders: int) -> int:
    """A chain with a kept run; how many orders it has in all."""
    given, record = planned(folder / "base")
    copies = -(-products // BASE)
    proposed = round(orders * (1 - OUT_SHARE))
    given = {name: copied(table, copies) for name, table in given.items()}
    given |= given_out(given["products"], given["recipes"], orders - proposed)
    tables = {name: copied(table, copies) for name, table in record.tables.items()}
    more = -(-proposed // tables["orders"].num_rows)
    of_orders = ("orders", "reasons", "messages")
    for name in of_orders:
        tables[name] = _of_orders(tables[name], more)
    shown = tables["orders"]["order"].slice(0, proposed).combine_chunks()
    for name in of_orders:
        tables[name] = tables[name].filter(pc.is_in(tables[name]["order"], shown))
    with _opened(folder / "chain") as chain:
        fill_ledger(chain.ledger, given)
        chain.keep_run(RunRecord(record.run, record.as_of, record.seed, tables))
    return len(shown) + orders - proposed


def _of_orders(table: pa.Table, more: int) -> pa.Table:
    """The orders once more under other numbers, of the same products."""
    at = table.column_names.index("order")
    names = table["order"]
    parts = [table]
    for copy in range(1, more):
        other = pc.binary_join_element_wise(names, f"m{copy:03d}", "-")
        parts.append(table.set_column(at, table.schema.field(at), other))
    return pa.concat_tables(parts)


def _opened(folder: Path) -> Chain:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chain.toml").write_text(SETTINGS, encoding="utf-8")
    return Chain(folder, by="benchmark")


def let_in(folder: Path, count: int) -> list[str]:
    """Accounts of planners, with a token each."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    served = serve(folder / "chain", folder / DATABASE_FILE, hasher=hasher)
    try:
        tokens = []
        for number in range(count):
            link = served.people.invite(None, f"planner{number}@works", f"Planner {number}", ["planner"])
            who = served.people.accept(link, PASSWORD).who
            tokens.append(served.people.make_token(who, "load", [p.value for p in PERMISSIONS]))
        return tokens
    finally:
        served.close()


def let_look(folder: Path) -> dict[str, str]:
    """The secrets of the cookies of somebody who sees every page of the planner's, and of a firm."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    served = serve(folder / "chain", folder / DATABASE_FILE, hasher=hasher)
    try:
        secrets = {}
        for login, roles, firm in (
            ("looks", ["planner", "administrator", "auditor"], None),
            ("firm", ["factory"], FIRM),
        ):
            session = served.people.accept(served.people.invite(None, login, login, roles, firm), PASSWORD)
            if session.must_factor:
                factor = pyotp.TOTP(pyotp.parse_uri(served.people.begin_factor(session.who)).secret)
                served.people.confirm_factor(session.who, factor.at(served.now()))
            secrets[login] = session.secret
        return secrets
    finally:
        served.close()


# the server ---------------------------------------------------------------------------------------


def run_server(folder: Path, pipe: Connection) -> None:
    """Serve until killed or told to end, as `datong serve` does."""
    collect_seldom()
    served = serve(folder / "chain", folder / DATABASE_FILE)
    config = uvicorn.Config(application(served), host="127.0.0.1", port=0, log_level="warning", access_log=False)
    socket = config.bind_socket()
    pipe.send(socket.getsockname()[1])
    uvicorn.Server(config).run([socket])


def processor_seconds(process: int) -> float:
    """That a process has used so far, in all its threads."""
    spent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# the browser --------------------------------------------------------------------------------------

# The page whose first visit to a new server has the bar of the others.
FIRST_OF_FIRM = "factory"
FORMS = {"sign_in": "/sign-in", "account": "/account", "factory": "/factory", "factory_hours": "/factory/hours"}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Milliseconds from the press of a link to the first text or picture (First Contentful Paint).
PAINTED = """() => new Promise((told) => new PerformanceObserver((list) => {
  for (const one of list.getEntriesByName("first-contentful-paint")) told(one.startTime);
}).observe({ type: "paint", buffered: true }))"""
# Milliseconds from each turn of the wheel until the picture moved, and until all that came into view is drawn.
TURNED = """async ([turns, isZoom]) => {
  const picture = datongGantt.picture(), canvas = picture.canvas, found = [], box = canvas.getBoundingClientRect();
  const whole = (tile) => tile && !tile.stale && (tile.bars || tile.load);
  const there = (key) => whole(picture.tiles.get(key.join("/")));
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const isDrawn = () => !picture.frame && picture.wanted().every(there);
  while (!picture.lines.length || !isDrawn()) await frame();
  for (let turn = 0; turn < turns; turn++) {
    const way = turn < turns / 2 ? 1 : -1, begun = performance.now();
    const at = { clientX: box.x + box.width / 2, clientY: box.y + 90, bubbles: true, cancelable: true };
    const by = isZoom ? { deltaY: 100 * way, ctrlKey: true } : turn % 2 ? { deltaY: 300 * way } : { deltaX: 400 * way };
    canvas.dispatchEvent(new WheelEvent("wheel", { ...at, ...by }));
    await frame();
    const moved = performance.now() - begun;
    while (!isDrawn()) await frame();
    found.push([moved, performance.now() - begun]);
    await new Promise((done) => setTimeout(done, 60));
  }
  return found;
}"""


def opened(browser: Browser, address: str, secret: str) -> Page:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": COOKIE, "value": secret, "url": address}])
    return context.new_page()


@dataclass
class Looked:
    """What a browser measured. paints: seconds until a page painted first, by page and visit; spent: seconds of a
    processor that the server used for it. turned: milliseconds of each turn of the wheel over the picture."""

    paints: dict[str, list[float]] = field(default_factory=dict)
    spent: dict[str, list[float]] = field(default_factory=dict)
    turned: dict[str, list[list[float]]] = field(default_factory=dict)


def looked_at(address: str, process: int, secrets: Mapping[str, str]) -> Looked:
    """Open every page, and turn the wheel over the picture. process: of the server."""
    seen = Looked()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        page, firm = opened(browser, address, secrets["looks"]), opened(browser, address, secrets["firm"])
        firm.goto(f"{address}/sign-in")  # a firm's first visit is to its orders, not of its browser to a server
        pages = {FIRST_OF_FIRM: (firm, FORMS[FIRST_OF_FIRM])} | {one.name: (page, one.path) for one in PAGES}
        pages |= {name: (firm if name.startswith("factory") else page, path) for name, path in FORMS.items()}
        for one in (page, firm):
            one.set_default_timeout(180_000)
        for _ in range(VISITS + 1):
            for name, (where, path) in pages.items():
                before = processor_seconds(process)
                where.goto(address + path, timeout=180_000)
                seen.paints.setdefault(name, []).append(where.evaluate(PAINTED) / 1000)
                seen.spent.setdefault(name, []).append(processor_seconds(process) - before)
        page.goto(f"{address}/planner/plan")
        page.wait_for_function("() => window.datongGantt && datongGantt.picture()?.lines.length")
        seen.turned = {name: page.evaluate(TURNED, [TURNS, name == "zoom"]) for name in ("pan", "zoom", "pan again")}
        browser.close()
    return seen


def told_looks(seen: Looked, bars: "Bars") -> list[str]:
    """Say what was seen, and give the names of the bars that were missed."""
    slowest = most = 0.0
    for name, (first, *later) in seen.paints.items():
        half, spent = float(np.median(later)), float(np.median(seen.spent[name][1:]))
        slowest = max(slowest, half)
        more = {"first_visit": round(first * 1000), "processor_of_the_server": round(spent * 1000)}
        say(f"first paint of {name}", round(half * 1000), "ms", visits=len(later), **more)
    say("first paint of the slowest page", round(slowest * 1000), "ms", bar=bars.paint * 1000)
    for name, turns in seen.turned.items():
        moved, drawn = (float(np.percentile([turn[at] for turn in turns], 95)) for at in (0, 1))
        half = float(np.median([turn[1] for turn in turns]))
        most = max(most, drawn / 1000)
        more = {"p50": round(half, 1), "until_it_moves": round(moved, 1), "bar": bars.picture * 1000}
        say(f"{name} of the picture, p95", round(drawn, 1), "ms", turns=len(turns), **more)
    firm = seen.paints[FIRST_OF_FIRM][0]
    say("first paint of a firm's first visit to a new server", round(firm * 1000), "ms", bar=bars.paint * 1000)
    missed = ["first paint"] * (slowest > bars.paint) + ["a firm's first visit"] * (firm > bars.paint)
    return missed + ["picture"] * (most > bars.picture)


# the load -----------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What the people saw. seconds: of each read and each edit, by name. errors: status and beginning of each answer
    that was none. confirmed: orders whose lock was answered last, with whether it stands.
    answered: edits. spent: seconds of a processor that the server used while it was measured."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    confirmed: dict[str, bool] = field(default_factory=dict)
    answered: int = 0
    spent: float = 0.0


@dataclass
class Load:
    """The people, and what they look at. begin: from when on it is measured; end: of the load (seconds of the
    clock). is_killed: the first request that nobody answers is the end."""

    client: httpx.AsyncClient
    orders: Sequence[str]
    editable: Sequence[str]
    products: Sequence[str]
    days: tuple[str, str]
    begin: float
    end: float
    is_killed: bool = False
    seen: Seen = field(default_factory=Seen)

    async def ask(self, name: str, token: str, method: str, path: str, **more: Any) -> httpx.Response | None:
        """One request, timed until the rows have arrived; None where it failed."""
        headers = {"authorization": f"Bearer {token}", **more.pop("headers", {})}
        begun = time.perf_counter()
        try:
            response = await self.client.request(method, f"/api/v1{path}", headers=headers, **more)
        except httpx.HTTPError as error:
            self.seen.errors.append(f"{name}: {error!r}")
            self.end = 0.0 if self.is_killed else self.end
            return None
        now = time.perf_counter()
        if begun >= self.begin:
            self.seen.seconds.setdefault(name, []).append(now - begun)
        if response.status_code >= 400:
            self.seen.errors.append(f"{name}: {response.status_code} {response.text[:200]}")
            return None
        return response

    async def read(self, token: str, rng: random.Random) -> None:
        """What one page needs."""
        page = rng.choice(("today", "orders", "order", "demand", "bars"))
        if page == "today":
            await self.ask(page, token, "GET", "/today")
        elif page == "orders":
            sort = rng.choice(("start", "value", "product"))
            await self.ask(page, token, "GET", "/orders", params={"count": 100, "sort": sort})
        elif page == "order":
            await self.ask(page, token, "GET", f"/orders/{rng.choice(self.orders)}")
        elif page == "demand":
            await self.ask(page, token, "GET", "/demand/item", params={"product": rng.choice(self.products)})
        else:
            first = rng.randrange(0, 30)
            rows = {"from_row": first, "to_row": first + 10, "first": self.days[0], "last": self.days[1]}
            await self.ask(page, token, "GET", "/plan/bars", params=rows)

    async def reader(self, token: str, number: int) -> None:
        rng = random.Random(number)
        await asyncio.sleep(rng.random() * READ_EVERY)
        while time.perf_counter() < self.end:
            await self.read(token, rng)
            await asyncio.sleep(READ_EVERY * (0.5 + rng.random()))

    async def editor(self, token: str, mine: Sequence[str], number: int, every: float) -> None:
        """Locks orders of their own; every third lock is undone."""
        rng = random.Random(10_000 + number)
        await asyncio.sleep(rng.random() * every)
        for turn, order in enumerate(mine):
            if time.perf_counter() >= self.end:
                return
            found = await self.ask("order", token, "GET", f"/orders/{order}")
            if found is not None:
                headers = {"if-match": found.headers["etag"]}
                sent = {"why": "as it is"}
                made = await self.ask("edit", token, "PATCH", f"/orders/{order}", json=sent, headers=headers)
                if made is not None:
                    self.seen.confirmed[order] = True
                    self.seen.answered += 1
            await asyncio.sleep(every * (0.5 + rng.random()))
            if turn % 3 == 2 and self.seen.confirmed.get(order) and time.perf_counter() < self.end:
                del self.seen.confirmed[order]  # until it is answered, nobody knows
                if await self.ask("edit", token, "POST", f"/orders/{order}/undo") is not None:
                    self.seen.confirmed[order] = False
                    self.seen.answered += 1
                await asyncio.sleep(every * (0.5 + rng.random()))


@dataclass(frozen=True)
class Bars:
    """Most seconds: of reads and edits (95th percentile), until a page paints first (median), and until the picture of
    the lines has answered (95th percentile)."""

    reads: float
    edits: float
    paint: float
    picture: float


LONG = Bars(READS_BAR, EDITS_BAR, PAINT_BAR, PICTURE_BAR)
SHORT = Bars(SHORT_BAR, SHORT_BAR, SHORT_PAINT_BAR, SHORT_PICTURE_BAR)


@dataclass(frozen=True)
class Asked:
    """products, orders: of the chain. readers, editors: people. seconds: of load that is measured."""

    products: int
    orders: int
    readers: int
    editors: int
    seconds: float


async def loaded(port: int, server: int, asked: Asked, tokens: Sequence[str], pipe: Connection) -> None:
    """Put the load on; send what was seen, and the memory of the server at its begin and end."""
    limits = httpx.Limits(max_connections=asked.readers + asked.editors, keepalive_expiry=3)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits) as client:
        first = Load(client, (), (), (), ("", ""), 0.0, float("inf"))
        products, orders, editable = await looked_up(first, tokens[0])
        span = (await first.ask("lines", tokens[0], "GET", "/plan/lines")).json()  # ty: ignore[unresolved-attribute]
        days = (span["today"], (datetime.fromisoformat(span["today"]) + timedelta(days=14)).date().isoformat())
        begin = time.perf_counter() + WARM_UP
        load = Load(client, orders, editable, products, days, begin, begin + asked.seconds)
        each = len(editable) // asked.editors
        people = [load.reader(token, at) for at, token in enumerate(tokens[: asked.readers])]
        people += [
            load.editor(token, editable[at * each : (at + 1) * each], at, EDIT_EVERY)
            for at, token in enumerate(tokens[asked.readers :])
        ]
        memory: list[int] = []

        async def watch() -> None:
            await asyncio.sleep(WARM_UP)
            before = processor_seconds(server)
            while time.perf_counter() < load.end:
                memory.append(resident_bytes(server))
                await asyncio.sleep(1)
            load.seen.spent = processor_seconds(server) - before

        await asyncio.gather(watch(), *people)
        pipe.send((load.seen, memory))
        # Now many edits at once, until the server is killed.
        last = Load(client, (), editable, (), days, 0.0, float("inf"), is_killed=True)
        rest = [order for order in editable if order not in load.seen.confirmed]
        each = len(rest) // asked.editors
        pipe.send("editing")
        await asyncio.gather(
            *(
                last.editor(token, rest[at * each : (at + 1) * each][:200], at, 0.1)
                for at, token in enumerate(tokens[asked.readers :])
            )
        )
        pipe.send(last.seen)


async def looked_up(load: Load, token: str) -> tuple[list[str], list[str], list[str]]:
    """Products, orders, and orders that can be changed."""
    demand = await load.ask("items", token, "GET", "/demand", params={"count": 500})
    every = await load.ask("all", token, "GET", "/orders", params={"count": 500, "sort": "order"})
    proposed = await load.ask(
        "proposed",
        token,
        "GET",
        "/orders",
        params={"count": 500, "sort": "due", "descending": True, "condition": ["origin:is:plan"]},
    )
    if demand is None or every is None or proposed is None:
        raise SystemExit(str(load.seen.errors))
    return (
        [row["product"] for row in demand.json()["rows"]],
        [row["order"] for row in every.json()["rows"]],
        [row["order"] for row in proposed.json()["rows"]],
    )


def run_load(port: int, server: int, asked: Asked, tokens: Sequence[str], pipe: Connection) -> None:
    asyncio.run(loaded(port, server, asked, tokens, pipe))


# what is told -------------------------------------------------------------------------------------


def say(figure: str, value: Any, unit: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"figure": figure, "value": value, "unit": unit, **more}) + "\n")
    sys.stdout.flush()


def told(seen: Seen, names: Sequence[str], what: str) -> float:
    """Median and 95th percentile of some requests; the percentile, in seconds."""
    seconds = np.array([s for name in names for s in seen.seconds.get(name, ())])
    if not len(seconds):
        return float("inf")
    half, most = np.percentile(seconds, [50, 95])
    say(f"{what} p50", round(float(half) * 1000, 1), "ms", requests=len(seconds))
    say(f"{what} p95", round(float(most) * 1000, 1), "ms", requests=len(seconds))
    return float(most)


def lost(served: Served, seen: Sequence[Seen]) -> list[str]:
    """Edits that were answered and are not there, and edits that are there in part: the row, its entry in the audit and
    its way back belong together."""
    state = served.chain_thread.read(lambda chain: chain.state(names=("orders",)))
    there = {order for order in state.table("orders")["order"].to_pylist() if not order.startswith("H")}
    back = {row["subject"] for row in served.database.rows("SELECT subject FROM order_edits WHERE state = 'done'")}
    noted: dict[str, int] = {}
    for row in served.database.rows("SELECT subject, what FROM audit WHERE what IN ('lock_order', 'undo_edit')"):
        noted[row["subject"]] = noted.get(row["subject"], 0) + (1 if row["what"] == "lock_order" else -1)
    confirmed = {order: stands for one in seen for order, stands in one.confirmed.items()}
    missing = [order for order, stands in confirmed.items() if (order in there) != stands]
    in_part = [o for o in there | back | set(noted) if len({o in there, o in back, noted.get(o, 0) > 0}) > 1]
    return sorted({*missing, *in_part})


def measured(folder: Path, asked: Asked, bars: Bars) -> list[str]:
    """Look at a new server's pages, put the load on it, kill it, and say all figures; which bars were missed."""
    context = multiprocessing.get_context("spawn")
    begun = time.perf_counter()
    orders = make(folder, asked.products, asked.orders)
    tokens, secrets = let_in(folder, asked.readers + asked.editors), let_look(folder)
    say("chain made", round(time.perf_counter() - begun, 1), "s", products=asked.products, orders=orders)
    ours, theirs = context.Pipe()
    server = context.Process(target=run_server, args=(folder, theirs), daemon=False)
    server.start()
    port, process = ours.recv(), server.pid or 0
    missed = told_looks(looked_at(f"http://127.0.0.1:{port}", process, secrets), bars)
    answers, load_end = context.Pipe()
    load = context.Process(target=run_load, args=(port, process, asked, tokens, load_end), daemon=True)
    load.start()
    try:
        seen, memory = answers.recv()
        assert answers.recv() == "editing"
        time.sleep(KILL_AFTER)
    finally:
        server.kill()
        server.join()
    last = answers.recv()
    load.join()
    for name in sorted(seen.seconds):
        told(seen, [name], name)
    reads = told(seen, [name for name in seen.seconds if name != "edit"], "reads")
    edits = told(seen, ["edit"], "edits")
    requests = sum(map(len, seen.seconds.values()))
    say("processor time of the server", round(seen.spent / requests * 1000, 1), "ms per request", seconds=seen.spent)
    growth = memory[-1] / memory[0] - 1
    say("memory of the server", round(memory[0] / 1e6), "MB", end=round(memory[-1] / 1e6), growth=round(growth, 3))
    say("errors", len(seen.errors), "answers", first=seen.errors[:3])
    served = serve(folder / "chain", folder / DATABASE_FILE)
    try:
        gone = lost(served, [seen, last])
    finally:
        served.close()
    say("edits that were answered", seen.answered + last.answered, "edits", before_the_kill=last.answered)
    say("edits lost or in part after the kill", len(gone), "edits", first=gone[:3])
    missed += ["errors"] * bool(seen.errors) + ["lost"] * bool(gone) + ["memory"] * (growth > MOST_GROWTH)
    return missed + ["reads"] * (reads > bars.reads) + ["edits"] * (edits > bars.edits)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    for name in ("products", "orders", "readers", "editors", "seconds"):
        parser.add_argument(f"--{name}", type=int)
    given = vars(parser.parse_args())
    short = given.pop("short")
    usual = (500, 2500, 40, 8, 10) if short else (20_000, 100_000, 200, 20, 300)
    wanted = [usual[at] if value is None else value for at, value in enumerate(given.values())]
    with tempfile.TemporaryDirectory() as folder:
        missed = measured(Path(folder), Asked(*wanted), SHORT if short else LONG)
    say("missed", missed, "bars")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
