from pathlib import Path

import pytest

from engagement_pipeline.delivery.live import NotReadyError, check_live
from engagement_pipeline.platform.settings import DEVELOPMENT_KEY, Settings
from engagement_pipeline_tests.delivery.live import delivery, live_settings, our_brand
from engagement_pipeline_tests.delivery.parts import brand


@pytest.mark.parametrize("provider", ["ses", "smtp"])
def test_what_is_complete_may_start(provider: str) -> None:
    check_live(live_settings(delivery=delivery(provider=provider)), our_brand())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"secret_key": DEVELOPMENT_KEY}, "ENGAGEMENT_SECRET_KEY"),
        ({"delivery": delivery(provider=None)}, "ENGAGEMENT_DELIVERY__PROVIDER"),
        ({"delivery": delivery(public_url="")}, "ENGAGEMENT_DELIVERY__PUBLIC_URL"),
        ({"delivery": delivery(public_url="http://127.0.0.1:8000")}, "ENGAGEMENT_DELIVERY__PUBLIC_URL"),
        ({"delivery": delivery(public_url="https://mail.example.com")}, "mail.example.com is a reserved name"),
        ({"ses": {"feedback_topic_arn": "arn:x"}}, "ENGAGEMENT_SES__CONFIGURATION_SET"),
        ({"ses": {"configuration_set": "engagement"}}, "ENGAGEMENT_SES__FEEDBACK_TOPIC_ARN"),
        # Without the topic nobody could tell which of the queue's messages are genuine.
        ({"ses": {"configuration_set": "x", "feedback_queue_url": "https://q"}}, "ENGAGEMENT_SES__FEEDBACK_TOPIC_ARN"),
        ({"delivery": delivery(provider="smtp"), "smtp": {"host": ""}}, "ENGAGEMENT_SMTP__HOST"),
        (
            {"delivery": delivery(provider="smtp"), "smtp": {"host": "mail.x.net", "security": "none", "user": "u"}},
            "ENGAGEMENT_SMTP__SECURITY",
        ),
    ],
)
def test_a_setting_that_is_missing_is_named_alone(changes: dict[str, object], named: str) -> None:
    with pytest.raises(NotReadyError) as caught:
        check_live(live_settings(**changes), our_brand())
    [_, line] = str(caught.value).splitlines()
    assert named in line
    assert DEVELOPMENT_KEY not in line


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"from_address": "stylists@shop.example.org"}, "from_address"),
        ({"from_address": "stylists@shop.test"}, "from_address"),
        ({"site_url": "https://Shop.Invalid./spring"}, "site_url"),
        ({"site_url": "https://localhost"}, "site_url"),
        ({"postal_address": (" ",)}, "postal_address"),
    ],
)
def test_a_brand_that_nobody_could_answer_is_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises(NotReadyError) as caught:
        check_live(live_settings(), our_brand(**changes))
    [_, line] = str(caught.value).splitlines()
    assert named in line


def test_a_name_that_only_looks_reserved_is_not() -> None:
    check_live(live_settings(), our_brand(from_address="stylists@notexample.com", site_url="https://test.our-shop.net"))


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError) as caught:
        check_live(Settings(data_dir=tmp_path, send_mode="live"), brand())
    message = str(caught.value)
    for named in ("SECRET_KEY", "PUBLIC_URL", "from_address", "site_url", "PROVIDER"):
        assert named in message
    assert message.count("\n- ") == 5
