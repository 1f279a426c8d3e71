"""The S3 bucket for what has to leave a machine that nobody logs in to; its own rules say when things go."""

from pathlib import Path
from typing import Any, Final

from engagement_pipeline.platform.aws import client
from engagement_pipeline.platform.settings import Settings

# infra/data/storage.py says how long what lies there is kept.
PREVIEWS: Final = "previews/"
BACKUPS: Final = "backups/"

_LINK_SECONDS: Final = 3600


def keep(settings: Settings, path: Path, key: str) -> None:
    """Put a file there, in place of one of that name.

    Raises:
        botocore.exceptions.ClientError, boto3.exceptions.S3UploadFailedError: it is not there.
    """
    _s3(settings).upload_file(str(path), settings.files_bucket, key)


def link(settings: Settings, key: str) -> str:
    """Return an address at which whoever has it can read a file, for an hour at most."""
    where = {"Bucket": settings.files_bucket, "Key": key}
    address: str = _s3(settings).generate_presigned_url("get_object", Params=where, ExpiresIn=_LINK_SECONDS)
    return address


def _s3(settings: Settings) -> Any:
    # What is encrypted under a key of one's own is read by signatures of this version only.
    return client(settings, "s3", signature_version="s3v4")
