"""The gate at the moment of sending: the same rules as in the cohort, on what the operational store says now."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final
from zoneinfo import ZoneInfo

from engagement_pipeline.cohorts.reasons import Reason, Verdict
from engagement_pipeline.cohorts.recheck import Candidate, GateChecker
from engagement_pipeline.cohorts.sending_hours import next_opening
from engagement_pipeline.delivery.entries import AddressFacts, Entry
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline.users.reading import UserReader
from engagement_pipeline.users.rows import StoredUser

USER_DELETED: Final = "user_deleted"
# What the e-mail offers does not hold any more. The next full run finds the user without an open row, and writes anew.
OFFER_ENDED: Final = "offer_ended"


@dataclass(frozen=True)
class Letter:
    """A row that may be sent now, with what this was judged on."""

    entry: Entry
    user: StoredUser
    email: str
    address_key: str
    address: AddressFacts


@dataclass
class Judged:
    """What is to become of a batch of rows: to be sent, or by email_id the reason why not or the moment from which."""

    letters: list[Letter] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    not_before: dict[str, datetime] = field(default_factory=dict)


class Judge:
    """Applies the gate and the sending hours to rows of the ledger. Not for use by two threads at once."""

    def __init__(
        self, ledger: Ledger, users: UserReader, gate: GateSettings, scoring: ScoringSettings, hold_out_key: str
    ) -> None:
        self._ledger = ledger
        self._users = users
        self._gate = gate
        self._checker = GateChecker(gate, scoring, hold_out_key)

    def judge(self, entries: Sequence[Entry], now: datetime) -> Judged:
        """Judge a batch by the current state of its users and of their addresses.

        The address is the user's present one, whatever it was when the row was written.
        """
        users = {user.user_id: user for user in self._users.get_users(entry.user_id for entry in entries)}
        addresses = self._ledger.address_facts(user.address_key for user in users.values() if user.address_key)
        judged = Judged()
        considered: dict[str, tuple[Entry, StoredUser]] = {}
        for entry in entries:
            user = users.get(entry.user_id)
            if user is None:
                judged.refused[entry.email_id] = USER_DELETED
            elif user.user_id in considered:
                judged.refused[entry.email_id] = Reason.DUPLICATE_ADDRESS.value
            else:
                considered[user.user_id] = (entry, user)
        decisions = self._decide(list(considered.values()), addresses, now)
        for user_id, (entry, user) in considered.items():
            if decisions[user_id].decision != "mail" or user.email is None or user.address_key is None:
                judged.refused[entry.email_id] = decisions[user_id].reason.value
                continue
            opening = next_opening(user.time_zone, now, self._gate)
            if _has_ended(entry, user.time_zone, opening or now):
                judged.refused[entry.email_id] = OFFER_ENDED
            elif opening is not None:
                judged.not_before[entry.email_id] = opening
            else:
                address = addresses[user.address_key]
                judged.letters.append(Letter(entry, user, user.email, user.address_key, address))
        return judged

    def _decide(
        self, rows: Sequence[tuple[Entry, StoredUser]], addresses: dict[str, AddressFacts], now: datetime
    ) -> dict[str, Verdict]:
        usual = [candidate(user, entry.score, addresses) for entry, user in rows if not entry.overrides]
        decisions = self._checker.recheck(usual, now)
        for entry, user in rows:
            if entry.overrides:
                # By itself: others at the address count by their touches, which is what may be set aside.
                asked = candidate(user, entry.score, addresses, entry.overrides, entry.decided_at)
                decisions |= self._checker.recheck([asked], now)
        return decisions


def _has_ended(entry: Entry, time_zone: str, moment: datetime) -> bool:
    """Tell whether a moment is after the last day: by UTC, in which offers are chosen, or by the user's own clock."""
    if entry.last_day is None:
        return False
    return entry.last_day < max(moment.astimezone(zone).date() for zone in (timezone.utc, ZoneInfo(time_zone)))


def candidate(
    user: StoredUser,
    score: float,
    addresses: Mapping[str, AddressFacts],
    overrides: Collection[str] = (),
    overridden_at: datetime | None = None,
) -> Candidate:
    """Return what the gate looks at.

    Args:
        user: as stored.
        score: at the time of the decision.
        addresses: what the ledger knows of the users' addresses.
        overrides: the gate's reasons that a person has set aside.
        overridden_at: when: a touch since then counts in spite of it.
    """
    address = addresses.get(user.address_key or "", AddressFacts())
    touches = [moment for moment in (user.last_touch_at, address.last_touch_at) if moment is not None]
    if Reason.COOL_DOWN.value in overrides and overridden_at is not None:
        touches = [moment for moment in touches if moment > overridden_at]
    return Candidate(
        user_id=user.user_id,
        address_key=user.address_key,
        score=score,
        order_days=user.order_days,
        last_order_at=user.last_order_at,
        average_order_value=user.average_order_value,
        consent=user.consent,
        suppressed=address.suppressed,
        last_touch_at=max(touches, default=None),
        touches_since_order=user.touches_since_order,
    )
