"""Warns of what routes and flags name and the app does not have. What that means for answers is decided elsewhere."""

from collections.abc import Sequence

import structlog

from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.proxy.routes import Route, flags_of, problem_with_variants

log = structlog.get_logger()


class MissingNames:
    """What was warned of, so that each name is told once."""

    def __init__(self, store: FlagStore, routes: Sequence[Route]) -> None:
        self._store = store
        self._routes = routes
        self._route_flags = flags_of(routes)
        self._warned: set[tuple[str, str]] = set()
        self._warned_of_variants: set[str] = set()

    def use(self, routes: Sequence[Route]) -> None:
        """Look after the flags of other routes."""
        self._routes = routes
        self._route_flags = flags_of(routes)
        self.warn()

    def warn(self) -> None:
        """Log each flag or segment that is named but that the app does not have, once; again only after it existed."""
        if self._store.origin is None:
            return
        missing = {("flag", flag) for flag in self._route_flags if self._store.ruleset(flag) is None}
        missing |= {("segment", segment) for segment in self._store.unknown_segments()}
        missing |= {("prerequisite", flag) for flag in self._store.unknown_prerequisites()}
        for kind, key in sorted(missing - self._warned):
            self._warn_of(kind, key)
        self._warned = missing
        self._warn_of_variants()

    def _warn_of_variants(self) -> None:
        """Log upstreams for variants that are never called, once; again only after they could be called."""
        problems: dict[str, list[str]] = {}
        for index, route in enumerate(self._routes):
            if route.switch is None or not route.switch.variants:
                continue
            ruleset = self._store.ruleset(route.switch.flag)
            problem = None if ruleset is None else problem_with_variants(route.switch, ruleset)
            if problem is not None:
                problems.setdefault(problem, []).append(f"routes[{index}].variants")
        for problem, fields in problems.items():
            if problem not in self._warned_of_variants:
                log.warning("route_variants_unused", fields=fields, problem=problem, app=self._store.app)
        self._warned_of_variants = set(problems)

    def _warn_of(self, kind: str, key: str) -> None:
        app = self._store.app
        if kind == "flag":
            log.warning(
                "unknown_flag",
                message="a route names a flag that the app does not have; its fallback answers until it has",
                fields=[f"routes[{index}].flag" for index in self._route_flags[key]],
                flag=key,
                app=app,
            )
        elif kind == "segment":
            log.warning("unknown_segment", segment=key, flags=self._store.unknown_segments()[key], app=app)
        else:
            log.warning("unknown_prerequisite", flag=key, required_by=self._store.unknown_prerequisites()[key], app=app)
