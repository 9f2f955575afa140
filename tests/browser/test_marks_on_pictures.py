"""Buckets that are marked on a picture: each mark has a width, also that of one bucket, and of the last one."""

from hypothesis import given
from hypothesis import strategies as st

from datong.app.web.page_elements import marked_area


@given(st.data())
def test_a_mark_begins_with_its_first_bucket_and_can_be_seen(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 60))
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first, count - 1))
    begin, end = (one["xAxis"] for one in marked_area(first, last, count))
    assert 0 <= begin < end < count
    if last < count - 1:
        assert (begin, end) == (first, last + 1)
