"""Messages, which are texts not yet in a language."""

import tomllib
from importlib.resources import files

import pytest

from datong.app.wording.figures import fitting
from datong.model.words import Catalogue, Message, catalogue, message, say, shown


def text(said: str) -> str:
    return f'{{ en = "{said}", zh = "{said}" }}'


def test_a_file_is_parsed_when_a_text_of_its_areas_is_asked_for() -> None:
    """What is not asked for may even be no TOML."""
    both = f"[one]\nword = {text('1')}\n[two.more]\nword = {text('2')}"
    some = Catalogue({"a.toml": both, "b.toml": "[three]\n= no"})
    assert [some[key]["en"] for key in ("two.more.word", "one.word")] == ["2", "1"]
    assert "one.other" not in some
    assert "four.word" not in some
    with pytest.raises(tomllib.TOMLDecodeError):
        _ = some["three.word"]


def test_an_area_is_in_one_file() -> None:
    with pytest.raises(ValueError, match=r"words/b\.toml: area one is already in a\.toml"):
        Catalogue({"a.toml": f"[one]\nword = {text('1')}", "b.toml": f"[one.more]\nword = {text('2')}"})


def test_every_text_of_every_file_is_found_by_its_key_alone() -> None:
    """Each key is asked of a catalogue that has parsed nothing; a text outside all tables would be in no area."""
    read = {f.name: f.read_text("utf-8") for f in files("datong.model").joinpath("words").iterdir()}
    areas = {area for said in read.values() for area in tomllib.loads(said)}
    assert {key.partition(".")[0] for key in catalogue()} == areas
    for area in areas:
        first = next(key for key in catalogue() if key.startswith(f"{area}."))
        assert Catalogue(read)[first] == catalogue()[first]


def test_messages_of_one_kind_share_the_names_of_their_places() -> None:
    """A plan of a large chain has millions of places."""
    one, other = message("order.due", due=1, units=2), message("order.due", due=3, units=4)
    assert one.names is other.names
    assert (one.params, other.params) == ((("due", 1), ("units", 2)), (("due", 3), ("units", 4)))


@pytest.mark.parametrize(
    ("key", "number", "one", "two"),
    [
        ("terminal.orders", "count", "The 1 order that matters most, of 9", "The 2 orders that matter most, of 9"),
        ("plan.set_up_hours", "hours", "1 hour of set-up", "2 hours of set-up"),
        ("report.market.hours", "hours", "1 hour", "2 hours"),
    ],
)
def test_one_is_no_several(key: str, number: str, one: str, two: str) -> None:
    assert [say(key, "en", all=9, **{number: n}) for n in (1, 2)] == [one, two]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (160.0, "160"),
        (160.5, "160.5"),
        (1_203.3, "1,203.3"),
        (160.25, "160.25"),
        (41.35, "41.4"),
        (41.25, "41.25"),
        (1_780.905, "1,781"),
        (133.3333, "133"),
        (99.99999999, "100"),
        (0.4567, "0.46"),
        (-160.5, "-160.5"),
    ],
)
def test_units_in_parts_are_shown_as_they_are(value: float, told: str) -> None:
    """In sentences and in tables alike: 160.5 of a plan were 160 and 161 to those who added them up."""
    assert fitting(value) == told
    assert f"{shown(value):,.10g}" == told


@pytest.mark.parametrize(
    ("when", "en", "zh"),
    [
        (message("plan.day", day="2026-03-05"), "RIM is short on 2026-03-05", "RIM 在2026-03-05 当天不足"),
        (message("plan.week", day="2026-03-02"), "RIM is short in the week of 2026-03-02", "RIM 在2026-03-02 当周不足"),
    ],
)
def test_what_is_short_in_a_week_is_short_on_a_day(when: Message, en: str, zh: str) -> None:
    told = message("plan.why_late.short", name="RIM", when=when)
    assert told.text("en") == en
    assert told.text("zh").replace(" ", "") == zh.replace(" ", "")
