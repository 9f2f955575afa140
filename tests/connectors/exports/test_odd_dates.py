"""Quarters, stretches of days, weeks without a year, years of other calendars; and products that stand as columns."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.connectors.exports.day_month_order import day_of
from datong.connectors.exports.reading import Reading, read_export

GOODS = ("KA-10", "KB-20")


def read(path: Path, lines: list[str], answers: dict[str, str] | None = None) -> Reading:
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_export(path, answers or {})


def listed(path: Path, dates: list[str], head: str = "Date", answers: dict[str, str] | None = None) -> Reading:
    """Each date with 3 of KA-10."""
    return read(path, [f"{head};SKU;Quantity", *(f"{text};KA-10;3" for text in dates)], answers)


def days(reading: Reading) -> list[date]:
    sales = reading.part("sales")
    return [] if sales is None else sales["happened_at"].to_pylist()


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


MONDAYS = [date(2024, 1, 1) + timedelta(weeks=i) for i in range(20)]
STRETCHES = {
    "iso": "{a:%Y-%m-%d} - {b:%Y-%m-%d}", "slashes": "{a:%Y/%m/%d}-{b:%Y/%m/%d}", "compact": "{a:%Y%m%d}-{b:%Y%m%d}",
    "dots": "{a:%d.%m.%Y} – {b:%d.%m.%Y}", "dots once": "{a:%d.%m.}-{b:%d.%m.%Y}",
    "bis": "{a:%d.%m.%Y} bis {b:%d.%m.%Y}",
    "to": "{a:%d/%m/%Y} to {b:%d/%m/%Y}", "zh": "{a:%Y}年{a:%m}月{a:%d}日-{b:%Y}年{b:%m}月{b:%d}日",
    "zh once": "{a:%Y}年{a:%m}月{a:%d}日至{b:%m}月{b:%d}日", "zh tilde": "{a:%Y/%m/%d}~{b:%m/%d}",
    "names": "{a:%b} {a.day} - {b:%b} {b.day}, {b.year}", "clocks": "{a:%Y-%m-%d} 00:00 - {b:%Y-%m-%d} 23:59",
}  # fmt: skip


@pytest.mark.parametrize("way", STRETCHES)
def test_a_stretch_of_days_counts_on_its_first(way: str, tmp_path: Path) -> None:
    texts = [STRETCHES[way].format(a=day, b=day + timedelta(days=6)) for day in MONDAYS]
    reading = listed(tmp_path / "list.csv", texts)
    assert asked(reading) == [] and days(reading) == MONDAYS


@given(st.dates(date(2001, 1, 1), date(2090, 1, 1)), st.integers(1, 30), st.sampled_from(sorted(STRETCHES)))
def test_a_stretch_is_never_another_day(first: date, length: int, way: str) -> None:
    found = day_of(STRETCHES[way].format(a=first, b=first + timedelta(days=length)))
    assert found in (None, (first - date(1970, 1, 1)).days)


QUARTERS = ["Q{q} {y}", "{y} Q{q}", "{y}-Q{q}", "{y}Q{q}", "Q{q}/{y}", "{q}Q{y}", "{q}Q{s}", "Q{q}'{s}",
            "{y}年第{q}季度", "{y}年{z}季度", "{q}. Quartal {y}", "T{q} {y}",
            "{q}º trimestre {y}", "{y}年Q{q}"]  # fmt: skip


def _quarter(day: date) -> date:
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


@pytest.mark.parametrize("way", QUARTERS)
def test_quarters_count_on_their_days(way: str, tmp_path: Path) -> None:
    texts = [way.format(q=q, y=y, s=y % 100, z="一二三四"[q - 1]) for y in (2022, 2023) for q in (1, 2, 3, 4)]
    starts = [date(y, 3 * q - 2, 1) for y in (2022, 2023) for q in (1, 2, 3, 4)]
    reading = listed(tmp_path / "list.csv", texts)
    assert asked(reading) == [] and sorted({_quarter(day) for day in days(reading)}) == starts
    wide = read(tmp_path / "wide.csv", [";".join(["SKU", *texts]), *(f"{sku};1;2;3;4;5;6;7;8" for sku in GOODS)])
    assert asked(wide) == [] and (wide.sold, sorted({_quarter(day) for day in days(wide)})) == (72, starts)


@pytest.mark.parametrize("way", ["第{w}周", "W{w}", "KW {w}", "Week {w}", "Semaine {w}"])
def test_weeks_without_a_year_are_of_the_year_that_the_file_says(way: str, tmp_path: Path) -> None:
    texts = [way.format(w=week) for week in range(1, 21)]
    reading = listed(tmp_path / "sales 2024.csv", texts, "周" if "周" in way else "Week")
    assert asked(reading) == [] and days(reading) == MONDAYS
    assert listed(tmp_path / "sales.csv", texts, "Week").missing == ("date",)


def test_stretches_without_a_year_as_columns(tmp_path: Path) -> None:
    heads = [f"{d.month}/{d.day}-{(d + timedelta(6)).month}/{(d + timedelta(6)).day}" for d in MONDAYS[:12]]
    reading = read(tmp_path / "2024.csv", [";".join(["SKU", *heads]), *(sku + ";1" * 12 for sku in GOODS)])
    assert asked(reading) == [] and sorted({*days(reading)}) == MONDAYS[:12]


@pytest.mark.parametrize("way", ["Week {w} {y}", "{y}年第{w}周", "{w}/{y} KW", "KW{w}/{y}"])
def test_weeks_with_a_year(way: str, tmp_path: Path) -> None:
    reading = listed(tmp_path / "list.csv", [way.format(w=week, y=2024) for week in range(1, 21)])
    assert reading.missing or (asked(reading) == [] and days(reading) == MONDAYS)


DAYS = [date(2024, 1, 3) + timedelta(days=i) for i in range(40)]


@pytest.mark.parametrize(
    "way",
    ["令和{e}年{d.month}月{d.day}日", "令和{e}年{d:%m}月{d:%d}日", "R{e}.{d.month}.{d.day}", "R{e}/{d:%m}/{d:%d}"],
)
def test_years_of_an_era(way: str, tmp_path: Path) -> None:
    reading = listed(tmp_path / "list.csv", [way.format(e=d.year - 2018, d=d) for d in DAYS], "日付")
    assert asked(reading) == [] and days(reading) == DAYS


@pytest.mark.parametrize(
    "way", ["{r}/{d:%m}/{d:%d}", "{r}.{d:%m}.{d:%d}", "{r}-{d:%m}-{d:%d}", "{r}年{d.month}月{d.day}日", "{r}{d:%m%d}"]
)
def test_years_of_the_republic_where_the_file_says_so(way: str, tmp_path: Path) -> None:
    texts = [way.format(r=d.year - 1911, d=d) for d in DAYS]
    reading = listed(tmp_path / "list.csv", texts, "日期（民國）")
    assert asked(reading) == [] and days(reading) == DAYS
    bare = listed(tmp_path / "list.csv", texts, "日期")
    assert bare.missing or asked(bare) == ["republic_years"]
    if not bare.missing:
        assert days(listed(tmp_path / "list.csv", texts, "日期", {"republic_years": "republic"})) == DAYS


def test_the_republics_name_in_the_cells_is_enough(tmp_path: Path) -> None:
    reading = listed(tmp_path / "list.csv", [f"民國{d.year - 1911}年{d.month}月{d.day}日" for d in DAYS], "日期")
    assert asked(reading) == [] and days(reading) == DAYS


# --- products as columns ---------------------------------------------------------------------------------------------


def across(path: Path, heads: list[str], answers: dict[str, str] | None = None, sums: bool = False) -> Reading:
    """Three products beside one another, day by day: 1, 2 and 4 of each."""
    lines = [";".join(["Date", *heads, *(["Total"] if sums else [])])]
    lines += [f"{day};1;2;4" + (";7" if sums else "") for day in DAYS]
    return read(path, lines, answers)


@pytest.mark.parametrize("sums", [False, True])
def test_products_as_columns(sums: bool, tmp_path: Path) -> None:
    heads = ["KA-10", "KB-20", "KC-30"]
    first = across(tmp_path / "list.csv", heads, sums=sums)
    assert asked(first) == ["products_across"]
    reading = across(tmp_path / "list.csv", heads, {"products_across": "products"}, sums)
    sales = reading.part("sales")
    assert asked(reading) == [] and reading.sold == 280 and sales is not None
    units = {p: sum(r["units"] for r in sales.to_pylist() if r["product"] == p) for p in heads}
    assert units == {"KA-10": 40, "KB-20": 80, "KC-30": 160}
    assert across(tmp_path / "list.csv", heads, {"products_across": "refuse"}).missing == ("product",)


def test_measures_are_no_products(tmp_path: Path) -> None:
    assert across(tmp_path / "list.csv", ["Quantity", "Revenue", "Orders"]).missing == ("product",)


FRENCH = ("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim.")
SPANISH = ("lun", "mar", "mié", "jue", "vie", "sáb", "dom")
WRITTEN = {
    "short year zh": lambda d: f"{d:%y}年{d.month}月{d.day}日",
    "short year zh clock": lambda d: f"{d:%y}年{d.month}月{d.day}日 9:05",
    "pointed clock": lambda d: f"{d.day}/{d.month}/{d:%y} 9.05", "pointed seconds": lambda d: f"{d:%Y-%m-%d} 09.05.07",
    "pointed pm": lambda d: f"{d.day}/{d.month}/{d:%Y} 9.05 PM", "compact clock": lambda d: f"{d:%Y%m%d}090507",
    "compact minutes": lambda d: f"{d:%Y%m%d}0905", "dash clock": lambda d: f"{d:%d.%m.%Y} - 09:05 Uhr",
    "french": lambda d: f"{FRENCH[d.weekday()]} {d.day} {('mars', 'avril')[d.month - 3]} {d.year}",
    "spanish": lambda d: f"{SPANISH[d.weekday()]} {d.day} {('mar', 'abr')[d.month - 3]} {d.year}",
    "french numbers": lambda d: f"{FRENCH[d.weekday()]} {d:%d/%m/%Y}",
}  # fmt: skip


@pytest.mark.parametrize("way", WRITTEN)
def test_a_day_with_or_without_a_clock_counts_on_that_day(way: str, tmp_path: Path) -> None:
    wanted = [date(2026, 3, 1) + timedelta(days=i) for i in range(45)]
    reading = listed(tmp_path / "list.csv", [WRITTEN[way](day) for day in wanted])
    found = [d.date() if isinstance(d, datetime) else d for d in days(reading)]
    assert (asked(reading), found) == ([], wanted)


@pytest.mark.parametrize("text", ["99年13月1日", "2/3/26 25.05", "20261302090507", "20260302250507", "12.05",
                                  "mar. 45 mars 2026"])  # fmt: skip
def test_what_is_no_day_stays_none(text: str) -> None:
    assert day_of(text) is None


@pytest.mark.parametrize("written", ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%y"])
@pytest.mark.parametrize("last", [1, 20])
def test_a_product_on_the_first_row_of_its_group_holds_for_all_days_of_it(
    written: str, last: int, tmp_path: Path
) -> None:
    firsts = [date(2026, 3, 1) + timedelta(days=i) for i in range(40)]
    rows = [(p if not i else "", day) for p in GOODS for i, day in enumerate(firsts)][: 40 + last]
    lines = ["Product;Date;Quantity", *(f"{product};{day.strftime(written)};3" for product, day in rows)]
    reading = read(tmp_path / "list.csv", lines)
    assert (asked(reading), reading.sold) == ([], 3 * (40 + last))


WAYS_OF_DAYS = {
    "six digits": "{day:%y%m%d}", "Thai years": "{day.day:02}/{day.month:02}/{thai}",
    "Thai years first": "{thai}-{day:%m-%d}",
    "hs.": "{day.day} de {es} de {day.year} 09:05 hs.", "24:00": "{day:%Y-%m-%d} 24:00:00",
    "h": "{day:%d/%m/%Y} 9:05 h",
}  # fmt: skip
_ES = ["enero", "febrero", "marzo", "abril", "mayo", "junio"]


@pytest.mark.parametrize("way", WAYS_OF_DAYS)
def test_days_are_read_as_shops_write_them(way: str, tmp_path: Path) -> None:
    wanted = [date(2024, 1, 3) + timedelta(days=4 * i) for i in range(25)]
    texts = [WAYS_OF_DAYS[way].format(day=d, thai=d.year + 543, es=_ES[d.month - 1]) for d in wanted]
    reading = listed(tmp_path / "list.csv", texts)
    assert asked(reading) == [] and [datetime.fromisoformat(str(d)).date() for d in days(reading)] == wanted


@pytest.mark.parametrize("digits", ["٠١٢٣٤٥٦٧٨٩", "๐๑๒๓๔๕๖๗๘๙", "०१२३४५६७८९"])
def test_digits_of_another_script_are_digits(digits: str, tmp_path: Path) -> None:
    wanted = [date(2024, 1, 13) + timedelta(days=4 * i) for i in range(25)]
    texts = [f"{d:%d/%m/%Y}".translate(str.maketrans("0123456789", digits)) for d in wanted]
    assert days(listed(tmp_path / "list.csv", texts)) == wanted


def test_six_digits_are_no_days_where_nothing_says_so(tmp_path: Path) -> None:
    rows = [f"2603{d:02};2024-01-{d:02};KA;3" for d in range(1, 29)]
    reading = read(tmp_path / "list.csv", ["Order;When;SKU;Quantity", *rows])
    assert (reading.column("date"), reading.column("order")) == ("When", "Order")


BARE_DAYS = ["{d:%d.%m.}", "{d.day}/{d.month}", "{d:%m-%d}", "{d:%d-%b}", "{d:%b} {d.day}", "{d.month}月{d.day}日"]


def bare(way: str, first: date = date(2024, 1, 13)) -> tuple[list[date], list[str]]:
    wanted = [first + timedelta(days=5 * i) for i in range(25)]
    return wanted, [way.format(d=day) for day in wanted]


@pytest.mark.parametrize("way", BARE_DAYS)
def test_days_without_a_year_are_of_the_year_that_the_title_says(way: str, tmp_path: Path) -> None:
    wanted, texts = bare(way)
    lines = ["Sales 2024;;", "Date;SKU;Quantity", *(f"{text};KA-10;3" for text in texts)]
    reading = read(tmp_path / "list.csv", lines)
    assert asked(reading) == [] and days(reading) == wanted


@pytest.mark.parametrize("way", BARE_DAYS)
def test_a_year_that_nothing_says_is_asked(way: str, tmp_path: Path) -> None:
    wanted, texts = bare(way)
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["Date;SKU;Quantity", *(f"{text};KA-10;3" for text in texts)]), encoding="utf-8")
    today = date(2024, 8, 1)
    (question,) = read_export(path, today=today).questions
    assert question.key == "year" and [option.name for option in question.options] == ["2024", "2023", "2022"]
    assert days(read_export(path, {"year": "2024"}, today=today)) == wanted


def test_dates_over_the_turn_of_a_year_are_of_no_one_year(tmp_path: Path) -> None:
    _, texts = bare("{d:%d.%m.}", date(2023, 11, 3))
    reading = read(tmp_path / "list.csv", ["Sales 2024;;", "Date;SKU;Quantity", *(f"{text};KA-10;3" for text in texts)])
    assert reading.missing == ("date",)


def test_months_without_their_day_stay_months(tmp_path: Path) -> None:
    texts = ["Jan-24", "Feb-24", "Mar-24", "Apr-24"]
    reading = read(tmp_path / "list.csv", ["Sales 2024;;", "Month;SKU;Quantity", *(f"{t};KA-10;3" for t in texts)])
    assert asked(reading) == [] and min(days(reading)) == date(2024, 1, 1)


@pytest.mark.parametrize("heads", ["Jahr;KW", "Year;Week", "年;周"])
def test_a_year_and_a_week_in_columns_of_their_own_are_a_week(heads: str, tmp_path: Path) -> None:
    rows = [f"2024;{week};KA-10;3" for week in range(1, 21)]
    reading = read(tmp_path / "list.csv", [f"{heads};SKU;Quantity", *rows])
    assert (asked(reading), reading.sold, min(days(reading))) == ([], 60, date(2024, 1, 1))


@pytest.mark.parametrize(
    "way", ["W/E {end:%d-%b}", "Week ending {end:%d.%m.}", "W/C {start:%d-%b}", "week of {start:%b %d}"]
)
def test_weeks_that_are_named_after_a_day_are_weeks(way: str, tmp_path: Path) -> None:
    names = [way.format(start=d, end=d + timedelta(days=6)) for d in MONDAYS[:8]]
    lines = ["Sell-through 2024" + ";" * 8, ";".join(["SKU", *names]), "KA;1;2;3;4;5;6;7;8", "KB;2;2;2;2;2;2;2;2"]
    reading = read(tmp_path / "list.csv", lines)
    assert (asked(reading), reading.sold) == ([], 52)
    assert (min(days(reading)), max(days(reading))) == (date(2024, 1, 1), MONDAYS[7])


@pytest.mark.parametrize("names", [("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), tuple("一二三四五六日")])
def test_names_of_weekdays_are_no_products(names: tuple[str, ...], tmp_path: Path) -> None:
    rows = [f"{names[d % 7]};2024-01-{d:02};{d % 3};2;1" for d in range(1, 29)]
    reading = read(tmp_path / "list.csv", ["Wd;Date;Kettle;Mug;Bowl", *rows])
    assert asked(reading) == ["products_across"]
