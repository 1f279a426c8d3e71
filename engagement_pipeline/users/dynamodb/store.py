"""The store of users and orders on DynamoDB; how it keeps what must not part together is said in `ordering`."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from engagement_pipeline.platform import facts
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_audit import audit_puts
from engagement_pipeline.platform.dynamodb_tables import ORDER_OWNERS, ORDERS, USERS
from engagement_pipeline.platform.dynamodb_words import Condition, absent, all_of, any_of, at_most, equals, exists
from engagement_pipeline.platform.dynamodb_writes import Delete, Update, is_possible
from engagement_pipeline.platform.side_by_side import each
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users import rejects
from engagement_pipeline.users.dynamodb import describing, ordering
from engagement_pipeline.users.dynamodb.items import text_of
from engagement_pipeline.users.dynamodb.reading import DynamoUserReader
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.store import AuditOfOrders, StoredUser, WriteCounts
from engagement_pipeline.users.writing import ChangedMeanwhileError


class UserScore(NamedTuple):
    """What is written back of a user's score."""

    user_id: str
    score: float
    band: str


class DynamoUserStore(DynamoUserReader):
    """Users and orders in DynamoDB's tables.

    What is the system's own, rejected records and facts, stays in the operational database, which also holds what the
    tables held a little while ago for lists and searches: the read model.
    """

    def __init__(
        self, dynamo: Dynamo, database: Database, secret_key: str, *, consent_when_missing: bool = False
    ) -> None:
        super().__init__(dynamo, database, secret_key, consent_when_missing=consent_when_missing)
        self._is_key_checked = False

    def put_users(self, batch: Sequence[User], now: datetime) -> WriteCounts:
        """Write descriptions of users as `UserStore` says; each user is a change of its own."""
        self._check_key()
        latest = {user.user_id: user for user in batch}
        seen = self.items(latest)
        done = each(lambda user: describing.describe(self, user, seen.get(user.user_id), now), list(latest.values()))
        created, updated = done.count("created"), done.count("updated")
        return WriteCounts(created, updated, len(batch) - created - updated)

    def create_user(self, user: User, now: datetime, audit: AuditEntry | None = None) -> StoredUser:
        self._check_key()
        return describing.create(self, user, now, audit)

    def change_user(self, user: User, version: int, now: datetime, audit: AuditEntry | None = None) -> StoredUser:
        self._check_key()
        return describing.change(self, user, version, now, audit)

    def delete_user(
        self, user_id: str, now: datetime, *, version: int | None = None, audit: AuditEntry | None = None
    ) -> bool:
        if not is_possible((user_id,)):
            return False
        # The user first: without one, nobody can add an order.
        refused = self.dynamo.transact([Delete(USERS, (user_id,), _is_of(version)), *audit_puts(audit)])
        if refused and refused[0].item is not None:
            raise ChangedMeanwhileError
        left = self.dynamo.query(ORDERS, equals("userId", user_id), attributes=("userId", "orderId"))
        keys = [(item["userId"], item["orderId"]) for item in left]
        self.dynamo.write_many(Delete(ORDERS, key) for key in keys)
        # An order may have gone to somebody else by now.
        each(self.dynamo.write, [Delete(ORDER_OWNERS, (key[1],), equals("userId", user_id)) for key in keys])
        return not refused

    def put_orders(self, batch: Sequence[Order], now: datetime, audit: AuditOfOrders | None = None) -> WriteCounts:
        """Write orders as `UserStore` says; all or none where they fit into one transaction, else user by user."""
        return ordering.write_orders(self, batch, now, audit)

    def refresh_aggregates(self, user_ids: Sequence[str], now: datetime) -> int:
        """Bring users' aggregates in line with orders that others wrote; return how many have changed."""
        return sum(each(lambda user_id: ordering.refresh(self, user_id, now), list(dict.fromkeys(user_ids))))

    def write_scores(self, batch: Sequence[UserScore], now: datetime) -> int:
        """Write users' newest scores beside them; return how many were written.

        Users who are gone are passed over, and so are those with a score of a later moment. The version stays: nothing
        is decided on what is written here.

        Args:
            batch: the scores.
            now: the moment of scoring.
        """
        return sum(each(lambda score: self.dynamo.write(_scored(score, now)) is None, batch))

    def record_rejects(self, batch: Sequence[rejects.Reject], now: datetime) -> int:
        with self._database.write() as connection:
            return rejects.record(connection, batch, now)

    def remember(self, name: str, value: str) -> str:
        with self._database.write() as connection:
            return facts.keep_first(connection, name, value)

    def _check_key(self) -> None:
        if not self._is_key_checked:
            with self._database.write() as connection:
                check_secret_key(connection, self.secret_key)
            self._is_key_checked = True


def _is_of(version: int | None) -> Condition:
    if version is None:
        return exists("userId")
    # An item of an earlier deployment has no version yet.
    is_it = any_of(equals("version", version), absent("version")) if version == 0 else equals("version", version)
    return all_of(exists("userId"), is_it)


def _scored(score: UserScore, now: datetime) -> Update:
    moment = text_of(now)
    is_newer = any_of(absent("scoredAt"), at_most("scoredAt", moment))
    sets = {"engagementScore": score.score, "scoreBand": score.band, "scoredAt": moment}
    return Update(USERS, (score.user_id,), sets=sets, condition=all_of(exists("userId"), is_newer))
