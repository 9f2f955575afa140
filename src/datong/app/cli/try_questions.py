"""`datong try`: a stranger's export as a chain of its own, and questions about it at a terminal."""

import sys
from collections.abc import Callable, Mapping, Sequence

from datong.app.cli import terminal
from datong.connectors.exports.questions import Question, asked
from datong.connectors.exports.result import Reading
from datong.model.errors import Refused
from datong.model.words import message, say

_YES = frozenset({"y", "yes", "ok", "是", "好", "对", "是的", "好的", "对的"})
_NO = frozenset({"n", "no", "否", "不", "不是", "不对", "不好"})


def ask_until_sure(
    reading: Reading, read: Callable[[Mapping[str, str]], Reading], given: Mapping[str, str], language: str
) -> Reading:
    """Ask about a reading at the terminal until nothing is open. given: the answers that it was made by. read: gives
    the reading by some answers.

    Raises Asked where nobody is there to answer.
    """
    answers = dict(given)
    while reading.questions:
        show_questions(reading.questions, language)
        if not sys.stdin.isatty():
            raise asked(reading.questions)
        answers |= answers_to(reading.questions, language)
        typed = {question.key for question in reading.questions if question.example}
        try:
            reading = read(answers)
        except Refused as refused:
            if not typed:
                raise
            terminal.line(refused.message.text(language))
            answers = {key: said for key, said in answers.items() if key not in typed}
    return reading


def answers_to(questions: Sequence[Question], language: str) -> dict[str, str]:
    """What somebody at the terminal answers, question by question."""
    return {question.key: _answer(question, language) for question in questions}


def show_questions(questions: Sequence[Question], language: str) -> None:
    for question in questions:
        for line in question.lines(language):
            terminal.line(line)


def _answer(question: Question, language: str) -> str:
    """The reading that somebody types the number or the name of. Raises Refused where the only one is not wanted."""
    names = [option.name for option in question.options]
    asks = say("export.your_answer", language, count=len(names))
    if question.example:
        asks = say("export.your_own_answer", language, count=len(names), example=question.example)
    elif len(names) == 1:
        if not agreed(say("export.go_on_so", language), language, if_empty=None):
            raise Refused(message("app.guess_refused"))
        return names[0]
    while True:
        said = input(f"{question.key}: {asks}").strip()
        if said in names:
            return said
        if said.isdigit() and 1 <= int(said) <= len(names):
            return names[int(said) - 1]
        if said and question.example and not said.isdigit():
            return said
        key = "export.none_of_these" if said else "export.nothing_typed"
        terminal.line(say(key, language, said=said, count=len(names)))


def agreed(asks: str, language: str, *, if_empty: bool | None) -> bool:
    """Whether somebody at the terminal says yes. if_empty: what Enter alone says; None: nothing."""
    while True:
        said = input(asks).strip().lower()
        if not said and if_empty is not None:
            return if_empty
        if said in _YES or said in _NO:
            return said in _YES
        terminal.line(say("export.yes_or_no", language))


def show_reading(reading: Reading, language: str) -> None:
    """Each column that is used: what it is taken for, how sure, why, and what else it could be; and how it is read."""
    if reading.profile is not None:
        terminal.line(say("export.profile_read", language, name=reading.profile.called(language)))
    terminal.records(reading.records(language), language)
    for note in reading.notes:
        terminal.line("- " + note.text(language))


def parse_answers(given: Sequence[str]) -> dict[str, str]:
    """QUESTION=READING as answers. The name of a reading holds no '='. Raises Refused for anything else."""
    pairs = [text.rpartition("=") for text in given]
    wrong = [text for text, (key, mark, name) in zip(given, pairs, strict=True) if not (key and mark and name)]
    if wrong:
        raise Refused(message("export.no_answer", given=", ".join(wrong)))
    return {key: name for key, _, name in pairs}
