"""What people note of apps and flags, defaults of new flags, and archiving."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The defaults are for what is there already. A column is JSON and not JSONB if a person chose the order of its names,
# or if a number in it has to come back as it was written.
APPS = (
    ("description", sa.Text(), ""),
    ("service", sa.Text(), None),
    ("environment", sa.Text(), None),
    ("defaults", sa.JSON(), "{}"),
    ("requires_reason", sa.Boolean(), "false"),
    ("archived_at", sa.DateTime(timezone=True), None),
)
FLAGS = (
    ("name", sa.Text(), ""),
    ("tags", JSONB(), "[]"),
    ("owner", sa.Text(), None),
    ("lifetime", sa.Text(), "permanent"),
    ("expected_end", sa.Date(), None),
    ("search", sa.Text(collation="C"), ""),
    ("archived_at", sa.DateTime(timezone=True), None),
)


def upgrade() -> None:
    """Add the columns and the indexes; a flag of before is called as its key."""
    for table, columns in (("apps", APPS), ("flags", FLAGS)):
        for name, kind, default in columns:
            op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
            if default is not None:
                op.alter_column(table, name, server_default=None)
    flags = sa.table("flags", *(sa.column(name) for name in ("app", "key", "name", "description", "search")))
    connection = op.get_bind()
    connection.execute(sa.update(flags).values(name=flags.c.key))
    # Not lower() of the database, which depends on its locale.
    rows = connection.execute(sa.select(flags.c.app, flags.c.key, flags.c.description)).all()
    texts = [
        {"of_app": row.app, "of_key": row.key, "text": "\n".join((row.key, row.key, row.description)).lower()}
        for row in rows
    ]
    if texts:
        found = (flags.c.app == sa.bindparam("of_app"), flags.c.key == sa.bindparam("of_key"))
        connection.execute(sa.update(flags).where(*found).values(search=sa.bindparam("text")), texts)
    op.create_index("segments_app_lower_key_idx", "segments", ["app", sa.text("lower(key)")])


def downgrade() -> None:
    """Drop what was added."""
    op.drop_index("segments_app_lower_key_idx", "segments")
    for table, columns in (("flags", FLAGS), ("apps", APPS)):
        for name, *_ in reversed(columns):
            op.drop_column(table, name)
