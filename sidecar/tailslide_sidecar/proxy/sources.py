"""Whom a request speaks for: the targeting key and the attributes, from headers, cookies, the query or a token. Pure.

A claim of a JSON Web Token is read and nothing more: neither signature nor expiry is looked at, so it may say who gets
which side, and must never say who is let in. That is for the upstream to check, which gets the token as it came.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

import orjson

from tailslide_core.conditions import Attributes, Items, Scalar, text_of
from tailslide_core.evaluation import Context
from tailslide_core.fields import shown
from tailslide_sidecar.question_limits import MAX_LIST_ITEMS, MAX_TEXT_CHARACTERS

if TYPE_CHECKING:  # `routes` holds sources; the other way round, only their types are needed
    from tailslide_sidecar.proxy.routes import Request, Switch


class SourceKind(StrEnum):
    """Where in a request a value is looked for."""

    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"
    JWT_CLAIM = "jwt_claim"


@dataclass(frozen=True, slots=True)
class Source:
    """A value of the request: a header (its name in lower case), a cookie, a query parameter, or a claim of a token.

    Of several, the first. `token` is the header or the cookie that a claim's token is in; None is the usual
    `Authorization: Bearer …`. With `split`, the value is the list of texts between these separators, and all headers
    of the name count together. Raises `ValueError` when made of parts that do not fit.
    """

    kind: SourceKind
    name: str
    token: "Source | None" = None
    split: str | None = None

    def __post_init__(self) -> None:
        if self.kind is SourceKind.HEADER and self.name != self.name.lower():
            raise ValueError(f"expected the name of a header in lower case, got {shown(self.name)}")
        if self.token is not None and (
            self.kind is not SourceKind.JWT_CLAIM or self.token.kind not in {SourceKind.HEADER, SourceKind.COOKIE}
        ):
            raise ValueError("expected a token in a header or in a cookie, for a claim alone")
        if self.split == "":
            raise ValueError("expected a separator of at least one character, got none")


_HEADER = SourceKind.HEADER  # a global costs a fifth of a member of an enum
_NO_ATTRIBUTES = Context().attributes
_AUTHORIZATION = Source(SourceKind.HEADER, "authorization")
MAX_SPLIT_CHARACTERS = 2 * MAX_TEXT_CHARACTERS
"""A longer text is not taken apart: more than half of it would have to be separators and white space."""
_MAX_TOKEN = 16_384
"""Longer ones are not tokens that anybody sends, and would only cost time."""


def context_of(switch: "Switch", request: "Request") -> tuple[str | None, Attributes]:
    """Return the targeting key and the attributes that a request speaks for; what it does not say is left out.

    So is a text that is too long, and what is too much of a list: a call is never refused for what it says of its user.
    A key is one text, so a list is none.

    Without a targeting key, that of the cookie for the anonymous counts, if it came. No `Context`, whose making would
    cost as much as all the rest.
    """
    source = switch.targeting_key
    if source is None:
        key = None
    elif source.kind is _HEADER:
        key = request.get(source.name)
        if key is not None and not key.isascii():
            key = _as_utf8(key)
    else:
        value = _value(source, request)
        key = None if isinstance(value, bool) else text_of(value)
    if not key and switch.anonymous_cookie is not None:
        key = _cookie(switch.anonymous_cookie, request) or key
    if not switch.attributes:
        return key, _NO_ATTRIBUTES
    attributes: dict[str, object] = {}
    for name, source in switch.attributes:
        value = _value(source, request) if source.split is None else _split(source, source.split, request)
        if value is not None and (value.__class__ is not str or len(value) <= MAX_TEXT_CHARACTERS):
            attributes[name] = value
    return key, attributes


def _split(source: Source, separator: str, request: "Request") -> Items | None:
    """Return a text split into a list; a claim that is already a list, or a value of another kind, stays as it is."""
    if source.kind is _HEADER:
        # Fields of one name are one list (RFC 9110 §5.3).
        texts = [_as_utf8(text) for text in request.get_all(source.name)]
        if not texts:
            return None
    else:
        value = _value(source, request)
        if value is None or isinstance(value, Items):
            return value
        if not isinstance(value, str):
            return Items([value])
        texts = [value]
    if sum(map(len, texts)) > MAX_SPLIT_CHARACTERS:
        return None
    return _bounded([part for text in texts for each in text.split(separator) if (part := each.strip())])


def _bounded(values: Sequence[Scalar]) -> Items | None:
    """Return values as one attribute; None for too many: a negated condition could wrongly hold for a part of them."""
    characters = sum(len(value) for value in values if isinstance(value, str))
    return None if len(values) > MAX_LIST_ITEMS or characters > MAX_TEXT_CHARACTERS else Items(values)


def _value(source: Source, request: "Request") -> Scalar | Items | None:
    match source.kind:
        case SourceKind.HEADER:
            text = request.get(source.name)
            return None if text is None else _as_utf8(text)
        case SourceKind.COOKIE:
            return _cookie(source.name, request)
        case SourceKind.QUERY:
            return _parameter(source.name, request.query)
        case SourceKind.JWT_CLAIM:
            return _claim(source, request)


def _as_utf8(text: str) -> str:
    """Return what bytes that were read as Latin-1 say in UTF-8, if they do: a user is the same in every listener."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _cookie(name: str, request: "Request") -> str | None:
    header = request.get("cookie")
    if header is None or name not in header:
        return None
    return next((_as_utf8(value) for found, value in _cookies(header) if found == name), None)


def _cookies(header: str) -> Iterator[tuple[str, str]]:
    """Take a Cookie header apart as RFC 6265 §4.2.1 writes it; other parts are skipped, as web servers do."""
    for part in header.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            yield name.strip(), value


def _parameter(name: str, query: str) -> str | None:
    """Return the first parameter of a name, as forms write it; what is not UTF-8 is read with U+FFFD in its place."""
    for part in _as_utf8(query).split("&"):
        found, _, value = part.partition("=")
        if part and (found == name or _decoded(found) == name):
            return _decoded(value)
    return None


def _decoded(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def _claim(source: Source, request: "Request") -> Scalar | Items | None:
    carrier = source.token or _AUTHORIZATION
    sent = request.get(carrier.name) if carrier.kind is SourceKind.HEADER else _cookie(carrier.name, request)
    if sent is None or len(sent) > _MAX_TOKEN:
        return None
    scheme, space, credentials = sent.strip().partition(" ")
    if space and scheme.lower() == "bearer":
        token = credentials.strip()
    elif carrier is _AUTHORIZATION:
        return None
    else:
        token = sent
    value = _at(source.name, _claims(token))
    if isinstance(value, list):
        return _bounded(value) if all(isinstance(item, Scalar) for item in value) else None
    return value if isinstance(value, Scalar) else None


def _at(name: str, claims: Mapping[str, object]) -> object:
    """Return a claim by its name or, if there is none, by the name as a path through objects (`realm_access.roles`)."""
    if name in claims or "." not in name:
        return claims.get(name)
    value: object = claims
    for part in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _claims(token: str) -> dict[str, object]:
    """Return the claims of a signed token (RFC 7519 §3, RFC 7515 §3.1); none for any other text."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
        claims = orjson.loads(payload)
    except (binascii.Error, ValueError):  # orjson's error is a ValueError, and so is text that is not ASCII
        return {}
    return claims if isinstance(claims, dict) else {}
