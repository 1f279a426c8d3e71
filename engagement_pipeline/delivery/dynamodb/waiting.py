"""What waits to be sent, in the order of its value, from an index that may lag behind."""

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from operator import itemgetter
from typing import Final, NamedTuple

from engagement_pipeline.delivery.dynamodb.items import queue_of, rank_of
from engagement_pipeline.delivery.entries import Entry, StoredEmail
from engagement_pipeline.delivery.statuses import WAITING, Status
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import EMAILS
from engagement_pipeline.platform.dynamodb_words import absent, all_of, any_of, at_most, equals, greater
from engagement_pipeline.users.dynamodb.items import text_of

_INDEX: Final = "queue"
_PAGE: Final = 1_000
# It is a fraction of a second as a rule.
_INDEX_LAG_SECONDS: Final = 10.0


class Waiting(NamedTuple):
    """A row that waits, as far as the index tells."""

    rank: str
    email_id: str
    edition: str | None


class Fresh:
    """Rows that were written here a moment ago: whoever sends them next must not have to wait for the index."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, tuple[float, Waiting]]] = {}

    def note(self, row: StoredEmail) -> None:
        noted = clock.monotonic(), Waiting(rank_of(row.value_at_risk, row.email_id), row.email_id, row.edition)
        with self._lock:
            self._rows.setdefault(row.campaign, {})[row.email_id] = noted

    def of(self, campaign: str, after: str = "") -> list[Waiting]:
        """Return a campaign's, in order, behind a rank."""
        since = clock.monotonic() - _INDEX_LAG_SECONDS
        with self._lock:
            kept = {key: noted for key, noted in self._rows.get(campaign, {}).items() if noted[0] > since}
            self._rows[campaign] = kept
        return sorted(row for _, row in kept.values() if row.rank > after)


def waiting(
    dynamo: Dynamo,
    campaign: str,
    among: Iterable[Status] = WAITING,
    *,
    until: datetime | None = None,
    after: Entry | None = None,
    fresh: Fresh | None = None,
    page: int = _PAGE,
) -> Iterator[Waiting]:
    """Return a campaign's rows that wait, the most valuable first.

    Args:
        dynamo: the tables.
        campaign: whose.
        among: the statuses that the rows may have.
        until: leaves out rows whose time comes later; None: all.
        after: begins behind this one.
        fresh: rows that there are in any case, or were.
        page: how many to read at once.
    """
    begin = "" if after is None else rank_of(after.value_at_risk, after.email_id)

    def of(status: Status) -> Iterator[Waiting]:
        partition = equals("campaignStatus", queue_of(campaign, status))
        found = dynamo.query(
            EMAILS,
            all_of(partition, greater("rank", begin)) if begin else partition,
            index=_INDEX,
            only=None if until is None else any_of(absent("notBefore"), at_most("notBefore", text_of(until))),
            page=page,
        )
        return (Waiting(item["rank"], item["emailId"], item.get("edition")) for item in found)

    # A row that moves from one status to the next may be seen at both.
    last = None
    known = [] if fresh is None else fresh.of(campaign, begin)
    for row in merge(known, *map(of, sorted(among)), key=itemgetter(0)):
        if row.email_id != last:
            last = row.email_id
            yield row


def count_waiting(dynamo: Dynamo, campaign: str, status: Status) -> int:
    """Count a campaign's rows of a status that waits."""
    return dynamo.count(EMAILS, equals("campaignStatus", queue_of(campaign, status)), index=_INDEX)
