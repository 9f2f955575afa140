"""`datong replay` as a user types it, on the example."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datong.app.cli.main import main

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fmcg"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay") / "chain"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("build.py", ".datong"))
    return folder


def said(capsys: pytest.CaptureFixture[str], words: Sequence[str | Path]) -> tuple[int, str]:
    status = main([str(word) for word in words])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_every_scenario_is_shown_and_written(example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    status, text = said(capsys, ["replay", example, "--buckets", "1", "--sweep", "--out", out, "--lang", "en"])
    assert status == 0
    assert "Replay of the last 1 weeks" in text
    for words in (
        "as stated",
        "opening stock × 2",
        "due 7 days",
        "holding cost × 0.5",
        "cost of a lost sale",
    ):
        assert words in text
    differences = pq.read_table(out / "sweep_differences.parquet").to_pandas()
    stated = differences[differences["scenario"] == "stated"]
    assert set(stated["than"]) == {"company", "baseline"}
    assert {"learning.parquet", "recorded_service.parquet", "differences.parquet"} <= {p.name for p in out.iterdir()}
    # What is called better has its whole interval on the good side.
    for row in differences.to_dict("records"):
        good = -1 if row["measure"] != "fill_on_time_share" else 1
        best, worst = sorted((good * row["low"], good * row["high"]), reverse=True)
        assert row["finding"] == ("better" if worst > 0 else "worse" if best < 0 else "unsure")


def test_a_weekly_chain_is_re_lived_by_day_with_another_promise(
    example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["replay", example, "--buckets", "2", "--bucket", "day", "--promise-days", "1", "--opening-stock", "2"]
    status, text = said(capsys, [*words, "--lang", "zh"])
    assert status == 0
    assert "最近 2 天回放" in text and "完全预知" in text


@pytest.mark.parametrize(
    "words", [["--buckets", "0"], ["--buckets", "some"], ["--opening-stock", "0"], ["--opening-stock", "nan"]]
)
def test_what_makes_no_sense_is_refused(example: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["replay", str(example), *words])
    assert stop.value.code == 2
    assert words[0] in capsys.readouterr().err
