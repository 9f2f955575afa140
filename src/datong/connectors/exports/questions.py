"""What of a file is not sure: questions, with the readings that are possible and what each would come to.

Answers are kept with the chain, so that the next file of the same kind asks nothing again.
"""

import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datong.connectors.files.write_whole import write_whole
from datong.model.errors import Asked, Refused
from datong.model.words import Message, message, say

ANSWERS_FILE = "answers.toml"
# Questions about which column holds a field; from Python, an argument of the same name answers each.
COLUMN_ARGUMENTS = ("date", "product", "units", "market", "price")


@dataclass(frozen=True)
class Option:
    """One reading. name: how it is chosen; says: what it means, and what it comes to."""

    name: str
    says: Message


@dataclass(frozen=True)
class Question:
    """key: its name for an answer. columns: that it is about. samples: some of the cells. options: at least one; the
    first is the likeliest. example: of an answer in one's own figures, which the question explains; '' where only the
    options answer it."""

    key: str
    asks: Message
    columns: tuple[str, ...]
    samples: tuple[str, ...]
    options: tuple[Option, ...]
    example: str = ""

    def lines(self, language: str) -> list[str]:
        """The question for a person, its readings numbered."""
        where = ", ".join(filter(None, self.columns))
        samples = ", ".join(self.samples[:3])
        shape = {(True, True): "question", (True, False): "question_plain", (False, True): "question_no_column"}
        key = f"export.{shape.get((bool(where), bool(samples)), 'question_bare')}"
        lines = [say(key, language, key=self.key, asks=self.asks, columns=where, samples=samples)]
        if len(self.options) == 1 and not self.example:
            (only,) = self.options
            return [*lines, say("export.only_option", language, name=only.name, says=only.says)]
        for number, option in enumerate(self.options, start=1):
            lines.append(say("export.option", language, number=number, name=option.name, says=option.says))
        return lines

    def how_to_answer(self, language: str) -> str:
        """The argument that chooses the first reading, in Python."""
        first = self.options[0].name
        how = f"{self.key}={first!r}" if self.key in COLUMN_ARGUMENTS else f"answers={{{self.key!r}: {first!r}}}"
        return say("shown.answer", language, how=how)

    def record(self, language: str) -> dict[str, object]:
        return {
            "question": self.key,
            "asks": self.asks.text(language),
            "columns": list(self.columns),
            "samples": list(self.samples[:3]),
            "readings": {option.name: option.says.text(language) for option in self.options},
        }


def asked(questions: Sequence[Question]) -> Asked:
    """What is raised where a file cannot be read without an answer."""
    return Asked(message("export.asked", count=len(questions)), questions)


def refuse_unasked(given: Collection[str], met: Collection[str], questions: Sequence[Question]) -> None:
    """Raises Refused where one of the questions that are answered, by their keys, is none of a file, naming those that
    are. met: keys of the questions that answers decided."""
    unasked = sorted(set(given) - set(met) - {question.key for question in questions})
    if not unasked:
        return
    there = [*sorted(set(given) & set(met)), *(question.key for question in questions if question.key not in met)]
    key = "export.no_such_question" if there else "export.no_questions"
    raise Refused(message(key, given=", ".join(unasked), names=", ".join(there)))


@dataclass
class Asking:
    """The answers that are there, and the questions that are not answered. used: answers that decided something.
    settled: what the platform of the file settles by itself, where nobody says otherwise."""

    answers: Mapping[str, str] = field(default_factory=dict)
    settled: Mapping[str, str] = field(default_factory=dict)
    open: list[Question] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)

    def said(self, key: str, readings: Sequence[str]) -> str:
        """What somebody said without being asked; else the first reading. Raises Refused as `ask` does."""
        given = self.answers.get(key, readings[0])
        if given not in readings:
            raise Refused(message("export.no_such_reading", key=key, given=given, names=", ".join(readings)))
        if key in self.answers:
            self.used[key] = given
        return given

    def ask(self, question: Question) -> str:
        """The reading that was chosen; where none was, the likeliest one, for now. Raises Refused for an answer that is
        none of the readings."""
        given = self.answers.get(question.key)
        names = [option.name for option in question.options]
        if given is None and self.settled.get(question.key) in names:
            return self.settled[question.key]
        if given is None:
            if question.key not in {q.key for q in self.open}:
                self.open.append(question)
            return names[0]
        if given not in names:
            raise Refused(message("export.no_such_reading", key=question.key, given=given, names=", ".join(names)))
        self.used[question.key] = given
        return given


def read_answers(folder: Path) -> dict[str, str]:
    """The answers that are kept with a chain. Raises Refused where the file is damaged."""
    path = folder / ANSWERS_FILE
    if not path.is_file():
        return {}
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in tree.get("answers", {}).items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise Refused(message("export.bad_answers", file=path, reason=str(error))) from error


def write_answers(folder: Path, answers: Mapping[str, str]) -> None:
    """Keep answers with a chain; none: no file."""
    if not answers:
        return
    lines = [
        "# How the exports of this chain are read: as somebody answered, or as its first export told.",
        "# Delete a line to have it asked, or told, anew.",
        "[answers]",
    ]
    lines += [
        f"{json.dumps(k, ensure_ascii=False)} = {json.dumps(v, ensure_ascii=False)}" for k, v in sorted(answers.items())
    ]
    write_whole(folder / ANSWERS_FILE, ("\n".join(lines) + "\n").encode())
