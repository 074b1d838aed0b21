"""What has moved circuits, for those who see only what they are now: sidecars, and whoever tells people of them.

Who writes verdicts knows the transitions themselves; they are in the stream of events.
"""

from dataclasses import dataclass

from tailslide_core.circuit import Circuit, Signal, State, Transition, transition_between


@dataclass(frozen=True, slots=True)
class _Seen:
    """What of a circuit tells that it has moved; its times may be mended without that."""

    state: State
    percentage: float
    generation: int
    reset_generation: int


class SeenCircuits:
    """The circuits of some flags as they were seen last, by key."""

    def __init__(self) -> None:
        self._circuits: dict[str, Circuit] = {}

    def saw(self, key: str, circuit: Circuit | None) -> Transition | None:
        """Take in what a circuit is now, None where there is none; return what must have moved it, if anything has.

        A circuit that is seen for the first time has moved if it is not closed: it was, before anybody looked.
        """
        if circuit is None:
            self._circuits.pop(key, None)
            return None
        before = self._circuits.get(key)
        self._circuits[key] = circuit
        if before is None:
            return None if circuit.state is State.CLOSED else transition_between(Circuit(), circuit)
        if _seen(before) == _seen(circuit):
            return None
        transition = transition_between(before, circuit)
        closed = before.state is State.CLOSED and circuit.state is State.CLOSED
        # A reset of what is closed changes nothing for anybody, and without trips there are none to forget.
        told = not closed or (transition.signal is Signal.CALM and before.trips > 0)
        return transition if told else None


def _seen(circuit: Circuit) -> _Seen:
    return _Seen(circuit.state, circuit.percentage, circuit.generation, circuit.reset_generation)
