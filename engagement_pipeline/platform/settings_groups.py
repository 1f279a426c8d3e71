"""The groups of settings, each by its own name; `platform.settings` says how they are read."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from engagement_pipeline.platform.dynamodb_tables import TABLES


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoringSettings(_Group):
    """How the engagement score is computed; see `scoring/score.sql` for the formula."""

    horizon_days: int = Field(90, ge=1, le=730, description="Days ahead in which an order counts as coming back.")
    email_factor: float = Field(2 / 3, gt=0, le=1, description="Factor on the odds after an e-mail without an order.")
    email_factor_days: int = Field(7, ge=0, description="Days after an e-mail in which that factor applies.")
    default_gap_days: float = Field(45, gt=0, description="Mean gap between order days when nobody ordered twice.")
    critical_below: float = Field(30, ge=0, le=100)
    at_risk_below: float = Field(50, ge=0, le=100, description="The threshold: users below it are at risk.")
    moderate_below: float = Field(70, ge=0, le=100)

    @model_validator(mode="after")
    def _bands_are_ordered(self) -> "ScoringSettings":
        borders = (self.critical_below, self.at_risk_below, self.moderate_below)
        if not borders[0] < borders[1] < borders[2]:
            raise ValueError("bands must rise: critical_below < at_risk_below < moderate_below")
        # A score is shown with one decimal.
        if any(round(border, 1) != border for border in borders):
            raise ValueError("bands begin at a score with at most one decimal")
        return self


class GateSettings(_Group):
    """Who may be written to; see `cohorts/gate.sql`."""

    min_silence_days: int = Field(30, ge=0, description="Fewest days since the last order.")
    max_silence_days: int = Field(365, ge=1, description="Most days since the last order.")
    cool_down_days: int = Field(28, ge=1, description="Fewest days between two e-mails to one address.")
    max_emails_per_silence: int = Field(3, ge=1, description="Most e-mails since the last order.")
    hold_out_share: float = Field(0.1, ge=0, le=0.5, description="Share of addresses never written to, to measure.")
    sending_hour_from: int = Field(9, ge=0, le=23, description="First hour of sending, in the user's time zone.")
    sending_hour_to: int = Field(20, ge=1, le=24, description="Hour at which sending ends, in the user's time zone.")

    @model_validator(mode="after")
    def _ranges_are_not_empty(self) -> "GateSettings":
        if self.min_silence_days > self.max_silence_days:
            raise ValueError("min_silence_days must not exceed max_silence_days")
        if self.sending_hour_from >= self.sending_hour_to:
            raise ValueError("sending_hour_from must be before sending_hour_to")
        return self


class CopywritingSettings(_Group):
    """How a model writes; without `openai_api_key` and `openai_base_url` the copy comes from templates."""

    model: str = Field("gpt-4.1-mini", min_length=1, max_length=128, description="Any model with structured output.")
    price_per_million_input: float = Field(0.40, ge=0, description="US dollars for a million tokens of prompts.")
    price_per_million_output: float = Field(1.60, ge=0, description="US dollars for a million tokens of answers.")
    budget_usd: float | None = Field(
        None, gt=0, description="Most that one run may cost; what is left over is written by the next full run."
    )
    budget_tokens: int | None = Field(None, gt=0, description="Most tokens of one run, prompts and answers together.")
    texts_per_brief: int = Field(3, ge=1, le=100, description="Users with equal briefs share this many texts.")
    concurrency: int = Field(50, ge=1, le=500, description="Most calls in flight.")
    tokens_per_minute: int | None = Field(None, gt=0, description="The provider's limit; none: as its answers allow.")
    timeout_seconds: float = Field(60, gt=0, description="For one answer.")
    max_answer_tokens: int = Field(
        1_000, ge=100, description="Where an answer is cut off; a model that thinks first needs several times as many."
    )
    batch_above: int | None = Field(
        1_000,
        ge=0,
        description="A daily run that wants more texts than this has them written as batches, at half the price; none: "
        "always asks directly. A server without batches is asked directly anyway.",
    )
    batch_until_hour: int = Field(
        11,
        ge=0,
        le=23,
        description="Hour (UTC) at which what batches have not answered is asked directly: an hour or two before your "
        "first users' sending hours begin.",
    )


class DeliverySettings(_Group):
    """How e-mails leave in `live` mode, and what recipients get to answer them with."""

    provider: Literal["ses", "smtp"] | None = Field(None, description="Who delivers in live mode.")
    public_url: str = Field(
        "", description="https address under which `engagement web` is reached from outside: unsubscribing, tracking."
    )
    allow_list: tuple[str, ...] = Field(
        (), description="Where set, nobody else is written to: addresses, or domains as @example.org. For staging."
    )
    tracking: bool = Field(True, description="Count opens and clicks; needs public_url.")
    senders: int = Field(
        1,
        ge=1,
        le=64,
        description="Messages that one run has in hand at once. More only help where the provider answers slowly; a "
        "sender that is killed leaves as many of which nobody can tell whether they were sent.",
    )
    warm_up: bool = Field(True, description="Grow a new domain by earned daily tiers; off for one that is established.")
    unknown_expires_days: int = Field(3, ge=1, description="Days after which nobody is asked any more what became.")
    soft_bounces: int = Field(3, ge=1, description="Soft bounces in a row after which an address is suppressed.")

    @field_validator("public_url")
    @classmethod
    def _public_url_is_a_base(cls, value: str) -> str:
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
        if value and (not (parts.scheme == "https" or is_local) or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("must be an https:// address without a query (http:// only for this machine)")
        return value.rstrip("/")

    @field_validator("allow_list")
    @classmethod
    def _allow_list_holds_addresses_or_domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if "@" not in entry or entry.endswith("@") or any(sign.isspace() or sign == "," for sign in entry):
                raise ValueError("entries are addresses (ada@example.org) or domains with their sign (@example.org)")
        return tuple(entry.lower() for entry in value)


class SesSettings(_Group):
    """Amazon SES; credentials come from where boto3 always looks for them."""

    configuration_set: str = Field("", pattern=r"^[A-Za-z0-9_-]{0,64}$", description="Publishes events to the topic.")
    feedback_queue_url: str = Field("", description="SQS queue that the events' topic is subscribed to.")
    feedback_topic_arn: str = Field("", description="The only SNS topic from which events are taken.")


class DynamoSettings(_Group):
    """Tables that are the system of record on AWS (`platform/dynamodb_tables.py`); none: the operational store is."""

    users_table: str = ""
    orders_table: str = ""
    order_owners_table: str = ""
    emails_table: str = ""
    addresses_table: str = ""
    audit_table: str = ""
    changes_queue_url: str = Field("", description="SQS queue of what changed in the tables: the consumer's.")
    consent_when_missing: bool = Field(
        False, description="Whether users of an earlier table, which says nothing of it, have agreed to be written to."
    )

    @property
    def tables(self) -> dict[str, str]:
        """The names of the tables in the account, by ours."""
        return {table.name: str(getattr(self, f"{table.name}_table")) for table in TABLES}

    @property
    def is_set(self) -> bool:
        """Whether DynamoDB is the system of record."""
        return bool(self.users_table)

    @model_validator(mode="after")
    def _tables_are_complete(self) -> "DynamoSettings":
        missing = [name for name, called in self.tables.items() if not called]
        if missing and len(missing) < len(self.tables):
            raise ValueError(f"all tables or none: {', '.join(f'{name}_table' for name in missing)} missing")
        if self.changes_queue_url and missing:
            raise ValueError("changes_queue_url needs the tables")
        return self


class SmtpSettings(_Group):
    """Any SMTP server."""

    host: str = "localhost"
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    timeout_seconds: float = Field(60, gt=0)
    per_second: float | None = Field(None, gt=0, description="Most messages a second; none: as fast as it takes them.")
    per_day: int | None = Field(None, gt=0, description="Most messages in a day (UTC).")
    dkim_key_file: Path | None = Field(None, description="Private key (PEM); where set, messages are signed.")
    dkim_selector: str = ""
    dkim_domain: str = ""

    @model_validator(mode="after")
    def _dkim_is_complete(self) -> "SmtpSettings":
        if self.dkim_key_file is not None and not (self.dkim_selector and self.dkim_domain):
            raise ValueError("dkim_key_file needs dkim_selector and dkim_domain")
        return self


class WebSettings(_Group):
    """The REST API and the dashboard: `engagement web`."""

    requests_per_second: float = Field(
        100,
        gt=0,
        description="Most requests of one token, or of one client without one; twice as many in a burst. Of wrong "
        "tokens a hundredth of it.",
    )
    dagster_url: str = Field("http://127.0.0.1:3000", description="Where people find the Dagster UI.")
    first_token: SecretStr = Field(
        SecretStr(""),
        description="A token of one's own drawing, egp_ and 43 letters, digits, - or _. A store without any gets it "
        "when the web server starts: for machines that nobody logs in to.",
    )

    @field_validator("first_token")
    @classmethod
    def _first_token_is_long(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not re.fullmatch(r"egp_[A-Za-z0-9_-]{43}", value.get_secret_value()):
            raise ValueError("must be egp_ and 43 letters, digits, - or _")
        return value

    @field_validator("dagster_url")
    @classmethod
    def _dagster_url_is_an_address(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
            raise ValueError("must be an http:// or https:// address")
        return value.rstrip("/")
