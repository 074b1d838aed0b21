"""What NATS asks, and what it is answered, with requests that were made by hand."""

import base64
import os
from typing import Any

import nkeys
import orjson
import pytest

from tailslide_core.errors import ContractError
from tailslide_core.sidecar_access import SubjectPermissions
from tailslide_runtime.auth_callout.claims import ConnectRequest, Issuer, decode_request, new_seed

NOW_S = 1_795_363_190
USER = "UAAA"
SERVER = "NAAA"
ASKED: dict[str, Any] = {
    "aud": "nats-authorization-request",
    "iss": SERVER,
    "nats": {
        "type": "authorization_request",
        "version": 2,
        "server_id": {"name": "one", "host": "127.0.0.1", "id": SERVER, "version": "2.15.1"},
        "user_nkey": USER,
        "client_info": {"host": "10.0.0.7", "id": 5, "kind": "Client", "type": "nats"},
        "connect_opts": {"auth_token": "tsk.shop.aaaaaa.secret", "name": "web-1", "lang": "python3", "protocol": 1},
    },
}


def encoded(value: object) -> bytes:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=")


def request(claims: object) -> bytes:
    return b".".join((encoded({"typ": "JWT", "alg": "ed25519-nkey"}), encoded(claims), b"c2lnbmF0dXJl"))


def changed(*path: str, to: object) -> bytes:
    claims = orjson.loads(orjson.dumps(ASKED))
    inner = claims
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return request(claims)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer.from_seed(new_seed(os.urandom(32)))


def verified(token: bytes, issuer: Issuer) -> Any:
    """Return the claims of a token, once its signature is seen to be the issuer's."""
    header, claims, signature = token.split(b".")
    assert orjson.loads(base64.urlsafe_b64decode(header + b"==")) == {"typ": "JWT", "alg": "ed25519-nkey"}
    raw = base64.b32decode(issuer.public_key)[1:33]
    key = nkeys.nacl.signing.VerifyKey(raw)
    key.verify(header + b"." + claims, base64.urlsafe_b64decode(signature + b"=="))
    return orjson.loads(base64.urlsafe_b64decode(claims + b"=="))


def test_request_is_read() -> None:
    assert decode_request(request(ASKED)) == ConnectRequest(SERVER, USER, "tsk.shop.aaaaaa.secret", "web-1", "10.0.0.7")


def test_request_without_token_and_name_is_read() -> None:
    read = decode_request(changed("nats", "connect_opts", to={"user": "somebody", "pass": "x"}))
    assert (read.token, read.name) == ("", "")


def test_token_is_not_in_the_repr() -> None:
    assert "secret" not in repr(decode_request(request(ASKED)))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "request"),
        (b"a.b", "request"),
        (b"a.!!!.c", "request"),
        (b"a." + encoded([]) + b".c", "request"),
        (b"a." + base64.urlsafe_b64encode(b"{") + b".c", "request"),
        (request({}), "nats"),
        (changed("nats", "type", to="user"), "nats.type"),
        (changed("nats", "user_nkey", to=5), "user_nkey"),
        (changed("nats", "server_id", to="x"), "server_id"),
        (changed("nats", "server_id", "id", to=None), "id"),
        (changed("nats", "connect_opts", to=[]), "connect_opts"),
        (changed("nats", "connect_opts", "auth_token", to=5), "auth_token"),
        (changed("nats", "connect_opts", "name", to={}), "name"),
        (changed("nats", "client_info", to=None), "client_info"),
    ],
)
def test_request_that_is_none_is_refused_by_its_field(data: bytes, field: str) -> None:
    with pytest.raises(ContractError) as refused:
        decode_request(data)
    assert refused.value.field == field


def test_response_lets_in_with_the_permissions_and_no_others(issuer: Issuer) -> None:
    asked = decode_request(request(ASKED))
    granted = SubjectPermissions(("a.>", "b"), ("c.>",))
    response = verified(issuer.let_in(asked, "shop.aaaaaa", granted, at_s=NOW_S, account="SC"), issuer)
    assert (response["iss"], response["sub"], response["aud"]) == (issuer.public_key, USER, SERVER)
    assert response["iat"] == NOW_S
    assert response["nats"]["type"] == "authorization_response"
    assert "error" not in response["nats"]
    user = verified(response["nats"]["jwt"].encode(), issuer)
    assert (user["iss"], user["sub"], user["aud"], user["name"]) == (issuer.public_key, USER, "SC", "shop.aaaaaa")
    assert user["nats"]["pub"] == {"allow": ["a.>", "b"]}
    assert user["nats"]["sub"] == {"allow": ["c.>"]}
    assert "secret" not in str(response) + str(user)


def test_response_refuses_with_a_reason_and_no_user(issuer: Issuer) -> None:
    response = verified(issuer.refuse(decode_request(request(ASKED)), "unknown SDK key", at_s=NOW_S), issuer)
    assert response["aud"] == SERVER
    assert response["nats"] == {"type": "authorization_response", "version": 2, "error": "unknown SDK key"}


@pytest.mark.parametrize(
    "seed",
    ["", "SA", "SAx", "SU" + "A" * 56, "SA" + "!" * 56, new_seed(b"x" * 32)[:-1], new_seed(b"x" * 32).lower(), "SAÄ"],
)
def test_seed_that_is_none_is_refused_without_being_repeated(seed: str) -> None:
    with pytest.raises(ValueError, match="expected the seed of an account") as refused:
        Issuer.from_seed(seed)
    assert len(seed) < 3 or seed not in str(refused.value)
    assert refused.value.__cause__ is None
