"""All that a page shows or does is a call of the API, too: what the pages ask of the service, the API asks as well."""

import ast
import importlib
import inspect
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "datong" / "app"
SERVICE = "datong.app.service."
# Methods of what `served` has, by the name of the part.
PARTS = ("people", "jobs", "audit")
# What pages need for themselves alone, with the reason.
OF_PAGES = {
    "people.invited_by_link": "of whoever has a link and is not signed in; a caller of the API says its language",
    "factory.answered": "a form leads to another page, which shows what came of it; the API answers with it",
}


def asked_of_the_service(room: str) -> set[str]:
    """Functions of subjects that take who asks, and methods of people, jobs and audit, that a room calls."""
    found: set[str] = set()
    for file in sorted((SOURCE / room).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions, modules = imported(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in functions:
                found.add(functions[node.id])
            if isinstance(node, ast.Attribute):
                owner = node.value
                if isinstance(owner, ast.Name) and owner.id in modules and is_asked(modules[owner.id], node.attr):
                    found.add(f"{modules[owner.id]}.{node.attr}")
                if isinstance(owner, ast.Attribute) and owner.attr in PARTS:
                    found.add(f"{owner.attr}.{node.attr}")
    return found


def imported(tree: ast.AST) -> tuple[dict[str, str], dict[str, str]]:
    """Names of functions, and of modules, of the service that a file imports."""
    functions, modules = {}, {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        for alias in node.names:
            name = alias.asname or alias.name
            if node.module == SERVICE.removesuffix("."):
                modules[name] = alias.name
            elif node.module.startswith(SERVICE) and is_asked(node.module.removeprefix(SERVICE), alias.name):
                functions[name] = f"{node.module.removeprefix(SERVICE)}.{alias.name}"
    return functions, modules


def is_asked(module: str, name: str) -> bool:
    """Whether it is a function that is asked by somebody."""
    value = getattr(importlib.import_module(SERVICE + module), name, None)
    return inspect.isfunction(value) and list(inspect.signature(value).parameters)[:2] == ["served", "who"]


def test_whatever_pages_ask_of_the_service_the_api_asks_too() -> None:
    by_api = asked_of_the_service("rest")
    by_pages = asked_of_the_service("web") | asked_of_the_service("forms")
    assert len(by_api) > 40 and len(by_pages) > 20
    assert by_pages - by_api == OF_PAGES.keys()
