"""Attributes from the tables of a chain to terminal, report and workbook: the same figures, in both languages."""

import html
import re
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from tests.app.test_workbook import sheets

from datong.app.chain import Chain
from datong.app.cli.market_findings import show_findings
from datong.app.cli.terminal import make_console
from datong.app.market_findings import decide_finding, hours_to_order, market_now
from datong.app.report.html import report_html
from datong.app.report.run_workbook import workbook_bytes
from datong.app.wording.market_findings import attribute_words, strength_words
from datong.app.wording.report_inputs import ReportInputs
from datong.app.write_report import report_inputs
from datong.model.errors import Refused
from datong.model.flow import DISMISSED, TAKEN
from datong.model.words import say
from datong.network.finding_decisions import Change
from datong.questions.market_findings_shown import MarketNow

WEEKS, PRODUCTS = 40, 12
COLOURS = ("black", "white", "red", "navy")
CHAIN = 'name = "shop"\nhorizon_buckets = 4\npath_count = 50\nhistory = "live"\n'


def day(week: int, weekday: int = 2) -> str:
    return str(np.datetime64("2024-01-01") + 7 * week + weekday)


class Shown:
    """A shop in which buyers turned to red eight weeks ago, after its second run, with everything that is shown."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(4)
        colour = [COLOURS[i % 4] for i in range(PRODUCTS)]
        sales = [
            f"{day(w)},P{i},{rng.poisson(60 * (1.8 if colour[i] == 'red' and w >= WEEKS - 8 else 1.0))}"
            for w in range(WEEKS)
            for i in range(PRODUCTS)
        ]
        files = {
            "chain.toml": CHAIN,
            "products.csv": ["product,name,price", *(f"P{i},Mug {i},9" for i in range(PRODUCTS))],
            "product_attributes.csv": [
                "product,attribute,value",
                *(f"P{i},colour,{c}" for i, c in enumerate(colour)),
                *(f"P{i},rim,{'round' if i % 3 else 'flat'}" for i in range(PRODUCTS)),
            ],
            "lines.csv": ["line,hours_per_week", "L,400"],
            "recipes.csv": [
                "recipe,product,line,hours_per_unit,cost_per_unit",
                *(f"R{i},P{i},L,0.1,2" for i in range(PRODUCTS)),
            ],
            "sales.csv": ["happened_at,product,units", *sales],
        }
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text if isinstance(text, str) else "\n".join(text) + "\n", encoding="utf-8")
        now = datetime.fromisoformat(day(WEEKS, 0) + "T08:00+00:00")
        with closing(Chain(folder, now=lambda: now, by="Li")) as chain:
            self.result = chain.run()
            self.now: MarketNow = market_now(chain)
            self.red = next(f for f in self.now.findings if f.subject.name == "colour=red")
            with pytest.raises(Refused):
                decide_finding(chain, self.red.finding, TAKEN, "", Change(now.date(), now.date(), 0.1, 0.1, 0.1))
            self.inputs: dict[str, ReportInputs] = {
                language: report_inputs(chain, self.result, {}, language) for language in ("en", "zh")
            }
            self.terminal = {}
            for language in ("en", "zh"):
                console = make_console()
                with console.capture() as taken:
                    show_findings(self.now, hours_to_order(chain, chain.state()), chain, language, console)
                self.terminal[language] = "".join(taken.get().split())
            decide_finding(chain, self.red.finding, DISMISSED, "a fad")
            self.decided = next(f for f in market_now(chain).findings if f.subject.name == "colour=red")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(tmp_path_factory.mktemp("attributes") / "shop")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_finding_and_the_shares_are_the_same_everywhere(shown: Shown, language: str) -> None:
    text = report_html(shown.inputs[language], language)
    page = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
    book = sheets(workbook_bytes(shown.inputs[language], language))
    said, strength = shown.red.text.text(language), strength_words(shown.red.strength, language)
    assert shown.red.kind == "growing"
    for words in (said, strength, shown.red.proposal.text(language)):
        assert " ".join(words.split()) in page
        assert "".join(words.split()) in shown.terminal[language]
    rows = book[say("report.sheet.attributes", language)]
    kept = shown.result.tables["attributes"].to_pylist()
    assert kept == shown.now.attributes.to_pylist()
    assert [row[1] for row in rows[1:]] == [row["value"] for row in kept]
    gain = rows[0].index(say("column.gain_units", language))
    assert [row[gain] for row in rows[1:]] == pytest.approx([row["gain_units"] for row in kept])
    for row in kept:
        assert "".join(attribute_words(row, language).split()) in shown.terminal[language]
        assert f"{100 * row['late_share']:.1f}%" in page
        assert f"{100 * row['gain_share']:+.1f} (" in page.replace("（", " (")
    assert say("code.attribute_colour", language) in {row[0] for row in rows[1:]}
    assert say("findings.line_attribute", language) in page  # its picture


def test_shares_of_an_attribute_add_up_and_gains_are_differences(shown: Shown) -> None:
    rows = shown.result.tables["attributes"].to_pylist()
    for name in ("colour", "rim"):
        own = [row for row in rows if row["attribute"] == name]
        assert len(own) == (4 if name == "colour" else 2)
        for column, total in (("before_share", 1), ("late_share", 1), ("expected_share", 1), ("gain_units", 0)):
            assert sum(row[column] for row in own) == pytest.approx(total, abs=1e-6)
    for row in rows:
        assert row["gain_share"] == pytest.approx(row["expected_share"] - row["late_share"])
        assert row["gain_low_share"] <= row["gain_share"] <= row["gain_high_share"]


def test_it_moves_no_order_and_a_decision_on_it_stays(shown: Shown) -> None:
    assert shown.red.orders == ()
    assert shown.result.tables["adjustments"].num_rows == 0
    assert shown.decided.decision is not None
    assert (shown.decided.decision.state, shown.decided.decision.reason) == (DISMISSED, "a fad")
