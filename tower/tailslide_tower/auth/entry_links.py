"""The URLs of one-time links. Pure.

The secret stands behind the `#`: a browser does not send that part, so it is in no log of a proxy, in no Referer, and
nothing that looks links up before a person does can use it up.
"""

ENTRY_PATH = "/enter"


def entry_url(public_url: str, secret: str) -> str:
    """Return the link by which a person gets in with a secret."""
    return f"{public_url}{ENTRY_PATH}#{secret}"
