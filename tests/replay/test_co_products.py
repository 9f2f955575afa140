"""Co-products in a replay: they come with their product, in orders and in what the company's records tell."""

from dataclasses import replace

import pytest

from balance.test_co_products import joint
from datong.model.flow import nothing_learnt
from datong.network.facts import chain_facts
from datong.replay.company import company_flows
from datong.replay.making import begin
from replay.test_steps_and_alternatives import NOON, WEEK, order, scene_of
from small_chain import MONDAY, chain


def test_what_begins_brings_them_good_or_scrapped():
    """6 of A, half of them good, bring 3 of A and 12 of S, at once: R, made of S in the same week, finds 4."""
    given = joint(yield_share=0.5, price=None)
    given["products"] += [{"product": "R", "price": 10.0}]
    given["recipes"] += [given["recipes"][0] | {"recipe": "R/1", "product": "R", "yield_share": 1.0}]
    given["components"] = [{"product": "R", "component": "S", "units_per_unit": 3.0}]
    scene = scene_of(given)
    of_r = replace(order("R/1", 5.0), order="W0", product="R")
    begun = begin(scene, 0, [order("A/L", 6.0), of_r], {})
    brought = {batch.product: dict(batch.brings) for batch in begun.batches}
    assert brought == {"A": {"A": 3.0, "S": 12.0}, "R": {"R": 4.0}}
    assert scene.unit_cost["S"] == pytest.approx(2 * (2 * 50.0) / (0.5 * 100.0 + 2 * 50.0) / 2)


def test_records_of_a_product_bring_them_unless_they_tell_of_these():
    made = {"production": "p1", "happened_at": NOON, "product": "A", "good_units": 3.0, "scrap_units": 1.0}
    buckets = (MONDAY, MONDAY + WEEK)
    for more, besides in (([], (("S", 8.0),)), ([made | {"production": "p2", "product": "S"}], ())):
        state = chain(2, **joint(price=None), production=[made, *more])
        flows = company_flows(state, chain_facts(state, buckets, nothing_learnt()), buckets)
        assert {flow.label: flow.besides for flow in flows}["A"] == besides
