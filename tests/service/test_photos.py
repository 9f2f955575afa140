"""Photos of orders: kept once, beside the accounts, for the firm and for who sees the plan."""

from collections.abc import Generator
from pathlib import Path

import pytest

from datong.app.service.factory import answer, own_orders
from datong.app.service.orders_shown import order
from datong.app.service.photos import MOST, add_photo, photo, photos
from datong.app.service.roles_and_permissions import NotAllowed
from datong.app.service.served_chain import Served
from datong.app.service.typed_answers import Typed
from datong.model.errors import NotFound, Refused
from served_mill import serve_firms
from service.test_photo_checked_and_cleaned import SECRET, jpeg
from two_firms import MILL, PRESS, person


@pytest.fixture
def served(tmp_path: Path, clock) -> Generator[Served]:
    one = serve_firms(tmp_path, clock)
    yield one
    one.close()


def test_a_photo_is_kept_once_without_its_place_and_only_those_see_it_who_may(served: Served, tmp_path: Path) -> None:
    miller, press = person(served, "miller", MILL), person(served, "press", PRESS)
    planner, manager = person(served, "planner", None, ("planner",)), person(served, "pm", None, ("product_manager",))
    heard = [served.events.listen(who) for who in (miller, press, planner)]
    order = own_orders(served, miller).orders[0].order
    added = add_photo(served, miller, order, jpeg(6))
    assert add_photo(served, miller, order, jpeg(6)) == added
    assert photos(served, miller, order) == photos(served, planner, order) == (added,)
    assert [one.queue.qsize() for one in heard] == [1, 0, 1]
    content = photo(served, planner, order, added.digest)[1]
    assert SECRET not in content and content == photo(served, miller, order, added.digest)[1]
    place = tmp_path / "database" / "photos" / added.digest[:2] / added.digest
    assert place.read_bytes() == content
    for who, error in ((press, NotFound), (manager, NotAllowed)):
        with pytest.raises(error):
            photo(served, who, order, added.digest)
        with pytest.raises(error):
            photos(served, who, order)
    for foreign in ("../../people.sqlite", "0" * 64, added.digest[:-1]):
        with pytest.raises(NotFound):
            photo(served, miller, order, foreign)
    with pytest.raises(NotFound):
        add_photo(served, press, order, jpeg())
    told = [entry["what"] for entry in served.database.rows("SELECT * FROM audit")]
    assert told.count("add_photo") == 1


def test_there_are_no_more_than_so_many_photos_of_an_order(served: Served) -> None:
    miller = person(served, "miller", MILL)
    order = own_orders(served, miller).orders[0].order
    for quality in range(MOST):
        add_photo(served, miller, order, jpeg(quality=40 + quality))
    with pytest.raises(Refused):
        add_photo(served, miller, order, jpeg(quality=90))
    assert len(photos(served, miller, order)) == MOST
    with pytest.raises(Refused):
        add_photo(served, miller, order, b"<html>")


def test_what_a_firm_did_can_be_read_where_the_planner_looks_at_the_order(served: Served) -> None:
    """Each thing that is noted of an order has its words: the planner's page of an answered order opens."""
    miller, planner = person(served, "miller", MILL), person(served, "ann", None, ("planner",))
    number = own_orders(served, miller).orders[0].order
    answer(served, miller, number, Typed("accepted", "key-00001"))
    add_photo(served, miller, number, jpeg(6))
    done = {one.text["en"] for one in order(served, planner, number).history}
    assert {"Answered on the firm's page", "Added a photo of a defect"} <= done
