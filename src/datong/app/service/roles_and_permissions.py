"""Roles, what each may do, and who asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from datong.model.errors import Refused
from datong.model.words import message


class Permission(StrEnum):
    """What somebody may be allowed to do."""

    SEE_PLAN = "see_plan"  # orders, deliveries, stock, hours and prices of the whole chain
    RUN_PLAN = "run_plan"
    EDIT_ORDERS = "edit_orders"
    RELEASE_ORDERS = "release_orders"
    WHAT_IF = "what_if"
    QUOTE = "quote"
    SEE_DEMAND = "see_demand"
    CHANGE_DEMAND = "change_demand"
    SEE_FINDINGS = "see_findings"
    DECIDE_FINDINGS = "decide_findings"
    SEE_DATA = "see_data"
    CHANGE_DATA = "change_data"
    SEE_TOTALS = "see_totals"  # what a platform sees: totals over firms, small cells left out
    ANSWER_ORDERS = "answer_orders"  # of the own firm
    SEE_AUDIT = "see_audit"
    MANAGE_PEOPLE = "manage_people"
    SEE_HEALTH = "see_health"  # counts and times of the server


_P = Permission
_SEES = frozenset({_P.SEE_PLAN, _P.SEE_DEMAND, _P.SEE_FINDINGS, _P.SEE_DATA, _P.SEE_TOTALS})
ROLES: Mapping[str, frozenset[Permission]] = {
    "administrator": frozenset({_P.MANAGE_PEOPLE, _P.SEE_AUDIT, _P.SEE_HEALTH}),
    "planner": _SEES
    | {_P.RUN_PLAN, _P.EDIT_ORDERS, _P.RELEASE_ORDERS, _P.WHAT_IF, _P.QUOTE, _P.CHANGE_DEMAND}
    | {_P.DECIDE_FINDINGS, _P.CHANGE_DATA},
    "factory": frozenset({_P.ANSWER_ORDERS}),
    "analyst": _SEES | {_P.WHAT_IF, _P.QUOTE},
    "product_manager": frozenset({_P.SEE_FINDINGS, _P.DECIDE_FINDINGS, _P.SEE_DEMAND, _P.CHANGE_DEMAND}),
    "platform": frozenset({_P.SEE_TOTALS}),
    "auditor": _SEES | {_P.SEE_AUDIT, _P.SEE_HEALTH},
}
# Roles that belong to one firm, and see nothing of another.
OF_A_FIRM = frozenset({"factory"})


@dataclass(frozen=True)
class Who:
    """Who asks, and as what.

    account: its number. login: what they sign in with, and what the ledger notes as `by`. roles: names of ROLES. firm:
    the code of the firm that they speak for; None: the chain's own people. scopes: of a token, what it may do of what
    the account may (None: all). language: 'en' or 'zh'.
    """

    account: int
    login: str
    name: str
    roles: tuple[str, ...]
    firm: str | None = None
    scopes: frozenset[str] | None = None
    language: str = "en"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What they may do: what any of the roles may, and the token's scopes allow."""
        allowed = frozenset().union(*(ROLES[role] for role in self.roles))
        return allowed if self.scopes is None else frozenset(p for p in allowed if p.value in self.scopes)

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises NotAllowed where they may not."""
        if not self.may(permission):
            raise NotAllowed(message("service.not_allowed", what=message(f"service.permission.{permission.value}")))

    @property
    def own_firm(self) -> str:
        """The firm that they speak for. Raises NotAllowed where they speak for none."""
        if self.firm is None:
            raise NotAllowed(message("service.no_firm", login=self.login))
        return self.firm


class NotAllowed(Refused):
    """Somebody asks for what their roles, or their token, do not allow."""


class NotSignedIn(Refused):
    """Nobody is signed in: no session, an ended one, a wrong password or token."""
