"""The URLs of one-time links, and which pages a browser may be sent on to afterwards. Pure.

The secret stands behind the `#`: a browser does not send that part, so it is in no log of a proxy, in no Referer, and
nothing that looks links up before a person does can use it up.
"""

import re
from urllib.parse import quote

ENTRY_PATH = "/enter"
MAX_PATH = 500

# The page of the links says the same in JavaScript, `entry/page/page_path.js`; a test holds the two together.
_ELSEWHERE = re.compile(
    r"\\"  # browsers read it as a slash
    r"|//"  # another host, in front
    r"|^/[^/?#]*%"  # what the first segment is, is decided after decoding
    r"|^/(?:api|enter)(?=[/?#]|$)"  # Tower's own, but no page
    r"|/(?:\.|%2e){1,2}(?=[/?#]|$)",  # leads to any of these
    re.IGNORECASE,
)


def is_page_path(path: str) -> bool:
    """Whether a browser that is sent to this path, with a query or not, stays at the pages of Tower."""
    return path.startswith("/") and len(path) <= MAX_PATH and path.isprintable() and _ELSEWHERE.search(path) is None


def entry_url(public_url: str, secret: str, page: str | None = None) -> str:
    """Return the link by which a person gets in with a secret, and to a page if one is given."""
    query = "" if page is None else f"?to={quote(page, safe='/')}"
    return f"{public_url}{ENTRY_PATH}{query}#{secret}"
