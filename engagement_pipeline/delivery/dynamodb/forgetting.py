"""Makes rows and touches of somebody who is being erased lead to nobody."""

from collections.abc import Collection
from datetime import datetime

from engagement_pipeline.delivery.anonymous import Pseudonyms
from engagement_pipeline.delivery.dynamodb import addresses
from engagement_pipeline.delivery.dynamodb.items import EARLIER_TEXTS, item_of, stored_email
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import ADDRESSES, EMAILS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import absent, unchanged
from engagement_pipeline.platform.dynamodb_writes import Delete, Put

_TRIES = 30
_PLACE = ("userId", "status", "sentAt", "claimedBy", "updatedAt")


def forget_email(dynamo: Dynamo, former: str, user_id: str, names: Pseudonyms, now: datetime) -> None:
    """Put a row of a user under its new id."""
    for _ in dynamo.tries("a row was moved again and again", _TRIES):
        item = dynamo.get(EMAILS, former)
        if item is None or item.get("userId") != user_id:
            break
        renamed = _renamed(item, names, now)
        delete = Delete(EMAILS, (former,), unchanged(item, _PLACE))
        if not dynamo.transact([delete, Put(EMAILS, renamed, absent("emailId"))]):
            break


def forget_address(dynamo: Dynamo, address_key: str, email_ids: Collection[str]) -> None:
    """Forget how these e-mails touched an address; a suppression stays, and what others touched."""
    for _ in dynamo.tries("an address was touched again and again", _TRIES):
        item = dynamo.get(ADDRESSES, address_key)
        if item is None:
            break
        write = addresses.forgetting(item, email_ids)
        if write is None or dynamo.write(write) is None:
            break


def _renamed(item: Item, names: Pseudonyms, now: datetime) -> Item:
    row = stored_email(item)
    if "campaign" not in item:
        # An earlier row stays one, but for what it says.
        kept = {name: value for name, value in item.items() if name not in EARLIER_TEXTS}
        return {**kept, "emailId": names.email_id(row.email_id), "userId": names.user_id}
    return item_of(names.renamed(row, now))
