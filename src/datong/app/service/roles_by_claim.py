"""Which roles, and of which firm, the claims of another server give: by the values of one claim, as oidc.toml says.

Whose account it is, and what becomes of its roles when they change there: outside_sign_in.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datong.app.service.roles_and_permissions import NotSignedIn
from datong.model.errors import Refused
from datong.model.words import message


@dataclass(frozen=True)
class Given:
    """What a claim gives whom it is about. firm: of the role factory."""

    roles: tuple[str, ...]
    firm: str | None = None


def roles_by_claim(said: Any, given: Mapping[str, Given]) -> Given | None:
    """What the values of a claim give together; None: nothing. said: the claim, as the other server tells it. given:
    roles by value. Raises NotSignedIn where they name two firms."""
    values = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    found = [given[one] for one in values if one in given]
    firms = {one.firm for one in found if one.firm is not None}
    if len(firms) > 1:
        raise NotSignedIn(message("outside.two_firms", firms=", ".join(sorted(firms))))
    roles = sorted({role for one in found for role in one.roles})
    return Given(tuple(roles), next(iter(firms), None)) if roles else None


def read_given(told: Any, file: Path) -> Given:
    """One value's roles in oidc.toml. Raises Refused for what is wrong with it."""
    roles, firm = (told.get("roles"), told.get("firm")) if isinstance(told, dict) else (None, None)
    if not is_texts(roles) or not roles or not isinstance(firm, str | None) or told.keys() - {"roles", "firm"}:
        raise Refused(message("outside.wrong_file", file=file, why="given"))
    return Given(tuple(roles), firm)


def is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
