"""What is to lie in stock, beside what does: the same figures as the run that was kept has, place by place."""

import math
from collections.abc import Iterator

import pytest

from datong.app.service.grids import Filter, Wanted
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.app.service.stock_limits import limits, limits_sheet, places, places_sheet
from datong.model.errors import NotFound
from served_mill import Clock, serve_at
from shop import write_shop
from workbook_cells import rows_of

ANN = Who(9, "ann@works", "", ("planner",))
PRODUCTS = (
    "product,name,price,kind,safety_stock_units\nOIL,Olive oil 橄榄油,90,finished,40\nSALT,Sea salt,20,finished,\n"
    "BOT,Bottle,2,material,\n"
)
RULES = "product,largest_units,smallest_units\nSALT,30,\nBOT,,300\n"


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Oil is to lie in stock at least, salt at most, bottles at least."""
    folder = tmp_path_factory.mktemp("stocked") / "shop"
    one = serve_at(write_shop(folder, products_csv=PRODUCTS, stock_rules_csv=RULES), Clock())
    one.chain_thread.write("test", lambda chain: chain.run())
    yield one
    one.close()


def test_each_place_is_what_the_kept_run_says_bucket_by_bucket(stocked: Served) -> None:
    run = stocked.chain_thread.read(lambda chain: chain.ledger.runs())["run"][0].as_py()
    kept = stocked.chain_thread.read(lambda chain: chain.ledger.run_table(run, "stock_limits"))
    told = {row["product"]: row for row in places(stocked, ANN).rows.to_pylist()}
    assert told.keys() == {"OIL", "SALT", "BOT"} == set(kept["product"].to_pylist())
    for product, row in told.items():
        own = [one for one in kept.to_pylist() if one["product"] == product]
        assert len(own) == 6 and row["place"] == f"{product}|" and row["site"] is None
        if product == "SALT":
            assert row["largest_units"] == 30.0 and row["smallest_units"] is None
            assert row["buckets_above"] == sum(one["beyond_units"] >= 0.5 for one in own)
            continue
        assert row["smallest_units"] == (40.0 if product == "OIL" else 300.0)
        for name, of in (("economic_units", "economic_units"), ("difference_cost_per_week", "difference_cost")):
            assert math.isclose(row[name], sum(one[of] for one in own) / 6)
        assert row["missing_units"] == max(one["missing_units"] for one in own)
        assert row["buckets_below"] == sum(one["missing_units"] >= 0.5 for one in own)
    assert told["OIL"]["difference_cost_per_week"] > 0 and told["OIL"]["name"] == "Olive oil 橄榄油"


def test_a_product_bucket_by_bucket_and_both_as_workbooks(stocked: Served) -> None:
    only = Wanted((Filter("product", "is", "OIL"),))
    rows = limits(stocked, ANN, only).rows.to_pylist()
    assert [row["bucket"] for row in rows] == sorted(row["bucket"] for row in rows) and len(rows) == 6
    assert all(row["stock_units"] + row["missing_units"] >= 40.0 - 1e-6 for row in rows)
    sheet = rows_of(limits_sheet(stocked, ANN, only, "zh"))
    assert [row["stock_units"] for row in sheet] == pytest.approx([row["stock_units"] for row in rows])
    sheet = rows_of(places_sheet(stocked, ANN, Wanted(count=1), "en"))
    assert {row["product"] for row in sheet} == {"OIL", "SALT", "BOT"}


def test_who_may_not_see_the_plan_sees_none_and_without_a_plan_it_says_so(shop: Served, served: Served) -> None:
    manager = Who(8, "pam@works", "", ("product_manager",))
    for ask in (places, limits):
        with pytest.raises(NotAllowed):
            ask(shop, manager)
        with pytest.raises(NotFound):
            ask(served, ANN)
        assert ask(shop, ANN).total == 0  # nobody said a limit there
