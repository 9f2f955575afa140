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
    """A transport link, or one of its versions. product: None for all. units_per_week: of all products together, inf
    where not limited. calendar: of its carrier; in_working: whether its lead time counts working days. cost_per_order:
    money for each transfer of a product; min_units, multiple_units: of one."""

    lane: str
    from_site: str
    to_site: str
    product: str | None
    lead_days: float
    cost_per_unit: float
    units_per_week: float
    valid_from: date | None
    valid_to: date | None = None
    calendar: str | None = None
    in_working: bool = False
    cost_per_order: float = 0.0
    min_units: float = 0.0
    multiple_units: float = 0.0


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
    unmoved: Container[str] = (),
) -> Places:
    """The stock points of a chain: where units come about, are used or asked for, and what lies on the way there.

    sources: product -> sites where it is made, delivered or in stock. used_at: component -> sites. asked: items.
    unmoved: products that no lane carries.
    """
    markets: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(set(asked)):
        markets[item.product].append(item)
    known_sites = set(sites)
    by_lane, by_none = _Network(lanes), _Network(())
    found: dict[str, set[str]] = {}
    asked_site: dict[Item, str] = {}
    moves: list[Move] = []
    for product in products:
        start, network = sources.get(product, set()), by_none if product in unmoved else by_lane
        there, ends = network.reach(product, frozenset(start))
        pool = next(iter(ends)) if len(ends) == 1 else ANYWHERE
        for item in markets[product]:
            asked_site[item] = item.market if item.market in known_sites else pool
        wanted = used_at.get(product, set()) | {asked_site[item] for item in markets[product]}
        serves = ends - {ANYWHERE} if ANYWHERE in wanted else set()
        # Of the sites that units can be at, those from which they can get to where they are wanted.
        links, useful = network.links_to(product, there, (wanted | serves) & there)
        moves += [Move(product, lane.from_site, lane.to_site, lane) for lane in links]
        moves += [Move(product, site, ANYWHERE, None) for site in sorted(serves)]
        found[product] = start | wanted | useful
    label = _labels(found)
    return Places(label, {item: label[item.product, site] for item, site in asked_site.items()}, tuple(moves))


class _Network:
    """The lanes by the sites they leave and lead to, so that no product looks at all of them."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.leaving: dict[tuple[str | None, str], list[Lane]] = defaultdict(list)
        self.arriving: dict[tuple[str | None, str], list[tuple[int, Lane]]] = defaultdict(list)
        for place, lane in enumerate(lanes):
            self.leaving[lane.product, lane.from_site].append(lane)
            self.arriving[lane.product, lane.to_site].append((place, lane))
        self.with_own_lanes = {lane.product for lane in lanes} - {None}
        self.known: dict[tuple[str | None, frozenset[str]], tuple[frozenset[str], frozenset[str]]] = {}

    def reach(self, product: str, start: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """The sites that lanes lead to from any of the starting ones, and these; and those of them that no lane leaves,
        all of them where there is no such one."""
        # Products without lanes of their own share what was found.
        key = (product if product in self.with_own_lanes else None, start)
        if key not in self.known:
            reached, ends, new = set(start), set(), list(start)
            while new:
                site = new.pop()
                lanes = [*self.leaving.get((None, site), ()), *self.leaving.get((product, site), ())]
                if not lanes:
                    ends.add(site)
                new += {lane.to_site for lane in lanes} - reached
                reached.update(lane.to_site for lane in lanes)
            there = frozenset(reached)
            self.known[key] = (there, frozenset(ends) or there)
        return self.known[key]

    def links_to(self, product: str, there: Container[str], wanted: Iterable[str]) -> tuple[list[Lane], set[str]]:
        """The lanes from one of the sites `there` that lead on to where a product is wanted, in their order, and the
        sites on the way: those wanted, and those from which lanes lead to them."""
        found: list[tuple[int, Lane]] = []
        useful, new = set(wanted), list(wanted)
        while new:
            site = new.pop()
            for key in ((None, site), (product, site)):
                own = [(place, lane) for place, lane in self.arriving.get(key, ()) if lane.from_site in there]
                found += own
                new += {lane.from_site for _, lane in own} - useful
                useful.update(lane.from_site for _, lane in own)
        return [lane for _, lane in sorted(found, key=lambda one: one[0])], useful


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
