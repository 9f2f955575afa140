"""Units other than a product's base unit: rows that are counted in cartons or tonnes, read in base units.

A ledger keeps a row as it was told, with its `unit`; whoever reads a state gets base units, and `unit` is empty. So a
conversion that is corrected is right for every row that was ever counted in it. What a unit means may change: the
conversion counts that holds on the row's own day (`day_column`), and where none does the nearest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import days_in_zone
from datong.ledger.versions import EPOCH, EVER, NEVER
from datong.model.errors import BadInput
from datong.model.findings import finding
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.model.tables import Table, tables
from datong.model.words import message

UNIT = "unit"
# Under this name the checks are given all units that are known (`Conversions.as_array`).
UNITS = "#units"
# In place of the day of a row that has none: any conversion will do.
ANY_DAY = 0
# How a column's amounts change where its unit becomes the base unit: times the base units in one, or divided by them.
# Money per unit made is none of these: that unit is not the component's, in which the row is counted.
_TIMES = ("units", "units per week", "units per unit")
_PER = ("money per unit",)
# The day that decides what a row's unit means; of other tables, from when on the row holds.
_DAYS: Mapping[str, str] = {"demand": "due", "orders": "start"}


@dataclass(frozen=True, eq=False)
class Conversions:
    """Units by (product, unit): base units in one (factor), and the first day on which that holds and the day after its
    last (numbers of date.toordinal). Rows of one pair hold one after the other. A product's own base unit is one of its
    units."""

    product: list[str]
    unit: list[str]
    factor: FloatArray
    first: IntArray
    after: IntArray

    @classmethod
    def of(cls, products: pa.Table, conversions: pa.Table) -> "Conversions":
        """products: product, base_unit. conversions: `State.versions` of unit_conversions, or rows without days."""
        base = products["base_unit"].to_pylist() if "base_unit" in products.column_names else []
        default = tables()["products"].columns["base_unit"].default
        own = [default if unit is None else unit for unit in base] or [default] * products.num_rows
        count, others = products.num_rows, conversions.num_rows

        def days(name: str, missing: int) -> IntArray:
            if name not in conversions.column_names:
                return np.full(count + others, missing, dtype=np.int64)
            given = conversions[name].cast(pa.int32()).fill_null(missing - EPOCH).to_numpy().astype(np.int64) + EPOCH
            return np.concatenate([np.full(count, missing, dtype=np.int64), given])

        return cls(
            product=[*products["product"].to_pylist(), *conversions["product"].to_pylist()],
            unit=[*own, *conversions["unit"].to_pylist()],
            factor=np.concatenate([np.ones(count), conversions["base_units_per_unit"].to_numpy()]),
            first=days("valid_from", EVER),
            after=days("valid_to", NEVER),
        )

    @classmethod
    def of_array(cls, known: pa.Array) -> "Conversions":
        """What `as_array` gave."""
        product, unit, factor, first, after = (known.field(i) for i in range(5))
        numbers = (part.to_numpy(zero_copy_only=False) for part in (factor, first, after))
        return cls(product.to_pylist(), unit.to_pylist(), *numbers)

    def as_array(self) -> pa.StructArray:
        return pa.StructArray.from_arrays(
            [
                pa.array(self.product, pa.string()),
                pa.array(self.unit, pa.string()),
                self.factor,
                self.first,
                self.after,
            ],
            names=["product", "unit", "factor", "first", "after"],
        )

    def find(self, product: pa.ChunkedArray, unit: pa.ChunkedArray, day: IntArray) -> tuple[FloatArray, BoolArray]:
        """(row) base units in one of its unit, NaN where it is none of the product; and whether that holds on its day:
        else it is the nearest that does."""
        import pandas as pd  # takes half a second to import, and few tables name a unit

        rows = pd.DataFrame({"product": product.to_pylist(), "unit": unit.to_pylist(), "day": day})
        known = pd.DataFrame(
            {
                "product": self.product,
                "unit": self.unit,
                "factor": self.factor,
                "first": self.first,
                "after": self.after,
            }
        )
        found = rows.reset_index(names="row").merge(known, on=["product", "unit"])
        away = np.maximum(found["first"] - found["day"], 0) + np.maximum(found["day"] - found["after"] + 1, 0)
        away = away.where(found["day"] != ANY_DAY, 0)
        # A conversion that is told counts before the product's own base unit of the same name.
        found = found.assign(away=away, place=found.index).sort_values(
            ["row", "away", "place"], ascending=[True, True, False]
        )
        found = found.drop_duplicates("row")
        factor, holds = np.full(len(rows), np.nan), np.zeros(len(rows), dtype=bool)
        factor[found["row"]] = found["factor"]
        holds[found["row"]] = found["away"] == 0
        return factor, holds


def is_told(rows: pa.Table) -> bool:
    """Whether any row is counted in a unit of its own."""
    return UNIT in rows.column_names and rows[UNIT].null_count < rows.num_rows


def has_units(table: Table) -> bool:
    """Whether rows of the table may name a unit."""
    return UNIT in table.columns and table.columns[UNIT].unit_of is not None


def row_days(table: Table, rows: Mapping[str, pa.ChunkedArray], zone: ZoneInfo, count: int) -> IntArray:
    """(row) the day that decides what its unit means, as a number of date.toordinal; ANY_DAY where the row has none."""
    none = np.full(count, ANY_DAY, dtype=np.int64)
    if table.kind == "event":
        if "happened_at" not in rows:
            return none
        days = days_in_zone(rows["happened_at"], zone.key)
        return days.fill_null(ANY_DAY - EPOCH).to_numpy().astype(np.int64) + EPOCH
    name = _DAYS.get(table.name, "valid_from")
    if name not in rows:
        return none
    return rows[name].cast(pa.int32()).fill_null(ANY_DAY - EPOCH).to_numpy().astype(np.int64) + EPOCH


def in_base_units(table: Table, rows: pa.Table, known: Conversions, zone: ZoneInfo, today: date) -> pa.Table:
    """The rows with all that is counted in base units, `unit` empty. Raises BadInput for a unit that is none of the
    product: the checks let none in."""
    at = np.flatnonzero(pc.is_valid(rows[UNIT]).to_numpy())
    own = rows.take(pa.array(at))
    product = own[str(table.columns[UNIT].unit_of)]
    days = row_days(table, {name: own[name] for name in own.column_names}, zone, len(at))
    if table.name not in _DAYS and table.kind == "master":  # of what holds from a day on, what it means now or then
        days = np.maximum(days, today.toordinal())
    factor, _ = known.find(product, own[UNIT], days)
    if np.isnan(factor).any():
        first = int(np.flatnonzero(np.isnan(factor))[0])
        where = {"product": product[first].as_py(), "unit": own[UNIT][first].as_py()}
        found = finding("error", "check.unknown_unit", table.name, column=UNIT, value=where["unit"])
        raise BadInput(message("units.unknown", table=table.name, **where), [found])
    every = np.ones(rows.num_rows)
    every[at] = factor
    for name, column in table.columns.items():
        if column.unit in _TIMES or column.unit in _PER:
            place = rows.schema.get_field_index(name)
            amount = pa.array(every)
            changed = pc.multiply(rows[name], amount) if column.unit in _TIMES else pc.divide(rows[name], amount)
            rows = rows.set_column(place, rows.schema.field(place), changed)
    place = rows.schema.get_field_index(UNIT)
    return rows.set_column(place, rows.schema.field(place), pa.nulls(rows.num_rows, pa.string()))
