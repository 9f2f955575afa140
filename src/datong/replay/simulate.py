"""What would have happened: makes what a policy ordered, serves what buyers really ordered, and counts.

Every policy meets the same opening stock, the same demand and the same capacity. In each bucket, in this order:
receive, make, serve, count. What starts takes its components off stock, a transfer its units off the site it leaves
(making.py). Whatever is due in a bucket is served at its end, first due first.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from datong.model.flow import FloatArray, Item, PlannedOrder
from datong.replay.costs_charged import COST_TERMS, charge_arrival, charge_end_of_bucket, charge_stock_change
from datong.replay.making import begin
from datong.replay.scene_and_batches import NOTHING, Batch, Begun, Due, Scene, Sent


class Simulation:
    """One policy's course through the buckets. The arrays are (bucket, product), filled bucket by bucket.

    demand_units: due in the bucket. on_time_units: served in it. late_units: still owed at its end, whenever due.
    lost_units: given up, more than max_late_days late. made_units: made or bought, there in the bucket. short_units:
    ordered to start in it, and not started for want of components. cost: by term, in money. in_work: by component,
    units taken for what is still to arrive. waiting: orders given out that start later. released: by order, the bucket
    in which the policy gave it out.
    """

    def __init__(self, scene: Scene, under_way: Sequence[Batch] = (), orders: Sequence[PlannedOrder] = ()) -> None:
        """under_way: what began before; orders: what was given out before and is still to begin."""
        shape = (len(scene.buckets), len(scene.products))
        self.scene = scene
        self.on_hand = {p: max(scene.opening_units.get(p, 0.0), 0.0) for p in scene.products}
        self.owed: dict[Due, float] = dict(scene.opening_owed)
        self.in_work: dict[str, float] = defaultdict(float)
        self.waiting: list[PlannedOrder] = list(orders)
        self.released: dict[str, date] = {}
        self.coming: list[Batch] = []
        self.arrived: list[Batch] = []
        self.sent: list[Sent] = []
        self.step_index = 0
        self.demand_units, self.on_time_units, self.late_units, self.lost_units, self.stock_units, self.made_units = (
            np.zeros(shape) for _ in range(6)
        )
        self.short_units = np.zeros(shape)
        self.cost: Mapping[str, FloatArray] = {term: np.zeros(shape) for term in COST_TERMS}
        self._at = {p: i for i, p in enumerate(scene.products)}
        self._under_way = tuple(under_way)

    def release(self, orders: Sequence[PlannedOrder]) -> None:
        """Orders that go out in the current bucket: nobody takes them back, and each starts in the bucket it names."""
        bucket = self.scene.buckets[self.step_index]
        for order in orders:
            assert order.start >= bucket, f"{order.order} would start before it went out"
            assert order.order not in self.released, f"{order.order} went out twice"
            self.released[order.order] = bucket
        self.waiting += orders

    def run(self) -> None:
        """One bucket with the orders given out that start in it."""
        t, in_work = self.step_index, tuple(self.coming)
        after = self._after(t)
        due = [order for order in self.waiting if order.start < after]
        self.waiting = [order for order in self.waiting if order.start >= after]
        self._step(lambda: begin(self.scene, t, due, self.on_hand, in_work))

    def step(self, batches: Sequence[Batch]) -> None:
        """One bucket with the batches that begin in it, as the records tell them."""
        self._step(lambda: Begun(batches))

    def _step(self, what_begins: Callable[[], Begun]) -> None:
        t = self.step_index
        opening, stock = self._net(), dict(self.on_hand)
        arrived, sent = len(self.arrived), len(self.sent)
        began = self._begin(t, self._under_way if t == 0 else ())
        self._receive(t)
        begun = what_begins()
        began += self._begin(t, begun.batches)
        self._receive(t)
        for product, units in begun.short_units.items():
            self.short_units[t, self._at[product]] += units
        self._serve(t)
        self._count(t, opening)
        self._assert_conserved(stock, self.arrived[arrived:], began, self.sent[sent:])
        self.step_index += 1

    def _begin(self, t: int, batches: Sequence[Batch]) -> list[Batch]:
        """Takes the components of batches and has their units come."""
        planned = [batch for batch in batches if batch.planned is not None]
        began = planned + self._recorded(t, [batch for batch in batches if batch.planned is None])
        for batch in began:
            for label, units in batch.uses:
                self.on_hand[label] -= units
                self.in_work[label] += units
        self.coming += began
        return began

    def _recorded(self, t: int, batches: Sequence[Batch]) -> list[Batch]:
        """What the records tell takes no more than there is, with what they say was made and bought in the bucket: a
        transfer then moves less, and of what was made, the rest of its components was not recorded. Transfers take
        first, in their order: what they bring can go into what is made."""
        there, after = dict(self.on_hand), self._after(t)
        for batch in (b for b in batches if b.kind != "move" and b.arrives < after):
            for label, units in batch.brings:
                there[label] += units
        found = []
        for batch in sorted(batches, key=lambda b: b.kind != "move"):
            found.append(self._with_what_there_is(batch, there))
            for label, units in found[-1].uses:
                there[label] -= units
            if batch.kind == "move" and batch.arrives < after:
                there[batch.product] += found[-1].units
        return found

    def _with_what_there_is(self, batch: Batch, there: Mapping[str, float]) -> Batch:
        uses = tuple((label, min(units, max(there[label], 0.0))) for label, units in batch.uses)
        if uses == batch.uses:
            return batch
        if batch.kind == "move":
            share = uses[0][1] / batch.uses[0][1]
            return replace(batch, units=batch.units * share, cost=batch.cost * share, uses=uses)
        missing = sum(
            (units - taken) * self.scene.unit_cost[label]
            for (label, units), (_, taken) in zip(batch.uses, uses, strict=True)
        )
        return replace(batch, cost=batch.cost + missing, uses=uses)

    def _receive(self, t: int) -> None:
        after = self._after(t)
        for batch in [b for b in self.coming if b.arrives < after]:
            for label, units in batch.brings:
                self.on_hand[label] += units
                self.made_units[t, self._at[label]] += 0.0 if batch.kind == "move" else units
            charge_arrival(self.cost, t, batch, self._at, self.scene.unit_cost)
            for label, units in batch.uses:
                self.in_work[label] -= units
            self.arrived.append(batch)
        self.coming = [b for b in self.coming if b.arrives >= after]

    def _serve(self, t: int) -> None:
        """First due first; of those due on the same day, markets in order of their name. Where several sites serve a
        market, the one with most in stock goes first."""
        start, last_day = self.scene.buckets[t], self._after(t) - timedelta(days=1)
        for due, units in self.scene.demand_units[t].items():
            self.owed[due] = self.owed.get(due, 0.0) + units
            self.demand_units[t, self._at[self.scene.label_of(due[0])]] += units
        sent: dict[tuple[Item, str], float] = defaultdict(float)
        left: dict[Due, float] = {}
        for (item, day), units in sorted(self.owed.items(), key=lambda entry: (entry[0][1], entry[0][0])):
            label = self.scene.label_of(item)
            at = self._at[label]
            if (last_day - day).days > self.scene.settings.max_late_days:
                self.lost_units[t, at] += units
                continue
            served = 0.0
            for source in self._sources(label):
                taken = min(units - served, self.on_hand[source])
                self.on_hand[source] -= taken
                sent[item, source] += taken
                served += taken
            if day >= start:
                self.on_time_units[t, at] += served
            if units - served > NOTHING:
                left[item, day] = units - served
        self.owed = left
        self.sent += [
            Sent(item, start, units, label) for (item, label), units in sorted(sent.items()) if units > NOTHING
        ]

    def _sources(self, label: str) -> Sequence[str]:
        others = self.scene.sources.get(label)
        return (label,) if others is None else [label, *sorted(others, key=lambda s: (-self.on_hand[s], s))]

    def _count(self, t: int, opening: Mapping[str, float]) -> None:
        for (item, _), units in self.owed.items():
            self.late_units[t, self._at[self.scene.label_of(item)]] += units
        closing = self._net()
        for product, at in self._at.items():
            costs, stock = self.scene.economics[product], self.on_hand[product]
            self.stock_units[t, at] = stock
            fallen = opening[product] - closing[product]
            charge_stock_change(self.cost, t, at, fallen, self.scene.unit_cost[product])
            charge_end_of_bucket(self.cost, t, at, costs, stock, self.late_units[t, at], self.lost_units[t, at])

    def _net(self) -> dict[str, float]:
        """Stock and what is in work of it, less what is owed, by product."""
        net = dict(self.on_hand)
        for label, units in self.in_work.items():
            net[label] += units
        for (item, _), units in self.owed.items():
            net[self.scene.label_of(item)] -= units
        return net

    def _assert_conserved(
        self, opening: Mapping[str, float], arrived: Sequence[Batch], began: Sequence[Batch], sent: Sequence[Sent]
    ) -> None:
        """opening + arrived - taken by what began - sent = closing, of each product, and never below nothing."""
        expected = dict(opening)
        for batch in arrived:
            for label, units in batch.brings:
                expected[label] += units
        for batch in began:
            for label, units in batch.uses:
                expected[label] -= units
        for one in sent:
            expected[one.label] -= one.units
        for label, closing in self.on_hand.items():
            slack = 1e-6 * max(abs(opening[label]), abs(closing), 1.0)
            assert abs(expected[label] - closing) <= slack, f"{label}: units came from nowhere, or went there"
            assert closing >= -slack, f"{label}: more was taken than there was"

    def _after(self, t: int) -> date:
        return self.scene.settings.calendar.shift(self.scene.buckets[t], 1)
