"""Indexes for what is rare among much: flags that are forced open, openings of circuits, deliveries given up."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes."""
    op.create_index(
        "flags_forced_open_idx",
        "flags",
        ["app", "key"],
        postgresql_where=sa.text("""circuit @> '{"forced_open": true}'::jsonb"""),
    )
    op.create_index(
        "log_opened_idx",
        "log",
        ["app", "key", "id"],
        postgresql_where=sa.text("action IN ('circuit.opened', 'circuit.reopened')"),
    )
    op.create_index(
        "log_closed_idx",
        "log",
        ["app", "key", "id"],
        postgresql_where=sa.text("action IN ('circuit.closed', 'circuit.reset')"),
    )
    op.create_index(
        "webhook_deliveries_failed_idx",
        "webhook_deliveries",
        ["webhook", "id"],
        postgresql_where=sa.text("state = 'failed'"),
    )


def downgrade() -> None:
    """Drop the indexes."""
    op.drop_index("webhook_deliveries_failed_idx", "webhook_deliveries")
    op.drop_index("log_closed_idx", "log")
    op.drop_index("log_opened_idx", "log")
    op.drop_index("flags_forced_open_idx", "flags")
