"""A market twin as a folder: any planning system reads its tables, gives orders in a file, and is told the next week.

The folder has the tables of a chain as .csv (docs/tables.md), `chain.toml`, and in `twin/` what the game is made of:
its settings and the orders of each week that was played. Nothing else is kept: the same settings and orders give the
same market, so each command plays the game again from its beginning.
"""

import csv
import io
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datong.connectors.files.write_whole import write_whole
from datong.model.errors import BadInput, Refused
from datong.model.findings import finding
from datong.model.words import message
from datong.replay.twin.market import MOST_WEEKS
from datong.replay.twin.parameters import COST, LEAD_WEEKS, TwinSettings
from datong.replay.twin.play import Game, Wanted, chain_settings, opened, order_up_to, play

GAME, SETTINGS = "twin", "settings.toml"
COLUMNS = ("order", "product", "units", "due")
NEEDED = ("product", "units")
# Weeks of history at most, so that two years can be played, and units of an order.
MOST_HISTORY, MOST_UNITS = 280, 1_000_000


@dataclass(frozen=True)
class Score:
    """Of the weeks that were played. terms: money by name; profit is sales less production, stock and returns, and what
    is left in stock at its cost. lost_margin, no part of it: of buyers who found an empty shelf. rule_profit: of the
    simple rule in the same weeks."""

    weeks: int
    terms: Mapping[str, float]
    profit: float
    rule_profit: float


@dataclass(frozen=True)
class Read:
    """Orders of a file. later: rows that start after the week that is played, and other_kind: that are no work orders;
    both are left out."""

    wanted: tuple[Wanted, ...]
    later: int = 0
    other_kind: int = 0
    # Numbers of the orders, '' where they have none.
    numbers: tuple[str, ...] = ()


def start(folder: Path, settings: TwinSettings) -> Game:
    """A new folder with the market after its history. Raises Refused where the folder holds anything."""
    if folder.exists() and any(folder.iterdir()):
        raise Refused(message("twin.not_empty", folder=folder))
    if settings.products < 2 or settings.history_weeks > MOST_HISTORY:
        raise Refused(message("twin.size", weeks=MOST_HISTORY))
    (folder / GAME).mkdir(parents=True, exist_ok=True)
    chosen = {
        "seed": settings.seed,
        "products": settings.products,
        "history_weeks": settings.history_weeks,
        "visitors": settings.visitors,
    }
    lines = [f"{name} = {value}" for name, value in chosen.items()]
    lines += [f"fault_week = {settings.fault_week}"] * (settings.fault_week is not None)
    _write(folder / GAME / SETTINGS, "\n".join(lines) + "\n")
    game = Game(opened(settings))
    _write_tables(folder, game)
    return game


def open_game(folder: Path) -> Game:
    """The game of a folder, played again up to its last week. Raises Refused where there is none."""
    settings = _settings(folder)
    game = Game(opened(settings))
    for path in _weeks(folder):
        game.week(_orders(path, game, {}).wanted)
    return game


def play_week(folder: Path, orders: Path | None) -> tuple[Game, Read | None]:
    """Plays the next week with the orders of a file (None: without any). Raises BadInput for orders that cannot be
    taken, all of what is wrong at once; nothing is played then. Where the last command was killed before it had written
    the tables of its week, they are written, no other week is played, and nothing is read."""
    game = open_game(folder)
    told = tomllib.loads((folder / "chain.toml").read_text(encoding="utf-8"))["start"]
    if told != game.market.now.date():
        _write_tables(folder, game)
        return game, None
    if game.market.week >= MOST_WEEKS - LEAD_WEEKS - 1:
        raise Refused(message("twin.over", weeks=game.market.week))
    read = Read(()) if orders is None else _orders(orders, game, _given(folder))
    numbered = zip(read.numbers, read.wanted, strict=True)
    rows = [(number, one.product, f"{one.units:g}", f"{one.due:%Y-%m-%d}") for number, one in numbered]
    _write(folder / GAME / f"week-{game.market.week:03d}.csv", [COLUMNS, *rows])
    game.week(read.wanted)
    _write_tables(folder, game)
    return game, read


def score(folder: Path) -> Score:
    game, settings = open_game(folder), _settings(folder)
    weeks = game.market.week - settings.history_weeks
    market = game.market
    terms = {("lost_margin" if name == "lost" else name): value for name, value in market.money.items()}
    terms["left"] = COST * float((market.stock + market.faulty).sum())
    return Score(weeks, terms, market.profit, play(settings, order_up_to(), weeks).profit)


def _settings(folder: Path) -> TwinSettings:
    path = folder / GAME / SETTINGS
    if not path.is_file():
        raise Refused(message("twin.no_game", folder=folder))
    return TwinSettings(**tomllib.loads(path.read_text(encoding="utf-8")))


def _given(folder: Path) -> dict[str, str]:
    """Number of an order that was given -> file of its week."""
    return {row["order"]: path.name for path in _weeks(folder) for row in _read(path)[1] if row["order"]}


def _weeks(folder: Path) -> list[Path]:
    return sorted((folder / GAME).glob("week-*.csv"))


def _orders(path: Path, game: Game, given: Mapping[str, str]) -> Read:
    """Orders of a .csv or .parquet with the columns product and units; due, kind and start where they are there, as in
    the table `orders` of a run. Without a due day an order is there as soon as it can be. given: orders of earlier
    weeks, by number. Raises BadInput."""
    (names, rows), now, source = _read(path), game.market.now, path.name
    missing = [name for name in NEEDED if name not in names]
    wrong = [finding("error", "twin.no_column", source, column=name) for name in missing]
    wanted: list[Wanted] = []
    numbers: list[str] = []  # '' of those without
    later = other_kind = 0
    for number, row in enumerate([] if missing else rows, 2):
        if (row.get("kind") or "make") != "make":
            other_kind += 1
            continue
        product, units, number_of = str(row["product"]), _number(row["units"]), str(row.get("order") or "")
        begin, due = (_moment(row.get(name), now) for name in ("start", "due"))
        if product not in game.market.truth.names:
            wrong.append(finding("error", "twin.unknown_product", source, row=number, column="product", value=product))
        elif units is None or not 0 < units <= MOST_UNITS or units % 1:
            value, most = row["units"], f"{MOST_UNITS:,}"
            wrong.append(finding("error", "twin.bad_units", source, row=number, column="units", value=value, most=most))
        elif begin is None or due is None:
            column = "start" if begin is None else "due"
            value = row[column]
            wrong.append(finding("error", "twin.bad_day", source, row=number, column=column, value=value))
        elif begin >= now + timedelta(weeks=1):
            later += 1
        elif number_of and number_of in numbers:
            wrong.append(finding("error", "twin.twice", source, row=number, column="order", order=number_of))
        elif number_of in given:
            week = given[number_of]
            wrong.append(finding("error", "twin.given_before", source, row=number, order=number_of, week=week))
        else:
            wanted.append(Wanted(product, units, due))
            numbers.append(number_of)
    if wrong:
        raise BadInput(message("twin.bad_orders", file=source), wrong)
    return Read(tuple(wanted), later, other_kind, tuple(numbers))


def _read(path: Path) -> tuple[Sequence[str], list[dict[str, Any]]]:
    """Names of the columns, and the rows."""
    if not path.is_file():
        raise Refused(message("twin.no_orders", file=path))
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            return table.column_names, table.to_pylist()
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
        return reader.fieldnames or (), list(reader)
    except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise Refused(message("twin.unreadable", file=path)) from error


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _moment(value: object, now: datetime) -> datetime | None:
    """A day, `now` where none is given; None: it is no day."""
    if value is None or value == "":
        return now
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
    return datetime.combine(day, datetime.min.time(), now.tzinfo)


def _write_tables(folder: Path, game: Game) -> None:
    settings = chain_settings(game.market.settings)
    values: dict[str, object] = {
        "name": f'"{settings.name}"',
        "time_zone": f'"{settings.time_zone}"',
        "horizon_buckets": settings.horizon_buckets,
        "path_count": settings.path_count,
        "max_late_days": settings.max_late_days,
        "start": f"{game.market.now:%Y-%m-%d}",  # also where nothing was recorded in the last days
    }
    for name, table in game.tables().items():
        rows = [[_cell(value) for value in row.values()] for row in table.to_pylist()]
        _write(folder / f"{name}.csv", [table.column_names, *rows])
    # Last: its day says that all tables are of it.
    _write(folder / "chain.toml", "".join(f"{name} = {value}\n" for name, value in values.items()))


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else value


def _write(path: Path, rows: Iterable[Sequence[object]] | str) -> None:
    """Writes a table or a text, whole or not at all."""
    text = io.StringIO(newline="")
    if isinstance(rows, str):
        text.write(rows)
    else:
        csv.writer(text, lineterminator="\n").writerows(rows)
    write_whole(path, text.getvalue().encode())
