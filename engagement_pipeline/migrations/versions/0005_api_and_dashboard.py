"""What the API and the dashboard need: tokens, audit, answers kept, published figures, and indexes for lists."""

import sqlalchemy as sa
from alembic import op

from engagement_pipeline.platform.sql import UtcDateTime
from engagement_pipeline.users.searching import search_columns

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BATCH = 10_000
# By code point in every database, so that prefixes are ranges of the index.
_FOLDED = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")
_INDEXES = {
    "users": {
        "ix_users_search_name_user_id": ["search_name", "user_id"],
        "ix_users_search_surname_user_id": ["search_surname", "user_id"],
        "ix_users_last_order_at_user_id": ["last_order_at", "user_id"],
    },
    "scores": {
        "ix_scores_score_user_id": ["score", "user_id"],
        "ix_scores_band_score_user_id": ["band", "score", "user_id"],
    },
    "emails": {
        "ix_emails_created_at_email_id": ["created_at", "email_id"],
        "ix_emails_status_created_at_email_id": ["status", "created_at", "email_id"],
        "ix_emails_user_id_created_at": ["user_id", "created_at"],
    },
    "suppressions": {"ix_suppressions_suppressed_at_address_key": ["suppressed_at", "address_key"]},
}


def upgrade() -> None:
    _create_tables()
    op.add_column("emails", sa.Column("requested_by", sa.String(64)))
    op.add_column("emails", sa.Column("overrides", sa.JSON()))
    op.add_column("users", sa.Column("search_name", _FOLDED))
    op.add_column("users", sa.Column("search_surname", _FOLDED))
    _fill_search_columns()
    for table, indexes in _INDEXES.items():
        for name, columns in indexes.items():
            op.create_index(name, table, columns)


def downgrade() -> None:
    for table, indexes in _INDEXES.items():
        for name in indexes:
            op.drop_index(name, table)
    op.drop_column("users", "search_surname")
    op.drop_column("users", "search_name")
    op.drop_column("emails", "overrides")
    op.drop_column("emails", "requested_by")
    for table in ("run_marks", "published", "idempotency_keys", "audit_log", "api_tokens"):
        op.drop_table(table)


def _create_tables() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("token_id", sa.String(12), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("scope", sa.String(8), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime()),
        sa.Column("revoked_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    op.create_table(
        "audit_log",
        sa.Column("audit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("happened_at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("entity", sa.String(32), nullable=False),
        sa.Column("entity_id", sa.String(256), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(64)),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_log_entity_entity_id", "audit_log", ["entity", "entity_id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(128)),
        sa.Column("status", sa.Integer()),
        sa.Column("body", sa.JSON()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", "actor", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_user_id"), "idempotency_keys", ["user_id"])
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])
    op.create_table(
        "published",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("computed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_published")),
    )
    op.create_table(
        "run_marks",
        sa.Column("job", sa.String(128), nullable=False),
        sa.Column("last_success_at", UtcDateTime()),
        sa.Column("last_failure_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_run_marks")),
    )


def _fill_search_columns() -> None:
    """Fold the names of users that are there already, some at a time."""
    users = sa.table("users", *map(sa.column, ("user_id", "name", "search_name", "search_surname")))
    connection = op.get_bind()
    page = sa.select(users.c.user_id, users.c.name).order_by(users.c.user_id).limit(_BATCH)
    fill = (
        sa.update(users)
        .where(users.c.user_id == sa.bindparam("key"))
        .values(search_name=sa.bindparam("search_name"), search_surname=sa.bindparam("search_surname"))
    )
    after = ""
    while rows := connection.execute(page.where(users.c.user_id > after)).all():
        connection.execute(fill, [{"key": row.user_id, **search_columns(row.name)._asdict()} for row in rows])
        after = rows[-1].user_id
