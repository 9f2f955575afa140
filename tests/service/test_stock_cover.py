"""How long stock lasts: added up from the kept run's books, row by row, by an oracle that knows no arrays."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from datong.app.service.grids import Filter, Wanted
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.app.service.stock import COMES, GOES
from datong.app.service.stock_cover import cover, cover_sheet
from datong.model.errors import NotFound
from served_mill import Clock, serve_at
from shop import write_shop
from workbook_cells import rows_of

ANN = Who(9, "ann@works", "", ("planner",))


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = serve_at(write_shop(tmp_path_factory.mktemp("covered") / "shop"), Clock())
    one.chain_thread.write("test", lambda chain: chain.run())
    yield one
    one.close()


def test_each_place_adds_up_from_the_kept_books(stocked: Served) -> None:
    run = stocked.chain_thread.read(lambda chain: chain.ledger.runs())["run"][0].as_py()
    flow = stocked.chain_thread.read(lambda chain: chain.ledger.run_table(run, "flow")).to_pylist()
    buckets = sorted({row["bucket"] for row in flow})
    books: dict[str, dict[object, dict[str, float]]] = defaultdict(dict)
    for row in flow:
        books[f"{row['product']}|{row['site'] or ''}"][row["bucket"]] = row
    told = {row["place"]: row for row in cover(stocked, ANN).rows.to_pylist()}
    assert told.keys() == books.keys() and len(told) == 3
    for place, rows in books.items():
        own = told[place]
        opening = rows.get(buckets[0], {}).get("opening_units", 0.0)
        assert own["opening_units"] == pytest.approx(opening)
        left, weeks, out = opening, 0.0, None
        for bucket in buckets:
            goes = sum(rows.get(bucket, {}).get(name, 0.0) for name in GOES)
            if goes > left + 1e-6:
                weeks, out = weeks + left / goes, bucket
                break
            left, weeks = left - goes, weeks + 1
        if opening == 0 and out is not None:  # whoever asks for it in the first bucket gets none
            weeks, out = 0.0, buckets[0]
        assert own["runs_out_in"] == out
        assert own["weeks_of_cover"] == (None if out is None else pytest.approx(weeks))
        assert own["comes_units"] == pytest.approx(sum(row[name] for row in rows.values() for name in COMES))
        assert own["goes_units"] == pytest.approx(sum(row[name] for row in rows.values() for name in GOES))
        lowest = min(rows.get(bucket, {}).get("closing_units", 0.0) for bucket in buckets)
        assert own["lowest_units"] == pytest.approx(lowest)
        assert rows.get(own["lowest_in"], {}).get("closing_units", 0.0) == pytest.approx(lowest)
        balance = own["opening_units"] + own["comes_units"] - own["goes_units"]
        assert own["closing_units"] == pytest.approx(balance, abs=1e-6)
    assert told["OIL|"]["name"] == "Olive oil 橄榄油"
    assert told["OIL|"]["runs_out_in"] == buckets[0] and 0 < told["OIL|"]["weeks_of_cover"] < 1
    assert told["BOT|"]["weeks_of_cover"] is None
    assert (told["SALT|"]["weeks_of_cover"], told["SALT|"]["runs_out_in"]) == (0.0, buckets[0])


def test_what_runs_out_first_stands_first_and_a_workbook_has_the_same(stocked: Served) -> None:
    rows = cover(stocked, ANN, Wanted(sort="weeks_of_cover")).rows.to_pylist()
    weeks = [row["weeks_of_cover"] for row in rows if row["weeks_of_cover"] is not None]
    assert weeks == sorted(weeks) and len(weeks) >= 2
    sheet = rows_of(cover_sheet(stocked, ANN, Wanted((Filter("product", "is", "OIL"),)), "zh"))
    assert [row["opening_units"] for row in sheet] == [20.0]


def test_who_may_not_see_the_plan_sees_none_and_without_a_plan_it_says_so(shop: Served, served: Served) -> None:
    with pytest.raises(NotAllowed):
        cover(shop, Who(8, "pam@works", "", ("product_manager",)))
    with pytest.raises(NotFound):
        cover(served, ANN)
