"""Reads chain.toml, the settings of a chain."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from datong.connectors.files.changed_while_read import no_file
from datong.ledger.row_checks import LIKELY_DAYS, nearest, nearest_hint, shown
from datong.model.findings import Finding, finding
from datong.model.settings import LOCAL_HOSTS, ChainSettings, Defaults, EmailSettings, Netting, VoiceSettings
from datong.model.tables import LARGEST, tables
from datong.model.words import LANGUAGES, Message, message

SETTINGS_FILE = "chain.toml"
_SECTIONS = ("defaults", "netting", "assumed", "email", "voice")


@dataclass(frozen=True)
class _Rule:
    """What a setting may be: `accepts` its values, `says` so in a finding."""

    accepts: Callable[[Any], bool]
    says: Message


def _whole(at_least: int, at_most: int) -> _Rule:
    said = message("check.whole_between", low=at_least, high=at_most)
    return _Rule(lambda v: isinstance(v, int) and not isinstance(v, bool) and at_least <= v <= at_most, said)


def _number(at_least: float, at_most: float) -> _Rule:
    said = message("check.number_between", low=f"{at_least:,g}", high=f"{at_most:,.0f}")
    return _Rule(lambda v: isinstance(v, int | float) and not isinstance(v, bool) and at_least <= v <= at_most, said)


def _day(first: date, last: date) -> _Rule:
    said = message("check.a_day", first=first, last=last)
    return _Rule(lambda v: isinstance(v, date) and not isinstance(v, datetime) and first <= v <= last, said)


def _one_of(*words: str) -> _Rule:
    return _Rule(lambda v: v in words, message("check.one_of", words=", ".join(f'"{w}"' for w in words)))


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(value) and ZoneInfo(value) is not None
    except (KeyError, ValueError, OSError):
        return False


def _is_country(value: Any) -> bool:
    if value == "":
        return True
    import holidays  # half the time that a small folder takes to check

    return isinstance(value, str) and value in holidays.list_supported_countries()


# Days that a plan may start on: those that are not odd in a table.
_FIRST_START, _LAST_START = (day.astype(date) for day in (LIKELY_DAYS[0], LIKELY_DAYS[1] - 1))
# Most that a share of the price may be, and most buckets and days.
MOST_SHARE, MOST_BUCKETS, MOST_DAYS = 1_000, 520, 3650
_YES_OR_NO = _Rule(lambda v: isinstance(v, bool), message("check.yes_or_no"))
_RULES: Mapping[str, _Rule] = {
    "name": _Rule(lambda v: isinstance(v, str) and bool(v.strip()), message("check.a_name")),
    "time_zone": _Rule(_is_zone, message("check.a_time_zone")),
    "currency": _Rule(lambda v: isinstance(v, str) and bool(re.fullmatch("[A-Z]{3}", v)), message("check.a_currency")),
    "bucket": _one_of("day", "week"),
    "start": _day(_FIRST_START, _LAST_START),
    "horizon_buckets": _whole(1, MOST_BUCKETS),
    "country": _Rule(_is_country, message("check.a_country")),
    "promise_days": _whole(0, MOST_DAYS),
    "frozen_buckets": _whole(0, MOST_BUCKETS),
    "max_late_days": _whole(0, MOST_DAYS),
    "path_count": _whole(1, 10_000),
    "seed": _whole(0, 2**32 - 1),
    "history": _one_of("declared", "live"),
    "plan_quotes": _YES_OR_NO,
    "plan_inquiries": _YES_OR_NO,
}
# Factors make something dearer; other defaults are money, days or shares of the price.
_DEFAULTS: Mapping[str, _Rule] = {
    **{f.name: _number(0, MOST_SHARE) for f in fields(Defaults)},
    "price": _number(0, LARGEST["money per unit"]),
    "offer_lead_days": _number(0, MOST_DAYS),
    "priority_factor": _number(1, MOST_SHARE),
    "firm_factor": _number(1, MOST_SHARE),
}
_NETTING: Mapping[str, _Rule] = {
    "orders": _one_of("consume", "add"),
    "back_days": _whole(0, MOST_DAYS),
    "forward_days": _whole(0, MOST_DAYS),
    "own_forecast": _YES_OR_NO,
}
# One address in plain letters, as the protocol of mail has them; no list of several, and nothing that ends a line.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]+")


def _text(accepts: Callable[[str], Any], says: str) -> _Rule:
    return _Rule(lambda v: isinstance(v, str) and bool(accepts(v)), message(f"check.{says}"))


def _is_one_line(text: str) -> bool:
    return bool(text.strip()) and text.isprintable()


_HOST_RULE, _LINE_RULE = _text(_HOST.fullmatch, "a_host"), _text(_is_one_line, "one_line")
_EMAIL: Mapping[str, _Rule] = {
    "from": _text(ADDRESS.fullmatch, "an_address"),
    "user": _LINE_RULE,
    "smtp_host": _HOST_RULE,
    "smtp_port": _whole(1, 65_535),
    "smtp_security": _one_of("tls", "starttls", "unencrypted"),
    "imap_host": _HOST_RULE,
    "imap_port": _whole(1, 65_535),
    "imap_security": _one_of("tls", "starttls", "unencrypted"),
    "folder": _LINE_RULE,
    "taken_folder": _LINE_RULE,
    "password_file": _LINE_RULE,
}
_EMAIL_NEEDED = ("from", "smtp_host", "imap_host")
# An address without a password, a question or a part behind it.
_WEB = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#@]*)?")
_VOICE: Mapping[str, _Rule] = {
    "address": _text(_WEB.fullmatch, "a_web_address"),
    "model": _LINE_RULE,
    "at_once": _whole(1, 200),
}
_VOICE_NEEDED = ("address", "model")
# What must not stand in a file that is passed on.
_SECRET = ("password", "key", "api_key", "token")


def read_settings(folder: Path) -> tuple[ChainSettings | None, list[Finding]]:
    """Settings of a chain folder and what is wrong with them.

    A setting that is wrong is reported and replaced by its default, so that the tables can be checked all the same.
    None where there is no chain.toml that can be read.
    """
    path = folder / SETTINGS_FILE
    refused = no_file(path)
    if refused is not None and path.exists():
        return None, [refused]
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        return None, [finding("error", "check.no_settings", SETTINGS_FILE)]
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        return None, [finding("error", "check.settings_encoding", SETTINGS_FILE, row=row)]
    except OSError as error:
        reason = error.strerror or str(error)
        return None, [finding("error", "check.unreadable_file", SETTINGS_FILE, reason=reason)]
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return None, [toml_finding(SETTINGS_FILE, str(error), text)]
    settings, findings = _settings(tree, text, folder.resolve().name)
    return settings, [*findings, *_email(tree, text)[1], *_voice(tree, text)[1]]


def read_email(folder: Path) -> EmailSettings | None:
    """The section [email] of a chain whose settings are right (`read_settings`); None where it has none."""
    return _email(*_tree_of(folder))[0]


def read_voice(folder: Path) -> VoiceSettings | None:
    """The section [voice], likewise."""
    return _voice(*_tree_of(folder))[0]


def _tree_of(folder: Path) -> tuple[Mapping[str, Any], str]:
    text = (folder / SETTINGS_FILE).read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    return tomllib.loads(text), text


def _voice(tree: Mapping[str, Any], text: str) -> tuple[VoiceSettings | None, list[Finding]]:
    """The section [voice] where it is there and nothing of it is wrong, and what is wrong."""
    given, findings = _section("voice", _VOICE, _VOICE_NEEDED, tree, text)
    return (None if given is None else VoiceSettings(**given)), findings


def _section(
    name: str, rules: Mapping[str, _Rule], needed: Sequence[str], tree: Mapping[str, Any], text: str
) -> tuple[dict[str, Any] | None, list[Finding]]:
    """What a section says where it is there and nothing of it is wrong, and what is wrong."""
    section = tree.get(name)
    if section is None:
        return None, []
    if not isinstance(section, dict):
        return None, [_wrong_value(name, section, message(f"check.section_{name}"), text)]
    findings: list[Finding] = []
    given: dict[str, Any] = {}
    for key, value in section.items():
        if key in rules:
            _take(given, key, value, rules[key], text, findings)
        elif key in _SECRET:
            row = _line_of(key, text)
            findings.append(finding("error", f"check.secret_in_{name}", SETTINGS_FILE, row=row, column=name))
        else:
            findings.append(_unknown_key(key, list(rules), text))
    row = _line_of(name, text)
    for key in needed:
        if key not in section:
            findings.append(finding("error", f"check.no_{name}_setting", SETTINGS_FILE, row=row, column=name, key=key))
    return (None if any(found.severity == "error" for found in findings) else given), findings


def _email(tree: Mapping[str, Any], text: str) -> tuple[EmailSettings | None, list[Finding]]:
    """The section [email] where it is there and nothing of it is wrong, and what is wrong or odd."""
    given, findings = _section("email", _EMAIL, _EMAIL_NEEDED, tree, text)
    if given is None:
        return None, findings
    email = EmailSettings(given.pop("from"), **given)
    for name, server in (("smtp_security", email.smtp), ("imap_security", email.imap)):
        if server.security == "unencrypted" and server.host not in LOCAL_HOSTS:
            row = _line_of(name, text)
            found = finding("warning", "check.unencrypted", SETTINGS_FILE, row=row, column=name, host=server.host)
            findings.append(found)
    return email, findings


def toml_finding(source: str, error: str, text: str) -> Finding:
    """The finding of a TOML syntax error, at its line."""
    at = re.search(r"line (\d+)", error)
    row = int(at.group(1)) if at else len(text.splitlines()) or 1
    return finding("error", "check.toml_syntax", source, row=row, reason=shown(error))


def settings_of(values: Mapping[str, Any]) -> tuple[ChainSettings, list[Finding]]:
    """Settings that a program gives, by the rules of chain.toml, and what is wrong with them."""
    return _settings(values, "", str(values["name"]))


def _settings(tree: Mapping[str, Any], text: str, folder_name: str) -> tuple[ChainSettings, list[Finding]]:
    findings: list[Finding] = []
    given: dict[str, Any] = {}
    for key, value in tree.items():
        if key in _SECTIONS:
            continue
        if key in _RULES:
            _take(given, key, value, _RULES[key], text, findings)
        else:
            findings.append(_unknown_key(key, [*_RULES, *_SECTIONS], text))
    defaults = _own_values("defaults", _DEFAULTS, tree, text, findings)
    netting = _own_values("netting", _NETTING, tree, text, findings)
    horizon, frozen = (given.get(name, getattr(ChainSettings, name)) for name in ("horizon_buckets", "frozen_buckets"))
    if frozen >= horizon:  # nothing could ever start
        expected = message("check.whole_between", low=0, high=horizon - 1)
        findings.append(_wrong_value("frozen_buckets", given.pop("frozen_buckets"), expected, text))
    if "name" not in tree:
        findings.append(finding("error", "check.no_name", SETTINGS_FILE, column="name"))
    given.setdefault("name", folder_name)
    if "late_share_per_week" in defaults:  # a price that is stated is obeyed
        defaults.setdefault("late_horizon_factor", 0.0)
    amounts = Defaults(**{key: float(value) for key, value in defaults.items()})
    assumed = tree.get("assumed", {})
    if not _are_derivations(assumed):
        findings.append(_wrong_value("assumed", assumed, message("check.derivations"), text))
        assumed = {}
    return ChainSettings(**given, defaults=amounts, assumed=assumed, netting=Netting(**netting)), findings


def _own_values(
    name: str, rules: Mapping[str, _Rule], tree: Mapping[str, Any], text: str, findings: list[Finding]
) -> dict[str, Any]:
    """What a section of the settings says and is right; what is wrong is added to the findings."""
    section, values = tree.get(name, {}), dict[str, Any]()
    if not isinstance(section, dict):
        findings.append(_wrong_value(name, section, message(f"check.section_{name}"), text))
        return values
    for key, value in section.items():
        if key in rules:
            _take(values, key, value, rules[key], text, findings)
        else:
            findings.append(_unknown_key(key, list(rules), text))
    return values


def _are_derivations(section: Any) -> bool:
    """[assumed."table.column"] with a text in each language it is given in."""
    if not isinstance(section, dict):
        return False
    columns = {f"{table.name}.{column}" for table in tables().values() for column in table.columns}
    return all(
        name in columns
        and isinstance(texts, dict)
        and set(texts) <= set(LANGUAGES)
        and all(isinstance(text, str) for text in texts.values())
        for name, texts in section.items()
    )


def _take(given: dict[str, Any], key: str, value: Any, rule: _Rule, text: str, findings: list[Finding]) -> None:
    if rule.accepts(value):
        given[key] = value
    else:
        findings.append(_wrong_value(key, value, rule.says, text))


def _wrong_value(key: str, value: Any, expected: Message, text: str) -> Finding:
    row = _line_of(key, text)
    return finding(
        "error", "check.wrong_setting", SETTINGS_FILE, row=row, column=key, value=shown(value), expected=expected
    )


def _unknown_key(key: str, known: list[str], text: str) -> Finding:
    """A slip of the pen is an error, for its wish would be ignored; a key of another kind only a warning."""
    severity = "error" if nearest(key, known) else "warning"
    return finding(
        severity,
        "check.unknown_setting",
        SETTINGS_FILE,
        row=_line_of(key, text),
        column=shown(key),
        key=shown(key),
        hint=nearest_hint(key, known),
    )


def _line_of(key: str, text: str) -> int | None:
    pattern = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[\].=]""")
    return next((i for i, line in enumerate(text.split("\n"), start=1) if pattern.match(line)), None)
