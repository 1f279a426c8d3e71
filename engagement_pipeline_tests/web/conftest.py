"""A shop that has written to its clients, and the web application that they reach."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from engagement_pipeline.delivery import tokens
from engagement_pipeline.delivery.entries import email_id_for
from engagement_pipeline.delivery.tables import email_events, emails, suppressions
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DeliverySettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.web.app import create_app
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import SECRET, store_of, user

PUBLIC_URL = "https://mail.example.com"


def not_reached(url: str) -> bytes:
    raise AssertionError(url)


@dataclass
class Shop:
    """One e-mail sent to user 1, two hours ago."""

    database: Database
    folder: Path
    now: datetime = NOW
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = Settings(
            data_dir=self.folder,
            database_url=self.database.engine.url.render_as_string(hide_password=False),
            secret_key=SECRET,
            delivery=DeliverySettings(public_url=PUBLIC_URL),
        )
        self.store = store_of(self.database)
        self.email_id = self.write_to("u1")

    def write_to(self, user_id: str) -> str:
        """Return the id of an e-mail to a new user, sent two hours ago."""
        self.store.put_users([user(user_id)], NOW)
        (stored,) = self.store.get_users([user_id])
        email_id = email_id_for(user_id, "win-back", 1)
        sent_at = NOW - timedelta(hours=2)
        row = {
            "email_id": email_id,
            "user_id": user_id,
            "address_key": stored.address_key,
            "campaign": "win-back",
            "step": 1,
            "status": "sent",
            "score": 30.0,
            "band": "at_risk",
            "value_at_risk": 10.0,
            "attempts": 1,
            "decided_at": sent_at,
            "created_at": sent_at,
            "sent_at": sent_at,
            "updated_at": sent_at,
        }
        with self.database.write() as connection:
            connection.execute(sa.insert(emails), [row])
        return email_id

    def client(self, fetch: Callable[[str], bytes] = not_reached, **changes: object) -> TestClient:
        """The application, also under other settings. It follows no redirect."""
        settings = Settings.model_validate(self.settings.model_dump() | changes)
        pipeline = Pipeline(settings, now=lambda: self.now)
        return TestClient(create_app(pipeline, fetch), base_url=PUBLIC_URL, follow_redirects=False)

    def set_row(self, **values: object) -> None:
        with self.database.write() as connection:
            connection.execute(sa.update(emails).where(emails.c.email_id == self.email_id).values(**values))

    def token(self, purpose: tokens.Purpose, target: str = "") -> str:
        return tokens.issue(self.email_id, purpose, SECRET, target)

    @property
    def way_out(self) -> str:
        return f"/unsubscribe?token={self.token('unsubscribe')}"

    @property
    def row(self) -> "sa.Row[tuple[object, ...]]":
        with self.database.read() as connection:
            return connection.execute(sa.select(emails).where(emails.c.email_id == self.email_id)).one()

    def events(self) -> list[tuple[str, str, dict[str, str]]]:
        """Kind, source and original of all events, the oldest first."""
        columns = (email_events.c.kind, email_events.c.source, email_events.c.original)
        with self.database.read() as connection:
            rows = connection.execute(sa.select(*columns).order_by(email_events.c.occurred_at, email_events.c.event_id))
            return [(kind, source, json.loads(original)) for kind, source, original in rows]

    def suppressed(self) -> list[tuple[str, str]]:
        """Address key and reason."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(suppressions.c.address_key, suppressions.c.reason))
            return [(key, reason) for key, reason in rows]


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


@pytest.fixture
def client(shop: Shop) -> TestClient:
    return shop.client()
