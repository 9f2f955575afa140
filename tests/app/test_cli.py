"""The commands as a user types them, on real folders."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import datong
from datong.app.cli.main import language_of, main
from datong.ledger.protocol import WHAT
from datong.model.words import say

ROOT = Path(__file__).resolve().parents[2]
NETWORK = ROOT.parent / "shared" / "bench" / "network" / "100"


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    """Exit status and everything printed."""
    status = main([str(w) for w in words])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """The starter folder with eight weeks of sales, as a user would fill it."""
    folder = tmp_path / "my chain 链"
    assert main(["init", str(folder), "--lang", "en"]) == 0
    days = [f"2026-{m:02d}-{d:02d}" for m, d in [(1, 5), (1, 12), (1, 19), (1, 26), (2, 2), (2, 9), (2, 16), (2, 23)]]
    product = (folder / "products.csv").read_text(encoding="utf-8-sig").splitlines()[1].split(",")[0]
    # More than the starter's stock lasts for, so that work is due now.
    rows = [f"s{i},{day},{product},{120 + i % 3}" for i, day in enumerate(days)]
    (folder / "sales.csv").write_text("\n".join(["sale,happened_at,product,units", *rows]) + "\n", encoding="utf-8")
    return folder


def test_the_language_is_asked_for_or_comes_from_the_locale() -> None:
    assert language_of(["run", "--lang", "zh"], {"LANG": "en_GB.UTF-8"}) == "zh"
    assert language_of(["run", "--lang=en"], {"LANG": "zh_CN.UTF-8"}) == "en"
    assert language_of(["run"], {"LANG": "zh_CN.UTF-8"}) == "zh"
    assert language_of(["run"], {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}) == "en"


def test_init_check_run_why_report(chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", chain)[0] == 0
    status, text = run(capsys, "run", chain, "--out", tmp_path / "out")
    assert status == 0
    assert (tmp_path / "out" / "datong.xlsx").stat().st_size > 0
    orders = json.loads(_orders_json(tmp_path / "out"))
    assert orders, text
    status, text = run(capsys, "why", orders[0], "--chain", chain)
    assert status == 0
    assert orders[0] in text
    assert "sales" in text or "stock" in text
    status, text = run(capsys, "report", chain, "--out", tmp_path / "r.html", "--lang", "zh")
    assert status == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'lang="zh' in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def _orders_json(out: Path) -> str:
    import pyarrow.parquet as pq

    return json.dumps(pq.read_table(out / "orders.parquet")["order"].to_pylist())


@pytest.mark.usefixtures("searched_anew")
def test_the_same_inputs_give_the_same_bytes(chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(chain, tmp_path / "twin")
    assert run(capsys, "run", chain, "--out", tmp_path / "a")[0] == 0
    assert run(capsys, "run", tmp_path / "twin", "--out", tmp_path / "b")[0] == 0
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b").iterdir())
    assert "orders.parquet" in names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_orders_go_out_and_reports_come_back(chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Released work goes to the drop folder; a done report is in the ledger, and the next run counts on it."""
    assert run(capsys, "run", chain, "--out", tmp_path / "out")[0] == 0
    status, text = run(capsys, "release", "--due", "--chain", chain)
    assert status == 0, text
    order = json.loads(_orders_json(tmp_path / "out"))[0]
    assert order in text
    status, text = run(capsys, "exchange", chain)
    files = sorted((chain / "exchange" / "outbox").iterdir())
    assert status == 0
    assert [file.suffix for file in files] == [".csv", ".xlsx"]
    assert order in files[0].read_text(encoding="utf-8-sig")
    inbox = chain / "exchange" / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    answer = f"单号,状态,良品数量,时间\n{order},接单,,2026-03-01 08:00\n{order},完工,5,2026-03-02 17:00\n"
    (inbox / "回执.csv").write_text(answer, encoding="gb18030")
    status, text = run(capsys, "exchange", chain)
    assert status == 0, text
    with datong.open(chain) as opened:
        done = [r["good_units"] for r in opened.state().table("order_events").to_pylist() if r["state"] == "done"]
        assert done == [5.0]
    status, _ = run(capsys, "exchange", chain)
    assert status == 0
    assert not list(inbox.glob("*.csv"))


def test_an_older_run_cannot_release_numbers_that_are_out(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "run", chain)[0] == 0
    assert run(capsys, "release", "--due", "--chain", chain)[0] == 0
    assert run(capsys, "run", chain, "--as-of", "2026-02-23")[0] == 0
    status, text = run(capsys, "release", "--due", "--chain", chain)
    assert status == 2
    assert "another run" in text


def test_an_order_that_is_not_there_is_answered(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, "why", "W1", "--chain", chain)
    assert status == 2
    assert "datong run" in text
    run(capsys, "run", chain)
    status, text = run(capsys, "why", "W1", "--chain", chain)
    assert status == 2
    assert "W1" in text
    status, text = run(capsys, "release", "W1", "--chain", chain)
    assert status == 2


def test_check_prints_findings_for_programs(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (chain / "sales.csv").write_text("happened_at,product,units\n2026-01-05,NOBODY,x\n", encoding="utf-8")
    status = main(["check", str(chain), "--format", "json"])
    findings = json.loads(capsys.readouterr().out)
    assert status == 1
    assert {(f["column"], f["row"]) for f in findings} >= {("product", 2), ("units", 2)}
    assert all(f["remedy"] for f in findings)


def test_who_wrote_what_when_is_listed(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with datong.open(chain) as opened:
        run_id = opened.run().run
        opened.branch("rush")
    status, text = run(capsys, "writes", chain, "--lang", "en")
    assert status == 0
    assert "took in 2 rows of products from products" in text
    assert text.index("took in") < text.index(f"kept the run {run_id}") < text.index("made the branch rush")
    status, text = run(capsys, "writes", chain, "--lang", "zh")
    assert f"保存计划 {run_id}" in text
    assert main(["writes", str(chain), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [r["write"] for r in told] == list(range(1, len(told) + 1))
    assert {r["what"] for r in told} >= {"ingest", "run", "make_branch"}
    assert all(r["by"] for r in told)


@pytest.mark.parametrize("what", WHAT)
def test_every_kind_of_write_has_its_words(what: str) -> None:
    words = {"at": "2026-01-05 08:00", "by": "ann", "count": "3", "subject": "sales", "source": "sales.csv"}
    assert "ann" in say(f"app.write.{what}", "en", **words)
    assert "ann" in say(f"app.write.{what}", "zh", **words)


def test_ingest_twice_correct_and_quarantine(chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    product = (chain / "products.csv").read_text(encoding="utf-8-sig").splitlines()[1].split(",")[0]
    file = tmp_path / "sales.csv"
    file.write_text(
        f"sale,happened_at,product,units\nx1,2026-02-24,{product},5\nx2,2026-02-24,GHOST,5\n", encoding="utf-8"
    )
    status, text = run(capsys, "ingest", file, "--chain", chain)
    assert status == 1
    assert "1 new" in text
    status, text = run(capsys, "ingest", file, "--chain", chain)
    assert "0 new" in text
    assert "1 already known" in text
    later = tmp_path / "later" / "sales.csv"
    later.parent.mkdir()
    later.write_text(
        f"sale,happened_at,product,units,known_at\nx1,2026-02-24,{product},7,2026-02-26T08:00\n", encoding="utf-8"
    )
    assert "1 corrected" in run(capsys, "ingest", later, "--chain", chain)[1]
    assert "GHOST" in run(capsys, "quarantine", chain)[1]
    ghost = tmp_path / "products.csv"
    ghost.write_text("product\nGHOST\n", encoding="utf-8")
    assert run(capsys, "ingest", ghost, "--chain", chain)[0] == 0
    assert "1 new" in run(capsys, "quarantine", chain, "--retry")[1]
    assert json.loads(run(capsys, "quarantine", chain, "--format", "json")[1]) == []


def test_try_reads_a_chinese_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"2026年{1 + w // 4}月{1 + 7 * (w % 4)}日,毛巾,{10 + w % 4},19.9" for w in range(12)]
    file = tmp_path / "销售.csv"
    file.write_text("\n".join(["下单日期,商品名称,数量,单价", *rows]), encoding="gb18030")
    status, text = run(capsys, "try", file, "--yes", "--lang", "zh")
    assert status == 0, text
    assert "毛巾" in text
    assert "下单日期" in text


def test_try_asks_before_it_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_text("date,product,units\n2026-01-01,A,1\n2026-01-08,A,2\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "datong", "try", str(file), "--lang", "en"], input="", capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--yes" in done.stderr


def test_a_bad_moment_or_folder_is_refused_in_words(
    chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "run", chain, "--as-of", "yesterday")[0] == 2
    status, text = run(capsys, "run", tmp_path / "nowhere", "--lang", "zh")
    assert status != 0
    assert "Traceback" not in text
    status, text = run(capsys, "run", chain, "--as-of", "2020-01-01")
    assert status == 1


def test_a_second_process_gets_a_clear_answer(chain: Path) -> None:
    with datong.open(chain):
        done = subprocess.run(
            [sys.executable, "-m", "datong", "run", str(chain), "--lang", "en"], capture_output=True, text=True
        )
    assert done.returncode == 2
    assert "another" in done.stderr.lower() or "open" in done.stderr.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not NETWORK.exists(), reason="the planning models are not beside the checkout")
def test_a_planning_model_passes_check_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "network"
    shutil.copytree(NETWORK, folder, copy_function=shutil.copy)
    folder.chmod(0o755)
    assert run(capsys, "check", folder)[0] == 0
    status, text = run(capsys, "run", folder, "--out", tmp_path / "out")
    assert status == 0, text
    scored = subprocess.run(
        [
            sys.executable,
            str(ROOT.parent / "shared" / "tools" / "network_bench.py"),
            "score",
            str(NETWORK),
            str(tmp_path / "out" / "orders.parquet"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    score = json.loads(scored.stdout)
    assert score["infeasible"] == []
    # Whole units and lots cost something over the fractional optimum.
    assert score["avoidable_over_lp"] < 1.2
