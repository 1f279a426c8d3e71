"""Makes tables of an earlier deployment fit: `python -m infra.adopt users=Users emails=Emails`.

Adds what is missing of streams and indexes, one after the other, and touches no item: whoever uses the tables goes on
meanwhile. Says in the end what belongs into infra/deployment.json. Running it again does no harm.

Exit codes: 0 success, 1 failure, 2 bad input.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from engagement_pipeline.platform.dynamodb_tables import STREAM_VIEW, TABLES, Index, Table, create_request
from infra.config import DeploymentError, load

_LOOK_SECONDS: Final = 5.0
# DynamoDB fills an index at its own pace; a large table takes hours.
_PATIENCE_SECONDS: Final = 24 * 3600


class UnfitError(Exception):
    """A table cannot be used as it is, and nothing that can be added would help."""


class Adoption:
    """Brings tables to where the system can use them."""

    def __init__(self, dynamodb: Any, look_seconds: float = _LOOK_SECONDS) -> None:
        """Take a client of DynamoDB, and how long to wait between two looks at what it does."""
        self._dynamodb = dynamodb
        self._look_seconds = look_seconds

    def missing(self, table: Table, called: str) -> list[str]:
        """Return in words what a table lacks.

        Raises:
            UnfitError: its key, stream or an index is another than ours.
        """
        return [words for words, _ in self._changes(table, called)]

    def adopt(self, table: Table, called: str) -> Iterator[str]:
        """Add what a table lacks; say each thing when it is there.

        Raises:
            UnfitError: see `missing`.
            TimeoutError: DynamoDB does not come to an end.
        """
        for words, change in list(self._changes(table, called)):
            self._dynamodb.update_table(TableName=called, **change)
            self._wait(called)
            yield words

    def stream_of(self, called: str) -> str:
        """Return the address of a table's stream."""
        return str(self._described(called)["LatestStreamArn"])

    def _changes(self, table: Table, called: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        found = self._described(called)
        wanted = create_request(table, called)
        if _keys(found) != _keys(wanted):
            raise UnfitError(f"{called} has the key {_in_words(found)}, and {table.name} need {_in_words(wanted)}")
        if table.streams:
            yield from _stream(called, found.get("StreamSpecification", {}), wanted["StreamSpecification"])
        there = {each["IndexName"]: each for each in found.get("GlobalSecondaryIndexes", [])}
        for index, request in zip(table.indexes, wanted.get("GlobalSecondaryIndexes", []), strict=True):
            if index.name not in there:
                yield f"index {index.name}", _new_index(called, index, request, found)
            elif _keys(there[index.name]) != _keys(request):
                raise UnfitError(f"{called} has another index named {index.name}")

    def _described(self, called: str) -> Mapping[str, Any]:
        described: Mapping[str, Any] = self._dynamodb.describe_table(TableName=called)["Table"]
        return described

    def _wait(self, called: str) -> None:
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < give_up:
            found = self._described(called)
            states = [each.get("IndexStatus", "ACTIVE") for each in found.get("GlobalSecondaryIndexes", [])]
            if {found["TableStatus"], *states} == {"ACTIVE"}:
                return
            time.sleep(self._look_seconds)
        raise TimeoutError(f"{called} is still being changed after a day")


def _stream(
    called: str, found: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not found.get("StreamEnabled"):
        yield "stream", {"StreamSpecification": wanted}
    elif found["StreamViewType"] != STREAM_VIEW:
        # Another one would end the one that somebody reads.
        raise UnfitError(f"{called} has a stream of {found['StreamViewType']}; end it when nobody reads it any more")


def _new_index(called: str, index: Index, request: Mapping[str, Any], found: Mapping[str, Any]) -> Mapping[str, Any]:
    kinds = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
    for name in index.key.attributes:
        if kinds.setdefault(name, "S") != "S":
            raise UnfitError(f"{called} has an index in which {name} is no text, as {index.name} needs it")
    create = dict(request)
    if "ProvisionedThroughput" in found and found.get("BillingModeSummary", {}).get("BillingMode") != "PAY_PER_REQUEST":
        units = found["ProvisionedThroughput"]
        create["ProvisionedThroughput"] = {name: units[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits")}
    return {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in sorted(kinds.items())
        ],
        "GlobalSecondaryIndexUpdates": [{"Create": create}],
    }


def _keys(described: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [(each["AttributeName"], each["KeyType"]) for each in described["KeySchema"]]


def _in_words(described: Mapping[str, Any]) -> str:
    return " and ".join(name for name, _ in _keys(described))


def main(arguments: Sequence[str] | None = None) -> int:
    """Adopt what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", metavar="OURS=THEIRS", help="such as users=Users")
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    given = parser.parse_args(arguments)
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        tables = _named(given.tables)
        adoption = Adoption(boto3.session.Session(region_name=load().region).client("dynamodb"))
        for table, called in tables:
            for words in adoption.missing(table, called) if given.check else adoption.adopt(table, called):
                _tell(f"{called}: {words} {'is missing' if given.check else 'added'}")
        if not given.check:
            _tell(f'For infra/deployment.json: "existing_tables": {json.dumps(_existing(adoption, tables), indent=2)}')
    except DeploymentError as error:
        _tell(str(error))
        return 2
    except (UnfitError, TimeoutError, BotoCoreError, ClientError) as error:
        _tell(f"Left as it is: {error}")
        return 1
    return 0


def _named(words: Sequence[str]) -> list[tuple[Table, str]]:
    by_name: dict[str, Table] = {table.name: table for table in TABLES}
    pairs = [word.partition("=")[::2] for word in words]
    for ours, theirs in pairs:
        if ours not in by_name or not theirs:
            raise DeploymentError(f"{ours}={theirs}: write users=NAME; ours are {', '.join(by_name)}")
    return [(by_name[ours], theirs) for ours, theirs in pairs]


def _existing(adoption: Adoption, tables: Sequence[tuple[Table, str]]) -> dict[str, dict[str, str]]:
    return {
        table.name: {"name": called, **({"stream_arn": adoption.stream_of(called)} if table.streams else {})}
        for table, called in tables
    }


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
