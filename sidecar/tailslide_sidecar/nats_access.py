"""As whom a sidecar connects to NATS: by its SDK key in the sidecars' account, else by a token of the server's own."""

from dataclasses import dataclass

from tailslide_core.errors import ContractError
from tailslide_core.naming import SidecarId
from tailslide_core.sdk_keys import is_sdk_key, parse_sdk_key
from tailslide_core.sidecar_access import SIDECARS_API, delivery_prefix, inbox_prefix
from tailslide_runtime.bucket_watch import IN_THE_SAME_ACCOUNT, WatchAccess
from tailslide_runtime.jetstream import Link
from tailslide_runtime.server_urls import NatsUrl

_KEY_REFUSED = (
    "the SDK key is revoked or unknown to this NATS, or no Tower or Aerobat answers its auth callout: "
    "make a key of the app in Tower and set TAILSLIDE_SDK_KEY; until then flags are answered as last known"
)
_OTHERS_REFUSED = (
    "check the credentials in TAILSLIDE_NATS_URL, or the text in TAILSLIDE_SDK_KEY: where Tower makes SDK keys, "
    "it has to be one of those, tsk.<app>.…; until then flags are answered as last known"
)


@dataclass(frozen=True, slots=True)
class NatsAccess:
    """The connection to make, and how the buckets are reached over it."""

    link: Link
    watch: WatchAccess


def check_sdk_key(text: str, app: str) -> None:
    """Raise `ContractError` when a text has the form of an SDK key, and is none that a sidecar of this app can use."""
    if not is_sdk_key(text):
        return
    key = parse_sdk_key(text)
    if key.app != app:
        raise ContractError(
            "sdk_key",
            f"this is a key of the app {key.app!r}, and the sidecar answers the flags of {app!r}: "
            f"give it a key of that app, or change its app",
        )


def access(url: NatsUrl, sidecar: SidecarId, sdk_key: str | None) -> NatsAccess:
    """Return how a sidecar connects; raise `ContractError` as `check_sdk_key` does."""
    # By this name NATS knows which entry in the bucket of sidecars is the connection's own.
    name = sidecar.instance
    if sdk_key is None or not is_sdk_key(sdk_key):
        return NatsAccess(Link(url, name, sdk_key, remedy=_OTHERS_REFUSED), IN_THE_SAME_ACCOUNT)
    check_sdk_key(sdk_key, sidecar.app)
    key = parse_sdk_key(sdk_key)
    link = Link(url, name, sdk_key, inbox_prefix=inbox_prefix(key.app, key.key_id), remedy=_KEY_REFUSED)
    return NatsAccess(link, WatchAccess(SIDECARS_API, delivery_prefix(key.app, key.key_id)))
