"""The mailer for Amazon SES, through its second API (`sesv2`).

A message goes as Raw content: the very bytes that every other mailer hands over and that a person can look at in the
outbox. SES signs them (DKIM) and puts its own Date and Message-ID in; its limits on the number and length of headers
apply only to content that it assembles itself.
"""

from email.utils import parseaddr
from typing import Any

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from engagement_pipeline.delivery.mailer import (
    Allowance,
    MailerError,
    PausedError,
    Receipt,
    UncertainError,
)
from engagement_pipeline.delivery.mailers.ses_errors import failure, refusal
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.platform.aws import client
from engagement_pipeline.platform.settings import Settings

# The message tag by which SES's events name our e-mail.
EMAIL_ID_TAG = "email_id"
CAMPAIGN_TAG = "campaign"

_CONNECT_WITHIN = 10
_ANSWER_WITHIN = 30
_CONNECTIONS = 64


class SesMailer:
    """Hands messages to SES; one connection pool for all threads.

    Raises:
        AwsSettingsError: no region is set.
    """

    name = "ses"
    delivers = False

    def __init__(self, settings: Settings) -> None:
        self._configuration_set = settings.ses.configuration_set
        self._campaign = settings.campaign
        limits = {"connect_timeout": _CONNECT_WITHIN, "read_timeout": _ANSWER_WITHIN}
        # boto3 would repeat a request that timed out, and SES has no token by which it could tell the two apart.
        once = {"total_max_attempts": 1, "mode": "standard"}
        self._sending = client(settings, "sesv2", retries=once, max_pool_connections=_CONNECTIONS, **limits)
        # Asking may be repeated, and must be: SES answers one such question a second, to all senders together.
        patiently = {"total_max_attempts": 6, "mode": "standard"}
        self._asking = client(settings, "sesv2", retries=patiently, **limits)

    def allowance(self) -> Allowance:
        try:
            account = self._asking.get_account()
        except aws.ClientError as error:
            raise _paused(refusal(error, "")) from error
        except aws.BotoCoreError as error:
            raise _paused(failure(error)) from error
        if not account.get("SendingEnabled", False):
            raise PausedError("SES has paused sending for this account; its console says why")
        quota = account["SendQuota"]
        return Allowance(per_second=quota["MaxSendRate"], left_today=_left(quota))

    def send(self, message: Message) -> Receipt:
        request: dict[str, Any] = {
            "Destination": {"ToAddresses": [message.recipient]},
            "Content": {"Raw": {"Data": message.content}},
            "EmailTags": [
                {"Name": EMAIL_ID_TAG, "Value": message.email_id},
                {"Name": CAMPAIGN_TAG, "Value": self._campaign},
            ],
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        try:
            answer = self._sending.send_email(**request)
        except aws.ClientError as error:
            raise refusal(error, parseaddr(message.sender)[1]) from error
        except aws.BotoCoreError as error:
            raise failure(error) from error
        except ResponseParserError as error:
            raise UncertainError("SES's answer cannot be read") from error
        if "MessageId" not in answer:
            raise UncertainError("an answer without a message id: not from SES")
        return Receipt(answer["MessageId"])

    def was_accepted(self, email_id: str) -> bool | None:
        return None

    def close(self) -> None:
        self._sending.close()
        self._asking.close()


def _left(quota: dict[str, float]) -> int | None:
    """Return what is left of the 24-hour quota; SES writes -1 for no limit."""
    if quota["Max24HourSend"] < 0:
        return None
    return max(0, int(quota["Max24HourSend"] - quota["SentLast24Hours"]))


def _paused(error: MailerError) -> PausedError:
    return error if isinstance(error, PausedError) else PausedError(f"SES does not answer as it should: {error.reason}")
