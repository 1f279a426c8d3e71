"""Writes of DynamoDB's items as values, and the requests that they become. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engagement_pipeline.platform.dynamodb_tables import Table
from engagement_pipeline.platform.dynamodb_values import Attributes, Item, attributes_of, item_of
from engagement_pipeline.platform.dynamodb_words import Condition, Words, update_expression

# The values of a primary key, in the key's order.
KeyValues = tuple[str, ...]


@dataclass(frozen=True)
class Put:
    """Write a whole item."""

    table: Table
    item: Item
    condition: Condition | None = None


@dataclass(frozen=True)
class Update:
    """Change attributes of an item; where there is none, and no condition says otherwise, it is made.

    `adds` counts a number up, or adds members to a set, whatever it is by then.
    """

    table: Table
    key: KeyValues
    sets: Item = field(default_factory=dict)
    removes: Sequence[str] = ()
    adds: Mapping[str, int | frozenset[str]] = field(default_factory=dict)
    condition: Condition | None = None


@dataclass(frozen=True)
class Delete:
    table: Table
    key: KeyValues
    condition: Condition | None = None


@dataclass(frozen=True)
class Check:
    """Write nothing, but only let a transaction through while this holds."""

    table: Table
    key: KeyValues
    condition: Condition


Write = Put | Update | Delete | Check


@dataclass(frozen=True)
class Refused:
    """A write whose condition did not hold.

    Attributes:
        position: which of the writes, from 0.
        item: what was found instead; None where there is no such item.
    """

    position: int
    item: Item | None = field(repr=False)

    @classmethod
    def at(cls, position: int, found: Attributes | None) -> "Refused":
        """Make one of what DynamoDB returns beside a refusal."""
        return cls(position, item_of(found) if found else None)


# In bytes: of a partition key, and of a sort key.
_LONGEST_KEY: Final = (2048, 1024)

_OPERATIONS = {Put: "put_item", Update: "update_item", Delete: "delete_item"}
_ACTIONS = {Put: "Put", Update: "Update", Delete: "Delete", Check: "ConditionCheck"}


def operation(write: Put | Update | Delete, called: str) -> tuple[str, dict[str, Any]]:
    """Return boto3's name of the call that makes this one write, and its parameters."""
    return _OPERATIONS[type(write)], _parameters(write, called)


def action(write: Write, called: str) -> dict[str, Any]:
    """Return the write as part of a transaction."""
    return {_ACTIONS[type(write)]: _parameters(write, called)}


def batched(write: Put | Delete) -> dict[str, Any]:
    """Return the write as part of a batch.

    Raises:
        ValueError: it has a condition, which a batch does not know.
    """
    if write.condition is not None:
        raise ValueError("a batch knows no conditions")
    if isinstance(write, Put):
        return {"PutRequest": {"Item": attributes_of(write.item)}}
    return {"DeleteRequest": {"Key": key_of(write.table, write.key)}}


def written_key(write: Put | Delete) -> KeyValues:
    """Return the primary key of what is written."""
    if isinstance(write, Delete):
        return write.key
    return tuple(write.item[name] for name in write.table.key.attributes)


def is_possible(key: KeyValues) -> bool:
    """Whether there can be an item of this key: DynamoDB has bounds for their length, and refuses to look beyond."""
    return all(0 < len(value.encode()) <= most for value, most in zip(key, _LONGEST_KEY, strict=False))


def key_of(table: Table, values: KeyValues) -> Attributes:
    """Return a primary key in DynamoDB's own form."""
    return {name: {"S": value} for name, value in zip(table.key.attributes, values, strict=True)}


def _parameters(write: Write, called: str) -> dict[str, Any]:
    words = Words()
    parameters: dict[str, Any] = {"TableName": called}
    if isinstance(write, Put):
        parameters["Item"] = attributes_of(write.item)
    else:
        parameters["Key"] = key_of(write.table, write.key)
    if isinstance(write, Update):
        parameters["UpdateExpression"] = update_expression(words, write.sets, write.removes, write.adds)
    if write.condition is not None:
        parameters["ConditionExpression"] = write.condition(words)
        parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return parameters | words.parameters()
