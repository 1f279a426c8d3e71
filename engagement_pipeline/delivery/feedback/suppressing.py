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

from engagement_pipeline.delivery import anonymous, suppressions
from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.feedback import soft_bounces, statements
from engagement_pipeline.delivery.feedback.soft_bounces import TELLING, Report
from engagement_pipeline.delivery.suppressions import HABIT, RULE
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change

# From the mildest to the gravest.
REASON_OF: Final[dict[Kind, str]] = {
    "hard_bounce": "hard_bounce",
    "unsubscribe": "unsubscribed",
    "complaint": "complaint",
}
_BY_GRAVITY: Final = (HABIT, *REASON_OF.values())


def judge(
    connection: sa.Connection, events: Sequence[Event], written_to: Mapping[str, str], now: datetime, least: int
) -> None:
    """Suppress the addresses that events, already stored, say must not be written to.

    Args:
        connection: a writing transaction that holds the change log's lock.
        events: new, or newly matched to an e-mail.
        written_to: the address of each of their e-mails. An event may name another one, to which mail is forwarded:
            what it says then holds for both. Who unsubscribes means any address: also the one that they have now.
        now: the moment of the change.
        least: as for `soft_bounces.runs`.
    """
    new: dict[str, set[str]] = defaultdict(set)
    bounced: set[str] = set()
    present = _present_addresses(connection, events)
    for event in events:
        keys = {event.address_key, written_to.get(event.email_id or ""), present.get(event.email_id or "")}
        for key in sorted(key for key in keys if key is not None and not anonymous.is_pseudonym(key)):
            if event.kind in REASON_OF:
                _suppress(connection, key, REASON_OF[event.kind], event.source, now)
            if event.kind in TELLING:
                new[key].add(event.event_id)
            if event.kind == "soft_bounce":
                bounced.add(key)
    if new:
        _judge_habits(connection, new, bounced, now, least)


def _present_addresses(connection: sa.Connection, events: Sequence[Event]) -> dict[str, str]:
    """Return the present addresses of those who unsubscribe, by e-mail."""
    left = {event.email_id for event in events if event.kind == "unsubscribe"} - {None}
    query = statements.present_addresses(sorted(email_id for email_id in left if email_id is not None))
    return dict(connection.execute(query).tuples().all()) if left else {}


def _judge_habits(
    connection: sa.Connection, new: Mapping[str, set[str]], bounced: set[str], now: datetime, least: int
) -> None:
    reasons = dict(connection.execute(statements.reasons(sorted(new))).tuples().all())
    habits = {key for key, reason in reasons.items() if reason == HABIT}
    # A sign of life begins no run: it matters only where one has been found before.
    in_question = sorted(key for key in new if key in habits or (key in bounced and key not in reasons))
    if not in_question:
        return
    history: dict[str, list[Report]] = defaultdict(list)
    for key, *report in connection.execute(statements.history(in_question)):
        history[key].append(Report(*report))
    for key in in_question:
        runs = soft_bounces.runs(history[key], least)
        if key in habits and not runs:
            _lift(connection, key, now)
        elif any(report.event_id in new[key] for run in runs for report in run):
            suppressions.add(connection, key, HABIT, RULE, now)


def _suppress(connection: sa.Connection, address_key: str, reason: str, source: str, now: datetime) -> None:
    if suppressions.add(connection, address_key, reason, source, now):
        return
    milder = _BY_GRAVITY[: _BY_GRAVITY.index(reason)]
    if connection.execute(statements.worsen(address_key, reason, source, milder)).rowcount:
        change_log.append(connection, [Change("suppression", address_key, None, "updated")], now)


def _lift(connection: sa.Connection, address_key: str, now: datetime) -> None:
    if connection.execute(statements.lift(address_key, HABIT, RULE)).rowcount:
        change_log.append(connection, [Change("suppression", address_key, None, "deleted")], now)
