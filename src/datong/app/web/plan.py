"""The page Plan: orders on their lines, all orders in a grid, and one of them beside it."""

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui
from starlette.requests import Request

from datong.app.service import releases
from datong.app.service.changes_by_workbook import ORDERS
from datong.app.service.live_events import Event
from datong.app.service.orders_shown import everything
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.web.job_progress import PlanAnew, open_run
from datong.app.web.layout import action, note, static
from datong.app.web.order_columns import COLUMNS, NUMBERS, column_title
from datong.app.web.order_edit_panel import OrderEditPanel
from datong.app.web.page_elements import plan_words
from datong.app.web.plan_differences import show_differences
from datong.app.web.visit import Visit
from datong.app.web.workbooks import bar, show_brought

# What the list can be narrowed to, as filters of grids.Filter.
NARROWED: dict[str, list[list[str]]] = {
    "open": [["state", "in", "proposed,released,offered,accepted,started,partly_done"]],
    "due": [["is_due", "is", "true"]],
    "edited": [["origin", "is", "edit"]],
    "out": [["origin", "is", "out"], ["to_come_units", "from", "0.000001"]],
    "overdue": [["is_overdue", "is", "true"]],
    "late": [["late", "is", "true"]],
    "offered": [["state", "is", "offered"]],
    "all": [],
}
KINDS = ("make", "buy", "move")
LEGEND = ("plan", "edit", "out", "late")
# Widths of the grid's columns, in pixels: on a screen of 1280 the first eight stand beside the panel, the first eleven
# without it.
WIDTHS = {
    "order": 128,
    "state": 104,
    "kind": 64,
    "product": 186,
    "units": 104,
    "start": 94,
    "due": 94,
    "counted_on": 90,
    "needed_by": 100,
    "line": 84,
    "way": 150,
    "site": 120,
    "counterparty": 130,
    "to_come_units": 124,
    "value": 96,
    "cost": 96,
    "late_for": 110,
    "locked": 64,
}


async def build(visit: Visit, request: Request) -> None:
    """The page. Its question may name an order to show, and what the list is narrowed to."""
    for script in ("gantt.js", "order_rows.js"):
        ui.add_head_html(f'<script src="{static(script)}" defer></script>')
    page = _PlanPage(visit, request.query_params.get("show", "open"))
    head = await visit.asked(lambda who: page.head(who))
    await show_brought(visit, request)
    await page.build(head or {})
    name = request.query_params.get("order")
    if name:
        await page.panel.choose(name)


class _PlanPage:
    def __init__(self, visit: Visit, narrowed: str) -> None:
        self.visit = visit
        self.narrowed = narrowed if narrowed in NARROWED else "open"
        self.kind: str | None = None
        self.search = ""
        self.has_sites = False  # whether orders arrive at sites, which then have a column

    def head(self, who: Who) -> dict[str, Any]:
        """What stands above the list."""
        who.require(Permission.SEE_PLAN)
        now = everything(self.visit.served)
        due = releases.to_release(self.visit.served, who)
        told = {"plan": now.plan, "due": due.num_rows, "orders": now.rows.num_rows}
        told["has_sites"] = now.rows["site"].null_count < now.rows.num_rows
        return told | {"job": open_run(self.visit, who)}

    async def build(self, head: dict[str, Any]) -> None:
        visit, self.has_sites = self.visit, bool(head.get("has_sites"))
        with ui.element("div").classes("line"):
            self._top()
            self._fill_top(head)
            PlanAnew(visit, head.get("job"), is_main=head.get("plan") is None)
        if not head.get("orders"):
            note(visit.say("web_plan.empty"))
        else:
            bar(visit, "plan", (ORDERS,), may_change=visit.who.may(Permission.EDIT_ORDERS))
        with ui.element("div").classes("columns"):
            with ui.element("div").classes("wide"):
                self._picture()
                self._bar()
                self._grid()
            self.panel = OrderEditPanel(visit, self.refresh)
        ui.on("order_chosen", self._chosen)
        ui.on("order_moved", lambda e: self.panel.choose(str(e.args["order"]), str(e.args["start"])))
        ui.on("signed_out", self._signed_out)
        visit.follow(("orders", "plan"), self.heard)

    def _top(self) -> None:
        """Of which run the orders are, and what is due to go out: made once, so that a press finds its button."""
        visit = self.visit
        with ui.element("div").classes("line grow"):
            self.of_run = ui.label("").classes("soft")
            ui.element("span").classes("grow")
            self.due = action("", self.release_due)
            self.differences = action(visit.say("web_plan.difference"), lambda: show_differences(visit))

    def _fill_top(self, head: Mapping[str, Any]) -> None:
        visit, plan = self.visit, head.get("plan")
        if plan is not None:
            self.of_run.text = plan_words(visit, plan)
        self.differences.set_visibility(plan is not None)
        self.due.words.text = visit.say("web_plan.release_due", count=head.get("due") or 0)
        self.due.set_visibility(bool(head.get("due")) and visit.who.may(Permission.RELEASE_ORDERS))

    def _picture(self) -> None:
        visit = self.visit
        with ui.element("div").classes("line legend"):
            for name in LEGEND:
                with ui.element("span"):
                    ui.element("span").classes("swatch").style(f"background: var(--{name})")
                    ui.label(visit.say(f"web_plan.mark_{name}")).style("display: inline")
            with ui.element("span"):
                ui.element("span").classes("swatch today")
                ui.label(visit.say("web_plan.mark_today")).style("display: inline")
            ui.label(visit.say("web_plan.how_to_move"))
            ui.label(visit.say("web_plan.choose"))
            ui.element("span").classes("grow")
            with ui.element("span").classes("together"):
                for sign, by, words in (("+", 0.7, "zoom_in"), ("−", 1.4, "zoom_out")):
                    button = action(sign, lambda by=by: self.visit.script(f"datongGantt.zoom({by})"))
                    button.props(f'aria-label="{visit.say(f"web_plan.{words}")}"')
        ui.element("div").classes("picture").props('id="picture"')
        words = {
            "label": visit.say("web_plan.picture"),
            "none": visit.say("web_plan.no_line"),
            "one": visit.say("web_plan.orders_on_line", count=1),
            "many": visit.say("web_plan.orders_on_line", count="{count}"),
        }
        ui.timer(0.05, lambda: self.visit.script(f"datongGantt.draw('picture', {json.dumps(words)})"), once=True)

    def _bar(self) -> None:
        visit = self.visit
        shown = {name: visit.say(f"web_plan.show_{name}") for name in NARROWED}
        kinds = {"": visit.say("web_plan.any_kind")} | {k: visit.say(f"code.kind_{k}") for k in KINDS}
        with ui.element("div").classes("line").style("margin: 8px 0"):
            words = {"shown": visit.say("web_plan.show"), "kind": visit.say("web_plan.kind")}
            ui.select(shown, value=self.narrowed, label=words["shown"], on_change=self._narrow).props("outlined dense")
            ui.select(kinds, value="", label=words["kind"], on_change=self._of_kind).props("outlined dense")
            box = ui.input(visit.say("web_plan.find"), on_change=self._find).style("min-width: 240px")
            box.props('outlined dense debounce="300" type="search"')
            one, many = (visit.say("web_plan.count", count=count) for count in (1, "{count}"))
            ui.element("span").classes("soft").props(
                f'id="order-count" role="status" data-one="{one}" data-many="{many}"'
            )

    def _grid(self) -> None:
        visit = self.visit
        columns = [
            {
                "field": name,
                "headerName": column_title(name, visit.language),
                "width": WIDTHS[name],
                "cellClass": "ag-right-aligned-cell" if name in NUMBERS else "",
                "sortable": True,
                "pinned": "left" if name == "order" else None,
            }
            for name in COLUMNS
            if name != "site" or self.has_sites
        ]
        marks = {f"mark-{mark}": f"data && data.mark === '{mark}'" for mark in LEGEND if mark != "plan"}
        self.grid = ui.aggrid(
            {
                "columnDefs": columns,
                "rowModelType": "infinite",
                "cacheBlockSize": 100,
                "maxBlocksInCache": 30,
                "rowHeight": 30,
                "headerHeight": 34,
                "alwaysShowHorizontalScroll": True,
                "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
                "rowClassRules": marks,
                "localeText": _grid_words(visit),
                ":getRowId": "p => p.data.order",
                ":onRowClicked": "datongOrderRows.choose",
                ":onCellKeyDown": "datongOrderRows.chooseByKey",
                ":datasource": f"datongOrderRows.orders({self._filters()})",
            },
            theme="balham",
            auto_size_columns=False,
        ).classes("orders-grid")

    def _filters(self) -> str:
        """What the list is narrowed to, as a text of JavaScript that holds JSON."""
        kind = [["kind", "is", self.kind]] if self.kind else []
        return json.dumps(json.dumps([*NARROWED[self.narrowed], *kind]))

    def _ask_anew(self) -> None:
        self.visit.script(f"datongOrderRows.ask({self.grid.id}, {self._filters()}, {json.dumps(self.search)})")

    def _narrow(self, event: Any) -> None:
        self.narrowed = event.value
        self._ask_anew()

    def _of_kind(self, event: Any) -> None:
        self.kind = event.value or None
        self._ask_anew()

    def _find(self, event: Any) -> None:
        self.search = event.value or ""
        self._ask_anew()

    async def _chosen(self, event: Any) -> None:
        """Show an order. One that is shown already stays as it is, with what is typed there."""
        name = str(event.args["order"])
        if name != self.panel.name:
            await self.panel.choose(name)

    async def _signed_out(self) -> None:
        await self.visit.asked(lambda _who: None)

    def refresh(self) -> None:
        self.visit.script(f"datongOrderRows.refresh({self.grid.id}); datongGantt.refresh()")

    async def heard(self, events: list[Event]) -> None:
        self.refresh()
        head = await self.visit.asked(self.head)
        if head is not None:
            self._fill_top(head)
        if self.panel.name is not None and any(event.kind == "orders" for event in events):
            await self.panel.heard(self.panel.name)  # what was given out together is told by firm
        await self.panel.look_at_price()

    async def release_due(self) -> None:
        visit = self.visit
        due = await visit.asked(lambda who: releases.to_release(visit.served, who).num_rows)
        if not due:
            return
        with ui.dialog(value=True) as dialog, ui.card():
            ui.label(visit.say("web_plan.release_sure", count=due))
            with ui.element("div").classes("line"):

                async def yes() -> None:
                    dialog.close()
                    done = await visit.asked(lambda who: releases.release(visit.served, who))
                    if done is not None:
                        visit.tell(visit.say("web_plan.released", count=len(done.orders)))
                        self.refresh()

                action(visit.say("web_plan.release_all"), yes, "main")
                action(visit.say("web.close"), dialog.close)


def _grid_words(visit: Visit) -> dict[str, str]:
    return {
        "loadingOoo": visit.say("web_plan.loading"),
        "noRowsToShow": visit.say("web_plan.no_rows"),
        "loadingError": visit.say("web_plan.loading_failed"),
    }
