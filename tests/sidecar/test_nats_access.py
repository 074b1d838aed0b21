"""As whom a sidecar connects, and what is said of a key that it cannot use."""

import pytest

from tailslide_core.naming import SidecarId
from tailslide_core.sdk_keys import SdkKey
from tailslide_runtime.bucket_watch import IN_THE_SAME_ACCOUNT, WatchAccess
from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import LOCAL_NATS
from tailslide_sidecar.nats_access import access
from tailslide_sidecar.settings import load_config

KEY = SdkKey("shop", "aaaaaa", "s" * 32)
ME = SidecarId("shop", "web-1")


@pytest.mark.parametrize("text", [None, "a-token-of-the-server"])
def test_token_of_the_server_reaches_the_buckets_directly(text: str | None) -> None:
    assert access(LOCAL_NATS, ME, text).watch is IN_THE_SAME_ACCOUNT


def test_key_reaches_the_buckets_through_the_import_with_prefixes_of_its_own() -> None:
    assert access(LOCAL_NATS, ME, str(KEY)).watch == WatchAccess("TS.API", "deliver.shop.aaaaaa")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            str(SdkKey("bank", "aaaaaa", "s" * 32)),
            "this is a key of the app 'bank', and the sidecar answers the flags of",
        ),
        ("tsk.shop.aaaaaa", "expected tsk.<app>.<id>.<secret>"),
    ],
)
def test_key_that_cannot_be_used_keeps_a_sidecar_from_starting(text: str, said: str) -> None:
    with pytest.raises(StartError, match="TAILSLIDE_SDK_KEY: ") as refused:
        load_config(None, {"TAILSLIDE_APP": "shop", "TAILSLIDE_SDK_KEY": text})
    assert said in str(refused.value)
    assert text not in str(refused.value)


def test_key_of_the_app_is_taken() -> None:
    assert load_config(None, {"TAILSLIDE_APP": "shop", "TAILSLIDE_SDK_KEY": str(KEY)}).sdk_key == str(KEY)
