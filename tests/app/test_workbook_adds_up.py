"""A reader adds the plan up by hand, from the .xlsx alone, and agrees with every figure of its first sheet."""

import io
import math
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import python_calamine

from cases.random_chains import random_chain
from datong.app.chain import Chain
from datong.app.clock import parse_moment
from datong.app.report.run_workbook import workbook_bytes
from datong.app.wording.report_inputs import ReportInputs
from datong.app.write_report import report_inputs
from datong.cycle import run_cycle
from datong.model.flow import nothing_learnt
from datong.questions.run import run_record

CHAINS = Path(__file__).parent / "chains"
TOTAL = "In all"
Row = dict[str, Any]
# Rounding of a solver, in units, hours and money.
NEAR = {"rel": 1e-6, "abs": 1e-5}

# Costs that orders have, by the words of the sheets.
ORDERED = ("production", "purchase", "transport, goods on the way", "set-ups", "fixed cost of orders")


class Book:
    """The sheets of a workbook as rows by title, with the row of sums apart; nothing else is known of the plan."""

    def __init__(self, content: bytes) -> None:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        cells = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
        self.first = {row[0]: row[1] for row in cells["This week"]}
        self.sheets: dict[str, list[Row]] = {}
        self.totals: dict[str, Row] = {}
        for name, (head, *lines) in cells.items():
            rows = [{k: None if v == "" else v for k, v in zip(head, line, strict=True)} for line in lines]
            for row in (r for r in rows if r[head[0]] == TOTAL):
                self.totals[name] = row
            self.sheets[name] = [r for r in rows if r[head[0]] != TOTAL]

    def __getitem__(self, sheet: str) -> list[Row]:
        return self.sheets[sheet]

    def sum(self, sheet: str, column: str, **of: Any) -> float:
        """A column of a sheet added up, of the rows that have these values."""
        return sum(r[column] or 0.0 for r in self[sheet] if all(r[k] == v for k, v in of.items()))


def book_of(inputs: ReportInputs) -> Book:
    return Book(workbook_bytes(inputs, "en"))


def run(folder: Path, as_of: str) -> ReportInputs:
    with Chain(folder, now=lambda: datetime(2027, 6, 1, 12, tzinfo=UTC)) as chain:
        return report_inputs(chain, chain.run(parse_moment(as_of, chain.settings)), {}, "en")


def copied(name: str, where: Path) -> Path:
    return Path(shutil.copytree(CHAINS / name, where / name))


@pytest.fixture(scope="module", params=["lots", "bicycles", "lamps"])
def book(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Book:
    """Lots on one line; two levels, two sites and orders that are out; lanes to two markets."""
    moment = "2026-11-23" if request.param == "lots" else "2026-11-30"
    return book_of(run(copied(request.param, tmp_path_factory.mktemp("chain")), moment))


def summed(rows: Iterable[Row], keys: tuple[str, ...], units: str) -> dict[tuple[Any, ...], float]:
    found: dict[tuple[Any, ...], float] = defaultdict(float)
    for r in rows:
        found[tuple(r.get(k) for k in keys)] += r[units] or 0.0
    return {key: value for key, value in found.items() if abs(value) > 1e-9}


def near(one: Mapping[Any, float], other: Mapping[Any, float]) -> None:
    every = set(one) | set(other)
    assert {k: one.get(k, 0.0) for k in every} == pytest.approx({k: other.get(k, 0.0) for k in every}, **NEAR)


def holds(row: Row, day: date) -> bool:
    return (row["From"] is None or row["From"] <= day) and (row["Until"] is None or day < row["Until"])


def weeks(book: Book) -> dict[str, date]:
    """The bucket in which each order starts."""
    starts = {r["From"] for r in book["Gaps"]}
    return {r["Order"]: max((s for s in starts if s <= r["Start"]), default=r["Start"]) for r in book["Orders"]}


def way_of(book: Book, order: Row, week: date) -> Row:
    """The recipe, offer or lane of an order, as it holds in the week of its start; of an offer with price breaks, the
    cheapest one that the order reaches."""
    name = order.get("Recipe") or order.get("Offer") or order.get("Lane")
    key = (name, order["Kind"], order["Product"], order.get("Site"), order.get("From site"))
    names = ("Way", "Kind", "Product", "Site", "From site")
    found = [r for r in book["Ways"] if tuple(r[n] for n in names) == key and holds(r, week)]
    assert len(found) == 1 or order["Kind"] == "buy", found
    reached = [r for r in found if len(found) == 1 or r["Smallest order (units)"] <= order["Units"] + 1e-6]
    return min(reached, key=lambda r: order["Units"] * r["Cost of a unit (money)"] + r["Set-up of an order (money)"])


# the checks of a reader, one by one --------------------------------------------------------------


def the_first_sheet_adds_up(book: Book, week: date, currency: str = "CNY") -> None:
    first = book.first
    for name, column in (
        ("Demand, units", "Demand (units)"),
        ("Served on time, units", "On time (units)"),
        ("Served late, units", "Late (units)"),
        ("Unserved, units", "Unserved (units)"),
    ):
        assert first[name] == pytest.approx(book.sum("Gaps", column), **NEAR), name
    served = first["Served on time, units"] + first["Served late, units"] + first["Unserved, units"]
    assert first["Demand, units"] == pytest.approx(served, **NEAR)
    orders = book["Orders"]
    assert first["Orders proposed"] == len(orders)
    now = [r["Kind"] for r in orders if r["Start"] < week + timedelta(days=7)]
    counts = [
        first[f"{name} this week"] for name in ("Work orders to start", "Purchase orders to place", "Transfers to send")
    ]
    assert counts == [now.count(kind) for kind in ("make", "buy", "move")]
    assert first["Orders that serve a customer late"] == sum(r["Serves a customer late"] for r in orders)
    assert sum(r["Serves a customer late"] for r in orders) == sum(r["Late for"] is not None for r in orders)
    terms = {k: v for k, v in first.items() if k.startswith("Cost of ") and k.endswith(f", {currency}")}
    spent = terms.pop(f"Cost of the orders proposed, {currency}")
    for name, money in terms.items():
        term = name.removeprefix("Cost of ").removesuffix(f", {currency}")
        assert money == pytest.approx(book.sum("Money", "Money", **{"Cost of": term}), **NEAR), term
    assert first["Total cost"] == pytest.approx(sum(terms.values()), **NEAR)
    assert first["Total cost"] == pytest.approx(book.totals["Money"]["Money"] if book["Money"] else 0.0, **NEAR)
    own = [terms.get(f"Cost of {t}, {currency}", 0.0) for t in ORDERED]
    assert spent == pytest.approx(book.sum("Orders", "Cost (money)"), **NEAR)
    assert spent == pytest.approx(sum(own), **NEAR)
    gross = sum(v for v in terms.values() if v > 0)
    gap = (first["Total cost"] - first["Lower bound"]) / gross if gross > 0 else 0.0
    assert first["Gap"] == pytest.approx(math.ceil(gap * 1e4 - 1e-6) / 1e4, abs=1e-9)  # as 'at most' is told elsewhere


def the_sums_are_sums(book: Book) -> None:
    """Every row of sums is what its column adds up to."""
    for sheet, row in book.totals.items():
        for column, value in row.items():
            if isinstance(value, float):
                assert value == pytest.approx(book.sum(sheet, column), **NEAR), (sheet, column)


def stock_adds_up(book: Book) -> None:
    """What is there and comes is what goes and stays; what stays opens the next week."""
    last: dict[tuple[Any, Any], tuple[date, float]] = {}
    for r in book["Flow"]:
        comes = sum(
            r[f"{n} (units)"] for n in ("Opening stock", "Made", "Received, or still to come of orders out", "Moved in")
        )
        goes = sum(
            r[f"{n} (units)"]
            for n in ("Used in orders", "Moved out", "Taken by orders under way", "Delivered", "Wasted")
        )
        assert r["Received, or still to come of orders out (units)"] >= -1e-6, (
            "what orders under way take is no receipt"
        )
        assert r["Closing stock (units)"] == pytest.approx(comes - goes, **NEAR), r
        place = (r["Product"], r["Site"])
        assert r["Closing stock (units)"] > -1e-6
        if place in last:
            assert r["From"] > last[place][0]
            assert r["Opening stock (units)"] == pytest.approx(last[place][1], **NEAR), r
        last[place] = (r["From"], r["Closing stock (units)"])


def orders_are_what_comes(book: Book) -> None:
    """Good units of orders, and what comes of them besides, are the units made and moved in of the week in which they
    are there, and a part of those received (the rest is of orders out); units sent and components used are those of the
    week of the start."""
    flow = book["Flow"]
    between = {r["Product"] for r in flow}  # a step that is not the last brings what is called by its code
    orders = [r | {"Product": r["Recipe"]} if r.get("Recipe") in between else r for r in book["Orders"]]
    kinds = {kind: [r for r in orders if r["Kind"] == kind] for kind in ("make", "buy", "move")}
    last = max((r["From"] for r in book["Gaps"]), default=date.min)
    beside = what_comes_besides(book)
    near(beside, summed(flow, ("Product", "Site", "From"), "of made, co-products (units)"))
    for kind, column in (("make", "Made (units)"), ("move", "Moved in (units)")):
        there = [r for r in kinds[kind] if r["There in (from)"] <= last]
        came = summed(there, ("Product", "Site", "There in (from)"), "Good units")
        for key, units in beside.items() if kind == "make" else ():
            came[key] = came.get(key, 0.0) + units
        near(came, summed(flow, ("Product", "Site", "From"), column))
    bought = summed(kinds["buy"], ("Product", "Site", "There in (from)"), "Good units")
    received = summed(flow, ("Product", "Site", "From"), "Received, or still to come of orders out (units)")
    if not book["Kept orders"]:
        near({k: v for k, v in bought.items() if k[2] <= last}, received)
    week = weeks(book)
    sent = summed([r | {"week": week[r["Order"]]} for r in kinds["move"]], ("Product", "From site", "week"), "Units")
    near(sent, summed(flow, ("Product", "Site", "From"), "Moved out (units)"))
    taken = [r for r in book.sheets.get(TAKEN, []) if r["Order"] not in {one["Order"] for one in kinds["move"]}]
    used = summed(taken, ("Component", "Site", "From"), "Units")
    near(used, summed(flow, ("Product", "Site", "From"), "Used in orders (units)"))
    what_orders_take_is_their_bill(book, taken, week)


def orders_are_for_what_they_bring(book: Book) -> None:
    """Units of what takes the units of an order, and what nothing takes, are its good units; customers' orders get no
    more than is delivered to them, and orders no more than they take."""
    rows = book.sheets.get("What orders are for", [])
    came = summed(book["Orders"], ("Order", "Product"), "Good units")
    near(
        came | summed(book.sheets.get("Co-products of orders", []), ("Order", "Product"), "Units"),
        summed(rows, ("Order", "Product"), "Units"),
    )
    by = "For which request, order or product"
    asked = summed([r for r in rows if r["For"] == "customer's order"], (by, "Product"), "Units")
    served = summed(
        [r for r in book["Deliveries"] if r["Served in (from)"] is not None], ("Request", "Product"), "Units"
    )
    for key, units in asked.items():
        assert units <= served[key] + 1e-5, key
    own = {r["Order"] for r in book["Orders"]}
    parts = summed([r for r in rows if r["For"] == "order" and r[by] in own], (by, "Product"), "Units")
    takes = summed(book.sheets.get(TAKEN, []), ("Order", "Component"), "Units")
    for key, units in parts.items():
        assert units <= takes.get(key, math.inf) + 1e-5, key


def what_comes_besides(book: Book) -> dict[tuple[Any, ...], float]:
    """By product, site and the week in which it is there: so many units for each unit that an order starts."""
    rows, started = book.sheets.get("Co-products of orders", []), {r["Order"]: r["Units"] for r in book["Orders"]}
    for r in rows:
        assert r["Units"] == pytest.approx(started[r["Order"]] * r["Units for a unit started"], **NEAR), r
    return summed(rows, ("Product", "Site", "There in (from)"), "Units")


# Titles of the sheet and of its column of what an order takes whatever its size.
TAKEN, WHATEVER = "Taken by orders", "Of these whatever its size (units): per lot, scrap at set-up"


def what_orders_take_is_their_bill(book: Book, taken: list[Row], week: Mapping[str, date]) -> None:
    """Units of a bill for each unit started, beside what an order takes whatever its size; of alternatives, which the
    sheet Components has by the name of their choice, some of each."""
    by_unit: dict[tuple[str, str], float] = defaultdict(float)
    for r in taken:
        assert r["Units"] >= r[WHATEVER] - 1e-6 >= -1e-6
        by_unit[r["Order"], r["Component"]] += r["Units"] - r[WHATEVER]
    known = {r["Product"] for r in book["Flow"]}
    for r in book["Orders"]:
        way = r.get("Recipe") if r["Kind"] == "make" else r.get("Offer")
        bill: dict[str, float] = defaultdict(float)
        for part in book["Components"]:
            key = (part["Way"], part["Product"], part["Site"])
            if key == (way, r["Product"], r.get("Site")) and holds(part, week[r["Order"]]):
                bill[part["Component"]] += r["Units"] * part["Units in a unit started"]
        chosen = any(component not in known for component in bill)
        for component, units in bill.items():
            if component in known and not chosen:
                assert by_unit[r["Order"], component] == pytest.approx(units, **NEAR), (r["Order"], component)


def hours_add_up(book: Book) -> None:
    """run + set-up + orders under way + free = available; run and set-up are those of the orders."""
    worked: dict[tuple[Any, ...], float] = defaultdict(float)
    week = weeks(book)
    buckets = sorted({r["From"] for r in book["Hours"]})
    every: dict[str, list[Row]] = defaultdict(list)
    for r in book.sheets.get("Hours of orders", []):
        every[r["Order"]].append(r)
    for r in book["Orders"]:
        way = way_of(book, r, week[r["Order"]])
        span = int(way["Buckets that it is worked over"])
        first = max((i for i, start in enumerate(buckets) if start <= r["Start"]), default=0)
        own = 0.0
        for held in every.pop(r["Order"], []):
            assert held["Run (hours)"] == pytest.approx(r["Units"] * held["Hours of a unit started"], **NEAR)
            hours = held["Set-up (hours)"] + held["Run (hours)"]
            own += hours if held["Line"] == r["Line"] else 0.0
            for start in buckets[first : first + span]:
                worked[held["Line"], start] += hours / span
        if r["Line"] is not None:
            hours = way["Set-up (hours)"] + r["Units"] * way["Hours of a unit started"]
            assert r["Hours"] == pytest.approx(hours, **NEAR) == pytest.approx(own, **NEAR)
    assert not every
    for r in book["Hours"]:
        parts = [r["Run (hours)"], r["Set-up (hours)"], r["Of orders under way (hours)"], r["Free (hours)"]]
        assert r["Available, overtime included (hours)"] == pytest.approx(sum(parts), **NEAR)
        assert r["Free (hours)"] > -1e-4
        assert parts[0] + parts[1] == pytest.approx(worked.pop((r["Line"], r["From"]), 0.0), **NEAR)
    assert not worked


def money_adds_up(book: Book) -> None:
    """quantity x rate = money; quantities are those of the orders, of the closing stocks and of what is owed."""
    for r in book["Money"]:
        assert r["Money"] == pytest.approx(r["Quantity"] * r["Rate (money)"], **NEAR), r
    limits = book.sheets.get("Safety and largest stock", [])
    for term, column in (
        ("stock below the safety stock", "Below it (units)"),
        ("stock above its largest", "Above it (units)"),
    ):
        rows = [r for r in book["Money"] if r["Cost of"] == term]
        assert all(r["Rate (money)"] > 0 for r in rows)
        of_products = {key: units for key, units in summed(limits, ("Product",), column).items() if units > 1e-5}
        near(summed(rows, ("Product",), "Quantity"), of_products)
    overtime = summed([r for r in book["Money"] if r["Cost of"] == "overtime"], ("Of what",), "Quantity")
    near(overtime, summed(book["Hours"], ("Line",), "Overtime worked (hours)"))

    def quantity(term: str) -> float:
        return book.sum("Money", "Quantity", **{"Cost of": term})

    own, week = 0.0, weeks(book)
    for r in book["Orders"]:
        way = way_of(book, r, week[r["Order"]])
        own += r["Units"] * way["Cost of a unit (money)"] + way["Set-up of an order (money)"]
    own += sum(r["For this one of alternatives (money)"] for r in book.sheets.get(TAKEN, []))
    spent = sum(book.sum("Money", "Money", **{"Cost of": t}) for t in ORDERED)
    assert own == pytest.approx(spent, **NEAR)
    holding = {(r["Product"], r["Site"]): r["Kept for a bucket (money per unit)"] for r in book["Unit costs"]}
    kept = sum(r["Closing stock (units)"] * holding[r["Product"], r["Site"]] for r in book["Flow"])
    assert kept == pytest.approx(book.sum("Money", "Money", **{"Cost of": "holding stock"}), **NEAR)
    late_costs = {r["Late by a bucket (money per unit)"] for r in book["Unit costs"]}
    if 0.0 not in late_costs:
        assert quantity("late delivery") == pytest.approx(book.sum("Gaps", "Owed at its end (units)"), **NEAR)


def whom_to_tell_is_listed(book: Book) -> None:
    """All customers that the sentence of what to do counts, those whom it only counts as more among them."""
    rows = book.sheets.get("Customers to tell", [])
    said = [text for r in book.sheets.get("Since the last plan", []) for text in r.values()]
    counts = [re.search(r"^Tell the customers .*? \((\d+)\)", str(text)) for text in said]
    counts = [int(found[1]) for found in counts if found]
    assert counts == ([len({r["Request"] for r in rows})] if rows else [])


def what_is_late_adds_up(book: Book) -> None:
    late = {k: book.sum("Late", "Units", **{"What becomes of it": k}) for k in ("late", "declined", NEVER)}
    assert late["late"] == pytest.approx(book.first["Served late, units"], **NEAR)
    assert late["declined"] + late[NEVER] == pytest.approx(book.first["Unserved, units"], **NEAR)
    for r in book["Late"]:
        if r.get("Served in (from)") is not None:
            assert r["Or so many days later"] == (r["Served in (from)"] - r["Due from"]).days
        assert r["What stands in the way"]
    known = {(r["Product"], r["Market"]) for r in book["Deliveries"]}
    for what, column in (("on time", "On time (units)"), ("late", "Late (units)"), ("declined", "Declined (units)")):
        gaps = [r for r in book["Gaps"] if (r["Product"], r["Market"]) in known]
        told = [r for r in book["Deliveries"] if r["What becomes of it"] == what]
        keys = ("Product", "Market")
        near(summed(told, keys, "Units"), summed(gaps, keys, column))


NEVER = "not served before the plan ends"


def the_grid_is_the_same_plan(book: Book) -> None:
    names = ("Demand", "Made or received", "Used in orders", "Delivered", "Taken by orders that are out", "Wasted")
    levels = ("On the way (left, not yet there)", "Closing stock")
    beside = "Safety stock"  # what is to lie, and no part of the sum
    rows = {name: {} for name in (*names, *levels, beside)}
    opening = {}
    for r in book["Product by week"]:
        for day, value in r.items():
            if day[:2] == "20" and value:
                rows[r["Row"]][r["Product"], date.fromisoformat(day)] = value
        if r["Row"] == "Closing stock":
            opening[r["Product"]] = r["Opening stock (units)"] or 0.0
        if r["Row"] not in (*levels, beside):
            assert r[TOTAL] == pytest.approx(sum(v or 0.0 for d, v in r.items() if d[:2] == "20"), **NEAR)
    keys = ("Product", "From")
    near(rows["Demand"], summed(book["Gaps"], keys, "Demand (units)"))
    near(rows["Used in orders"], summed(book["Flow"], keys, "Used in orders (units)"))
    near(rows["Delivered"], summed(book["Flow"], keys, "Delivered (units)"))
    limits = book.sheets.get("Safety and largest stock", [])
    near(rows[beside], summed([r for r in limits if r["Safety stock (units)"]], keys, "Safety stock (units)"))
    near(rows["Closing stock"], summed(book["Flow"], keys, "Closing stock (units)"))
    comes = [
        r | {"comes": r["Made (units)"] + r["Received, or still to come of orders out (units)"]} for r in book["Flow"]
    ]
    near(rows["Made or received"], summed(comes, keys, "comes"))
    days = sorted({r["From"] for r in book["Flow"]})
    for product, there in opening.items():
        for day in days:
            at = (product, day)
            there += rows[names[1]].get(at, 0.0) - sum(rows[name].get(at, 0.0) for name in names[2:])
            assert there == pytest.approx(sum(rows[name].get(at, 0.0) for name in levels), **NEAR), at


def everything_adds_up(book: Book, week: date, currency: str = "CNY") -> None:
    the_first_sheet_adds_up(book, week, currency)
    the_sums_are_sums(book)
    stock_adds_up(book)
    orders_are_what_comes(book)
    orders_are_for_what_they_bring(book)
    hours_add_up(book)
    money_adds_up(book)
    what_is_late_adds_up(book)
    the_grid_is_the_same_plan(book)


# chains ------------------------------------------------------------------------------------------


def test_a_reader_agrees_with_every_figure(book: Book) -> None:
    everything_adds_up(book, min(r["From"] for r in book["Gaps"]))


def test_all_whom_a_sentence_tells_of_are_listed(book: Book) -> None:
    whom_to_tell_is_listed(book)


def test_what_is_late_is_delivered_late_or_never(book: Book) -> None:
    """The late rows are those of the deliveries, request by request: there is no expected demand in these chains."""
    keys = ("Request", "What becomes of it", "Served in (from)")
    late = [r for r in book["Deliveries"] if r["What becomes of it"] != "on time"]
    near(summed(book["Late"], keys, "Units"), summed(late, keys, "Units"))
    assert all(r["Request"] for r in book["Late"])


def test_the_lots_cost_what_the_optimum_does(tmp_path: Path) -> None:
    """A 36, 36, 24 and B 36, 8; 20 of B unserved, 12 a week late: 140 x 10 + 20 x 50 + 12 x 2 + 36 x 0.4 + 8 x 0.2."""
    book = book_of(run(copied("lots", tmp_path), "2026-11-23"))
    assert book.first["Total cost"] == pytest.approx(2440.0, rel=0.01)
    assert book.first["Unserved, units"] == 20
    assert book.first["Work orders to start this week"] == 1


def test_orders_out_are_in_what_is_received(tmp_path: Path) -> None:
    """100 kg of steel are on their way and due on 3 December: they are received beside what is bought now."""
    book = book_of(run(copied("lamps", tmp_path), "2026-11-30"))
    (out,) = book["Kept orders"]
    bought = sum(r["Good units"] for r in book["Orders"] if r["Product"] == "STEEL")
    assert book.sum("Flow", "Received, or still to come of orders out (units)", Product="STEEL") == pytest.approx(
        bought + out["Units"], **NEAR
    )


def test_expected_demand_adds_up(tmp_path: Path) -> None:
    """Demand is forecast: figures are means over many futures, small gaps stand in one row, and all of it adds up."""
    chance = random.Random(3)
    days = [date(2025, 6, 2) + timedelta(weeks=w) for w in range(40)]
    files = {
        "chain.toml": 'name = "Forecast"\ncurrency = "CNY"\nhorizon_buckets = 4\npath_count = 50\n',
        "products.csv": "product,name,price\nA,Dear,100\nB,Cheap,50\n",
        "lines.csv": "line,hours_per_week\nL,30\n",
        "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\nA/1,A,L,1,10\nB/1,B,L,1,10\n",
        "stock.csv": "happened_at,product,units\n2026-03-08,A,10\n2026-03-08,B,4\n",
        "sales.csv": "happened_at,product,units\n"
        + "".join(f"{d},{p},{chance.randint(5, 25)}\n" for d in days for p in "AB"),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    book = book_of(run(tmp_path, "2026-03-09"))
    assert book.first["Units and money are"].startswith("expected over 50 futures")
    assert not book["Deliveries"] and book.first["Served late, units"] > 1
    assert any(r["Product"] is None for r in book["Late"])
    everything_adds_up(book, date(2026, 3, 9))


@pytest.mark.parametrize("seed", [*range(12), 15, 17, 30, 31])  # 15 and 17 with routing steps, the last co-products
def test_random_chains_add_up(seed: int) -> None:
    """Lots, set-ups, lanes, components, yields, calendars, days for weeks, orders out; alternatives, what orders
    take whatever their size, what comes of them besides, steps and bills that change: every sheet adds up."""
    state = random_chain(seed, without=("locked",)).state
    learnt = nothing_learnt()
    record = run_record(state, learnt, 0, run_cycle(state, learnt, [], 0))
    inputs = ReportInputs(record.tables, state.settings, state.as_of)
    everything_adds_up(book_of(inputs), inputs.starts[0], state.settings.currency)
