"""What to order now in a chain: a shop that sells 5 of A a week and buys it with a week's lead time, by hand."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import datong
from datong.app.cli import main
from datong.app.replenishing import replenishment
from datong.app.terminal_replenish import order_words
from datong.ledger.supply import placed_orders
from mill import write
from small_chain import MONDAY, chain, demand

WEEK = timedelta(days=7)


def moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def shop(on_hand=7.0, offer=None, more_orders=(), more_receipts=(), settings=None):
    """Ten orders came a week after they were placed, as promised; then `on_hand` were counted. Holding costs 1, a sale
    brings 10, a unit costs 2."""
    orders, receipts = [], []
    for i in range(2, 12):
        placed = MONDAY - i * WEEK
        orders.append({"order": f"O{i}", "start": placed, "due": placed + WEEK, "units": 5.0, "locked": True})
        receipts.append({"order": f"O{i}", "happened_at": moment(placed + WEEK), "product": "A", "units": 5.0})
    for row in (*orders, *more_orders):
        row |= {"product": "A", "kind": "buy", "offer": "A/V"}
    return chain(
        12,
        settings={"max_late_days": 0} | (settings or {}),
        products=[{"product": "A", "price": 10.0}],
        offers=[{"offer": "A/V", "product": "A", "price": 2.0, "lead_days": 7.0} | (offer or {})],
        economics=[{"product": "A", "holding_cost_per_unit_week": 1.0, "lost_sale_cost_per_unit": 10.0}],
        stock=[{"product": "A", "units": on_hand, "happened_at": moment(MONDAY - timedelta(days=1))}],
        orders=[*orders, *more_orders],
        receipts=[*receipts, *more_receipts],
    )


def row(state, review=1, weekly=5.0):
    table = replenishment(state, demand(state, A=np.full((1, 12), weekly)), seed=0, review_buckets=review)
    assert table.num_rows == 1
    return table.to_pylist()[0]


def test_what_the_next_week_will_lack_is_ordered() -> None:
    """7 there; this week takes 5 and leaves 2; the order comes next week, which asks for 5: 3 are missing."""
    found = row(shop())
    assert (found["units"], found["offer"], found["due"]) == (3.0, "A/V", MONDAY + WEEK)
    assert (found["short_before"], found["short_after"]) == (1.0, 0.0)
    assert found["demand_units"] == pytest.approx(10.0)
    assert found["lost_chance"] < 0.05


def test_an_order_that_can_come_only_every_second_week_covers_two() -> None:
    assert row(shop(), review=2)["units"] == 8.0


def test_what_is_under_way_counts() -> None:
    """5 more come this week, as the one placed last week is there after a week: 7 are left, and 5 asked for."""
    placed = {"order": "O1", "start": MONDAY - WEEK, "due": MONDAY, "units": 5.0, "locked": True}
    found = row(shop(more_orders=[placed]))
    assert (found["units"], found["under_way_units"]) == (0.0, 5.0)


def test_what_was_ordered_for_later_comes_on_its_day() -> None:
    placed = {"order": "N", "start": MONDAY, "due": MONDAY + WEEK, "units": 2.0, "locked": True}
    assert row(shop(more_orders=[placed]))["units"] == 1.0


def test_a_supplier_who_lost_orders_is_ordered_from_with_that_in_mind() -> None:
    """Three orders of the last months never came: an order of the next week may not come either."""
    lost = [
        {"order": f"L{i}", "start": MONDAY - i * WEEK, "due": MONDAY - (i - 1) * WEEK, "units": 5.0, "locked": True}
        for i in (13, 14, 15, 16)
    ]
    found = row(shop(more_orders=lost))
    assert found["lost_chance"] > 0.15
    assert found["units"] > 3.0


def test_only_a_loss_worth_telling_is_told() -> None:
    state = shop()
    told = {share: order_words(row(state) | {"lost_chance": share}, state.settings, "en") for share in (0.04, 0.12)}
    assert told[0.04].startswith("A: order 3 by offer A/V, there on 2024-01-08. 7 there, 0 under way")
    assert told[0.12].removeprefix(told[0.04]) == (
        " Such an order never comes with a chance of 12%, as its record tells: the quantity allows for it."
    )


@pytest.mark.parametrize(
    ("offer", "units"),
    [
        ({"lot_multiple_units": 4.0}, 4.0),
        ({"lot_multiple_units": 2.0}, 4.0),  # the third unit is worth more than the fourth costs
        ({"min_order_units": 100.0}, 0.0),  # 97 more than needed would lie there
        ({"units_per_week": 2.0}, 2.0),
    ],
)
def test_orders_come_in_the_suppliers_lots(offer: dict, units: float) -> None:
    assert row(shop(offer=offer))["units"] == units


def test_where_buyers_wait_only_waiting_is_spared() -> None:
    """Next week asks for 0 or 10, with even chances. A week late costs 0.2 (2% of the price) and a week's holding 1:
    nothing is ordered at ten to two. A sale lost costs 8 instead: all of it is."""
    paths = np.zeros((2, 12))
    paths[1, 1] = 10.0
    units = []
    for max_late_days in (28, 0):
        state = shop(on_hand=0.0, settings={"max_late_days": max_late_days, "path_count": 2})
        units.append(replenishment(state, demand(state, A=paths), seed=0)["units"].to_pylist())
    assert units == [[0.0], [10.0]]


def test_what_became_of_orders() -> None:
    state = shop(more_orders=[{"order": "O1", "start": MONDAY - WEEK, "due": MONDAY, "units": 5.0, "locked": True}])
    orders = placed_orders(state)
    assert [o.order for o in orders[-2:]] == ["O2", "O1"]
    assert orders[-2].arrived == MONDAY - WEEK and orders[-2].left_units == 0.0
    assert orders[-1].arrived is None and orders[-1].left_units == 5.0
    assert orders[-1].source == "A/V"


FILES = {
    "products_csv": "product,price,kind\nP,100,finished\n",
    "economics_csv": "product,holding_cost_per_unit_week,lost_sale_cost_per_unit\nP,1,100\n",
    "recipes_csv": "recipe,product,hours_per_unit,cost_per_unit,lead_days\nP/1,P,0,10,7\n",
    "components_csv": "product,component,units_per_unit\n",
    "offers_csv": "offer,product,price,lead_days\n",
    "stock_csv": "happened_at,product,units\n2026-02-28,P,10\n",
    "demand_csv": "demand,product,due,units\nd1,P,2026-03-04,8\nd2,P,2026-03-12,50\n",
}


def test_the_command_tells_orders_in_words_tables_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = write(tmp_path / "店", **FILES), tmp_path / "out"
    assert main(["replenish", str(folder), "--out", str(out), "--lang", "zh"]) == 0
    printed = "".join(capsys.readouterr().out.split())
    assert "1个产品中1个需下单" in printed and "工艺P/1" in printed
    assert main(["replenish", str(folder), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)["orders"]
    assert pq.read_table(out / "orders.parquet").num_rows == len(told) == 1
    assert told[0]["kind"] == "make" and told[0]["units"] >= 48
    before = (out / "orders.parquet").read_bytes()
    assert main(["replenish", str(folder), "--out", str(out)]) == 0
    assert (out / "orders.parquet").read_bytes() == before
    with datong.open(folder) as opened:
        assert opened.replenish().orders.to_pandas()["units"].tolist() == [told[0]["units"]]


def test_enough_in_stock_orders_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "full", **FILES | {"stock_csv": "happened_at,product,units\n2026-02-28,P,999\n"})
    assert main(["replenish", str(folder), "--lang", "en"]) == 0
    assert "Nothing needs to be ordered now" in " ".join(capsys.readouterr().out.split())
