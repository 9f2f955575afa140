"""A ledger with a life behind it: everything that a ledger can hold, by a seed, the same in every store."""

import random
from datetime import timedelta
from typing import Any

import pyarrow as pa

from datong.ledger.kept_results import Kept
from datong.ledger.protocol import Branches, Intake, Ledger, RunRecord
from datong.ledger.state import arrow_type
from datong.model.tables import tables
from stores import NOW, day

# Texts that a way from one database to another might spoil.
TEXTS = ("", "a,b", 'say "so"', "two\nlines", "\\N", "\\x41", "NULL", "打通", "'", "tab\there", "é", "{}", ";--")
_NUMBERS = (0.1, 1 / 3, 1e300, 5e-324, -0.0, 2.0**53 + 2, 123456789.123456789)


def live(ledger: Ledger, branches: Branches, seed: int, steps: int = 12) -> None:
    """Steps of all kinds, in an order by a seed."""
    die = random.Random(seed)
    _everything(ledger, branches, die)
    for number in range(steps):
        on = ledger if die.random() < 0.6 or not branches.all() else branches.on(die.choice(branches.all()).name)
        what = die.choice(("sales", "sales", "lines", "withdraw", "branch", "run", "bad", "forget"))
        if what == "sales":
            _take(on, "sales", [_sale(die) for _ in range(die.randint(1, 5))], f"s{die.randint(1, 4)}.csv")
        elif what == "lines":
            row = {
                "line": die.choice("LM"),
                "hours_per_week": die.choice(_NUMBERS),
                "known_at": day(die.randint(1, 28)),
            }
            _take(on, "lines", [row], "lines.csv")
        elif what == "withdraw":
            on.withdraw("sales", [f"sales:{die.choice('abcd')}"], NOW, by="test")
        elif what == "branch":
            branches.make(f"b{number}", None, NOW, NOW, die.choice(TEXTS), by="test")
        elif what == "run":
            on.save_run(_run(die, f"R{number}"), NOW, by="test")
        elif what == "bad":
            _bad(on, die)
        else:
            ledger.forget_person([f"~{die.randint(1, 3)}"], ["too small"], NOW, "asked", by="test")


def _everything(ledger: Ledger, branches: Branches, die: random.Random) -> None:
    """Each kind of step once, so that no table of a ledger's own is empty."""
    rows = [{**_sale(die), "sale": None, "market": text, "units": -0.0} for text in TEXTS]
    _take(ledger, "sales", [*rows, *(dict(_sale(die), sale=key) for key in "abcd")], "first.csv")
    _take(ledger, "reviews", [_review("r1", "Lee"), _review("r2", "~1")], "reviews.csv")
    _bad(ledger, die)
    branches.make("if", None, NOW, NOW, "what if", by="test")
    on = branches.on("if")
    _take(on, "lines", [{"line": "L", "hours_per_week": 50.0}], "if.csv")
    _bad(on, die)
    branches.make("child", "if", NOW, NOW, "", by="test")
    branches.rename("child", "grown", NOW, by="test")
    branches.make("gone", None, NOW, NOW, "", by="test")
    _take(branches.on("gone"), "lines", [{"line": "M", "hours_per_week": 5.0}], "gone.csv")
    branches.drop("gone", NOW, by="test")
    ledger.save_run(_run(die, "R"), NOW, by="test")
    on.save_run(_run(die, "RB"), NOW, by="test")
    ledger.note_deliveries("mail", ["k1", "k2"], "sending", NOW)
    ledger.note_deliveries("mail", ["k1"], "sent", NOW)
    ledger.keep_worked_out({"x": Kept(20_000, bytes(range(256))), "y": Kept(20_001, b"")})
    _take(ledger, "sales", [{**_sale(die), "sale": "late"}], "late.csv", hours=48)
    ledger.put_back(NOW + timedelta(hours=1), by="test")
    ledger.hash_customers({"Lee": "~7"}, {}, NOW, by="test")
    ledger.note_intake(Intake("folder", "d1", {"sales": 1}, (), (), ()))


def _take(ledger: Ledger, name: str, rows: list[dict[str, Any]], source: str, hours: int = 0) -> None:
    columns = tables()[name].columns
    given = [c for c in columns if any(c in row for row in rows)]
    arrays: dict[str, Any] = {c: pa.array([row.get(c) for row in rows], arrow_type(columns[c])) for c in given}
    arrays["__row__"] = list(range(2, len(rows) + 2))
    ledger.ingest(name, pa.table(arrays), None, (), source, NOW + timedelta(hours=hours), by="test")


def _sale(die: random.Random) -> dict[str, Any]:
    return {
        "sale": die.choice([None, "a", "b", "c", "d"]),
        "happened_at": day(die.randint(1, 28)),
        "product": die.choice(("P", "Q", '打"通')),
        "units": die.choice(_NUMBERS),
        "customer": die.choice([None, "~1", "~2", "~3"]),
        "known_at": die.choice([None, day(28), NOW]),
    }


def _review(key: str, customer: str) -> dict[str, Any]:
    words = {"text": "too small", "title": "small"}
    return {"review": key, "product": "P", "happened_at": day(3), "stars": 2.0, "customer": customer, **words}


def _bad(ledger: Ledger, die: random.Random) -> None:
    rejected = pa.table(
        {"__row__": [9], "raw": [f'{{"product": "?", "customer": "~{die.randint(1, 3)}"}}'], "findings": ["[]"]}
    )
    ledger.ingest("sales", pa.table({"__row__": pa.array([], pa.int64())}), rejected, (), "bad.csv", NOW, by="test")


def _run(die: random.Random, name: str) -> RunRecord:
    told = pa.table({"text": ["“too small” they say", die.choice(TEXTS)], "n": [1, None]})
    return RunRecord(name, day(20), 7, {"signals": told, "empty": told.slice(0, 0)})
