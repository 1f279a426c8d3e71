"""Clients of AWS services: one region, and one place to point them at an AWS-compatible server."""

from typing import Any

from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import Settings


class AwsSettingsError(BadInputError):
    """The settings do not say enough to reach AWS."""


def client(settings: Settings, service: str, **config: Any) -> Any:
    """Return a boto3 client, which threads may share; credentials come from where boto3 always looks for them.

    Args:
        settings: hold the region and, in tests, the server.
        service: boto3's name of the service, such as `sesv2`.
        config: options of `botocore.config.Config`.

    Raises:
        AwsSettingsError: no region is set anywhere, or the address of the server is none.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, NoRegionError

    try:
        # A session of its own: boto3's default one may not be used by two threads at once.
        session = boto3.session.Session(region_name=settings.aws_region or None)
        return session.client(service, endpoint_url=settings.aws_endpoint_url or None, config=Config(**config))
    except NoRegionError as error:
        raise AwsSettingsError("no AWS region: set ENGAGEMENT_AWS_REGION, such as eu-west-1") from error
    except (BotoCoreError, ValueError) as error:
        raise AwsSettingsError(f"no AWS client for {service}: {error}") from error
