"""Which of DynamoDB's errors pass by themselves."""

from typing import Any, Final

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
