"""An earlier balance, read back from the folder that it was written into."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datong.model.errors import NotFound
from datong.model.words import message
from datong.questions.clear_market import CERTIFICATE, GAPS_READ, ORDERS_SCHEMA, PRICES_READ, Earlier


def read_earlier(folder: Path) -> Earlier:
    """What an earlier balance wrote. Raises NotFound where the folder holds no such thing."""
    names = [folder / f"{name}.parquet" for name in ("orders", "prices", "gaps")]
    names.append(folder / CERTIFICATE)
    missing = [file.name for file in names if not file.is_file()]
    if missing:
        raise NotFound(message("balance.no_earlier", folder=str(folder), files=", ".join(missing)))
    try:
        orders, prices, gaps = (
            pq.read_table(file).select(schema.names).cast(schema)
            for file, schema in zip(names, (ORDERS_SCHEMA, PRICES_READ, GAPS_READ), strict=False)
        )
        certificate = json.loads(names[3].read_text(encoding="utf-8"))
        if not isinstance(certificate, dict) or not isinstance(certificate.get("total_cost"), int | float | None):
            raise ValueError(CERTIFICATE)
        return Earlier(orders, prices, gaps, certificate)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise NotFound(message("balance.no_earlier", folder=str(folder), files=str(error))) from error
