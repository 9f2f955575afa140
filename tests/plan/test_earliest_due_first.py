"""Jobs of one bucket, day by day."""

import numpy as np

from datong.plan.earliest_due_first import Job, all_fit, worked


def test_a_job_whose_components_come_after_the_bucket_does_not_fit_in_it():
    """Of two jobs of 4 hours on 2 hours a day one can begin on the second day, the other 11 days after the first."""
    free = {"L": np.full(7, 2.0)}
    soon, too_late = Job("L", 4.0, 1, 6), Job("L", 4.0, 11, 11)
    assert all_fit([soon], free, 7)
    assert not all_fit([soon, too_late], free, 7)
    assert [course.done for course in worked([soon, too_late], free, 7)] == [2, None]
