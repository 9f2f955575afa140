"""The wheel as a user installs it: what is in it, under which licences, and that its types are there to be read."""

import ast
import shutil
import subprocess
import sys
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Built by the backend itself, which needs no network."""
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


def built(source: Path, out: Path) -> ZipFile:
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(out)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=True)
    return ZipFile(out / done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def metadata(wheel: ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_the_licence_is_that_of_the_code_and_of_the_example_as_long_as_it_is_in(
    wheel: ZipFile, metadata: Message
) -> None:
    holds_example = any(name.startswith("datong/examples/fmcg/") for name in wheel.namelist())
    expected = "Apache-2.0 AND LGPL-2.1" if holds_example else "Apache-2.0"
    assert metadata["License-Expression"] == expected
    assert metadata.get_all("License-File") == ["LICENSE", "examples/fmcg/LICENSE-LGPL-2.1.txt"]
    texts = {name: wheel.read(name).decode() for name in wheel.namelist() if "/licenses/" in name}
    assert any("Apache License" in text for text in texts.values())
    assert any("LESSER GENERAL PUBLIC LICENSE" in text for text in texts.values())


def test_everything_of_the_package_is_in_and_nothing_else(wheel: ZipFile) -> None:
    source = ROOT / "src" / "datong"
    own = {f"datong/{path.relative_to(source).as_posix()}" for path in source.rglob("*") if path.is_file()}
    own = {name for name in own if "__pycache__" not in name}
    packed = {name for name in wheel.namelist() if not name.startswith(("datong/examples/", "datong-"))}
    assert packed == own
    assert {"datong/py.typed", "datong/model/tables.toml", "datong/examples/fmcg/chain.toml"} <= set(wheel.namelist())
    assert not [name for name in wheel.namelist() if name.endswith((".duckdb", ".pyc")) or "/.datong/" in name]


def test_the_extras_that_messages_name_are_there(metadata: Message) -> None:
    assert {"ml", "plot"} <= set(metadata.get_all("Provides-Extra") or ())
    words = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/datong/model/words").glob("*.toml"))
    assert "datong[plot]" in words and "datong[ml]" in words


def test_the_wheel_works_where_it_is_installed(wheel: ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); import datong; print(datong.__file__);"
        "from datong.app.cli.commands import example_folder; print(example_folder());"
        "from datong.app.cli.main import main; print(main(['schema', 'products', '--format', 'json']) == 0)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env={"PATH": ""})
    lines = done.stdout.splitlines()
    assert all(str(tmp_path) in line for line in lines[:2]) and lines[-1] == "True"


def test_a_container_is_built_from_what_the_wheel_needs_and_gets_nothing_else(wheel: ZipFile, tmp_path: Path) -> None:
    """No layer can hold a history, an environment, a chain or its accounts: none of them is sent to the build."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert rules[0] == "*" and set(rules[1 + len(let_in) :]) >= {"**/__pycache__", "**/.datong"}
    lines = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from=" not in line]
    assert sorted(name for names in copied for name in names) == sorted(let_in)
    assert sum(line.startswith("FROM ") for line in lines) == 2 and "COPY --from=build /wheels /wheels" in lines
    caches = shutil.ignore_patterns(*(rule.removeprefix("**/") for rule in rules[1 + len(let_in) :]))
    for name in let_in:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=caches)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    assert set(built(tmp_path, tmp_path / "wheels").namelist()) == set(wheel.namelist())


SCRIPT = """
from datetime import date

import datong
import polars as pl

sales = pl.DataFrame({"date": [date(2024, 1, 1)], "product": ["A"], "units": [3]})
try:
    result: datong.ForecastResult = datong.forecast(sales, horizon=4)
    rows: int = len(result)
except datong.Asked as asked:
    print([question.key for question in asked.questions])
with datong.open("my-chain", language="zh") as chain:
    orders = chain.run(as_of="2024-01-01").orders.to_pandas()
    numbers: list[str] = chain.release(due=True)
    price = chain.quote("A", due=date(2024, 2, 1)).summary["price_per_unit"]
    run, order, reasons = chain.why(numbers[0])
    what_if: datong.Chain = chain.branch("overtime").on("main")
"""
WRONG = (
    'datong.forecast(sales, horizon="13")',
    "chain.run(as_of=7)",
    "chain.quote('A')",
    "datong.open(folder='my-chain', nothing=1)",
    "x: int = chain.release()",
)


def checked(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(script, encoding="utf-8")
    command = [sys.executable, "-m", "ty", "check", "--python", sys.prefix, "--extra-search-path", str(ROOT / "src")]
    return subprocess.run([*command, "script.py"], capture_output=True, text=True, cwd=folder, check=False)


def test_a_users_script_is_checked_by_its_types(tmp_path: Path) -> None:
    ast.parse(SCRIPT)
    done = checked(tmp_path, SCRIPT)
    assert done.returncode == 0, done.stdout
    wrong = checked(tmp_path, SCRIPT + "".join(f"{line}\n" for line in WRONG))
    for number in range(len(WRONG)):
        line = len(SCRIPT.splitlines()) + 1 + number
        assert f"script.py:{line}:" in wrong.stdout, (WRONG[number], wrong.stdout)
