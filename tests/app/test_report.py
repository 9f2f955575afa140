import re
from dataclasses import replace
from html.parser import HTMLParser

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from datong.app.report.charts import Line, Steps, nice_ticks, plot
from datong.app.report.html import report_html
from datong.app.wording import figures
from datong.app.wording.replay_verdict import verdict, verdict_words
from datong.app.wording.report_inputs import MONEY, Assumed, resting_on
from datong.model.errors import Refused
from datong.questions.demand_totals import gap_sum, gap_totals
from datong.questions.result_table import Frame

VOID = {"meta", "link", "br", "input", "line", "rect", "polygon", "path"}


class Page(HTMLParser):
    """Checks that tags are closed, and collects attributes and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.attributes, self.words, self.ids = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, k, v or "") for k, v in attrs]
        self.ids += [v for k, v in attrs if k == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, k, v or "") for k, v in attrs]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_page_is_whole_and_asks_nothing_of_the_network(inputs, language):
    text = report_html(inputs, language)
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    links = [v for _, k, v in page.attributes if k in ("src", "href", "xlink:href", "action")]
    assert links and all(v.startswith(("#", "data:")) for v in links)
    assert {v[1:] for v in links if v.startswith("#")} <= set(page.ids)
    assert "http://" not in text and "https://" not in text and "url(" not in text and "@import" not in text
    assert "default-src 'none'" in text


def test_same_inputs_same_page(inputs):
    assert report_html(inputs, "en") == report_html(inputs, "en")


def test_a_page_of_a_whole_company_is_small(large_inputs):
    text = report_html(large_inputs, "en")
    assert len(text.encode()) < 1_500_000
    assert text.count('class="item"') == 41
    assert len(re.findall(r"<th scope=\"row\">LINE\d\d</th>", text)) == 19


def test_names_from_data_are_escaped(inputs):
    text = report_html(inputs, "en")
    assert "<Oils>" not in text and "&lt;Oils&gt; &amp; Flour" in text
    assert "<P01>" not in text


def test_page_holds_every_part(inputs):
    text = report_html(inputs, "en")
    for part in ("replay", "gap", "demand", "load", "signals", "orders", "learning", "certificate", "assumptions"):
        assert f'id="{part}"' in text
    assert "W001" in text and "LINE01 is held back: a row of it was refused" in text
    assert "Eid al-Adha" in text
    assert "84,500" in text and "≤ 0.48%" in text
    assert "2 sales" in text


def test_a_table_stands_behind_every_chart(inputs):
    text = report_html(inputs, "en")
    charts = [int(n) for n in re.findall(r'class="chart" data-steps="(\d+)"', text)]
    behind = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(charts) == len(behind) > 5
    for steps, figure in zip(charts, behind, strict=True):
        assert len(re.findall(r"<tr><th scope=\"row\">", figure)) == steps


def test_assumed_numbers_are_marked_and_explained(inputs):
    text = report_html(inputs, "en")
    mark = 'title="Rests on assumed numbers: lines.hours_per_week, products.price"'
    assert text.count(mark) >= 6
    assert "Most tonnes seen in a week so far." in text and "not stated" in text
    measured = report_html(replace(inputs, assumed=()), "en")
    assert 'class="assumed"' not in measured
    assert "No column is marked as assumed" in measured


def test_a_mark_names_only_what_its_figure_rests_on(inputs):
    assert resting_on(inputs, MONEY) == ("products.price",)
    demand = replace(inputs, assumed=(Assumed("sales", "units", 3, ""),))
    assert "Rests on assumed numbers: sales.units" in report_html(demand, "en")


def test_without_a_replay_the_page_says_how_to_get_one(inputs):
    assert "`datong replay` adds it" in report_html(replace(inputs, replay={}), "en")


def test_learning_comes_from_the_replay_where_it_has_scores(inputs):
    run = {**inputs.tables, "scores": inputs.tables["scores"].slice(0, 0)}
    nothing = report_html(replace(inputs, tables=run), "en")
    assert "No earlier forecast has met its outcome yet." in nothing
    replay = {**inputs.replay, "scores": inputs.tables["scores"]}
    assert "Share within the 80% interval" in report_html(replace(inputs, tables=run, replay=replay), "en")


def test_an_empty_run_is_a_page_too(inputs):
    tables = {n: t.slice(0, 0) for n, t in inputs.tables.items()}
    tables["certificate"] = inputs.tables["certificate"]
    for language in ("en", "zh"):
        assert Page(report_html(replace(inputs, tables=tables, replay={}, assumed=()), language)).open == []


# what the replay says ----------------------------------------------------------------------------


def test_saving_is_the_difference_turned_round(replay_tables):
    """Datong 4 x 90 + 6, the company 4 x 100 + 6: 40 saved of 406 / 2 avoidable; difference -55 to -25."""
    found = verdict(replay_tables(datong=90.0, company=100.0))
    assert found is not None
    assert found.than == "company"
    assert (found.saving, found.saving_low, found.saving_high) == (40, 25, 55)
    assert found.saving_share == pytest.approx(40 / 203)
    assert not found.unsure


@pytest.mark.parametrize(
    ("datong", "company", "says", "sure"),
    [
        (
            90.0,
            100.0,
            "Datong would have cost BDT 40 less than what the company did (19.7% of its avoidable cost)",
            True,
        ),
        (100.0, 90.0, "Datong is not better here: it would have cost BDT 40 more", True),
        (90.0, 90.0, "Datong is not better here: it would have cost as much", True),
        (
            97.5,
            100.0,
            "These records prove no difference in cost between Datong and what the company did: BDT 10 less",
            False,
        ),
    ],
)
def test_the_verdict_is_plain(replay_tables, datong, company, says, sure):
    found = verdict(replay_tables(datong=datong, company=company))
    assert found is not None
    said = " ".join(verdict_words(found, "BDT", "en"))
    assert says in said
    assert ("prove no difference" in said) is not sure
    assert ("would have cost BDT" in said) is sure or found.saving == 0  # no win is claimed that is not proven
    assert "+3.0 percentage points (90% interval +1.0 to +5.0)" in said


def test_a_company_without_records_is_not_spoken_of(inputs, replay_tables):
    tables = {n: t.filter(pc.field("policy") != "company") for n, t in replay_tables().items()}
    text = report_html(replace(inputs, replay={**tables, "differences": tables["differences"].slice(0, 0)}), "en")
    assert "The company" not in text and "would have cost" not in text and "Simple baseline" in text


# gaps, charts, figures ---------------------------------------------------------------------------


def test_gaps_add_up_and_name_what_binds_most():
    """A wants 100 in each of three weeks: 90 + 40 + 70 on time, 10 + 50 + 0 late, 0 + 10 + 30 lost.

    L1 stands in the way of 10, L2 of 60, nothing scarce of 30.
    """
    rows = [(90.0, 10.0, 0.0, 10.0, "L1", 9.0), (40.0, 50.0, 10.0, 60.0, "L2", 3.0), (70.0, 0.0, 30.0, 0.0, "", 0.0)]
    names = ("on_time_units", "late_units", "lost_units", "waiting_units", "binding", "binding_price")
    table = pa.Table.from_pylist(
        [
            {
                "product": "A",
                "bucket": i,
                "demand_units": 100.0,
                "needed_unit": "hour",
                "binding_bucket": i,
                "needed_days": 7,
                **dict(zip(names, r, strict=True)),
            }
            for i, r in enumerate(rows)
        ]
    )
    table = table.append_column("kept_for", pa.nulls(3, pa.string()))
    (total,) = gap_totals(table, "product")
    assert [total[n] for n in ("demand_units", "on_time_units", "late_units", "lost_units")] == [300, 200, 60, 40]
    assert total["on_time_share"] == pytest.approx(200 / 300)
    assert [r["waiting_units"] for r in gap_totals(table, "bucket")] == [10, 60, 0]
    assert gap_sum([total | {"by_day_units": 0.0}] * 2)["demand_units"] == 600


def test_a_run_of_an_earlier_version_is_refused_in_words():
    """Its gaps do not say what is on time."""
    with pytest.raises(Refused, match="earlier version"):
        gap_totals(pa.table({"product": ["A"], "bucket": [0], "demand_units": [1.0], "late_units": [0.0]}), "product")


def test_at_most_is_rounded_up():
    assert figures.share_at_most(0.00001) == "0.01%"
    assert figures.share_at_most(0.0) == "0.00%"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 25, 50, 75, 100]),
        (0, 7, [0, 2, 4, 6, 8]),
        (-3, 5, [-4, -2, 0, 2, 4, 6]),
        (0, 0, [0, 0.25, 0.5, 0.75, 1]),
    ],
)
def test_ticks_are_round_and_hold_the_data(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_a_line_breaks_where_a_value_is_unknown():
    drawn = plot("t", Steps(["a", "b", "c", "d"]), [Line("x", "datong", [1, None, 3, 4])], [], str)
    (path,) = re.findall(r'class="line datong" d="(M[^"]*)"', drawn.split('<div class="plot">')[1])
    assert path.count("M") == 2 and path.count("L") == 1


def test_a_chart_without_values_is_left_out():
    assert plot("t", Steps(["a"]), [Line("x", "datong", [None])], [], str) == ""


@pytest.mark.parametrize(
    ("value", "en", "zh"),
    [
        (12_345, "12.3k", "1.23万"),
        (999_960, "1M", "100万"),
        (250_000_000, "250M", "2.5亿"),
        (12.34, "12.3", "12.3"),
        (0, "0", "0"),
        (-40_000, "-40k", "-4万"),
        (999.96, "1k", "1,000"),
        (None, "–", "–"),
        (float("nan"), "–", "–"),
    ],
)
def test_short_numbers_follow_the_language(value, en, zh):
    assert (figures.compact(value, "en"), figures.compact(value, "zh")) == (en, zh)


def test_no_negative_zero():
    assert figures.number(-0.4) == "0"


def test_a_table_in_a_notebook_is_cut_and_escaped():
    table = pa.table({"kind": ["make", "<b>", "buy"] * 10, "units": [1.5, None, 1000.0] * 10})
    page = Frame("orders", table)._repr_html_()
    assert "&lt;b&gt;" in page and page.count("<tr>") == 1 + 10 and "20 more rows" in page
