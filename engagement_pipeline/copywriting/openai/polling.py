"""Whether a run should see to the batches now: what a sensor asks every minute."""

from datetime import datetime, timedelta
from typing import Final

from engagement_pipeline.copywriting.openai.batch_provider import GoneError, ProviderError, batch_provider
from engagement_pipeline.copywriting.openai.batches import UNSENT, Batch, BatchStore
from engagement_pipeline.copywriting.openai.following import PATIENCE
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database

# What is left half submitted, or cannot be brought in, is seen to by a run of its own, but not again and again while
# the provider is down.
TRIES_AFTER: Final = timedelta(minutes=5)

_ANSWER_SECONDS: Final = 10.0


def why_collect(settings: Settings, database: Database, now: datetime) -> str | None:
    """Return why a run should see to the batches, in words; None where there is nothing to do.

    The provider is only asked where there is an open batch, and only once for all.
    """
    batches = BatchStore(database).open()
    for batch in batches:
        if reason := _known(batch, now):
            return f"{batch.short_name} {reason}"
    if not batches:
        return None
    with batch_provider(settings, timeout=_ANSWER_SECONDS, tries_again=0) as provider:
        for batch in batches:
            try:
                if not _rests(batch, now) and provider.retrieve(batch.batch_id or "").has_ended:
                    return f"{batch.short_name} has ended"
            except GoneError:
                return f"{batch.short_name} is not known to the provider any more"
            except ProviderError:
                # The others would wait as long for nothing.
                return None
    return None


def _rests(batch: Batch, now: datetime) -> bool:
    """Tell whether there is nothing to look at yet: it is not with the provider, or a run has just seen to it."""
    return batch.batch_id is None or (batch.state == "submitted" and now - batch.updated_at < TRIES_AFTER)


def _known(batch: Batch, now: datetime) -> str | None:
    """Return why, where that is clear without the provider."""
    if batch.state in UNSENT and (now >= batch.wanted_by or now - batch.updated_at >= TRIES_AFTER):
        return "was left half submitted"
    if batch.state == "submitted" and now >= batch.wanted_by:
        return "is late"
    if batch.state == "cancelling" and now - batch.updated_at >= PATIENCE:
        return "does not end"
    return None
