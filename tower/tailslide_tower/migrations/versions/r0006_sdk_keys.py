"""SDK keys: their hashes, and which were revoked."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    key = sa.Text(collation="C")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sdk_keys",
        sa.Column("app", key, nullable=False),
        sa.Column("id", key, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("revoked_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("app", "id", name="sdk_keys_pkey"),
        # The keys of a deleted app are gone with it, and with that not to be found in the bucket any more.
        sa.ForeignKeyConstraint(["app"], ["apps.key"], name="sdk_keys_app_fkey", ondelete="CASCADE"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("sdk_keys")
