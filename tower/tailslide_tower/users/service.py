"""The rules of users: what admins change, what people change of their own, and that an admin always remains."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.errors import ContractError
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.passwords import Passwords, check_password
from tailslide_tower.auth.principal import Author, Role
from tailslide_tower.auth.rights import read_rights
from tailslide_tower.database import Database
from tailslide_tower.requests import Precondition
from tailslide_tower.sessions.service import SessionService
from tailslide_tower.sessions.session import Client
from tailslide_tower.sessions.store import SessionStore
from tailslide_tower.users.models import UserChange, user_json
from tailslide_tower.users.store import UserStore
from tailslide_tower.users.user import User

log = structlog.get_logger()


class UserService:
    """Users: raises `ApiError` and `ContractError` on what is asked in vain."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: SessionService,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._clock = clock

    async def page(self, limit: int, after: str) -> list[User]:
        """Return the users of a page and, if there are more, one of them."""
        async with self._database.begin() as connection:
            return await UserStore(connection).page(limit, after)

    async def get(self, user_id: str) -> User:
        """Return a user."""
        async with self._database.begin() as connection:
            return _found(user_id, await UserStore(connection).get(user_id))

    async def change(self, user_id: str, request: UserChange, precondition: Precondition, author: Author) -> User:
        """Change a user; one that is disabled is logged out everywhere."""
        given = request.model_fields_set
        async with self._database.begin() as connection:
            store = UserStore(connection)
            await store.lock_accounts()
            before = await self._locked(store, user_id, precondition)
            role = request.role if "role" in given else before.rights.role
            apps = request.apps if "apps" in given else before.rights.apps
            user = replace(
                before,
                name=request.name if "name" in given else before.name,
                rights=read_rights(role, apps),
                disabled=request.disabled if "disabled" in given else before.disabled,
            )
            if user == before:
                return before
            await _refuse_without_admin(store, before, user)
            user = replace(user, version=before.version + 1, updated_at=self._clock())
            await store.put(user, before)
            if user.disabled and not before.disabled:
                await SessionStore(connection).end_all(user_id)
            await _record(connection, _action(before, user), author, before, user)
        log.info("user_changed", who=author.name, user=user_id)
        return user

    async def delete(self, user_id: str, precondition: Precondition, author: Author) -> None:
        """Delete a user with its sessions, its own API tokens, and the invitations and links that it has made."""
        async with self._database.begin() as connection:
            store = UserStore(connection)
            await store.lock_accounts()
            before = await self._locked(store, user_id, precondition)
            await _refuse_without_admin(store, before, None)
            await store.delete(user_id)
            await _record(connection, "user.deleted", author, before, None)
        log.info("user_deleted", who=author.name, user=user_id)

    async def rename(self, user_id: str, name: str, precondition: Precondition, author: Author) -> User:
        """Change one's own name."""
        async with self._database.begin() as connection:
            store = UserStore(connection)
            before = await self._locked(store, user_id, precondition)
            if name == before.name:
                return before
            user = replace(before, name=name, version=before.version + 1, updated_at=self._clock())
            await store.put(user, before)
            await _record(connection, "user.changed", author, before, user)
        return user

    async def change_password(
        self, user_id: str, current: str | None, new: str, *, keep_session: str, client: Client, author: Author
    ) -> User:
        """Change one's own password, and log out everywhere else.

        The present password is asked for, where there is one, so that an open browser is not enough to take an account.
        """
        user = await self.get(user_id)
        check_password("new_password", new, user.email.text)
        if user.password_hash is not None:
            if current is None:
                raise ContractError("current_password", "a value is required")
            try:
                await self._sessions.check_password(user.email, current, client)
            except ApiError as error:
                if error.status != 401:
                    raise
                raise ApiError(403, "WRONG_PASSWORD", "the current password is wrong", "current_password") from None
        password_hash = await self._passwords.hash(new)
        async with self._database.begin() as connection:
            store = UserStore(connection)
            before = _found(user_id, await store.get(user_id, lock=True))
            if before.password_hash != user.password_hash:
                raise ApiError(
                    409, "PASSWORD_CHANGED", "somebody else has changed the password in the meantime; log in again"
                )
            changed = replace(before, password_hash=password_hash, version=before.version + 1, updated_at=self._clock())
            await store.put(changed, before)
            await SessionStore(connection).end_all(user_id, keep_session)
            await _record(connection, "user.password_changed", author, before, changed)
        log.info("password_changed", user=user_id)
        return changed

    @staticmethod
    async def _locked(store: UserStore, user_id: str, precondition: Precondition) -> User:
        user = _found(user_id, await store.get(user_id, lock=True))
        precondition.check(user.version, lambda: user_json(user))
        return user


def _found(user_id: str, user: User | None) -> User:
    if user is None:
        raise ApiError(404, "USER_NOT_FOUND", f"there is no user {user_id[:80]!r}", "user")
    return user


def _is_admin(user: User | None) -> bool:
    return user is not None and not user.disabled and user.rights.role is Role.ADMIN


async def _refuse_without_admin(store: UserStore, before: User, after: User | None) -> None:
    if _is_admin(before) and not _is_admin(after) and not await store.other_admins(before.id):
        raise ApiError(
            409, "LAST_ADMIN", f"{before.email.text} is the last admin over all apps; make another user an admin first"
        )


def _action(before: User, after: User) -> str:
    if before.disabled != after.disabled:
        return "user.disabled" if after.disabled else "user.enabled"
    return "user.roles_changed" if before.rights != after.rights else "user.changed"


async def _record(
    connection: AsyncConnection, action: str, author: Author, before: User | None, after: User | None
) -> None:
    user = after or before
    assert user is not None
    subject = Subject(SubjectKind.USER, key=user.id)
    await record(
        connection,
        LogEntry(
            action,
            subject,
            author,
            None if before is None else before.logged(),
            None if after is None else after.logged(),
            user.version,
        ),
    )
