"""How routes are written: what each field comes to, and one sentence for every mistake."""

import pytest
import yaml
from pydantic import ValidationError

from tailslide_core.naming import FLAG_KEY_RULE
from tailslide_sidecar.config_file import ConfigFile, mistakes
from tailslide_sidecar.proxy.routes import (
    Address,
    FixedAnswer,
    HeaderMatch,
    Match,
    Route,
    Side,
    Switch,
    Timeouts,
)
from tailslide_sidecar.proxy.sources import Source, SourceKind
from tailslide_sidecar.route_file import RoutePart

FLAGGED = "flag: f, feature: 'http://a:1', fallback: 'http://b:1'"
A, B = Side((Address("http", "a", 1),)), Side((Address("http", "b", 1),))
URL_RULE = "expected http://host:port or https://host:port without a path"
KINDS = "expected either upstream, or answer, or flag with feature and fallback"
HEADER_RULE = "expected a name of letters, digits and - _ . without spaces"
METHOD_RULE = "expected a method like GET or POST that routes can take"


def route(text: str) -> Route:
    return RoutePart.model_validate(yaml.safe_load(text)).read()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{upstream: 'http://a:1'}", Route(Match(), A)),
        (
            "{upstream: ['http://a:1', 'https://[::1]']}",
            Route(Match(), Side((*A.addresses, Address("https", "::1", 443)))),
        ),
        ("{answer: {status: 204}}", Route(Match(), FixedAnswer(204))),
        (
            "{answer: {status: 301, body: gone, headers: {Location: 'https://new.example/', x-empty: ''}}}",
            Route(Match(), FixedAnswer(301, "gone", (("Location", "https://new.example/"), ("x-empty", "")))),
        ),
        (f"{{{FLAGGED}}}", Route(Match(), A, Switch("f", B))),
        (
            "{flag: f, feature: ['http://a:1', 'http://b:1'], fallback: ['http://b:1']}",
            Route(Match(), Side(A.addresses + B.addresses), Switch("f", B)),
        ),
        (
            "{flag: f, feature: 'http://a:1', fallback: {status: 503, body: '…', headers: {retry-after: '5'}}}",
            Route(Match(), A, Switch("f", FixedAnswer(503, "…", (("retry-after", "5"),)))),
        ),
        (
            "{match: {host: '*.Example', path: /a, methods: [get, M-Search], headers: {X-Beta: true, x-plan: pro}}, "
            "upstream: 'http://a:1'}",
            Route(
                Match(
                    "*.example",
                    path="/a",
                    methods=frozenset({"GET", "M-SEARCH"}),
                    headers=(HeaderMatch("x-beta"), HeaderMatch("x-plan", "pro")),
                ),
                A,
            ),
        ),
        (
            "{match: {path_prefix: /api}, upstream: 'http://a:1', rewrite_prefix: /, max_body_bytes: 0, max_calls: 5}",
            Route(Match(path_prefix="/api"), A, rewrite_prefix="/", max_body_bytes=0, max_calls=5),
        ),
        ("{upstream: 'http://a:1', timeout_ms: 70}", Route(Match(), A, timeouts=Timeouts(first_byte_ms=70))),
        (
            "{upstream: 'http://a:1', timeouts: {connect_ms: 1, first_byte_ms: 2, idle_ms: null, total_ms: 4}}",
            Route(Match(), A, timeouts=Timeouts(1, 2, None, 4)),
        ),
        (
            f"{{{FLAGGED}, targeting_key: {{jwt_claim: sub}}, attributes: {{c: {{header: X-C}}, q: {{query: q}}, "
            "t: {jwt_claim: tier, cookie: s}, u: {jwt_claim: 'http://x/y', header: X-Token}}, "
            "retry_on_fallback: idempotent, anonymous: cookie}",
            Route(
                Match(),
                A,
                Switch(
                    "f",
                    B,
                    Source(SourceKind.JWT_CLAIM, "sub"),
                    (
                        ("c", Source(SourceKind.HEADER, "x-c")),
                        ("q", Source(SourceKind.QUERY, "q")),
                        ("t", Source(SourceKind.JWT_CLAIM, "tier", Source(SourceKind.COOKIE, "s"))),
                        ("u", Source(SourceKind.JWT_CLAIM, "http://x/y", Source(SourceKind.HEADER, "x-token"))),
                    ),
                    retries_on_fallback=True,
                    anonymous_cookie="tailslide_id",
                ),
            ),
        ),
        (
            f"{{{FLAGGED}, variants: {{blue: 'http://b:1', a.B: ['http://a:1', 'http://b:1']}}, outcomes: reported}}",
            Route(
                Match(),
                A,
                Switch("f", B, variants=(("blue", B), ("a.B", Side(A.addresses + B.addresses))), is_reported=True),
            ),
        ),
        (f"{{{FLAGGED}, outcomes: observed}}", Route(Match(), A, Switch("f", B))),
        (
            f"{{{FLAGGED}, attributes: {{g: {{header: X-G, split: ','}}, s: {{jwt_claim: scope, split: ' '}}, "
            "r: {jwt_claim: realm_access.roles}}}",
            Route(
                Match(),
                A,
                Switch(
                    "f",
                    B,
                    attributes=(
                        ("g", Source(SourceKind.HEADER, "x-g", split=",")),
                        ("s", Source(SourceKind.JWT_CLAIM, "scope", split=" ")),
                        ("r", Source(SourceKind.JWT_CLAIM, "realm_access.roles")),
                    ),
                ),
            ),
        ),
        (
            f"{{{FLAGGED}, anonymous: cookie, anonymous_cookie: who}}",
            Route(Match(), A, Switch("f", B, anonymous_cookie="who")),
        ),
    ],
)  # fmt: skip # pairs of what is written and what it comes to
def test_what_is_written(text: str, expected: Route) -> None:
    assert route(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"match: {{methods: [GET, 5]}}, {FLAGGED}", f".match.methods[1]: {METHOD_RULE}, got 5"),
        (f"match: {{methods: [TRACE]}}, {FLAGGED}", f".match.methods[0]: {METHOD_RULE}, got \"TRACE\""),
        (
            f"match: {{methods: []}}, {FLAGGED}",
            ".match.methods: expected at least one method, got none; leave the field out for all",
        ),
        (
            f"match: {{host: 'a:80'}}, {FLAGGED}",
            ".match.host: expected a host name without a port, *.suffix or *, got \"a:80\"",
        ),
        (f"match: {{path_prefix: a}}, {FLAGGED}", ".match.path_prefix: expected a path like /checkout, got \"a\""),
        (f"match: {{path: '/a?b'}}, {FLAGGED}", ".match.path: expected a path like /checkout, got \"/a?b\""),
        (f"match: {{path: /a, path_prefix: /}}, {FLAGGED}", ".match: expected either path or path_prefix, got both"),
        (f"match: {{headers: {{'x y': true}}}}, {FLAGGED}", f".match.headers.x y: {HEADER_RULE}, got \"x y\""),
        (
            f"match: {{headers: {{X: true, x: '1'}}}}, {FLAGGED}",
            ".match.headers: expected each header once, got x twice",
        ),
        (
            f"match: {{headers: {{x: false}}}}, {FLAGGED}",
            ".match.headers.x: expected the header's value as text, or true for any value, got false",
        ),
        (
            f"match: {{headers: {{x: ' a'}}}}, {FLAGGED}",
            ".match.headers.x: expected text in printable ASCII without spaces around it, got \" a\"",
        ),
        ("upstream: 'http://a/x'", f".upstream: {URL_RULE}, got \"http://a/x\""),
        ("upstream: 'http://a?'", f".upstream: {URL_RULE}, got \"http://a?\""),
        ("upstream: 'ftp://a'", f".upstream: {URL_RULE}, got \"ftp://a\""),
        ("upstream: 'http://a:99999'", f".upstream: {URL_RULE}, got \"http://a:99999\""),
        ("upstream: 'http://a,b'", f".upstream: {URL_RULE}, got \"http://a,b\""),
        ("upstream: 'http://u:p@a'", f".upstream: {URL_RULE}, got \"http://u:p@a\""),
        ("upstream: 'http://[:::]'", f".upstream: {URL_RULE}, got \"http://[:::]\""),
        ("upstream: {status: 200}", f".upstream: {URL_RULE}, got {{\"status\": 200}}"),
        ("upstream: []", ".upstream: expected at least one URL, got none"),
        ("upstream: ['http://a', 5]", f".upstream[1]: {URL_RULE}, got 5"),
        ("upstream: ['http://a', 'http://a:80']", ".upstream: expected each server once, got http://a:80 twice"),
        ("flag: f", f": {KINDS}, but there is no feature and no fallback"),
        ("feature: 'http://a'", f": {KINDS}, but there is no flag and no fallback"),
        ("", f": {KINDS}, but there is no upstream, no answer and no flag"),
        (f"upstream: 'http://a', {FLAGGED}", f": {KINDS}, got upstream and flag"),
        ("upstream: 'http://a', answer: {status: 200}", f": {KINDS}, got upstream and answer"),
        ("answer: {status: 200}, targeting_key: {header: x}", f": {KINDS}, got answer and targeting_key"),
        ("answer: {status: 200}, timeout_ms: 5", ": expected no timeout_ms with answer, which no server gives"),
        ("answer: {status: 204, body: a}", ".answer: expected no body with status 204, got one"),
        (
            "answer: {status: 200, headers: {Content-Length: '1'}}",
            ".answer.headers: expected headers that the proxy does not set itself, got Content-Length",
        ),
        (
            'answer: {status: 200, headers: {x: "a\\r\\nb: c"}}',
            ".answer.headers.x: expected text in printable ASCII without spaces around it, got \"a\\r\\nb: c\"",
        ),
        ("answer: {status: 101}", ".answer.status: expected greater than or equal to 200, got 101"),
        (
            "flag: f, feature: 'http://a', fallback: {status: 99}",
            ".fallback.status: expected greater than or equal to 200, got 99",
        ),
        ("flag: f, feature: 'http://a', fallback: 5", f".fallback: {URL_RULE}, got 5"),
        (
            f"{FLAGGED}, targeting_key: {{header: a, cookie: b}}",
            ".targeting_key: expected exactly one of header, cookie, query and jwt_claim, with a name",
        ),
        (
            f"{FLAGGED}, targeting_key: {{}}",
            ".targeting_key: expected exactly one of header, cookie, query and jwt_claim, with a name",
        ),
        (
            f"{FLAGGED}, targeting_key: {{jwt_claim: sub, header: a, cookie: b}}",
            ".targeting_key: expected exactly one of header, cookie, query and jwt_claim, with a name",
        ),
        (
            f"{FLAGGED}, targeting_key: {{jwt_claim: sub, query: t}}",
            ".targeting_key: expected jwt_claim alone, or with the header or cookie that holds the token, got query",
        ),
        (
            f"{FLAGGED}, attributes: {{c: {{query: 'a b'}}}}",
            ".attributes.c.query: expected a name without spaces, got \"a b\"",
        ),
        (
            f"{FLAGGED}, targeting_key: {{header: a, split: ','}}",
            ".targeting_key: expected no split: a targeting key is one text",
        ),
        (f"{FLAGGED}, attributes: {{c: {{split: ','}}}}",
            ".attributes.c: expected exactly one of header, cookie, query and jwt_claim, with a name"),
        (f"{FLAGGED}, attributes: {{c: {{header: a, split: ''}}}}",
            ".attributes.c.split: expected at least 1 character, got \"\""),
        (f"{FLAGGED}, variants: {{blue: 5}}", f".variants.blue: {URL_RULE}, got 5"),
        (f"{FLAGGED}, variants: {{_blue: 'http://a'}}", f".variants._blue: expected {FLAG_KEY_RULE}, got \"_blue\""),
        (f"{FLAGGED}, variants: {{blue: {{status: 200}}}}", f".variants.blue: {URL_RULE}, got {{\"status\": 200}}"),
        ("upstream: 'http://a', variants: {blue: 'http://a'}", f": {KINDS}, got upstream and variants"),
        ("flag: f, fallback: 'http://a', variants: {blue: 'http://a'}", f": {KINDS}, but there is no feature"),
        ("upstream: 'http://a', outcomes: reported", f": {KINDS}, got upstream and outcomes"),
        (f"{FLAGGED}, outcomes: none", ".outcomes: expected 'observed' or 'reported', got \"none\""),
        (f"{FLAGGED}, anonymous: header", ".anonymous: expected 'cookie', got \"header\""),
        (f"{FLAGGED}, anonymous_cookie: a", ": expected anonymous_cookie only with anonymous: cookie"),
        (f"{FLAGGED}, anonymous: cookie, anonymous_cookie: a=b", f".anonymous_cookie: {HEADER_RULE}, got \"a=b\""),
        (f"{FLAGGED}, retry_on_fallback: yes", ".retry_on_fallback: expected 'never' or 'idempotent', got true"),
        (f"{FLAGGED}, timeout_ms: 0", ".timeout_ms: expected greater than or equal to 1, got 0"),
        (
            f"{FLAGGED}, timeout_ms: 5, timeouts: {{first_byte_ms: 5}}",
            ": expected either timeout_ms or timeouts.first_byte_ms, which mean the same, got both",
        ),
        (
            f"{FLAGGED}, timeouts: {{first_byte_ms: 50, total_ms: 40}}",
            ".timeouts: expected a first_byte_ms of at most total_ms (40), got 50",
        ),
        (
            f"{FLAGGED}, timeout_ms: 50, timeouts: {{total_ms: 40}}",
            ": expected a timeout_ms of at most timeouts.total_ms (40), got 50",
        ),
        (
            f"{FLAGGED}, rewrite_prefix: /v2",
            ": expected rewrite_prefix only with match.path_prefix, whose place it takes",
        ),
        (
            f"match: {{path_prefix: /a}}, {FLAGGED}, rewrite_prefix: //v2",
            ".rewrite_prefix: expected a path without //, got \"//v2\"",
        ),
        (f"{FLAGGED}, max_body_bytes: -1", ".max_body_bytes: expected greater than or equal to 0, got -1"),
        (f"{FLAGGED}, retries: 1", ".retries: unknown field"),
    ],
)  # fmt: skip # pairs of a mistake and its sentence
def test_a_mistake_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as error:
        ConfigFile.model_validate({"routes": [yaml.safe_load(f"{{{text}}}")]})
    assert [f"{field}: {problem}" for field, problem in mistakes(error.value)] == [f"routes[0]{sentence}"]
