"""All flags of an app at one moment, each prepared, and kept so as rulesets, circuits and segments change.

Flags depend on segments and on each other. When one of these changes, everything that depends on it is prepared again,
transitively.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from tailslide_core.circuit import Circuit
from tailslide_core.conditions import Operator
from tailslide_core.effective_circuit import effective_circuit
from tailslide_core.preparation import PreparedFlag, prepare
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment

_NONE: frozenset[str] = frozenset()


class FlagSet:
    """Rulesets, circuits and segments by key, and the flags that are made of them."""

    def __init__(
        self,
        rulesets: Mapping[str, Ruleset] | None = None,
        circuits: Mapping[str, Circuit] | None = None,
        segments: Mapping[str, Segment] | None = None,
    ) -> None:
        self.rulesets = dict(rulesets or {})
        self.circuits = dict(circuits or {})
        self.segments = dict(segments or {})
        self._prepared: dict[str, PreparedFlag] = {}
        self._depends_on: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        """The flags and the segments that a flag names, of flags that name any."""
        self._required_by: dict[str, set[str]] = {}
        self._used_by: dict[str, set[str]] = {}
        """Which flags name a segment."""
        self.refresh(self.rulesets)

    def prepared(self, flag: str) -> PreparedFlag | None:
        """Return a flag as it is prepared; None for an unknown one."""
        return self._prepared.get(flag)

    def unknown_segments(self) -> dict[str, list[str]]:
        """Return the segments that flags name and that there are not, each with these flags, sorted."""
        return _sorted(self._used_by, self.segments)

    def unknown_prerequisites(self) -> dict[str, list[str]]:
        """Return the flags that others require but the app does not have, each with these others, sorted."""
        return _sorted(self._required_by, self.rulesets)

    def refresh(self, flags: Iterable[str] = (), segments: Iterable[str] = ()) -> list[str]:
        """Prepare the flags whose rulesets or circuits have changed, and all that depend on them or on these segments.

        Returns the keys of all flags that are new or gone, those that others require before those others.
        """
        changed = set(flags)
        for flag in changed:
            self._index(flag)
        for segment in segments:
            changed |= self._used_by.get(segment, _NONE)
        order: list[str] = []
        affected = self._dependents(changed)
        for group in _groups(affected, self._requires):
            cycle = frozenset(group)
            for flag in group:
                self._prepare(flag, cycle)
            order += group
        return order

    def _requires(self, flag: str) -> frozenset[str]:
        return self._depends_on.get(flag, (_NONE, _NONE))[0]

    def _dependents(self, flags: set[str]) -> set[str]:
        found, waiting = set(flags), [flag for flag in flags if flag in self._required_by]
        while waiting:
            for other in self._required_by.get(waiting.pop(), _NONE):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return found

    def _index(self, flag: str) -> None:
        """Note what a flag depends on now."""
        ruleset = self.rulesets.get(flag)
        before = self._depends_on.get(flag)
        now = None if ruleset is None else _depends_on(ruleset)
        if now == before:
            return
        for index, place in ((self._required_by, 0), (self._used_by, 1)):
            old, new = (_NONE if both is None else both[place] for both in (before, now))
            for name in old - new:
                index[name].discard(flag)
                if not index[name]:
                    del index[name]
            for name in new - old:
                index.setdefault(name, set()).add(flag)
            if place == 0:
                self._note_required(old | new)
        if now is None:
            self._depends_on.pop(flag, None)
        else:
            self._depends_on[flag] = now

    def _note_required(self, flags: Iterable[str]) -> None:
        for flag in flags:
            prepared = self._prepared.get(flag)
            if prepared is not None:
                prepared.is_required = flag in self._required_by

    def _prepare(self, flag: str, cycle: frozenset[str]) -> None:
        """Prepare a flag; all flags that are in a cycle with it are in `cycle`, itself included."""
        ruleset = self.rulesets.get(flag)
        if ruleset is None:
            self._prepared.pop(flag, None)
            return
        requires = self._requires(flag)
        required = {name: self._prepared[name] for name in requires - cycle if name in self._prepared}
        effective = effective_circuit(ruleset, self.circuits.get(flag))
        in_cycle = len(cycle) > 1 or flag in requires
        prepared = prepare(ruleset, effective, self.segments, required, in_cycle=in_cycle)
        prepared.is_required = flag in self._required_by
        self._prepared[flag] = prepared


def _sorted(users: Mapping[str, Collection[str]], known: Collection[str]) -> dict[str, list[str]]:
    """Return what is used and not known, with its users, in order; asked after each change, mostly for nothing."""
    return {name: sorted(users[name]) for name in sorted(name for name in users if name not in known)}


def _depends_on(ruleset: Ruleset) -> tuple[frozenset[str], frozenset[str]] | None:
    segments = {
        str(value)
        for rule in ruleset.rules
        for condition in rule.when
        if condition.operator is Operator.IN_SEGMENT
        for value in condition.values
    }
    if not segments and not ruleset.requires:
        return None
    return frozenset(requirement.flag for requirement in ruleset.requires), frozenset(segments)


def _groups(flags: Collection[str], requires: Callable[[str], frozenset[str]]) -> Iterator[list[str]]:
    """Yield the flags in groups: what a group requires comes before it, and flags that require each other are one.

    The strongly connected components of the graph of requirements (R. Tarjan, "Depth-first search and linear graph
    algorithms", 1972), without recursion, since a chain may be as long as there are flags.
    """
    simple = [flag for flag in flags if not requires(flag)]
    yield from ([flag] for flag in simple)
    number: dict[str, int] = dict.fromkeys(simple, 0)
    lowest: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    for root in flags:
        if root in number:
            continue
        work = [(root, iter(requires(root)))]
        number[root] = lowest[root] = len(number) + 1
        path.append(root)
        on_path.add(root)
        while work:
            flag, others = work[-1]
            for other in others:
                if other not in flags:
                    continue
                if other not in number:
                    number[other] = lowest[other] = len(number) + 1
                    path.append(other)
                    on_path.add(other)
                    work.append((other, iter(requires(other))))
                    break
                if other in on_path:
                    lowest[flag] = min(lowest[flag], number[other])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[flag])
                if lowest[flag] == number[flag]:
                    group = [path.pop()]
                    while group[-1] != flag:
                        group.append(path.pop())
                    on_path.difference_update(group)
                    yield group
