"""Users, orders and rejected records in the operational store."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

# Ordered by code point in every database: what begins with a prefix is one range of the index.
_FOLDED = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")

users = sa.Table(
    "users",
    metadata,
    sa.Column("user_id", sa.String(128), primary_key=True),
    sa.Column("email", sa.String(320)),
    # Keyed hash of the normalised address: what everything but rendering and the mailer works with.
    sa.Column("address_key", sa.String(64), index=True),
    sa.Column("name", sa.String(200)),
    # The name as it is searched for, and its last word; see `users.searching`.
    sa.Column("search_name", _FOLDED),
    sa.Column("search_surname", _FOLDED),
    sa.Column("preferred_categories", sa.JSON, nullable=False),
    sa.Column("consent", sa.Boolean, nullable=False),
    sa.Column("time_zone", sa.String(64), nullable=False),
    # What the user record itself says of its orders; stands until orders say otherwise.
    sa.Column("stated_order_count", sa.Integer),
    sa.Column("stated_average_order_value", sa.Float),
    sa.Column("stated_first_order_at", UtcDateTime),
    sa.Column("stated_last_order_at", UtcDateTime),
    # What counts: derived from orders and the stated values in the transaction that changes either.
    sa.Column("order_count", sa.Integer, nullable=False),
    sa.Column("order_days", sa.Integer, nullable=False),
    sa.Column("average_order_value", sa.Float, nullable=False),
    sa.Column("first_order_at", UtcDateTime),
    sa.Column("last_order_at", UtcDateTime),
    # Touches: e-mails sent and, for the hold-out, the moments at which one would have been; newest first.
    sa.Column("touched_at", sa.JSON, nullable=False),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("last_email_at", UtcDateTime),
    sa.Column("last_touch_at", UtcDateTime),
    sa.Column("touches_since_order", sa.Integer, nullable=False),
    # Counts every change of the row: the sender sends only to the version that the gate has seen.
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    # Lists are read by ranges of these, however far one pages.
    sa.Index("ix_users_search_name_user_id", "search_name", "user_id"),
    sa.Index("ix_users_search_surname_user_id", "search_surname", "user_id"),
    sa.Index("ix_users_last_order_at_user_id", "last_order_at", "user_id"),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", sa.String(128), primary_key=True),
    sa.Column("user_id", sa.String(128), nullable=False),
    sa.Column("ordered_at", UtcDateTime, nullable=False),
    sa.Column("total_value", sa.Float, nullable=False),
    sa.Column("item_count", sa.Integer, nullable=False),
    # NULL where the shop does not say what was bought.
    sa.Column("skus", sa.JSON(none_as_null=True)),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index("ix_orders_user_id_ordered_at", "user_id", "ordered_at"),
)

rejected_records = sa.Table(
    "rejected_records",
    metadata,
    sa.Column("record_key", sa.String(64), primary_key=True),
    sa.Column("entity", sa.String(16), nullable=False),
    sa.Column("file", sa.String(512), nullable=False),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("field", sa.String(128)),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("original", sa.Text, nullable=False),
    sa.Column("rejected_at", UtcDateTime, nullable=False),
)
