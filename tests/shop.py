"""A small shop as a chain folder, with half a year of sales, reviews that complain, a line that is too small, and a
promotion ahead: for what is shown of a chain."""

from datetime import date, timedelta
from pathlib import Path

FIRST, START = date(2025, 9, 1), date(2026, 3, 2)
FILES = {
    "chain.toml": 'name = "shop"\nhorizon_buckets = 6\nstart = 2026-03-02\nbucket = "week"\n',
    "products.csv": "product,name,price,kind\nOIL,Olive oil 橄榄油,90,finished\nSALT,Sea salt,20,finished\n"
    "BOT,Bottle,2,material\n",
    "economics.csv": "product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\n"
    "OIL,1,5,60\nSALT,0.2,1,10\n",
    "lines.csv": "line,hours_per_week\nPRESS,40\n",
    "firms.csv": "firm,name\nF1,North press\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\n"
    "OIL/1,OIL,PRESS,0.5,30\nSALT/1,SALT,PRESS,0.1,5\n",
    "components.csv": "product,component,units_per_unit\nOIL,BOT,1\n",
    "offers.csv": "offer,product,price,lead_days\nBOT/V,BOT,2,3\n",
    "stock.csv": "happened_at,product,units\n2026-03-01,OIL,20\n2026-03-01,BOT,500\n",
    "promotions.csv": "promotion,product,market,from,to,change_share,reason\n"
    "spring,OIL,north,2026-03-16,2026-03-23,0.5,Spring sale\n",
}


def sales() -> str:
    """Each day: 6 to 8 OIL in the north, 3 to 5 in the south, 10 to 14 SALT."""
    rows = ["sale,happened_at,product,market,units,price"]
    day, n = FIRST, 0
    while day < START:
        for product, market, units, price in (
            ("OIL", "north", 6 + day.toordinal() % 3, 90),
            ("OIL", "south", 3 + day.toordinal() * 7 % 3, 90),
            ("SALT", "all", 10 + day.toordinal() * 3 % 5, 20),
        ):
            n += 1
            rows.append(f"s{n},{day},{product},{market},{units},{price}")
        day += timedelta(days=1)
    return "\n".join(rows) + "\n"


def reviews() -> str:
    """Three a week that praise; of the last ten weeks, four a week that complain of leaking caps."""
    rows = ["review,happened_at,product,rating,text"]
    n = 0
    for week in range(26):
        for k in range(3):
            n += 1
            rows.append(f"r{n},{FIRST + timedelta(days=7 * week + k)},OIL,5,Very tasty and fragrant oil number {n}")
        if week >= 16:
            for k in range(4):
                n += 1
                day = FIRST + timedelta(days=7 * week + 3 + k % 3)
                rows.append(f"r{n},{day},OIL,1,The cap leaks and the package arrived broken again in case {n}")
    return "\n".join(rows) + "\n"


def write_shop(folder: Path, **changed: str) -> Path:
    folder.mkdir()
    texts = FILES | {"sales.csv": sales(), "reviews.csv": reviews()}
    for name, text in (texts | {".".join(n.rsplit("_", 1)): t for n, t in changed.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
