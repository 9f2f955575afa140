"""Puts the demo's own output into the READMEs, or checks that it is what the demo says.

python tools/readme.py          run the demo and write
python tools/readme.py --check  run the demo and exit 1 where a README says something else
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "en", "README.zh-CN.md": "zh"}
BEGIN, END = "<!-- demo:begin -->\n", "<!-- demo:end -->\n"
PRODUCTS_SHOWN = 3
GAP, ORDERS, REPLAY = 1, 3, 5  # places of the parts between blank lines


def demo(language: str, folder: Path) -> str:
    command = [sys.executable, "-m", "datong", "demo", "--lang", language, "--out", str(folder)]
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=True)
    return done.stdout


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
    for name, language in PAGES.items():
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        with tempfile.TemporaryDirectory() as folder:
            now = before + BEGIN + excerpt(demo(language, Path(folder) / "demo")) + END + after
        if now != text:
            wrong += 1
            if not check:
                page.write_text(now, encoding="utf-8")
            sys.stdout.write(f"{name}: {'differs from the demo; run tools/readme.py' if check else 'written'}\n")
    return wrong if check else 0


if __name__ == "__main__":
    raise SystemExit(main("--check" in sys.argv[1:]))
