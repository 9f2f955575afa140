"""SQL of the sales that counted at an earlier moment and count no longer, or for less."""

# Units below this are none.
_NOTHING = 1e-9


def fewer_sold(was: str, now: str) -> str:
    """By product, unit and, where a unit is told, day: product, unit, units (fewer), lines, gone (of them) and
    happened_at. was, now: SQL of the last version of each row as known then and now (`_latest` of a ledger), rows
    that were withdrawn too. Rows meet in the database, and only the sums leave it."""
    return (
        "SELECT product, unit, sum(fewer) AS units, count(*) AS lines, count(*) FILTER (gone) AS gone,"
        " max(happened_at) AS happened_at FROM ("
        "   SELECT was.product, was.unit, was.happened_at, gone, CASE WHEN gone THEN was.units"
        "     WHEN was.unit IS NOT DISTINCT FROM now.unit THEN was.units - now.units ELSE 0 END AS fewer"
        f"  FROM {was} AS was LEFT JOIN {now} AS now ON now.row_id = was.row_id,"
        "     LATERAL (SELECT now.row_id IS NULL OR now._withdrawn OR now.product <> was.product"
        "       OR coalesce(now.state, 'ordered') <> 'ordered' AS gone)"
        "   WHERE NOT was._withdrawn AND coalesce(was.state, 'ordered') = 'ordered')"
        f" WHERE fewer > {_NOTHING}"
        " GROUP BY product, unit, CASE WHEN unit IS NOT NULL THEN date_trunc('day', happened_at) END"
        " ORDER BY product, unit, happened_at"
    )
