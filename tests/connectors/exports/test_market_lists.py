"""Lists of reviews and of interest as shops export them: recognised, read, and what is not right said with a count."""

from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

from connectors.exports.market_list_exports import GOODS, MORE, SECRET, written
from datong.connectors.exports.market_lists.star_ratings import stars_of
from datong.connectors.exports.profiles import built_in
from datong.connectors.exports.reading import read_export
from datong.connectors.exports.result import Reading

PROFILES = {profile.key: profile for profile in built_in() if profile.holds in ("reviews", "interest")}
TODAY = date(2026, 11, 29)


def read(tmp_path: Path, text: str, answers: dict[str, str] | None = None, name: str = "list.csv") -> Reading:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_export(tmp_path / name, answers or {}, today=TODAY)


def rows_of(reading: Reading, table: str) -> list[dict]:
    part = reading.part(table)
    assert part is not None
    return part.to_pylist()


# --- platforms ---------------------------------------------------------------------------------------------------


def test_every_profile_of_reviews_or_interest_has_an_invented_export() -> None:
    assert set(MORE) == set(PROFILES)


@pytest.mark.parametrize("key", PROFILES)
def test_an_export_of_a_platform_is_read_rightly(key: str, tmp_path: Path) -> None:
    profile = PROFILES[key]
    path = written(tmp_path / "export.csv", profile)
    first = read_export(path, today=TODAY)
    answers = {question.key: question.options[0].name for question in first.questions}
    assert set(answers) == ({"list:商品浏览量"} if key == "shengyicanmou_items" else set())
    reading = read_export(path, answers, today=TODAY)
    assert reading.profile is profile and reading.holds == profile.holds and not reading.questions
    products = rows_of(reading, "products")
    assert [row["product"] for row in products] == list(GOODS)
    rows = rows_of(reading, profile.holds)
    if profile.holds == "reviews":
        assert [row["rating"] for row in rows] == [1.0 + i % 5 for i in range(30)]
        assert rows[7]["text"] == "Text 7, call [phone]" and rows[7]["product"] == "KB-20"
        assert len({row["review"] for row in rows}) == 30
    else:
        counted = {kind: sum(row["count"] for row in rows if row["kind"] == kind) for kind in ("view", "cart")}
        views = sum(range(5, 35)) if key == "shopify_products" else sum(range(10, 40))
        assert counted == {"view": views, "cart": 0 if key == "shopify_products" else 60}
        assert {str(row["happened_at"]) for row in rows} >= {"2026-03-01", "2026-03-30"}


@pytest.mark.parametrize("key", PROFILES)
def test_nothing_of_who_wrote_is_in_what_is_read(key: str, tmp_path: Path) -> None:
    reading = read_export(written(tmp_path / "export.csv", PROFILES[key]), today=TODAY)
    told = [row for name, source in reading.parts for row in source.rows.to_pylist()]
    told += [source.rejected.to_pylist() for _, source in reading.parts]
    shown = [guess.examples for guess in reading.columns] + [f.text("en") for f in reading.findings]
    assert not any(secret in str((told, shown)) for secret in SECRET)


# --- reviews of no known platform --------------------------------------------------------------------------------

CHINESE = (
    "评价时间,商家编码,商品名称,评价结果,评价内容,追评内容,买家昵称,订单编号\n"
    "2026-03-01 10:00:00,KA-10,杯子,好评,很好看,,t**8,4100000000000000001\n"
    "2026-03-02 11:00:00,KA-10,杯子,差评,漏水了，收货人：王小明,客服不理人,t**9,4100000000000000002\n"
    "2026-03-03 11:00:00,KB-20,碗,中评,此用户没有填写评价。,,t**1,4100000000000000003\n"
    "2026-03-04 11:00:00,KB-20,碗,,,,t**1,4100000000000000004\n"
)


def test_reviews_in_chinese(tmp_path: Path) -> None:
    reading = read(tmp_path, CHINESE)
    rows = rows_of(reading, "reviews")
    assert [(row["rating"], row["text"], row["assumed"]) for row in rows] == [
        (5.0, "很好看", "rating"), (1.0, "漏水了，收货人：[name]\n客服不理人", "rating"), (3.0, None, "rating"),
    ]  # fmt: skip
    assert [(part.reason, part.rows) for part in reading.left] == [("empty_review", 1)]
    assert reading.last_line("zh") == "已读取 4 行：评价 3 条。未计入：既无文字也无评分的 1 行。"
    keys = {note.key for note in reading.notes}
    assert {"heard.graded", "heard.standing_texts", "heard.people_left"} <= keys


@pytest.mark.parametrize(
    ("text", "stars"),
    [("4", 4), ("4.0 out of 5 stars", 4), ("★★★☆☆", 3), ("5星", 5), ("8/10", 4), ("好评", 5), ("3,5", 3.5),
     ("five", None), ("", None)],
)  # fmt: skip
def test_ratings_as_they_are_written(text: str, stars: float | None) -> None:
    found = stars_of(text)
    assert (None if found is None else found[0]) == stars


@pytest.mark.parametrize(
    ("head", "row", "fields"),
    [
        ("Review Title;Review Content;Review Score;Date;Product ID;Product Title;Display Name;Email",
         "Good;Fine {i};5;2026-03-{i:02};99{i};Bag {i};A;a@o.example",
         {"title": "Review Title", "text": "Review Content", "rating": "Review Score", "product": "Product ID"}),
        ("Review ID,Product ID,Product Name,Rating,Title,Body,Reviewer Name,Date Created,Status",
         "r{i},55{i},Candle {i},4,So,Fine {i},Z,2026-03-{i:02},approved",
         {"key": "Review ID", "product": "Product ID", "text": "Body", "date": "Date Created"}),
        ("订单号,商品编号,商品名称,评价内容,评价星级,评价时间,用户账号",
         "41000000000{i:02},10{i},杯子,很好{i},5,2026-03-{i:02} 10:00:00,jd_{i}",
         {"product": "商品编号", "text": "评价内容", "rating": "评价星级", "date": "评价时间"}),
        ("日期,SKU,商品名称,浏览量,访客数,加购人数,加购商品件数",
         "2026-03-{i:02},10{i},杯子,5{i},2{i},3,4",
         {"product": "SKU", "view": "浏览量", "visitor": "访客数", "cart": "加购商品件数"}),
        ("Date,(Child) ASIN,Title,SKU,Sessions - Total,Page Views - Total,Page Views Percentage - Total",
         "2026-03-{i:02},B0{i},Mug {i},S{i},1{i},2{i},1.2%",
         {"product": "SKU", "view": "Page Views - Total", "visitor": "Sessions - Total"}),
    ],
)  # fmt: skip
def test_lists_of_no_known_platform_are_read_by_their_words(
    head: str, row: str, fields: dict[str, str], tmp_path: Path
) -> None:
    reading = read(tmp_path, "\n".join([head, *(row.format(i=i) for i in range(1, 20))]))
    assert reading.profile is None and reading.questions == () and reading.left == ()
    assert {field: reading.column(field) for field in fields} == fields
    assert len(rows_of(reading, "products")) == 19


HEAD = "sku,review,rating,review date\n"


def test_a_rating_that_is_none_leaves_the_review(tmp_path: Path) -> None:
    many = "".join(f"A,Text {i},{1 + i % 5},2026-03-01\n" for i in range(100))
    reading = read(tmp_path, HEAD + many + "A,Odd,50,2026-03-01\nA,Nothing,0,2026-03-01\n")
    (found,) = [f for f in reading.findings if f.code == "rating_outside"]
    assert found.rows_affected == 2 and reading.totals.taken == {"reviews": 102}
    assert [row["rating"] for row in rows_of(reading, "reviews")][-2:] == [None, None]


@pytest.mark.parametrize("has_people", [False, True])
def test_a_row_that_is_shifted_by_a_cell_names_nobody(tmp_path: Path, has_people: bool) -> None:
    """Where there are columns of people, a text under a rating or a date may be one of them."""
    head = HEAD.replace("\n", ",reviewer name\n" if has_people else ",colour\n")
    odd = [("call Canary Zhao 13812345678", "2026-03-01"), ("7", "2026-03-01"), ("5", "Canary Zhao 7391")]
    odd = [f"A,Odd,{rating},{day},x\n" for rating, day in (*odd, ("5", "2026-13-45"))]
    many = "".join(f"A,Text {i},{1 + i % 5},2026-03-01,x\n" for i in range(400))
    reading = read(tmp_path, head + "".join(odd) + many)
    assert {f.code for f in reading.findings} == {"rating_outside", "unread_date"}
    said = str([(f.text("en"), f.text("zh")) for f in reading.findings]) + str(reading.records("en"))
    assert "13812345678" not in said and ("Canary Zhao" not in said) is has_people
    assert "2026-13-45" in said and (": [text], 7" in said) is has_people


def test_another_scale_is_asked_about(tmp_path: Path) -> None:
    many = "".join(f"A,Text {i},{1 + i % 10},2026-03-01\n" for i in range(50))
    (question,) = read(tmp_path, HEAD + many).questions
    assert question.key == "rating_scale:rating" and len(question.samples) == 3
    halved = rows_of(read(tmp_path, HEAD + many, {question.key: "ten"}), "reviews")
    assert [row["rating"] for row in halved[:10]] == [1, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]


def test_days_to_come_and_texts_that_are_no_dates_are_left_out_and_said(tmp_path: Path) -> None:
    text = HEAD + "A,Fine,5,2026-03-01\nA,Later,5,2027-03-01\nA,When,5,someday\nA,Fine too,4,2026-03-02\n"
    reading = read(tmp_path, text)
    assert [(part.reason, part.rows) for part in reading.left] == [("unread_date", 1), ("to_come", 1)]
    assert {f.code for f in reading.findings} == {"unread_date", "to_come"}
    assert reading.totals.taken == {"reviews": 2}


def test_the_same_review_ten_thousand_times_is_kept_and_said(tmp_path: Path) -> None:
    reading = read(tmp_path, HEAD + "A,Buy it now,5,2026-03-01\n" * 10_000)
    (found,) = reading.findings
    assert found.code == "equal_reviews" and found.rows_affected == 10_000
    assert len({row["review"] for row in rows_of(reading, "reviews")}) == 10_000


def test_long_texts_tags_and_emoji_come_through(tmp_path: Path) -> None:
    long = "很好 " * 33_000
    text = (
        HEAD
        + f'A,"{long}",5,2026-03-01\nA,"<p>Fine &amp; good</p><script>x</script>",4,2026-03-01\nA,👍🏽👍,5,2026-03-02\n'
    )
    rows = rows_of(read(tmp_path, text), "reviews")
    assert [len(row["text"]) > 90_000 for row in rows] == [True, False, False]
    assert rows[1]["text"].startswith("<p>Fine") and rows[2]["text"] == "👍🏽👍"


def test_spam_is_left_out(tmp_path: Path) -> None:
    text = "sku,body,rating,review_date,curated\nA,Fine,5,2026-03-01,ok\nA,Watches,5,2026-03-01,spam\n"
    reading = read(tmp_path, text)
    assert [(part.reason, part.rows, part.word) for part in reading.left] == [("state", 1, "spam")]


def test_a_variant_tells_products_of_one_handle_apart(tmp_path: Path) -> None:
    text = "handle,variant,review,rating,date\n" + "".join(
        f"tee,{('Red / M', 'Blue / M')[i % 2]},Text {i},5,2026-03-01\n" for i in range(6)
    )
    products = [row["product"] for row in rows_of(read(tmp_path, text), "products")]
    assert products == ["tee / Red / M", "tee / Blue / M"]


def test_sales_with_a_column_of_notes_stay_sales(tmp_path: Path) -> None:
    head = "Order ID,Order date,SKU,Quantity,Comment\n"
    reading = read(tmp_path, head + "".join(f"{i},2026-03-{i % 28 + 1:02},A,2,be quick\n" for i in range(30)))
    assert reading.holds == "sales" and reading.sold == 60


def test_reviews_with_quantities_are_asked_about(tmp_path: Path) -> None:
    head = "Order date,SKU,Quantity,Review,Rating\n"
    text = head + "".join(f"2026-03-{i % 28 + 1:02},A,2,Fine {i},5\n" for i in range(30))
    (question,) = read(tmp_path, text).questions
    assert question.key == "list:review" and [option.name for option in question.options] == ["reviews", "sales"]
    assert read(tmp_path, text, {question.key: "sales"}).sold == 60
    assert read(tmp_path, text, {question.key: "reviews"}).totals.taken == {"reviews": 30}


def test_a_workbook_of_sales_and_reviews_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "shop.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sales, reviews = book.add_worksheet("orders"), book.add_worksheet("reviews")
        sales.write_row(0, 0, ["Order date", "SKU", "Quantity"])
        reviews.write_row(0, 0, ["Review date", "SKU", "Review", "Rating"])
        for i in range(1, 21):
            sales.write_row(i, 0, [f"2026-03-{i:02}", "A", 2])
            reviews.write_row(i, 0, [f"2026-03-{i:02}", "A", f"Fine {i}", 5])
    (question,) = read_export(path, today=TODAY).questions
    assert [option.name for option in question.options] == ["sales", "reviews"]
    assert read_export(path, {question.key: "sales"}).sold == 40
    assert read_export(path, {question.key: "reviews"}).totals.taken == {"reviews": 20}


def test_a_list_without_products_says_what_is_missing(tmp_path: Path) -> None:
    reading = read(tmp_path, "review text,rating,review date\nFine,5,2026-03-01\nGood,4,2026-03-02\n")
    assert reading.missing == ("product",) and [f.code for f in reading.findings] == ["no_product"]


# --- interest ----------------------------------------------------------------------------------------------------


def test_rows_of_one_day_add_up(tmp_path: Path) -> None:
    text = (
        'Date,SKU,Source,Views,Favourites\n2026-03-01,A,ads,"1,200",1\n2026-03-01,A,mail,300,2\n2026-03-02,A,ads,7,0\n'
    )
    rows = rows_of(read(tmp_path, text), "interest")
    assert [(str(r["happened_at"]), r["kind"], r["count"]) for r in rows] == [
        ("2026-03-01", "favourite", 3), ("2026-03-01", "view", 1500),
        ("2026-03-02", "favourite", 0), ("2026-03-02", "view", 7),
    ]  # fmt: skip
    assert {row["assumed"] for row in rows} == {None}


def test_months_are_spread_over_their_days_where_somebody_says_so(tmp_path: Path) -> None:
    text = "Month,SKU,Views\n2026-02,A,280\n2026-03,A,310\n"
    (question,) = read(tmp_path, text).questions
    assert question.key == "length" and [o.name for o in question.options] == ["spread", "first_day"]
    rows = rows_of(read(tmp_path, text, {"length": "spread"}), "interest")
    assert len(rows) == 28 + 31 and {row["count"] for row in rows} == {10.0}
    assert {row["assumed"] for row in rows} == {"count"}
    assert len(rows_of(read(tmp_path, text, {"length": "first_day"}), "interest")) == 2


def test_a_stretch_above_the_table_is_spread_or_refused(tmp_path: Path) -> None:
    head = "# Start date: 20260301\n# End date: 20260310\nItem ID,Item name,Items viewed,Items added to cart\n"
    text = head + "A,Mug,100,10\nB,Cup,50,0\n"
    reading = read(tmp_path, text)
    (question,) = reading.questions
    assert question.key == "stretch"
    rows = rows_of(read(tmp_path, text, {"stretch": "spread"}), "interest")
    views = [row for row in rows if row["kind"] == "view" and row["product"] == "A"]
    assert len(views) == 10 and {row["count"] for row in views} == {10.0}
    assert read(tmp_path, text, {"stretch": "refuse"}).missing == ("date",)


def test_search_terms_without_products_are_refused_with_words(tmp_path: Path) -> None:
    text = "Search Query,Search Query Volume,Reporting Date\nmug,100,2026-03-01\ncup,50,2026-03-01\n"
    reading = read(tmp_path, text)
    assert reading.missing == ("product",) and [f.code for f in reading.findings] == ["search_terms"]


def test_what_is_no_count_is_said(tmp_path: Path) -> None:
    text = "Date,SKU,Views\n2026-03-01,A,12\n2026-03-02,A,-3\n2026-03-03,A,5\n2026-03-04,A,\n" + "2026-03-05,A,9\n" * 8
    reading = read(tmp_path, text)
    assert "heard.no_number" in {note.key for note in reading.notes}
    assert [(part.reason, part.rows) for part in reading.left] == [("no_counts", 2)]
