"""An invented export of reviews or interest of each platform: its headers, and rows whose right reading is known."""

import csv
import io
from datetime import date, timedelta
from pathlib import Path

from datong.connectors.exports.profiles import Profile

GOODS = ("KA-10", "KB-20", "KC-30")
FIRST = date(2026, 3, 1)
# Headers that are told beside those of the profile's fields: by profile, the same text in each row.
MORE = {
    "judgeme_reviews": {"reviewer_name": "Mirela Osten", "reviewer_email": "m@o.example", "reply": "Thanks",
                        "picture_urls": "", "product_handle": ""},
    "loox_reviews": {"nickname": "Mirela", "full_name": "Mirela Osten", "email": "m@o.example",
                     "verified_purchase": "true", "handle": "", "status": "Active", "img": ""},
    "shopify_reviews": {"author": "Mirela Osten", "email": "m@o.example", "state": "published", "reply": "",
                        "location": "Paris", "replied_at": ""},
    "okendo_reviews": {"name": "Mirela Osten", "email": "m@o.example", "handle": "", "productId": ""},
    "powerreviews_reviews": {"Review Display": "Mirela Osten", "Review Location": "Paris", "Verified Buyer": "Yes"},
    "woocommerce_reviews": {"comment_author": "Mirela Osten", "comment_author_email": "m@o.example"},
    "xcart_reviews": {"reviewerName": "Mirela Osten", "email": "m@o.example", "response": "", "responseDate": "",
                      "useForMeta": "Yes", "status": "Approved"},
    "shengyicanmou_items": {"支付金额": "88.00", "支付件数": "2", "支付买家数": "1"},
    "shopify_products": {"day": ""},
    "ga4_items": {"Date": ""},
}  # fmt: skip
SECRET = ("Mirela Osten", "m@o.example", "13812345678")


def _headers(profile: Profile) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, headers in profile.columns.items():
        free = [h for h in headers if h not in found.values()]
        if free:
            found[field] = free[0]
    return found


def written(path: Path, profile: Profile, rows: int = 30) -> Path:
    """The export of a platform: row i is of the product i mod 3 and day i; of reviews with 1 + i mod 5 stars, of
    interest with 10 + i views and 2 carts."""
    headers = _headers(profile)
    more = {name: text for name, text in MORE[profile.key].items() if name not in headers.values()}
    dated = headers.get("date") or next(name for name, text in more.items() if name in ("day", "Date"))
    out = io.StringIO()
    names = [*headers.values(), *more]
    names += [dated] if dated not in names else []
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    for i in range(rows):
        cells = {
            "key": f"R{i}", "product": GOODS[i % 3], "name": f"Thing {i % 3}", "variant": "", "rating": str(1 + i % 5),
            "title": f"Title {i}", "text": f"Text {i}, call 13812345678", "view": str(10 + i), "visitor": str(5 + i),
            "cart": "2", "cart_people": "1", "favourite_people": "3", "search": "4",
        }  # fmt: skip
        row = {header: cells[field] for field, header in headers.items() if field != "date"}
        writer.writerow(more | row | {dated: str(FIRST + timedelta(days=i))})
    path.write_text(out.getvalue(), encoding="utf-8")
    return path
