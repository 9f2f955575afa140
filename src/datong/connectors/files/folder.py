"""Reads and checks a chain folder: chain.toml and one file or sheet per table."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.files.changed_while_read import no_file
from datong.connectors.files.read import (
    SUFFIXES,
    WORKBOOK_SUFFIXES,
    RawSource,
    Source,
    UnreadableError,
    open_sources,
    read_ahead,
    whole_source,
)
from datong.connectors.files.settings import SETTINGS_FILE, read_settings
from datong.connectors.files.slash_dates import SlashDates
from datong.connectors.files.without_plain_customers import Guarded
from datong.ledger.cells import Mark, MarkEvidence, mark_evidence
from datong.ledger.customer_tokens import Customers, Numbered
from datong.ledger.masking import has_personal_data, masked_findings, masked_rejected
from datong.ledger.products_held_back import HOLDING, PHANTOM, circles
from datong.ledger.row_checks import (
    NOTHING_KNOWN,
    ROW,
    Checked,
    CheckedBatches,
    CheckedRows,
    RowsInHand,
    TableCheck,
    Trouble,
    column_name,
    gathered,
    last_recorded_day,
    nearest_hint,
    reject,
    validate,
)
from datong.ledger.state import in_state_schema
from datong.ledger.units import UNITS, Conversions
from datong.ledger.versions import versions
from datong.model.findings import Finding, finding
from datong.model.settings import ChainSettings
from datong.model.tables import RESERVED, Table, tables

# Sheet and file names that people use for a table in Chinese.
_CHINESE_NAMES: Mapping[str, str] = {
    "产品": "products",
    "商品": "products",
    "物料": "products",
    "地点": "sites",
    "企业": "firms",
    "产线": "lines",
    "产线日历": "line_calendar",
    "工作日历": "calendars",
    "日历例外": "calendar_days",
    "工艺": "recipes",
    "工序": "recipe_steps",
    "工艺占用": "recipe_lines",
    "联产品": "recipe_outputs",
    "副产品": "recipe_outputs",
    "物料清单": "components",
    "报价": "offers",
    "阶梯价": "offer_price_breaks",
    "运输线路": "lanes",
    "成本参数": "economics",
    "需求": "demand",
    "销售": "sales",
    "销售明细": "sales",
    "退货": "returns",
    "库存": "stock",
    "收货": "receipts",
    "发货": "shipments",
    "生产": "production",
    "报工": "production",
    "工单": "orders",
    "工单进展": "order_events",
    "单位换算": "unit_conversions",
    "产品别名": "product_aliases",
    "替代品": "substitutes",
    "企业份额": "firm_shares",
    "库存规则": "stock_rules",
    "安全库存": "stock_rules",
}


# Its codes stand where those of recipes do.
STEPS = "recipe_steps"
# Tables whose rows other rows are held against, or hold products back; they are kept in memory while a folder is
# checked.
KEPT = frozenset(
    {c.refers_to for t in tables().values() for c in t.columns.values() if c.refers_to}
    | {*HOLDING, "firm_shares", "unit_conversions"}
)


@dataclass(frozen=True, eq=False)
class Part:
    """One table of a folder, unread."""

    table: str
    source: Source
    path: Path


@dataclass(frozen=True, eq=False)
class FolderContents:
    """What a folder holds. settings: None where chain.toml cannot be read. parts: in the order of tables.toml, in which
    a table refers only to tables before it."""

    settings: ChainSettings | None
    parts: tuple[Part, ...]
    findings: tuple[Finding, ...]


class SourceRows(CheckedBatches):
    """Rows of a file, read and checked batch by batch. on_rows: told how many have come so far.

    Reading raises UnreadableError where the file turns out to be damaged as a whole.
    """

    def __init__(
        self,
        table: Table,
        source: Source,
        settings: ChainSettings,
        known: Mapping[str, pa.Array] = NOTHING_KNOWN,
        keep_rejected: bool = True,
        on_rows: Callable[[int], None] = lambda _rows: None,
        last_day: date | None = None,
        marks: "DecimalMarks | None" = None,
    ) -> None:
        marks = marks or DecimalMarks()
        self._source = source
        self._is_masked = has_personal_data(table)
        known = dict(known)  # as it is now

        def read() -> Iterator[tuple[pa.Table, pa.Table]]:
            count = 0
            for raw in read_ahead(source.batches()):
                yield raw.rows, masked_rejected(raw.rejected) if self._is_masked else raw.rejected
                count += raw.rows.num_rows + raw.rejected.num_rows
                on_rows(count)

        rules = (table, source.columns, source.name, settings, known, keep_rejected, last_day)
        super().__init__(lambda: TableCheck(*rules, marks.of(table, source)), read)

    @property
    def findings(self) -> Sequence[Finding]:
        of_source = self._source.findings
        return (*(masked_findings(of_source) if self._is_masked else of_source), *super().findings)


class DecimalMarks:
    """The decimal sign of each source's numbers, by all of them: what one cell leaves open, another one tells. Where
    none of a source does, the other files of its folder may. parts: all tables of the folder."""

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self._parts = parts
        self._seen: dict[str, MarkEvidence] = {}

    def of(self, table: Table, source: Source) -> Mark:
        evidence = self._evidence(table, source)
        if evidence.either and not (evidence.comma or evidence.point or source.commas_group):
            for part in self._parts:
                if not part.source.commas_group:
                    evidence |= self._evidence(tables()[part.table], part.source)
        return evidence.mark(source.commas_group)

    def _evidence(self, table: Table, source: Source) -> MarkEvidence:
        if source.name not in self._seen:
            self._seen[source.name] = _mark_evidence(table, source)
        return self._seen[source.name]


def _mark_evidence(table: Table, source: Source) -> MarkEvidence:
    """What the columns of numbers say, in one pass over the source."""
    numbers = {name for name, column in table.columns.items() if column.type in ("number", "integer")}
    columns = [name for name in source.text_columns if column_name(table, name) in numbers]
    evidence = MarkEvidence()
    try:
        for batch in source.batches() if columns else ():
            for name in columns:
                evidence |= mark_evidence(batch.rows[name])
    except UnreadableError:  # said when its rows are wanted
        return MarkEvidence()
    return evidence


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the rows of one table. rows: how many, bad ones included. checked: where they were kept."""

    rows: int
    findings: tuple[Finding, ...]
    checked: Checked | None = None


# What is to be done with the rows of a table: of a file, or, of tables that are kept, in hand.
Take = Callable[[Part, CheckedRows, Mapping[str, pa.Array]], Outcome]


@dataclass(frozen=True, eq=False)
class CheckResult:
    """A folder, checked. checked: by table, in the order of tables.toml, where rows were kept. rows: how many there
    are, bad ones included, by table."""

    settings: ChainSettings | None
    checked: Mapping[str, Checked]
    findings: tuple[Finding, ...]
    rows: Mapping[str, int]


def keep(_part: Part, rows: CheckedRows, _known: Mapping[str, pa.Array]) -> Outcome:
    """Keep the rows of a table in memory."""
    checked = gathered(rows)
    return Outcome(checked.rows.num_rows + checked.rejected.num_rows, checked.findings, checked)


def count(_part: Part, rows: CheckedRows, _known: Mapping[str, pa.Array]) -> Outcome:
    """Count the rows of a table and let them go; only what is wrong with them is wanted."""
    number = sum(checked.rows.num_rows + checked.rejected.num_rows for checked in rows.batches())
    rows.repeated()  # findings on them are wanted too
    return Outcome(number, tuple(rows.findings))


def read_folder(folder: Path) -> FolderContents:
    """Find every table file of a folder; files of other kinds are left alone."""
    if not folder.is_dir():
        return FolderContents(None, (), (finding("error", "check.no_folder", str(folder)),))
    settings, findings = read_settings(folder)
    parts: dict[str, Part] = {}
    for path in _entries(folder):
        if not path.is_file():
            if path.suffix.lower() in SUFFIXES and table_of(path.stem) is not None:
                findings += [f for f in (no_file(path),) if f is not None]
            continue
        if path.suffix.lower() == ".txt" and table_of(path.stem) is None:
            continue  # a note beside the tables
        if path.suffix.lower() not in SUFFIXES:
            if _table_name(path.stem) in tables():
                findings.append(finding("warning", "check.not_read", path.name, suffix=path.suffix))
            continue
        for name, source in _sources(path, findings):
            if name not in parts:
                parts[name] = Part(name, SlashDates(tables()[name], source), path)
            else:
                first = parts[name].source.name
                findings.append(finding("error", "check.two_sources", source.name, table=name, first=first))
    order = list(tables())
    ordered = tuple(sorted(parts.values(), key=lambda part: order.index(part.table)))
    return FolderContents(settings, ordered, tuple(findings))


def table_files(folder: Path) -> list[Path]:
    """The files of a folder that may hold tables, in order."""
    return [path for path in _entries(folder) if path.is_file()]


def _entries(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir(), key=lambda p: p.name)
        if not path.name.startswith((".", "~$")) and path.name != SETTINGS_FILE
    ]


def check_folder(
    folder: Path,
    take: Take = keep,
    keep_rejected: bool = True,
    on_rows: Callable[[str, int], None] = lambda _table, _rows: None,
    today: date | None = None,
    also_known: Mapping[str, Sequence[pa.Array]] = MappingProxyType({}),
    unchecked: frozenset[str] = frozenset(),
    customers: Customers | None = None,
) -> CheckResult:
    """Everything that is wrong with a chain folder, at once: each file, each row, and the tables with one another.

    take: what is done with the rows of each table. keep_rejected: False where the bad rows themselves are not wanted.
    on_rows: told the table and how many rows of it have come so far. today: events of long after it are refused.
    also_known: by table, keys that rows may name though no file of the folder holds them; unchecked: tables of which
    any may be. customers: who keeps their keys; None: nobody: rows are not kept.
    """
    contents = read_folder(folder)
    customers = customers or Numbered()
    if not folder.is_dir():
        return CheckResult(None, {}, contents.findings, {})
    settings = contents.settings or ChainSettings(folder.resolve().name)
    last_day = None if today is None else last_recorded_day(today, settings)
    kept: dict[str, Checked] = {}
    known: dict[str, pa.Array] = {}
    outcomes: dict[str, Outcome] = {}
    findings = list(contents.findings)
    circles: list[Finding] = []
    marks = DecimalMarks(contents.parts)
    for part in contents.parts:
        name, table = part.table, tables()[part.table]
        rows: CheckedRows = SourceRows(
            table,
            Guarded(table, part.source, customers),
            settings,
            known,
            keep_rejected,
            lambda count, name=name: on_rows(name, count),
            last_day,
            marks,
        )
        try:
            if name in KEPT:
                kept[name], more = _check_kept(part, settings, kept, known, marks)
                circles += more
                if _usable(name, table.key[0], kept) and name not in unchecked:
                    known[name] = pc.unique(kept[name].rows[table.key[0]])
                    known[name] = pc.unique(pa.concat_arrays([known[name], *also_known.get(name, ())]))
                if name == STEPS and "recipes" in known and _usable(STEPS, "step", kept):
                    steps = kept[STEPS].rows["step"].combine_chunks()
                    known["recipes"] = pc.unique(pa.concat_arrays([known["recipes"], steps]))
                if name in ("products", "unit_conversions"):
                    known[UNITS] = _units(kept)
                rows = RowsInHand(kept[name])
            outcomes[name] = take(part, rows, known)
        except UnreadableError as unreadable:
            findings.append(unreadable.found)
    if "components" in kept:
        circles += _unmade_components(kept, next(p.source.name for p in contents.parts if p.table == "components"))
    if "lanes" in kept and kept["lanes"].rows.num_rows and _usable("recipes", "recipe", kept):
        source = next(p.source.name for p in contents.parts if p.table == "recipes")
        circles += _recipes_without_site(kept, source)
    if "firm_shares" in kept:
        circles += _firms_without_lines(kept, next(p.source.name for p in contents.parts if p.table == "firm_shares"))
    findings += [*circles, *_missing_tables(folder, outcomes, findings)]
    findings += [f for outcome in outcomes.values() for f in outcome.findings]
    checked = {name: o.checked for name, o in outcomes.items() if o.checked is not None}
    row_counts = {name: outcome.rows for name, outcome in outcomes.items()}
    return CheckResult(contents.settings, MappingProxyType(checked), tuple(findings), row_counts)


def _check_kept(
    part: Part,
    settings: ChainSettings,
    kept: Mapping[str, Checked],
    known: Mapping[str, pa.Array],
    marks: DecimalMarks,
) -> tuple[Checked, list[Finding]]:
    """A table whole, also against the rows of the tables before it; findings on circles in it."""
    raw = whole_source(part.source)
    mark = marks.of(tables()[part.table], part.source)
    checked = check_source(tables()[part.table], raw, settings, known, mark)
    checked = replace(checked, findings=(*part.source.findings, *checked.findings))
    troubles = _agreement_troubles(part.table, {**kept, part.table: checked})
    troubles += _own_outputs(checked, kept) if part.table == "recipe_outputs" else []
    if part.table == STEPS and "recipes" in known and "step" in checked.rows.column_names:
        bad = pc.is_in(checked.rows["step"], known["recipes"]).to_numpy()
        troubles.append(Trouble("check.step_is_recipe", bad, "step"))
    checked = reject(checked, troubles, raw.rows, raw.name)
    return _without_cycles(checked, raw) if part.table == "components" else (checked, [])


def check_source(
    table: Table,
    source: RawSource,
    settings: ChainSettings,
    known: Mapping[str, pa.Array] = NOTHING_KNOWN,
    mark: Mark = ".",
) -> Checked:
    """`validate` for a source as it was read: rows that could not be read are among the rejected ones."""
    checked = validate(table, source.rows, source.name, settings, known, mark=mark)
    if not source.rejected.num_rows:
        return checked
    unread = masked_rejected(source.rejected) if has_personal_data(table) else source.rejected
    return replace(checked, rejected=pa.concat_tables([unread, checked.rejected]).sort_by(ROW))


def table_of(name: str) -> str | None:
    """The table that a file or sheet of this name holds, None where there is none."""
    found = _table_name(name)
    return found if found in tables() else None


def _table_name(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return _CHINESE_NAMES.get(plain, plain)


def _sources(path: Path, findings: list[Finding]) -> list[tuple[str, Source]]:
    """Tables in one file, by name. Files and sheets that are no table of ours become findings."""
    workbook = path.suffix.lower() in WORKBOOK_SUFFIXES
    if not workbook and table_of(path.stem) is None:
        findings.append(_not_a_table(path.name, path.stem))
        return []
    sources, more = open_sources(path)
    if not workbook:
        findings += more
        return [(_table_name(path.stem), source) for source in sources]
    named = [(table_of(source.name.rpartition("/")[2]), source) for source in sources]
    if len(named) == 1 and named[0][0] is None:
        named = [(table_of(path.stem), named[0][1])]
    kept = [(name, source) for name, source in named if name is not None]
    others = [source for name, source in named if name is None]
    findings += [_not_a_table(source.name, source.name.rpartition("/")[2]) for source in others]
    # What is wrong with a sheet that is not read is nobody's trouble.
    unread = {source.name for source in others}
    findings += [f for f in more if f.source not in unread]
    return kept


def _not_a_table(source: str, name: str) -> Finding:
    if _table_name(name) in RESERVED:
        return finding("note", "check.reserved_table", source, table=_table_name(name))
    return finding("warning", "check.unknown_table", source, name=name, hint=nearest_hint(name, tables()))


# --- tables with one another -------------------------------------------------------------------------------------


def _usable(name: str, column: str, checked: Mapping[str, Checked]) -> bool:
    """Whether a table and a column of it could be read, so that others may be held to it."""
    return name in checked and column in checked[name].rows.column_names


def _units(checked: Mapping[str, Checked]) -> pa.Array:
    """The units in which products are counted."""
    products, conversions = (
        in_state_schema(name, checked[name].rows if name in checked else None)
        for name in ("products", "unit_conversions")
    )
    return Conversions.of(products, versions(tables()["unit_conversions"], conversions)).as_array()


def _agreement_troubles(name: str, checked: Mapping[str, Checked]) -> list[Trouble]:
    """Rows that name a recipe, an offer or a line and say something else than it."""
    # (table, column that points, what it points to, column that must be equal to which column there, severity)
    rules = (
        ("components", "recipe", "recipes", "product", "product", "error"),
        ("orders", "recipe", "recipes", "product", "product", "error"),
        ("orders", "offer", "offers", "product", "product", "error"),
        ("orders", "lane", "lanes", "product", "product", "error"),
        ("orders", "lane", "lanes", "site", "to_site", "error"),
        ("recipes", "line", "lines", "site", "site", "warning"),
    )
    troubles = []
    rows = checked[name].rows
    for table, pointer, target, same, there, severity in rules:
        own = {pointer, same} <= set(rows.column_names)
        key = tables()[target].key[0]
        if table != name or not own or not _usable(target, there, checked):
            continue
        theirs = checked[target].rows
        at = pc.index_in(rows[pointer], theirs[key].combine_chunks())
        differs = pc.not_equal(theirs[there].take(at), rows[same])
        bad = pc.fill_null(differs, False).to_numpy()
        params = {"target": target, "same": same, "there": there, "pointer": pointer}
        if severity == "error":
            troubles.append(Trouble("check.disagrees", bad, same, params=params))
        else:
            troubles.append(Trouble("check.disagrees_oddly", bad, same, severity="warning", params=params))
    return troubles


def _own_outputs(outputs: Checked, kept: Mapping[str, Checked]) -> list[Trouble]:
    """Rows that say of a recipe or step that its own product comes besides it."""
    rows = outputs.rows
    if not {"recipe", "product"} <= set(rows.column_names) or not _usable("recipes", "product", kept):
        return []
    recipes = kept["recipes"].rows
    made = dict(zip(recipes["recipe"].to_pylist(), recipes["product"].to_pylist(), strict=True))
    if _usable(STEPS, "recipe", kept):
        steps = kept[STEPS].rows
        named = zip(steps["step"].to_pylist(), steps["recipe"].to_pylist(), strict=True)
        made |= {step: made.get(recipe) for step, recipe in named}
    pairs = zip(rows["recipe"].to_pylist(), rows["product"].to_pylist(), strict=True)
    bad = np.array([made.get(recipe) == product for recipe, product in pairs], dtype=bool)
    return [Trouble("check.own_output", bad, "product", severity="warning")]


def _without_cycles(components: Checked, source: RawSource) -> tuple[Checked, list[Finding]]:
    """Rows of a bill of materials that go round in a circle leave it; one finding for each circle names it."""
    rows = components.rows
    if not {"product", "component"} <= set(rows.column_names) or not rows.num_rows:
        return components, []
    names = pc.unique(pa.chunked_array([*rows["product"].chunks, *rows["component"].chunks])).sort()
    made = pc.index_in(rows["product"], names).to_numpy()
    used = pc.index_in(rows["component"], names).to_numpy()
    group = circles(made, used, len(names))
    circular = group >= 0
    if not circular.any():
        return components, []
    findings = []
    for number in np.unique(group[circular]).tolist():
        inside = group == number
        path = _cycle(made[inside], used[inside], len(names))
        text = " → ".join(names[i].as_py() for i in path)
        row = int(rows[ROW].to_numpy()[inside].min())
        many = int(inside.sum())
        findings.append(
            finding("error", "check.cycle", source.name, row=row, column="component", rows_affected=many, cycle=text)
        )
    without = reject(components, [Trouble("check.in_a_cycle", circular, "component")], source.rows, source.name)
    # The findings by circle say it better than those by row, which stay with the rejected rows.
    return replace(without, findings=components.findings), findings


def _cycle(made: np.ndarray, used: np.ndarray, size: int) -> list[int]:
    """A shortest circle through the first product of a strongly connected piece, as indices; ends where it starts."""
    first = int(made.min())
    if ((made == first) & (used == first)).any():
        return [first, first]
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    graph = coo_array((np.ones(len(made)), (made, used)), shape=(size, size)).tocsr()
    order, before = breadth_first_order(graph, first, directed=True)
    back = set(made[used == first].tolist())
    step = next(int(node) for node in order if int(node) in back)
    path = [first]
    while step != first:
        path.append(step)
        step = int(before[step])
    return [first, *reversed(path[1:]), first]


def _unmade_components(checked: Mapping[str, Checked], source: str) -> list[Finding]:
    """Components that nobody makes or offers, where the folder says who makes or offers things."""
    sources = [name for name in ("recipes", "offers") if _usable(name, "product", checked)]
    rows = checked["components"].rows
    if not sources or not {"product", "component"} <= set(rows.column_names):
        return []
    known = pa.chunked_array([c for name in sources for c in checked[name].rows["product"].chunks], pa.string())
    if _usable("recipe_outputs", "product", checked):
        known = pa.chunked_array([*known.chunks, *checked["recipe_outputs"].rows["product"].chunks], pa.string())
    if _usable("products", "kind", checked):
        products = checked["products"].rows
        is_phantom = pc.fill_null(pc.equal(products["kind"], PHANTOM), False)
        known = pa.chunked_array([*known.chunks, *products["product"].filter(is_phantom).chunks], pa.string())
    bad = ~pc.is_in(rows["component"], known.combine_chunks()).to_numpy()
    empty = Checked(rows, checked["components"].rejected.slice(0, 0), ())
    trouble = Trouble("check.nobody_makes", bad, "component", severity="warning")
    return list(reject(empty, [trouble], rows, source).findings)


def _recipes_without_site(checked: Mapping[str, Checked], source: str) -> list[Finding]:
    """Recipes of which nobody says where they make, neither they nor their lines, in a chain with lanes."""
    rows = checked["recipes"].rows
    nothing = pa.nulls(rows.num_rows, pa.string())
    site = rows["site"] if "site" in rows.column_names else nothing
    line = rows["line"] if "line" in rows.column_names else nothing
    sited = pa.array([], pa.string())
    if _usable("lines", "site", checked):
        lines = checked["lines"].rows
        sited = lines["line"].filter(pc.is_valid(lines["site"])).combine_chunks()
    bad = pc.and_(pc.is_null(site), pc.invert(pc.is_in(line, sited))).to_numpy(zero_copy_only=False)
    empty = Checked(rows, checked["recipes"].rejected.slice(0, 0), ())
    trouble = Trouble("check.no_site", bad, "recipe", severity="warning")
    return list(reject(empty, [trouble], rows, source).findings)


def _firms_without_lines(checked: Mapping[str, Checked], source: str) -> list[Finding]:
    """Firms with a share of the hours that run no line: named otherwise than in `sites`, or lines without a site."""
    rows = checked["firm_shares"].rows
    if "firm" not in rows.column_names:
        return []
    firms: set[str] = set()
    if _usable("sites", "firm", checked) and _usable("lines", "site", checked):
        sites = checked["sites"].rows
        firm_of = dict(zip(sites["site"].to_pylist(), sites["firm"].to_pylist(), strict=True))
        running = (firm_of.get(site) for site in checked["lines"].rows["site"].to_pylist())
        firms = {firm for firm in running if firm is not None}
    bad = np.array([firm not in firms for firm in rows["firm"].to_pylist()], dtype=bool)
    empty = Checked(rows, checked["firm_shares"].rejected.slice(0, 0), ())
    trouble = Trouble("check.runs_no_line", bad, "firm", severity="warning")
    return list(reject(empty, [trouble], rows, source).findings)


def unread_tables(findings: Iterable[Finding]) -> set[str | None]:
    """Tables of which a file or sheet is there that has an error of its own."""
    sources = [f.source for f in findings if f.severity == "error"]
    return {table_of(part) for s in sources for part in (s.partition(".")[0], s.rpartition("/")[2])}


def _missing_tables(folder: Path, checked: Mapping[str, Outcome], findings: Iterable[Finding]) -> list[Finding]:
    """`products`, and `sales` or `demand`, must be there. One that is there and cannot be read has its own finding."""
    unread = unread_tables(findings)
    result = []
    if "products" not in checked and "products" not in unread:
        result.append(finding("error", "check.no_products", folder.name or str(folder)))
    if not {"sales", "demand"} & (set(checked) | unread):
        result.append(finding("error", "check.no_demand", folder.name or str(folder)))
    return result
