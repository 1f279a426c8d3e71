"""Makes rows and touches of somebody who is being erased lead to nobody."""

from collections.abc import Collection
from datetime import datetime

from engagement_pipeline.delivery.anonymous import Pseudonyms
from engagement_pipeline.delivery.dynamodb import addresses
from engagement_pipeline.delivery.dynamodb.items import EARLIER_FACTS, BadEmailError, item_of, stored_email
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import ADDRESSES, EMAILS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import absent, unchanged
from engagement_pipeline.platform.dynamodb_writes import Delete, Put

_TRIES = 30
_PLACE = ("userId", "status", "sentAt", "claimedBy", "updatedAt")


def forget_email(dynamo: Dynamo, former: str, user_id: str, names: Pseudonyms, now: datetime) -> None:
    """Put a row of a user under its new id; of what cannot be read nothing counts, and nothing stays."""
    for _ in dynamo.tries("a row was moved again and again", _TRIES):
        item = dynamo.get(EMAILS, former)
        if item is None or item.get("userId") != user_id:
            break
        delete = Delete(EMAILS, (former,), unchanged(item, _PLACE))
        if not dynamo.transact([delete, *_renaming(item, names, now)]):
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


def _renaming(item: Item, names: Pseudonyms, now: datetime) -> list[Put]:
    try:
        row = stored_email(item)
    except BadEmailError:
        return []
    if "campaign" in item:
        renamed = item_of(names.renamed(row, now))
    else:
        # An earlier row stays one.
        kept: Item = {name: item[name] for name in EARLIER_FACTS if name in item}
        renamed = {**kept, "emailId": names.email_id(row.email_id), "userId": names.user_id}
    return [Put(EMAILS, renamed, absent("emailId"))]
