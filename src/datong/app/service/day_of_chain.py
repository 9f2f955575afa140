"""The day that it is for a served chain."""

from datetime import date

from datong.app.service.served_chain import Served


def chain_today(served: Served) -> date:
    """Of live records the day in the chain's zone; of declared history the day at which its records end."""
    settings = served.chain_thread.settings
    if settings.history == "live":
        return settings.calendar.local_date(served.now())
    return served.chain_thread.kept("today/day", lambda chain: chain.state(names=()).today)
