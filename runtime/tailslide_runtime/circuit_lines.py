"""The log line of a circuit that has moved: a name for machines, the sentence for people; of all processes alike."""

import logging
from typing import Protocol

from tailslide_core.circuit import Transition
from tailslide_core.sentences.transitions import Move, move_of

EVENTS = {
    Move.OPENED: "circuit_opened",
    Move.REOPENED: "circuit_reopened",
    Move.RECOVERING: "circuit_recovering",
    Move.STEP: "circuit_step",
    Move.CLOSED: "circuit_closed",
    Move.RESET: "circuit_reset",
    Move.CALM: "circuit_calm",
    Move.UNKNOWN: "circuit_moved",
}
"""The name of each line."""


class Logger(Protocol):
    """What is asked of structlog's."""

    def log(self, level: int, event: str, **fields: object) -> object:
        """Write a line."""


def tell_transition(log: Logger, flag: str, transition: Transition, message: str, **more: object) -> None:
    """Write the line of a transition; `message` says it in words. It is a warning when the circuit opens."""
    move, after, reason = move_of(transition), transition.after, transition.after.reason
    opens = move in (Move.OPENED, Move.REOPENED)
    why: dict[str, object] = {}
    if opens and reason is not None:
        why = {
            "rule": reason.rule,
            "observed": reason.observed,
            "threshold": reason.threshold,
            "calls": reason.calls,
            "window_ms": reason.window_ms,
        }
    log.log(
        logging.WARNING if opens else logging.INFO,
        EVENTS[move],
        flag=flag,
        message=message,
        state=after.state,
        percentage=after.percentage,
        trips=after.trips,
        next_ms=after.next_ms,
        **why,
        **more,
    )
