"""What was deleted is gone from the files: also copies that SQLite left behind, and the write-ahead log."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.platform.wiping import wipe
from engagement_pipeline.users.models import User
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline.users.tables import users
from engagement_pipeline_tests.conftest import NOW

SECRET = "a-secret-key-for-tests"
TRACE = b"Xanthippa"


def files_of(database: Database) -> list[Path]:
    path = Path(str(database.engine.url.database))
    return [file for file in (path, path.with_name(f"{path.name}-wal")) if file.exists()]


def holds(database: Database, trace: bytes = TRACE) -> bool:
    return any(trace in file.read_bytes() for file in files_of(database))


@pytest.fixture
def crowd(database: Database) -> Database:
    """A user among so many that pages of the indexes have been split again and again."""
    store = SqlUserStore(database, SECRET)
    for batch in range(20):
        people = [
            User(user_id=f"u{batch * 100 + n:05}", name=f"{chr(65 + n % 26)}{n:03} {batch} Person") for n in range(100)
        ]
        store.put_users(people, NOW)
        if batch == 4:
            store.put_users([User(user_id="x1", name=f"{TRACE.decode()} Quill", email="x@example.com")], NOW)
    return database


def test_a_deleted_row_leaves_nothing_in_the_files(crowd: Database) -> None:
    if not crowd.is_sqlite:
        assert wipe(crowd, [TRACE])
        return
    assert holds(crowd)
    SqlUserStore(crowd, SECRET).delete_user("x1", NOW)
    assert holds(crowd), "the log still has pages as they were"
    assert wipe(crowd, [TRACE])
    assert not holds(crowd)
    assert not holds(crowd, TRACE.lower())
    with crowd.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(users)).scalar_one() == 2_000


def test_a_copy_in_what_no_row_uses_is_found_and_removed(crowd: Database) -> None:
    if not crowd.is_sqlite:
        return
    file = files_of(crowd)[0]
    # As a build of SQLite leaves it that does not overwrite.
    with sqlite3.connect(file) as careless:
        careless.execute("PRAGMA secure_delete=OFF")
        careless.execute("DELETE FROM users WHERE user_id = 'x1'")
    careless.close()
    crowd.maintain("PRAGMA wal_checkpoint(TRUNCATE)")
    assert holds(crowd)
    assert not wipe(crowd, [TRACE], at_most=1)
    assert holds(crowd)
    assert wipe(crowd, [TRACE])
    assert not holds(crowd)


def test_without_traces_the_file_is_written_anew(crowd: Database) -> None:
    if not crowd.is_sqlite:
        return
    with sqlite3.connect(files_of(crowd)[0]) as careless:
        careless.execute("PRAGMA secure_delete=OFF")
        careless.execute("DELETE FROM users WHERE user_id = 'x1'")
    careless.close()
    assert wipe(crowd, None)
    assert not holds(crowd)


def test_a_trace_is_found_across_pieces_that_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engagement_pipeline.platform import wiping

    monkeypatch.setattr(wiping, "_CHUNK", 7)
    file = tmp_path / "some.db"
    for place in range(20):
        file.write_bytes(b"." * place + TRACE.upper() + b"." * 5)
        assert wiping._holds(file, [TRACE])
    file.write_bytes(b"." * 100)
    assert not wiping._holds(file, [TRACE])


def test_a_reader_who_stays_is_not_waited_for_for_ever(crowd: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if not crowd.is_sqlite:
        return
    SqlUserStore(crowd, SECRET).delete_user("x1", NOW)
    with crowd.read() as connection:
        connection.execute(sa.select(users.c.user_id).limit(1)).all()
        SqlUserStore(crowd, SECRET).put_users([User(user_id="later")], NOW)
        impatient = Database(str(crowd.engine.url))
        monkeypatch.setattr("engagement_pipeline.platform.sql.BUSY_TIMEOUT_MS", 50)
        assert not wipe(impatient, [TRACE])
        impatient.close()
    assert wipe(crowd, [TRACE])
    assert not holds(crowd)
