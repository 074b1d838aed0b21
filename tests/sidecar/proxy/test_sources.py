"""What a request says of its user."""

import base64
import json
from collections.abc import Sequence
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxy_requests import PlainRequest

from tailslide_core.conditions import Items
from tailslide_core.evaluation import Context
from tailslide_sidecar.proxy.routes import FixedAnswer, Switch
from tailslide_sidecar.proxy.sources import Source, SourceKind, context_of

USER = Source(SourceKind.HEADER, "x-user-id")
SUBJECT = Source(SourceKind.JWT_CLAIM, "sub")


def switch(targeting_key: Source | None, **attributes: Source) -> Switch:
    return Switch("f", FixedAnswer(503), targeting_key, tuple(attributes.items()))


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def token(claims: object) -> str:
    return f"{encoded(b'{}')}.{encoded(json.dumps(claims).encode())}.c2ln"


def bearer(claims: object) -> PlainRequest:
    return PlainRequest(fields=[("authorization", f"Bearer {token(claims)}")])


def test_the_user_is_taken_from_headers_cookies_and_query() -> None:
    asked = switch(
        Source(SourceKind.COOKIE, "uid"),
        country=Source(SourceKind.HEADER, "x-country"),
        plan=Source(SourceKind.QUERY, "plan"),
        missing=Source(SourceKind.QUERY, "other"),
    )
    request = PlainRequest(
        query="x=1&plan=pro%20max&plan=second&empty=",
        fields=[("cookie", 'a=b; uid="u 1"; uid=second; junk'), ("x-country", "DE")],
    )
    assert context_of(asked, request) == Context("u 1", {"country": "DE", "plan": "pro max"})


def test_what_is_not_there_is_left_out() -> None:
    assert context_of(switch(USER), PlainRequest()) == Context(None, {})
    assert context_of(switch(None), PlainRequest(fields=[("x-user-id", "u")])) == Context(None, {})
    assert context_of(switch(Source(SourceKind.QUERY, "u")), PlainRequest(query="u=")) == Context("", {})
    assert context_of(switch(Source(SourceKind.QUERY, "u")), PlainRequest(query="v=u")) == Context(None, {})
    assert context_of(switch(Source(SourceKind.COOKIE, "u")), PlainRequest()) == Context(None, {})
    assert context_of(switch(None, a=USER), PlainRequest()) == Context(None, {})


@pytest.mark.parametrize("name", ["jürgen", "日本", "😀"])
def test_a_user_is_the_same_however_the_name_comes(name: str) -> None:
    sent = name.encode().decode("latin-1")
    for asked, request in (
        (USER, PlainRequest(fields=[("x-user-id", sent)])),
        (Source(SourceKind.COOKIE, "u"), PlainRequest(fields=[("cookie", f"u={sent}")])),
        (Source(SourceKind.QUERY, "u"), PlainRequest(query=f"u={sent}")),
        (SUBJECT, bearer({"sub": name})),
    ):
        assert context_of(switch(asked), request)[0] == name
        assert context_of(switch(None, name=asked), request)[1] == {"name": name}


def test_what_is_no_utf_8_is_read_as_latin_1() -> None:
    assert context_of(switch(USER), PlainRequest(fields=[("x-user-id", "j\xfcrgen")]))[0] == "jürgen"


@given(st.dictionaries(st.text("abcxyz_-", min_size=1), st.text("abc123=%", min_size=1), min_size=1))
def test_a_cookie_comes_back_as_it_was_written(cookies: dict[str, str]) -> None:
    request = PlainRequest(fields=[("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))])
    for name, value in cookies.items():
        assert context_of(switch(Source(SourceKind.COOKIE, name)), request)[0] == value


@given(st.text("ab=&+%26c3bc\xfc", max_size=30), st.sampled_from(["a", "b", "ab", "a b", "&"]))
def test_a_query_is_read_as_forms_write_it(query: str, name: str) -> None:
    text = query.encode("latin-1")
    try:
        read = text.decode()
    except UnicodeDecodeError:
        read = query
    expected = next((v for n, v in parse_qsl(read, keep_blank_values=True, errors="replace") if n == name), None)
    assert context_of(switch(Source(SourceKind.QUERY, name)), PlainRequest(query=query))[0] == expected


def test_a_claim_is_read_from_where_it_is_said_to_be() -> None:
    in_cookie = Source(SourceKind.JWT_CLAIM, "sub", Source(SourceKind.COOKIE, "session"))
    in_header = Source(SourceKind.JWT_CLAIM, "sub", Source(SourceKind.HEADER, "x-token"))
    claims = token({"sub": "u1"})
    assert context_of(switch(SUBJECT), bearer({"sub": "u1"}))[0] == "u1"
    assert context_of(switch(SUBJECT), PlainRequest(fields=[("authorization", f"bearer  {claims}")])) == Context("u1")
    assert context_of(switch(SUBJECT), PlainRequest(fields=[("authorization", claims)])) == Context()
    assert context_of(switch(SUBJECT), PlainRequest(fields=[("authorization", f"Basic {claims}")])) == Context()
    assert context_of(switch(in_cookie), PlainRequest(fields=[("cookie", f"session={claims}")])) == Context("u1")
    assert context_of(switch(in_cookie), bearer({"sub": "u1"})) == Context()
    assert context_of(switch(in_header), PlainRequest(fields=[("x-token", claims)])) == Context("u1")
    assert context_of(switch(in_header), PlainRequest(fields=[("x-token", f"Bearer {claims}")])) == Context("u1")


@pytest.mark.parametrize(
    ("claim", "key", "attribute"),
    [
        ("u1", "u1", "u1"),
        ("", "", ""),
        (7, "7", 7),
        (7.0, "7", 7.0),
        (7.5, "7.5", 7.5),
        (True, None, True),
        (None, None, None),
        ({"id": "u1"}, None, None),
    ],
)
def test_claims_are_scalars(claim: object, key: str | None, attribute: object) -> None:
    request = bearer({"sub": claim})
    assert context_of(switch(SUBJECT), request)[0] == key
    assert context_of(switch(None, user=SUBJECT), request)[1].get("user") == attribute


def listed(source: Source, request: PlainRequest) -> Sequence[object] | None:
    """Return the list that an attribute is; None where it is missing."""
    key, attributes = context_of(switch(source, groups=source), request)
    assert key is None or source.split is not None  # a key is never a list
    value = attributes.get("groups")
    assert value is None or isinstance(value, Items)
    return None if value is None else value.values


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        (["a", "b, c"], ["a", "b, c"]),
        (["a", 1, 1.5, True], ["a", 1, 1.5, True]),
        ([], []),
        (["a", None], None),
        (["a", ["b"]], None),
        (["a", {"b": 1}], None),
        (["a"] * 1_000, ["a"] * 1_000),
        (["a"] * 1_001, None),
        (["a" * 2_000, "b" * 2_096], ["a" * 2_000, "b" * 2_096]),
        (["a" * 2_000, "b" * 2_096, "c"], None),
    ],
)
def test_a_claim_may_be_a_list_of_scalars(claim: list[object], groups: list[object] | None) -> None:
    assert listed(Source(SourceKind.JWT_CLAIM, "groups"), bearer({"groups": claim})) == groups


@pytest.mark.parametrize(
    ("name", "claims", "groups"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}}, ["a"]),
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}, "realm_access.roles": ["b"]}, ["b"]),
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}, "realm_access.roles": None}, None),
        ("https://example.com/roles", {"https://example.com/roles": ["a"]}, ["a"]),
        ("a.b.c", {"a": {"b": {"c": [1]}}}, [1]),
        ("a.b.c", {"a": {"b.c": [1]}}, None),
        ("a.b", {"a": ["b"]}, None),
        ("a.b", {"a": "b"}, None),
        ("a.b", {}, None),
        ("a", {"a": {"b": 1}}, None),
    ],
)
def test_a_claim_is_found_by_its_name_and_then_by_a_path(
    name: str, claims: dict[str, object], groups: list[object] | None
) -> None:
    assert listed(Source(SourceKind.JWT_CLAIM, name), bearer(claims)) == groups


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (["a"], ["a"]),
        (["a, b ,\tc"], ["a", "b", "c"]),
        (["a", "b,c"], ["a", "b", "c"]),
        (["a,,b, ,"], ["a", "b"]),
        ([""], []),
        (["j\xc3\xbcrgen,b"], ["jürgen", "b"]),
        (["a," * 900, "b," * 100], ["a"] * 900 + ["b"] * 100),
        (["a," * 900, "b," * 101], None),
        (["a" * 4_096], ["a" * 4_096]),
        ([f"{'a' * 4_096},b"], None),
        (["," * 8_192], []),
        (["," * 8_193], None),
        ([], None),
    ],
)
def test_fields_of_a_name_are_one_list(values: list[str], groups: list[str] | None) -> None:
    source = Source(SourceKind.HEADER, "x-groups", split=",")
    assert listed(source, PlainRequest(fields=[("x-groups", value) for value in values])) == groups


def test_any_text_may_be_split() -> None:
    cookie = Source(SourceKind.COOKIE, "groups", split="|")
    assert listed(cookie, PlainRequest(fields=[("cookie", "groups=a|b")])) == ["a", "b"]
    assert listed(cookie, PlainRequest()) is None
    assert listed(Source(SourceKind.QUERY, "g", split=","), PlainRequest(query="g=a%2C+b&g=c")) == ["a", "b"]
    scope = Source(SourceKind.JWT_CLAIM, "scope", split=" ")
    assert listed(scope, bearer({"scope": "read  write"})) == ["read", "write"]
    assert listed(scope, bearer({"scope": ["read all", "write"]})) == ["read all", "write"]
    assert listed(scope, bearer({"scope": 7})) == [7]
    assert listed(scope, bearer({})) is None
    with pytest.raises(ValueError, match="at least one character"):
        Source(SourceKind.QUERY, "g", split="")


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a.b",
        "a.b.c.d",
        f"a.{encoded(b'[1]')}.c",
        f"a.{encoded(b'{')}.c",
        f"a.{encoded(bytes([0xFF]))}.c",
        "a.!!!.c",
        "a.ü.c",
        f"a.{encoded(b'[' * 9_000)}.c",
        f"a.{encoded(b' ' * 20_000 + json.dumps({'sub': 'u1'}).encode())}.c",
    ],
)
def test_a_bad_token_is_as_good_as_none(bad: str) -> None:
    assert context_of(switch(SUBJECT), PlainRequest(fields=[("authorization", f"Bearer {bad}")])) == Context()


def test_the_cookie_for_the_anonymous_stands_in_for_a_missing_key() -> None:
    asked = Switch("f", FixedAnswer(503), USER, anonymous_cookie="tailslide_id")
    cookie = ("cookie", "tailslide_id=anon-1")
    assert context_of(asked, PlainRequest(fields=[cookie])) == Context("anon-1")
    assert context_of(asked, PlainRequest(fields=[cookie, ("x-user-id", "")])) == Context("anon-1")
    assert context_of(asked, PlainRequest(fields=[cookie, ("x-user-id", "u1")])) == Context("u1")
    assert context_of(asked, PlainRequest()) == Context()
    assert context_of(switch(USER), PlainRequest(fields=[cookie])) == Context()


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_no_request_breaks_the_reading_of_it(field: str, query: str) -> None:
    asked = switch(
        Source(SourceKind.COOKIE, "u"),
        q=Source(SourceKind.QUERY, "q"),
        claim=SUBJECT,
        other=Source(SourceKind.JWT_CLAIM, "s", Source(SourceKind.HEADER, "x")),
    )
    names = ("cookie", "authorization", "x")
    context_of(asked, PlainRequest(query=query, fields=[(name, field) for name in names]))
    context_of(asked, PlainRequest(query=query, fields=[("authorization", f"Bearer a.{field}.b")]))


def test_sources_that_make_no_sense_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="lower case"):
        Source(SourceKind.HEADER, "X-User")
    for kind, carrier in ((SourceKind.COOKIE, USER), (SourceKind.JWT_CLAIM, Source(SourceKind.QUERY, "t"))):
        with pytest.raises(ValueError, match="expected a token"):
            Source(kind, "x", carrier)
