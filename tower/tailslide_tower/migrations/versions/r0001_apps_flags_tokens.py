"""Apps, flags and API tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    # Keys are ordered by their bytes, so that pages do not depend on the locale of the database.
    key = sa.Text(collation="C")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "apps",
        sa.Column("key", key, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("key", name="apps_pkey"),
    )
    op.create_table(
        "flags",
        sa.Column("app", key, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("rollout", sa.Double, nullable=False),
        sa.Column("salt", sa.Text, nullable=False),
        sa.Column("allow", JSONB, nullable=False),
        sa.Column("deny", JSONB, nullable=False),
        sa.Column("rules", JSONB, nullable=False),
        sa.Column("circuit", JSONB(none_as_null=True), nullable=True),
        sa.Column("reset_generation", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("app", "key", name="flags_pkey"),
        sa.ForeignKeyConstraint(["app"], ["apps.key"], name="flags_app_fkey", ondelete="RESTRICT"),
    )
    op.create_table(
        "deleted_flags",
        sa.Column("app", key, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("reset_generation", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("app", "key", name="deleted_flags_pkey"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name="api_tokens_pkey"),
        sa.UniqueConstraint("token_hash", name="api_tokens_token_hash_key"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("api_tokens", "deleted_flags", "flags", "apps"):
        op.drop_table(table)
