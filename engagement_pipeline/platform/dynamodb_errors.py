"""Which of DynamoDB's errors pass by themselves, and which of its answers are none."""

from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

PASSING: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingError",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


def code_of(error: Any) -> str:
    """Return the code of an error that boto3 raises."""
    return str(error.response.get("Error", {}).get("Code", ""))


def passes(error: Any) -> bool:
    """Tell whether the same request may succeed a little later."""
    # A gateway in between answers with its status alone.
    return code_of(error) in PASSING or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500


def check_whole(response_dict: Mapping[str, Any], **_: object) -> None:
    """Refuse an answer that was cut off or damaged: boto3, which may not repeat it, takes it for one that says nothing.

    Raises:
        ResponseStreamingError: as where a connection breaks.
    """
    from botocore.exceptions import ResponseStreamingError

    headers, body = response_dict["headers"], response_dict["body"]
    found = {"content-length": str(len(body)), "x-amz-crc32": str(crc32(body))}
    if any(headers.get(name, value) != value for name, value in found.items()):
        raise ResponseStreamingError(error="it was cut off, or damaged")
