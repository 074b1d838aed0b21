"""Who may stay when there are too many, and how all of them end."""

from tailslide_runtime.connections import Connections


class Client:
    """A connection that waits since a moment, or is being answered."""

    def __init__(self, since: float | None, all_of_them: Connections) -> None:
        self.since = since
        self.ended = ""
        self._all = all_of_them
        self.stays = all_of_them.opened(self)

    def waits_since(self) -> float | None:
        return self.since

    def end_if_late(self, now_s: float) -> None:
        if self.since is not None and now_s - self.since > 10:
            self.ended = "late"
            self._all.gone(self)

    def close_when_idle(self) -> None:
        if self.since is not None:
            self.ended = "idle"
            self._all.gone(self)

    def abort(self) -> None:
        self.ended = "aborted"
        self._all.gone(self)


async def test_who_has_waited_longest_makes_place() -> None:
    connections = Connections(100)
    busy = [Client(None, connections) for _ in range(50)]
    waiting = [Client(float(index), connections) for index in range(50)]
    late = Client(99.0, connections)
    assert late.stays
    assert {client.ended for client in busy} == {""}
    assert [client.ended for client in waiting] == ["aborted"] * 32 + [""] * 18
    assert (connections.made_place, connections.turned_away, len(connections)) == (32, 0, 69)


async def test_where_all_are_being_answered_a_new_one_is_turned_away() -> None:
    connections = Connections(2)
    busy = [Client(None, connections) for _ in range(2)]
    late = [Client(1.0, connections) for _ in range(2)]
    assert [client.stays for client in late] == [False, False]
    assert {client.ended for client in busy} == {""}
    assert connections.turned_away == 2
    assert late[0].ended == "aborted"  # who is only being told why may not keep others from being told


async def test_who_is_not_welcome_takes_nobody_s_place() -> None:
    connections = Connections(2)
    waiting = [Client(0.0, connections) for _ in range(2)]
    assert not connections.opened(Client(None, Connections(1)), welcome=False)
    assert {client.ended for client in waiting} == {""}
    assert (connections.made_place, connections.turned_away) == (0, 1)


async def test_silent_clients_keep_nobody_out() -> None:
    connections = Connections(100)
    for index in range(10_000):
        assert Client(float(index), connections).stays
        assert len(connections) <= 100


async def test_late_ones_are_ended_by_a_sweep() -> None:
    connections = Connections(10)
    clients = [Client(since, connections) for since in (0.0, 5.0, None)]
    connections.sweep(11.0)
    assert [client.ended for client in clients] == ["late", "", ""]


async def test_at_the_end_idle_ones_are_closed_and_the_others_waited_for() -> None:
    connections = Connections(10)
    idle, busy = Client(0.0, connections), Client(None, connections)
    connections.close()
    assert (idle.ended, busy.ended) == ("idle", "")
    assert not Client(0.0, connections).stays
    await connections.drained(0.0)
    assert busy.ended == "aborted"
    assert len(connections) == 0


async def test_an_end_with_nobody_there_waits_for_nobody() -> None:
    connections = Connections(10)
    connections.close()
    await connections.drained(3600.0)
