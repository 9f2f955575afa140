"""Works and suppliers that offer something else: the list, what each costs, and what a planner decides."""

import csv
import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mill
from datong import cycle
from datong.app import counter_offers, exchange_one_way, release_orders
from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.app.cli.terminal_counter_offers import cost_line, show_offers
from datong.app.exchange_each_way import exchange_each_way
from datong.app.kept_runs import run_messages
from datong.connectors.filedrop import inbox
from datong.connectors.filedrop.drop import FileDrop
from datong.connectors.inlet_and_outlet import Outcome
from datong.cycle import Stages
from datong.ledger.counter_offer import Offer
from datong.ledger.order_life import OrderEvent
from datong.ledger.standings import order_states
from datong.model.errors import NotFound, Refused
from datong.model.flow import OrderMessage
from datong.network.position import position
from datong.network.refusals import refusals
from datong.questions.counter_offers import OfferCost, OpenOffer, open_offers, with_offer
from datong.questions.tables_out import rendered

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
DEMAND = "demand,product,due,units\nd1,P,2026-03-06,30\nd2,P,2026-03-13,45\nd4,P,2026-03-20,20\nd5,P,2026-04-02,30\n"
FILES = {
    "chain_toml": 'name = "mill"\nhorizon_buckets = 6\nhistory = "live"\ncurrency = "CNY"\n',
    "products_csv": "product,price,kind,name\nP,100,finished,Plough\nQ,50,finished,Quern\nM,4,material,Mild steel\n",
    "sites_csv": (
        "site,kind,firm,address\nF,factory,North Mill,\nV,supplier,Steel & Sons,\nH,warehouse,,1 Mill Lane\n"
    ),
    "firms_csv": "firm,language\nNorth Mill,zh\n",
    "lines_csv": "line,hours_per_week,site\nA,40,F\n",
    "offers_csv": "offer,product,price,lead_days,site\nM/V,M,4,7,V\n",
    "stock_csv": "happened_at,product,units\n2026-02-28,M,80\n",
    "demand_csv": DEMAND,
}
MAKER, SUPPLIER = "North Mill", "Steel & Sons"


class Plant:
    """A chain whose orders go to two firms, and what they answer in their own folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drop = self.folder / "exchange"
        self.reports = 0

    orders: tuple[str, str] = ("", "")

    def at(self, days: float) -> Chain:
        return Chain(self.folder, now=lambda: MONDAY + timedelta(days=days))

    def give_out(self) -> tuple[str, str]:
        """The first plan, its orders given out and sent: numbers of what is made and what is bought."""
        with self.at(0) as chain:
            chain.run()
            out = release_orders.release(chain, (), all_due=True)
            self.exchange(chain)
        made, bought = sorted(out, key=lambda order: order[0] != "W")
        return made, bought

    def exchange(self, chain: Chain) -> list[str]:
        """Codes of what is found."""
        drop = exchange_one_way.file_drop(chain, self.drop, "en")
        self.outcomes, self.taken, self.findings = exchange_one_way.exchange(chain, drop, drop)
        return [f.code for f in self.findings]

    def box(self, firm: str, where: str = "outbox") -> Path:
        name = {MAKER: "North Mill"}.get(firm)
        found = [p for p in (self.drop / where).iterdir() if p.name == name or (name is None and "Steel" in p.name)]
        return found[0]

    def sheets(self, firm: str) -> list[list[dict[str, str]]]:
        """Rows of the sheets that a firm has, in the order in which they came."""
        files = sorted(self.box(firm).glob("*.csv"), key=lambda p: p.stat().st_mtime_ns)
        return [list(csv.DictReader(f.read_text(encoding="utf-8-sig").splitlines())) for f in files]

    def says(self, firm: str, *lines: str, head: str = "order,state,when,reason", day: float = 1) -> Path:
        self.reports += 1
        path = self.box(firm, "inbox") / f"{self.reports}.csv"
        path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
        written = (MONDAY + timedelta(days=day)).timestamp()
        os.utime(path, (written, written))
        return path


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """Orders given out and sent, and never touched again."""
    plant = Plant(mill.write(tmp_path_factory.mktemp("started") / "mill", **FILES))
    plant.orders = plant.give_out()
    return plant


@pytest.fixture
def plant(started: Plant, tmp_path: Path) -> Plant:
    copy = Plant(shutil.copytree(started.folder, tmp_path / "mill"))
    copy.orders = started.orders
    return copy


def state_of(chain: Chain, order: str) -> str:
    return order_states(chain.state())[order][0]


def test_a_yes_in_the_sheet_of_before_the_offer_was_taken_is_asked(plant: Plant) -> None:
    """It says the units of before: what he says yes to is not what was agreed."""
    made, _ = plant.orders
    with plant.at(1) as chain:
        ordered = next(r["units"] for r in chain.state().table("orders").to_pylist() if r["order"] == made)
        few = ordered // 2
        plant.says(MAKER, f"{made},only {few:g},2026-03-03,")
        plant.exchange(chain)
        counter_offers.decide(chain, made, take=True)
    head = "order,units,state,when"
    with plant.at(2) as chain:
        plant.says(MAKER, f"{made},{ordered:g},accepted,2026-03-04", head=head, day=2)
        assert "changed_order" in plant.exchange(chain)
    with plant.at(3) as chain:
        plant.says(MAKER, f"{made},{few:g},accepted,2026-03-05", head=head, day=3)
        assert "changed_order" not in plant.exchange(chain)
        assert state_of(chain, made) == "accepted"


@pytest.mark.parametrize(
    ("text", "offer"),
    [
        ("延期到3月16日", Offer(due=date(2026, 3, 16))),
        ("接单，延期到3月16日", Offer(due=date(2026, 3, 16))),
        ("later: 16 March", Offer(due=date(2026, 3, 16))),
        ("only 30", Offer(units=30.0)),
        ("只能做30件", Offer(units=30.0)),
        ("price 12.5", Offer(price=12.5)),
    ],
)
def test_an_answer_that_is_otherwise_is_an_offer_and_neither_yes_nor_no(plant: Plant, text: str, offer: Offer) -> None:
    made, bought = plant.orders
    order, firm = (bought, SUPPLIER) if "price" in text else (made, MAKER)
    text = text.replace("12.5", "5")
    offer = Offer(price=5.0) if offer.price else offer
    plant.says(firm, f'{order},"{text}",,')
    with plant.at(2) as chain:
        assert plant.exchange(chain) == []
        assert state_of(chain, order) == "offered"
        ((found, cost),) = counter_offers.open_offers(chain)
        assert (found.order["order"], found.said.offer, found.said.counterparty) == (order, offer, firm)
        assert cost.money is not None
        under_way = {o.order: (o.units, o.due) for o in position(chain.state()).under_way}
        assert under_way[order][0] == found.order["units"]  # the plan counts on the order as it was


def test_accepted_with_the_day_that_was_asked_for_is_accepted(plant: Plant) -> None:
    made, _ = plant.orders
    (row,) = plant.sheets(MAKER)[0]
    due, units = row["交期"], row["数量"]
    plant.says(MAKER, f"{made},接单,,{due},{units}", head="单号,状态,时间,新交期,可做数量")
    with plant.at(2) as chain:
        assert plant.exchange(chain) == []
        assert state_of(chain, made) == "accepted"


def test_taking_an_offer_changes_the_order_and_tells_the_other_side_once(plant: Plant) -> None:
    made, _ = plant.orders
    plant.says(MAKER, f"{made},延期到3月16日，只能做30,,机器维修")
    with plant.at(2) as chain:
        plant.exchange(chain)
        counter_offers.decide(chain, made, take=True, why="其余另做")
        assert state_of(chain, made) == "accepted"
        (row,) = [r for r in chain.state().table("orders").to_pylist() if r["order"] == made]
        assert (row["units"], row["due"], row["locked"]) == (30.0, date(2026, 3, 16), True)
        (decided,) = counter_offers.decided_messages(chain).values()
        assert [m.order.causes for m in decided] == [()]  # the reasons were of another quantity and day
        plant.exchange(chain)
        plant.exchange(chain)
        with pytest.raises(NotFound):
            counter_offers.decide(chain, made, take=True)
    first, told = plant.sheets(MAKER)
    assert [r["单号"] for r in told] == [made]
    assert (told[0]["数量"], told[0]["交期"]) == ("30", "2026-03-16")
    assert told[0]["说明"] == "同意贵方方案：数量 30，2026-03-16 交：其余另做"
    assert told[0]["消息编号"] != first[0]["消息编号"]
    assert not first[0].get("下单原因") and not told[0].get("下单原因")  # another firm sees none of our reasons


@pytest.mark.parametrize(
    ("kind", "begun", "due", "start"),
    [
        ("make", False, 23, 16),  # a week later
        ("move", False, 23, 16),
        ("make", False, 14, 9),  # sooner: it need not start sooner
        ("make", False, 7, 7),  # but not after it is due
        ("make", True, 23, 9),  # it has begun
        ("buy", False, 23, 9),  # it was ordered then
    ],
)
def test_work_that_is_put_off_starts_as_much_later(kind: str, begun: bool, due: int, start: int) -> None:
    """Ordered for 9 to 16 March."""
    order = {
        "order": "W1",
        "kind": kind,
        "start": date(2026, 3, 9),
        "due": date(2026, 3, 16),
        "units": 1.0,
        "price": None,
    }
    said = OrderEvent("W1", "offered", MONDAY, offer=Offer(due=date(2026, 3, due)))
    assert OpenOffer(order, said, None, begun=begun).start == date(2026, 3, start)


def test_the_rest_of_a_taken_offer_is_not_ordered_of_the_same_at_once(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the works has just said that it cannot is asked of it only later, and the price of the offer is of that."""
    made, _ = plant.orders
    plant.says(MAKER, f"{made},只能做5,,")
    with plant.at(2) as chain:
        plant.exchange(chain)
        state = chain.state()
        (offer,) = open_offers(state)
        assert refusals(state, state.first_open_bucket) == ()
        capsys.readouterr()
        show_offers(((offer, OfferCost()),), state, "en")
        shown = capsys.readouterr().out
        asked = with_offer(state, offer)
        counter_offers.decide(chain, made, take=True)
        now = chain.state()
        (no,) = refusals(now, now.first_open_bucket)
        assert (no.order, no.units, no.first) == (made, offer.order["units"] - 5, now.first_open_bucket)
        (priced,) = refusals(asked, asked.first_open_bucket)
        assert (priced.first, priced.after, priced.units) == (no.first, no.after, no.units)
        assert f"from {no.after} on" in " ".join(shown.split())
        run = chain.run()
        orders = run.tables["orders"].to_pylist()
        assert not [r for r in orders if r["recipe"] == no.row and r["start"] < no.after]
    for language, word in (("en", "refused"), ("zh", "拒绝")):
        since = rendered({"since": run.tables["since"]}, language)["since"].to_pylist()
        (closed,) = [row["text"] for row in since if row["part"] == "closed"]
        assert made in closed and word not in closed and str(no.after) in closed


def test_why_says_how_an_order_stands_after_its_offer_was_taken(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    made, bought = plant.orders
    plant.says(MAKER, f"{made},延期到3月16日，只能做30,,")
    with plant.at(2) as chain:
        plant.exchange(chain)
        counter_offers.decide(chain, made, take=True)
    for order, is_changed in ((made, True), (bought, False)):
        assert main(["why", order, "--chain", str(plant.folder), "--lang", "en"]) == 0
        told = capsys.readouterr().out
        assert ("Now it stands otherwise" in told) == is_changed
        assert not is_changed or ("30 of P" in told and "2026-03-16" in told)


def test_an_order_that_was_put_off_takes_no_hours_before(plant: Plant) -> None:
    """Two weeks later, and the line is free in the week in which it was to start."""
    made, _ = plant.orders
    with plant.at(1) as chain:
        (before,) = [r for r in chain.state().table("orders").to_pylist() if r["order"] == made]
        later = before["due"] + timedelta(days=14)
    plant.says(MAKER, f"{made},延期到{later.month}月{later.day}日,,机器维修")
    with plant.at(2) as chain:
        plant.exchange(chain)
        counter_offers.decide(chain, made, take=True)
        (row,) = [r for r in chain.state().table("orders").to_pylist() if r["order"] == made]
        assert (row["start"], row["due"]) == (before["start"] + timedelta(days=14), later)
        (decided,) = counter_offers.decided_messages(chain).values()
        assert [(m.order.start, m.order.due) for m in decided] == [(row["start"], later)]
        state = chain.state()
        where = position(state)
        (out,) = [o for o in where.under_way if o.order == made]
        assert (out.start, out.due) == (row["start"], row["due"])


def test_an_offer_that_is_not_taken_leaves_the_order_to_be_answered(plant: Plant) -> None:
    _, bought = plant.orders
    plant.says(SUPPLIER, f"{bought},price 5,,")
    with plant.at(2) as chain:
        plant.exchange(chain)
        counter_offers.decide(chain, bought, take=False, why="too dear")
        assert state_of(chain, bought) == "released"
        assert counter_offers.open_offers(chain) == ()
        plant.exchange(chain)
    assert plant.sheets(SUPPLIER)[-1][0]["note"].startswith("your offer is not taken (at 5 CNY each)")
    plant.says(SUPPLIER, f"{bought},price 5,,", day=3)  # the same again, in the same words: heard already
    plant.says(SUPPLIER, f"{bought},price 4.5,,", day=3)
    with plant.at(4) as chain:
        plant.exchange(chain)
        ((found, _),) = counter_offers.open_offers(chain)
        assert found.said.offer == Offer(price=4.5)
        counter_offers.decide(chain, bought, take=True)
        plant.exchange(chain)
    assert plant.sheets(SUPPLIER)[-1][0]["price of one"] == "4.5 CNY"


def test_who_accepted_meanwhile_is_told_so_and_not_asked_again(plant: Plant) -> None:
    _, bought = plant.orders
    plant.says(SUPPLIER, f"{bought},price 5,,")
    with plant.at(2) as chain:
        plant.exchange(chain)
        plant.says(SUPPLIER, f"{bought},accepted,,", day=2)
        counter_offers.decide(chain, bought, take=False)
    with plant.at(3) as chain:
        plant.exchange(chain)
        assert state_of(chain, bought) == "accepted"
    note = plant.sheets(SUPPLIER)[-1][0]["note"]
    assert "you have accepted it" in note and "please answer" not in note


def test_run_says_of_no_order_that_it_started_where_nobody_said_so(plant: Plant) -> None:
    made, _ = plant.orders
    plant.says(MAKER, f"{made},部分完工,2026-03-03", head="单号,状态,时间")
    with plant.at(7) as chain:
        plant.exchange(chain)
        since = rendered({"since": chain.run().tables["since"]}, "zh")["since"].to_pylist()
    assert [r["kind"] for r in since if r["subject"] == made and r["part"] == "came_back"] == ["late", "partly"]
    assert not any("已开工" in r["text"] for r in since if r["subject"] == made)


def test_an_order_that_was_refused_and_is_accepted_later_needs_to_be_given_out_anew(plant: Plant) -> None:
    made, _ = plant.orders
    plant.says(MAKER, f"{made},refused,2026-03-03,")
    plant.says(MAKER, f"{made},accepted,2026-03-04,")
    with plant.at(3) as chain:
        assert plant.exchange(chain) == ["impossible_state"]
    assert "datong release" in plant.findings[0].text("en") and "重新下达" in plant.findings[0].text("zh")


@pytest.mark.parametrize("state", ["accepted", "started", "partly done"])
def test_whoever_took_an_order_on_and_cannot_do_it_is_told_how_to_say_so(plant: Plant, state: str) -> None:
    made, _ = plant.orders
    plant.says(MAKER, f"{made},{state},2026-03-03,")
    plant.says(MAKER, f"{made},refused,2026-03-04,machine broke")
    with plant.at(3) as chain:
        assert "impossible_state" in plant.exchange(chain)
        (found,) = [f for f in plant.findings if f.code == "impossible_state"]
        assert "“取消”" in found.text("zh") and "“另提方案”" in found.text("zh") and "'cancelled'" in found.text("en")
        plant.says(MAKER, f"{made},取消,2026-03-04,machine broke")
        assert "impossible_state" not in plant.exchange(chain)
        assert state_of(chain, made) == "cancelled"


def test_the_price_of_an_offer_is_the_difference_of_two_plans(plant: Plant) -> None:
    """35 of 70 units of steel at 4 less are paid 140 less; what of it lacks is bought again, or waits."""
    _, bought = plant.orders
    with plant.at(0.1) as chain:
        (units,) = [r["units"] for r in chain.state().table("orders").to_pylist() if r["order"] == bought]
    plant.says(SUPPLIER, f"{bought},price 5,,")
    with plant.at(2) as chain:
        plant.exchange(chain)
        ((_, cost),) = counter_offers.open_offers(chain)
        assert cost.money == pytest.approx(units)  # dearer by 1 each, and nothing else differs
        assert cost.low is not None and cost.high is not None
        assert cost.low <= cost.money + 1e-6 and cost.money - 1e-6 <= cost.high


def test_what_another_day_costs_is_told_for_one_demand_and_concludes_nothing_that_is_not_certain(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Later or fewer never saves more than the order's own money and what its units would lie for."""
    made, bought = plant.orders
    plant.says(MAKER, f"{made},延期到3月16日,,")
    plant.says(SUPPLIER, f"{bought},only 30,,")
    made_for: list[object] = []
    forecast = cycle.USUAL.forecast

    def counted(*given: Any) -> Any:
        made_for.append(given)
        return forecast(*given)

    monkeypatch.setattr(
        "datong.questions.counter_offers.head", lambda *of: cycle.head(*of, stages=Stages(forecast=counted))
    )
    with plant.at(2) as chain:
        plant.exchange(chain)
        found = counter_offers.open_offers(chain)
    assert (len(found), len(made_for)) == (2, 1)
    for offer, cost in found:
        assert offer.worth is not None and cost.money is not None and cost.low is not None and cost.high is not None
        assert cost.low - 1e-6 <= cost.money <= cost.high + 1e-6
        lying = 6 * 0.02 * offer.worth  # six weeks, at far more than holding costs
        assert cost.money >= -offer.worth - lying


@pytest.mark.parametrize(
    ("cost", "worth", "says", "says_not"),
    [
        (OfferCost(-330.0, -2343.0, 2010.0), 70.0, ["wider than the order is worth", "-2.34k", "2.01k"], []),
        (OfferCost(-3.0, -20.0, 20.0), 70.0, ["cannot be told apart", "20"], ["less", "more"]),
        (OfferCost(-30.0, -40.0, -20.0), 70.0, ["less than the order as it was", "40", "20"], ["no difference"]),
        (OfferCost(30.0, 20.0, 40.0), 10.0, ["more than the order as it was"], ["no difference"]),
        (OfferCost(30.0, 30.0, 30.0), 70.0, ["costs CNY 30 more"], ["between", "no difference"]),
        (OfferCost(0.0, -0.02, 0.02), 2000.0, ["no real difference", "within CNY 0.02"], ["cannot be told apart"]),
        (OfferCost(1.0, 0.5, 9.9), 2000.0, ["no real difference", "within CNY 9.9"], ["between"]),
        (OfferCost(1.0, -0.5, 10.1), 2000.0, ["cannot be told apart"], ["real"]),
        (OfferCost(0.0, -0.004, 0.009), None, ["no real difference", "within CNY 0.01"], []),
        (OfferCost(30.0, None, 40.0), 70.0, ["how far this is off is not known"], ["between"]),
    ],
)
def test_where_the_bounds_hold_nothing_no_difference_is_told(
    cost: OfferCost, worth: float, says: list[str], says_not: list[str]
) -> None:
    text = cost_line(cost, worth, "CNY", "en")
    assert [part for part in says if part not in text] == [], text
    assert [part for part in says_not if part in text] == [], text


def test_run_opens_with_offers_and_why_tells_the_offer(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = plant.orders
    plant.says(MAKER, f"{made},延期到3月16日,,")
    with plant.at(7) as chain:
        plant.exchange(chain)
        since = rendered({"since": chain.run().tables["since"]}, "en")["since"].to_pylist()
    assert "offered" in [r["kind"] for r in since if r["subject"] == made]
    assert any(r["kind"] == "decide" and made in r["text"] for r in since)
    assert main(["why", made, "--chain", str(plant.folder), "--lang", "en"]) == 0
    assert "North Mill offers by 2026-03-16" in capsys.readouterr().out
    assert main(["offers", str(plant.folder), "--lang", "zh"]) == 0
    assert "North Mill 提出 2026-03-16 交" in capsys.readouterr().out
    assert main(["offers", str(plant.folder), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["order"], row["offered_due"]) == (made, "2026-03-16")
    assert main(["refuse", made, "--chain", str(plant.folder), "--lang", "en"]) == 0
    assert main(["take", made, "--chain", str(plant.folder), "--lang", "en"]) == 2


def test_nobody_decides_on_a_what_if(plant: Plant) -> None:
    made, _ = plant.orders
    plant.says(MAKER, f"{made},延期到3月16日,,")
    with plant.at(2) as chain:
        plant.exchange(chain)
        with pytest.raises(Refused):
            counter_offers.decide(chain.branch("if"), made, take=True)


def test_an_answer_without_a_day_does_not_move_a_chain_of_past_records_to_today(tmp_path: Path) -> None:
    settings = 'name = "mill"\nhorizon_buckets = 6\ncurrency = "CNY"\nstart = 2026-03-02\n'
    plant = Plant(mill.write(tmp_path / "mill", **(FILES | {"chain_toml": settings})))
    made, _ = plant.give_out()
    plant.says(MAKER, f"{made},另提方案,2026-03-16", head="单号,状态,新交期", day=200)
    with plant.at(250) as chain:
        before = chain.default_as_of()
        assert plant.exchange(chain) == []
        assert state_of(chain, made) == "offered"
        assert chain.default_as_of() - before < timedelta(seconds=1)


# whose order it is ---------------------------------------------------------------------------------


def test_a_firm_gets_its_own_sheet_in_its_language(plant: Plant) -> None:
    made, bought = plant.orders
    assert plant.sheets(MAKER)[0][0]["单号"] == made
    (row,) = plant.sheets(SUPPLIER)[0]
    assert (row["order"], row["price of one"], row["deliver to"]) == (bought, "4 CNY", "1 Mill Lane")
    assert "1 Mill Lane" not in str(plant.sheets(MAKER))


@pytest.mark.parametrize(
    ("sites", "tells_why"),
    [
        ("F,factory,North Mill,\nV,supplier,Steel & Sons,\n", False),
        ("F,supplier,,\nV,supplier,Steel & Sons,\n", False),
        ("F,factory,,\nV,supplier,Steel & Sons,\n", True),
        ("F,factory,,\nV,factory,,\n", True),
    ],
)
@pytest.mark.parametrize("firms", ["firm,language\nNorth Mill,zh\n", "firm,language\n"])
def test_our_reasons_go_to_our_own_works_alone(tmp_path: Path, sites: str, firms: str, tells_why: bool) -> None:
    """They name our stock and what it costs elsewhere."""
    files = FILES | {"sites_csv": f"site,kind,firm,address\n{sites}", "firms_csv": firms}
    plant = Plant(mill.write(tmp_path / "mill", **files))
    plant.give_out()
    texts = [f.read_text(encoding="utf-8-sig") for f in (plant.drop / "outbox").rglob("*.csv")]
    (made,) = [text for text in texts if "make" in text or "生产" in text]
    title = made.splitlines()[0].split(",")
    assert ("why" in title or "下单原因" in title) == tells_why
    with plant.at(1) as chain:
        said = [cause.text for m in run_messages(chain.kept_run()) for cause in m.order.causes]
        causes = [cause.text(language) for cause in said for language in ("en", "zh")]
    assert any(cause in text for cause in causes for text in texts) == tells_why


def test_a_firm_speaks_of_its_own_orders_alone(plant: Plant) -> None:
    made, bought = plant.orders
    plant.says(SUPPLIER, f"{made},refused,,", f"{bought},accepted,,")
    with plant.at(2) as chain:
        assert plant.exchange(chain) == ["unknown_order"]
        assert MAKER not in plant.findings[0].text("en")
        foreign = plant.findings[0].text("zh")
        plant.says(SUPPLIER, "X9,refused,,")
        plant.exchange(chain)
        assert plant.findings[0].text("zh").replace("X9", made).replace("2.csv", "1.csv") == foreign
        assert (state_of(chain, made), state_of(chain, bought)) == ("released", "accepted")


def test_a_firm_finds_in_its_own_folder_what_was_wrong_and_we_see_the_rows_of_each_file(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _ = plant.orders
    plant.says(MAKER, f"{made},接单,,", "X9,接单,,", f"{made},也许,,", f"{made},,,", head="单号,状态,时间,原因")
    with plant.at(2) as chain:
        drop = exchange_one_way.file_drop(chain, plant.drop, "en")
        counts: list[inbox.RowCount] = []
        exchange_one_way.exchange(chain, drop, drop, heard=lambda c, found: counts.extend(inbox.row_counts(c, found)))
        assert counts == [inbox.RowCount("North Mill/1.csv", taken=1, held=2, empty=1)]
        (told,) = plant.box(MAKER).glob("*.findings.txt")
        lines = told.read_text(encoding="utf-8-sig").splitlines()
        assert len(lines) == 3 and "X9" in lines[2] + lines[1] and "也许" in lines[1] + lines[2]
        assert "不属于贵方" in "".join(lines)
        assert not list(plant.box(SUPPLIER).glob("*.txt"))
        assert plant.exchange(chain) == []  # it is ours
        told.write_text("pay elsewhere")
        assert plant.exchange(chain) == ["planted"]
    plant.says(MAKER, f"{made},接单,,", "X9,接单,,", head="单号,状态,时间,原因")
    main(["exchange", str(plant.folder), "--lang", "zh"])
    assert "North Mill/2.csv：收下 1 行（其中已知的不重复计），待更正 1 行，未答复 0 行" in capsys.readouterr().out


def test_what_lies_straight_in_the_inbox_speaks_of_another_firms_order_by_its_message_alone(plant: Plant) -> None:
    """Who put it there, nobody can tell."""
    made, bought = plant.orders
    key = {firm: plant.sheets(firm)[0][0] for firm in (MAKER, SUPPLIER)}
    key_of = {row.get("order") or row["单号"]: row.get("message") or row["消息编号"] for row in key.values()}
    root, head = plant.drop / "inbox", "order,state,message\n"
    (root / "anybody.csv").write_text(f"{head}{made},refused,\n{bought},refused,{key_of[made]}\n")
    with plant.at(2) as chain:
        assert plant.exchange(chain) == ["sender_unknown", "sender_unknown"]
        assert {MAKER, SUPPLIER} == {dict(f.found.params)["who"] for f in plant.findings}
        assert (state_of(chain, made), state_of(chain, bought)) == ("released", "released")
    (root / "ours.csv").write_text(f"{head}{made},accepted,{key_of[made]}\n{bought},refused,{key_of[bought]}\n")
    with plant.at(2) as chain:
        assert plant.exchange(chain) == []
        assert (state_of(chain, made), state_of(chain, bought)) == ("accepted", "refused")
    (plant.drop / "inbox" / "Nobody").mkdir()
    (plant.drop / "inbox" / "Nobody" / "x.csv").write_text(f"order,state\n{made},cancelled\n")
    with plant.at(3) as chain:
        assert plant.exchange(chain) == ["unknown_box"]


def test_two_chains_share_a_drop(tmp_path: Path) -> None:
    """The same orders under the same numbers: each goes out, and each answer reaches its own chain."""
    plants = [Plant(mill.write(tmp_path / name, **FILES)) for name in ("one", "two")]
    for number, plant in enumerate(plants, start=1):
        text = (plant.folder / "chain.toml").read_text().replace('"mill"', f'"mill {number}"')
        (plant.folder / "chain.toml").write_text(text)
        plant.drop = tmp_path / "drop"
    made = [plant.give_out()[0] for plant in plants]
    assert made[0] == made[1]
    files = sorted((tmp_path / "drop" / "outbox" / "North Mill").glob("*.csv"))
    assert len(files) == 2
    sheets = [csv.DictReader(f.read_text(encoding="utf-8-sig").splitlines()) for f in files]
    keys = [next(sheet)["消息编号"] for sheet in sheets]
    for key in keys:
        plants[0].says(MAKER, f"{made[0]},接单,{key}", head="单号,状态,消息编号")
    plants[0].says(MAKER, f"{made[0]},拒单", head="单号,状态")
    for plant in plants:
        with plant.at(2) as chain:
            assert plant.exchange(chain) == ["whose_chain"]
            assert plant.taken == 1
            assert state_of(chain, made[0]) == "accepted"


def test_a_release_that_is_not_of_the_current_plan_is_refused_by_its_key(tmp_path: Path) -> None:
    plant = Plant(mill.write(tmp_path / "mill", **FILES))
    with plant.at(0) as chain:
        first = chain.run()
        keys = {m["order"]: m["key"] for m in first.tables["messages"].to_pylist()}
    (plant.folder / "demand.csv").write_text(DEMAND.replace("d1,P,2026-03-06,30", "d1,P,2026-03-06,36"))
    with plant.at(0.1) as chain:
        second = chain.run()
        now = {m["order"]: m["key"] for m in second.tables["messages"].to_pylist()}
        changed = [key for order, key in keys.items() if order in now and now[order] != key]
        assert changed
        for asked, run in ((changed[:1], None), ([f"00000000:{next(iter(now.values()))}"], None), ((), first.run)):
            with pytest.raises(Refused):
                release_orders.release(chain, asked, all_due=not asked, run_name=run)
        assert release_orders.release(chain, [next(iter(now.values()))], all_due=False) == [next(iter(now))]


# out once, counted once ----------------------------------------------------------------------------


def test_a_delivery_of_unknown_outcome_goes_again_under_its_key_and_says_so(tmp_path: Path) -> None:
    """A kill between the file and every note of it: the same file again, marked, and then no more."""
    plant = Plant(mill.write(tmp_path / "mill", **FILES))
    with plant.at(0) as chain:
        chain.run()
        release_orders.release(chain, (), all_due=True)
        drop = exchange_one_way.file_drop(chain, plant.drop, "en")

        class Killed(FileDrop):
            def deliver(self, messages: Sequence[OrderMessage], run: str) -> tuple[Outcome, ...]:
                super().deliver(messages, run)
                raise KeyboardInterrupt

        killed = Killed(drop.folder, drop.language, drop.known, drop.chain, drop.name)
        with pytest.raises(KeyboardInterrupt):
            exchange_one_way.exchange(chain, killed, killed)
        (plant.drop / "sent.csv").unlink()
        assert set(chain.ledger.deliveries(drop.name).values()) == {"sending"}
        before = plant.sheets(SUPPLIER)
        plant.exchange(chain)
        assert set(chain.ledger.deliveries(drop.name).values()) == {"sent"}
        (again,) = plant.sheets(SUPPLIER)
        assert [r["message"] for r in again] == [r["message"] for r in before[0]]
        assert "counts once" in again[0]["note"]
        plant.exchange(chain)
        assert plant.outcomes == ()
        assert plant.sheets(SUPPLIER) == [again]


def test_a_warning_is_told_after_a_kill_between_taking_in_and_moving(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = plant.orders
    plant.says(MAKER, f"{made},done,40,2026-03-03", head="order,state,good units in all,when")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with plant.at(2) as chain:
        with monkeypatch.context() as patch:
            patch.setattr(FileDrop, "settle", killed)
            with pytest.raises(KeyboardInterrupt):
                plant.exchange(chain)
        assert state_of(chain, made) == "done"
        assert "too_many_units" in plant.exchange(chain)
        assert plant.taken == 0
        (said,) = [f for f in plant.findings if f.code == "taken_before"]
        assert "1 answer of this sheet" in said.text("en")
        told = [p.read_text(encoding="utf-8-sig") for p in (plant.drop / "done").rglob("*.findings.txt")]
        assert len(told) == 1 and "40" in told[0]
        assert plant.exchange(chain) == []


@pytest.mark.parametrize("where", ["settle", "_deliver", "forget_told"])
def test_after_a_kill_the_next_exchange_says_what_the_sheets_held(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Killed before the sheets were put away, or right after: three answers, of which one is of no order."""
    made, bought = plant.orders
    plant.says(MAKER, f"{made},接单,,", "W-none,接单,,")
    plant.says(SUPPLIER, f"{bought},accepted,,")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with plant.at(2) as chain:
        with monkeypatch.context() as patch:
            patch.setattr(*((FileDrop, where) if where == "settle" else (exchange_one_way, where)), killed)
            with pytest.raises(KeyboardInterrupt):
                plant.exchange(chain)
        codes = plant.exchange(chain)
        assert plant.taken == 0
        assert sorted(codes) == ["taken_before", "taken_before", "unknown_order"]
        counts = [dict(f.found.params)["count"] for f in plant.findings if f.code == "taken_before"]
        assert counts == [1, 1]
        assert plant.exchange(chain) == []


def test_what_was_taken_in_is_told_again_until_it_was_told(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill before the next sheets are out, one before anything was printed, and then the exchange that tells it."""
    made, _ = plant.orders
    plant.says(MAKER, f"{made},接单,,")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with plant.at(2) as chain:
        with monkeypatch.context() as patch:
            patch.setattr(exchange_one_way, "_deliver", killed)
            with pytest.raises(KeyboardInterrupt):
                next(exchange_each_way(chain, plant.drop, "en"))
        for codes in (["taken_before"], ["taken_before"]):
            ways = exchange_each_way(chain, plant.drop, "en")
            assert [f.code for f in next(ways).findings] == codes
            ways.close()
        assert [[f.code for f in way.findings] for way in exchange_each_way(chain, plant.drop, "en")] == [codes]
        assert [way.findings for way in exchange_each_way(chain, plant.drop, "en")] == [()]


def test_a_release_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders without their events would be counted on and never go out."""
    plant = Plant(mill.write(tmp_path / "mill", **FILES))
    with plant.at(0) as chain:
        chain.run()
        ingest = type(chain.ledger).ingest

        def killed(self: object, table: str, *rest: object, **named: object) -> object:
            if table == "order_events":
                raise KeyboardInterrupt
            return ingest(self, table, *rest, **named)

        with monkeypatch.context() as patch:
            patch.setattr(type(chain.ledger), "ingest", killed)
            with pytest.raises(KeyboardInterrupt):
                release_orders.release(chain, (), all_due=True)
        assert chain.state().table("orders").num_rows == 0
        assert len(release_orders.release(chain, (), all_due=True)) == 2


def test_an_order_that_starts_later_is_said_to_and_only_what_still_waits_is_named(tmp_path: Path) -> None:
    plant = Plant(mill.write(tmp_path / "mill", **FILES))
    with plant.at(0) as chain:
        rows = {r["order"]: r for r in chain.run().tables["orders"].to_pylist()}
        first, *others = release_orders.release(chain, (), all_due=True)
        later = next(o for o in sorted(rows) if o not in (first, *others))
        with pytest.raises(NotFound) as told:
            release_orders.release(chain, [later, "W9-none"], all_due=False)
    assert f"{later} starts on {rows[later]['start']}" in told.value.message.text("en")
    assert "before 2026-03-09" in told.value.message.text("en")
    lines = told.value.message.text("en").splitlines()
    assert [line.split()[0] for line in lines] == [later, "W9-none", "Of"]
    assert "W9-none is no order of the last run" in lines[1]
    assert not any(o in told.value.message.text("en") for o in (first, *others))


def test_what_waits_of_a_plan_is_named_beside_an_order_that_starts_later(tmp_path: Path) -> None:
    plant = Plant(mill.write(tmp_path / "mill", **FILES))
    with plant.at(0) as chain:
        run = chain.run()
        due = run.tables["messages"]["order"].to_pylist()
        later = next(o for o in run.tables["orders"]["order"].to_pylist() if o not in due)
        release_orders.release(chain, due[:1], all_due=False)
        with pytest.raises(NotFound) as told:
            release_orders.release(chain, [later], all_due=False)
    assert told.value.message.text("en").endswith(": " + ", ".join(due[1:]))
    assert due[0] not in told.value.message.text("zh")
