"""Puts the demo's own output into the READMEs, or checks that it is what the demo says.

python tools/readme.py          run the demo and write
python tools/readme.py --check  run the demo and exit 1 where a README says something else
"""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from datong.app.cli import commands
from datong.app.cli.main import main as datong

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "en", "README.zh-CN.md": "zh"}
BEGIN, END = "<!-- demo:begin -->\n", "<!-- demo:end -->\n"
PRODUCTS_SHOWN = 3
GAP, ORDERS, REPLAY = 1, 3, 5  # places of the parts between blank lines


def demo(language: str, folder: Path) -> str:
    """What `datong demo` prints."""
    printed = io.StringIO()
    with (
        mock.patch.dict(os.environ, NO_COLOR="1"),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        status = datong(["demo", "--lang", language, "--out", str(folder)])
    assert status == 0, printed.getvalue()
    return printed.getvalue()


@contextlib.contextmanager
def planned_once() -> Any:
    """Within it a demo in a second language tells of the chain, the plan and the replay of the first: they are the same
    in every language, and take most of the time."""
    made: dict[str, Any] = {}

    def once(make: Callable[..., Any]) -> Callable[..., Any]:
        def result(*given: Any) -> Any:
            if make.__name__ not in made:
                made[make.__name__] = make(*given)
            return made[make.__name__]

        return result

    steps = (commands.prepare_demo, commands.run_with_progress, commands.replay_with_progress)
    with mock.patch.multiple(commands, **{step.__name__: once(step) for step in steps}):
        yield


def excerpt(printed: str) -> str:
    """The gap table of a few products and in all, the order that matters most, and the replay."""
    parts = [part.splitlines() for part in printed.split("\n\n")]
    gap = parts[GAP]
    rule = next(i for i, line in enumerate(gap) if line.startswith("─"))
    totals = [line for line in gap[rule:] if line.startswith(("In all", "合计"))]
    second = next(i for i, line in enumerate(parts[ORDERS]) if line.startswith(" 2."))
    replay = [line for line in parts[REPLAY] if not line.startswith(("Report:", "报告："))]
    shown = [*gap[: rule + 1 + PRODUCTS_SHOWN], *totals, "", *parts[ORDERS][:second], "", *replay]
    return "```text\n" + "\n".join(line.rstrip() for line in shown) + "\n```\n"


def main(check: bool) -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, planned_once():
        printed = {language: demo(language, Path(folder) / "datong-demo") for language in PAGES.values()}
        printed = {language: text.replace(f"{folder}{os.sep}", "") for language, text in printed.items()}
    for name, language in PAGES.items():
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        now = before + BEGIN + excerpt(printed[language]) + END + after
        if now != text:
            wrong += 1
            if not check:
                page.write_text(now, encoding="utf-8")
            sys.stdout.write(f"{name}: {'differs from the demo; run tools/readme.py' if check else 'written'}\n")
    return wrong if check else 0


if __name__ == "__main__":
    raise SystemExit(main("--check" in sys.argv[1:]))
