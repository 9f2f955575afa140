"""Charts as inline SVG, drawn here and not in the browser: they print, need no script, and are the same every time.

The marks are stretched to the width of the page; the words stand beside them as HTML, so that they stay readable
on a phone. Colours come from the page's style by class, so that they follow light and dark.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

# The drawing's own units. The page stretches them to the width and height it has.
WIDTH, HEIGHT = 1000, 400

Values = Sequence[float | None]


@dataclass(frozen=True)
class Line:
    """One line. style: a class of the page's style (datong, company, baseline, history, median...)."""

    label: str
    style: str
    values: Values


@dataclass(frozen=True)
class Band:
    """The room between two lines."""

    label: str
    style: str
    low: Values
    high: Values


@dataclass(frozen=True)
class Steps:
    """Equal steps of x, and what stands on them."""

    labels: Sequence[str]
    # Most labels that are written.
    most_labels: int = 8
    # A step and the words of what was there (a holiday).
    marks: Sequence[tuple[int, str]] = ()
    # What all marks are.
    mark_label: str = ""
    # The step at which the future starts.
    now: int | None = None
    # First and last step that the picture is about, and what they are.
    span: tuple[int, int] | None = None
    span_label: str = ""


def plot(
    title: str,
    steps: Steps,
    lines: Sequence[Line],
    bands: Sequence[Band],
    y_label: Callable[[float], str],
    y_range: tuple[float, float] | None = None,
) -> Markup:
    """A line chart. `y_label(value)` writes a tick."""
    count, marks, now = len(steps.labels), steps.marks, steps.now
    known = [v for line in lines for v in line.values if v is not None]
    known += [v for band in bands for side in (band.low, band.high) for v in side if v is not None]
    if not known or count == 0:
        return Markup("")
    ticks = nice_ticks(*(y_range or (min(0.0, *known), max(known))))
    low, high = ticks[0], ticks[-1]

    def x(step: float) -> float:
        return WIDTH * (step + 0.5) / count

    def y(value: float) -> float:
        return HEIGHT * (1 - (value - low) / (high - low))

    parts = [f'<line class="grid" x1="0" x2="{WIDTH}" y1="{_n(y(t))}" y2="{_n(y(t))}"/>' for t in ticks]
    if now is not None and 0 < now < count:
        edge = _n(WIDTH * now / count)
        parts.append(
            f'<rect class="future" x="{edge}" y="0" width="{_n(WIDTH - WIDTH * now / count)}" height="{HEIGHT}"/>'
        )
    if steps.span is not None:
        first, last = steps.span
        left, width = _n(WIDTH * first / count), _n(WIDTH * (last - first + 1) / count)
        parts.append(f'<rect class="span" x="{left}" y="0" width="{width}" height="{HEIGHT}"/>')
    for step, words in marks:
        mark_x = _n(x(step))
        parts.append(
            f'<line class="mark" x1="{mark_x}" x2="{mark_x}" y1="0" y2="{HEIGHT}"><title>{escape(words)}</title></line>'
        )
    for band in bands:
        points = [
            (i, lo, hi)
            for i, (lo, hi) in enumerate(zip(band.low, band.high, strict=True))
            if lo is not None and hi is not None
        ]
        if points:
            upper = [f"{_n(x(i))},{_n(y(hi))}" for i, _, hi in points]
            lower = [f"{_n(x(i))},{_n(y(lo))}" for i, lo, _ in reversed(points)]
            parts.append(f'<polygon class="{band.style}" points="{" ".join(upper + lower)}"/>')
    for line in lines:
        path = _path([(x(i), None if v is None else y(v)) for i, v in enumerate(line.values)])
        parts.append(f'<path class="line {line.style}" d="{path}"/>')
    y_words = "".join(f'<span style="top:{_n(100 * y(t) / HEIGHT)}%">{escape(y_label(t))}</span>' for t in ticks)
    stride = max(1, math.ceil(count / steps.most_labels))
    x_words = "".join(
        f'<span{" class=minor" if (i // stride) % 2 else ""} style="left:{_n(100 * (i + 0.5) / count)}%">{words}</span>'
        for i, words in enumerate(map(escape, steps.labels))
        if i % stride == 0
    )
    keys = "".join(
        f'<span><svg viewBox="0 0 24 12" aria-hidden="true">{mark}</svg>{escape(label)}</span>'
        for label, mark in [
            *((li.label, f'<path class="line {li.style}" d="M1 6H23"/>') for li in lines if li.label),
            *((b.label, f'<rect class="{b.style}" x="1" y="1" width="22" height="10"/>') for b in bands if b.label),
            *([(steps.mark_label, '<path class="mark" d="M12 0V12"/>')] if marks and steps.mark_label else ()),
            *([(steps.span_label, '<rect class="span" width="24" height="12"/>')] if steps.span_label else ()),
        ]
    )
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
    return Markup(
        f'<div class="chart" data-steps="{count}"><div class="keys">{keys}</div>'
        f'<div class="plot"><div class="ys" aria-hidden="true">{y_words}</div><div class="area">{svg}</div>'
        f'<div class="xs" aria-hidden="true">{x_words}</div></div></div>'
    )


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that hold low and high, about `about` steps apart."""
    if high <= low:
        high = low + 1.0
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def _n(value: float) -> str:
    """A coordinate with one digit, without needless zeros."""
    return f"{value:.1f}".removesuffix(".0")


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """Moves and lines; a gap where a value is unknown, a dot where one stands alone."""
    parts: list[str] = []
    pen_down = False
    for i, (px, py) in enumerate(points):
        if py is None:
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{_n(px)} {_n(py)}")
        if not pen_down and (i + 1 == len(points) or points[i + 1][1] is None):
            parts.append("h.1")
        pen_down = True
    return "".join(parts)
