"""A table as it was read before, with what changed since put in its place."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import pyarrow as pa


def spliced(rows: pa.Table, news: pa.Table, ids: Sequence[str]) -> pa.Table:
    """The rows with those of some ids exchanged. rows: by row_id. news: all that there is of these ids now, by row_id:
    of one that was withdrawn nothing. ids: in order."""
    names, of_news = rows["row_id"].combine_chunks(), news["row_id"].to_pylist()
    parts, begin = [], 0
    for name in ids:
        first = bisect_left(names, name, lo=begin, key=_text)
        parts.append(rows.slice(begin, first - begin))
        own = bisect_left(of_news, name)
        parts.append(news.slice(own, bisect_right(of_news, name, lo=own) - own))
        begin = bisect_right(names, name, lo=first, key=_text)
    return pa.concat_tables([*parts, rows.slice(begin)]).combine_chunks()


def _text(value: pa.StringScalar) -> str:
    return value.as_py()
