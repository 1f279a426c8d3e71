"""What waits to be sent, in the order of its value, from an index that may lag behind."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Final, NamedTuple

from engagement_pipeline.delivery.dynamodb.items import queue_of, rank_of
from engagement_pipeline.delivery.dynamodb.rows import Rows
from engagement_pipeline.delivery.entries import Entry, StoredEmail
from engagement_pipeline.delivery.statuses import WAITING, Status
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import EMAILS
from engagement_pipeline.platform.dynamodb_words import absent, all_of, any_of, at_most, equals, greater
from engagement_pipeline.users.dynamodb.items import text_of

MayBeSent = Callable[[str | None], bool]

_INDEX: Final = "queue"
_PAGE: Final = 1_000


class Waiting(NamedTuple):
    """A row that waits, as far as the index tells."""

    rank: str
    email_id: str
    edition: str | None


def waiting(
    dynamo: Dynamo,
    campaign: str,
    among: Iterable[Status] = WAITING,
    *,
    until: datetime | None = None,
    after: Entry | None = None,
    page: int = _PAGE,
) -> Iterator[Waiting]:
    """Return a campaign's rows that wait, the most valuable first.

    Args:
        dynamo: the tables.
        campaign: whose.
        among: the statuses that the rows may have.
        until: leaves out rows whose time comes later; None: all.
        after: begins behind this one.
        page: how many to read at once.
    """

    def of(status: Status) -> Iterator[Waiting]:
        partition = equals("campaignStatus", queue_of(campaign, status))
        behind = None if after is None else greater("rank", rank_of(after.value_at_risk, after.email_id))
        found = dynamo.query(
            EMAILS,
            partition if behind is None else all_of(partition, behind),
            index=_INDEX,
            only=None if until is None else any_of(absent("notBefore"), at_most("notBefore", text_of(until))),
            page=page,
        )
        return (Waiting(item["rank"], item["emailId"], item.get("edition")) for item in found)

    # A row that moves from one status to the next may be seen at both.
    last = None
    for row in merge(*map(of, sorted(among))):
        if row.email_id != last:
            last = row.email_id
            yield row


def due(
    dynamo: Dynamo, rows: Rows, campaign: str, may_be_sent: MayBeSent, now: datetime, after: Entry | None, count: int
) -> Iterator[list[StoredEmail]]:
    """Return rows that may be sent and whose time has come, as they are now, so many at once at most."""
    found = waiting(dynamo, campaign, until=now, after=after, page=max(count, 25))
    sendable = (row.email_id for row in found if may_be_sent(row.edition))
    while ids := list(islice(sendable, count)):
        now_there = rows.get(ids)
        yield [row for email_id in ids if (row := now_there.get(email_id)) and _is_due(row, now)]


def count_waiting(dynamo: Dynamo, campaign: str, status: Status) -> int:
    """Count a campaign's rows of a status that waits."""
    return dynamo.count(EMAILS, equals("campaignStatus", queue_of(campaign, status)), index=_INDEX)


def _is_due(row: StoredEmail, now: datetime) -> bool:
    return row.status in WAITING and (row.not_before is None or row.not_before <= now)
