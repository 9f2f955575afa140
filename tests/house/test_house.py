"""The house rules: arrows run one way, words exist in both languages, importing does nothing heavy."""

import ast
import re
import string
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from datong.app.cli.main import parser
from datong.model import words as model_words
from datong.model.words import LANGUAGES, catalogue, say
from mill import write

SOURCE = Path(__file__).resolve().parents[2] / "src" / "datong"
STAGES = {"sense", "forecast", "balance", "plan", "dispatch", "learn"}

# What each room may import, besides itself. `app` may import everything.
MAY_IMPORT = {
    "model": set(),
    "ledger": {"model"},
    "statistics": {"model"},
    "network": {"model", "ledger"},
    **{stage: {"model", "ledger", "statistics", "network"} for stage in STAGES},
    "connectors": {"model", "ledger"},
    "store": {"model", "ledger"},
    "lots_put_off": {"model", "ledger", "network", *STAGES},
    "cycle": {"model", "ledger", "network", "lots_put_off", *STAGES},
    "order_each_item": {"model", "ledger", "network", *STAGES},
    "shown": {"model"},
    "questions": {
        "model",
        "ledger",
        "statistics",
        "network",
        "cycle",
        "lots_put_off",
        "order_each_item",
        "shown",
        *STAGES,
    },
    "replay": {"model", "ledger", "network", "cycle"},
    "__init__": {"app", "connectors", "model", "forecast"},  # the empty package: a function has its name
    "__main__": {"app"},
}


@cache
def modules_imported(file: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{a.name}" for a in node.names}
    return frozenset(names)


def rooms_imported(file: Path) -> set[str]:
    return {n.split(".")[1] for n in modules_imported(file) if n.startswith("datong.")} - {"__version__"}


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_run_one_way(file: Path) -> None:
    room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room == "app":
        return
    assert rooms_imported(file) - {room} <= MAY_IMPORT[room]


# What each room inside `app` may import of its siblings: wording is shared, and only the command line prints.
SIBLINGS = {
    "wording": set(),
    "report": {"wording"},
    "stores": set(),
    "wiring": {"stores"},
    "clock": {"stores", "wiring"},
    "vanished_order_lines": {"wiring"},
    "take_in_beside_folder": {"wiring", "clock", "receipts_of_orders", "vanished_order_lines"},
    "kept_runs": {"wiring"},
    "forget_customers": {"wiring", "clock"},
    "branch_changes": set(),
    "earlier_balance": set(),
    "result_folder": set(),
    "languages": set(),
    "garbage_collection": set(),
    "chain": {
        "wiring",
        "clock",
        "take_in_beside_folder",
        "kept_runs",
        "forget_customers",
        "branch_changes",
        "earlier_balance",
        "languages",
    },
    "check_folder": {"stores", "wiring", "clock"},
    "write_report": {"chain", "market_findings", "wording", "report", "result_folder"},
    "chain_for_python": {"chain", "check_folder", "write_report", "release_orders", "exchange_each_way"},
    "dataframes": set(),
    "twin_folder": set(),
    "sales_without_folder": {"chain", "clock", "dataframes", "languages"},
    "order_messages_now": {"chain", "kept_runs"},
    "counter_offers": {"chain", "order_messages_now"},
    "market_findings": {"chain", "clock"},
    "plugged_voice": {"chain"},
    "release_rules": {"chain"},
    "release_orders": {"chain", "kept_runs", "release_rules"},
    "release_edited_orders": {"chain", "order_messages_now"},
    "exchange_one_way": {"chain", "counter_offers", "order_messages_now", "release_rules"},
    "email_of_chain": {"chain", "exchange_one_way", "wiring"},
    "exchange_each_way": {"chain", "email_of_chain", "exchange_one_way"},
    "borrowed_chain": {"stores"},
    "service": {
        *(
            "chain",
            "garbage_collection",
            "branch_changes",
            "take_in_beside_folder",
            "borrowed_chain",
            "wiring",
            "kept_runs",
            "release_orders",
            "release_edited_orders",
            "release_rules",
        ),
        *("exchange_one_way", "counter_offers", "order_messages_now", "market_findings", "wording"),
    },
    "http": {"service"},
    "tracing": {"http"},
    "rest": {"http", "service", "wording"},
    "forms": {"http", "service", "wording"},
    "web": {"http", "service", "wording"},
    "mcp": {"http", "service", "wording", "borrowed_chain", "wiring"},
    "server": {"http", "service", "rest", "forms", "web", "mcp", "tracing"},
}
SIBLINGS["cli"] = set(SIBLINGS)


@pytest.mark.parametrize("file", sorted((SOURCE / "app").rglob("*.py")), ids=lambda f: str(f.relative_to(SOURCE)))
def test_siblings_in_app_run_one_way(file: Path) -> None:
    room = file.relative_to(SOURCE / "app").parts[0].removesuffix(".py")
    imported = {name.split(".")[2] for name in modules_imported(file) if name.startswith("datong.app.")}
    assert imported - {room} <= SIBLINGS.get(room, set())


# Third-party names that only some rooms may use.
ONLY_IN = {
    "fastapi": ("app/rest/", "app/forms/", "app/web/", "app/mcp/", "app/server.py", "app/tracing.py"),
    "authlib": ("app/service/oidc.py",),
    "joserfc": ("app/service/oidc.py",),
    "mcp": ("app/mcp/",),
    "mcp_types": ("app/mcp/",),
    "opentelemetry": ("app/tracing.py",),
    "prometheus_client": ("app/http/",),
    "starlette": ("app/http/", "app/rest/", "app/forms/", "app/web/", "app/mcp/", "app/server.py", "app/tracing.py"),
    "nicegui": ("app/web/",),
    "uvicorn": ("app/server.py",),
    "argon2": ("app/service/",),
    "pyotp": ("app/service/",),
    "sqlite3": ("app/service/",),
    "duckdb": ("store/", "connectors/files/", "ledger/cells.py"),  # cells: columns of texts as numbers and moments
    "psycopg": ("store/postgres/",),
    "rich": ("app/cli/",),
    "xlsxwriter": ("app/report/", "app/service/grid_as_workbook.py", "connectors/filedrop/"),
    "jinja2": ("app/report/", "app/forms/"),
    "highspy": ("balance/",),
    "lightgbm": ("forecast/",),
    "matplotlib": ("shown/",),
    "statsforecast": ("forecast/",),
}


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda f: str(f.relative_to(SOURCE)))
def test_libraries_stay_in_their_rooms(file: Path) -> None:
    place = file.relative_to(SOURCE).as_posix()
    used = {name.split(".")[0] for name in modules_imported(file)} & ONLY_IN.keys()
    assert not [name for name in used if not place.startswith(ONLY_IN[name])]


IMPURE = {"socket", "subprocess", "requests", "random", "secrets"}


@pytest.mark.parametrize("room", sorted(STAGES | {"replay", "cycle.py", "order_each_item.py", "model"}))
def test_stages_read_no_clock_no_file_and_no_global_chance(room: str) -> None:
    path = SOURCE / room
    for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                assert not IMPURE & {n.split(".")[0] for n in names}, f"{file}: imports {names}"
            if isinstance(node, ast.Call):
                call = ast.unparse(node.func)
                assert call not in {"datetime.now", "datetime.utcnow", "date.today", "time.time", "open"}, (
                    f"{file}: {call}"
                )
                assert not call.startswith("np.random.") or call.startswith(
                    ("np.random.default_rng", "np.random.SeedSequence", "np.random.Generator", "np.random.PCG64")
                ), f"{file}: {call}"


def test_every_text_exists_in_both_languages_with_the_same_places() -> None:
    wrong = []
    for key, texts in sorted(catalogue().items()):
        said = [texts.get(lang, "") for lang in LANGUAGES]
        places = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in said]
        if places[0] != places[1] or not all(text.strip() for text in said):
            wrong.append(key)
    assert wrong == []


@pytest.mark.parametrize("room", ["network", "dispatch", "plan", "questions"])
def test_no_amount_is_worded_by_a_format_that_cuts_it(room: str) -> None:
    """`:g` keeps six figures: 1234567 units would be told as 1.23457e+06."""
    found = [
        f"{file.name}: {text}"
        for file in sorted((SOURCE / room).rglob("*.py"))
        for text in re.findall(r"\{[^{}]*units[^{}]*:g\}", file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_message_key_in_the_code_exists() -> None:
    missing = []
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
                and node.args[0].value not in catalogue()
                and ast.unparse(node.func) in {"message", "say", "words.say", "words.message"}
            ):
                missing.append(f"{file.name}: {node.args[0].value}")
    assert missing == []


def places_of(key: str) -> set[str]:
    return {name.split(".")[0] for _, name, _, _ in string.Formatter().parse(catalogue()[key]["en"]) if name}


# Arguments of `finding` that are no places of its texts.
NO_PLACES = {"row", "column", "rows_affected"}
PARTS = (".found", ".expected", ".remedy")


def lacks(call: ast.Call, dicts: dict[str, set[str]]) -> set[str]:
    """Places of the text that a call asks for which it does not fill; nothing where only running it tells.

    dicts: the keys of dictionaries that are written out in the same function, by name."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    at = {"message": 0, "say": 0, "finding": 1}.get(name)
    if at is None or len(call.args) <= at or not isinstance(call.args[at], ast.Constant):
        return set()
    key = str(call.args[at].value)
    keys = [key + part for part in PARTS] if name == "finding" else [key]
    if not all(k in catalogue() for k in keys):
        return set()  # `view.say` puts a prefix before its keys
    given: set[str] = set()
    for word in call.keywords:
        if word.arg is not None:
            given.add(word.arg)
        elif isinstance(word.value, ast.Dict) and all(isinstance(k, ast.Constant) for k in word.value.keys):
            given |= {k.value for k in word.value.keys if isinstance(k, ast.Constant)}
        elif isinstance(word.value, ast.Name) and word.value.id in dicts:
            given |= dicts[word.value.id]
        else:
            return set()
    return set().union(*(places_of(k) for k in keys)) - (given - NO_PLACES if name == "finding" else given)


def written_out(tree: ast.AST) -> dict[str, set[str]]:
    """Names that are given a dictionary with its keys written out, and nothing else."""
    found: dict[str, set[str]] = {}
    other: set[str] = set()
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        other |= {ast.unparse(t.value) for t in targets if isinstance(t, ast.Subscript)}  # filled later on
        for target in (t for t in targets if isinstance(t, ast.Name)):
            value = getattr(node, "value", None)
            if target.id not in found and isinstance(value, ast.Dict) and all(
                isinstance(k, ast.Constant) for k in value.keys
            ):  # fmt: skip
                found[target.id] = {k.value for k in value.keys if isinstance(k, ast.Constant)}
            else:
                other.add(target.id)
    return {name: keys for name, keys in found.items() if name not in other}


def test_each_caller_fills_all_places_of_its_text() -> None:
    wrong = []
    for file in sorted(SOURCE.rglob("*.py")):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                dicts = written_out(function)
                calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                told = [(c, missing) for c in calls if (missing := lacks(c, dicts))]
                wrong += [f"{file.name}:{c.lineno}: {sorted(missing)}" for c, missing in told]
    assert wrong == []


def test_a_place_that_nobody_fills_is_found() -> None:
    """Of a finding, `column` says where it stands, and fills no place."""
    told = ast.parse('finding("error", "count.no_column", "f", column="c")').body[0]
    assert isinstance(told, ast.Expr) and isinstance(told.value, ast.Call)
    assert lacks(told.value, {}) == {"columns"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_fails_for_a_place_that_nobody_fills(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are told of it (conftest.py); a person reads the rest of the text."""
    open_ = [key for key in sorted(catalogue()) if places_of(key)]
    for key in open_[:20]:
        with pytest.raises(KeyError):
            say(key, language)
    monkeypatch.setattr(model_words.Places, "__missing__", lambda _, name: model_words.OpenPlace(name))
    for key in open_:
        assert all(f"{{{name}" in say(key, language) for name in places_of(key))


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_commands_in_the_readme_exist(page: str) -> None:
    """Each `datong ...` line parses as written."""
    lines = (SOURCE.parents[1] / page).read_text(encoding="utf-8").splitlines()
    commands = [line.split(" #")[0].split() for line in lines if line.startswith("    datong ")]
    assert len(commands) >= 10
    for words in commands:
        parser("en").parse_args(words[1:])


HEAVY = ("pandas", "scipy", "statsforecast", "highspy", "lightgbm", "matplotlib", "polars", "datong.cycle")


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        # `datong --help` must answer at once, so the parser may not import what only work needs.
        ("import datong.app.cli.main as c; c.parser('en')", (*HEAVY, "pyarrow", "duckdb", "numpy", "rich")),
        # A program that imports datong waits for what it uses of it.
        ("import datong", (*HEAVY, "pyarrow", "duckdb", "numpy", "rich", "datong.app")),
        ("import datong; datong.Chain", HEAVY),
        # Commands that plan nothing do not wait for the stages.
        ("import datong.app.chain, datong.app.cli.commands", HEAVY),
    ],
)
def test_what_only_planning_needs_is_not_loaded_before(code: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys; {code}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


EXPORT = "Date,SKU,Qty\n" + "".join(
    f"2024-{month:02}-{day:02},{code},{day % 7}\n" for month in range(1, 8) for day in (3, 9) for code in "AB"
)


@pytest.mark.parametrize("command", ["run", "try"])
def test_a_plan_does_without_pandas(command: str, tmp_path: Path) -> None:
    """Arrow imports it with its first list, where it is let, and statsforecast with all its house."""
    (tmp_path / "sales 2024.csv").write_text(EXPORT, encoding="utf-8")
    words = {"run": ["run", str(write(tmp_path / "mill"))], "try": ["try", str(tmp_path / "sales 2024.csv"), "--yes"]}
    words = words[command]
    code = f"from datong.app.cli.main import main; import sys; assert main({words}) == 0; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    assert loaded & {"pandas", "scipy.ndimage", "scipy.stats", "statsforecast", "lightgbm"} == set()
    assert "duckdb" in loaded
