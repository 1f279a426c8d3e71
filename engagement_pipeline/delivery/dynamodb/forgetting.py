"""Makes rows and touches of somebody who is being erased lead to nobody."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from engagement_pipeline.delivery.dynamodb import addresses
from engagement_pipeline.delivery.dynamodb.items import EARLIER_TEXTS, item_of, stored_email
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import ADDRESSES, EMAILS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import absent, unchanged
from engagement_pipeline.platform.dynamodb_writes import Delete, Put

_TRIES = 30
_PLACE = ("userId", "status", "sentAt", "claimedBy", "updatedAt")


def forget_email(
    dynamo: Dynamo, former: str, new: str, user_id: str, pseudonym: str, address_keys: Mapping[str, str], now: datetime
) -> None:
    """Put a row of a user under another id and another user, once."""
    for _ in dynamo.tries("a row was moved again and again", _TRIES):
        item = dynamo.get(EMAILS, former)
        if item is None or item.get("userId") != user_id:
            break
        renamed = _renamed(item, new, pseudonym, address_keys, now)
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


def _renamed(item: Item, new: str, pseudonym: str, address_keys: Mapping[str, str], now: datetime) -> Item:
    row = stored_email(item)
    provider_message_id = row.provider_message_id
    if row.email_id in (provider_message_id or ""):
        provider_message_id = None
    if "campaign" not in item:
        # An earlier row stays one, but for what it says.
        kept = {name: value for name, value in item.items() if name not in EARLIER_TEXTS}
        return {**kept, "emailId": new, "userId": pseudonym}
    return item_of(
        replace(
            row,
            email_id=new,
            user_id=pseudonym,
            address_key=address_keys.get(row.address_key, row.address_key),
            provider_message_id=provider_message_id,
            updated_at=now,
        )
    )
