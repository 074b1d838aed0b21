"""What the log hides by default; which transitions of circuits it has."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and make the table."""
    op.add_column("log", sa.Column("minor", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "circuit_events",
        sa.Column("message_id", sa.Text(collation="C"), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="circuit_events_pkey"),
    )
    op.create_index("circuit_events_noted_at_idx", "circuit_events", ["noted_at"])


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("circuit_events")
    op.drop_column("log", "minor")
