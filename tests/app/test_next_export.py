"""The next export on the same chain: what it has again, what has changed since, and what is gone."""

from collections.abc import Mapping
from pathlib import Path

import pytest

import datong
from datong.app.chain import Chain
from datong.app.cli.main import main
from made_once import lay

Line = tuple[int, str, str, int, str]  # order, day, product, quantity, status

FIRST: list[Line] = [
    (1000 + day, f"2024-01-{day:02}", product, quantity, "paid")
    for day in range(1, 29)
    for product, quantity in (("A", 2), ("B", 1))
]


def written(path: Path, lines: list[Line], more: Mapping[str, str] | None = None, backward: bool = False) -> Path:
    """An export as a shop writes it, of newer dates first where it is `backward`."""
    extra = more or {}
    rows = [f"#{order},{day} 10:00:00,{status},{quantity},{product}" for order, day, product, quantity, status in lines]
    rows = [",".join([row, *extra.values()]) for row in (rows[::-1] if backward else rows)]
    head = ",".join(["Order", "Created at", "Status", "Quantity", "SKU", *extra])
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def tried(folder: Path) -> None:
    """A chain of the first export."""
    export = written(folder / "orders-1.csv", FIRST)
    assert main(["try", str(export), "--yes", "--keep", str(folder / "chain"), "--lang", "en"]) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay(tried, tmp_path) / "chain"


def units(chain: Chain) -> dict[str, float]:
    rows = chain.state().table("sales").to_pylist()
    return {p: sum(r["units"] for r in rows if r["product"] == p and r["state"] == "ordered") for p in ("A", "B")}


def changed(
    lines: list[Line], order: int, product: str, quantity: int | None = None, status: str = "paid"
) -> list[Line]:
    return [
        (o, day, p, (quantity or q), status) if (o, p) == (order, product) else (o, day, p, q, s)
        for o, day, p, q, s in lines
    ]


@pytest.mark.parametrize("backward", [False, True])
def test_what_comes_again_changes_nothing(folder: Path, tmp_path: Path, backward: bool) -> None:
    later: list[Line] = [(2000, "2024-01-30", "A", 5, "paid")]
    export = written(tmp_path / "orders-2.csv", [*FIRST[20:], *later], {"Note": "x"}, backward)
    with datong.open(folder) as chain:
        before = units(chain)
        taken = chain.ingest(export)
        assert [f.code for f in taken.findings if f.severity != "note"] == []
        assert units(chain) == {"A": before["A"] + 5, "B": before["B"]}
        chain.ingest(export)
        assert units(chain) == {"A": before["A"] + 5, "B": before["B"]}


def test_what_is_known_is_counted_once_and_adds_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """8 of 9 order lines and the one return of the next export are known; the offset of its times is not the one by
    which the chain has its days."""

    def export(name: str, days: range, offset: str) -> Path:
        rows = ["Order,Created at,Status,Quantity,SKU,Refunded quantity"]
        rows += [f"#{day},2024-01-{day:02} 10:00:00 {offset},paid,2,A,{int(day == 22)}" for day in days]
        (tmp_path / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
        return tmp_path / name

    chain = str(tmp_path / "chain")
    assert main(["try", str(export("a.csv", range(1, 29), "-0400")), "--yes", "--into", chain, "--lang", "en"]) == 0
    assert "the chain keeps the time of UTC-04:00." in " ".join(capsys.readouterr().out.split())
    assert main(["try", str(export("b.csv", range(21, 30), "-0400")), "--yes", "--into", chain, "--lang", "en"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "known already, as they are: 8 order lines" in said and "as they are: 1 line of returns" in said
    assert "b.csv: 9 rows of sales: 1 new, 0 corrected, 8 already known" in said
    assert "days are those of the chain's time zone, UTC-04:00" in said and "keeps the time" not in said


def test_prices_in_another_currency_than_the_chains_are_told(folder: Path, tmp_path: Path) -> None:
    later: list[Line] = [(2000, "2024-01-30", "A", 5, "paid")]
    with datong.open(folder) as chain:
        for currency, told in (("USD", ["other_currency"]), ("CNY", [])):
            export = written(tmp_path / f"{currency}.csv", [*FIRST, *later], {"Price": "4.00", "Currency": currency})
            assert [f.code for f in chain.ingest(export).findings if f.severity == "warning"] == told


@pytest.mark.parametrize(("ours", "told"), [("AUD", []), ("EUR", ["other_currency"]), ("USD", [])])
def test_a_sign_of_several_currencies_is_that_of_the_chain_where_it_may_be(
    ours: str, told: list[str], folder: Path, tmp_path: Path
) -> None:
    settings = folder / "chain.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + f'currency = "{ours}"\n', encoding="utf-8")
    later: list[Line] = [(2000, "2024-01-30", "A", 5, "paid")]
    with datong.open(folder) as chain:
        taken = chain.ingest(written(tmp_path / "b.csv", [*FIRST, *later], {"Price": "$4.00"}))
    assert [f.code for f in taken.findings if f.severity == "warning"] == told


@pytest.mark.parametrize(
    ("price", "said", "kept"),
    [("4.00", "CNY is assumed", None), ("$4.00", "they are read as USD", "USD"), ("€4.00", "are in EUR", "EUR")],
)
def test_the_first_list_says_in_which_currency_its_money_is(
    price: str, said: str, kept: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = written(tmp_path / "a.csv", FIRST, {"Price": price})
    assert main(["try", str(export), "--yes", "--keep", str(tmp_path / "c"), "--lang", "en"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert said in told and ("is assumed. Where it is another" in told) == (kept is None)
    assert (f'currency = "{kept}"' in (tmp_path / "c" / "chain.toml").read_text(encoding="utf-8")) == bool(kept)


def test_a_list_without_prices_assumes_no_currency(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = written(tmp_path / "a.csv", FIRST)
    assert main(["try", str(export), "--yes", "--keep", str(tmp_path / "c"), "--lang", "en"]) == 0
    assert "is assumed. Where it is another" not in " ".join(capsys.readouterr().out.split())


def test_a_quantity_that_changed_is_corrected(folder: Path, tmp_path: Path) -> None:
    with datong.open(folder) as chain:
        taken = chain.ingest(written(tmp_path / "orders-2.csv", changed(FIRST, 1015, "A", 7)))
        assert units(chain) == {"A": 2 * 28 + 5, "B": 28}
        (told,) = [f.found.text("en") for f in taken.findings if f.code == "corrected"]
        assert told.startswith("1 line with other units than in an earlier export: ") and "1015" in told
        assert told.endswith("(2 → 7)")
        many = [(o, day, p, q + (p == "B"), s) for o, day, p, q, s in changed(FIRST, 1015, "A", 7)]
        taken = chain.ingest(written(tmp_path / "orders-3.csv", many))
        (told,) = [f.found.text("en") for f in taken.findings if f.code == "corrected"]
        assert told.startswith("28 lines") and told.count("→") == 3 and told.endswith(" …")


def test_an_order_that_was_cancelled_since_is_no_sale_any_more(folder: Path, tmp_path: Path) -> None:
    with datong.open(folder) as chain:
        taken = chain.ingest(written(tmp_path / "orders-2.csv", changed(FIRST, 1015, "A", status="cancelled")))
        assert units(chain) == {"A": 2 * 27, "B": 28}
        assert [(f.code, f.found.params[0][1]) for f in taken.findings if f.code == "no_more"] == [("no_more", 1)]
    with datong.open(folder) as again:
        assert units(again) == {"A": 2 * 27, "B": 28}


def test_an_order_that_is_gone_is_told_and_stays(folder: Path, tmp_path: Path) -> None:
    left = [line for line in FIRST if line[0] != 1015]
    with datong.open(folder) as chain:
        taken = chain.ingest(written(tmp_path / "orders-2.csv", left))
        assert units(chain) == {"A": 2 * 28, "B": 28}
        (gone,) = [f for f in taken.findings if f.code == "vanished"]
        assert gone.severity == "warning"
        assert "1015" in gone.text("en")
        lost = sum(line[3] for line in FIRST if line[0] == 1015)
        assert f"({lost} units)" in gone.text("en") and f"{lost} 件" in gone.text("zh")


def of_another_shop(first: int) -> list[Line]:
    """Other order numbers, codes of its own, the same days."""
    return [(order + first, day, "Z" + product, quantity, status) for order, day, product, quantity, status in FIRST]


def test_another_shops_list_is_not_told_as_vanished_lines(folder: Path, tmp_path: Path) -> None:
    """Two shops in one chain: neither's list makes lines of the other's vanish, the first or the second time; one of
    its own that is gone is told."""
    with datong.open(folder) as chain:
        answers = {"same:ZA": "A", "same:ZB": "B"}
        taken = chain.ingest(written(tmp_path / "shop2.csv", of_another_shop(8000)), answers=answers)
        assert [f.code for f in taken.findings if f.code in ("vanished", "other_list")] == ["other_list"]
        assert units(chain) == {"A": 4 * 28, "B": 2 * 28}
        left = [line for line in FIRST if line[0] != 1015]
        taken = chain.ingest(written(tmp_path / "orders-2.csv", left))
        (gone,) = [f for f in taken.findings if f.code == "vanished"]
        assert gone.found.params[0] == ("count", 2)
        assert "sales:#1015" in gone.text("en") and "sales:#9" not in gone.text("en")
        theirs = [line for line in of_another_shop(8000) if line[0] != 9015]
        taken = chain.ingest(written(tmp_path / "shop2-b.csv", theirs))
        (gone,) = [f for f in taken.findings if f.code == "vanished"]
        assert gone.found.params[0] == ("count", 2) and "sales:#9015" in gone.text("en")


def test_of_many_lines_that_are_gone_the_command_names_twenty_and_a_file_has_all(folder: Path, tmp_path: Path) -> None:
    left = [line for line in FIRST if line[0] in (1001, 1002) or line[0] % 3 == 0 or line[0] > 1026]
    with datong.open(folder) as chain:
        taken = chain.ingest(written(tmp_path / "orders-2.csv", left))
    (gone,) = [f for f in taken.findings if f.code == "vanished"]
    (command,) = (line for line in gone.text("en").splitlines() if line.startswith("datong withdraw sales "))
    assert command.count("sales:") == 20
    rows = (folder / ".datong" / "vanished.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows[0] == "row_id,day,product,units" and len(rows) - 1 == gone.found.params[0][1] > 20
    assert str(folder / ".datong" / "vanished.csv") in gone.text("en")


def test_two_lines_of_one_product_are_two(tmp_path: Path) -> None:
    twice = [line for line in FIRST for _ in range(2)]
    export = written(tmp_path / "orders-1.csv", twice)
    answer = ["--answer", "repeated=twice"]
    assert main(["try", str(export), "--yes", *answer, "--keep", str(tmp_path / "chain"), "--lang", "en"]) == 0
    with datong.open(tmp_path / "chain") as chain:
        assert units(chain) == {"A": 4 * 28, "B": 56}
        chain.ingest(written(tmp_path / "orders-2.csv", twice, {"Note": "y"}))
        assert units(chain) == {"A": 4 * 28, "B": 56}


def test_numbers_that_begin_anew_each_day_are_no_order_of_yesterday(tmp_path: Path) -> None:
    """Receipts 1 and 2 of every day."""
    receipts: list[Line] = [(n, f"2024-01-{day:02}", "AB"[n % 2], 3, "paid") for day in range(1, 29) for n in (1, 2)]
    export = written(tmp_path / "orders-1.csv", receipts)
    assert main(["try", str(export), "--yes", "--keep", str(tmp_path / "chain"), "--lang", "en"]) == 0
    with datong.open(tmp_path / "chain") as chain:
        assert units(chain) == {"A": 84, "B": 84}
        more: list[Line] = [(n, "2024-01-29", "AB"[n % 2], 3, "paid") for n in (1, 2)]
        chain.ingest(written(tmp_path / "orders-2.csv", [*receipts[-4:], *more]))
        assert units(chain) == {"A": 87, "B": 87}


@pytest.mark.parametrize("name", ["orders.csv", "sales.csv"])
def test_an_export_may_be_called_like_one_of_our_tables(folder: Path, tmp_path: Path, name: str) -> None:
    with datong.open(folder) as chain:
        chain.ingest(written(tmp_path / name, changed(FIRST, 1015, "A", 7)))
        assert units(chain) == {"A": 2 * 28 + 5, "B": 28}


def test_a_table_with_columns_missing_is_still_that_table(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("product,units\nA,1\n", encoding="utf-8")
    with datong.open(folder) as chain:
        taken = chain.ingest(tmp_path / "sales.csv")
    assert taken.reading is None
    assert "happened_at" in "".join(f.text("en") for f in taken.findings)
