"""The page Replay: history through the loop, with only what was known then, beside what the company did."""

from datetime import UTC, datetime

from nicegui import ui
from starlette.requests import Request

from datong.app.service.jobs import Job
from datong.app.service.replays import MOST_BUCKETS, USUAL_BUCKETS, Replayed, last_replay, start_replay
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.web.job_progress import open_jobs
from datong.app.web.layout import action, heading
from datong.app.web.page_elements import Column, field, folded, job_line, moment_words, number_of, read, table, words
from datong.app.web.visit import Visit
from datong.app.wording import figures

PATH = "/planner/replay"


async def build(visit: Visit, _request: Request) -> None:
    words("p", visit.say("web_replay.what"), "soft")
    if visit.who.may(Permission.WHAT_IF):
        running = await read(visit, lambda who: open_jobs(visit, who, "replay"))
        _start(visit, running[0] if running else None)
    found = await read(visit, lambda who: last_replay(visit.served, who))
    if found is None:
        words("p", visit.say("web_replay.none"), "note")
    else:
        _show(visit, found)


def _start(visit: Visit, running: Job | None) -> None:
    """running: a replay that goes on already, whoever began it."""
    with ui.element("div").classes("line"):
        buckets = field(visit.say("web_replay.buckets"), value=str(USUAL_BUCKETS), width="8em")
        place = ui.element("div").classes("line")

    def follow(job: Job) -> None:
        place.clear()
        with place:
            job_line(visit, job, lambda _job: ui.navigate.to(PATH))

    async def begin() -> None:
        count = number_of(buckets.text)
        if count is None or count != int(count):
            visit.tell(visit.say("served.replay.wrong_buckets", most=MOST_BUCKETS), "negative")
            return

        def task(who: Who) -> Job:
            return start_replay(visit.served, who, int(count))

        job = await visit.asked(task)
        if job is not None:
            follow(job)

    if running is not None:
        follow(running)
        return
    with place:
        action(visit.say("web_replay.start"), begin, "main")


def _show(visit: Visit, found: Replayed) -> None:
    language, currency = visit.language, visit.served.chain_thread.settings.currency
    moment = moment_words(visit, datetime.fromtimestamp(found.ended, UTC))
    heading(visit.say("web_replay.last", count=found.buckets, moment=moment))
    for text in found.said[language]:
        words("p", text)
    columns = [Column(visit.say("web_replay.policy"))]
    figures_of = ("cost", "avoidable", "fill", "stock", "change")
    columns += [Column(visit.say(f"web_replay.{name}"), is_number=True) for name in figures_of]
    rows = [
        [
            one.name[language],
            figures.money(one.cost, currency, language),
            figures.money(one.avoidable_cost, currency, language),
            figures.share(one.fill_on_time_share),
            figures.fitting(one.mean_stock_units),
            figures.share(one.production_change_share),
        ]
        for one in found.policies
    ]
    table(visit.say("web_replay.policies"), columns, rows)
    heading(visit.say("web_replay.differences"))
    names = ("than", "measure", "difference", "interval", "finding")
    columns = [Column(visit.say(f"web_replay.{name}"), is_number=name == "difference") for name in names]
    table(
        visit.say("web_replay.differences"),
        columns,
        [[row[name] for name in names] for row in found.differences[language]],
    )
    with folded(visit.say("web_replay.notes")):
        for text in found.notes[language]:
            words("p", text, "soft")
