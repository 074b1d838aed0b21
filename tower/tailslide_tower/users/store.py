"""Users in the database."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.auth.principal import Role
from tailslide_tower.auth.rights_store import apps_of, forget_app_roles, rights_of, set_app_roles
from tailslide_tower.database import metadata
from tailslide_tower.users.user import Email, User

_MOMENT = sa.DateTime(timezone=True)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("email_key", sa.Text(collation="C"), nullable=False, unique=True),
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
    sa.UniqueConstraint("oidc_issuer", "oidc_subject"),
)

known_addresses = sa.Table(
    "known_addresses",
    metadata,
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("last_login_at", _MOMENT, nullable=False),
)
"""Where users have logged in from; an attack on an account from elsewhere does not hold them up there."""

KNOWN_FOR = timedelta(days=90)
ACCOUNTS_LOCK = 0x7A11_511D_E000_0005
"""Key of the advisory lock under which users and invitations are made and unmade, so that an admin always remains."""


def user_of(row: sa.RowMapping) -> User:
    """Return the user of a row."""
    return User(
        id=row["id"],
        email=Email(row["email"], row["email_key"]),
        name=row["name"],
        rights=rights_of(row["role"], row["app_roles"]),
        disabled=row["disabled"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        last_login_at=row["last_login_at"],
        password_hash=row["password_hash"],
        oidc_issuer=row["oidc_issuer"],
        oidc_subject=row["oidc_subject"],
    )


_SELECT = sa.select(users, apps_of(users.c.id))


class UserStore:
    """Reads and writes users inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_accounts(self) -> None:
        """Wait for the turn to make or unmake users; it lasts until the end of the transaction."""
        await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ACCOUNTS_LOCK)))

    async def page(self, limit: int, after: str) -> list[User]:
        """Return up to `limit` + 1 users in the order of their addresses, behind the address `after`."""
        query = _SELECT.where(users.c.email_key > after).order_by(users.c.email_key).limit(limit + 1)
        return [user_of(row) for row in (await self._connection.execute(query)).mappings()]

    async def get(self, user_id: str, *, lock: bool = False) -> User | None:
        """Return a user; with `lock`, nobody else changes it until the end of the transaction."""
        return await self._one(users.c.id == user_id, lock)

    async def by_email(self, email: Email, *, lock: bool = False) -> User | None:
        """Return the user of an address."""
        return await self._one(users.c.email_key == email.key, lock)

    async def by_oidc(self, issuer: str, subject: str) -> User | None:
        """Return the user that a provider knows by this subject."""
        return await self._one(sa.and_(users.c.oidc_issuer == issuer, users.c.oidc_subject == subject), lock=True)

    async def _one(self, condition: "sa.ColumnElement[bool]", lock: bool) -> User | None:
        query = _SELECT.where(condition)
        if lock:
            query = query.with_for_update(of=users)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else user_of(row)

    async def has_any(self) -> bool:
        """Whether there is a user at all."""
        return bool(await self._connection.scalar(sa.select(sa.exists(sa.select(users.c.id)))))

    async def other_admins(self, user_id: str) -> int:
        """Return how many others could manage users: enabled admins over all apps."""
        query = sa.select(sa.func.count()).where(
            users.c.id != user_id, users.c.role == Role.ADMIN.value, users.c.disabled.is_(False)
        )
        return int(await self._connection.scalar(query) or 0)

    async def add(self, user: User) -> bool:
        """Add a user; False when there is one of this address."""
        statement = insert(users).values(_values(user)).on_conflict_do_nothing().returning(users.c.id)
        if await self._connection.scalar(statement) is None:
            return False
        await set_app_roles(self._connection, user.id, user.rights)
        return True

    async def put(self, user: User, before: User) -> None:
        """Write a user that was locked, and was `before` then."""
        await self._connection.execute(sa.update(users).where(users.c.id == user.id).values(_values(user)))
        if user.rights.apps != before.rights.apps:
            await set_app_roles(self._connection, user.id, user.rights)

    async def logged_in(self, user_id: str, address: str, now: datetime) -> None:
        """Note when and from where somebody has logged in."""
        await self._connection.execute(sa.update(users).where(users.c.id == user_id).values(last_login_at=now))
        statement = insert(known_addresses).values(user_id=user_id, address=address, last_login_at=now)
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[known_addresses.c.user_id, known_addresses.c.address],
                set_={"last_login_at": statement.excluded.last_login_at},
            )
        )

    async def is_known_address(self, email: Email, address: str, now: datetime) -> bool:
        """Whether the user of an address has logged in from there lately."""
        query = (
            sa.select(known_addresses.c.address)
            .join(users, users.c.id == known_addresses.c.user_id)
            .where(
                users.c.email_key == email.key,
                known_addresses.c.address == address,
                known_addresses.c.last_login_at > now - KNOWN_FOR,
            )
        )
        return await self._connection.scalar(query) is not None

    async def put_password_hash(self, user_id: str, password_hash: str, before: str) -> None:
        """Replace a hash by one of the same password, unless the password was changed meanwhile."""
        await self._connection.execute(
            sa.update(users)
            .where(users.c.id == user_id, users.c.password_hash == before)
            .values(password_hash=password_hash)
        )

    async def delete(self, user_id: str) -> None:
        """Delete a user, and with it its sessions, its API tokens, and what it has handed out."""
        from_here = [user_id, *await self._holders_of(user_id)]
        await self._connection.execute(sa.delete(users).where(users.c.id == user_id))
        await forget_app_roles(self._connection, from_here)

    async def _holders_of(self, user_id: str) -> list[str]:
        query = sa.text(
            "SELECT id FROM api_tokens WHERE owner = :id UNION SELECT id FROM invitations WHERE made_by = :id"
        )
        return list((await self._connection.scalars(query, {"id": user_id})).all())


def _values(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email.text,
        "email_key": user.email.key,
        "name": user.name,
        "role": None if user.rights.role is None else user.rights.role.value,
        "password_hash": user.password_hash,
        "oidc_issuer": user.oidc_issuer,
        "oidc_subject": user.oidc_subject,
        "disabled": user.disabled,
        "version": user.version,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_login_at": user.last_login_at,
    }
