"""Stock points and moves beside their definition, on random networks of lanes, circles and own lanes included."""

import random

from datong.model.flow import Item
from datong.network.places import ANYWHERE, Lane, places_of


def reached(start, links):
    """Plain: links are followed until nothing new is found."""
    sites = set(start)
    while more := {to for site, to in links if site in sites} - sites:
        sites |= more
    return sites


def plainly(product, lanes, start, used_at, asked, known_sites):
    """(moves, sites, where each item is asked) by the words of the module, from all lanes."""
    own = [lane for lane in lanes if lane.product in (None, product)]
    there = reached(start, [(lane.from_site, lane.to_site) for lane in own])
    ends = there - {lane.from_site for lane in own} or there
    pool = next(iter(ends)) if len(ends) == 1 else ANYWHERE
    asked_at = {item: item.market if item.market in known_sites else pool for item in asked}
    wanted = used_at | set(asked_at.values())
    links = [(lane.from_site, lane.to_site, lane.lane) for lane in own]
    if ANYWHERE in wanted:
        links += [(site, ANYWHERE, None) for site in sorted(ends - {ANYWHERE})]
    useful = reached(wanted, [(to, site) for site, to, _ in links])
    moves = [link for link in links if link[0] in there and link[1] in useful]
    return moves, start | wanted | (there & useful), asked_at


def test_moves_are_the_lanes_on_the_way_from_where_units_come_about_to_where_they_are_wanted():
    told = 0
    for seed in range(300):
        rng = random.Random(seed)
        sites = [f"S{i}" for i in range(rng.randint(1, 7))]
        products = [f"P{i}" for i in range(rng.randint(1, 4))]

        def some(rng=rng, sites=sites):
            return {rng.choice([*sites, ANYWHERE]) for _ in range(rng.randint(0, 3))}

        lanes = [
            Lane(f"L{i}", *rng.choices(sites, k=2), rng.choice([None, None, *products]), 1.0, 1.0, 1.0, None)
            for i in range(rng.randint(0, 14))
        ]
        sources = {p: some() for p in products if rng.random() < 0.8}
        used_at = {p: some() for p in products if rng.random() < 0.6}
        asked = {Item(rng.choice(products), rng.choice([*sites, "all"])) for _ in range(rng.randint(0, 5))}
        places = places_of(products, lanes, sites, sources, used_at, asked)
        for p in products:
            own = {item for item in asked if item.product == p}
            moves, found, asked_at = plainly(p, lanes, sources.get(p, set()), used_at.get(p, set()), own, set(sites))
            got = [(m.from_site, m.to_site, m.lane and m.lane.lane) for m in places.moves if m.product == p]
            assert got == moves, seed
            assert {site for product, site in places.label if product == p} == found, seed
            assert {item: places.points[places.asked_at[item]].site for item in own} == asked_at, seed
            told += len(moves)
    assert told > 300
