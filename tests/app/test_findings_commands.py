"""`datong findings`, `take`, `dismiss` and `effect`: from a finding to the order that it moves, and back."""

import json
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.app.test_promotions import PROMOTION, day, shop

from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.app.market_findings import decide_finding, market_findings
from datong.model.flow import TAKEN
from datong.network.finding_decisions import Change
from datong.questions.market_findings import STATED_KINDS

WEEKS = 30


@pytest.fixture
def odd_shop(tmp_path: Path) -> str:
    """A promotion that goes on."""
    return str(shop(tmp_path / "shop", WEEKS, {"promotions.csv": PROMOTION.replace("2024-08-12", "2100-01-01")}))


def test_a_finding_is_taken_moves_an_order_and_is_found_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten times as much tea in one week, five weeks ago."""
    odd_shop = str(shop(tmp_path / "shop", WEEKS + 6, last=500.0))
    now = datetime.fromisoformat(day(WEEKS + 6, 0) + "T12:00+00:00")
    with closing(Chain(Path(odd_shop), now=lambda: now)) as chain:
        chain.run()
        found = next(f for f in market_findings(chain) if f.kind not in STATED_KINDS)
        assert (found.subject.name, found.decision) == ("TEA", None)
        assert found.known_since == chain.kept_run().as_of
        first = chain.state().first_open_bucket
        change = Change(first, first + timedelta(weeks=3), 0.4, 0.2, 0.6)
        decide_finding(chain, found.finding, TAKEN, "on television", change)
        chain.run()
        after = next(f for f in market_findings(chain) if f.kind == found.kind)
        assert after.decision is not None
        assert (after.decision.state, after.decision.reason, after.decision.change) == (TAKEN, "on television", change)
        assert after.orders
        (row,) = chain.ledger.state(chain.clock()).table("decisions").to_pylist()
        assert (row["decided_by"], row["state"]) == (chain.by, "taken")
    assert main(["why", after.orders[0], "--chain", odd_shop, "--lang", "en"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "on television" in told
    assert "of sales" in told
    assert main(["findings", odd_shop, "--as-of", day(WEEKS + 6, 1), "--format", "json", "--lang", "en"]) == 0
    rows = {row["finding"]: row for row in json.loads(capsys.readouterr().out)}
    assert "+40%" in rows[found.finding]["does"]
    assert rows[found.finding]["orders"] == list(after.orders)
    assert main(["effect", found.finding, "--chain", odd_shop, "--as-of", day(WEEKS + 7, 0), "--lang", "en"]) == 0
    assert "Too early to say" in capsys.readouterr().out


@pytest.mark.parametrize(("language", "said"), [("en", "the forecast is not moved by it"), ("zh", "预测不据此调整")])
def test_a_dismissed_promotion_is_said_to_move_nothing(
    odd_shop: str, language: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dismiss", "promotion-AUTUMN", "--chain", odd_shop, "--why", "called off", "--lang", language]) == 0
    assert said in capsys.readouterr().out
    assert main(["findings", odd_shop, "--lang", language]) == 0
    out = capsys.readouterr().out
    assert said in out
    assert "called off" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["take", "nothing"], "Neither an order nor a finding"),
        (["effect", "promotion-AUTUMN"], "Too early to say"),
        (["dismiss", "promotion-AUTUMN", "--branch", "b"], "branch"),
        (["take", "promotion-AUTUMN", "--change", "10"], "states its own change"),
        (["take", "promotion-AUTUMN", "--low", "10"], "--change"),
        (["take", "promotion-AUTUMN", "--change", "10", "--low", "20"], "at most --change"),
        (["take", "promotion-AUTUMN", "--change", "-200"], "-100"),
    ],
)
def test_what_cannot_be_done_is_answered_in_words(
    odd_shop: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--branch" in words:
        assert main(["branch", odd_shop, "b"]) == 0
    status = main([*words, "--chain", odd_shop, "--lang", "en"])
    out, error = capsys.readouterr()
    assert said in " ".join((out + error).split())
    assert status == (0 if words[0] == "effect" else 2)


def test_a_change_of_demand_with_an_order_is_refused_and_not_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = f"order,product,recipe,units,start,due\nW1,TEA,TEA/1,5,{day(28, 0)},{day(29, 0)}\n"
    folder = str(shop(tmp_path / "shop", more={"orders.csv": orders}))
    assert main(["take", "W1", "--chain", folder, "--change", "10", "--lang", "en"]) == 2
    assert "are for findings: W1 is an order" in " ".join(capsys.readouterr().err.split())
