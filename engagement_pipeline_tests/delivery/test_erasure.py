"""Erasing a person from the operational store and the files beside it, at any moment, with a kill at any point."""

import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery import erasure, suppressions
from engagement_pipeline.delivery.erasure import audit_id, erase, finish
from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.mailer import Receipt
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.platform import facts
from engagement_pipeline.platform.audit import AuditEntry, audit_log, record
from engagement_pipeline.platform.change_log import change_log
from engagement_pipeline.platform.idempotency import idempotency_keys
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.rejects import Reject, list_rejected
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.samples import brief
from engagement_pipeline_tests.delivery.mortal_eraser import STEPS
from engagement_pipeline_tests.delivery.parts import SECRET, Parts, order, outbox_ids, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

ZOE = "shop-0042"
ADDRESS = "zoe.quillfeather@example.com"
NAME = "Zoë Quillfeather"
KEY = address_key(ADDRESS, SECRET)
LATER = NOW + timedelta(days=1)


@dataclass
class Shop(Parts):
    """A shop that has written to three users."""

    folder: Path

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.folder, secret_key=SECRET)

    @property
    def stores(self) -> Stores:
        return sql_stores(self.database)

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    def erase(self, user_id: str = ZOE, patience: float = 5.0, now: datetime = LATER) -> erasure.ErasureReport:
        return erase(self.stores, self.settings, user_id, "cli", now, patience_seconds=patience)

    def report(self, kind: Kind, email_id: str | None, key: str | None, event_id: str = "", **more: Any) -> None:
        event = Event(
            event_id=event_id or f"{kind}-of-{email_id}",
            kind=kind,
            email_id=email_id,
            provider_message_id=more.get("provider_message_id"),
            address_key=key,
            occurred_at=LATER,
            source="ses",
            original=f'{{"to": "{ADDRESS}"}}',
        )
        self.stores.feedback.take([event], LATER)

    def all(self, table: sa.Table) -> list[sa.Row[Any]]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)))

    def holds(self, *texts: str) -> list[str]:
        """Return the files, and the tables, in which any of the texts stands."""
        found = []
        for path in self.folder.rglob("*"):
            if path.is_file() and any(text.encode().lower() in path.read_bytes().lower() for text in texts):
                found.append(path.name)
        for table in (users, orders, scores, emails, email_events, audit_log, idempotency_keys, facts.store_facts):
            found += [table.name for row in self.all(table) if any(text in repr(tuple(row)) for text in texts)]
        return found


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    shop = Shop(database, tmp_path)
    shop.add_users([silent_user(0, ADDRESS, user_id=ZOE, name=NAME), silent_user(1), silent_user(2)], NOW)
    shop.add_drafts([ZOE, "u00001"], NOW)
    shop.sender(OutboxMailer(shop.outbox)).run(lambda: NOW)
    return shop


def test_nothing_that_stays_says_who_it_was(shop: Shop) -> None:
    email_id = shop.rows()[ZOE].email_id
    shop.keep(ZOE, brief(other_interests=(f"gowns for {NAME}".casefold(),)))
    shop.report("open", email_id, KEY)
    shop.report("other", None, KEY, "unmatched", provider_message_id="of nobody")
    reject = Reject(
        "user", "users.csv", 2, "consent", "not_a_truth", "is no yes or no", f"{ZOE},{ADDRESS},{NAME},maybe"
    )
    shop.store.record_rejects([reject], NOW)
    (shop.folder / "imported").mkdir()
    (shop.folder / "imported" / "users.csv").write_text(f"user_id,email\n{ZOE},{ADDRESS}\n")
    with shop.database.write() as connection:
        for entity, entity_id in (("user", ZOE), ("email", email_id), ("user", "u00001")):
            record(connection, AuditEntry("shop backend", "x.updated", entity, entity_id, {"fields": ["name"]}, NOW))
        values = {"key": "k", "actor": "a", "fingerprint": "f", "user_id": ZOE, "created_at": NOW}
        connection.execute(sa.insert(idempotency_keys), [{**values, "status": 201, "body": {"name": NAME}}])
        score = {"user_id": ZOE, "score": 30.0, "band": "at_risk", "as_of": NOW.date(), "published_at": NOW}
        connection.execute(sa.insert(scores), [score])
    report = shop.erase()
    # Its delivery, its opening, and what was reported of nobody's e-mail.
    counts = (report.orders, report.emails, report.events, report.rejected_records, report.files, report.suppressed)
    assert counts == (1, 1, 3, 1, 2, 1)
    assert report.left is None
    assert shop.holds(ADDRESS, NAME, "Zo\\u00eb", "quillfeather") == []
    assert shop.store.get_user(ZOE) is None
    assert shop.store.orders_of(ZOE) == []
    [nobodys] = [row for row in shop.all(emails) if row.user_id != "u00001"]
    assert nobodys.provenance["brief"]["silence"] == "about_a_season"
    [kept] = shop.all(idempotency_keys)
    assert (kept.status, kept.body, kept.user_id) == (201, None, None)
    with shop.database.read() as connection:
        assert list_rejected(connection)[0].original == "[erased]"
    assert outbox_ids(shop.outbox) == [shop.rows()["u00001"].email_id]


def test_what_counts_stays(shop: Shop) -> None:
    before = shop.rows()[ZOE]
    shop.report("click", before.email_id, KEY)
    shop.erase()
    [row] = [row for row in shop.rows().values() if row.user_id.startswith("erased:")]
    unchanged = ("campaign", "step", "score", "band", "variant", "copywriter", "sent_at", "provider", "copy")
    assert [getattr(row, name) for name in unchanged] == [getattr(before, name) for name in unchanged]
    assert row.status == "clicked"
    assert row.address_key.startswith("erased:")
    kinds = {event.kind: event.original for event in shop.all(email_events) if event.email_id == row.email_id}
    assert kinds == {"delivery": "{}", "click": "{}"}


def test_the_others_are_left_alone(shop: Shop) -> None:
    def others() -> list[Any]:
        tables = (users, orders, emails, email_events)
        rows = [row for table in tables for row in shop.all(table)]
        return sorted(repr(tuple(row)) for row in rows if "u00001" in repr(tuple(row)) or "u00002" in repr(tuple(row)))

    before = others()
    shop.erase()
    assert others() == before


def test_the_audit_log_keeps_that_it_was_done_but_not_to_whom(shop: Shop) -> None:
    with shop.database.write() as connection:
        record(connection, AuditEntry("marketer", "user.updated", "user", ZOE, {"fields": ["consent"]}, NOW))
        order_id = f"{ZOE}-{NOW - timedelta(days=90):%Y%m%d%H%M%S}"
        record(connection, AuditEntry("marketer", "order.created", "order", order_id, {}, NOW))
    shop.erase()
    rows = shop.all(audit_log)
    assert [(row.actor, row.action) for row in rows] == [
        ("marketer", "user.updated"),
        ("marketer", "order.created"),
        ("cli", "user.erased"),
    ]
    assert rows[0].entity_id == rows[2].entity_id == audit_id(ZOE, SECRET)
    assert not any(ZOE in row.entity_id for row in rows)


def test_the_warehouse_hears_of_it(shop: Shop) -> None:
    email_id = shop.rows()[ZOE].email_id
    shop.erase()
    changes = [(row.entity, row.operation) for row in shop.all(change_log) if row.entity_id in (ZOE, email_id)][-2:]
    assert sorted(changes) == [("email", "deleted"), ("user", "deleted")]
    [renamed] = [row for row in shop.rows().values() if row.user_id.startswith("erased:")]
    assert renamed.email_id in {row.entity_id for row in shop.all(change_log) if row.entity == "email"}


def test_erased_twice_and_erased_by_an_unknown_id(shop: Shop) -> None:
    assert shop.erase().found
    rows = len(shop.all(audit_log))
    assert not shop.erase().found
    assert not shop.erase("nobody").found
    assert len(shop.all(audit_log)) == rows
    assert finish(shop.stores, shop.settings, LATER) == []


def test_who_comes_back_is_not_written_to(shop: Shop) -> None:
    shop.erase()
    shop.add_users([silent_user(0, ADDRESS.upper(), user_id=ZOE, name=NAME)], NOW)
    shop.add_users([silent_user(0, ADDRESS, user_id="another-id")], NOW)
    shop.add_drafts([ZOE, "another-id"], NOW)
    report = shop.sender(OutboxMailer(shop.outbox)).run(lambda: LATER)
    assert report.skipped_by_reason == {"suppressed": 2}
    # Under the same id, and with as many e-mails: the rows of the first life do not stand in the way.
    assert shop.erase().emails == 1
    assert sorted(row.status for row in shop.rows().values()) == ["delivered", "delivered", "skipped", "skipped"]


def test_a_former_address_is_suppressed_too_unless_it_is_somebody_elses_now(shop: Shop) -> None:
    moved = silent_user(0, "zoe.new@example.com", user_id=ZOE, name=NAME)
    shop.store.put_users([moved], LATER)
    assert shop.erase().suppressed == 2
    shop.store.put_users([silent_user(1, "u1.new@example.com"), silent_user(3, "u1@example.com")], LATER)
    assert shop.erase("u00001").suppressed == 1
    with shop.database.read() as connection:
        assert suppressions.find(connection, KEY)
        assert suppressions.find(connection, address_key("u1@example.com", SECRET)) is None


def test_a_suppression_that_was_there_says_erased_from_now_on(shop: Shop) -> None:
    with shop.database.write() as connection:
        suppressions.add(connection, KEY, "complaint", "ses", NOW)
    shop.erase()
    with shop.database.read() as connection:
        found = suppressions.find(connection, KEY)
    assert found is not None
    assert (found.reason, found.suppressed_at) == ("erased", NOW)


def test_other_users_of_the_address_are_named(shop: Shop) -> None:
    shop.add_users([silent_user(7, ADDRESS)], NOW)
    assert shop.erase().same_address == ("u00007",)


def test_reports_that_come_later_say_nothing_of_the_person(shop: Shop) -> None:
    with shop.database.write() as connection:
        given = sa.update(emails).where(emails.c.user_id == ZOE).values(provider_message_id="ses-1", status="sent")
        connection.execute(given)
    former = shop.rows()[ZOE].email_id
    shop.erase()
    shop.report("complaint", former, KEY, "sns-1", provider_message_id="ses-1")
    shop.report("hard_bounce", former, KEY, "sns-2", provider_message_id="never heard of")
    [row] = [row for row in shop.rows().values() if row.user_id.startswith("erased:")]
    assert row.status == "complained", "the complaint still counts against us"
    told = {event.event_id: event for event in shop.all(email_events)}
    assert [told[key].original for key in ("sns-1", "sns-2")] == ["{}", "{}"]
    assert [told[key].address_key for key in ("sns-1", "sns-2")] == [None, None]
    with shop.database.read() as connection:
        [entry] = suppressions.list_suppressions(connection, 10)
    assert (entry.address_key, entry.reason) == (KEY, "erased")


def test_a_report_that_waited_for_its_email_says_nothing_either(shop: Shop) -> None:
    """The provider was quicker than our own note of its id, and the event names no recipient."""
    shop.report("send", None, None, "sns-3", provider_message_id="ses-3")
    shop.erase()
    [row] = [row for row in shop.rows().values() if row.user_id.startswith("erased:")]
    shop.report("delivery", row.email_id, None, "sns-4", provider_message_id="ses-3")
    told = {event.event_id: event for event in shop.all(email_events)}
    assert (told["sns-3"].email_id, told["sns-3"].original) == (row.email_id, "{}")


def test_mail_to_somebody_else_that_was_sent_on_loses_only_the_address(shop: Shop) -> None:
    email_id = shop.rows()["u00001"].email_id
    shop.report("soft_bounce", email_id, KEY, "sns-5")
    shop.report("open", email_id, address_key("u1@example.com", SECRET), "sns-6")
    shop.erase()
    told = {event.event_id: event for event in shop.all(email_events)}
    assert (told["sns-5"].original, told["sns-5"].address_key, told["sns-5"].email_id) == ("{}", None, email_id)
    assert told["sns-6"].address_key is not None


def test_waiting_emails_are_closed(shop: Shop) -> None:
    shop.add_drafts(["u00002"], NOW)
    report = shop.erase("u00002")
    assert report.emails == 1
    [row] = [row for row in shop.rows().values() if row.user_id.startswith("erased:")]
    assert (row.status, row.reason, row.claimed_by) == ("skipped", "user_deleted", None)
    assert shop.sender(OutboxMailer(shop.outbox)).run(lambda: LATER).sent == 0


class SlowMailer(OutboxMailer):
    """Takes its time over each message."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def send(self, message: Message) -> Receipt:
        self.begun.set()
        assert self.go_on.wait(10)
        return super().send(message)


def test_a_message_that_is_being_sent_is_waited_for(shop: Shop) -> None:
    shop.add_users([silent_user(9, "zelda@example.com", name="Zelda Quillfeather")], NOW)
    shop.add_drafts(["u00009"], NOW)
    mailer = SlowMailer(shop.outbox)
    sending = threading.Thread(target=shop.sender(mailer).run, args=(lambda: NOW,))
    sending.start()
    assert mailer.begun.wait(10)
    report = shop.erase("u00009", patience=0.2, now=NOW)
    assert report.left == "message_in_flight"
    assert shop.store.get_user("u00009") is not None, "still there, but never written to again"
    threading.Timer(0.3, mailer.go_on.set).start()
    [report] = finish(shop.stores, shop.settings, NOW)
    sending.join(10)
    assert (report.left, report.emails, report.files) == (None, 1, 1)
    assert shop.holds("zelda@example.com", "Zelda") == []
    rows = [row for row in shop.rows().values() if row.user_id.startswith("erased:")]
    assert [(row.status, row.claimed_by) for row in rows] == [("delivered", None)]


def test_whom_a_sender_has_judged_but_not_begun_is_not_sent(shop: Shop) -> None:
    shop.add_users([silent_user(9, "zelda@example.com", name="Zelda Quillfeather")], NOW)
    shop.add_drafts(["u00002", "u00009"], NOW)
    mailer = SlowMailer(shop.outbox)
    sending = threading.Thread(target=shop.sender(mailer).run, args=(lambda: NOW,))
    sending.start()
    assert mailer.begun.wait(10)
    # The first is in hand, the second is claimed and rendered.
    assert shop.erase("u00009", now=NOW).left is None
    mailer.go_on.set()
    sending.join(10)
    assert shop.holds("zelda@example.com", "Zelda") == []
    assert sorted(shop.statuses().values()) == ["delivered", "delivered", "delivered", "skipped"]


def test_the_message_of_a_sender_that_died_is_resolved_first(shop: Shop) -> None:
    with shop.database.write() as connection:
        in_hand = {"status": "sending", "claimed_by": "here:999999:gone:1", "claimed_until": NOW - timedelta(hours=1)}
        connection.execute(sa.update(emails).where(emails.c.user_id == ZOE).values(in_hand))
    report = shop.erase()
    assert report.left is None
    [row] = [row for row in shop.rows().values() if row.user_id.startswith("erased:")]
    assert row.status == "delivered", "the outbox knew, before its file was deleted"


@pytest.mark.integration
@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_it_is_finished_later(shop: Shop, step: str) -> None:
    url = shop.database.engine.url.render_as_string(hide_password=False)
    module = "engagement_pipeline_tests.delivery.mortal_eraser"
    killed = subprocess.run([sys.executable, "-m", module, url, str(shop.folder), ZOE, step], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    begun = step != "_close_waiting"
    with shop.database.read() as connection:
        assert bool(suppressions.find(connection, KEY)) == begun, "from the first moment on nothing is sent"
    [report] = finish(shop.stores, shop.settings, LATER) if begun else [shop.erase()]
    assert report.left is None
    assert shop.holds(ADDRESS, NAME, "quillfeather") == []
    assert sorted(row.status for row in shop.rows().values()) == ["delivered", "delivered"]
    assert finish(shop.stores, shop.settings, LATER) == []


def test_a_file_too_large_to_write_anew_is_left_to_the_night(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shop.database.is_sqlite:
        return
    # The name is in another's row as well, so that looking alone does not settle it.
    shop.add_users([silent_user(5, "other@example.com", preferred_categories=(ADDRESS,))], NOW)
    monkeypatch.setattr(erasure, "AT_ONCE_BYTES", 1)
    assert shop.erase().left == "store_files"
    assert shop.store.get_user(ZOE) is None
    [report] = finish(shop.stores, shop.settings, LATER)
    assert report.left is None


def test_erasing_at_once_from_two_sides(shop: Shop) -> None:
    reports: list[erasure.ErasureReport] = []
    threads = [threading.Thread(target=lambda: reports.append(shop.erase())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(reports) == 3
    assert sum(report.emails for report in reports) == 1
    assert shop.holds(ADDRESS, NAME) == []


def test_an_order_that_comes_in_between_goes_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    delete_files = erasure._Erasure._delete_files

    def late(self: Any, person: Any) -> int:
        shop.store.put_orders([order(ZOE, LATER)], LATER)
        time.sleep(0)
        return delete_files(self, person)

    monkeypatch.setattr(erasure._Erasure, "_delete_files", late)
    assert shop.erase().orders == 2
    assert shop.store.orders_of(ZOE) == []
