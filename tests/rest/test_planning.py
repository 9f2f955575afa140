"""A planner's week over the API: what to look at, orders with their reasons, edits, what-ifs, giving out."""

import struct
import zlib

from fastapi import FastAPI

from datong.app.service import orders_shown
from datong.app.service.served_chain import Served
from rest_client import Client, application, ended
from served_mill import session_of


def png() -> bytes:
    """A picture of one grey point."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\x80")),
        (b"IEND", b""),
    )
    chunks = [struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def all_of(client: Client, path: str, count: int) -> list[dict]:
    """A table to its end, piece by piece."""
    found, cursor = [], None
    while True:
        more = "" if cursor is None else f"&cursor={cursor}"
        piece = client.get(f"{path}{'&' if '?' in path else '?'}count={count}{more}").json()
        found += piece["rows"]
        cursor = piece["cursor"]
        if cursor is None:
            assert len(found) == piece["total"]
            return found


def test_a_plan_is_made_and_its_orders_listed_piece_by_piece(planner, served: Served, clock) -> None:
    assert planner.get("/orders").json()["rows"] == []
    assert planner.get("/today").json()["plan"] is None
    job = planner.post("/jobs", {"kind": "run"}).json()
    assert ended(planner, job["job"])["state"] == "done"
    whole = planner.get("/orders?count=1000").json()
    assert whole["total"] == len(whole["rows"]) > 3 and whole["cursor"] is None
    assert all_of(planner, "/orders", 2) == whole["rows"]
    by_units = all_of(planner, "/orders?sort=units&descending=true&condition=kind:is:make", 1)
    assert [row["order"] for row in by_units] == [
        row["order"] for row in sorted(whole["rows"], key=lambda r: (-r["units"], r["order"])) if row["kind"] == "make"
    ]
    assert {c["name"]: (c["title"], c["type"]) for c in whole["columns"]}["start"][1] == "day"
    chinese = planner.get("/orders?count=1", headers={"accept-language": "zh"}).json()["columns"]
    assert [c["title"] for c in chinese] != [c["title"] for c in whole["columns"]]
    for wrong in ("condition=kind", "condition=none:is:x", "sort=none", "cursor=x", "count=0", "condition=units:is:x"):
        assert planner.get(f"/orders?{wrong}").status_code == 422
    tag = {"if-none-match": planner.get("/orders").headers["etag"]}
    assert planner.get("/orders", headers=tag).status_code == 304


def test_what_the_chain_says_is_not_worked_out_again_until_somebody_writes(
    app: FastAPI, planned: Served, planner, monkeypatch
) -> None:
    tag = {"if-none-match": planner.get("/orders").headers["etag"]}
    with monkeypatch.context() as patch:
        patch.setattr(orders_shown, "orders", lambda *_: 1 / 0)
        assert planner.get("/orders", headers=tag).status_code == 304
        assert planner.get("/orders?count=1", headers=tag).status_code == 500  # another question
        assert planner.get("/orders", headers=tag | {"accept-language": "zh"}).status_code == 500
        other = Client(app, session_of(planned, "analyst"))
        assert other.get("/orders", headers=tag).status_code == 500
        none = Client(app, session_of(planned, "platform"))
        assert none.get("/orders", headers={"if-none-match": "*"}).status_code == 500
        assert (
            Client(application(planned), planner.session).get("/orders", headers=tag).status_code == 500
        )  # a new start
    planned.chain_thread.write("x", lambda _: None)
    assert planner.get("/orders", headers=tag).status_code == 200


def test_an_order_says_why_and_shows_its_rows(planned: Served, planner) -> None:
    first = planner.get("/orders?condition=kind:is:make").json()["rows"][0]["order"]
    order = planner.get(f"/orders/{first}")
    assert order.json()["row"]["order"] == first and order.headers["etag"] == f'"{order.json()["version"]}"'
    reasons = order.json()["reasons"]
    assert reasons and all(set(r["text"]) == {"en", "zh"} for r in reasons)
    shown = next(r for r in reasons if r["table"])
    rows = planner.get(f"/orders/{first}/reasons/{shown['rank']}/evidence").json()
    assert rows["table"] == shown["table"] and len(rows["rows"]) == shown["rows"]
    assert planner.get(f"/orders/{first}/ways").json()
    for missing in ("/orders/none", "/orders/none/ways", "/orders/a/b", f"/orders/{first}/reasons/99/evidence"):
        assert planner.get(missing).json()["type"].endswith(":not_found")


def test_two_people_edit_one_order_and_the_second_loses_nothing(app: FastAPI, planned: Served, planner) -> None:
    other = Client(app, session_of(planned, "planner", login="other@works"))
    name = planner.get("/orders?condition=kind:is:make").json()["rows"][-1]["order"]
    seen = planner.get(f"/orders/{name}")
    units = seen.json()["row"]["units"]
    assert planner.ask("PATCH", f"/orders/{name}", json={"units": units - 1}).status_code == 428
    match = {"if-match": seen.headers["etag"]}
    wrong = planner.post(f"/orders/{name}/check", {"units": -1}).json()
    assert [f["severity"] for f in wrong["findings"]] and wrong["findings"][0]["texts"]["zh"]
    refused = planner.ask("PATCH", f"/orders/{name}", json={"units": -1}, headers=match)
    assert refused.status_code == 422 and refused.json()["findings"] == wrong["findings"]
    made = planner.ask("PATCH", f"/orders/{name}", json={"units": units - 1, "why": "less"}, headers=match)
    assert made.status_code == 200 and made.json()["row"]["units"] == units - 1 and made.json()["row"]["locked"]
    late = other.ask("PATCH", f"/orders/{name}", json={"units": units - 2}, headers=match)
    assert late.status_code == 412 and late.json()["current"]["row"]["units"] == units - 1
    assert "planner@works" in late.json()["detail"]
    match = {"if-match": f'"{late.json()["current"]["version"]}"'}
    assert other.ask("PATCH", f"/orders/{name}", json={"units": units - 2}, headers=match).status_code == 200
    assert planner.get(f"/orders/{name}/steps").json() == {"can_undo": True, "can_redo": False}
    assert planner.post(f"/orders/{name}/undo").json()["order"]["row"]["units"] == units - 1
    assert planner.post(f"/orders/{name}/redo").json()["row"]["units"] == units - 2


def test_an_edit_that_is_sent_twice_counts_once(planned: Served, planner) -> None:
    row = planner.get("/orders?condition=kind:is:make").json()["rows"][-1]
    path, match = f"/orders/{row['order']}", planner.get(f"/orders/{row['order']}").headers["etag"]
    headers = {"if-match": match, "idempotency-key": "edit-1"}
    body = {"units": row["units"] - 1}
    first, second = (planner.ask("PATCH", path, json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json() and first.headers["etag"] == second.headers["etag"] != match
    assert [e["what"] for e in planned.audit.entries(session_of(planned, "auditor").who)].count("edit_order") == 1


def test_the_price_of_an_edit_is_a_job(planned: Served, planner) -> None:
    row = planner.get("/orders?condition=kind:is:make").json()["rows"][-1]
    asked = planner.post(f"/orders/{row['order']}/price", {"units": row["units"] - 1})
    assert asked.status_code == 202
    priced = ended(planner, asked.json()["job"])
    assert priced["state"] == "done" and "money" in priced["result"]


def test_orders_are_decided_on_and_given_out(planned: Served, planner) -> None:
    today = planner.get("/today").json()
    assert today["decisions"] and today["decisions"][0]["reason"]["zh"] and today["plan"]["run"]
    waiting = planner.get("/decisions").json()
    decisions = waiting["rows"]
    assert len(decisions) == waiting["total"] == today["decision_count"]
    first = planner.get("/decisions?count=1").json()
    assert first == {"rows": decisions[:1], "cursor": decisions[0]["key"], "total": len(decisions)}
    assert planner.get("/decisions/planners").json() == {"planner@works": "planner"}
    first, second = decisions[0], decisions[1]
    to = {"to": "planner@works"}
    assert planner.ask("PUT", f"/decisions/{second['key']}/assignment", json=to).json() == {"done": True}
    assert planner.get("/decisions").json()["rows"][1]["assigned"] == "planner@works"
    assert planner.post(f"/decisions/{second['key']}/holding").status_code == 409
    assert planner.post(f"/decisions/{second['key']}/dismissal", {"why": "no"}).json() == {"done": True}
    assert planner.post(f"/decisions/{first['key']}/taking").json() == {"done": True}
    assert planner.get(f"/orders/{first['row']['order']}").json()["row"]["origin"] == "out"
    assert planner.post(f"/decisions/{first['key']}/taking").status_code == 404
    due = planner.get("/releases").json()["rows"]
    assert first["row"]["order"] not in [row["order"] for row in due]
    given = planner.post("/releases", {"orders": [row["order"] for row in due]})
    assert sorted(given.json()["orders"]) == sorted(row["order"] for row in due)
    assert planner.get("/releases").json()["total"] == 0
    assert planner.post("/releases", {"orders": ["none"]}).status_code == 404


def test_the_plan_is_drawn_and_held_against_another(planned: Served, planner) -> None:
    lines = planner.get("/plan/lines").json()
    assert "A" in [one["line"] for one in lines["lines"]]
    days = f"first={lines['first']}&last={lines['last']}"
    bars = planner.get(f"/plan/bars?from_row=0&to_row=9&{days}").json()
    assert len(bars["rows"]) == sum(one["orders"] for one in lines["lines"]) and bars["load"] == []
    assert planner.get("/plan/stock?product=P").json()[0]["opening_units"] == 0
    (run,) = (one["run"] for one in planner.get("/plan/runs").json())
    same = planner.get(f"/plan/difference?a={run}&b={run}").json()
    assert same["orders"] == [] and same["cost"][0] == same["cost"][1] > 0
    assert planner.get(f"/plan/difference?a={run}&b=none").status_code == 404
    assert planner.get(f"/plan/bars?from_row=0&to_row=9&first=0001-01-01&last={lines['last']}").status_code == 422


def test_a_firm_answers_its_own_orders_and_finds_no_others(firms: Served) -> None:
    app = application(firms)
    mill = Client(app, session_of(firms, "factory", "Mill One", "zh"))
    press = Client(app, session_of(firms, "factory", "Press Two"))
    own = mill.get("/own-orders").json()
    assert own["firm_name"] == "一号磨坊" and {one["part"] for one in own["orders"]} == {"to_answer"}
    name = own["orders"][0]["order"]
    foreign = press.get(f"/own-orders/{name}").json()
    unknown = press.get("/own-orders/none").json()
    told = [{k: v for k, v in one.items() if k != "instance"} for one in (foreign, unknown)]
    assert str(told[0]).replace(name, "none") == str(told[1]) and foreign["status"] == 404
    answer = {"state": "accepted", "key": "phone-0001"}
    assert press.post(f"/own-orders/{name}/answers", answer).status_code == 404
    first = mill.post(f"/own-orders/{name}/answers", answer)
    assert first.status_code == 200 and first.json()["state"] == "accepted" and not first.json()["is_again"]
    assert mill.post(f"/own-orders/{name}/answers", answer).json()["is_again"]
    refused = mill.post(f"/own-orders/{name}/answers", {"state": "done", "key": "phone-0002", "good_units": "很多"})
    assert refused.status_code == 422 and refused.json()["findings"] and refused.json()["code"] == "rest.not_taken"
    assert mill.get(f"/own-orders/{name}").json()["state"] == "accepted"
    free = mill.get("/own-hours").json()
    assert free["hours"]["weeks"] and free["free_hours"] > 0
    planner = Client(app, session_of(firms, "planner"))
    for path in ("/own-orders", "/own-hours"):
        assert planner.get(path).status_code == 403
    for path in ("/orders", "/today", f"/orders/{name}", "/branches", "/market/hours", "/demand", "/data/freshness"):
        assert mill.get(path).status_code == 403


def test_photos_of_an_own_order(firms: Served) -> None:
    app = application(firms)
    mill = Client(app, session_of(firms, "factory", "Mill One"))
    name = mill.get("/own-orders").json()["orders"][0]["order"]
    path = f"/own-orders/{name}/photos"
    jpeg = {"content-type": "image/jpeg"}
    assert mill.ask("POST", path, content=b"no picture", headers=jpeg).status_code == 422
    added = mill.ask("POST", path, content=png(), headers={"content-type": "image/png"})
    assert added.status_code == 201 and added.json()["kind"] == "image/png"
    digest = added.json()["digest"]
    assert [one["digest"] for one in mill.get(path).json()] == [digest]
    shown = mill.get(f"{path}/{digest}")
    assert shown.headers["content-type"] == "image/png" and shown.content.startswith(b"\x89PNG")
    assert mill.get(f"{path}/none").status_code == 404
    press = Client(app, session_of(firms, "factory", "Press Two"))
    assert press.get(path).status_code == press.get(f"{path}/{digest}").status_code == 404
    assert Client(app, session_of(firms, "planner")).get(path).json()[0]["digest"] == digest
