"""The difference of two plans, in a window over the page Plan."""

from nicegui import ui

from datong.app.service.plan_differences import Difference, KeptRun, difference, runs
from datong.app.web.layout import action, heading
from datong.app.web.page_elements import moment_words
from datong.app.web.visit import Visit
from datong.app.wording import figures

# Orders that are shown at once.
MOST_SHOWN = 200


async def show_differences(visit: Visit) -> None:
    """Ask which plan the last one is to be held against, and show what differs."""
    kept = await visit.asked(lambda who: runs(visit.served, who))
    if kept is None:
        return
    if len(kept) < 2:
        visit.tell(visit.say("web_plan.one_run"), "info")
        return
    with visit.client, ui.dialog(value=True) as dialog, ui.card().classes("window"):
        with ui.element("div").classes("line"):
            heading(visit.say("web_plan.difference"))
            ui.element("span").classes("grow")
            action(visit.say("web.close"), dialog.close, "quiet")
        words = {one.run: _called(visit, one) for one in kept}
        with ui.element("div").classes("line"):
            before = ui.select(words, value=kept[1].run, label=visit.say("web_plan.plan_a")).props("outlined dense")
            after = ui.select(words, value=kept[0].run, label=visit.say("web_plan.plan_b")).props("outlined dense")

            async def compare() -> None:
                a, b = str(before.value), str(after.value)
                found = await visit.asked(lambda who: difference(visit.served, who, a, b))
                place.clear()
                if found is not None:
                    with place:
                        _shown(visit, found)

            action(visit.say("web_plan.compare"), compare, "main")
        place = ui.element("div")
        await compare()


def _called(visit: Visit, one: KeptRun) -> str:
    return f"{one.run} · {moment_words(visit, one.made_at)}"


def _shown(visit: Visit, found: Difference) -> None:
    language = visit.language
    costs = [figures.money(cost, found.currency, language) for cost in found.cost]
    ui.label(visit.say("web_plan.total_costs", a=costs[0], b=costs[1]))
    counts = [f"{visit.say(f'code.change_{kind}')} {count:,}" for kind, count in sorted(found.counts.items())]
    ui.label(" · ".join(counts)).classes("soft")
    names = ("change", "order", "product", "units_ab", "start_ab", "due_ab")
    with ui.element("div").style("overflow: auto; max-height: 60vh"), ui.element("table").classes("plain"):
        with ui.element("thead"), ui.element("tr"):
            for name in names:
                with ui.element("th").props('scope="col"'):
                    ui.label(visit.say(f"web_plan.difference_{name}"))
        with ui.element("tbody"):
            for row in found.orders.slice(0, MOST_SHOWN).to_pylist():
                became = visit.say(f"code.change_{row['change']}")
                cells = [became, row["order_b"] or row["order_a"], row["product"]]
                cells += [_pair(figures.fitting(row["units_a"]), figures.fitting(row["units_b"]))]
                cells += [
                    _pair(str(row[f"{name}_a"] or "–"), str(row[f"{name}_b"] or "–")) for name in ("start", "due")
                ]
                with ui.element("tr"):
                    for text in cells:
                        with ui.element("td"):
                            ui.label(text)
    if found.orders.num_rows > MOST_SHOWN:
        ui.label(visit.say("web_plan.more_rows", count=found.orders.num_rows - MOST_SHOWN)).classes("soft")


def _pair(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"
