"""A shop's desk: users of every kind, e-mails in many states, and somebody who is logged in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx2 import Response

from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import published, run_marks
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.users.store import Touches, record_touches
from engagement_pipeline.web.app import create_app
from engagement_pipeline.web.security import tokens
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET, Parts, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

HOST = "http://127.0.0.1:8000"
_CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


@dataclass
class Desk:
    """The dashboard over a store with some life in it.

    u00001 was sent an e-mail that was opened; u00002's is unknown; u00003 has a draft; u00004 is new.
    """

    database: Database
    folder: Path
    now: datetime = NOW
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = Settings(
            data_dir=self.folder,
            database_url=self.database.engine.url.render_as_string(hide_password=False),
            secret_key=SECRET,
            gate=GateSettings(hold_out_share=0),
        )
        self.parts = Parts(self.database)
        people = [silent_user(number, name=name) for number, name in enumerate(NAMES, 1)]
        self.parts.add_users(people, self.now)
        drafts = self.parts.add_drafts([user.user_id for user in people[:3]], self.now)
        self.email_ids = [draft.email_id for draft in drafts]
        with self.database.write() as connection:
            published.put(connection, {"population": POPULATION}, self.now)
            run_marks.record(connection, "refresh_engagement", succeeded=True, ended_at=self.now - timedelta(hours=9))
            rows = [
                {"user_id": user.user_id, "score": 20.0 + place, "band": "critical", "as_of": self.now.date()}
                for place, user in enumerate(people[:3])
            ]
            connection.execute(sa.insert(scores), [{**row, "published_at": self.now} for row in rows])
        self.set_email(0, status="sent", sent_at=self.now - timedelta(hours=3), provider="outbox")
        self.set_email(1, status="unknown", reason="connection lost", sent_at=self.now, provider="ses")
        self.report(0, "delivery", timedelta(hours=2))
        self.report(0, "open", timedelta(hours=1))

    def set_email(self, place: int, **values: object) -> None:
        with self.database.write() as connection:
            mine = emails.c.email_id == self.email_ids[place]
            connection.execute(sa.update(emails).where(mine).values(**values))

    def report(self, place: int, kind: Kind, ago: timedelta) -> None:
        email_id = self.email_ids[place]
        event = Event(f"{kind}:{email_id}", kind, email_id, None, None, self.now - ago, "tracking", "{}")
        sql_stores(self.database).feedback.take([event], self.now)

    def make_everyone_writable(self) -> None:
        """Take back what was written, so that the gate has nothing against anybody; all are critical."""
        with self.database.write() as connection:
            for table in (email_events, emails, scores):
                connection.execute(sa.delete(table))
            rows = [
                {"user_id": f"u{number:05}", "score": 20.0 + number, "band": "critical", "as_of": self.now.date()}
                for number, _ in enumerate(NAMES, 1)
            ]
            connection.execute(sa.insert(scores), [{**row, "published_at": self.now} for row in rows])
            for number, _ in enumerate(NAMES, 1):
                record_touches(connection, [Touches(f"u{number:05}", (), None, 0)], self.now)

    def settings_for_sending(self) -> Settings:
        """At any hour of the day that a test may run at."""
        gate = GateSettings(hold_out_share=0, sending_hour_from=0, sending_hour_to=24)
        return self.settings.model_copy(update={"gate": gate})

    def token(self, name: str, scope: tokens.Scope = "write") -> str:
        with self.database.write() as connection:
            return tokens.add(connection, name, scope, self.now)

    def client(self, **changes: object) -> TestClient:
        settings = Settings.model_validate(self.settings.model_dump() | changes)
        pipeline = Pipeline(settings, now=lambda: self.now)
        return TestClient(create_app(pipeline), base_url=HOST, client=("127.0.0.1", 50000), follow_redirects=False)

    def visitor(self, scope: tokens.Scope = "write", **changes: object) -> "Visitor":
        """Somebody who has logged in."""
        client = self.client(**changes)
        token = self.token(f"marta-{scope}", scope)
        assert client.post("/login", data={"token": token}).status_code == 303
        return Visitor(client)

    def audited(self) -> list[tuple[str, str, str]]:
        """Actor, action and what it concerned."""
        query = sa.select(audit_log.c.actor, audit_log.c.action, audit_log.c.entity_id).order_by(audit_log.c.audit_id)
        with self.database.read() as connection:
            return [(actor, action, entity_id) for actor, action, entity_id in connection.execute(query)]


@dataclass
class Visitor:
    """A browser without a screen: it loads pages and sends their forms."""

    client: TestClient

    def see(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, path: str, page: str, status: int = 303, **fields: str) -> Response:
        """Send a form, with the word that stands in a page."""
        found = _CSRF.search(self.see(page))
        assert found is not None, page
        answer = self.client.post(path, data={"csrf_token": found[1], **fields})
        assert answer.status_code == status, answer.text
        return answer


NAMES = ("Ada Lovelace", "Grace Hopper", "<script>alert(1)</script>", "Zoë Ångström")
POPULATION = {"mean_gap_days": 45.0, "median_order_value": 50.0, "users": 4}


def empty_store(folder: Path) -> Database:
    database = Database(f"sqlite:///{folder / 'engagement.db'}")
    upgrade(database)
    return database


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = empty_store(tmp_path)
    yield Desk(database, tmp_path)
    database.close()


@pytest.fixture
def visitor(desk: Desk) -> Visitor:
    return desk.visitor()
