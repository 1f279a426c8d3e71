"""What an answer of SES, or the lack of one, means for the message and for the campaign."""

from collections.abc import Mapping
from typing import Any

from botocore import exceptions as aws

from engagement_pipeline.delivery.mailer import (
    MailerError,
    PausedError,
    PermanentError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from engagement_pipeline.delivery.mailers.refusals import about_us

_ACCOUNT: Mapping[str, str] = {
    "AccountSuspendedException": "SES has suspended this account for good",
    "SendingPausedException": "SES has paused sending for this account or configuration set",
    "MailFromDomainNotVerifiedException": "the MAIL FROM domain of the sender is not verified with SES",
    "NotFoundException": "SES does not know the configuration set (ENGAGEMENT_SES__CONFIGURATION_SET)",
}
_LOG_IN = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_TOO_FAST = {"TooManyRequestsException", "LimitExceededException", "RequestLimitExceeded", "SlowDown"}
_REFUSED = {"MessageRejected", "BadRequestException"}

# Something broke while SES worked on the request, before or after it took the message. 503 is said before it begins.
_FAULT_WITHIN = 500

# Raised before the first byte of the request is on its way.
_NOT_BEGUN = (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ProxyConnectionError)
_NOT_SIGNED = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.UnknownCredentialError,
    aws.CredentialRetrievalError,
    aws.MetadataRetrievalError,
    aws.TokenRetrievalError,
    aws.SSOError,
    aws.InvalidConfigError,
    aws.NoRegionError,
)


def refusal(error: aws.ClientError, sender: str) -> MailerError:
    """Return what an error answer means.

    Args:
        error: as boto3 raised it.
        sender: our address, to tell a sender that is not verified from a recipient that is not.
    """
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    details: Mapping[str, Any] = error.response.get("Error", {})
    code, words = str(details.get("Code", "")), str(details.get("Message", ""))
    if not code or code.isdigit():
        return _without_code(status)
    reason = f"{code}: {words}"
    if code in _ACCOUNT:
        return PausedError(f"{_ACCOUNT[code]}: {words}")
    if code in _LOG_IN:
        return PausedError(f"AWS does not let us in: {reason}")
    stop = about_us(words, sender)
    if stop is not None:
        return stop(f"SES takes nothing from us now: {reason}")
    if code in _TOO_FAST or "Throttl" in code or status == 429:
        return ThrottledError(reason)
    if status == _FAULT_WITHIN:
        return UncertainError(reason)
    return PermanentError(reason) if code in _REFUSED else TransientError(reason)


def failure(error: aws.BotoCoreError) -> MailerError:
    """Return what it means that boto3 got no answer, or did not ask."""
    if isinstance(error, _NOT_BEGUN):
        return TransientError(f"SES cannot be reached: {error}")
    if isinstance(error, _NOT_SIGNED) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return PausedError(f"AWS cannot be used: {error}")
    if isinstance(error, aws.ParamValidationError):
        return PermanentError("the message does not meet SES's rules")
    # A read that timed out, a connection that broke, and whatever else happens once a request is on its way.
    return UncertainError(f"SES did not answer: {error}")


def _without_code(status: int) -> MailerError:
    """Judge an answer that is not from SES but from something on the way, such as a gateway's page."""
    if status == 429:
        return ThrottledError(f"HTTP {status}")
    if status >= 500:
        return UncertainError(f"HTTP {status}, without a word from SES")
    return TransientError(f"HTTP {status}, without a word from SES")
