"""Small facts that the operational store must remember about itself, such as which key made its address hashes."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import insert_or_ignore, metadata

store_facts = sa.Table(
    "store_facts",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)


def get(connection: sa.Connection, name: str) -> str | None:
    """Return a fact, or None where it was never recorded."""
    query = sa.select(store_facts.c.value).where(store_facts.c.name == name)
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def put(connection: sa.Connection, name: str, value: str) -> None:
    """Record a fact in the caller's transaction, replacing what was recorded before."""
    insert_or_ignore(connection, store_facts, [{"name": name, "value": value}])
    connection.execute(sa.update(store_facts).where(store_facts.c.name == name).values(value=value))


def remove(connection: sa.Connection, name: str) -> None:
    """Forget a fact, if it was recorded."""
    connection.execute(sa.delete(store_facts).where(store_facts.c.name == name))


def names(connection: sa.Connection, prefix: str) -> list[str]:
    """Return the names of the facts that begin so, in their order."""
    query = sa.select(store_facts.c.name).where(store_facts.c.name.startswith(prefix, autoescape=True))
    return list(connection.execute(query.order_by(store_facts.c.name)).scalars())


def keep_first(connection: sa.Connection, name: str, value: str) -> str:
    """Record a fact unless it is recorded already; return the one that stands."""
    insert_or_ignore(connection, store_facts, [{"name": name, "value": value}])
    kept: str = connection.execute(sa.select(store_facts.c.value).where(store_facts.c.name == name)).scalar_one()
    return kept
