"""The chain that `datong.open` gives: what one can do with it, and what the commands do that write or send."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from datong.app.chain import Chain as BareChain
from datong.app.check_folder import check_chain
from datong.app.write_report import report_inputs, write_report, write_run
from datong.connectors.files.folder import CheckResult
from datong.connectors.inlet_and_outlet import Outcome
from datong.model.findings import Finding
from datong.questions.run_result import RunResult


@dataclass(frozen=True)
class Exchanged:
    """What an exchange did. delivered: what became of each delivery. reports: rows of reports that were taken in.
    findings: what could not be delivered or read, and what to do about it."""

    delivered: tuple[Outcome, ...]
    reports: int
    findings: tuple[Finding, ...]


class Chain(BareChain):
    """An open chain. Use it in a `with` block, in one thread: while it is open, nothing else can open it.

    run, balance, quote, replenish, replay, why: what to do, for what price, what it would have been worth, and why.
    check, ingest, retry_quarantine: rows in, and what is wrong with them. release, exchange: orders out, answers in.
    write, report: results as files. branch, on, change, add, compare: what-ifs. state, kept_run, evidence: look things
    up. Units are base units of the product, money is in `settings.currency`, moments are texts, dates or datetimes.

    >>> import datong, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> files = datong.init(f"{folder}/bags", language="en")
    >>> with datong.open(f"{folder}/bags", language="en") as chain:
    ...     result = chain.run()
    ...     order = result.orders.to_pandas()["order"][0]
    ...     why = chain.why(order)
    >>> why.order["order"] == order
    True
    >>> chain.run()  # the block has closed it
    Traceback (most recent call last):
        ...
    datong.model.errors.Refused: The ledger ... is closed. ...
    """

    def check(self) -> CheckResult:
        """Everything that is wrong with the folder's tables, and with a plan made of them, as `datong check`. Its
        `findings` have what was found, what was expected, and what to do: `finding.text("en")`."""
        return check_chain(self.folder, self._at.now)

    def write(self, result: RunResult, out: str | PathLike[str]) -> Path:
        """A run as a folder: each table as Parquet, and one workbook, datong.xlsx, as `datong run --out`. A folder
        that an earlier run wrote is replaced. Raises Refused where the folder holds anything else."""
        write_run(report_inputs(self, result, {}, self.language), Path(out), self.language)
        return Path(out).resolve()

    def report(self, out: str | PathLike[str] = "report.html", run: str | None = None, buckets: int = 0) -> Path:
        """A kept run (the last one by default) as a web page that works offline, as `datong report`.

        buckets: closed buckets of history to replay beside it; 0: none. Raises NotFound where there is no such run,
        and what `replay` raises.
        """
        result = self.kept_run(run)
        replayed = self.replay(buckets).tables() if buckets else {}
        write_report(report_inputs(self, result, replayed, self.language), Path(out), self.language)
        return Path(out).resolve()

    def release(self, *orders: str, due: bool = False, run: str | None = None) -> list[str]:
        """Give out orders of the last run, as `datong release`: those named, or with `due` all that start in the first
        open bucket. run: the plan that is meant. Orders that are out already stay as they are. Returns the numbers of
        those that went out now; none where none fits.

        Raises NotFound for a number that is not due for release; Refused where the plan is one of before, or not the
        one that is meant, or on a branch.
        """
        from datong.app import release_orders

        return release_orders.release(self, orders, due, run)

    def exchange(self, drop: str | PathLike[str] | None = None, again: Sequence[str] = ()) -> Exchanged:
        """Send released orders by e-mail, where a firm has an address and the settings a section [email], and to the
        drop folder, and take in the answers that came, as `datong exchange`.

        drop: the folder; None: `exchange` in the chain's. again: firms that get by e-mail once more what they have not
        answered. Raises Refused on a branch, NotFound for one of `again` without an address.
        """
        from datong.app import exchange_each_way

        folder = self.folder / "exchange" if drop is None else Path(drop)
        ways = list(exchange_each_way.exchange_each_way(self, folder, self.language, again))
        return Exchanged(
            tuple(one for way in ways for one in way.outcomes),
            sum(way.reports for way in ways),
            tuple(found for way in ways for found in way.findings),
        )
