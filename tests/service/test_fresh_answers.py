"""What is kept in memory is never old: after each kind of write a server that was asked before answers as one that
opened the chain just now. And a write keeps what it did not touch."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datong.app.chain import Chain
from datong.app.rest.json_answers import plain
from datong.app.service import (
    data,
    demand,
    gantt,
    market,
    market_findings,
    order_edits,
    orders_shown,
    releases,
    search,
    sorted_rows,
    stock,
    today,
    what_if,
)
from datong.app.service.chain_thread import ChainThread
from datong.app.service.grids import Filter, Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served
from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.questions.market_findings import MarketFinding

ANN = Who(1, "ann", "Ann", ("planner", "analyst", "product_manager"))
EVERY = Wanted(is_whole=True)
BUCKET = date(2026, 3, 9)


def answers(served: Served) -> dict[str, Any]:
    """What pages show of a chain."""
    asked: dict[str, Callable[[], Any]] = {
        "orders": lambda: orders_shown.orders(served, ANN, EVERY).rows,
        "orders, late first": lambda: orders_shown.orders(served, ANN, Wanted(sort="due", is_descending=True)).rows,
        "orders that are out": lambda: orders_shown.orders(served, ANN, Wanted((Filter("origin", "is", "out"),))).rows,
        "to release": lambda: releases.to_release(served, ANN).sort_by("order"),
        "lines": lambda: gantt.lines(served, ANN),
        "bars": lambda: gantt.bars(served, ANN, 0, 99, date(2020, 1, 1), date(2030, 1, 1)),
        "today": lambda: today.today(served, ANN),
        "decisions": lambda: today.decisions(served, ANN, 1000),
        "demand": lambda: demand.items(served, ANN, EVERY).rows,
        "one product": lambda: demand.item(served, ANN, "OIL", "north"),
        "edits": lambda: demand.edits(served, ANN),
        "hand": lambda: demand.hand_edit(served, ANN, demand.Bucket("OIL", "north", BUCKET)),
        "heat": lambda: market.heat(served, ANN),
        "lost": lambda: market.lost(served, ANN, EVERY).rows,
        "stock": lambda: stock.stock(served, ANN, "OIL"),
        "fresh": lambda: data.freshness(served, ANN),
        "writes": lambda: data.arrivals(served, ANN, EVERY).rows,
        "quarantine": lambda: data.quarantine(served, ANN, EVERY).rows,
        "branches": lambda: [(one.name, one.last_run) for one in what_if.branches(served, ANN)],
        "findings": lambda: [(one.finding, one.decision) for one in heard(served)],
        "search": lambda: search.search(served, ANN, "OIL"),
    }
    found = {name: plain(ask()) for name, ask in asked.items()}
    return found | {f"order {r['order']}": plain(orders_shown.order(served, ANN, r["order"])) for r in found["orders"]}


def heard(served: Served) -> list[MarketFinding]:
    market = market_findings.findings(served, ANN).market
    assert market is not None
    return [one.finding for one in market.findings]


def proposals(served: Served) -> list[str]:
    rows = orders_shown.orders(served, ANN, Wanted((Filter("origin", "is", "plan"), Filter("kind", "is", "make")))).rows
    return sorted(rows["order"].to_pylist())


def out(served: Served) -> str:
    return orders_shown.orders(served, ANN, Wanted((Filter("origin", "is", "out"),))).rows["order"][0].as_py()


def locked(served: Served) -> str:
    return orders_shown.orders(served, ANN, Wanted((Filter("origin", "is", "edit"),))).rows["order"][0].as_py()


def lock(served: Served) -> None:
    name = proposals(served)[0]
    order_edits.edit(served, ANN, Change(name), orders_shown.order(served, ANN, name).version)


def split(served: Served) -> None:
    name = proposals(served)[-1]
    found = orders_shown.order(served, ANN, name)
    half = found.row["units"] / 2
    order_edits.edit(served, ANN, Change(name, units=half, split=(half,)), found.version)


def said(served: Served) -> None:
    name = out(served)

    def write(chain: Chain) -> None:
        moment = chain.clock()
        rows = order_events_rows([OrderEvent(name, "partly_done", moment, 1.0, counterparty="works")])
        rows = rows.append_column("known_at", pa.array([moment], pa.timestamp("us", tz="UTC")))
        chain.ledger.ingest("order_events", rows, None, (), "test", moment, by="test")

    served.chain_thread.write("test", write)


def take_file(served: Served) -> None:
    """Of its rows one is refused."""
    text = (
        b"sale,happened_at,product,market,units,price\nx1,2026-03-02,OIL,north,40,90\nx2,2026-03-02,NONE,north,?,90\n"
    )
    data.take(served, ANN, data.upload(served, ANN, "sales.csv", text).upload, "sales")


def take_over(served: Served) -> None:
    what_if.make(served, ANN, "overtime")
    what_if.change(served, ANN, "overtime", ["lines.PRESS.hours_per_week=60"])
    what_if.take_over(served, ANN, "overtime")


def fail(served: Served) -> None:
    """A write that wrote, and was taken back."""

    def write(chain: Chain) -> None:
        with chain.ledger.together():
            chain.withdraw("orders", [f"orders:{out(served)}"])
            raise ValueError("nothing of it")

    with pytest.raises(ValueError, match="nothing of it"):
        served.chain_thread.write("test", write)


WRITES: dict[str, Callable[[Served], object]] = {
    "lock": lock,
    "split": split,
    "release": lambda s: releases.release(s, ANN, proposals(s)[:1]),
    "answer": said,
    "undo": lambda s: order_edits.undo(s, ANN, locked(s).split(".")[0]),
    "redo": lambda s: order_edits.redo(s, ANN, proposals(s)[0]),
    "forecast": lambda s: demand.edit_forecast(s, ANN, "OIL", "north", BUCKET, 90.0, why="fair"),
    "forecast back": lambda s: demand.clear_edit(s, ANN, demand.Bucket("OIL", "north", BUCKET)),
    "file": take_file,
    "discard": lambda s: data.discard(s, ANN, data.quarantine(s, ANN, EVERY).rows["quarantine_id"].to_pylist()),
    "finding": lambda s: market_findings.decide(s, ANN, heard(s)[0].finding, "dismissed"),
    "what-if": take_over,
    "nothing": fail,
    "plan": lambda s: s.chain_thread.write("ann", lambda chain: chain.run()),
    "lock again": lock,
}


def answers_sorted_once(served: Served) -> dict[str, Any]:
    """With what is sorted kept of all tables, as of large ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_rows, "FEW", 0)
        return answers(served)


def test_answers_after_each_write_are_those_of_a_server_that_just_began(shop: Served, tmp_path: Path) -> None:
    told, unlike = answers(shop), 0
    assert answers_sorted_once(shop) == told
    for number, (name, write) in enumerate(WRITES.items()):
        write(shop)
        before, told = told, answers(shop)
        sorted_once = answers_sorted_once(shop)
        unlike += told != before
        copy = tmp_path / f"copy{number}" / shop.chain_thread.folder.name
        shop.chain_thread.lend(lambda to=copy: shutil.copytree(shop.chain_thread.folder, to))
        fresh = ChainThread(copy, shop.now)
        try:
            anew = answers(replace(shop, chain_thread=fresh))
        finally:
            fresh.close()
        assert set(told) == set(anew), name
        assert [at for at in told if told[at] != anew[at]] == [], name
        assert [at for at in told if sorted_once[at] != anew[at]] == [], name
        told = answers(shop)  # in memory again, since it was lent
        answers_sorted_once(shop)
    assert unlike == len(WRITES) - 1  # each write but that of nothing shows


def test_a_write_keeps_what_it_did_not_touch(shop: Served) -> None:
    asked: list[str] = []

    def ask(name: str, of: tuple[str, ...] | None) -> None:
        shop.chain_thread.kept(f"test.{name}", lambda _chain: asked.append(name) or name, of=of)

    def ask_all() -> list[str]:
        asked.clear()
        ask("anything", None)
        ask("promotions", ("promotions",))
        ask("orders", ("orders", "products"))
        ask("runs", ())
        return list(asked)

    assert ask_all() == ["anything", "promotions", "orders", "runs"]
    assert ask_all() == []
    lock(shop)
    assert ask_all() == ["anything", "orders"]
    shop.chain_thread.write("ann", lambda chain: chain.run())
    assert ask_all() == ["anything", "promotions", "orders", "runs"]
    shop.chain_thread.lend(lambda: None)  # a command may have forgotten somebody, which no table tells
    assert ask_all() == ["anything", "promotions", "orders", "runs"]


def test_who_reads_waits_for_one_writer_and_not_for_all(served: Served) -> None:
    done: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def first(_chain: Chain) -> None:
        begun.set()
        assert go_on.wait(20)
        done.append("first write")

    def asked(name: str, task: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=lambda: (task(), done.append(name)))
        thread.start()
        return thread

    threads = [asked("", lambda: served.chain_thread.write("ann", first))]
    assert begun.wait(20)
    threads += [
        asked("", lambda n=n: served.chain_thread.write("ann", lambda _: done.append(f"write {n}"))) for n in range(3)
    ]
    while len(served.chain_thread._turns._writers) < 3:
        pass
    threads += [asked("", lambda: served.chain_thread.read(lambda _: done.append("read")))]
    while not served.chain_thread._turns._readers:
        pass
    go_on.set()
    for thread in threads:
        thread.join(20)
    told = [name for name in done if name]
    assert told[:2] == ["first write", "read"] and len(told) == 5


def test_a_stream_of_readers_holds_no_writer_up(served: Served) -> None:
    is_over, wrote = threading.Event(), threading.Event()

    def read_on() -> None:
        while not is_over.is_set():
            served.chain_thread.read(lambda _: None)

    readers = [threading.Thread(target=read_on) for _ in range(4)]
    for thread in readers:
        thread.start()
    writer = threading.Thread(target=lambda: (served.chain_thread.write("ann", lambda _: None), wrote.set()))
    writer.start()
    try:
        assert wrote.wait(20)
    finally:
        is_over.set()
        for thread in [*readers, writer]:
            thread.join(20)


def test_within_a_write_nothing_is_kept(served: Served) -> None:
    """What it has written may yet be taken back."""

    def write(_chain: Chain) -> None:
        assert served.chain_thread.kept("name", lambda _: "not yet") == "not yet"
        raise ValueError("taken back")

    assert served.chain_thread.kept("name", lambda _: "before") == "before"
    with pytest.raises(ValueError, match="taken back"):
        served.chain_thread.write("ann", write)
    assert served.chain_thread.kept("name", lambda _: "after") == "after"
