"""What products are chosen by: the table before the columns before the names, in either language and spelling."""

from datetime import UTC, datetime

import pyarrow as pa

from datong.ledger.state import State, state_of_tables
from datong.model.settings import ChainSettings
from datong.network.product_attributes import Attribute, product_attributes

NOW = datetime(2024, 6, 3, tzinfo=UTC)


def shop(products: list[dict[str, object]], attributes: list[dict[str, object]] | None = None) -> State:
    tables = {"products": pa.Table.from_pylist(products)}
    if attributes:
        tables["product_attributes"] = pa.Table.from_pylist(attributes)
    return state_of_tables(ChainSettings("shop"), NOW, tables)


def by_name(state: State) -> dict[str, Attribute]:
    return {one.name: one for one in product_attributes(state)}


def test_the_table_counts_before_the_column_and_the_column_before_the_name() -> None:
    products = [
        {"product": "A", "name": "Black mug", "colour": "white"},
        {"product": "B", "name": "Black mug", "colour": "white"},
        {"product": "C", "name": "Black mug", "colour": None},
    ]
    state = shop(products, [{"product": "A", "attribute": "Color", "value": "red"}])
    colour = by_name(state)["colour"]
    assert colour.values == {"A": "red", "B": "white", "C": "black"}
    assert colour.from_names == {"C"}


def test_one_attribute_and_one_value_in_two_languages_are_one() -> None:
    names = zip("ABC", ("黑色杯", "黑杯", "白杯"), strict=True)
    products: list[dict[str, object]] = [{"product": p, "name": n} for p, n in names]
    products += [{"product": "D", "name": "x"}, {"product": "E", "name": "y"}]
    rows: list[dict[str, object]] = [
        {"product": "D", "attribute": "颜色", "value": "BLACK"},
        {"product": "E", "attribute": "colour", "value": "BLACK"},
    ]
    values = by_name(shop(products, rows))["colour"].values
    assert values["A"] == values["B"] == values["D"] == values["E"] == "BLACK"  # as it is written most often
    assert values["C"] == "白"


def test_values_that_no_list_knows_stay_apart() -> None:
    rows: list[dict[str, object]] = [
        {"product": p, "attribute": "shape", "value": v} for p, v in zip("ABC", ("slim", "wide", "Slim "), strict=True)
    ]
    shape = by_name(shop([{"product": p} for p in "ABC"], rows))["shape"]
    assert shape.values["A"] == shape.values["C"] != shape.values["B"]


def test_what_all_products_have_alike_is_nothing_to_choose_by() -> None:
    products: list[dict[str, object]] = [
        {"product": p, "brand": "Own", "size": s} for p, s in zip("AB", "SM", strict=True)
    ]
    assert list(by_name(shop(products))) == ["size"]


def test_several_colours_of_one_product_are_one_value() -> None:
    products: list[dict[str, object]] = [
        {"product": p, "name": n} for p, n in zip("AB", ("Mug black white", "Mug red"), strict=True)
    ]
    assert by_name(shop(products))["colour"].values == {"A": "black + white", "B": "red"}
