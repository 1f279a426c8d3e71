"""How OpenAI's client is made, for whatever is asked with it."""

from typing import Any, Final

from engagement_pipeline.platform.settings import Settings

_OPENAI: Final = "https://api.openai.com/v1"


def client_options(settings: Settings) -> dict[str, Any]:
    """Return what the client is to be given: explicit, so that nothing but the settings decides, and no retries."""
    return {
        # A server of one's own may want no key; the client insists on one.
        "api_key": settings.openai_api_key.get_secret_value() or "none",
        "base_url": settings.openai_base_url or _OPENAI,
        "timeout": settings.copywriting.timeout_seconds,
        "max_retries": 0,
    }
