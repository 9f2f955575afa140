"""Every list of the API is given piece by piece, or cannot become long; pieces make the whole."""

from collections.abc import Iterator
from typing import Any

import pytest

from datong.app.rest.application import new_api
from datong.app.service import demand, what_if
from datong.app.service.grids import Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.orders_shown import orders
from datong.app.service.proposals_and_approvals import propose
from datong.app.service.served_chain import Served
from rest_client import Client, application
from served_mill import session_of

# Parameters by which a list is asked for piece by piece; what an answer says to go on.
PAGED_BY = {"cursor": "cursor", "before": "before"}
# Lists that are given whole, and what keeps each short.
OF_ONE = "what is said of one thing"
BOUNDED = {
    "/session": "roles and permissions of one person",
    "/people/{login}": OF_ONE,
    "/tokens": "one's own, made by hand",
    "/webhooks": "one's own, service/webhooks.MOST_WEBHOOKS",
    "/today": "service/today.MOST_ROWS of each part, and sentences of one week",
    "/orders/{order}": OF_ONE,
    "/orders/{order}/ways": "ways of one product",
    "/proposals/{proposal}": OF_ONE,
    "/plan/lines": "lines of the works, without their orders",
    "/plan/bars": "the rows and days that are asked for; where many orders are in view, how full each line is",
    "/plan/closed-days": "lines of the works by spans of days",
    "/plan/stock": "buckets of one product",
    "/plan/runs": "service/plan_differences.MOST_RUNS",
    "/replays/last": "policies of one replay",
    "/search": "service/search gives the first of each kind",
    "/demand/item": "buckets of one product in one market",
    "/market/hours": "lines of the works by buckets",
    "/market/scarce": "service/market.MOST_SCARCE",
    "/findings/{finding}": OF_ONE,
    "/findings/{finding}/effect": OF_ONE,
    "/data/freshness": "tables that a chain can have",
    "/data/profiles": "platforms that are known",
    "/quarantine/{row}": OF_ONE,
    "/uploads": "one's own, service/data.MOST_WAITING",
    "/uploads/{upload}/parts": "first rows of one file",
    "/own-orders/{order}": OF_ONE,
    "/own-orders/{order}/photos": "service/photos.MOST of one order",
    "/own-orders/{order}/late-answers": OF_ONE,
    "/own-hours": "weeks of the last plan",
}


def lists() -> Iterator[tuple[str, set[str]]]:
    """Addresses whose answers have a list somewhere, with what can be asked of each."""
    described = new_api().openapi()
    schemas = described["components"]["schemas"]

    def has_list(schema: dict[str, Any], depth: int = 0) -> bool:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        if schema.get("type") == "array":
            return True
        inner = [*schema.get("anyOf", ()), *schema.get("properties", {}).values()]
        more = schema.get("additionalProperties")
        inner += [more] if isinstance(more, dict) else []
        return depth < 8 and any(has_list(one, depth + 1) for one in inner)

    for path, operations in described["paths"].items():
        told = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {}).get("application/json")
        if told is not None and has_list(told["schema"]):
            yield path, {one["name"] for one in operations["get"].get("parameters", []) if one["in"] == "query"}


def test_each_list_is_given_piece_by_piece_or_cannot_become_long() -> None:
    found = dict(lists())
    paged = {path for path, asked in found.items() if asked & PAGED_BY.keys()}
    assert found.keys() - paged == BOUNDED.keys()
    assert all("count" in found[path] for path in paged) and len(paged) > 20


def values_of(answer: dict[str, Any]) -> list[Any]:
    """What of an answer is its list."""
    if "tables" in answer:
        return [(name, row) for name, rows in sorted(answer["tables"].items()) for row in rows]
    return next(answer[name] for name in ("rows", "orders", "findings") if answer.get(name) is not None)


def in_pieces(client: Client, path: str, count: int) -> list[Any]:
    told, asked, cursor = [], f"{path}{'&' if '?' in path else '?'}count={count}", ""
    for _ in range(500):
        answer = client.get(asked + cursor).json()
        told += values_of(answer)
        name = next(one for one in PAGED_BY.values() if one in answer)
        if answer[name] is None:
            return told
        cursor = f"&{PAGED_BY[name]}={answer[name]}"
    raise AssertionError(f"{path} has no end")


# Lists with something in them, by who asks: of the mill's firms and of the shop.
OF_MILL = ("/orders", "/proposals", "/jobs", "/branches", "/branches/a/changes", "/data/arrivals")
OF_SHOP = ("/demand", "/demand/edits", "/findings", "/findings/aspects")


def held_to_the_whole(client: Client, path: str, least: int = 2) -> None:
    answer = client.get(f"{path}{'&' if '?' in path else '?'}count=1000")
    assert answer.status_code == 200, (path, answer.text)
    whole = values_of(answer.json())
    assert len(whole) >= least, path
    for count in (1, 2):
        pieces = in_pieces(client, path, count)
        assert sorted(map(str, pieces)) == sorted(map(str, whole)), path
        assert "comparison" in path or pieces == whole, path


@pytest.fixture
def busy(firms: Served) -> Served:
    """Two firms whose orders are out, with more of everything that a list can have."""
    planner = session_of(firms, "planner", login="ann@works").who
    for name in "ab":
        what_if.make(firms, planner, name)
    row = what_if.rows(firms, planner, "a", "lines", Wanted()).rows.to_pylist()[0]
    wanted = [what_if.Change("lines", row["key"], column, "7") for column in ("hours_per_week", "name")]
    what_if.change(firms, planner, "a", wanted)
    for _ in range(2):
        planned = [one["order"] for one in orders(firms, planner, Wanted()).rows.to_pylist() if one["origin"] == "plan"]
        for name in planned[:2]:
            propose(firms, planner, Change(name), "Keep it")
    for seed in (1, 2, 3):
        firms.jobs.cancel(planner, firms.jobs.start(planner, "run", {"seed": seed}).job)
    return firms


def test_pieces_of_the_planner_s_lists_make_the_whole(busy: Served) -> None:
    planner = Client(application(busy), session_of(busy, "planner"))
    for path in OF_MILL:
        held_to_the_whole(planner, path)
    order = next(one for one in planner.get("/orders").json()["rows"] if one["origin"] == "plan")["order"]
    reasons = planner.get(f"/orders/{order}").json()["reasons"]
    evidence = [f"/orders/{order}/reasons/{one['rank']}/evidence" for one in reasons if one["table"]]
    for path in evidence:
        held_to_the_whole(planner, path, 1)
    boss = Client(application(busy), session_of(busy, "administrator"))
    for path in ("/people", "/audit", "/audit/found"):
        held_to_the_whole(boss, path)


def test_pieces_of_what_waits_make_the_whole(planned: Served) -> None:
    planner = Client(application(planned), session_of(planned, "planner"))
    for path in ("/decisions", "/releases"):
        held_to_the_whole(planner, path)


def test_pieces_of_a_firm_s_lists_make_the_whole(firms: Served) -> None:
    mill = Client(application(firms), session_of(firms, "factory", "Mill One"))
    held_to_the_whole(mill, "/own-orders", 1)
    held_to_the_whole(mill, "/own-orders?sort=due&descending=true", 1)


def test_pieces_of_the_shop_s_lists_make_the_whole(shop: Served) -> None:
    manager = session_of(shop, "product_manager").who
    day = demand.item(shop, manager, "OIL", "north").forecast["bucket"][0].as_py()
    for market, units in (("north", 70.0), ("south", 80.0)):
        demand.edit_forecast(shop, manager, "OIL", market, day, units, why="A feast")
    client = Client(application(shop), session_of(shop, "product_manager", login="pam@works"))
    for path in OF_SHOP:
        held_to_the_whole(client, path)


@pytest.mark.parametrize("cursor", ["none", "bm9uZQ==", "WzEsICJub25lIl0=", "9" * 400])
def test_a_cursor_that_is_none_is_refused(firms: Served, cursor: str) -> None:
    planner = Client(application(firms), session_of(firms, "planner"))
    boss = Client(application(firms), session_of(firms, "administrator"))
    for client, path in (
        *((planner, path) for path in ("/branches", "/jobs", "/decisions", "/market/in-the-way", "/data/findings")),
        (boss, "/people"),
    ):
        answer = client.get(f"{path}?cursor={cursor}")
        assert answer.status_code == 422, path
