"""Schema changes of the operational store (Alembic), and the one function that applies them."""

from pathlib import Path

import sqlalchemy as sa

from engagement_pipeline.platform.sql import Database

_VERSIONS = Path(__file__).parent / "versions"
_POSTGRES_LOCK = int.from_bytes(b"schema", "big")


def upgrade(database: Database) -> None:
    """Bring the schema to the newest version; cheap where it is there already."""
    if is_current(database):
        return
    # Imported here: a run process, whose schema is current, must not pay for Alembic.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with database.write() as connection:
        # Services start together; whoever comes later finds the schema made.
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Tell whether the schema is the one that this program wants."""
    return _current(database) == _newest()


def _newest() -> str:
    return max(path.stem for path in _VERSIONS.glob("[0-9]*.py")).split("_")[0]


def _current(database: Database) -> str | None:
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
