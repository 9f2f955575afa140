"""The notebook in examples/ runs from top to bottom, and is kept without outputs."""

import ast
import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest

matplotlib.use("Agg")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    return [c for c in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == kind]


def shown(source: str, names: dict[str, Any]) -> Any:
    """Runs a cell and gives its last expression, as a notebook shows it."""
    tree = ast.parse(source.removesuffix(";"))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_something(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    names: dict[str, Any] = {}
    for cell in cells(notebook, "code"):
        result = shown("".join(cell["source"]), names)
        if hasattr(result, "_repr_html_"):
            assert "<" in result._repr_html_()
    assert names["forecast"].table["bucket"].dtype.kind == "M"
    assert len(names["orders"].orders) > 0 and names["why"].texts
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    assert NOTEBOOKS
    for cell in cells(notebook, "code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None
