"""Orders out and answers in: what is released goes out by e-mail or to the drop folder, answers go into the ledger.

What is meant to go out is in the ledger first, and so is how far each message is: whatever is killed when, an order
goes out at least once, and counts once by its key.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from datong.app.chain import Chain
from datong.app.counter_offers import decided_messages
from datong.app.order_messages_now import messages_now
from datong.app.release_rules import refuse_what_ifs
from datong.connectors.filedrop.drop import FileDrop
from datong.connectors.filedrop.order_sheet import Known
from datong.connectors.inlet_and_outlet import C, Delivered, Inlet, Outcome, Outlet, Refused, chain_tag, delivery_key
from datong.dispatch.answers import READ_FOR_ANSWERS, Answers, answers
from datong.dispatch.counterparty_of_order import other_firms
from datong.ledger.order_life import OrderReport
from datong.ledger.protocol import Intake
from datong.ledger.standings import READ_FOR_STANDINGS, only_orders, order_standings
from datong.ledger.state import State
from datong.model import errors
from datong.model.findings import Finding, finding
from datong.model.flow import OrderMessage
from datong.network.routes import Routes

# Under which the ledger keeps what was found in answers that were taken in, until that is told to whom they are of.
_FOUND = "answers/"
# The rule of answers that were taken in, and could not be put away.
NOT_SETTLED = "dispatch.not_settled"


def file_drop(chain: Chain, folder: Path, language: str) -> FileDrop:
    """The drop folder of a chain, with what its orders are told with."""
    return FileDrop(folder, language, known(chain), chain_tag(chain.settings.name), _name_of(chain, folder))


def known(chain: Chain) -> Known:
    """What orders are told with."""
    read = ("products", "offers", "sites", "firms", "order_events", "recipes", "recipe_steps")
    state = chain.state(names=read)
    products = state.table("products").select(["product", "name", "base_unit"]).to_pylist()
    offers = state.table("offers").select(["offer", "price"]).to_pylist()
    firms = state.table("firms").select(["firm", "language", "name"]).to_pylist()
    gave = set(state.table("order_events")["counterparty"].to_pylist()) - {None}
    return Known(
        {p["product"]: p["name"] for p in products},
        {p["product"]: p["base_unit"] for p in products},
        {o["offer"]: o["price"] for o in offers},
        chain.settings.currency,
        _addresses(state),
        tuple(sorted(gave)),
        {f["firm"]: f["language"] for f in firms if f["language"]},
        other_firms(state) | {f["firm"] for f in firms},
        {f["firm"]: f["name"] for f in firms if f["name"]},
        Routes.of(state).places,
    )


def firm_names(chain: Chain) -> dict[str, str]:
    """Names of firms by code."""
    rows = chain.state(names=("firms",)).table("firms").select(["firm", "name"]).to_pylist()
    return {row["firm"]: row["name"] for row in rows if row["name"]}


def _addresses(state: State) -> dict[str, str]:
    """By site; the only one that takes deliveries also under ''."""
    sites = [s for s in state.table("sites").select(["site", "kind", "address"]).to_pylist() if s["address"]]
    here = {s["address"] for s in sites if s["kind"] != "supplier"}
    return {s["site"]: s["address"] for s in sites} | ({"": next(iter(here))} if len(here) == 1 else {})


def _name_of(chain: Chain, folder: Path) -> str:
    """The drop folder as the chain's folder has it."""
    place, home = folder.resolve(), chain.folder.resolve()
    return f"drop:{place.relative_to(home) if place.is_relative_to(home) else place}"


def anybody(_counterparty: str) -> bool:
    """Serves every counterparty."""
    return True


def exchange(
    chain: Chain,
    outlet: Outlet,
    inlet: Inlet[C],
    serves: Callable[[str], bool] = anybody,
    heard: Callable[[C, Sequence[Finding]], None] | None = None,
    told_later: bool = False,
) -> tuple[tuple[Outcome, ...], int, tuple[Finding, ...]]:
    """Take in what came back, and deliver what is released then: who answered already is told so. Gives what became of
    each delivery, the report rows taken in, and findings: of what was refused or could not be reached, too. serves:
    counterparties that this way out is for. heard: is given what came back, and what was found in it. told_later:
    whoever asks tells somebody of it, and calls `forget_told` then; else it counts as told once this returns.

    Raises Refused on a branch. A way in that cannot be read or changed is a finding: what goes out goes out.
    """
    refuse_what_ifs(chain)
    taken, found = _hear(chain, outlet.name, inlet, heard)
    outcomes = _deliver(chain, outlet, serves)
    if not told_later:
        forget_told(chain, outlet.name, found=found)
    return outcomes, taken, (*not_delivered(outcomes), *found)


def _hear(
    chain: Chain, way: str, inlet: Inlet[C], told_to: Callable[[C, Sequence[Finding]], None] | None
) -> tuple[int, tuple[Finding, ...]]:
    """Take in what came back: the report rows taken in, and what was found. way: name of the way in."""
    try:
        collected = inlet.collect(chain.settings.calendar)
    except errors.DatongError as error:
        return 0, (finding("error", "dispatch.not_collected", way, why=error.message),)
    state, kept_under = chain.state(names=READ_FOR_ANSWERS), f"{_FOUND}{way}/"
    heard = answers(state, collected.reports, chain.world_clock(), chain.clock())
    before = chain.ledger.intakes(kept_under)
    taken, odd = _take_in(chain, replace(heard, findings=(*collected.findings, *heard.findings)), kept_under, before)
    untold, sources = _untold(before, heard.findings, collected.findings), {r.source for r in collected.reports}
    of_reports = (*(f for f in untold if f.source in sources), *heard.findings, *odd)
    gone = (f for f in untold if f.source not in sources)  # of sheets that are put away already
    found = (*_taken_before(before, kept_under), *gone, *collected.findings, *of_reports)
    if told_to is not None:
        told_to(collected, of_reports)
    try:
        inlet.settle(collected, of_reports)
    except errors.DatongError as error:
        return taken, (*found, finding("error", NOT_SETTLED, way, why=error.message))
    return taken, found


def take_in_reports(chain: Chain, reports: Sequence[OrderReport], way: str) -> tuple[int, tuple[Finding, ...]]:
    """Take in reports that no file brings, as those of files are: how many order events came in, and what was found.
    The same again changes nothing, and gives what was found once more until `forget_told`. way: its name.

    Only rows of the orders that are named are read one by one. Raises Refused on a branch.
    """
    refuse_what_ifs(chain)
    state, kept_under = chain.state(names=READ_FOR_ANSWERS), f"{_FOUND}{way}/"
    orders = pa.array(sorted({report.event.order for report in reports}), pa.string())
    heard = answers(only_orders(state, orders), reports, chain.world_clock(), chain.clock())
    sources = {kept_under + report.source for report in reports}
    before = [kept for kept in chain.ledger.intakes(kept_under) if kept.place in sources]
    taken, odd = _take_in(chain, heard, kept_under, before)
    return taken, (*_untold(before, heard.findings), *heard.findings, *odd)


def forget_told(chain: Chain, way: str, source: str = "", found: Sequence[Finding] = ()) -> None:
    """Whoever was to be told what was found in answers has been told. source: whose name begins so. found: what was
    told; answers that could not be put away are read again, and what was found in them stays."""
    if any(f"dispatch.{one.code}" == NOT_SETTLED for one in found):
        return
    for kept in chain.ledger.intakes(f"{_FOUND}{way}/{source}"):
        chain.ledger.forget_intake(kept.place)


def _untold(before: Sequence[Intake], *now: Sequence[Finding]) -> tuple[Finding, ...]:
    """What was found before a kill kept it from being told, and is not found again now."""
    again = [found for findings in now for found in findings]
    return tuple(found for kept in before for found in kept.findings if found not in again)


def _taken_before(before: Sequence[Intake], kept_under: str) -> Iterator[Finding]:
    """Of each sheet, how many answers of it were taken in by an exchange that was ended before it told so."""
    for kept in before:
        count = sum(report.added + report.superseded for report in kept.reports if report.table == "order_events")
        if count:
            yield finding("note", "dispatch.taken_before", kept.place.removeprefix(kept_under), count=count)


def waiting(chain: Chain, outlet: Outlet, serves: Callable[[str], bool] = anybody) -> tuple[OrderMessage, ...]:
    """What `exchange` would bring out now, by run. Changes nothing. Raises Refused on a branch, DatongError where it
    cannot be told."""
    refuse_what_ifs(chain)
    noted = chain.ledger.deliveries(outlet.name)
    by_run = sorted(to_deliver(chain).items())
    return tuple(
        m for run, messages in by_run for m in outlet.waiting(_open(chain, outlet, messages, noted, serves), run)
    )


def _deliver(chain: Chain, outlet: Outlet, serves: Callable[[str], bool]) -> tuple[Outcome, ...]:
    """Hand over what is not known to have gone out. That it is to go is noted first; what was noted so before, and
    nothing since, may have arrived: it goes again under the same key, marked as such."""
    noted = chain.ledger.deliveries(outlet.name)
    outcomes: list[Outcome] = []
    for run, messages in sorted(to_deliver(chain).items()):
        open_ = _open(chain, outlet, messages, noted, serves)
        if not open_:
            continue
        now = chain.world_clock()
        chain.ledger.note_deliveries(outlet.name, [m.key for m in open_ if not m.repeated], "sending", now)
        became = outlet.deliver(open_, run)
        unknown = {key for one in became if not isinstance(one, Delivered) for key in one.keys}
        refused = [key for one in became if isinstance(one, Refused) for key in one.keys]
        with chain.ledger.together():
            chain.ledger.note_deliveries(outlet.name, refused, "refused", now)
            sent = [m.key for m in open_ if m.key not in unknown]
            chain.ledger.note_deliveries(outlet.name, sent, "sent", now)
        outcomes += became
    return tuple(outcomes)


def _open(
    chain: Chain,
    outlet: Outlet,
    messages: Sequence[OrderMessage],
    noted: Mapping[str, str],
    serves: Callable[[str], bool],
) -> list[OrderMessage]:
    """Of a run's messages, those that are not known to have gone out, and those that are to go once more. noted: how
    far each is, by key."""
    keyed = [replace(m, key=delivery_key(chain.settings.name, m.key)) for m in messages if serves(m.counterparty)]
    once_more = {m.key for m in outlet.anew([m for m in keyed if noted.get(m.key) in ("sent", "refused")])}
    to_go = [m for m in keyed if noted.get(m.key) in (None, "sending") or m.key in once_more]
    return [replace(m, repeated=m.key in noted) for m in to_go]


def to_deliver(chain: Chain) -> dict[str, list[OrderMessage]]:
    """What counterparties are to be told, by the run that proposed the orders: orders that are released, and what
    became of their offers."""
    found = released_messages(chain)
    for run, messages in decided_messages(chain).items():
        found[run] = [*found.get(run, ()), *messages]
    return found


def _take_in(chain: Chain, heard: Answers, kept_under: str, before: Sequence[Intake]) -> tuple[int, list[Finding]]:
    """Rows into the ledger, file by file, and with those of a file, in one transaction, how many they were and what was
    found in it: whoever is killed before that is told tells it later. before: what was noted so, and not told yet.
    Gives the order events taken in, and what the ledger found."""
    taken, odd = 0, []
    moment, noted = chain.clock(), {kept.place: kept for kept in before}
    for source in sorted({batch.source for batch in heard.batches}):
        found = tuple(f for f in heard.findings if f.source == source)
        earlier = noted.get(kept_under + source, Intake(kept_under + source, "", {}, (), (), ()))
        with chain.ledger.together():
            reports = [
                chain.ledger.ingest(batch.table, batch.rows, None, (), source, moment, by=chain.by)
                for batch in heard.batches
                if batch.source == source
            ]
            new = tuple(report for report in reports if report.added + report.superseded)
            if found or new:
                kept = (*earlier.findings, *(f for f in found if f not in earlier.findings))
                chain.ledger.note_intake(replace(earlier, reports=(*earlier.reports, *new), findings=kept))
        taken += sum(r.added + r.superseded for r in new if r.table == "order_events")
        odd += [f for report in reports for f in report.findings]
    return taken, odd


def delivered(outcomes: Sequence[Outcome]) -> list[Delivered]:
    return [one for one in outcomes if isinstance(one, Delivered)]


def not_delivered(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """A finding for each batch that the other side refused or that may not have arrived."""
    for one in outcomes:
        if not isinstance(one, Delivered):
            rule = "dispatch.not_taken" if isinstance(one, Refused) else "dispatch.not_reached"
            yield finding(
                "error", rule, one.counterparty, source_name=one.counterparty, count=len(one.keys), why=one.why
            )


def released_messages(chain: Chain) -> dict[str, list[OrderMessage]]:
    """Messages of orders that are released and not yet answered, by the run that proposed them."""
    state = chain.state(names=READ_FOR_STANDINGS)
    waiting = {order for order, stand in order_standings(state).items() if stand.state == "released"}
    found = messages_now(chain, state, waiting)
    return {
        run: sorted(told.values(), key=lambda m: (m.counterparty, m.order.start, m.order.order))
        for run, told in found.items()
    }
