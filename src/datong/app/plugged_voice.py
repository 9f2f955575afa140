"""Asks a model that is plugged in by the chain's settings of the clauses that Datong is not sure of, and keeps what it
says: the next run reads by it. A run itself asks nobody."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from datong.app.chain import Chain
from datong.connectors.files.settings import read_voice
from datong.connectors.models.chat import KEY_VARIABLE, ChatModel
from datong.ledger.columns import day_number
from datong.model.errors import NotFound, Refused
from datong.model.words import message
from datong.sense.blame_and_praise import unsure
from datong.sense.voice.plugged_answers import by_model, digest_of, kept_of


class Model(Protocol):
    """What is asked."""

    @property
    def name(self) -> str: ...

    def sides(self, pieces: Sequence[str]) -> list[int | None]: ...


@dataclass(frozen=True)
class Heard:
    """unsure: clauses of which Datong is not sure. known: of them, those that the model was asked of before. asked,
    answered: now. good, bad: of the answers."""

    unsure: int
    known: int
    asked: int
    answered: int
    good: int
    bad: int


def plugged(chain: Chain, environment: Mapping[str, str] = os.environ) -> ChatModel:
    """The model that the settings name. Raises NotFound where they name none."""
    settings = read_voice(chain.folder)
    if settings is None:
        raise NotFound(message("plugged.no_section"))
    return ChatModel(settings, environment.get(KEY_VARIABLE, ""))


def ask(
    chain: Chain, model: Model, at_once: int, most: int, on_progress: Callable[[int], None] = lambda _asked: None
) -> Heard:
    """Ask of what was not asked before, at most `most` clauses, newest first; each answer is kept as soon as it is
    there. Raises what the model raises."""
    if chain.branch_name is not None:
        raise Refused(message("plugged.not_on_branch"))
    state = chain.state()
    known = state.worked_out
    end = day_number(state.first_open_bucket)
    found = unsure(state, end)
    before = {day: by_model(known, day, model.name) for day in {one.day for one in found}}
    new = [one for one in found if before[one.day].get(digest_of(one.text)) is None]
    # What was asked in vain before comes after what never was.
    never = sorted(new, key=lambda one: digest_of(one.text) in before[one.day])
    texts = list(dict.fromkeys(one.text for one in never))[:most]
    said: dict[str, int | None] = {}
    for begin in range(0, len(texts), at_once):
        some = texts[begin : begin + at_once]
        said |= dict(zip(some, model.sides(some), strict=True))
        answers = [(one.day, one.text, said[one.text]) for one in new if one.text in said]
        chain.keep_told(kept_of(known, model.name, answers))
        on_progress(min(begin + at_once, len(texts)))
    return Heard(
        unsure=len({one.text for one in found}),
        known=len({one.text for one in found}) - len({one.text for one in new}),
        asked=len(texts),
        answered=sum(side is not None for side in said.values()),
        good=sum(side == 1 for side in said.values()),
        bad=sum(side == -1 for side in said.values()),
    )
