"""Where units can be: the stock points of a chain with lanes, and what may move between them.

A chain without lanes has one pool for each product. With lanes a product lies at a site, and only a lane takes it to
another. A stock point is a product and a site; site '' is what no site is named for. Where demand is asked:

    market is the code of a site      at that site
    any other market ('all')          where the product's lanes end: at sites it can be at and no lane of it leaves; at
                                      every site it can be at where there is no such one (lanes in a circle, say)

Several ends serve such a market alike, at no cost and at once: it is then asked at site '', which each of them serves.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

from datong.model.flow import Item

# What no site is named for, and where a market is asked that several sites serve.
ANYWHERE = ""


class StockPoint(NamedTuple):
    """A product at a site."""

    product: str
    site: str


@dataclass(frozen=True)
class Lane:
    """A transport link. product: None for all. units_per_week: of all products together, inf where not limited."""

    lane: str
    from_site: str
    to_site: str
    product: str | None
    lead_days: float
    cost_per_unit: float
    units_per_week: float
    valid_from: date | None


class Move(NamedTuple):
    """A product goes from one site to another by a lane, or (lane None) serves a market from there."""

    product: str
    from_site: str
    to_site: str
    lane: Lane | None


@dataclass(frozen=True, eq=False)
class Places:
    """label: the name that each stock point goes by as a product of its own: 'A@F1', or 'A' at site ''.

    asked_at: label by item, of the markets known. moves: what may go from one of the points to another.
    """

    label: Mapping[tuple[str, str], str]
    asked_at: Mapping[Item, str]
    moves: tuple[Move, ...]

    @cached_property
    def points(self) -> dict[str, StockPoint]:
        return {name: StockPoint(*point) for point, name in self.label.items()}


def places_of(
    products: Sequence[str],
    lanes: Sequence[Lane],
    sites: Iterable[str],
    sources: Mapping[str, set[str]],
    used_at: Mapping[str, set[str]],
    asked: Iterable[Item],
) -> Places:
    """The stock points of a chain: where units come about, are used or asked for, and what lies on the way there.

    sources: product -> sites where it is made, delivered or in stock. used_at: component -> sites. asked: items.
    """
    markets: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(set(asked)):
        markets[item.product].append(item)
    known_sites = set(sites)
    found: dict[str, set[str]] = {}
    asked_site: dict[Item, str] = {}
    moves: list[Move] = []
    for product in products:
        own = [lane for lane in lanes if lane.product in (None, product)]
        start = sources.get(product, set())
        there = _reached(start, [(lane.from_site, lane.to_site) for lane in own])
        ends = there - {lane.from_site for lane in own} or there
        pool = next(iter(ends)) if len(ends) == 1 else ANYWHERE
        for item in markets[product]:
            asked_site[item] = item.market if item.market in known_sites else pool
        wanted = used_at.get(product, set()) | {asked_site[item] for item in markets[product]}
        links = [Move(product, lane.from_site, lane.to_site, lane) for lane in own]
        if ANYWHERE in wanted:
            links += [Move(product, site, ANYWHERE, None) for site in sorted(ends - {ANYWHERE})]
        useful = _reached(wanted, [(move.to_site, move.from_site) for move in links])
        moves += [move for move in links if move.from_site in there and move.to_site in useful]
        found[product] = start | wanted | (there & useful)
    label = _labels(found)
    return Places(label, {item: label[item.product, site] for item, site in asked_site.items()}, tuple(moves))


def _reached(start: set[str], links: Sequence[tuple[str, str]]) -> set[str]:
    """The sites that links lead to from any of the starting ones, and these."""
    reached, new = set(start), set(start)
    while new:
        new = {to for site, to in links if site in new} - reached
        reached |= new
    return reached


def _labels(found: Mapping[str, set[str]]) -> dict[tuple[str, str], str]:
    """A name for each stock point, no two alike whatever signs the codes have."""
    points = sorted(StockPoint(product, site) for product, sites in found.items() for site in sites)
    label: dict[tuple[str, str], str] = {}
    taken = set(found)
    for point in points:
        name = point.product if point.site == ANYWHERE else f"{point.product}@{point.site}"
        label[point] = name if point.site == ANYWHERE else unlike(name, taken)
        taken.add(label[point])
    return label


def unlike(name: str, taken: Container[str]) -> str:
    """The name, with as many ' behind it as make it differ from those taken."""
    while name in taken:
        name += "'"
    return name
