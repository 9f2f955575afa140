"""What a twin is made of. Figures are from the sources named beside them, or assumed and marked so.

None of them is chosen by what a detector or a plan makes of the twin.
"""

from dataclasses import dataclass
from datetime import date

CHANNELS = ("online", "store")
COLOURS = ("black", "white", "blue", "red", "green")
SHAPES = ("slim", "wide", "classic")


@dataclass(frozen=True)
class Effects:
    """What is planted. All 0: the null twin, in which views and reviews say nothing of later sales.

    lead: share of what draws views that draws buyers `LEAD_WEEKS` later; the rest of the views is chance.
    reputation: utility that a product loses where every review of late is bad. Chevalier and Mayzlin (2006, J. of
    Marketing Research 43) find that one-star reviews lower a book's sales, more than five-star ones raise them.
    drift: standard deviation of the weekly change of a taste, in utility. fault_share: faulty units of a bad lot.
    """

    lead: float = 0.8
    reputation: float = 1.5
    drift: float = 0.12
    fault_share: float = 0.35


NULL = Effects(lead=0.0, reputation=0.0)
LEAD_WEEKS = 2


@dataclass(frozen=True)
class TwinSettings:
    """products: how many, at most one for each colour, shape and category. history_weeks: weeks before anybody plans.
    visitors: people a week who think of buying, in each channel (assumed). fault_week: week in which the lots of the
    faulty product begin to be bad (of those after it all, until its cause is mended); None: never."""

    products: int = 10
    history_weeks: int = 60
    visitors: float = 500.0
    seed: int = 0
    effects: Effects = Effects()
    fault_week: int | None = None
    start: date = date(2024, 1, 1)


# Money (assumed): price of a unit and what it costs to make, to hold for a week and to take back. A fifth of the price
# a year is a usual cost of stock. Hours of a unit and of a set-up, least units of a lot, days until it is there.
PRICE, COST, HOLDING_PER_WEEK, RETURN_COST = 30.0, 12.0, 0.12, 6.0
HOURS_PER_UNIT, SETUP_HOURS, MIN_LOT, LEAD_DAYS = 0.1, 1.0, 20, 7
# Hours of a line, over what its products sell on average: little room, as at a busy factory (assumed).
HOURS_OVER_NEED = 1.25
# Good units of those begun; the rest is scrap.
YIELD = 0.98
# Share of sound units that come back (Dzyabura et al. 2023, Management Science: 12% to 20% of fashion bought in shops
# comes back, half of what is bought online), of faulty ones, and of sound ones back that can be sold again (assumed).
RETURN_SHARE = {"online": 0.2, "store": 0.1}
FAULT_RETURN_SHARE, RESALEABLE_SHARE = 0.5, 0.9
# Share of buyers who write a review (assumed), and of those who are glad with a sound unit, and with a faulty one.
REVIEW_SHARE, GLAD_SOUND, GLAD_FAULTY = 0.15, 0.85, 0.1
# Weeks until a unit comes back, and until a review is written, at most.
BACK_WEEKS, REVIEW_WEEKS = 2, 3
# Weeks of reviews that buyers read, and reviews as whose usual share a product's own counts before it has any.
READ_WEEKS, READ_PULL = 6, 10.0
# Views for each visitor, in all. A visitor looks at several things before one is bought (assumed).
VIEWS_PER_VISITOR = 4.0
# Utility of a season at its height, and of the whole market against buying nothing (assumed).
SEASON, DRAW = 0.4, -1.0
