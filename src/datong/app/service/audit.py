"""Who changed what, when, from what to what, and why: every change that somebody makes at a served chain."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from datong.app.service.database_note import Note
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.server_database import ServerDatabase

# Acts on accounts: whoever may see the audit sees their values, and those of all others only with the plan.
OF_ACCOUNTS = frozenset(
    {"ask_factor", "bind_account", "change_account", "drop_factor", "drop_token", "dropped_webhook", "invite", "locked"}
    | {"made_webhook", "make_token", "reset", "set_factor", "set_password", "sign_in"}
)
# Most entries that are read at once.
MOST = 1000


class Audit:
    """The entries, oldest first by their number; none is ever changed or deleted."""

    def __init__(
        self,
        database: ServerDatabase,
        now: Callable[[], datetime],
        way: str = "",
        of_all: Mapping[str, Any] | None = None,
    ) -> None:
        """way: by which door all that is noted here comes, unless it says so itself. of_all: what each entry says
        besides of how things are after it."""
        self._database, self._now, self.way, self._of_all = database, now, way, dict(of_all or {})

    def by(self, way: str = "", **of_all: Any) -> "Audit":
        """The same audit, as a door or an approval notes in it."""
        return Audit(self._database, self._now, way or self.way, {**self._of_all, **of_all})

    def note(
        self,
        by: str,
        what: str,
        subject: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        why: str = "",
        way: str = "",
    ) -> None:
        """Keep one change. by: the login. what: a key of words service.did. subject: what was changed. way: by which
        door (audit_words.WAYS)."""
        self._database.keep(self.entry(by, what, subject, before=before, after=after, why=why, way=way))

    def entry(
        self,
        by: str,
        what: str,
        subject: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        why: str = "",
        way: str = "",
    ) -> Note:
        """What `note` keeps, to be kept with a change of the chain (`write_whole`)."""
        after = {**(after or {}), **self._of_all} if self._of_all else after
        told = {"before": _json(before), "after": _json(after), "why": why, "way": way or self.way}
        return Note("audit", {"at": self._now().timestamp(), "by": by, "what": what, "subject": subject, **told})

    def entries(self, who: Who, after: int = 0, count: int = 100) -> list[dict[str, Any]]:
        """Entries with numbers above `after`, oldest first, each with what `told_to` has. Raises NotAllowed."""
        who.require(Permission.SEE_AUDIT)
        found = self._database.rows(
            "SELECT * FROM audit WHERE entry > ? ORDER BY entry LIMIT ?", (after, min(count, MOST))
        )
        return [{**row, **told_to(row, who)} for row in found]


def told_to(row: Mapping[str, Any], who: Who) -> dict[str, Any]:
    """What an entry says (before, after, why) to whoever asks, and is_hidden: whether it says more than that. Values of
    orders, forecasts and data, and why they were changed, which a firm's remark may be, are for who may see the plan.
    """
    told = {name: None if row[name] is None else json.loads(row[name]) for name in ("before", "after")}
    if row["what"] in OF_ACCOUNTS or who.may(Permission.SEE_PLAN):
        return told | {"why": row["why"], "is_hidden": False}
    return {"before": None, "after": None, "why": "", "is_hidden": any(told.values()) or row["why"] != ""}


def _json(values: Mapping[str, Any] | None) -> str | None:
    return None if values is None else json.dumps(dict(values), ensure_ascii=False, sort_keys=True, default=str)
