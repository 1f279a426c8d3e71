"""The published figures, as the warehouse gives them and the API answers with them.

Each has a value for everything, so that before the first run there is an answer too: it says that nothing is computed.
"""

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

UNRELIABLE = "Unreliable: mail programs open by themselves, or hide that they do."

StepName = Literal["below", "eligible", "written", "delivered", "clicked", "ordered"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Figures(_Model):
    """What is computed and published together."""

    published_as: ClassVar[str]

    computed_at: datetime | None = Field(None, description="Empty as long as nothing is computed.")


class BandCounts(_Model):
    """How many users are in each band."""

    critical: int = 0
    at_risk: int = 0
    moderate: int = 0
    good: int = 0


class BandsOfDay(BandCounts):
    """The bands as they stood at the start of a day, by the orders before it."""

    day: date


class UsersByBand(Figures):
    """Users by band today, and how that moved."""

    published_as = "users_by_band"

    as_of: date | None = Field(None, description="The day (UTC) that the newest scores speak of.")
    today: BandCounts = BandCounts()
    over_time: list[BandsOfDay] = Field(
        [],
        description="A year at most, the oldest first. Counts users who had ordered before that day, and no e-mails, so"
        " that any past day can be computed; today's figures count everybody.",
    )


class ScoreDistribution(Figures):
    """How many users have which score."""

    published_as = "score_distribution"

    width: float = Field(2.0, description="Points of score that a bin covers.")
    bins: list[int] = Field([], description="Users by score, from 0 up; the last bin holds 100 too.")


class FunnelStep(_Model):
    """How many users came as far as this."""

    name: StepName
    users: int


class LeftOut(_Model):
    """Users who did not get to the next step, and why."""

    after: Literal["below", "eligible"] = Field(description="The step that they came to.")
    reason: str = Field(description="A code.")
    meaning: str = Field(description="The reason in a sentence.")
    users: int


class Funnel(Figures):
    """The way from risk to order, in users, over the last days.

    `below` holds who is below the threshold, or was when decided on in this time. `eligible` are those whom the gate
    let through, the hold-out among them. From `written` on the steps count the e-mails sent in this time; `ordered`
    counts orders of those written to, whether or not they clicked.
    """

    published_as = "funnel"

    campaign: str = ""
    days: int = Field(0, description="How far back decisions count.")
    attribution_days: int = Field(0, description="Days after a decision in which an order counts.")
    steps: list[FunnelStep] = []
    left_out: list[LeftOut] = Field(
        [], description="Everybody who is in one step and not in the next, up to `written`."
    )


class StatusCount(_Model):
    """E-mails of a campaign by status."""

    campaign: str
    status: str
    emails: int
    unreliable: bool = Field(description=f"True for `opened`. {UNRELIABLE}")


class EmailStatus(Figures):
    """E-mails by campaign and status, hold-outs among them."""

    published_as = "email_status"

    counts: list[StatusCount] = []


class Segment(_Model):
    """What a campaign, or one variant or band of it, achieved."""

    campaign: str
    segment_kind: Literal["campaign", "variant", "band"]
    segment: str = Field(description="The campaign's, variant's or band's name.")
    attribution_days: int = Field(description="Days after a decision in which an order counts.")
    mailed: int = Field(description="Decisions to write, whatever became of them.")
    sent: int
    delivered: int
    opened: int = Field(description=UNRELIABLE)
    clicked: int
    ordered: int = Field(description="Decisions to write that an order followed.")
    revenue: float = Field(description="Value of those orders, in the shop's currency.")
    held_out: int = Field(description="Decisions not to write, for comparison.")
    measured_mailed: int = Field(description="Decisions to write whose days for orders are over.")
    measured_held_out: int = Field(description="Held-out decisions whose days for orders are over.")
    mailed_ordered_share: float | None = Field(description="Percentage of the measured that ordered.")
    held_out_ordered_share: float | None = Field(description="The same of the hold-out.")
    lift: float | None = Field(description="What writing changed, in percentage points; empty without enough data.")
    lift_low: float | None = Field(description="Low end of its 95 % interval.")
    lift_high: float | None = Field(description="High end of it.")
    revenue_lift: float | None = Field(description="What writing changed per decision, in the shop's currency.")
    revenue_lift_low: float | None
    revenue_lift_high: float | None
    status: Literal["measured", "not_enough_data"]
    sentence: str = Field(description="What is known, in words.")


class Effectiveness(Figures):
    """What writing achieved against the hold-out."""

    published_as = "effectiveness"

    segments: list[Segment] = []

    def of_campaign(self, campaign: str) -> Segment | None:
        """Return what is known of a campaign as a whole."""
        return next(
            (each for each in self.segments if (each.segment_kind, each.campaign) == ("campaign", campaign)), None
        )
