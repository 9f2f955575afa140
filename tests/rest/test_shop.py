"""Demand, findings and data over the API."""

import pytest

from datong.app.service.served_chain import Served
from rest_client import Client, application
from served_mill import session_of


@pytest.fixture
def manager(shop: Served) -> Client:
    return Client(application(shop), session_of(shop, "planner", login="ann@works"))


def test_demand_is_shown_edited_and_taken_back(shop: Served, manager: Client) -> None:
    items = manager.get("/demand").json()
    assert [row["item"] for row in items["rows"]] == ["OIL|north", "OIL|south", "SALT|all"]
    item = manager.get("/demand/item?product=OIL&market=north").json()
    week = item["forecast"][1]
    assert len(item["history"]) == 26 and week["edited_units"] is None and item["signals"][0]["text"]["zh"]
    edit = {"product": "OIL", "market": "north", "bucket": week["bucket"], "units": 80, "why": "fair", "seen": ""}
    made = manager.ask("PUT", "/demand/edits", json=edit)
    assert made.status_code == 200 and made.json()["units"] == 80
    late = manager.ask("PUT", "/demand/edits", json=edit | {"units": 90})
    assert (late.status_code, late.json()["type"][-8:]) == (409, "conflict") and "ann@works" in late.json()["detail"]
    item = manager.get("/demand/item?product=OIL&market=north").json()
    assert item["forecast"][1]["edited_units"] == pytest.approx(80)
    (hand,) = [one for one in manager.get("/demand/edits").json()["rows"] if one["is_hand"]]
    again = manager.ask("PUT", "/demand/edits", json=edit | {"units": 90, "seen": hand["version"]})
    assert again.status_code == 200
    assert manager.ask("DELETE", f"/demand/edits/{hand['edit']}").json() == {"done": True}
    item = manager.get("/demand/item?product=OIL&market=north").json()
    assert item["forecast"][1]["edited_units"] == pytest.approx(80)  # what stood before
    assert manager.ask("DELETE", "/demand/edits/none").status_code == 404
    assert manager.ask("PUT", "/demand/edits", json=edit | {"bucket": "2031-01-06"}).status_code == 422
    assert manager.get("/demand/item?product=none").status_code == 404
    assert manager.get("/demand/accuracy").json()["rows"] == []


def test_findings_are_heard_and_decided_on(shop: Served, manager: Client) -> None:
    heard = manager.get("/findings").json()
    kinds = {one["finding"]["kind"]: one for one in heard["findings"]}
    assert set(kinds) == {"promotion", "complaint"} and manager.get("/findings/aspects").json()["total"]
    complaint = kinds["complaint"]
    name = complaint["finding"]["finding"]
    assert complaint["finding"]["text"]["zh"] and complaint["quotes"][0]["text"] and complaint["picture"]["weeks"]
    assert manager.get(f"/findings/{name}").json() == complaint
    days = {"first": "2026-03-09", "after": "2026-03-23"}
    change = days | {"share": -0.2, "low": -0.3, "high": -0.1}
    taken = manager.post(f"/findings/{name}/decision", {"state": "taken", "why": "bad cap", "change": change})
    assert taken.json()["decision"]["change"]["share"] == -0.2
    odd = manager.post(f"/findings/{name}/decision", {"state": "taken", "change": change | {"low": 0.5}})
    assert odd.status_code == 422
    assert manager.post(f"/findings/{name}/decision", {"state": "liked"}).status_code == 422
    told = manager.get(f"/findings/{name}/effect")
    assert told.status_code == 200 and told.json()["text"]["en"]
    assert manager.get("/findings/none").status_code == manager.get("/findings/none/effect").status_code == 404


def test_a_file_is_brought_in_after_a_look_at_what_it_does(shop: Served, manager: Client) -> None:
    rows = b"sale,happened_at,product,market,units,price\nx1,2026-03-02,OIL,north,5,90\nx2,2026-03-02,OLI,north,5,90\n"
    octets = {"content-type": "application/octet-stream"}
    brought = manager.ask("POST", "/uploads?name=sales.csv", content=rows, headers=octets)
    assert brought.status_code == 201 and brought.json()["size"] == len(rows)
    path = f"/uploads/{brought.json()['upload']}"
    seen = manager.post(f"{path}/preview").json()
    assert [(r["table"], r["added"], r["quarantined"]) for r in seen["reports"]] == [("sales", 1, 1)]
    assert seen["findings"][0]["texts"]["zh"]
    other = Client(manager.app, session_of(shop, "planner", login="bob@works"))
    assert other.get("/uploads").json() == [] and other.post(f"{path}/preview").status_code == 404
    assert manager.post(f"{path}/taking").json()["reports"] == seen["reports"]
    assert manager.get("/uploads").json() == []
    (waits,) = manager.get("/quarantine").json()["rows"]
    row = f"/quarantine/{waits['quarantine_id']}"
    assert manager.get(row).json()["findings"][0]["remedy"]["zh"]
    wrong = manager.ask("PATCH", row, json={"cells": {"product": "OLL"}})
    assert wrong.status_code == 422 and wrong.json()["findings"]
    assert manager.post("/quarantine/retry").json()[0]["quarantined"] == 1
    assert manager.ask("PATCH", row, json={"cells": {"product": "OIL"}}).json()["added"] == 1
    assert manager.get(row).status_code == 404
    assert manager.get("/quarantine").json()["total"] == 0
    fresh = {one["table"]: one for one in manager.get("/data/freshness").json()}
    assert fresh["sales"]["by"] == "ann@works"
    assert manager.get("/data/arrivals?count=1").json()["rows"][0]["by"] == "ann@works"
    assert isinstance(manager.get("/data/findings").json()["rows"], list)
    profiles = {one["key"]: one for one in manager.get("/data/profiles").json()}
    assert profiles["jd_orders"]["name"]["zh"] and not profiles["jd_orders"]["is_own"]


def test_a_file_that_is_not_sure_is_asked_about(manager: Client) -> None:
    rows = "Datum,Artikel,Menge,Preis\n" + "".join(f"0{d}/03/2025,OIL,{d},90\n" for d in range(1, 10))
    brought = manager.ask("POST", "/uploads?name=export.csv", content=rows.encode())
    path = f"/uploads/{brought.json()['upload']}"
    asked = manager.post(f"{path}/preview")
    assert asked.status_code == 409 and asked.json()["type"].endswith(":questions")
    question = asked.json()["questions"][0]
    assert question["question"] and question["readings"] and question["texts"]["zh"]["asks"]
    assert manager.ask("DELETE", path).json() == {"done": True}
    assert manager.ask("DELETE", path).status_code == 404


def test_rows_that_wait_are_forgotten(shop: Served, manager: Client) -> None:
    rows = b"sale,happened_at,product,market,units,price\nx2,2026-03-02,OLI,north,5,90\n"
    brought = manager.ask("POST", "/uploads?name=sales.csv", content=rows).json()["upload"]
    manager.post(f"/uploads/{brought}/taking")
    (waits,) = manager.get("/quarantine").json()["rows"]
    body = {"rows": [waits["quarantine_id"]], "why": "a slip"}
    assert manager.post("/quarantine/discard", body).json() == {"count": 1}
    assert manager.post("/quarantine/discard", body).status_code == 404


def test_files_have_their_limits(manager: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert manager.ask("POST", "/uploads?name=sales.exe", content=b"x").status_code == 422
    assert manager.ask("POST", "/uploads?name=sales.csv", content=b"").status_code == 422
    assert manager.ask("POST", "/uploads", content=b"x").json()["errors"][0]["where"] == "query.name"
    big = manager.ask("POST", "/uploads?name=sales.csv", content=b"a" * ((64 << 20) + 1))
    assert big.status_code == 413
