"""A firm order of a product that sells is part of its forecast, and every screen says so in both languages."""

from collections.abc import Generator
from dataclasses import replace
from datetime import date
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from python_calamine import CalamineWorkbook

from datong.app.chain import Chain
from datong.app.cli.terminal import make_console, show_results
from datong.app.report.run_workbook import workbook_bytes
from datong.app.service.demand import item
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served, serve
from datong.app.service.today import today
from datong.app.write_report import report_inputs
from shop import write_shop

PLANNER = Who(1, "plan@works", "", ("planner",))
WEEK = date(2026, 3, 9)
HEAD = "demand,product,market,due,units,firm\n"
# The part of the forecast of about 49 that an order of 25 is: on a few paths less than 25 would be wanted.
SAYS = {"en": "in the week of 2026-03-09, 24.9 are firm orders (O1 24.9)", "zh": "其中 24.9 已是确定订单（O1 24.9）"}
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def planned(folder: Path, rows: str, clock: object) -> Served:
    made = write_shop(folder / "with-orders", demand_csv=HEAD + rows)
    one = serve(made, folder / "own-database" / "people.sqlite", clock, hasher=QUICK)  # ty: ignore[invalid-argument-type]
    one.chain_thread.write("plan@works", lambda chain: chain.run())
    return one


@pytest.fixture
def ordered(tmp_path: Path, clock: object) -> Generator[Served]:
    one = planned(tmp_path, "O1,OIL,north,2026-03-11,25,true\n", clock)
    yield one
    one.close()


def test_the_forecast_stays_and_the_order_is_part_of_it(ordered: Served, shop: Served) -> None:
    was, now = (
        {r["bucket"]: r for r in item(of, PLANNER, "OIL", "north").forecast.to_pylist()} for of in (shop, ordered)
    )
    assert all(now[start]["mean_units"] == pytest.approx(was[start]["mean_units"], abs=0.1) for start in was)
    assert min(r["mean_units"] for r in now.values()) > 40
    assert now[WEEK]["forecast_units"] == pytest.approx(was[WEEK]["mean_units"])
    assert now[WEEK]["ordered_units"] == pytest.approx(25, abs=0.1)
    assert [r["bucket"] for r in now.values() if r["ordered_units"] is not None] == [WEEK]
    (part,) = item(ordered, PLANNER, "OIL", "north").ordered
    assert part.orders == ("O1",)
    for language, words in SAYS.items():
        assert words in part.text.text(language)


def test_today_the_terminal_the_workbook_and_why_say_it(ordered: Served) -> None:
    week = today(ordered, PLANNER).week

    def shown(chain: Chain) -> None:
        result = chain.run()
        for language, words in SAYS.items():
            assert any(words in sentence for sentence in week[language])
            inputs, out = report_inputs(chain, result, {}, language), StringIO()
            show_results(inputs, language, console=make_console(out))
            assert words.replace(" ", "") in "".join(out.getvalue().split())
            book = CalamineWorkbook.from_filelike(BytesIO(workbook_bytes(inputs, language)))
            sheet = {"en": "Orders in the forecast", "zh": "订单冲减预测"}[language]
            assert any("O1" in row and 24.945 in row for row in book.get_sheet_by_name(sheet).to_python())
            told = [o for o in result.orders.arrow.to_pylist() if o["product"] == "OIL"]
            texts = [t for o in told for t in replace(chain.why(o["order"]), language=language).texts]
            assert any(words in text for text in texts)

    ordered.chain_thread.write("plan@works", shown)


def test_a_given_forecast_that_replaces_datongs_own_is_told_on_today(tmp_path: Path, clock: object) -> None:
    one = planned(tmp_path, "F1,OIL,north,2026-03-11,25,false\n", clock)
    week = today(one, PLANNER).week
    assert any("is the one that is given in demand, not Datong's own: OIL (north)" in text for text in week["en"])
    assert any("不用打通自己的预测：OIL (north)" in text for text in week["zh"])
    one.close()
