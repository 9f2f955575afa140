"""Rows of one source against the rules of their table, batch by batch: typed rows, rejected rows, and every finding."""

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.cells import BLANKS, POSSIBLE_DAYS, Cells, Mark, chunked, database, has_controls, mask, typed
from datong.ledger.masking import masked_column
from datong.ledger.product_aliases import ALIASES
from datong.ledger.units import UNIT, UNITS, Conversions, has_units, row_days
from datong.model.findings import Finding, Severity, finding
from datong.model.settings import ChainSettings
from datong.model.tables import SMALLEST, Column, Table, tables
from datong.model.words import Message, message

ROW = "__row__"
DATE_ONLY = "__date_only__"
REJECTED_SCHEMA = pa.schema([(ROW, pa.int64()), ("raw", pa.string()), ("findings", pa.string())])

# More rows than this with one and the same trouble are one finding that names the first of them.
ROWS_NAMED_ONE_BY_ONE = 20
BATCH_ROWS = 100_000
SHOWN_CHARACTERS = 60
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]{1,3}(\.?[0-9]{3})*,[0-9]+")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
# Outside these years a date is odd.
LIKELY_DAYS = (np.datetime64("1990-01-01", "D"), np.datetime64("2101-01-01", "D"))
# Days ahead of today up to which a record is only odd.
AHEAD_DAYS = 366
# What one unit more weighs at most, and the highest priority whatever its factor: all costs are in one sum.
MOST_WEIGHT, HIGHEST_PRIORITY = 1e6, 1000
# (table, earlier column, later column, may they be equal)
_DATE_ORDERS: tuple[tuple[str, str, str, bool], ...] = (
    *(
        (table, "from", "to", False)
        for table in ("line_calendar", "calendar_days", "promotions", "demand_adjustments", "decisions")
    ),
    *((table.name, "valid_from", "valid_to", False) for table in tables().values() if "valid_to" in table.columns),
    ("orders", "start", "due", True),
)
# (table, column, other column, what the other may not be to it, what is said then)
_PAIRS: tuple[tuple[str, str, str, Callable[[Any, Any], Any], str], ...] = (
    ("firm_shares", "floor_share", "ceiling_share", pc.less, "check.under_floor"),
    ("substitutes", "product", "substitute", pc.equal, "check.own_substitute"),
    ("lanes", "from_site", "to_site", pc.equal, "check.same_site"),
    *(
        pair
        for table in ("promotions", "demand_adjustments", "decisions")
        for pair in (
            (table, "low_share", "change_share", pc.less, "check.below_low"),
            (table, "change_share", "high_share", pc.less, "check.above_high"),
        )
    ),
)

NOTHING_KNOWN: Mapping[str, pa.Array] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Checked:
    """What a check made of one source.

    rows: the table's columns that the source has, in `arrow_type`; `__row__` int64; for events also `__date_only__`
    bool (happened_at was a date alone). rejected: REJECTED_SCHEMA: row number, the row as JSON, its findings as JSON.
    Where the source as a whole cannot be used (a required column is missing), both are empty and a finding says so.
    """

    rows: pa.Table
    rejected: pa.Table
    findings: tuple[Finding, ...]


@dataclass(frozen=True, eq=False)
class Trouble:
    """One rule that some rows break. bad: (row,) bool over the rows at hand; params fill the texts of `key`.

    Rows with an error leave the table; warnings only speak. `column` is the column shown, None for a whole row.
    rank: findings come in this order, and of one rank in that of their first rows.
    """

    key: str
    bad: np.ndarray
    column: str | None = None
    severity: Severity = "error"
    params: Mapping[str, Any] = field(default_factory=dict)
    rank: int = 0


# The rank of what only the last row of a source shows.
_LAST = 1_000_000


def validate(
    table: Table,
    rows: pa.Table,
    source: str,
    settings: ChainSettings,
    known: Mapping[str, pa.Array] = NOTHING_KNOWN,
    batch_rows: int = BATCH_ROWS,
    mark: Mark = ".",
) -> Checked:
    """Check and type the rows of one source for one table.

    rows: any columns, text or typed, and `__row__`, the row number a person sees. Text is trimmed; empty text is null.
    known: keys by table, for columns that refer to them; a table that is not in it is not looked up. mark: the decimal
    sign of the source's numbers.
    """
    if ROW not in rows.column_names:
        rows = rows.append_column(ROW, pa.array(np.arange(2, rows.num_rows + 2), pa.int64()))
    headers = [name for name in rows.column_names if name != ROW]

    def pieces() -> Iterator[tuple[pa.Table, pa.Table]]:
        for start in range(0, max(1, rows.num_rows), batch_rows):
            yield rows.slice(start, batch_rows), REJECTED_SCHEMA.empty_table()

    return gathered(CheckedBatches(lambda: TableCheck(table, headers, source, settings, known, mark=mark), pieces))


class TableCheck:
    """The rules of one table, on the rows of one source as they come, batch by batch.

    What holds between rows, that a key comes once, is only known after the last of them: `repeated` then says which
    of the rows that `take` let through are bad after all. It reads the source a second time, but only where a hash of
    the keys says that there may be any, so that the memory this takes is eight bytes a row.
    """

    def __init__(
        self,
        table: Table,
        headers: Sequence[str],
        source: str,
        settings: ChainSettings,
        known: Mapping[str, pa.Array] = NOTHING_KNOWN,
        keep_rejected: bool = True,
        last_day: date | None = None,
        mark: Mark = ".",
    ) -> None:
        """keep_rejected: False where only the findings are wanted; rejected rows then have their number alone.
        last_day: that an event may be recorded of (`last_recorded_day`); None: any but an odd one. mark: the decimal
        sign of the source's numbers."""
        self._mark: Mark = mark
        self.table = table
        self.source = source
        self._settings = settings
        self._last_day = (
            LIKELY_DAYS[1] - 1 if last_day is None else min(np.datetime64(last_day, "D"), LIKELY_DAYS[1] - 1)
        )
        self._known = known
        self._units = Conversions.of_array(known[UNITS]) if has_units(table) and UNITS in known else None
        self._keep = keep_rejected
        self._named, self._on_headers = _known_columns(table, headers, source)
        self._missing = [name for name in table.required_columns if name not in self._named]
        spare = [name for name in headers if name not in self._named.values()]
        for name in self._missing:
            hint = nearest_hint(name, spare)
            self._on_headers.append(
                finding("error", "check.missing_column", source, column=name, name=name, table=table.name, hint=hint)
            )
        self._seen = Tally(source)
        self._key_hashes: list[np.ndarray] = []

    @property
    def usable(self) -> bool:
        """Whether rows come through at all: not where a required column is missing."""
        return not self._missing

    def take(self, rows: pa.Table) -> Checked:
        """One batch: its good rows and its rejected ones. The findings are those of all batches; see `findings`."""
        rows = self._without_personal_data(rows)
        every, troubles = self._typed(rows)
        good, rejected = _without_bad(every, troubles, self._as_shown(rows), self._seen, self._keep)
        if self._missing:
            return Checked(pa.table({ROW: pa.array([], pa.int64())}), REJECTED_SCHEMA.empty_table(), ())
        self._key_hashes.append(_key_hashes(self.table, good)[0])
        return Checked(good, rejected, ())

    def repeated(self, again: Callable[[], Iterable[pa.Table]]) -> pa.Table:
        """Rows that an earlier row of the source rules out, in REJECTED_SCHEMA. again: gives the batches once more."""
        hashes = np.concatenate([np.zeros(0, dtype=np.uint64), *self._key_hashes])
        self._key_hashes = []
        hashes.sort()
        several = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        if not several.size:
            return REJECTED_SCHEMA.empty_table()
        some, originals = [], []
        for rows in map(self._without_personal_data, again()):
            every, troubles = self._typed(rows)
            usable = np.flatnonzero(~_any_error(troubles, rows.num_rows))
            found, at = _key_hashes(self.table, every.take(pa.array(usable)))
            place = pa.array(usable[at[np.isin(found, several)]])
            some.append(every.take(place))
            originals.append(rows.take(place))
        candidates = pa.concat_tables(some)
        troubles = _repeat_troubles(self.table, candidates)
        original = self._as_shown(pa.concat_tables(originals))
        return _without_bad(candidates, troubles, original, self._seen, self._keep)[1]

    def _without_personal_data(self, rows: pa.Table) -> pa.Table:
        """Texts of people with placeholders for what is personal: before anything of a row is kept or shown."""
        for name, header in self._named.items():
            if self.table.columns[name].masked:
                rows = rows.set_column(rows.column_names.index(header), header, masked_column(rows[header]))
        return rows

    def _as_shown(self, rows: pa.Table) -> pa.Table:
        """Rows as they came, under our names of the columns."""
        return rows.rename_columns([_shown_header(self._named, name) for name in rows.column_names])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the headers, and with the rows of all batches so far."""
        return (*self._on_headers, *self._seen.findings())

    def _typed(self, rows: pa.Table) -> tuple[pa.Table, list["Trouble"]]:
        """A batch in the types of the table, and everything that is wrong with single rows of it."""
        zone = self._settings.calendar.zone
        cells = typed(self.table, {name: rows[header] for name, header in self._named.items()}, zone, self._mark)
        groups = [*_value_troubles(self.table, cells, self._last_day), _date_order_troubles(self.table, cells)]
        groups += [_pair_troubles(self.table, cells), _heavy_troubles(self.table, cells, self._settings)]
        groups += [[trouble] for trouble in _unknown_references(self.table, cells, self._known)]
        groups.append(_own_alias_troubles(self.table, cells, self._known))
        if self._units is not None and UNIT in cells:
            cells, trouble = _unit_trouble(self.table, cells, self._known, self._units, zone)
            groups.append([trouble])
        troubles = [replace(trouble, rank=rank) for rank, group in enumerate(groups) for trouble in group]
        columns: dict[str, pa.ChunkedArray] = {name: column.values for name, column in cells.items()}
        date_only = cells["happened_at"].date_only if "happened_at" in cells else None
        if date_only is not None:
            columns[DATE_ONLY] = pa.chunked_array([pa.array(date_only)])
        columns[ROW] = rows[ROW].cast(pa.int64())
        return pa.table(columns), troubles


def last_recorded_day(today: date, settings: ChainSettings) -> date:
    """The last day that an event may be recorded of: a year from today, or the start of the plan if that is later.

    A chain of declared history stands at its last record: with one year mistyped, all of it would be of then.
    """
    return max(today + timedelta(days=AHEAD_DAYS), settings.start or date.min)


class CheckedRows(Protocol):
    """The rows of one source on their way in, checked batch by batch, so that a source may be larger than the memory.

    First `batches`, once; then `repeated`; then `findings` are complete.
    """

    def batches(self) -> Iterator[Checked]:
        """Good rows (columns of the table, `__row__` and, for events, `__date_only__`) and rejected ones.

        At least one batch; all have the same columns, and row numbers rise.
        """
        ...

    def repeated(self) -> pa.Table:
        """Which rows that were handed over as good are bad after all, in REJECTED_SCHEMA."""
        ...

    @property
    def findings(self) -> Sequence[Finding]: ...

    @property
    def rejected(self) -> int:
        """How many rows were not handed over as good, or are bad after all."""
        ...

    def again(self) -> "CheckedRows":
        """The same rows once more, from the start."""
        ...


class RowsInHand:
    """Rows that are all there, as CheckedRows."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        self.findings: Sequence[Finding] = checked.findings
        self.rejected = checked.rejected.num_rows

    def again(self) -> CheckedRows:
        return RowsInHand(self.checked)

    def batches(self) -> Iterator[Checked]:
        yield self.checked

    def repeated(self) -> pa.Table:
        return REJECTED_SCHEMA.empty_table()


class CheckedBatches:
    """Batches of raw rows, checked as they come, as CheckedRows. raw: a batch and what could not be read of it.

    read: gives the batches; it may be called again. make: makes the check.
    """

    def __init__(self, make: Callable[[], TableCheck], read: Callable[[], Iterable[tuple[pa.Table, pa.Table]]]) -> None:
        self._make = make
        self._made: TableCheck | None = None
        self._read = read
        self.rejected = 0

    @property
    def _check(self) -> TableCheck:
        """Made when the rows are wanted: what holds for all of them may take a pass over the source."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def again(self) -> CheckedRows:
        return CheckedBatches(self._make, self._read)

    def batches(self) -> Iterator[Checked]:
        for raw, unread in self._read():
            checked = self._check.take(raw)
            if unread.num_rows:
                checked = replace(checked, rejected=pa.concat_tables([unread, checked.rejected]).sort_by(ROW))
            self.rejected += checked.rejected.num_rows
            yield checked

    def repeated(self) -> pa.Table:
        rows = self._check.repeated(lambda: (raw for raw, _ in self._read()))
        self.rejected += rows.num_rows
        return rows

    @property
    def findings(self) -> Sequence[Finding]:
        return self._check.findings


def gathered(checked: CheckedRows) -> Checked:
    """All batches of a source in one."""
    parts = list(checked.batches())
    repeated = checked.repeated()
    rows = pa.concat_tables([part.rows for part in parts])
    rejected = pa.concat_tables([*(part.rejected for part in parts), repeated])
    if repeated.num_rows:
        rows = rows.filter(pc.invert(pc.is_in(rows[ROW], repeated[ROW].combine_chunks())))
        rejected = rejected.sort_by(ROW)
    return Checked(rows, rejected, tuple(checked.findings))


def reject(checked: Checked, troubles: Sequence[Trouble], original: pa.Table, source: str) -> Checked:
    """Move the rows of `checked.rows` with an error to the rejected ones, and say what is wrong with each.

    original: the rows as they came, for showing what was found; its `__row__` rises.
    """
    if not any(trouble.bad.any() for trouble in troubles):
        return checked
    seen = Tally(source)
    ranked = [replace(trouble, rank=rank) for rank, trouble in enumerate(troubles)]
    rows, rejected = _without_bad(checked.rows, ranked, original, seen)
    both = pa.concat_tables([checked.rejected, rejected]).sort_by(ROW) if rejected.num_rows else checked.rejected
    return Checked(rows, both, (*checked.findings, *seen.findings()))


def _without_bad(
    rows: pa.Table, troubles: Sequence[Trouble], original: pa.Table, seen: "Tally", keep_rejected: bool = True
) -> tuple[pa.Table, pa.Table]:
    """Rows without an error, and those with one as rejected ones; `seen` notes what is wrong."""
    troubles = [trouble for trouble in troubles if trouble.bad.any()]
    if not troubles:
        return rows, REJECTED_SCHEMA.empty_table()
    numbers = rows[ROW].to_numpy()
    place = np.searchsorted(original[ROW].to_numpy(), numbers)
    records: dict[int, list[dict[str, Any]]] = {}
    for trouble in troubles:
        at = np.flatnonzero(trouble.bad)
        with_record = keep_rejected and trouble.severity == "error"
        texts = _shown_cells(original, trouble.column, place[at if with_record else at[:ROWS_NAMED_ONE_BY_ONE]])
        seen.add(trouble, numbers[at], texts)
        if with_record:
            params = tuple(trouble.params.items())
            for i, text in zip(at.tolist(), texts, strict=True):
                record = _record(trouble.key, trouble.column, text, seen.source, params)
                records.setdefault(i, []).append({**record, "row": int(numbers[i])})
    is_bad = _any_error(troubles, rows.num_rows)
    bad = np.flatnonzero(is_bad)
    if not bad.size:
        return rows, REJECTED_SCHEMA.empty_table()
    if keep_rejected:
        rejected = rejected_rows(original.take(pa.array(place[bad])), [records[i] for i in bad.tolist()])
    else:
        nothing = pa.nulls(bad.size, pa.string())
        rejected = pa.table([pa.array(numbers[bad]), nothing, nothing], schema=REJECTED_SCHEMA)
    return rows.filter(pa.array(~is_bad)), rejected


def rejected_rows(original: pa.Table, records: Sequence[list[dict[str, Any]]]) -> pa.Table:
    """Rows and the records of their findings in REJECTED_SCHEMA."""
    numbers = original[ROW].to_pylist()
    raws = [json_text(row) for row in original.drop_columns([ROW]).to_pylist()]
    texts = [json.dumps(r, ensure_ascii=False) for r in records]
    return pa.table([numbers, raws, texts], schema=REJECTED_SCHEMA)


def finding_record(found: Finding) -> dict[str, Any]:
    """A finding as it is kept with a rejected row: its record in English, and the same texts in Chinese under 'zh'."""
    zh = found.as_record("zh")
    return {**found.as_record("en"), "zh": {part: zh[part] for part in ("found", "expected", "remedy")}}


def json_text(row: Mapping[str, Any]) -> str:
    """A row as JSON text; what JSON has no word for becomes text."""
    plain = {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
    return json.dumps(plain, ensure_ascii=False, default=str)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that is most like a given one, None where none is."""
    by_lower = {n.lower(): n for n in names}
    found = difflib.get_close_matches(name.strip().lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def nearest_hint(name: str, names: Iterable[str]) -> Message | str:
    """'Did you mean ...?' for a finding's remedy, or nothing."""
    found = nearest(name, names)
    return "" if found is None else message("check.did_you_mean", name=found)


def shown(value: object) -> str:
    """A value as a finding shows it: short, on one line."""
    text = str(value)
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else "�" for c in text)


# --- columns -----------------------------------------------------------------------------------------------------


def column_name(table: Table, header: str) -> str:
    """The column of a table that a header would name, without regard to case and blanks."""
    return header if header in table.columns else re.sub(r"[\s-]+", "_", header.strip().lower())


def _known_columns(table: Table, headers: Sequence[str], source: str) -> tuple[dict[str, str], list[Finding]]:
    """Header of each column of the table that the source has, and findings on the others."""
    named: dict[str, str] = {}
    unknown = []
    own = {column_name(table, header) for header in headers}
    also = {other: c.name for c in table.columns.values() if c.name not in own for other in c.also}
    findings = []
    for header in headers:
        written = column_name(table, header)
        name = also.get(written, written)
        if name not in table.columns or name in named:
            unknown.append(header)
            continue
        named[name] = header
        if name != written:
            findings.append(finding("note", "check.read_as", source, column=header, name=name, table=table.name))
    free = [name for name in table.columns if name not in named]
    findings += [
        finding("warning", "check.unknown_column", source, column=h, table=table.name, hint=nearest_hint(h, free))
        for h in unknown[:ROWS_NAMED_ONE_BY_ONE]
    ]
    rest = unknown[ROWS_NAMED_ONE_BY_ONE:]
    if rest:
        findings.append(
            finding("warning", "check.unknown_columns", source, count=len(rest), first=shown(rest[0]), table=table.name)
        )
    return {name: named[name] for name in table.columns if name in named}, findings


def _shown_header(named: Mapping[str, str], header: str) -> str:
    return next((name for name, theirs in named.items() if theirs == header), header)


# --- rules -------------------------------------------------------------------------------------------------------


def _value_troubles(table: Table, cells_of: Mapping[str, Cells], last_day: np.datetime64) -> list[list[Trouble]]:
    """What is wrong with single cells, in groups of one rank each."""
    groups: list[list[Trouble]] = []
    for name, cells in cells_of.items():
        column = table.columns[name]
        groups.append(_unread_troubles(column, cells))
        hidden = has_controls(cells.raw) if column.type == "text" else None
        if hidden is not None:
            groups.append([Trouble("check.control_characters", hidden, name, "warning")])
        if column.required:
            groups.append([Trouble("check.missing_value", cells.empty, name)])
        if column.type in ("number", "integer"):
            groups += [[trouble] for trouble in _number_troubles(table, column, cells)]
        if column.type in ("date", "moment"):
            groups += [[trouble] for trouble in _day_troubles(table, column, cells, last_day)]
        if column.choices:
            known = mask(pc.is_in(cells.values, pa.array(column.choices, pa.string())))
            bad = ~known & mask(pc.is_valid(cells.values))
            groups.append([Trouble("check.not_a_choice", bad, name, params={"choices": ", ".join(column.choices)})])
    return groups


def _unread_troubles(column: Column, cells: Cells) -> list[Trouble]:
    """Cells that are not of the column's type, by what they look like instead."""
    if not cells.unread.any():
        return []
    kinds: dict[str, list[int]] = {}
    unread = np.flatnonzero(cells.unread)
    for i, value in zip(unread.tolist(), cells.raw.take(pa.array(unread)).to_pylist(), strict=True):
        text = str(value).strip(BLANKS)
        if column.type in ("number", "integer") and _DECIMAL_COMMA.fullmatch(text):
            key = "check.decimal_comma"
        elif column.type in ("number", "integer") and _NOT_FINITE.fullmatch(text):
            key = "check.not_finite"
        else:
            key = "check.not_an_integer" if column.type == "integer" else f"check.not_a_{column.type}"
        kinds.setdefault(key, []).append(i)
    troubles = []
    for key, rows in kinds.items():
        bad = np.zeros(len(cells.unread), dtype=bool)
        bad[rows] = True
        troubles.append(Trouble(key, bad, column.name))
    return troubles


def _number_troubles(table: Table, column: Column, cells: Cells) -> list[Trouble]:
    numbers = cells.values.cast(pa.float64(), safe=False).to_numpy()
    there = mask(pc.is_valid(cells.values))
    troubles = [Trouble("check.not_finite", there & ~np.isfinite(numbers), column.name)]
    # Sales exports often hold returns as negative sales.
    under = "check.negative_sale" if (table.name, column.name) == ("sales", "units") else "check.under_minimum"
    limits = (
        (under, column.minimum, np.less),
        ("check.over_maximum", column.maximum, np.greater),
        ("check.not_above", column.above, np.less_equal),
        ("check.not_below", column.below, np.greater_equal),
    )
    finite = there & np.isfinite(numbers)
    for key, limit, breaks in limits:
        if limit is not None:
            bad = finite & breaks(numbers, limit)
            troubles.append(Trouble(key, bad, column.name, params={"limit": f"{limit:g}"}))
    if (table.name, column.name) == ("stock", "units"):  # a count below zero is news all the same: nothing is there
        troubles.append(Trouble("check.negative_count", there & (numbers < 0), column.name, severity="warning"))
    if column.above is not None:
        tiny = finite & (numbers > column.above) & (numbers < column.above + SMALLEST)
        troubles.append(Trouble("check.too_small", tiny, column.name, params={"limit": f"{column.above + SMALLEST:f}"}))
    if column.largest is not None:
        params = {"limit": f"{column.largest:,.0f}", "unit": message(f"schema.units.{column.unit}")}
        troubles.append(Trouble("check.too_large", finite & (numbers > column.largest), column.name, params=params))
    return troubles


def _heavy_troubles(table: Table, cells: Mapping[str, Cells], settings: ChainSettings) -> list[Trouble]:
    """Rows of demand whose priority makes them dearer than all sums can tell."""
    if table.name != "demand" or "priority" not in cells:
        return []
    priority, factor = cells["priority"].values, settings.defaults.priority_factor
    most = highest_priority(factor)
    bad = mask(pc.fill_null(pc.greater(priority, most), False))
    return [Trouble("check.too_heavy", bad, "priority", params={"limit": most, "factor": f"{factor:g}"})]


def highest_priority(factor: float) -> int:
    """The highest priority of which factor ^ priority is at most MOST_WEIGHT."""
    steps = math.log(MOST_WEIGHT) / math.log(factor) if factor > 1 else math.inf
    return int(min(steps + 1e-9, HIGHEST_PRIORITY))


def _day_troubles(table: Table, column: Column, cells: Cells, last_day: np.datetime64) -> list[Trouble]:
    days = cells.values.cast(pa.timestamp("us")).to_numpy().astype("M8[D]")
    there = ~np.isnat(days)
    impossible = there & ((days < POSSIBLE_DAYS[0]) | (days >= POSSIBLE_DAYS[1]))
    is_record = table.kind == "event" and column.name in ("happened_at", "known_at")
    not_come = there & ~impossible & (days > last_day) & is_record
    odd = there & ~impossible & ~not_come & ((days < LIKELY_DAYS[0]) | (days >= LIKELY_DAYS[1]))
    return [
        Trouble("check.not_come", not_come, column.name, params={"last": str(last_day)}),
        Trouble("check.impossible_date", impossible, column.name),
        Trouble("check.odd_date", odd, column.name, severity="warning"),
    ]


def _date_order_troubles(table: Table, cells: Mapping[str, Cells]) -> list[Trouble]:
    troubles = []
    for name, earlier, later, may_be_equal in _DATE_ORDERS:
        if name == table.name and earlier in cells and later in cells:
            breaks = pc.less if may_be_equal else pc.less_equal
            bad = mask(pc.fill_null(breaks(cells[later].values, cells[earlier].values), False))
            key = "check.before" if may_be_equal else "check.not_after"
            troubles.append(Trouble(key, bad, later, params={"earlier": earlier}))
    return troubles


def _pair_troubles(table: Table, cells: Mapping[str, Cells]) -> list[Trouble]:
    """Two cells of a row that cannot stand together."""
    troubles = []
    for name, first, second, breaks, key in _PAIRS:
        if name == table.name and first in cells and second in cells:
            bad = mask(pc.fill_null(breaks(cells[second].values, cells[first].values), False))
            troubles.append(Trouble(key, bad, second))
    return troubles


def _unknown_references(table: Table, cells_of: Mapping[str, Cells], known: Mapping[str, pa.Array]) -> list[Trouble]:
    """Values that point to no row of the table they refer to."""
    troubles = []
    for name, cells in cells_of.items():
        target = table.columns[name].refers_to
        if target is not None and target in known:
            found = pc.is_in(cells.values, known[target])
            bad = mask(pc.and_(pc.is_valid(cells.values), pc.invert(found)))
            troubles.append(Trouble("check.unknown_reference", bad, name, params={"table": target}))
    return troubles


def _own_alias_troubles(table: Table, cells: Mapping[str, Cells], known: Mapping[str, pa.Array]) -> list[Trouble]:
    """Products of one's own that are called another one: rows that come in later would count for that one, and those
    that are there would stay."""
    if table.name != ALIASES or not {"alias", "product"} <= cells.keys() or "products" not in known:
        return []
    alias, product = cells["alias"].values, cells["product"].values
    is_another = pc.fill_null(pc.not_equal(alias, product), False)
    bad = mask(pc.and_(pc.is_in(alias, known["products"]), is_another))
    return [Trouble("check.own_alias", bad, "alias")]


def _unit_trouble(
    table: Table, cells: Mapping[str, Cells], known: Mapping[str, pa.Array], units: Conversions, zone: ZoneInfo
) -> tuple[dict[str, Cells], Trouble]:
    """Units in which a product is not counted on the day of the row. Where the unit is the product's base unit, or one
    of it, it is taken out: such a row says the same as one that names none."""
    own, product = cells[UNIT], cells.get(str(table.columns[UNIT].unit_of))
    factor, bad = np.zeros(len(own.empty)), np.zeros(len(own.empty), dtype=bool)
    named = pc.is_valid(own.values)
    if product is not None:
        is_known = pc.is_in(product.values, known["products"]) if "products" in known else pc.is_valid(product.values)
        at = np.flatnonzero(mask(pc.and_(named, is_known)))
        some = {name: column.values.take(pa.array(at)) for name, column in cells.items()}
        days = row_days(table, some, zone, len(at))
        factor[at], holds = units.find(some[str(table.columns[UNIT].unit_of)], some[UNIT], days)
        bad[at] = ~holds
    values = pc.if_else(pa.array(factor == 1.0), pa.scalar(None, pa.string()), own.values)
    return {**cells, UNIT: replace(own, values=chunked(values))}, Trouble("check.unknown_unit", bad, UNIT)


def _key_and_version(table: Table, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Columns of a source that name a row of the table, and those that tell which of its versions it is."""
    key = [name for name in (*table.key, *table.finer) if name in names]
    version = [n for n in ("valid_from", "known_at") if n in names]
    if table.kind == "event" and "known_at" not in version and "happened_at" in names:
        version.append("happened_at")
    return key, [*key, *(n for n in version if n not in key)]


def _key_hashes(table: Table, rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Of the rows that have a key of their own: a hash of key and version, uint64, and their place among `rows`.

    A row of events is named by its own key columns; when it happened alone is no name.
    """
    key, names = _key_and_version(table, rows.column_names)
    at = np.arange(rows.num_rows)
    if table.kind == "event":
        named = np.zeros(rows.num_rows, dtype=bool)
        for name in key:
            if name != "happened_at":
                named |= mask(pc.is_valid(rows[name]))
        at = at[named]
    if not key or not at.size:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    columns = {f"k{i}": rows[name] for i, name in enumerate(names)}
    with database().cursor() as connection:
        connection.register("keys", pa.table(columns))
        hashes = connection.sql(f"SELECT hash({', '.join(columns)}) AS h FROM keys").to_arrow_table()
    return hashes["h"].to_numpy()[at], at


def _repeat_troubles(table: Table, rows: pa.Table) -> list[Trouble]:
    """Rows with the key of an earlier row and nothing that tells which holds: same version, known at the same moment.

    Of events, an equal row may come twice (the ledger knows it already); only other content is an error. Equal counts
    may be of two bins, so that it is said that they count once.
    """
    key, names = _key_and_version(table, rows.column_names)
    bad, equal = _not_first(rows, names), np.zeros(rows.num_rows, dtype=bool)
    if table.kind == "event" and bad.any():
        equal = _not_first(rows, [n for n in rows.column_names if n != ROW])
        bad &= ~equal
    rule = "check.duplicate_key" if table.kind == "master" else "check.conflicting_event"
    if table.finer:
        rule = "check.conflicting_count"
    column = key[0] if len(key) == 1 else None
    troubles = [Trouble(rule, bad, column, params={"key": " + ".join(key)}, rank=_LAST)]
    if table.finer:
        params = {"finer": ", ".join(table.finer)}
        troubles.append(Trouble("check.counted_twice", equal, None, "warning", params, _LAST + 1))
    return troubles


def _not_first(rows: pa.Table, names: Sequence[str]) -> np.ndarray:
    """(row,) bool: an earlier row has the same values in `names`."""
    places = pa.array(np.arange(rows.num_rows))
    groups = rows.select(names).append_column(DATE_ONLY + "at", places)
    first = groups.group_by(list(names), use_threads=False).aggregate([(DATE_ONLY + "at", "min")])
    result = np.ones(rows.num_rows, dtype=bool)
    result[first[DATE_ONLY + "at_min"].to_numpy()] = False
    return result


# --- findings ----------------------------------------------------------------------------------------------------


def _any_error(troubles: Sequence[Trouble], row_count: int) -> np.ndarray:
    result = np.zeros(row_count, dtype=bool)
    for trouble in troubles:
        if trouble.severity == "error":
            result |= trouble.bad
    return result


def _shown_cells(original: pa.Table, column: str | None, at: np.ndarray) -> list[str]:
    places = pa.array(at)
    if column is None or column not in original.column_names:
        rows = original.drop_columns([ROW]).take(places).to_pylist()
        return [shown(", ".join(str(v) for v in row.values() if v is not None)) for row in rows]
    return ["" if v is None else shown(v) for v in original[column].take(places).to_pylist()]


class Tally:
    """What is wrong with the rows of one source: by trouble how many rows, and which come first."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._first: dict[tuple[object, ...], _First] = {}

    def add(self, trouble: Trouble, rows: np.ndarray, shown_values: Sequence[str]) -> None:
        """rows: numbers of the rows that it has, rising; shown_values: what stands in the first of them."""
        kind = (trouble.rank, trouble.key, trouble.column, trouble.severity, *trouble.params.items())
        first = self._first.setdefault(kind, _First(trouble, [], [], 0))
        free = ROWS_NAMED_ONE_BY_ONE - len(first.rows)
        rows_named = [*first.rows, *rows[:free].tolist()]
        values = [*first.values, *shown_values[:free]]
        self._first[kind] = _First(trouble, rows_named, values, first.count + len(rows))

    def findings(self) -> list[Finding]:
        """One finding for each row, or, where one trouble has many, one that names the first of them."""
        ordered = sorted(self._first.values(), key=lambda first: (first.trouble.rank, first.rows[0]))
        return [found for first in ordered for found in first.findings(self.source)]


@dataclass(frozen=True, eq=False)
class _First:
    """The first rows with one trouble, what stands in them, and how many there are in all."""

    trouble: Trouble
    rows: Sequence[int]
    values: Sequence[str]
    count: int

    def findings(self, source: str) -> list[Finding]:
        trouble = self.trouble
        if self.count <= ROWS_NAMED_ONE_BY_ONE:
            return [
                finding(
                    trouble.severity,
                    trouble.key,
                    source,
                    row=row,
                    column=trouble.column,
                    value=_quoted(value),
                    **trouble.params,
                )
                for row, value in zip(self.rows, self.values, strict=True)
            ]
        examples = ", ".join(dict.fromkeys(value for value in self.values if value))
        named = ", ".join(str(row) for row in self.rows[:5])
        many = message("check.many_rows", count=self.count, rows=named, value=_quoted(shown(examples)))
        return [
            finding(
                trouble.severity,
                trouble.key,
                source,
                row=self.rows[0],
                column=trouble.column,
                rows_affected=self.count,
                value=many,
                **trouble.params,
            )
        ]


@lru_cache(maxsize=4096)
def _record(
    key: str, column: str | None, value: str, source: str, params: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    """Texts of a finding are made once for all rows with the same value."""
    return finding_record(finding("error", key, source, column=column, value=_quoted(value), **dict(params)))


def _quoted(value: str) -> Message:
    return message("check.quoted", value=value) if value else message("check.nothing")
