"""Products of a file as products of a chain: by codes, by names; what differs is never taken for one in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.connectors.exports.matching.gtin import check_digit, gtin_of
from datong.connectors.exports.matching.match import DOUBT, OWN, SAME, Item, Match, catalogue_of, match
from datong.ledger.product_names.attributes import attributes_of, conflict

KNOWN = catalogue_of(
    [
        Item("KA-10", ("Hemro Nordic plate, blue, 20 cm",), ("4006381333931",)),
        Item("MUG-3", ("Hemro Luna mug ceramic blue 300 ml",)),
        Item("MUG-5", ("Hemro Luna mug ceramic blue 500 ml",)),
        Item("TEE-S", ("Kaldi Terra t-shirt black S",)),
        Item("TEE-L", ("Kaldi Terra t-shirt black L",)),
        Item("SOCK-3", ("Okami Atlas socks grey 3 pairs",)),
        Item("FAN-A7", ("Solvane Breeze fan A7 white",)),
    ]
)


def found(code: str, name: str = "", *more: str) -> Match:
    return match([Item(code, (name,) if name else (), more)], KNOWN)[0]


def outcome(code: str, name: str = "", *more: str) -> tuple[str, str]:
    one = found(code, name, *more)
    return one.outcome, one.product or (one.candidates[0][0] if one.candidates else "")


# --- codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [("4006381333931", "04006381333931"), ("4006381333932", None), ("036000291452", "00036000291452"),
     ("96385074", "00000096385074"), ("2012345678900", None), ("0000000000000", None), ("12345", None), (None, None),
     ("40 06381 333931", "04006381333931")],
)  # fmt: skip
def test_trade_item_numbers(text: str | None, number: str | None) -> None:
    """4006381333931: 3*(3+3+3+8+6+0) = 69 of the second, fourth ... digit and 9+3+1+3+0+4 = 20 of the others: 89 to 90
    lacks 1."""
    assert gtin_of(text) == number


@given(st.text("0123456789", min_size=12, max_size=12))
def test_a_slip_in_one_digit_is_no_number(body: str) -> None:
    whole = body + check_digit(body)
    for at in range(13):
        slip = whole[:at] + str((int(whole[at]) + 1) % 10) + whole[at + 1 :]
        assert gtin_of(slip) is None


def test_codes_come_first() -> None:
    assert outcome("KA-10") == (SAME, "KA-10")
    assert outcome("4006381333931") == (SAME, "KA-10")
    assert outcome("x", "Plate blue", "4006381333931") == (SAME, "KA-10")
    assert found("x", "", "KA-10").how == "other_code"


def test_a_code_that_differs_in_marks_alone_needs_a_name() -> None:
    assert outcome("ka 10") == (DOUBT, "KA-10")
    assert outcome("ka10", "Nordic plate blue 20cm Hemro") == (SAME, "KA-10")


@pytest.mark.parametrize("code", ["MUG-3", "mug3"])
def test_a_code_with_the_name_of_another_product_is_asked_about(code: str) -> None:
    one = found(code, "Hemro Luna mug ceramic blue 350 ml")
    assert (one.outcome, one.differs) == (DOUBT, "measures")


def test_a_barcode_with_another_colour_is_asked_about() -> None:
    assert found("x", "Hemro Nordic plate red", "4006381333931").differs == "colours"


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "product"),
    [("blue ceramic Luna mug 0.3l by Hemro", "MUG-3"), ("HEMRO LUNA MUG BLU CERAMIC 500ML", "MUG-5"),
     ("T-Shirt large black, Terra, Kaldi", "TEE-L"), ("Atlas sock grey 3-pair Okami", "SOCK-3"),
     ("Hemro Luna 蓝色 陶瓷 马克杯 500毫升", "MUG-5")],
)  # fmt: skip
def test_a_name_in_other_words_is_the_same(name: str, product: str) -> None:
    assert outcome("other", name) == (SAME, product)


@pytest.mark.parametrize(
    ("name", "differs"),
    [("Hemro Luna mug ceramic blue", "lacks_measures"), ("Terra t-shirt black Kaldi", "lacks_sizes"),
     ("Hemro Luna mug cer blue 300 ml Okami", ""), ("Solvane fan Breeze A7", "lacks_colours"),
     ("Okami Luna mug ceramic blue 300 ml", "words")],
)  # fmt: skip
def test_what_a_name_leaves_open_is_asked(name: str, differs: str) -> None:
    one = found("other", name)
    assert one.differs == differs and one.outcome == (DOUBT if differs else SAME)


@pytest.mark.parametrize(
    "name", ["Garden hose 20 m", "Hemro Luna mug ceramic blue 350 ml", "Kaldi Terra t-shirt black M"]
)
def test_what_is_unlike_is_a_product_of_its_own(name: str) -> None:
    assert outcome("other", name) == (OWN, "")


def test_two_codes_of_one_file_are_not_one_by_their_names() -> None:
    name = "blue ceramic Luna mug 300 ml Hemro"
    assert [m.outcome for m in match([Item("a", (name,)), Item("b", (name,))], KNOWN)] == [DOUBT, DOUBT]


PARTS = {
    "colour": ("blue", "black", "light blue", "navy", "红色", "墨绿色"),
    "size": ("S", "XL", "42码", "均码"),
    "volume": ("300 ml", "0.5l", "1升", "250毫升"),
    "count": ("3 pack", "set of 6", "8只装", "两双装"),
    "model": ("A7", "A7 Pro", "X200", "B12 Mini"),
}


@st.composite
def _pairs_that_differ(draw: st.DrawFn) -> tuple[str, str]:
    """Two names of one good, brand and line that differ in one attribute, said in any order."""
    kinds = draw(st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=4, unique=True))
    values = {kind: draw(st.sampled_from(PARTS[kind])) for kind in kinds}
    other = draw(st.sampled_from(kinds))
    another = draw(st.sampled_from([v for v in PARTS[other] if v != values[other]]))
    words = ["Hemro", "Luna", draw(st.sampled_from(["mug", "马克杯", "t-shirt", "socks", "colander"]))]
    one = draw(st.permutations([*words, *values.values()]))
    two = draw(st.permutations([*words, *(values | {other: another}).values()]))
    return " ".join(one), " ".join(two)


@given(_pairs_that_differ())
def test_products_that_differ_are_never_one_without_a_question(pair: tuple[str, str]) -> None:
    one, other = pair
    known = catalogue_of([Item("A", (one,), ("4006381333931",)), Item("Z", ("Kaldi garden hose 20 m",))])
    for item in (
        Item("B", (other,)), Item("A", (other,)), Item("a", (other,)), Item("B", (other,), ("4006381333931",)),
    ):  # fmt: skip
        assert match([item], known)[0].outcome != SAME, conflict(attributes_of(one), attributes_of(other))


def test_what_names_say() -> None:
    told = attributes_of("Towel 70x140cm, white, set of 2")
    assert (told.measures, told.colours, told.counts) == ({"1400 mm x 700 mm"}, {"white"}, {"2"})
    assert attributes_of("袜子 十二双装 均码").told() | {} == attributes_of("Socks 12 pairs one size").told() | {}
    assert attributes_of("Mug 0.3l").measures == attributes_of("马克杯300毫升").measures == {"300 ml"}
    assert attributes_of("pack of 4 M").sizes == {"m"} and attributes_of("Cable 4 m").measures == {"4000 mm"}
