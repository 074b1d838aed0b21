"""Webhooks, their deliveries, how far the log was followed for them, and what notices are about."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    key = sa.Text(collation="C")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "webhooks",
        sa.Column("id", key, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=True),
        sa.Column("previous_secret", sa.Text, nullable=True),
        sa.Column("previous_until", moment, nullable=True),
        sa.Column("app", key, nullable=True),
        sa.Column("flag", key, nullable=True),
        sa.Column("occasions", JSONB, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("disabled_reason", sa.Text, nullable=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        # Who sends to it now, and until when nobody else does; and when its receiver wants to be asked again.
        sa.Column("sending_by", sa.Text, nullable=True),
        sa.Column("sending_until", moment, nullable=True),
        sa.Column("not_before", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name="webhooks_pkey"),
        sa.ForeignKeyConstraint(["app"], ["apps.key"], name="webhooks_app_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("flag IS NULL OR app IS NOT NULL", name="webhooks_scope_check"),
    )
    op.create_index("webhooks_app_idx", "webhooks", ["app", "flag"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("webhook", key, nullable=False),
        # An entry of the log, which may be kept for a shorter time than its deliveries.
        sa.Column("entry", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("occasion", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("last_at", moment, nullable=True),
        sa.Column("last_status", sa.Integer, nullable=True),
        sa.Column("last_answer", sa.Text, nullable=True),
        sa.Column("last_error", sa.Text, nullable=True),
        sa.Column("happened_at", moment, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("delivered_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name="webhook_deliveries_pkey"),
        sa.UniqueConstraint("webhook", "entry", name="webhook_deliveries_webhook_entry_key"),
        sa.ForeignKeyConstraint(
            ["webhook"], ["webhooks.id"], name="webhook_deliveries_webhook_fkey", ondelete="CASCADE"
        ),
    )
    op.create_index("webhook_deliveries_webhook_id_idx", "webhook_deliveries", ["webhook", "id"])
    op.create_index("webhook_deliveries_created_at_idx", "webhook_deliveries", ["created_at"])
    op.create_index(
        "webhook_deliveries_due_idx",
        "webhook_deliveries",
        ["webhook", "next_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    progress = op.create_table(
        "webhook_progress",
        sa.Column("one", sa.Boolean, nullable=False),
        sa.Column("entry", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("one", name="webhook_progress_pkey"),
        sa.CheckConstraint("one", name="webhook_progress_one_check"),
    )
    op.bulk_insert(progress, [{"one": True, "entry": 0}])
    op.create_table(
        "notice_conditions",
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("fine_at", moment, nullable=False),
        sa.Column("broken_since", moment, nullable=True),
        sa.PrimaryKeyConstraint("condition", name="notice_conditions_pkey"),
    )
    op.create_table(
        "lost_sidecars",
        sa.Column("app", key, nullable=False),
        sa.Column("instance", key, nullable=False),
        sa.Column("lost_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("app", "instance", name="lost_sidecars_pkey"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("lost_sidecars", "notice_conditions", "webhook_progress", "webhook_deliveries", "webhooks"):
        op.drop_table(table)
