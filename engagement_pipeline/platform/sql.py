"""The operational store's engine: SQLite by default, PostgreSQL by URL, one SQLAlchemy Core for both."""

import random
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform import clock

BUSY_TIMEOUT_MS = 30_000
_WAIT_FOR_WRITER_SECONDS = (0.0002, 0.002)
# PostgreSQL's driver tells how many rows an INSERT wrote only when asked to.
_COUNT_ROWS = {"preserve_rowcount": True}

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment in UTC. Refuses naive values; SQLite, which has no time zones, stores it without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        utc = value.astimezone(timezone.utc)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class Database:
    """A connection pool with two kinds of transaction: one that may write, one that only reads."""

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        # An error would otherwise quote the values of its statement, addresses among them, and end in a log.
        self.engine = sa.create_engine(parsed, pool_pre_ping=not self.is_sqlite, hide_parameters=True)
        if self.is_sqlite:
            _configure_sqlite(self.engine)
        else:
            _hide_rows(self.engine)
        self._may_write = self.engine.execution_options(may_write=True)
        # SQLite has one writer at a time and lets others poll; threads of one process wait here, and wake at once.
        self._one_writer = threading.Lock() if self.is_sqlite else nullcontext()
        self._of_this_thread = threading.local()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a transaction that commits at the end and rolls back on any exception.

        Within one of the same thread it is a part of that: it stands or falls with the whole. So what several stores
        write can be one transaction as far as they lie in this database, without any of them knowing of the others.
        """
        outer = self._writing()
        if outer is not None:
            with outer.begin_nested():
                yield outer
            return
        with self._one_writer, self._may_write.begin() as connection:
            self._of_this_thread.connection = connection
            try:
                yield connection
            finally:
                self._of_this_thread.connection = None

    @contextmanager
    def write_lean(self) -> Iterator["LeanTransaction"]:
        """Open a transaction like `write` for statements that are prepared, at a third of the cost; a whole one."""
        with self._one_writer:
            pooled = self.engine.raw_connection()
            try:
                if self.is_sqlite:
                    _become_the_writer(pooled.dbapi_connection)
                yield LeanTransaction(pooled.cursor(), self.engine.dialect)
                pooled.commit()
            except BaseException:
                pooled.rollback()
                raise
            finally:
                pooled.close()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a consistent snapshot; within a writing transaction of the same thread, see what that has written."""
        outer = self._writing()
        if outer is not None:
            yield outer
            return
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def _writing(self) -> sa.Connection | None:
        return getattr(self._of_this_thread, "connection", None)

    def maintain(self, statement: str) -> tuple[Any, ...] | None:
        """Run what SQLite allows in no transaction, such as VACUUM; return the first row of its answer, if any.

        Raises:
            ValueError: the store is not SQLite.
        """
        if not self.is_sqlite:
            raise ValueError("only SQLite's file needs maintenance by its users")
        # Waits for writers without being one of them: ours go on meanwhile.
        pooled = self.engine.raw_connection()
        try:
            row: tuple[Any, ...] | None = pooled.cursor().execute(statement).fetchone()
        finally:
            pooled.close()
        return row

    def close(self) -> None:
        self.engine.dispose()


class Prepared:
    """A statement put into SQL once, for what runs for every message: doing it anew would cost more than running it."""

    def __init__(self, statement: sa.Executable) -> None:
        self._statement = statement
        self._by_dialect: dict[str, _Compiled] = {}

    def compiled(self, dialect: sa.Dialect) -> "_Compiled":
        """Return the SQL for one kind of database."""
        found = self._by_dialect.get(dialect.name)
        if found is None:
            found = self._by_dialect[dialect.name] = _Compiled(self._statement, dialect)
        return found


class LeanTransaction:
    """Runs prepared statements on the database's own driver."""

    def __init__(self, cursor: Any, dialect: sa.Dialect) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self.is_sqlite = dialect.name == "sqlite"

    def execute(self, prepared: Prepared, values: Mapping[str, Any]) -> int:
        """Run a statement with values for its bound parameters; return how many rows it wrote."""
        compiled = prepared.compiled(self._dialect)
        self._cursor.execute(compiled.sql, compiled.parameters(values))
        return int(self._cursor.rowcount)


class _Compiled:
    def __init__(self, statement: sa.Executable, dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        self.sql = str(compiled)
        self._defaults = compiled.params
        self._places: list[str] | None = compiled.positiontup if compiled.positional else None
        self._processors = {
            name: processor
            for parameter, name in compiled.bind_names.items()
            if (processor := parameter.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }

    def parameters(self, values: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
        bound = {**self._defaults, **values}
        for name, processor in self._processors.items():
            bound[name] = processor(bound[name])
        return bound if self._places is None else tuple(bound[name] for name in self._places)


def insert_or_ignore(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
    """Insert rows, leaving those whose unique key exists; return how many were new."""
    if not rows:
        return 0
    statement = _insert(connection, table).on_conflict_do_nothing()
    return int(connection.execute(statement, rows, execution_options=_COUNT_ROWS).rowcount)


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: list[dict[str, Any]],
    columns: Iterable[str],
    *,
    unless_equal: Iterable[str] = (),
) -> int:
    """Insert rows, or update the named columns of those whose primary key exists; return how many were written.

    Args:
        connection: a transaction that may write.
        table: where to; has a primary key.
        rows: complete rows.
        columns: what to update.
        unless_equal: where named, a row that exists with equal values in these columns is left as it is.
    """
    if not rows:
        return 0
    statement = _insert(connection, table)
    differs = [table.c[name].is_distinct_from(statement.excluded[name]) for name in unless_equal]
    written = connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: statement.excluded[name] for name in columns},
            where=sa.or_(*differs) if differs else None,
        ),
        rows,
        execution_options=_COUNT_ROWS,
    )
    return int(written.rowcount)


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def _hide_rows(engine: sa.Engine) -> None:
    """Cut PostgreSQL's errors to their first line: their detail quotes the whole row."""

    @sa.event.listens_for(engine, "handle_error")
    def _on_error(context: sa.ExceptionContext) -> None:
        diagnosis = getattr(context.original_exception, "diag", None)
        for error in (context.original_exception, context.sqlalchemy_exception):
            if diagnosis is not None and error is not None:
                error.args = (diagnosis.message_primary,)


def _configure_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling begins too late; we issue BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # What is deleted is overwritten: many builds of SQLite would leave it in the file until its place is needed.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later would fail with "database is locked" under two writers.
        if connection.get_execution_options().get("may_write", False):
            _become_the_writer(connection.connection.dbapi_connection)
        else:
            connection.exec_driver_sql("BEGIN")


def _become_the_writer(raw: Any) -> None:
    """Begin a writing transaction as soon as the other writers let us.

    SQLite's own waiting sleeps up to 100 ms between two tries: a process that writes without a pause, as a sender does,
    would starve everybody else for seconds.

    Args:
        raw: the driver's connection.
    """
    give_up_at = clock.monotonic() + BUSY_TIMEOUT_MS / 1000
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or clock.monotonic() > give_up_at:
                    raise sa.exc.OperationalError("BEGIN IMMEDIATE", None, error) from error
                time.sleep(random.uniform(*_WAIT_FOR_WRITER_SECONDS))  # noqa: S311 - only spreads the waiting
            else:
                return
    finally:
        raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
