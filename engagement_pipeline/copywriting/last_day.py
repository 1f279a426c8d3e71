"""Until when copy may be sent: what an offer promises ends with the offer."""

from datetime import date
from functools import lru_cache

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.validation import validate


def last_day(copy: Copy, brief: Brief, brand: Brand) -> date | None:
    """Return the last day on which copy may be sent; None where nothing in it ends.

    It rests on an offer where it names it as a reason, or would break a rule without it.

    Args:
        copy: passes all rules.
        brief: what it was written by.
        brand: in whose name.
    """
    if all(offer.until is None for offer in brief.offers):
        return None
    return _last_day(copy, brief, brand)


# Asked for each user, and many share a text.
@lru_cache(maxsize=4096)
def _last_day(copy: Copy, brief: Brief, brand: Brand) -> date | None:
    for end in sorted({offer.until for offer in brief.offers if offer.until is not None}):
        left = tuple(offer for offer in brief.offers if offer.until is None or offer.until > end)
        if validate(copy, brief.model_copy(update={"offers": left}), brand):
            return end
    return None
