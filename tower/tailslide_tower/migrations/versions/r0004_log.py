"""The log; versions of apps."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and add the column."""
    key = sa.Text(collation="C")
    op.create_table(
        "log",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("app", key, nullable=True),
        sa.Column("key", key, nullable=True),
        sa.Column("version", sa.BigInteger, nullable=True),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("before", sa.JSON, nullable=True),
        sa.Column("after", sa.JSON, nullable=True),
        sa.Column("details", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="log_pkey"),
    )
    op.create_index("log_subject_idx", "log", ["app", "kind", "key", "id"])
    op.create_index("log_app_idx", "log", ["app", "id"])
    op.add_column("apps", sa.Column("version", sa.BigInteger, nullable=False, server_default="1"))
    op.alter_column("apps", "version", server_default=None)


def downgrade() -> None:
    """Drop what was added."""
    op.drop_column("apps", "version")
    op.drop_table("log")
