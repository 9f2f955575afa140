"""The error tree. Bad data is not an error: it is a list of findings (findings.py)."""

from collections.abc import Sequence
from typing import Any

from datong.model.findings import Finding
from datong.model.words import Message, say


class DatongError(Exception):
    """Base of every error that a user can mend. `message` says what is wrong and what to do."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.text())
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        """An error that goes to another process comes there as it is."""
        return type(self), (self.message,)


class BadInput(DatongError):  # noqa: N818 - reads as what it is
    """Input with at least one error finding; all findings are in `findings`."""

    def __init__(self, message: Message, findings: Sequence[Finding]) -> None:
        super().__init__(message)
        self.findings = tuple(findings)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.findings)

    def __str__(self) -> str:
        """The findings, one in a line, and the message below them: a traceback shows nothing else."""
        return "\n".join([*(f.text("en") for f in self.findings), super().__str__()])


class Asked(DatongError):  # noqa: N818
    """Something cannot be done without an answer. questions: all that are open, each with its readings."""

    def __init__(self, message: Message, questions: Sequence[Any]) -> None:
        super().__init__(message)
        self.questions = tuple(questions)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.questions)

    def __str__(self) -> str:
        """For a program: the questions with their readings, and the argument that answers each."""
        told = [line for q in self.questions for line in (*q.lines("en"), q.how_to_answer("en"))]
        return "\n".join([*told, say("shown.asked", "en", count=len(self.questions))])


class LedgerBusy(DatongError):  # noqa: N818
    """Another process has the ledger open."""


class LedgerDamaged(DatongError):  # noqa: N818
    """The ledger file cannot be read."""


class NotFound(DatongError):  # noqa: N818
    """A named thing (chain, run, order) is not there."""


class Refused(DatongError):  # noqa: N818
    """A request that the rules do not allow, such as starting an order that was refused."""


class NoPlan(BadInput):
    """The rules of the chain contradict one another, so that no plan can obey them all; each contradiction that can be
    told apart is one of `findings`."""

    def __init__(self, message: Message, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message, findings)
