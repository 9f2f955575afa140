"""How often Python looks for garbage in a process of its own."""

import atexit
import gc

# New objects that are there before the young ones are looked through; runs of that before the older ones are, and
# before all are. A plan of 20,000 products makes millions of small objects, next to none of them in a circle: with
# Python's own 700, 10 and 10 they are looked through again and again for a fifth of the plan's time.
OBJECTS, YOUNG_RUNS, OLDER_RUNS = 50_000, 20, 50


def collect_seldom() -> None:
    """From now on garbage in circles is looked for seldom, and not at the end. For a process that is Datong's own: a
    command, a job."""
    gc.set_threshold(OBJECTS, YOUNG_RUNS, OLDER_RUNS)
    # At its end Python looks through all objects once more, some several times: a sixth of a command on a small chain.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
