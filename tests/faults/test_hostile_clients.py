"""Hostile clients of all four listeners: each is refused in its documented shape, and nobody else notices.

What is asserted holds on any machine: nothing is said of how long an answer took.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from hostile_bench import bodies, hoards, malformed, odd, questions
from hostile_bench.system import System
from hostile_bench.wire import crowd, ended, flood, request, reset, talk
from hostile_clients import MEBIBYTE, body_of, harm_to, hostile_stage, shape, until, until_ended

BULK = questions.BULK
STREAM = "/ofrep/v1/events"
LISTENERS = ("flags", "proxy", "tower", "aerobat")
OURS = ("flags", "tower", "aerobat")
"""Those that answer by themselves."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncIterator[System]:
    async with hostile_stage() as running:
        yield running


# Bodies that nobody asked for


@pytest.mark.parametrize("name", LISTENERS)
async def test_a_packed_body_is_never_unpacked(system: System, name: str) -> None:
    listener = system.listeners[name]
    bomb = bodies.packed(512 * MEBIBYTE, 31)
    routes = bodies.ROUTES[name]
    async with harm_to(system, listener) as harm:
        seen = [
            await talk(listener.address, (request("POST", target, bomb, Content_Encoding="gzip"),), wait_s=60)
            for target in routes
        ]
    assert harm.failed == []
    assert harm.tracebacks == 0
    # Unpacking one of them takes half a second of processor time; refusing it takes none to speak of.
    assert harm.after.processor_s - harm.before.processor_s < 0.25 * len(routes)
    assert harm.memory_taken < 32 * MEBIBYTE
    if name != "proxy":  # which hands on what its routes take
        shapes = [shape(one, ofrep="/ofrep/" in target) for one, target in zip(seen, routes, strict=True)]
        assert shapes == ["ours"] * len(routes)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, gzip", "nonsense"])
async def test_a_content_coding_is_refused_as_media_type(system: System, coding: str) -> None:
    """RFC 9110 §15.5.16: 415 is for an encoding that is not taken, too."""
    flags, tower = system.listeners["flags"], system.listeners["tower"]
    token = f"Bearer {system.token}"
    outcome = json.dumps({"outcome": "success"}).encode()
    messages = (
        (flags, request("POST", "/v1/flags/flag-1/outcomes", outcome, Content_Encoding=coding), False),
        (flags, request("POST", BULK, b"{}", Content_Encoding=coding), True),
        (tower, request("POST", "/api/v1/apps", b"{}", Content_Encoding=coding, Authorization=token), False),
    )
    for listener, message, ofrep in messages:
        seen = await talk(listener.address, (message,))
        assert (seen.status, shape(seen, ofrep=ofrep)) == (415, "ours"), seen


async def test_the_coding_identity_is_none(system: System) -> None:
    message = request("POST", BULK, b'{"context":{"targetingKey":"u1"}}', Content_Encoding="identity")
    assert (await talk(system.listeners["flags"].address, (message,))).status == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["by length", "chunked"])
@pytest.mark.parametrize("name", LISTENERS)
async def test_a_body_without_an_end_is_cut_off_after_its_refusal_was_read(
    system: System, name: str, chunked: bool
) -> None:
    piece = b"10000\r\n%b\r\n" % bytes(65_536) if chunked else bytes(65_536)
    framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 10737418240"

    def parts() -> Iterator[bytes]:
        yield f"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n".encode()
        for _ in range(8_192):
            yield piece

    seen = await talk(system.listeners[name].address, parts(), wait_s=30, whole=False)
    assert seen.status is not None, "the refusal was lost"
    assert 400 <= seen.status < 500
    assert shape(seen) == "ours"
    assert seen.end in {"closed", "reset"}
    assert seen.sent < 64 * MEBIBYTE


@pytest.mark.parametrize("name", OURS)
async def test_a_chunk_extension_without_an_end_is_cut_off(system: System, name: str) -> None:
    paths = {"flags": BULK, "tower": "/api/v1/apps", "aerobat": "/v1/status"}
    token = f"Bearer {system.token}"
    head = request(
        "GET", paths[name], Transfer_Encoding="chunked", Content_Type="application/json", Authorization=token
    )

    def parts() -> Iterator[bytes]:
        yield head.replace(b"GET", b"POST", 1) + b"2;"
        for _ in range(4_096):
            yield b"x" * 65_536

    seen = await talk(system.listeners[name].address, parts(), wait_s=30, whole=False)
    assert seen.end in {"closed", "reset"}
    assert seen.sent < 64 * MEBIBYTE


# Questions that are dear


DEAR = {
    "many items": questions.context(questions.many_items()),
    "long numbers": questions.context(f'"country":[{",".join(["1e308"] * 170_000)}]'),
    "many texts": questions.context(f'"text":[{",".join([chr(34) + "x" * 60 + chr(34)] * 15_000)}]'),
    "many attributes": questions.context(",".join(f'"a{index}":1' for index in range(90_000))),
    "a long key": b'{"context":{"targetingKey":"%b"}}' % (b"u" * 1_000_000),
    "deep": questions.context(f'"country":{"[" * 100_000}{"]" * 100_000}'),
}


@pytest.mark.parametrize("target", [BULK, questions.ONE], ids=["all flags", "one flag"])
@pytest.mark.parametrize("case", DEAR)
async def test_a_dear_question_is_refused(system: System, case: str, target: str) -> None:
    listener = system.listeners["flags"]
    async with harm_to(system, listener) as harm:
        seen = await talk(listener.address, (request("POST", target, DEAR[case]),), wait_s=90)
    assert seen.status in {400, 413}
    assert shape(seen, ofrep=True) == "ours"
    assert harm.failed == []


async def test_a_question_with_a_hundred_items_is_answered(system: System) -> None:
    body = questions.context(questions.many_items(100))
    seen = await talk(system.listeners["flags"].address, (request("POST", BULK, body),))
    assert seen.status == 200


async def test_a_query_with_very_many_parameters_is_refused(system: System) -> None:
    listener = system.listeners["flags"]
    for size in (9_000, 90_000):
        query = "&".join(["country=1"] * (size // 10))
        seen = await talk(listener.address, (request("GET", f"/v1/flags/flag-1?{query}"),))
        assert (seen.status, shape(seen)) == (414, "ours")


async def test_many_questions_in_one_go_hold_up_no_proxied_call(system: System) -> None:
    listener = system.listeners["flags"]
    body = questions.context(questions.many_items(30_000))
    message, last = request("POST", BULK, body), request("POST", BULK, body, Connection="close")
    async with harm_to(system, listener) as harm:
        seen = await talk(listener.address, (message * 100 + last,), wait_s=90, whole=False)
    assert seen.status == 400
    assert harm.failed == []


async def test_proxied_calls_have_their_turn_among_many_questions_at_once(system: System) -> None:
    flags, proxy = system.listeners["flags"], system.listeners["proxy"]
    for question in odd.dearest():
        if (await talk(flags.address, (question,))).status == 200:
            break
    else:
        raise AssertionError("none of the questions is answered")
    loop = asyncio.get_running_loop()
    # Before anybody asks, everybody is there with all but the last byte.
    async with crowd(flags.address, 400, question[:-1]) as held:
        await system.until_calm()
        await asyncio.gather(*(loop.sock_sendall(one, question[-1:]) for one in held))
        seen = await talk(proxy.address, (request("GET", "/svc/ok"),))
        assert seen.status == 200
        answered = sum(data.startswith(b"HTTP/1.1 ") for _, data in map(ended, held))
    # Their answers take more than a hundred times as long as the call: it does not come last.
    assert answered < len(held)


# Many and slow clients


HALF_HEADS = (b"G", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ", b"POST /ofrep/v1/evaluate/flags HTTP/")


async def test_requests_that_do_not_end_are_ended(system: System) -> None:
    half_body = request("POST", "/v1/flags/flag-1/outcomes", b"{" + b" " * 999)[:-900]

    async def are_ended(name: str, begins_with: bytes) -> None:
        async with crowd(system.listeners[name].address, 20, begins_with) as held:
            assert len(held) == 20
            said = await until_ended(held, 60)
            assert {one.split(b" ", 2)[1] for one in said if one} <= {b"408", b"413"}

    # Bodies at Tower end as well, after half a minute; those at the proxy are the upstream's.
    waiting = [(name, head) for name in LISTENERS for head in HALF_HEADS]
    waiting += [("flags", half_body), ("aerobat", half_body)]
    await asyncio.gather(*(are_ended(name, begins_with) for name, begins_with in waiting))


async def test_silent_connections_keep_nobody_from_an_answer(system: System) -> None:
    for name in LISTENERS:
        async with crowd(system.listeners[name].address, 1_100):
            for other in LISTENERS:
                target = "/svc/ok" if other == "proxy" else "/healthz"
                seen = await talk(system.listeners[other].address, (request("GET", target),))
                assert seen.status == 200 or other == name, (name, other, seen)


# The stream of changes


@pytest.mark.parametrize("leaves", [socket.socket.close, reset], ids=["by FIN", "by RST"])
async def test_places_of_listeners_that_left_are_free_at_once(system: System, leaves: object) -> None:
    address = system.listeners["flags"].address
    listen = request("GET", STREAM)
    async with crowd(address, 256, listen) as held:

        async def is_full() -> bool:
            return (await talk(address, (listen,), wait_s=1)).status == 503

        await until(is_full)
        for connection in held:
            assert callable(leaves)
            leaves(connection)
        held.clear()

    async def has_room() -> bool:
        return (await talk(address, (listen,), wait_s=1)).status == 200

    # Far sooner than with the next sign of life, which comes after 15 s.
    await until(has_room, 8)


async def test_head_of_the_stream_ends(system: System) -> None:
    both = request("HEAD", STREAM) + request("GET", "/healthz", Connection="close")
    seen = await talk(system.listeners["flags"].address, (both,), whole=False)
    assert seen.data.count(b"HTTP/1.1 200") == 2, seen
    assert b"text/event-stream" in seen.data


# Foreign pages


READS = {"flags": "/v1/flags/flag-1", "tower": "/healthz", "aerobat": "/v1/status"}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1%00.evil.example",
        "192.168.1.1",
        "2130706433",
    ],
)
@pytest.mark.parametrize("name", OURS)
async def test_a_foreign_name_is_not_answered(system: System, name: str, host: str) -> None:
    listener = system.listeners[name]
    for target in (READS[name], "/metrics", "/nowhere"):
        for authority in (host, f"{host}:{listener.address[1]}"):
            seen = await talk(listener.address, (request("GET", target, host=authority),))
            assert seen.status in {400, 403, 421}
            assert shape(seen) == "ours"


@pytest.mark.parametrize("name", OURS)
async def test_a_foreign_name_in_absolute_form_is_not_answered(system: System, name: str) -> None:
    """The target's authority wins over Host (RFC 9112 §3.2.2)."""
    message = request("GET", f"http://evil.example{READS[name]}")
    seen = await talk(system.listeners[name].address, (message,))
    assert seen.status in {400, 403, 421}
    assert shape(seen) == "ours"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost", "[::1]", "127.0.0.2"])
@pytest.mark.parametrize("name", OURS)
async def test_an_own_name_is_answered(system: System, name: str, host: str) -> None:
    listener = system.listeners[name]
    for authority in (host, f"{host}:{listener.address[1]}"):
        seen = await talk(listener.address, (request("GET", READS[name], host=authority),))
        assert seen.status == 200


FOREIGN = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"},
)


@pytest.mark.parametrize("fields", FOREIGN, ids=lambda fields: " ".join(fields.values()))
async def test_a_write_of_a_foreign_page_is_refused(system: System, fields: dict[str, str]) -> None:
    flags, tower = system.listeners["flags"], system.listeners["tower"]
    token = f"Bearer {system.token}"
    outcome = json.dumps({"outcome": "failure"}).encode()
    for listener, message in (
        (flags, request("POST", "/v1/flags/flag-2/outcomes", outcome, **fields)),
        (tower, request("POST", "/api/v1/apps", b'{"key":"x"}', Authorization=token, **fields)),
    ):
        seen = await talk(listener.address, (message,))
        assert (seen.status, shape(seen)) == (403, "ours")


async def test_a_write_of_an_own_page_is_taken(system: System) -> None:
    flags = system.listeners["flags"]
    host = "{}:{}".format(*flags.address)
    outcome = json.dumps({"outcome": "success"}).encode()
    message = request("POST", "/v1/flags/flag-2/outcomes", outcome, host, Origin=f"http://{host}")
    assert (await talk(flags.address, (message,))).status == 202


# Reports


async def test_reports_of_more_calls_than_anybody_makes_are_not_taken(system: System) -> None:
    body = json.dumps([{"outcome": "success", "count": 1_000_000}] * 1_000).encode()
    flags = system.listeners["flags"]
    seen = await talk(flags.address, (request("POST", "/v1/flags/flag-3/outcomes", body),))
    assert shape(seen) in {"ours", "accepted"}
    accepted = body_of(seen)["accepted"] if seen.status == 202 else 0
    assert isinstance(accepted, int)
    assert accepted < 10_000_000


# Memory


@pytest.mark.parametrize("form", ["Host", "absolute form"])
async def test_many_long_hosts_are_not_kept(system: System, form: str) -> None:
    listener = system.listeners["proxy"]
    async with harm_to(system, listener) as harm:
        for index in range(500):
            name = f"h{index}." + "a" * 60_000
            target = f"http://{name[:7_000]}/svc/ok" if form == "absolute form" else "/svc/ok"
            seen = await talk(listener.address, (request("GET", target, host=name),))
            assert seen.status in {400, 403, 421, 431}
    assert harm.memory_kept < 16 * MEBIBYTE
    assert harm.failed == []


async def test_heads_that_differ_by_a_byte_are_not_kept(system: System) -> None:
    listener = system.listeners["flags"]
    async with harm_to(system, listener) as harm:
        for start in range(0, 4_000, 50):
            await asyncio.gather(
                *(talk(listener.address, (hoards.hot_head(index),)) for index in range(start, start + 50))
            )
    assert harm.memory_kept < 24 * MEBIBYTE
    assert harm.failed == []


async def test_requests_that_come_too_early_take_little_memory(system: System) -> None:
    listener = system.listeners["proxy"]
    small = b"GET /svc/ok HTTP/1.1\r\nHost: h\r\n\r\n"
    block = request("GET", "/slow") + small * (2_000_000 // len(small))
    async with harm_to(system, listener) as harm:
        async with crowd(listener.address, 50) as held:
            await asyncio.gather(*(flood(one, block, most=1, seconds=2.0) for one in held))
        harm.after = listener.process.look()
    assert harm.memory_taken < 24 * MEBIBYTE
    assert harm.failed == []


async def test_room_for_large_bodies_is_free_again_when_clients_leave(system: System) -> None:
    flags = system.listeners["flags"]
    outcome = json.dumps({"outcome": "success"}).encode()
    half = request("POST", "/v1/flags/flag-4/outcomes", outcome + b" " * 900_000)[:-100_000]
    large = request("POST", "/v1/flags/flag-4/outcomes", outcome + b" " * 100_000)
    for leave in (socket.socket.close, reset):
        async with crowd(flags.address, 100, half) as held:
            for connection in held:
                leave(connection)
            held.clear()

    async def is_taken() -> bool:
        return (await talk(flags.address, (large,))).status == 202

    await until(is_taken)


# Every error is ours


@pytest.mark.parametrize("place", malformed.PLACES)
async def test_every_malformed_request_is_answered_in_the_documented_shape(system: System, place: str) -> None:
    cases = await malformed.matrix(system, (place,))
    wrong = {
        case.case: (case.status, case.kind, case.shape)
        for case in cases
        if case.shape not in {"ours", "accepted"} and case.case != malformed.NO_HEAD
    }
    assert wrong == {}
    assert [case.case for case in cases if case.tracebacks] == []
    assert [case.case for case in cases if case.status is not None and case.status >= 500 and case.status < 501] == []


@pytest.mark.parametrize("name", OURS)
async def test_every_limit_has_its_status(system: System, name: str) -> None:
    listener, auth = system.listeners[name], {"Authorization": f"Bearer {system.token}"}
    target = READS[name]
    expected = {
        414: request("GET", f"{target}?{'q' * 9_000}", **auth),  # type: ignore[arg-type] # fields
        431: request("GET", target, X_Long="h" * 90_000, **auth),  # type: ignore[arg-type] # fields
        417: request("GET", target, Expect="nonsense", **auth),  # type: ignore[arg-type] # fields
    }
    for status, message in expected.items():
        seen = await talk(listener.address, (message,))
        assert (seen.status, shape(seen)) == (status, "ours")


async def test_a_body_that_is_too_large_names_the_limit(system: System) -> None:
    flags = system.listeners["flags"]
    seen = await talk(flags.address, (request("POST", "/v1/flags/flag-1/outcomes", b" " * 2_000_000),))
    assert (seen.status, shape(seen)) == (413, "ours")
    assert "1048576" in json.dumps(body_of(seen))


@pytest.mark.parametrize("name", ["flags", "tower"])
async def test_a_name_given_twice_is_refused(system: System, name: str) -> None:
    bodies_of = {
        "flags": ("/v1/flags/flag-1/outcomes", b'{"outcome":"failure","outcome":"success"}'),
        "tower": ("/api/v1/apps", b'{"key":"a1","key":"a2"}'),
    }
    target, body = bodies_of[name]
    token = f"Bearer {system.token}"
    seen = await talk(system.listeners[name].address, (request("POST", target, body, Authorization=token),))
    assert (seen.status, shape(seen)) == (400, "ours")


async def test_an_authorization_that_is_no_utf8_is_unauthorized(system: System) -> None:
    message = b"GET /api/v1/apps HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \xff\r\n\r\n"
    seen = await talk(system.listeners["tower"].address, (message,))
    assert (seen.status, shape(seen)) == (401, "ours")


# With hardly any descriptors: last, since the sidecar is started again


async def test_a_full_flags_listener_leaves_the_proxy_its_descriptors(system: System) -> None:
    await system.restart_sidecar(1_100)
    proxy = system.listeners["proxy"].address
    async with harm_to(system, system.listeners["proxy"]) as harm, crowd(system.listeners["flags"].address, 1_100):
        for _ in range(20):
            seen = await talk(proxy, (request("GET", "/svc/ok"),))
            assert seen.status == 200
    assert harm.failed == []
