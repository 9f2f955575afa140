"""What lies in stock at each place when the last plan begins, how long it lasts without supply, and how low the plan
lets it fall."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.grid_as_workbook import SheetGrid, workbook
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.last_run import read_last_run
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.stock import COMES, GOES
from datong.model.errors import NotFound
from datong.model.flow import FloatArray
from datong.model.words import message

DAYS_OF_WEEK = 7
_NAME, _TEXT, _UNITS, _DAY = "stock_cover", pa.string(), pa.float64(), pa.date32()
# A row for each place that has or gets anything in the plan. place: names it. opening_units: when the plan begins.
# weeks_of_cover: how long these last by what the plan uses, sends and delivers, without anything that comes; None: at
# least as long as the plan. runs_out_in: first day of the bucket in which they are used up so. comes_units,
# goes_units: over the horizon. lowest_units, lowest_in: the least that lies at the end of a bucket, and that bucket.
# closing_units: at the end of the horizon.
COVER = pa.schema(
    [
        *((name, _TEXT) for name in ("place", "product", "name", "base_unit", "site")),
        ("opening_units", _UNITS),
        ("weeks_of_cover", _UNITS),
        ("runs_out_in", _DAY),
        ("comes_units", _UNITS),
        ("goes_units", _UNITS),
        ("lowest_units", _UNITS),
        ("lowest_in", _DAY),
        ("closing_units", _UNITS),
    ]
)
# What is used beyond the stock by less than this is rounding.
LEAST = 1e-6


def cover(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """Products and sites, in COVER. Raises NotFound where there is no run, or an earlier version kept it."""
    who.require(Permission.SEE_PLAN)
    return piece(served.chain_thread.kept(_NAME, _cover), "place", wanted)


def cover_sheet(served: Served, who: Who, wanted: Wanted, language: str) -> bytes:
    """`cover` as a workbook."""
    rows = cover(served, who, replace(wanted, is_whole=True)).rows
    return workbook(SheetGrid(_NAME, served.chain_thread.settings.name, "place", (), rows), language)


def _cover(chain: Chain) -> pa.Table:
    run = read_last_run(chain, ("flow", "products"))
    if "flow" not in run.tables:
        raise NotFound(message("served.earlier_run"))
    flow, products = run.tables["flow"], run.tables["products"]
    if not flow.num_rows:
        return COVER.empty_table()
    site = pc.fill_null(flow["site"], "")
    label = pc.binary_join_element_wise(flow["product"], site, "|").combine_chunks().dictionary_encode()
    labels = label.dictionary.to_pylist()
    place = label.indices.to_numpy(zero_copy_only=False)
    buckets, bucket = np.unique(flow["bucket"].to_numpy(), return_inverse=True)

    def units(names: tuple[str, ...]) -> FloatArray:
        """(place, bucket). A row that is missing is one of nothing."""
        found = np.zeros((len(labels), len(buckets)))
        for name in (n for n in names if n in flow.column_names):
            np.add.at(found, (place, bucket), pc.fill_null(flow[name], 0.0).to_numpy())
        return found

    comes, goes = units(COMES), units(GOES)
    opening, closing = units(("opening_units",))[:, 0], units(("closing_units",))
    lowest = closing.argmin(axis=1)
    weeks, out = _lasts(opening, goes, chain.settings.calendar.bucket_days / DAYS_OF_WEEK)
    first_rows = np.unique(place, return_index=True)[1]
    own = flow.select(["product", "site"]).take(pa.array(first_rows))
    at = pc.index_in(own["product"], products["product"].combine_chunks())
    every = np.arange(len(labels))
    columns = {
        "place": pa.array(labels, _TEXT),
        "product": own["product"],
        "name": products["name"].take(at),
        "base_unit": products["base_unit"].take(at),
        "site": own["site"],
        "opening_units": opening,
        "weeks_of_cover": pa.array(weeks, _UNITS, mask=out < 0),
        "runs_out_in": pa.array(buckets[out], _DAY, mask=out < 0),
        "comes_units": comes.sum(axis=1),
        "goes_units": goes.sum(axis=1),
        "lowest_units": closing[every, lowest],
        "lowest_in": pa.array(buckets[lowest], _DAY),
        "closing_units": closing[:, -1],
    }
    return pa.table([columns[name] for name in COVER.names], COVER)


def _lasts(opening: FloatArray, goes: FloatArray, bucket_weeks: float) -> tuple[FloatArray, np.ndarray]:
    """By place: how many weeks the opening units last, and the bucket in which they are used up; -1 where they are
    not, or nothing goes. goes: units, (place, bucket). bucket_weeks: length of a bucket."""
    gone = np.cumsum(goes, axis=1)
    beyond = gone > opening[:, None] + LEAST
    out = np.where(beyond.any(axis=1), beyond.argmax(axis=1), -1)
    out[beyond.any(axis=1) & (opening <= LEAST)] = 0  # nothing lies there: it is out from the beginning
    every = np.arange(len(opening))
    used = goes[every, out]
    before = gone[every, out] - used
    part = np.divide(opening - before, used, out=np.zeros(len(opening)), where=used > 0)
    return np.where(opening <= LEAST, 0.0, np.maximum(out + part, 0.0)) * bucket_weeks, out
