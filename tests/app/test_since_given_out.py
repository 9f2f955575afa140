"""A week is planned, given out and planned again: all of it is held against the week before."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

import mill
from datong.app import release_orders
from datong.app.chain import Chain
from datong.app.kept_runs import run_messages
from datong.dispatch.rows_of_released_orders import release_rows
from datong.questions.run_result import RunResult
from datong.questions.tables_out import rendered

FILES = {
    "chain_toml": 'name = "mill"\nhorizon_buckets = 6\nstart = 2026-03-02\ncurrency = "CNY"\n',
    "products_csv": "product,price,kind,name\nP,100,finished,Plough\nM,4,material,Mild steel\n",
    "recipes_csv": "recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\n",
    "offers_csv": "offer,product,price,lead_days\nM/V,M,4,7\n",
    "stock_csv": "happened_at,product,units\n2026-02-28,M,80\n",
    "demand_csv": "demand,product,due,units\nd1,P,2026-03-11,20\nd2,P,2026-03-20,30\nd3,P,2026-03-27,25\n",
}
WEEKS = [datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return mill.write(tmp_path / "mill", **FILES)


def since(result: RunResult, part: str) -> list[dict[str, Any]]:
    rows = rendered({"since": result.tables["since"]}, "en")["since"]
    return rows.filter(pc.equal(rows["part"], part)).to_pylist()


def orders(result: RunResult) -> list[dict[str, Any]]:
    return result.orders.arrow.to_pylist()


def test_a_week_given_out_from_a_run_that_is_planned_again(folder: Path) -> None:
    """The plan of 2 March has orders of 9 March, which the first plan of 9 March proposes anew. They go out, and it is
    planned again for the same moment: they count on the side of now, and are not told as gone."""
    with Chain(folder) as chain:
        first = chain.run(WEEKS[0])
        skipped = chain.run(WEEKS[1])
        numbers = release_orders.release(chain, (), all_due=True)
        last = chain.run(WEEKS[1])
    assert numbers
    assert not {*numbers} & {o["order"] for o in orders(first)}
    both = {*first.tables["forecast_total"]["bucket"].to_pylist()} & {
        *last.tables["forecast_total"]["bucket"].to_pylist()
    }
    bucket = first.settings.calendar.bucket_start

    def money(rows: list[dict[str, Any]]) -> float:
        return sum(row["cost"] for row in rows if bucket(row["start"]) in both)

    out = [o for o in orders(skipped) if o["order"] in numbers]
    assert money(out) > 0
    (cost,) = [row for row in since(last, "cost") if row["kind"] == "orders"]
    assert cost["money_before"] == money(orders(first))
    assert cost["money_after"] == money(orders(last)) + money(out)
    assert cost["text"] == (
        f"orders: {money(orders(first)):,.0f} CNY before, {money(orders(last)) + money(out):,.0f} now, of it"
        f" {money(out):,.0f} given out or locked since"
    )
    told = since(last, "orders")
    given = {row["subject"]: row for row in told if row["kind"] == "given_out"}
    assert set(given) == set(numbers)
    assert not [row for row in told if row["kind"] in ("missed", "dropped", "moved", "moved_resized")]
    steel = next(o for o in out if o["product"] == "M")
    before = next(o for o in orders(first) if o["product"] == "M" and bucket(o["start"]) == date(2026, 3, 9))
    assert given[steel["order"]]["text"] == (
        f"{before['order']}: {before['units']:g} of Mild steel (M) (is ordered on {before['start']})"
        f" was given out as {steel['order']}"
    )


def test_orders_that_no_run_proposed_are_priced_by_their_way_or_said_to_have_no_price(folder: Path) -> None:
    """Somebody orders 30 of steel at 4 by himself, 5 at a price of their own, and 12 by no known offer."""
    with Chain(folder) as chain:
        first = chain.run(WEEKS[0])
    text = "order,kind,product,offer,units,start,due,price\n"
    mine = "O1,buy,M,M/V,30,2026-03-10,2026-03-17,\nO2,buy,M,M/V,5,2026-03-11,2026-03-18,7\n"
    (folder / "orders.csv").write_text(text + mine + "O3,buy,M,,12,2026-03-12,2026-03-19,\n", encoding="utf-8")
    with Chain(folder) as chain:
        last = chain.run(WEEKS[1])
    proposed = sum(o["cost"] for o in orders(last))
    cost = {row["kind"]: row for row in since(last, "cost")}
    assert cost["orders"]["money_after"] == proposed + 30 * 4 + 5 * 7
    assert cost["unpriced"]["text"] == (
        "not in these: 1 order given out, locked, refused or cancelled since, whose cost is not known:"
        " O3 (12 of Mild steel (M))"
    )
    assert cost["total"]["money_before"] == sum(
        row["money_before"] or 0.0 for kind, row in cost.items() if kind in ("orders", "holding", "late", "lost")
    )
    assert first.run in since(last, "before")[0]["text"]


def test_what_went_out_costs_what_it_did_then_and_what_was_refused_nothing(folder: Path) -> None:
    """Steel is dearer since it was ordered; the work order that went out beside it was refused."""
    with Chain(folder) as chain:
        first = chain.run(WEEKS[0])
        skipped = chain.run(WEEKS[1])
        numbers = release_orders.release(chain, (), all_due=True)
    out = {o["order"]: o for o in orders(skipped) if o["order"] in numbers}
    (work,) = [number for number, order in out.items() if order["product"] == "P"]
    (steel,) = [number for number, order in out.items() if order["product"] == "M"]
    (folder / "offers.csv").write_text("offer,product,price,lead_days\nM/V,M,5,7\n", encoding="utf-8")
    refused = f"order,state,happened_at\n{work},refused,2026-03-08 12:00\n"
    (folder / "order_events.csv").write_text(refused, encoding="utf-8")
    with Chain(folder) as chain:
        last = chain.run(WEEKS[1])
    (cost,) = [row for row in since(last, "cost") if row["kind"] == "orders"]
    assert out[steel]["cost"] == out[steel]["units"] * 4
    both = first.tables["forecast_total"]["bucket"].to_pylist()
    proposed = sum(o["cost"] for o in orders(last) if first.settings.calendar.bucket_start(o["start"]) in both)
    assert cost["money_after"] == proposed + out[steel]["cost"]


def test_a_locked_proposal_is_told_as_locked_and_its_change_is_priced(folder: Path) -> None:
    """A planner locks the ploughs of the first week, two more than the plan that is made again proposed: 10 each."""
    with Chain(folder) as chain:
        first = chain.run(WEEKS[0])
        skipped = chain.run(WEEKS[1])
        (made, *_) = [o for o in orders(skipped) if o["product"] == "P"]
        messages = [m for m in run_messages(skipped) if m.order.order == made["order"]]
        rows = release_rows(messages, skipped.run, chain.clock())
        at = rows["orders"].column_names.index("units")
        more = pc.add(rows["orders"]["units"], 2.0)
        locked = rows["orders"].set_column(at, "units", more)
        events = rows["order_events"].filter(pc.equal(rows["order_events"]["state"], "proposed"))
        chain.ledger.ingest("orders", locked, None, (), source="hand", arrived_at=chain.clock(), by="planner")
        chain.ledger.ingest("order_events", events, None, (), source="hand", arrived_at=chain.clock(), by="planner")
        last = chain.run(WEEKS[1])
    (cost,) = [row for row in since(last, "cost") if row["kind"] == "orders"]
    assert cost["money_after"] == sum(o["cost"] for o in orders(last)) + made["cost"] + 20
    (told,) = [row for row in since(last, "orders") if row["subject"] == made["order"]]
    assert told["kind"] == "locked"
    before = next(o for o in orders(first) if o["order"] and o["product"] == "P" and o["units"] == told["units_before"])
    assert told["text"].startswith(f"{before['order']}: ")
    assert f"was locked by hand as {made['order']}" in told["text"]


def test_what_was_out_and_was_refused_since_counts_before_as_what_takes_its_place_does_now(folder: Path) -> None:
    """Planned on Monday, given out, planned on Tuesday, refused, planned on Wednesday: it is ordered again at the same
    price, and nothing is saved or lost by that."""
    (folder / "demand.csv").write_text(FILES["demand_csv"] + "d0,P,2026-03-06,20\n", encoding="utf-8")
    with Chain(folder) as chain:
        first = chain.run(WEEKS[0])
        numbers = release_orders.release(chain, (), all_due=True)
        second = chain.run(datetime(2026, 3, 3, tzinfo=UTC))
    out = {o["order"]: o for o in orders(first) if o["order"] in numbers}
    (work,) = [number for number, order in out.items() if order["product"] == "P"]
    refused = f"order,state,happened_at\n{work},refused,2026-03-03 12:00\n"
    (folder / "order_events.csv").write_text(refused, encoding="utf-8")
    with Chain(folder) as chain:
        last = chain.run(datetime(2026, 3, 4, tzinfo=UTC))
    assert second.run in since(last, "before")[0]["text"]
    cost = {row["kind"]: row for row in since(last, "cost")}
    assert cost["orders"]["money_before"] == sum(o["cost"] for o in orders(second)) + out[work]["cost"]
    assert cost["orders"]["money_after"] == sum(o["cost"] for o in orders(last))
    assert cost["orders_ended"]["text"] == (
        f"the orders of before have in them {out[work]['cost']:g} CNY of what was planned or out then and was refused"
        f" or cancelled since: {work} ({out[work]['units']:g} of Plough (P))"
    )


def test_what_was_planned_for_a_week_that_is_over_and_was_refused_counts_before(folder: Path) -> None:
    """Steel of the first week goes out and is refused in it; a week later it is bought again at the same price. Like
    for like, the plan is no dearer for it: the first one counts before, as the second one does now."""
    (folder / "stock.csv").write_text("happened_at,product,units\n2026-02-28,M,5\n", encoding="utf-8")
    with Chain(folder) as chain:
        first = chain.run(WEEKS[0])
        numbers = release_orders.release(chain, (), all_due=True)
    (steel,) = [o for o in orders(first) if o["order"] in numbers and o["product"] == "M"]
    refused = f"order,state,happened_at\n{steel['order']},refused,2026-03-03 12:00\n"
    (folder / "order_events.csv").write_text(refused, encoding="utf-8")
    with Chain(folder) as chain:
        last = chain.run(WEEKS[1])
    cost = {row["kind"]: row for row in since(last, "cost")}
    both = {*first.tables["forecast_total"]["bucket"].to_pylist()} & {
        *last.tables["forecast_total"]["bucket"].to_pylist()
    }
    bucket = first.settings.calendar.bucket_start
    planned = sum(o["cost"] for o in orders(first) if bucket(o["start"]) in both)
    assert steel["cost"] > 0 and bucket(steel["start"]) not in both
    assert cost["orders"]["money_before"] == pytest.approx(planned + steel["cost"])
    assert cost["orders_ended"]["money_before"] == pytest.approx(steel["cost"])
