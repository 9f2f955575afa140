"""Reviews, interest and another shop's sales through the whole door: `datong ingest` and `datong try --into`."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.app.take_in_beside_folder import Taken
from datong.model.errors import Asked, BadInput
from made_once import lay

PRODUCTS = (
    "product,name,gtin\n"
    "MUG-3,Hemro Luna mug ceramic blue 300 ml,4006381333931\n"
    "MUG-5,Hemro Luna mug ceramic blue 500 ml,\n"
    "TEE-L,Kaldi Terra t-shirt black L,\n"
)
FIRST = date(2026, 3, 1)
SECRETS = ("Mirela Osten", "m@o.example", "13812345678", "王小明", "4100000000000000001")
JUDGEME = "title,body,rating,review_date,reviewer_name,reviewer_email,product_id,product_handle,reply,picture_urls\n"


def shop(folder: Path) -> Path:
    chain = folder / "chain"
    chain.mkdir()
    (chain / "chain.toml").write_text('name = "shop"\ncountry = "CN"\nhistory = "declared"\n', encoding="utf-8")
    (chain / "products.csv").write_text(PRODUCTS, encoding="utf-8")
    days = [FIRST + timedelta(days=i) for i in range(60)]
    rows = [f"O{d}/{d}/{code},{d},{code},{count}\n" for d in days for code, count in (("MUG-3", 2), ("TEE-L", 1))]
    (chain / "sales.csv").write_text("sale,happened_at,product,units\n" + "".join(rows), encoding="utf-8")
    return chain


def opened_shop(folder: Path) -> None:
    Chain(shop(folder)).close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shop(tmp_path)


@pytest.fixture
def chain(folder: Path) -> Iterator[Chain]:
    """Its folder, taken in."""
    lay(opened_shop, folder.parent)
    with closing(Chain(folder)) as opened:
        yield opened


def file(tmp_path: Path, text: str, name: str = "list.csv") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def reviews(*lines: str) -> str:
    return JUDGEME + "".join(f"{line}\n" for line in lines)


def kept(chain: Chain, table: str) -> list[dict]:
    return chain.state(names=(table, "products")).table(table).to_pylist()


def codes(taken: Taken) -> set[str]:
    return {f.code for f in taken.findings if f.severity != "note"}


# --- reviews -----------------------------------------------------------------------------------------------------

WHO, MUG = "Mirela Osten,m@o.example", "hemro-luna-ceramic-mug-blue-300-ml"
OF_THE_MUG = reviews(
    f"Top,Call 13812345678 收货人：王小明,5,2026-03-05 10:00:00 UTC,{WHO},701,{MUG},,",
    f"Bad,Broke. Order 4100000000000000001,1,2026-03-06 10:00:00 UTC,{WHO},701,{MUG},,",
    f"Odd,For a thing that we never had,9,2026-03-06 10:00:00 UTC,{WHO},999,garden-hose,,",
)


def test_reviews_of_a_shop_app_come_in_masked_and_of_the_chains_products(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = file(tmp_path, OF_THE_MUG, "reviews.csv")
    command = ["ingest", str(export), "--chain", str(folder), "--lang", "en", "--answer"]
    main([*command, "rating_scale:judgeme_reviews=stars"])
    said = "".join(capsys.readouterr())
    last = [line for line in said.splitlines() if line.startswith("Read 3 ")]
    assert last == [
        "Read 3 rows: 2 reviews. Left out: 1 row of products that the chain does not know, which wait in quarantine."
    ]
    assert "701 (hemro-luna-ceramic-mug-blue-300-ml) = MUG-3" in " ".join(said.split())
    with closing(Chain(folder)) as chain:
        rows = kept(chain, "reviews")
        waiting = str(chain.ledger.quarantined().to_pylist())
    assert sorted((row["rating"], row["product"], row["customer"]) for row in rows) == [
        (1.0, "MUG-3", None),
        (5.0, "MUG-3", None),
    ]
    for secret in SECRETS:
        assert secret not in said + str(rows) + waiting
        assert secret.encode() not in (folder / ".datong" / "ledger.duckdb").read_bytes()


def test_the_same_export_again_changes_nothing_and_a_changed_one_corrects(chain: Chain, tmp_path: Path) -> None:
    line = "Top,Fine,5,2026-03-05,A,a@x.example,MUG-3,mug,,"
    chain.ingest(file(tmp_path, reviews(line, line.replace("Top", "Second"))))
    taken = chain.ingest(file(tmp_path, reviews(line, line.replace("Top", "Second"), line.replace("Top", "Third"))))
    assert [r.added for r in taken.reports] == [1] and len(kept(chain, "reviews")) == 3
    head = "review id,sku,review,rating,review date\n"
    chain.ingest(file(tmp_path, head + "R1,MUG-5,Good,4,2026-03-05\n"))
    changed = chain.ingest(file(tmp_path, head + "R1,MUG-5,Not good after all,1,2026-03-05\n"))
    assert [r.superseded for r in changed.reports] == [1]
    assert [row["rating"] for row in kept(chain, "reviews") if row["product"] == "MUG-5"] == [1.0]


def _became(taken: Taken) -> list[tuple[int, int, int]]:
    return [(r.added, r.superseded, r.known) for r in taken.reports if r.table == "reviews"]


def test_a_review_without_a_number_keeps_its_identity_with_other_stars(chain: Chain, tmp_path: Path) -> None:
    """Ten reviews, three of them with other stars in the next export, two new: 2 new, 3 corrected, 7 known. Then the
    same again changes nothing, whatever the order of its rows."""
    lines = [f"Top,Fine {i},5,2026-03-0{1 + i % 5},A,a@x.example,MUG-3,mug,," for i in range(10)]
    chain.ingest(file(tmp_path, reviews(*lines)))
    next_ones = [line.replace(",5,", ",3,") if i < 3 else line for i, line in enumerate(lines)]
    next_ones += [
        "Top,Other,4,2026-03-08,A,a@x.example,MUG-3,mug,,",
        "Top,Fine 1,1,2026-03-09,A,a@x.example,MUG-3,mug,,",
    ]
    assert _became(chain.ingest(file(tmp_path, reviews(*next_ones)))) == [(2, 3, 7)]
    assert sorted(row["rating"] for row in kept(chain, "reviews")) == [1, 3, 3, 3, 4, *[5] * 7]
    assert chain.ingest(file(tmp_path, reviews(*reversed(next_ones)))).reports == ()


def test_a_list_in_chinese_corrects_stars_and_words_that_were_added_later(chain: Chain, tmp_path: Path) -> None:
    head = "商品编码,评价内容,追评内容,评分,评价时间\n"
    chain.ingest(file(tmp_path, head + "MUG-3,很好用,,5,2026-03-05\nMUG-3,一般,,3,2026-03-05\n"))
    taken = chain.ingest(file(tmp_path, head + "MUG-3,很好用,用了一周裂了,2,2026-03-05\nMUG-3,一般,,4,2026-03-05\n"))
    assert _became(taken) == [(0, 2, 0)]
    told = {(row["text"], row["rating"]) for row in kept(chain, "reviews")}
    assert told == {("很好用\n用了一周裂了", 2.0), ("一般", 4.0)}


def test_reviews_of_equal_words_are_told_apart_by_their_stars_first(chain: Chain, tmp_path: Path) -> None:
    """Of two that say Good, one has other stars now; and one without words is another one with other stars."""
    good, four = "Good,Good,5,2026-03-05,A,a@x.example,MUG-3,mug,,", "Good,Good,4,2026-03-05,A,a@x.example,MUG-3,mug,,"
    bare = ",,5,2026-03-06,A,a@x.example,MUG-3,mug,,"
    chain.ingest(file(tmp_path, reviews(good, four, bare)))
    later = reviews(four, good.replace(",5,", ",1,"), bare.replace(",5,", ",2,"), bare)
    assert _became(chain.ingest(file(tmp_path, later))) == [(1, 1, 2)]
    assert sorted(row["rating"] for row in kept(chain, "reviews")) == [1, 2, 4, 5]
    again = good.replace(",5,", ",1,")  # one with the stars that the corrected one had is another one
    assert _became(chain.ingest(file(tmp_path, reviews(four, again, good, bare)))) == [(1, 0, 3)]
    assert sorted(row["rating"] for row in kept(chain, "reviews")) == [1, 2, 4, 5, 5]


def test_a_doubt_stops_with_its_question_and_yes_does_not_answer_it(folder: Path, tmp_path: Path) -> None:
    export = file(tmp_path, reviews("Top,Fine,5,2026-03-05,A,a@x.example,702,hemro-luna-ceramic-mug-blue,,"))
    assert main(["try", str(export), "--into", str(folder), "--yes", "--lang", "en"]) == 3
    with closing(Chain(folder)) as chain:
        with pytest.raises(Asked) as asked:
            chain.ingest(export)
        (question,) = asked.value.questions
        assert question.key == "same:702" and len(question.samples) == 3
        assert [option.name for option in question.options] == ["MUG-3", "MUG-5", "own"]
        chain.ingest(export, answers={"same:702": "MUG-5"})
        assert [row["product"] for row in kept(chain, "reviews")] == ["MUG-5"]
        chain.ingest(export)  # nothing is asked again


def test_try_without_sales_says_what_comes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = file(tmp_path, OF_THE_MUG)
    assert main(["try", str(export), "--into", str(tmp_path / "new"), "--yes", "--lang", "en"]) != 0
    assert "list of reviews, and a chain begins with sales" in " ".join("".join(capsys.readouterr()).split())


def test_ten_thousand_equal_reviews_and_a_long_one_come_in(chain: Chain, tmp_path: Path) -> None:
    same = ["Top,Buy this now,5,2026-03-05,A,a@x.example,MUG-3,mug,,"] * 10_000
    long = "很好用，" * 30_000
    taken = chain.ingest(file(tmp_path, reviews(*same, f'Long,"{long}",5,2026-03-06,A,a@x.example,MUG-3,mug,,')))
    assert [r.added for r in taken.reports if r.table == "reviews"] == [10_001]
    assert "equal_reviews" in {f.code for f in taken.findings}


def test_a_handle_writes_a_decimal_with_a_dash(folder: Path, tmp_path: Path) -> None:
    """1-7-l is 1.7 l where a product is called so; where one of 7 l is near, too, or none, it is not."""
    (folder / "products.csv").write_text(
        "product,name\nGK,Glass Kettle 1.7 L\nSK,Steel Kettle 1.5 l\nTEE-L,Tee L\nMUG-3,Mug\n", encoding="utf-8"
    )
    lines = (f",Nice,5,2026-03-05,A,a@x.example,77{i},{handle},," for i, handle in enumerate(
        ("glass-kettle-1-7-l", "steel-kettle-1-5-l", "steel-kettle-1-9-l")))  # fmt: skip
    with closing(Chain(folder)) as chain:
        taken = chain.ingest(file(tmp_path, reviews(*lines)))
        assert sorted(row["product"] for row in kept(chain, "reviews")) == ["GK", "SK"]
        (unknown,) = [f for f in taken.findings if f.code == "unknown_products"]
        assert "--answer same:772=PRODUCT" in unknown.text("en") and unknown.severity == "warning"
        taken = chain.ingest(file(tmp_path, reviews(
            ",Nice,5,2026-03-05,A,a@x.example,772,steel-kettle-1-9-l,,")), answers={"same:772": "SK"})  # fmt: skip
        assert sorted(row["product"] for row in kept(chain, "reviews")) == ["GK", "SK", "SK"]


# --- interest ----------------------------------------------------------------------------------------------------


def test_interest_by_day_comes_in_and_is_corrected_by_the_next_export(chain: Chain, tmp_path: Path) -> None:
    head = "Date,Item ID,Items viewed,Items added to cart\n"
    chain.ingest(file(tmp_path, head + "2026-03-01,MUG-3,100,10\n2026-03-02,MUG-3,40,2\n"))
    taken = chain.ingest(file(tmp_path, head + "2026-03-02,MUG-3,90,5\n2026-03-03,MUG-3,80,4\n"))
    assert [(r.added, r.superseded) for r in taken.reports] == [(2, 2)]
    views = {str(r["happened_at"].date()): r["count"] for r in kept(chain, "interest") if r["kind"] == "view"}
    assert sorted(views.values()) == [80, 90, 100]


def test_the_last_line_of_interest_counts_what_came_in(chain: Chain, tmp_path: Path) -> None:
    """Two rows of an unknown product, with 10 views and 3 carts each, wait: of 100 + 20 views 100 came in."""
    head = "Date,Item ID,Items viewed,Items added to cart\n"
    rows = "2026-03-01,MUG-3,100,10\n2026-03-01,ZZ-9,10,3\n2026-03-02,ZZ-9,10,3\n"
    taken = chain.ingest(file(tmp_path, head + rows))
    assert taken.reading is not None
    said = "Read 3 rows: views 100, put into carts 10. Left out: 2 rows of products"
    assert taken.reading.last_line("en").startswith(said)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        *(
            (h, "cart")
            for h in ("Add to cart", "Carts", "Adds to cart", "Cart adds", "add_to_carts", "加购数", "加购件数")
        ),
        *((h, "favourite") for h in ("Wishlists", "Saves", "Add to wishlist", "收藏数")),
    ],
)
def test_each_word_for_carts_and_wishlists_is_read(chain: Chain, tmp_path: Path, header: str, kind: str) -> None:
    """Alone, and beside views: never asked about as units sold."""
    chain.ingest(file(tmp_path, f"Date,SKU,{header}\n2026-03-01,MUG-3,7\n2026-03-02,MUG-3,8\n"))
    chain.ingest(file(tmp_path, f"Date,SKU,Views,{header}\n2026-03-03,MUG-3,100,9\n2026-03-04,MUG-3,90,4\n"))
    assert sorted(r["count"] for r in kept(chain, "interest") if r["kind"] == kind) == [4, 7, 8, 9]


def test_numbers_that_are_not_read_are_told(chain: Chain, tmp_path: Path) -> None:
    head = "Date,SKU,Views,Abandoned carts,Baskets begun,Campaign\n"
    taken = chain.ingest(file(tmp_path, head + "2026-03-01,MUG-3,100,3,4,Spring\n2026-03-02,MUG-3,90,2,1,Sale\n"))
    assert taken.reading is not None
    (said,) = [note.text("en") for note in taken.reading.notes if note.key == "heard.not_read"]
    assert said.endswith(": Abandoned carts, Baskets begun.")


def test_another_shops_interest_does_not_take_the_place_of_the_first_ones(chain: Chain, tmp_path: Path) -> None:
    def views(more: int) -> Path:
        rows = [f"{FIRST + timedelta(days=i)},MUG-3,{100 + i + more}\n" for i in range(20)]
        return file(tmp_path, "Date,SKU,Views\n" + "".join(rows))

    chain.ingest(views(0))
    assert chain.ingest(views(0)).reports == ()
    with pytest.raises(Asked) as asked:
        chain.ingest(views(7))
    (question,) = asked.value.questions
    assert question.key == "interest_again" and question.samples[0] == "100 / 107"
    with pytest.raises(BadInput):
        chain.ingest(views(7), answers={"interest_again": "refuse"})
    assert max(row["count"] for row in kept(chain, "interest")) == 119
    chain.ingest(views(7), answers={"interest_again": "corrects"})
    assert max(row["count"] for row in kept(chain, "interest")) == 126
    with pytest.raises(Asked):
        chain.ingest(views(9))  # each time anew


def test_a_file_called_like_a_table_with_a_shops_columns_is_an_export(chain: Chain, tmp_path: Path) -> None:
    text = "Date,Item ID,Items viewed,Items added to cart\n2026-03-01,MUG-3,100,10\n"
    for name in ("interest.csv", "intrest.csv"):
        taken = chain.ingest(file(tmp_path, text, name))
        assert taken.reading is not None and taken.reading.holds == "interest"
    own = chain.ingest(file(tmp_path, "happened_at,product,kind,count\n2026-03-01,MUG-5,view,3\n", "interest.csv"))
    assert own.reading is None and [r.added for r in own.reports] == [1]


def test_search_terms_are_refused_with_words(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        chain.ingest(file(tmp_path, "Search Query,Search Query Volume,Reporting Date\nmug,9,2026-03-01\n"))
    assert [f.code for f in refused.value.findings] == ["search_terms"]


# --- another shop's sales ----------------------------------------------------------------------------------------

HEAD = "Order ID,Order date,SKU,Product name,Quantity,EAN\n"


def other_shop(tmp_path: Path, *goods: tuple[str, str, str]) -> Path:
    rows = [f"{i},{FIRST + timedelta(days=i)},{code},{name},3,{ean}\n" for code, name, ean in goods for i in range(10)]
    return file(tmp_path, HEAD + "".join(rows), "other.csv")


def units(chain: Chain) -> dict[str, float]:
    result: dict[str, float] = {}
    for row in kept(chain, "sales"):
        result[row["product"]] = result.get(row["product"], 0) + row["units"]
    return result


def test_another_shops_sales_count_for_the_chains_products(chain: Chain, tmp_path: Path) -> None:
    before = units(chain)
    export = other_shop(
        tmp_path,
        ("7001", "Becher blau", "4006381333931"),
        ("7002", "Luna ceramic mug 0.5 l blue by Hemro", ""),
        ("7003", "Garden hose 20 m", ""),
    )
    taken = chain.ingest(export)
    assert {f.code for f in taken.findings} >= {"by_barcode", "by_name"}
    assert units(chain) == before | {"MUG-3": before["MUG-3"] + 30, "MUG-5": 30, "7003": 30}
    aliases = {row["alias"]: (row["product"], row["how"]) for row in kept(chain, "product_aliases")}
    assert aliases == {"7001": ("MUG-3", "barcode"), "7002": ("MUG-5", "name")}
    again = chain.ingest(export)
    assert again.reports == () and units(chain)["MUG-5"] == 30


def test_what_was_taken_for_one_product_is_taken_apart_again(chain: Chain, tmp_path: Path) -> None:
    export = other_shop(tmp_path, ("7002", "Luna ceramic mug 0.5 l blue by Hemro", ""))
    before = units(chain)
    chain.ingest(export)
    chain.ingest(export, answers={"same:7002": "own"})
    assert units(chain) == before | {"7002": 30}
    assert {row["alias"]: row["product"] for row in kept(chain, "product_aliases")} == {"7002": "7002"}
    chain.ingest(export)  # it stays so
    assert units(chain) == before | {"7002": 30}
    chain.ingest(export, answers={"same:7002": "MUG-5"})
    assert units(chain) == before | {"MUG-5": 30}


def test_one_code_for_two_products_is_asked_about_and_refused(chain: Chain, tmp_path: Path) -> None:
    export = other_shop(tmp_path, ("MUG-3", "Hemro Luna mug ceramic blue 450 ml", ""))
    with pytest.raises(Asked) as asked:
        chain.ingest(export)
    assert [option.name for option in asked.value.questions[0].options] == ["MUG-3", "refuse"]
    before = units(chain)
    with pytest.raises(BadInput):
        chain.ingest(export, answers={"same:MUG-3": "refuse"})
    assert units(chain) == before
    chain.ingest(export, answers={"same:MUG-3": "MUG-3"})
    assert units(chain)["MUG-3"] == before["MUG-3"] + 30
    chain.ingest(export)  # nothing is asked again


def test_a_next_export_of_the_same_shop_asks_nothing(folder: Path, tmp_path: Path) -> None:
    """A file that has the chain's codes tells its products apart: another code is another product, and one name that
    changed is said."""
    lines = [f"P-{i},Kaldi line{i} mug {100 + i} ml\n" for i in range(40)]
    (folder / "products.csv").write_text("product,name\n" + "".join(lines), encoding="utf-8")
    (folder / "sales.csv").unlink()
    goods = [(f"P-{i}", f"Kaldi line{i} mug {100 + i if i else 900} ml", "") for i in range(40)]
    with closing(Chain(folder)) as chain:
        taken = chain.ingest(other_shop(tmp_path, *goods, ("P-99", "Kaldi line1 mug 101 ml", "")))
        sold = units(chain)
    assert [f.code for f in taken.findings if f.severity == "warning"] == ["renamed"]
    assert sold["P-99"] == 30 and sold["P-0"] == 30 and len(sold) == 41


def test_many_doubts_are_one_question(folder: Path, tmp_path: Path) -> None:
    lines = [f"TEE-{i},Kaldi Terra line{i} t-shirt black L\n" for i in range(30)]
    (folder / "products.csv").write_text("product,name\n" + "".join(lines), encoding="utf-8")
    (folder / "sales.csv").unlink()
    goods = [(f"8{i}", f"Kaldi Terra line{i} t-shirt black", "") for i in range(30)]
    with closing(Chain(folder)) as chain:
        export = other_shop(tmp_path, *goods)
        with pytest.raises(Asked) as asked:
            chain.ingest(export)
        (question,) = asked.value.questions
        assert question.key == "same" and len(question.samples) == 3
        with pytest.raises(Asked):
            chain.ingest(export, answers={"same:81": "TEE-1"})
        chain.ingest(export, answers={"same": "own", "same:81": "TEE-1"})
        sold = units(chain)
    assert sold["TEE-1"] == 30 and sold["80"] == 30 and "81" not in sold


def test_a_row_that_waits_comes_in_under_its_alias(chain: Chain, tmp_path: Path) -> None:
    chain.ingest(file(tmp_path, reviews("Odd,Fine,5,2026-03-06,A,a@x.example,999,garden-hose,,")))
    assert kept(chain, "reviews") == []
    chain.ingest(file(tmp_path, "alias,product\n999,MUG-5\n", "product_aliases.csv"))
    chain.retry_quarantine()
    assert [row["product"] for row in kept(chain, "reviews")] == ["MUG-5"]


def test_an_own_product_does_not_come_to_stand_for_another_one(chain: Chain, tmp_path: Path) -> None:
    """Its rows of before would stay, and those to come would count for the other."""
    text = "alias,product\nMUG-3,MUG-5\nMUG-5,MUG-5\n999,MUG-5\n"
    taken = chain.ingest(file(tmp_path, text, "product_aliases.csv"))
    assert [(f.code, f.severity, f.row, f.column) for f in taken.findings] == [("own_alias", "error", 2, "alias")]
    assert {row["alias"] for row in kept(chain, "product_aliases")} == {"MUG-5", "999"}


def test_rows_without_keys_are_not_moved_in_silence(folder: Path, tmp_path: Path) -> None:
    (folder / "sales.csv").write_text("happened_at,product,units\n2026-03-01,MUG-3,2\n", encoding="utf-8")
    export = other_shop(tmp_path, ("7002", "Luna ceramic mug 0.5 l blue by Hemro", ""))
    with closing(Chain(folder)) as chain:
        chain.ingest(export)
        with pytest.raises(BadInput, match="withdraw"):
            chain.ingest(export, answers={"same:7002": "own"})
        assert units(chain) == {"MUG-3": 2, "MUG-5": 30}
