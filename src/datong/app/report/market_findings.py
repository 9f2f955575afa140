"""What the market says, as the page and the workbook show it: a row for each finding, and what reviews speak of."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from datong.app.report.charts import Line, Steps, plot
from datong.app.wording import figures
from datong.app.wording.columns import coded, evidence_words
from datong.app.wording.market_findings import decision_words, strength_words, value_name
from datong.app.wording.view import RunView
from datong.model.words import say
from datong.questions.finding_pictures import Picture, aspect_of, drawn
from datong.questions.market_findings_shown import PICTURES
from datong.sense.voice.aspects import general

if TYPE_CHECKING:
    from datong.questions.market_findings import MarketFinding
    from datong.questions.market_findings_shown import MarketShown, ShownFinding
    from datong.questions.review_aspects import Quote

Row = dict[str, Any]

# Values of attributes at either end of their list on the page.
VALUES_SHOWN = 10
# Orders that are named with a finding on the page, products whose aspects are drawn, and aspects of each.
ORDERS_NAMED, ASPECT_PRODUCTS, ASPECTS_NAMED = 6, 12, 6
# Styles of a picture's lines, by their role.
STYLES = {"series": "history", "sales": "baseline", "ahead": "median", "level": "level"}


# rows of both ------------------------------------------------------------------------------------

MARKET_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("product", "market", "kind", "text")),
        *((name, pa.float64()) for name in ("effect_share", "low_share", "high_share", "strength", "q_value")),
        *((name, pa.date32()) for name in ("known_since", "first", "last")),
        *((name, pa.string()) for name in ("does", "decision", "decided_by", "reason")),
        ("decided_at", pa.date32()),
        ("orders", pa.list_(pa.string())),
        *((name, pa.string()) for name in ("effect", "quotes", "evidence_table")),
        ("evidence_rows", pa.int64()),
        ("finding", pa.string()),
    ]
)


def market_rows(view: RunView, market: "MarketShown") -> pa.Table:
    """A row for each finding, the strongest first."""
    return pa.Table.from_pylist([_row(view, one) for one in market.findings], schema=MARKET_SCHEMA)


def _row(view: RunView, shown: "ShownFinding") -> Row:
    one, language, zone = shown.finding, view.language, view.inputs.settings.calendar.zone
    made, signal = one.decision, one.signal
    behind = signal if signal is not None else made
    return {
        "product": one.subject.name if one.subject.kind == "product" else None,
        "market": None if one.subject.market == "all" else one.subject.market,
        "kind": one.kind,
        "text": one.text.text(language),
        "effect_share": None if one.strength is None else one.strength.share,
        "low_share": None if one.strength is None else one.strength.low,
        "high_share": None if one.strength is None else one.strength.high,
        "strength": None if signal is None else signal.strength,
        "q_value": None if signal is None else signal.q_value,
        "known_since": None if one.known_since is None else one.known_since.astimezone(zone).date(),
        "first": one.first,
        "last": one.last,
        "does": one.proposal.text(language),
        "decision": None if made is None else made.state,
        "decided_by": None if made is None else made.decided_by or None,
        "reason": None if made is None else made.reason or None,
        "decided_at": None if made is None else made.made_at.astimezone(zone).date(),
        "orders": list(one.orders),
        "effect": None if shown.effect is None else shown.effect.text(language),
        "quotes": "\n".join(quote_words(quote) for quote in shown.quotes) or None,
        "evidence_table": None if behind is None else behind.evidence_table or None,
        "evidence_rows": None if behind is None else len(behind.evidence),
        "finding": one.finding,
    }


def quote_words(quote: "Quote") -> str:
    """'“It bled in the wash.” 2024-09-30, ★1'."""
    stars = "" if quote.stars is None else f", ★{quote.stars:g}"
    return f"“{quote.text}” {quote.day.isoformat()}{stars}"


def aspect_rows(view: RunView, market: "MarketShown") -> pa.Table:
    """What reviews speak of, with the aspects in words."""
    names = [_aspect(view, path) for path in market.aspects["aspect"].to_pylist()]
    at = market.aspects.column_names.index("aspect")
    return market.aspects.set_column(at, "aspect", pa.array(names, pa.string()))


def _aspect(view: RunView, path: str) -> str:
    return say(f"aspect.{path}", view.language)


# the page ----------------------------------------------------------------------------------------


def market_section(view: RunView, behind: Callable[..., Row]) -> Row | None:
    """What the page shows of the market; None where that was not looked at. behind: makes the table behind a chart."""
    market = view.inputs.market
    if market is None:
        return None
    hours = market.hours
    return {
        "hours": None if hours.median_hours is None else figures.fitting(hours.median_hours),
        "hours_said": [said.text(view.language) for said in hours.text],
        "findings": [_card(view, one, behind) for one in market.findings[:PICTURES]],
        "all": len(market.findings),
        "more": max(0, len(market.findings) - PICTURES),
        "attributes": [_value(row, view.language) for row in _ends(market.attributes)],
        "more_attributes": max(0, market.attributes.num_rows - 2 * VALUES_SHOWN),
        "less": [said.text(view.language) for said in market.less],
        **_aspects(view, market),
    }


def told_on_page(market: "MarketShown") -> set[str]:
    """Ids of the findings that have a place on the page."""
    return {shown.finding.finding for shown in market.findings[:PICTURES]}


def _ends(attributes: pa.Table) -> list[Row]:
    """The values that will gain most, and those that will lose most."""
    rows = attributes.to_pylist()
    return rows if len(rows) <= 2 * VALUES_SHOWN else rows[:VALUES_SHOWN] + rows[-VALUES_SHOWN:]


def _value(row: Row, language: str) -> Row:
    """A row of the run's table, as the page shows it."""
    points = {name: f"{100 * row[name]:+.1f}" for name in ("gain_share", "gain_low_share", "gain_high_share")}
    shares = {name: figures.share(row[name], digits=1) for name in ("before_share", "late_share", "expected_share")}
    return {
        "name": value_name(row, language),
        "products": len(row["products"]),
        **shares,
        **points,
        "gain_units": figures.fitting(row["gain_units"]),
        "lead": "" if row["lead"] is None else say(f"sense.indicator_{row['lead']}", language),
        "read_names": row["read_names"],
    }


def _card(view: RunView, shown: "ShownFinding", behind: Callable[..., Row]) -> Row:
    one, language, zone = shown.finding, view.language, view.inputs.settings.calendar.zone
    signal = one.signal
    is_product = one.subject.kind == "product"
    return {
        "about": (view.names.name(one.subject.name) or one.subject.name) if is_product else _text(one.about, language),
        "code": one.subject.name if is_product and view.names.name(one.subject.name) else "",
        "market": "" if one.subject.market == "all" else one.subject.market,
        "kind": coded("kind", one.kind, language),
        "text": one.text.text(language),
        "strength": strength_words(one.strength, language),
        "noise": "" if signal is None or signal.strength is None else figures.fitting(signal.strength),
        "q": "" if signal is None or signal.q_value is None else _q(signal.q_value),
        "since": None if one.known_since is None else one.known_since.astimezone(zone).date(),
        "does": one.proposal.text(language),
        "rows": _rows_behind(one, language),
        "decision": decision_words(one, zone, language),
        "orders": one.orders[:ORDERS_NAMED],
        "more_orders": max(0, len(one.orders) - ORDERS_NAMED),
        "effect": None if shown.effect is None else shown.effect.text(language),
        "quotes": shown.quotes,
        "picture": None if shown.picture is None else _figure(view, one.text.text(language), shown.picture, behind),
    }


def _rows_behind(one: "MarketFinding", language: str) -> str:
    shown = one.signal if one.signal is not None else one.decision
    return "" if shown is None or not shown.evidence else evidence_words(shown.evidence, shown.evidence_table, language)


def _text(about: Any, language: str) -> str:
    return about if isinstance(about, str) else about.text(language)


def _q(value: float) -> str:
    return "<0.001" if value < 0.001 else figures.number(value, 3)


def _figure(view: RunView, title: str, picture: Picture, behind: Callable[..., Row]) -> Row:
    """The chart, and the table behind it: lines of different units are drawn as shares of their means, and told as
    they are."""
    language = view.language
    scaled = drawn(picture)
    lines = [Line(line.name.text(language), STYLES[line.role], _known(line.values)) for line in scaled.lines]
    compact: Callable[[float], str] = partial(figures.compact, language=language)
    write = compact if picture.unit == "units" else partial(figures.share, digits=0)
    steps = Steps(
        [figures.short_day(week, language) for week in picture.weeks],
        most_labels=5,
        now=picture.closed if picture.closed < len(picture.weeks) else None,
        span=picture.span,
        span_label=view.say("market.span"),
    )
    series = [line for line in picture.lines if line.role != "level"]
    columns = [(line.name.text(language), _told(line.values, line.is_share)) for line in series]
    return {
        "svg": plot(title, steps, lines, (), write),
        "note": view.say("market.of_mean") if picture.unit == "index" else "",
        "table": behind(picture.weeks, columns, str),
    }


def _known(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _told(values: np.ndarray, is_share: bool) -> list[str]:
    """Shares in percent, units with as many digits as they ask for."""
    write = partial(figures.share, digits=1) if is_share else figures.fitting
    return [write(None if math.isnan(value) else value) for value in values.tolist()]


def _aspects(view: RunView, market: "MarketShown") -> Row:
    """Praise and blame of the products with complaints among the findings, then of those with most reviews; of each the
    aspects that are complained of, then those most spoken of."""
    by_product: dict[str, list[Mapping[str, Any]]] = {}
    for row in market.aspects.to_pylist():
        by_product.setdefault(row["product"], []).append(row)
    complained: dict[str, set[str]] = {}
    for shown in market.findings:
        aspect = aspect_of(shown.finding) if shown.finding.kind == "complaint" else None
        if aspect is not None:
            complained.setdefault(shown.finding.subject.name, set()).add(general().paths[aspect])
    first = [name for name in complained if name in by_product]
    chosen = list(dict.fromkeys([*first, *by_product]))[:ASPECT_PRODUCTS]
    return {
        "aspects": [_praise(view, name, by_product[name], complained.get(name, set())) for name in chosen],
        "aspects_by_shipped": market.by_shipped,
        "more_aspects": max(0, len(by_product) - len(chosen)),
    }


def _praise(view: RunView, product: str, rows: Sequence[Mapping[str, Any]], complained: Collection[str]) -> Row:
    shown = sorted(rows, key=lambda r: r["aspect"] not in complained)[:ASPECTS_NAMED]
    most = max(max(r["praised_reviews"], r["blamed_reviews"]) for r in shown)
    bars = [
        {
            "aspect": _aspect(view, r["aspect"]),
            "is_found": r["aspect"] in complained,
            **{name: r[f"{name}_reviews"] for name in ("praised", "blamed")},
            **{f"{name}_share": r[f"{name}_reviews"] / most for name in ("praised", "blamed")},
        }
        for r in shown
    ]
    words = {"count": figures.number(rows[0]["reviews"]), "first": rows[0]["first"], "last": rows[0]["last"]}
    less = rows[0]["less_reviews"]
    said = view.say("market.reviews", **words)
    if less:
        said = view.say("market.reviews_less", said=said, less=figures.number(less))
    return {
        "name": view.names.beside(product),
        "said": said,
        "bars": bars,
        "more": view.say("market.more_of_product", count=len(rows) - len(shown)) if len(rows) > len(shown) else "",
    }
