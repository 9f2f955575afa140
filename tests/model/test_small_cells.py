"""What leaves the chain tells no small count of persons, and nobody's words."""

from dataclasses import replace

import pytest

from datong.connectors.filedrop.order_sheet import Known, sheet_of
from datong.model.flow import Cause
from datong.model.small_cells import for_others
from datong.model.words import catalogue, message
from work_orders import to, work

COMPLAINT = message(
    "sense.complaint_less",
    text=message(
        "sense.complaint_quoted",
        who="A",
        aspect=message("aspect.product.material"),
        count=4,
        base=31,
        weeks=4,
        count_before=0,
        base_before=60,
        quotes="“it bled on my sofa”",
    ),
    count=2,
)


@pytest.mark.parametrize(("language", "under"), [("en", "under 5"), ("zh", "不足 5")])
def test_counts_under_five_and_words_are_not_told(language: str, under: str) -> None:
    told = for_others(COMPLAINT).text(language)
    assert told.count(under) == 3 and "31" in told and "60" in told and "bled" not in told
    assert "bled" in COMPLAINT.text(language)


def test_five_are_told() -> None:
    five = message("sense.lead_less", text="x", count=5)
    assert for_others(five) == five


def test_every_text_that_counts_reviews_is_known() -> None:
    """A text of a signal with a count of persons' rows in it must be told to others with small cells left out."""
    from datong.model.small_cells import _COUNTS

    counting = {
        key
        for key, texts in catalogue().items()
        if (
            key.startswith("sense.") and ("{count" in texts["en"] or "{base" in texts["en"]) and "review" in texts["en"]
        )
        or key == "sense.complaint_less"
    }
    assert counting == set(_COUNTS)


@pytest.mark.parametrize("firm", [True, False])
def test_no_sheet_has_them(firm: bool) -> None:
    order = replace(work("W1"), causes=(Cause("sense", COMPLAINT, "reviews", ("reviews:#1",)),))
    sheet = sheet_of("mill", "R1", to("mill", order), "en", Known(firms=frozenset({"mill"} if firm else ())))
    assert ("why" in sheet.columns) is not firm
    whole = str(sheet.rows)
    assert "bled" not in whole and "4 of" not in whole and "reviews:" not in whole
