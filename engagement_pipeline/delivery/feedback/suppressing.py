"""Who is written to no more because of what came back, and why.

The gravest reason wins, whatever came first. A habit of soft bounces is judged over all that is known of the address:
an event that comes late can show that there was none, and then lifts a suppression that was made for that reason alone.
Otherwise it would depend on the order of arrival who is suppressed. What a person or an import has entered is never
lifted, and of what a person has lifted only a new bounce speaks again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.delivery import anonymous
from engagement_pipeline.delivery.entries import StoredEmail
from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.feedback import soft_bounces, statements
from engagement_pipeline.delivery.feedback.soft_bounces import TELLING, Report
from engagement_pipeline.delivery.suppressions import HABIT, RULE, Suppression, Suppressions
from engagement_pipeline.users.reading import UserReader

# From the mildest to the gravest.
REASON_OF: Final[dict[Kind, str]] = {
    "hard_bounce": "hard_bounce",
    "unsubscribe": "unsubscribed",
    "complaint": "complaint",
}
_BY_GRAVITY: Final = (HABIT, *REASON_OF.values())


class Suppressing:
    """Suppresses the addresses that events say must not be written to.

    Args:
        suppressions: the list.
        users: tell the present address of who unsubscribes.
        least: as for `soft_bounces.runs`.
    """

    def __init__(self, suppressions: Suppressions, users: UserReader, least: int) -> None:
        self._suppressions = suppressions
        self._users = users
        self._least = least

    def judge(
        self, connection: sa.Connection, events: Sequence[Event], rows: Mapping[str, StoredEmail], now: datetime
    ) -> None:
        """Draw the consequences for addresses.

        Args:
            connection: a writing transaction that holds the change log's lock, in which the events are stored.
            events: new, or newly matched to an e-mail.
            rows: their e-mails. An event may name another address, to which mail is forwarded: what it says then holds
                for both. Who unsubscribes means any address: also the one that they have now.
            now: the moment of the change.
        """
        new: dict[str, set[str]] = defaultdict(set)
        bounced: set[str] = set()
        unwanted: dict[str, Suppression] = {}
        present = self._present_addresses(events, rows)
        for event in events:
            keys = {event.address_key}
            if (row := rows.get(event.email_id or "")) is not None:
                keys |= {row.address_key, present.get(row.user_id)}
            for key in (key for key in keys if key is not None and not anonymous.is_pseudonym(key)):
                if event.kind in REASON_OF:
                    _keep_gravest(unwanted, Suppression(key, REASON_OF[event.kind], event.source, now))
                if event.kind in TELLING:
                    new[key].add(event.event_id)
                if event.kind == "soft_bounce":
                    bounced.add(key)
        if unwanted:
            self._suppress(unwanted, now)
        if new:
            self._judge_habits(connection, new, bounced, now)

    def _present_addresses(self, events: Sequence[Event], rows: Mapping[str, StoredEmail]) -> dict[str, str | None]:
        """Return the present addresses of those who unsubscribe, by user."""
        left = {event.email_id for event in events if event.kind == "unsubscribe"}
        leaving = {row.user_id for email_id, row in rows.items() if email_id in left}
        return {user.user_id: user.address_key for user in self._users.get_users(leaving)} if leaving else {}

    def _judge_habits(
        self, connection: sa.Connection, new: Mapping[str, set[str]], bounced: set[str], now: datetime
    ) -> None:
        listed = self._suppressions.find(new)
        habits = {key for key, entry in listed.items() if entry.reason == HABIT}
        # A sign of life begins no run: it matters only where one has been found before.
        in_question = sorted(key for key in new if key in habits or (key in bounced and key not in listed))
        if not in_question:
            return
        history: dict[str, list[Report]] = defaultdict(list)
        for key, *report in connection.execute(statements.history(in_question)):
            history[key].append(Report(*report))
        for key in in_question:
            runs = soft_bounces.runs(history[key], self._least)
            if key in habits and not runs:
                # An import may have entered the same reason.
                self._suppressions.remove(Suppression(key, HABIT, RULE, now), now)
            elif any(report.event_id in new[key] for run in runs for report in run):
                self._suppressions.add([Suppression(key, HABIT, RULE, now)], now)

    def _suppress(self, unwanted: Mapping[str, Suppression], now: datetime) -> None:
        listed = self._suppressions.find(unwanted)
        self._suppressions.add([unwanted[key] for key in sorted(unwanted)], now)
        for key in sorted(listed):
            milder = _BY_GRAVITY[: _BY_GRAVITY.index(unwanted[key].reason)]
            self._suppressions.worsen(unwanted[key], milder, now)


def _keep_gravest(unwanted: dict[str, Suppression], entry: Suppression) -> None:
    before = unwanted.setdefault(entry.address_key, entry)
    if _BY_GRAVITY.index(entry.reason) > _BY_GRAVITY.index(before.reason):
        unwanted[entry.address_key] = entry
