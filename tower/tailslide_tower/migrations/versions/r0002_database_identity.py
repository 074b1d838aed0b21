"""The identity by which a database recognises the bucket that it fills."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and its one row."""
    table = op.create_table(
        "identity",
        sa.Column("singleton", sa.Boolean, nullable=False),
        sa.Column("database", sa.Text, nullable=False),
        sa.Column("comparisons", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("singleton", name="identity_pkey"),
        sa.CheckConstraint("singleton", name="identity_singleton_check"),
    )
    op.bulk_insert(table, [{"singleton": True, "database": uuid4().hex, "comparisons": 0}])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("identity")
