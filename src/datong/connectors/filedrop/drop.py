"""A drop folder as a way out and a way in (connectors/inlet_and_outlet.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datong.connectors.filedrop.folders import box
from datong.connectors.filedrop.inbox import CollectedFiles, Reader, collect, settle
from datong.connectors.filedrop.order_sheet import Known
from datong.connectors.filedrop.outbox import NOTHING_KNOWN, deliver, waiting
from datong.connectors.inlet_and_outlet import Outcome
from datong.model.calendar import Calendar
from datong.model.findings import Finding
from datong.model.flow import OrderMessage


@dataclass(frozen=True)
class FileDrop:
    """language: of the files' titles and reasons, where a counterparty has none of its own. known: what orders are told
    with. chain: tag of the chain whose answers are collected; '': of any. name: the drop folder's, as the chain's
    folder has it, so that a drop that is moved along with it stays the same.
    """

    folder: Path
    language: str
    known: Known = NOTHING_KNOWN
    chain: str = ""
    name: str = "drop"

    def waiting(self, messages: Sequence[OrderMessage], run: str) -> tuple[OrderMessage, ...]:
        return waiting(messages, self.folder)

    def anew(self, messages: Sequence[OrderMessage]) -> tuple[OrderMessage, ...]:
        return ()  # what was written was written, and whoever wants it again finds it

    def deliver(self, messages: Sequence[OrderMessage], run: str) -> tuple[Outcome, ...]:
        return deliver(messages, self.folder, self.language, run, self.known)

    def collect(self, calendar: Calendar) -> CollectedFiles:
        boxes = {box(name): name for name in self.known.counterparties if box(name)}
        return collect(self.folder, calendar, Reader(boxes, self.chain, self.known.languages))

    def settle(self, collected: CollectedFiles, answers: Sequence[Finding]) -> None:
        settle(collected, answers, self.language)
