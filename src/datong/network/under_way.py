"""What is under way: orders that are out, past due ones on the day on which they are expected, and goods between
sites."""

from collections.abc import Mapping
from dataclasses import replace

from datong.ledger.order_life import Standing
from datong.ledger.state import State
from datong.network.orders_out import UnderWay, orders_out
from datong.network.overdue_arrivals import expected_arrivals
from datong.network.site_transfers import still_on_the_way
from datong.network.stock_on_hand import Counts


def under_way(state: State, stands: Mapping[str, Standing], counts: Counts) -> tuple[UnderWay, ...]:
    """Orders out that still bring units, by due day."""
    told = orders_out(state, stands, counts)
    expected = expected_arrivals(state, told)
    found = (replace(o, due=expected[o.order].day, said=o.due) if o.order in expected else o for o in told)
    return tuple(sorted([*found, *_on_the_way(state)], key=lambda o: (o.due, o.order)))


def _on_the_way(state: State) -> list[UnderWay]:
    """Transfers that left and are not there yet, as orders that have nothing left to take."""
    day = state.settings.calendar.local_date
    return [
        UnderWay(
            order=row["order"] or row["row_id"],
            kind="move",
            product=row["product"],
            recipe=None,
            line=None,
            units=row["units"],
            start=day(row["happened_at"]),
            due=day(row["arrives"]),
            site=row["to_site"],
            stage="begun",
        )
        for row in still_on_the_way(state).to_pylist()
    ]
