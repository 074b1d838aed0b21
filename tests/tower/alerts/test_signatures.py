"""Signatures, checked with the receivers' own library."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Receiver
from standardwebhooks import WebhookVerificationError

from tailslide_core.errors import ContractError
from tailslide_tower.alerts.signatures import new_secret, signed_headers


@given(st.text())
def test_receiver_takes_what_was_signed(text: str) -> None:
    secret, body = new_secret(), f'{{"text": "{len(text)}"}}'.encode()
    headers = signed_headers("msg_1", datetime.now(UTC), body, [secret])
    assert Receiver(secret).verify(body, headers) == {"text": str(len(text))}


def test_receiver_refuses_another_body_id_time_and_secret() -> None:
    secret, now, body = new_secret(), datetime.now(UTC), b'{"a": 1}'
    headers = signed_headers("msg_1", now, body, [secret])
    changed = [
        (b'{"a": 2}', headers, secret),
        (body, headers | {"webhook-id": "msg_2"}, secret),
        (body, headers | {"webhook-timestamp": str(int(now.timestamp()) + 1)}, secret),
        (body, headers, new_secret()),
    ]
    for sent, claimed, key in changed:
        with pytest.raises(WebhookVerificationError):
            Receiver(key).verify(sent, claimed)


def test_receiver_takes_a_message_by_the_old_and_by_the_new_secret_while_one_is_replaced() -> None:
    old, new, body = new_secret(), new_secret(), b"{}"
    headers = signed_headers("msg_1", datetime.now(UTC), body, [new, old])
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        assert Receiver(secret).verify(body, headers) == {}


def test_secret_has_its_prefix_and_32_bytes_and_is_never_the_same() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert len(first) == len("whsec_") + 44


def test_secret_that_is_none_is_refused() -> None:
    with pytest.raises(ContractError):
        signed_headers("msg_1", datetime.now(UTC), b"", ["whsec_%%%"])
