"""Keeps the users of a Redis equal to the SDK keys: one user for each app, whose passwords are the app's keys.

Level-triggered: everything is compared after each change of the keys, each restart of Redis, and every five
seconds, on every node that the server names. Users are kept in memory by most servers, so a Redis that was started
again has none until we have set them; both Tower and Aerobat do. What a user may do is `redis_access`.

Fails towards what is there: while Redis is away nothing changes in it, and a Redis that does not let us set users is
left as it is, which is said once and shown as a metric. While NATS is away we may know keys that were revoked
meanwhile, and others may know better: then only users that are missing after a restart of Redis are set.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.redis_access import Change, changes, hashes_by_app, read_users
from tailslide_runtime.redis_connections import connection_pool
from tailslide_runtime.redis_nodes import Node, master, members, replicas
from tailslide_runtime.server_urls import RedisUrl

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
"""How often each node is asked whether it is still the process that we know; another one is looked at in full."""
COMPARE_EVERY_S = 5.0
NODES_EVERY_S = 15.0
REFUSED_RETRY_S = 60.0
"""A Redis that lets nobody set users is asked again so often."""
TIMEOUT_S = 2.0
AT_ONCE = 100
"""Users that are set in one round trip."""
_UNKNOWN = ("unknown command", "unknown subcommand", "not supported", "not allowed", "disabled")


class UsersRefusedError(Exception):
    """A Redis does not let us set users; the text is its answer."""


@dataclass(slots=True)
class _Server:
    """A node as it is known: a connection to it, and the lines of our users as they were after we had set them."""

    name: str
    redis: Redis
    settled: dict[str, str] = field(default_factory=dict)
    process: str | None = None
    changes: int = -1
    """The number of changes of the keys that it has."""
    compared_at: float | None = None
    asked_at: float | None = None
    problem: str | None = None
    refused: bool = False


class RedisUsers:
    """Sets and deletes the users of sidecars on all nodes of one Redis."""

    def __init__(self, url: RedisUrl, keys: KnownKeys) -> None:
        self._url = url
        self._keys = keys
        self._first = self._server(None)
        self._others: dict[Node, _Server] = {}
        self._nodes_at: float | None = None

    def __repr__(self) -> str:
        return f"<RedisUsers of {self._url} on {1 + len(self._others)} nodes>"

    def _server(self, node: Node | None) -> _Server:
        url = self._url if node is None else self._url.at(node.host, node.port)
        redis = Redis.from_pool(
            connection_pool(
                url,
                connect_timeout_s=TIMEOUT_S,
                answer_timeout_s=TIMEOUT_S,
                protocol=2,
                decode_responses=True,
                encoding_errors="replace",
                max_connections=1,
            )
        )
        return _Server(str(url), redis)

    @property
    def refused(self) -> bool:
        """Whether any node does not let us set users."""
        return any(server.refused for server in self._servers())

    @property
    def problems(self) -> Mapping[str, str]:
        """Return why the users of a node may not be what they should, by the node's address."""
        return {server.name: server.problem for server in self._servers() if server.problem is not None}

    @property
    def nodes(self) -> int:
        """How many nodes are known, whether they can be reached or not."""
        return 1 + len(self._others)

    @property
    def in_step(self) -> int:
        """How many nodes have the users that the keys ask for."""
        return sum(
            server.problem is None and server.changes == self._keys.changes and server.compared_at is not None
            for server in self._servers()
        )

    def _servers(self) -> Iterator[_Server]:
        yield self._first
        yield from self._others.values()

    async def run(self) -> None:
        """Keep the users equal to the keys until cancelled; every error is logged and tried again."""
        try:
            while True:
                raise_if_cancelled()
                seen = self._keys.changes
                await self.look()
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._keys.changed_since(seen)
                except TimeoutError:
                    pass
        finally:
            await self.close()

    async def close(self) -> None:
        """Close all connections."""
        for server in self._servers():
            await server.redis.aclose()

    async def look(self) -> None:
        """Bring all nodes up to date, those that may not be; nothing is touched before the keys are known."""
        if not self._keys.listed:
            return
        await asyncio.gather(*(self._see_to(server) for server in self._servers()))
        now_s = time.monotonic()
        if self._first.problem is None and (self._nodes_at is None or now_s - self._nodes_at >= NODES_EVERY_S):
            self._nodes_at = now_s
            await self._find_nodes()

    async def _find_nodes(self) -> None:
        """Learn which other nodes there are, and see to those that are new; one that has gone is dropped."""
        try:
            found = await nodes_beside(self._first.redis)
        except (RedisError, OSError) as error:
            log.debug("redis_nodes_unknown", error=_text(error))
            return
        for node in self._others.keys() - found:
            await self._others.pop(node).redis.aclose()
        new: list[_Server] = []
        for node in found - self._others.keys():
            try:
                server = self._server(node)
            except ValueError as problem:
                log.debug("redis_node_without_address", node=str(node), error=str(problem))
                continue
            self._others[node] = server
            new.append(server)
        await asyncio.gather(*(self._see_to(server) for server in new))

    async def _see_to(self, server: _Server) -> None:
        """Bring one node up to date, if it may not be so; errors are noted."""
        now_s = time.monotonic()
        if server.refused and server.asked_at is not None and now_s - server.asked_at < REFUSED_RETRY_S:
            return
        server.asked_at = now_s
        try:
            await self._bring_up_to_date(server, now_s)
        except UsersRefusedError as error:
            if not server.refused:
                log.warning(
                    "redis_users_refused",
                    redis=server.name,
                    error=str(error),
                    needs="ACL LIST, ACL SETUSER, ACL DELUSER and CLIENT KILL; or users set by hand, see docs/redis.md",
                )
            server.refused, server.problem, server.compared_at = True, str(error), None
        except (RedisError, OSError) as error:
            text = _text(error)
            if server.problem is None:
                log.warning("redis_users_not_compared", redis=server.name, error=text)
            server.refused, server.problem, server.compared_at = False, text, None
        else:
            if server.problem is not None:
                log.info("redis_users_compared", redis=server.name)
            server.refused, server.problem = False, None

    async def _bring_up_to_date(self, server: _Server, now_s: float) -> None:
        process = await _process_of(server.redis)
        known, current = self._keys.changes, self._keys.current
        if process == server.process and (
            not current
            or (
                known == server.changes
                and server.compared_at is not None
                and now_s - server.compared_at < COMPARE_EVERY_S
            )
        ):
            return
        wanted = hashes_by_app(self._keys.records.values())
        spared = frozenset(name.partition(".")[0] for name in self._keys.unreadable)
        listed = read_users(await _acl_list(server.redis))
        due = changes(wanted, listed, server.settled, spared, only_missing=not current)
        for first in range(0, len(due), AT_ONCE):
            await _carry_out(server.redis, due[first : first + AT_ONCE])
        if due:
            listed = read_users(await _acl_list(server.redis))
            server.settled = {app: user.line for app, user in listed.items()}
            self._tell(server, due)
        server.process, server.changes, server.compared_at = process, known, now_s if current else None

    @staticmethod
    def _tell(server: _Server, due: Sequence[Change]) -> None:
        deleted = sorted(change.app for change in due if change.hashes is None)
        cut = sorted(change.app for change in due if change.cut)
        log.info(
            "redis_users_set", redis=server.name, users=len(due) - len(deleted), deleted=deleted[:20], cut=cut[:20]
        )


async def nodes_beside(redis: Redis) -> set[Node]:
    """Return the other nodes that a server names: of its cluster, or its replicas, or its master with those.

    Raises the errors of redis-py.
    """
    replication: Mapping[str, Any] = await redis.info("replication")
    found = set(replicas(replication))
    above = master(replication)
    if above is not None:
        found.add(above)
    cluster: Mapping[str, Any] = await redis.info("cluster")
    if cluster.get("cluster_enabled") == 1:
        answer: Mapping[str, Mapping[str, Any]] = await redis.cluster("nodes")
        return members(answer)
    return found


async def _process_of(redis: Redis) -> str:
    """Return what names the server's process, which is another one after a restart or a failover.

    Numbers of connections would not do: a server that was started again gives the same ones again.
    """
    return str((await redis.info("server")).get("run_id"))


async def _acl_list(redis: Redis) -> list[str]:
    try:
        return [str(line) for line in await redis.acl_list()]
    except ResponseError as error:
        raise _refusal(error) from error


async def _carry_out(redis: Redis, due: Sequence[Change]) -> None:
    """Carry changes out, each in a transaction: who took a key away has closed its connections, or has done nothing."""
    async with redis.pipeline(transaction=True) as pipeline:
        for change in due:
            for command in change.commands():
                pipeline.execute_command(*command)
        try:
            await pipeline.execute()
        except ResponseError as error:
            raise _refusal(error) from error


class RedisUsersMetrics(Collector):
    """What is to be seen of them at `/metrics` of a process."""

    def __init__(self, users: RedisUsers, keys: KnownKeys, prefix: str) -> None:
        """`prefix` is that of the process's metrics, `tailslide_<process>`."""
        self._users = users
        self._keys = keys
        self._prefix = prefix

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the gauges as they are now."""
        users = self._users
        for name, text, value in (
            ("sdk_keys", "SDK keys that are good.", len(self._keys.records)),
            ("sdk_keys_unreadable", "SDK keys whose record is not understood.", len(self._keys.unreadable)),
            ("redis_users_nodes", "Nodes of Redis on which the users of sidecars are set.", users.nodes),
            ("redis_users_nodes_in_step", "Nodes of Redis whose users are those of the SDK keys.", users.in_step),
            ("redis_users_refused", "Whether a Redis does not let us set users.", int(users.refused)),
        ):
            yield GaugeMetricFamily(f"{self._prefix}_{name}", text, value)


def _refusal(error: ResponseError) -> Exception:
    text = str(error)
    if isinstance(error, NoPermissionError) or any(each in text.lower() for each in _UNKNOWN):
        return UsersRefusedError(text)
    return error


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
