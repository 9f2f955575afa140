"""What the market says, from reviews to an accepted order, in terminal, report and workbook: the same figures."""

import html
import re
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.app.test_promotions import day, shop
from tests.app.test_report import Page
from tests.app.test_workbook import sheets

from datong.app import release_orders
from datong.app.chain import Chain
from datong.app.cli.market_findings import show_findings
from datong.app.cli.terminal import make_console
from datong.app.market_findings import decide_finding, hours_to_order, market_findings, market_now, market_of_run
from datong.app.report import market_findings as of_report
from datong.app.report.html import report_html
from datong.app.report.run_workbook import workbook_bytes
from datong.app.wording.market_findings import strength_words
from datong.app.wording.report_inputs import ReportInputs
from datong.app.write_report import report_inputs
from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.model.flow import TAKEN
from datong.model.words import say
from datong.questions import market_findings_shown
from datong.questions.hours_to_order import HoursToOrder
from datong.questions.market_findings import MarketFinding
from datong.questions.market_findings_shown import MarketNow
from datong.questions.run_result import RunResult

WEEKS = 30
GOOD = ("做工细致，没有线头。", "发货快，第二天就到了。", "Tastes as fresh as I hoped.", "Great value for the money.")
BAD = ("快递摔得包装都破了。", "客服半天不回。")
STALE = ("味道很差，苦得喝不下去。", "口味太差，太苦。")
HOSTILE = "口味太差 <img src=x onerror=alert(1)> call 13812345678 =1+1"
TABLES = {"chain.toml": 'name = "shop"\nhorizon_buckets = 6\npath_count = 100\nhistory = "live"\n'}
WHY = "<i>other</i> garden"


def review_lines() -> str:
    """Of each product 10 reviews a week, one in seven bad; of TEA 6 more in each of the last four weeks that blame its
    taste, one of them hostile."""
    rng, lines = np.random.default_rng(5), ["review,happened_at,product,rating,text,customer"]
    for week in range(WEEKS):
        for product in ("TEA", "CUP"):
            told = [str(rng.choice(BAD if rng.random() < 1 / 7 else GOOD)) for _ in range(10)]
            if product == "TEA" and week >= WEEKS - 4:
                told += [str(rng.choice(STALE)) for _ in range(6)]
                told += [HOSTILE] if week == WEEKS - 1 else []
            for n, text in enumerate(told):
                stars = 5 if text in GOOD else 1
                row = f"{product}{week}-{n},{day(week, n % 7)},{product},{stars},{text},{product}{week}-{n}"
                lines.append(row)
    return "\n".join(lines) + "\n"


class Shown:
    """The chain after its second run, with everything that is shown of it."""

    def __init__(self, folder: Path) -> None:
        shop(folder, WEEKS, TABLES | {"reviews.csv": review_lines()})
        self.now = datetime.fromisoformat(day(WEEKS, 0) + "T08:00+00:00")
        with closing(Chain(folder, now=lambda: self.now, by="Li")) as chain:
            self.zone = chain.settings.calendar.zone
            first = chain.run()
            self.now += timedelta(hours=2)
            reasons = first.tables["reasons"].to_pylist()
            self.named = {r["order"] for r in reasons if r["stage"] == "sense" and r["evidence_table"] == "reviews"}
            self.given_out = release_orders.release(chain, [], all_due=True)
            self.accepted = min(set(self.given_out) & self.named)
            one = next(f for f in market_findings(chain) if f.kind == "complaint")
            decide_finding(chain, one.finding, TAKEN, WHY)
            self.now += timedelta(hours=24)
            self._accept(chain, sorted({self.accepted, *(set(self.given_out) - self.named)}))
            self.result: RunResult = chain.run()
            self.inputs: dict[str, ReportInputs] = {
                language: report_inputs(chain, self.result, {}, language) for language in ("en", "zh")
            }
            self.beside: MarketNow = market_now(chain, self.result.as_of)
            self.found: list[MarketFinding] = self.beside.findings
            self.hours: HoursToOrder = hours_to_order(chain, chain.state(self.result.as_of))
            signals = self.result.tables["signals"].drop_columns(["subject_kind", "subject_name"])
            old = replace(self.result, tables={**self.result.tables, "signals": signals})
            self.market_of_old_run = market_of_run(chain, old)
            self.terminal = {language: self._terminal(chain, language) for language in ("en", "zh")}
            self.reviews = chain.state().table("reviews").to_pylist()

    def _accept(self, chain: Chain, orders: list[str]) -> None:
        rows = order_events_rows([OrderEvent(order, "accepted", self.now) for order in orders])
        known = pa.array([self.now] * len(orders), pa.timestamp("us", tz="UTC"))
        chain.ledger.ingest("order_events", rows.append_column("known_at", known), None, (), "x", self.now, by="firm")

    def _terminal(self, chain: Chain, language: str) -> str:
        console = make_console()
        with console.capture() as taken:
            show_findings(self.beside, self.hours, chain, language, console)
        return " ".join(taken.get().split())

    def page(self, language: str) -> str:
        text = report_html(self.inputs[language], language)
        return text[text.index('<section id="market">') : text.index('<section id="orders">')]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(tmp_path_factory.mktemp("shown") / "shop")


def words_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_terminal_report_and_workbook_say_the_same_of_each_finding(shown: Shown, language: str) -> None:
    page, book = shown.page(language), sheets(workbook_bytes(shown.inputs[language], language))
    rows = book[say("report.sheet.market", language)]
    titles = {title: i for i, title in enumerate(rows[0])}

    def column(name: str) -> int:
        return titles[say(f"column.{name}", language)]

    by_id = {row[column("finding_id")]: row for row in rows[1:]}
    assert shown.found
    assert sum(f.kind == "complaint" for f in shown.found) >= 1
    for one in shown.found:
        text, row = one.text.text(language), by_id[one.finding]
        assert " ".join(text.split()) in words_of(page)
        assert row[column("text")] == text
        assert strength_words(one.strength, language) in words_of(page)
        assert row[column("effect_share")] == pytest.approx(one.strength.share)
        assert row[column("low_share")] == pytest.approx(one.strength.low)
        assert row[column("does")] == one.proposal.text(language)
        assert "".join(row[column("orders")].split()) == ",".join(one.orders)
        assert "".join(text.split()) in "".join(shown.terminal[language].split())
        assert "".join(strength_words(one.strength, language).split()) in "".join(shown.terminal[language].split())
    linked = re.findall(r'<a href="#orders" data-order="([^"]+)">', page)
    assert linked == [order for one in sorted(shown.found, key=_place(page, language)) for order in one.orders[:6]]


def _place(page: str, language: str):
    """Where a finding stands on the page."""
    words = words_of(page)
    return lambda one: words.index(" ".join(one.text.text(language).split()))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hours_from_the_reviews_to_the_accepted_order_are_those_of_the_rows(shown: Shown, language: str) -> None:
    """All rows came at 8:00, when the run was made; orders went out two hours later, and one was accepted a day after
    that: 26 hours. The others that name the reviews wait."""
    assert set(shown.given_out) - shown.named  # accepted as well, and no row of the market is among its reasons
    waiting = len(set(shown.given_out) & shown.named) - 1
    assert [o.order for o in shown.hours.orders] == [shown.accepted]
    assert (shown.hours.median_hours, shown.hours.waiting) == (26, waiting)
    book = sheets(workbook_bytes(shown.inputs[language], language))
    notes = [row[0] for row in book[say("report.sheet.market", language)]]
    for said in shown.hours.text:
        text = said.text(language)
        assert text in notes
        assert " ".join(text.split()) in words_of(shown.page(language))
        assert "".join(text.split()) in "".join(shown.terminal[language].split())
    assert say("report.market.hours", language, hours="26") in words_of(shown.page(language))


def test_names_stand_beside_codes_and_the_decision_and_its_effect_are_told(shown: Shown) -> None:
    page, said = shown.page("en"), words_of(shown.page("en"))
    assert "Green tea TEA complaint" in said
    assert "Green tea (TEA): " in said
    assert f"by Li: {WHY}" in said
    assert "Too early to say" in said
    assert WHY not in page  # as markup
    assert "TEA: " not in shown.terminal["en"].replace("(TEA): ", "")


def test_texts_of_buyers_are_data_and_never_markup_nor_personal(shown: Shown) -> None:
    for language in ("en", "zh"):
        text = report_html(shown.inputs[language], language)
        assert Page(text).open == []
        assert "onerror" not in text
        assert "<img" not in text
        assert "13812345678" not in text + shown.terminal[language]
    quoted = re.findall(r'<q dir="auto"(?: lang="(\w+)")?>(.*?)</q>', shown.page("en"))
    assert any("口味太差" in text and "[phone] =1+1" in text for _, text in quoted)
    assert {lang for lang, _ in quoted} <= {"zh", "en", ""}
    cells = [c for rows in sheets(workbook_bytes(shown.inputs["en"], "en")).values() for row in rows for c in row]
    assert not [c for c in cells if isinstance(c, str) and ("<img" in c or "13812345678" in c)]


def test_praise_and_blame_add_up_by_hand(shown: Shown) -> None:
    """Every text says one thing, so that the reviews that say it are those that praise or blame its aspect. The same
    words on one day count once."""
    rows = sheets(workbook_bytes(shown.inputs["en"], "en"))["Praise and blame"]
    of = {(r[0], r[2]): r for r in rows[1:]}
    voices = {(r["product"], r["text"], r["happened_at"].date()) for r in shown.reviews}
    told = [text for product, text, _ in voices if product == "CUP"]
    assert of["CUP", "packaging"][3:6] == [0, told.count(BAD[0]), len(told)]
    assert of["CUP", "workmanship"][3] == told.count(GOOD[0])
    told = [text for product, text, _ in voices if product == "TEA"]
    blamed = of["TEA", "taste"][4]
    assert blamed == sum("味" in text for text in told) > 10
    page = shown.page("en")
    tea = page[page.index("<caption>TEA · Green tea") :]
    assert re.search(rf'<tr class="found"><th scope="row">taste</th><td class="left"><span>{blamed:.0f}</span>', tea)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_reviews_that_count_less_are_counted_and_said_with_the_reason(shown: Shown, language: str) -> None:
    """Nobody writes twice, and no text is odd by itself here but that it is said again on one day."""
    voices = {(r["product"], r["text"], r["happened_at"].date()) for r in shown.reviews}
    less = len(shown.reviews) - len(voices)
    head, *why = shown.beside.less
    assert dict(head.params)["count"] == sum(dict(part.params)["count"] for part in why) == less > 0
    assert dict(head.params)["read"] == len(shown.reviews)
    book = sheets(workbook_bytes(shown.inputs[language], language))
    notes = [row[0] for row in book[say("report.sheet.market", language)]]
    for said in shown.beside.less:
        text = said.text(language)
        assert text in notes
        assert " ".join(text.split()) in words_of(shown.page(language))
        assert "".join(text.split()) in "".join(shown.terminal[language].split())
    written = [r for r in shown.reviews if r["product"] == "CUP"]
    own = len(written) - sum(product == "CUP" for product, *_ in voices)
    praise = sheets(workbook_bytes(shown.inputs["en"], "en"))["Praise and blame"]
    column = praise[0].index(say("column.less_reviews", "en"))
    assert {row[column] for row in praise[1:] if row[0] == "CUP"} == {own}
    assert say("report.market.reviews_less", "en", said="", less=own) in words_of(shown.page("en"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_signal_is_shown_once(shown: Shown, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals of a run are those of the market: their own section holds what that one has no room for."""
    inputs = shown.inputs[language]
    assert inputs.tables["signals"].num_rows > 0
    assert 'id="signals"' not in report_html(inputs, language)
    assert "#signals" not in report_html(inputs, language)
    monkeypatch.setattr(of_report, "PICTURES", 0)
    text = report_html(inputs, language)
    section = text[text.index('<section id="signals">') : text.index('<section id="replay">')]
    ids = set(inputs.tables["signals"]["signal"].to_pylist())
    assert section.count("<tr><td") == len(ids)
    without = replace(inputs, market=None)
    assert 'id="signals"' in report_html(without, language)


def test_what_is_beyond_the_page_is_counted_and_in_the_workbook(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *rest = shown.inputs["en"].market.findings
    many = tuple(
        replace(one, finding=replace(one.finding, finding=f"{one.finding.finding}-{n}"), picture=None, quotes=())
        for n in range(3000)
        for one in [rest[0] if rest else first]
    )
    market = replace(shown.inputs["en"].market, findings=(first, *many))
    inputs = replace(shown.inputs["en"], market=market)
    monkeypatch.setattr(of_report, "PICTURES", 1)
    text = report_html(inputs, "en")
    assert "3,000 more in the workbook" in text
    assert text.count('<figure class="small">') == 1
    assert len(text) < len(report_html(shown.inputs["en"], "en")) + 500
    assert len(sheets(workbook_bytes(inputs, "en"))["What the market says"]) > 3000
    assert market_findings_shown.PICTURES <= 25


def test_a_run_that_was_not_looked_at_has_no_such_section(shown: Shown) -> None:
    assert shown.market_of_old_run is None  # it does not say what its signals are about
    without = replace(shown.inputs["en"], market=None)
    assert 'id="market"' not in report_html(without, "en")
    assert "What the market says" not in sheets(workbook_bytes(without, "en"))
    assert Page(report_html(shown.inputs["en"], "en")).ids.count("market") == 1


def test_the_same_inputs_give_the_same_page(shown: Shown) -> None:
    assert shown.page("zh") == shown.page("zh")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_page_and_workbook_say_where_the_model_that_comes_with_datong_read_the_reviews(
    shown: Shown, language: str
) -> None:
    told, inputs = say("report.market.by_shipped", language), shown.inputs[language]
    assert inputs.market is not None and not inputs.market.by_shipped
    by_shipped = replace(inputs, market=replace(inputs.market, by_shipped=True))
    for one, says in ((inputs, False), (by_shipped, True)):
        assert (told in html.unescape(report_html(one, language))) == says
        cells = [cell for sheet in sheets(workbook_bytes(one, language)).values() for row in sheet for cell in row]
        assert (told in cells) == says
