"""chain.toml: every setting that is wrong is a finding at its line, and its default stands in."""

from datetime import date
from pathlib import Path

import pytest

from datong.connectors.files.settings import read_email, read_settings
from datong.model.settings import ChainSettings, Defaults, EmailSettings, MailServer


def write(folder: Path, text: str | bytes) -> Path:
    (folder / "chain.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_all_settings(tmp_path: Path) -> None:
    text = """
name = "链"
time_zone = "Asia/Dhaka"
currency = "BDT"
bucket = "day"
start = 2026-01-05
horizon_buckets = 26
country = "BD"
promise_days = 3
frozen_buckets = 1
max_late_days = 70
path_count = 50
seed = 7
history = "live"
[defaults]
price = 2
cost_share = 0.5
[assumed."lines.hours_per_week"]
en = "Guessed."
zh = "估计。"
"""
    settings, findings = read_settings(write(tmp_path, text))
    assert findings == []
    assert settings == ChainSettings(
        name="链",
        time_zone="Asia/Dhaka",
        currency="BDT",
        bucket="day",
        start=date(2026, 1, 5),
        horizon_buckets=26,
        country="BD",
        promise_days=3,
        frozen_buckets=1,
        max_late_days=70,
        path_count=50,
        seed=7,
        history="live",
        defaults=Defaults(price=2.0, cost_share=0.5),
        assumed={"lines.hours_per_week": {"en": "Guessed.", "zh": "估计。"}},
    )


@pytest.mark.parametrize(
    ("line", "code", "severity", "column"),
    [
        ("horizon_bucket = 3", "unknown_setting", "error", "horizon_bucket"),
        ("qqqq = 3", "unknown_setting", "warning", "qqqq"),
        ('time_zone = "Asia/Shangai"', "wrong_setting", "error", "time_zone"),
        ('time_zone = "../etc/passwd"', "wrong_setting", "error", "time_zone"),
        ("time_zone = 8", "wrong_setting", "error", "time_zone"),
        ('country = "XX"', "wrong_setting", "error", "country"),
        ('country = "cn"', "wrong_setting", "error", "country"),
        ('currency = "yuan"', "wrong_setting", "error", "currency"),
        ('bucket = "month"', "wrong_setting", "error", "bucket"),
        ("bucket = []", "wrong_setting", "error", "bucket"),
        ('start = "2026-01-05"', "wrong_setting", "error", "start"),
        ("start = 2026-01-05T00:00:00", "wrong_setting", "error", "start"),
        ("horizon_buckets = 0", "wrong_setting", "error", "horizon_buckets"),
        ("horizon_buckets = 2.5", "wrong_setting", "error", "horizon_buckets"),
        ("promise_days = true", "wrong_setting", "error", "promise_days"),
        ("max_late_days = -1", "wrong_setting", "error", "max_late_days"),
        ('history = "past"', "wrong_setting", "error", "history"),
        ("defaults = 3", "wrong_setting", "error", "defaults"),
        ("defaults.prise = 3", "unknown_setting", "error", "prise"),
        ("start = 0001-01-01", "wrong_setting", "error", "start"),
        ("start = 2199-01-01", "wrong_setting", "error", "start"),
        ("horizon_buckets = 521", "wrong_setting", "error", "horizon_buckets"),
        ("horizon_buckets = 1e9", "wrong_setting", "error", "horizon_buckets"),
        ("frozen_buckets = -1", "wrong_setting", "error", "frozen_buckets"),
        ("frozen_buckets = 13", "wrong_setting", "error", "frozen_buckets"),
        ("path_count = 0", "wrong_setting", "error", "path_count"),
        ("path_count = 10001", "wrong_setting", "error", "path_count"),
        ("seed = -1", "wrong_setting", "error", "seed"),
        ("currency = 7", "wrong_setting", "error", "currency"),
        ("defaults.price = 1e300", "wrong_setting", "error", "price"),
        ("defaults.price = inf", "wrong_setting", "error", "price"),
        ("defaults.price = nan", "wrong_setting", "error", "price"),
        ("defaults.offer_lead_days = 1e9", "wrong_setting", "error", "offer_lead_days"),
        ("defaults.lost_sale_share = 1e9", "wrong_setting", "error", "lost_sale_share"),
        ("defaults.price = -3", "wrong_setting", "error", "price"),
        ("defaults.priority_factor = 0.5", "wrong_setting", "error", "priority_factor"),
        ("defaults.price = inf", "wrong_setting", "error", "price"),
        ("assumed = 3", "wrong_setting", "error", "assumed"),
        ('assumed."lines.hour" = {en = "x"}', "wrong_setting", "error", "assumed"),
    ],
)
def test_wrong_settings(tmp_path: Path, line: str, code: str, severity: str, column: str) -> None:
    settings, findings = read_settings(write(tmp_path, f'name = "x"\n{line}\n'))
    assert settings == ChainSettings("x")
    (found,) = findings
    assert (found.code, found.severity, found.column) == (code, severity, column)
    assert found.row in (2, None) and (found.row == 2 or "." in line)
    assert found.text("en") and found.text("zh")


def test_a_slip_of_the_pen_names_the_key_that_was_meant(tmp_path: Path) -> None:
    _, (found,) = read_settings(write(tmp_path, 'name = "x"\nmax_lateday = 3\n'))
    assert "'max_late_days'" in found.remedy.text("en")


def test_several_troubles_come_at_once(tmp_path: Path) -> None:
    settings, findings = read_settings(write(tmp_path, 'bucket = "x"\ncountry = "x"\n'))
    assert settings is not None and settings.name == tmp_path.name
    assert [f.code for f in findings] == ["wrong_setting", "wrong_setting", "no_name"]


@pytest.mark.parametrize(
    ("content", "code", "row"),
    [
        (b'name = "x"\nbucket = week\n', "toml_syntax", 2),
        (b'name = "x', "toml_syntax", 1),
        (b'name = "x"\nname = "y"\n', "toml_syntax", 2),
        ('currency = "CNY"\nname = "链"\n'.encode("gb18030"), "settings_encoding", 2),
    ],
)
def test_no_toml(tmp_path: Path, content: bytes, code: str, row: int) -> None:
    settings, findings = read_settings(write(tmp_path, content))
    assert settings is None
    assert [(f.code, f.row) for f in findings] == [(code, row)]


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    settings, findings = read_settings(write(tmp_path, b'\xef\xbb\xbfname = "x"\r\nseed = 3\r\n'))
    assert findings == [] and settings == ChainSettings("x", seed=3)


def test_no_file(tmp_path: Path) -> None:
    settings, findings = read_settings(tmp_path)
    assert settings is None and [f.code for f in findings] == ["no_settings"]


MAIL = '[email]\nfrom = "orders@example.com"\nsmtp_host = "smtp.example.com"\nimap_host = "imap.example.com"\n'


def test_the_section_of_email(tmp_path: Path) -> None:
    _, findings = read_settings(write(tmp_path, f'name = "x"\n{MAIL}'))
    assert findings == []
    email = read_email(tmp_path)
    assert email == EmailSettings("orders@example.com", "smtp.example.com", "imap.example.com")
    assert (email.smtp, email.imap) == (
        MailServer("smtp.example.com", 587, "starttls"),
        MailServer("imap.example.com", 993, "tls"),
    )
    assert read_email(write(tmp_path, 'name = "x"\n')) is None


def test_nothing_is_unencrypted_but_on_this_machine_or_where_it_is_asked_for(tmp_path: Path) -> None:
    here = EmailSettings("a@b.c", "localhost", "127.0.0.1")
    assert (here.smtp.security, here.imap.security) == ("unencrypted", "unencrypted")
    text = f'name = "x"\n{MAIL}smtp_security = "unencrypted"\n'
    _, (found,) = read_settings(write(tmp_path, text))
    assert (found.severity, found.code, found.column, found.row) == ("warning", "unencrypted", "smtp_security", 6)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('password = "secret"', "secret_in_email"),
        ("smtp_port = 70000", "wrong_setting"),
        ('imap_security = "none"', "wrong_setting"),
        ('folder = "IN\\nBOX"', "wrong_setting"),
        ('user = ""', "wrong_setting"),
        ('fodler = "x"', "unknown_setting"),
    ],
)
def test_what_is_wrong_with_the_section_of_email(tmp_path: Path, line: str, code: str) -> None:
    _, (found,) = read_settings(write(tmp_path, f'name = "x"\n{MAIL}{line}\n'))
    assert (found.severity, found.code, found.row) == ("error", code, 6)
    assert "secret" not in found.text("en") + found.text("zh")
    assert read_email(tmp_path) is None


@pytest.mark.parametrize("sender", ["a@b, c@d", "a", "a@b\\nBcc: c@d", "A <a@b>", "工厂@b"])
def test_a_sender_is_one_plain_address(tmp_path: Path, sender: str) -> None:
    text = 'name = "x"\n' + MAIL.replace("orders@example.com", sender)
    _, (found,) = read_settings(write(tmp_path, text))
    assert (found.code, found.column) == ("wrong_setting", "from")


def test_a_section_of_email_without_servers(tmp_path: Path) -> None:
    _, findings = read_settings(write(tmp_path, 'name = "x"\n[email]\nfrom = "a@b.c"\n'))
    assert [f.code for f in findings] == ["no_email_setting"] * 2
    _, (found,) = read_settings(write(tmp_path, 'email = 3\nname = "x"\n'))
    assert found.code == "wrong_setting"
