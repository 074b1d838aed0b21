"""Where the nodes of a Redis are, as the server says: users are not replicated, so each node has its own. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Node(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def replicas(info: Mapping[str, Any]) -> list[Node]:
    """Return the replicas that a master names in `INFO replication`, as redis-py has it, those that are there now."""
    found = []
    for name, value in info.items():
        if not name.startswith("slave") or not name[5:].isdigit() or not isinstance(value, Mapping):
            continue
        port = value.get("port")
        if value.get("state") == "online" and isinstance(port, int) and value.get("ip"):
            found.append(Node(str(value["ip"]), port))
    return sorted(found)


def master(info: Mapping[str, Any]) -> Node | None:
    """Return the master that a replica names in `INFO replication`; None for a master."""
    host, port = info.get("master_host"), info.get("master_port")
    return Node(str(host), port) if info.get("role") == "slave" and host and isinstance(port, int) else None


_NOT_THERE = frozenset({"myself", "noaddr", "fail", "handshake"})


def members(nodes: Mapping[str, Mapping[str, Any]]) -> set[Node]:
    """Return the other nodes of a cluster, those that are not known to have failed.

    `nodes` is the answer to `CLUSTER NODES`, as redis-py has it: by `<ip>:<port>`.
    """
    found = set()
    for address, node in nodes.items():
        host, _, port = address.rpartition(":")
        if host and port.isdigit() and int(port) and not _NOT_THERE & set(str(node.get("flags", "")).split(",")):
            found.add(Node(host.strip("[]"), int(port)))
    return found
