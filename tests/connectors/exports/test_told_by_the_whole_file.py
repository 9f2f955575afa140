"""What a careful person knows of the whole file where one cell leaves it open: read so, or asked about."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from datong.connectors.exports.date_texts import parse
from datong.connectors.exports.order_state_words import marks_of, tells_of_try
from datong.connectors.exports.reading import Reading, read_export


def read(path: Path, lines: Sequence[str], answers: dict[str, str] | None = None) -> Reading:
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_export(path, answers or {}, today=date(2026, 11, 30))


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def days(reading: Reading) -> list[date]:
    sales = reading.part("sales")
    assert sales is not None
    return sales["happened_at"].to_pylist()


@pytest.mark.parametrize(
    "state",
    ["Devolución finalizada con reembolso al comprador", "Retoure abgeschlossen", "Zrealizowane, zwrócona część",
     "Completed after refunding", "Возвращена покупателем, заказ выполнен", "交易成功退货中途"],
)  # fmt: skip
def test_a_word_for_an_undoing_in_any_form_leaves_no_finished_sale(state: str) -> None:
    marks = marks_of(state)
    assert marks is None or marks & {"refunded", "cancelled", "returning"}


@pytest.mark.parametrize("state", ["Finalizada", "Completato", "Afgerond", "Tamamlandı", "거래완료", "Verkaufsauftrag"])
def test_finished_sales_in_the_languages_of_shops(state: str) -> None:
    assert marks_of(state) == {"sold"}


@pytest.mark.parametrize(
    ("head", "sale", "back"),
    [("Тип документа", "Продажа", "Возврат"), ("Rodzaj", "Sprzedaż", "Zwrot"), ("İşlem", "Satış", "İade"),
     ("Typ dokladu", "Prodej", "Vratka"), ("구분", "판매", "반품"), ("Typ", "Försäljning", "Retur")],
)  # fmt: skip
def test_kinds_of_documents_are_no_states(head: str, sale: str, back: str, tmp_path: Path) -> None:
    """A row of a return beside that of its sale: not one sale that came back."""
    rows = [f"2026-03-{i % 28 + 1:02},{back if i % 9 == 4 else sale},KA,{i % 3 + 1}" for i in range(45)]
    reading = read(tmp_path / "list.csv", [f"Date,{head},SKU,Quantity", *rows])
    back_units = sum(i % 3 + 1 for i in range(45) if i % 9 == 4)
    assert (asked(reading), reading.returned) == ([], back_units)
    assert reading.sold == sum(i % 3 + 1 for i in range(45)) - back_units


@pytest.mark.parametrize(
    "head", ["Q.tà resa", "Возвращено", "İade Adedi", "Returnerat antal", "Vráceno", "Retour aantal", "Qtd devolvida"]
)
def test_units_that_came_back_in_the_languages_of_shops(head: str, tmp_path: Path) -> None:
    rows = [f"2026-03-{i % 28 + 1:02},KA,{i % 3 + 1},{int(i % 7 == 3)}" for i in range(42)]
    reading = read(tmp_path / "list.csv", [f"Date,SKU,Quantity,{head}", *rows])
    assert (asked(reading), reading.returned) == ([], 6)


def with_count(head: str, above: bool = False) -> list[str]:
    counts = [(9 if above else 2) if i % 7 == 3 else i % 11 == 5 for i in range(60)]
    rows = [f"2026-03-{i % 28 + 1:02},KA,{i % 3 + 2},{int(n)}" for i, n in enumerate(counts)]
    return [f"Date,SKU,Quantity,{head}", *rows]


@pytest.mark.parametrize("head", ["Wrócone", "Xyz", "Vissza"])
def test_a_count_that_no_word_explains_and_never_above_the_units_is_asked(head: str, tmp_path: Path) -> None:
    path, key = tmp_path / "list.csv", f"other_units:{head}"
    reading = read(path, with_count(head))
    assert asked(reading) == [key]
    back = read(path, with_count(head), {key: "returned"})
    assert (back.sold, back.returned, asked(back)) == (reading.sold, 22, [])
    assert read(path, with_count(head), {key: "not_sold"}).sold == reading.sold - 22
    assert read(path, with_count(head), {key: "something_else"}).sold == reading.sold


@pytest.mark.parametrize("head", ["Discount", "Line No", "Stock", "Weight", "Priority number"])
def test_what_a_word_explains_is_not_asked(head: str, tmp_path: Path) -> None:
    assert asked(read(tmp_path / "list.csv", with_count(head))) == []
    assert asked(read(tmp_path / "list.csv", with_count("Xyz", above=True))) == []


@pytest.mark.parametrize("note", ["TEST", "test order - please ignore", "测试单勿发", "Testbestellung", "Dummy order"])
def test_a_test_order_is_asked_about(note: str, tmp_path: Path) -> None:
    rows = [f"{i},2026-03-{i % 28 + 1:02},KA,{500 if i == 7 else 2},{note if i == 7 else ''}" for i in range(40)]
    lines = ["Order,Date,SKU,Quantity,Note", *rows]
    reading = read(tmp_path / "list.csv", lines)
    assert asked(reading) == ["try:Note"] and reading.sold == 78
    assert read(tmp_path / "list.csv", lines, {"try:Note": "sold"}).sold == 578


@pytest.mark.parametrize("note", ["please test the lid first", "latest version", "contest winner", "测试"[:1]])
def test_a_remark_that_speaks_of_testing_is_no_test_order(note: str) -> None:
    assert not tells_of_try(note)


@pytest.mark.parametrize("day_first", [True, False])
@pytest.mark.parametrize("ends", ["W/E", "Week ending", "w/c"])
def test_weeks_named_after_a_day_are_read_by_all_of_them(ends: str, day_first: bool, tmp_path: Path) -> None:
    """06/12/2026 may be in June; beside 13/12/2026 it is not."""
    mondays = [date(2026, 8, 3 + 7 * i) for i in range(4)] + [date(2026, 9, 7 + 7 * i) for i in range(3)]
    heads = [date.fromordinal(m.toordinal() + (0 if ends == "w/c" else 6)) for m in mondays]
    texts = [f"{ends} {d:%d/%m/%Y}" if day_first else f"{ends} {d:%m/%d/%Y}" for d in heads]
    reading = read(tmp_path / "list.csv", [",".join(["SKU", *texts]), "KA,1,2,3,4,5,6,7", "KB,1,2,3,4,5,6,7"])
    assert reading.sold == 56 and sorted(set(days(reading))) == mondays


def test_states_that_stand_on_the_first_row_of_each_order_hold_on_all(tmp_path: Path) -> None:
    """Without the numbers of the orders: the state stands where the date does."""
    rows = [f"2026-03-{i + 1:02},{'Cancelled' if i == 3 else 'Done'},KA,1\n,,KB,2" for i in range(20)]
    reading = read(tmp_path / "list.csv", ["Date,Status,SKU,Quantity", *rows])
    assert (asked(reading), reading.sold) == ([], 57)


@pytest.mark.parametrize("text", ["{w}/2026", "2026-{w:02}", "2026/{w}", "{w:02}.2026"])
def test_numbers_of_weeks_under_their_name(text: str, tmp_path: Path) -> None:
    rows = [f"{text.format(w=w)};KA;{w}" for w in range(1, 12)]
    reading = read(tmp_path / "list.csv", ["KW;Artikel;Menge", *rows])
    assert reading.sold == 66 and days(reading)[0] == date(2025, 12, 29) and days(reading)[-1] == date(2026, 3, 9)


PERIODS = [
    "{m:03}.2026",
    "2026/{m:03}",
    "P{m:02} 2026",
    "P{m}/2026",
    "FY2026 P{m:02}",
    "2026-P{m:02}",
    "Period {m} 2026",
]


@pytest.mark.parametrize("text", PERIODS)
@pytest.mark.parametrize(
    ("answer", "first", "last"),
    [
        ("january", date(2026, 1, 1), date(2026, 6, 30)),
        ("april", date(2026, 4, 1), date(2026, 9, 30)),
        ("april_before", date(2025, 4, 1), date(2025, 9, 30)),
        ("october_before", date(2025, 10, 1), date(2026, 3, 31)),
    ],
)
def test_the_year_of_the_books_is_asked_once(text: str, answer: str, first: date, last: date, tmp_path: Path) -> None:
    down = ["Periode;Material;Absatzmenge", *(f"{text.format(m=m)};KA;{m}0" for m in range(1, 7))]
    across = [";".join(["Material", *(text.format(m=m) for m in range(1, 7))]), "KA;10;20;30;40;50;60"]
    for name, lines in (("down.csv", down), ("across.csv", across)):
        assert asked(read(tmp_path / name, lines)) == ["year_of_books"]
        reading = read(tmp_path / name, lines, {"year_of_books": answer})
        assert (asked(reading), reading.sold, min(days(reading)), max(days(reading))) == ([], 210, first, last)
    assert parse(text.format(m=13)) is None


@pytest.mark.parametrize("header", ["会计期间", "期间"])
def test_in_china_the_year_of_the_books_is_that_of_the_calendar(header: str, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", [f"{header},产品编码,数量", *(f"2026年第{m}期,KA,{m}0" for m in range(1, 7))])
    assert (asked(reading), reading.sold, min(days(reading))) == ([], 210, date(2026, 1, 1))
    assert any("calendar year" in note.text("en") for note in reading.notes)


def test_a_year_of_the_books_that_would_reach_into_days_to_come_is_not_offered(tmp_path: Path) -> None:
    """Period 12 of 2026 is over on 1 December 2026 only where the year began before January."""
    lines = ["Periode;Material;Absatzmenge", *(f"P{m:02} 2026;KA;{m}0" for m in range(1, 13))]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (question,) = read_export(tmp_path / "list.csv", today=date(2026, 10, 1)).questions
    names = [option.name for option in question.options]
    assert "january" not in names and "april" not in names and "october_before" in names


@pytest.mark.parametrize(("value", "units"), [("1,055.08", 26), ("1.055,08", 26_000)])
def test_money_beside_the_units_tells_the_decimal_sign(value: str, units: int, tmp_path: Path) -> None:
    rows = [f"KA;26.000;{value};0{i % 9 + 1}.03.2026" for i in range(20)]
    reading = read(tmp_path / "list.csv", ["Material;Order Quantity;Booked;Doc. Date", *rows])
    assert (asked(reading), reading.sold) == ([], 20 * units)


@pytest.mark.parametrize("unit", ["箱(6件)", "Box (6 pcs)", "箱（6件）", "Karton [6 Stk]"])
def test_a_unit_that_says_in_brackets_how_many_it_holds(unit: str, tmp_path: Path) -> None:
    rows = [f"2026-03-{i % 28 + 1:02},KA,2,{unit if i % 2 else 'pcs'}" for i in range(40)]
    reading = read(tmp_path / "list.csv", ["Date,SKU,Quantity,Unit", *rows])
    assert (asked(reading), reading.sold) == ([], 20 * 2 + 20 * 12)


@pytest.mark.parametrize(
    ("text", "hours"), [("2026-03-05 오전 9:05", 9), ("2026-03-05 오후 12:05", 12), ("2026/3/5 午後 3:05", 15),
                        ("2026/3/5 午前 12:05", 0)]
)  # fmt: skip
def test_halves_of_the_day_in_korean_and_japanese(text: str, hours: int) -> None:
    read_so = parse(text)
    assert read_so is not None and read_so.seconds == hours * 3600 + 300


def cases(heads: str, total: bool, price: str = "") -> list[str]:
    rows = []
    for i in range(30):
        boxes, per = i % 4 + 1, (6, 12, 24)[i % 3]
        money = f",{per * 2 if price == 'of a case' else 2}" if price else ""
        rows.append(f"2026-03-{i % 28 + 1:02},K{i % 3},{boxes},{per}{f',{boxes * per}' if total else ''}{money}")
    return [f"Date,SKU,{heads}{',Price' if price else ''}", *rows]


PIECES = sum((i % 4 + 1) * (6, 12, 24)[i % 3] for i in range(30))
BOXES = sum(i % 4 + 1 for i in range(30))


@pytest.mark.parametrize("heads", ["箱数,每箱数量,总数量", "Menge,Stk je Karton,Xyz", "Quantity,Pcs per box,Sum of it"])
def test_pieces_are_read_where_another_column_counts_cases(heads: str, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", cases(heads, total=True))
    assert (asked(reading), reading.sold) == ([], PIECES)


def test_cases_without_a_column_of_pieces_are_asked_about(tmp_path: Path) -> None:
    lines = cases("箱数,每箱数量", total=False)
    reading = read(tmp_path / "list.csv", lines)
    assert asked(reading) == ["units_column"] and reading.sold == PIECES
    assert read(tmp_path / "list.csv", lines, {"units_column": "箱数"}).sold == BOXES


def test_a_pack_size_beside_pieces_is_nothing(tmp_path: Path) -> None:
    rows = [f"2026-03-{i % 28 + 1:02},K,{(i % 4 + 1) * 6},{i % 4 + 1},6" for i in range(30)]
    reading = read(tmp_path / "list.csv", ["Date,SKU,Quantity,Cartons,Pcs per carton", *rows])
    assert (asked(reading), reading.sold) == ([], 6 * BOXES)


def test_a_row_of_the_whole_order_beside_its_lines_is_a_sum(tmp_path: Path) -> None:
    """Its units are those of the lines that name a product; an order of one line has no such row."""
    rows = []
    for i in range(20):
        day = f"2026-03-{i + 1:02}"
        rows += [f"{i},{day},,3", f"{i},{day},KA,1", f"{i},{day},KB,2"] if i % 2 else [f"{i},{day},KA,5"]
    reading = read(tmp_path / "list.csv", ["Order,Date,SKU,Quantity", *rows])
    assert (asked(reading), reading.sold) == ([], 10 * 3 + 10 * 5)
    rows = [row.replace(",,3", f",,{i % 5 + 4}") for i, row in enumerate(rows)]
    assert asked(read(tmp_path / "list.csv", ["Order,Date,SKU,Quantity", *rows])) == ["no_product"]


@pytest.mark.parametrize("word", ["Subtotale", "Suma częściowa", "Delsumma", "Промежуточный итог", "Ara Toplam"])
def test_sums_of_days_in_the_languages_of_shops(word: str, tmp_path: Path) -> None:
    rows = [f"A{i},2026-03-{i + 1:02},KA,2\nB{i},2026-03-{i + 1:02},KB,3\n{word},,,5" for i in range(20)]
    reading = read(tmp_path / "list.csv", ["Order,Date,SKU,Quantity", *rows])
    assert (asked(reading), reading.sold) == ([], 100)


@pytest.mark.parametrize("word", ["Consigne", "Statiegeld", "Bottle deposit", "Kaucja", "Cauzione", "保証金"])
def test_deposits_and_bags_are_no_goods(word: str, tmp_path: Path) -> None:
    rows = [
        f"2026-03-{i % 28 + 1:02},{'' if i % 5 == 2 else 'KA'},{word if i % 5 == 2 else 'Mug'},2" for i in range(40)
    ]
    reading = read(tmp_path / "list.csv", ["Date,SKU,Name,Quantity", *rows])
    assert (asked(reading), reading.sold) == ([], 64)


@pytest.mark.parametrize("word", ["Pant", "Cargo pant", "Caution tape", "Depósito", "レジ袋"])
def test_goods_that_only_sound_like_a_deposit_stay(word: str, tmp_path: Path) -> None:
    rows = [
        f"2026-03-{i % 28 + 1:02},{'' if i % 5 == 2 else 'KA'},{word if i % 5 == 2 else 'Mug'},2" for i in range(40)
    ]
    assert read(tmp_path / "list.csv", ["Date,SKU,Name,Quantity", *rows]).sold == 80


@pytest.mark.parametrize("state", ["교환완료", "반송완료", "換貨完了"])
def test_an_exchange_or_a_parcel_sent_back_that_is_done_is_no_sale(state: str) -> None:
    assert marks_of(state) is None or not marks_of(state) <= {"sold", "shipped"}


@pytest.mark.parametrize("month", ["Oca 26,Şub 26,Nis 26,Ağu 26", "led 26,úno 26,čvn 26,čvc 26"])
def test_months_of_turkish_and_czech_lists(month: str, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", [f"SKU,{month}", "KA,1,2,3,4", "KB,1,2,3,4"])
    assert (asked(reading), reading.sold) == ([], 20)


@pytest.mark.parametrize(("back", "keys"), [("0,25", ["other_units:Zwroty"]), ("9,75", [])])
def test_parts_of_a_unit_under_a_word_for_a_return_are_asked_about(back: str, keys: list[str], tmp_path: Path) -> None:
    """They may be kilograms or money; where one is above its units, they are no units."""
    rows = [f"2026-03-{i % 28 + 1:02};KA;{i % 3 + 2},75;{back if i % 7 == 3 else '0'};4,20" for i in range(42)]
    reading = read(tmp_path / "list.csv", ["Data;Indeks;Ilość;Zwroty;Cena", *rows])
    assert asked(reading) == keys


@pytest.mark.parametrize("text", ["2026{m:03}", "L{m:02} 2026"])
def test_a_list_whose_dates_cannot_be_read_is_none_of_one_day(text: str, tmp_path: Path) -> None:
    rows = [f"{text.format(m=m)};KA;{m}0" for m in range(1, 9)]
    reading = read(tmp_path / "list.csv", ["Periode;Material;Menge", *rows])
    assert (asked(reading), reading.missing) == ([], ("date",))
    assert [f.code for f in reading.findings] in (["unread_dates"], ["no_date"])


def test_nobody_is_said_to_have_answered_who_was_not_asked(tmp_path: Path) -> None:
    """Two columns of quantities, of which one times the price is the amount."""
    rows = [f"2026-03-{i % 28 + 1:02};KA;{i % 4 + 1};{(i % 4 + 1) * 6};2,50;{(i % 4 + 1) * 15},00" for i in range(40)]
    lines = ["Datum;Artikel;Anzahl Kartons;Menge;Einzelpreis;Betrag", *rows]
    first = read(tmp_path / "list.csv", lines)
    answers = {question.key: question.options[0].name for question in first.questions}
    for given in ({}, answers):
        reading = read(tmp_path / "list.csv", lines, given)
        said = {guess.column for guess in reading.columns if guess.reason.key == "export.by_answer"}
        assert said <= set(given.values())


def test_what_was_answered_is_said_so(tmp_path: Path) -> None:
    rows = [f"2026-03-{i % 28 + 1:02};KA;{i % 4 + 1};{i % 3 + 2}" for i in range(40)]
    lines = ["Datum;Artikel;Stueckzahl A;Stueckzahl B", *rows]
    (question,) = read(tmp_path / "list.csv", lines).questions
    reading = read(tmp_path / "list.csv", lines, {question.key: "Stueckzahl B"})
    assert [g.column for g in reading.columns if g.reason.key == "export.by_answer"] == ["Stueckzahl B"]
