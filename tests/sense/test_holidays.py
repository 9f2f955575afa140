"""Public holidays and retail festivals, in English and Chinese, by bucket."""

from datetime import date

import pytest

from datong.model.calendar import Calendar
from datong.model.errors import NotFound
from datong.sense.holidays import feasts, holiday_buckets, holidays_between

WEEK = Calendar("Asia/Dhaka", "week")


def test_a_feast_across_two_weeks_gives_an_entry_in_each():
    """Eid al-Fitr 2023: Saturday 22, Sunday 23 and Monday 24 April."""
    found = holidays_between("BD", date(2023, 4, 1), date(2023, 7, 31))
    eid = [(b.bucket, b.days) for b in holiday_buckets(found, WEEK) if b.holiday == "Eid al-Fitr"]
    assert eid == [(date(2023, 4, 17), 2), (date(2023, 4, 24), 1)]
    adha = [b for b in holiday_buckets(found, WEEK) if b.holiday == "Eid al-Adha"]
    assert [(b.bucket, b.days, b.holiday_zh) for b in adha] == [(date(2023, 6, 26), 3, "宰牲节")]


def test_holidays_within_two_days_are_one_feast_named_after_the_longest():
    """Laylat al-Qadr 19, the last Friday of Ramadan 21, Eid 22-24 April; Bengali New Year on the 14th is apart."""
    found = feasts(holidays_between("BD", date(2023, 4, 10), date(2023, 4, 30)))
    assert [(f.name, f.name_zh, f.first, f.last) for f in found] == [
        ("Bengali New Year's Day", "孟加拉新年", date(2023, 4, 14), date(2023, 4, 14)),
        ("Eid al-Fitr", "开斋节", date(2023, 4, 19), date(2023, 4, 24)),
    ]


def test_days_off_in_china_belong_to_the_feast_that_they_prolong_in_both_languages():
    found = holidays_between("CN", date(2023, 1, 20), date(2023, 1, 31))
    assert [h.day.day for h in found] == [22, 23, 24, 25, 26, 27]
    assert {(h.name, h.name_zh) for h in found} == {("Chinese New Year (Spring Festival)", "春节")}
    autumn = feasts(holidays_between("CN", date(2023, 9, 20), date(2023, 10, 10)))
    assert [(f.name, f.name_zh, f.first, f.last) for f in autumn] == [
        ("National Day", "国庆节", date(2023, 9, 29), date(2023, 10, 6))
    ]


def test_retail_festivals_of_china_and_only_there():
    june = holidays_between("CN", date(2023, 6, 1), date(2023, 6, 20))
    assert [(h.day.day, h.name, h.name_zh) for h in june] == [(d, "618", "618 大促") for d in (16, 17, 18)]
    november = holidays_between("cn", date(2023, 11, 1), date(2023, 12, 31))
    assert [(h.name, h.name_zh) for h in november] == [("Double 11", "双十一")] * 3 + [("Double 12", "双十二")]
    assert not holidays_between("BD", date(2023, 11, 1), date(2023, 11, 30))


def test_no_country_has_no_holidays_and_an_unknown_one_says_so():
    assert holidays_between("", date(2023, 1, 1), date(2023, 12, 31)) == ()
    with pytest.raises(NotFound, match="XQ"):
        holidays_between("XQ", date(2023, 1, 1), date(2023, 12, 31))


def test_future_holidays_carry_no_mark_of_an_estimate():
    names = {h.name for h in holidays_between("BD", date(2027, 1, 1), date(2027, 12, 31))}
    assert {"Eid al-Fitr", "Eid al-Adha"} <= names
    assert not [n for n in names if "(" in n]
