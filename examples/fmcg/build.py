"""Makes this chain folder from the SupplyGraph records: `python examples/fmcg/build.py FOLDER_OF_SUPPLYGRAPH`.

FOLDER holds flows_daily.parquet and products.parquet. README.md beside this file lists every assumed number.
The same records give the same tables.
"""

import sys
from datetime import date, timedelta
from pathlib import Path

import holidays
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent

# The last day of the source holds zero in every flow: it was not recorded.
LAST_DAY = date(2023, 8, 8)
OPENING_DAY = date(2022, 12, 31)
FIRST_MONDAY = date(2023, 1, 2)
UTC_OFFSET = "+06:00"  # Bangladesh has no daylight saving time

# Assumed, round figures in BDT per tonne; the source has no money at all.
PRICE_PER_TONNE = {"S": 180_000, "P": 150_000, "A": 55_000, "M": 65_000, "E": 60_000}
PRICE_PER_TONNE_SUB_GROUP = {"SE": 70_000}
COST_SHARE = 0.80
HOLDING_SHARE_PER_WEEK = 0.005
LATE_SHARE_PER_WEEK = 0.05
LOST_SALE_SHARE = 1.0  # the whole revenue, since the cost of making is counted only where it is made

# Public holidays on which the works are taken to stand still; the list is published before the year starts.
CLOSED_ON = ("Eid al-Fitr", "Jumu'atul-Wida", "Eid al-Adha", "May Day")


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Products by code and flows by day, in the source's order of products, up to LAST_DAY."""
    products = pd.read_parquet(folder / "products.parquet").sort_values("column_no").set_index("product")
    flows = pd.read_parquet(folder / "flows_daily.parquet")
    flows = flows[flows["date"] <= LAST_DAY].sort_values(["product", "date"], ignore_index=True)
    units = [c for c in flows.columns if c.endswith("_units")]
    flows[units] = flows[units].round(2)  # the source's third decimals are float noise
    return products, flows


def product_tables(products: pd.DataFrame) -> dict[str, pd.DataFrame]:
    group, sub_group = products["product_group"], products["sub_group"]
    per_tonne = sub_group.map(PRICE_PER_TONNE_SUB_GROUP).fillna(group.map(PRICE_PER_TONNE))
    price = (per_tonne * products["tonnes_per_unit"]).round(2)
    codes = products.index.to_numpy()
    made = products["ever_produced"].to_numpy()
    return {
        "products": pd.DataFrame(
            {
                "product": codes,
                "category_a": group.to_numpy(),
                "category_b": sub_group.to_numpy(),
                # The source counts "cartons / bags": a code that names no pieces per carton is a bag.
                "base_unit": ["carton" if code.removesuffix("_2")[-1] == "P" else "bag" for code in codes],
                "price": price.to_numpy(),
                "assumed": "price,base_unit",
            }
        ),
        "unit_conversions": pd.DataFrame(
            {
                "product": codes,
                "unit": "tonne",
                "base_units_per_unit": (1 / products["tonnes_per_unit"]).round(6).to_numpy(),
            }
        ),
        "recipes": pd.DataFrame(
            {
                "recipe": [f"{code}/works" for code in codes],
                "product": codes,
                "line": sub_group.to_numpy(),
                "hours_per_unit": products["tonnes_per_unit"].to_numpy(),
                "cost_per_unit": (price * COST_SHARE).round(2).to_numpy(),
                "lot_multiple_units": 1,
                "lead_days": 0,
                "assumed": "line,hours_per_unit,cost_per_unit,lead_days",
            }
        )[made],
        "economics": pd.DataFrame(
            {
                "product": codes,
                "holding_cost_per_unit_week": (price * HOLDING_SHARE_PER_WEEK).round(4).to_numpy(),
                "late_cost_per_unit_week": (price * LATE_SHARE_PER_WEEK).round(4).to_numpy(),
                "lost_sale_cost_per_unit": (price * LOST_SALE_SHARE).round(2).to_numpy(),
                "assumed": "holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit",
            }
        ),
        "sites": pd.DataFrame({"site": ["works", "depot"], "kind": ["factory", "warehouse"], "assumed": "site"}),
    }


def line_tables(products: pd.DataFrame, flows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One line per sub-group: a version of its row at the end of each week that beat all weeks before it."""
    closed = sorted(
        day
        for day, name in holidays.country_holidays("BD", years=[FIRST_MONDAY.year], language="en_US").items()
        if any(word in name for word in CLOSED_ON)
    )
    closed_days = pd.Series(closed).map(_monday).value_counts().sort_index()
    tonnes = flows["production_units"] * flows["product"].map(products["tonnes_per_unit"])
    weekly = tonnes.groupby([flows["product"].map(products["sub_group"]), flows["date"].map(_monday)]).sum()
    lines, spans = [], []
    for line in sorted(products.loc[products["ever_produced"], "sub_group"].unique()):
        most = -1.0
        for monday, made in weekly[line].items():
            end = monday + timedelta(days=7)
            if monday < FIRST_MONDAY or end > LAST_DAY or made <= most:
                continue
            most = float(made)
            known_at = f"{end.isoformat()}T00:00:00{UTC_OFFSET}"
            lines.append((line, "works", round(most, 3), known_at, "line,site,hours_per_week"))
            for week, days in closed_days.items():
                if week >= end:
                    hours = round(most * (7 - days) / 7, 3)
                    spans.append((line, week, week + timedelta(days=7), hours, known_at, "from,to,hours,known_at"))
    return {
        "lines": pd.DataFrame(lines, columns=["line", "site", "hours_per_week", "known_at", "assumed"]),
        "line_calendar": pd.DataFrame(spans, columns=["line", "from", "to", "hours", "known_at", "assumed"]),
    }


def event_tables(flows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    day = flows["date"]
    code = flows["product"]
    key = code + "|" + day.map(date.isoformat)
    facts = pd.DataFrame({"happened_at": day, "product": code})
    sales = facts.assign(sale=key, units=flows["sales_order_units"])[["sale", "happened_at", "product", "units"]]
    made = facts.assign(production="made|" + key, site="works", good_units=flows["production_units"])
    issued = facts.assign(
        shipment="issue|" + key, from_site="works", to_site="depot", units=flows["factory_issue_units"]
    )
    sent = facts.assign(shipment="delivery|" + key, from_site="depot", to_site=None, units=flows["delivered_units"])
    return {
        "sales": sales[sales["units"] > 0],
        "production": made[made["good_units"] > 0],
        "shipments": pd.concat([part[part["units"] > 0] for part in (issued, sent)], ignore_index=True),
        "stock": pd.concat(
            [
                _opening(flows, "works", flows["factory_issue_units"] - flows["production_units"]),
                _opening(flows, "depot", flows["delivered_units"] - flows["factory_issue_units"]),
            ],
            ignore_index=True,
        ),
    }


def _opening(flows: pd.DataFrame, site: str, net_out: pd.Series) -> pd.DataFrame:
    """The smallest opening stock that keeps a site's balance from going negative: max over days of out - in so far."""
    so_far = net_out.groupby(flows["product"]).cumsum()
    units = so_far.groupby(flows["product"]).max().clip(lower=0).round(2)
    return pd.DataFrame(
        {
            "happened_at": OPENING_DAY,
            "site": site,
            "product": units.index,
            "units": units.to_numpy(),
            "assumed": "happened_at,units",
        }
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def build(folder: Path, into: Path) -> None:
    products, flows = read(folder)
    small = product_tables(products) | line_tables(products, flows)
    events = event_tables(flows)
    small["stock"] = events.pop("stock")
    for name, table in small.items():
        table.to_csv(into / f"{name}.csv", index=False, lineterminator="\n")
    for name, table in events.items():
        arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(arrow, into / f"{name}.parquet", compression="zstd")


if __name__ == "__main__":
    build(Path(sys.argv[1]), HERE)
