"""Reads and writes of DynamoDB that keep on until they are done: pages, unprocessed items, throttling, conflicts.

What fails on the way, is throttled or meets another transaction is repeated, with jitter. What is left is an
`UnavailableError`, after which nobody knows more than that the answer was missing.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from engagement_pipeline.platform.aws import client
from engagement_pipeline.platform.batches import in_batches
from engagement_pipeline.platform.dynamodb_errors import PASSING, check_whole, code_of, passes
from engagement_pipeline.platform.dynamodb_tables import Table
from engagement_pipeline.platform.dynamodb_values import Attributes, Item, item_of
from engagement_pipeline.platform.dynamodb_words import Condition, Words, projection
from engagement_pipeline.platform.dynamodb_writes import (
    Delete,
    KeyValues,
    Put,
    Refused,
    Update,
    Write,
    action,
    batched,
    is_possible,
    key_of,
    operation,
    written_key,
)
from engagement_pipeline.platform.settings import Settings

# The most that one request may hold.
GET_AT_ONCE: Final = 100
WRITE_AT_ONCE: Final = 25
TRANSACT_AT_ONCE: Final = 100

# Threads that share one client, each with a connection at hand.
CONNECTIONS: Final = 64

_TRIES: Final = 12
_FIRST_WAIT_SECONDS: Final = 0.02
_LONGEST_WAIT_SECONDS: Final = 3.0


class UnavailableError(RuntimeError):
    """DynamoDB did not answer, or had no capacity, for as long as we tried; a write may have been made all the same."""


class Dynamo:
    """The tables of one deployment; threads may share it.

    Args:
        client: boto3's, for `dynamodb`.
        names: what our tables are called in the account, by our names.
        wait: sleeps between two tries.
    """

    def __init__(self, client: Any, names: Mapping[str, str], wait: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self._names = names
        self._wait = wait

    def called(self, table: Table) -> str:
        """Return a table's name in the account."""
        return self._names[table.name]

    def get(self, table: Table, *key: str, attributes: Sequence[str] = ()) -> Item | None:
        """Return an item as it is now, or only these attributes of it; None where there is none."""
        if not is_possible(key):
            return None
        request = {"TableName": self.called(table), "Key": key_of(table, key), "ConsistentRead": True}
        found = self._ask("get_item", {**request, **projection(attributes)}).get("Item")
        return None if found is None else item_of(found)

    def get_many(self, table: Table, keys: Iterable[KeyValues], attributes: Sequence[str] = ()) -> list[Item]:
        """Return those of these items that there are, as they are now, in no particular order."""
        found: list[Item] = []
        for chunk in in_batches(filter(is_possible, dict.fromkeys(keys)), GET_AT_ONCE):
            wanted = {"Keys": [key_of(table, key) for key in chunk], "ConsistentRead": True, **projection(attributes)}
            found += self._get_chunk(table, wanted)
        return found

    def query(
        self,
        table: Table,
        key: Condition,
        *,
        index: str | None = None,
        only: Condition | None = None,
        newest_first: bool = False,
        page: int | None = None,
        attributes: Sequence[str] = (),
    ) -> Iterator[Item]:
        """Read the items of one partition in the order of their sort key, page by page as far as they are asked for.

        Args:
            table: one of ours.
            key: what the key has to be.
            index: reads this index instead, which may lag behind; the table itself is read as it is now.
            only: leaves out others; they are read, and paid for, all the same.
            newest_first: from the end.
            page: the most items of one request; None: as many as fit into 1 MB.
            attributes: only these; empty: all that there are.
        """
        words = Words()
        request: dict[str, Any] = {
            "TableName": self.called(table),
            "KeyConditionExpression": key(words),
            "ScanIndexForward": not newest_first,
        }
        request |= {"ConsistentRead": True} if index is None else {"IndexName": index}
        request |= {} if only is None else {"FilterExpression": only(words)}
        request |= {} if page is None else {"Limit": page}
        request |= {"ProjectionExpression": words.names(attributes)} if attributes else {}
        yield from self._pages("query", request | words.parameters())

    def count(self, table: Table, key: Condition, *, index: str) -> int:
        """Count the items of one partition of an index."""
        words = Words()
        request = {"TableName": self.called(table), "IndexName": index, "KeyConditionExpression": key(words)}
        answers = self._answers("query", {**request, **words.parameters(), "Select": "COUNT"})
        return sum(int(answer["Count"]) for answer in answers)

    def scan(self, table: Table, segment: int, segments: int) -> Iterator[Item]:
        """Read one of several parts of a whole table, which threads may read side by side. Not for requests."""
        part = {"TotalSegments": segments, "Segment": segment}
        yield from self._pages("scan", {"TableName": self.called(table), "ConsistentRead": True, **part})

    def write(self, write: Put | Update | Delete) -> Refused | None:
        """Make one write; None where it was made.

        Half as dear as a transaction of one. Where an answer is lost the write is repeated, so that its condition may
        refuse what it has made itself: for writes that may be made twice.
        """
        from botocore.exceptions import ClientError

        name, parameters = operation(write, self.called(write.table))
        try:
            self._ask(name, parameters)
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return Refused.at(0, error.response.get("Item"))
        return None

    def transact(self, writes: Sequence[Write], token: str | None = None) -> tuple[Refused, ...]:
        """Make all these writes or none; return those whose condition did not hold: empty where all were made.

        Conflicts with other transactions are waited out. A repetition under the same token within ten minutes is
        answered without being made again.

        Args:
            writes: at most 100, each of another item.
            token: names the transaction, at most 36 characters; None: a new one.

        Raises:
            UnavailableError: nobody knows whether they were made.
        """
        items = [action(write, self.called(write.table)) for write in writes]
        request = {"TransactItems": items, "ClientRequestToken": token or str(uuid.uuid4())}
        for _ in self.tries("conflicts between transactions did not end"):
            refused = self._try_transaction(request)
            if refused is not None:
                break
        return refused or ()

    def write_many(self, writes: Iterable[Put | Delete]) -> None:
        """Write or delete whole items without conditions, as cheaply as can be; not all or none.

        Raises:
            UnavailableError: some were made, some not.
        """
        latest = {(write.table.name, written_key(write)): write for write in writes}
        for chunk in in_batches(latest.values(), WRITE_AT_ONCE):
            requests: dict[str, list[Any]] = {}
            for write in chunk:
                requests.setdefault(self.called(write.table), []).append(batched(write))
            self._until_processed("batch_write_item", requests, "UnprocessedItems", lambda answer: None)

    def tries(self, why_not: str, limit: int = _TRIES) -> Iterator[int]:
        """Count tries from 0, waiting longer and longer in between; whoever has succeeded leaves the loop.

        Raises:
            UnavailableError: none was the last one, and `why_not` says why.
        """
        for tried in range(limit):
            yield tried
            self._back_off(tried)
        raise UnavailableError(f"DynamoDB: {why_not}")

    def _get_chunk(self, table: Table, wanted: Mapping[str, Any]) -> list[Item]:
        called = self.called(table)
        found: list[Item] = []

        def take(answer: Mapping[str, Any]) -> None:
            found.extend(item_of(attributes) for attributes in answer["Responses"].get(called, ()))

        self._until_processed("batch_get_item", {called: wanted}, "UnprocessedKeys", take)
        return found

    def _until_processed(
        self, operation: str, requests: Any, left: str, take: Callable[[Mapping[str, Any]], None]
    ) -> None:
        while requests:
            for _ in self.tries("no capacity"):
                answer = self._ask(operation, {"RequestItems": requests})
                take(answer)
                rest = answer.get(left) or {}
                if _size(rest) < _size(requests):
                    break
            requests = rest

    def _pages(self, operation: str, request: Mapping[str, Any]) -> Iterator[Item]:
        for answer in self._answers(operation, request):
            yield from map(item_of, answer["Items"])

    def _answers(self, operation: str, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        start: Attributes | None = None
        while True:
            answer = self._ask(operation, {**request, **({"ExclusiveStartKey": start} if start else {})})
            yield answer
            start = answer.get("LastEvaluatedKey")
            if not start:
                return

    def _try_transaction(self, request: Mapping[str, Any]) -> tuple[Refused, ...] | None:
        """Return what was refused, or None where it is worth another try."""
        from botocore.exceptions import ClientError

        try:
            self._ask("transact_write_items", request)
        except ClientError as error:
            if code_of(error) != "TransactionCanceledException":
                raise
            reasons = error.response.get("CancellationReasons", [])
            refused = tuple(
                Refused.at(position, reason.get("Item"))
                for position, reason in enumerate(reasons)
                if reason["Code"] == "ConditionalCheckFailed"
            )
            if refused:
                return refused
            if any(reason["Code"] in PASSING for reason in reasons):
                return None
            raise
        return ()

    def _ask(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call DynamoDB until it answers; other errors than those that pass are raised as boto3 does."""
        from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - boto3's own name

        for _ in self.tries(f"no answer to {operation}"):
            try:
                answer: Mapping[str, Any] = getattr(self.client, operation)(**request)
            except ClientError as error:
                if not passes(error):
                    raise
            except (ConnectionError, HTTPClientError):
                pass
            else:
                break
        return answer

    def _back_off(self, tried: int) -> None:
        longest = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**tried)
        self._wait(random.uniform(0, longest))  # noqa: S311 - only spreads the waiting


def connect(settings: Settings) -> Dynamo:
    """Return the tables that settings name.

    Raises:
        AwsSettingsError: no region is set, or the address of the server is none.
    """
    dynamodb = client(
        settings,
        "dynamodb",
        # We repeat ourselves: boto3 knows nothing of conflicts, and would wait up to 20 seconds between two tries.
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        connect_timeout=5,
        read_timeout=5,
    )
    dynamodb.meta.events.register("before-parse.dynamodb", check_whole)
    return Dynamo(dynamodb, settings.dynamodb.tables)


def _size(requests: Mapping[str, Any]) -> int:
    return sum(len(each["Keys"]) if isinstance(each, Mapping) else len(each) for each in requests.values())
