"""A shop with users, orders, scores and e-mails, and programs that talk to its API."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient

from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import published
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DeliverySettings, WebSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.web.app import create_app
from engagement_pipeline.web.security import tokens
from engagement_pipeline.web.security.tokens import Scope
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import SECRET, order, store_of, user
from engagement_pipeline_tests.web.queries.test_emails import row

URL = "https://shop.example.net"
STATUSES = ("sent", "unknown", "unknown", "clicked", "delivered")


class Shop:
    """Thirty users: u0 ordered 40 days ago, u1 41 days ago, and so on."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.database = database
        self.now = NOW
        self.settings = Settings(
            data_dir=folder,
            database_url=database.engine.url.render_as_string(hide_password=False),
            secret_key=SECRET,
            delivery=DeliverySettings(public_url="https://mail.example.com"),
            **({"web": WebSettings(requests_per_second=100_000)} | settings),
        )
        self.pipeline = Pipeline(self.settings, now=lambda: self.now)
        self.app = create_app(self.pipeline)

    def fill(self) -> None:
        store = store_of(self.database)
        store.put_users([user(f"u{n}", name=f"Ada Test {n}", consent=True) for n in range(30)], NOW)
        store.put_users([user("u4", name="Zoë Test", consent=True)], NOW)
        store.put_orders([order(f"o{n}", f"u{n}", days_ago=40 + n) for n in range(30)], NOW)
        bands = [(f"u{n}", float(n), "critical" if n < 20 else "at_risk") for n in range(30)]
        letters = [row(f"{n:x}", f"u{n}", status=status) for n, status in enumerate(STATUSES, 1)]
        with self.database.write() as connection:
            connection.execute(
                sa.insert(scores),
                [
                    {"user_id": key, "score": score, "band": band, "as_of": NOW.date(), "published_at": NOW}
                    for key, score, band in bands
                ],
            )
            connection.execute(sa.insert(emails), letters)
        self.publish_population()

    def publish_population(self) -> None:
        typical = {"mean_gap_days": 30.0, "median_order_value": 20.0, "users": 30}
        with self.database.write() as connection:
            published.put(connection, {"population": typical}, NOW)

    def token(self, name: str = "shop", scope: Scope = "write") -> str:
        with self.database.write() as connection:
            return tokens.add(connection, name, scope, self.now)

    def client(self, token: str | None = None, **headers: str) -> TestClient:
        """Somebody elsewhere, with a token or without."""
        bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
        return TestClient(self.app, base_url=URL, headers=bearer | headers, follow_redirects=False)

    def here(self, base_url: str = "http://127.0.0.1:8000", **headers: str) -> TestClient:
        """Somebody on the machine itself, without a token."""
        return TestClient(
            self.app, base_url=base_url, headers=headers, client=("127.0.0.1", 40_000), follow_redirects=False
        )

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            return [dict(found._mapping) for found in connection.execute(sa.select(table))]
