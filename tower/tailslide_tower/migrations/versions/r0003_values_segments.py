"""Flags with values, splits, prerequisites and metadata; segments; keys that differ only by case are found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The defaults keep an existing flag the boolean flag that it was. A column is JSON and not JSONB if a person chose the
# order of its names, or if a number in it has to come back as it was written.
ADDED = (
    ("type", sa.Text(), False, "boolean"),
    ("variants", sa.JSON(), False, '{"on":true,"off":false}'),
    ("off_variant", sa.Text(), False, "off"),
    ("split", JSONB(), False, '[{"variant":"on","weight":1}]'),
    ("bucket_by", sa.Text(), True, None),
    ("requires", JSONB(), False, "[]"),
    ("metadata", sa.JSON(), False, "{}"),
)


def upgrade() -> None:
    """Add the columns, the index and the tables."""
    key = sa.Text(collation="C")
    moment = sa.DateTime(timezone=True)
    for name, kind, nullable, default in ADDED:
        op.add_column("flags", sa.Column(name, kind, nullable=nullable, server_default=default))
        if default is not None:  # the default is for existing flags only
            op.alter_column("flags", name, server_default=None)
    op.create_index("flags_app_lower_key_idx", "flags", ["app", sa.text("lower(key)")])
    op.create_table(
        "segments",
        sa.Column("app", key, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("include", JSONB, nullable=False),
        sa.Column("exclude", JSONB, nullable=False),
        sa.Column("when", JSONB, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("app", "key", name="segments_pkey"),
        sa.ForeignKeyConstraint(["app"], ["apps.key"], name="segments_app_fkey", ondelete="RESTRICT"),
    )
    op.create_table(
        "deleted_segments",
        sa.Column("app", key, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("app", "key", name="deleted_segments_pkey"),
    )


def downgrade() -> None:
    """Drop what was added."""
    for table in ("deleted_segments", "segments"):
        op.drop_table(table)
    op.drop_index("flags_app_lower_key_idx", "flags")
    for name, *_ in reversed(ADDED):
        op.drop_column("flags", name)
