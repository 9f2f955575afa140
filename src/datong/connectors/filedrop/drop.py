"""A drop folder as a way out and a way in (connectors/protocol.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datong.connectors.filedrop.inbox import CollectedFiles, collect, settle
from datong.connectors.filedrop.outbox import deliver
from datong.connectors.protocol import Outcome
from datong.model.calendar import Calendar
from datong.model.findings import Finding
from datong.model.flow import OrderMessage


@dataclass(frozen=True)
class FileDrop:
    """language: of the files' titles and reasons. product_names: name by product code."""

    folder: Path
    language: str
    product_names: Mapping[str, str | None] = field(default_factory=dict)

    def deliver(self, messages: Sequence[OrderMessage], run: str) -> tuple[Outcome, ...]:
        return deliver(messages, self.folder, self.language, run, self.product_names)

    def collect(self, calendar: Calendar) -> CollectedFiles:
        return collect(self.folder, calendar)

    def settle(self, collected: CollectedFiles, answers: Sequence[Finding]) -> None:
        settle(collected, answers, self.language)
