"""What a model that was plugged in says of clauses that Datong itself is not sure of, as it is kept: no words, only
digests of clauses, and on which side each stands."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from datong.ledger.kept_results import FOR_GOOD, Kept, WorkedOut

# Clauses of a day, by digest, that are good (1), bad (-1) or neither (0); None: it was asked, and gave no answer.
Told = Mapping[str, int | None]


def digest_of(clause: str) -> str:
    """What is kept of a clause."""
    return blake2b(clause.encode(errors="replace"), digest_size=12).hexdigest()


def key_of(day: int) -> str:
    """Under which what was said of a day's clauses is kept: it grows, and no run lets go of it."""
    return f"{FOR_GOOD}told:{day}"


def told_on(kept: WorkedOut, day: int) -> tuple[bytes, Told]:
    """What was said of a day's clauses, as it is kept and as it reads; b'' and nothing where nobody was asked."""
    content = kept.found(key_of(day))
    return (b"", {}) if content is None else (content, json.loads(content)["sides"])


def kept_of(known: WorkedOut, model: str, said: Iterable[tuple[int, str, int | None]]) -> dict[str, Kept]:
    """By key what is to be kept of a model's answers, with what it, and no other model, said before.

    said: day, clause, side. What another model said of a day is let go with the first answer of this one.
    """
    days: dict[int, dict[str, int | None]] = {}
    for day, clause, side in said:
        if day not in days:
            before = known.found(key_of(day))
            kept = {} if before is None else json.loads(before)
            days[day] = dict(kept["sides"]) if kept.get("model") == model else {}
        days[day][digest_of(clause)] = side
    return {key_of(day): Kept(day, _written(model, sides)) for day, sides in sorted(days.items())}


def by_model(kept: WorkedOut, day: int, model: str) -> Told:
    """What a model, and no other, said of a day's clauses."""
    content = kept.found(key_of(day))
    found = {} if content is None else json.loads(content)
    return found.get("sides", {}) if found.get("model") == model else {}


def sides_of(clauses: Sequence[str], told: Told) -> list[int]:
    """(clauses) the side on which each stands by what was said; 0 where nothing was."""
    return [told.get(digest_of(clause)) or 0 for clause in clauses] if told else [0] * len(clauses)


def _written(model: str, sides: Told) -> bytes:
    return json.dumps({"model": model, "sides": dict(sorted(sides.items()))}, separators=(",", ":")).encode()
