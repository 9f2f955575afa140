"""What to order now in a chain: a shop that sells 5 of A a week and buys it with a week's lead time, by hand."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import datong
from datong.app.cli.main import main
from datong.app.cli.terminal_replenish import order_words
from datong.app.wording.names import Names
from datong.model.flow import nothing_learnt
from datong.network.facts import chain_facts
from datong.network.past_orders import placed_orders
from datong.questions.replenish import replenishment
from datong.questions.replenish_levels import layers, ordered_later, taken
from datong.questions.replenish_record import Sold
from mill import write
from small_chain import MONDAY, chain, demand, press

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
    table = replenishment(state, demand(state, A=np.full((1, 12), weekly)), seed=0, review_buckets=review)["orders"]
    assert table.num_rows == 1
    return table.to_pylist()[0]


def test_what_the_next_week_will_lack_is_ordered() -> None:
    """7 there; this week takes 5 and leaves 2; the order comes next week, which asks for 5: 3 are missing."""
    found = row(shop())
    assert (found["units"], found["offer"], found["due"]) == (3.0, "A/V", MONDAY + WEEK)
    assert (found["short_before"], found["short_after"]) == (1.0, pytest.approx(found["lost_chance"]))
    assert found["demand_units"] == pytest.approx(10.0)
    assert found["lost_chance"] < 0.05


def test_the_words_say_what_demand_and_chance_are() -> None:
    """10 are asked for from today on, not only after the order came; demand being known, lateness alone is a risk."""
    state = shop()
    english, chinese = (order_words(row(state), Names({}), state.settings, language) for language in ("en", "zh"))
    assert "from today until an order after it could arrive, 10 are expected to be requested" in english
    assert "demand is given, so this is the chance that orders come later than promised, or never" in english
    assert "自今日起" in chinese and "需求为已知数" in chinese
    unsure = order_words(row(state) | {"demand_known": False}, Names({}), state.settings, "en")
    assert "demand is given" not in unsure


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


@pytest.mark.parametrize(("came", "least", "most"), [(4.5, 0.0, 0.01), (2.5, 0.08, 0.2), (1.0, 0.2, 0.4)])
def test_of_a_short_delivery_what_is_missing_is_lost(came: float, least: float, most: float) -> None:
    """Four orders of months ago came in part and were never closed: what is missing of them is told as overdue."""
    weeks = (13, 14, 15, 16)
    short = [
        {"order": f"S{i}", "start": MONDAY - i * WEEK, "due": MONDAY - (i - 1) * WEEK, "units": 5.0, "locked": True}
        for i in weeks
    ]
    receipts = [
        {"order": f"S{i}", "happened_at": moment(MONDAY - (i - 1) * WEEK), "product": "A", "units": came} for i in weeks
    ]
    found = row(shop(more_orders=short, more_receipts=receipts))
    assert least <= found["lost_chance"] <= most
    assert found["overdue_units"] == pytest.approx(4 * (5.0 - came))


@pytest.mark.parametrize("weeks_ago", [2, 3, 4, 5])
def test_a_delivery_short_by_little_kept_its_word(weeks_ago: int) -> None:
    placed = MONDAY - weeks_ago * WEEK
    short = {"order": "S", "start": placed, "due": placed + WEEK, "units": 5.0, "locked": True}
    receipt = {"order": "S", "happened_at": moment(placed + WEEK), "product": "A", "units": 4.9}
    found = row(shop(more_orders=[short], more_receipts=[receipt]))
    assert found["lost_chance"] < 0.05 and found["units"] == pytest.approx(3.0)


def test_a_loss_beside_an_order_that_came_is_seen() -> None:
    """Of two orders a week, four weeks long, one came and one never did."""
    orders, receipts = [], []
    for i in (13, 14, 15, 16):
        for name in ("came", "lost"):
            placed = MONDAY - i * WEEK
            orders.append({"order": f"{name}{i}", "start": placed, "due": placed + WEEK, "units": 5.0, "locked": True})
        receipts.append({"order": f"came{i}", "happened_at": moment(placed + WEEK), "product": "A", "units": 5.0})
    assert row(shop(more_orders=orders, more_receipts=receipts))["lost_chance"] > 0.1


def with_events(events: list[dict], more_orders=(), more_receipts=(), **tables: list) -> dict:
    state = shop(more_orders=more_orders, more_receipts=more_receipts)
    names = ("products", "offers", "economics", "stock", "receipts", "orders")
    kept = {name: state.table(name).to_pylist() for name in names}
    return row(chain(12, settings={"max_late_days": 0}, **(kept | tables), order_events=events))


@pytest.mark.parametrize(
    ("weeks_after", "came", "is_lost"), [(0, 0, False), (1, 0, False), (6, 0, True), (1, 1, False), (6, 1, True)]
)
def test_an_order_taken_back_in_time_says_nothing_of_its_supplier(weeks_after: int, came: int, is_lost: bool) -> None:
    """Four orders were due a week after they were placed; of each so much came, and it was cancelled so much later."""
    placed = [MONDAY - i * WEEK for i in (13, 14, 15, 16)]
    orders = [{"order": f"C{day}", "start": day, "due": day + WEEK, "units": 5.0, "locked": True} for day in placed]
    receipt = {"product": "A", "units": float(came)}
    receipts = tuple(receipt | {"order": f"C{day}", "happened_at": moment(day + WEEK)} for day in placed if came)
    events = [
        {"order": f"C{day}", "state": "cancelled", "happened_at": moment(day + weeks_after * WEEK)} for day in placed
    ]
    found = with_events(events, orders, receipts)
    assert (found["lost_chance"] > 0.1) == is_lost and found["under_way_units"] == 0.0


def test_units_that_events_told_came_when_they_were_told() -> None:
    """4 of 5 were there on the day; the rest was cancelled six weeks later, which makes nothing late."""
    placed = [MONDAY - i * WEEK for i in (13, 14, 15, 16)]
    orders = [{"order": f"E{day}", "start": day, "due": day + WEEK, "units": 5.0, "locked": True} for day in placed]
    events = [
        {"order": f"E{day}", "state": state, "happened_at": moment(day + weeks * WEEK), "good_units": 4.0}
        for day in placed
        for state, weeks in (("partly_done", 1), ("cancelled", 7))
    ]
    found = with_events(events, orders)
    assert found["lost_chance"] < 0.03 and found["units"] == 3.0


def test_good_units_are_held_against_what_the_recipe_yields() -> None:
    """Of ten that are started 4.5 come good: that is all that was promised."""
    recipe = {"recipe": "A/R", "product": "A", "lead_days": 7.0, "cost_per_unit": 1.0, "yield_share": 0.45}
    placed = [MONDAY - i * WEEK for i in range(4, 14)]
    orders = [
        {"order": f"M{day}", "product": "A", "kind": "make", "recipe": "A/R", "start": day, "due": day + WEEK}
        | {"units": 10.0, "locked": True}
        for day in placed
    ]
    events = [
        {"order": f"M{day}", "state": "done", "happened_at": moment(day + WEEK), "good_units": 4.5} for day in placed
    ]
    assert with_events(events, offers=[], recipes=[recipe], orders=orders, receipts=[])["lost_chance"] < 0.03


def test_only_a_loss_worth_telling_is_told() -> None:
    state = shop()
    told = {
        share: order_words(row(state) | {"lost_chance": share}, Names({}), state.settings, "en")
        for share in (0.04, 0.12)
    }
    assert told[0.04].startswith("A: order 3 by offer A/V, to arrive on 2024-01-08. 7 in stock, 0 under way")
    assert told[0.12].removeprefix(told[0.04]) == (
        " By what became of earlier orders, 12% of such an order never comes: the quantity allows for that."
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
        units.append(replenishment(state, demand(state, A=paths), seed=0)["orders"]["units"].to_pylist())
    assert units == [[0.0], [10.0]]


def test_what_became_of_orders() -> None:
    state = shop(more_orders=[{"order": "O1", "start": MONDAY - WEEK, "due": MONDAY, "units": 5.0, "locked": True}])
    orders = placed_orders(state)
    assert [o.order for o in orders[-2:]] == ["O2", "O1"]
    assert orders[-2].arrived == MONDAY - WEEK and orders[-2].left_units == 0.0
    assert orders[-1].arrived is None and orders[-1].left_units == 5.0
    assert orders[-1].source == "A/V"


def late_by(days, count=14, lead=7):
    """A shop whose orders were placed on Fridays; each came so many days after its promise."""
    state = shop(offer={"lead_days": float(lead)})
    orders, receipts = [], []
    for i in range(4, 4 + count):
        placed = MONDAY - i * WEEK + timedelta(days=4)
        due = placed + timedelta(days=lead)
        orders.append({"order": f"F{i}", "start": placed, "due": due, "units": 5.0, "locked": True})
        receipts.append(
            {"order": f"F{i}", "product": "A", "units": 5.0, "happened_at": moment(due + timedelta(days=days))}
        )
    for o in orders:
        o |= {"product": "A", "kind": "buy", "offer": "A/V"}
    tables = {name: state.table(name).to_pylist() for name in ("products", "offers", "economics", "stock")}
    return chain(12, settings={"max_late_days": 0}, **tables, orders=orders, receipts=receipts)


@pytest.mark.parametrize(("days", "lead"), [(0, 3), (0, 7), (-1, 7), (-5, 7), (-9, 3), (-9, 14)])
def test_orders_that_came_by_their_day_are_no_sign_of_loss(days: int, lead: int) -> None:
    """Within the week, in the week before, or even before the order's own start."""
    assert row(late_by(days, lead=lead))["lost_chance"] < (0.05 if days == -9 else 0.03)


def test_orders_that_come_two_weeks_late_are_expected_so() -> None:
    """They are there after three weeks: when one of now comes, the 7 are long gone, and a whole week is ordered, and
    more for the chance that the next one is later."""
    found = row(late_by(14))
    assert found["stock_then_units"] < 0.5 and 5.0 <= found["units"] <= 10.0


def test_frozen_weeks_are_not_held_against_a_supplier() -> None:
    """Two weeks are frozen and the lead is one: the order starts on the third Monday. What was ordered last week is
    there this week as promised, though an order of today is three weeks away."""
    placed = {"order": "O1", "start": MONDAY - WEEK, "due": MONDAY, "units": 5.0, "locked": True}
    found = row(shop(settings={"frozen_buckets": 2}, more_orders=[placed]))
    assert (found["start"], found["due"]) == (MONDAY + 2 * WEEK, MONDAY + 3 * WEEK)
    assert found["lost_chance"] < 0.05 and found["overdue_units"] == 0.0
    assert found["stock_then_units"] == 0.0 and found["units"] == 5.0  # 12 are gone after three weeks of 5


def test_an_order_whose_agreed_day_is_ahead_is_not_late() -> None:
    """Placed eight weeks ago for next week: far beyond the usual week, and as agreed."""
    placed = {"order": "N", "start": MONDAY - 8 * WEEK, "due": MONDAY + WEEK, "units": 2.0, "locked": True}
    found = row(shop(more_orders=[placed]))
    assert (found["units"], found["under_way_units"], found["overdue_units"]) == (1.0, 2.0, 0.0)


def test_orders_overdue_for_months_are_told_as_such() -> None:
    old = {"order": "OLD", "start": MONDAY - 30 * WEEK, "due": MONDAY - 29 * WEEK, "units": 50.0, "locked": True}
    found = row(shop(more_orders=[old]))
    assert (found["under_way_units"], found["overdue_units"]) == (50.0, 50.0)
    assert found["units"] >= 3.0


def test_another_suppliers_refusals_are_not_held_against_this_one() -> None:
    """B is dearer and refused eight orders; one of its is due next week and comes then. A kept its word all along."""
    made = shop()
    names = ("products", "economics", "stock", "receipts")
    tables = {name: made.table(name).to_pylist() for name in names}
    offers = [{"offer": o, "product": "A", "price": p, "lead_days": d} for o, p, d in (("A/V", 2, 7), ("B/V", 3, 28))]
    orders, events = made.table("orders").to_pylist(), []
    for i in range(12, 20):
        orders.append({"order": f"B{i}", "start": MONDAY - i * WEEK, "due": MONDAY - (i - 4) * WEEK, "units": 5.0})
        events.append({"order": f"B{i}", "state": "refused", "happened_at": moment(MONDAY - i * WEEK)})
    orders.append({"order": "B1", "start": MONDAY - 3 * WEEK, "due": MONDAY + WEEK, "units": 2.0, "locked": True})
    for o in orders[-9:]:
        o |= {"product": "A", "kind": "buy", "offer": "B/V"}
    found = row(chain(12, settings={"max_late_days": 0}, **tables, offers=offers, orders=orders, order_events=events))
    assert found["offer"] == "A/V" and found["lost_chance"] < 0.03
    assert (found["units"], found["under_way_units"]) == (1.0, 2.0)


def test_a_recipe_is_given_what_to_start_and_brings_its_yield() -> None:
    """Half of what is started is good: 3 are missing, so 6 are started; 4 started for later bring 2, and 1 is left."""
    made = shop()
    tables = {name: made.table(name).to_pylist() for name in ("products", "economics", "stock")}
    recipe = {"recipe": "A/R", "product": "A", "lead_days": 7.0, "cost_per_unit": 1.0, "yield_share": 0.5}
    later = {"order": "N", "product": "A", "kind": "make", "recipe": "A/R", "units": 4.0, "locked": True}
    later |= {"start": MONDAY, "due": MONDAY + WEEK}
    units = [
        row(chain(12, settings={"max_late_days": 0}, **tables, recipes=[recipe], orders=orders))["units"]
        for orders in ([], [later])
    ]
    assert units == [6.0, 2.0]


def test_what_leaves_for_a_site_counts_there() -> None:
    """A shop at the end of a lane: 5 were told to leave last week and have not left; they are not ordered again."""
    tables = {
        "products": [{"product": "A", "price": 10.0}],
        "sites": [{"site": "W", "kind": "warehouse"}, {"site": "S", "kind": "store"}],
        "lanes": [{"lane": "W-S", "from_site": "W", "to_site": "S", "lead_days": 7.0, "cost_per_unit": 0.1}],
        "offers": [{"offer": "A/V", "product": "A", "price": 2.0, "to_site": "W", "lead_days": 0.0}],
        "economics": [{"product": "A", "holding_cost_per_unit_week": 1.0, "lost_sale_cost_per_unit": 10.0}],
        "stock": [
            {"product": "A", "site": site, "units": units, "happened_at": moment(MONDAY - timedelta(days=1))}
            for site, units in (("W", 100.0), ("S", 7.0))
        ],
    }
    order = {"order": "T", "product": "A", "kind": "move", "lane": "W-S", "units": 5.0, "locked": True}
    order |= {"start": MONDAY, "due": MONDAY + WEEK}
    found = []
    for orders in ([], [order]):
        state = chain(12, settings={"max_late_days": 0}, **tables, orders=orders)
        table = replenishment(state, demand(state, A__S=np.full((1, 12), 5.0)), seed=0)["orders"]
        found += [(r["site"], r["units"], r["under_way_units"]) for r in table.to_pylist() if r["site"] == "S"]
    assert found == [("S", 3.0, 0.0), ("S", 0.0, 5.0)]


@pytest.mark.parametrize(("ordered_today_before", "units"), [(0.0, 20.0), (15.0, 10.0)])
def test_an_offer_by_the_week_is_not_cut_into_days(ordered_today_before: float, units: float) -> None:
    """Lots of 10, at most 25 a week, in a chain that plans by days: no day's share would hold one lot."""
    placed = MONDAY - timedelta(days=2)
    orders = [{"order": "Y", "start": placed, "due": MONDAY, "units": ordered_today_before, "locked": True}]
    offer = {"lot_multiple_units": 10.0, "units_per_week": 25.0, "lead_days": 2.0}
    state = shop(on_hand=0.0, offer=offer, settings={"bucket": "day"})
    tables = {name: state.table(name).to_pylist() for name in ("products", "offers", "economics", "stock")}
    for o in orders:
        o |= {"product": "A", "kind": "buy", "offer": "A/V"}
    made = chain(
        12, settings={"max_late_days": 0, "bucket": "day"}, **tables, orders=orders if ordered_today_before else []
    )
    assert row(made, weekly=30.0)["units"] == units


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


@pytest.mark.parametrize(
    ("command", "shows"),
    [
        ("replenish", "datong.app.cli.terminal_replenish.show_replenishment"),
        ("balance", "datong.app.cli.terminal.show_balance"),
        ("run", "datong.app.cli.terminal.show_results"),
    ],
)
def test_tables_are_written_before_anything_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, shows: str
) -> None:
    """Who pipes the words into a pager and leaves it still has the tables."""

    def closed(*_: object) -> None:
        raise BrokenPipeError

    folder = write(tmp_path / "piped", **FILES)
    monkeypatch.setattr(shows, closed)
    with suppress(BrokenPipeError):
        main([command, str(folder), "--out", str(tmp_path / "out")])
    assert (tmp_path / "out" / "orders.parquet").exists()


def test_enough_in_stock_orders_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "full", **FILES | {"stock_csv": "happened_at,product,units\n2026-02-28,P,999\n"})
    assert main(["replenish", str(folder), "--lang", "en"]) == 0
    assert "Nothing needs to be ordered now" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_not_worth_ordering_and_what_was_never_counted_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    """A price of 0 makes no order worth its cost: that is not to have enough. Stock without a count is not known."""
    dear = FILES | {"products_csv": "product,price,kind\nP,0,finished\n", "stock_csv": "happened_at,product,units\n"}
    dear["economics_csv"] = "product\nP\n"
    folder = write(tmp_path / "poor", **dear)
    assert main(["replenish", str(folder), "--lang", language]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    words = {"en": ("Nothing is worth ordering", "run short", "no stock count"), "zh": ("得不偿失", "可能缺货", "盘点")}
    assert all(word in printed for word in words[language])
    assert "enough" not in printed and "足够" not in printed


NO_WAY = {
    "one that has ended": (
        {"recipes_csv": FILES["recipes_csv"].replace("days\n", "days,valid_to\n").replace(",7\n", ",7,2026-02-02\n")},
        "no recipe, offer or lane supplies it",
        "没有任何工艺",
    ),
    "one that opens later": (
        {"recipes_csv": FILES["recipes_csv"].replace("days\n", "days,valid_from\n").replace(",7\n", ",7,2026-03-16\n")},
        "only from 2026-03-16",
        "从 2026-03-16 起才可生产、采购或调拨",
    ),
    "one that a bad row holds back": (
        {"recipes_csv": FILES["recipes_csv"].replace("P,0,10,7", "P,0,-10,7")},
        "a row on P was refused",
        "未被采用",
    ),
    "one that was refused": (
        {
            "orders_csv": "order,kind,product,recipe,units,start,due\nW1,make,P,P/1,5,2026-03-02,2026-03-09\n",
            "order_events_csv": "order,state,happened_at\nW1,released,2026-02-27\nW1,refused,2026-02-28\n",
        },
        "supply was refused until 2026-03-09",
        "2026-03-09 之前已被拒绝",
    ),
}


@pytest.mark.parametrize("case", NO_WAY)
def test_what_is_asked_for_and_nothing_brings_now_is_named_with_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    files, *words = NO_WAY[case]
    folder = write(tmp_path / "none", **FILES | files)
    for language, said in zip(("en", "zh"), words, strict=True):
        assert main(["replenish", str(folder), "--lang", language]) == 0
        out = capsys.readouterr().out
        assert said.replace(" ", "") in "".join(out.split()), out
    assert main(["replenish", str(folder), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(r["product"], r["units"]) for r in told["without_way"]] == [("P", 58.0)]
    assert told["orders"] == []


def bench(there: float, parts: float, orders=(), **more):
    """A bench of two parts each, made and bought at once; what is there of both was counted on the day before."""
    counted = moment(MONDAY - timedelta(days=1))
    return chain(
        12,
        settings={"max_late_days": 28},
        products=[{"product": "A", "price": 100.0}, {"product": "P", "price": 10.0, "kind": "component"}],
        recipes=[{"recipe": "A/R", "product": "A", "lead_days": 0.0, "cost_per_unit": 20.0}],
        components=[{"product": "A", "component": "P", "units_per_unit": 2.0}],
        offers=[{"offer": "P/V", "product": "P", "price": 5.0, "lead_days": 0.0}],
        stock=[
            {"product": product, "units": units, "happened_at": counted}
            for product, units in (("A", there), ("P", parts))
        ],
        orders=list(orders),
        **more,
    )


def of_each(state, *weekly: float) -> dict[str, dict]:
    found = replenishment(state, demand(state, A=[weekly]), seed=0)
    assert found["without_way"].num_rows == 0
    return {r["product"]: r for r in found["orders"].to_pylist()}


def test_components_are_ordered_for_what_is_ordered_above_them() -> None:
    """5 of A a week and none there: 5 are made now, and take 10 parts; 3 lie, so that 7 are bought. Up to 5 and 10."""
    found = of_each(bench(0.0, 3.0), *[5.0] * 12)
    assert [(found[p]["units"], found[p]["base_stock_units"]) for p in "AP"] == [(5.0, 5.0), (7.0, 10.0)]
    assert (found["P"]["kind"], found["P"]["offer"], found["P"]["demand_units"]) == ("buy", "P/V", 10.0)


def test_no_component_is_ordered_for_what_is_there_already() -> None:
    """12 of A are there: two weeks' orders are 0, and no part is taken before the third."""
    found = of_each(bench(12.0, 0.0), *[5.0] * 12)
    assert [(found[p]["units"], found[p]["base_stock_units"]) for p in "AP"] == [(0.0, 5.0), (0.0, 0.0)]


def test_an_order_that_is_out_has_its_components_ordered() -> None:
    """Nobody asks for A this week; an order of 4 of it begins now and takes 8 parts."""
    order = {"order": "O", "product": "A", "kind": "make", "recipe": "A/R", "units": 4.0, "locked": True}
    found = of_each(bench(0.0, 1.0, [order | {"start": MONDAY, "due": MONDAY}]), 0.0, *[4.0] * 11)
    assert (found["A"]["units"], found["P"]["units"]) == (0.0, 7.0)


def test_base_stock_is_what_is_there_and_ordered_whatever_is_there() -> None:
    """By 200 futures of 0 to 20 a week: the same level, whether 3 are there or 13 more than it."""
    futures = np.random.default_rng(1).integers(0, 21, (200, 12)).astype(float)
    level = set()
    for there in (3.0, 30.0):
        state = bench(there, 0.0)
        rows = replenishment(state, demand(state, A=futures), seed=0)["orders"].to_pylist()
        (of_a,) = [r for r in rows if r["product"] == "A"]
        level.add(of_a["base_stock_units"])
        assert of_a["units"] == max(of_a["base_stock_units"] - there, 0.0)
    # Late costs 5 times what holding does: the least that serves 5 futures of 6 at once.
    (base,) = level
    assert (futures[:, 0] <= base).mean() >= 5 / 6 > (futures[:, 0] <= base - 1).mean()


def test_what_is_asked_of_a_site_that_lanes_leave_is_ordered_there() -> None:
    """5 of A a week at the shop S, none there; the works F makes what leaves for it."""
    state = chain(
        12,
        settings={"max_late_days": 28},
        products=[{"product": "A", "price": 10.0}],
        sites=[{"site": "F"}, {"site": "S", "kind": "store"}],
        lanes=[{"lane": "F-S", "from_site": "F", "to_site": "S", "lead_days": 0.0, "cost_per_unit": 0.1}],
        lines=[{"line": "L", "site": "F", "hours_per_week": 40.0}],
        recipes=[{"recipe": "A/R", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}],
        stock=[{"product": "A", "site": "F", "units": 1.0, "happened_at": moment(MONDAY - timedelta(days=1))}],
    )
    table = replenishment(state, demand(state, A__S=np.full((1, 12), 5.0)), seed=0)["orders"]
    assert {(r["site"], r["kind"]): r["units"] for r in table.to_pylist()} == {("S", "move"): 5.0, ("F", "make"): 4.0}


@pytest.mark.parametrize(
    ("asked", "base", "position", "now", "protection", "ordered"),
    [
        ([5, 5, 5, 5, 5], 5.0, 12.0, 0.0, 1, [0, 0, 3, 5, 5]),  # 12 there: 10 go, and 3 of the third week are missing
        ([2, 4, 6, 8], 2.0, 0.0, 2.0, 1, [2, 4, 6, 8]),
        # Two weeks ahead: 1 + 2 now, then 3, 4 and the mean of 2, 3 and 4.
        ([1, 2, 3, 4], 3.0, 0.0, 3.0, 2, [3, 3, 4, 3]),
    ],
)
def test_later_orders_are_up_to_the_base_stock(asked, base, position, now, protection, ordered) -> None:
    found = ordered_later(np.array([asked], dtype=float), base, position, now, protection, 1)
    assert found.tolist() == [ordered]


def test_orders_of_every_second_week_take_for_two() -> None:
    found = ordered_later(np.full((1, 5), 5.0), 10.0, 0.0, 10.0, 2, 2)
    assert found.tolist() == [[10, 0, 10, 0, 10]]


def test_what_an_order_takes_whatever_its_size_is_ordered_too():
    """A set-up scraps 3, and an order takes 4 of K, of which a unit takes none: 5 A and their order take 5 + 3 of C."""
    given = press(setup_scrap_units=3.0)
    given["products"] += [{"product": "C", "price": 1.0}, {"product": "K", "price": 1.0}]
    rows = ("C", 1.0, 0.0), ("K", 0.0, 4.0)
    names = ("component", "units_per_unit", "units_per_lot")
    given["components"] = [{"product": "A"} | dict(zip(names, row, strict=True)) for row in rows]
    facts = chain_facts(chain(3, **given), (MONDAY, MONDAY + WEEK, MONDAY + 2 * WEEK), nothing_learnt())
    item = Sold("A", next(way for way in facts.ways if way.product == "A"), 1.0, 0)
    found = taken(item, np.array([[5.0, 0.0, 2.0]]), 0)
    assert {part: units.tolist() for part, units in found.items()} == {"C": [[8.0, 0.0, 5.0]], "K": [[4.0, 0.0, 4.0]]}
    assert [sorted(level) for level in layers({"A": item}, ["A"])] == [["A"], ["C", "K"]]
