"""What a limit in units a week allows in a bucket."""

import math
from datetime import date


def units_in_bucket(units_per_week: float, start: date, days: int) -> float:
    """Most units of the bucket of so many days that begins on `start`; inf where there is no limit.

    A limit in whole units is dealt out in whole units, so that no part of a unit is lost each day:

        floor(u d (k + 1) / 7) - floor(u d k / 7),  k the number of the bucket since the calendar's first day,

    whatever day a plan begins on. Of 100 a week a day has 14 or 15, and any seven days in a row have 100.
    """
    if math.isinf(units_per_week) or days % 7 == 0 or units_per_week % 1 != 0:
        return units_per_week * days / 7
    each, bucket = int(units_per_week) * days, start.toordinal() // days
    return float(each * (bucket + 1) // 7 - each * bucket // 7)
