"""A small mill as a chain folder: 80 hours of A in two weeks for 85 of P, the last 5 by P/2 at 20 more."""

from pathlib import Path

import pytest

from datong.app.cli.main import main

FILES = {
    "chain.toml": 'name = "mill"\nhorizon_buckets = 4\nstart = 2026-03-02\n',
    "products.csv": "product,price,kind\nP,100,finished\nQ,50,finished\nM,4,material\n",
    "economics.csv": "product,holding_cost_per_unit_week,late_cost_per_unit_week,lost_sale_cost_per_unit\nP,1,50,100\n",
    "lines.csv": "line,hours_per_week\nA,40\n",
    "recipes.csv": "recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\nP/2,P,,0,30\nQ/1,Q,,0,5\n",
    "components.csv": "product,component,units_per_unit\nP,M,2\n",
    "offers.csv": "offer,product,price,lead_days\nM/V,M,4,0\n",
    "stock.csv": "happened_at,product,units\n2026-02-28,M,30\n",
    "demand.csv": "demand,product,due,units\nd1,P,2026-03-04,35\nd2,P,2026-03-12,50\nd3,Q,2026-03-12,7\n",
}


def write(folder: Path, **changed: str) -> Path:
    folder.mkdir()
    for name, text in (FILES | {".".join(n.rsplit("_", 1)): t for n, t in changed.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    status = main([str(w) for w in words])
    printed = capsys.readouterr()
    # What is for a program comes alone; warnings stand beside it.
    return status, printed.out if "json" in words else printed.out + printed.err
