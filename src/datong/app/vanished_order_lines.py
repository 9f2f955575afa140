"""Order lines of an earlier export that the next one does not have: those that are told, and those of another shop's
list, of which it cannot have any."""

import csv
import io
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.wiring import Opened
from datong.connectors.exports.order_line_keys import KEY, without_day_of_stretch
from datong.connectors.exports.result import Reading
from datong.connectors.files.write_whole import write_whole
from datong.ledger.row_checks import shown
from datong.model.findings import Finding, finding
from datong.model.words import message

# Two lists of one shop share most of the order lines of the days that both have; of those of two shops hardly any.
_HARDLY_ANY = 0.1
# Fewest lines of a list that tell whose it is, where no code of the file is another shop's.
_TELLING = 10
# Most lines that the command names which takes them out; all of them are in the file beside the ledger.
MOST_NAMED = 20
VANISHED_FILE = ".datong/vanished.csv"


@dataclass(frozen=True, eq=False)
class SinceThen:
    """no_more: keys of lines that are there, and not as sold any more. gone: lines that are not there at all, with the
    columns of sales. others: how many lines are of lists of other shops, by the name of the list."""

    no_more: Sequence[str]
    gone: pa.Table
    others: dict[str, int]


def since_then(at: Opened, known: pa.Table, reading: Reading, others_codes: bool) -> SinceThen:
    """What became of the order lines that earlier exports had as sold: those that this one has, and not as sold any
    more, and those of days within its own that it does not have at all. known: sales of the chain. others_codes: the
    file has codes of another shop's for products of the chain."""
    sales = reading.part("sales")
    nothing = known.slice(0, 0)
    if reading.lines.keys is None or sales is None:
        return SinceThen([], nothing, {})
    known = known.filter(pc.match_substring_regex(known["sale"].fill_null(""), KEY.pattern))
    still = pc.is_in(known["sale"], sales["sale"].combine_chunks().drop_null())
    lines = without_day_of_stretch(known["sale"])  # days of a month that this list spreads otherwise are not its days
    here = pc.is_in(lines, reading.lines.keys.drop_null().unique())
    no_more = known.filter(pc.and_not(here, still))["sale"].to_pylist()
    days = pc.cast(sales["happened_at"], pa.date32())
    first, last = pc.min(days).as_py(), pc.max(days).as_py()
    if first is None:
        return SinceThen(no_more, nothing, {})
    own = pc.cast(known["happened_at"], pa.date32())  # the days at its ends may be cut, and shift with the zone
    inside = pc.and_(pc.greater(own, first + timedelta(days=1)), pc.less(own, last - timedelta(days=1)))
    gone = known.filter(pc.and_not(inside, here))
    if not gone.num_rows:
        return SinceThen(no_more, gone, {})
    shared = frozenset(known.filter(pc.and_(inside, here))["row_id"].to_pylist())
    lists = {name: frozenset(at.ledger.came_from("sales", name)) for name in _lists_of_sales(at)}
    least = 1 if others_codes else _TELLING
    mine, others = _by_list(gone["row_id"].to_pylist(), shared, lists, sales.num_rows, least)
    return SinceThen(no_more, gone.filter(pc.is_in(gone["row_id"], pa.array(mine, pa.string()))), others)


def _lists_of_sales(at: Opened) -> list[str]:
    """Names of the files that sales came from, oldest first."""
    writes = at.ledger.writes()
    told = writes.filter(pc.and_(pc.equal(writes["what"], "ingest"), pc.equal(writes["subject"], "sales")))
    return [name for name in told["source"].unique().to_pylist() if name is not None]


def _by_list(
    gone: Sequence[str], shared: Collection[str], lists: dict[str, frozenset[str]], rows: int, least: int
) -> tuple[list[str], dict[str, int]]:
    """Lines that are gone from a list of their own shop; how many are of lists of other shops, by list.

    A list of `gone` and `shared` lines is another shop's where those that it shares are hardly any of the fewer of
    the two: its own lines on these days, or the `rows` of the file. least: fewest lines that tell so."""
    of_others: set[str] = set()
    names: dict[str, int] = {}
    kept: set[str] = set()
    for name, ids in lists.items():
        away, there = [line for line in gone if line in ids], sum(line in ids for line in shared)
        if len(away) >= least and there < _HARDLY_ANY * min(len(away) + there, rows):
            of_others.update(away)
            names[name] = len(away)
        else:
            kept.update(away)
    return [line for line in gone if line in kept or line not in of_others], names


def told_of_vanished(at: Opened, source: str, since: SinceThen) -> Iterator[Finding]:
    """With the command that takes the lines out: each row id whole, and quoted for a shell. Of many the first, and the
    file that has them all."""
    for name, count in since.others.items():
        yield finding("note", "export.other_list", source, count=count, list=shown(name))
    if not since.gone.num_rows:
        return
    ids = since.gone["row_id"].to_pylist()
    words = ["datong", "withdraw", "sales", *ids[:MOST_NAMED], "--chain", str(at.folder)]
    command = shlex.join([*words, *(() if at.branch is None else ("--branch", at.branch))])
    if len(ids) <= MOST_NAMED:
        remedy = message("export.vanished_all", command=command)
    else:
        path = Path(at.folder) / VANISHED_FILE
        write_whole(path, _as_csv(since.gone))
        remedy = message(
            "export.vanished_some", command=command, count=f"{len(ids):,}", named=MOST_NAMED, file=str(path)
        )
    units = pc.sum(since.gone["units"]).as_py() or 0.0
    yield finding("warning", "export.vanished", source, count=len(ids), units=units, line=ids[0], remedy=remedy)


def _as_csv(gone: pa.Table) -> bytes:
    """Lines as a file: their row id, day, product and units."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("row_id", "day", "product", "units"))
    days = pc.cast(gone["happened_at"], pa.date32()).to_pylist()
    columns = (gone[name].to_pylist() for name in ("row_id", "product", "units"))
    writer.writerows((row, day, product, units) for day, row, product, units in zip(days, *columns, strict=True))
    return out.getvalue().encode("utf-8-sig")
