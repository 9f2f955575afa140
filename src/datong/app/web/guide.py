"""The guide over the demo's pages: one short step at a time, on top of the page, until it is closed."""

from collections.abc import Mapping

from nicegui import ui

from datong.app.service.guide import Step, close_guide, guide, next_step
from datong.app.service.roles_and_permissions import Who
from datong.app.web.layout import action
from datong.app.web.page_elements import words
from datong.app.web.visit import Visit


async def lead(visit: Visit, page: str, paths: Mapping[str, str]) -> None:
    """Show where somebody is led, if they are. page: that they have open. paths: of the pages, by name."""
    step = await visit.asked(lambda who: guide(visit.served, who))
    if step is None:
        return
    with ui.element("section").classes("card guide") as box:
        box.props["aria-label"] = visit.say("web_guide.name")
        words("strong", visit.say("web_guide.step", number=step.number, of=step.of))
        words("p", visit.say(f"web_guide.{step.page}"))
        with ui.element("div").classes("line"):
            if step.page != page:
                called = visit.say(f"web.page.{step.page}")
                action(visit.say("web_guide.go", page=called), lambda: ui.navigate.to(paths[step.page]), "main")
            else:
                text = "web_guide.end" if step.number == step.of else "web_guide.next"
                action(visit.say(text), lambda: _go_on(visit, step, paths), "main")
            action(visit.say("web_guide.close"), lambda: _close(visit, box), "quiet")


async def _go_on(visit: Visit, step: Step, paths: Mapping[str, str]) -> None:
    found = await visit.asked(lambda who: (next_step(visit.served, who, step.page),))
    if found is not None:
        ui.navigate.to(visit.path if found[0] is None else paths[found[0].page])


async def _close(visit: Visit, box: ui.element) -> None:
    def task(who: Who) -> bool:
        close_guide(visit.served, who)
        return True

    if await visit.asked(task):
        box.delete()
