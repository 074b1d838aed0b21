"""What the log hides by default; how it is searched; which transitions of circuits it has."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Marks between words; to_tsvector would take addresses and names with dots for one word each.
_MARKS = "!\"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~"
_WORDS = f"""
    to_tsvector('simple', translate(
        coalesce(key, '') || ' ' || coalesce(actor, '') || ' ' || coalesce(reason, ''), '{_MARKS}', repeat(' ', 32)
    ))
"""


def upgrade() -> None:
    """Add columns and indexes, and make the table."""
    op.add_column("log", sa.Column("minor", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(f"ALTER TABLE log ADD COLUMN words tsvector GENERATED ALWAYS AS ({_WORDS}) STORED")
    # States are kept apart from the rest of an entry, which is what searches go through.
    op.execute("ALTER TABLE log ALTER COLUMN words SET STORAGE MAIN")
    op.execute("ALTER TABLE log SET (toast_tuple_target = 640)")
    op.create_index("log_words_idx", "log", ["words"], postgresql_using="gin")
    op.drop_index("log_subject_idx", "log")
    op.create_index("log_subject_idx", "log", ["app", "key", "id"])
    op.create_index("log_actor_idx", "log", ["actor", "id"])
    op.create_index("log_at_idx", "log", ["at"])
    op.create_index("log_action_idx", "log", ["action", "id"])
    # Whatever has no index of its own is looked for here, without reading the entries themselves.
    op.execute("CREATE INDEX log_filters_idx ON log (id) INCLUDE (at, minor, kind, action, app, key, actor)")
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
    op.execute("DROP INDEX log_filters_idx")
    op.drop_index("log_action_idx", "log")
    op.drop_index("log_at_idx", "log")
    op.drop_index("log_actor_idx", "log")
    op.drop_index("log_subject_idx", "log")
    op.create_index("log_subject_idx", "log", ["app", "kind", "key", "id"])
    op.execute("ALTER TABLE log RESET (toast_tuple_target)")
    op.drop_column("log", "words")
    op.drop_column("log", "minor")
