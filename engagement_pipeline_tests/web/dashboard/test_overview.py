"""The overview and the campaigns' page: what was published, in words and drawings."""

from datetime import timedelta

from engagement_pipeline.metrics.models import (
    BandCounts,
    BandsOfDay,
    Effectiveness,
    EmailStatus,
    Funnel,
    FunnelStep,
    LeftOut,
    ScoreDistribution,
    Segment,
    StatusCount,
    UsersByBand,
)
from engagement_pipeline.platform import facts, published, run_failures
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.web.dashboard.conftest import Desk, Visitor

TODAY = NOW.date()


def segment(name: str, kind: str = "variant", lift: float | None = 2.0) -> Segment:
    interval = (None, None) if lift is None else (lift - 1.5, lift + 1.5)
    return Segment.model_validate(
        {
            "campaign": "win-back",
            "segment_kind": kind,
            "segment": name,
            "attribution_days": 28,
            "mailed": 1200,
            "sent": 1180,
            "delivered": 1170,
            "opened": 300,
            "clicked": 90,
            "ordered": 97,
            "revenue": 10300.5,
            "held_out": 133,
            "measured_mailed": 1000,
            "measured_held_out": 110,
            "mailed_ordered_share": 8.1,
            "held_out_ordered_share": 6.2,
            "lift": lift,
            "lift_low": interval[0],
            "lift_high": interval[1],
            "revenue_lift": None,
            "revenue_lift_low": None,
            "revenue_lift_high": None,
            "status": "not_enough_data" if lift is None else "measured",
            "sentence": "Not enough data yet." if lift is None else "Writing brings orders: really.",
        }
    )


def publish(desk: Desk) -> None:
    steps = [("below", 335), ("eligible", 121), ("written", 120), ("delivered", 117), ("clicked", 9), ("ordered", 12)]
    left_out = LeftOut(after="below", reason="no_consent", meaning="The user has not agreed.", users=214)
    figures = {
        "users_by_band": UsersByBand(
            as_of=TODAY,
            today=BandCounts(critical=204, at_risk=131, moderate=98, good=167),
            over_time=[
                BandsOfDay(day=TODAY - timedelta(days=1), critical=200, at_risk=130, moderate=100, good=170),
                BandsOfDay(day=TODAY, critical=204, at_risk=131, moderate=98, good=167),
            ],
        ),
        "score_distribution": ScoreDistribution(bins=[12] * 50),
        "email_status": EmailStatus(
            counts=[StatusCount(campaign="win-back", status="opened", emails=40, unreliable=True)]
        ),
        "funnel": Funnel(
            campaign="win-back",
            days=90,
            attribution_days=28,
            steps=[FunnelStep.model_validate({"name": name, "users": users}) for name, users in steps],
            left_out=[left_out],
        ),
        "effectiveness": Effectiveness(
            segments=[segment("win-back", "campaign"), segment("plain"), segment("warm", lift=None)]
        ),
    }
    payloads = {name: each.model_dump(mode="json", exclude={"computed_at"}) for name, each in figures.items()}
    with desk.database.write() as connection:
        published.put(connection, payloads, NOW)


def test_before_the_first_run_the_overview_says_what_to_do(visitor: Visitor) -> None:
    page = visitor.see("/")
    assert "Nothing has been computed yet" in page
    assert "refresh_engagement" in page
    campaigns = visitor.see("/campaigns")
    assert "Nothing has been measured yet" in campaigns
    assert "It has been a while, {{first_name}}" in campaigns, "what is written can be read before it is measured"


def test_the_overview_answers_who_what_and_whether(desk: Desk, visitor: Visitor) -> None:
    publish(desk)
    page = visitor.see("/")
    for words in ("335", "600 users", "56 % of all users", "98 % delivered", "+2.0", "9 hours ago"):
        assert words in page, words
    for words in (
        "No consent",
        "The user has not agreed.",
        "214",
        "Opens are unreliable",
        "whether or not they clicked",
    ):
        assert words in page, words
    assert page.count("<polygon") == 4
    assert "Writing brings orders" in page


def test_what_needs_a_person_is_at_the_top(desk: Desk, visitor: Visitor) -> None:
    assert "Nobody can tell whether 1 e-mail was sent." in visitor.see("/")
    with desk.database.write() as connection:
        facts.put(connection, "breaker_tripped", "of 1,000 e-mails sent, 80 bounced for good")
        run_failures.record(
            connection, run_id="r1", job="send_emails", steps=["email_deliveries"], error="OSError", failed_at=NOW
        )
    page = visitor.see("/")
    assert "Sending has stopped by itself." in page
    assert "1 run failed in the last week." in page
    system = visitor.see("/system")
    assert "/runs/r1" in system
    assert "OSError" in system


def test_campaigns_show_variants_on_one_axis_and_samples(desk: Desk, visitor: Visitor) -> None:
    publish(desk)
    page = visitor.see("/campaigns")
    assert "By variant" in page
    assert "Not enough data yet." in page
    assert "plain: +0.5 to +3.5" in page
    assert "unreliable" in page
    samples = page.split("Samples")[1]
    assert any(f"/email/{email_id}" in samples for email_id in desk.email_ids)
    assert "It has been a while, {{first_name}}" in samples
    assert "Our stylists would love to help you find something." in samples
    # Of the other variant no e-mail is left.
    assert samples.count("None among the newest e-mails") == 1
