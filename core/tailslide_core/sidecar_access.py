"""What an SDK key opens in NATS: names that a sidecar, and whoever lets it in, must agree on. Pure.

Sidecars have an account of their own, which imports from the account of Tower and Aerobat only what is named here.
The import gives JetStream's API another prefix, since an account without JetStream answers `$JS.API` itself. Each key
has an inbox and a delivery prefix of its own, so that no key can listen to what another one receives.
`docs/nats.md` has the server's side of it, `docs/decisions/0023-sidecars-have-an-account-of-their-own.md` the reasons.
"""

from dataclasses import dataclass

from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    RULESETS_BUCKET,
    SIDECARS_BUCKET,
    SidecarId,
    bucket_stream,
    bucket_subject,
    is_app_key,
)

SIDECARS_ACCOUNT = "SC"
"""The account that sidecars are put into."""
SIDECARS_API = "TS.API"
"""What JetStream's API, `$JS.API` in the account that has the buckets, begins with in the sidecars' account."""
READ_BUCKETS = (RULESETS_BUCKET, CIRCUITS_BUCKET)
"""The buckets of which a sidecar reads its app's part."""
FLOW_CONTROL = "$JS.FC.>"
"""Where a client answers a consumer's flow control (NATS ADR-15)."""


@dataclass(frozen=True, slots=True)
class SubjectPermissions:
    """The subjects, wildcards allowed, that a connection may publish to and subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def inbox_prefix(app: str, key_id: str) -> str:
    """Return what the inboxes of a key's connections begin with, without the dot that follows."""
    return f"_INBOX.{app}.{key_id}"


def delivery_prefix(app: str, key_id: str) -> str:
    """Return what the delivery subjects of a key's consumers begin with, without the dot that follows."""
    return f"deliver.{app}.{key_id}"


def permissions(app: str, key_id: str, instance: str) -> SubjectPermissions:
    """Return what a connection of a key may do. A name that is no instance's gets no entry among the sidecars.

    The server holds a consumer's filter against the one in the subject of its creation (NATS ADR-15, error 10131).
    """
    publish = [f"{SIDECARS_API}.{_create(bucket)}.*.{bucket_subject(bucket, app)}.>" for bucket in READ_BUCKETS]
    publish.append(FLOW_CONTROL)
    if is_app_key(instance):
        publish.append(bucket_subject(SIDECARS_BUCKET, str(SidecarId(app, instance))))
    return SubjectPermissions(tuple(publish), (f"{inbox_prefix(app, key_id)}.>", f"{delivery_prefix(app, key_id)}.>"))


def exports() -> list[dict[str, str]]:
    """Return what the account with the buckets exports, as the NATS server's configuration has it."""
    return [
        *({"service": f"$JS.API.{_create(bucket)}.>"} for bucket in READ_BUCKETS),
        {"service": bucket_subject(SIDECARS_BUCKET, ">")},
        {"service": FLOW_CONTROL},
        {"stream": "deliver.>"},
    ]


def imports(account: str) -> list[dict[str, object]]:
    """Return what the sidecars' account imports from that `account`, as the NATS server's configuration has it."""
    created: list[dict[str, object]] = [
        {
            "service": {"account": account, "subject": f"$JS.API.{_create(bucket)}.>"},
            "to": f"{SIDECARS_API}.{_create(bucket)}.>",
        }
        for bucket in READ_BUCKETS
    ]
    return [
        *created,
        {"service": {"account": account, "subject": bucket_subject(SIDECARS_BUCKET, ">")}},
        {"service": {"account": account, "subject": FLOW_CONTROL}},
        {"stream": {"account": account, "subject": "deliver.>"}},
    ]


def _create(bucket: str) -> str:
    return f"CONSUMER.CREATE.{bucket_stream(bucket)}"
