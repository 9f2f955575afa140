"""What the commands show and write, as digests: the same before and after code was moved.

python tools/golden.py write FILE [NAME...]     run the chains (those named; all) and note the digests
python tools/golden.py compare FILE [NAME...]   run them again; exit 1 and name what differs

Chains: examples/fmcg, and the cases and the network of 100 products in ../shared where they are there. Of each the
standard output of check, run and balance, the tables (Parquet), the workbook (.xlsx) and the page. Seconds and
paths are left out of what is compared.
"""

import contextlib
import hashlib
import io
import json
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import pyarrow.parquet as pq

from datong.app.cli.main import main as datong

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
SECONDS = re.compile(r"\d+(\.\d+)? ?(s|ms|MB|秒|seconds?)\b")


def chains() -> list[Path]:
    found = [ROOT / "examples" / "fmcg", SHARED / "bench" / "network" / "100"]
    for kind in ("planning", "peers"):
        found += sorted(p for p in (SHARED / "cases" / kind).glob("*") if p.is_dir())
    return [folder for folder in found if folder.is_dir()]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def said(where: Path, *words: str) -> str:
    """What a command prints, without seconds and paths."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            status = datong(list(words))
        except SystemExit as ended:
            status = ended.code
    # The path first: its end can look like seconds.
    return SECONDS.sub("N s", f"{status}\n{text.getvalue()}".replace(str(where), ""))


def written(folder: Path) -> dict[str, str]:
    """Digest of each file in a folder: of tables their rows, of a workbook its sheets."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = str(path.relative_to(folder))
        if path.suffix == ".parquet":
            found[name] = digest(repr(pq.read_table(path).to_pylist()).encode())
        elif path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                for part in book.namelist():
                    if part.startswith("xl/"):
                        found[f"{name}/{part}"] = digest(book.read(part))
        elif path.suffix == ".html":
            found[name] = digest(SECONDS.sub("N s", path.read_text(encoding="utf-8")).encode())
        elif path.name != "certificate.json":
            found[name] = digest(path.read_bytes())
    return found


def digests(chain: Path) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as place:
        where = Path(place)
        folder = shutil.copytree(chain, where / "chain")
        found = {}
        for language in ("en", "zh"):
            for command in ("check", "run", "balance"):
                out = where / f"{command}-{language}"
                more = () if command == "check" else ("--out", str(out))
                found[f"{command} {language}"] = digest(
                    said(where, command, str(folder), "--lang", language, *more).encode()
                )
                if out.is_dir() and (language == "en" or command == "run"):
                    found |= {f"{command} {language}: {name}": hash for name, hash in written(out).items()}
        return found


def main(what: str, file: Path, *names: str) -> int:
    before = json.loads(file.read_text(encoding="utf-8")) if what == "compare" else {}
    now, wrong = {}, 0
    for chain in chains():
        if names and chain.name not in names:
            continue
        name = f"{chain.parent.name}/{chain.name}"
        now[name] = digests(chain)
        if what == "compare":
            old = before.get(name, {})
            differ = sorted(key for key in old.keys() | now[name].keys() if old.get(key) != now[name].get(key))
            wrong += bool(differ)
            sys.stdout.write(f"{name}: " + ("the same" if not differ else f"differs in {', '.join(differ)}") + "\n")
    if what == "write":
        file.write_text(json.dumps(now, indent=1, sort_keys=True), encoding="utf-8")
        sys.stdout.write(f"{file}: {sum(map(len, now.values()))} digests of {len(now)} chains\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("write", "compare"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
