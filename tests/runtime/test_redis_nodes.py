"""The nodes that a Redis names."""

from tailslide_runtime.redis_nodes import Node, master, members, replicas


def test_a_master_names_its_replicas() -> None:
    info = {
        "role": "master",
        "connected_slaves": 3,
        "slave0": {"ip": "10.0.0.2", "port": 6379, "state": "online"},
        "slave1": {"ip": "::1", "port": 6380, "state": "online"},
        "slave2": {"ip": "10.0.0.9", "port": 6379, "state": "wait_bgsave"},
        "slave_repl_offset": 5,
        "slave3": "nonsense",
    }
    found = replicas(info)
    assert [str(node) for node in found] == ["10.0.0.2:6379", "[::1]:6380"]
    assert master(info) is None


def test_a_replica_names_its_master() -> None:
    info = {"role": "slave", "master_host": "redis-0.example", "master_port": 6379, "slave_priority": 100}
    assert master(info) == Node("redis-0.example", 6379)
    assert replicas(info) == []


def test_a_cluster_names_its_members() -> None:
    nodes = {
        "10.0.0.1:6379": {"flags": "myself,master"},
        "10.0.0.2:6379": {"flags": "master"},
        "10.0.0.3:6379": {"flags": "slave"},
        "10.0.0.4:6379": {"flags": "master,fail?"},
        "10.0.0.5:6379": {"flags": "master,fail"},
        ":0": {"flags": "master,noaddr"},
        "2001:db8::1:6379": {"flags": "slave"},
    }
    assert members(nodes) == {
        Node("10.0.0.2", 6379),
        Node("10.0.0.3", 6379),
        Node("10.0.0.4", 6379),
        Node("2001:db8::1", 6379),
    }
