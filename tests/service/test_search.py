"""One search over everything, and nothing in it that one may not see."""

import pytest

from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.search import search
from datong.app.service.served_chain import Served
from datong.app.service.what_if import make

PLANNER = Who(1, "plan@works", "", ("planner",))
MANAGER = Who(2, "product@works", "", ("product_manager",))
FACTORY = Who(3, "press@works", "", ("factory",), firm="F1")


def kinds(served: Served, text: str, who: Who = PLANNER) -> list[tuple[str, str]]:
    return [(hit.kind, hit.key) for hit in search(served, who, text).hits]


def test_codes_names_and_words_are_found_in_any_case(shop: Served) -> None:
    assert kinds(shop, "oil")[0] == ("product", "OIL")
    assert kinds(shop, "橄榄")[0] == ("product", "OIL")
    assert ("line", "PRESS") in kinds(shop, "press")
    assert ("firm", "F1") in kinds(shop, "North press")
    assert any(kind == "finding" for kind, _ in kinds(shop, "packaging"))
    make(shop, PLANNER, "overtime", "a Saturday shift")
    assert kinds(shop, "saturday") == [("what_if", "overtime")]


def test_orders_are_found_by_number_with_what_they_are(shop: Served) -> None:
    hit = next(h for h in search(shop, PLANNER, "W20260302-001").hits if h.kind == "order")
    assert hit.key == "W20260302-001"
    assert str(hit.says.text("en")).startswith("make ")  # ty: ignore[unresolved-attribute]


def test_what_is_equal_comes_before_what_begins_with_it(shop: Served) -> None:
    rows = [{"product": code, "price": "1"} for code in ("SALTY", "ASALT")]
    shop.chain_thread.write("x", lambda chain: chain.write_rows("products", rows, "x"))
    assert [key for kind, key in kinds(shop, "salt") if kind == "product"] == ["SALT", "SALTY", "ASALT"]


def test_nothing_and_odd_texts_find_nothing(shop: Served) -> None:
    for text in ("", "   ", "%%", "zzz", "a" * 5000, "<b>", "'; --"):
        assert kinds(shop, text) == []


def test_one_finds_only_what_one_may_see(shop: Served) -> None:
    make(shop, PLANNER, "press more")
    found = {kind for kind, _ in kinds(shop, "press", MANAGER)} | {kind for kind, _ in kinds(shop, "oil", MANAGER)}
    assert found == {"product", "finding"}
    with pytest.raises(NotAllowed):
        search(shop, FACTORY, "OIL")
