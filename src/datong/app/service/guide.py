"""A first visit to the demo's chain, led in five short steps over the pages; each person is led once."""

from dataclasses import dataclass

from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.wiring import DEMO_MARK

# Pages in the order in which one is led over them, with what one must be allowed to do to see each.
STEPS: tuple[tuple[str, Permission], ...] = (
    ("today", Permission.SEE_PLAN),
    ("plan", Permission.SEE_PLAN),
    ("market", Permission.SEE_PLAN),
    ("what_if", Permission.SEE_PLAN),
    ("data", Permission.SEE_DATA),
)


@dataclass(frozen=True)
class Step:
    """page: where one is led now. number, of: which step of how many, counted from 1."""

    page: str
    number: int
    of: int


def guide(served: Served, who: Who) -> Step | None:
    """Where somebody is led; None where they were led already, said that they would not be, may not see the pages, or
    the chain is not the demo's."""
    if who.firm is not None or not (served.chain_thread.folder.parent / DEMO_MARK).exists():
        return None
    row = served.database.row("SELECT guide_step FROM accounts WHERE account = ?", (who.account,))
    steps = [page for page, needs in STEPS if who.may(needs)]
    if row is None or row["guide_step"] >= len(steps):
        return None
    return Step(steps[row["guide_step"]], row["guide_step"] + 1, len(steps))


def next_step(served: Served, who: Who, after: str) -> Step | None:
    """Go on after the step of a page; where one is elsewhere by now, nothing changes."""
    now = guide(served, who)
    if now is None or now.page != after:
        return now
    served.database.write("UPDATE accounts SET guide_step = ? WHERE account = ?", (now.number, who.account))
    return guide(served, who)


def close_guide(served: Served, who: Who) -> None:
    """Lead somebody no more."""
    served.database.write("UPDATE accounts SET guide_step = ? WHERE account = ?", (len(STEPS), who.account))
