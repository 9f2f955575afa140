"""`datong findings`: what the market shows, what the plan does with it, what people decided, and the orders behind it.

A finding is a signal of `sense` with everything that came of it. Its id begins anew where its days move: what was
decided about it is matched by kind, subject and days (network/finding_decisions.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.errors import NotFound, Refused
from datong.model.flow import DISMISSED, TAKEN, Signal, Subject
from datong.model.words import Message, message
from datong.network.demand_statements import statements
from datong.network.finding_decisions import Change, Decision, decision_about, decisions, stem
from datong.questions.finding_strength import (
    LEADING_KINDS,
    PRICED_KINDS,
    STATED_KINDS,
    Factors,
    Strength,
    adjustment_rows,
    kept_adjustment_rows,
    spans_of,
    strength_of,
)
from datong.questions.tables_out import ATTRIBUTES_SCHEMA, attributes_as_table, message_of, params_json
from datong.questions.weeks_sold import WeeksSold, weeks_of_run, weeks_of_series
from datong.sense.attribute_findings import ATTRIBUTE_KINDS
from datong.sense.change_found import by_name, who
from datong.sense.signals import sense

# Weeks for which what was said is listed when it is over.
OVER_WEEKS = 26
# Most ids of orders and of findings that a sentence names.
MOST_NAMED = 5


@dataclass(frozen=True)
class MarketFinding:
    """One finding.

    signal: what was found or said; None where a decision stands about one that is no longer found. decision: None where
    nobody decided. known_since: moment of the first kept run that showed it; None: no run has. orders: of the last kept
    run, those that have it among their reasons. about: its subject as a person names it, products by name and code.
    strength: None where nothing is found any more, and nobody said how much.
    """

    finding: str
    kind: str
    subject: Subject
    first: date
    last: date
    signal: Signal | None
    decision: Decision | None = None
    known_since: datetime | None = None
    orders: tuple[str, ...] = ()
    about: Message | str = ""
    strength: Strength | None = None

    @property
    def text(self) -> Message:
        """What it says."""
        if self.signal is not None:
            return self.signal.text
        words = {"who": self.about, "kind": message(f"code.kind_{self.kind}"), "first": self.first, "last": self.last}
        return message("findings.over" if self.kind in STATED_KINDS else "findings.no_longer", **words)

    @property
    def proposal(self) -> Message:
        """What the plan does with it."""
        state = "" if self.decision is None else self.decision.state
        change = None if self.decision is None else self.decision.change
        if state == TAKEN and change is not None:
            days = {"first": change.first, "last": change.after - timedelta(days=1)}
            return message("findings.does_change", percent=f"{change.share:+.0%}", **days)
        if self.signal is None:
            return message("findings.does_nothing_now")
        if self.kind in STATED_KINDS:
            return message("findings.does_nothing_dismissed" if state == DISMISSED else "findings.does_stated")
        if self.kind == "anomaly":
            return message("findings.does_counts" if state == DISMISSED else "findings.does_left_out")
        if self.kind in LEADING_KINDS:
            return message("findings.does_nothing_dismissed" if state == DISMISSED else "findings.does_lead")
        if self.kind in PRICED_KINDS:
            key = "does_nothing_dismissed" if state == DISMISSED else "does_lead"
            return message(f"findings.{key}" if self.signal.q_value is not None else "findings.does_nothing_known")
        if self.kind in ATTRIBUTE_KINDS:
            return message("findings.does_range")
        if self.kind == "calendar":
            return message("findings.does_calendar")
        if self.signal.evidence_table != "sales":
            return message("findings.does_look")
        return message("findings.does_follow")


@dataclass(frozen=True, eq=False)
class Seen:
    """What a run found, or `sense` finds. weeks: demand by week; None where no whole week is closed. attributes: what
    their values will be (ATTRIBUTES_SCHEMA); no rows of a run that an earlier version kept."""

    signals: tuple[Signal, ...]
    adjustments: Factors
    weeks: WeeksSold | None
    attributes: pa.Table


def seen_by_sense(state: State) -> Seen:
    found, bucket_days = sense(state), state.settings.calendar.bucket_days
    weeks = weeks_of_series(found.series, bucket_days)
    told = attributes_as_table(found.attributes)
    return Seen(found.signals, adjustment_rows(found.adjustments), weeks, told)


def seen_by_run(state: State, tables: Mapping[str, pa.Table]) -> Seen:
    """tables: of a kept run at the state's moment."""
    products = state.table("products").select(["product", "category_a"]).to_pydict()
    categories = dict(zip(*products.values(), strict=True))
    weeks = weeks_of_run(tables, state.settings.calendar.bucket_days, categories)
    told = tables.get("attributes", ATTRIBUTES_SCHEMA.empty_table())
    return Seen(signals_of_run(tables), kept_adjustment_rows(tables), weeks, told)


def market_findings(
    state: State, runs: Sequence[tuple[datetime, Mapping[str, pa.Table]]] = (), seen: Seen | None = None
) -> list[MarketFinding]:
    """What is found at the state's moment, what was said of the last OVER_WEEKS and is over, and what was decided about
    earlier ones that are no longer found.

    runs: kept runs, oldest first: moment, and tables `signals`; of the last also `reasons`. seen: what is found at the
    state's moment, where it is at hand. In the order of sense; then by the moment of the decision.
    """
    there = seen_by_sense(state) if seen is None else seen
    spans = spans_of(state, there.adjustments)
    made, called = decisions(state), by_name(state)
    found = [_of_signal(s, decision_about(s, made)) for s in there.signals if s.kind != "taken"]
    found = _with_statements(state, found, made)
    told = {id(one.decision) for one in found if one.decision is not None}
    found += [_of_decision(one) for one in made if id(one) not in told]
    past = [(moment, _by_name(tables["signals"].to_pylist())) for moment, tables in runs]
    orders = _orders(*(runs[-1][1][name] for name in ("signals", "reasons"))) if runs else {}
    result = []
    for one in found:
        shown = {row["signal"] for row in _same(one, past[-1][1])} if past else set()
        named = sorted({order for name in (*shown, f"{TAKEN} {one.finding}") for order in orders.get(name, ())})
        since = next((moment for moment, rows in past if any(True for _ in _same(one, rows))), None)
        about = who(one.subject, called)
        strength = strength_of(state, one.finding, one.signal, there.weeks, spans)
        result.append(replace(one, known_since=since, orders=tuple(named), about=about, strength=strength))
    return result


def _with_statements(state: State, found: Sequence[MarketFinding], made: Sequence[Decision]) -> list[MarketFinding]:
    """With all days of what is said, also those before the open buckets, and with what is over."""
    said = {one.signal: one for one in statements(state) if one.kind != "taken"}
    there = {one.finding for one in found}
    result = [
        replace(one, first=said[one.finding].first, last=said[one.finding].last) if one.finding in said else one
        for one in found
    ]
    since = state.first_open_bucket - timedelta(weeks=OVER_WEEKS)
    decided_on = {one.finding: one for one in made}
    for name, one in said.items():
        if name not in there and since < one.after <= state.first_open_bucket:
            subject = Subject("product", one.product, one.market or "all")
            over = MarketFinding(name, one.kind, subject, one.first, one.last, None, decided_on.get(name))
            result.append(over)
    return result


def _of_signal(signal: Signal, decision: Decision | None) -> MarketFinding:
    return MarketFinding(signal.signal, signal.kind, signal.subject, signal.first, signal.last, signal, decision)


def _of_decision(one: Decision) -> MarketFinding:
    return MarketFinding(one.finding, one.kind, one.subject, one.first, one.last, None, one)


# Rows of a run's signals by what stays when the days of a finding move: kind, subject, and its id without the day.
_Named = Mapping[tuple[str, Subject, str], Sequence[Mapping[str, Any]]]


def _by_name(rows: Iterable[Mapping[str, Any]]) -> _Named:
    found: dict[tuple[str, Subject, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        subject = Subject(row["subject_kind"], row["subject_name"], row["market"])
        found[row["kind"], subject, stem(row["signal"])].append(row)
    return found


def _same(one: MarketFinding, rows: _Named) -> Iterable[Mapping[str, Any]]:
    """The rows that show the finding: by its id, or by its name in days that overlap."""
    for row in rows.get((one.kind, one.subject, stem(one.finding)), ()):
        if row["signal"] == one.finding or (row["first"] <= one.last and one.first <= row["last"]):
            yield row


def _orders(signals: pa.Table, reasons: pa.Table) -> dict[str, set[str]]:
    """Orders by the id of the signal that is among their reasons; by 'taken FINDING' those of a change that was taken
    with a finding."""
    ids = _signals_by_text(signals)
    found: dict[str, set[str]] = defaultdict(set)
    for row in reasons.filter(pc.equal(reasons["stage"], "sense")).to_pylist():
        for name in ids.get((row["text_key"], row["text_params"]), ()):
            found[name].add(row["order"])
    return found


def _signals_by_text(signals: pa.Table) -> dict[tuple[str, str], set[str]]:
    """Ids of signals, or 'taken FINDING', by what they say: in one run a reason says it in the same words."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in signals.select(["signal", "kind", "text_key", "text_params"]).to_pylist():
        key = row["text_key"], row["text_params"]
        taken = f"{TAKEN} {dict(message_of(*key).params).get('name')}"
        ids[key].add(taken if row["kind"] == "taken" else row["signal"])
    return ids


def signals_of_run(tables: Mapping[str, pa.Table]) -> tuple[Signal, ...]:
    """The signals that a run found, read back from its table."""
    return tuple(
        Signal(
            signal=row["signal"],
            kind=row["kind"],
            subject=Subject(row["subject_kind"], row["subject_name"], row["market"]),
            **{name: row[name] for name in _PLAIN_FIELDS},
            evidence=tuple(row["evidence"] or ()),
            text=message_of(row["text_key"], row["text_params"]),
            decision=row.get("decision") or "",
            since=row.get("since"),
        )
        for row in tables["signals"].to_pylist()
    )


# Fields of a signal that its row holds as they are.
_PLAIN_FIELDS = ("first", "last", "strength", "effect_share", "effect_units", "p_value", "q_value", "evidence_table")


def the_finding(found: Sequence[MarketFinding], name: str) -> MarketFinding:
    """The finding of an id, or of the only one whose id begins so. Raises NotFound, Refused where several do."""
    exact = [one for one in found if one.finding == name]
    if exact:
        return exact[0]
    begun = [one for one in found if name and one.finding.startswith(name)]
    if len(begun) == 1:
        return begun[0]
    names = [one.finding for one in (begun or found)]
    some = ", ".join(names[:MOST_NAMED]) + (f" ... ({len(names)})" if len(names) > MOST_NAMED else "")
    if begun:
        raise Refused(message("findings.several", name=name, findings=some))
    raise NotFound(message("findings.none_of", name=name, findings=some or "-"))


def decided(one: MarketFinding, state: str, moment: datetime, why: str, by: str, change: Change | None) -> Decision:
    """A decision about a finding. Raises Refused for a change of demand with one that is not about a product, or with
    one that is said and has its own."""
    if change is not None and one.subject.kind != "product":
        raise Refused(message("findings.change_of_product", finding=one.finding))
    if change is not None and one.kind in STATED_KINDS:
        raise Refused(message("findings.change_is_stated", finding=one.finding))
    signal, before = one.signal, one.decision
    evidence = ("", ()) if before is None else (before.evidence_table, before.evidence)
    if signal is not None:
        evidence = (signal.evidence_table, signal.evidence)
    return Decision(
        one.finding if before is None else before.finding,
        state,
        one.kind,
        one.subject,
        one.first,
        one.last,
        moment,
        change,
        *evidence,
        reason=why,
        decided_by=by,
    )


FINDINGS_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("finding", "kind", "subject_kind", "subject_name", "market")),
        ("first", pa.date32()),
        ("last", pa.date32()),
        *((name, pa.float64()) for name in ("strength", "effect_share", "low_share", "high_share")),
        *((name, pa.float64()) for name in ("effect_units", "q_value")),
        ("known_since", pa.timestamp("us", tz="UTC")),
        *((name, pa.string()) for name in ("decision", "decided_by", "reason")),
        ("decided_at", pa.timestamp("us", tz="UTC")),
        ("orders", pa.list_(pa.string())),
        ("evidence_table", pa.string()),
        ("evidence", pa.list_(pa.string())),
        ("text_key", pa.string()),
        ("text_params", pa.string()),
    ]
)


def findings_as_table(found: Sequence[MarketFinding]) -> pa.Table:
    """A row a finding. low_share, high_share: nine times in ten effect_share lies between them. effect_units: units a
    week; null figures: it is said, not found, or found no longer."""
    return pa.Table.from_pylist([_record(one) for one in found], schema=FINDINGS_SCHEMA)


def _record(one: MarketFinding) -> dict[str, Any]:
    signal, made = one.signal, one.decision
    figures = ("strength", "effect_share", "effect_units", "q_value")
    shown = signal if signal is not None else made
    return {
        "finding": one.finding,
        "kind": one.kind,
        "subject_kind": one.subject.kind,
        "subject_name": one.subject.name,
        "market": one.subject.market,
        "first": one.first,
        "last": one.last,
        **{name: None if signal is None else getattr(signal, name) for name in figures},
        "low_share": None if one.strength is None else one.strength.low,
        "high_share": None if one.strength is None else one.strength.high,
        "known_since": one.known_since,
        "decision": None if made is None else made.state,
        "decided_by": None if made is None else made.decided_by or None,
        "reason": None if made is None else made.reason or None,
        "decided_at": None if made is None else made.made_at,
        "orders": list(one.orders),
        "evidence_table": None if shown is None else shown.evidence_table,
        "evidence": [] if shown is None else list(shown.evidence),
        "text_key": one.text.key,
        "text_params": params_json(one.text),
    }
