"""A run as files: a folder of tables with a workbook, and a page that works offline."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from datong.app.chain import Chain
from datong.app.market_findings import market_of_run
from datong.app.result_folder import write_tables
from datong.app.wording.report_inputs import ReportInputs
from datong.connectors.files.write_whole import write_whole
from datong.model.words import say
from datong.questions.run_result import RunResult


def report_inputs(
    chain: Chain, result: RunResult, replayed: Mapping[str, pa.Table], language: str, *, with_market: bool = True
) -> ReportInputs:
    """replayed: tables of a replay, or nothing. with_market: with what the market says, which takes its time."""
    from datong.app.wording.assumed import assumed_columns

    assumed = assumed_columns(chain.state(result.as_of), language)
    tables = {**result.tables, "scores": chain.scores(result.as_of)}
    settings = chain.settings
    if chain.branch_name is not None:  # whoever gets the page or the workbook must see that nothing of it is so
        name = say("branch.chain_name", language, name=settings.name, branch=chain.branch_name)
        settings = replace(settings, name=name)
    market = market_of_run(chain, result) if with_market else None
    return ReportInputs(tables, settings, result.as_of, replayed, assumed, market)


def write_run(inputs: ReportInputs, out: Path, language: str) -> None:
    """All tables as Parquet, and one workbook."""
    from datong.app.report.run_workbook import workbook_bytes

    write_tables(inputs.tables, out, {"datong.xlsx": workbook_bytes(inputs, language)})


def write_report(inputs: ReportInputs, path: Path, language: str) -> None:
    from datong.app.report.html import report_html

    write_whole(path, report_html(inputs, language).encode("utf-8"))
