"""A route in use: what its settings come to at run time, looked up once instead of with every call."""

from tailslide_sidecar.proxy.accounts import RouteAccount
from tailslide_sidecar.proxy.pool import Pool, Server
from tailslide_sidecar.proxy.routes import FixedAnswer, Route, Side, Switch

NEVER = float("inf")


class ActiveRoute:
    """One entry of the routes, with its account and its servers. Times are in seconds."""

    __slots__ = (
        "account",
        "connect_s",
        "fallback",
        "first_byte_s",
        "has_limits",
        "idle_s",
        "is_reported",
        "label",
        "max_body_bytes",
        "max_calls",
        "retries",
        "rewrites",
        "route",
        "switch",
        "total_s",
        "upstream",
        "variants",
    )

    def __init__(self, route: Route, account: RouteAccount, pool: Pool) -> None:
        timeouts = route.timeouts
        self.route = route
        self.label = route.label
        self.account = account
        self.switch = route.switch
        self.upstream = _servers(route.upstream, pool)
        self.fallback = None if route.switch is None else _servers(route.switch.fallback, pool)
        self.variants = {} if route.switch is None else _variants(route.switch, pool)
        self.is_reported = route.switch is not None and route.switch.is_reported
        self.retries = route.switch is not None and route.switch.retries_on_fallback
        self.connect_s = timeouts.connect_ms / 1000
        self.first_byte_s = timeouts.first_byte_ms / 1000
        self.idle_s = NEVER if timeouts.idle_ms is None else timeouts.idle_ms / 1000
        self.total_s = NEVER if timeouts.total_ms is None else timeouts.total_ms / 1000
        self.max_body_bytes = route.max_body_bytes
        self.max_calls = route.max_calls
        self.has_limits = route.max_body_bytes is not None or route.max_calls is not None
        self.rewrites = route.rewrite_prefix is not None


def _servers(target: Side | FixedAnswer, pool: Pool) -> tuple[Server, ...] | FixedAnswer:
    return target if isinstance(target, FixedAnswer) else _servers_of(target, pool)


def _servers_of(side: Side, pool: Pool) -> tuple[Server, ...]:
    return tuple(pool.server(address) for address in side.addresses)


def _variants(switch: Switch, pool: Pool) -> dict[str, tuple[Server, ...]]:
    return {variant: _servers_of(side, pool) for variant, side in switch.variants}
