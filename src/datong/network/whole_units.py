"""Which products come in whole units."""

import pyarrow as pa

from datong.ledger.daily_sales import sold_by_day
from datong.ledger.state import State
from datong.model.flow import Forecast
from datong.model.fractional_units import is_measure
from datong.network.facts import ChainFacts


def whole_products(state: State, demand: Forecast, facts: ChainFacts) -> dict[str, bool]:
    """Product, or label of a stock point -> whether it comes in whole units.

    It does unless its base unit is a measure (kg, m, l), a lot multiple of it is a fraction, or the records themselves
    count fractions of it: in demand, in stock counts, or in what goes into a unit of something else. What is sold, and
    in whole units alone, is ordered in whole units, however an open jar of it is counted.
    """
    divisible = come_in_fractions(state)
    divisible |= {item.product for i, item in enumerate(demand.items) if (demand.paths[i] % 1 != 0).any()}
    divisible |= {facts.becomes(w.product) for w in facts.ways if w.multiple_units % 1 != 0}
    return {label: facts.becomes(label) not in divisible for label in facts.products}


def come_in_fractions(state: State) -> set[str]:
    """Products that are a measure, or of which records count fractions."""
    sold = sold_by_day(state)
    broken = sold["product"].filter(sold["broken"])
    sold_whole = set(sold["product"].unique().to_pylist()) - set(broken.unique().to_pylist())
    divisible = _fractions(state.table("stock"), "product", "units") - sold_whole
    divisible |= _fractions(state.table("demand"), "product", "units")
    divisible |= _fractions(state.table("components"), "component", "units_per_unit")
    units = state.table("products").select(["product", "base_unit"])
    return divisible | {
        p for p, unit in zip(*(units[c].to_pylist() for c in units.column_names), strict=True) if is_measure(unit)
    }


def _fractions(rows: pa.Table, name: str, units: str) -> set[str]:
    """Names in rows whose units are no whole number."""
    amount = rows[units].fill_null(0.0).to_numpy()
    return set(rows[name].filter(pa.array(amount % 1 != 0)).to_pylist())
