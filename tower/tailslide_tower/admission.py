"""Who gets in, put together: users, sessions, API tokens, invitations, viewer links and set-up links."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from tailslide_tower import times
from tailslide_tower.api.routes import Routes
from tailslide_tower.auth.authentication import Authentication
from tailslide_tower.auth.cookies import Cookie
from tailslide_tower.auth.failures import LoginFailures
from tailslide_tower.auth.housekeeping import keep_house
from tailslide_tower.auth.middleware import ENTRANCE, Entrance
from tailslide_tower.auth.passwords import Passwords
from tailslide_tower.database import Database
from tailslide_tower.invitations import routes as invitations
from tailslide_tower.invitations.service import InvitationService
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.oidc import routes as oidc
from tailslide_tower.oidc.provider import Provider
from tailslide_tower.oidc.service import OidcService
from tailslide_tower.sessions import routes as sessions
from tailslide_tower.sessions.answers import DESK, OIDC_PATH, SessionDesk
from tailslide_tower.sessions.service import SessionService
from tailslide_tower.settings import TowerSettings
from tailslide_tower.setup_links import routes as setup_links
from tailslide_tower.setup_links.service import SetupService, ensure_first_admin
from tailslide_tower.tokens import routes as tokens
from tailslide_tower.tokens.service import TokenService
from tailslide_tower.users import account_routes as account
from tailslide_tower.users import routes as users
from tailslide_tower.users.service import UserService
from tailslide_tower.viewer_links import routes as viewer_links
from tailslide_tower.viewer_links.service import ViewerLinkService

SUBJECTS: tuple[Routes, ...] = (
    sessions.routes,
    oidc.routes,
    setup_links.routes,
    account.routes,
    users.routes,
    invitations.routes,
    viewer_links.routes,
    tokens.routes,
)
"""The routes of access, in the order in which the description shows them."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The services of access of one Tower. `close` it at the end."""

    database: Database
    settings: TowerSettings
    passwords: Passwords
    entrance: Entrance
    sessions: SessionService
    users: UserService
    invitations: InvitationService
    viewer_links: ViewerLinkService
    setup: SetupService
    tokens: TokenService
    oidc: OidcService | None

    @classmethod
    def of(
        cls,
        settings: TowerSettings,
        database: Database,
        metrics: TowerMetrics,
        clock: Callable[[], datetime] = times.now,
    ) -> "Admission":
        """Make the services that these settings ask for."""
        token = None if settings.api_token is None else settings.api_token.get_secret_value()
        lifetimes, public_url = settings.lifetimes, settings.public_url
        passwords, failures = Passwords(), LoginFailures(database, metrics)
        sessions = SessionService(database, passwords, failures, lifetimes, clock)
        provider = None
        if settings.oidc is not None:
            provider = Provider(settings.oidc, f"{public_url}/api/v1{OIDC_PATH}/callback")
        return cls(
            database=database,
            settings=settings,
            passwords=passwords,
            entrance=Entrance(
                Authentication(database, token, lifetimes, clock),
                failures,
                Cookie("tailslide_session", public_url),
                settings.trusted_proxies,
                public_url,
            ),
            sessions=sessions,
            users=UserService(database, passwords, sessions, clock),
            invitations=InvitationService(database, passwords, sessions, failures, clock),
            viewer_links=ViewerLinkService(database, sessions, failures, clock),
            setup=SetupService(database, passwords, sessions, failures, clock),
            tokens=TokenService(database, clock),
            oidc=None if provider is None else OidcService(provider, database, sessions, failures, clock),
        )

    def install(self, api: web.Application) -> None:
        """Hand the services to the routes of an application."""
        api[ENTRANCE] = self.entrance
        oidc_name = None
        if self.oidc is not None:
            oidc_name = self.oidc.provider.settings.name
            api[oidc.OIDC] = oidc.OidcDoor(self.oidc, Cookie("tailslide_oidc", self.entrance.public_url))
        api[DESK] = SessionDesk(self.sessions, self.entrance.cookie, oidc_name)
        api[users.USERS] = self.users
        api[invitations.INVITATIONS] = self.invitations
        api[viewer_links.LINKS] = self.viewer_links
        api[setup_links.SETUP] = self.setup
        api[tokens.TOKENS] = self.tokens

    async def prepare(self, announce: Callable[[str], None]) -> None:
        """See to it that somebody can get in; raise `StartError` where the settings do not allow it."""
        await ensure_first_admin(
            self.database, self.passwords, self.settings.first_admin, self.settings.public_url, announce
        )

    async def run(self) -> None:
        """Delete what has expired, until cancelled."""
        await keep_house(self.database, self.settings.lifetimes)

    async def close(self) -> None:
        """End the threads of passwords, and the connections to the provider."""
        self.passwords.close()
        if self.oidc is not None:
            await self.oidc.provider.close()
