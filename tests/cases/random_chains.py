"""Random small chains with everything that a referee has to add up, as tables of a State.

The same seed gives the same chain. Given demand only: one future. What each chain has stands in `has`; a test that is
about one thing can leave others out (`without`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from cases import referee
from datong.ledger.state import State, state_of_tables
from datong.model.settings import ChainSettings, Defaults, Netting

Row = dict[str, Any]

MONDAY = date(2024, 1, 1)
# Each is in a chain with this chance.
FEATURES: Mapping[str, float] = {
    "days": 0.25,  # buckets are days
    "two finished": 0.6,
    "two levels": 0.6,  # a part between the finished product and its material
    "two recipes": 0.4,
    "lots": 0.5,  # smallest lots
    "multiples": 0.4,
    "set-up hours": 0.4,
    "set-up cost": 0.4,
    "yield": 0.3,
    "scrap": 0.3,
    "effectivity": 0.25,  # a component that another takes the place of
    "line calendar": 0.5,
    "overtime": 0.2,
    "lanes": 0.3,
    "two offers": 0.4,
    "smallest purchase": 0.5,
    "purchase limit": 0.2,
    "priorities": 0.4,
    "forecast": 0.3,  # firm orders beside a forecast
    "overdue demand": 0.3,
    "locked": 0.3,
    "released": 0.3,
    "started": 0.2,
    "open purchase": 0.4,
    "frozen": 0.15,
    "maximum lateness": 0.4,
    "stock": 0.8,
    "economics": 0.7,  # stated, else the shares of the price
}


# The same of what bills, recipes and lines can say besides: each is added to the chain that there is without it.
BILL_FEATURES: Mapping[str, float] = {
    "lines at once": 0.2,  # a tool that recipes hold besides their line
    "steps": 0.2,  # A is cut, then welded
    "phantom": 0.2,
    "alternatives": 0.25,  # of the first material of the part, or of A
    "bills that change": 0.3,  # of alternatives, from a day on
    "per lot": 0.2,
    "scrap at set-up": 0.2,
    "recipe that changes": 0.2,  # in its hours, cost and yield, from a day on
}


# What products and offers say besides, drawn after that.
PRODUCT_FEATURES: Mapping[str, float] = {
    "release fence": 0.2,
    "safety lead time": 0.25,
    "price breaks": 0.3,
    "sourcing shares": 0.3,
    "expiry of stock": 0.3,
}


# Chance of a chain whose recipes yield something besides their product, drawn apart as well.
CO_PRODUCTS = {"co-products": 0.35}
# Chance of a chain whose orders come every so many days, drawn apart as well.
RHYTHM = {"orders every so many days": 0.3}
# Chance of a chain whose recipes have a largest lot, drawn apart as well.
LARGEST = {"largest lots": 0.35}
# Chances of a chain to have rules of single orders, and of stock.
ORDER_RULES = 0.5
STOCK_RULES = 0.4
# Chance of a chain with set-up costs to have offers with a fixed cost of an order.
COST_OF_ORDERS = 0.5
# Chance of a chain with lanes to have sites at which a unit costs more to hold than at others.
SITES_HOLD = 0.5


@dataclass(frozen=True)
class RandomChain:
    """A chain as of Monday 2024-01-01. has: its features; tables: rows by name."""

    seed: int
    settings: ChainSettings
    tables: Mapping[str, Sequence[Row]]
    has: frozenset[str]

    @property
    def state(self) -> State:
        """The chain for the product."""
        return state_of_tables(
            self.settings, datetime(2024, 1, 1, tzinfo=UTC), {n: _table(r) for n, r in self.tables.items()}
        )

    @property
    def chain(self) -> referee.Chain:
        """The chain for the referee."""
        return referee.chain_of_state(self.settings, MONDAY, self.tables)


def _table(rows: Sequence[Row]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def random_chain(seed: int, without: Collection[str] = ()) -> RandomChain:
    """A small chain of two to six products. without: features that it does not have."""
    return _Maker(seed, frozenset(without)).made()


@dataclass
class _Maker:
    """Makes one chain, table by table."""

    seed: int
    without: frozenset[str]
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def made(self) -> RandomChain:
        self.random = np.random.default_rng(self.seed)
        chances = self.random.random(len(FEATURES))
        self.has = (
            frozenset(name for (name, chance), drawn in zip(FEATURES.items(), chances, strict=True) if drawn < chance)
            - self.without
        )
        self.day = 1 if "days" in self.has else 7
        self.buckets = int(self.random.integers(8, 13) if self.day == 1 else self.random.integers(4, 9))
        self.finished = ["A", "B"] if "two finished" in self.has else ["A"]
        self.parts = ["P"] if "two levels" in self.has else []
        self.materials = ["M", "N"]
        self._products()
        self._sites_and_lines()
        self._recipes()
        self._components()
        self._offers()
        self._demand()
        self._stock()
        self._orders()
        settings = ChainSettings(
            f"random-{self.seed}",
            bucket="day" if self.day == 1 else "week",
            start=MONDAY,
            horizon_buckets=self.buckets,
            frozen_buckets=1 if "frozen" in self.has else 0,
            max_late_days=self.pick(0, 1, 2, 3) * self.day if "maximum lateness" in self.has else 999,
            defaults=Defaults(priority_factor=self.pick(1.5, 2.0, 3.0), firm_factor=self.pick(1.0, 1.25, 2.0)),
            netting=Netting(back_days=self.pick(0, 1, 2) * self.day, forward_days=self.pick(0, 1, 2) * self.day)
            if "forecast" in self.has
            else Netting(),
        )
        if self.random.random() < ORDER_RULES:
            self._order_rules()
        if self.random.random() < STOCK_RULES:
            self._stock_rules()
        if "lanes" in self.has and self.with_chance(SITES_HOLD):
            for row in self.tables["sites"]:
                row["holding_factor"] = self.pick(0.5, 1.0, 2.0)
        if "set-up cost" in self.has and self.with_chance(COST_OF_ORDERS):
            for row in self.tables["offers"]:
                row["cost_per_order"] = self.pick(0.0, 15.0, 60.0)
        self._bills()
        self._product_rules()
        self._co_products()
        self._rhythm()
        self._largest_lots()
        return RandomChain(self.seed, settings, {n: rows for n, rows in self.tables.items() if rows}, self.has)

    # drawing

    def pick(self, *of: Any) -> Any:
        return of[int(self.random.integers(len(of)))]

    def whole(self, least: int, most: int) -> float:
        return float(self.random.integers(least, most + 1))

    def with_chance(self, chance: float) -> bool:
        return bool(self.random.random() < chance)

    def start_of(self, bucket: int) -> date:
        return MONDAY + timedelta(days=bucket * self.day)

    def lead(self, *buckets: float) -> float:
        """A lead time in days of so many buckets; of weeks sometimes a few days less, which rounds up to them."""
        drawn = self.pick(*buckets)
        return max(drawn * self.day - (self.pick(0, 2) if self.day == 7 and drawn else 0), 0.0)

    def a_week(self, units: float) -> float:
        """A limit of about so many units a bucket; of days one that does not divide by seven."""
        return units if self.day == 7 else units * 7 / self.day + 3

    # tables

    def _products(self) -> None:
        kinds = {"finished": self.finished, "component": self.parts, "material": self.materials}
        prices = {"finished": (60, 120), "component": (15, 30), "material": (2, 8)}
        self.tables["products"] = [
            {"product": p, "kind": kind, "price": self.whole(*prices[kind])} for kind, own in kinds.items() for p in own
        ]
        if "economics" in self.has:
            self.tables["economics"] = [
                {
                    "product": r["product"],
                    "holding_cost_per_unit_week": self.pick(0.25, 0.5, 1.0) * r["price"] / 50,
                    "late_cost_per_unit_week": self.pick(0.02, 0.1, 0.3) * r["price"],
                    "lost_sale_cost_per_unit": self.pick(0.8, 1.0, 2.0) * r["price"],
                }
                for r in self.tables["products"]
            ]

    def _sites_and_lines(self) -> None:
        self.site = "F" if "lanes" in self.has else None
        if "lanes" in self.has:
            self.tables["sites"] = [{"site": "F", "kind": "factory"}, {"site": "W", "kind": "warehouse"}]
            self.tables["lanes"] = [
                {
                    "lane": "FW",
                    "from_site": "F",
                    "to_site": "W",
                    "lead_days": self.lead(0, 1, 2),
                    "cost_per_unit": self.pick(0.0, 0.5, 2.0),
                    "units_per_week": self.pick(None, None, self.a_week(40.0)),
                }
            ]
            if "lots" in self.has:
                self.tables["lanes"][0] |= {
                    "cost_per_order": self.pick(0.0, 0.0, 20.0),
                    "min_order_units": self.pick(0.0, 0.0, 15.0),
                    "lot_multiple_units": self.pick(0.0, 0.0, 6.0),
                }
        self.lines = ["L", "K"]
        hours = {line: self.whole(10, 40) * 7 / self.day for line in self.lines}
        self.tables["lines"] = [{"line": line, "site": self.site, "hours_per_week": hours[line]} for line in self.lines]
        spans = []
        for line in self.lines if self.has & {"line calendar", "overtime"} else ():
            first = int(self.random.integers(0, self.buckets))
            span = {
                "line": line,
                "from": self.start_of(first),
                "to": self.start_of(first + int(self.random.integers(1, 3))),
                "hours": hours[line] * (self.pick(0.0, 0.5, 1.5) if "line calendar" in self.has else 1.0),
            }
            if "overtime" in self.has:
                span |= {"overtime_hours": self.whole(2, 10) * 7 / self.day, "overtime_cost_per_hour": self.whole(1, 5)}
            spans.append(span)
        self.tables["line_calendar"] = spans

    def _recipes(self) -> None:
        rows = []
        for product in [*self.finished, *self.parts]:
            ways = 2 if "two recipes" in self.has and product in self.finished else 1
            for n in range(ways):
                line = "K" if product in self.parts else self.lines[n]
                row = {
                    "recipe": f"{product}/{n + 1}",
                    "product": product,
                    "line": line,
                    "hours_per_unit": self.pick(0.25, 0.5, 1.0),
                    "cost_per_unit": self.whole(1, 6) + 3.0 * n,
                    "lead_days": self.lead(0, 0, 1),
                }
                if "lots" in self.has:
                    row["min_lot_units"] = self.pick(0.0, 5.0, 12.0)
                if "multiples" in self.has:
                    row["lot_multiple_units"] = self.pick(0.0, 2.0, 5.0)
                if "set-up hours" in self.has:
                    row["setup_hours"] = self.pick(0.5, 2.0, 4.0)
                if "set-up cost" in self.has:
                    row["setup_cost"] = self.pick(5.0, 40.0)
                if "yield" in self.has:
                    row["yield_share"] = self.pick(1.0, 0.9, 0.5)
                rows.append(row)
        self.tables["recipes"] = rows

    def _components(self) -> None:
        rows = []
        for product in self.finished:
            into = "P" if self.parts else "M"
            rows.append({"product": product, "component": into, "units_per_unit": self.whole(1, 3)})
            if self.with_chance(0.5):
                rows.append({"product": product, "component": "N", "units_per_unit": self.whole(1, 2)})
        rows += [{"product": p, "component": "M", "units_per_unit": self.whole(1, 2)} for p in self.parts]
        if "two recipes" in self.has and self.with_chance(0.5):  # the second recipe of A takes more of it
            rows.append({**rows[0], "recipe": "A/2", "units_per_unit": rows[0]["units_per_unit"] + 1})
        if "scrap" in self.has:
            for row in rows:
                row["scrap_share"] = self.pick(0.0, 0.2)
        if "effectivity" in self.has:  # N takes the place of M
            day = self.start_of(int(self.random.integers(1, self.buckets)))
            of = self.parts[0] if self.parts else "A"
            old = next(r for r in rows if r["product"] == of and r["component"] == "M")
            rows = [r for r in rows if not (r["product"] == of and r["component"] in ("M", "N"))]
            rows += [{**old, "valid_to": day}, {**old, "component": "N", "valid_from": day}]
        self.tables["components"] = rows

    def _offers(self) -> None:
        rows = []
        for material in self.materials:
            price = next(r["price"] for r in self.tables["products"] if r["product"] == material)
            for n in range(2 if "two offers" in self.has else 1):
                row = {
                    "offer": f"{material}/{n + 1}",
                    "product": material,
                    "price": price + 2.0 * n,
                    "lead_days": self.lead(0, 1, 2) if n == 0 else 0.0,
                    "to_site": self.site,
                }
                if "smallest purchase" in self.has and n == 0:
                    row |= {"min_order_units": self.pick(0.0, 20.0), "lot_multiple_units": self.pick(0.0, 10.0)}
                if "purchase limit" in self.has and n == 0:
                    row["units_per_week"] = self.a_week(self.whole(10, 60))
                rows.append(row)
        self.tables["offers"] = rows

    def _bills(self) -> None:
        """What the later features add, drawn apart, so that the rest of a chain is the same without them."""
        self.random = np.random.default_rng((self.seed, 1))
        drawn = dict(zip(BILL_FEATURES, self.random.random(len(BILL_FEATURES)), strict=True))
        more = {name for name, chance in BILL_FEATURES.items() if drawn[name] < chance} - self.without
        self.has |= more
        components, recipes = self.tables["components"], self.tables["recipes"]
        if "phantom" in more:
            self.tables["products"].append({"product": "F", "kind": "phantom", "price": 9.0})
            components.append({"product": "A", "component": "F", "units_per_unit": self.whole(1, 2)})
            components += [{"product": "F", "component": c, "units_per_unit": self.whole(1, 2)} for c in "MN"]
            if self.with_chance(0.5):
                components[-1]["valid_to"] = self.start_of(int(self.random.integers(1, self.buckets)))
        if "alternatives" in more:
            self._alternatives(self.parts[0] if self.parts else "A", "bills that change" in more)
        if "steps" in more:
            self._steps(recipes[0])
        if "lines at once" in more:
            tool = {"line": "T", "site": self.site, "hours_per_week": self.whole(10, 40) * 7 / self.day}
            self.tables["lines"].append(tool)
            self.tables["recipe_lines"] = [
                {"recipe": row["recipe"], "line": "T", "share": self.pick(0.5, 1.0)}
                | {"hours_per_unit": self.pick(None, 0.25)}
                | ({"setup_hours": self.pick(None, 1.0)} if "set-up hours" in self.has else {})
                for row in recipes
                if self.with_chance(0.6)
            ]
        if "per lot" in more:
            for row in components:
                row["units_per_lot"] = self.pick(0.0, 0.0, 1.0, 3.0)
        if "scrap at set-up" in more:
            for row in (*recipes, *self.tables.get("recipe_steps", ())):
                row["setup_scrap_units"] = self.pick(0.0, 1.0, 2.0)
        if "recipe that changes" in more:
            day, old = self.start_of(int(self.random.integers(1, self.buckets))), recipes[-1]
            new = {"valid_from": day, "cost_per_unit": self.whole(1, 6), "hours_per_unit": self.pick(0.25, 0.5)}
            recipes[-1:] = [old | {"valid_to": day}, old | new | {"yield_share": self.pick(1.0, 0.8)}]

    def _product_rules(self) -> None:
        """The same of what products and offers say."""
        self.random = np.random.default_rng((self.seed, 2))
        drawn = dict(zip(PRODUCT_FEATURES, self.random.random(len(PRODUCT_FEATURES)), strict=True))
        more = {name for name, chance in PRODUCT_FEATURES.items() if drawn[name] < chance} - self.without
        self.has |= more
        if "release fence" in more:
            for row in self.tables["products"]:
                row["release_fence_days"] = self.pick(0, 0, 1, self.day, 2 * self.day)

        if "sourcing shares" in more:
            for table in ("recipes", "offers"):
                for row in self.tables[table]:
                    row["sourcing_share"] = self.pick(None, 0.3, 0.5)
                    row["sourcing_share_cost_per_unit"] = self.pick(None, 0.5, 4.0)
        if "price breaks" in more:
            self._price_breaks()
        if "safety lead time" in more:  # with lanes, of what no other rule of stock is of
            ruled = {row["product"] for row in self.tables.get("stock_rules", ()) if "lanes" in self.has}
            for row in self.tables["products"]:
                if row["product"] in self.finished and row["product"] not in ruled:
                    row["safety_lead_days"] = self.pick(0.0, 0.5, 1.0, 2.0) * self.day
        if "expiry of stock" in more and "lanes" not in self.has:
            self._expiry()

    def _price_breaks(self) -> None:
        """One or two breaks of some offers, some from a day on; one may be none, as it costs no less."""
        rows = []
        for offer in self.tables["offers"]:
            price, least = offer["price"], 0.0
            for _ in range(self.pick(0, 1, 2)):
                least += self.whole(5, 25)
                price -= self.pick(-1.0, 0.5, 1.0, 0.25 * price)
                row = {"offer": offer["offer"], "min_units": least, "cost_per_unit": max(price, 0.0)}
                row["applies_to"] = self.pick("all", "above")
                row["valid_from"] = self.start_of(2) if self.with_chance(0.2) else None
                rows.append(row)
        self.tables["offer_price_breaks"] = rows

    def _expiry(self) -> None:
        """Stock of what is sold falls into lots, one that has gone bad or one that keeps among them; where no rule asks
        for stock of it."""
        ruled = {row["product"] for row in self.tables.get("stock_rules", ())}
        ruled |= {row["product"] for row in self.tables["products"] if row.get("safety_lead_days")}
        rows = []
        for row in self.tables["stock"]:
            if row["product"] not in self.finished or row["product"] in ruled:
                rows.append(row)
                continue
            for n in range(self.pick(1, 2, 3)):
                day = self.pick(None, *(self.start_of(t) - timedelta(days=1) for t in range(5)))
                rows.append(row | {"lot": f"L{n}", "units": self.whole(1, 12), "expires_on": day})
        self.tables["stock"] = rows

    def _co_products(self) -> None:
        """What comes besides a product: one that nobody makes, B, N, which others take, or M, of which it is made."""
        self.random = np.random.default_rng((self.seed, 3))
        if self.random.random() >= CO_PRODUCTS["co-products"] or "co-products" in self.without:
            return
        self.has |= {"co-products"}
        rows: list[Row] = []
        recipes = sorted({(r["recipe"], r["product"]) for r in self.tables["recipes"]})
        for recipe, product in recipes:
            others = [p for p in ("B", "N", "M") if p != product and p in (*self.finished, *self.materials)]
            for other in ("C", *others):
                if not self.with_chance(0.9 if other == "C" else 0.3):
                    continue
                row = {"recipe": recipe, "product": other, "units_per_unit": self.pick(1.0, 2.0, 0.5)}
                rows.append(row | {"valid_from": None, "valid_to": None})
                if self.with_chance(0.3):
                    day = self.start_of(int(self.random.integers(1, self.buckets)))
                    rows[-1]["valid_to"] = day
                    rows.append(row | {"valid_from": day, "valid_to": None, "units_per_unit": 3.0})
        if not any(row["product"] == "C" for row in rows):
            rows.append({"recipe": recipes[0][0], "product": "C", "units_per_unit": 2.0})
        self.tables["recipe_outputs"] = rows
        self.tables["products"].append({"product": "C", "kind": "finished", "price": self.whole(4, 40)})
        if self.with_chance(0.4):
            self.tables["offers"].append({"offer": "C/1", "product": "C", "price": self.whole(4, 40)})
            self.tables["offers"][-1] |= {"to_site": self.site, "lead_days": self.lead(0, 1)}
        if self.with_chance(0.3) and "B" in self.finished:
            self.tables["components"].append({"product": "B", "component": "C", "units_per_unit": self.whole(1, 2)})
        market = {"market": "W"} if "lanes" in self.has else {}
        for n in range(int(self.random.integers(1, 4))):
            day = self.start_of(int(self.random.integers(0, self.buckets)))
            row = {"demand": f"C{n}", "product": "C", "due": day, "units": self.whole(1, 14), "firm": True}
            self.tables["demand"].append(row | market)

    def _rhythm(self) -> None:
        """One order of some recipes, offers and lanes in so many days."""
        self.random = np.random.default_rng((self.seed, 5))
        if self.random.random() >= RHYTHM["orders every so many days"] or "orders every so many days" in self.without:
            return
        self.has |= {"orders every so many days"}
        for table, key in (("recipes", "recipe"), ("offers", "offer"), ("lanes", "lane")):
            rows = self.tables.get(table, ())
            days = {row[key]: self.pick(0, 0, self.day, 2 * self.day, 3 * self.day - 1) for row in rows}
            for row in rows:
                row["order_every_days"] = days[row[key]]

    def _largest_lots(self) -> None:
        """Largest lots of some recipes, no smaller than what an order has at least."""
        self.random = np.random.default_rng((self.seed, 6))
        if self.random.random() >= LARGEST["largest lots"] or "largest lots" in self.without:
            return
        self.has |= {"largest lots"}
        for row in self.tables["recipes"]:
            least = max(row.get("min_lot_units") or 0.0, row.get("lot_multiple_units") or 0.0, 1.0)
            row["max_lot_units"] = self.pick(None, least + self.pick(0.0, 2.5, 6.0, 11.0))

    def _alternatives(self, of: str, changes: bool) -> None:
        """O, or some of it, in place of M or N."""
        self.tables["products"].append({"product": "O", "kind": "material", "price": 6.0})
        self.tables["offers"].append({"offer": "O/1", "product": "O", "price": self.whole(2, 9), "to_site": self.site})
        mine = [r for r in self.tables["components"] if r["product"] == of and r["component"] in ("M", "N")]
        mine = [r for r in mine if r.get("recipe") is None]
        for row in mine:
            row |= {"alternate_group": "g", "alternate_cost_per_unit": self.pick(0.0, 1.0)}
        units, cost = mine[0]["units_per_unit"] if mine else 1.0, self.pick(0.0, 2.0)
        other = {"product": of, "component": "O", "units_per_unit": units, "alternate_group": "g"}
        other["alternate_cost_per_unit"] = cost
        rows = [other]
        if changes:
            day = self.start_of(int(self.random.integers(1, self.buckets)))
            rows = [other | {"valid_to": day}, other | {"valid_from": day, "units_per_unit": self.whole(1, 4)}]
        self.tables["components"] += rows

    def _steps(self, recipe: Row) -> None:
        """A is cut on its recipe's line and welded on the other one; an order that is out is of a step, or of both."""
        steps = []
        for step, sequence, line in (("cut", 10.0, self.lines[0]), ("weld", 20.0, self.lines[1])):
            row = {
                "step": step,
                "recipe": recipe["recipe"],
                "sequence": sequence,
                "line": line,
                "hours_per_unit": self.pick(0.25, 0.5),
                "cost_per_unit": self.pick(0.0, 1.0),
                "lead_days": self.lead(0, 0, 1),
            }
            if "set-up hours" in self.has:
                row["setup_hours"] = self.pick(0.5, 1.0)
            if "set-up cost" in self.has:
                row["setup_cost"] = self.pick(5.0, 20.0)
            steps.append(row)
        for name in ("line", "hours_per_unit", "setup_hours", "setup_cost", "lead_days"):
            recipe.pop(name, None)
        recipe["site"] = self.site
        self.tables["recipe_steps"] = steps
        for order in self.tables["orders"]:
            if order.get("recipe") == recipe["recipe"]:
                order["recipe"] = self.pick(recipe["recipe"], "cut", "weld")
        if self.with_chance(0.5):
            welded = {"product": "A", "recipe": "weld", "component": "N", "units_per_unit": self.whole(1, 2)}
            self.tables["components"].append(welded)

    def _demand(self) -> None:
        rows: list[Row] = []

        def ask(product: str, bucket: int, firm: bool) -> None:
            day = self.start_of(bucket) + timedelta(days=int(self.random.integers(0, self.day)))
            row = {"demand": f"D{len(rows)}", "product": product, "due": day, "units": self.whole(1, 14), "firm": firm}
            if "lanes" in self.has:
                row["market"] = markets[product]
            if "priorities" in self.has:
                row["priority"] = int(self.random.integers(0, 3))
            rows.append(row)

        markets = {product: self.pick("W", "all") for product in self.finished}
        for product in self.finished:
            buckets = self.random.choice(self.buckets, int(self.random.integers(2, self.buckets)), replace=False)
            for n, bucket in enumerate(sorted(buckets.tolist())):
                ask(product, bucket, "forecast" not in self.has or n % 2 == 0)
            if "overdue demand" in self.has:
                ask(product, -int(self.random.integers(1, 4)), True)
                ask(product, -1, False)  # a forecast of a day that is past: nobody owes it
        self.tables["demand"] = rows

    def _order_rules(self) -> None:
        """Some orders wait for a time of their own at most, or are not planned."""
        for row in self.tables["demand"]:
            row["max_late_days"] = self.pick(None, None, 0, self.day, 2 * self.day)
            row["status"] = self.pick(*("open",) * 12, "closed", "cancelled", "quote", "inquiry")
        if all(row["status"] != "open" for row in self.tables["demand"]):
            self.tables["demand"][0]["status"] = "open"

    def _stock_rules(self) -> None:
        """Smallest and largest stocks, at stated prices between holding and lateness, or at the default."""
        rows = []
        for product in [*self.finished, "M"]:
            price = next(r["price"] for r in self.tables["products"] if r["product"] == product)
            own = next((r for r in self.tables.get("economics", ()) if r["product"] == product), {})
            holding = own.get("holding_cost_per_unit_week", 0.004 * price)
            sites = (None, "F") if product == "M" else (None, "F", "W")
            row = {
                "product": product,
                "site": self.pick(*sites) if "lanes" in self.has else None,
                "smallest_units": self.pick(None, 3.0, 8.0),
                "largest_units": self.pick(None, None, 10.0),
                "below_cost_per_unit_week": 1.5 * holding,
                "above_cost_per_unit_week": self.pick(0.5, 1.0) * holding,
            }
            rows.append({**row, "valid_from": None, "valid_to": None})
            if self.with_chance(0.3):
                day = self.start_of(int(self.random.integers(1, self.buckets)))
                rows[-1]["valid_to"] = day
                rows.append({**row, "smallest_units": self.whole(1, 12), "valid_from": day})
        random = np.random.default_rng((self.seed, 4))
        for product in self.finished:  # of what is asked for alone, where it is, the default
            own = [row for row in rows if row["product"] == product]
            if random.random() < 0.5 and own[0]["site"] != "F":
                for row in own:
                    row["below_cost_per_unit_week"] = None
        self.tables["stock_rules"] = rows

    def _stock(self) -> None:
        counted = datetime(2023, 12, 31, 20, tzinfo=UTC)
        everything = [*self.finished, *self.parts, *self.materials]
        self.tables["stock"] = [
            {"happened_at": counted, "product": p, "site": self.site, "units": self.whole(0, 20)}
            for p in everything
            if "stock" in self.has and self.with_chance(0.7)
        ]
        if "lanes" in self.has and "stock" in self.has and self.with_chance(0.5):
            row = {"happened_at": counted, "product": "A", "site": "W", "units": self.whole(1, 10)}
            self.tables["stock"].append(row)

    def _orders(self) -> None:
        """Orders that are out. They are small: what they need can be had, or bought in time."""
        orders, events = [], []

        def make(order: str, start: int, **other: Any) -> None:
            recipe = self.tables["recipes"][0]
            row = {
                "order": order,
                "kind": "make",
                "product": recipe["product"],
                "recipe": recipe["recipe"],
                "site": self.site,
                "units": self.whole(1, 4),
                "start": self.start_of(start),
                "due": self.start_of(start) + timedelta(days=max(recipe["lead_days"], 0)),
            }
            orders.append(row | other)

        def event(order: str, state: str, day: int) -> None:
            when = datetime(2023, 12, 31, 12, tzinfo=UTC) - timedelta(days=day)
            events.append({"happened_at": when, "order_event": f"E{len(events)}", "order": order, "state": state})

        last = self.buckets - 1
        if "locked" in self.has:
            make("LOCKED", min(3, last), locked=True)
        if "released" in self.has:
            make("RELEASED", min(2, last))
            event("RELEASED", "released", 3)
        if "started" in self.has:  # its components were out of the store when it was counted
            make("STARTED", -1, due=self.start_of(int(self.random.integers(0, 2))))
            event("STARTED", "released", 9)
            event("STARTED", "started", 1 if self.day == 1 else 6)
        if "open purchase" in self.has:
            offer = self.tables["offers"][0]
            due = int(self.random.integers(0, self.buckets))
            orders.append(
                {
                    "order": "BOUGHT",
                    "kind": "buy",
                    "product": offer["product"],
                    "offer": offer["offer"],
                    "site": self.site,
                    "units": self.whole(5, 30),
                    "start": MONDAY - timedelta(days=7),
                    "due": self.start_of(due),
                }
            )
            event("BOUGHT", "released", 7)
        self.tables["orders"], self.tables["order_events"] = orders, events
