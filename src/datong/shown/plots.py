"""Plots of results, by matplotlib where it is installed (the extra `plot`): it draws nothing before it is asked to.

Each function draws on `axes`, or makes a figure of its own, and gives the axes back.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from datong.model.errors import NotFound
from datong.model.words import message, say
from datong.shown.tables import column_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]

_PAST, _AHEAD, _LOW = "#555555", "#1f6feb", "#c0392b"
_MOST_BARS = 20
_CHINESE_FONTS = ("Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "SimHei")


def new_axes(axes: "Axes | None", size: tuple[float, float] = (9.0, 4.0)) -> "Axes":
    """Raises NotFound, with the remedy, where matplotlib is not installed."""
    if axes is not None:
        return axes
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise NotFound(message("shown.no_plots")) from error
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def plot_forecast(past: Rows, ahead: Rows, title: str, unit: str, language: str, axes: "Axes | None" = None) -> "Axes":
    """Units by bucket as they were, and as they are expected with the interval from the 10% to the 90% quantile.

    past: bucket, units (None: unknown). ahead: bucket, mean_units, q10_units, q50_units, q90_units.
    """
    axes = new_axes(axes)
    sold = [_number(r["units"]) for r in past]
    axes.plot([r["bucket"] for r in past], sold, color=_PAST, label=_say("past", language))
    days = [r["bucket"] for r in ahead]
    low, high = ([r[name] for r in ahead] for name in ("q10_units", "q90_units"))
    axes.fill_between(days, low, high, color=_AHEAD, alpha=0.2, linewidth=0, label=_say("interval", language))
    axes.plot(days, [r["mean_units"] for r in ahead], color=_AHEAD, label=column_title("mean_units", language))
    return _finished(axes, title, unit, language)


def plot_stock(rows: Rows, title: str, unit: str, language: str, axes: "Axes | None" = None) -> "Axes":
    """Stock at the end of each bucket as planned, and what comes and goes. rows: bucket, came, went, closing."""
    axes = new_axes(axes)
    days = [r["bucket"] for r in rows]
    width = 0.6 * (days[1] - days[0]).days if len(days) > 1 else 0.6
    axes.bar(days, [r["came"] for r in rows], width=width, color=_AHEAD, alpha=0.4, label=_say("came", language))
    axes.bar(days, [-r["went"] for r in rows], width=width, color=_PAST, alpha=0.4, label=_say("went", language))
    closing = [r["closing"] for r in rows]
    axes.plot(days, closing, color=_AHEAD, marker="o", label=column_title("closing_units", language))
    axes.axhline(0, color=_LOW, linewidth=0.8)
    return _finished(axes, title, unit, language)


def plot_orders(rows: Rows, title: str, language: str, axes: "Axes | None" = None) -> "Axes":
    """Orders from their start to their due day, those worth most on top. rows: name, units, start, due."""
    from_most = list(rows[:_MOST_BARS])[::-1]
    axes = new_axes(axes, (9.0, 1.5 + 0.3 * len(from_most)))
    for place, row in enumerate(from_most):
        days = max((row["due"] - row["start"]).days, 1)
        axes.barh(place, days, left=_number_of(row["start"]), height=0.6, color=_AHEAD, alpha=0.5)
        axes.text(_number_of(row["start"]), place, f" {row['units']:,.10g}", va="center")
    axes.set_yticks(range(len(from_most)), [_plain(row["name"]) for row in from_most])
    axes.xaxis_date()
    axes.set_title(_plain(title))
    return _readable(axes)


def _number_of(day: date) -> float:
    return float((day - date(1970, 1, 1)).days)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _say(key: str, language: str) -> str:
    return say(f"shown.{key}", language)


def _plain(text: str) -> str:
    """A name in which nothing is a formula: matplotlib reads what stands between two dollar signs as one."""
    return text.replace("$", r"\$")


def _finished(axes: "Axes", title: str, unit: str, language: str) -> "Axes":
    axes.set_title(_plain(title))
    axes.set_ylabel(_plain(unit))
    axes.legend(frameon=False)
    axes.grid(axis="y", alpha=0.3)
    return _readable(axes)


def _readable(axes: "Axes") -> "Axes":
    """Dates that do not run into one another, and Chinese in letters that this machine has."""
    from matplotlib import font_manager

    axes.tick_params(axis="x", rotation=30)
    installed = set(font_manager.get_font_names())
    fonts = [name for name in _CHINESE_FONTS if name in installed]
    if fonts:
        legend = axes.get_legend()
        texts = [axes.title, axes.yaxis.label, *axes.get_yticklabels(), *([] if legend is None else legend.get_texts())]
        for text in texts:
            text.set_fontfamily([*fonts[:1], "DejaVu Sans"])
    return axes
