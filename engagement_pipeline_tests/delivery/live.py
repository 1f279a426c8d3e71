"""Settings and a brand with which `live` may start. Nothing leaves this machine: its servers are on it."""

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, GATE, SECRET, brand
from engagement_pipeline_tests.smtp_server import SmtpServer

_READY = {
    "send_mode": "live",
    "secret_key": SECRET,
    "campaign": CAMPAIGN,
    "gate": GATE,
    "aws_region": "us-east-1",
    "ses": {"configuration_set": "engagement", "feedback_topic_arn": "arn:aws:sns:us-east-1:000000000000:events"},
    "smtp": {"host": "mail.our-shop.net"},
}


def live_settings(**changes: object) -> Settings:
    """Return complete settings with some of them changed; a group is replaced as a whole."""
    return Settings.model_validate(_READY | {"delivery": delivery()} | changes)


def delivery(**changes: object) -> dict[str, object]:
    return {"provider": "ses", "public_url": "https://mail.our-shop.net"} | changes


def smtp_settings(server: SmtpServer, **changes: object) -> Settings:
    """Return settings that send through a server of the tests."""
    smtp = {"host": server.host, "port": server.port, "security": "none", "timeout_seconds": 5}
    return live_settings(delivery=delivery(provider="smtp"), smtp=smtp, **changes)


def ses_settings(url: str, **changes: object) -> Settings:
    """Return settings that send through an AWS-compatible server."""
    return live_settings(aws_endpoint_url=url, **changes)


def our_brand(**changes: object) -> Brand:
    ours = {"from_address": "stylists@our-shop.net", "site_url": "https://www.our-shop.net"}
    return brand().model_copy(update=ours | changes)
