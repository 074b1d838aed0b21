"""Whether a change that a browser sends was meant by the page it belongs to. Pure.

A browser sends the cookie of a session with whatever any page makes it send. Three things stand against that: the
cookie is `SameSite=Lax`; the browser says which page asks, in `Sec-Fetch-Site` or `Origin`; and a change needs a token
that only a page of ours can read.
"""

import base64
import hashlib
import hmac
from urllib.parse import urlsplit

CSRF_HEADER = "X-CSRF-Token"


def csrf_token(session_secret: str) -> str:
    """Return the token of a session. It is made from the secret of its cookie, so nothing more has to be kept."""
    digest = hmac.digest(session_secret.encode(errors="surrogateescape"), b"tailslide csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_csrf_token(session_secret: str, given: str) -> bool:
    """Whether a token is the session's."""
    return hmac.compare_digest(csrf_token(session_secret).encode(), given.encode(errors="surrogateescape"))


def is_same_site(*, fetch_site: str | None, origin: str | None, host: str, public_url: str) -> bool:
    """Whether a request comes from a page of Tower's own, or from no page at all.

    `fetch_site` and `origin` are the headers Sec-Fetch-Site (of the W3C's Fetch Metadata) and Origin (RFC 6454), None
    where they are missing; `host` is the Host that was asked for.
    """
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        return False
    if origin is None:
        return True
    return origin == origin_of(public_url) or _authority(origin) == host.lower()


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL as a browser writes them in Origin."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _authority(origin: str) -> str | None:
    scheme, separator, authority = origin.partition("://")
    return authority.lower() if separator and scheme in {"http", "https"} else None
