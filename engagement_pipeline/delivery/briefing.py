"""From a user's figures to what the copywriter may know: the same for a run over everybody and for a single user."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief, assign_variant, make_brief
from engagement_pipeline.copywriting.catalogue import Catalogue
from engagement_pipeline.copywriting.copy import Copywriter, text_number
from engagement_pipeline.users.aggregates import last_skus
from engagement_pipeline.users.models import Order
from engagement_pipeline.users.rows import StoredUser


class Briefing:
    """Makes the briefs of one campaign.

    Args:
        campaign: its name.
        copywriter: who is briefed.
        brand: in whose name.
        catalogue: goods and offers that may be named, if the shop has such a file.
        median_order_value: the population's median of users' average order values, or None where it is not known.
        now: the moment of writing.
    """

    def __init__(
        self,
        campaign: str,
        copywriter: Copywriter,
        brand: Brand,
        catalogue: Catalogue | None,
        median_order_value: float | None,
        now: datetime,
    ) -> None:
        self._campaign = campaign
        self._variants = copywriter.variants
        self._texts_per_brief = copywriter.texts_per_brief
        self._brand = brand
        self._catalogue = catalogue
        self._median = median_order_value
        self._today = now.astimezone(timezone.utc).date()

    def variant(self, user_id: str) -> str:
        """Return the style that the user gets in this campaign."""
        return assign_variant(user_id, self._campaign, self._variants)

    def number(self, user_id: str) -> int:
        """Return which of their brief's texts the user gets."""
        return text_number(user_id, self._campaign, self._texts_per_brief)

    def brief(
        self,
        *,
        days_since_last_order: int,
        order_days: int,
        average_order_value: float,
        preferred_categories: Sequence[str],
        last_skus: Sequence[str],
        touches_since_order: int,
        variant: str,
    ) -> Brief:
        """Return the brief for the user's next e-mail; see `make_brief`."""
        return make_brief(
            days_since_last_order=days_since_last_order,
            order_days=order_days,
            average_order_value=average_order_value,
            median_order_value=self._median,
            preferred_categories=preferred_categories,
            emails_this_silence=touches_since_order,
            variant=variant,
            brand=self._brand,
            catalogue=self._catalogue,
            last_skus=last_skus,
            as_of=self._today,
        )

    def brief_of(self, user: StoredUser, orders: Iterable[Order], *, variant: str | None = None) -> Brief:
        """Return the brief for a stored user's next e-mail, in the user's own style or in another.

        Raises:
            ValueError: the user has never ordered.
        """
        if user.last_order_at is None:
            raise ValueError("there is no silence to write about where nothing was ever ordered")
        return self.brief(
            days_since_last_order=max(0, (self._today - user.last_order_at.astimezone(timezone.utc).date()).days),
            order_days=user.order_days,
            average_order_value=user.average_order_value,
            preferred_categories=user.preferred_categories,
            last_skus=last_skus(orders, user.last_order_at),
            touches_since_order=user.touches_since_order,
            variant=variant or self.variant(user.user_id),
        )
