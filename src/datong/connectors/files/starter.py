"""Writes a starter folder: commented settings, and small tables of examples that pass `datong check`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from datong.connectors.files.settings import SETTINGS_FILE
from datong.connectors.files.write_whole import write_whole
from datong.model.errors import Refused
from datong.model.settings import ChainSettings, Defaults, Netting
from datong.model.tables import tables
from datong.model.words import message, say

_Rows = Sequence[Sequence[str]]

# Tables that hold no words, the same in every language.
_WITHOUT_WORDS: Mapping[str, _Rows] = {
    "recipes": (
        ("recipe", "product", "line", "hours_per_unit", "cost_per_unit", "min_lot_units", "lead_days"),
        ("BAG-01/1", "BAG-01", "SEW-1", "0.2", "21", "10", "7"),
        ("BAG-02/1", "BAG-02", "SEW-2", "0.5", "48", "5", "7"),
    ),
    "stock": (("happened_at", "product", "units"), ("2026-01-05", "BAG-01", "8"), ("2026-01-05", "BAG-02", "3")),
    "economics": (
        ("product", "holding_cost_per_unit_week", "late_cost_per_unit_week", "lost_sale_cost_per_unit"),
        ("BAG-01", "0.25", "1.2", "59"),
        ("BAG-02", "0.5", "2.6", "129"),
    ),
}

_TABLES: Mapping[str, Mapping[str, _Rows]] = {
    "en": {
        "products": (
            ("product", "name", "category_a", "price", "launched_on"),
            ("BAG-01", "Canvas bag", "Bags", "59", "2025-03-01"),
            ("BAG-02", "Backpack", "Bags", "129", "2025-09-01"),
        ),
        "sales": (
            ("sale", "happened_at", "product", "units", "price", "customer"),
            ("S-1001", "2026-01-05 10:20", "BAG-01", "2", "59", "C-17"),
            ("S-1002", "2026-01-06 16:45", "BAG-02", "1", "129", "C-08"),
            ("S-1003", "2026-01-07", "BAG-01", "3", "55", ""),
        ),
        "lines": (
            ("line", "name", "hours_per_week"),
            ("SEW-1", "Sewing line 1", "40"),
            ("SEW-2", "Sewing line 2", "40"),
        ),
        **_WITHOUT_WORDS,
    },
    "zh": {
        "products": (
            ("product", "name", "category_a", "price", "launched_on"),
            ("BAG-01", "帆布包", "箱包", "59", "2025-03-01"),
            ("BAG-02", "双肩包", "箱包", "129", "2025-09-01"),
        ),
        "sales": (
            ("sale", "happened_at", "product", "market", "units", "price", "customer"),
            ("S-1001", "2026-01-05 10:20", "BAG-01", "天猫店", "2", "59", "C-17"),
            ("S-1002", "2026-01-06 16:45", "BAG-02", "天猫店", "1", "129", "C-08"),
            ("S-1003", "2026-01-07", "BAG-01", "抖音店", "3", "55", ""),
        ),
        "lines": (("line", "name", "hours_per_week"), ("SEW-1", "车缝一线", "40"), ("SEW-2", "车缝二线", "40")),
        **_WITHOUT_WORDS,
    },
}

# What a starter says where it differs from the default.
_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "en": {"name": "My chain"},
    "zh": {"name": "我的供应链", "time_zone": "Asia/Shanghai", "country": "CN"},
}


def write_starter(folder: Path, language: str) -> tuple[Path, ...]:
    """Write the starter and return its files. Raises Refused where the folder has files or cannot be written."""
    language = language if language in _TABLES else "en"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Refused(message("starter.folder_not_empty", folder=str(folder)))
        # The mark at the start makes Excel read Chinese as UTF-8.
        encoding = "utf-8-sig" if language == "zh" else "utf-8"
        texts = {SETTINGS_FILE: _settings_text(language), "README.md": _readme(language)}
        texts |= {f"{name}.csv": _csv(rows) for name, rows in _TABLES[language].items()}
        for name, text in texts.items():
            how = encoding if name.endswith(".csv") else "utf-8"
            write_whole(folder / name, text.encode(how))
    except OSError as error:
        reason = error.strerror or str(error)
        raise Refused(message("starter.not_a_folder", folder=str(folder), reason=reason)) from error
    return tuple(folder / name for name in texts)


def _csv(rows: _Rows) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _settings_text(language: str) -> str:
    """chain.toml with every setting of ChainSettings, each under its comment."""
    lines = [f"# {say('starter.settings_head', language)}", ""]
    given = _EXAMPLES[language]
    defaults = ChainSettings(name="")
    for setting in fields(ChainSettings):
        if setting.name in ("defaults", "assumed", "netting"):
            continue
        value = given.get(setting.name, getattr(defaults, setting.name))
        lines.append(f"# {say(f'starter.setting.{setting.name}', language)}")
        lines.append(f"# {setting.name} = 2026-01-05" if value is None else f"{setting.name} = {_toml(value)}")
    lines += ["", f"# {say('starter.defaults_head', language)}", "[defaults]"]
    for setting in fields(Defaults):
        lines.append(f"# {say(f'starter.setting.{setting.name}', language)}")
        lines.append(f"{setting.name} = {_toml(getattr(defaults.defaults, setting.name))}")
    lines += ["", f"# {say('starter.netting_head', language)}", "[netting]"]
    for setting in fields(Netting):
        lines.append(f"# {say(f'starter.setting.{setting.name}', language)}")
        lines.append(f"{setting.name} = {_toml(getattr(defaults.netting, setting.name))}")
    example = say("starter.assumed_example", language)
    lines += ["", f"# {say('starter.assumed_head', language)}", '# [assumed."lines.hours_per_week"]']
    lines += [f'# {language} = "{example}"']
    lines += ["", f"# {say('starter.email_head', language)}", *(f"# {line}" for line in _EMAIL_EXAMPLE), ""]
    return "\n".join(lines)


_EMAIL_EXAMPLE = (
    "[email]",
    'from = "orders@example.com"',
    'user = "orders@example.com"',
    'smtp_host = "smtp.example.com"',
    'imap_host = "imap.example.com"',
)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _readme(language: str) -> str:
    def text(key: str) -> str:
        return say(f"starter.readme.{key}", language)

    lines = [f"# {text('title')}", "", text("intro"), "", f"## {text('files_head')}", ""]
    lines.append(f"- `{SETTINGS_FILE}`: {text('settings_row')}")
    for name in _TABLES[language]:
        table = tables()[name]
        lines.append(f"- `{name}.csv`: {table.zh if language == 'zh' else table.en}")
    rules = ("rule_required", "rule_dates", "rule_numbers", "rule_empty", "rule_all")
    lines += ["", f"## {text('rules_head')}", "", *(f"- {text(rule)}" for rule in rules)]
    lines += ["", f"## {text('next_head')}", "", f"1. {text('next_check')}", f"2. {text('next_run')}", ""]
    return "\n".join(lines)
