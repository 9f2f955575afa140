"""A file of goods that arrived, under any name: never sales in silence, and held against the orders it names."""

from pathlib import Path

import pytest

import datong
from datong.app.chain import Chain
from datong.model.errors import Asked
from made_once import lay

HEAD = "happened_at,order,product,units"
FILES = {
    "chain.toml": 'name = "shop"\nstart = 2026-03-02\nbucket = "week"\nhorizon_buckets = 4\n',
    "products.csv": "product,name\nS,Small\nL,Large\n",
    "offers.csv": "offer,product,price,lead_days\nS/V,S,2,3\nL/V,L,2,3\n",
    "sales.csv": "sale,happened_at,product,units\n" + "".join(f"s{i},2026-02-{i:02},S,3\n" for i in range(1, 28)),
    "orders.csv": "order,kind,product,units,start,due\n"
    "P20260301-001,buy,S,15,2026-03-02,2026-03-05\nP20260301-002,buy,L,20,2026-03-02,2026-03-05\n",
}


def made(folder: Path) -> None:
    (folder / "chain").mkdir()
    for name, text in FILES.items():
        (folder / "chain" / name).write_text(text, encoding="utf-8")


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    with datong.open(lay(made, tmp_path) / "chain") as opened:
        yield opened


def sold(chain: Chain) -> float:
    return sum(chain.state().table("sales")["units"].to_pylist())


def received(chain: Chain) -> list[tuple[str, float]]:
    rows = chain.state().table("receipts").to_pylist()
    return sorted((row["order"], row["units"]) for row in rows)


def written(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["到货.csv", "rc.csv"])
def test_the_columns_of_receipts_are_receipts_under_any_name(chain: Chain, tmp_path: Path, name: str) -> None:
    before = sold(chain)
    chain.ingest(written(tmp_path / name, "2026-03-05,P20260301-001,S,10"))
    assert sold(chain) == before and received(chain) == [("P20260301-001", 10.0)]


@pytest.mark.parametrize(
    ("name", "number"), [("list.csv", "P20260301-001"), ("三月到货.csv", "77"), ("Goods received.csv", "77")]
)
def test_a_file_that_may_be_of_goods_that_arrived_is_asked_and_is_no_sales_until_then(
    chain: Chain, tmp_path: Path, name: str, number: str
) -> None:
    head = "Date,Order number,SKU,Quantity"
    rows = [f"2026-03-0{i},{number if i == 5 else i},S,10" for i in range(1, 6)]
    before, file = sold(chain), written(tmp_path / name, *rows, head=head)
    with pytest.raises(Asked) as raised:
        chain.ingest(file)
    assert [question.key for question in raised.value.questions] == ["own_orders"]
    assert sold(chain) == before
    chain.ingest(file, answers={"own_orders": "sales"}, to_ask=["own_orders"])
    assert sold(chain) == before + 50


def test_a_shops_own_numbers_are_no_question(chain: Chain, tmp_path: Path) -> None:
    before = sold(chain)
    rows = [f"2026-03-0{i},10{i},S,2" for i in range(1, 6)]
    chain.ingest(written(tmp_path / "shop.csv", *rows, head="Date,Order number,SKU,Quantity"))
    assert sold(chain) == before + 10


def test_more_than_was_ordered_and_another_product_are_told(chain: Chain, tmp_path: Path) -> None:
    rows = ["2026-03-05,P20260301-001,S,500", "2026-03-05,P20260301-002,S,5"]
    taken = chain.ingest(written(tmp_path / "receipts.csv", *rows))
    told = {found.code: found for found in taken.findings}
    assert "500 received of order P20260301-001, 500 in all; 15 were ordered" in told["receipt_too_many"].text("en")
    assert "5 of S received under order P20260301-002, which is of L" in told["receipt_of_other"].text("en")
    for code in ("receipt_too_many", "receipt_of_other"):
        row = dict(told[code].remedy.params)["row_id"]
        assert chain.withdraw("receipts", [row]) == 1
    assert received(chain) == []


def test_what_arrives_as_ordered_is_told_nothing_of(chain: Chain, tmp_path: Path) -> None:
    taken = chain.ingest(written(tmp_path / "receipts.csv", "2026-03-05,P20260301-001,S,10"))
    taken = chain.ingest(written(tmp_path / "receipts.csv", "2026-03-05,P20260301-001,S,10"))
    assert not [found for found in taken.findings if found.code.startswith("receipt_")]


@pytest.mark.parametrize("cell", ["10箱", "1.5 boxes"])
def test_boxes_are_no_pieces(chain: Chain, tmp_path: Path, cell: str) -> None:
    taken = chain.ingest(written(tmp_path / "到货.csv", f"2026-03-05,P20260301-001,S,{cell}"))
    assert received(chain) == [] and any(found.severity == "error" for found in taken.findings)
