"""Which askers are let in."""

import base64
import os
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from tailslide_core.sdk_keys import SdkKey, encode_sdk_key_record
from tailslide_runtime.auth_callout.answering import Answering
from tailslide_runtime.auth_callout.claims import Issuer, new_seed
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_runtime.known_keys import KnownKeys

KEY = SdkKey("shop", "aaaaaa", "s" * 32)
REVOKED = SdkKey("shop", "bbbbbb", "t" * 32)


@pytest.fixture
def keys() -> KnownKeys:
    keys = KnownKeys()
    records = [Entry(key.record.name, encode_sdk_key_record(key.record), 1) for key in (KEY, REVOKED)]
    keys.take(Listing({entry.key: entry for entry in records}))
    keys.take(Entry(REVOKED.record.name, None, 2))
    return keys


class Clock:
    now_s = 1_795_363_190.0

    def __call__(self) -> float:
        return self.now_s


def request(token: str, name: str = "web-1") -> bytes:
    nats = {
        "type": "authorization_request",
        "server_id": {"id": "NAAA"},
        "user_nkey": "UAAA",
        "client_info": {"host": "10.0.0.7"},
        "connect_opts": {"auth_token": token, "name": name},
    }
    return b"e30." + base64.urlsafe_b64encode(orjson.dumps({"nats": nats})).rstrip(b"=") + b".e30"


def claims(token: bytes | str) -> Any:
    part = (token.encode() if isinstance(token, str) else token).split(b".")[1]
    return orjson.loads(base64.urlsafe_b64decode(part + b"=="))["nats"]


def answering(keys: KnownKeys, clock: Clock | None = None) -> Answering:
    return Answering(Issuer.from_seed(new_seed(os.urandom(32))), keys, clock or Clock())


def test_good_key_gets_its_apps_part_alone(keys: KnownKeys) -> None:
    answer = answering(keys).answer(request(str(KEY)))
    assert answer is not None
    user = claims(claims(answer)["jwt"])
    assert user["pub"]["allow"] == [
        "TS.API.CONSUMER.CREATE.KV_rulesets.*.$KV.rulesets.shop.>",
        "TS.API.CONSUMER.CREATE.KV_circuits.*.$KV.circuits.shop.>",
        "$JS.FC.>",
        "$KV.sidecars.shop.web-1",
    ]
    assert user["sub"]["allow"] == ["_INBOX.shop.aaaaaa.>", "deliver.shop.aaaaaa.>"]


@pytest.mark.parametrize("name", ["", "bank.web-1", "*", ">", "web 1", "Web-1", "x" * 64])
def test_name_that_is_no_instances_gets_no_entry(name: str, keys: KnownKeys) -> None:
    answer = answering(keys).answer(request(str(KEY), name))
    assert answer is not None
    assert not [one for one in claims(claims(answer)["jwt"])["pub"]["allow"] if one.startswith("$KV.")]


@pytest.mark.parametrize("token", ["", "any", str(REVOKED), f"{KEY}x", str(KEY).replace("shop", "bank"), "tsk.shop"])
def test_any_other_is_turned_away(token: str, keys: KnownKeys) -> None:
    answers = answering(keys)
    answer = answers.answer(request(token))
    assert answer is not None
    assert claims(answer)["error"] == "unknown SDK key"
    assert "jwt" not in claims(answer)
    assert answers.answers == {"let_in": 0, "refused": 1, "unreadable": 0}


def test_request_that_cannot_be_read_is_not_answered(keys: KnownKeys) -> None:
    answers = answering(keys)
    with capture_logs() as log:
        assert answers.answer(b"nonsense") is None
    assert [event["event"] for event in log] == ["auth_callout_unreadable"]
    assert answers.answers["unreadable"] == 1


def test_who_is_turned_away_again_and_again_is_logged_once_a_second(keys: KnownKeys) -> None:
    clock = Clock()
    answers = answering(keys, clock)
    with capture_logs() as log:
        for _ in range(30):
            clock.now_s += 0.1
            answers.answer(request("tsk.shop.cccccc." + "x" * 40))
    assert 2 <= len(log) <= 4
    assert {event["event"] for event in log} == {"connection_refused"}
    assert "tsk." not in str(log)
    assert answers.answers["refused"] == 30
