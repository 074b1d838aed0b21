"""Users, sessions, invitations and links; API tokens with owners, rights and expiry."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.Text(collation="C")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables; tokens that exist may go on as before, with the rights of an admin."""
    op.create_table(
        "users",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", _KEY, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=True),
        sa.Column("password_hash", sa.Text, nullable=True),
        sa.Column("oidc_issuer", sa.Text, nullable=True),
        sa.Column("oidc_subject", sa.Text, nullable=True),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("last_login_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.UniqueConstraint("email_key", name="users_email_key_key"),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject", name="users_oidc_issuer_key"),
    )
    op.create_table(
        "app_roles",
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("app", _KEY, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("holder", "app", name="app_roles_pkey"),
        sa.ForeignKeyConstraint(["app"], ["apps.key"], name="app_roles_app_fkey", ondelete="CASCADE"),
    )
    op.create_index("app_roles_app_idx", "app_roles", ["app"])
    op.create_table(
        "known_addresses",
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("last_login_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "address", name="known_addresses_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="known_addresses_user_id_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "viewer_links",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("app", _KEY, nullable=True),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("session_s", sa.BigInteger, nullable=False),
        sa.Column("made_by", sa.Text, nullable=True),
        sa.Column("made_by_name", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("used_at", _MOMENT, nullable=True),
        sa.Column("used_from", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name="viewer_links_pkey"),
        sa.UniqueConstraint("secret_hash", name="viewer_links_secret_hash_key"),
        sa.ForeignKeyConstraint(["app"], ["apps.key"], name="viewer_links_app_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name="viewer_links_made_by_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=True),
        sa.Column("link_id", sa.Text, nullable=True),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("user_agent", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="sessions_pkey"),
        sa.UniqueConstraint("secret_hash", name="sessions_secret_hash_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="sessions_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["link_id"], ["viewer_links.id"], name="sessions_link_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("(user_id IS NULL) <> (link_id IS NULL)", name="sessions_holder_check"),
    )
    op.create_index("sessions_user_id_idx", "sessions", ["user_id"])
    op.create_index("sessions_link_id_idx", "sessions", ["link_id"])
    op.create_table(
        "invitations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", _KEY, nullable=False),
        sa.Column("user_id", sa.Text, nullable=True),
        sa.Column("role", sa.Text, nullable=True),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=True),
        sa.Column("made_by_name", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="invitations_pkey"),
        sa.UniqueConstraint("email_key", name="invitations_email_key_key"),
        sa.UniqueConstraint("secret_hash", name="invitations_secret_hash_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="invitations_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name="invitations_made_by_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "setup_links",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="setup_links_pkey"),
        sa.UniqueConstraint("secret_hash", name="setup_links_secret_hash_key"),
    )
    _upgrade_tokens()


def _upgrade_tokens() -> None:
    # A row of this name is left of a Tower that stored its environment's token, and has been no token since.
    op.execute("DELETE FROM api_tokens WHERE name = 'environment'")
    op.drop_constraint("api_tokens_pkey", "api_tokens")
    op.add_column("api_tokens", sa.Column("id", sa.Text))
    op.execute("UPDATE api_tokens SET id = 'tok_' || left(md5(name), 16)")
    op.alter_column("api_tokens", "id", nullable=False)
    op.create_primary_key("api_tokens_pkey", "api_tokens", ["id"])
    op.add_column("api_tokens", sa.Column("owner", sa.Text))
    op.create_foreign_key("api_tokens_owner_fkey", "api_tokens", "users", ["owner"], ["id"], ondelete="CASCADE")
    op.create_index("api_tokens_owner_idx", "api_tokens", ["owner"])
    op.add_column("api_tokens", sa.Column("made_by_name", sa.Text, nullable=False, server_default=""))
    op.alter_column("api_tokens", "made_by_name", server_default=None)
    # For the tokens that are there: until now every token could do everything.
    op.add_column("api_tokens", sa.Column("role", sa.Text, server_default="admin"))
    op.alter_column("api_tokens", "role", server_default=None)
    for name, kind in (
        ("previous_hash", sa.Text),
        ("previous_until", _MOMENT),
        ("expires_at", _MOMENT),
        ("rotated_at", _MOMENT),
        ("last_used_at", _MOMENT),
        ("last_used_from", sa.Text),
    ):
        op.add_column("api_tokens", sa.Column(name, kind))
    op.create_unique_constraint("api_tokens_previous_hash_key", "api_tokens", ["previous_hash"])


def downgrade() -> None:
    """Drop what was added; tokens with less than everything would get more, so they are deleted."""
    op.execute(
        "DELETE FROM api_tokens WHERE role IS DISTINCT FROM 'admin' OR owner IS NOT NULL OR expires_at IS NOT NULL "
        "OR name IN (SELECT name FROM api_tokens GROUP BY name HAVING count(*) > 1)"
    )
    op.drop_constraint("api_tokens_pkey", "api_tokens")
    for name in (
        "last_used_from",
        "last_used_at",
        "rotated_at",
        "expires_at",
        "previous_until",
        "previous_hash",
        "role",
        "made_by_name",
        "owner",
        "id",
    ):
        op.drop_column("api_tokens", name)
    op.create_primary_key("api_tokens_pkey", "api_tokens", ["name"])
    for table in ("setup_links", "invitations", "sessions", "viewer_links", "known_addresses", "app_roles", "users"):
        op.drop_table(table)
