"""Requests to receivers on real sockets: where they lead, what is kept of the answer, and what is refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from webhook_receivers import FixedNames, Receiver, receiver

from tailslide_core.errors import ContractError
from tailslide_tower.alerts.addresses import AddressRules, WebhookUrl
from tailslide_tower.alerts.connections import check_name
from tailslide_tower.alerts.sending import MAX_ANSWER, Outcome, Sender

LOOPBACK = AddressRules(["127.0.0.0/8"])
PUBLIC_ONLY = AddressRules()


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running


async def post(url: str, rules: AddressRules, names: FixedNames | None = None) -> Outcome:
    return await Sender(names or FixedNames(), rules).send(WebhookUrl(url), b"{}", {})


async def test_address_that_is_allowed_is_reached(hook: Receiver) -> None:
    outcome = await post(hook.url(), LOOPBACK)
    assert (outcome.status, outcome.error) == (200, None)
    (request,) = hook.received
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Tailslide"
    assert request.body == b"{}"


async def test_address_of_this_machine_is_refused_before_a_connection_is_made(hook: Receiver) -> None:
    for host in ("127.0.0.1", "[::ffff:127.0.0.1]"):
        outcome = await post(hook.url(host=host), PUBLIC_ONLY)
        assert outcome.status is None
        assert outcome.error is not None
        assert "is a loopback address" in outcome.error
        assert "TAILSLIDE_ALERT_ALLOWED_NETWORKS" in outcome.error
    assert hook.received == []


async def test_name_that_resolves_to_this_machine_is_refused(hook: Receiver) -> None:
    names = FixedNames(rebind_example_org=[["127.0.0.1"]])
    outcome = await post(hook.url(host="rebind.example.org"), PUBLIC_ONLY, names)
    assert outcome.error is not None
    assert outcome.error.startswith("rebind.example.org resolves to 127.0.0.1, which is a loopback address")
    assert hook.received == []


async def test_name_is_resolved_once_and_the_address_that_was_checked_is_the_one_that_is_used(hook: Receiver) -> None:
    names = FixedNames(rebind_example_org=[["127.0.0.2"], ["127.0.0.1"]])
    outcome = await post(hook.url(host="rebind.example.org"), AddressRules(["127.0.0.2"]), names)
    assert outcome.error is not None
    assert "could not connect" in outcome.error
    assert (names.asked, hook.received) == (["rebind.example.org"], [])


async def test_only_allowed_ones_of_a_name_s_addresses_are_tried(hook: Receiver) -> None:
    names = FixedNames(both_example_org=[["127.0.0.9", "127.0.0.1"]])
    assert (await post(hook.url(host="both.example.org"), AddressRules(["127.0.0.1"]), names)).error is None
    outcome = await post(hook.url(host="both.example.org"), AddressRules(["127.0.0.9"]), names)
    assert outcome.error is not None
    assert len(hook.received) == 1


async def test_redirect_is_refused_and_not_followed(hook: Receiver) -> None:
    hook.answers = [web.Response(status=status, headers={"Location": "/other"}) for status in (301, 302, 307, 308)]
    for status in (301, 302, 307, 308):
        outcome = await post(hook.url(), LOOPBACK)
        assert (outcome.status, outcome.error) == (
            status,
            f"the receiver answered {status}, and redirects are not followed: give the URL that it leads to",
        )
    assert [request.path for request in hook.received] == ["/hook"] * 4


async def test_answer_from_an_address_that_is_not_public_is_not_kept(hook: Receiver) -> None:
    hook.answers = [web.Response(text="what only the inside may read", status=500)]
    outcome = await post(hook.url(), LOOPBACK)
    assert (outcome.status, outcome.answer, outcome.error) == (500, None, "the receiver answered 500")


async def test_answer_from_a_public_address_is_kept_up_to_a_bound(
    hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No public address is at hand, so this one is taken for public.
    monkeypatch.setattr("tailslide_tower.alerts.connections.special_kind", lambda address: None)
    hook.answers = [web.Response(body=b"a\x00\xff" + b"x" * 100_000)]
    outcome = await post(hook.url(), LOOPBACK)
    assert outcome.answer == "a\ufffd\ufffd" + "x" * (MAX_ANSWER - 3)


async def test_name_that_cannot_be_resolved_and_port_that_is_closed_are_said_without_the_url() -> None:
    outcome = await post("http://nowhere.example.org/secret-path", PUBLIC_ONLY)
    assert outcome.error == "could not resolve nowhere.example.org: Name or service not known"
    outcome = await post("http://127.0.0.1:1/secret-path", LOOPBACK)
    assert outcome.error is not None
    assert outcome.error.startswith("could not connect to 127.0.0.1: ")
    assert "secret-path" not in outcome.error


async def test_proxy_of_the_environment_is_not_used(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, hook.url("/"))
    outcome = await post("http://nowhere.example.org/", LOOPBACK)
    assert outcome.error is not None
    assert hook.received == []


async def test_name_is_checked_when_a_webhook_is_made_as_far_as_it_is_known() -> None:
    names = FixedNames(inside_example_org=[["10.0.0.1", "::1"]], outside_example_org=[["8.8.8.8"]])
    with pytest.raises(ContractError) as caught:
        await check_name(WebhookUrl("https://inside.example.org/x"), names, PUBLIC_ONLY)
    assert caught.value.field == "url"
    assert "10.0.0.1, which is a private address" in caught.value.problem
    await check_name(WebhookUrl("https://outside.example.org/x"), names, PUBLIC_ONLY)
    await check_name(WebhookUrl("https://unknown.example.org/x"), names, PUBLIC_ONLY)


async def test_receiver_that_never_answers_is_given_up(hook: Receiver) -> None:
    hook.is_silent = True
    outcome = await Sender(FixedNames(), LOOPBACK).send(WebhookUrl(hook.url()), b"{}", {}, timeout_s=0.2)
    assert outcome == Outcome(error="the receiver did not answer within 0.2 s")


HOSTILE = (
    b"",
    b"\0" * 100,
    b"HTTP/1.1 200\r\n\r\n",
    b"HTTP/1.1 999 \xff\0\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8b\0\0\0",
    b"HTTP/1.1 200 OK\r\nContent-Type: \xff; charset=\0\r\n\r\n\xff\xfe",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 10_000 + b"\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    *(
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nRetry-After: %b\r\n\r\n" % value
        for value in (
            b"9" * 5_000,
            b"-1",
            b"Sat, 28 Nov 99999999999999999999 03:05:00 GMT",
            b"Sat, 28 Nov 2026 03:05:00 +99999999999999999999",
            b"\xff",
        )
    ),
)


@pytest.mark.parametrize("answer", HOSTILE)
async def test_no_answer_of_a_receiver_ends_more_than_its_attempt(answer: bytes) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        outcome = await post(url, LOOPBACK)
    assert outcome.status is not None or outcome.error is not None
