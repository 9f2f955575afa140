"""What the picture of a finding shows: the series that it was found in, by week, with the weeks before and after.

Of sales: demand, its two levels, and what is expected. Of a complaint: the share of the product's reviews that blame
the aspect. Of returns: the share of units that came back. Of a value of an attribute: its share of units sold. Of what
runs ahead of sales: it and the demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow.compute as pc

from datong.ledger.columns import local_days
from datong.ledger.state import State
from datong.model.flow import FloatArray, Signal
from datong.model.words import Message, message
from datong.network.product_attributes import product_attributes
from datong.questions.finding_strength import LEADING_KINDS, returned_by_week, rows_about
from datong.questions.market_findings import MarketFinding
from datong.questions.weeks_sold import WeeksSold
from datong.sense.blame_and_praise import ReadReviews
from datong.sense.complaints import first_recent_day
from datong.sense.interest_leads_sales import COMPLAINT_STARS
from datong.sense.voice.aspects import general
from datong.sense.weeks_looked_at import WEEK_DAYS

# Rows of what runs ahead of sales that name no market stand for every one.
ANY_MARKET = ("all",)


@dataclass(frozen=True, eq=False)
class PictureLine:
    """name: what it is. role: 'series', 'sales' (beside it), 'ahead' or 'level'. values: (week) NaN where nothing is
    known. is_share: whether they are shares, not units."""

    name: Message
    role: str
    values: FloatArray
    is_share: bool = False


@dataclass(frozen=True, eq=False)
class Picture:
    """weeks: first days, open ones after closed ones. closed: how many are. lines: over all weeks. span: positions of
    the finding's first and last week. unit: 'units', 'share', or 'index', where the lines are of different units and
    are drawn as shares of their own means."""

    weeks: tuple[date, ...]
    closed: int
    lines: tuple[PictureLine, ...]
    span: tuple[int, int]
    unit: str


def picture_of(state: State, one: MarketFinding, weeks: WeeksSold | None, heard: ReadReviews | None) -> Picture | None:
    """None where nothing is known of what the finding is about."""
    if weeks is not None and one.subject.kind == "attribute":
        return _of_attribute(state, one, weeks)
    own = [] if weeks is None else weeks.of(one.subject)
    if weeks is None or not own:
        return None
    table = "" if one.signal is None else one.signal.evidence_table
    if one.kind == "complaint":
        return _of_complaint(one, weeks, heard)
    if one.kind in LEADING_KINDS and one.signal is not None:
        return _of_lead(state, one, one.signal, weeks, own)
    if table == "returns":
        return _of_returns(state, one, weeks, own)
    return _of_sales(one, weeks, own)


def _over(weeks: WeeksSold, one: MarketFinding, unit: str, lines: Sequence[PictureLine]) -> Picture:
    """A picture of closed weeks alone."""
    count = len(weeks.starts)
    first, last = weeks.span(one.first, one.last)
    return Picture(weeks.starts, count, tuple(lines), (min(first, count - 1), min(last, count - 1)), unit)


def _of_sales(one: MarketFinding, weeks: WeeksSold, own: Sequence[int]) -> Picture:
    closed, ahead = len(weeks.starts), len(weeks.ahead_starts)
    sold = PictureLine(
        message("findings.line_sold"), "series", np.append(_sum(weeks.units[own]), np.full(ahead, np.nan))
    )
    expected = np.append(np.full(closed, np.nan), _sum(weeks.ahead[own]))
    lines = [sold, PictureLine(message("findings.line_ahead"), "ahead", expected)]
    span = weeks.span(one.first, one.last)
    if one.signal is not None and one.kind in ("level_shift", "surge", "decline", "anomaly"):
        lines += _levels(one.signal, span, closed + ahead)
    return Picture((*weeks.starts, *weeks.ahead_starts), closed, tuple(lines), span, "units")


def _sum(units: FloatArray) -> FloatArray:
    """(week) units of all items; of one alone unknown where it is, of several the sum of those known."""
    return units[0] if len(units) == 1 else np.where(np.isnan(units).all(axis=0), np.nan, np.nansum(units, axis=0))


def _levels(signal: Signal, span: tuple[int, int], count: int) -> list[PictureLine]:
    """The two levels that the finding's own figures say: before + change = after, change / before = share."""
    is_new = signal.text.key.endswith("_new")  # nothing was before
    if not is_new and not signal.effect_share:
        return []
    week = np.arange(count)
    before = 0.0 if is_new else signal.effect_units / signal.effect_share
    sides = [("before", before, week < span[0])]
    sides.append(("after", before + signal.effect_units, (week >= span[0]) & (week <= span[1])))
    names = {"before": "findings.line_usual" if signal.kind == "anomaly" else "findings.line_before"}
    names["after"] = "findings.line_in_week" if signal.kind == "anomaly" else "findings.line_after"
    return [PictureLine(message(names[name]), "level", np.where(side, level, np.nan)) for name, level, side in sides]


def _of_returns(state: State, one: MarketFinding, weeks: WeeksSold, own: Sequence[int]) -> Picture:
    back, sold = returned_by_week(state, weeks, one.subject), weeks.sold[own].sum(axis=0)
    first, last = weeks.span(one.first, one.last)
    lines = [PictureLine(message("findings.line_returned"), "series", _shares(back, sold), is_share=True)]
    week = np.arange(len(weeks.starts))
    for key, side in (("before", week < first), ("after", (week >= first) & (week <= last))):
        if sold[side].sum() > 0:
            level = np.where(side, back[side].sum() / sold[side].sum(), np.nan)
            lines.append(PictureLine(message(f"findings.line_{key}"), "level", level))
    return _over(weeks, one, "share", lines)


def _of_attribute(state: State, one: MarketFinding, weeks: WeeksSold) -> Picture | None:
    """Units sold of products with the value, of those of all with the attribute; as sold, shelves and range as they
    were."""
    name, _, value = one.subject.name.partition("=")
    found = next((attribute.values for attribute in product_attributes(state) if attribute.name == name), {})
    has = np.array([item.product in found for item in weeks.items], bool)
    own = np.array([found.get(item.product) == value for item in weeks.items], bool)
    if not own.any():
        return None
    share = _shares(weeks.sold[own].sum(axis=0), weeks.sold[has].sum(axis=0))
    return _over(weeks, one, "share", [PictureLine(message("findings.line_attribute"), "series", share, is_share=True)])


def _of_complaint(one: MarketFinding, weeks: WeeksSold, heard: ReadReviews | None) -> Picture | None:
    aspect = aspect_of(one)
    if heard is None or aspect is None or one.subject.name not in heard.products:
        return None
    counted = (heard.of == heard.products.index(one.subject.name)) & (heard.weight > 0)
    day, weight = heard.day[counted], heard.weight[counted]
    blames = heard.opinions.blamed[counted, aspect] * weight
    share = _shares(weeks.by_week(day, blames), weeks.by_week(day, weight))
    name = message("findings.line_blamed", aspect=message(f"aspect.{general().aspects[aspect].path}"))
    lines = [PictureLine(name, "series", share, is_share=True)]
    is_late = day >= first_recent_day(weeks.end)
    late = np.arange(len(weeks.starts)) >= len(weeks.starts) - (weeks.end - first_recent_day(weeks.end)) // WEEK_DAYS
    for key, there, side in (("before", ~is_late, ~late), ("after", is_late, late)):
        if there.any():
            level = np.where(side, blames[there].sum() / weight[there].sum(), np.nan)
            lines.append(PictureLine(message(f"findings.line_{key}"), "level", level))
    return _over(weeks, one, "share", lines)


def aspect_of(one: MarketFinding) -> int | None:
    """Place of the aspect that a complaint is about; None where there is no such aspect any more."""
    paths = [aspect.path for aspect in general().aspects]
    name = one.finding.removeprefix("complaint-")
    return next((i for i, path in enumerate(paths) if name.startswith(f"{path}-")), None)


def _of_lead(state: State, one: MarketFinding, signal: Signal, weeks: WeeksSold, own: Sequence[int]) -> Picture | None:
    if one.kind == "returned":
        back = returned_by_week(state, weeks, one.subject, *ANY_MARKET)
        name, values = message("findings.line_returned"), _shares(back, weeks.sold[own].sum(axis=0))
    elif one.kind == "complaints":
        name, values = message("findings.line_bad"), _bad_share(state, one, weeks)
    else:
        name = dict(signal.text.params)["what"]
        rows = rows_about(state, "interest", one.subject, *ANY_MARKET)
        rows = rows.filter(pc.equal(rows["kind"], name.key.removeprefix("sense.indicator_")))
        count = rows["count"].to_numpy(zero_copy_only=False)
        values = _from_first(weeks.by_week(local_days(rows, state), count))
    sold = PictureLine(message("findings.line_sold"), "sales", _sum(weeks.units[own]))
    return _over(
        weeks, one, "index", (PictureLine(name, "series", values, one.kind in ("returned", "complaints")), sold)
    )


def _bad_share(state: State, one: MarketFinding, weeks: WeeksSold) -> FloatArray:
    rows = rows_about(state, "reviews", one.subject, *ANY_MARKET)
    rows = rows.filter(pc.is_valid(rows["rating"]))
    stars, day = rows["rating"].to_numpy(zero_copy_only=False), local_days(rows, state)
    bad = weeks.by_week(day, (stars <= COMPLAINT_STARS).astype(np.float64))
    return _shares(bad, weeks.by_week(day, np.ones(len(day))))


def _shares(hits: FloatArray, of: FloatArray) -> FloatArray:
    """(week) hits over what they are of; unknown where there is nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(of > 0, hits / of, np.nan)


def _from_first(values: FloatArray) -> FloatArray:
    """Unknown before the first week with any."""
    there = np.flatnonzero(values > 0)
    return np.where(np.arange(len(values)) < (there[0] if len(there) else len(values)), np.nan, values)


def drawn(picture: Picture) -> Picture:
    """The picture as it is drawn: lines of different units as shares of their own means."""
    if picture.unit != "index":
        return picture

    def of_mean(line: PictureLine) -> PictureLine:
        known = line.values[~np.isnan(line.values)]
        mean = float(known.mean()) if len(known) else 0.0
        return replace(line, values=line.values / mean if mean > 0 else line.values)

    return replace(picture, lines=tuple(of_mean(line) for line in picture.lines))
