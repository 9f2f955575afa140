"""Texts that name an option: a command must have it that can show the text."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from datong.app.cli.main import main, parser
from datong.model.words import LANGUAGES, catalogue

# Commands that can show a text which names an option without a command before it, by the text or what begins so.
SHOWN_BY: Mapping[str, tuple[str, ...]] = {
    "app.guess_no_terminal": ("try",),
    "app.not_a_demo": ("demo",),
    "app.nothing_to_release": ("release",),
    "app.withdraw_what": ("withdraw",),
    "app.without_alone": ("release",),
    "app.without_unknown": ("release",),
    "balance.circles_unknown_to_prices": ("balance", "quote"),
    "balance.fractions": ("balance",),
    "balance.no_earlier": ("balance", "quote"),
    "balance.other_chain": ("balance",),
    "balance.unknown_to_prices": ("balance", "quote"),
    "branch.exists": ("branch",),
    "branch.not_a_change": ("branch",),
    "branch.not_a_row": ("branch",),
    "branch.nothing_to_do": ("branch",),
    "branch.one_thing": ("branch",),
    "branch.there_already": ("branch",),
    "cli.balance.warm": ("balance",),
    "cli.quote.from": ("balance",),
    "cli.release.without": ("release",),
    "cli.take.low": ("take",),
    "compare.more": ("compare",),
    "branch.more": ("compare",),
    "export.asked": ("try", "ingest"),
    "export.asks.mixed_units": ("try", "ingest"),
    "export.markets_summed": ("try", "ingest"),
    "export.may_be_months": ("try", "ingest"),
    "export.rounded_codes": ("try", "ingest"),
    "export.spread": ("try", "ingest"),
    "export.unpaid_shipped": ("try", "ingest"),
    "findings.": ("take",),
    "heard.": ("try", "ingest"),
    "matching.": ("try", "ingest"),
    "offers.how": ("take", "refuse"),
    "order_list.apart_row": ("try",),
    "order_list.not_kept": ("try",),
    "privacy.": ("forget",),
    "quote.": ("quote",),
    "replenish.": ("replenish",),
    "serving.": ("serve",),
    "since.more": ("run",),
    "store.kept_elsewhere": ("run",),
    "store.name_taken": ("run",),
    "store.join_what": ("run",),
    "cli.join": ("run",),
}
_OPTION = re.compile(r"--[a-z][a-z-]*")
_COMMAND = re.compile(r"datong ([a-z]+)")
# Commands of other programs, with their own options.
_OTHERS = re.compile(r"\bcreatedb\b[^.。]*")


def _options() -> dict[str, set[str]]:
    """Options by command."""
    top = parser("en")
    (commands,) = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    return {name: set(p._option_string_actions) for name, p in commands.choices.items()}


def _wrong(key: str, text: str, options: Mapping[str, set[str]]) -> list[str]:
    """Options of a text that neither a command before it in the text has, nor every command that can show the text."""
    found, text = [], _OTHERS.sub("", text)
    for match in _OPTION.finditer(text):
        before = [m[1] for m in _COMMAND.finditer(text[: match.start()]) if m[1] in options]
        all_shown = (names for start, names in SHOWN_BY.items() if f"{key}.".startswith(f"{start.rstrip('.')}."))
        shown = [name for names in all_shown for name in names]
        has = [name for name in (*before, *shown) if match[0] in options[name]]
        if not {*has} & {*before} and (not shown or not {*shown} <= {*has}):
            found.append(f"{key}: {match[0]} of {before[-1:] + shown or 'no command'}")
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_that_a_text_names_is_one_of_a_command_that_can_show_it(language: str) -> None:
    options = _options()
    wrong = [w for key, texts in catalogue().items() for w in _wrong(key, texts[language], options)]
    assert wrong == []
    assert _wrong("app.x", "Name it with --table.", options) == ["app.x: --table of no command"]
    assert _wrong("export.asked", "Name it with --table.", options) == ["export.asked: --table of ['try', 'ingest']"]
    assert _wrong("app.x", "datong try FILE --table T", options) == ["app.x: --table of ['try']"]


@pytest.mark.parametrize("command", [["try", "nosuch.csv", "--into", "x1"], ["ingest", "nosuch.csv", "--chain", "."]])
def test_a_file_that_is_not_there_is_told_without_options_that_do_not_help(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "."]) == 0
    assert main([*command, "--lang", "en"]) == 1
    said = capsys.readouterr()
    assert "No such file" in said.out and "Nothing of nosuch.csv was taken in" in said.err
    assert "--table" not in said.err and "--mapping" not in said.err
