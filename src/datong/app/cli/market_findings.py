"""The commands about findings of the market: list, take, dismiss, and what came of one."""

import argparse
import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
from rich.console import Console
from rich.text import Text

from datong.app import market_findings
from datong.app.chain import Chain
from datong.app.cli import terminal
from datong.app.cli.open_chain import opened
from datong.app.wording import figures
from datong.app.wording.columns import coded
from datong.app.wording.market_findings import attribute_words, decision_words, strength_words
from datong.app.wording.names import Names
from datong.model.errors import Refused
from datong.model.flow import DISMISSED, TAKEN
from datong.model.words import message, say
from datong.network.finding_decisions import Change

if TYPE_CHECKING:  # they import every stage
    from datong.questions.decision_effect import EffectResult
    from datong.questions.hours_to_order import HoursToOrder
    from datong.questions.market_findings import MarketFinding
    from datong.questions.market_findings_shown import MarketNow

# Most orders that are named with a finding.
ORDERS_NAMED = 5
# Most values of attributes at either end of the list.
VALUES_NAMED = 5
# A share of change that is less is none.
NO_SHARE = 0.005
# What a share can be, at least and at most.
SHARES = (-1.0, 100.0)


def answer_voice(options: argparse.Namespace, language: str) -> int:
    from datong.app.plugged_voice import ask, plugged

    with opened(options.chain, language) as chain:
        model = plugged(chain)
        to = {"address": model.settings.address, "model": model.settings.model}
        terminal.line(say("plugged.to", language, **to))
        with terminal.reading(say("findings.working", language), language) as on_read:
            heard = ask(chain, model, model.settings.at_once, options.most, lambda done: on_read("reviews", done))
        counts = asdict(heard) | {"neither": heard.answered - heard.good - heard.bad}
        terminal.line(say("plugged.heard", language, **counts))
        left = heard.unsure - heard.known - heard.answered
        if left > 0:
            terminal.line(say("plugged.left", language, left=left))
    return 0


def answer_findings(options: argparse.Namespace, language: str) -> int:
    from datong.questions.market_findings import findings_as_table
    from datong.questions.tables_out import rendered

    with opened(options.chain, language, options.branch) as chain:
        with terminal.reading(say("findings.working", language), language):
            now = market_findings.market_now(chain, options.as_of)
        if options.format == "json":
            rows = rendered({"findings": findings_as_table(now.findings)}, language)["findings"].to_pylist()
            does = [{"does": one.proposal.text(language)} for one in now.findings]
            told = [row | more for row, more in zip(rows, does, strict=True)]
            terminal.data(json.dumps(told, ensure_ascii=False, indent=1, default=str, allow_nan=False))
        else:
            hours = market_findings.hours_to_order(chain, chain.state(options.as_of))
            show_findings(now, hours, chain, language)
    return 0


def show_findings(
    now: "MarketNow",
    hours: "HoursToOrder",
    chain: Chain,
    language: str,
    console: Console | None = None,
) -> None:
    console, found = console or terminal.make_console(), now.findings
    if found:
        console.print(Text(say("findings.head", language, count=len(found)), style="bold"))
    else:
        console.print(Text(say("findings.none", language)))
    for one in found:
        console.print(Text(f"  {one.finding}", style="bold"))
        for line in _lines(one, chain, language):
            console.print(Text(f"    {line}"))
    _show_attributes(now.attributes, console, language)
    for said in (now.less, hours.text):
        if said:
            console.print(Text(figures.one_after_another([one.text(language) for one in said], language)))
    if found:
        console.print(Text(say("findings.how", language), style="dim"))


def _show_attributes(attributes: pa.Table, console: Console, language: str) -> None:
    """The values that will gain most and those that will lose most, and how many lie between."""
    rows = attributes.to_pylist()
    if not rows:
        return
    console.print(Text(say("findings.attributes_head", language), style="bold"))
    ends = VALUES_NAMED
    first, last = (rows, []) if len(rows) <= 2 * ends else (rows[:ends], rows[-ends:])
    for row in first:
        console.print(Text(f"    {attribute_words(row, language)}"))
    if last:
        console.print(Text(f"    {say('findings.attributes_more', language, count=len(rows) - 2 * ends)}"))
    for row in last:
        console.print(Text(f"    {attribute_words(row, language)}"))


def _lines(one: "MarketFinding", chain: Chain, language: str) -> list[str]:
    zone = chain.settings.calendar.zone
    lines = [f"[{coded('kind', one.kind, language)}] {one.text.text(language)}", "-> " + one.proposal.text(language)]
    lines += [decided] if (decided := decision_words(one, zone, language)) else []
    shown, facts = one.signal if one.signal is not None else one.decision, []
    if change := strength_words(one.strength, language):
        facts.append(say("findings.change", language, change=change))
    if shown is not None and shown.evidence:
        facts.append(say("findings.rows", language, count=len(shown.evidence), table=shown.evidence_table))
    if one.known_since is not None:
        facts.append(say("findings.known_since", language, day=one.known_since.astimezone(zone).date()))
    if one.orders:
        names = ", ".join(one.orders[:ORDERS_NAMED]) + (" ..." if len(one.orders) > ORDERS_NAMED else "")
        facts.append(say("findings.orders", language, count=len(one.orders), orders=names))
    return [*lines, "; ".join(facts)] if facts else lines


def take(chain: Chain, options: argparse.Namespace, language: str) -> int:
    return _decide(chain, options.order, TAKEN, options.why, language, _change(chain, options))


def answer_dismiss(options: argparse.Namespace, language: str) -> int:
    with opened(options.chain, language, options.branch) as chain:
        return _decide(chain, options.finding, DISMISSED, options.why, language, None)


def _change(chain: Chain, options: argparse.Namespace) -> Change | None:
    """The change of demand that goes with a finding, from the first open bucket on. Raises Refused for what is none."""
    shares = (options.low, options.change, options.high)
    if options.change is None:
        if (options.low, options.high) != (None, None):
            raise Refused(message("findings.change_bounds"))
        return None
    low, share, high = (options.change if value is None else value for value in shares)
    if not low <= share <= high:
        raise Refused(message("findings.change_order"))
    if not SHARES[0] <= low <= high <= SHARES[1]:
        raise Refused(message("findings.change_bounds"))
    first = chain.state(names=()).first_open_bucket
    return Change(first, first + timedelta(weeks=options.weeks), share, low, high)


def _decide(chain: Chain, name: str, state: str, why: str, language: str, change: Change | None) -> int:
    one = market_findings.decide_finding(chain, name, state, why, change)
    terminal.line(say(f"findings.{state}", language, finding=one.finding, does=one.proposal.text(language)))
    return 0


def answer_effect(options: argparse.Namespace, language: str) -> int:
    with opened(options.chain, language) as chain:
        with terminal.reading(say("findings.working", language), language):
            told = market_findings.effect_of_finding(chain, options.finding, options.as_of)
        if options.format == "json":
            terminal.data(json.dumps(_record(told, language), ensure_ascii=False, indent=1, default=str))
        else:
            show_effect(told, Names({"products": chain.state(options.as_of).table("products")}), language)
    return 0


def _record(told: "EffectResult", language: str) -> dict[str, object]:
    found = told.estimate
    figures = ("share", "low", "high", "level", "p_value", "fell_back", "placebos", "late_weeks")
    return {
        "finding": told.finding,
        "text": told.text.text(language),
        "since": told.since,
        **{name: None if found is None else getattr(found, name) for name in figures},
        "like": list(told.like),
        "left_out": list(told.left_out),
        "weeks": told.table().to_pylist(),
    }


def show_effect(told: "EffectResult", names: Names, language: str) -> None:
    terminal.line(told.text.text(language))
    found = told.estimate
    if found is not None:
        like = ", ".join(names.called(product) for product in told.like[:ORDERS_NAMED])
        percent = f"{found.p_value:.0%}"
        words = {"count": len(told.like), "like": like, "placebos": found.placebos, "percent": percent}
        terminal.line(say("findings.effect_control", language, **words))
        if abs(found.fell_back) >= NO_SHARE:
            terminal.line(say("findings.effect_fell_back", language, share=f"{found.fell_back:+.0%}"))
    if told.left_out:
        some = ", ".join(names.called(product) for product in told.left_out[:ORDERS_NAMED])
        products = some + (" ..." if len(told.left_out) > ORDERS_NAMED else "")
        terminal.line(say("findings.effect_left_out", language, products=products))
