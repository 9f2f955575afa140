"""A drop folder as a way out and a way in (connectors/protocol.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datong.connectors.filedrop.inbox import CollectedFiles, collect, settle
from datong.connectors.filedrop.outbox import NOTHING_KNOWN, deliver, waiting
from datong.connectors.filedrop.sheet import Known
from datong.connectors.protocol import Outcome
from datong.model.calendar import Calendar
from datong.model.findings import Finding
from datong.model.flow import OrderMessage


@dataclass(frozen=True)
class FileDrop:
    """language: of the files' titles and reasons. known: what orders are told with."""

    folder: Path
    language: str
    known: Known = NOTHING_KNOWN
    name: str = "drop"

    def waiting(self, messages: Sequence[OrderMessage], run: str) -> tuple[OrderMessage, ...]:
        return waiting(messages, self.folder)

    def deliver(self, messages: Sequence[OrderMessage], run: str) -> tuple[Outcome, ...]:
        return deliver(messages, self.folder, self.language, run, self.known)

    def collect(self, calendar: Calendar) -> CollectedFiles:
        return collect(self.folder, calendar)

    def settle(self, collected: CollectedFiles, answers: Sequence[Finding]) -> None:
        settle(collected, answers, self.language)
