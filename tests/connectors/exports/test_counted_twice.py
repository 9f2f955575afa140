"""Files that hold the same goods more than once: each is counted once, or it is asked which one counts."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export

CODES = ("KA", "KB", "KC")


def read(path: Path, lines: list[str], answers: dict[str, str] | None = None) -> Reading:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_export(path, answers or {})


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def notes(reading: Reading) -> str:
    return " ".join(note.text("en") for note in reading.notes)


def two_quantities(heads: str, more: int = 0) -> list[str]:
    """Orders of three lines with 1, 2 and 3 units or so, and the count of the whole order beside each."""
    rows = []
    for i in range(12):
        units = [1 + i % 3, 2, 3 + i % 4]
        rows += [
            f"A{i},2024-01-{i + 1:02},{code},{sum(units) + more},{of}" for code, of in zip(CODES, units, strict=True)
        ]
    return [f"Order,Date,SKU,{heads}", *rows]


SOLD = sum(1 + i % 3 + 2 + 3 + i % 4 for i in range(12))


@pytest.mark.parametrize(
    "heads",
    ["Order quantity,Line quantity", "Qty,Item Qty", "Quantity,Quantity of line", "数量,商品数量"],
)
def test_a_count_of_the_whole_order_is_no_quantity_of_its_lines(heads: str, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", two_quantities(heads))
    assert asked(reading) == [] and reading.sold == SOLD
    assert "counts the units of each whole order" in notes(reading)


def test_a_number_that_is_the_same_on_all_lines_is_asked_about_where_they_do_not_add_up(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    reading = read(path, two_quantities("Order quantity,Line quantity", more=2))
    assert asked(reading) == ["units_column"] and reading.sold == SOLD
    assert [option.name for option in reading.questions[0].options] == ["Line quantity", "Order quantity"]
    other = read(path, two_quantities("Order quantity,Line quantity", more=2), {"units_column": "Order quantity"})
    assert other.sold == 3 * (SOLD + 24)


def test_a_number_of_items_that_the_lines_of_an_order_add_up_to_mixes_no_products(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", two_quantities("Number of items,Units"))
    assert asked(reading) == [] and reading.sold == SOLD


def stages(kinds: list[str], days_between: int) -> list[str]:
    """Sales of 24 days, each written once for every kind, the next kind some days after the one before."""
    rows = []
    for number, kind in enumerate(kinds):
        for i in range(24):
            day = date(2024, 1, 1) + timedelta(i + number * (days_between + i % 2 * (days_between > 0)))
            rows.append(f"{kind},{kind[:2]}{i},{day},{CODES[i % 3]},{1 + i % 4}")
    head = "Document type,Document no,Date,Item,Qty"
    return [head, *rows]


@pytest.mark.parametrize("days", [0, 3])
@pytest.mark.parametrize(
    "kinds",
    [["Sales order", "Invoice"], ["Auftrag", "Lieferschein", "Rechnung"], ["销售订单", "销售出库单"], ["One", "Other"]],
)
def test_stages_of_the_same_sales_are_counted_once(kinds: list[str], days: int, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    answers = {f"kind:{kind}": "sold" for kind in kinds if kind in ("One", "Other")}
    reading = read(path, stages(kinds, days), answers)
    assert asked(reading) == ["stages"]
    (question,) = reading.questions
    assert [option.name for option in question.options] == [*kinds, "all"]
    assert "60" in question.options[0].says.text("en") and str(60 * len(kinds)) in question.options[-1].says.text("en")
    for kind in kinds:
        assert read(path, stages(kinds, days), answers | {"stages": kind}).sold == 60
    assert "stage" in read(path, stages(kinds, days), answers | {"stages": kinds[-1]}).last_line("en")
    assert read(path, stages(kinds, days), answers | {"stages": "all"}).sold == 60 * len(kinds)


def test_kinds_that_hold_other_goods_are_all_sales(tmp_path: Path) -> None:
    rows = stages(["Sales order", "Invoice"], 0)
    shuffled = [row if "Invoice" not in row else row[:-1] + str(1 + at * 7 % 5) for at, row in enumerate(rows)]
    assert asked(read(tmp_path / "list.csv", shuffled)) == []
    far = stages(["Sales order", "Invoice"], 60)
    assert asked(read(tmp_path / "list.csv", far)) == []


def histories(head: str, steps: list[str], newest_first: bool = False) -> list[str]:
    """Order lines, of which two of three stand there once for every step, the others for the first one only."""
    rows = []
    for i in range(30):
        for step in steps if i % 3 else steps[:1]:
            rows.append(f"A{i},2024-01-{i + 1:02},{CODES[i % 3]},{1 + i % 4},{step}")
    return [f"Order,Date,SKU,Qty,{head}", *(rows[::-1] if newest_first else rows)]


ONCE = sum(1 + i % 4 for i in range(30))
OF_TWO = sum((1 + i % 4) * (2 if i % 3 else 1) for i in range(30))


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    ("head", "steps"),
    [
        ("Status", ["Processing", "Completed"]),
        ("状态", ["待发货", "已发货"]),
        ("Updated at", ["2024-02-01 10:00", "2024-02-02 10:00"]),
    ],
)
def test_a_line_that_went_through_several_states_counts_once(
    head: str, steps: list[str], newest_first: bool, tmp_path: Path
) -> None:
    path, lines = tmp_path / "list.csv", histories(head, steps, newest_first)
    reading = read(path, lines)
    assert asked(reading) == ["line_states"]
    (question,) = reading.questions
    first = "first" if newest_first and head != "Updated at" else "last"
    assert question.options[0].name == first
    assert f"{ONCE} units" in question.options[0].says.text("en")
    once = read(path, lines, {"line_states": first})
    assert once.sold == ONCE and "an earlier state" in once.last_line("en")
    assert read(path, lines, {"line_states": "all"}).sold == OF_TWO
    keys = once.lines.keys
    assert keys is not None
    made = keys.drop_null().to_pylist()
    assert len(made) == 30 and all(key.count("/") == 2 for key in made)  # known again when it stands there once


def test_the_state_of_a_line_is_its_last_one(tmp_path: Path) -> None:
    lines = histories("Status", ["Paid", "Cancelled"])
    assert read(tmp_path / "list.csv", lines, {"line_states": "last"}).sold == sum(1 + i % 4 for i in range(0, 30, 3))


def test_lines_of_one_product_with_the_same_state_twice_are_bought_twice(tmp_path: Path) -> None:
    lines = histories("Status", ["Completed", "Completed"])
    assert asked(read(tmp_path / "list.csv", lines)) == ["repeated"]


def of_markets(head: str, whole: str, more: int = 0) -> list[str]:
    """Weeks of two markets and of both together."""
    rows = []
    for week in range(6):
        for at, code in enumerate(CODES):
            one, two = 3 + (week * 5 + at) % 4, 2 + (week + at * 3) % 5
            for market, units in (("X", one), ("Y", two), (whole, one + two + more)):
                rows.append(f"2024-01-{1 + 7 * week if week < 4 else 29 + week - 4:02},{market},{code},{units}")
    return [f"week,{head},product,units", *rows]


@pytest.mark.parametrize(
    ("head", "whole"), [("shop", "All shops"), ("country", "Worldwide"), ("区域", "全国"), ("channel", "ABC")]
)
def test_a_market_that_is_the_sum_of_the_others_is_none(head: str, whole: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    reading = read(path, of_markets(head, whole))
    sold = sum(3 + (w * 5 + at) % 4 + 2 + (w + at * 3) % 5 for w in range(6) for at in range(3))
    assert asked(reading) == [] and reading.sold == sold
    assert f"{head}: {whole}" in reading.last_line("en") and "names 2 markets" in notes(reading)
    assert read(path, of_markets(head, whole, more=1)).sold == 2 * sold + 18


def test_a_column_that_is_the_sum_of_the_others_is_no_market(tmp_path: Path) -> None:
    rows = [f"2024-01-{i + 1:02},{CODES[i % 3]},{i % 4},{i % 3},{i % 4 + i % 3}" for i in range(28)]
    lines = ["Date,SKU,Berlin units,Hamburg units,Everywhere units", *rows]
    reading = read(tmp_path / "list.csv", lines, {"units_column": "sum"})
    assert reading.sold == sum(i % 4 + i % 3 for i in range(28))
    (question,) = read(tmp_path / "list.csv", lines).questions
    assert "Everywhere units" not in [option.name for option in question.options]


def running(head: str, begin: int = 0, falls: bool = False) -> list[str]:
    """Running totals of three products over twelve weeks that begin anew with the year."""
    rows = []
    for at, code in enumerate(CODES):
        total = begin
        for week in range(12):
            day = date(2023, 11, 6) + timedelta(7 * week)
            total = (0 if day.year == 2024 and total > 0 and week == 8 else total) + 1 + (week + at) % 4
            rows.append(f"{day},{code},{total - (9 if falls and week == 5 else 0)}")
    return [f"Week,Product,{head}", *rows]


RISEN = sum(1 + (week + at) % 4 for at in range(3) for week in range(12))


@pytest.mark.parametrize("head", ["Units sold (cumulative)", "Units YTD", "累计销量", "Menge kumuliert"])
def test_a_running_total_is_what_it_rises_by(head: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    reading = read(path, running(head))
    assert asked(reading) == [] and (reading.sold, reading.returned) == (RISEN, 0)
    assert "running total" in notes(reading)
    assert read(path, running(head), {"cumulative": "as_it_stands"}).sold > 2 * RISEN
    assert asked(read(path, running(head, falls=True))) == ["cumulative"]


def test_numbers_that_never_fall_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    reading = read(path, running("Units sold"))
    assert asked(reading) == ["cumulative"]
    assert f"{RISEN} units" in reading.questions[0].options[0].says.text("en")
    assert read(path, running("Units sold"), {"cumulative": "differences"}).sold == RISEN
    assert asked(read(path, running("Units sold", falls=True))) == []


def test_a_total_that_began_before_the_file_is_no_sale_of_its_first_day(tmp_path: Path) -> None:
    first = sum(1 + at % 4 for at in range(3))
    reading = read(tmp_path / "list.csv", running("Units YTD", begin=500))
    assert reading.sold == RISEN - first and "sold before the first date" in notes(reading)


def test_a_running_total_of_each_month_begins_anew_with_it(tmp_path: Path) -> None:
    total, rows = 0, []
    for i in range(60):
        day = date(2024, 1, 1) + timedelta(i)
        total = (0 if day.day == 1 else total) + 1 + i % 3
        rows.append(f"{day},KA,{total}")
    reading = read(tmp_path / "list.csv", ["Date,Product,Units MTD", *rows])
    assert asked(reading) == [] and (reading.sold, reading.returned) == (sum(1 + i % 3 for i in range(60)), 0)


def test_a_running_total_beside_the_units_of_each_week_is_not_read(tmp_path: Path) -> None:
    lines = running("Cumulative units")
    lines = [f"{line},{'Week units' if at == 0 else 2}" for at, line in enumerate(lines)]
    reading = read(tmp_path / "list.csv", lines)
    assert asked(reading) == [] and reading.sold == 72


def sets(head: str, single: str, bundle: str, part: str, price: str = "0") -> list[str]:
    """Orders of one product, every third of a set with the two goods in it instead."""
    rows = []
    for i in range(18):
        day = f"2024-01-{i + 1:02}"
        if i % 3:
            rows.append(f"A{i},{day},KA,2,9.50,{single}")
        else:
            rows.append(f"A{i},{day},SET,1,20,{bundle}")
            rows += [f"A{i},{day},{code},1,{price},{part}" for code in ("KB", "KC")]
    return [f"Order,Date,SKU,Qty,Price,{head}", *rows]


@pytest.mark.parametrize(
    "names",
    [
        ("Line type", "product", "bundle", "bundle item"),
        ("行类型", "普通", "套装", "套装明细"),
        ("Art", "A", "S", "Komponente"),
    ],
)
def test_a_set_and_what_is_in_it_are_not_both_counted(names: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    lines = sets(*names)
    answers = {f"kind:{name}": "sold" for name in names[1:]}
    reading = read(path, lines, answers)
    assert asked(reading) == ["bundles"]
    assert [option.name for option in reading.questions[0].options] == ["parts", "bundles", "both"]
    sold = {name: read(path, lines, answers | {"bundles": name}).sold for name in ("parts", "bundles", "both")}
    assert sold == {"parts": 24 + 12, "bundles": 24 + 6, "both": 24 + 18}
    assert names[2] in read(path, lines, answers | {"bundles": "parts"}).last_line("en")
    assert asked(read(path, sets(*names, price="4"), answers)) == []


def test_a_list_of_which_no_row_is_left_is_read(tmp_path: Path) -> None:
    lines = ["Order,Date,SKU,Qty,Status", *(f"A{i},2024-01-0{i + 1},KA,,Completed" for i in range(5))]
    lines[1:1] = ["Total,,,9,Completed"]
    assert read(tmp_path / "list.csv", lines).sold == 0
    assert read(tmp_path / "list.csv", lines[:1]).sold == 0


@pytest.mark.parametrize("back", [("Stornorechnung", 1), ("Storno", -1), ("冲销", 1), ("reversal", -1)])
@pytest.mark.parametrize(("answer", "sold", "returned"), [("undone", 24 * 3, 0), ("returned", 28 * 3, 12)])
def test_a_document_that_reverses_a_sale_leaves_it_out_or_is_a_return(
    back: tuple[str, int], answer: str, sold: float, returned: float, tmp_path: Path
) -> None:
    word, sign = back
    lines = ["Beleg,Belegart,Datum,Artikel,Menge,Betrag"]
    for day in range(1, 29):
        lines.append(f"{700 + day},Rechnung,2026-03-{day:02},K{day % 3},3,{30 + day % 3}")
        if day % 7 == 0:
            lines.append(f"{900 + day},{word},2026-03-{day:02},K{day % 3},{3 * sign},{-30 - day % 3}")
    assert asked(read(tmp_path / "list.csv", lines)) == ["reversed"]
    reading = read(tmp_path / "list.csv", lines, {"reversed": answer})
    assert (reading.sold, reading.returned) == (sold, returned)


@pytest.mark.parametrize(("answer", "sold"), [("undone", 24 * 3), ("sold", 28 * 3)])
@pytest.mark.parametrize("word", ["VOID", "取消"])
def test_a_void_line_below_zero_takes_its_sale_back(word: str, answer: str, sold: float, tmp_path: Path) -> None:
    lines = ["Receipt,Type,Date,Item,Qty,Amount"]
    for day in range(1, 29):
        lines.append(f"{700 + day},SALE,2026-03-{day:02},K{day % 3},3,{30 + day % 3}")
        if day % 7 == 0:
            lines.append(f"{700 + day},{word},2026-03-{day:02},K{day % 3},-3,{-30 - day % 3}")
    assert "reversed" in asked(read(tmp_path / "list.csv", lines))
    reading = read(tmp_path / "list.csv", lines, {"reversed": answer})
    assert (reading.sold, reading.returned) == (sold, 0)
