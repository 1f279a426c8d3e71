"""A shop whose users and e-mails lie in SQLite, PostgreSQL or DynamoDB: only its settings differ."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from engagement_pipeline.changes.first_load import load
from engagement_pipeline.delivery.entries import StoredEmail
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import published
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.dynamodb import connect
from engagement_pipeline.platform.dynamodb_tables import AUDIT
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DeliverySettings, DynamoSettings, GateSettings, WebSettings
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline.web.app import create_app
from engagement_pipeline_tests.aws_server import REGION
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET, draft_to, order, silent_user

KINDS = (
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.integration),
    pytest.param("dynamodb", marks=pytest.mark.integration),
)


class AnyShop:
    """Users who ordered once, 90 days ago, and everything that the web and programs can do with them."""

    def __init__(self, folder: Path, url: str, dynamodb: DynamoSettings, endpoint: str) -> None:
        self.now = NOW
        self.settings = Settings(
            data_dir=folder,
            database_url=url,
            secret_key=SECRET,
            gate=GateSettings(hold_out_share=0),
            delivery=DeliverySettings(public_url="https://mail.example.com"),
            web=WebSettings(requests_per_second=100_000),
            dynamodb=dynamodb,
            aws_region=REGION,
            aws_endpoint_url=endpoint,
        )
        self.pipeline = Pipeline(self.settings, now=lambda: self.now)
        self.stores = self.pipeline.stores
        self.client = TestClient(
            create_app(self.pipeline),
            base_url="http://127.0.0.1:8000",
            client=("127.0.0.1", 40_000),
            follow_redirects=False,
        )

    @property
    def outbox(self) -> list[str]:
        return sorted(path.stem for path in self.settings.outbox_dir.glob("*.eml"))

    def add_users(self, *numbers: int) -> list[str]:
        users = [silent_user(number) for number in numbers]
        long_ago = NOW - timedelta(days=90)
        self.stores.users.put_users(users, long_ago)
        self.stores.users.put_orders([order(user.user_id, long_ago) for user in users], long_ago)
        return [user.user_id for user in users]

    def draft(self, *user_ids: str, edition: str | None = None) -> list[str]:
        """Write a draft for each of these users; return the e-mails' ids."""
        drafts = [
            draft_to(user, self.now, 10.0, edition=edition)
            for user in sorted(self.stores.users.get_users(user_ids), key=lambda user: user.user_id)
        ]
        assert self.stores.ledger.create_drafts(drafts, self.now) == len(drafts)
        return [draft.email_id for draft in drafts]

    def email(self, email_id: str) -> StoredEmail:
        return self.stores.ledger.get_emails([email_id])[email_id]

    def email_of(self, user_id: str) -> str:
        [row] = self.stores.ledger.emails_of(user_id)
        return row.email_id

    def publish_population(self) -> None:
        with self.pipeline.database.write() as connection:
            published.put(connection, {"population": asdict(Population(30.0, 20.0, 30))}, NOW)

    def let_lists_follow(self) -> None:
        """Bring the tables that lists are read from in line, where they are not the stores themselves."""
        if self.settings.dynamodb.is_set:
            load(self.settings, self.pipeline.database, lambda: self.now)

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Return what is kept in SQL."""
        with self.pipeline.database.read() as connection:
            return [row._asdict() for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))]

    def audited(self) -> list[tuple[str, str]]:
        """Return the actions of the audit log with the ids that they concern, in their order."""
        if not self.settings.dynamodb.is_set:
            return [(row["action"], row["entity_id"]) for row in self.rows(audit_log)]
        items = sorted(connect(self.settings).scan(AUDIT, 0, 1), key=lambda item: str(item["auditId"]))
        return [(item["action"], item["entityId"]) for item in items]


@pytest.fixture(params=KINDS)
def any_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyShop]:
    url = request.getfixturevalue("postgres_url" if request.param == "postgresql" else "sqlite_url")
    dynamodb, endpoint = DynamoSettings(), ""
    if request.param == "dynamodb":
        dynamodb, endpoint = request.getfixturevalue("dynamodb_tables"), request.getfixturevalue("ministack")
    shop = AnyShop(tmp_path, url, dynamodb, endpoint)
    yield shop
    shop.pipeline.database.close()
