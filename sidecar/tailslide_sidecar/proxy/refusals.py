"""What only the proxy answers by itself, because it may not send a call on now. Pure."""

from tailslide_runtime.http1.refusals import Refusal

SLOW_CLIENT = Refusal(408, "REQUEST_TIMEOUT", "the client took all of the time that the call may take", closes=True)


def no_capacity(route: str, limit: int) -> Refusal:
    """Refuse a call, since enough of its route are running."""
    return Refusal(
        503, "NO_CAPACITY", f"{limit} calls of the route {route} are running", headers=((b"Retry-After", b"1"),)
    )
