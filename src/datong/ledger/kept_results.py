"""What was worked out of rows before, kept so that it need not be again.

Each thing is found by a digest of all that decides it: the rows and the rules. So it is right whenever it is found, and
a state without it gives the same answers, only later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# Begins the digests of what cannot be worked out again, since somebody else was asked: no run lets go of it.
FOR_GOOD = "for good:"


class Kept(NamedTuple):
    """day: of the rows that it was worked out of, local, in days since 1970-01-01. content: in a form of its own."""

    day: int
    content: bytes


@dataclass(eq=False)
class WorkedOut:
    """known: what was kept before, by digest. used: what was asked for and found, or worked out since, by digest."""

    known: Mapping[str, Kept] = field(default_factory=dict)
    used: dict[str, Kept] = field(default_factory=dict)

    def found(self, digest: str) -> bytes | None:
        """What is known by a digest; None: nothing."""
        kept = self.used.get(digest) or self.known.get(digest)
        if kept is None:
            return None
        self.used[digest] = kept
        return kept.content

    def keep(self, digest: str, day: int, content: bytes) -> None:
        self.used[digest] = Kept(day, content)
