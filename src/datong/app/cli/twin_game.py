"""`datong twin`: a made-up market as a folder, which any planning system can play."""

import argparse
from datetime import timedelta

import pyarrow.compute as pc

from datong.app.cli import terminal
from datong.app.wording import figures
from datong.model.words import say


def answer(options: argparse.Namespace, language: str) -> int:
    return {"start": _start, "week": _week, "score": _score}[options.what](options, language)


def _start(options: argparse.Namespace, language: str) -> int:
    from datong.app import twin_folder
    from datong.replay.twin.parameters import TwinSettings
    from datong.replay.twin.stated_chain import LINE, line_hours

    settings = TwinSettings(
        products=options.products, history_weeks=options.history, seed=options.seed, fault_week=options.fault_week
    )
    market = twin_folder.start(options.folder, settings).market
    words = {"products": options.products, "folder": options.folder, "day": f"{market.now:%Y-%m-%d}"}
    terminal.line(say("twin.started", language, **words, line=LINE, hours=f"{line_hours(market):g}"))
    terminal.line(say("twin.next", language, folder=options.folder))
    return 0


def _week(options: argparse.Namespace, language: str) -> int:
    from datong.app import twin_folder

    game, read = twin_folder.play_week(options.folder, options.orders)
    market = game.market
    if read is None:
        terminal.line(say("twin.caught_up", language, folder=options.folder, now=f"{market.now:%Y-%m-%d}"))
        return 0
    began, sales = market.now - timedelta(weeks=1), game.tables()["sales"]
    sold = pc.sum(pc.filter(sales["units"], pc.greater_equal(sales["happened_at"], began))).as_py() or 0.0
    words = {
        "day": f"{began:%Y-%m-%d}",
        "now": f"{market.now:%Y-%m-%d}",
        "orders": len(read.wanted),
        "waiting": len(game.queue),
        "sold": f"{sold:,.0f}",
        "shelves": int((market.stock + market.faulty <= 0).sum()),
    }
    terminal.line(say("twin.played", language, **words))
    if read.later or read.other_kind:
        words = {"file": options.orders, "later": read.later, "other": read.other_kind}
        terminal.line(say("twin.left_out", language, **words))
    return 0


def _score(options: argparse.Namespace, language: str) -> int:
    from datong.app import twin_folder

    found = twin_folder.score(options.folder)
    profit, rule = (figures.number(money) for money in (found.profit, found.rule_profit))
    terminal.line(say("twin.score", language, weeks=found.weeks, profit=profit, rule=rule))
    terminal.line(say("twin.terms", language, **{name: figures.number(money) for name, money in found.terms.items()}))
    return 0
