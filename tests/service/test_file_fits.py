"""Before a file is taken in: its first rows, and the tables that its columns fit."""

import pytest

from datong.app.service.data import preview, take, upload
from datong.app.service.file_fits import file_parts, table_fits
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.model.errors import DatongError, NotFound

ANN = Who(1, "ann", "", ("planner",))
LINES = b"Line,hours per week\nA,50\nB,60\n"


def test_tables_are_told_by_the_columns_that_they_know() -> None:
    """Headers count as tables read them: without regard to case and blanks."""
    best = table_fits(("Recipe", "product", "line", "hours per unit"))[0]
    assert (best.table, best.known, best.missing) == ("recipes", ("Recipe", "product", "line", "hours per unit"), ())
    names = [fit.table for fit in table_fits(("happened_at", "product", "units"))]
    assert {"sales", "stock"} <= set(names[:8])
    lacking = next(fit for fit in table_fits(("product", "units")) if fit.table == "sales")
    assert lacking.missing == ("happened_at",)
    assert table_fits(("nonsense",)) == ()


def test_a_file_of_any_name_is_taken_in_as_the_table_that_is_chosen(served: Served) -> None:
    name = upload(served, ANN, "new hours.csv", LINES).upload
    (part,) = file_parts(served, ANN, name)
    assert part.columns == ("Line", "hours per week") and part.rows == (("A", "50"), ("B", "60"))
    assert (part.fits[0].table, part.fits[0].missing) == ("lines", ())
    with pytest.raises(DatongError) as error:
        preview(served, ANN, name)
    assert "Nothing of new hours.csv" in error.value.message.text("en")  # and not where it lies on the server
    assert [(one.table, one.rows) for one in preview(served, ANN, name, "lines").reports] == [("lines", 2)]
    take(served, ANN, name, "lines")
    rows = served.chain_thread.read(lambda chain: chain.state(names=("lines",)).table("lines"))
    assert sorted(rows["line"].to_pylist()) == ["A", "B"]


def test_only_who_brought_a_file_sees_it(served: Served) -> None:
    name = upload(served, ANN, "lines.csv", LINES).upload
    with pytest.raises(NotFound):
        file_parts(served, Who(2, "eve", "", ("planner",)), name)
    with pytest.raises(NotAllowed):
        file_parts(served, Who(3, "x", "", ("factory",), "F1"), name)
