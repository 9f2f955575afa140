"""The `datong` command: its words, its options, and which function answers. Heavy imports wait for the answer."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path

from datong.app.garbage_collection import collect_seldom
from datong.app.languages import language_of_environment
from datong.model.words import LANGUAGES, say

# Nobody promises later than in a year, or holds a thousand times what there was.
MOST_DAYS, MOST_FACTOR = 365, 1000
# Clauses that `voice` asks of at once, at most.
MOST_CLAUSES = 2000
# Where `serve` listens, unless it is told otherwise.
HOST, PORT = "127.0.0.1", 8765
EXIT_FINDINGS = 1
EXIT_REFUSED = 2
EXIT_ASKED = 3
EXIT_INTERRUPTED = 130


def language_of(argv: Sequence[str], environment: dict[str, str]) -> str:
    """--lang where given, else DATONG_LANG, else the locale: Chinese where it says zh, otherwise English."""
    for i, word in enumerate(argv):
        if word == "--lang" and i + 1 < len(argv) and argv[i + 1] in LANGUAGES:
            return argv[i + 1]
        if word.startswith("--lang=") and word.removeprefix("--lang=") in LANGUAGES:
            return word.removeprefix("--lang=")
    return language_of_environment(environment)


def parser(language: str) -> argparse.ArgumentParser:
    """All commands and options, with help in `language`."""
    # argparse has a few words of its own, which it looks up when it reads a command, too.
    words = {w: say(f"argparse.{key}", language) for w, key in _ARGPARSE_WORDS.items()}
    argparse._ = lambda text: words.get(text, text)  # ty: ignore[missing-attribute]
    return _all_commands(language)


@cache
def _all_commands(language: str) -> argparse.ArgumentParser:
    """Some 300 options: made once in a program that answers several commands. What is in it, no reading changes."""
    commands = _Commands(language)
    _add_data_commands(commands)
    _add_planning_commands(commands)
    _add_branch_commands(commands)
    _add_later_commands(commands)
    _add_server_commands(commands)
    _add_store_commands(commands)
    return commands.top


class _Commands:
    """The parser of all commands, and what several of them ask for."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.common = argparse.ArgumentParser(add_help=False)
        self.common.add_argument("--lang", choices=LANGUAGES, default=argparse.SUPPRESS, help=self.text("lang"))
        self.top = argparse.ArgumentParser(
            prog="datong", description=self.text("datong"), epilog=self.text("epilog"), parents=[self.common]
        )
        self.top.add_argument("--version", action="version", version=_version(), help=self.text("version"))
        self._all = self.top.add_subparsers(dest="command", metavar=say("cli.command", language), required=True)

    def text(self, key: str) -> str:
        return say(f"cli.{key}", self.language).replace("%", "%%")

    def command(self, name: str) -> argparse.ArgumentParser:
        text = self.text(f"{name}.help")
        return self._all.add_parser(name, help=text, description=text, parents=[self.common], allow_abbrev=False)

    def chain(self, p: argparse.ArgumentParser, *, positional: bool = True) -> None:
        if positional:
            p.add_argument("chain", type=Path, metavar="DIR", help=self.text("dir"))
        else:
            p.add_argument("--chain", type=Path, metavar="DIR", default=Path(), help=self.text("chain"))
        p.add_argument("--store", metavar="ADDRESS", help=self.text("store"))
        p.add_argument("--join", action="store_true", help=self.text("join"))

    def as_of(self, p: argparse.ArgumentParser) -> None:
        p.add_argument("--as-of", metavar="TIME", help=self.text("as_of"))
        p.add_argument("--seed", type=_count, metavar="N", help=self.text("seed"))

    def on_branch(self, p: argparse.ArgumentParser, *, refused: bool = False) -> None:
        p.add_argument("--branch", metavar="NAME", help=argparse.SUPPRESS if refused else self.text("on_branch"))

    def answers(self, p: argparse.ArgumentParser) -> None:
        p.add_argument("--answer", action="append", default=[], metavar="QUESTION=READING", help=self.text("answer"))


def _add_data_commands(c: _Commands) -> None:
    p = c.command("demo")
    p.add_argument("--out", type=Path, metavar="DIR", default=Path("datong-demo"), help=c.text("demo.out"))
    p.add_argument("--buckets", type=_positive, metavar="N", default=8, help=c.text("replay.buckets"))
    p.add_argument("--twin", action="store_true", help=c.text("demo.twin"))
    p.add_argument("--seed", type=_count, metavar="N", default=1, help=c.text("seed"))

    p.set_defaults(address=f"http://{HOST}:{PORT}")

    p = c.command("twin")
    p.add_argument("what", choices=("start", "week", "score"), help=c.text("twin.what"))
    p.add_argument("folder", type=Path, metavar="DIR", help=c.text("twin.folder"))
    p.add_argument("--orders", type=Path, metavar="FILE", help=c.text("twin.orders"))
    p.add_argument("--products", type=_positive, metavar="N", default=10, help=c.text("twin.products"))
    p.add_argument("--history", type=_positive, metavar="WEEKS", default=60, help=c.text("twin.history"))
    p.add_argument("--fault-week", type=_count, metavar="WEEK", help=c.text("twin.fault_week"))
    p.add_argument("--seed", type=_count, metavar="N", default=1, help=c.text("seed"))

    p = c.command("try")
    p.add_argument("file", type=Path, metavar="FILE", help=c.text("try.file"))
    p.add_argument("--yes", action="store_true", help=c.text("try.yes"))
    p.add_argument("--country", default="", metavar="CC", help=c.text("try.country"))
    p.add_argument("--into", "--keep", type=Path, metavar="DIR", help=c.text("try.into"))
    p.add_argument("--stock", type=Path, metavar="FILE", help=c.text("try.stock"))
    p.add_argument("--by-market", action="store_true", help=c.text("try.by_market"))
    c.answers(p)

    p = c.command("profiles")
    p.add_argument("name", nargs="?", metavar="NAME", help=c.text("profiles.name"))

    p = c.command("init")
    p.add_argument("folder", type=Path, metavar="DIR", help=c.text("init.folder"))

    p = c.command("check")
    p.add_argument("folder", type=Path, metavar="DIR", help=c.text("dir"))
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))

    p = c.command("schema")
    p.add_argument("table", nargs="?", metavar="TABLE", help=c.text("schema.table"))
    p.add_argument("--format", choices=("text", "json", "markdown"), default="text", help=c.text("format"))

    p = c.command("ingest")
    p.add_argument("files", type=Path, nargs="+", metavar="FILE", help=c.text("ingest.files"))
    c.chain(p, positional=False)
    p.add_argument("--table", metavar="TABLE", help=c.text("ingest.table"))
    p.add_argument("--mapping", type=Path, metavar="FILE", help=c.text("ingest.mapping"))
    c.answers(p)
    c.on_branch(p)

    p = c.command("quarantine")
    c.chain(p)
    p.add_argument("--retry", action="store_true", help=c.text("quarantine.retry"))
    p.add_argument("--discard", nargs="+", metavar="ID", help=c.text("quarantine.discard"))
    c.on_branch(p)
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))

    p = c.command("writes")
    c.chain(p)
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))

    p = c.command("withdraw")
    p.add_argument("table", metavar="TABLE", help=c.text("withdraw.table"))
    p.add_argument("rows", nargs="*", metavar="ROW_ID", help=c.text("withdraw.rows"))
    p.add_argument("--all", action="store_true", help=c.text("withdraw.all"))
    c.chain(p, positional=False)
    c.on_branch(p)

    p = c.command("person")
    p.add_argument("customer", metavar="CUSTOMER", help=c.text("person.customer"))
    c.chain(p, positional=False)
    p.add_argument("--out", type=Path, metavar="FILE", default=Path("person.json"), help=c.text("person.out"))
    p.add_argument("--why", metavar="TEXT", default="", help=c.text("person.why"))

    p = c.command("forget")
    p.add_argument("customer", metavar="CUSTOMER", nargs="?", help=c.text("person.customer"))
    p.add_argument("--lost", action="store_true", help=c.text("forget.lost"))
    p.add_argument("--older-than", type=_positive, metavar="DAYS", help=c.text("forget.older_than"))
    c.chain(p, positional=False)
    p.add_argument("--why", metavar="TEXT", default="", help=c.text("person.why"))
    p.add_argument("--yes", action="store_true", help=c.text("forget.yes"))


def _add_planning_commands(c: _Commands) -> None:
    p = c.command("run")
    c.chain(p)
    c.as_of(p)
    p.add_argument("--out", type=Path, metavar="DIR", help=c.text("run.out"))
    c.on_branch(p)

    p = c.command("balance")
    c.chain(p)
    c.as_of(p)
    p.add_argument("--out", type=Path, metavar="DIR", help=c.text("balance.out"))
    p.add_argument("--gap", type=_share, metavar="SHARE", default=0.01, help=c.text("balance.gap"))
    p.add_argument("--time-limit", type=_seconds, metavar="S", help=c.text("balance.time_limit"))
    p.add_argument("--warm", type=Path, metavar="DIR", help=c.text("balance.warm"))
    p.add_argument("--door", choices=("auto", "highs", "prices"), default="auto", help=c.text("balance.door"))
    p.add_argument("--whole", action="store_true", help=c.text("balance.whole"))
    c.on_branch(p)
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))

    p = c.command("replenish")
    c.chain(p)
    c.as_of(p)
    p.add_argument("--out", type=Path, metavar="DIR", help=c.text("replenish.out"))
    p.add_argument("--review", type=_positive, metavar="N", default=1, help=c.text("replenish.review"))
    c.on_branch(p)
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))

    p = c.command("quote")
    c.chain(p)
    c.as_of(p)
    p.add_argument("--product", required=True, metavar="PRODUCT", help=c.text("quote.product"))
    p.add_argument("--units", type=_units, metavar="N", default=1.0, help=c.text("quote.units"))
    p.add_argument("--due", type=_day, required=True, metavar="DATE", help=c.text("quote.due"))
    p.add_argument("--market", metavar="MARKET", help=c.text("quote.market"))
    p.add_argument("--from", "--warm", dest="earlier", type=Path, metavar="DIR", help=c.text("quote.from"))
    p.add_argument("--exact", action="store_true", help=c.text("quote.exact"))
    p.add_argument("--gap", type=_share, metavar="SHARE", default=0.01, help=c.text("balance.gap"))
    p.add_argument("--time-limit", type=_seconds, metavar="S", help=c.text("balance.time_limit"))
    p.add_argument("--door", choices=("auto", "highs", "prices"), default="auto", help=c.text("balance.door"))
    c.on_branch(p)
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))


def _add_branch_commands(c: _Commands) -> None:
    p = c.command("branch")
    c.chain(p)
    p.add_argument("name", nargs="?", metavar="NAME", help=c.text("branch.name"))
    p.add_argument("--as-of", metavar="TIME", help=c.text("branch.as_of"))
    p.add_argument("--from", dest="parent", metavar="NAME", help=c.text("branch.from"))
    p.add_argument("--note", metavar="TEXT", help=c.text("branch.note"))
    p.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="TABLE.KEY.COLUMN=VALUE",
        help=c.text("branch.set"),
    )
    p.add_argument(
        "--add", dest="added", action="append", nargs="+", default=[], metavar="WORD", help=c.text("branch.add")
    )
    p.add_argument("--rename", metavar="NAME", help=c.text("branch.rename"))
    p.add_argument("--delete", action="store_true", help=c.text("branch.delete"))
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))

    p = c.command("compare")
    c.chain(p)
    p.add_argument("a", metavar="A", help=c.text("compare.side"))
    p.add_argument("b", metavar="B", help=c.text("compare.side"))
    p.add_argument("--out", type=Path, metavar="DIR", help=c.text("compare.out"))
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))


def _add_server_commands(c: _Commands) -> None:
    p = c.command("serve")
    c.chain(p)
    p.add_argument("--host", default=HOST, metavar="HOST", help=c.text("serve.host"))
    p.add_argument("--port", type=_positive, default=PORT, metavar="N", help=c.text("serve.port"))
    p.add_argument("--tls-certificate", dest="certificate", type=Path, metavar="FILE", help=c.text("serve.certificate"))
    p.add_argument("--tls-key", dest="key", type=Path, metavar="FILE", help=c.text("serve.key"))
    p.add_argument("--behind-proxy", default="", metavar="ADDRESSES", help=c.text("serve.behind_proxy"))
    p.add_argument("--server-folder", type=Path, metavar="DIR", help=c.text("serve.folder"))
    p.add_argument("--log-requests", action="store_true", help=c.text("serve.log_requests"))
    p.add_argument("--webhooks-to-private", action="store_true", help=c.text("serve.webhooks_to_private"))

    p = c.command("people")
    c.chain(p)
    p.add_argument("what", choices=("list", "invite", "reset", "disable", "enable"), help=c.text("people.what"))
    p.add_argument("login", nargs="?", metavar="LOGIN", help=c.text("people.login"))
    p.add_argument("--role", action="append", default=[], metavar="ROLE", help=c.text("people.role"))
    p.add_argument("--firm", metavar="FIRM", help=c.text("people.firm"))
    p.add_argument("--name", metavar="NAME", help=c.text("people.name"))
    p.add_argument("--speaks", choices=LANGUAGES, help=c.text("people.speaks"))
    p.add_argument("--server-folder", type=Path, metavar="DIR", help=c.text("serve.folder"))

    p = c.command("mcp")
    c.chain(p)
    p.add_argument("--as", dest="login", required=True, metavar="LOGIN", help=c.text("mcp.login"))
    p.add_argument("--server-folder", type=Path, metavar="DIR", help=c.text("serve.folder"))


def _add_store_commands(c: _Commands) -> None:
    """Where ledgers are kept."""
    p = c.command("database")
    p.add_argument("address", metavar="ADDRESS", help=c.text("database.address"))
    p.add_argument("--role", required=True, metavar="ROLE", help=c.text("database.role"))
    which = p.add_mutually_exclusive_group()
    help_ = c.text("database.chain")
    which.add_argument("--chain", dest="chains", action="append", default=[], metavar="NAME", help=help_)
    which.add_argument("--every-chain", action="store_true", help=c.text("database.every_chain"))
    p.add_argument("--clean", action="store_true", help=c.text("database.clean"))

    p = c.command("migrate")
    p.add_argument("source", metavar="FROM", help=c.text("migrate.from"))
    p.add_argument("target", metavar="TO", help=c.text("migrate.to"))

    p = c.command("backup")
    c.chain(p)
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help=c.text("backup.out"))


def _add_later_commands(c: _Commands) -> None:
    """What is done with a run, and with history."""
    p = c.command("why")
    p.add_argument("order", metavar="ORDER", help=c.text("why.order"))
    c.chain(p, positional=False)
    c.on_branch(p)

    p = c.command("replay")
    c.chain(p)
    p.add_argument("--buckets", type=_buckets, metavar="N", default=8, help=c.text("replay.buckets_or_all"))
    p.add_argument("--bucket", choices=("week", "day"), help=c.text("replay.bucket"))
    p.add_argument("--promise-days", type=_days, metavar="N", help=c.text("replay.promise_days"))
    p.add_argument("--opening-stock", type=_factor, metavar="F", default=1.0, help=c.text("replay.opening_stock"))
    p.add_argument("--sweep", action="store_true", help=c.text("replay.sweep"))
    p.add_argument("--seed", type=_count, metavar="N", help=c.text("seed"))
    p.add_argument("--out", type=Path, metavar="DIR", help=c.text("replay.out"))

    p = c.command("report")
    c.chain(p)
    p.add_argument("--out", type=Path, metavar="FILE", default=Path("report.html"), help=c.text("report.out"))
    p.add_argument("--run", metavar="RUN", help=c.text("report.run"))
    c.on_branch(p)
    p.add_argument("--buckets", type=_count, metavar="N", default=0, help=c.text("report.buckets"))

    p = c.command("release")
    p.add_argument("orders", nargs="*", metavar="ORDER", help=c.text("release.orders"))
    c.chain(p, positional=False)
    p.add_argument("--due", action="store_true", help=c.text("release.due"))
    p.add_argument("--without", action="append", default=[], metavar="PRODUCT", help=c.text("release.without"))
    p.add_argument("--run", metavar="RUN", help=c.text("release.run"))
    c.on_branch(p, refused=True)

    p = c.command("clock")
    c.chain(p)
    which = p.add_mutually_exclusive_group()
    which.add_argument("--repair", action="store_true", help=c.text("clock.repair"))
    which.add_argument("--believe", action="store_true", help=c.text("clock.believe"))

    p = c.command("offers")
    c.chain(p)
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))

    _add_findings(c)
    for name in ("take", "refuse"):
        p = c.command(name)
        if name == "take":
            p.add_argument("order", metavar="ORDER|FINDING", help=c.text("take.what"))
            p.add_argument("--change", type=_percent, metavar="PERCENT", help=c.text("take.change"))
            p.add_argument("--low", type=_percent, metavar="PERCENT", help=c.text("take.low"))
            p.add_argument("--high", type=_percent, metavar="PERCENT", help=c.text("take.low"))
            p.add_argument("--weeks", type=_positive, metavar="N", default=4, help=c.text("take.weeks"))
        else:
            p.add_argument("order", metavar="ORDER", help=c.text("offers.order"))
        c.chain(p, positional=False)
        p.add_argument("--why", metavar="TEXT", default="", help=c.text("offers.why"))
        c.on_branch(p, refused=True)

    p = c.command("exchange")
    c.chain(p)
    p.add_argument("--drop", type=Path, metavar="DIR", help=c.text("exchange.drop"))
    p.add_argument("--dry-run", action="store_true", help=c.text("exchange.dry_run"))
    p.add_argument("--again", action="append", default=[], metavar="FIRM", help=c.text("exchange.again"))
    c.on_branch(p, refused=True)


def _add_findings(c: _Commands) -> None:
    p = c.command("voice")
    c.chain(p)
    p.add_argument("--most", type=_count, metavar="N", default=MOST_CLAUSES, help=c.text("voice.most"))

    """What the market shows, what is decided about it, and what came of that."""
    p = c.command("findings")
    c.chain(p)
    p.add_argument("--as-of", metavar="TIME", help=c.text("as_of"))
    c.on_branch(p)
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))

    p = c.command("dismiss")
    p.add_argument("finding", metavar="FINDING", help=c.text("findings.finding"))
    c.chain(p, positional=False)
    p.add_argument("--why", metavar="TEXT", default="", help=c.text("findings.why"))
    c.on_branch(p, refused=True)

    p = c.command("effect")
    p.add_argument("finding", metavar="FINDING", help=c.text("findings.finding"))
    c.chain(p, positional=False)
    p.add_argument("--as-of", metavar="TIME", help=c.text("as_of"))
    p.add_argument("--format", choices=("text", "json"), default="text", help=c.text("format"))


_ARGPARSE_WORDS = {
    "usage: ": "usage",
    "options": "options",
    "positional arguments": "positional",
    "show this help message and exit": "help",
    "show program's version number and exit": "version",
    "%(prog)s: error: %(message)s\n": "error",
    "the following arguments are required: %s": "required",
    "unrecognized arguments: %s": "unrecognized",
    "invalid choice: %(value)r (choose from %(choices)s)": "choice",
    "expected one argument": "one_argument",
    "invalid %(type)s value: %(value)r": "value",
}


def _version() -> str:
    from datong import __version__

    return f"datong {__version__}"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _percent(text: str) -> float:
    """'+20%', '20' or '-15 %' as a share: 0.2, 0.2, -0.15."""
    return float(text.strip().removesuffix("%").strip()) / 100


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _buckets(text: str) -> int | None:
    return None if text == "all" else _positive(text)


def _factor(text: str) -> float:
    number = float(text)
    if not 0 < number <= MOST_FACTOR:
        raise ValueError(text)
    return number


def _days(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST_DAYS:
        raise ValueError(text)
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError(text)
    return number


def _units(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


# What argparse calls a value in "invalid ... value".
_positive.__name__ = "N >= 1"
_count.__name__ = "N >= 0"
_buckets.__name__ = "N >= 1 | all"
_factor.__name__ = f"0 < F <= {MOST_FACTOR}"
_share.__name__ = "0 <= SHARE <= 1"
_seconds.__name__ = "S > 0"
_units.__name__ = "N > 0"
_day.__name__ = "YYYY-MM-DD"
_days.__name__ = f"0 <= N <= {MOST_DAYS}"


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one command. 0: done; 1: findings with errors; 2: refused, with the reason; 3: a question that nobody
    answered; 130: interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    language = language_of(words, dict(os.environ))
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show Chinese must not end the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    options = parser(language).parse_args(words)
    from datong.app.cli.quick_start import leave_pandas_until_asked

    collect_seldom()
    leave_pandas_until_asked()
    from datong.app.cli import commands, try_export
    from datong.app.cli.ledger_commands import keep_where_asked
    from datong.model.errors import Asked, BadInput, DatongError

    try:
        keep_where_asked(options)
        return {**commands.ANSWERS, "try": try_export.answer_try}[options.command](options, language)
    except DatongError as error:
        findings = error.findings if isinstance(error, BadInput) else ()
        if getattr(options, "format", "text") == "json":
            commands.print_failure(error.message, findings, language)
        else:
            commands.print_findings(findings, language)
        print(error.message.text(language), file=sys.stderr)  # noqa: T201
        if isinstance(error, Asked):
            return EXIT_ASKED
        return EXIT_FINDINGS if isinstance(error, BadInput) else EXIT_REFUSED
    except OSError as error:
        print(say("cli.os_error", language, error=error), file=sys.stderr)  # noqa: T201
        return EXIT_REFUSED
    except (KeyboardInterrupt, EOFError):  # the end of what is typed at a question, too
        print(say("cli.interrupted", language), file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED
