"""The report as one self-contained web page: no request leaves it, it prints, and it works without a script."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache, partial
from importlib.resources import files
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

import datong
from datong.app.report.charts import Band, Line, Steps, plot
from datong.app.report.long_tables import grid_listing, late_listing, orders_listing, since_listing
from datong.app.report.market_findings import market_section, told_on_page
from datong.app.wording import figures
from datong.app.wording.certainty import certainty_lines
from datong.app.wording.columns import coded, evidence_words, method_words, title
from datong.app.wording.names import Names
from datong.app.wording.replay_verdict import (
    by_policy,
    difference_rows,
    limit_words,
    policy_name,
    totals,
    verdict,
    verdict_words,
)
from datong.app.wording.report_inputs import CAPACITY, DEMAND, MONEY, PLAN, ReportInputs, resting_on
from datong.app.wording.view import RunView
from datong.app.wording.week import counted_by, counted_on, this_week
from datong.model.calendar import zone_word
from datong.model.words import say
from datong.plan.reason import feeds_others, sentence
from datong.questions.demand_totals import gap_totals, shortest
from datong.questions.tables_out import most_valuable_of, of_orders, rendered

ORDERS_SHOWN = 10
SIGNALS_SHOWN = 25
SHORT_PRODUCTS_SHOWN = 12
LINES_SHOWN = 30
# Keeps the page small: at most so many products, and so many points in all their charts together.
PRODUCTS_SHOWN, PRODUCT_POINTS = 60, 3000
HISTORY_BUCKETS = 60
BANDS = (
    ("band90", "q05_units", "q95_units"),
    ("band80", "q10_units", "q90_units"),
    ("band50", "q25_units", "q75_units"),
)

# What each replay rests on: everything that costs or limits.
REPLAY = PLAN

Row = dict[str, Any]
Words = Callable[..., str]


@cache
def _template() -> Template:
    """Compiled once in a program: that takes longer than to fill it."""
    environment = Environment(
        loader=PackageLoader("datong.app.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("report.html.j2")


def report_html(inputs: ReportInputs, language: str) -> str:
    """The page as text. The same inputs give the same text."""
    words: Words = partial(_say, language)
    view = RunView(inputs, language)
    static = files("datong.app.report").joinpath("static")
    return _template().render(
        language=language,
        t=words,
        column=lambda name: title(name, language),
        style=Markup(static.joinpath("report.css").read_text(encoding="utf-8")),
        script=Markup(static.joinpath("report.js").read_text(encoding="utf-8")),
        version=datong.__version__,
        mark=lambda kind: _mark(inputs, kind, words),
        compact=lambda v: figures.compact(v, language),
        money=lambda v: figures.money(v, inputs.settings.currency, language),
        number=figures.number,
        fitting=figures.fitting,
        share=figures.share,
        at_most=figures.share_at_most,
        rows=lambda r: evidence_words(r["evidence"], r["evidence_table"], language),
        sentences=lambda *said: figures.one_after_another(said, language),
        door=lambda name: coded("door", name, language),
        day=lambda d: figures.long_day(d, language),
        coded=lambda name, value: coded(name, value, language),
        named=view.names,
        binding=view.main_cause,
        page=_page(view, words),
    )


def _say(language: str, key: str, /, **params: Any) -> str:
    return say(f"report.{key}", language, **params)


_RESTS = {"money": MONEY, "capacity": CAPACITY, "demand": DEMAND, "plan": PLAN, "replay": REPLAY}


def _mark(inputs: ReportInputs, kind: str, words: Words) -> Markup:
    """The mark beside a figure that rests on assumed numbers, or nothing."""
    names = resting_on(inputs, _RESTS[kind])
    if not names:
        return Markup("")
    about = words("assumed_title", columns=", ".join(names))
    return Markup('<a class="assumed" href="#assumptions" title="{}">{}</a>').format(about, words("assumed"))


def _page(view: RunView, words: Words) -> Row:
    """Everything the template shows, section by section."""
    inputs, language = view.inputs, view.language
    unit = words("weeks" if inputs.settings.bucket == "week" else "days")
    total = inputs.tables["forecast_total"].to_pylist()
    moment = inputs.as_of.astimezone(inputs.settings.calendar.zone)
    listings = {
        name: listed
        for name, listed in (
            ("since", since_listing(view)),
            ("orders", orders_listing(view)),
            ("late", late_listing(view)),
            ("grid", grid_listing(view)),
        )
        if listed is not None
    }
    return {
        "sections": _sections(view, "since" in listings),
        "name": inputs.settings.name,
        "currency": inputs.settings.currency,
        "as_of": moment.date(),
        "moment": f"{figures.long_day(moment.date(), language)} {moment:%H:%M}",
        "zone": zone_word(inputs.settings.time_zone),
        "unit": unit,
        "each": say("app.week" if inputs.settings.bucket == "week" else "app.day", language),
        "first": total[0]["bucket"] if total else moment.date(),
        "last": inputs.last_day if total else moment.date(),
        "buckets": len(total),
        "headline": _headline(view, total),
        "week": [*this_week(view), *counted_on(view)],
        "counted_by": counted_by(view),
        "findings": view.findings,
        "before": next((r["text"] for r in view.since or () if r["part"] == "before"), ""),
        "listings": listings,
        "market": market_section(view, _behind),
        "replay": _replay(inputs, language, words),
        "gap": _gap(view),
        "demand": _demand(inputs, language, words),
        "load": _load(inputs, language, words),
        "signals": _signals(inputs, language),
        "orders": _orders(inputs, language),
        "learning": _learning(inputs, language, words),
        "certificate": _certificate(inputs, language),
        "assumed": sorted(inputs.assumed),
    }


def _sections(view: RunView, since: bool) -> list[str]:
    """The parts of the page below its first screen, in order."""
    has = {"findings": bool(view.findings), "since": since, "market": view.inputs.market is not None}
    has["signals"] = not has["market"] or _not_told(view.inputs).num_rows > 0
    names = ["findings", "since", "market", "orders", "late", "grid", "gap", "load", "demand", "signals"]
    return [n for n in (*names, "replay", "learning", "certificate", "assumptions") if has.get(n, True)]


def _headline(view: RunView, total: Sequence[Row]) -> Row:
    """The figures of the first screen."""
    return {
        "demand": view.demand["demand_units"],
        "futures": view.inputs.futures,
        "low": total[0]["q10_units"] if total else None,
        "high": total[0]["q90_units"] if total else None,
        "on_time_share": view.demand["on_time_share"],
        "late": view.demand["late_units"],
        "lost": view.demand["lost_units"],
        "orders": len(view.orders_now),
        "all_orders": len(view.orders),
        "late_orders": sum(bool(r["late"]) for r in view.orders),
        "kept": view.inputs.tables["kept"].num_rows,
        "cost": view.certificate["total_cost"],
        "gap_share": view.certificate["gap_share"],
        "signals": view.inputs.tables["signals"].num_rows,
    }


# replay ------------------------------------------------------------------------------------------


def _replay(inputs: ReportInputs, language: str, words: Words) -> Row | None:
    if "by_bucket" not in inputs.replay or not inputs.replay["by_bucket"].num_rows:
        return None
    # Perfect foresight holds no stock to speak of and is never late: a line along the edge of every chart.
    rows = {p: t for p, t in by_policy(inputs.replay["by_bucket"]).items() if p != "foresight"}
    starts = next(iter(rows.values()))["bucket"].to_pylist()
    labels = [figures.short_day(s, language) for s in starts]
    names = {p: policy_name(p, language) for p in (*rows, "foresight")}

    def lines(of: Callable[[Row], float | None]) -> list[Line]:
        return [Line(names[p], _STYLES.get(p, "baseline"), [of(r) for r in t.to_pylist()]) for p, t in rows.items()]

    def fill(row: Row) -> float | None:
        return row["served_on_time_units"] / row["demand_units"] if row["demand_units"] else None

    compact = partial(figures.compact, language=language)
    charts = [
        (words("replay.fill"), lines(fill), lambda v: figures.share(v, 0), (_floor(lines(fill)), 1.0)),
        (words("replay.stock"), lines(lambda r: r["stock_units"]), compact, None),
    ]
    found = verdict(inputs.replay)
    if found is not None:
        name = words("replay.saved", than=words(f"replay.than_{found.than}"), currency=inputs.settings.currency)
        charts.append((name, _saved(rows, names, found.than), compact, None))
    return {
        "verdict": found,
        "totals": totals(inputs.replay["summary"]),
        "notes": inputs.replay["notes"][language].to_pylist() if "notes" in inputs.replay else [],
        "said": verdict_words(found, inputs.settings.currency, language) if found else [],
        "differences": difference_rows(inputs.replay["differences"], inputs.settings.currency, language),
        "limits": [
            said
            for said in (
                words("replay.proof"),
                limit_words(inputs.replay["summary"], inputs.settings.currency, language),
                _recorded(inputs, words),
            )
            if said
        ],
        "names": names,
        "buckets": len(starts),
        "charts": [
            {
                "title": name,
                "svg": plot(name, Steps(labels, most_labels=4), drawn, (), label, y_range),
                "table": _behind(
                    starts, [(li.label, li.values) for li in drawn], label if y_range else figures.fitting
                ),
            }
            for name, drawn, label, y_range in charts
        ],
    }


def _recorded(inputs: ReportInputs, words: Words) -> str:
    """How the company's own shipments served its buyers, in a sentence; '' where nothing is recorded of them."""
    if not inputs.replay.get("recorded_service"):
        return ""
    found = {r["within_days"]: r["share"] for r in inputs.replay["recorded_service"].to_pylist()}
    days = max(d for d in found if d is not None and d <= max(inputs.settings.promise_days, 0))
    promised, end = figures.share(found[days]), figures.share(found[None])
    return words("replay.recorded", days=days, promised=promised, end=end)


_STYLES = {"datong": "datong", "company": "company"}


def _saved(rows: dict[str, pa.Table], names: dict[str, str], than: str) -> list[Line]:
    """Money that `than` has cost more than each other policy, from the first bucket on."""
    costs = {p: t["cost"].to_pylist() for p, t in rows.items()}
    return [
        Line(
            names[p], _STYLES.get(p, "baseline"), list(accumulate(c - o for o, c in zip(own, costs[than], strict=True)))
        )
        for p, own in costs.items()
        if p != than
    ]


def _floor(lines: Sequence[Line]) -> float:
    """Where the axis of a share starts: a round tenth below the lowest value."""
    lowest = min((v for line in lines for v in line.values if v is not None), default=0.0)
    return max(0.0, math.floor(lowest * 10 - 0.5) / 10)


def _behind(
    starts: Sequence[date],
    columns: Sequence[tuple[str, Sequence[Any]]],
    write: Callable[[Any], str],
    notes: Mapping[date, str] | None = None,
) -> Row:
    """The table behind a chart: a row for each step, in the chart's order. notes: words beside a step's day."""
    heads = [f"{s.isoformat()} {(notes or {}).get(s, '')}".strip() for s in starts]
    return {
        "heads": [name for name, _ in columns],
        "rows": [(head, [write(values[i]) for _, values in columns]) for i, head in enumerate(heads)],
    }


# supply and demand -------------------------------------------------------------------------------


def _gap(view: RunView) -> Row:
    short = shortest(view.products)
    return {
        "by_bucket": gap_totals(view.inputs.tables["gaps"], "bucket"),
        "total": view.demand,
        "by_product": short[:SHORT_PRODUCTS_SHOWN],
        "more": max(0, len(short) - SHORT_PRODUCTS_SHOWN),
    }


# demand ------------------------------------------------------------------------------------------


def _by_item(table: pa.Table) -> dict[tuple[str, str], list[Row]]:
    result: dict[tuple[str, str], list[Row]] = {}
    for r in table.to_pylist():
        result.setdefault((r["product"], r["market"]), []).append(r)
    return result


def _demand(inputs: ReportInputs, language: str, words: Words) -> Row:
    tables = inputs.tables
    series, forecast = _by_item(tables["series"]), _by_item(tables["forecast"])
    holidays: dict[date, list[str]] = {}
    for h in tables["holidays"].to_pylist():
        # A run that an earlier version kept has no Chinese names.
        name = h.get("holiday_zh") if language == "zh" else None
        holidays.setdefault(h["bucket"], []).append(name or h["holiday"])

    def chart(name: str, history: Sequence[Row], ahead: Sequence[Row]) -> Row:
        history = history[-HISTORY_BUCKETS:]
        starts = [r["bucket"] for r in [*history, *ahead]]
        past, future = [None] * len(history), [None] * len(ahead)
        drawn = [
            Line(words("demand.history"), "history", [*(r["units"] for r in history), *future]),
            Line(words("demand.median"), "median", [*past, *(r["q50_units"] for r in ahead)]),
        ]
        bands = [
            Band(words(f"demand.{b}"), b, [*past, *(r[low] for r in ahead)], [*past, *(r[high] for r in ahead)])
            for b, low, high in BANDS
        ]
        marks = [(i, f"{s.isoformat()} {', '.join(holidays[s])}") for i, s in enumerate(starts) if s in holidays]
        about = words("demand.chart", name=name)
        columns = [
            (words("demand.history"), drawn[0].values),
            *((f"{q}%", [*past, *(r[f"q{q}_units"] for r in ahead)]) for q in ("05", "10", "50", "90", "95")),
        ]
        return {
            "name": name,
            "svg": plot(
                about,
                Steps(
                    [figures.short_day(s, language) for s in starts],
                    marks=marks if len(marks) <= len(starts) / 2 else (),
                    mark_label=words("demand.holiday"),
                    now=len(history),
                ),
                drawn,
                bands,
                partial(figures.compact, language=language),
            ),
            "table": _behind(starts, columns, figures.fitting, {s: ", ".join(names) for s, names in holidays.items()}),
        }

    # Without a sum over an item that was not yet there: unknown units count as what was recorded.
    known: dict[date, float] = {}
    for r in tables["series"].to_pylist():
        known[r["bucket"]] = known.get(r["bucket"], 0.0) + (r["sold_units"] if r["units"] is None else r["units"])
    history = [{"bucket": b, "units": known[b]} for b in sorted(known)]
    expected = {item: math.fsum(r["mean_units"] for r in rows) for item, rows in forecast.items()}
    ranked = sorted(expected, key=lambda item: (-expected[item], item))
    points = HISTORY_BUCKETS + tables["forecast_total"].num_rows
    if series:
        points = min(points, len(next(iter(series.values()))) + tables["forecast_total"].num_rows)
    shown = ranked[: max(1, min(PRODUCTS_SHOWN, PRODUCT_POINTS // max(points, 1)))]
    one_market = len({market for _, market in ranked}) <= 1
    items, named = [], Names(inputs.tables)
    for item in shown:
        name = named.beside(item[0]) + ("" if one_market else f" · {item[1]}")
        first = forecast[item][0]
        made = {"method": method_words(first["method"], language), "prior": first["prior"]}
        items.append(chart(name, series.get(item, []), forecast[item]) | made)
    return {
        "chain": chart(words("demand.chain"), history, tables["forecast_total"].to_pylist()),
        "items": items,
        "all": len(ranked),
    }


# lines -------------------------------------------------------------------------------------------


def _load(inputs: ReportInputs, language: str, words: Words) -> Row | None:
    prices = inputs.tables["prices"]
    rows = prices.filter(pc.field("what") == "line").to_pylist()
    if not rows:
        return None
    starts = sorted({r["bucket"] for r in rows})
    by_line: dict[str, dict[date, Row]] = {}
    for r in rows:
        by_line.setdefault(r["name"], {})[r["bucket"]] = r

    def load(r: Row) -> float:
        return (r["used"] or 0.0) / r["available"] if r["available"] else 0.0

    def weight(line: str) -> tuple[float, float, str]:
        cells = by_line[line].values()
        return -max(r["price"] or 0.0 for r in cells), -math.fsum(map(load, cells)), line

    shown = sorted(by_line, key=weight)[:LINES_SHOWN]
    heat = []
    for line in shown:
        cells = []
        for start in starts:
            r = by_line[line].get(start)
            if r is None:
                cells.append(None)
                continue
            price = r["price"]
            about = words(
                "load.cell_unknown" if price is None else "load.cell",
                used=figures.fitting(r["used"]),
                available=figures.fitting(r["available"]),
                price=figures.fitting(price),
            )
            level = min(10, max(0, math.floor(load(r) * 10 + 1e-9)))
            worth = words("load.unknown") if price is None else figures.compact(price, language)
            share = figures.share(load(r), 0) if r["available"] else words("load.shut")
            below = worth if price is None or price > 0.005 else ""
            cells.append({"share": share, "below": below, "level": level, "about": about})
        heat.append({"line": line, "cells": cells})
    used = [math.fsum(r["used"] or 0.0 for r in rows if r["bucket"] == s) for s in starts]
    available = [math.fsum(r["available"] or 0.0 for r in rows if r["bucket"] == s) for s in starts]
    drawn = [Line(words("load.used"), "datong", used), Line(words("load.available"), "baseline", available)]
    return {
        "starts": [figures.short_day(s, language) for s in starts],
        "heat": heat,
        "all": len(by_line),
        "svg": plot(
            words("load.chart"),
            Steps([figures.short_day(s, language) for s in starts]),
            drawn,
            (),
            partial(figures.compact, language=language),
        ),
        "table": _behind(starts, [(li.label, li.values) for li in drawn], figures.fitting),
    }


# signals, orders, learning, certificate ----------------------------------------------------------


def _not_told(inputs: ReportInputs) -> pa.Table:
    """Signals that the part on the market does not show already."""
    signals = inputs.tables["signals"]
    if inputs.market is None:
        return signals
    told = pa.array(sorted(told_on_page(inputs.market)), pa.string())
    return signals.filter(pc.invert(pc.is_in(signals["signal"], told)))


def _signals(inputs: ReportInputs, language: str) -> Row:
    signals = rendered({"signals": _not_told(inputs)}, language)["signals"]
    rows = sorted(signals.to_pylist(), key=lambda r: (-abs(r["strength"] or 0.0), r["signal"]))
    return {"rows": rows[:SIGNALS_SHOWN], "more": max(0, len(rows) - SIGNALS_SHOWN)}


def _orders(inputs: ReportInputs, language: str) -> list[Row]:
    chosen = most_valuable_of(inputs.tables, ORDERS_SHOWN)
    reasons = of_orders(inputs.tables["reasons"], {o.order for o in chosen})
    reasons = rendered({"reasons": reasons}, language)["reasons"]
    causes: dict[str, list[Row]] = {}
    for r in reasons.to_pylist():
        causes.setdefault(r["order"], []).append(r)
    return [
        {
            "order": o,
            "feeds": feeds_others(o),
            "sentence": sentence(o, language),
            "causes": sorted(causes.get(o.order, []), key=lambda c: c["rank"]),
        }
        for o in chosen
    ]


def _learning(inputs: ReportInputs, language: str, words: Words) -> list[Row]:
    """How right the forecasts of the next bucket were, by bucket, from the replay where there is one, else the runs.

    After a replay also how far lead times and yields were from what they were taken to be.
    """
    scores = inputs.replay.get("scores", inputs.tables["scores"])
    covered = _mean_score(scores, "covered")
    learning = inputs.replay.get("learning")
    if learning is not None:
        covered = _learnt(learning, "covered_share")
    percent, compact = partial(figures.share, digits=0), partial(figures.compact, language=language)
    found: list[tuple[str, dict[date, float], Callable[[float], str], tuple[float, float] | None]] = [
        ("covered", covered, percent, (0.0, 1.0)),
        ("pinball", _mean_score(scores, "pinball_units"), compact, None),
        ("bias", _mean_score(scores, "bias_units"), compact, None),
    ]
    if learning is not None:
        found += [
            ("lead_days", _learnt(learning, "lead_days_error"), figures.fitting, None),
            ("yield", _learnt(learning, "yield_error"), partial(figures.share, digits=1), None),
        ]
    charts = []
    for word, values, write, y_range in found:
        if not values:
            continue
        starts, name = sorted(values), words(f"learning.{word}")
        drawn = [Line(name if word == "covered" else "", "datong", [values[s] for s in starts])]
        if word == "covered":
            drawn.append(Line(words("learning.target") + " 80%", "baseline", [0.8] * len(starts)))
        labels = [figures.short_day(s, language) for s in starts]
        charts.append(
            {
                "title": name,
                "svg": plot(name, Steps(labels, most_labels=4), drawn, (), write, y_range),
                "table": _behind(starts, [(name, drawn[0].values)], figures.fitting if y_range is None else write),
            }
        )
    return charts


def _mean_score(scores: pa.Table, metric: str) -> dict[date, float]:
    """Mean over products of the next bucket's scores, by bucket."""
    values: dict[date, list[float]] = {}
    for r in scores.filter(pc.field("metric") == metric).to_pylist():
        if r["bucket"] is not None and r["horizon"] == 0 and r["value"] is not None:
            values.setdefault(r["bucket"], []).append(r["value"])
    return {start: math.fsum(found) / len(found) for start, found in values.items()}


def _learnt(learning: pa.Table, measure: str) -> dict[date, float]:
    return {r["bucket"]: r["value"] for r in learning.filter(pc.field("measure") == measure).to_pylist()}


def _certificate(inputs: ReportInputs, language: str) -> Row:
    certificate = inputs.tables["certificate"].to_pylist()[0]
    terms = inputs.tables["cost"].to_pylist()
    largest = max((abs(r["money"]) for r in terms), default=0.0)
    return {
        **certificate,
        "said": certainty_lines(certificate, inputs.settings, language, inputs.tables.get("kept")),
        "terms": [{**r, "width": 100 * abs(r["money"]) / largest if largest > 0 else 0.0} for r in terms],
    }
