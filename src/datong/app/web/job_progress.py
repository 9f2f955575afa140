"""Jobs as a page shows them: begin one, see how far it is, stop it, and hear what came of it."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from datong.app.service.jobs import Job
from datong.app.service.live_events import Event
from datong.app.service.replay_jobs import STAGE as REPLAY_STAGE
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.web.kept_parts import KeptParts
from datong.app.web.layout import action
from datong.app.web.visit import Visit
from datong.app.wording.figures import money

# Names of stages that have words; a job is told to be at work otherwise.
STAGES = frozenset({"sense", "forecast", "balance", "plan", "dispatch", "learn"})


class PlanAnew:
    """The button that makes a new plan, and how far that is."""

    def __init__(self, visit: Visit, job: Job | None, is_main: bool = False) -> None:
        """job: one that somebody began before this page was opened."""
        self.visit, self.job = visit, job
        self.parts = KeptParts(ui.element("div").classes("line"), classes="line")
        self.stage: ui.label | None = None
        self.is_main = is_main
        self.show()
        if visit.who.may(Permission.RUN_PLAN):
            visit.follow(("job",), self.heard)

    def show(self) -> None:
        """The button or, while it is at work, the stage alone is drawn anew: each stays while it is the same."""
        visit, job = self.visit, self.job
        if not visit.who.may(Permission.RUN_PLAN):
            return
        if job is None or not job.is_open:
            begin = visit.say("web_plan.plan_anew")
            kind = "main" if self.is_main else "plain"
            self.parts.draw_one("none", lambda: action(begin, self.begin, kind))
            return
        self.parts.draw_one(job.job, self._at_work)
        if self.stage is not None:
            self.stage.text = stage_words(visit, job)

    def _at_work(self) -> None:
        ui.spinner(size="1.2em")
        self.stage = ui.label().props('role="status"')
        action(self.visit.say("web_plan.stop"), self.stop, "quiet")

    async def begin(self) -> None:
        self.job = await self.visit.asked(lambda who: self.visit.served.start_job(who, "run", {}))
        self.show()

    async def stop(self) -> None:
        if self.job is not None:
            name = self.job.job
            self.job = await self.visit.asked(lambda who: self.visit.served.cancel_job(who, name))
            self.show()

    async def heard(self, events: list[Event]) -> None:
        before = self.job
        wanted = before.job if before is not None and before.is_open else None

        def now(who: Who) -> Job | None:
            return open_run(self.visit, who) if wanted is None else self.visit.served.jobs.job(who, wanted)

        self.job = await self.visit.asked(now)
        if wanted is not None and self.job is not None and not self.job.is_open:
            tell_end(self.visit, self.job)
        self.show()


def open_run(visit: Visit, who: Who) -> Job | None:
    """The plan that is being made, whoever began it."""
    if not who.may(Permission.RUN_PLAN):
        return None
    return next((job for job in open_jobs(visit, who, "run") if not job.asked.get("branch")), None)


def open_jobs(visit: Visit, who: Who, kind: str, by: str | None = None, **asked: Any) -> list[Job]:
    """Jobs of a kind that wait or run, the newest first: a page that is opened anew shows them. by: who began them;
    asked: what was asked for."""
    return [
        job
        for job in visit.served.jobs.jobs(who)
        if job.kind == kind
        and job.is_open
        and by in (None, job.by)
        and all(job.asked.get(name) == value for name, value in asked.items())
    ]


def stage_words(visit: Visit, job: Job) -> str:
    if job.state == "queued":
        return visit.say("web_plan.queued")
    name, *counts = job.stage.split() or [""]
    if name == REPLAY_STAGE and len(counts) == 2:
        return visit.say("web_plan.stage_replay", done=counts[0], all=counts[1])
    return visit.say(f"web_plan.stage_{job.stage}" if job.stage in STAGES else "web_plan.at_work")


def tell_end(visit: Visit, job: Job) -> None:
    """What came of a job, as a notice."""
    if job.state == "done":
        visit.tell(visit.say("web_plan.planned", orders=(job.result or {}).get("orders", 0)))
    elif job.error is not None:
        visit.tell(job.error[visit.language], "negative")
    else:
        visit.tell(visit.say("web_plan.stopped"), "info")


def money_words(visit: Visit, result: Mapping[str, Any]) -> str:
    """What a price job says: the difference in money, and between what it lies for certain."""
    if result.get("why"):
        return visit.say("service_orders.no_price", why=result["why"][visit.language])
    is_more = result["money"] >= 0
    key = "web_plan.costs_more" if is_more else "web_plan.costs_less"
    amount = money(abs(result["money"]), result["currency"], visit.language)
    low, high = result["low"], result["high"]
    if low is None or high is None:
        return visit.say(key, amount=amount)
    if low < 0 < high:  # neither more nor less is proven
        less, more = (money(abs(one), result["currency"], visit.language) for one in (low, high))
        uncertain = "web_plan.may_cost_more" if is_more else "web_plan.may_cost_less"
        return visit.say(uncertain, amount=amount, less=less, more=more)
    return visit.say(key, amount=amount) + visit.say("web_plan.between", **_ends(visit, result))


def _ends(visit: Visit, result: Mapping[str, Any]) -> dict[str, str]:
    """Amounts between which a difference lies, the smaller first, each without its sign."""
    ends = sorted(abs(result[name]) for name in ("low", "high"))
    low, high = (money(one, result["currency"], visit.language) for one in ends)
    return {"low": low, "high": high}
