"""What changes of webhooks leave behind: an entry of the log, and a line for operators. Neither has a secret in it."""

import structlog

from tailslide_tower.alerts.models import webhook_json
from tailslide_tower.alerts.webhook import Webhook
from tailslide_tower.audit.entry import Json, LogEntry, Subject, SubjectKind
from tailslide_tower.auth.principal import Author

log = structlog.get_logger()


def webhook_entry(
    action: str, author: Author, before: Webhook | None, after: Webhook | None, details: Json | None = None
) -> LogEntry:
    """Return the entry for the log."""
    webhook = after or before
    assert webhook is not None
    return LogEntry(
        action,
        Subject(SubjectKind.WEBHOOK, webhook.scope.app, webhook.webhook_id),
        author,
        None if before is None else webhook_json(before, masked=True),
        None if after is None else webhook_json(after, masked=True),
        webhook.version,
        details or {},
    )


def tell(event: str, webhook: Webhook, author: Author) -> None:
    """Write the line."""
    log.info(
        event,
        who=author.name,
        webhook=webhook.webhook_id,
        app=webhook.scope.app,
        flag=webhook.scope.flag,
        version=webhook.version,
    )
