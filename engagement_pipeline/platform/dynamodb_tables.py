"""The DynamoDB tables of the system: keys, indexes, streams. Tests make them from here, and so does `infra`.

Attributes are camelCase, as in the tables of the earlier deployment, which are used as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Projection = Literal["ALL", "KEYS_ONLY", "INCLUDE"]


@dataclass(frozen=True)
class Key:
    """What finds items: a partition, and within it an order. Every key of ours is a string."""

    partition: str
    sort: str | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        return (self.partition,) if self.sort is None else (self.partition, self.sort)


@dataclass(frozen=True)
class Index:
    """A global secondary index; items without its key attributes are not in it. It follows the table a little later.

    `include` names what it holds beside keys where its projection is INCLUDE.
    """

    name: str
    key: Key
    projection: Projection = "ALL"
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table, by the name under which settings know it (`settings.dynamodb.<name>_table`).

    Attributes:
        name: ours; what the table is called in an account is a setting.
        key: its primary key.
        indexes: in the order in which they are made.
        streams: whether its changes are told.
    """

    name: Literal["users", "orders", "order_owners", "emails", "addresses", "audit"]
    key: Key
    indexes: tuple[Index, ...] = ()
    streams: bool = True

    @property
    def key_attributes(self) -> tuple[str, ...]:
        """Every attribute that is part of a key, each once."""
        keys = (self.key, *(index.key for index in self.indexes))
        return tuple(dict.fromkeys(attribute for key in keys for attribute in key.attributes))


# All streams carry both images: an event says what was and what is.
STREAM_VIEW: Final = "NEW_AND_OLD_IMAGES"

USERS: Final = Table("users", Key("userId"), (Index("address", Key("addressKey"), "KEYS_ONLY"),))

ORDERS: Final = Table("orders", Key("userId", "orderId"))

# Whose an order is, by its id alone: an index would lag behind, and two writers could give one order to two users.
ORDER_OWNERS: Final = Table("order_owners", Key("orderId"), streams=False)

EMAILS: Final = Table(
    "emails",
    Key("emailId"),
    (
        # Rows of the earlier deployment have this attribute and no other moment.
        Index("user", Key("userId", "generatedAt"), "KEYS_ONLY"),
        # What waits to be sent, by "<campaign>#<status>", the most valuable first; what nobody can tell, by "#unknown".
        Index("queue", Key("campaignStatus", "rank"), "INCLUDE", ("notBefore", "edition")),
        # What senders hold. Spread over a few partitions: all of it has to be found without knowing who they are.
        Index("holder", Key("claimShard", "claimedBy"), "KEYS_ONLY"),
        Index("provider", Key("providerMessageId"), "KEYS_ONLY"),
    ),
)

ADDRESSES: Final = Table("addresses", Key("addressKey"))

AUDIT: Final = Table("audit", Key("auditId"), (Index("entity", Key("entityKey", "happenedAt")),))

TABLES: Final = (USERS, ORDERS, ORDER_OWNERS, EMAILS, ADDRESSES, AUDIT)


def create_request(table: Table, called: str) -> Mapping[str, Any]:
    """Return the parameters of `CreateTable`, billed by request.

    Args:
        table: one of ours.
        called: its name in the account.
    """
    indexes = [
        {
            "IndexName": index.name,
            "KeySchema": _schema(index.key),
            "Projection": {
                "ProjectionType": index.projection,
                **({"NonKeyAttributes": list(index.include)} if index.include else {}),
            },
        }
        for index in table.indexes
    ]
    return {
        "TableName": called,
        "KeySchema": _schema(table.key),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in table.key_attributes],
        "BillingMode": "PAY_PER_REQUEST",
        **({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": STREAM_VIEW}} if table.streams else {}),
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    }


def _schema(key: Key) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": attribute, "KeyType": kind} for attribute, kind in zip(key.attributes, kinds, strict=False)
    ]
