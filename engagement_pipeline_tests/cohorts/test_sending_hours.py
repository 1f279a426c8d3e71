"""When sending hours begin, in any zone and over the days on which clocks are set."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.cohorts.sending_hours import is_open, next_opening
from engagement_pipeline.platform.settings_groups import GateSettings

DAYTIME = GateSettings()
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Antarctica/Troll", "UTC"]


def at(zone: str, *local: int) -> datetime:
    year, month, day, hour, minute = local
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ((2026, 3, 2, 8, 59), (2026, 3, 2, 9, 0)),
        ((2026, 3, 2, 9, 0), None),
        ((2026, 3, 2, 19, 59), None),
        ((2026, 3, 2, 20, 0), (2026, 3, 3, 9, 0)),
        ((2026, 12, 31, 23, 30), (2027, 1, 1, 9, 0)),
        # Clocks are set forward, and back, in the night between.
        ((2026, 3, 28, 21, 7), (2026, 3, 29, 9, 0)),
        ((2026, 10, 24, 21, 7), (2026, 10, 25, 9, 0)),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/New_York"])
def test_daytime(zone: str, now: tuple[int, ...], opening: tuple[int, ...] | None) -> None:
    expected = None if opening is None else at(zone, *opening).astimezone(timezone.utc)
    assert next_opening(zone, at(zone, *now), DAYTIME) == expected


def test_an_hour_that_does_not_exist_is_skipped() -> None:
    gate = GateSettings(sending_hour_from=2, sending_hour_to=3)
    opening = next_opening("Europe/Berlin", at("Europe/Berlin", 2026, 3, 29, 0, 30), gate)
    assert opening == at("Europe/Berlin", 2026, 3, 30, 2, 0)


def test_an_hour_that_exists_twice_opens_at_its_first_time() -> None:
    gate = GateSettings(sending_hour_from=2, sending_hour_to=3)
    opening = next_opening("Europe/Berlin", at("Europe/Berlin", 2026, 10, 25, 0, 30), gate)
    assert opening == datetime(2026, 10, 25, 0, 0, tzinfo=timezone.utc)
    second_time = datetime(2026, 10, 25, 1, 30, tzinfo=timezone.utc)
    assert next_opening("Europe/Berlin", second_time, gate) is None


@settings(max_examples=200)
@given(
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(timezone.utc)),  # noqa: DTZ001
    hours=st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda pair: pair[0] < pair[1]),
)
def test_it_opens_then_and_not_before(zone: str, now: datetime, hours: tuple[int, int]) -> None:
    gate = GateSettings(sending_hour_from=hours[0], sending_hour_to=hours[1])
    opening = next_opening(zone, now, gate)
    if opening is None:
        assert is_open(zone, now, gate)
        return
    assert opening.tzinfo == timezone.utc
    assert is_open(zone, opening, gate)
    assert not is_open(zone, now, gate)
    minute = now
    while minute < opening:
        assert not is_open(zone, minute, gate)
        minute += timedelta(minutes=7)
    assert not is_open(zone, opening - timedelta(microseconds=1), gate)


def test_every_zone_opens_within_a_day_and_a_half() -> None:
    night = datetime(2026, 3, 28, 21, 7, tzinfo=timezone.utc)
    for zone in available_timezones():
        opening = next_opening(zone, night, DAYTIME)
        assert opening is None or night < opening < night + timedelta(hours=36)
