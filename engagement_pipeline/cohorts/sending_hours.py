"""When the sender may write: inside the sending hours of the user's own time zone."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from engagement_pipeline.platform.settings_groups import GateSettings

# Clocks are set, and offsets from UTC differ, by multiples of this.
_QUARTER = timedelta(minutes=15)
# No zone skips more than a day of its calendar, so every window opens within this.
_LONGEST_WAIT = timedelta(days=3)


def is_open(time_zone: str, now: datetime, gate: GateSettings) -> bool:
    """Tell whether `now` lies inside the sending hours of an IANA time zone."""
    return gate.sending_hour_from <= now.astimezone(ZoneInfo(time_zone)).hour < gate.sending_hour_to


def next_opening(time_zone: str, now: datetime, gate: GateSettings) -> datetime | None:
    """Return the moment (UTC) at which sending hours begin next, or None if they are on.

    Looks at each quarter of an hour instead of computing with local times, which do not all exist, or exist twice, on
    the days on which clocks are set.
    """
    if is_open(time_zone, now, gate):
        return None
    utc = now.astimezone(timezone.utc)
    last_quarter = utc.replace(minute=utc.minute - utc.minute % 15, second=0, microsecond=0)
    for quarters in range(1, _LONGEST_WAIT // _QUARTER):
        moment = last_quarter + quarters * _QUARTER
        if is_open(time_zone, moment, gate):
            return moment
    raise ValueError(f"sending hours never begin in time zone {time_zone}")
