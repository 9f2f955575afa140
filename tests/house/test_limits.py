"""Limits on size, and on imports inside functions; each exception stands here with its reason."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parents[2] / "src" / "datong"
MOST_FIELDS, MOST_LINES, MOST_PARAMETERS = 15, 80, 8

# file: name of a dataclass or function -> why it is larger.
A_ROW = "one row of a table, a field for each column that is read"
ONE_QUESTION = "the options of a command, taken by name alone"
A_WRITE = "a write names its table, rows, source, moment and writer"
LARGER = {
    "ledger/protocol.py: ingest": A_WRITE,
    "store/duckdb_ledger.py: ingest": A_WRITE,
    "balance/rules/__init__.py: Rules": "the rules of the market, a field for each",
    "model/flow.py: PlannedOrder": A_ROW,
    "model/settings.py: ChainSettings": "the settings of chain.toml, a field for each",
    "model/tables.py: Column": "one column of tables.toml, a field for each key",
    "network/ways.py: Way": A_ROW,
    "app/chain.py: balance": ONE_QUESTION,
    "app/chain.py: quote": ONE_QUESTION,
    "questions/clear_market.py: clear": ONE_QUESTION,
    "questions/quote.py: quote": ONE_QUESTION,
    "__init__.py: forecast": ONE_QUESTION,
    "__init__.py: replenish": ONE_QUESTION,
    "__init__.py: try_": ONE_QUESTION,
}

# What a number of a dataclass is counted in, where its own name says so.
A_NUMBER = re.compile(r"\b(float|int|FloatArray|IntArray|BoolArray|ndarray)\b")
NAMES_ITS_UNIT = re.compile(
    r"(units|hours|days|shares?|cost|price|money|count|bytes|seconds|buckets?|weight|factor|rows|iterations|nodes|seed"
    r"|_s|_mb)$|^(units|hours|days|price|cost|count|rows)"
)

# Libraries that functions import: they take long to load and few commands need them, or they need not be there
# (lightgbm is an extra; resource is not on Windows).
HEAVY_LIBRARIES = {"holidays", "lightgbm", "matplotlib", "opentelemetry", "pandas", "resource", "scipy"}
# Doors that open a part of the package only when a command asks for it, so that all others start at once
# (`test_what_only_planning_needs_is_not_loaded_before`): file -> what its functions may import.
LAZY_DOORS = {
    "__init__.py": {
        "datong.app",
        "datong.app.check_folder",
        "datong.app.chain_for_python",
        "datong.connectors.files.starter",
    },
    "app/chain_for_python.py": {
        "datong.app",
    },
    "app/write_report.py": {
        "datong.app.report.run_workbook",
        "datong.app.report.html",
        "datong.app.wording.assumed",
    },
    "app/sales_without_folder.py": {
        "datong.cycle",
        "datong.questions.tables_out",
    },
    "app/chain.py": {
        "datong.app.earlier_balance",
        "datong.balance.solution",
        "datong.network.notices",
        "datong.network.position_notices",
        "datong.network.doubts_before_planning",
        "datong.questions.clear_market",
        "datong.questions.compare",
        "datong.questions.quote",
        "datong.questions.replenish",
        "datong.questions.run",
        "datong.replay.replay",
    },
    "app/stores.py": {
        "datong.store.postgres.ledger",
    },
    "app/kept_runs.py": {
        "datong.learn.scores",
        "datong.questions.since",
    },
    "app/forget_customers.py": {
        "datong.sense.voice.reading",
    },
    "app/check_folder.py": {
        "datong.network.notices",
        "datong.network.doubts_before_planning",
    },
    "app/market_findings.py": {
        "datong.questions.decision_effect",
        "datong.questions.market_findings",
        "datong.questions.hours_to_order",
        "datong.questions.market_findings_shown",
    },
    "app/server.py": {
        "datong.app.mcp.over_http",
        "datong.app.service.oidc",
    },
    "app/cli/server_commands.py": {
        "datong.app.mcp.over_stdio",
        "datong.app.service.audit",
        "datong.app.service.server_database",
        "datong.app.service.accounts",
        "datong.app.service.served_chain",
        "datong.app.server",
    },
    "app/cli/twin_demo.py": {
        "datong.cycle",
        "datong.questions.decision_effect",
        "datong.questions.market_findings",
        "datong.questions.counter_offers",
        "datong.replay.twin.circle",
    },
    "app/cli/twin_game.py": {
        "datong.app",
        "datong.replay.twin.parameters",
        "datong.replay.twin.stated_chain",
    },
    "app/cli/market_findings.py": {
        "datong.app.plugged_voice",
        "datong.questions.market_findings",
        "datong.questions.tables_out",
    },
    "app/cli/commands.py": {
        "datong.app",
        "datong.app.cli.interrupt",
        "datong.app.cli.terminal_counter_offers",
        "datong.app.cli.terminal_quote",
        "datong.app.cli.terminal_replenish",
        "datong.app.cli.terminal_since",
        "datong.app.report.run_workbook",
        "datong.questions.clear_market",
        "datong.questions.counter_offers",
    },
    "app/counter_offers.py": {
        "datong.questions.counter_offers",
    },
    "app/cli/main.py": {
        "datong",
        "datong.app.cli",
        "datong.app.cli.ledger_commands",
        "datong.app.cli.quick_start",
        "datong.model.errors",
    },
    "app/cli/terminal.py": {
        "datong.plan.reason",
    },
    "app/cli/try_export.py": {
        "datong.app.report.count_sheet_workbook",
        "datong.app.report.order_list_workbook",
    },
}

FILES = sorted(SOURCE.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Looked(NamedTuple):
    """What is seen of all files, each read once."""

    too_large: list[str]  # `file: name` and what is too much of it
    inside: dict[str, set[str]]  # by file, modules that its functions import
    unexplained: list[str]  # numbers of dataclasses that do not say what they count


@cache
def looked() -> Looked:
    found = Looked([], {}, [])
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        nodes = list(ast.walk(ast.parse(text)))
        found.too_large.extend(too_large(file, nodes))
        found.inside[place(file)] = imported_inside(nodes)
        found.unexplained.extend(unexplained(text, nodes))
    return found


def place(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


def is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)


def field_count(node: ast.ClassDef) -> int:
    found = [n for n in node.body if isinstance(n, ast.AnnAssign)]
    return sum(1 for n in found if not ast.unparse(n.annotation).startswith("ClassVar"))


def parameter_count(node: Function) -> int:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def too_large(file: Path, nodes: list[ast.AST]) -> Iterator[str]:
    """`file: name` and what is too much of it."""
    for node in nodes:
        if isinstance(node, ast.ClassDef) and is_dataclass(node) and field_count(node) > MOST_FIELDS:
            yield f"{place(file)}: {node.name} has {field_count(node)} fields"
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_LINES:
                yield f"{place(file)}: {node.name} has {lines} lines"
            if parameter_count(node) > MOST_PARAMETERS:
                yield f"{place(file)}: {node.name} has {parameter_count(node)} parameters"


def imported_inside(nodes: list[ast.AST]) -> set[str]:
    """Modules that functions of a file import."""
    found: set[str] = set()
    for function in nodes:
        if isinstance(function, Function):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    found |= {a.name for a in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add(node.module or "")
    return found


def test_nothing_is_too_large_without_a_reason() -> None:
    found = {line.partition(" has ")[0]: line for line in looked().too_large}
    assert [line for name, line in found.items() if name not in LARGER] == []
    assert LARGER.keys() <= found.keys(), "an exception that nothing needs"


def test_functions_import_only_heavy_libraries_and_what_a_lazy_door_opens() -> None:
    inside = {
        file: {name for name in names if name.split(".")[0] not in HEAVY_LIBRARIES}
        for file, names in looked().inside.items()
    }
    assert {file: names for file, names in inside.items() if names} == LAZY_DOORS


def unexplained(text: str, nodes: list[ast.AST]) -> Iterator[str]:
    """Numbers of dataclasses whose unit neither their name nor a comment nor the docstring tells."""
    lines = text.split("\n")
    for node in nodes:
        if not isinstance(node, ast.ClassDef) or not any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            continue
        told = ast.get_docstring(node) or ""
        for one in node.body:
            if not isinstance(one, ast.AnnAssign) or not isinstance(one.target, ast.Name):
                continue
            name, kind = one.target.id, ast.unparse(one.annotation)
            is_number = A_NUMBER.search(kind) and not kind.startswith("Callable")
            commented = lines[one.lineno - 2].strip().startswith("#") or "#" in lines[one.lineno - 1]
            if is_number and not (commented or NAMES_ITS_UNIT.search(name) or re.search(rf"\b{name}\b", told)):
                yield f"{node.name}.{name}"


def test_each_number_of_a_dataclass_says_what_it_counts() -> None:
    assert looked().unexplained == []
