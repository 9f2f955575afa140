"""By which day the units are there that some uses take: the last day of what they take of."""

from collections.abc import Collection
from datetime import date

from datong.plan.out_by_day import Dated
from datong.plan.pegging import Use


def there_on(plan: Dated, uses: Collection[Use], today: date) -> date | None:
    """The day by which all of these uses have their units; None where there are none. What lies in stock is there at
    once, and in the bucket in which it is used at the soonest where it serves late."""
    own = {id(use) for use in uses}
    days = [_used(plan, use, today) for use in uses]
    made = [(plan.days[lot].due, peg) for lot, pegs in plan.found.pegs.items() if lot in plan.days for peg in pegs]
    days += [due for due, peg in made if id(peg.use) in own]
    days += [comes.day for comes, peg in plan.found.of_out if id(peg.use) in own]
    return max(days, default=None)


def _used(plan: Dated, use: Use, today: date) -> date:
    return max(today, plan.work.starts[use.bucket]) if use.late else today
