"""What must be true before an e-mail may go to a real person."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import DEVELOPMENT_KEY, Settings
from engagement_pipeline.platform.settings_groups import SmtpSettings

# RFC 2606 and RFC 6761: names that lead nowhere, as in the sample brand.
_RESERVED = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost")


class NotReadyError(BadInputError):
    """`live` cannot start; the message names everything that is missing, at once."""


def check_live(settings: Settings, brand: Brand) -> None:
    """Check everything about `live` that can be known without asking the provider.

    Raises:
        NotReadyError: something is missing.
    """
    missing = [*_about_us(settings, brand), *_about_the_provider(settings)]
    if missing:
        lines = "".join(f"\n- {line}" for line in missing)
        raise NotReadyError(f"ENGAGEMENT_SEND_MODE=live is not ready; nothing was sent:{lines}")


def _about_us(settings: Settings, brand: Brand) -> Iterator[str]:
    if settings.secret_key.get_secret_value() == DEVELOPMENT_KEY:
        yield "ENGAGEMENT_SECRET_KEY: the development key is published with the source; set a key of your own"
    public = urlsplit(settings.delivery.public_url)
    if public.scheme != "https":
        yield "ENGAGEMENT_DELIVERY__PUBLIC_URL: the https:// address at which recipients unsubscribe"
    elif _is_reserved(public.hostname):
        yield f"ENGAGEMENT_DELIVERY__PUBLIC_URL: {public.hostname} is a reserved name that leads nowhere"
    domain = brand.from_address.rpartition("@")[2]
    if _is_reserved(domain):
        yield f"brand from_address: {domain} is a reserved name that cannot send"
    site = urlsplit(brand.site_url).hostname
    if _is_reserved(site):
        yield f"brand site_url: {site} is a reserved name that leads nowhere"
    if not any(line.strip() for line in brand.postal_address):
        yield "brand postal_address: the law asks for one in every commercial e-mail"


def _about_the_provider(settings: Settings) -> Iterator[str]:
    provider = settings.delivery.provider
    if provider is None:
        yield "ENGAGEMENT_DELIVERY__PROVIDER: ses or smtp"
    if provider == "smtp" and not settings.smtp.host:
        yield "ENGAGEMENT_SMTP__HOST: the server that takes the e-mails"
    if provider == "smtp" and settings.smtp.security == "none" and settings.smtp.user and not _is_here(settings.smtp):
        yield "ENGAGEMENT_SMTP__SECURITY: none would send the password in clear; starttls or tls"
    if provider == "ses":
        if not settings.ses.configuration_set:
            yield "ENGAGEMENT_SES__CONFIGURATION_SET: without one no bounce or complaint comes back"
        if not settings.ses.feedback_topic_arn:
            yield "ENGAGEMENT_SES__FEEDBACK_TOPIC_ARN: the topic by which bounces and complaints come back"


def _is_here(smtp: SmtpSettings) -> bool:
    return smtp.host in ("localhost", "127.0.0.1", "::1")


def _is_reserved(host: str | None) -> bool:
    name = (host or "").lower().rstrip(".")
    return any(name == reserved or name.endswith(f".{reserved}") for reserved in _RESERVED)
