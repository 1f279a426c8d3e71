"""Every setting of the system, read from `ENGAGEMENT_*` variables and validated once.

Nested settings use a double underscore: `ENGAGEMENT_GATE__COOL_DOWN_DAYS=35`.
The defaults need no account: SQLite, DuckDB, template copy, an outbox folder.
"""

from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from engagement_pipeline.platform.settings_groups import (
    CopywritingSettings,
    DeliverySettings,
    DynamoSettings,
    GateSettings,
    ScoringSettings,
    SesSettings,
    SmtpSettings,
    WebSettings,
)

PROJECT_ROOT = Path(__file__).resolve().parents[2]

# Published with the source on purpose: it protects nobody, so `live` refuses to start with it.
DEVELOPMENT_KEY = "development-only-key-do-not-use-for-real-addresses"


class Settings(BaseSettings):
    """All settings; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix="ENGAGEMENT_", env_nested_delimiter="__", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(PROJECT_ROOT / "data" / "local", description="Where a run writes; ignored by git.")
    database_url: str = Field("", description="SQLAlchemy URL of the operational store; empty: SQLite in data_dir.")
    warehouse_memory_limit: str = Field(
        "320MB",
        description="DuckDB's memory limit; what does not fit goes to disk. With Python, and what DuckDB does not "
        "count, scoring and deciding on 10 million users stays below 512 MB.",
    )
    warehouse_wait_seconds: float = Field(60, ge=0, description="How long to wait for the warehouse's lock.")
    secret_key: SecretStr = Field(SecretStr(DEVELOPMENT_KEY), min_length=16, description="Keys the address hashes.")
    brand_file: Path = PROJECT_ROOT / "data" / "brand.yaml"
    catalogue_file: Path | None = Field(None, description="Goods and offers that e-mails may name; none: none.")
    campaign: str = Field("win-back", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    needs_approval: bool = Field(
        False, description="The campaign's e-mails wait until somebody has approved what they say: `engagement copy`."
    )
    send_mode: Literal["outbox", "dry_run", "live"] = "outbox"
    history_from: date = Field(date(2026, 1, 1), description="First day of the score history.")
    attribution_days: int = Field(28, ge=1, le=365, description="Days after a decision in which orders count.")
    scoring: ScoringSettings = ScoringSettings()
    gate: GateSettings = GateSettings()
    copywriting: CopywritingSettings = CopywritingSettings()
    openai_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("engagement_openai_api_key", "openai_api_key"),
        description="Where set, a model writes the copy. Also read as OPENAI_API_KEY.",
    )
    openai_base_url: str = Field(
        "",
        validation_alias=AliasChoices("engagement_openai_base_url", "openai_base_url"),
        description="An OpenAI-compatible server instead of OpenAI's; needs no key. Also read as OPENAI_BASE_URL.",
    )
    delivery: DeliverySettings = DeliverySettings()
    ses: SesSettings = SesSettings()
    dynamodb: DynamoSettings = DynamoSettings()
    smtp: SmtpSettings = SmtpSettings()
    web: WebSettings = WebSettings()
    aws_region: str = Field("", description="Empty: where boto3 finds it.")
    files_bucket: str = Field(
        "", description="S3 bucket for previews and nightly copies of the warehouse; empty: they stay on this machine."
    )
    aws_endpoint_url: str = Field("", description="An AWS-compatible server instead of AWS, for tests.")

    @model_validator(mode="after")
    def _an_email_never_makes_the_next_likelier(self) -> "Settings":
        # An e-mail lowers the score for a while; were the cool-down shorter, it would itself invite the next one.
        if self.gate.cool_down_days < self.scoring.email_factor_days:
            raise ValueError("gate.cool_down_days must be at least scoring.email_factor_days")
        return self

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'engagement.db'}"

    @property
    def warehouse_path(self) -> Path:
        return self.data_dir / "warehouse.duckdb"

    @property
    def outbox_dir(self) -> Path:
        return self.data_dir / "outbox"

    @property
    def preview_dir(self) -> Path:
        return self.data_dir / "preview"

    @property
    def incoming_dir(self) -> Path:
        return self.data_dir / "incoming"


def located(settings: Settings) -> dict[str, str]:
    """Return the variables that say where files are, by whole paths: for processes that start in another folder."""
    database = {"ENGAGEMENT_DATABASE_URL": _located_url(settings.database_url)} if settings.database_url else {}
    return {**dict(_paths(settings, "ENGAGEMENT_")), **database}


def _paths(group: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _paths(value, f"{prefix}{name.upper()}__")
        elif isinstance(value, Path):
            yield f"{prefix}{name.upper()}", str(value.absolute())


def _located_url(url: str) -> str:
    scheme, separator, file = url.partition(":///")
    is_file = scheme.split("+")[0] == "sqlite" and separator and file and file != ":memory:"
    return f"{scheme}:///{Path(file).absolute()}" if is_file else url


@cache
def get_settings() -> Settings:
    """Read and validate the environment once per process."""
    return Settings()
