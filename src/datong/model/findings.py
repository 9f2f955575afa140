"""What is wrong with data, as values: where, what was found, what was expected, and how to mend it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from datong.model.words import Message, catalogue, message, message_as_json, message_from_json, say, visible

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or odd.

    `source` is a file (and sheet), `row` counts from 1 with the header as row 1 (None: the whole file),
    `code` is the stable name of the rule. `rows_affected` > 1 where one finding stands for many rows. `subject` names
    what the row is of where its number alone says little: the order that is answered.
    """

    severity: Severity
    code: str
    source: str
    found: Message
    expected: Message
    remedy: Message
    row: int | None = None
    column: str | None = None
    rows_affected: int = 1
    subject: str | None = None

    def as_record(self, language: str) -> dict[str, str | int | None]:
        """The finding as one flat record, its texts in `language`."""
        return {
            "severity": self.severity,
            "code": self.code,
            "source": visible(self.source),
            "row": self.row,
            "subject": None if self.subject is None else visible(self.subject),
            "column": self.column_title(language),
            "rows_affected": self.rows_affected,
            "found": self.found.text(language),
            "expected": self.expected.text(language),
            "remedy": self.remedy.text(language),
        }

    def column_title(self, language: str) -> str | None:
        """The column as whoever reads the finding knows it: in a sheet of orders by its title, in a table by name."""
        title = f"dispatch.title.{self.column}"
        of_sheet = self.found.key.startswith("dispatch.") and title in catalogue()
        return say(title, language) if of_sheet else self.column

    def text(self, language: str) -> str:
        """One line for a person."""
        where = visible(self.source)
        if self.row is not None:
            where += say("finding.at_row", language, row=self.row)
        if self.subject is not None:
            where += say("finding.of", language, subject=self.subject)
        if self.column is not None:
            where += say("finding.at_column", language, column=self.column_title(language))
        return say(
            "finding.line",
            language,
            severity=say(f"finding.{self.severity}", language),
            where=where,
            found=self.found.text(language),
            expected=self.expected.text(language),
            remedy=self.remedy.text(language),
        )


def has_errors(findings: tuple[Finding, ...] | list[Finding]) -> bool:
    return any(f.severity == "error" for f in findings)


def by_source(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by the file, or whatever else, that they are of."""
    found: dict[str, list[Finding]] = {}
    for one in findings:
        found.setdefault(one.source, []).append(one)
    return found


def finding(
    severity: Severity,
    key: str,
    source: str,
    /,
    *,
    row: int | None = None,
    column: str | None = None,
    rows_affected: int = 1,
    **params: Any,
) -> Finding:
    """A finding whose three texts are `key`.found, `key`.expected and `key`.remedy; its code is the key's last part."""
    found, expected, remedy = (message(f"{key}.{part}", **params) for part in ("found", "expected", "remedy"))
    return Finding(severity, key.rpartition(".")[2], source, found, expected, remedy, row, column, rows_affected)


def finding_as_json(found: Finding) -> dict[str, Any]:
    """A finding to be kept, in any language; `finding_from_json` gives it back."""
    values = {f.name: getattr(found, f.name) for f in fields(Finding)}
    return {name: message_as_json(v) if isinstance(v, Message) else v for name, v in values.items()}


def finding_from_json(kept: Mapping[str, Any]) -> Finding:
    values: dict[str, Any] = {k: message_from_json(v) if isinstance(v, list) else v for k, v in kept.items()}
    return Finding(**values)
