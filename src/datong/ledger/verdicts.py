"""What a row that comes in is to the versions that the ledger holds: the rules as functions, and a table of cases.

A chain of versions is one fact (row id) from one day on (valid_from). A store may judge in its own way, many rows at
once; it is tested against these cases and, on generated rows, against these functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from datong.ledger.row_ids import SINCE_EVER

# How the sources of rows begin that people wrote by hand, and no file told.
BY_HAND = "@hand"

# new: the first version of its chain. superseding: another one. known: nothing new. conflicting: it contradicts what is
# known without being later, and goes to quarantine.
Verdict = Literal["new", "superseding", "known", "conflicting"]
Kind = Literal["event", "master"]
History = Literal["declared", "live"]


@dataclass(frozen=True)
class Version:
    """A version that is held of a fact. says: its content; withdrawn: from `known` on that does not hold. by_hand:
    somebody wrote it by hand, no file tells it. own: the source of the rows that come now told it."""

    known: datetime
    says: str
    withdrawn: bool = False
    by_hand: bool = False
    own: bool = False


@dataclass(frozen=True)
class Coming:
    """A row of a source, of the same chain. known: None where a master row does not say. assumed: `known` was filled by
    a rule, the row itself did not say it."""

    known: datetime | None
    says: str
    assumed: bool = False


def verdicts(
    held: Sequence[Version],
    rows: Sequence[Coming],
    kind: Kind = "event",
    history: History = "declared",
    arrived: datetime = SINCE_EVER,
    fact_is_there: bool = False,
) -> list[Verdict]:
    """What each of the rows of one source and chain is, in their order.

    held: the versions of the chain in the order in which they came in. arrived: when the source came in.
    fact_is_there: the ledger holds the fact from another day on. A row later than all that is held supersedes it where
    it says something else. One that is not later is known where it says what held at its moment, else in conflict. Of
    the rows of one source for one moment the first counts. A master row without a moment says nothing new by saying
    again what its source said last, whatever others said since.
    """
    moments = [known_since(row, rows, bool(held) or fact_is_there, history, arrived) for row in rows]
    found: list[Verdict | None] = [_against(held, k, row, kind) for k, row in zip(moments, rows, strict=True)]
    in_line: dict[datetime, int] = {}
    for i, row in enumerate(rows):
        if found[i] is None:
            first = in_line.setdefault(moments[i], i)
            if first != i:
                found[i] = "known" if rows[first].says == row.says else "conflicting"
    latest = _latest(held)
    before = latest.says if latest is not None else None
    there = latest is not None
    for place, (_, i) in enumerate(sorted(in_line.items())):
        # What was withdrawn is said anew by a row that says when it was known.
        said_before = None if place == 0 and latest and latest.withdrawn and not rows[i].assumed else before
        found[i] = "known" if said_before == rows[i].says else "superseding" if there else "new"
        before, there = rows[i].says, True
    return [verdict for verdict in found if verdict is not None]


def known_since(row: Coming, rows: Sequence[Coming], there: bool, history: History, arrived: datetime) -> datetime:
    """Since when a row is known. A master row that does not say: in a declared history since ever where its fact is not
    there yet, or where its source gives dated versions of it beside (it is the one before them); else it came now."""
    if row.known is not None:
        return row.known
    dated = any(other.known is not None for other in rows)
    return SINCE_EVER if history == "declared" and (dated or not there) else arrived


def verdicts_on_branch(
    below: Version | None, own: Sequence[Version], rows: Sequence[Coming], arrived: datetime = SINCE_EVER
) -> list[Verdict]:
    """What each of the rows of one source and chain is to a branch, in their order.

    below: what the parent holds of it, until the branch has its own. own: the branch's versions, in the order in which
    they came in. Nothing there is contradicted by what comes later: of one moment the last counts, but within a source
    the first. A row that does not say when it was known is known from `arrived` on.
    """
    moments = [arrived if row.known is None else row.known for row in rows]
    # When, the branch's own before what comes, their order; what is said (None: it does not hold).
    line = [(version.known, 0, n, None if version.withdrawn else version.says) for n, version in enumerate(own)]
    line += [(moments[n], 1, n, rows[n].says) for n in range(len(rows)) if moments.index(moments[n]) == n]
    found: list[Verdict] = []
    for n, row in enumerate(rows):
        first = moments.index(moments[n])
        earlier = [told for told in line if told[:3] < (moments[n], 1, first)]
        if first != n:
            found.append("known" if rows[first].says == row.says else "conflicting")
        elif not earlier and below is None:
            found.append("new")
        else:
            said = max(earlier)[3] if earlier else None if below is None or below.withdrawn else below.says
            found.append("known" if said == row.says else "superseding")
    return found


def _latest(held: Sequence[Version]) -> Version | None:
    return max(enumerate(held), key=lambda at: (at[1].known, at[0]))[1] if held else None


def _against(held: Sequence[Version], known: datetime, row: Coming, kind: Kind) -> Verdict | None:
    """A row against what is held alone; None: it is later, and what it is depends on the rows beside it."""
    latest = _latest(held)
    if latest is None:
        return None
    if kind == "event" and row.assumed and any(version.says == row.says for version in held):
        return "known"
    if kind == "master" and row.known is None and not latest.own:
        told = _latest([version for version in held if version.own])
        if told is None and latest.by_hand:
            told = _latest([version for version in held if not version.by_hand])
        if told is not None and told.says == row.says:
            return "known"
    if known > latest.known:
        return None
    in_force = _latest([version for version in held if version.known <= known])
    if in_force is None:  # before all that is held: against the first
        in_force = min(held, key=lambda version: version.known)
    return "known" if in_force.says == row.says else "conflicting"


@dataclass(frozen=True)
class Case:
    """What is held, what comes, and what each row is then. Moments are days of January 2026."""

    why: str
    held: tuple[Version, ...]
    rows: tuple[Coming, ...]
    verdicts: tuple[Verdict, ...]
    kind: Kind = "event"
    history: History = "declared"


def _day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def _held(*told: tuple[int, str]) -> tuple[Version, ...]:
    return tuple(Version(_day(number), says) for number, says in told)


def _rows(*told: tuple[int, str]) -> tuple[Coming, ...]:
    return tuple(Coming(_day(number), says) for number, says in told)


# When the rows of the cases come in.
ARRIVED = _day(31)
_GONE = Version(_day(6), "a", withdrawn=True)
# An event that does not say since when it is known, of a chain of live records: since it came in.
_NOW_A = (Coming(ARRIVED, "a", assumed=True),)

CASES: tuple[Case, ...] = (
    Case("nothing is held", (), _rows((5, "a")), ("new",)),
    Case("the same again", _held((5, "a")), _rows((5, "a")), ("known",)),
    Case("something else, known later", _held((5, "a")), _rows((7, "b")), ("superseding",)),
    Case("the same, known later", _held((5, "a")), _rows((7, "a")), ("known",)),
    Case("something else for the same moment", _held((5, "a")), _rows((5, "b")), ("conflicting",)),
    Case("something else for an earlier moment", _held((5, "a")), _rows((3, "b")), ("conflicting",)),
    Case("the first said earlier", _held((5, "a")), _rows((3, "a")), ("known",)),
    Case("what held between two versions", _held((3, "a"), (7, "b")), _rows((5, "a")), ("known",)),
    Case("what held only later", _held((3, "a"), (7, "b")), _rows((5, "b")), ("conflicting",)),
    Case("an older content, known later", _held((3, "a"), (5, "b")), _rows((7, "a")), ("superseding",)),
    Case("several of one source, in time", (), _rows((3, "a"), (5, "b"), (7, "b")), ("new", "superseding", "known")),
    Case("several of one source, not in order", (), _rows((7, "b"), (3, "a")), ("superseding", "new")),
    Case("two of one source that differ", (), _rows((5, "a"), (5, "b")), ("new", "conflicting")),
    Case("two of one source that are equal", (), _rows((5, "a"), (5, "a")), ("new", "known")),
    Case("two later ones that differ", _held((3, "a")), _rows((5, "b"), (5, "c")), ("superseding", "conflicting")),
    Case("an undated event says what it said once", _held((3, "a"), (5, "b")), _NOW_A, ("known",), history="live"),
    Case("an undated event says something else", _held((3, "b")), _NOW_A, ("superseding",), history="live"),
    Case("withdrawn, and said again with a moment", (*_held((3, "a")), _GONE), _rows((8, "a")), ("superseding",)),
    Case("withdrawn, and said again without", (*_held((3, "a")), _GONE), _NOW_A, ("known",), history="live"),
    Case("a master row without a moment", (), (Coming(None, "a", True),), ("new",), "master"),
    Case("a master row with another content", _held((3, "a")), (Coming(None, "b", True),), ("superseding",), "master"),
    Case("a master row with the same content", _held((3, "a")), (Coming(None, "a", True),), ("known",), "master"),
    Case(
        "a master row without a moment is the one before the dated ones of its source",
        _held((3, "a")),
        (Coming(None, "b", True), *_rows((9, "c"))),
        ("conflicting", "superseding"),
        "master",
    ),
    Case(
        "a file says again what it said before somebody wrote otherwise",
        (*_held((3, "a")), Version(_day(5), "b", by_hand=True)),
        (Coming(None, "a", True),),
        ("known",),
        "master",
    ),
    Case(
        "a file says something new after somebody wrote by hand",
        (*_held((3, "a")), Version(_day(5), "b", by_hand=True)),
        (Coming(None, "c", True),),
        ("superseding",),
        "master",
        "live",
    ),
    Case(
        "a file says again what it said before another one said otherwise",
        (Version(_day(3), "a", own=True), Version(_day(5), "b")),
        (Coming(None, "a", True),),
        ("known",),
        "master",
    ),
    Case(
        "live too, a file says again what it said before another one said otherwise",
        (Version(_day(3), "a", own=True), Version(_day(5), "b")),
        (Coming(None, "a", True),),
        ("known",),
        "master",
        "live",
    ),
    Case(
        "a file says something else than before, after another one spoke",
        (Version(_day(3), "a", own=True), Version(_day(5), "b")),
        (Coming(None, "c", True),),
        ("superseding",),
        "master",
    ),
    Case(
        "a file says again what it said before its own last word",
        (Version(_day(3), "a", own=True), Version(_day(5), "b", own=True)),
        (Coming(None, "a", True),),
        ("superseding",),
        "master",
    ),
    Case(
        "a file says something new after others and a hand, though another file said it before the hand did",
        (Version(_day(3), "a", own=True), Version(_day(5), "b"), Version(_day(7), "c", by_hand=True)),
        (Coming(None, "b", True),),
        ("superseding",),
        "master",
    ),
    Case(
        "said otherwise by others, then withdrawn, and said again as at first",
        (Version(_day(3), "a", own=True), Version(_day(5), "b"), Version(_day(6), "b", withdrawn=True)),
        (Coming(None, "a", True),),
        ("known",),
        "master",
    ),
    Case(
        "live, it has come now, whatever is dated beside it",
        _held((3, "a")),
        (Coming(None, "b", True), *_rows((9, "c"))),
        ("superseding", "superseding"),
        "master",
        "live",
    ),
)
